"""The presets reach what the papers report; every number here is one of theirs."""

from __future__ import annotations

import pytest

from eventbraid.serving.emulation import PRESETS, parse_device, plateau

RESNET = "B, 5.2.3 and Table 2"
EMTRACK = "A, 3.2 and 3.4"


@pytest.mark.parametrize(
    ("device", "model", "rows", "joined", "low", "high", "source"),
    [
        ("v100", "facile", 16_000, 1, 500, 500, "B, 5.2.1 and Table 2"),
        ("v100,gpus=4", "facile", 16_000, 1, 2000, 2000, "B, 5.2.1: approximately"),
        ("v100,gpus=8", "facile", 16_000, 1, 4000, 4000, "B, 5.2.1: approximately"),
        ("v100", "facile", 16_000, 4, 500, 500, "B, 5.3.1: no gain by dynamic batching"),
        ("v100", "facile", 4_500, 1, 500, 600, "B, 5.1: a latency similar to that of 16,000 rows, 2 ms"),
        ("t4", "facile", 16_000, 1, 500 / 1.2, 500 / 1.1, "B, 5.2.1: the V100 gains 10 to 20 %"),
        ("v100", "deepcalo", 5, 1, 680, 680, "B, 5.2.2 and Table 2"),
        ("v100", "deepcalo", 5, 100, 9800, 9800, "B, 5.3.1 and Table 2, with batches of 500"),
        ("t4", "resnet50", 10, 1, 25, 25, RESNET),
        ("t4,gpus=4", "resnet50", 10, 1, 4 * 25 * 0.85, 4 * 25 * 0.85, RESNET),
        ("t4,gpus=8", "resnet50", 10, 1, 8 * 25 * 0.85, 8 * 25 * 0.85, RESNET),
        ("t4,gpus=4", "emtrackmichelid", 235, 1, 80_000 / 235, 4 * 22_000 / 235, EMTRACK),
        ("t4,gpus=4", "emtrackmichelid", 1693, 1, 122_000 / 1693, 125_000 / 1693, EMTRACK),
        (
            "t4,gpus=4",
            "emtrackmichelid",
            5358,
            1,
            122_000 / 5358,
            1.04 * 126_000 / 5358,
            "A, 3.2 and Fig. 4, joined: 4 % more",
        ),
    ],
)
def test_a_preset_reaches_the_papers_plateau(
    device: str, model: str, rows: int, joined: int, low: float, high: float, source: str
) -> None:
    reached = plateau(parse_device(f"emulated:{device}"), model, rows, joined)
    assert low * 0.999 <= reached <= high * 1.001, source


@pytest.mark.parametrize("name", PRESETS)
def test_every_model_of_a_preset_says_where_it_comes_from(name: str) -> None:
    for model, measured in PRESETS[name].models.items():
        assert PRESETS[name].find(model) is measured
        assert measured.source[:2] in ("A ", "B ")
