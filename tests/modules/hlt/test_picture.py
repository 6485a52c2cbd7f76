"""The turn-on curves of the trigger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eventbraid_modules.hlt.picture import CHAINS, draw, main, turn_on


def test_a_turn_on_is_the_share_that_passes_in_each_bin_with_its_binomial_error() -> None:
    truth = np.array([5.0, 5, 5, 5, 15, 15, 25])
    passed = np.array([True, False, False, False, True, True, False])
    share, error = turn_on(truth, passed, np.array([0.0, 10, 20, 30, 40]))
    assert share[:3].tolist() == [0.25, 1, 0]
    assert error[0] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    assert np.isnan(share[3])


def test_the_picture_is_drawn_of_a_few_events(tmp_path: Path) -> None:
    main(["--events", "10", "--file", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_the_picture_is_drawn_where_nothing_passed(tmp_path: Path) -> None:
    draw({name: np.zeros((3, 2)) for name in CHAINS}, tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 5000
