"""The data flow of a job of another framework: which algorithm reads and puts which data, and how long each takes.

Read from GraphML as Gaudi writes it: nodes of type Algorithm and DataObject, an edge from an algorithm to what it
puts and from data to whoever reads it. What no Algorithm puts is there from the start; a FakeAlgorithm stands
for what loads such data. Times are a JSON object, algorithm to seconds.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.order import find_cycle

__all__ = ["Algorithm", "Dataflow", "read_dataflow", "read_times"]

ALGORITHM, DATA, LOADER = KINDS = ("Algorithm", "DataObject", "FakeAlgorithm")
ELEMENTS: Final = {"node", "edge", "data", "desc", "port"}
LARGEST: Final = 1 << 26
"""Bytes of a file; the graph of a whole reconstruction has less than one million."""
MOST_FAULTS: Final = 20
"""Faults of a graph after which it is not read on."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm and the names of the data that it reads and puts, each once."""

    name: str
    reads: tuple[str, ...] = ()
    puts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataflow:
    """Algorithms in the order of their file, and the data that none of them puts."""

    name: str
    algorithms: tuple[Algorithm, ...]
    loaded: tuple[str, ...] = ()

    @property
    def producers(self) -> Mapping[str, tuple[int, ...]]:
        """For each data the algorithms that put it: none where it is loaded, several where more than one may."""
        found: dict[str, tuple[int, ...]] = dict.fromkeys(self.loaded, ())
        for index, algorithm in enumerate(self.algorithms):
            for data in algorithm.puts:
                found[data] = (*found.get(data, ()), index)
        return found

    @property
    def before(self) -> tuple[tuple[int, ...], ...]:
        """For each algorithm those that it waits for: all that may put what it reads."""
        producers = self.producers
        return tuple(
            tuple(sorted({index for data in algorithm.reads for index in producers[data]}))
            for algorithm in self.algorithms
        )


def read_dataflow(file: Path) -> Dataflow:
    """The data flow of a GraphML file; raises `ConfigurationError` with the faults of the graph."""
    return _Reader(file).read()


def read_times(file: Path) -> dict[str, float]:
    """Seconds of each algorithm; raises `ConfigurationError` for what is no JSON object of such times."""
    twice: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return dict(pairs)

    try:
        times = json.loads(_content(file), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is no JSON: {error}", str(file)) from error
    if not isinstance(times, dict):
        raise ConfigurationError('must be an object of times in seconds: {"algorithm": 0.012}', str(file))
    faults = [Fault(str(file), f"has two times of {name!r}") for name in twice]
    faults += [
        Fault(f"{file}: {name!r}", f"the time must be a number of seconds of at least 0, not {value!r}")
        for name, value in times.items()
        if not _is_time(value)
    ]
    if faults:
        raise ConfigurationError(faults, str(file))
    return {name: float(value) for name, value in times.items()}


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", str(file)) from error
    if len(content) > LARGEST:
        raise ConfigurationError(f"is larger than {LARGEST >> 20} MiB", str(file))
    return content


class _Refusing(ET.TreeBuilder):
    """Builds a tree, and refuses a document type: entities could make a small file a huge one."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("a DOCTYPE is not read, nor entities")


class _Reader:
    """Reads one file and keeps its faults."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._faults: list[Fault] = []

    def read(self) -> Dataflow:
        graph, key = self._graph()
        kinds = self._kinds(graph, key)
        reads: dict[str, dict[str, None]] = {name: {} for name, kind in kinds.items() if kind == ALGORITHM}
        puts: dict[str, dict[str, None]] = {name: {} for name in reads}
        for source, target in self._edges(graph, kinds):
            flow = kinds[source], kinds[target]
            if flow == (ALGORITHM, DATA):
                puts[source][target] = None
            elif flow == (DATA, ALGORITHM):
                reads[target][source] = None
            elif flow != (LOADER, DATA) and all(flow):
                what = f"leads from {_article(flow[0])} to {_article(flow[1])}"
                hint = "an edge leads from an Algorithm to the DataObject that it puts, or from one that it reads"
                self._fault(what, hint, f"edge {source!r} -> {target!r}")
        algorithms = tuple(Algorithm(name, tuple(reads[name]), tuple(puts[name])) for name in reads)
        put = {data for algorithm in algorithms for data in algorithm.puts}
        loaded = tuple(name for name, kind in kinds.items() if kind == DATA and name not in put)
        found = Dataflow(self._file.stem, algorithms, loaded)
        if not self._faults and (cycle := find_cycle(found.before)):
            names = [algorithms[index].name for index in reversed(cycle)]
            self._fault(f"algorithms wait for each other: {' -> '.join([*names, names[0]])}")
        if self._faults:
            raise self._wrong()
        return found

    def _fault(self, what: str, hint: str = "", where: str = "") -> None:
        self._faults.append(Fault(f"{self._file}: {where}" if where else str(self._file), what, hint))
        if len(self._faults) == MOST_FAULTS:
            self._faults.append(Fault(str(self._file), "and whatever comes after that: these are the first faults"))
            raise self._wrong()

    def _wrong(self) -> ConfigurationError:
        return ConfigurationError(self._faults, str(self._file))

    def _graph(self) -> tuple[ET.Element, str]:
        """The one graph of the file, and the key of its nodes' types."""
        content = _content(self._file)
        parser = ET.XMLParser(target=_Refusing())
        try:
            parser.feed(content)
            root: ET.Element = parser.close()
        except (ET.ParseError, LookupError, ValueError) as error:
            raise ConfigurationError(f"is no GraphML: {error}", str(self._file)) from error
        graphs = root.findall("{*}graph")
        if _tag(root) != "graphml" or len(graphs) != 1:
            holds = f"{len(graphs)} graphs" if graphs else "no graph"
            what = f"is no GraphML of one graph: a <{_tag(root)}> with {holds}"
            raise ConfigurationError(what, str(self._file))
        for key in root.iterfind("{*}key"):
            if key.get("attr.name") == "type" and key.get("for") in ("node", "all", None):
                return graphs[0], key.get("id", "")
        what = 'has no <key attr.name="type" for="node">, which says what is an Algorithm and what a DataObject'
        raise ConfigurationError(what, str(self._file))

    def _kinds(self, graph: ET.Element, key: str) -> dict[str, str]:
        """The type of each node by its name; empty for a wrong one, which is told."""
        nodes = graph.findall("{*}node")
        typed = [(node.get("id", ""), _type(node, key)) for node in nodes]
        if ALGORITHM not in (kind for _, kind in typed):
            fault = Fault(str(self._file), "holds no node of type Algorithm", "is it the graph of the control flow?")
            raise ConfigurationError([fault], str(self._file))
        for other in sorted({_tag(each) for parent in (graph, *nodes) for each in parent} - ELEMENTS):
            self._fault(f"holds a <{other}>", "only nodes and edges are read")
        kinds: dict[str, str] = {}
        for name, kind in typed:
            where = f"node {name!r}"
            if not name:
                self._fault("has no id", where=where)
            elif name in kinds:
                self._fault("is there twice", where=where)
            if kind not in KINDS:
                self._fault(f"has the type {kind!r}" if kind else "has no type", nearest(kind, KINDS), where)
            kinds[name] = kind if kind in KINDS else ""
        return kinds

    def _edges(self, graph: ET.Element, kinds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Source and target of each edge between nodes that are there."""
        default = "true" if graph.get("edgedefault", "directed") == "directed" else "false"
        for edge in graph.iterfind("{*}edge"):
            source, target = edge.get("source", ""), edge.get("target", "")
            where = f"edge {source!r} -> {target!r}"
            if edge.get("directed", default) not in ("true", "1"):
                self._fault("has no direction", where=where)
            unknown = [name for name in (source, target) if name not in kinds]
            for name in unknown:
                self._fault(f"there is no node {name!r}", nearest(name, kinds), where)
            if not unknown:
                yield source, target


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _type(node: ET.Element, key: str) -> str:
    return next(((data.text or "").strip() for data in node.iterfind("{*}data") if data.get("key") == key), "")


def _article(kind: str) -> str:
    return f"an {kind}" if kind == ALGORITHM else f"a {kind}"
