"""The emulated GPUs of the server that a study starts, as --device and --gpus name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eventbraid.errors import ConfigurationError, Fault
from eventbraid.serving.emulation import PRESETS, parse_device
from eventbraid.serving.emulation.spec import DEFAULT_TIME
from eventbraid.studies.model.table import seconds

__all__ = ["device_faults", "numbers_of_gpus", "unmeasured", "with_gpus", "without_gpus"]


def device_faults(device: str, gpus: Sequence[int] = ()) -> Iterator[Fault]:
    """What is wrong with a device's text; that of none is empty."""
    if not device:
        return
    try:
        parse_device(device)
    except ConfigurationError as error:
        yield from (Fault(f"--{each.where}", each.what, each.hint) for each in error.faults)
        return
    if gpus and device != without_gpus(device):
        yield Fault("--gpus", f"says the same as {device!r} of --device", "give one of them")


def numbers_of_gpus(device: str, gpus: Sequence[int]) -> list[int | None]:
    """The numbers of GPUs of a study's servers, ascending; [None] where none is emulated."""
    if gpus or not device:
        return [*sorted(set(gpus))] or [None]
    return [parse_device(device).gpus]


def with_gpus(device: str, gpus: int) -> str:
    """That device with so many GPUs."""
    kind, _, items = without_gpus(device).partition(":")
    return f"{kind}:{items}{',' if items else ''}gpus={gpus}"


def without_gpus(device: str) -> str:
    """A device's text without its number of GPUs."""
    kind, colon, text = device.partition(":")
    items = [item for item in text.split(",") if item.partition("=")[0].strip() != "gpus"]
    return f"{kind}{colon if items else ''}{','.join(items)}"


def unmeasured(device: str, models: Iterable[str]) -> Iterator[str]:
    """A note for each model whose times on that device neither its text nor its preset says."""
    spec = parse_device(device)
    for model in models:
        known = model in spec.models or bool(spec.preset and PRESETS[spec.preset].find(model))
        if not known and spec.time == DEFAULT_TIME:
            yield (
                f"model {model!r} has no measured times on {without_gpus(device)}: a batch takes "
                f"{seconds(DEFAULT_TIME.t0)} and {seconds(DEFAULT_TIME.per_row)} a row there, unless --device says "
                f"otherwise, as in {device},{model}.t0=1ms,{model}.per_row=10us"
            )
