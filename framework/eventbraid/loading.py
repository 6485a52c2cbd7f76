"""Finds the job in a user's file; whatever is wrong with that file is a `ConfigurationError` that names the line."""

from __future__ import annotations

import ast
import hashlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from eventbraid.errors import ConfigurationError, EventbraidError, Fault
from eventbraid.job import Job

__all__ = ["load_job", "load_module"]


def load_job(path: str | Path) -> Job:
    """Import a job file and return its job: the variable `job`, else the only Job of the file.

    The file's folder is put on `sys.path`, first, and stays there: modules may import what lies beside
    them while they run. The module's name is private and the same for the same path, so that its classes
    can be pickled between processes that have both loaded it. Raises `ConfigurationError` for a file that
    is missing, is no Python file, does not compile, raises, or holds no job or several.
    """
    file = Path(path).expanduser().resolve()
    source = _read(file, Path(path))
    return _find(_execute(source, file), source, file)


def load_module(path: str | Path) -> ModuleType:
    """Import a user's file, with the errors of `load_job`."""
    file = Path(path).expanduser().resolve()
    return _execute(_read(file, Path(path)), file)


def _read(file: Path, shown: Path) -> bytes:
    if file.is_dir():
        raise _wrong(shown, "is a folder", "name the Python file of the job in it")
    if not file.exists():
        beside = sorted(each.name for each in file.parent.glob("*.py")) if file.parent.is_dir() else []
        raise _wrong(shown, "does not exist", f"there is {', '.join(beside[:8])}" if beside else "")
    if file.suffix != ".py":
        raise _wrong(shown, "is not a Python file: a job file ends with .py")
    try:
        return file.read_bytes()
    except OSError as error:
        raise _wrong(shown, f"cannot be read: {error.strerror or error}") from error


def _execute(source: bytes, file: Path) -> ModuleType:
    name = f"_eventbraid_job_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}_{file.stem}"
    module = ModuleType(name)
    module.__file__ = str(file)
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    sys.modules[name] = module  # dataclasses and annotations look their module up there
    try:
        exec(compile(source, str(file), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _raised(error, file) from error
    return module


def _raised(error: BaseException, file: Path) -> ConfigurationError:
    """What the file raised, at the last line that is the user's own."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return _wrong(_at(Path(error.filename), error.lineno), f"does not compile: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename), file.parent)]
    where = _at(Path(own[-1].filename), own[-1].lineno) if own else str(file)
    if isinstance(error, ConfigurationError):
        return ConfigurationError(
            [Fault(f"{where}: {fault.where}", fault.what, fault.hint) for fault in error.faults], where
        )
    if isinstance(error, EventbraidError):
        return _wrong(where, str(error))
    if isinstance(error, SystemExit):
        return _wrong(where, "ends the program", "put what runs the job below: if __name__ == '__main__':")
    hint = ""
    if isinstance(error, ModuleNotFoundError):
        hint = "install it, or put it beside the job file"
    return _wrong(where, f"raises {type(error).__name__}: {error}".rstrip(": "), hint)


def _is_own(file: Path, folder: Path) -> bool:
    installed = "site-packages" in file.parts or file.is_relative_to(Path(__file__).parent)
    return file.is_relative_to(folder) and not installed


def _find(module: ModuleType, source: bytes, file: Path) -> Job:
    chosen = getattr(module, "job", None)
    if isinstance(chosen, Job):
        return chosen
    found = {id(value): name for name, value in reversed(vars(module).items()) if isinstance(value, Job)}
    if not found:
        if chosen is not None:
            line = _line(source, "job")
            raise _wrong(_at(file, line), f"job is {type(chosen).__name__}, not a Job", "write job = Job(...)")
        raise _wrong(file, "holds no job", "write job = Job(...)")
    names = sorted(found.values())
    if len(names) > 1:
        lines = ", ".join(f"{name!r} in line {_line(source, name) or '?'}" for name in names)
        last = max(_line(source, name) or 0 for name in names)
        raise _wrong(_at(file, last or None), f"holds {len(names)} jobs: {lines}", "call the one to run 'job'")
    job = getattr(module, names[0])
    assert isinstance(job, Job)
    return job


def _line(source: bytes, name: str) -> int | None:
    """The line in which a variable is last set."""
    lines = [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    return max(lines, default=None)


def _at(file: Path, line: int | None) -> str:
    return f"{file}:{line}" if line else str(file)


def _wrong(where: str | Path, what: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError([Fault(str(where), what, hint)], str(where))
