"""Checks RDF that clients send.

- `/validate`: page and API (`router`), reading the request (`document`), results on the page (`shown_results`)
- `/publish`: a partner's dataset (`contributing`): its form (`contribution_form`), its folder (`contribution_folder`)
"""
