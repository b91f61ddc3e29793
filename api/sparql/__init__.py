"""The SPARQL endpoint, the query library and the named graphs."""
