"""An event: its identity and its products, each put once, read-only, and dropped after its last reader."""

from __future__ import annotations

import dataclasses
import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, Self, TypeVar, get_args, overload

from eventbraid.errors import DataError, ModuleError, ProductError
from eventbraid.generators import make_generator

if TYPE_CHECKING:
    from numpy.random import Generator

    from eventbraid.module import Module
    from eventbraid.plan import Plan
    from eventbraid.section import Section
    from eventbraid.sources.base import Entry

__all__ = ["Event", "EventID", "Input", "Output", "PathResult", "PathState", "make_event"]

T = TypeVar("T")
D = TypeVar("D")


class EventID(NamedTuple):
    """Which event: run, luminosity section and event number, each counted from 1."""

    run: int
    lumi: int
    event: int

    def __str__(self) -> str:
        return f"{self.run}:{self.lumi}:{self.event}"


class PathState(Enum):
    """How a path ended for an event."""

    PASS = "pass"
    FAIL = "fail"
    EXCEPTION = "exception"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class PathResult:
    """How a path ended for an event, and the label of the module that decided (empty on a pass)."""

    state: PathState
    decided_by: str = ""

    @property
    def passed(self) -> bool:
        """True when every filter of the path passed and nothing on it raised."""
        return self.state is PathState.PASS


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()
# A token that belongs to no running job points at the end of a plan's blank products: an input at what is
# absent, an output at what was put already, so that its use is caught by the checks that are made anyway.
UNBOUND_INPUT: Final = -1
UNBOUND_OUTPUT: Final = -2
NO_PRODUCTS: Final = ("taken", ABSENT)
DRAWING: Final = threading.Lock()


class _Token(Generic[T]):
    declaration: ClassVar = True
    __slots__ = ("__orig_class__", "name", "slot")
    _carried: ClassVar[tuple[str, ...]] = ("__orig_class__", "name", "slot")

    def __init__(self, slot: int) -> None:
        self.name = ""
        self.slot = slot

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def bind_like(self, other: _Token[T]) -> None:
        """Belong to the running job that another copy's token belongs to."""
        for name in ("slot", "freezes"):
            if hasattr(other, name):
                setattr(self, name, getattr(other, name))

    def __copy__(self) -> Self:
        made: Any = object.__new__(type(self))
        for name in self._carried:
            if (value := getattr(self, name, ABSENT)) is not ABSENT:
                setattr(made, name, value)
        return made  # type: ignore[no-any-return]

    @property
    def type(self) -> Any:
        """The declared type of the product."""
        arguments = get_args(getattr(self, "__orig_class__", None))
        return arguments[0] if arguments else Any


class Input(_Token[T]):
    """A product that a module reads: `digis = Input[HcalDigis]("hcalDigis")`, then `event[self.digis]`.

    The label names a module, `label.output` where that module has several outputs, or a product of the
    source. It is a default; the job may set another: `JetFinder(energies="facile")`.
    The reader fails with the module that should have put the product, unless the input is `optional`: then
    it runs, and finds the product absent, as it does behind a filter that did not pass.
    """

    __slots__ = ("label", "optional")
    _carried: ClassVar[tuple[str, ...]] = (*_Token._carried, "label", "optional")

    def __init__(self, label: str = "", *, optional: bool = False) -> None:
        super().__init__(UNBOUND_INPUT)
        self.label = label
        self.optional = optional

    def __repr__(self) -> str:
        return f"Input({self.name} <- {self.label!r})"


class Output(_Token[T]):
    """A product that is put: `energies = Output[Energies]()`, then `event[self.energies] = ...`."""

    __slots__ = ("doc", "freezes")
    _carried: ClassVar[tuple[str, ...]] = (*_Token._carried, "doc", "freezes")

    def __init__(self, doc: str = "") -> None:
        super().__init__(UNBOUND_OUTPUT)
        self.doc = doc
        self.freezes = True  # what is declared as a number or a string holds no array: `bind` says so

    def bind(self, slot: int) -> None:
        """Belong to a running job: put at this slot."""
        self.slot = slot
        self.freezes = not is_plain(self.type)

    def __repr__(self) -> str:
        return f"Output({self.name})"


class Event:
    """One event on its way through a job.

    `event[self.digis]` reads an input, `event[self.energies] = value` puts an output. A product is put
    once. NumPy arrays, alone or in dataclasses, tuples, lists and dicts, become read-only when put.
    """

    # What few events need is set when it is first asked for, and costs the others nothing.
    __slots__ = ("_generators", "_lumi", "_plan", "_products", "_results", "id", "number")
    _generators: dict[str, Generator]
    _lumi: Section  # set where a module of the job wants to know of sections

    _plan: Plan
    _products: list[Any]
    _results: Mapping[str, PathResult] | None
    id: EventID
    number: int
    """It counts from 0 in the order of reading."""

    def _take_in(self, put: Mapping[str, object], id_: EventID) -> None:
        """The products of the source."""
        slots, products = self._plan.source_slots, self._products
        try:
            for name, value in put.items():
                if value.__class__ not in PLAIN:
                    freeze(value)
                products[slots[name]] = value
        except KeyError as error:
            message = f"event {id_}: the source put {error}, which it does not declare as an output"
            raise DataError(message) from None

    def __getitem__(self, token: Input[T]) -> T:
        value = self._products[token.slot]
        if value is ABSENT:
            raise self._plan.explain_absent(token, self.id)
        return value  # type: ignore[no-any-return]  # the plan checked that the types fit

    def __setitem__(self, token: Output[T], value: T) -> None:
        products = self._products
        slot = token.slot
        if products[slot] is not ABSENT:
            raise self._plan.explain_put(token, self.id)
        if token.freezes:
            freeze(value)
        products[slot] = value

    def __contains__(self, token: Input[Any]) -> bool:
        return self._products[token.slot] is not ABSENT

    @overload
    def get(self, token: Input[T]) -> T | None: ...
    @overload
    def get(self, token: Input[T], default: D) -> T | D: ...
    def get(self, token: Input[Any], default: Any = None) -> Any:
        """The product, or `default` where its module did not run (a filter before it did not pass)."""
        value = self._products[token.slot]
        return default if value is ABSENT else value

    def random(self, module: Module) -> Generator:
        """The random numbers of a module in this event: `event.random(self).normal()`.

        They depend on the job's seed, the event's identity and the module's label, so they are the same in
        every mode, order and number of streams. Within the event it is one generator, which goes on: what
        `acquire` drew is not drawn again in `produce`. Raises `ModuleError` for a module of no running job.
        """
        label = module._label
        if not label:
            name = type(module).__name__
            raise ModuleError(f"{name} belongs to no running job: write event.random(self) in the module that draws")
        with DRAWING:
            try:
                generators = self._generators
            except AttributeError:
                generators = self._generators = {}
            if label not in generators:
                generators[label] = make_generator(self._plan.seed, *self.id, label)
            return generators[label]

    def _peek(self, slot: int) -> Any:
        value = self._products[slot]
        return None if value is ABSENT else value

    @property
    def lumi(self) -> Section:
        """The luminosity section of the event, with what modules keep for it."""
        try:
            return self._lumi
        except AttributeError:
            raise ProductError("no module of this job keeps anything for sections: declare it with Kept") from None

    @property
    def run(self) -> Section:
        """The run of the event, with what modules keep for it."""
        return self.lumi.run

    @property
    def path_results(self) -> Mapping[str, PathResult]:
        """How each path ended; known once all paths have, to outputs and analyzers that run after them."""
        if self._results is None:
            raise ProductError(f"event {self.id}: the path results are known only after all paths have ended")
        return self._results

    def __repr__(self) -> str:
        present = [name for name, slot in self._plan.slots.items() if self._products[slot] is not ABSENT]
        return f"Event({self.id}, products: {', '.join(present) or 'none'})"


def make_event(plan: Plan, entry: Entry, number: int) -> Event:
    """An event with the products of the source; raises `DataError` for one that the source does not declare."""
    event: Event = new_object(Event)  # a call of the class would cost three times as much
    event._plan = plan
    event._products = products = plan.blank.copy()
    event._results = None
    event.id, put = entry
    event.number = number
    if plan.source_is_plain and tuple(put) == plan.source_names:
        products[: len(put)] = put.values()
    elif put:
        event._take_in(put, event.id)
    return event


new_object: Final[Callable[[type[Event]], Event]] = object.__new__
PLAIN: Final[frozenset[type]] = frozenset({bool, int, float, complex, str, bytes, type(None)})


def is_plain(declared: Any) -> bool:
    """True for a declared type whose values hold no array and little memory."""
    return isinstance(declared, type) and declared in PLAIN


def freeze(value: object) -> None:
    """Make the NumPy arrays in a product read-only, in place."""
    if value.__class__ in PLAIN:
        return
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return
    for array in _arrays(value, numpy.ndarray):
        array.flags.writeable = False


def _arrays(value: object, ndarray: type) -> Iterator[Any]:
    if isinstance(value, ndarray):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _arrays(each, ndarray)
    elif isinstance(value, (tuple, list)):
        for each in value:
            if each.__class__ in PLAIN:
                return  # a sequence of numbers: the field's lists are of one kind
            yield from _arrays(each, ndarray)
    else:
        kind: Any = type(value)
        for get in _fields(kind):
            yield from _arrays(get(value), ndarray)


@functools.cache
def _fields(cls: type[Any]) -> tuple[Callable[[object], object], ...]:
    import operator

    if not dataclasses.is_dataclass(cls):
        return ()
    return tuple(operator.attrgetter(field.name) for field in dataclasses.fields(cls))
