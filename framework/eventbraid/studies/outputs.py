"""The outputs of a job that is measured, sent elsewhere than the job says."""

from __future__ import annotations

from pathlib import Path

from eventbraid.job import Job
from eventbraid.outputs import OutputModule, ParquetOutput

__all__ = ["redirected"]


def redirected(job: Job, folder: Path) -> tuple[list[OutputModule], dict[str, Path]]:
    """The job's outputs, each writing a file below `folder`, and these files by name.

    An output that writes no file, or cannot be sent to another one, is replaced by a ParquetOutput of the
    same products, so that they can be compared.
    """
    outputs: list[OutputModule] = []
    files: dict[str, Path] = {}
    for number, output in enumerate(job.outputs, start=1):
        if isinstance(output, ParquetOutput):
            name, other = output.path.name, output.to(folder / str(number) / output.path.name)
        else:
            name = f"{type(output).__name__}.parquet"
            other = ParquetOutput(folder / str(number) / name, keep=output.keep, select=output.select)
        outputs.append(other)
        files[name if name not in files else f"{name} ({number})"] = other.path
    return outputs, files
