"""The server: constants that follow from a seed, the run, the luminosity section and the detector."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from typing import Any, Final

import grpc
import numpy as np

from calibration_service._pb.calibration_pb2 import Constants, GetConstantsRequest
from calibration_service._pb.calibration_pb2_grpc import CalibrationServicer, add_CalibrationServicer_to_server

__all__ = ["CHANNELS", "main"]

CHANNELS: Final = {"HB": 2592, "HE": 2592, "HF": 1728}
"""The detectors, and how many channels each has."""
GAIN, PEDESTAL = 0.2, 3.0
"""Their means, in GeV/fC and in fC."""
SPREAD: Final = 0.1
"""Of gains and pedestals from channel to channel, as a share of their means."""


class Calibration(CalibrationServicer):
    """Answers after `latency` seconds, as a service with a database behind it does."""

    def __init__(self, seed: int, latency: float) -> None:
        self.seed, self.latency = seed, latency

    async def GetConstants(self, request: GetConstantsRequest, context: Any) -> Constants:  # noqa: N802
        """See protos/eventbraid/calibration/v1/calibration.proto."""
        if request.detector not in CHANNELS:
            known = ", ".join(CHANNELS)
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"there is no detector {request.detector!r}, there is {known}"
            )
        await asyncio.sleep(self.latency)
        number = list(CHANNELS).index(request.detector)
        rng = np.random.default_rng([self.seed, request.run, request.lumi, number])
        gains, pedestals = 1 + SPREAD * rng.standard_normal((2, CHANNELS[request.detector]))
        return Constants(gains=GAIN * gains, pedestals=PEDESTAL * pedestals)


async def serve(port: int, seed: int, latency: float, *, attached: bool) -> None:
    """Serve on 127.0.0.1, say where, and go on until cancelled or, where `attached`, until standard input ends."""
    server = grpc.aio.server()
    add_CalibrationServicer_to_server(Calibration(seed, latency), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    try:
        await (asyncio.to_thread(sys.stdin.read) if attached else server.wait_for_termination())
    finally:
        await server.stop(grace=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m calibration_service", description="Serves constants on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.01, metavar="SECONDS", help="of an answer; 0.01")
    parser.add_argument("--attached", action="store_true", help="end where standard input ends")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.seed, options.latency, attached=options.attached))
