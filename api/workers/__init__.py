"""The pools of processes that evaluate queries and validate documents."""
