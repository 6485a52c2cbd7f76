"""Job: what the user wrote. Nothing is read or started before `run`; `plan` reports every fault at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from eventbraid.accelerators import find_accelerators
from eventbraid.address import names_servers
from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.module import Module, OnError
from eventbraid.outputs.base import OutputModule
from eventbraid.sources.base import Source
from eventbraid.switch import Alias, Switch

if TYPE_CHECKING:
    from eventbraid.inference.servers.given import Server
    from eventbraid.report import Report
    from eventbraid.services import Listener

__all__ = ["Fallback", "Job", "Mode", "OnError"]

Mode: TypeAlias = Literal["async", "blocking", "threads"]
Fallback: TypeAlias = Literal["none", "local", "server"]
SEEDS: Final = 1 << 64


@dataclass(frozen=True, repr=False)
class Job:
    """Modules, the paths that decide, a source and outputs.

    `streams` bounds the events in flight. `on_error` says what a module's exception does: "stop" ends the
    job after the events in flight, "skip" gives up that event, "continue" only what depends on the module.
    `servers` are inference servers: "host:port", `Server` objects, TOML files of them; where there are none, those
    of EVENTBRAID_SERVERS. With none at all a job that needs one starts its own, which serves the folders of `models`
    and those of the installed packages. Where no server helps, or with "local" none is named, `fallback` asks the
    same folders' models: "local" in this process, "server" on an embedded server that is then started.
    An event that has not ended
    `deadline` seconds after it was read is given up. `concurrent_lumis` and `concurrent_runs` bound the
    sections that are open at the same time, where modules have begin or end of them.
    `accelerators` are the cases that
    switches choose from: None finds out, "cpu" always, "gpu" where an NVIDIA device may be used, "server"
    where servers are named. `seed` is behind all random numbers that modules draw by `event.random`.
    """

    name: str
    source: Source = field(kw_only=True)
    modules: Mapping[str, Module | Switch | Alias] = field(kw_only=True)
    paths: Mapping[str, Sequence[str]] = field(kw_only=True, default_factory=dict[str, Sequence[str]])
    outputs: Sequence[OutputModule] = field(kw_only=True, default=())
    streams: int = field(kw_only=True, default=8)
    on_error: OnError = field(kw_only=True, default="stop")
    servers: Sequence[str | Path | Server] = field(kw_only=True, default=())
    models: Sequence[str | Path] = field(kw_only=True, default=())
    fallback: Fallback = field(kw_only=True, default="none")
    events: int | None = field(kw_only=True, default=None)
    deadline: float | None = field(kw_only=True, default=None)
    concurrent_lumis: int = field(kw_only=True, default=2)
    concurrent_runs: int = field(kw_only=True, default=1)
    accelerators: Sequence[str] | None = field(kw_only=True, default=None)
    seed: int = field(kw_only=True, default=1)

    def run(
        self,
        mode: Mode = "async",
        *,
        events: int | None = None,
        streams: int | None = None,
        listeners: Sequence[Listener] = (),
        timing: bool = True,
        max_time: float | None = None,
    ) -> Report:
        """Run on an event loop of its own (uvloop where installed) and return the report.

        SIGINT or SIGTERM stops reading and finishes what is in flight; a second one cancels. Raises
        `ConfigurationError` before any event is read; with `on_error="stop"` the first `ModuleError`, in
        the order of the events, whose `report` attribute is the report. `timing=False` leaves the clocks
        unread: `report.modules` is then empty. After `max_time` seconds no more events are read.
        """
        from eventbraid.running import run

        job = self.replace(events=events, streams=streams)
        return run(job, mode, listeners=listeners, timing=timing, max_time=max_time)

    async def run_async(
        self,
        mode: Mode = "async",
        *,
        events: int | None = None,
        streams: int | None = None,
        listeners: Sequence[Listener] = (),
        timing: bool = True,
        max_time: float | None = None,
    ) -> Report:
        """The same on the running event loop, for notebooks and programs that have one; leaves signals alone."""
        from eventbraid.running import run_async

        job = self.replace(events=events, streams=streams)
        return await run_async(job, mode, listeners=listeners, timing=timing, max_time=max_time)

    def replace(
        self,
        *,
        events: int | None = None,
        streams: int | None = None,
        servers: Sequence[str | Path | Server] | None = None,
        accelerators: Sequence[str] | None = None,
        fallback: str | None = None,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Job:
        """The same job with some things changed; `settings` maps "label.parameter" to its value.

        The key for a case of a switch is "label.case.parameter".
        Raises `ConfigurationError` for a job without the shape of one, and for settings of what is not there.
        """
        import dataclasses

        if faults := self.shape_faults():
            raise ConfigurationError(faults, f"job {self.name!r}")
        changes: dict[str, Any] = {
            "streams": streams,
            "servers": servers,
            "accelerators": accelerators,
            "fallback": fallback,
            "seed": seed,
        }
        if events is not None:
            changes |= {"events": events, "source": self.source.limited(events) if _is_count(events) else None}
        if settings:
            changes |= self._with_settings(settings)
        return dataclasses.replace(self, **{name: value for name, value in changes.items() if value is not None})

    def _with_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        faults: list[Fault] = []
        modules: dict[str, Module | Switch | Alias] = dict(self.modules)
        source = self.source
        for key, value in settings.items():
            label, dot, parameter = key.partition(".")
            if not (label and dot and parameter):
                faults.append(Fault(f"--set {key}", "must be label.parameter=value"))
            elif label == "source":
                source = source.remake(**{parameter: value})
            elif label not in modules:
                hint = nearest(label, [*modules, "source"])
                faults.append(Fault(f"--set {key}", f"there is no module {label!r}", hint))
            else:
                changed = _changed(f"--set {key}", label, modules[label], parameter, value)
                if isinstance(changed, Fault):
                    faults.append(changed)
                else:
                    modules[label] = changed
        if faults:
            raise ConfigurationError(faults, f"job {self.name!r}")
        return {"modules": modules, "source": source}

    def available(self) -> tuple[str, ...]:
        """The cases that switches choose from: `accelerators`, or what this machine has."""
        if self.accelerators is not None:
            return tuple(self.accelerators)
        return find_accelerators(self.servers, os.environ)

    def shape_faults(self) -> list[Fault]:
        """What is so wrong with the job that nothing else can be looked at."""
        shapes = {
            "source": ("a Source", _is_source),
            **dict.fromkeys(("modules", "paths"), ("a dictionary", _is_dictionary)),
            **dict.fromkeys(("servers", "models", "outputs"), ("a list", _is_list)),
            **({} if self.accelerators is None else {"accelerators": ("a list", _is_list)}),
        }
        given = {name: getattr(self, name) for name in shapes}
        return [
            Fault(f"job {self.name!r}", f"{name} must be {shape}, not {given[name]!r}")
            for name, (shape, holds) in shapes.items()
            if not holds(given[name])
        ]

    def faults(self) -> list[Fault]:
        """What is wrong with the job's own settings; `plan` finds the rest."""
        faults: list[Fault] = []

        def fault(what: str, hint: str = "") -> None:
            faults.append(Fault(f"job {self.name!r}", what, hint))

        if not _is_count(self.streams) or self.streams < 1:
            fault(f"streams must be a whole number of at least 1, not {self.streams!r}")
        if self.events is not None and not _is_count(self.events):
            fault(f"events must be a whole number of at least 0, not {self.events!r}")
        for name in ("concurrent_lumis", "concurrent_runs"):
            if not _is_count(number := getattr(self, name)) or number < 1:
                fault(f"{name} must be a whole number of at least 1, not {number!r}")
        if self.deadline is not None and not _is_positive(self.deadline):
            fault(f"deadline must be a number of seconds above 0, not {self.deadline!r}")
        if not _is_count(self.seed) or self.seed >= SEEDS:
            fault(f"seed must be a whole number from 0 to 2**64 - 1, not {self.seed!r}")
        if self.fallback not in get_args(Fallback):
            hint = nearest(str(self.fallback), get_args(Fallback))
            fault(f"fallback must be 'none', 'local' or 'server', not {self.fallback!r}", hint)
        for name in self.accelerators or ():
            if not str(name).isidentifier():
                fault(f"accelerators must be names, not {name!r}")
        if names_servers(self.servers, os.environ):
            from eventbraid.inference.servers.given import servers_of

            try:
                servers_of(self.servers, os.environ)
            except ConfigurationError as error:
                faults += error.faults
        if self.on_error not in get_args(OnError):
            hint = nearest(str(self.on_error), get_args(OnError))
            fault(f"on_error must be 'stop', 'skip' or 'continue', not {self.on_error!r}", hint)
        return faults

    def __repr__(self) -> str:
        return f"Job({self.name!r}, {len(self.modules)} modules, {len(self.paths)} paths, streams={self.streams})"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and value > 0


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _is_dictionary(value: object) -> bool:
    return isinstance(value, Mapping)


def _changed(
    where: str, label: str, module: Module | Switch | Alias, parameter: str, value: object
) -> Module | Switch | Alias | Fault:
    """What stands under a label with one parameter set, or what is wrong with setting it."""
    if isinstance(module, Alias):
        return Fault(where, f"{label!r} is an alias", f"set {module.label}.{parameter}")
    if not isinstance(module, Switch):
        return _remade(module, parameter, value)
    case, dot, name = parameter.partition(".")
    if case in module.cases and not name:
        return Fault(where, "must be label.case.parameter=value")
    if not dot:
        hint = " or ".join(f"{label}.{case}.{parameter}" for case in module.cases)
        return Fault(where, f"module {label!r} is a switch: name the case", hint)
    if case not in module.cases:
        return Fault(where, f"module {label!r} has no case {case!r}", nearest(case, module.cases))
    return module.with_case(case, _remade(module.cases[case], name, value))


def _remade(module: Module, parameter: str, value: object) -> Module:
    return module.remake(**{parameter: value}) if _is_module(module) else module  # what is none the plan tells


def _is_module(value: object) -> bool:
    return isinstance(value, Module)


def _is_source(value: object) -> bool:
    return isinstance(value, Source)
