"""Works on SPARQL queries as text.

- `lexer`, `guard`: tokens, and limits on untrusted queries
- `library`: stored queries with parameters
- `diagnosis`, `emptiness`, `decomposition`: explain syntax errors and empty results
- `translation`: adapts queries to remote engines
"""
