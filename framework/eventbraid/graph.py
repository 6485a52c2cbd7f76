"""The graph of a job as text: data flow, paths, what runs on demand, what is done elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

from eventbraid.outputs.base import OutputModule
from eventbraid.plan import Node, Plan

__all__ = ["Format", "as_dict", "draw"]

Format: TypeAlias = Literal["mermaid", "dot"]

# Words of mermaid's language, and the names that are given here to what has no label.
TAKEN: Final = re.compile(
    "(call|class|classDef|click|default|direction|end|flowchart|graph|href|interpolate|linkStyle|style|subgraph"
    "|source|external|(output|path)[0-9]+)_*"
)


def draw(plan: Plan, form: Format) -> str:
    """The plan in mermaid's or graphviz's language."""
    return "\n".join(_mermaid(plan) if form == "mermaid" else _dot(plan)) + "\n"


def as_dict(plan: Plan) -> dict[str, Any]:
    """The graph as plain values: its nodes, who reads what of whom, and the paths."""
    labels = {_key(node): node.label for node in plan.nodes} | {"source": "source"}
    return {
        "job": plan.name,
        "nodes": [
            {
                "label": node.label,
                "class": type(node.module).__name__,
                "case": plan.cases.get(node.label),
                "external": node.external,
                "filter": node.decides,
                "on_demand": _on_demand(node),
                "runs": node.runs,
            }
            for node in plan.nodes
        ],
        "edges": [
            {"from": labels[before], "to": labels[after], "product": product} for before, after, product in _edges(plan)
        ],
        "aliases": dict(plan.aliases),
        "paths": {path.name: [plan.nodes[node].label for node in path.elements] for path in plan.paths},
    }


def _edges(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """(from, to, product) of every read; the source is called source."""
    names = {slot: name for name, slot in plan.slots.items() if name.partition(".")[0] not in plan.aliases}
    producers = {slot: _key(node) for node in plan.nodes for slot in node.writes}
    for node in plan.nodes:
        for slot in node.reads:
            yield producers.get(slot, "source"), _key(node), names[slot].rpartition(".")[2]


def _gates(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """(filter, module, path) of every module that a filter lets run."""
    for path in plan.paths:
        for before, after in zip(path.stages, path.stages[1:], strict=False):
            for node in after:
                yield _key(plan.nodes[before[-1]]), _key(plan.nodes[node]), path.name


def _key(node: Node) -> str:
    """A name that is the node's own, and no word of either language."""
    if isinstance(node.module, OutputModule):
        return f"output{node.index}"
    return f"{node.label}_" if TAKEN.fullmatch(node.label) else node.label


def _on_demand(node: Node) -> bool:
    return node.runs and not node.on_path and not node.ending


def _quoted(text: str, form: Format) -> str:
    """Text of the user's, between quotes."""
    text = " ".join(text.split())
    if form == "dot":
        return '"' + text.replace(chr(92), chr(92) * 2).replace('"', chr(92) + '"') + '"'
    return '"' + text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;") + '"'


def _text(plan: Plan, node: Node, line: str) -> str:
    parts = [node.label, type(node.module).__name__]
    if node.label in plan.cases:
        parts.append(f"case {plan.cases[node.label]}")
    parts += [f"also {alias}" for alias, label in plan.aliases.items() if label == node.label]
    if node.external:
        parts.append("external work")
    if not node.runs:
        parts.append("does not run")
    elif _on_demand(node):
        parts.append("on demand")
    return line.join(parts)


def _mermaid(plan: Plan) -> Iterator[str]:
    yield "flowchart LR"
    yield '    source[/"source"/]'
    for node in plan.nodes:
        left, right = ("{{", "}}") if node.decides else ("([", "])") if node.external else ("[", "]")
        if isinstance(node.module, OutputModule):
            left, right = "[/", "/]"
        yield f'    {_key(node)}{left}"{_text(plan, node, "<br/>")}"{right}'
        if node.external:
            yield f"    class {_key(node)} external"
    for number, path in enumerate(plan.paths):
        mine = [node for node in path.elements if plan.nodes[node].path == path.name]
        yield f"    subgraph path{number}[{_quoted('path ' + path.name, 'mermaid')}]"
        yield from (f"        {_key(plan.nodes[node])}" for node in mine)
        yield "    end"
    yield from (f'    {before} -->|"{product}"| {after}' for before, after, product in _edges(plan))
    yield from (
        f"    {before} -. {_quoted('if passed: ' + path, 'mermaid')} .-> {after}"
        for before, after, path in _gates(plan)
    )
    yield "    classDef external fill:#fde9d0,stroke:#c96a00,stroke-width:2px"


def _dot(plan: Plan) -> Iterator[str]:
    yield f"digraph {_quoted(plan.name, 'dot')} {{"
    yield '    rankdir=LR; node [shape=box, fontname="Helvetica"]; edge [fontname="Helvetica", fontsize=10];'
    yield '    "source" [shape=cds];'
    for node in plan.nodes:
        shape = "diamond" if node.decides else "note" if isinstance(node.module, OutputModule) else "box"
        style = ', style="rounded,filled", fillcolor="#fde9d0", color="#c96a00"' if node.external else ""
        yield f'    "{_key(node)}" [label="{_text(plan, node, chr(92) + "n")}", shape={shape}{style}];'
    for number, path in enumerate(plan.paths):
        mine = [f'"{_key(plan.nodes[node])}"' for node in path.elements if plan.nodes[node].path == path.name]
        label = _quoted("path " + path.name, "dot")
        yield f"    subgraph cluster_{number} {{ label={label}; {'; '.join(mine)} }}"
    yield from (f'    "{before}" -> "{after}" [label="{product}"];' for before, after, product in _edges(plan))
    yield from (
        f'    "{before}" -> "{after}" [style=dashed, label={_quoted("if passed: " + path, "dot")}];'
        for before, after, path in _gates(plan)
    )
    yield "}"
