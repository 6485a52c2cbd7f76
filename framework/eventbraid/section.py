"""Runs and luminosity sections as modules see them: their numbers, and the values that are kept for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from eventbraid.errors import ProductError

if TYPE_CHECKING:
    from eventbraid.event import EventID

__all__ = ["Kept", "Section"]

T = TypeVar("T")
D = TypeVar("D")


class Kept(Generic[T]):
    """A value that a module keeps for a luminosity section or a run: `pedestals = Kept[Pedestals]()`.

    `begin_lumi(self, lumi)` puts it, `lumi[self.pedestals] = ...`; each event of the section reads it,
    `event.lumi[self.pedestals]`, also while another section has begun; `end_lumi(self, lumi)` sees what has
    become of it. The same holds for runs. It belongs to one copy of a module: a module of kind "stream"
    has one for each stream, of which only those begin a section that carry an event of it.
    """

    declaration: ClassVar = True

    def __init__(self, doc: str = "") -> None:
        self.name = ""
        self.doc = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Kept({self.name})"


class Section:
    """A luminosity section, or a run, whose lumi is 0."""

    __slots__ = ("_run", "_values", "id")

    def __init__(self, id_: EventID, run: Section | None = None) -> None:
        self.id = id_
        self._run = run
        self._values: dict[Kept[Any], Any] = {}

    @property
    def run(self) -> Section:
        """The run that it belongs to; a run's is itself."""
        return self._run or self

    def __getitem__(self, token: Kept[T]) -> T:
        try:
            return self._values[token]  # type: ignore[no-any-return]  # what was put is of the token's type
        except KeyError:
            raise ProductError(
                f"{token.name!r} was not put for {self}: put it in begin_{'lumi' if self.id.lumi else 'run'}()"
            ) from None

    def __setitem__(self, token: Kept[T], value: T) -> None:
        self._values[token] = value

    def __contains__(self, token: Kept[Any]) -> bool:
        return token in self._values

    @overload
    def get(self, token: Kept[T]) -> T | None: ...
    @overload
    def get(self, token: Kept[T], default: D) -> T | D: ...
    def get(self, token: Kept[Any], default: Any = None) -> Any:
        """The value, or `default` where none was put."""
        return self._values.get(token, default)

    def __repr__(self) -> str:
        return f"lumi {self.id.run}:{self.id.lumi}" if self.id.lumi else f"run {self.id.run}"
