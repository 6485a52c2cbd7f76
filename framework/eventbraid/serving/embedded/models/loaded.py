"""The models of a server: found by name and version, loaded and unloaded while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import TypeAlias

from eventbraid.errors import ConfigurationError, nearest
from eventbraid.kserve.config import config_of_json
from eventbraid.serving.backends.base import Instance
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.backends.onnx import OnnxInstance
from eventbraid.serving.backends.python import PythonInstance, completed
from eventbraid.serving.backends.session import Session
from eventbraid.serving.embedded.models.instances import places
from eventbraid.serving.embedded.models.model import Model
from eventbraid.serving.repository.checking import Configuration
from eventbraid.serving.repository.folders import has_own_signature, versions_of
from eventbraid.serving.repository.layout import ModelEntry, Repository, read_model

__all__ = ["Make", "Models", "cpu_maker", "makers"]

Make: TypeAlias = Callable[[ModelEntry, str], Sequence[Callable[[], Instance]]]
"""What makes the copies of a version of a model, each in its own thread."""


@dataclass(slots=True)
class _Loaded:
    entry: ModelEntry
    versions: dict[str, Model] = field(default_factory=dict)


class Models:
    """All models of a repository; those that are ready answer."""

    def __init__(self, repository: Repository, make: Make) -> None:
        self._repository = repository
        self._make = make
        self._loaded: dict[str, _Loaded] = {}
        self._gone: dict[str, tuple[tuple[str, ...], str]] = {}
        """Versions of models that were asked for and are not ready, and why."""
        self._unloading: dict[str, list[asyncio.Task[None]]] = {}
        """What still ends of models that were unloaded last."""
        self._ending: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()

    def __iter__(self) -> Iterator[Model]:
        for loaded in self._loaded.values():
            yield from loaded.versions.values()

    def __repr__(self) -> str:
        return f"Models({', '.join(self._loaded)})"

    async def start(self) -> None:
        """Load all; raises `ConfigurationError` where one cannot be."""
        for entry in self._repository.models:
            self._loaded[entry.name] = await self._ready(entry)

    async def stop(self) -> None:
        """End all, after what they have to answer."""
        for loaded in self._loaded.values():
            self._end(loaded)
        self._loaded.clear()
        if self._ending:
            await asyncio.wait(self._ending)

    async def load(self, name: str, config: str = "") -> None:
        """Load a model as its folder is now, or with another configuration, JSON, in place of what was loaded of it."""
        async with self._changing:
            folder = self._repository.find(name)
            if folder is None:
                known = self._repository.names()
                what = f"failed to load '{name}', failed to poll from model repository: there is none of that name"
                raise ModelFailure(f"{what}; {nearest(name, known)}", "INTERNAL")
            try:
                said = config_of_json(config) if config else None
            except ValueError as error:
                what = f"failed to load '{name}', failed to poll from model repository: the configuration: {error}"
                raise ModelFailure(what, "INTERNAL") from error
            try:
                made = await self._ready(await asyncio.to_thread(read_model, folder, said))
            except ConfigurationError as error:
                reason = "; ".join(map(str, error.faults))
                if name not in self._loaded:
                    there = tuple(map(str, versions_of(folder)))
                    self._gone[name] = (there, reason)
                raise ModelFailure(f"load failed for model '{name}': {reason}", "INVALID_ARGUMENT") from error
            self._gone.pop(name, None)
            before, self._loaded[name] = self._loaded.get(name), made
            self._end(before)

    async def unload(self, name: str) -> None:
        """Take no request for a model any more; it ends after what it has to answer."""
        async with self._changing:
            loaded = self._loaded.pop(name, None)
            if loaded is not None:
                self._gone[name] = (tuple(loaded.versions), "unloaded")
                self._unloading[name] = self._end(loaded)

    def find(self, name: str, version: str = "") -> Model:
        """The newest version, or the one that is asked for; raises `ModelFailure` where it is not ready."""
        loaded = self._loaded.get(name)
        if version and not version.isdecimal():
            what = f"failed to get model version from specified version string '{version}' (details: no number)"
            raise ModelFailure(what, "INVALID_ARGUMENT")
        if loaded is None:
            if name in self._gone:
                raise ModelFailure(f"Request for unknown model: '{name}' has no available versions", "NOT_FOUND")
            what = f"Request for unknown model: '{name}' is not found; {nearest(name, self._loaded)}"
            raise ModelFailure(what, "NOT_FOUND")
        model = loaded.versions.get(version or loaded.entry.version)
        if model is None:
            there = ", ".join(loaded.versions)
            what = f"Request for unknown model: '{name}' version {version} is not found; there is {there}"
            raise ModelFailure(what, "NOT_FOUND")
        return model

    def is_decoupled(self, name: str) -> bool:
        """True where a model of that name answers as often as it likes."""
        loaded = self._loaded.get(name)
        return loaded is not None and any(model.decoupled for model in loaded.versions.values())

    def named(self, name: str, version: str = "") -> list[Model]:
        """All versions of a model, or the one that is asked for; raises `ModelFailure` where there is none."""
        loaded = self._loaded.get(name)
        if loaded is None:
            raise ModelFailure(f"requested model '{name}' is not available", "INVALID_ARGUMENT")
        if version and version not in loaded.versions:
            what = f"requested model version is not available for model '{name}'"
            raise ModelFailure(what, "INVALID_ARGUMENT")
        return [loaded.versions[version]] if version else list(loaded.versions.values())

    def has(self, name: str, version: str = "") -> bool:
        """True where it would be found."""
        try:
            self.find(name, version)
        except ModelFailure:
            return False
        return True

    def index(self) -> list[tuple[str, str, str, str]]:
        """Name, version, state and reason of all that are there, ready or not."""
        found = [(each.entry.name, each.version, "READY", "") for each in self]
        for name, (versions, reason) in self._gone.items():
            ends = not all(task.done() for task in self._unloading.get(name, ()))
            found += [
                (name, version, *(("UNLOADING", "") if ends else ("UNAVAILABLE", reason))) for version in versions
            ]
        known = {*self._loaded, *self._gone}
        return found + [(name, "", "", "") for name in self._repository.names() if name not in known]

    async def _ready(self, entry: ModelEntry) -> _Loaded:
        entry = await asyncio.to_thread(with_signature, entry)
        loaded = _Loaded(entry)
        try:
            for version in entry.files:
                model = Model(entry, version, await asyncio.to_thread(self._make, entry, version))
                await model.start()
                loaded.versions[version] = model
        except BaseException:
            self._end(loaded)
            raise
        return loaded

    def _end(self, loaded: _Loaded | None) -> list[asyncio.Task[None]]:
        """End what was loaded, beside what else is done."""
        tasks: list[asyncio.Task[None]] = []
        for model in loaded.versions.values() if loaded is not None else ():
            task = asyncio.get_running_loop().create_task(model.stop(), name=f"ending {model!r}")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            tasks.append(task)
        return tasks


def with_signature(entry: ModelEntry) -> ModelEntry:
    """The same with what a Python model says itself of its inputs and outputs, where it does."""
    if entry.backend != "python" or not has_own_signature(entry.file):
        return entry
    config = completed(entry.config, entry.file)
    said = Configuration(config, entry.file, {})
    inputs, outputs = said.signature()
    if faults := said.unsigned():
        raise ConfigurationError(faults, str(entry.file))
    made = replace(entry.metadata, inputs=inputs, outputs=outputs, max_batch=int(config.max_batch_size), config=config)
    return replace(entry, config=config, metadata=made)


def makers(entry: ModelEntry, version: str, threads: int, gpus: Sequence[int]) -> list[Callable[[], Instance]]:
    """What makes the copies of a version on this machine; those of a network in one place share a session."""
    where = places(entry.config, gpus)
    if entry.backend == "python":
        file = entry.files[version]
        return [
            partial(PythonInstance, file, entry.config, number, place.kind, place.gpu or 0)
            for number, place in enumerate(where)
        ]
    networks = {place: _network(entry, version, threads, place.gpu) for place in set(where)}
    return [networks[each] for each in where]


def cpu_maker(entry: ModelEntry, version: str, threads: int) -> Callable[[int], Instance]:
    """What makes the copy with a number on the CPU."""
    if entry.backend == "python":
        return lambda number: PythonInstance(entry.files[version], entry.config, number)
    made: list[Callable[[], Instance]] = []
    lock = Lock()

    def make(number: int) -> Instance:
        with lock:  # copies are made at once, and share one session; it is not read where nobody asks for it
            if not made:
                made.append(_network(entry, version, threads, None))
        return made[0]()

    return make


def _network(entry: ModelEntry, version: str, threads: int, gpu: int | None) -> Callable[[], Instance]:
    session = Session(entry.files[version], threads, gpu)
    outputs = [spec.name for spec in entry.metadata.outputs]
    return partial(OnnxInstance, session, outputs, batched=entry.max_batch_size > 0)
