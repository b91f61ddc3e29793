"""SPARQL as text: the lexer, the limits, the query library, and the diagnosis of errors and empty results."""
