"""Random numbers depend on seed, event and module alone: not on mode, order, streams or partitions."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventbraid import (
    ConfigurationError,
    Event,
    EventID,
    ExternalProducer,
    Job,
    ModuleError,
    Output,
    Parameter,
    Producer,
    Switch,
)
from eventbraid.generators import make_generator
from eventbraid.plan import make_plan
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput, ListSource

Numbers = NDArray[np.float64]


class Noise(Producer):
    """Draws, waiting now and then so that events overtake each other."""

    noise = Output[Numbers]()
    size = Parameter(4)

    async def produce(self, event: Event) -> None:
        for _ in range(event.id.event * 7 % 5):
            await asyncio.sleep(0)
        event[self.noise] = event.random(self).normal(size=self.size)


class NoiseAway(ExternalProducer[Numbers, Numbers]):
    """Draws half in acquire, half in produce."""

    noise = Output[Numbers]()

    async def acquire(self, event: Event) -> Numbers:
        return event.random(self).normal(size=2)

    async def external_work(self, acquired: Numbers) -> Numbers:
        for _ in range(3):
            await asyncio.sleep(0)
        return acquired

    async def produce(self, event: Event, result: Numbers) -> None:
        event[self.noise] = np.concatenate([result, event.random(self).normal(size=2)])


IDS = [EventID(run, lumi, event) for run in (1, 2) for lumi in (1, 2) for event in range(1, 6)]


def rows(mode: Any = "async", ids: list[EventID] = IDS, **changes: Any) -> dict[tuple[EventID, str], bytes]:
    """What each module drew in each event."""
    output = ListOutput(keep=["a", "b", "away"])
    job = Job(
        "random",
        source=ListSource([{} for _ in ids], ids),
        modules={"a": Noise(), "b": Noise(), "away": NoiseAway()},
        outputs=[output],
    )
    dataclasses.replace(job, **changes).run(mode)
    return {(row.id, label): drawn.tobytes() for row in output.rows for label, drawn in row.products.items()}


def test_the_numbers_are_the_same_in_every_mode_with_any_number_of_streams() -> None:
    expected = rows("blocking")
    assert rows(streams=1) == expected
    assert rows(streams=8) == expected


@given(st.permutations(IDS), st.integers(1, 8))
@settings(max_examples=25)
def test_the_numbers_are_the_same_in_every_order_and_partition(ids: list[EventID], streams: int) -> None:
    """A part of the events in another order draws what the whole draws."""
    part = ids[: len(ids) // 2]
    expected = rows("blocking")
    assert rows(ids=part, streams=streams) == {key: drawn for key, drawn in expected.items() if key[0] in part}


def test_modules_events_lumis_runs_and_seeds_draw_different_numbers() -> None:
    first, second = rows(), rows(seed=2)
    assert len({*first.values(), *second.values()}) == len(first) + len(second) == 2 * 3 * len(IDS)


identities = st.tuples(*[st.integers(0, 2**64 - 1) | st.integers(0, 3)] * 4, st.sampled_from("abc"))


@given(identities, identities)
def test_two_identities_draw_the_same_only_if_they_are_the_same(one: Any, other: Any) -> None:
    """No two sets of seed, run, lumi, event and label share their numbers."""
    same = make_generator(*one).integers(2**62, size=2) == make_generator(*other).integers(2**62, size=2)
    assert same.all() == (one == other)


def test_neighbouring_events_are_not_correlated() -> None:
    drawn = np.array([make_generator(1, 1, 1, event, "noise").normal(size=1000) for event in range(1, 60)])
    correlations = np.corrcoef(drawn)[np.triu_indices(len(drawn), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(1000)
    assert abs(drawn[:, 0].mean()) < 5 / np.sqrt(len(drawn))


def test_numbers_are_the_same_in_another_process_and_on_another_day() -> None:
    code = "from eventbraid.generators import make_generator as g; r = g(1, 2, 3, 4, 'noise').bit_generator; print(*r.random_raw(2))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(number) for number in run.stdout.split()] == [17544305095053857228, 13804915396598498621]


def test_produce_goes_on_where_acquire_ended() -> None:
    drawn = np.frombuffer(rows()[IDS[0], "away"])
    assert (drawn == make_generator(1, *IDS[0], "away").normal(size=4)).all()


def test_it_is_one_generator_within_an_event() -> None:
    class Twice(Producer):
        same = Output[bool]()

        def produce(self, event: Event) -> None:
            event[self.same] = event.random(self) is event.random(self)

    output = ListOutput(keep=["twice"])
    Job("t", source=EmptySource(events=1), modules={"twice": Twice()}, outputs=[output]).run()
    assert output.rows[0].products["twice"] is True


def test_all_cases_of_a_switch_draw_the_same_numbers() -> None:
    modules = {"a": Switch(gpu=NoiseAway(), cpu=Noise()), "b": Noise(), "away": NoiseAway()}
    expected = rows()
    assert rows(modules=modules, accelerators=("gpu",)) == rows(modules=modules, accelerators=("cpu",)) == expected


def test_a_module_of_no_running_job_says_so() -> None:
    other = Noise()

    class Borrows(Producer):
        noise = Output[Numbers]()

        def produce(self, event: Event) -> None:
            event.random(other)

    job = Job("t", source=EmptySource(events=1), modules={"borrows": Borrows()}, paths={"p": ["borrows"]})
    with pytest.raises(
        ModuleError, match=r"step produce.*: Noise belongs to no running job: write event\.random\(self\)"
    ):
        job.run()


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1", 2**64])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    job = Job("t", source=EmptySource(), modules={}, seed=seed)
    with pytest.raises(ConfigurationError, match=r"seed must be a whole number from 0 to 2\*\*64 - 1, not"):
        make_plan(job)


def test_replace_changes_the_seed() -> None:
    job = Job("t", source=EmptySource(), modules={})
    assert (job.seed, job.replace().seed, job.replace(seed=0).seed) == (1, 1, 0)
    assert make_plan(job.replace(seed=7)).seed == 7
