"""Profiles of the shapes: the core takes data of any country, the Japanese profile asks for more."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from dataset import BASE, PROJECT
from projects import ROOT, run_kg
from pyoxigraph import NamedNode, Quad, RdfFormat, parse

from kg.build import reasoning
from kg.build.shapes import Shapes
from kg.curation import builder
from kg.errors import BadParameter
from kg.project import profiles
from kg.rdf import iris
from kg.rdf.namespaces import KG, SHAPES
from kg.release.store import Release

ELSEWHERE = ROOT / "tests" / "fixtures" / "profiles" / "elsewhere.ttl"
CONCEPT = "http://www.w3.org/2004/02/skos/core#Concept"
OURS = {
    "place/germany": KG + "Jurisdiction",
    "vocabulary/budget-type/initial": CONCEPT,
    "vocabulary/estimate-status/exact": CONCEPT,
}
PROF = "http://www.w3.org/ns/dx/prof/"


def violated(profile: str) -> set[str]:
    """The shapes of a profile that the data of another country violates, beside ours that it mentions."""
    given = [*parse(path=str(ELSEWHERE)), *builder.ontology_quads(PROJECT)]
    given += [Quad(NamedNode(BASE.id + name), NamedNode(iris.RDF_TYPE), NamedNode(kind)) for name, kind in OURS.items()]
    found = Shapes(*profiles.chosen(profiles.profiles(ROOT), profile)).violations(given)
    return {v.shape.removeprefix(SHAPES) for v in found if "data.example.org" in v.focus}


def test_the_core_takes_data_of_any_country() -> None:
    assert violated("core") == set()


def test_the_japanese_profile_asks_for_more() -> None:
    assert violated("japan") == {
        "JapaneseNamed",
        "JapaneseDescribed",
        "JapaneseBudgetAllocation",
        "JapaneseFiscalYear",
        "JapaneseMeasureInstrument",
    }


def test_data_of_another_country_is_consistent() -> None:
    """A policy document may be a legal resource as well."""
    assert reasoning.is_consistent([*parse(path=str(ELSEWHERE)), *builder.ontology_quads(PROJECT)])


def test_what_records_of_one_shapes_file_conform_to_is_the_core(tmp_path: Path) -> None:
    assert profiles.profiles(tmp_path) == {"core": (tmp_path / "ontology" / "shapes.ttl",)}


def test_an_unknown_profile_is_told_what_there_is() -> None:
    with pytest.raises(BadParameter, match=r"'japon'; did you mean 'japan'.*known are core, japan"):
        profiles.chosen(profiles.profiles(ROOT), "japon")


def test_each_profile_says_what_it_adds_to() -> None:
    for path in profiles.all_files(ROOT):
        (above,) = {q.object for q in parse(path=str(path)) if q.predicate.value == PROF + "isProfileOf"}
        assert isinstance(above, NamedNode)
        assert above.value.endswith("/ontology" if path.stem == "core" else "/shapes/core")


@pytest.mark.parametrize(("asked", "conforms"), [("", "true"), ("core", "true"), ("japan", "false")])
def test_validate_takes_a_profile(real_http: httpx.Client, asked: str, conforms: str) -> None:
    body, query = ELSEWHERE.read_bytes(), {"profile": asked} if asked else {}
    told = real_http.post("/validate", params=query, content=body, headers={"content-type": "text/turtle"})
    assert told.headers["x-conforms"] == conforms, told.text[:500]
    form = {"text": body.decode(), "profile": asked}
    assert real_http.post("/validate", data=form).headers["x-conforms"] == conforms


def test_validate_refuses_an_unknown_profile(real_http: httpx.Client) -> None:
    told = real_http.post("/validate?profile=mars", content=b"", headers={"content-type": "text/turtle"})
    assert told.status_code == 400


def test_profiles_are_published(real_http: httpx.Client) -> None:
    for name in ("core", "japan"):
        told = real_http.get(f"/shapes/{name}.ttl")
        assert told.status_code == 200
        assert list(parse(told.content, format=RdfFormat.TURTLE))
    assert real_http.get("/shapes.ttl").content == real_http.get("/shapes/core.ttl").content
    assert real_http.get("/shapes/mars.ttl").status_code == 404
    assert real_http.get("/validate", headers={"accept": "application/json"}).json()["profiles"] == ["core", "japan"]


def test_the_command_takes_a_profile(real: Release) -> None:
    asked = ("validate", "--release", str(real.directory), str(ELSEWHERE), "--profile")
    told = {profile: run_kg(ROOT, *asked, profile) for profile in ("core", "japan", "japon")}
    assert {profile: done.returncode for profile, done in told.items()} == {"core": 0, "japan": 1, "japon": 2}
    assert "did you mean 'japan'" in told["japon"].stderr
