"""Counts and logs requests: `metrics` for Prometheus, `requests` with the request log, which
`log_writer` writes."""
