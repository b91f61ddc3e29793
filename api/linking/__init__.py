"""`/link`: matches a table against the records (`router`, `state`, `candidates`); `/mentions`: a text (`text_desk`)."""
