"""The turn-on curves of the trigger."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eventbraid_modules.hlt.picture import CHAINS, draw, main


def test_the_picture_is_drawn_of_a_few_events(tmp_path: Path) -> None:
    main(["--events", "10", "--file", str(tmp_path / "a.png")])
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_the_picture_is_drawn_where_nothing_passed(tmp_path: Path) -> None:
    draw({name: np.zeros((3, 2)) for name in CHAINS}, tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 5000
