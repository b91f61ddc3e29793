"""The link desk."""
