"""The hot path: responses sent by the connection itself, without the application.

- `connection`: the protocol of a connection; `shortcut`: cached responses and queries
"""
