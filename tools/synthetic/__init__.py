"""Generates synthetic data of any size in the shape of the real graph.

- `generation`: plans and writes the data; `templates`: records with slots; `wording`: made-up names
- `command`: `kg generate`
"""
