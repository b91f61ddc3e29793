"""Labels, links and table cells as HTML, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape
from pyoxigraph import Literal, NamedNode

from api.html.reader import Reader
from api.i18n.values import amount, shown
from kg.rdf import formats, iris
from kg.rdf.namespaces import DCTERMS, KG, OWL, SKOS
from kg.rdf.terms import AnyTerm, value

_LANGUAGE_OF_TAG = {"ja-hrkt": "ja-Hrkt"}


# Markup is written as f-strings with each value escaped: `Markup.format` is several times slower, and a page needs
# hundreds of them.
class Names(Reader):
    """Renders IRIs and literals as HTML for the reader."""

    # ---- labels ----

    def literal(self, literal: Literal) -> Markup:
        """Render a literal, with its language marked if it is not the reader's."""
        text = escape(shown(literal, self.language))
        if literal.language is None:
            return text
        primary = literal.language.partition("-")[0]
        if primary == self.language:
            return text
        tag = _LANGUAGE_OF_TAG.get(literal.language, literal.language)
        title = self.t("fallback")
        mark = f'<abbr class="fallback" title="{escape(title)}" lang="{self.language}">{escape(primary)}</abbr>'
        return Markup(f'<span lang="{escape(tag)}">{text}</span>&nbsp;{mark}')

    def name(self, iri: str) -> Markup:
        """Render the label of a resource, or a short form of its IRI if it has none."""
        label = self._label(iri)
        return self.literal(label) if label else Markup("<code>{}</code>").format(self.short(iri))

    def _label(self, iri: str) -> Literal | None:
        """The label of a resource; of a part without one, such as an entry of a concordance, that of its term."""
        known = self.site.entities
        if (label := known.label(iri, self.languages)) or "#" not in iri:
            return label
        terms = known.values(iri, KG + "term")
        return known.label(value(terms[0]), self.languages) if terms else None

    def plain(self, iri: str) -> str:
        """Return the label as plain text, for titles and tooltips."""
        label = self._label(iri)
        return label.value if label else self.short(iri)

    def from_the_other_end(self, predicate: str) -> str:
        """Return the name of a property as read from its object: its inverse's or inverse label, '' if it has none."""
        known, links = self.site.entities, self.site.links
        if inverse := predicate if links.is_symmetric(predicate) else links.inverse(predicate):
            return self.plain(inverse)
        label = known.text(predicate, KG + "inverseLabel", self.languages)
        return label.value if label else ""

    def other_name(self, iri: str) -> Literal | None:
        """Return the label in another language, unless the page shows that one already."""
        own = self.site.entities.label(iri, self.languages)
        label = self.site.entities.label(iri, self.others)
        return label if label and label.language in self.others and label != own else None

    def description(self, iri: str) -> Markup | str:
        """Render the description or definition of a resource; '' if it has none."""
        known = self.site.entities
        for predicate in (DCTERMS + "description", SKOS + "definition"):
            if found := known.text(iri, predicate, self.languages):
                return self.literal(found)
        return ""

    def definition(self, iri: str) -> str:
        found = self.site.entities.text(iri, SKOS + "definition", self.languages)
        return found.value if found else ""

    def short(self, iri: str) -> str:
        """Return `prefix:local` if a prefix fits, the path of a record, else the IRI without its scheme."""
        if iri.startswith(self.site.base):
            return iri.removeprefix(self.site.base).removeprefix("id/")
        compact = self.site.context.compact(iri)
        return compact if compact != iri else iri.removeprefix("https://").removeprefix("http://")

    def shortened(self, text: str, most: int = 26) -> str:
        """Truncate a text to `most` half-width characters, with an ellipsis."""
        width = 0
        for i, character in enumerate(text):
            width += 1 if character < "\u2e80" else 2
            if width > most:
                return text[:i] + "…"
        return text

    # ---- links ----

    def link(self, iri: str, title: str = "") -> Markup:
        """Render a link with the label of its target."""
        href = self.href(iri)
        if not href:
            return Markup("<code>{}</code>").format(iri)
        outside = ' rel="external"' if href == iri else ""
        tooltip = f' title="{escape(title)}"' if title else ""
        return Markup(f'<a href="{escape(href)}"{outside}{tooltip}>{self.name(iri)}</a>')

    def short_name(self, iri: str) -> str:
        """Return a label of at most half the length of the usual one, if there is one, as plain text."""
        label, others = self.plain(iri), self.site.entities.values(iri, SKOS + "altLabel")
        own = (v.value for v in others if isinstance(v, Literal) and v.language == self.language)
        return max((name for name in own if len(name) * 2 <= len(label)), key=len, default=label)

    def short_link(self, iri: str) -> Markup:
        """Render a link with the short name of its target, and the label as a tooltip."""
        label, short = self.plain(iri), self.short_name(iri)
        if short == label:
            return self.link(iri)
        return Markup('<a href="{}" title="{}">{}</a>').format(self.href(iri), label, short)

    def term(self, term: AnyTerm) -> Markup:
        """Render a term: a link, or the text of a literal."""
        if isinstance(term, Literal):
            return self.literal(term)
        return self.link(term.value) if isinstance(term, NamedNode) else Markup("<code>{}</code>").format(value(term))

    def property(self, iri: str) -> Markup:
        """Render the name of a property or class, with its definition or short IRI as a tooltip."""
        if iri == iris.RDF_TYPE:
            return escape(self.t("types"))
        return self.link(iri, self.definition(iri) or self.short(iri))

    def inverse(self, iri: str) -> Markup:
        """Render the name of a property as seen from its object: that of its inverse, or words that say so."""
        known = self.site.entities
        declared = [value(v) for v in known.values(iri, OWL + "inverseOf")] + known.inverses.get(iri, [])
        named = next((other for other in declared if known.label(other, self.languages)), "")
        if named:
            return self.property(named)
        title = self.definition(iri) or self.short(iri)
        words = self.t("inverse_of", name=self.plain(iri))
        return Markup(f'<a href="{escape(self.href(iri))}" title="{escape(title)}">{escape(words)}</a>')

    def shown_parameter(self, written: str) -> Markup | str:
        """Render the IRI in a form field as a link with its label; '' if it has no label or is no IRI."""
        iri = self.site.context.expand(written.removeprefix("<").removesuffix(">"))
        try:
            NamedNode(iri)
        except ValueError:
            return ""
        return self.link(iri) if self.site.entities.label(iri, self.languages) else ""

    # ---- cells of tables ----

    def cell(self, term: AnyTerm, unit: str = "", *, codes: bool = True) -> Markup:
        """Render a table cell: a label, with its IRI if `codes`; a number or date with its machine-readable value."""
        if isinstance(term, Literal):
            return self._literal_cell(term, unit)
        known = isinstance(term, NamedNode) and self.site.entities.label(term.value, self.languages) is not None
        if not codes or not known or not isinstance(term, NamedNode):
            return self.term(term)
        return self.term(term) + Markup(' <code class="sub">{}</code>').format(self.site.context.compact(term.value))

    def most(self, columns: list[str], rows: list[list[AnyTerm | None]], bars: Mapping[str, str]) -> float:
        """Return the largest number in the column that has bars, 0 if none has."""
        if bars.get("y") not in columns:
            return 0
        cells = [row[columns.index(bars["y"])] for row in rows]
        return max((float(c.value) for c in cells if isinstance(c, Literal)), default=0)

    def is_numeric(self, rows: list[list[AnyTerm | None]], column: int) -> bool:
        """Whether a column holds numbers, which are aligned to the right."""
        cell = next((row[column] for row in rows if row[column] is not None), None)
        return isinstance(cell, Literal) and cell.datatype.value in formats.NUMERIC

    def _literal_cell(self, literal: Literal, unit: str) -> Markup:
        name = literal.datatype.value
        if name in formats.NUMERIC:
            text = amount(literal.value, unit, self.language) or shown(literal, self.language)
            return Markup('<data value="{}">{}</data>').format(literal.value, text)
        if name.endswith(("#date", "#gYear", "#gYearMonth", "#dateTime")):
            return Markup('<time datetime="{}">{}</time>').format(literal.value, shown(literal, self.language))
        return self.literal(literal)
