"""Compares the modes of a job in one call; `Study` is the same for whoever wants what is there in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Unpack

from eventbraid.studies.comparison.comparison import Comparison
from eventbraid.studies.comparison.study import Study, StudyOptions

__all__ = ["compare", "compare_async"]


def compare(job_file: str | Path, **options: Unpack[StudyOptions]) -> Comparison:
    """Compare the modes of a job; see `compare_async`."""
    return asyncio.run(compare_async(job_file, **options))


async def compare_async(job_file: str | Path, **options: Unpack[StudyOptions]) -> Comparison:
    """Run a `Study` with these options, in blocking mode and braided by default; draw its `picture` unless None."""
    study = Study(job_file, **options)
    comparison = await study.run()
    study.draw(comparison)
    return comparison
