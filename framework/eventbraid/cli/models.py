"""`eventbraid models`: what is wrong with model repositories, and the models that installed packages build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventbraid.cli.options import Json, write_json
from eventbraid.cli.showing import console
from eventbraid.errors import ConfigurationError, Fault

if TYPE_CHECKING:
    from eventbraid.serving import ModelEntry

__all__ = ["models"]

models = typer.Typer(
    name="models", help="Check and build the models of servers.", no_args_is_help=True, rich_markup_mode=None
)


@models.command()
def check(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR...", help="folders of models in Triton's layout", show_default="the installed ones"
        ),
    ] = None,
    json: Json = None,
) -> None:
    """List the models of repositories and name every fault, without serving; exit code 2 if there is one."""
    from eventbraid.serving import Repository, known_repositories

    wanted = [*folders] if folders else known_repositories()
    if not wanted:
        raise ConfigurationError("no package with models is installed: give DIR", "models check")
    repository, faults = Repository.survey(wanted)
    found = [_described(entry) for entry in repository.models]
    write_json({"models": found, "faults": [_as_dict(fault) for fault in faults]}, json)
    if json is None and found:
        _show(found)
    if faults:
        raise ConfigurationError(faults, "the model repository")
    console().print(f"{len(found)} {'model' if len(found) == 1 else 'models'}, no fault")


@models.command()
def build(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="which models", show_default="all")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="the repository to write them into",
            show_default="one that every job's own server finds",
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Build the models of installed packages; one that is there already is left as it is."""
    from eventbraid.serving.repository.building import build_models

    found = [_described(entry) for entry in build_models(names or (), into, console().print)]
    write_json({"models": found}, json)
    if not found:
        console().print("every model is there already")
    elif json is None:
        _show(found)


def _described(entry: ModelEntry) -> dict[str, Any]:
    """A model as JSON has it; shapes have the batch, -1 where any size goes."""
    ends = {"inputs": entry.metadata.inputs, "outputs": entry.metadata.outputs}
    return {
        "name": entry.name,
        "folder": str(entry.file.parents[1]),
        "versions": list(entry.metadata.versions),
        "backend": entry.config.backend,
        "max_batch_size": entry.max_batch_size,
        **{
            end: [{"name": spec.name, "type": spec.dtype, "shape": list(spec.shape)} for spec in specs]
            for end, specs in ends.items()
        },
        "batching": _batching(entry.config) if entry.batches else None,
    }


def _batching(config: Any) -> dict[str, Any]:
    batching = config.dynamic_batching
    return {
        "preferred_batch_size": list(batching.preferred_batch_size),
        "max_queue_delay_microseconds": int(batching.max_queue_delay_microseconds),
    }


def _show(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("model", "versions", "back end", "batch", "inputs -> outputs", "batching")
    for each in found:
        ends = (", ".join(map(_tensor, each[end])) or "its own" for end in ("inputs", "outputs"))
        table.add_row(
            each["name"],
            ", ".join(each["versions"]),
            each["backend"],
            f"to {each['max_batch_size']}" if each["max_batch_size"] else "none",
            " -> ".join(ends),
            _words(each["batching"]),
        )
    console(stderr=False).print(table)


def _tensor(tensor: dict[str, Any]) -> str:
    return f"{tensor['name']} {tensor['type']}[{','.join(map(str, tensor['shape']))}]"


def _words(batching: dict[str, Any] | None) -> str:
    if batching is None:
        return "none"
    sizes = ", ".join(map(str, batching["preferred_batch_size"]))
    delay = f"within {batching['max_queue_delay_microseconds'] / 1000:g} ms"
    return f"dynamic, {delay}" + (f", preferred {sizes}" if sizes else "")


def _as_dict(fault: Fault) -> dict[str, str]:
    return {"where": fault.where, "what": fault.what, "hint": fault.hint}
