"""Track finders as models for servers: the builders "tracks_gnn" and "tracks_rule" of `eventbraid models build`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from eventbraid_modules.tracks.finders import NETWORKS

__all__ = ["build_gnn", "build_rule"]

CODE: Final = Path(__file__).with_name("finding")
CONFIG: Final = """backend: "python"
max_batch_size: 0
input [ {{ name: "hits" data_type: TYPE_FP32 dims: [ -1, 3 ] }} ]
output [ {{ name: "labels" data_type: TYPE_INT64 dims: [ -1 ] }} ]
instance_group [ {{ count: 2 kind: KIND_CPU }} ]
parameters {{ key: "finder" value {{ string_value: "{finder}" }} }}
"""


def build_gnn(folder: Path) -> None:
    """Write the graph network's finder, with the networks that are shipped."""
    _build(folder, "gnn")
    for file in sorted(NETWORKS.glob("*.onnx")):
        shutil.copyfile(file, folder / "1" / file.name)


def build_rule(folder: Path) -> None:
    """Write the finder by rule."""
    _build(folder, "rule")


def _build(folder: Path, finder: str) -> None:
    version = folder / "1"
    (version / "track_finding").mkdir(parents=True)
    for file in sorted(CODE.glob("*.py")):
        where = version / "model.py" if file.name == "model.py" else version / "track_finding" / file.name
        shutil.copyfile(file, where)
    (folder / "config.pbtxt").write_text(CONFIG.format(finder=finder))
