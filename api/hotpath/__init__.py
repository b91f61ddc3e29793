"""Answers sent from the connection itself, below the application."""
