"""Synthetic data of any size in the shape of the real graph."""
