"""The graph for language models: tools and resources of the Model Context Protocol (MCP).

Every tool asks the server's own HTTP interface, so an agent gets what any client gets, within the same limits. Imports
`kg.release`, `kg.rdf` and `kg.errors`; the SDK is imported when the first agent comes.

- `callers`: who calls a tool
- `calls`: the requests, in this process or over HTTP
- `receipts`: what an answer rests on
- `results`: rows, facts and proofs as a model reads them
- `tools`: the tools and resources
- `stdio`: an agent's server on standard input and output
"""
