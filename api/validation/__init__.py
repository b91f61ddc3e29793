"""`/validate`: validation of submitted RDF, page and API (`router`), reading the request (`document`)."""
