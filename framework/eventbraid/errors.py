"""Every error of eventbraid, by whose fault it is.

    EventbraidError
    ├── ConfigurationError    the job's description; carries every fault at once
    ├── ModuleError           a module raised; carries event, path, label and step
    │   └── ProductError      it read what is not there, or put what it may not
    ├── ServerError           an inference server refused, failed or is away
    │   ├── ServerUnavailable the server cannot be reached, or is going away
    │   ├── ServerBusy        it has too much to do to take the request
    │   ├── ServerTimeout     the request's deadline passed
    │   ├── AnswerError       its answer makes no sense
    │   ├── AccessError       it does not trust the client, or the client does not trust it
    │   └── RequestError      the server, or the model's metadata, says that the request is wrong
    ├── DataError             a file or a record of the source is bad
    └── MissingExtra          a library of an extra is not installed

The command line shows these without a traceback; anything else is our own fault and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventbraid.event import EventID
    from eventbraid.report import Report

__all__ = [
    "AccessError",
    "AnswerError",
    "ConfigurationError",
    "DataError",
    "EventbraidError",
    "Fault",
    "MissingExtra",
    "ModuleError",
    "ProductError",
    "RequestError",
    "ServerBusy",
    "ServerError",
    "ServerTimeout",
    "ServerUnavailable",
    "nearest",
    "need_extra",
]


class EventbraidError(Exception):
    """The root: catch this to catch whatever eventbraid reports; `report` is set where a job had begun."""

    exit_code = 1
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a job: where, what was found, what would be right."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class ConfigurationError(EventbraidError):
    """The job's description is wrong; `faults` holds every fault found, nothing has been read."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault] | str, subject: str = "the job") -> None:
        self.faults = (Fault(subject, faults),) if isinstance(faults, str) else tuple(faults)
        self.subject = subject
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.faults) == 1:
            return str(self.faults[0])
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        return f"{self.subject} has {len(self.faults)} faults:\n{lines}"


class ModuleError(EventbraidError):
    """A module raised; `__cause__` is what it raised.

    `event` is None outside events (job begin and end); `path` is empty for a module that is on none.
    """

    def __init__(
        self, message: str, *, label: str = "", step: str = "", event: EventID | None = None, path: str = ""
    ) -> None:
        super().__init__(message)
        self.label, self.step, self.event, self.path = label, step, event, path

    def __str__(self) -> str:
        message = str(self.args[0])
        if not self.label:
            return message
        where = [f"module {self.label!r}", f"step {self.step}"]
        if self.path:
            where.append(f"path {self.path!r}")
        if self.event is not None:
            where.append(f"event {self.event}")
        return f"{', '.join(where)}: {message}"


class ProductError(ModuleError):
    """A product was read that is not there, or put where it may not be."""


class ServerError(EventbraidError):
    """An inference server refused or failed; `server` names it, `model` the model asked for."""

    def __init__(self, message: str, *, server: str = "", model: str = "") -> None:
        super().__init__(message)
        self.server, self.model = server, model

    def __str__(self) -> str:
        where = [part for part in (self.server, self.model and f"model {self.model!r}") if part]
        return f"{', '.join(where)}: {self.args[0]}" if where else str(self.args[0])


class ServerUnavailable(ServerError):
    """The server cannot be reached, or is going away."""


class ServerBusy(ServerError):
    """The server has too much to do: later, or elsewhere, it may go well."""


class ServerTimeout(ServerError):
    """The request's deadline passed."""


class AnswerError(ServerError):
    """The server's answer makes no sense, or is not what the model's metadata promise."""


class AccessError(ServerError):
    """The server does not trust the client, or the client does not trust the server."""


class RequestError(ServerError):
    """The request does not fit the model: no other server and no second try would help."""


class DataError(EventbraidError):
    """A file or a record of the source is bad; the message names file and entry."""


class MissingExtra(EventbraidError):
    """A library is missing that an extra installs."""

    exit_code = 2


def nearest(name: str, names: Iterable[str]) -> str:
    """The hint that names what was probably meant, or what there is; empty where there is nothing."""
    known: Sequence[str] = sorted(set(names))
    if close := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {close[0]!r}?"
    if not known:
        return ""
    shown = ", ".join(repr(each) for each in known[:12])
    return f"there is {shown}" + (f" and {len(known) - 12} more" if len(known) > 12 else "")


def need_extra(module: str, extra: str, why: str) -> ModuleType:
    """Import `module`, or raise `MissingExtra` that says which extra installs it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".", maxsplit=1)[0] != error.name.split(".")[0]:
            raise
        message = f"{why} needs {module.split('.', maxsplit=1)[0]}: pip install 'eventbraid[{extra}]'"
        raise MissingExtra(message) from error
