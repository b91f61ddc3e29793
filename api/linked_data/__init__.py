"""Linked data: `/id`, `/page`, `/data` and `/linkset`."""
