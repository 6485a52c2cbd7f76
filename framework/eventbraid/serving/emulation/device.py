"""An emulated coprocessor in a server's process: its GPUs, and the models that are loaded on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from eventbraid.errors import ConfigurationError
from eventbraid.kserve import ModelMetadata
from eventbraid.serving.backends.base import Instance
from eventbraid.serving.emulation.clock import Clock
from eventbraid.serving.emulation.instance import Emulated, Zeros
from eventbraid.serving.emulation.spec import DeviceSpec

__all__ = ["Device", "copies_of", "model_bytes", "need_memory"]


def model_bytes(file: Path) -> int:
    """The size of a model: that of the files in its version's folder, for large networks keep weights beside them."""
    return sum(each.stat().st_size for each in file.resolve().parent.iterdir() if each.is_file())


def copies_of(config: Any, gpus: int) -> int:
    """How many instances a model has on so many GPUs: one on each, or as many as its first instance group says."""
    return gpus * max(1, config.instance_group[0].count if config.instance_group else 1)


def need_memory(model: str, size: int, used: int, limit: int | None) -> None:
    """Raise `ConfigurationError` where a model does not fit beside `used` bytes."""
    if limit is not None and used + size > limit:
        raise ConfigurationError(
            f"model {model!r} does not fit: it has {_megabytes(size)}, and of the {_megabytes(limit)} "
            f"of each GPU {_megabytes(limit - used)} are free",
            "device",
        )


class Device:
    """The GPUs of a device. All models share them, as one batch at a time is executed on each.

    `say` is told what a user should know: a model that is slower than what it emulates.
    """

    def __init__(
        self,
        spec: DeviceSpec,
        *,
        say: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.spec = spec
        self._say = say
        self._clocks = [Clock(now, sleep) for _ in range(spec.gpus)]
        self._lock = Lock()
        self._loaded: dict[str, int] = {}

    def load(self, model: str, size: int) -> None:
        """Put a model of so many bytes on each GPU; raises `ConfigurationError` where it does not fit."""
        with self._lock:
            used = sum(each for name, each in self._loaded.items() if name != model)
            need_memory(model, size, used, self.spec.limit)
            self._loaded[model] = size

    def unload(self, model: str) -> None:
        """Give its memory back."""
        with self._lock:
            self._loaded.pop(model, None)

    def copies(self, config: Any) -> int:
        """How many instances a model of that configuration has here."""
        return copies_of(config, self.spec.gpus)

    def instance(self, number: int, metadata: ModelMetadata, config: Any, make: Callable[[], Instance]) -> Emulated:
        """Instance `number` of a model, on one GPU after the other; `make` is not called where zeros are answered."""
        batching, most = config.dynamic_batching, int(config.max_batch_size)
        name = metadata.name
        return Emulated(
            Zeros(metadata, most > 0) if self.spec.answers == "zeros" else make(),
            self.spec.service(name),
            self._clocks[number % self.spec.gpus],
            delay=batching.max_queue_delay_microseconds * 1e-6,
            full={most, *batching.preferred_batch_size},
            say=lambda what: self._say(f"warning: model {name!r}: {what}"),
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
