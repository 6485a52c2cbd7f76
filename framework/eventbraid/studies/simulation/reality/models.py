"""The models of a study as a repository: they take and give so many bytes a row, and compute nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from eventbraid.studies.simulation.configuration import config_text
from eventbraid.studies.simulation.reality.modules import INPUT
from eventbraid.studies.simulation.study import Ask, Client, Model

__all__ = ["write_models"]

OUTPUT = "y"


def write_models(models: Mapping[str, Model], client: Client, repository: Path) -> None:
    """Write those of the models that the client asks; a row has one byte at least."""
    for name, model in models.items():
        rows = [each.rows for each in client.modules if isinstance(each, Ask) and each.model == name]
        if not rows:
            continue
        version = repository / name / "1"
        version.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).with_name("zeros.py"), version / "model.py")
        tensors = (("input", INPUT, model.row_bytes), ("output", OUTPUT, model.answer_bytes))
        text = (
            config_text(name, model, max(rows)) + f'backend: "python"\ninstance_group {{ count: {model.instances} }}\n'
        )
        text += "".join(
            f'{way} {{ name: "{tensor}" data_type: TYPE_UINT8 dims: {max(size, 1)} }}\n'
            for way, tensor, size in tensors
        )
        (repository / name / "config.pbtxt").write_text(text)
