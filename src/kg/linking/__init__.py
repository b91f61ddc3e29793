"""Linking a table to the records: candidates with their evidence, review, and the resulting linkset."""
