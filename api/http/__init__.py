"""HTTP: parsing heads, negotiation, bodies, caching and representations."""
