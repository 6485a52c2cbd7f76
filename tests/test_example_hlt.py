"""The main job, end to end: the same decisions braided and blocking, with FACILE and with the fit in its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

sys.path.insert(0, str(Path(__file__).parent / "inference"))
from real_triton import require_triton

from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer, TritonServer, known_repositories
from eventbraid_modules.hlt import TemplateEnergies

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the output is written to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_both_modes_write_the_same_file(folder: Path) -> None:
    tables: list[Any] = []
    async with EmbeddedServer(known_repositories()) as server:
        job = load_job(ROOT / "examples/hlt.py").replace(events=40, servers=[server.address])
        for mode in ("async", "blocking"):
            report = await job.run_async(mode)
            assert report.events.read == 40
            assert 0 < report.events.passed < 40
            tables.append(parquet.read_table(folder / "hlt.parquet"))
    assert tables[0].equals(tables[1])
    assert {"run", "lumi", "event", "path.jets", "path.met", "jets.pt"} <= set(tables[0].column_names)


SERVERS: dict[str, Callable[[], Any]] = {
    "embedded": lambda: EmbeddedServer(known_repositories()),
    "emulated": lambda: EmbeddedServer(known_repositories(), device="emulated:v100"),
    "Triton": lambda: TritonServer(known_repositories()),
    "Triton, emulated": lambda: TritonServer(known_repositories(), device="emulated:v100"),
}
TRITON = pytest.mark.triton
NOBODY = "127.0.0.1:1"
"""Where no server is, so that this process computes itself."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=TRITON if "Triton" in name else ()) for name in SERVERS])
async def test_each_server_gives_the_products_of_this_process_itself(folder: Path, name: str) -> None:
    if "Triton" in name:
        require_triton()
    job = load_job(ROOT / "examples/hlt.py").replace(events=40)
    tables: list[Any] = []
    async with SERVERS[name]() as server:
        for address, fallen_back in ((server.address, 0), (NOBODY, 40)):
            report = await job.replace(servers=[address], fallback="local").run_async()
            assert report.events.read == 40
            assert sum(each["requests"] for each in report.inference["fallback"]) == fallen_back
            tables.append(parquet.read_table(folder / "hlt.parquet"))
    assert tables[0].equals(tables[1])


def test_the_fit_takes_faciles_place_by_one_word_and_needs_no_server(folder: Path) -> None:
    job = load_job(ROOT / "examples/hlt.py").replace(events=40)
    by_rule = replace(job, modules={**job.modules, "energies": TemplateEnergies()})
    report = by_rule.run()
    assert report.events.read == 40
    assert 0 < report.events.passed < 40


@pytest.mark.slow
def test_compare_finds_no_difference_and_draws_a_picture(folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("eventbraid")), "compare", str(ROOT / "examples/hlt.py")]
    done = subprocess.run([*command, "--events", "50", "--repeats", "1"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stderr
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")
