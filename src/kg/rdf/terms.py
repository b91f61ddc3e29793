"""RDF terms as the engine's types name them, narrowed to what this dataset holds: no quoted triples."""

from __future__ import annotations

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Triple

Term = NamedNode | BlankNode | Literal
# What the engine's signatures admit; RDF 1.2 triple terms do not occur in our data.
AnyTerm = Term | Triple | DefaultGraph


def value(term: AnyTerm) -> str:
    """The IRI, label or text of a term; the empty string for the default graph."""
    return term.value if isinstance(term, Term) else ""


def named_node(text: str) -> NamedNode | None:
    """The IRI that a text is; None for a text that is no absolute IRI."""
    try:
        return NamedNode(text)
    except ValueError:
        return None
