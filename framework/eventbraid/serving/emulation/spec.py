"""An emulated coprocessor as a text: `emulated:gpus=4,t0=2ms,per_row=50us`, `emulated:v100,gpus=4`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, Literal, cast, get_args

from pydantic import ByteSize, TypeAdapter, ValidationError

from eventbraid.durations import parse_duration
from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.serving.emulation.clock import ServiceTime
from eventbraid.serving.emulation.presets import PRESETS

__all__ = ["DEFAULT_TIME", "Answers", "DeviceSpec", "check_models", "device_text", "parse_device", "plateau"]

Answers = Literal["network", "zeros"]

DEFAULT_TIME: Final = ServiceTime(2e-3, 50e-6)
"""Of a model that neither the text nor a preset knows."""
MOST_GPUS: Final = 1024
TIMES: Final = ("t0", "per_row", "most")
KEYS: Final = ("gpus", *TIMES, "memory", "answers", "preset")


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A coprocessor of several equal GPUs."""

    gpus: int = 1
    time: ServiceTime = DEFAULT_TIME
    """Of the models that neither `models` nor the preset names."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What is said of single models, by their names: t0, per_row, most."""
    preset: str = ""
    memory: int | None = None
    """Bytes of each GPU for its models; None: the preset's, else no limit."""
    answers: Answers = "network"

    @property
    def limit(self) -> int | None:
        """The memory of each GPU; None where nothing limits it."""
        return self.memory if self.memory is not None or not self.preset else PRESETS[self.preset].memory

    def service(self, model: str) -> ServiceTime:
        """The time of that model's batches on one of these GPUs."""
        time, measured = self.time, PRESETS[self.preset].find(model) if self.preset else None
        if measured is not None:
            lost = measured.efficiency if self.gpus > 1 else 1.0
            time = replace(measured.time, t0=measured.time.t0 / lost, per_row=measured.time.per_row / lost)
        return replace(time, **self.models.get(model, {}))


def plateau(device: DeviceSpec, model: str, rows: int, joined: int = 1) -> float:
    """Requests a second of a loaded device, each of so many rows, where so many are executed together."""
    return device.gpus * joined / device.service(model).seconds(rows * joined)


def check_models(device: DeviceSpec, names: Iterable[str]) -> None:
    """Raise `ConfigurationError` where the device speaks of models that are not among these."""
    known = set(names)
    faults = [
        Fault(f"device, '{name}.{key}'", f"there is no model {name!r}", nearest(name, known))
        for name, said in device.models.items()
        for key in said
        if name not in known
    ]
    if faults:
        raise ConfigurationError(faults, "the device")


def parse_device(text: str) -> DeviceSpec:
    """The device of a text; raises `ConfigurationError` with every fault of it.

    `emulated[:ITEM,ITEM...]`, where an item is a preset's name, `KEY=VALUE` or, for one model, `MODEL.KEY=VALUE`.
    """
    kind, _, rest = text.strip().partition(":")
    if kind != "emulated":
        raise ConfigurationError(
            f"{text!r} is no emulated device: expected emulated:gpus=4,t0=2ms,per_row=50us", "device"
        )
    found: dict[str, Any] = {}
    models: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    for item in rest.split(",") if rest else ():
        try:
            model, key, value = _item(item.strip())
            into = models.setdefault(model, {}) if model else found
            if key in into:
                raise ConfigurationError("is given twice")
            into[key] = value
        except ConfigurationError as error:
            faults += [Fault(f"device, {item.strip()!r}", each.what, each.hint) for each in error.faults]
    if faults:
        raise ConfigurationError(faults, "the device")
    time = replace(DEFAULT_TIME, **{key: found.pop(key) for key in TIMES if key in found})
    return DeviceSpec(time=time, models=models, **found)


def device_text(device: DeviceSpec) -> str:
    """The text of a device: `parse_device` makes the same of it."""
    items = [device.preset] if device.preset else []
    items += [f"gpus={device.gpus}"] if device.gpus > 1 else []
    items += _times("", asdict(device.time))
    for name, said in device.models.items():
        items += _times(f"{name}.", said)
    items += [] if device.memory is None else [f"memory={device.memory}"]
    return ",".join((f"emulated:answers={device.answers}", *items))


def _times(of: str, said: Mapping[str, Any]) -> list[str]:
    """What is said of a model; decimals in full, as floats in Python."""
    shown = {key: value if key == "most" else f"{Decimal(repr(value)):f}s" for key, value in said.items()}
    return [f"{of}{key}={value}" for key, value in shown.items() if value]


def _item(item: str) -> tuple[str, str, Any]:
    """Model ("" for all), key and value of one item."""
    name, equals, text = (part.strip() for part in item.partition("="))
    if not equals:
        name, text = "preset", name
    model, _, key = name.rpartition(".")
    known = TIMES if model else KEYS
    if key not in known:
        raise ConfigurationError(
            [Fault("", f"{key!r} is no key" + (" of a model" if model else ""), nearest(key, known))]
        )
    return model, key, _READERS[key](text)


def _whole(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise ConfigurationError(f"{text!r} is no number from 1 to {most:,}")
    return int(text)


def _memory(text: str) -> int:
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise ConfigurationError(
            f"{text!r} is no size: expected a number with MB, GB, MiB or GiB, as in 16GB"
        ) from error


def _answers(text: str) -> Answers:
    if text not in get_args(Answers):
        raise ConfigurationError([Fault("", f"{text!r} is no kind of answers", nearest(text, get_args(Answers)))])
    return cast("Answers", text)


def _preset(text: str) -> str:
    if text not in PRESETS:
        raise ConfigurationError(
            [Fault("", f"{text!r} is neither a preset nor KEY=VALUE", nearest(text, (*PRESETS, *KEYS)))]
        )
    return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "gpus": lambda text: _whole(text, MOST_GPUS),
    "t0": parse_duration,
    "per_row": parse_duration,
    "most": lambda text: _whole(text, 2**31 - 1),
    "memory": _memory,
    "answers": _answers,
    "preset": _preset,
}
