"""`/search` and `/suggest`: records and terms by name."""
