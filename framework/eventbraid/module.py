"""What modules are: Producer, Filter and Analyzer, each an asynchronous class with declared inputs and outputs."""

from __future__ import annotations

import copy
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias, get_args

from eventbraid.errors import nearest
from eventbraid.event import Event, Input, Output
from eventbraid.parameters import Configurable, Parameter
from eventbraid.section import Kept, Section

if TYPE_CHECKING:
    from eventbraid.resources import Resources

__all__ = ["Analyzer", "Figure", "Filter", "Kind", "Module", "OnError", "Producer"]

Kind = Literal["stream", "shared", "serial"]
OnError = Literal["stop", "skip", "continue"]
Figure: TypeAlias = float | int | str

SECTION_STEPS: Final = ("begin_run", "end_run", "begin_lumi", "end_lumi")


class Module(Configurable):
    """The base of all modules; users derive from Producer, Filter, Analyzer or their external forms.

    `kind` says how many copies there are: "stream", one for each event in flight, with a state of its own;
    "shared", one, called concurrently; "serial", one, called once at a time. `limit` bounds the concurrent
    calls of all copies; `resources` names what the module uses alone in the whole job.
    A method may be `async def`, or a plain `def` where it never waits, which is cheaper.
    `on_error` is what its exceptions do where that differs from the job's.
    `module_timeout` and `external_timeout` are seconds for all its steps of one event and for its external
    work alone; what waits longer is cancelled and fails. `offload` sends plain `def` steps to a thread, for
    code that releases the GIL and would stall the events in flight.
    """

    kind: ClassVar[Kind] = "stream"
    limit: ClassVar[int | None] = None
    resources: ClassVar[tuple[str, ...]] = ()
    on_error: ClassVar[OnError | None] = None
    module_timeout: ClassVar[float | None] = None
    external_timeout: ClassVar[float | None] = None
    offload: ClassVar[bool] = False
    decides: ClassVar[bool] = False
    _steps: ClassVar[tuple[str, ...]] = ()
    _label: str

    def _take(self, settings: dict[str, Any]) -> None:
        self._label = ""  # set when a run begins
        for name, token in self.inputs():
            bound = copy.copy(token)
            label = settings.pop(name, token.label)
            if not isinstance(label, str) or not label:
                found = f", not {label!r}" if label else ""
                self._fault(f"input {name!r} needs the label of a module or a product of the source{found}")
                label = ""
            bound.label = label
            setattr(self, name, bound)
        for name, kept in self._declared(Kept):
            setattr(self, name, copy.copy(kept))
        for name, output in self.outputs():
            if name in settings:
                self._fault(f"output {name!r} takes no value: it is named by the module's label")
                settings.pop(name)
            setattr(self, name, copy.copy(output))

    def _keywords(self) -> Iterator[str]:
        return (name for name, _ in self.inputs())

    @classmethod
    def inputs(cls) -> Iterator[tuple[str, Input[Any]]]:
        """Every input that the class declares, with its name."""
        return cls._declared(Input)

    @classmethod
    def outputs(cls) -> Iterator[tuple[str, Output[Any]]]:
        """Every output that the class declares, with its name."""
        return cls._declared(Output)

    def tokens(self) -> Iterator[Input[Any]]:
        """The inputs of this module with the labels that it was given."""
        return (getattr(self, name) for name, _ in self.inputs())

    def begin_job(self) -> Awaitable[None] | None:
        """Called once for each copy before the first event; may be `async def`."""

    def end_job(self) -> Awaitable[None] | None:
        """Called once for each copy after the last event, if its `begin_job` succeeded; may be `async def`."""

    def figures(self) -> Mapping[str, Figure]:
        """What the job's summary and report show of this module, by name, with the unit in it: "resolution, GeV".

        Asked for after `end_job`; for kinds "shared" and "serial", of which there is one copy. Events end in any
        order: what must be the same in every mode is counted, or made of sums over what was sorted by event.
        """
        return {}

    def begin_run(self, run: Section, /) -> Awaitable[None] | None:
        """Called for each copy before its first event of a run; may be `async def`."""

    def end_run(self, run: Section, /) -> Awaitable[None] | None:
        """Called after the last event of a run, if its `begin_run` succeeded; may be `async def`."""

    def begin_lumi(self, lumi: Section, /) -> Awaitable[None] | None:
        """Called for each copy before its first event of a luminosity section; may be `async def`."""

    def end_lumi(self, lumi: Section, /) -> Awaitable[None] | None:
        """Called after the last event of a luminosity section, if its `begin_lumi` succeeded; may be `async def`."""

    @classmethod
    def follows_sections(cls) -> bool:
        """True for a class that keeps values for sections, or has begin, end or flush of them."""
        return any(True for _ in cls._declared(Kept)) or any(
            getattr(cls, name, None) is not getattr(Module, name, None) for name in SECTION_STEPS
        )

    async def _connect(self, resources: Resources) -> None:
        """Get what the job shares between modules, before `begin_job`."""

    def _for_stream(self) -> Self:
        """One more copy of a module that is bound: what a constructor makes is its own."""
        names = [*(name for name, _ in self.inputs()), *(name for name, _ in self.outputs())]
        if type(self).__init__ is not Configurable.__init__ or not all(map(_is_fixed, self.settings().values())):
            made = self.remake()
            made._label = self._label
            for name in names:  # its constructor may have put its tokens elsewhere too
                getattr(made, name).bind_like(getattr(self, name))
            return made
        made = object.__new__(type(self))
        for name in ("_made_from", "_valid", "_faults", "_label", *self._valid, *names):
            setattr(made, name, getattr(self, name))
        for name, kept in self._declared(Kept):
            setattr(made, name, copy.copy(kept))
        return made

    @classmethod
    def class_faults(cls) -> Iterator[str]:
        """What is wrong with the methods and the settings that the class defines."""
        yield from cls._step_faults()
        yield from cls._setting_faults()

    @classmethod
    def _step_faults(cls) -> Iterator[str]:
        if not cls._steps:
            yield "derives from Module itself: derive from Producer, Filter, Analyzer or an external form"
        for name in cls._steps:
            method = inspect.getattr_static(cls, name, None)
            if method is None or getattr(method, "__isabstractmethod__", False):
                yield f"does not define {name}()"
            elif inspect.isasyncgenfunction(method) or inspect.isgeneratorfunction(method):
                yield f"{name}() must not yield"
            elif cls.offload and name != "external_work" and inspect.iscoroutinefunction(method):
                yield f"has offload = True, but {name}() is async def: a thread runs plain def"

    @classmethod
    def _setting_faults(cls) -> Iterator[str]:
        if issubclass(cls, Analyzer) and any(True for _ in cls.outputs()):
            yield "declares an output; an Analyzer puts no products, a Producer does"
        if cls.kind not in ("stream", "shared", "serial"):
            hint = nearest(str(cls.kind), ("stream", "shared", "serial"))
            yield f"has the unknown kind {cls.kind!r}" + (f" ({hint})" if hint else "")
        if cls.kind == "stream" and cls.figures is not Module.figures:
            yield "has figures(), and a copy for each event in flight: set kind = 'shared' or 'serial'"
        if cls.limit is not None and cls.limit < 1:
            yield f"has limit {cls.limit}, which must be at least 1"
        if cls.on_error not in (None, *get_args(OnError)):
            hint = nearest(str(cls.on_error), get_args(OnError))
            yield f"has the unknown on_error {cls.on_error!r}" + (f" ({hint})" if hint else "")
        for name in ("module_timeout", "external_timeout"):
            if (seconds := getattr(cls, name)) is not None and not seconds > 0:
                yield f"has {name} {seconds!r}, which must be more than 0 seconds"


def _is_fixed(value: object) -> bool:
    """True for a value that two copies of a module may share."""
    return isinstance(value, (bool, int, float, complex, str, bytes, frozenset, type(None), Enum)) or (
        isinstance(value, tuple) and all(map(_is_fixed, value))
    )


class Producer(Module):
    """Puts products: `async def produce(self, event)`."""

    _steps = ("produce",)

    @abstractmethod
    def produce(self, event: Event, /) -> Awaitable[None] | None:
        """Read inputs from the event, put every output."""
        raise NotImplementedError


class Filter(Module):
    """Decides whether the paths it is on go on: `async def filter(self, event) -> bool`; may also put products."""

    decides = True
    _steps = ("filter",)

    @abstractmethod
    def filter(self, event: Event, /) -> Awaitable[bool] | bool:
        """True when the event passes."""
        raise NotImplementedError


class Analyzer(Module):
    """Looks at events: `async def analyze(self, event)`.

    On a path it runs in its place there. On none it runs after all paths, for every event, or for those
    that passed a path of `select`.
    """

    select = Parameter[tuple[str, ...]]((), doc="paths of which one must have passed; all events where empty")

    _steps = ("analyze",)

    @abstractmethod
    def analyze(self, event: Event, /) -> Awaitable[None] | None:
        """Read inputs from the event."""
        raise NotImplementedError
