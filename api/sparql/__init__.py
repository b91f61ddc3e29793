"""SPARQL over HTTP: the endpoint (`router`), the query library (`stored_queries`) and named graphs (`graphs`)."""
