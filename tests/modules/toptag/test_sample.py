"""The sample that is trained on, and what is built and told with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eventbraid.serving import Repository
from eventbraid_modules.collisions import CollisionSource
from eventbraid_modules.collisions.generation import Collision, Mixture, block_file
from eventbraid_modules.toptag import sample as sample_module
from eventbraid_modules.toptag.images import make_images
from eventbraid_modules.toptag.jets import find_fat_jets
from eventbraid_modules.toptag.sample import MIXTURE, draw_sample
from eventbraid_modules.toptag.train_toptag import build, main


@pytest.fixture(autouse=True)
def blocks_of_20(collisions: list[Collision], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of the collisions of this run."""

    def block(seed: int, number: int, mixture: Mixture) -> list[Collision]:
        assert mixture is MIXTURE
        return collisions[20 * number : 20 * (number + 1)]

    monkeypatch.setattr(sample_module, "cached_block", block)


def test_a_sample_is_the_images_of_all_jets_of_so_many_events(collisions: list[Collision]) -> None:
    found = draw_sample(50, 1, 32)
    jets = [find_fat_jets(event.particles) for event in collisions[:50]]
    wanted = np.concatenate([make_images(each, 32).pixels for each in jets])
    assert np.array_equal(found.pixels, wanted)
    assert len(found.top) == len(wanted)
    assert 0.2 < found.top.mean() < 0.6


def test_a_sample_begins_with_every_shorter_one() -> None:
    long, short = draw_sample(50, 1, 32), draw_sample(30, 1, 32)
    assert np.array_equal(long.pixels[: len(short.pixels)], short.pixels)
    assert np.array_equal(long.top[: len(short.top)], short.top)


def test_the_examples_job_keeps_its_collisions_in_the_files_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path))
    source = CollisionSource(events=1, seed=201, top_fraction=0.5, pileup=0, hard_pt=500)
    of_source = Mixture(source.top_fraction, source.pileup, source.hard_pt)
    assert block_file(201, 0, of_source) == block_file(201, 0, MIXTURE)


def test_the_builder_writes_a_model_that_a_server_takes(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    build(tmp_path / "toptag", events=40, epochs=1)
    (entry,) = Repository.open([tmp_path]).models
    assert (entry.name, entry.batches, entry.max_batch_size) == ("toptag", True, 1024)


def test_the_training_tells_the_figures_of_network_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    monkeypatch.setattr("eventbraid_modules.toptag.train_toptag.HELD_OUT", 40)
    main(["--events", "40", "--epochs", "1", "--model", str(tmp_path / "toptag")])
    said = capsys.readouterr().out
    for name in ("residual network", "mass and N-subjettiness"):
        assert f"{name}: area under the ROC curve 0." in said
    assert (tmp_path / "toptag/1/model.onnx").exists()
