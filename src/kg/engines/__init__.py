"""SPARQL engines: evaluating a query on the embedded store, and reading a release from a remote one."""
