"""A comparison on one corpus: starts peers, compares answers, runs interleaved rounds, keeps all measurements."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import answers
import engines
import load
import peers
import processes
import workloads
from answers import DIFFERENCES, Difference, Differs, Unanswered, compare, content, fetch, known
from corpus import ROOT, Corpus
from load import Prepared
from peers import Peer, Setup
from pyoxigraph import Literal
from workloads import FRESH, Case, Question, Samples

# Slower responses are requested one at a time, since wrk would end before it has enough of them.
_SLOW_SECONDS = 0.15
_NUMBER = re.compile(rb"\bv=-?\d+")
# Each client gets at least `_ANSWERS` responses, unless that takes more than `_LONGEST` times the planned time.
_ANSWERS, _LONGEST = 4, 5
_CHECKED = 5
_NUMBERS_OF_A_RUN = 5_000_000
# These continue abandoned queries, so that one slow query affects all that follow.
_CASES_OF_RDFLIB = ("ask", "label", "describe", "classes", "totals")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: patterns of cases and peers, number of rounds, duration, and cores.

    The rounds end at the `deadline` of the run, or after `budget` seconds for a corpus.
    """

    quick: bool = True
    cases: str = ""
    peers: tuple[str, ...] = peers.NAMES
    clients: tuple[int, ...] = ()
    rounds: int = 3
    seconds: int = 1
    deadline: float | None = None
    budget: float | None = None
    server_core: int | None = None
    load_core: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def wants(self, case: Case, peer: Peer, clients: int) -> bool:
        """Whether a case is measured for a peer; a quick run skips slow peers where they are no useful reference."""
        if self.clients and clients not in self.clients:
            return False
        if peer.name == "rdflib":
            return clients <= 8 and case.name in _CASES_OF_RDFLIB
        is_fast = peer.name in ("kg", "kg-memory", "nginx", "oxigraph", "oxigraph-memory")
        return is_fast or not self.quick or case.group != "cached"


@dataclass(slots=True)
class Trial:
    """The results, ready for JSON."""

    corpus: str
    quads: int
    triples: int
    base: str
    peers: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    differences: list[dict[str, str]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    unanswered: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    cold: dict[str, list[float]] = field(default_factory=dict)
    rounds: int = 0


class Refused(Exception):
    """The answers of peers differ, so nothing is reported."""


def run(corpus: Corpus, folder: Path, python: Path, plan: Plan, tell: Callable[[str], None]) -> Trial:
    """Runs the comparison; raises `Refused` if answers differ."""
    trial = Trial(corpus.name, corpus.quads, corpus.triples, corpus.base)
    setup = Setup(corpus, folder, plan.server_core, python, plan.environment)
    with contextlib.ExitStack() as stack:
        running = _start(setup, plan, stack, trial, tell)
        cases = _cases(running, corpus, plan, stack, setup, trial)
        tell(f"{corpus.name}: comparing answers of {', '.join(p.name for p in running)}")
        checked = Check(running, plan)
        for case in cases:
            checked.case(case)
        checked.heads(next((c for c in cases if c.name == "label"), None))
        if checked.wrong:
            raise Refused("\n".join(checked.wrong))
        trial.differences = [asdict(d) for d in checked.used.values()]
        trial.unanswered = checked.unanswered
        _note_peers(running, trial, "memory_loaded")
        Rounds(running, cases, checked, plan, folder, trial, tell).run()
        _note_peers(running, trial, "memory_after")
    for name in ("kg", "oxigraph", "fuseki"):
        if name in {p.name for p in running}:
            trial.cold[name] = [peers.cold_start(name, setup) for _ in range(3)]
    return trial


def _start(
    setup: Setup, plan: Plan, stack: contextlib.ExitStack, trial: Trial, tell: Callable[[str], None]
) -> list[Peer]:
    running = []
    for name, start in peers.STARTS.items():
        if name not in plan.peers:
            continue
        tell(f"{setup.corpus.name}: starting {name}")
        try:
            place = setup.folder / name
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            running.append(stack.enter_context(start(replace(setup, folder=place))))
        except (engines.Missing, RuntimeError) as reason:
            if name == "kg":
                raise
            # Without a reason it is the same as one that already runs.
            if str(reason):
                trial.left_out[name] = str(reason)[:500]
    return running


def _cases(
    running: list[Peer], corpus: Corpus, plan: Plan, stack: contextlib.ExitStack, setup: Setup, trial: Trial
) -> list[Case]:
    """The cases of the plan with samples of the corpus; starts nginx with the responses of the cached ones."""
    samples = sample(running[0], corpus)
    every = workloads.cases(samples, ROOT, quick=plan.quick)
    is_large = corpus.quads > 500_000
    cases = [c for c in every if re.search(plan.cases, c.name) and not (is_large and c.group == "library")]
    if not is_large:
        cases = [c for c in cases if c.group != "dump"]
    if not cases:
        raise SystemExit(f"no case matches '{plan.cases}'")
    if "nginx" in plan.peers and any(not c.fresh for c in cases):
        place = setup.folder / "nginx"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            running.append(stack.enter_context(peers.nginx(replace(setup, folder=place), running[0], cases)))
        except (engines.Missing, RuntimeError) as reason:
            trial.left_out["nginx"] = str(reason)[:500]
    trial.cases = [{"name": c.name, "title": c.title, "group": c.group, "fresh": c.fresh} for c in cases]
    return cases


def sample(ours: Peer, corpus: Corpus) -> Samples:
    """Evenly distributed sample records, read from our server."""

    def rows(name: str, **values: Any) -> list[dict[str, Any]]:
        question = Question(workloads.read(name, **values))
        answer = fetch(ours.url, ours.target(question), workloads.MEDIA_TYPES["solutions"])
        found = content(answer, "solutions")
        return sorted(({n: term[1] for n, term in row} for row in found), key=str)

    records = rows("sample-records", root=Literal(f"{corpus.base}id/"))
    by_iri = {row["entity"]: row["label"] for row in records}
    chosen = workloads.spread(list(by_iri), 200)
    wholes = [row["entity"] for row in rows("sample-wholes")]
    return Samples(tuple((iri, by_iri[iri]) for iri in chosen), tuple(workloads.spread(wholes, 50)), corpus.base)


def _note_peers(running: list[Peer], trial: Trial, key: str) -> None:
    kept = ("name", "title", "version", "settings", "load_seconds", "store_bytes")
    noted = {p["name"]: p for p in trial.peers}
    for peer in running:
        known_so_far = noted.setdefault(peer.name, {k: getattr(peer, k) for k in kept})
        known_so_far[key] = processes.memory_mb(peer.pid)
    trial.peers = list(noted.values())


class Check:
    """Compares the answers of all peers with ours, and measures how long each took."""

    def __init__(self, running: Sequence[Peer], plan: Plan) -> None:
        self.running = running
        self.plan = plan
        self.wrong: list[str] = []
        self.used: dict[Difference, Difference] = {}
        self.unanswered: list[dict[str, str]] = []
        self.took: dict[tuple[str, str], float] = {}
        # Numbers below those of the measurements.
        self._numbers = itertools.count(-1, -1)

    def takes_part(self, case: Case, peer: Peer) -> bool:
        """Whether a peer is measured in a case: it has an answer that arrived in time."""
        return (case.name, peer.name) in self.took

    def case(self, case: Case) -> None:
        """Compares some questions of a case; for the library, all."""
        asked = case.questions if case.group == "library" else case.questions[:_CHECKED]
        ours = self.running[0]
        for peer in self.running:
            if not any(self.plan.wants(case, peer, n) for n in (1, *case.clients)):
                continue
            found = known(DIFFERENCES, peer.name, case.name)
            if found:
                self.used[found] = found
            if (found and found.treatment == "left out") or not peer.target(asked[0]):
                continue
            took = []
            for question in asked:
                try:
                    took.append(self._question(case, question, ours, peer, found))
                except Unanswered as error:
                    self.unanswered.append({"case": case.name, "peer": peer.name, "reason": str(error)[:300]})
                    break
                except Differs as error:
                    self.wrong.append(f"{case.name}: {peer.name}: {error}")
            else:
                self.took[case.name, peer.name] = sum(took) / max(len(took), 1)

    def _question(self, case: Case, question: Question, ours: Peer, peer: Peer, found: Difference | None) -> float:
        """Compares an answer with ours; returns its time in seconds, the better of two."""
        by_value = found is not None and found.treatment == "values"
        theirs, took = self._ask(case, question, peer)
        if peer is ours and not case.conditional:
            content(theirs, case.form)
            return took
        if case.conditional:
            again = fetch(peer.url, peer.target(question), peer.media_type(case), tag=theirs.tag)
            if again.status != 304:
                raise Differs(f"{again.status} instead of 304")
            return took
        own, _ = self._ask(case, question, ours)
        if peer.files:
            compare(own.body, theirs.body)
        elif case.form == "page" and not peer.own:
            # Peers without pages get a query for the triples.
            content(theirs, "graph")
        elif case.form in ("page", "json"):
            compare(_placeless(own.body, ours), _placeless(theirs.body, peer))
        else:
            is_part = case.form == "record"
            compare(
                content(own, case.form, by_value=by_value),
                content(theirs, case.form, by_value=by_value),
                is_part=is_part,
            )
        return took

    def _ask(self, case: Case, question: Question, peer: Peer) -> tuple[answers.Answer, float]:
        times = []
        for _ in range(2):
            # A new text each time, since the second would be cached.
            target = peer.target(question).replace(FRESH, str(next(self._numbers)))
            begun = time.perf_counter()
            answer = fetch(peer.url, target, peer.media_type(case), question.body, patience=peers.PATIENCE + 10)
            times.append(time.perf_counter() - begun)
            if times[-1] > _SLOW_SECONDS * 20:
                break
        if answer.status == 501:
            raise Unanswered("not offered for data of this size")
        if answer.status in (408, 503, 504):
            raise Unanswered(f"{answer.status} after {times[-1]:.0f} s")
        return answer, min(times)

    def heads(self, case: Case | None) -> None:
        """Checks that every peer honours each request head."""
        if case is None:
            return
        for peer in self.running:
            target = peer.target(case.questions[0]).replace(FRESH, "0")
            if not target or not self.takes_part(case, peer):
                continue
            media_type = workloads.MEDIA_TYPES[case.form]
            for head in workloads.heads(media_type):
                accept = next(f for f in head.split("\r\n") if f.startswith("Accept: ")).removeprefix("Accept: ")
                answer = fetch(peer.url, target, accept)
                if answer.status != 200 or answer.media_type not in (media_type, "application/json"):
                    self.wrong.append(f"{peer.name}: {answer.status} {answer.media_type} for Accept: {accept}")
                    break


def _placeless(body: bytes, peer: Peer) -> bytes:
    """A page without the server's address and the request number in its links."""
    without = body.replace(peer.url.encode(), b"").replace(peer.url.removeprefix("http://").encode(), b"")
    return _NUMBER.sub(b"v=", without)


class Rounds:
    """Interleaved rounds: every case and number of clients, with one peer right after the other."""

    def __init__(
        self,
        running: Sequence[Peer],
        cases: Sequence[Case],
        checked: Check,
        plan: Plan,
        folder: Path,
        trial: Trial,
        tell: Callable[[str], None],
    ) -> None:
        self.running, self.cases, self.checked, self.plan = running, cases, checked, plan
        self.trial, self.tell = trial, tell
        self.place = Path(tempfile.mkdtemp(prefix="requests-", dir=folder))
        self._prepared: dict[tuple[str, str], tuple[Prepared, Path]] = {}
        self._first = 1
        self._end: float | None = None

    def run(self) -> None:
        """Runs the planned rounds as far as time allows; an incomplete round is kept.

        Finally measures each query of the library separately.
        """
        ends = [] if self.plan.deadline is None else [self.plan.deadline]
        ends += [] if self.plan.budget is None else [time.monotonic() + self.plan.budget]
        self._end = min(ends, default=None)
        single = [case for case in self.cases if "/" in case.name]
        together = [case for case in self.cases if case not in single]
        if self.plan.rounds:
            self._warm_up(together)
        for number in range(self.plan.rounds):
            begun = time.monotonic()
            if not self._round(number, together):
                self.trial.left_out["the rest"] = f"time was over in round {number + 1}"
                break
            self.trial.rounds = number + 1
            took = time.monotonic() - begun
            self.tell(f"{self.trial.corpus}: round {number + 1} of {self.plan.rounds} took {took:.0f} s")
            if self._is_late(took):
                break
        if single and self.plan.rounds:
            self._end = self.plan.deadline
            self._round(self.plan.rounds, single)

    def _warm_up(self, cases: Sequence[Case]) -> None:
        """Warms up peers on a virtual machine, without measuring."""
        for peer in (p for p in self.running if p.compiles):
            for case in cases:
                if not self.checked.takes_part(case, peer) or self.checked.took[case.name, peer.name] > _SLOW_SECONDS:
                    continue
                _, path = self._requests(case, peer)
                with contextlib.suppress(load.Failed):
                    load.mixed(peer.url, peer.pid, path, 8, 1, self._first, self.plan.load_core)
                self._first += _NUMBERS_OF_A_RUN

    def _round(self, number: int, cases: Sequence[Case]) -> bool:
        """Measures the cases once; returns False if time runs out."""
        for case, clients, peer in self._turns(number, cases):
            if self._is_late(0):
                return False
            self._turn(number, case, clients, peer)
        return True

    def _is_late(self, seconds: float) -> bool:
        """Whether the time will be over after these seconds."""
        return self._end is not None and time.monotonic() + seconds > self._end

    def _turns(self, number: int, cases: Sequence[Case]) -> Iterator[tuple[Case, int, Peer]]:
        """The order of peers, rotated in each round."""
        for case in cases:
            taking = [p for p in self.running if self.checked.takes_part(case, p)]
            begin = number % max(len(taking), 1)
            # A peer too slow for many clients is measured with one, and so are all others.
            is_slow = any(
                self._seconds(case, p, n) > _LONGEST * self.plan.seconds for p in taking for n in case.clients
            )
            for clients in sorted({*case.clients, *((1,) if is_slow else ())}):
                for peer in taking[begin:] + taking[:begin]:
                    fits = clients == 1 or self._seconds(case, peer, clients) <= _LONGEST * self.plan.seconds
                    if fits and self.plan.wants(case, peer, clients):
                        yield case, clients, peer

    def _seconds(self, case: Case, peer: Peer, clients: int) -> int:
        """How long to measure so that every client gets several responses, by the time of one."""
        needed = _ANSWERS * clients * self.checked.took[case.name, peer.name]
        return max(self.plan.seconds, math.ceil(needed))

    def _turn(self, number: int, case: Case, clients: int, peer: Peer) -> None:
        requests, path = self._requests(case, peer)
        in_turn = clients == 1 and self.checked.took[case.name, peer.name] > _SLOW_SECONDS
        hits = _hits(peer) if case.fresh else 0.0
        told = {"case": case.name, "peer": peer.name, "clients": clients, "round": number}
        try:
            if in_turn:
                found = load.in_turn(peer.url, peer.pid, requests, self.plan.seconds, self._first)
            else:
                core, seconds = self.plan.load_core, self._seconds(case, peer, clients)
                found = load.mixed(peer.url, peer.pid, path, clients, seconds, self._first, core)
            if case.fresh and _hits(peer) > hits:
                raise load.Failed("a fresh request was answered from the cache")
        except load.Failed as error:
            self.trial.failed.append(told | {"reason": str(error)[:500]})
            return
        finally:
            processes.settle(peer.pid)
        self._first += _NUMBERS_OF_A_RUN
        self.trial.samples.append(told | {"in_turn": in_turn} | asdict(found))

    def _requests(self, case: Case, peer: Peer) -> tuple[Prepared, Path]:
        """The requests of a case to a peer; cached cases are requested once before measuring."""
        key = (case.name, peer.name)
        if key not in self._prepared:
            targets = {q: t for q in case.questions if (t := peer.target(q))}
            media_type = peer.media_type(case)
            tags = {q: fetch(peer.url, t, media_type).tag for q, t in targets.items()} if case.conditional else {}
            host = peer.url.removeprefix("http://")
            requests = workloads.prepared(case, targets, host, tags, media_type)
            if not case.fresh:
                load.each(peer.url, requests)
            path = load.write(requests, self.place / f"{len(self._prepared)}.lua")
            self._prepared[key] = (requests, path)
        return self._prepared[key]


def _hits(peer: Peer) -> float:
    """The number of cache hits of our server; 0 for peers, which do not cache whole responses."""
    if not peer.name.startswith("kg"):
        return 0.0
    text = fetch(peer.url, "/metrics", "text/plain").body.decode()
    return sum(map(float, re.findall(r'^kg_cached_answers_total\{outcome="hit"[^}]*\} (\S+)', text, re.MULTILINE)))


def say(text: str) -> None:
    """Prints progress to standard error."""
    print(text, file=sys.stderr, flush=True)
