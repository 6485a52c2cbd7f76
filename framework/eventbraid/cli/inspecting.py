"""`eventbraid check`, `describe` and `graph`: what a job or a module is, without running it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from eventbraid.cli.options import Accelerators, JobFile, Json, Servers, Settings, loaded, write_json, write_text
from eventbraid.cli.showing import console, users_line
from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.event import Input, Output
from eventbraid.fitting import type_name
from eventbraid.graph import as_dict, draw
from eventbraid.job import Job
from eventbraid.loading import load_module
from eventbraid.module import Module
from eventbraid.parameters import Configurable
from eventbraid.plan import Plan, make_plan

__all__ = ["check", "describe", "description", "graph"]


def check(
    job: JobFile,
    server: Servers = None,
    accelerators: Accelerators = None,
    set_: Settings = None,
    json: Json = None,
) -> None:
    """Name every fault of a job, without reading an event; exit code 2 if there is one."""
    faults: list[str] = []
    warnings: tuple[str, ...] = ()
    try:
        plan = make_plan(loaded(job, servers=server, accelerators=accelerators, settings=set_))
    except ConfigurationError as error:
        faults = [str(fault) for fault in error.faults]
        write_json({"faults": faults, "warnings": list(warnings)}, json)
        raise
    warnings = plan.warnings
    out = console()
    for warning in warnings:
        out.print(f"warning: {warning}")
    out.print(f"{plan.name}: {plan.used} modules and outputs, {len(plan.paths)} paths, no fault")
    write_json({"faults": faults, "warnings": list(warnings)}, json)


def graph(
    job: JobFile,
    form: Annotated[str, typer.Option("--format", help="mermaid or dot")] = "mermaid",
    output: Annotated[Path | None, typer.Option(help="a file in place of standard output")] = None,
    accelerators: Accelerators = None,
    set_: Settings = None,
    json: Json = None,
) -> None:
    """Draw a job: data flow, paths, external work; with --json its nodes, edges and paths."""
    if form not in ("mermaid", "dot"):
        raise ConfigurationError(f"must be mermaid or dot, not {form!r}", "--format")
    plan = make_plan(loaded(job, accelerators=accelerators, settings=set_))
    write_json(as_dict(plan), json)
    if output is not None or json is None:
        write_text(draw(plan, "mermaid" if form == "mermaid" else "dot"), output or Path("-"))


def describe(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="package.module:Class, file.py:Class, or job.py:label for a module")
    ],
    accelerators: Accelerators = None,
    json: Json = None,
) -> None:
    """Show the parameters, inputs and outputs of a module, source or output; of a job's module also their values."""
    found = find_description(name, accelerators)
    if json is not None:
        write_json(found, json)
        return
    from rich.table import Table

    out = console(stderr=False)
    parts = [found.get("label"), found.get("case") and f"case {found['case']}", found["name"], found["doc"]]
    out.print(": ".join(part for part in parts if part))
    for what in ("parameters", "inputs", "outputs"):
        if found[what]:
            columns = list(found[what][0])
            table = Table(*columns, title=what, title_justify="left")
            for row in found[what]:
                table.add_row(*(str(row[column]) for column in columns))
            out.print(table)


def find_description(name: str, accelerators: str | None = None) -> dict[str, Any]:
    """The description of "package.module:Class", "file.py:Class" or "job.py:label"; a class goes before a label.

    Raises `ConfigurationError` with the nearest name, and with every fault of a job.
    """
    where, colon, attribute = name.rpartition(":")
    if not colon or not where or not attribute:
        raise ConfigurationError("must be package.module:Class, file.py:Class or job.py:label", repr(name))
    if where.endswith(".py"):
        module: Any = load_module(where)
    else:
        module = _imported(where)
    classes = {
        key: each for key, each in vars(module).items() if isinstance(each, type) and issubclass(each, Configurable)
    }
    if attribute in classes:
        return description(classes[attribute])
    labels: set[str] = set()
    if where.endswith(".py") and any(isinstance(each, Job) for each in vars(module).values()):
        job = loaded(Path(where), accelerators=accelerators)
        if attribute in job.modules:
            return _description_of(attribute, make_plan(job))
        labels.update(job.modules)
    fault = Fault(where, f"has no module, source or output {attribute!r}", nearest(attribute, [*classes, *labels]))
    raise ConfigurationError([fault], where)


def _description_of(label: str, plan: Plan) -> dict[str, Any]:
    """The description of the module that a job has under a label, the values that it was given beside it."""
    label = plan.aliases.get(label, label)
    (module,) = (node.module for node in plan.nodes if node.label == label)
    found = description(type(module))
    given = module.settings()
    labels = {token.name: token.label for token in module.tokens()} if isinstance(module, Module) else {}
    parameters = [{**row, "value": repr(given[row["name"]])} for row in found["parameters"]]
    inputs = [{**row, "label": labels[row["name"]]} for row in found["inputs"]]
    return {**found, "label": label, "case": plan.cases.get(label), "parameters": parameters, "inputs": inputs}


def _imported(name: str) -> Any:
    """A module, also of the current folder, as `python -m` would find it."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except Exception as error:
        wrong = ConfigurationError(f"cannot be imported: {type(error).__name__}: {error}", name)
        wrong.__cause__ = error
        if line := users_line(wrong):
            wrong.add_note(f"at {line}")
        raise wrong from error


def description(cls: type[Configurable]) -> dict[str, Any]:
    """What a class is configured with, reads and puts; `schema` is the JSON schema of its parameters."""
    return {
        "name": cls.__name__,
        "doc": (cls.__doc__ or "").strip().split("\n")[0],
        "parameters": [
            {
                "name": name,
                "type": type_name(parameter.annotation),
                "default": "required" if parameter.required else repr(parameter.default),
                "constraints": ", ".join(f"{key} {value}" for key, value in parameter.constraints.items()),
                "doc": parameter.doc,
            }
            for name, parameter in cls.parameters()
        ],
        "inputs": [
            {"name": name, "type": type_name(token.type), "label": token.label} for name, token in cls._declared(Input)
        ],
        "outputs": [
            {"name": name, "type": type_name(output.type), "doc": output.doc} for name, output in cls._declared(Output)
        ],
        "schema": cls.parameter_model().model_json_schema(),
    }
