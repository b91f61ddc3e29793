"""Publishes a release to a remote engine (`publication`)."""
