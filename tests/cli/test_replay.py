"""`eventbraid replay`: what it shows, the JSON it writes, and wrong input told without a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GRAPH = """<graphml><key attr.name="type" for="node" id="d0" /><graph edgedefault="directed">
<node id="digis"><data key="d0">Algorithm</data></node>
<node id="digis-data"><data key="d0">DataObject</data></node>
<node id="tracks"><data key="d0">Algorithm</data></node>
<edge source="digis" target="digis-data" /><edge source="digis-data" target="tracks" />
</graph></graphml>"""


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A graph and its times in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("times.json").write_text('{"digis": 0.1, "tracks": 0.2}')
    file = tmp_path / "df.graphml"
    file.write_text(GRAPH)
    return file


QUICK = ("df.graphml", "--times", "times.json", "--events", "2", "--runs", "1", "--streams", "2")


def test_replay_shows_both_modes_and_writes_json(call: Any, graph: Path) -> None:
    called = call("replay", *QUICK, "--offload", "1:0.9", "--choose", "longest", "--json", "-")
    assert called.code == 0, called.err
    for text in ("df: 2 events, 1 run a mode, async with 2 in flight", "blocking", "async", "speed-up", "at most 2.50"):
        assert text in called.err
    found = json.loads(called.out)
    assert (found["away"], found["scale"], found["streams"]) == (["tracks"], 0.001, 2)
    assert found["figures"]["async"]["of_bound"]["median"] > 0


def test_replay_of_one_mode_shows_that_mode(call: Any, graph: Path) -> None:
    called = call("replay", *QUICK, "--mode", "blocking")
    assert called.code == 0, called.err
    assert "speed-up" not in called.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--offload", "1"], "--offload: must be N:F, not '1'"),
        (["--offload", "3:0.5"], "--offload: 3 of 2 algorithms cannot be away"),
        (["--offload", "1:2"], "--offload: the fraction must lie between 0 and 1, not 2.0"),
        (["--offload", "1:0.5", "--choose", "rndom"], "--choose: there is no choice 'rndom' (did you mean 'random'?)"),
        (["--mode", "asinc"], "--mode: there is no mode 'asinc' (did you mean 'async'?)"),
        (["--scale", "nan"], "--scale: must be a number above 0, not nan"),
        (["--events", "0"], "--events: must be at least 1, not 0"),
        (["--times", "no.json"], "no.json: cannot be read: No such file or directory"),
        (["--times", "df.graphml"], "df.graphml: is no JSON"),
        (["--json", "no/where.json"], "no/where.json: cannot be written: there is no such folder"),
    ],
)
def test_wrong_options_get_a_clear_error_and_exit_code_2(
    call: Any, graph: Path, arguments: list[str], text: str
) -> None:
    called = call("replay", *QUICK, *arguments)
    assert text in called.err
    assert called.code == 2
    assert "Traceback" not in called.err


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "df.graphml: is no GraphML: no element found"),
        (GRAPH.replace("Algorithm<", "DataObject<"), "df.graphml: holds no node of type Algorithm"),
        (GRAPH.replace('target="tracks"', 'target="trakcs"'), "there is no node 'trakcs' (did you mean 'tracks'?)"),
        (GRAPH.replace('target="tracks"', 'target="digis"'), "df.graphml: algorithms wait for each other: digis -> digis"),
        ("<!DOCTYPE graphml>" + GRAPH, "a DOCTYPE is not read"),
    ],
)  # fmt: skip
def test_a_bad_graph_gets_a_clear_error_and_exit_code_2(call: Any, graph: Path, content: str, text: str) -> None:
    graph.write_text(content)
    called = call("replay", *QUICK)
    assert text in called.err
    assert called.code == 2
    assert "Traceback" not in called.err


@pytest.mark.parametrize("content", ['{"digis": -1}', '{"digis": NaN}', '{"digis": "1"}', "[]", "{}", '{"digs": 1}'])
def test_bad_times_get_a_clear_error_and_exit_code_2(call: Any, graph: Path, content: str) -> None:
    Path("times.json").write_text(content)
    called = call("replay", *QUICK)
    assert called.err.startswith("error: ")
    assert called.code == 2
    assert "Traceback" not in called.err
