"""An emulated coprocessor in a server's process: its GPUs, and the models that are loaded on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import ByteSize

from eventbraid.errors import ConfigurationError
from eventbraid.kserve import ModelMetadata
from eventbraid.serving.backends.base import Instance
from eventbraid.serving.embedded.models.batching import Batching
from eventbraid.serving.embedded.models.instances import places
from eventbraid.serving.emulation.clock import Clock
from eventbraid.serving.emulation.instance import Emulated, Zeros
from eventbraid.serving.emulation.spec import DeviceSpec

__all__ = ["Device", "gpus_of", "model_bytes", "need_memory"]


def gpus_of(config: Any, count: int) -> list[int | None]:
    """The GPU of each instance of a model, where there are so many; None for one on the CPU.

    As the instance groups of its configuration say; one on each GPU where they say nothing.
    """
    if not config.instance_group:
        return list(range(count))
    return [place.gpu for place in places(config, range(count))]


def model_bytes(file: Path) -> int:
    """The size of a model: that of the files in its version's folder, for large networks keep weights beside them."""
    return sum(each.stat().st_size for each in file.resolve().parent.iterdir() if each.is_file())


def need_memory(model: str, size: int, used: int, limit: int | None) -> None:
    """Raise `ConfigurationError` where an instance of a model does not fit beside `used` bytes."""
    if limit is not None and used + size > limit:
        raise ConfigurationError(
            f"model {model!r} does not fit: it has {_size(size)}, and of the GPU's {_size(limit)} "
            f"{_size(limit - used)} are free",
            "device",
        )


@dataclass(slots=True)
class _Gpu:
    clock: Clock
    limit: int | None
    used: int = 0
    lock: Lock = field(default_factory=Lock)

    def load(self, model: str, size: int) -> None:
        with self.lock:
            need_memory(model, size, self.used, self.limit)
            self.used += size

    def unload(self, size: int) -> None:
        with self.lock:
            self.used -= size


class Device:
    """The GPUs of a device. All models share them: each executes one batch at a time.

    `say` is told what a user should know: that a network is slower than the GPU it is meant to emulate.
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
        self._gpus = [_Gpu(Clock(now, sleep), spec.limit) for _ in range(spec.gpus)]

    def makers(
        self, metadata: ModelMetadata, config: Any, file: Path, make: Callable[[int], Instance]
    ) -> list[Callable[[], Instance]]:
        """What makes each instance of a model; `make` that of a number on the CPU, which an emulated one asks.

        An instance counts the size of the model's file on its GPU, until it is closed. Where it does not fit, making it
        raises `ConfigurationError`.
        """
        size = model_bytes(file)

        def maker(number: int, gpu: int | None) -> Callable[[], Instance]:
            if gpu is None:
                return lambda: make(number)
            return lambda: self._place(self._gpus[gpu], metadata, config, size, lambda: make(number))

        return [maker(number, gpu) for number, gpu in enumerate(gpus_of(config, self.spec.gpus))]

    def _place(
        self, gpu: _Gpu, metadata: ModelMetadata, config: Any, size: int, make: Callable[[], Instance]
    ) -> Instance:
        gpu.load(metadata.name, size)
        try:
            instance = Zeros(metadata, config.max_batch_size > 0) if self.spec.answers == "zeros" else make()
        except BaseException:
            gpu.unload(size)
            raise
        batching = Batching.of(config)
        return Emulated(
            instance,
            self.spec.service(metadata.name),
            gpu.clock,
            delay=batching.delay,
            full={batching.most, *batching.preferred},
            say=lambda what: self._say(f"warning: model {metadata.name!r}: {what}"),
            closed=lambda: gpu.unload(size),
        )


def _size(size: int) -> str:
    return ByteSize(size).human_readable(decimal=True)
