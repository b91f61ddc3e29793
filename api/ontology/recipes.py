"""Recipes: stored queries that show how the terms of the ontology are asked, for the page of the ontology."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from api.site.site import Site
from kg.sparql import lexer
from kg.sparql.library import StoredQuery

# The tag of stored queries that are recipes.
_TAG = "recipe"
_PREFIX = re.compile(r"PREFIX\s+([\w-]*):\s*<([^>]*)>")


def recipes(site: Site) -> Sequence[StoredQuery]:
    """The recipes in order of their names."""
    return [query for _, query in sorted(site.queries.items()) if _TAG in query.tags]


def by_term(found: Sequence[StoredQuery]) -> Mapping[str, Sequence[StoredQuery]]:
    """The recipes that use each term."""
    uses: dict[str, list[StoredQuery]] = defaultdict(list)
    for query in found:
        for iri in sorted(terms(query.text)):
            uses[iri].append(query)
    return uses


def terms(text: str) -> set[str]:
    """The IRIs that a query writes with a prefix."""
    spaces = dict(_PREFIX.findall(text))
    words = (token["word"].partition(":") for token in lexer.tokens(text) if token.lastgroup == "word")
    return {spaces[prefix] + local for prefix, _, local in words if local and prefix in spaces}
