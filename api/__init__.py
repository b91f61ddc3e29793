"""The web side: a FastAPI application over one release, and nothing but the web."""
