"""`eventbraid serve --faults`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository

from eventbraid.errors import RequestError
from eventbraid.inference import TritonClient

PROGRAM = "from eventbraid.cli import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models."""
    made = tmp_path_factory.mktemp("faults")
    make_repository(made / "models")
    return made


def options(folder: Path, script: str) -> list[str]:
    (folder / "faults.toml").write_text(script)
    return ["serve", "--port=0", f"--models={folder / 'models'}", f"--faults={folder / 'faults.toml'}"]


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """What `eventbraid serve` serves with a script that refuses the first request."""
    script = '[[fault]]\nkind = "refuse"\nstatus = "INVALID_ARGUMENT"\nmessage = "not today"\nfirst = 1'
    command = [sys.executable, "-c", PROGRAM, *options(folder, script), f"--json={folder / 'ready.json'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            assert said.startswith("serving"), said
            yield json.loads((folder / "ready.json").read_text())["address"]
        finally:
            process.terminate()
            process.stderr.read()


async def test_the_server_misbehaves_by_the_script(address: str) -> None:
    client = TritonClient([address])
    ones = {"x": np.ones((1, 3), np.float32)}
    with pytest.raises(RequestError, match="not today"):
        await client.infer("sum", ones)
    assert (await client.infer("sum", ones))["total"].tolist() == [[3]]
    await client.aclose()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            '[[fault]]\nkind = "delai"\nseconds = 1',
            "faults.toml, fault 1: there is no kind 'delai' (did you mean 'delay'?)",
        ),
        ('[[fault]]\nkind = "drop"\nmodel = "summ"', "fault 1: there is no model 'summ' (did you mean 'sum'?)"),
    ],
)
def test_a_script_that_is_wrong_is_told_before_anything_is_served(
    call: Any, folder: Path, script: str, said: str
) -> None:
    called = call(*options(folder, script))
    assert called.code == 2
    assert said in " ".join(called.err.split())
