"""What an agent reads at the beginning: `/llms.txt`, which is also the instructions of the protocol's server."""

from __future__ import annotations

from api.site.site import Site
from kg.project.description import said

_ENGLISH = ("en",)
# The form is that of llmstxt.org: a title, a summary, then sections of links.
_TEMPLATE = """# {title}

> {lead}

{notice} Every fact is in a named graph that says where it comes from: lines of a document, a register, a curator's
judgement, or a rule. So an answer can be cited, and a reader can check it.

## Begin

- [Model Context Protocol]({url}/mcp): streamable HTTP, no key. Tools: `search` (a name), `describe` (all facts of a
  record with their evidence), `list_queries` and `ask` (tested questions with parameters), `query` (SPARQL; an empty
  answer says why), `why` (a fact), `receipt` (what an answer rests on), `link_names` (names to records).
- [Search]({url}/search?q={word}&format=json): records by name, in any language.
- [Stored queries]({url}/queries?format=json): prefer them to SPARQL of your own; run one as
  `{url}/queries/NAME?format=csv`.
- [SPARQL 1.1]({url}/sparql): `POST` with `query=`; `Accept: application/sparql-results+json`. The default graph merges
  all graphs, so count there, and ask `GRAPH ?graph {{ … }} ?graph prov:hadPrimarySource ?passage` for the evidence.
  Names have languages: `FILTER(LANG(?name) = "en")`.
- [Why a query has no rows]({url}/why?query=…) and [why a fact holds]({url}/explain?subject=…&predicate=…&object=…).
- Each record: `{url}/id/CLASS/NAME` with `Accept: text/turtle` or `application/ld+json`; its IRI is
  `{base}id/CLASS/NAME`.

## Cite

Name the release (`X-Release` of every answer), the query, and the passages (`{base}id/passage/…`); say whether a fact
is stated, judged, taken from a register, or inferred. {licence}

## Reference

- [OpenAPI]({url}/openapi.json): every address with its parameters
- [Ontology]({url}/ontology.ttl): classes and properties with definitions
- [Dataset]({url}/dataset?format=ttl): catalogue record (DCAT), licence, dumps
- [For people]({url}/agents): the same as a page
"""


def text(site: Site, url: str) -> str:
    """The guide for a server at this address."""
    project = site.project
    words = project.search_examples.get("en") or next(iter(project.search_examples.values()), ("name",))
    return _TEMPLATE.format(
        title=said(project.title, _ENGLISH),
        lead=said(project.lead, _ENGLISH),
        notice=said(project.notice, _ENGLISH),
        licence=said(project.licence.text, _ENGLISH),
        word=words[0],
        url=url,
        base=site.base,
    )
