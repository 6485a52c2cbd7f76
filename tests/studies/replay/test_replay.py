"""A data flow is played by stand-ins in both modes, and what would make that wrong is said before."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from eventbraid import ConfigurationError
from eventbraid.studies import Offload, Replay, read_dataflow, read_times, replay
from eventbraid.studies.replay import render

sys.path.insert(0, str(Path(__file__).parent))
from flows import SMALL

TIMES = {"digis": 0.01, "tracks": 0.01, "output": 0.001}


def quiet(line: str) -> None:
    """Says nothing."""


def rendered(found: Replay) -> str:
    console = Console(file=io.StringIO(), width=100)
    render(found, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_braiding_hides_who_is_away() -> None:
    lines: list[str] = []
    offload = Offload(2, 0.95, "longest")
    found = replay(SMALL, TIMES, offload=offload, scale=1, events=10, streams=10, runs=1, say=lines.append)
    assert found.away == ("digis", "tracks")
    assert (found.cpu_seconds, found.away_seconds) == (pytest.approx(0.002), pytest.approx(0.019))
    assert found.limit == pytest.approx(10.5)
    assert found.speed_up is not None
    assert found.speed_up.median > 2
    assert found.of_bound("async").median > found.of_bound("blocking").median
    assert found.cpu_share("blocking").median < 0.5
    assert [line.split(":")[0] for line in lines] == ["blocking run 1 of 1", "async run 1 of 1"]
    text = rendered(found)
    assert "small: 10 events, 1 run a mode, async with 10 in flight" in text
    assert "at most 10.50 by the times given" in text
    assert "an event: 3 algorithms, 2 of them away, 2.00 ms of CPU and 19.00 ms away (times x 1)" in text


def test_the_result_is_written_whole() -> None:
    found = replay(SMALL, TIMES, scale=0.01, events=2, runs=2, say=quiet)
    written = json.loads(json.dumps(found.to_dict()))
    assert written["job"] == "small"
    assert set(written["figures"]) == {"blocking", "async"}
    assert written["limit"] == 1
    for mode in ("blocking", "async"):
        assert [rate["events_per_second"] > 0 for rate in written["rates"][mode]] == [True, True]
        assert written["figures"][mode]["of_bound"]["least"] <= written["figures"][mode]["of_bound"]["most"]
    assert written["speed_up"]["median"] > 0


def test_one_mode_has_no_speed_up() -> None:
    found = replay(SMALL, TIMES, scale=0.01, mode="async", events=2, runs=1, say=quiet)
    assert list(found.rates) == ["async"]
    assert found.speed_up is None
    assert found.to_dict()["speed_up"] is None
    assert "speed-up" not in rendered(found)


def test_work_that_is_away_altogether_has_no_limit() -> None:
    found = replay(SMALL, TIMES, offload=Offload(3, 1), scale=0.01, events=2, runs=1, say=quiet)
    assert found.limit is None
    assert "at most" not in rendered(found)


def test_algorithms_without_times_and_times_without_algorithms_are_noted() -> None:
    lines: list[str] = []
    times = {"digis": 0.01, **dict.fromkeys(["e", "d", "c", "b"], 1.0)}
    found = replay(SMALL, times, scale=0.01, mode="async", events=1, runs=1, say=lines.append)
    assert found.notes == (
        "2 of 3 algorithms have no time and take none: tracks, output",
        "4 of 5 times are of no algorithm of the graph: b, c, d, ...",
    )
    assert lines[:2] == [f"warning: {note}" for note in found.notes]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"times": {"digi": 1}}, "--times: have no time above 0 of any of the 3 algorithms (did you mean 'digi'?)"),
        ({"times": {"digis": 0}}, "--times: have no time above 0 of any of the 3 algorithms"),
        ({"mode": "blokcing"}, "--mode: there is no mode 'blokcing' (did you mean 'blocking'?)"),
        ({"scale": 0}, "--scale: must be a number above 0, not 0"),
        ({"scale": float("nan")}, "--scale: must be a number above 0, not nan"),
        ({"scale": float("inf")}, "--scale: must be a number above 0, not inf"),
        ({"scale": 1e6}, "--scale 1e+06: an event would take 21,000 s, more than 60 (choose a smaller one)"),
        ({"times": {"digis": 1e308}, "scale": 1e9}, "an event would take inf s, more than 60"),
        ({"events": 0}, "--events: must be at least 1, not 0"),
        ({"streams": 0, "runs": -1}, "the replay has 2 faults"),
        ({"offload": Offload(4, 0.5)}, "--offload: 4 of 3 algorithms cannot be away"),
    ],
)
def test_what_cannot_be_played_is_told_before_anything_runs(changes: dict[str, Any], text: str) -> None:
    lines: list[str] = []
    with pytest.raises(ConfigurationError) as raised:
        replay(SMALL, **{"times": TIMES, "say": lines.append, **changes})
    assert text in str(raised.value)
    assert lines == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("70", "--offload: must be N:F, not '70' (70:0.9 has 70 algorithms away for nine tenths of their time)"),
        ("", "--offload: must be N:F, not ''"),
        ("0.9:70", "--offload: must be N:F, not '0.9:70'"),
        ("70:0.9:1", "--offload: must be N:F, not '70:0.9:1'"),
        (5000 * "9" + ":1", "--offload: must be N:F"),
        ("-1:0.9", "--offload: the number of algorithms must be at least 0, not -1"),
        ("70:1.5", "--offload: the fraction must lie between 0 and 1, not 1.5"),
        ("70:nan", "--offload: the fraction must lie between 0 and 1, not nan"),
    ],
)
def test_a_wrong_offload_is_told(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Offload.parse(text)
    assert str(raised.value).startswith(fault)


def test_a_choice_that_is_none_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"--choose: there is no choice 'longst' \(did you mean 'longest'\?\)"):
        Offload.parse("2:0.5", "longst")


def test_the_random_choice_is_the_same_for_the_same_seed() -> None:
    names = [f"a{n}" for n in range(100)]
    first, again, other = (Offload.parse("10:0.9", seed=seed).chosen(names, {}) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first)) == 10
    assert set(first) != set(other)


def test_the_longest_are_those_with_the_largest_times() -> None:
    assert Offload(2, 0.5, "longest").chosen(["a", "b", "c", "d"], {"b": 1, "c": 3, "d": 2}) == ("c", "d")


@pytest.mark.skipif("EVENTBRAID_DATA" not in os.environ, reason="EVENTBRAID_DATA names no folder with Gaudi's graphs")
@pytest.mark.parametrize(
    ("graph", "times", "offload", "notes"),
    [
        ("cms-reco/df.graphml", "cms-reco/algs-time.json", "70:0.9", 0),
        (
            "atlas-mcreco/df.mcreco.TriggerOff.3rdEvent.graphml",
            "atlas-mcreco/averageTiming.mcreco.TriggerOff.json",
            "17:0.9",
            2,
        ),
    ],
)
def test_the_graphs_of_gaudi_are_played(graph: str, times: str, offload: str, notes: int) -> None:
    folder = Path(os.environ["EVENTBRAID_DATA"]) / "gaudi"
    flow, known = read_dataflow(folder / graph), read_times(folder / times)
    found = replay(flow, known, offload=Offload.parse(offload), scale=1e-4, events=4, runs=1, say=quiet)
    assert len(found.away) == int(offload.partition(":")[0])
    assert len(found.notes) == notes
    assert found.of_bound("async").median > 0
