"""Job files that the tests of the commands write."""

GOOD = '''
import asyncio

from eventbraid import Event, ExternalProducer, Filter, Input, Job, Output, Parameter, Producer
from eventbraid.sources import EmptySource


class Number(Producer):
    """The event's number."""

    n = Output[int]()
    scale = Parameter(1, ge=0, doc="what it is multiplied with")

    def produce(self, event: Event) -> None:
        event[self.n] = event.id.event * self.scale


class Away(ExternalProducer[int, int]):
    n = Input[int]("n")
    m = Output[int]()

    async def acquire(self, event: Event) -> int:
        return event[self.n]

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(0)
        return acquired + 1

    async def produce(self, event: Event, result: int) -> None:
        event[self.m] = result


class Odd(Filter):
    m = Input[int]("away")

    def filter(self, event: Event) -> bool:
        return event[self.m] % 2 == 1


job = Job(
    "small",
    source=EmptySource(events=10),
    modules={"n": Number(), "away": Away(), "odd": Odd()},
    paths={"p": ["odd"]},
)
'''

RAISES = GOOD.replace("return acquired + 1", "return 1 // (acquired - 4)")

HANGS = GOOD.replace("EmptySource(events=10)", "EmptySource(events=100000)").replace(
    "await asyncio.sleep(0)", "await asyncio.sleep(0.001)"
)
"""A job that would take a minute: for tests that stop it."""

SWITCHED = '''
from eventbraid import Alias, Event, Filter, Input, Job, Output, Parameter, Producer, Switch
from eventbraid.sources import EmptySource


class Tracks(Producer):
    """Tracks as ever."""

    n = Output[int]()
    most = Parameter(9, doc="tracks at most")

    def produce(self, event: Event) -> None:
        event[self.n] = int(event.random(self).integers(self.most))


class TracksOnGpu(Tracks):
    """Tracks by the card."""


class Any(Filter):
    n = Input[int]("tracks")

    def filter(self, event: Event) -> bool:
        return event[self.n] > 0


job = Job(
    "switched",
    source=EmptySource(events=20),
    modules={
        "tracks": Switch(gpu=TracksOnGpu(most=1), cpu=Tracks()),
        "particles": Alias("tracks"),
        "any": Any(n="particles"),
    },
    paths={"p": ["any"]},
)
'''
"""A job with a switch, an alias and random numbers: no event passes on the gpu."""
