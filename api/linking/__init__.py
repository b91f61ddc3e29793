"""`/link`, the link desk: matches a table against the records (`router`, `state`, `candidates`)."""
