"""Processes that do untrusted work: limited in time, memory and network, and killed when they exceed a limit."""
