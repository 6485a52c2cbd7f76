"""A TOML file of servers: a table `[[server]]` for each, with the fields of `Server`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.inference.servers.server import TLS, Server

__all__ = ["read_servers"]

FILES: Final = ("roots", "certificate", "key")
TLS_KEYS: Final = tuple(each.name for each in fields(TLS))
KEYS: Final = (*(each.name for each in fields(Server) if each.name != "token"), "token_env", "token_file")


def read_servers(file: Path, environment: Mapping[str, str]) -> list[Server]:
    """The servers of a file; raises `ConfigurationError` with every fault of it.

    Paths are relative to the file. A token stands in a file of its own (`token_file`) or in the environment
    (`token_env`), since a file of servers is handed round.
    """
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", str(file)) from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise ConfigurationError(f"is no TOML: {error}", str(file)) from error
    faults = [Fault(str(file), *_unknown(key, ("server",))) for key in content if key != "server"]
    tables: Any = content.get("server", [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables) or not (tables or faults):
        faults.append(Fault(str(file), "must name each server in a table [[server]]"))
        tables = []
    readers = [_Table(table, file.parent, environment) for table in tables]
    for number, reader in enumerate(readers, start=1):
        where = f"{file}, server {number}" + (f" {reader.label!r}" if reader.label else "")
        faults += [Fault(where, *fault) for fault in reader.faults]
    if faults:
        raise ConfigurationError(faults, str(file))
    return [reader.server for reader in readers if reader.server is not None]


class _Table:
    """A table of the file, read: the server, or what is wrong (each with a hint, which may be empty)."""

    def __init__(self, table: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self.faults: list[tuple[str, str]] = []
        self.server: Server | None = None
        self.label = table.get("name") or table.get("address")
        given: dict[str, Any] = {"address": "", **{key: value for key, value in table.items() if key in KEYS}}
        if "token" in table:
            self.faults.append(("a token does not belong in a file that is handed round", "token_env or token_file"))
        self.faults += [_unknown(key, KEYS) for key in table if key not in (*KEYS, "token")]
        variable, token_file = given.pop("token_env", None), given.pop("token_file", None)
        if variable is not None or token_file is not None:
            given["token"] = self._token(variable, token_file, environment)
        if isinstance(given.get("tls"), dict):
            given["tls"] = self._tls(given["tls"])
        try:
            self.server = Server(**given)
        except ConfigurationError as error:
            self.faults += [(fault.what, fault.hint) for fault in error.faults]

    def _tls(self, table: Mapping[str, Any]) -> TLS:
        self.faults += [_unknown(key, TLS_KEYS, "tls.") for key in table if key not in TLS_KEYS]
        given = {key: value for key, value in table.items() if key in TLS_KEYS}
        given |= {key: self._path(given[key]) for key in FILES if isinstance(given.get(key), str)}
        try:
            return TLS(**given)
        except ConfigurationError as error:
            self.faults += [(f"tls: {fault.what}", fault.hint) for fault in error.faults]
            return TLS()

    def _token(self, variable: object, file: object, environment: Mapping[str, str]) -> str:
        if variable is not None and file is not None:
            self.faults.append(("has both token_env and token_file", ""))
        elif not isinstance(variable or file, str):
            self.faults.append(("token_env must be the name of a variable, token_file a path", ""))
        elif file is not None:
            try:
                return self._path(str(file)).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is no text"
                self.faults.append((f"token_file {str(self._path(str(file)))!r} cannot be read: {why}", ""))
        elif not environment.get(str(variable)):
            self.faults.append((f"token_env: the environment has no variable {variable}", ""))
        return environment.get(str(variable), "")

    def _path(self, text: str) -> Path:
        return self._folder / Path(text).expanduser()


def _unknown(key: str, known: tuple[str, ...], table: str = "") -> tuple[str, str]:
    return f"there is no key {table}{key}", nearest(key, known)
