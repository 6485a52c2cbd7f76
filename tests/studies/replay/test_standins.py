"""Stand-ins do the work of their algorithms, read and put what these do, and are the same in both modes."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventbraid.job import Mode
from eventbraid.studies import Algorithm, Dataflow
from eventbraid.studies.replay.standins import Work, burns_per_second, make_job, make_works, steps_per_second
from eventbraid.testing import ListOutput

sys.path.insert(0, str(Path(__file__).parent))
from flows import SMALL, flows


def test_work_is_steps_for_the_time_and_none_where_no_time_is_known() -> None:
    assert make_works(SMALL, {"digis": 0.5, "tracks": 0.25}, 1000) == (Work((500,)), Work((250,)), Work((0,)))


def test_who_is_away_burns_the_rest_of_its_time_in_two_halves() -> None:
    works = make_works(SMALL, {"digis": 0.5, "tracks": 0.25}, 1000, {"digis"}, 0.2)
    assert works == (Work((200, 200), pytest.approx(0.1)), Work((250,)), Work((0,)))


def test_burning_more_steps_takes_longer() -> None:
    assert burns_per_second([Work((10,))], 10) > burns_per_second([Work((500_000, 500_000))], 1)
    assert steps_per_second(0.01) > 1e6


def products(flow: Dataflow, works: tuple[Work, ...], mode: Mode) -> list[dict[str, object]]:
    """Everything that is put."""
    job = make_job(flow, works, events=5, streams=3)
    keep = [f"{label}.out{n}" for label, module in job.modules.items() for n, _ in enumerate(module.outputs())]
    output = ListOutput(keep=keep)
    report = dataclasses.replace(job, outputs=[output]).run(mode)
    assert (report.events.passed, report.errors) == (5, 0)
    assert {report.modules[label].calls for label in job.modules} == {5}
    return [dict(row.products) for row in output.rows]


@given(flows(), st.data())
@settings(max_examples=25)
def test_every_stand_in_of_any_data_flow_runs_once_an_event_with_the_same_products_in_both_modes(
    flow: Dataflow, data: st.DataObject
) -> None:
    works = tuple(data.draw(st.sampled_from([Work((3,)), Work((1, 2), 0.0)])) for _ in flow.algorithms)
    assert products(flow, works, "async") == products(flow, works, "blocking")


def test_products_are_small_numbers_that_depend_on_what_was_read() -> None:
    found = products(SMALL, (Work((9,)), Work((9,)), Work((9,))), "async")
    assert found[0] == {"digis.out0": 2, "digis.out1": 2, "tracks.out0": 3}
    assert found[1] == {"digis.out0": 3, "digis.out1": 3, "tracks.out0": 5}


def test_names_of_another_framework_become_labels() -> None:
    names = ["a-b", "a.b", "a_b", "1", "ü", "class", "xAOD::Maker/Alg"]
    flow = Dataflow("names", tuple(Algorithm(name) for name in names), ("a b",))
    job = make_job(flow, (Work((0,)),) * len(names), events=1, streams=1)
    assert list(job.modules) == ["a_b", "a_b_2", "a_b_3", "_1", "_", "class", "xAOD__Maker_Alg"]
    assert [name for name, _ in job.source.outputs()] == ["a_b_4"]
    assert job.run().events.passed == 1


def test_who_reads_data_of_several_producers_reads_it_of_each() -> None:
    flow = Dataflow("two", (Algorithm("a", (), ("d",)), Algorithm("b", (), ("d",)), Algorithm("c", ("d",), ("e",))))
    assert products(flow, (Work((8,)),) * 3, "async")[0] == {"a.out0": 1, "b.out0": 1, "c.out0": 3}
