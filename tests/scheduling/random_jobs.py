"""Random jobs for Hypothesis: modules that suspend or do not, raise, filter, and wait on external work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from hypothesis import strategies as st

from eventbraid import (
    Analyzer,
    Event,
    EventID,
    ExternalFilter,
    ExternalProducer,
    Filter,
    Input,
    Job,
    Kept,
    Output,
    Producer,
    Section,
)
from eventbraid.module import Module
from eventbraid.testing import ListOutput, ListSource


@dataclass(frozen=True)
class Behaviour:
    """What a random module does."""

    sort: str
    label: str
    reads: tuple[str, ...]
    kind: str = "stream"
    limit: int | None = None
    resources: tuple[str, ...] = ()
    waits: tuple[int, int, int] = (0, 0, 0)  # loop iterations in acquire, external work, final step
    plain: bool = False
    raises_at: str = ""
    raises_every: int = 1
    passes_every: int = 2
    optional: bool = True
    tolerant: bool = False
    on_error: str | None = None
    offload: bool = False
    follows: bool = False


class Watch:
    """Sees every call of a random job, and that nothing happens that may not."""

    def __init__(self) -> None:
        self.inside: Counter[str] = Counter()
        self.lock = Lock()
        self.ran: set[tuple[str, EventID]] = set()
        self.sections: Counter[tuple[str, str]] = Counter()
        self.begun: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def call(self, b: Behaviour, event: Event, final: bool) -> Iterator[None]:
        """A step of a module: within its bounds, after its section's begin, the final one once an event."""
        if final:
            assert (b.label, event.id) not in self.ran
            self.ran.add((b.label, event.id))
        if b.follows:
            assert self.sections[b.label, str(event.lumi)] > 0
            assert self.sections[b.label, str(event.run)] > 0
        names = {f"module {b.label}": b.limit, **{f"resource {name}": 1 for name in b.resources}}
        if b.kind == "serial":
            names[f"module {b.label}"] = 1
        with self.lock:
            self.inside.update(list(names))
        try:
            assert all(most is None or self.inside[name] <= most for name, most in names.items())
            yield
        finally:
            with self.lock:
                self.inside.subtract(list(names))

    def begins(self, label: str, section: Section) -> None:
        self.sections[label, str(section)] += 1
        self.begun[label, str(section)] += 1

    def ends(self, label: str, section: Section) -> None:
        self.sections[label, str(section)] -= 1
        assert self.sections[label, str(section)] >= 0

    @property
    def over(self) -> bool:
        """Nothing is under way any more, and all that began has ended."""
        return not any(self.inside.values()) and not any(self.sections.values())


class Raised(Exception):
    """What random modules raise."""


class Mixin:
    """The behaviour that all sorts share."""

    behaviour: Behaviour
    watch: Watch
    gain: Kept[int]

    def begin_run(self, run: Section) -> None:
        self.watch.begins(self.behaviour.label, run)

    def end_run(self, run: Section) -> None:
        self.watch.ends(self.behaviour.label, run)

    async def begin_lumi(self, lumi: Section) -> None:
        await wait(self.behaviour.waits[1])
        lumi[self.gain] = lumi.id.run * 100 + lumi.id.lumi
        self.watch.begins(self.behaviour.label, lumi)

    async def end_lumi(self, lumi: Section) -> None:
        await wait(self.behaviour.waits[2])
        assert lumi[self.gain] == lumi.id.run * 100 + lumi.id.lumi
        self.watch.ends(self.behaviour.label, lumi)

    def value(self, event: Event) -> int:
        seen = [
            event.get(getattr(self, name)) if self.behaviour.optional else event[getattr(self, name)]
            for name in self.names
        ]
        if self.behaviour.follows:
            seen.append(event.lumi[self.gain])
        return (
            hash((self.behaviour.label, event.id.event, *[-1 if each is None else each for each in seen])) % 1_000_003
        )

    @property
    def names(self) -> list[str]:
        return [f"in{n}" for n in range(len(self.behaviour.reads))]

    def maybe_raise(self, step: str, number: int) -> None:
        if self.behaviour.raises_at == step and number % self.behaviour.raises_every == 0:
            raise Raised(f"{self.behaviour.label} in {step} of {number}")

    def passes(self, value: int) -> bool:
        return value % self.behaviour.passes_every != 0


async def wait(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def _namespace(behaviour: Behaviour) -> dict[str, Any]:
    inputs = {f"in{n}": Input[int](label, optional=behaviour.tolerant) for n, label in enumerate(behaviour.reads)}
    return {
        **inputs,
        "behaviour": behaviour,
        "kind": behaviour.kind,
        "limit": behaviour.limit,
        "resources": behaviour.resources,
        "on_error": behaviour.on_error,
        "offload": behaviour.offload and behaviour.plain and not behaviour.sort.startswith("external"),
    }


SECTION_STEPS = ("begin_run", "end_run", "begin_lumi", "end_lumi")


def make(behaviour: Behaviour, watch: Watch) -> Module:
    """The module of a behaviour: a class of its own."""
    b = behaviour
    space = _namespace(b) | {"watch": watch}
    if b.follows:
        space["gain"] = Kept[int]()
    else:
        space |= {name: getattr(Module, name) for name in SECTION_STEPS}
    if b.sort != "analyzer":
        space["value_out"] = Output[int]()
    final = {
        "producer": "produce",
        "filter": "filter",
        "analyzer": "analyze",
        "external": "produce",
        "external filter": "filter",
    }[b.sort]
    decides = final == "filter"

    def finish(self: Any, event: Event, value: int) -> bool | None:
        self.maybe_raise("final", event.id.event)
        if b.sort != "analyzer":
            event[self.value_out] = value
        return self.passes(value) if decides else None

    if b.sort.startswith("external"):

        async def acquire(self: Any, event: Event) -> tuple[int, int]:
            with watch.call(b, event, final=False):
                await wait(b.waits[0])
                self.maybe_raise("acquire", event.id.event)
                return event.id.event, self.value(event)

        async def external_work(self: Any, acquired: tuple[int, int]) -> int:
            await wait(b.waits[1])
            self.maybe_raise("work", acquired[0])
            return acquired[1] + 1

        async def finish_external(self: Any, event: Event, result: int) -> bool | None:
            with watch.call(b, event, final=True):
                await wait(b.waits[2])
                return finish(self, event, result)

        space |= {"acquire": acquire, "external_work": external_work, final: finish_external}
    elif b.plain:

        def run_plainly(self: Any, event: Event) -> bool | None:
            with watch.call(b, event, final=True):
                return finish(self, event, self.value(event))

        space[final] = run_plainly
    else:

        async def run(self: Any, event: Event) -> bool | None:
            with watch.call(b, event, final=True):
                await wait(b.waits[0])
                value = self.value(event)
                await wait(b.waits[2])
                return finish(self, event, value)

        space[final] = run
    base: Any = {
        "producer": Producer,
        "filter": Filter,
        "analyzer": Analyzer,
        "external": ExternalProducer,
        "external filter": ExternalFilter,
    }[b.sort]
    return type(f"Random{b.label}", (Mixin, base), space)()


@st.composite
def behaviours(draw: st.DrawFn, number: int, readable: list[str]) -> Behaviour:
    sort = draw(st.sampled_from(["producer", "producer", "filter", "external", "external filter", "analyzer"]))
    kind, limit, resources = draw(
        st.sampled_from(
            [
                ("stream", None, ()),
                ("stream", None, ()),
                ("shared", None, ()),
                ("serial", None, ()),
                ("shared", 2, ()),
                ("stream", 1, ("geant",)),
                ("serial", None, ("geant", "file")),
            ]
        )
    )
    steps = ["", "", "", "final"] + (["acquire", "work"] if sort.startswith("external") else [])
    return Behaviour(
        sort=sort,
        label=f"m{number}",
        reads=tuple(draw(st.lists(st.sampled_from(readable), max_size=3, unique=True))),
        kind=kind,
        limit=limit,
        resources=resources,
        waits=tuple(draw(st.tuples(*[st.sampled_from([0, 0, 1, 3])] * 3))),
        plain=draw(st.booleans()),
        raises_at=draw(st.sampled_from(steps)),
        raises_every=draw(st.integers(2, 5)),
        passes_every=draw(st.integers(2, 4)),
        optional=draw(st.booleans()),
        tolerant=draw(st.booleans()),
        on_error=draw(st.sampled_from([None, None, None, "stop", "skip", "continue"])),
        offload=draw(st.booleans()),
        follows=draw(st.sampled_from([False, False, True])),
    )


@dataclass(frozen=True)
class RandomJob:
    """Everything that makes a random job, so that it can be made twice."""

    behaviours: tuple[Behaviour, ...]
    paths: tuple[tuple[str, ...], ...]
    keep: tuple[str, ...]
    select: tuple[str, ...]
    events: int
    streams: int
    on_error: str
    lumis: tuple[tuple[int, int], ...] = ()
    concurrent: tuple[int, int] = (2, 1)

    @property
    def continues(self) -> bool:
        """No failure gives up an event."""
        return all((b.on_error or self.on_error) == "continue" for b in self.behaviours)

    def tolerant(self) -> RandomJob:
        """The same job, which never gives up an event."""
        behaviours = tuple(replace(b, on_error=None) for b in self.behaviours)
        return replace(self, behaviours=behaviours, on_error="continue")

    @property
    def ids(self) -> list[EventID]:
        """The events: from each of `lumis` on, which are (event, run or lumi), a new section."""
        run = lumi = 1
        found: list[EventID] = []
        steps = dict(self.lumis)
        for number in range(self.events):
            if step := steps.get(number):
                run, lumi = (run, lumi + 1) if step == 1 else (run + 1, 1)
            found.append(EventID(run, lumi, number + 1))
        return found

    def job(self, watch: Watch | None = None) -> Job:
        watch = watch or Watch()
        return Job(
            "random",
            source=ListSource(
                [{"x": n * 7, "y": n} if n % 3 else {"x": n} for n in range(self.events)],
                self.ids,
                products=["x", "y"],
            ),
            concurrent_lumis=self.concurrent[0],
            concurrent_runs=self.concurrent[1],
            modules={b.label: make(b, watch) for b in self.behaviours},
            paths={f"p{n}": list(path) for n, path in enumerate(self.paths)},
            outputs=[ListOutput(keep=list(self.keep), select=list(self.select))],
            streams=self.streams,
            on_error=self.on_error,  # type: ignore[arg-type]
        )


@st.composite
def random_jobs(draw: st.DrawFn) -> RandomJob:
    readable = ["x", "y"]
    made: list[Behaviour] = []
    for number in range(draw(st.integers(1, 8))):
        made.append(draw(behaviours(number, readable)))
        if made[-1].sort != "analyzer":
            readable.append(made[-1].label)
    labels = [b.label for b in made]
    paths = tuple(
        tuple(label for label in labels if label in chosen)
        for chosen in draw(st.lists(st.sets(st.sampled_from(labels), max_size=5), max_size=4))
    )
    names = [f"p{n}" for n in range(len(paths))]
    return RandomJob(
        behaviours=tuple(made),
        paths=paths,
        keep=tuple(draw(st.sets(st.sampled_from(readable)))),
        select=tuple(draw(st.sets(st.sampled_from(names)))) if names else (),
        events=draw(st.integers(0, 9)),
        streams=draw(st.integers(1, 6)),
        on_error=draw(st.sampled_from(["stop", "skip", "continue"])),
        lumis=tuple(draw(st.dictionaries(st.integers(1, 8), st.sampled_from([1, 1, 2]), max_size=4)).items()),
        concurrent=draw(st.tuples(st.integers(1, 3), st.integers(1, 2))),
    )
