"""Small repositories on disk, and what a survey of them finds."""

from __future__ import annotations

from pathlib import Path

from networks import tensor, write
from onnx import TensorProto, helper

from eventbraid.errors import Fault
from eventbraid.serving import Repository


def network(folder: Path, name: str = "m", shape: tuple[int | str, ...] = ("n", 3), end: object = None) -> None:
    ends = [tensor("x", TensorProto.FLOAT, *shape)], [end or tensor("y", TensorProto.FLOAT, *shape)]
    write(folder, name, [helper.make_node("Identity", ["x"], ["y"])], *ends)


def configure(folder: Path, text: str) -> Path:
    file = folder / "m/config.pbtxt"
    file.write_text(text)
    return file


def found(folder: Path) -> list[Fault]:
    _, faults = Repository.survey([folder])
    return faults


def only(folder: Path) -> Fault:
    (fault,) = found(folder)
    return fault
