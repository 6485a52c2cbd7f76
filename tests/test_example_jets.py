"""The example with a ROOT file of the user's, end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest

sys.path.insert(0, str(Path(__file__).parent / "sources"))
from root_files import jagged, write_jets, write_tree

from eventbraid import ModuleError
from eventbraid.loading import load_job

EXAMPLE = Path(__file__).parents[1] / "examples/jets.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the output is written to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_both_modes_write_the_events_with_a_hard_jet(folder: Path) -> None:
    tables: list[Any] = []
    for mode in ("async", "blocking"):
        report = load_job(EXAMPLE).replace(settings={"source.files": write_jets(folder / "mine.root")}).run(mode)  # type: ignore[arg-type]
        assert report.events.read == 50
        tables.append(parquet.read_table(folder / "jets.parquet"))
    assert tables[0].equals(tables[1])
    assert 0 < len(tables[0]) == report.events.passed < 50
    assert all(max(pt) > 30 for pt in tables[0]["jets.pt"].to_pylist())


def test_muons_of_px_py_pz_and_energy_take_the_place_of_jets(folder: Path) -> None:
    columns = {"Muon_Px": [[30.0], []], "Muon_Py": [[40.0], []], "Muon_Pz": [[0.0], []], "Muon_E": [[130.0], []]}
    file = write_tree(folder / "mine.root", {name: jagged(lists) for name, lists in columns.items()})
    settings = {"source.files": str(file), "source.branches": {"objects": "Muon_*"}}
    load_job(EXAMPLE).replace(settings=settings).run()
    (row,) = parquet.read_table(folder / "jets.parquet").to_pylist()
    assert (row["jets.pt"], row["jets.eta"], row["jets.mass"]) == ([50.0], [0.0], [120.0])
    assert row["jets.phi"] == pytest.approx([np.arctan2(4, 3)])


def test_branches_that_make_no_jets_are_told(folder: Path) -> None:
    file = write_tree(folder / "mine.root", {"Jet_pt": jagged([[1.0]])})
    with pytest.raises(ModuleError, match="must end with pt, eta, phi, mass or px, py, pz, e; there is Jet_pt"):
        load_job(EXAMPLE).replace(settings={"source.files": str(file)}).run()


@pytest.mark.slow
def test_compare_finds_no_difference(folder: Path) -> None:
    write_jets(folder / "mine.root")
    command = [str(Path(sys.executable).with_name("eventbraid")), "compare", str(EXAMPLE), "--repeats", "1"]
    done = subprocess.run([*command, "--set", "source.files=mine.root"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stderr
