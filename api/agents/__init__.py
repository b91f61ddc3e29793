"""`/mcp` and `/llms.txt`: the graph for language models and the agents that use them.

- `sessions`: the server of the protocol, made when the first agent comes
- `guide`: what an agent reads at the beginning
- `router`: the routes
"""
