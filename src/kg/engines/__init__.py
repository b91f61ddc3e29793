"""SPARQL engines behind the `Backend` protocol (`backend`).

- `embedded`: pyoxigraph's store; `remote`, with `endpoint` and `dialects`: a SPARQL endpoint
- `evaluation`: evaluates a query and serializes the result
- `federation`: SERVICE, through a forwarder
"""
