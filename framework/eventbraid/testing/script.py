"""A script of faults, and how far it has come: which request gets which of them."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

from eventbraid.errors import ConfigurationError, nearest
from eventbraid.errors import Fault as Wrong
from eventbraid.testing.fault import Fault

__all__ = ["Faults", "Script", "Strike"]

KEYS = ("seed", "fault")


class Strike(NamedTuple):
    """A fault that a request gets, and what is drawn for it."""

    fault: Fault
    random: Random


class Script:
    """Rules for faults, each of which counts its own requests, whatever the others do.

    With the same `seed` the same requests get the same faults. `struck` counts them by kind.
    """

    def __init__(self, faults: Iterable[Fault | Mapping[str, Any]] = (), seed: int = 1) -> None:
        self.faults = _made(list(faults), "the script")
        self.seed = seed
        self.struck: Counter[str] = Counter()
        self._counts = [0] * len(self.faults)

    @classmethod
    def read(cls, file: str | Path) -> Script:
        """That of a TOML file: a table `[[fault]]` for each, and a `seed`.

        Raises `ConfigurationError` with every fault of the file.
        """
        try:
            content = tomllib.loads(Path(file).read_text("utf-8"))
        except OSError as error:
            raise ConfigurationError(f"cannot be read: {error.strerror}", str(file)) from error
        except ValueError as error:  # no UTF-8, or no TOML
            raise ConfigurationError(f"is no TOML: {error}", str(file)) from error
        return cls._of(content, str(file))

    @classmethod
    def from_json(cls, text: str) -> Script:
        """That of `to_json`."""
        return cls._of(json.loads(text), "the script")

    def to_json(self) -> str:
        """All of it but how far it has come."""
        tables = [fault.model_dump(exclude_unset=True) for fault in self.faults]
        return json.dumps({"seed": self.seed, "fault": tables})

    @classmethod
    def _of(cls, content: Mapping[str, Any], subject: str) -> Script:
        wrong = [Wrong(subject, f"there is no key {key}", nearest(key, KEYS)) for key in content if key not in KEYS]
        tables, seed = content.get("fault", []), content.get("seed", 1)
        if not isinstance(tables, list):
            wrong.append(Wrong(subject, "must describe each fault in a table [[fault]]"))
            tables = []
        if not isinstance(seed, int):
            wrong.append(Wrong(subject, f"seed should be a whole number, not {seed!r}"))
            seed = 1
        return cls(_made(tables, subject, wrong), seed)

    def check(self, models: Iterable[str]) -> None:
        """Raise `ConfigurationError` where a fault is for a model that is none of these."""
        known = list(models)
        wrong = [
            Wrong(f"fault {number}", f"there is no model {model!r}", nearest(model, known))
            for number, fault in enumerate(self.faults, start=1)
            for model in fault.models
            if model not in known
        ]
        if wrong:
            raise ConfigurationError(wrong, "the script of faults")

    def take(self, call: str, model: str) -> list[Strike]:
        """Count a request and say what happens to it, in the order of the script."""
        strikes = list[Strike]()
        for place, fault in enumerate(self.faults):
            if not fault.counts(call, model):
                continue
            self._counts[place] += 1
            number = self._counts[place]
            if fault.strikes(number, self.seed):
                self.struck[fault.kind] += 1
                strikes.append(Strike(fault, fault.random("effect", number, self.seed)))
        return strikes


Faults: TypeAlias = Script | str | Path | Sequence[Fault | Mapping[str, Any]]
"""What can be given as faults: a script, the file of one, or a list."""


def script_of(faults: Faults) -> Script:
    """The script that is meant."""
    if isinstance(faults, Script):
        return faults
    return Script.read(faults) if isinstance(faults, (str, Path)) else Script(faults)


def _made(tables: Sequence[Any], subject: str, wrong: Sequence[Wrong] = ()) -> tuple[Fault, ...]:
    """The faults that tables describe; raises `ConfigurationError` with these and all that is wrong with them."""
    made, found = list[Fault](), list(wrong)
    for number, table in enumerate(tables, start=1):
        where = f"{subject}, fault {number}"
        if isinstance(table, Fault):
            made.append(table)
        elif not isinstance(table, Mapping):
            found.append(Wrong(where, f"must be a table, not {type(table).__name__}"))
        else:
            try:
                made.append(Fault(**{str(key): value for key, value in table.items()}))
            except ConfigurationError as error:
                found += [Wrong(where, each.what, each.hint) for each in error.faults]
    if found:
        raise ConfigurationError(found, subject)
    return tuple(made)
