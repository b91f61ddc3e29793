"""Runs the query of a request: `execution` evaluates it, `empty_results` explains why it has no rows."""
