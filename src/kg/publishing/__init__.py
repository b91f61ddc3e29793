"""Loading a release into a remote engine."""
