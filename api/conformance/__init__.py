"""Conformance requirements and their checks against a running server."""
