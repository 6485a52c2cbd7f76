"""Which GPUs a model of the real Triton uses: those that are there, may be seen, and that its runtime knows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection
from typing import Any, Final

__all__ = ["CUDA", "find_gpus", "place", "usable_gpus", "visible_gpus"]

CUDA: Final = "CUDAExecutionProvider"
LISTING_SECONDS: Final = 20.0


def find_gpus() -> int:
    """How many GPUs this process may use, by nvidia-smi and CUDA_VISIBLE_DEVICES."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=LISTING_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return visible_gpus(done.stdout if done.returncode == 0 else "", os.environ.get("CUDA_VISIBLE_DEVICES"))


def visible_gpus(listing: str, visible: str | None) -> int:
    """How many of the GPUs of `nvidia-smi -L` a value of CUDA_VISIBLE_DEVICES leaves; CUDA numbers them from 0.

    As CUDA does, it stops at the first one that is not there: "0,7,1" is one of two.
    """
    found = dict(re.findall(r"^GPU (\d+): .*\(UUID: (GPU-[\w-]+)\)", listing, re.MULTILINE))
    parts = re.findall(r"\(UUID: (MIG-[\w/-]+)\)", listing)
    if visible is None:
        return len(found)
    count = 0
    for each in map(str.strip, visible.split(",")):
        named = each.startswith("GPU-") and any(uuid.startswith(each) for uuid in found.values())
        if not (named or each in found or any(each.startswith("MIG-") and uuid.startswith(each) for uuid in parts)):
            break
        count += 1
    return count


def usable_gpus(gpus: int, providers: Collection[str]) -> int:
    """None where onnxruntime has no CUDA."""
    return gpus if CUDA in providers else 0


def place(config: Any, gpus: int) -> None:
    """Put the instances of a ModelConfig on GPUs where there are some, and on the CPU where there is none.

    What says KIND_CPU stays there; what says KIND_GPU goes to the CPU where Triton would refuse it.
    """
    if gpus and not config.instance_group:
        config.instance_group.add()
    for group in config.instance_group:
        if gpus and group.kind == group.KIND_AUTO:
            group.kind = group.KIND_GPU
        elif not gpus and group.kind == group.KIND_GPU:
            group.kind = group.KIND_CPU
            del group.gpus[:]
