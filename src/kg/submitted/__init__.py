"""Validation of submitted RDF: reading it within limits, checking it, and reporting what was found."""
