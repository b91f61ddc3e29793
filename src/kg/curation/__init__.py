"""Curated YAML files: reading them, mapping them to RDF, and tracing each fact to its passage."""
