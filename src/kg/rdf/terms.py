"""Types of RDF terms, narrowed to those in datasets: no triple terms."""

from __future__ import annotations

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Triple

Term = NamedNode | BlankNode | Literal
# What the engine's signatures admit; RDF 1.2 triple terms do not occur in our data.
AnyTerm = Term | Triple | DefaultGraph


def value(term: AnyTerm) -> str:
    """The IRI, label or text of a term; '' for the default graph."""
    return term.value if isinstance(term, Term) else ""


def named_node(text: str) -> NamedNode | None:
    """A text as an IRI; None unless it is an absolute IRI."""
    try:
        return NamedNode(text)
    except ValueError:
        return None
