"""Checks RDF that a client submits (`/validate`, `kg validate`).

- `intake`: reads untrusted RDF within limits
- `validation`: applies shapes, check queries, vocabulary and record IRIs
- `positions`: line numbers of statements; `report`: the results as SHACL, JSON and text
- `contribution`: what a partner's dataset must be besides, and its description
- `process`: runs a validation in a child process
"""
