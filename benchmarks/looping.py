"""onnxruntime called in a loop by this process alone, one thread: prints rows a second as a line of JSON."""

from __future__ import annotations

import json
import sys
from time import perf_counter

import numpy as np
import onnxruntime

SHAPE = (1693, 48, 48, 1)
CALLS, WARM = 12, 6
"""What a call needs is in memory only after some."""


def main() -> int:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).random(SHAPE, np.float32)
    for _ in range(WARM):
        session.run(["y"], {"x": x})
    began = perf_counter()
    for _ in range(CALLS):
        session.run(["y"], {"x": x})
    print(json.dumps({"per_second": CALLS / (perf_counter() - began)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
