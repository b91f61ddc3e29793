"""Layout of the class diagram: classes as boxes on a grid, links as lines with few crossings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

# Sizes are in pixels.
COLUMNS, ROWS = 3, 4
_MAX_LINES = 16
_PITCH, _MARGIN, _HALF = complex(300, 128), complex(102, 44), complex(100, 30)


@dataclass(frozen=True, slots=True)
class Count:
    """A class, datatype or property with a count; the IRI is '' for resources without a class."""

    iri: str
    number: int


@dataclass(frozen=True, slots=True)
class Connector:
    """The number of stated triples with a property between members of two classes."""

    source: str
    property: str
    target: str
    number: int


@dataclass(frozen=True, slots=True)
class Box:
    """A class in the diagram, with its centre and its most frequent link to itself."""

    kind: Count
    x: float
    y: float
    loop: Connector | None


@dataclass(frozen=True, slots=True)
class Line:
    """A link in the diagram: end points, position of its label, and the number of other links between the classes."""

    link: Connector
    ends: tuple[int, int, int, int]
    label: tuple[int, int]
    more: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """The main classes and the links between them; `lines` are drawn, `links` has all."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    links: Sequence[Connector]
    width: int
    height: int


def draw(kinds: Sequence[Count], links: Sequence[Connector]) -> Diagram:
    """Lays out the most frequent link of each pair of classes, up to `_MAX_LINES`, with at least one for each class."""
    pairs: dict[frozenset[str], list[Connector]] = defaultdict(list)
    for link in links:
        pairs[frozenset((link.source, link.target))].append(link)
    joining = {pair: found for pair, found in pairs.items() if len(pair) == 2}
    firsts = [next((p for p in joining if kind.iri in p), None) for kind in kinds]
    drawn = list(dict.fromkeys([*filter(None, firsts), *joining]))[:_MAX_LINES]
    place = _positions([kind.iri for kind in kinds], [tuple(sorted(pair)) for pair in drawn])
    boxes = [
        Box(kind, place[kind.iri].real, place[kind.iri].imag, next(iter(pairs.get(frozenset([kind.iri]), ())), None))
        for kind in kinds
    ]
    taken = list(place.values())
    # Short lines have few positions for their label, so they come first.
    drawn.sort(key=lambda pair: abs(_vector(joining[pair][0], place)))
    lines = [_line(joining[pair][0], len(joining[pair]) - 1, place, taken) for pair in drawn]
    height = max((box.y for box in boxes), default=0) + _MARGIN.imag
    width = 2 * _MARGIN.real + (COLUMNS - 1) * _PITCH.real
    return Diagram(boxes, lines, [link for pair in drawn for link in joining[pair]], round(width), round(height))


def _positions(kinds: Sequence[str], pairs: Sequence[tuple[str, ...]]) -> dict[str, complex]:
    """Places classes on the grid: cells are swapped as long as that gives shorter lines and fewer crossings."""
    cells: list[str | None] = [*kinds, *[None] * (COLUMNS * ROWS - len(kinds))]

    def cost() -> float:
        at = {kind: n for n, kind in enumerate(cells) if kind}
        lines = [(at[a], at[b]) for a, b in pairs]
        hidden = sum(cells[n] is not None for line in lines for n in _between(*line))
        crossings = sum(_cross(*one, *other) for one, other in combinations(lines, 2))
        # A small cost for lower rows, so that a few classes are placed at the top.
        return sum(abs(_cell(a) - _cell(b)) ** 2 for a, b in lines) + 9 * hidden + 3 * crossings + sum(at.values()) / 99

    best, improved = cost(), True
    while improved:
        improved = False
        for i, j in combinations(range(len(cells)), 2):
            cells[i], cells[j] = cells[j], cells[i]
            if (now := cost()) < best - 1e-9:
                best, improved = now, True
            else:
                cells[i], cells[j] = cells[j], cells[i]
    spread = {kind: _cell(n) for n, kind in enumerate(cells) if kind}
    return {k: complex(c.real * _PITCH.real, c.imag * _PITCH.imag) + _MARGIN for k, c in spread.items()}


def _cell(n: int) -> complex:
    return complex(n % COLUMNS, n // COLUMNS)


@cache
def _between(a: int, b: int) -> tuple[int, ...]:
    """The cells whose boxes a line between two cells crosses."""
    way = [_cell(a) + (_cell(b) - _cell(a)) * step / 24 for step in range(25)]
    gaps = ((n, p - _cell(n)) for p in way for n in range(COLUMNS * ROWS))
    return tuple({n for n, gap in gaps if max(abs(gap.real), abs(gap.imag)) < 0.3} - {a, b})


@cache
def _cross(a: int, b: int, c: int, d: int) -> bool:
    def side(p: int, q: int, r: int) -> float:
        return ((_cell(q) - _cell(p)).conjugate() * (_cell(r) - _cell(p))).imag

    return len({a, b, c, d}) == 4 and side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def _vector(link: Connector, place: Mapping[str, complex]) -> complex:
    return place[link.target] - place[link.source]


def _line(link: Connector, more: int, place: Mapping[str, complex], taken: list[complex]) -> Line:
    """A line from border to border, with its label where it overlaps no box or other label."""
    start, end, way = place[link.source], place[link.target], _vector(link, place)
    share = min(_HALF.real / (abs(way.real) or 1e-9), _HALF.imag / (abs(way.imag) or 1e-9))
    first, last = start + way * share, end - way * share
    spots = [first + (last - first) * t for t in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)]
    free = [p for p in spots if all(abs((p - q).real) > 95 or abs((p - q).imag) > 17 for q in taken)]
    label = (free or spots)[0]
    taken.append(label)
    ends = (round(first.real), round(first.imag), round(last.real), round(last.imag))
    return Line(link, ends, (round(label.real), round(label.imag)), more)
