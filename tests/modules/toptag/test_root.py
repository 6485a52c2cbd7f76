"""The example with a ROOT file of the user's, end to end."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "sources"))
from root_files import jagged, write_tree

from eventbraid import ModuleError
from eventbraid.loading import load_job
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.collisions.generation import Collision

EXAMPLES = Path(__file__).parents[3] / "examples"


def written(file: Path, collisions: list[Collision], prefix: str) -> Path:
    """The particles of collisions as branches."""
    columns: dict[str, list[Any]] = {name: [] for name in ("pt", "eta", "phi", "mass", "charge")}
    for particles, _ in collisions:
        momentum = particles.pt * np.cosh(particles.eta, dtype=float)
        mass = np.sqrt(np.maximum(particles.energy.astype(float) ** 2 - momentum**2, 0))
        for name in ("pt", "eta", "phi", "charge"):
            columns[name].append(getattr(particles, name).tolist())
        columns["mass"].append(mass.tolist())
    return write_tree(
        file,
        {
            f"{prefix}_{name}": jagged(lists, "int8" if name == "charge" else "float32")
            for name, lists in columns.items()
        },
    )


@pytest.mark.parametrize("prefix", ["PFCands", "Cand"])
def test_the_jets_of_a_file_have_the_scores_of_the_particles_that_were_written(
    collisions: list[Collision], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    few = collisions[:12]
    settings: dict[str, Any] = {"source.files": str(written(tmp_path / "mine.root", few, prefix))}
    if prefix != "PFCands":
        settings["source.branches"] = {"candidates": f"{prefix}_*"}
    job = load_job(EXAMPLES / "toptag_root.py").replace(settings=settings)
    assert job.run().events.passed == len(few)
    found = parquet.read_table("toptag.parquet").to_pylist()
    output = ListOutput(keep=["scores", "shapes"])
    source = ListSource([event._asdict() for event in few])
    replace(load_job(EXAMPLES / "toptag.py"), source=source, outputs=[output]).run()
    wanted = sorted(output.rows, key=lambda row: row.id)
    assert sum(len(row["scores.score"]) for row in found) > len(few)
    for row, made in zip(found, wanted, strict=True):
        assert row["scores.score"] == pytest.approx(made.products["scores"].score, abs=0.02)
        assert row["shapes.score"] == pytest.approx(made.products["shapes"].score, abs=0.02)


def test_a_branch_that_is_missing_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    file = write_tree(tmp_path / "mine.root", {f"PFCands_{name}": jagged([[1.0]]) for name in ("pt", "eta", "phi")})
    job = load_job(EXAMPLES / "toptag_root.py").replace(settings={"source.files": str(file)})
    with pytest.raises(ModuleError, match="no branch ends with charge, mass; there is PFCands_pt"):
        job.run()
