"""A release: its files, its store, and everything that is read from it when it is served."""
