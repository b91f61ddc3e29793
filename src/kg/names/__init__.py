"""Names and identifiers of bodies, people and laws, compared in all the ways that documents write them."""
