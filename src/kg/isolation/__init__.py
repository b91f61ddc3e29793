"""Child processes for untrusted input: without a network, limited in memory and time, killed at their deadline.

- `program`: what a child does (a task) and its limits; `run` has one message answered
- `pool`: workers with slots, a queue and deadlines, for asyncio; `jobs`, `waiting` and `processes` are its parts
- `zygote`: the program of all children; `sandbox`: what they may not do; `messages`: how they are talked to
"""
