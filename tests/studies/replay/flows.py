"""Data flows for tests: a small one, any one, and how they are written."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

from eventbraid.studies import Algorithm, Dataflow

HEAD = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key attr.name="type" for="node" id="d0" />'
SMALL = Dataflow(
    "small",
    (
        Algorithm("digis", ("raw",), ("hits", "cells")),
        Algorithm("tracks", ("hits",), ("tracks-data",)),
        Algorithm("output", ("tracks-data", "cells")),
    ),
    ("raw",),
)


def node(name: str, kind: str) -> str:
    return f'<node id={quoteattr(name)}><data key="d0">{kind}</data></node>'


def edge(source: str, target: str) -> str:
    return f"<edge source={quoteattr(source)} target={quoteattr(target)} />"


def graphml(*parts: str) -> str:
    return f'{HEAD}<graph edgedefault="directed">{"".join(parts)}</graph></graphml>'


def written(flow: Dataflow) -> str:
    """A data flow as GraphML."""
    data = dict.fromkeys([*flow.loaded, *(name for each in flow.algorithms for name in (*each.reads, *each.puts))])
    nodes = [node(each.name, "Algorithm") for each in flow.algorithms] + [node(name, "DataObject") for name in data]
    edges = [edge(name, each.name) for each in flow.algorithms for name in each.reads]
    edges += [edge(each.name, name) for each in flow.algorithms for name in each.puts]
    return graphml(*nodes, *edges)


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")


@st.composite
def flows(draw: st.DrawFn) -> Dataflow:
    """Any data flow without a cycle: an algorithm reads what is loaded and what algorithms before it put."""
    names = draw(st.lists(st.text(LETTERS, min_size=1), unique=True, min_size=1, max_size=30))
    first = draw(st.integers(0, len(names) - 1))
    known, rest = names[:first], names[first:]
    loaded, algorithms = tuple(known), list[Algorithm]()
    while rest:
        name, *rest = rest
        count = draw(st.integers(0, len(rest)))
        reads = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        algorithms.append(Algorithm(name, tuple(reads), tuple(rest[:count])))
        known, rest = known + rest[:count], rest[count:]
    return Dataflow("flow", tuple(algorithms), loaded)
