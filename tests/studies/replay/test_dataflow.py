"""Gaudi's data flow is read from GraphML, and every fault of a graph or of its times is told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import ConfigurationError
from eventbraid.studies import Algorithm, Dataflow, read_dataflow, read_times

sys.path.insert(0, str(Path(__file__).parent))
from flows import HEAD, SMALL, edge, flows, graphml, node, written


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.graphml"
    file.write_text(written(SMALL))
    return file


def faults_of(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_dataflow(file)
    return [str(fault).removeprefix(f"{file}: ") for fault in raised.value.faults]


def test_algorithms_keep_their_order_and_what_none_puts_is_loaded(small: Path) -> None:
    flow = read_dataflow(small)
    assert flow == SMALL
    assert flow.before == ((), (0,), (0, 1))


def test_edges_written_twice_count_once(small: Path) -> None:
    small.write_text(written(SMALL).replace(edge("hits", "tracks"), 3 * edge("hits", "tracks")))
    assert read_dataflow(small) == SMALL


def test_data_of_several_producers_is_waited_for_from_all(small: Path) -> None:
    flow = Dataflow("small", (Algorithm("a", (), ("d",)), Algorithm("b", (), ("d",)), Algorithm("c", ("d",))))
    small.write_text(written(flow))
    assert read_dataflow(small).before == ((), (), (0, 1))


def test_what_a_fake_algorithm_puts_is_loaded(small: Path) -> None:
    parts = [node("loader", "FakeAlgorithm"), node("raw", "DataObject"), node("a", "Algorithm")]
    small.write_text(graphml(*parts, edge("loader", "raw"), edge("raw", "a")))
    assert read_dataflow(small) == Dataflow("small", (Algorithm("a", ("raw",)),), ("raw",))


A, D = node("a", "Algorithm"), node("d", "DataObject")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is no GraphML: no element found: line 1, column 0"),
        ("{}", "is no GraphML: not well-formed (invalid token): line 1, column 0"),
        ("<svg />", "is no GraphML of one graph: a <svg> with no graph"),
        (HEAD + "<graph/><graph/></graphml>", "is no GraphML of one graph: a <graphml> with 2 graphs"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', "is no GraphML: multi-byte encodings are not supported"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "is no GraphML: a DOCTYPE is not read, nor entities"),
        ('<graphml><graph edgedefault="directed" /></graphml>', 'has no <key attr.name="type" for="node">'),
        (graphml(D), "holds no node of type Algorithm (is it the graph of the control flow?)"),
        (graphml(A, A), "node 'a': is there twice"),
        (graphml(A, '<node><data key="d0">Algorithm</data></node>'), "node '': has no id"),
        (graphml(A, '<node id="n" />'), "node 'n': has no type (there is 'Algorithm', 'DataObject', 'FakeAlgorithm')"),
        (graphml(A, node("n", "Algoritm")), "node 'n': has the type 'Algoritm' (did you mean 'Algorithm'?)"),
        (graphml(A, D, edge("a", "dd")), "edge 'a' -> 'dd': there is no node 'dd' (did you mean 'd'?)"),
        (graphml(A, D, "<edge />"), "edge '' -> '': there is no node '' (there is 'a', 'd')"),
        (graphml(A, D, edge("d", "d")), "edge 'd' -> 'd': leads from a DataObject to a DataObject (an edge leads"),
        (graphml(A, D, edge("a", "a")), "edge 'a' -> 'a': leads from an Algorithm to an Algorithm (an edge leads"),
        (graphml(A, D, edge("a", "d")).replace('"directed"', '"undirected"'), "edge 'a' -> 'd': has no direction"),
        (graphml(A, "<hyperedge />"), "holds a <hyperedge> (only nodes and edges are read)"),
        (graphml(A, D, edge("a", "d"), edge("d", "a")), "algorithms wait for each other: a -> a"),
    ],
)  # fmt: skip
def test_a_fault_of_the_graph_is_told(small: Path, text: str, fault: str) -> None:
    found = faults_of(small, text)
    assert found[0].startswith(fault)


def test_a_cycle_is_told_in_the_order_of_the_data(small: Path) -> None:
    flow = Dataflow(
        "", (Algorithm("a", ("z",), ("x",)), Algorithm("b", ("x",), ("y",)), Algorithm("c", ("y",), ("z",)))
    )
    (found,) = faults_of(small, written(flow))
    assert found in {
        f"algorithms wait for each other: {way}" for way in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")
    }


def test_every_fault_is_told_at_once_and_a_graph_of_faults_is_not_read_to_its_end(small: Path) -> None:
    assert len(faults_of(small, graphml(A, A, node("n", "Nothing"), edge("a", "b")))) == 3
    many = faults_of(small, graphml(A, *(edge("a", f"b{n}") for n in range(1000))))
    assert len(many) == 21
    assert many[-1] == "and whatever comes after that: these are the first faults"


def test_entities_are_refused_before_they_grow(small: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{10 * f"&e{n - 1};"}">' for n in range(1, 12))
    assert faults_of(small, f'<!DOCTYPE g [<!ENTITY e0 "ha">{entities}]><g>&e11;</g>') == [
        "is no GraphML: a DOCTYPE is not read, nor entities"
    ]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.graphml: cannot be read: No such file or directory"):
        read_dataflow(tmp_path / "nowhere.graphml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_times(tmp_path)


def test_times_are_seconds(tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    file.write_text('{"a": 1, "b": 0.5, "c": 0}')
    assert read_times(file) == {"a": 1.0, "b": 0.5, "c": 0.0}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "is no JSON: Expecting property name"),
        ("[" * 100_000, "is no JSON: "),
        ("\0", "is no JSON: "),
        ('["a"]', 'must be an object of times in seconds: {"algorithm": 0.012}'),
        ('{"a": 1, "a": 2}', "has two times of 'a'"),
        ('{"a": -1}', "'a': the time must be a number of seconds of at least 0, not -1"),
        ('{"a": NaN}', "'a': the time must be a number of seconds of at least 0, not nan"),
        ('{"a": 1e999}', "'a': the time must be a number of seconds of at least 0, not inf"),
        ('{"a": 1' + 400 * "0" + "}", "'a': the time must be a number of seconds of at least 0, not 1000"),
        ('{"a": "1"}', "'a': the time must be a number of seconds of at least 0, not '1'"),
        ('{"a": true}', "'a': the time must be a number of seconds of at least 0, not True"),
    ],
)
def test_a_fault_of_the_times_is_told(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "times.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_times(file)
    assert str(raised.value).startswith(f"{file}: {fault}")


@given(flows())
def test_any_data_flow_written_as_graphml_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, flow: Dataflow
) -> None:
    file = tmp_path_factory.getbasetemp() / "flow.graphml"
    file.write_text(written(flow), encoding="utf-8", newline="")
    assert read_dataflow(file) == flow


@given(st.dictionaries(st.text(), st.floats(0, allow_nan=False, allow_infinity=False)))
def test_any_times_written_as_json_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> None:
    file = tmp_path_factory.getbasetemp() / "times.json"
    file.write_text(json.dumps(times))
    assert read_times(file) == times


@pytest.mark.skipif("EVENTBRAID_DATA" not in os.environ, reason="EVENTBRAID_DATA names no folder with Gaudi's graphs")
@pytest.mark.parametrize(
    ("graph", "times", "size", "without"),
    [
        ("cms-reco/df.graphml", "cms-reco/algs-time.json", (707, 0, 2694), 0),
        (
            "atlas-mcreco/df.mcreco.TriggerOff.3rdEvent.graphml",
            "atlas-mcreco/averageTiming.mcreco.TriggerOff.json",
            (163, 66, 728),
            10,
        ),
    ],
)
def test_the_graphs_of_gaudi_are_read(graph: str, times: str, size: tuple[int, int, int], without: int) -> None:
    folder = Path(os.environ["EVENTBRAID_DATA"]) / "gaudi"
    flow, known = read_dataflow(folder / graph), read_times(folder / times)
    assert (len(flow.algorithms), len(flow.loaded), sum(len(each.reads) for each in flow.algorithms)) == size
    assert sum(each.name not in known for each in flow.algorithms) == without
