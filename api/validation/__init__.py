"""The validation page and API."""
