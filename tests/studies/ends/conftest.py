"""Where the commands find models, and the real Triton with all of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "inference"))
sys.path.insert(0, str(Path(__file__).parents[2] / "modules/protodune"))
sys.path.insert(0, str(Path(__file__).parent))
from real_triton import triton
from untrained import write_untrained
from workflows import EXAMPLES, WORKFLOWS, Workflow

import eventbraid_modules.models


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which the model of the detector lies, as `eventbraid models build` leaves it."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "models").mkdir()
    write_untrained(folder / "models")
    return folder


@pytest.fixture(scope="session")
def real(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the real Triton with the models of all jobs."""
    repository = tmp_path_factory.mktemp("models")
    (shipped,) = eventbraid_modules.models.__path__
    for folder in (Path(shipped) / "facile", EXAMPLES / "tutorial/models/top", cache / "models/emtrackmichelid"):
        shutil.copytree(folder, repository / folder.name)
    with triton(repository) as address:
        yield address


@pytest.fixture(params=WORKFLOWS, ids=[each.file.stem for each in WORKFLOWS])
def workflow(request: pytest.FixtureRequest) -> Workflow:
    """Each of the jobs."""
    chosen: Workflow = request.param
    return chosen
