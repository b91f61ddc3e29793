"""The graph explorer."""
