"""The front page, charts, explanations and static files."""
