"""Collisions made by Pythia 8, in blocks that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eventbraid import EventID
from eventbraid_modules.collisions import CollisionSource, Particles
from eventbraid_modules.collisions import generation as generation_module


@pytest.fixture
def small_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Blocks of 3 events in a cache of their own."""
    monkeypatch.setenv("EVENTBRAID_CACHE", str(tmp_path))
    monkeypatch.setattr(generation_module, "BLOCK", 3)
    monkeypatch.setattr("eventbraid_modules.collisions.source.BLOCK", 3)
    generate = generation_module.generate
    monkeypatch.setattr(generation_module, "generate", lambda *block: generate(*block, count=3, pool=4))
    return tmp_path


def events(source: CollisionSource) -> list[tuple[EventID, Particles]]:
    found = [entry for partition in source.partitions() for entry in partition]
    return [(entry.id, entry.products["particles"]) for entry in found]  # type: ignore[misc]


def test_a_sample_begins_with_every_shorter_one_and_is_kept(small_blocks: Path) -> None:
    first = events(CollisionSource(events=4))
    files = {file: file.stat().st_mtime_ns for file in small_blocks.rglob("*.parquet")}
    again = events(CollisionSource(events=8))
    assert [identity for identity, _ in again] == [EventID(1, 1, n + 1) for n in range(8)]
    for (_, one), (_, other) in zip(first, again, strict=False):
        assert np.array_equal(one.pt, other.pt)
        assert len(one) > 0
    assert all(file.stat().st_mtime_ns == time for file, time in files.items())
    assert not list(small_blocks.rglob("*.partial"))


def test_another_seed_or_mixture_gives_other_events(small_blocks: Path) -> None:
    samples = [
        events(CollisionSource(events=1, **more)) for more in ({}, {"seed": 2}, {"top_fraction": 1.0}, {"pileup": 0})
    ]
    sums = {float(sample[0][1].energy.sum()) for sample in samples}
    assert len(sums) == 4


def test_a_broken_cache_file_is_made_again_with_a_line_that_says_so(
    small_blocks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = events(CollisionSource(events=3))
    (file,) = small_blocks.rglob("*.parquet")
    file.write_bytes(b"garbage")
    assert np.array_equal(events(CollisionSource(events=3))[0][1].pt, whole[0][1].pt)
    assert "cannot be read" in capsys.readouterr().err
