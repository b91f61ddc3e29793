"""Builds the widened labelled set of names from a public list of payees and from rules.

python bench/labelling.py PAYEES.tsv > tests/matching/widened.tsv

PAYEES has the columns `name`, `corporate_number` and `registered_name`. A payee is a record only if its number is the
record's and its name, without legal form, is one of the record's names; all others are labelled `-`. The rules write
the names of records as ministries do, and names of others that resemble them. No label depends on what the matcher
says.
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from kg.names.legal_forms import LegalForm
from kg.names.name_profile import NameProfile
from kg.project.reading import read_project
from kg.rdf.namespaces import KG, SKOS
from kg.rdf.terms import value
from kg.release import store
from kg.release.entities import Entities

ROOT = Path(__file__).resolve().parents[1]
_ORGANIZATION = "organization/"
# Payees whose names resemble those of research bodies.
_NEAR = re.compile("大学|研究|科学|情報|機構|病院|技術|学園|学会|人工知能|ＡＩ|AI|データ|産業|通信|統計|国立|理化学")
_OTHER_FORMS = ("株式会社{}", "{}株式会社", "合同会社{}", "(株){}", "㈱{}", "{}有限会社")
_OTHER_BODIES = (
    *("{}附属病院", "{}医学部附属病院", "{}生活協同組合", "{}同窓会", "{}健康保険組合", "{}出版会", "{}附属図書館"),
    *("{}附属高等学校", "公益財団法人{}後援会", "新{}", "{}連合会", "{}校友会", "{}労働組合", "{}TLO"),
)
_KANJI = re.compile("[一-鿿]")


def cases(release: store.Release, payees: Path, names: NameProfile) -> Iterator[tuple[str, str, str, str]]:
    """Yields name, number, expected path or `-`, and the rule."""
    entities = Entities(release.store, release.manifest.base_iri, {}, release.manifest.is_merged)
    root = entities.root
    known: dict[str, set[str]] = {}
    numbers: dict[str, str] = {}
    for path in entities.members("organization"):
        iri = root + path
        texts = [value(v) for p in ("prefLabel", "altLabel", "hiddenLabel") for v in entities.values(iri, SKOS + p)]
        known[path] = {names.legal_forms.strip(text).bare for text in texts}
        for number in entities.values(iri, KG + "corporateNumber"):
            numbers[value(number)] = path
    yield from _payees(payees, names, known, numbers)
    of = {path: number for number, path in numbers.items()}
    for path, written in sorted(known.items()):
        shown = {names.legal_forms.strip(value(v)).bare for v in entities.values(root + path, SKOS + "prefLabel")}
        name = max((n for n in shown & written if len(_KANJI.findall(n)) > 3), key=len, default="")
        if not name or "/" in path.removeprefix(_ORGANIZATION):
            continue
        number = of.get(path, "")
        yield from ((name, number, path, "name with its number"),) if number else ()
        for other in sorted(
            n for n in written if len(n) > 3 and sum(n in all_names for all_names in known.values()) == 1
        ):
            yield from _writings(other, path, number)
        for form in _forms_of(path, entities, names):
            for before in (
                *form.names,
                *(f"({a})" for a in form.abbreviations),
                *(f"（{a}）" for a in form.abbreviations),
            ):
                if not before.isascii():
                    yield f"{before}{name}", "", path, "with its legal form"
                    yield f"{before}　{name}", number, path, "with its legal form"
        yield unicodedata.normalize("NFKC", name).replace("", " ").strip(), "", path, "spaced"
        yield f" {name}　", "", path, "blanks around it"
        yield f"{name}（{name}）", "", path, "in brackets again"
        for form in _OTHER_FORMS:
            yield form.format(name), "", "-", "company of like name"
            yield from ((form.format(name), number, "-", "company with another's number"),) if number else ()
        for form in _OTHER_BODIES:
            yield form.format(name), "", "-", "other body of like name"
            yield from ((form.format(name), number, "-", "other body with the number"),) if number else ()


def _writings(name: str, path: str, number: str) -> Iterator[tuple[str, str, str, str]]:
    """One of a record's names, as tables have it."""
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    yield name, number, path, "another name"
    yield wide, "", path, "full width"
    if name.isascii():
        yield name.upper(), "", path, "capitals"
        yield name.lower(), "", path, "small letters"
        yield name.replace(" ", "  "), number, path, "double spaces"
    else:
        yield f"{name} ", f"{number}.0" if number else "", path, "number as a spreadsheet leaves it"
        yield f"「{name}」", "", path, "in quotation marks"


def _forms_of(path: str, entities: Entities, names: NameProfile) -> list[LegalForm]:
    """The legal forms that a record's names say."""
    texts = [value(v) for p in ("altLabel", "hiddenLabel") for v in entities.values(entities.root + path, SKOS + p)]
    found = {
        form for text in texts for meant in names.legal_forms.strip(text).forms if len(meant) == 1 for form in meant
    }
    return [names.legal_forms.forms[name] for name in sorted(found)]


def _payees(
    file: Path, names: NameProfile, known: dict[str, set[str]], numbers: dict[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, number = row["name"], row["corporate_number"]
            path = numbers.get(number, "")
            if not path and not _NEAR.search(name):
                continue
            bare = names.legal_forms.strip(name).bare
            expected = path if bare in known.get(path, ()) else "-"
            # A corporation whose number the data does not have.
            others = [other for other, written in known.items() if bare in written and other not in numbers.values()]
            expected = others[0] if not path and len(others) == 1 else expected
            yield name, "", expected, "payee"
            yield name, number, expected, "payee with its number"


def main() -> None:
    release = store.open_release(store.current_directory(store.default_releases(ROOT)))
    print("name", "number", "expected", "rule", "half", sep="\t")
    seen = set()
    for name, number, expected, rule in cases(release, Path(sys.argv[1]), read_project(ROOT).names):
        if (name, number) not in seen:
            seen.add((name, number))
            half = "held-out" if hashlib.sha256(name.strip().encode()).digest()[1] % 2 else "tuning"
            print(name, number, expected, rule, half, sep="\t")


if __name__ == "__main__":
    main()
