"""The concordance of a source: on which lines of its text the printed forms of each concept occur.

It is numbers alone, so that "everywhere" and "nowhere" can be answered without publishing a sentence.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad

from kg.curation import builder
from kg.curation.builder import Curated
from kg.curation.sources import read_text
from kg.errors import KgError
from kg.project.reading import read_project
from kg.rdf.namespaces import DCTERMS, KG, OWL, SKOS
from kg.rdf.terms import value

_LABELS = frozenset(SKOS + name for name in ("prefLabel", "altLabel", "hiddenLabel"))
# What marks up a text and is no part of it: tags, and the asterisks of bold type.
_MARKUP = re.compile(r"<[^>]*>|\*\*")
# What a form that begins or ends with a letter or digit must not stand next to: more of the same.
_RUNS = (re.compile("[A-Za-z]"), re.compile("[0-9]"))
_LINE_LENGTH = 120
_FOLDER = "data/concordance"
# By language; that in English is used for languages without one.
_TITLES = {"ja": "{}の用語索引", "en": "Concordance of the {}"}
_DESCRIPTIONS = {
    "ja": "{}の本文に各概念の表記が現れる行の番号。",
    "en": "On which lines of the {} the printed forms of each concept occur.",
}


@dataclass(frozen=True, slots=True)
class CountedTerm:
    """What a text has of a concept: how often its forms occur, the lines, and those forms that do."""

    concept: str
    occurrences: int
    lines: tuple[int, ...]
    forms: tuple[str, ...]


def count(text: str, concept: str, forms: Iterable[str]) -> CountedTerm:
    """Counts the forms of a concept in a text, at each place the longest one.

    Width and spaces within a form do not matter, since prints space Latin letters out. A form that begins or ends with
    a Latin letter does not occur within a longer run of them: `AI` is not in `AISI`. The same holds for digits.
    """
    # Forms that differ in width or spaces are one; the shortest stands for them.
    names = list({_letters(form): form for form in sorted(forms, key=len, reverse=True)}.values())
    if not names:
        return CountedTerm(concept, 0, (), ())
    names.sort(key=lambda form: (-len(_letters(form)), form))
    any_form = re.compile("|".join(f"({_pattern(form)})" for form in names))
    occurrences, lines = 0, []
    found: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        matches = list(any_form.finditer(_plain(line)))
        if matches:
            lines.append(number)
            occurrences += len(matches)
            found.update(names[(match.lastindex or 1) - 1] for match in matches)
    return CountedTerm(concept, occurrences, tuple(lines), tuple(sorted(found)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", _MARKUP.sub("", text))


def _letters(form: str) -> str:
    return "".join(_plain(form).split())


def _pattern(form: str) -> str:
    letters = _letters(form)
    before = "".join(f"(?<!{run.pattern})" for run in _RUNS if run.match(letters[0]))
    after = "".join(f"(?!{run.pattern})" for run in _RUNS if run.match(letters[-1]))
    return before + r"\s*".join(map(re.escape, letters)) + after


def counted_forms(quads: Sequence[Quad], source: str) -> dict[str, set[str]]:
    """The concepts of the schemes that are counted in a source, with their names in its language.

    A name of one letter is left out, since it says too little: 国, the State, is in 国際 and 中国.
    """
    schemes = {q.subject for q in quads if q.predicate.value == KG + "countedIn" and value(q.object) == source}
    languages = {
        value(q.object)
        for q in quads
        if q.predicate.value == DCTERMS + "language" and isinstance(q.subject, NamedNode) and q.subject.value == source
    }
    withdrawn = {q.subject for q in quads if q.predicate.value == OWL + "deprecated" and value(q.object) == "true"}
    forms: dict[str, set[str]] = {
        value(q.subject): set()
        for q in quads
        if q.predicate.value == SKOS + "inScheme" and q.object in schemes and q.subject not in withdrawn
    }
    for quad in quads:
        if quad.predicate.value in _LABELS and isinstance(quad.object, Literal) and quad.object.language in languages:
            names = forms.get(value(quad.subject))
            if names is not None and len(_letters(quad.object.value)) > 1:
                names.add(quad.object.value)
    return {concept: names for concept, names in forms.items() if names}


def of_text(curated: Curated, source: str, text: str) -> list[CountedTerm]:
    """The entry of every counted concept, also of those that occur nowhere, in the order of their IRIs."""
    forms = counted_forms(builder.asserted_quads(curated), curated.base.record_iri(f"source/{source}"))
    return [count(text, concept, forms[concept]) for concept in sorted(forms)]


def record(root: Path, text_file: Path, source: str = "") -> Path:
    """Rewrites `data/concordance/{source}.yaml` from the text; returns its path.

    Without a name, the source is the one whose record has the hash of the text.
    """
    curated = builder.read_all(read_project(root))
    # What was written before may name concepts that are gone.
    curated.problems = [p for p in curated.problems if not p.file.startswith(f"{_FOLDER}/")]
    about, text = read_text(curated, text_file, source)
    source = about.path.removeprefix("source/")
    entries = of_text(curated, source, text)
    if not entries:
        raise KgError(f"no concept scheme says 'countedIn: source:{source}'")
    path = root / _FOLDER / f"{source}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    named = about.blocks["about"]["label"]
    head = (
        f"# Written by 'kg concordance TEXT', to be run again when a topic or a name of one changes: on which lines\n"
        f"# {source} has the printed forms of each concept.\n"
        "about:\n"
        "  type: Concordance\n"
        f"  label: {{{', '.join(_in(tongue, named, _TITLES) for tongue in curated.project.languages)}}}\n"
        f"  description: {{{', '.join(_in(tongue, named, _DESCRIPTIONS) for tongue in curated.project.languages)}}}\n"
        f"  concordanceOf: source:{source}\n"
        "  entry:\n"
    )
    path.write_text(head + "".join(_entry(curated, entry) for entry in entries), encoding="utf-8")
    return path


def _in(tongue: str, named: Mapping[str, Sequence[str]], patterns: Mapping[str, str]) -> str:
    """A text about a source in one language, as an entry of a map."""
    text = patterns.get(tongue, patterns["en"]).format((named.get(tongue) or next(iter(named.values())))[0])
    return f"{tongue}: {json.dumps(text, ensure_ascii=False)}"


def _entry(curated: Curated, entry: CountedTerm) -> str:
    name = entry.concept.removeprefix(curated.base.id).removeprefix("vocabulary/").replace("/", "-")
    facts = [
        f'id: "#{name}"',
        "type: ConcordanceEntry",
        f"term: {curated.context.compact(entry.concept)}",
        f'occurrences: "{entry.occurrences}"',
    ]
    if entry.lines:
        facts += [_listed("asPrinted", entry.forms), _listed("onLine", [str(line) for line in entry.lines])]
    return "    - {" + _wrapped(", ".join(facts)) + "}\n"


def _listed(key: str, members: Sequence[str]) -> str:
    return f"{key}: [" + ", ".join(f'"{member}"' for member in members) + "]"


def _wrapped(flow: str) -> str:
    """A flow map in lines of bounded length, broken after commas."""
    lines = [""]
    for part in re.findall(r'(?:"[^"]*"|[^",])+,? ?', flow):
        if len(lines[-1]) + len(part.rstrip()) > _LINE_LENGTH - 7:
            lines.append("")
        lines[-1] += part
    return "\n       ".join(line.rstrip() for line in lines)
