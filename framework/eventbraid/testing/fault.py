"""One fault: what happens to which requests. Which request it strikes depends on its own count and a seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eventbraid.errors import ConfigurationError, nearest
from eventbraid.errors import Fault as Wrong
from eventbraid.http2.statuses import Failure
from eventbraid.testing.lies import LIES

__all__ = ["CALLS", "INFERRING", "KINDS", "Fault"]

Kind = Literal[
    "delay",
    "slow_start",
    "drop",
    "cut",
    "refuse",
    "garble",
    "wrong_shape",
    "too_few_rows",
    "more_rows_than_bytes",
    "wrong_type",
    "wrong_name",
    "missing_output",
    "missing_content",
    "empty",
    "garbage",
]
Call = Literal[
    "ServerLive",
    "ServerReady",
    "ServerMetadata",
    "ModelReady",
    "ModelMetadata",
    "ModelConfig",
    "ModelInfer",
    "ModelStreamInfer",
    "ModelStatistics",
    "RepositoryIndex",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
CALLS: Final[tuple[str, ...]] = get_args(Call)
CHOICES: Final[dict[str, tuple[str, ...]]] = {"kind": KINDS, "status": get_args(Failure), "calls": CALLS}
LABELS: Final = {"calls": "call"}
OWN: Final[dict[str, set[str]]] = {
    "delay": {"seconds"},
    "slow_start": {"seconds"},
    "refuse": {"status", "message"},
    "garble": {"bytes"},
}
"""The settings that only some kinds have."""
INFERRING: Final = ("ModelInfer", "ModelStreamInfer")
OF_NO_MODEL: Final = {"ServerLive", "ServerReady", "ServerMetadata", "RepositoryIndex"}
Count = Annotated[int, Field(ge=1)]


class Fault(BaseModel):
    """What happens to which requests: `Fault(kind="delay", seconds=0.2, model="facile", every=10)`.

    It counts the requests for its models (all where none is named) by its calls (those that infer, where none is
    named; for slow_start every call): the first `after` are left alone, and then it strikes the `first` so many of
    them, `every` n-th, those of these `numbers` (from 1), each with a `probability`; where several are given, those
    for which all are true. Raises `ConfigurationError` with everything that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Kind
    model: str | list[str] | tuple[str, ...] = ()
    calls: list[Call] | tuple[Call, ...] = ()
    after: int = Field(0, ge=0)
    first: Count | None = None
    every: Count = 1
    numbers: list[Count] | tuple[Count, ...] = ()
    probability: float = Field(1.0, ge=0, le=1)
    seconds: float = Field(0.0, gt=0, allow_inf_nan=False)
    """Of delay, and of slow_start, from the start of the server."""
    status: Failure = "UNAVAILABLE"
    """Of refuse, one of gRPC's."""
    message: str = "refused on demand"
    """Of refuse."""
    bytes: Count = 1
    """Of garble: how many of them are changed."""

    if not TYPE_CHECKING:  # there the fields are the signature

        def __init__(self, **given: Any) -> None:
            try:
                super().__init__(**given)
            except ValidationError as error:
                raise ConfigurationError(_explained(error), "the fault") from None

    @model_validator(mode="after")
    def _check(self) -> Fault:
        own = OWN.get(self.kind, set())
        for name in sorted(set[str]().union(*OWN.values()) & self.model_fields_set - own):
            kinds = " and ".join(kind for kind, names in OWN.items() if name in names)
            raise ValueError(f"a fault of kind {self.kind!r} has no {name}: that is of {kinds}")
        if "seconds" in own and "seconds" not in self.model_fields_set:
            raise ValueError(f"a fault of kind {self.kind!r} needs seconds")
        for call in self.calls:
            if self.kind in LIES and call not in INFERRING:
                raise ValueError(f"a fault of kind {self.kind!r} needs tensors, and {call} has none")
            if self.model and call in OF_NO_MODEL:
                raise ValueError(f"the call {call} is for no model, and model is given")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The models whose requests it counts; empty: all."""
        return (self.model,) if isinstance(self.model, str) else tuple(self.model)

    def counts(self, call: str, model: str) -> bool:
        """True for a request that it counts."""
        calls = self.calls or (() if self.kind == "slow_start" else INFERRING)
        return (not calls or call in calls) and (not self.model or model in self.models)

    def strikes(self, number: int, seed: int = 1) -> bool:
        """True where it happens to the request of this number, from 1, of those that it counts."""
        place = number - self.after
        return (
            place >= 1
            and (self.first is None or place <= self.first)
            and place % self.every == 0
            and (not self.numbers or place in self.numbers)
            and (self.probability >= 1 or self.random("strike", number, seed).random() < self.probability)
        )

    def random(self, purpose: str, number: int, seed: int) -> Random:
        """What is drawn for a request: it depends on nothing but these, and on what the fault is."""
        return Random(f"{seed} {purpose} {number} {self.model_dump_json()}")


def _explained(error: ValidationError) -> Iterator[Wrong]:
    """What pydantic found, in our words: each setting once."""
    seen = set[str]()
    for each in error.errors(include_url=False):
        name = str(each["loc"][0]) if each["loc"] else ""
        if name in seen:
            continue  # a setting that may be several things is wrong as each of them
        seen.add(name)
        yield _wrong(name, each)


def _wrong(name: str, each: Any) -> Wrong:
    found = each["input"]
    if each["type"] == "extra_forbidden":
        return Wrong("the fault", f"there is no setting {name!r}", nearest(name, Fault.model_fields))
    if each["type"] == "missing":
        return Wrong("the fault", f"{name} is missing", nearest("", CHOICES[name]))
    if each["type"] == "literal_error" and isinstance(found, str):
        return Wrong("the fault", f"there is no {LABELS.get(name, name)} {found!r}", nearest(found, CHOICES[name]))
    message = str(each["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    if not name:
        return Wrong("the fault", message)
    return Wrong("the fault", f"{name} {message}, not {found!r}")
