"""RDF as this project writes it: identifiers, terms, the JSON-LD context, media types and canonical order."""
