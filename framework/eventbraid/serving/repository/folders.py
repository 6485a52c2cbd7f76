"""What lies in a model repository: versions, files, links; every fault that needs no network to be loaded."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eventbraid.errors import Fault, nearest

__all__ = [
    "MODEL_FILES",
    "contents",
    "file_faults",
    "has_own_signature",
    "model_faults",
    "python_faults",
    "versions_of",
]

MODEL_FILES: Final = {"onnxruntime": "model.onnx", "python": "model.py"}
"""The back ends that the servers here have, each with the file that it reads."""
NETWORKS: Final = frozenset({".onnx", ".pt", ".pth", ".plan", ".pb", ".h5", ".keras", ".tflite", ".engine"})
EXPECTED: Final = "expected NAME/1/model.onnx"
CLASS: Final = "TritonPythonModel"


def versions_of(folder: Path) -> list[int]:
    """The versions of a model, the newest first."""
    return sorted(
        (int(each.name) for each in folder.iterdir() if _is_version(each.name) and each.is_dir()), reverse=True
    )


def contents(repository: Path) -> tuple[list[Path], list[Fault]]:
    """The folders of models in a repository, in order, and what else is wrong with it.

    What begins with "_" or "." is no model.
    """
    where = str(repository)
    if fault := _unreadable(repository):
        return [], [fault]
    if not repository.is_dir():
        return [], [Fault(where, "is no folder with models", f"{EXPECTED} in it")]
    if (repository / "config.pbtxt").exists() or any(_is_version(each.name) for each in repository.iterdir()):
        return [], [Fault(where, "is a model, not a folder of models", f"give {repository.resolve().parent}")]
    faults = list(_dead_links(repository))
    faults += [
        Fault(
            str(each), "is a file, not the folder of a model", f"move it to {each.with_suffix('')}/1/model{each.suffix}"
        )
        for each in sorted(repository.iterdir())
        if each.suffix in NETWORKS and each.is_file()
    ]
    models = [each for each in sorted(repository.iterdir()) if each.is_dir() and not each.name.startswith(("_", "."))]
    if not faults and not models:
        faults.append(Fault(where, "holds no model", EXPECTED))
    return models, faults


def model_faults(folder: Path) -> list[Fault]:
    """What is wrong with a model's folder and its versions' names; none of its files is opened."""
    if fault := _unreadable(folder):
        return [fault]
    faults = list(_dead_links(folder))
    for each in sorted(folder.iterdir()):
        if _is_version(each.name) and (fault := _unreadable(each)):
            faults.append(fault)
        elif _is_version(each.name) and each.is_file():
            faults.append(Fault(str(each), "is a file, not a version", f"expected {each}/model.onnx"))
        elif each.is_dir() and not _is_version(each.name) and _holds_model(each):
            number = int(digits[0]) if (digits := re.findall("[0-9]+", each.name)) else 1
            faults.append(
                Fault(str(each), "is no version, which is a number without leading zeros", f"call it {number}")
            )
    if not faults and not versions_of(folder):
        loose = [each.name for each in sorted(folder.iterdir()) if each.suffix in NETWORKS or each.name == "model.py"]
        hint = f"move {loose[0]} to {folder.name}/1" if loose else EXPECTED
        faults.append(Fault(str(folder), "has no version", hint))
    return faults


def file_faults(file: Path) -> list[Fault]:
    """What is wrong with a model's file, without reading it; with the name of what is there in its place."""
    if fault := _unreadable(file.parent):
        return [fault]
    if links := [fault for fault in _dead_links(file.parent) if fault.where == str(file)]:
        return links
    if file.is_dir():
        return [Fault(str(file), "is a folder", "expected a file")]
    if not file.exists():
        others = [each.name for each in file.parent.iterdir() if each.suffix in (*NETWORKS, ".py")]
        same = [name for name in others if Path(name).suffix == file.suffix]
        hint = f"call {same[0]!r} so" if len(same) == 1 else ", ".join(f"there is {name!r}" for name in others)
        return [Fault(str(file), "is missing", hint)]
    return [fault] if (fault := _unreadable(file)) else []


def python_faults(file: Path) -> list[Fault]:
    """What is wrong with a `model.py`, which is read but not run."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        return [Fault(f"{file}:{error.lineno or 1}", f"is no Python: {error.msg}")]
    except ValueError as error:
        return [Fault(str(file), f"is no Python: {error}")]
    names = dict(_names(tree))
    if CLASS not in names:
        hint = nearest(CLASS, [name for name, made in names.items() if isinstance(made, ast.ClassDef)])
        return [
            Fault(str(file), f"has no class {CLASS}", hint if hint.startswith("did") else f"expected class {CLASS}")
        ]
    made = names[CLASS]
    if isinstance(made, ast.ClassDef) and not made.bases and "execute" not in dict(_names(made)):
        return [
            Fault(f"{file}:{made.lineno}", f"{CLASS} has no method execute", "expected def execute(self, requests)")
        ]
    return []


def has_own_signature(file: Path) -> bool:
    """True where a `model.py` that is in order says itself what it takes and gives."""
    made = dict(_names(ast.parse(file.read_bytes())))[CLASS]
    return not isinstance(made, ast.ClassDef) or bool(made.bases) or "auto_complete_config" in dict(_names(made))


def _names(body: ast.Module | ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    """What a module or a class defines: by class, def, import or assignment, also in an `if` or `try`."""
    left = list(body.body)
    while left:
        each = left.pop(0)
        match each:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield each.name, each
            case ast.Import() | ast.ImportFrom():
                yield from ((name.asname or name.name, each) for name in each.names)
            case ast.Assign():
                yield from ((target.id, each) for target in each.targets if isinstance(target, ast.Name))
            case ast.If() | ast.Try():
                left += [inner for inner in ast.iter_child_nodes(each) if isinstance(inner, ast.stmt)]
            case _:
                pass


def _is_version(name: str) -> bool:
    return re.fullmatch("0|[1-9][0-9]*", name) is not None


def _holds_model(folder: Path) -> bool:
    return not _unreadable(folder) and any((folder / name).exists() for name in MODEL_FILES.values())


def _dead_links(folder: Path) -> Iterator[Fault]:
    for each in sorted(folder.iterdir()):
        if each.is_symlink() and not each.exists():
            target = each.readlink()
            hint = nearest(target.name, _siblings((each.parent / target).parent))
            yield Fault(str(each), f"is a symbolic link to {target}, which is not there", hint)


def _siblings(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if not each.is_symlink()] if folder.is_dir() else []


def _unreadable(path: Path) -> Fault | None:
    """The fault of a file or folder that this process may not read."""
    if not path.exists():
        return None
    right = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    if os.access(path, right, effective_ids=os.access in os.supports_effective_ids):
        return None
    change = f"chmod u+r{'x' if path.is_dir() else ''} {path}"
    return Fault(str(path), "cannot be read: permission denied", f"{change}, as its owner")
