"""How events get from a source into a job: one partition ahead, in a thread where the source blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from eventbraid.errors import DataError, EventbraidError
from eventbraid.sources.base import Entry, Source

__all__ = ["Intake"]


class Intake:
    """Entries one by one, up to `limit`; `stop()` ends them early."""

    def __init__(self, source: Source, limit: int | None) -> None:
        self._source = source
        self._left = limit
        self._partitions: Iterator[Iterable[Entry]] | None = None
        self._partition: Iterator[Entry] = iter(())
        self._ahead: asyncio.Future[Iterator[Entry] | None] | None = None
        self.ended = limit == 0
        self.read = 0
        self._last: Entry | None = None
        self._last_lumi: tuple[int, int] | None = None
        self.held = False
        """True while nothing is to be read."""
        self.resumed = asyncio.Event()

    def stop(self, *, after_lumi: bool = False) -> None:
        """Read no more, or no more than the luminosity section that is being read."""
        if after_lumi and self._last is not None:
            self._last_lumi = self._last.id[:2]
        else:
            self.ended = True
        self.resume()

    def hold(self) -> None:
        """Read nothing until `resume` or `stop`."""
        self.held = True
        self.resumed.clear()

    def resume(self) -> None:
        """Read again."""
        self.held = False
        self.resumed.set()

    def poll(self) -> Entry | None:
        """The next entry of the current partition, or None: then `ended`, or `load()` is due.

        An entry with event number 0 is none: it opens a luminosity section, or, with lumi 0, a run.
        """
        if self.ended:
            return None
        try:
            entry = next(self._partition, None)
        except EventbraidError:
            self.ended = True
            raise
        except Exception as error:
            self.ended = True
            raise _bad(self._source, self.read, error) from error
        if entry is None:
            return None
        if self._last_lumi is not None and entry.id[:2] != self._last_lumi:
            self.ended = True
            return None
        self._last = entry
        if entry[0][2]:
            self.read += 1
            if self._left is not None:
                self._left -= 1
                self.ended = self._left == 0
        return entry

    async def open(self) -> None:
        """Have the first partition fetched; what fails in that is raised by the first `load`."""
        if not self.ended:
            self._ahead = self._fetch()
            await asyncio.wait([self._ahead])

    async def load(self) -> None:
        """Make the next partition current, or set `ended`; fetches the one after it meanwhile."""
        try:
            ahead = self._ahead or self._fetch()
            partition = await ahead
        except EventbraidError:
            self.ended = True
            raise
        except Exception as error:
            self.ended = True
            raise _bad(self._source, self.read, error) from error
        if partition is None:
            self.ended = True
            return
        self._partition = partition
        self._ahead = self._fetch() if self._source.blocking else None

    def _fetch(self) -> asyncio.Future[Iterator[Entry] | None]:
        loop = asyncio.get_running_loop()
        if self._source.blocking:
            return loop.run_in_executor(None, self._next)
        future: asyncio.Future[Iterator[Entry] | None] = loop.create_future()
        try:
            future.set_result(self._next())
        except Exception as error:  # noqa: BLE001  # it belongs to whoever awaits
            future.set_exception(error)
        return future

    def _next(self) -> Iterator[Entry] | None:
        if self._partitions is None:
            self._partitions = iter(self._source.partitions())
        for partition in self._partitions:
            return iter(partition)
        return None

    async def aclose(self) -> None:
        """Wait for the partition that is being fetched; its error is nobody's any more."""
        if self._ahead is not None:
            await asyncio.wait([self._ahead])
            self._ahead.exception()
            self._ahead = None


def _bad(source: Source, read: int, error: Exception) -> DataError:
    return DataError(f"{type(source).__name__} failed after {read} events: {type(error).__name__}: {error}")
