"""The object that templates use: facts, evidence and errors as HTML for the reader."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote

from markupsafe import Markup, escape
from pyoxigraph import Literal, NamedNode, Triple
from starlette.requests import Request

from api.html.names import Names
from api.i18n import texts
from api.i18n.values import amount
from api.problems import Problem
from api.queries.empty_results import Explanation
from api.site.site import site_of
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS, KG, OWL, RDFS, SCHEMA, SKOS
from kg.rdf.terms import AnyTerm, value
from kg.receipts import claims
from kg.receipts.claims import Claim
from kg.release.entities import NAMES
from kg.release.facts import Evidence, Fact, by_predicate
from kg.sparql.emptiness import QueryTerm

_CURRENCY = "https://schema.org/currency"
_AMOUNTS = frozenset({KG + "amount", *(f"https://schema.org/{n}" for n in ("value", "minValue", "maxValue"))})
# From this many values on, a mixed list is grouped by kind.
_LONG_LIST = 6
# A prefixed name that needs no escapes in a query.
_PLAIN_NAME = re.compile(r"[\w-]*:[\w-]+")
# As much as search engines show of a description.
_LONGEST_SUMMARY = 160
# Links to other sites, and codes of records; the identifiers of registers come with the project.
_OUTSIDE = frozenset(
    {
        OWL + "sameAs",
        SCHEMA + "sameAs",
        RDFS + "seeAlso",
        "http://xmlns.com/foaf/0.1/homepage",
        *(SKOS + m for m in ("exactMatch", "closeMatch", "relatedMatch")),
        *(KG + name for name in ("fundingStreamCode", "isoAlpha2", "isoAlpha3")),
    }
)


@dataclass(frozen=True, slots=True)
class MainSource:
    """The source that most of the dataset is drawn from, its document, who made it, and its date."""

    iri: str
    document: str
    maker: str
    date: Literal | None


# The class of each kind of evidence in the style sheet, which gives it a glyph, a border and a colour.
_KINDS = {
    "passage": "k-p",
    "description": "k-p",
    "register": "k-r",
    "partner": "k-r",
    "curator": "k-c",
    "inferred": "k-i",
}


class View(Names):
    """What the reader sees of the site; every return value is safe in HTML."""

    # ---- facts ----

    def groups(self, facts: Iterable[Fact]) -> list[tuple[str, list[Fact]]]:
        """Group facts by property, without texts in other languages if there is one in the reader's."""
        return [(p, self.readable(group)) for p, group in by_predicate(facts)]

    def readable(self, facts: list[Fact]) -> list[Fact]:
        spoken = [f for f in facts if isinstance(f.object, Literal) and f.object.language]
        own = [f for f in spoken if isinstance(f.object, Literal) and f.object.language == self.language]
        return [f for f in facts if f not in spoken or f in own] if own else facts

    def by_kind(self, facts: list[Fact]) -> list[tuple[str, list[Fact]]]:
        """Group a long list of records by class; a short list, or one of a single class, stays together under ''."""
        if len(facts) < _LONG_LIST or not all(isinstance(f.object, NamedNode) for f in facts):
            return [("", facts)]
        kinds: dict[str, list[Fact]] = {}
        for fact in facts:
            kinds.setdefault(next(iter(self.site.entities.types(value(fact.object))), ""), []).append(fact)
        return list(kinds.items()) if len(kinds) > 1 else [("", facts)]

    def is_name(self, fact: Fact) -> bool:
        return fact.predicate in NAMES

    def is_outside(self, fact: Fact) -> bool:
        """Whether a fact identifies its subject elsewhere."""
        target = fact.object
        inside = isinstance(target, NamedNode) and target.value.startswith(self.site.base)
        registered = self.site.project.names.identifiers.of_properties
        return (fact.predicate in _OUTSIDE or fact.predicate in registered) and not inside

    def value(self, fact: Fact) -> Markup:
        """Render the object of a fact; an identifier links to its register."""
        pages = self.site.project.names.identifiers.pages
        if (lookup := pages.get(fact.predicate)) and isinstance(fact.object, Literal):
            href = lookup.format(quote(fact.object.value, safe=""))
            return Markup('<a href="{}" rel="external">{}</a>').format(href, fact.object.value)
        return self.term(fact.object)

    def money(self, fact: Fact) -> str:
        """Return an amount of money in words, '' for any other fact."""
        if fact.predicate not in _AMOUNTS or not isinstance(fact.object, Literal):
            return ""
        unit = self.site.entities.text(fact.subject, _CURRENCY, ())
        return amount(fact.object.value, unit.value, self.language) if unit else ""

    def lines(self, evidence: Evidence) -> str:
        """The lines of a passage; with the short name of the text, if the dataset has several."""
        key = "passage_line" if evidence.first == evidence.last else "passage_lines"
        lines = self.t(key, first=evidence.first, last=evidence.last)
        entities = self.site.entities
        if not (evidence.text and entities.has_several_texts):
            return lines
        short = entities.text(evidence.text, SKOS + "altLabel", self.languages)
        return self.t("lines_of_text", text=short.value if short else self.plain(evidence.text), lines=lines)

    def mark(self, evidence: Evidence, fact: Fact | None = None) -> Markup:
        """Render the small link to the evidence of a fact, or for an inferred one to its explanation."""
        if evidence.first:
            text = self.lines(evidence)
            title = self.plain(evidence.section) if evidence.section else self.plain(evidence.source)
        else:
            text = self.t("mark_" + evidence.kind) if evidence.kind != "passage" else self.plain(evidence.source)
            if evidence.graph == self.site.entities.ontology.value:
                text = self.t("ontology")
            known = {"curator": "curator_title", "inferred": "inferred_title"}.get(evidence.kind)
            title = self.t(known) if known else self.plain(evidence.source) if evidence.source else ""
            if evidence.kind == "register" and evidence.source:
                text = f"{text}{self.t('colon')}{self.plain(evidence.source)}"
        href = self.why(fact) if fact and evidence.kind == "inferred" else self.href(evidence.graph)
        kind, at = _KINDS[evidence.kind], self.place(evidence, fact)
        return Markup(f'<a class="ev {kind}" href="{escape(href)}" title="{escape(title)}"{at}>{escape(text)}</a>')

    def cell(self, term: AnyTerm, unit: str = "", *, codes: bool = True) -> Markup:
        """Render a table cell; one that is a passage opens its lines as a mark does."""
        shown, known = super().cell(term, unit, codes=codes), self.site.entities
        if not isinstance(term, NamedNode) or not term.value.startswith(known.root + "passage/"):
            return shown
        graph = known.graph_of(term.value)
        return Markup(str(shown).replace("<a ", f"<a{self.place(known.evidence(graph))} ", 1)) if graph else shown

    def place(self, evidence: Evidence, fact: Fact | None = None) -> str:
        """Return the attribute by which a script finds the lines of a passage in the text of its source."""
        if not (evidence.first and evidence.text):
            return ""
        path = evidence.text.removeprefix(self.site.entities.root)
        about = ""
        if fact:
            claim = claims.of_fact(fact.subject, fact.predicate, fact.object)
            about = f' data-receipt="{escape(self.receipt(claim))}"'
        return f' data-at="{escape(path)}#{evidence.first}-{evidence.last}"{about}'

    @staticmethod
    def kind_class(kind: str) -> str:
        """Return the class of a kind of evidence in the style sheet."""
        return _KINDS[kind]

    def receipt(self, claim: Claim) -> str:
        """Return the URL of the receipt of a claim about this release."""
        return f"{self.root}/{replace(claim, release=self.site.version).address}&lang={self.language}"

    def triple_receipt(self, triple: Triple) -> str:
        """Return the URL of the receipt of a fact."""
        return self.receipt(Claim(triple))

    def language_of(self, source: str) -> str:
        """Return the language that the text of a source is in, '' if it does not say."""
        return next((value(v) for v in self.site.entities.values(source, DCTERMS + "language")), "")

    def why(self, fact: Fact) -> str:
        """The URL of the explanation of a fact."""
        target = fact.object.value if isinstance(fact.object, NamedNode) else str(fact.object)
        return self.url("explain", subject=fact.subject, predicate=fact.predicate, object=target)

    def sources(self, facts: Iterable[Fact]) -> list[tuple[Evidence, int]]:
        """Return the evidence of these facts and their parts, each with the number of facts that it supports."""
        counts: dict[Evidence, int] = {}
        waiting = list(facts)
        while waiting:
            fact = waiting.pop()
            for evidence in fact.evidence:
                counts[evidence] = counts.get(evidence, 0) + 1
            if fact.part:
                waiting += fact.part.facts
        return sorted(counts.items(), key=lambda found: found[0].rank)

    # ---- the source that the dataset is drawn from ----

    @cached_property
    def main_source(self) -> MainSource | None:
        """The source named at the top of every page; None if the project names none, or the release lacks it."""
        known, path = self.site.entities, self.site.project.main_source
        source = known.root + path
        if not path or not known.exists(source):
            return None
        document = next((value(v) for v in known.values(source, KG + "documentOf")), source)
        makers = known.values(source, DCTERMS + "creator") or known.values(source, DCTERMS + "publisher")
        dates = (v for v in known.values(source, DCTERMS + "issued") if isinstance(v, Literal))
        return MainSource(source, document, value(makers[0]) if makers else "", next(dates, None))

    def marks_of(self, graphs: Iterable[str]) -> tuple[Markup, ...]:
        """Render the marks of the evidence that graphs hold, each once."""
        return tuple(self.mark(self.site.entities.evidence(graph)) for graph in dict.fromkeys(graphs))

    # ---- records and problems ----

    def summary(self) -> str:
        """Return what search engines say of this page: the description of its record, else what the site is."""
        iri = self.site.entities.root + self.path.removeprefix("/page/")
        found = (
            self.site.entities.text(iri, DCTERMS + "description", self.languages) if self.path[:6] == "/page/" else None
        )
        said = found.value if found else self.said(self.site.project.lead)
        return said if len(said) <= _LONGEST_SUMMARY else said[: _LONGEST_SUMMARY - 1] + "…"

    def suggest(self, like: str) -> str:
        """Return the URL of suggestions for a form field, of the same class as its default."""
        kind = self.site.context.expand(like).removeprefix(self.site.base + "id/").partition("/")[0]
        return self.url("suggest", kind=kind) if kind in self.site.entities.classes() else self.url("suggest")

    def field(self, written: str) -> str:
        """Return what stands for a record in a form field: its name if that means it alone, else what is written."""
        entities = self.site.entities
        iri = self.site.context.expand(written.removeprefix("<").removesuffix(">"))
        iri = iri if ":" in iri or not written else entities.root + written
        label = entities.label(iri, self.languages) if iris.ABSOLUTE.match(iri) else None
        return label.value if label and self.site.search.meant(label.value) == iri else written

    def report(self, iri: str) -> str:
        """Return the URL for reporting an error in a record."""
        if template := self.site.settings.report_url or self.site.project.report:
            return template.replace("{iri}", quote(iri, safe="")).replace("{name}", quote(self.plain(iri), safe=""))
        return self.url("about", "ui-report", record=self.short(iri))

    def near(self, problem: Problem) -> list[str]:
        """Return records that the reader of a 404 page may have meant."""
        if problem.status != 404:
            return []
        told = problem.members.get("nearest")
        words = self.path.rpartition("/")[2].partition(".")[0].replace("-", " ")
        hits = self.site.search.find(words, limit=5).hits if words else ()
        return list(dict.fromkeys([*(hit.iri for hit in hits), *(told if isinstance(told, list) else [])]))[:8]

    def explanation(self, problem: Problem) -> str:
        """Return what happened in the reader's language, '' if there is only the English detail."""
        known = texts.table("problems")[self.language].get(problem.kind, "")
        if not known and (code := problem.members.get("code")):
            known = texts.table("tables")[self.language].get(str(code), "")
            place = [self.t("table_" + n) for n in ("row", "column", "line") if problem.members.get(n)]
            known = f"{''.join(place)}{self.t('colon')}{known}" if known and place else known
        said = problem.members.get("message")
        # What a parser says is known in more languages than its own, if it is a usual fault.
        if isinstance(said, dict) and self.language != "en":
            known += str(said.get(self.language, ""))
        return texts.fill(known, problem.members)

    def repaired(self, text: str, term: QueryTerm, iri: str) -> str:
        """Return a query with another name in the place of one that is not in the data."""
        name = self.site.context.compact(iri)
        name = name if name != iri and _PLAIN_NAME.fullmatch(name) else f"<{iri}>"
        lines = text.split("\n")
        line = lines[term.line - 1]
        lines[term.line - 1] = line[: term.column - 1] + name + line[term.column - 1 + len(term.written) :]
        return "\n".join(lines)

    def reason(self, found: Explanation | None) -> str:
        """Return a sentence that says why a query has no rows."""
        if found is None:
            return self.t("why_unknown")
        finding = found.finding
        values = {"text": " ".join(finding.text.split()), "line": finding.line, "column": finding.column}
        if finding.kind == "term":
            names = (", " if self.language == "en" else "、").join(m.term.written for m in found.missing)
            return self.t("why_term", names=names)
        if finding.kind == "pattern":
            return self.t("why_alone" if finding.alone else "why_together", **values)
        return self.t("why_" + finding.kind, **values)


def view_of(request: Request, language: str) -> View:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    path = request.url.path
    return View(
        site_of(request),
        language,
        root,
        path.removeprefix(root) if root else path,
        tuple(request.query_params.multi_items()),
        f"{request.url.scheme}://{request.url.netloc}",
    )
