"""JSON-LD in pages: script elements, and the dataset in schema.org for search engines and dataset registries."""

from __future__ import annotations

import json

from markupsafe import Markup

from api.site.site import Site
from kg.project.description import said
from kg.rdf import formats
from kg.rdf.namespaces import SCHEMA


def script(document: object) -> Markup:
    """JSON escaped so that it cannot close the script element or begin a comment (HTML, 4.12.1.3)."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def dataset(site: Site, host: str, language: str) -> Markup:
    """The dataset as schema.org has it, with addresses below `host`."""
    project, manifest = site.project, site.manifest
    order = (language, *project.languages)
    publisher = {"@type": "Organization", "name": said(project.publisher, order), "url": f"{host}/about"}
    document: dict[str, object] = {
        "@context": SCHEMA,
        "@type": "Dataset",
        "@id": f"{site.base}dataset",
        "identifier": f"{site.base}dataset",
        "url": f"{host}/dataset",
        "name": said(project.title, order),
        "description": said(project.lead, order),
        "license": site.licence,
        "creator": publisher,
        "publisher": publisher,
        "version": site.version,
        "dateModified": manifest.issued,
        "inLanguage": list(project.languages),
        "isAccessibleForFree": True,
        "includedInDataCatalog": {"@type": "DataCatalog", "name": said(project.title, order), "url": f"{host}/"},
        "distribution": [*_dumps(site, host), _endpoint(host)],
    }
    if (entry := project.catalogue) is not None:
        document |= {
            "datePublished": entry.issued,
            "temporalCoverage": "/".join(entry.period),
            "spatialCoverage": {"@type": "Place", "sameAs": entry.spatial},
            "keywords": list(entry.keywords.get(language) or next(iter(entry.keywords.values()), ())),
        }
    return script(document)


def _dumps(site: Site, host: str) -> list[dict[str, object]]:
    found = []
    for name, fields in site.manifest.dumps.items():
        if syntax := formats.rdf_format(name.removesuffix(".gz").rpartition(".")[2]):
            found.append(
                {
                    "@type": "DataDownload",
                    "name": f"{syntax.title}, gzip",
                    "contentUrl": f"{host}/dumps/{site.version}/{name}",
                    "encodingFormat": syntax.media_type,
                    "contentSize": str(fields["bytes"]),
                    "sha256": fields["sha256"],
                }
            )
    return found


def _endpoint(host: str) -> dict[str, object]:
    media_type = formats.RESULT_FORMATS[0].media_type
    return {"@type": "DataDownload", "name": "SPARQL", "contentUrl": f"{host}/sparql", "encodingFormat": media_type}
