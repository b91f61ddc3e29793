"""Texts, languages and the formatting of values."""
