"""The task of processes that validate one submitted document or one partner's dataset (`kg.isolation`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kg.engines.embedded import EmbeddedStore
from kg.isolation import messages
from kg.isolation.program import MessageHandler
from kg.rdf import formats
from kg.release import store
from kg.submitted import contribution, report
from kg.submitted.intake import RdfLimits
from kg.submitted.validation import Knowledge, check

# A document for which everything is imported and compiled that a first validation needs.
_REHEARSAL = (
    b'<urn:a> a <https://w3id.org/aikg/ontology#Programme> ; <urn:p> "1"^^<http://www.w3.org/2001/XMLSchema#gYear> .'
)


def hold(options: Mapping[str, Any]) -> Knowledge:
    """Shapes, checks and vocabulary; the release is opened after the fork, which an engine's threads do not survive."""
    knowledge = Knowledge.open(Path(options["project"]), Path(options["release"]), EmbeddedStore.in_memory(()))
    check(_REHEARSAL, formats.RDF_FORMATS[0], RdfLimits(), knowledge)
    return knowledge


def begin(held: Knowledge, options: Mapping[str, Any], grants: Mapping[str, Any]) -> MessageHandler:
    knowledge = replace(held, store=store.open_on_disk(Path(options["release"])))

    def answer(message: bytes) -> bytes:
        head, body = messages.unpack(message)
        if "description" in head:
            return contribution.answer(head, body, knowledge)
        syntax = formats.rdf_format(head["syntax"])
        assert syntax is not None
        return report.dump(check(body, syntax, RdfLimits(**head["limits"]), knowledge, head["most"], head["profile"]))

    # What the release knows of a document's links has to be asked of a remote engine.
    return MessageHandler(answer, needs_network=knowledge.store.needs_network, needs_files=True)
