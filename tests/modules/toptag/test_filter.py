"""The decision on jets that look like top quarks."""

from __future__ import annotations

import numpy as np
import pytest

from eventbraid import Job
from eventbraid.testing import ListSource
from eventbraid_modules.toptag import TopFilter, TopScores


@pytest.mark.parametrize(("count", "score", "passed"), [(1, 0.5, 2), (2, 0.5, 1), (1, 0.85, 1), (1, 0.9, 0)])
async def test_events_pass_with_enough_jets_above_the_score(count: int, score: float, passed: int) -> None:
    events = ([], [0.2, 0.4], [0.1, 0.7], [0.6, 0.9])
    job = Job(
        "tops",
        source=ListSource([{"scores": TopScores(np.array(each, np.float32))} for each in events]),
        modules={"tops": TopFilter(count=count, score=score)},
        paths={"top": ["tops"]},
    )
    report = await job.run_async()
    assert report.paths["top"]["pass"] == passed
