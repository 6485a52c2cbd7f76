"""The client: asks a server that runs somewhere, or one that it starts itself."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Final, Self

import grpc

from calibration_service._pb.calibration_pb2 import Constants, GetConstantsRequest
from calibration_service._pb.calibration_pb2_grpc import CalibrationStub
from eventbraid.errors import RequestError, ServerError, ServerTimeout, ServerUnavailable

__all__ = ["CalibrationClient"]

ERRORS: Final = {
    grpc.StatusCode.UNAVAILABLE: ServerUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: ServerTimeout,
    grpc.StatusCode.NOT_FOUND: RequestError,
}
OPTIONS: Final = [("grpc.enable_http_proxy", 0)]
"""The server is named directly; a proxy of the environment would be asked even for this machine."""
COMMAND: Final = (sys.executable, "-m", "calibration_service", "--attached")


class CalibrationClient:
    """Asks the server at `address`, "host:port", over a channel for each event loop: mode "threads" has several."""

    def __init__(self, address: str, process: Process | None = None) -> None:
        self.address = address
        self._process = process
        self._channels: dict[asyncio.AbstractEventLoop, Any] = {}

    @classmethod
    async def open(cls, address: str = "") -> Self:
        """A client of the server there; without an address, of one that it starts, and that ends with it."""
        if address:
            return cls(address)
        # A session of its own: Ctrl-C in the terminal is for the job, which asks until its last event.
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[1], start_new_session=True
        )
        assert process.stdout is not None
        said = (await process.stdout.readline()).decode().strip()
        client = cls(said, process)
        if not said:
            await client.aclose()
            raise ServerError("the calibration server did not start")
        return client

    async def constants(self, request: GetConstantsRequest, timeout: float) -> Constants:  # noqa: ASYNC109
        """The constants asked for; raises a `ServerError` that names the server, after `timeout` seconds at most."""
        try:
            answer: Constants = await self._stub().GetConstants(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            kind = ERRORS.get(error.code(), ServerError)
            what = f"no answer within {timeout:g} s" if kind is ServerTimeout else error.details()
            raise kind(f"the calibration service: {what}", server=self.address) from None
        return answer

    def _stub(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._channels:
            self._channels[loop] = grpc.aio.insecure_channel(self.address, options=OPTIONS)
        return CalibrationStub(self._channels[loop])  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """Close the channels, and end the server that was started."""
        for channel in self._channels.values():
            await channel.close()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()
