"""Collisions made by Pythia 8, in blocks that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eventbraid import EventID
from eventbraid.errors import ConfigurationError
from eventbraid_modules.collisions import CollisionSource, Particles, Tops
from eventbraid_modules.collisions import generation as generation_module
from eventbraid_modules.collisions.generation import Collision, Mixture, block_file, generate


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


def hardest(event: Collision) -> float:
    """Transverse momentum of the hardest hemisphere, GeV."""
    x, y = (event.particles.pt * of(event.particles.phi) for of in (np.cos, np.sin))
    axis = np.arctan2(y[event.particles.pt.argmax()], x[event.particles.pt.argmax()])
    along = x * np.cos(axis) + y * np.sin(axis)
    return float(along[along > 0].sum())


def test_both_kinds_of_an_event_are_hard_where_that_is_asked_for() -> None:
    for top_fraction in (0.0, 1.0):
        soft, hard = (list(generate(1, 0, Mixture(top_fraction, 0.0, pt), count=6)) for pt in (0.0, 500.0))
        assert min(map(hardest, hard)) > 350
        assert np.median([hardest(event) for event in soft]) < 300


def test_the_collisions_beside_a_hard_one_are_soft() -> None:
    alone, beside = (next(generate(1, 0, Mixture(1.0, mean, 500.0), count=1, pool=4)).particles for mean in (0.0, 6.0))
    assert np.array_equal(beside.pt[: len(alone)], alone.pt)
    others = beside.pt[len(alone) :]
    assert len(others) > 100
    assert others.max() < 30


def test_tops_that_decay_to_quarks_are_told_and_are_where_their_energy_is() -> None:
    events = list(generate(1, 0, Mixture(1.0, 0.0, 500.0), count=24))
    counts = [len(event.tops) for event in events]
    assert set(counts) <= {0, 1, 2}
    assert np.mean(counts) == pytest.approx(2 * 0.67, abs=0.35)  # of W bosons, 67 % decay to quarks
    shares: list[float] = []
    for seen, tops in events:
        for pt, eta, phi in zip(tops.pt, tops.eta, tops.phi, strict=True):
            turn = np.angle(np.exp(1j * (seen.phi - phi)))
            inside = np.hypot(seen.eta - eta, turn) < 1.5
            shares.append(float(seen.pt[inside].sum() / pt))
    assert np.median(shares) == pytest.approx(1, abs=0.15)


def test_events_without_top_pairs_have_no_tops() -> None:
    for pt in (0.0, 300.0):
        assert [len(event.tops) for event in generate(1, 0, Mixture(0.0, 0.0, pt), count=4)] == [0] * 4


def test_tops_are_kept_with_the_particles(small_blocks: Path) -> None:
    def tops() -> list[Tops]:
        source = CollisionSource(events=3, top_fraction=1.0, pileup=0, hard_pt=500)
        return [entry.products["tops"] for partition in source.partitions() for entry in partition]  # type: ignore[misc]

    made, kept = tops(), tops()
    assert sum(map(len, made)) > 0
    for one, other in zip(made, kept, strict=True):
        assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("pt", "eta", "phi"))
        assert other.pt.dtype == np.float32


def test_a_blocks_file_is_another_for_every_part_of_the_mixture() -> None:
    mixtures = [Mixture(), Mixture(0.4), Mixture(pileup=3.0), Mixture(hard_pt=500.0), Mixture(hard_pt=500.01)]
    assert len({block_file(1, 0, mixture) for mixture in mixtures}) == len(mixtures)


@pytest.mark.parametrize("value", [-1, 4000, float("nan"), float("inf")])
def test_a_momentum_that_no_collision_has_is_told(value: float) -> None:
    with pytest.raises(ConfigurationError, match="hard_pt"):
        CollisionSource(hard_pt=value).check()
