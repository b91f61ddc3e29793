"""The build: from curated files through checks and inference to a release."""
