"""What the templates call: names, links and marks for one reader, in one language, under one mount path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape
from pyoxigraph import Literal, NamedNode
from starlette.requests import Request
from starlette.responses import Response

from api.http.responses import answer, problem_response, wants_html
from api.i18n import texts
from api.i18n.language import language_of
from api.i18n.values import amount, shown
from api.problems import Problem
from api.queries.empty_results import Explanation
from api.site.site import Site, site_of
from kg.project.description import Texts, said
from kg.rdf import formats, iris
from kg.rdf.namespaces import DCTERMS, KG, OWL, RDFS, SKOS
from kg.rdf.terms import AnyTerm, value
from kg.release.entities import NAMES
from kg.release.facts import Evidence, Fact, by_predicate

_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'{more}; img-src 'self'{images}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CSP = _CSP.format(more="", images="")
# The libraries of editor and charts set styles in the elements that they make, and have small pictures in their styles.
CSP_OF_LIBRARIES = _CSP.format(more=" 'unsafe-inline'", images=" data:")
_CURRENCY = "https://schema.org/currency"
_AMOUNTS = frozenset({KG + "amount", *(f"https://schema.org/{n}" for n in ("value", "minValue", "maxValue"))})
# From this many values on, a mixed list is told kind by kind.
_LONG_LIST = 6
_LANGUAGE_OF_TAG = {"ja-hrkt": "ja-Hrkt"}
# Where a register shows what has a number of its.
_LOOKUPS = {
    KG + "corporateNumber": "https://www.houjin-bangou.nta.go.jp/henkorireki-johoto.html?selHouzinNo={}",
    KG + "egovLawId": "https://laws.e-gov.go.jp/law/{}",
    KG + "reviewProjectId": "https://rssystem.go.jp/project?projectNumbers={}",
}
_OUTSIDE = frozenset(
    {
        OWL + "sameAs",
        RDFS + "seeAlso",
        "http://xmlns.com/foaf/0.1/homepage",
        *(SKOS + m for m in ("exactMatch", "closeMatch", "relatedMatch")),
        *(
            KG + name
            for name in (
                *("corporateNumber", "kakenhiNumber", "reviewProjectId", "egovLawId", "fundingStreamCode"),
                *("isoAlpha2", "isoAlpha3"),
            )
        ),
    }
)


@lru_cache(maxsize=20_000)
def _quoted(path: str) -> str:
    """A path or fragment as it stands in an address; pages name the same ones over and over."""
    return quote(path, safe="/")


# Markup by f-strings, each value escaped: `Markup.format` takes several times as long, hundreds of times on a page.
@dataclass(frozen=True)
class View:
    """One reader's sight of the site; everything it returns is ready for HTML."""

    site: Site
    language: str
    root: str
    path: str
    query: tuple[tuple[str, str], ...] = ()

    # ---- interface ----

    def t(self, key: str, **values: object) -> str:
        return texts.text(self.language, key, **values)

    def said(self, texts_: Texts) -> str:
        """The text in the reader's language, where there is one."""
        return said(texts_, self.languages)

    def n(self, key: str, n: int) -> str:
        """A text about a number of things; languages differ in what they do for one."""
        return self.t(key + "_one" if n == 1 else key, n=self.number(n))

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The reader's language first."""
        return (self.language, *(other for other in texts.LANGUAGES if other != self.language))

    @property
    def other(self) -> str:
        return self.languages[1]

    def day(self, moment: str) -> str:
        """The day of a moment (ISO 8601), as readers write it."""
        return shown(Literal(moment[:10], datatype=NamedNode("http://www.w3.org/2001/XMLSchema#date")), self.language)

    def number(self, n: int) -> str:
        return f"{n:,}"

    def url(self, path: str, fragment: str = "", **query: object) -> str:
        """A page of this server in the reader's language."""
        pairs = urlencode({"lang": self.language, **query}) if query else f"lang={self.language}"
        return f"{self.root}/{_quoted(path)}?{pairs}{'#' + _quoted(fragment) if fragment else ''}"

    def file(self, path: str) -> str:
        """What this server answers the same in every language."""
        return f"{self.root}/{_quoted(path)}"

    def here(self, **changes: object) -> str:
        """This page with other parameters."""
        kept = [(k, v) for k, v in self.query if k not in changes and k != "remember"]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, *changes.items()])}"

    def with_choice(self, name: str, value: str, chosen: bool) -> str:
        """This list with a value of a facet chosen or no longer chosen, from its first page."""
        kept = [(k, v) for k, v in self.query if k not in ("page", "remember") and (k, v) != (name, value)]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, *([(name, value)] if chosen else [])])}"

    def data_here(self, name: str) -> str:
        """This list in a format for programs."""
        kept = [(k, v) for k, v in self.query if k not in ("lang", "remember", "format")]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, ('format', name)])}"

    def class_name(self, name: str) -> str:
        """What a class of paths is called, by the project, else by the engine, else by its path."""
        return self.said(self.site.project.classes.get(name) or texts.named("classes", name)) or name

    def data(self, path: str, extension: str) -> str:
        return self.file(f"data/{path}.{extension}")

    def format_title(self, name: str) -> str:
        found = formats.result_format(name) or formats.rdf_format(name)
        return found.title if found else name

    def addresses(self) -> str:
        """What readers should know of the addresses of records."""
        template = self.said(self.site.project.addresses) or self.t("about_uris_text")
        return texts.fill(template, {"base": self.site.base})

    # ---- names ----

    def literal(self, literal: Literal) -> Markup:
        """A literal with its language, marked when it is not the reader's."""
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
        """The label of anything in the reader's language; what has none is shown by a short form of its IRI."""
        label = self.site.entities.label(iri, self.languages)
        return self.literal(label) if label else Markup("<code>{}</code>").format(self.short(iri))

    def plain(self, iri: str) -> str:
        """The label as bare text, for titles and tooltips."""
        label = self.site.entities.label(iri, self.languages)
        return label.value if label else self.short(iri)

    def other_name(self, iri: str) -> Literal | None:
        """The label in the language that the page is not in, where the page's own label is not that one already."""
        own = self.site.entities.label(iri, self.languages)
        label = self.site.entities.label(iri, (self.other,))
        return label if label and label.language == self.other and label != own else None

    def description(self, iri: str) -> Markup | str:
        """What a record or term is, in a sentence or two; '' where nothing says it."""
        known = self.site.entities
        for predicate in (DCTERMS + "description", SKOS + "definition"):
            if found := known.text(iri, predicate, self.languages):
                return self.literal(found)
        return ""

    def definition(self, iri: str) -> str:
        found = self.site.entities.text(iri, SKOS + "definition", self.languages)
        return found.value if found else ""

    def short(self, iri: str) -> str:
        """`prefix:local` where a prefix fits, our own paths bare, else the IRI without its scheme."""
        if iri.startswith(self.site.base):
            return iri.removeprefix(self.site.base).removeprefix("id/")
        compact = self.site.context.compact(iri)
        return compact if compact != iri else iri.removeprefix("https://").removeprefix("http://")

    # ---- links ----

    def href(self, iri: str) -> str:
        """Where an IRI leads: a page of this server for what is ours, else the IRI itself."""
        document, _, fragment = iri.partition("#")
        base = self.site.base
        if document.startswith(base + "id/"):
            return self.url("page/" + document.removeprefix(base + "id/"), fragment)
        if document.startswith(base + "graph/"):
            return self.url(document.removeprefix(base), fragment)
        if document == iris.ONTOLOGY:
            return self.url("ontology", fragment)
        if document == base + "dataset":
            return self.url("dataset")
        return iri if iri.startswith(("http://", "https://")) else ""

    def link(self, iri: str, title: str = "") -> Markup:
        """A link with the label of what it leads to."""
        href = self.href(iri)
        if not href:
            return Markup("<code>{}</code>").format(iri)
        outside = ' rel="external"' if href == iri else ""
        tooltip = f' title="{escape(title)}"' if title else ""
        return Markup(f'<a href="{escape(href)}"{outside}{tooltip}>{self.name(iri)}</a>')

    def term(self, term: AnyTerm) -> Markup:
        """A value: a link, or the text of a literal."""
        if isinstance(term, Literal):
            return self.literal(term)
        return self.link(term.value) if isinstance(term, NamedNode) else Markup("<code>{}</code>").format(value(term))

    def cell(self, term: AnyTerm, unit: str = "", *, codes: bool = True) -> Markup:
        """A value in a table: a label, with its IRI when `codes`; a number or date with what a program reads of it."""
        if isinstance(term, Literal):
            return self._literal_cell(term, unit)
        known = isinstance(term, NamedNode) and self.site.entities.label(term.value, self.languages) is not None
        if not codes or not known or not isinstance(term, NamedNode):
            return self.term(term)
        return self.term(term) + Markup(' <code class="sub">{}</code>').format(self.site.context.compact(term.value))

    def most(self, columns: list[str], rows: list[list[AnyTerm | None]], bars: Mapping[str, str]) -> float:
        """The greatest figure in the column that has bars, 0 where none has."""
        if bars.get("y") not in columns:
            return 0
        cells = [row[columns.index(bars["y"])] for row in rows]
        return max((float(c.value) for c in cells if isinstance(c, Literal)), default=0)

    def is_numeric(self, rows: list[list[AnyTerm | None]], column: int) -> bool:
        """Whether a column of a table holds numbers, which stand at its right."""
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

    def value(self, fact: Fact) -> Markup:
        """The object of a fact; a number of a register leads there."""
        if (lookup := _LOOKUPS.get(fact.predicate)) and isinstance(fact.object, Literal):
            href = lookup.format(quote(fact.object.value, safe=""))
            return Markup('<a href="{}" rel="external">{}</a>').format(href, fact.object.value)
        return self.term(fact.object)

    def money(self, fact: Fact) -> str:
        """The amount of a budget as people write it, beside its figure; '' for any other fact."""
        if fact.predicate not in _AMOUNTS or not isinstance(fact.object, Literal):
            return ""
        unit = self.site.entities.text(fact.subject, _CURRENCY, ())
        return amount(fact.object.value, unit.value, self.language) if unit else ""

    def tag(self, name: str) -> str:
        """What a tag of the query library is called."""
        return self.said(self.site.project.tags.get(name, {})) or name

    def suggest(self, like: str) -> str:
        """Where suggestions for a field come from, of the same class as its default."""
        kind = self.site.context.expand(like).removeprefix(self.site.base + "id/").partition("/")[0]
        return self.url("suggest", kind=kind) if kind in self.site.entities.classes() else self.url("suggest")

    def shown_parameter(self, written: str) -> Markup | str:
        """What an IRI in a form is called, as a link; '' for what is none of ours."""
        iri = self.site.context.expand(written.removeprefix("<").removesuffix(">"))
        return self.link(iri) if self.site.entities.label(iri, self.languages) else ""

    def column(self, name: str) -> str:
        """What a column of a stored query is called."""
        return self.said(self.site.project.columns.get(name, {})) or name

    def near(self, problem: Problem) -> list[str]:
        """The records that a reader may have meant whose address leads nowhere."""
        if problem.status != 404:
            return []
        told = problem.members.get("nearest")
        words = self.path.rpartition("/")[2].partition(".")[0].replace("-", " ")
        hits = self.site.search.find(words, limit=5).hits if words else ()
        return list(dict.fromkeys([*(hit.iri for hit in hits), *(told if isinstance(told, list) else [])]))[:8]

    def explanation(self, problem: Problem) -> str:
        """What happened, in the reader's language; empty where only the English detail says it."""
        known = texts.table("problems")[self.language].get(problem.kind, "")
        if not known and (code := problem.members.get("code")):
            known = texts.table("tables")[self.language].get(str(code), "")
            place = [self.t("table_" + n) for n in ("row", "column", "line") if problem.members.get(n)]
            known = f"{''.join(place)}{self.t('colon')}{known}" if known and place else known
        return texts.fill(known, problem.members)

    def reason(self, found: Explanation | None) -> str:
        """Why a query has no rows, in a sentence."""
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

    def property(self, iri: str) -> Markup:
        """The name of a property or class, with its definition, or whose it is, as a tooltip."""
        if iri == iris.RDF_TYPE:
            return escape(self.t("types"))
        return self.link(iri, self.definition(iri) or self.short(iri))

    # ---- facts ----

    def groups(self, facts: Iterable[Fact]) -> list[tuple[str, list[Fact]]]:
        """Facts by property, without the texts in other languages where the reader's language has one."""
        return [(p, self.readable(group)) for p, group in by_predicate(facts)]

    def readable(self, facts: list[Fact]) -> list[Fact]:
        spoken = [f for f in facts if isinstance(f.object, Literal) and f.object.language]
        own = [f for f in spoken if isinstance(f.object, Literal) and f.object.language == self.language]
        return [f for f in facts if f not in spoken or f in own] if own else facts

    def by_kind(self, facts: list[Fact]) -> list[tuple[str, list[Fact]]]:
        """A long list of records of several kinds, each kind together under its class; else all under ''."""
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
        return fact.predicate in _OUTSIDE and not inside

    def lines(self, evidence: Evidence) -> str:
        key = "passage_line" if evidence.first == evidence.last else "passage_lines"
        return self.t(key, first=evidence.first, last=evidence.last)

    def mark(self, evidence: Evidence, fact: Fact | None = None) -> Markup:
        """The small link that tells where a fact comes from; for one that was inferred, by which rule."""
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
        return Markup(
            f'<a class="mark {evidence.kind}" href="{escape(href)}" title="{escape(title)}">{escape(text)}</a>'
        )

    def why(self, fact: Fact) -> str:
        """Where it is told why a fact holds."""
        target = fact.object.value if isinstance(fact.object, NamedNode) else str(fact.object)
        return self.url("explain", subject=fact.subject, predicate=fact.predicate, object=target)

    def sources(self, facts: Iterable[Fact]) -> list[tuple[Evidence, int]]:
        """The evidence of these facts and of their parts, each with the number of facts that rest on it."""
        counts: dict[Evidence, int] = {}
        waiting = list(facts)
        while waiting:
            fact = waiting.pop()
            for evidence in fact.evidence:
                counts[evidence] = counts.get(evidence, 0) + 1
            if fact.part:
                waiting += fact.part.facts
        return sorted(counts.items(), key=lambda found: found[0].rank)

    def report(self, iri: str) -> str:
        """Where the reader may say that something about a record is wrong."""
        if template := self.site.settings.report_url:
            return template.replace("{iri}", quote(iri, safe=""))
        return self.url("about", "ui-report", record=self.short(iri))


def view_of(request: Request, language: str) -> View:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    path = request.url.path
    return View(
        site_of(request),
        language,
        root,
        path.removeprefix(root) if root else path,
        tuple(request.query_params.multi_items()),
    )


_FORMATS = {"result_formats": formats.RESULT_FORMATS, "rdf_formats": formats.RDF_FORMATS}


def page(
    request: Request, language: str, template: str, status: int = 200, *, libraries: bool = False, **values: object
) -> Response:
    """A rendered page with the headers that every page has; `libraries` says whether it loads editor or charts."""
    view = view_of(request, language)
    body = view.site.templates.get_template(template).render(view=view, t=view.t, **_FORMATS, **values).encode()
    headers = {
        "Content-Security-Policy": CSP_OF_LIBRARIES if libraries else CSP,
        "Content-Language": language,
        "Vary": "Accept",
    }
    content_type = f"{formats.HTML}; charset=utf-8"
    if status == 200:
        return answer(body, content_type, headers)
    return Response(body, status, headers, media_type=content_type)


def error_page(request: Request, language: str, problem: Problem) -> Response:
    """An error for a reader: what happened, and where to go from here."""
    response = page(request, language, "error.html", problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def respond(request: Request, problem: Problem) -> Response:
    """An error as its caller reads it: a page in a browser, text on a terminal, problem+json for everything else."""
    others = [(formats.PROBLEM_JSON, formats.JSON), *((f.media_type,) for f in formats.RDF_FORMATS)]
    if wants_html(request, others):
        return error_page(request, language_of(request), problem)
    return problem_response(problem, request)
