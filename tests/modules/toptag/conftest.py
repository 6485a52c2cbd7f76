"""Collisions that are made in the run."""

from __future__ import annotations

import pytest

from eventbraid_modules.collisions.generation import Collision, generate
from eventbraid_modules.toptag.sample import MIXTURE


@pytest.fixture(scope="session")
def collisions() -> list[Collision]:
    """Half top pairs and half QCD, hard, as the network is trained on, of a seed that it has not seen."""
    return list(generate(7, 0, MIXTURE, count=150))
