"""The calls of the job control service, on the loop of the job that it controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

from eventbraid.control.rate import EVERY, RecentRate
from eventbraid.control.replies import in_order, state_of, status_reply, where_rows
from eventbraid.control.subject import Controlled, check_interval, check_streams
from eventbraid.errors import ConfigurationError, EventbraidError, need_extra

__all__ = ["Calls"]

WHY = "the job control service"


class Calls:
    """One method for each call; `begin()` before the first, `end()` after the job."""

    def __init__(self, run: Controlled) -> None:
        self._run = run
        self._rate = RecentRate()
        self._ended = asyncio.Event()
        self._changing = asyncio.Lock()
        self._changes: set[asyncio.Task[str]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._grpc = need_extra("grpc", "inference", WHY)
        self._messages = need_extra("eventbraid.control._pb.job_pb2", "inference", WHY)
        self._generated = need_extra("eventbraid.control._pb.job_pb2_grpc", "inference", WHY)

    def register(self, server: Any) -> None:
        """Have a server answer the calls."""
        servicer: Any = self._generated.JobControlServicer()
        servicer.Status, servicer.Watch, servicer.Where = self.status, self.watch, self.where
        servicer.Drain, servicer.Resume, servicer.Stop = self.drain, self.resume, self.stop
        servicer.SetStreams = self.set_streams
        self._generated.add_JobControlServicer_to_server(servicer, server)

    def begin(self) -> None:
        """Follow the rate from now on."""
        self._rate.sample(perf_counter(), self._run.ledger.read)
        self._timer = asyncio.get_running_loop().call_later(EVERY, self.begin)

    async def end(self) -> None:
        """The job is over: those who watch are told, changes under way are given up."""
        if self._timer is not None:
            self._timer.cancel()
        self._ended.set()
        for change in self._changes:
            change.cancel()
        if self._changes:
            await asyncio.wait(self._changes)

    def _status(self, where: int = 0) -> Any:
        recent = self._rate.per_second(perf_counter(), self._run.ledger.read)
        return status_reply(self._run, self._messages, recent, ended=self._ended.is_set(), where=where)

    async def status(self, request: Any, context: Any) -> Any:
        """What the job is doing now."""
        return self._status()

    async def watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """The same again and again; where a client is slow, fewer are made, and none waits in a queue."""
        try:
            interval = check_interval(request.interval)
        except ConfigurationError as error:
            await self._invalid(context, str(error))
            raise
        while not self._ended.is_set():
            yield self._status(request.where)
            try:
                await asyncio.wait_for(self._ended.wait(), interval)
            except TimeoutError:
                continue
        yield self._status(request.where)

    async def where(self, request: Any, context: Any) -> Any:
        """Where the oldest events in flight are."""
        found = in_order(self._run.whereabouts())
        shown = found[: request.limit or None]
        return self._messages.WhereReply(events=where_rows(shown, self._messages), total=len(found))

    async def drain(self, request: Any, context: Any) -> Any:
        """Finish what is in flight, and wait."""
        run = self._run
        if run.reason:
            await self._refuse(context, f"the job is stopping: {run.reason}; it reads no more events anyway")
        held = not run.held
        run.hold()
        return self._messages.DrainReply(held=held, state=state_of(run))

    async def resume(self, request: Any, context: Any) -> Any:
        """Read on."""
        run = self._run
        if run.reason:
            await self._refuse(context, f"the job is stopping: {run.reason}; it cannot go on")
        resumed = run.held
        run.resume()
        return self._messages.ResumeReply(resumed=resumed, state=state_of(run))

    async def stop(self, request: Any, context: Any) -> Any:
        """Read no more, and end."""
        run = self._run
        if request.after_lumi and request.cancel:
            await self._invalid(context, "either after the luminosity section, or cancelled: it cannot be both")
        if request.after_lumi and run.held:
            message = "the job is drained, so that no luminosity section ends: resume it first, or stop it at once"
            await self._refuse(context, message)
        reason = request.reason or "asked to stop"
        stopped = run.stop(reason, after_lumi=request.after_lumi, cancel=request.cancel)
        return self._messages.StopReply(stopped=stopped, reason=run.reason)

    async def set_streams(self, request: Any, context: Any) -> Any:
        """Have another number of events in flight; a change that has begun is made even if the client goes."""
        try:
            streams = check_streams(request.streams)
        except ConfigurationError as error:
            await self._invalid(context, str(error))
            raise
        if self._run.mode == "blocking":
            await self._refuse(context, "a job in blocking mode has one event in flight; run it with --mode async")
        change = asyncio.create_task(self._change(streams))
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)
        if fault := await asyncio.shield(change):
            await self._refuse(context, fault)
        return self._messages.SetStreamsReply(streams=self._run.streams)

    async def _change(self, streams: int) -> str:
        """One change at a time; what is wrong with it, if anything is."""
        try:
            async with self._changing:
                await self._run.set_streams(streams)
        except EventbraidError as error:
            return str(error)
        except asyncio.CancelledError:  # by end(), the only one who cancels it
            return "the job has ended"
        return ""

    async def _invalid(self, context: Any, message: str) -> None:
        await context.abort(self._grpc.StatusCode.INVALID_ARGUMENT, message)

    async def _refuse(self, context: Any, message: str) -> None:
        await context.abort(self._grpc.StatusCode.FAILED_PRECONDITION, message)
