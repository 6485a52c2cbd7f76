"""What a module, a source or an output is configured with: checked when it is made, reported with the job.

A constructor does not raise: it keeps its faults, so that a job with five wrong parameters names all five
at once, each with the label of its module. `check()` raises them for something used on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, get_args, overload

from eventbraid.errors import ConfigurationError, Fault, nearest

__all__ = ["Configurable", "Parameter"]

T = TypeVar("T")
D = TypeVar("D")


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()


class Parameter(Generic[T]):
    """A setting of a module, typed by its default or by `Parameter[type]`, validated by pydantic.

    `ge`, `gt`, `le`, `lt`, `multiple_of`, `min_length`, `max_length` and `pattern` are pydantic's
    constraints; `doc` says what it is and its unit. Without a default it must be given.
    """

    declaration: ClassVar = True

    @overload
    def __init__(self, default: T, *, doc: str = "", **constraints: Any) -> None: ...
    @overload
    def __init__(self, *, doc: str = "", **constraints: Any) -> None: ...
    def __init__(self, default: Any = REQUIRED, *, doc: str = "", **constraints: Any) -> None:
        self.name = ""
        self.default: Any = default
        self.doc = doc
        self.constraints = constraints

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:  # at run time the value itself stands in the instance

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type) -> T: ...
        def __get__(self, instance: object | None, owner: type) -> Any: ...

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is REQUIRED

    @property
    def annotation(self) -> Any:
        """The declared type: `Parameter[type]`, else the default's."""
        if arguments := get_args(getattr(self, "__orig_class__", None)):
            return arguments[0]
        return Any if self.required or self.default is None else type(self.default)

    def field(self) -> tuple[Any, Any]:
        """The annotation and pydantic's field, as `pydantic.create_model` takes them."""
        from pydantic import Field

        default: Any = ... if self.required else self.default
        settings: Any = {"description": self.doc or None, **self.constraints}
        return self.annotation, Field(default, **settings)

    def __repr__(self) -> str:
        return f"Parameter({self.name}={self.default!r})"


class Configurable:
    """Takes its settings as keywords, keeps its faults, and can be made again."""

    # For the speed of attribute access in modules, declarations are taken out of the class, where they would
    # stand behind the instance's own, and nothing here touches __dict__ (docs/decisions/0002).
    _declarations: ClassVar[dict[str, object]] = {}
    _made_from: tuple[tuple[Any, ...], dict[str, Any]]
    _valid: tuple[str, ...]
    _faults: tuple[Fault, ...]
    _models: ClassVar[dict[type, Any]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._declarations = {name: each for name, each in cls._declarations.items() if name not in vars(cls)}
        for name, value in list(vars(cls).items()):
            if getattr(type(value), "declaration", False):
                cls._declarations[name] = value
                delattr(cls, name)

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        self = super().__new__(cls)
        self._made_from = (args, settings)
        self._valid = ()
        self._faults = ()
        return self

    def __init__(self, **settings: Any) -> None:
        settings = dict(settings)
        self._take(settings)
        parameters = dict(self.parameters())
        given = {name: settings.pop(name) for name in parameters if name in settings}
        known = [*parameters, *self._keywords()]
        for name in settings:
            self._fault(f"has no parameter {name!r}", nearest(name, known))
        self._validate(parameters, given)

    def _take(self, settings: dict[str, Any]) -> None:
        """Take out of `settings` what is not a parameter (input labels of a module)."""

    def _keywords(self) -> Iterator[str]:
        """The keywords that `_take` takes."""
        return iter(())

    @classmethod
    def parameters(cls) -> Iterator[tuple[str, Parameter[Any]]]:
        """Every parameter of the class with its name, base classes first."""
        return cls._declared(Parameter)

    @classmethod
    def _declared(cls, kind: type[D]) -> Iterator[tuple[str, D]]:
        """The declarations of one kind, base classes first."""
        return ((name, each) for name, each in cls._declarations.items() if isinstance(each, kind))

    @classmethod
    def parameter_model(cls) -> Any:
        """The pydantic model that validates this class's parameters; its schema describes them."""
        model = Configurable._models.get(cls)
        if model is None:
            from pydantic import ConfigDict, create_model

            config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=(), validate_default=False)
            fields: Any = {name: parameter.field() for name, parameter in cls.parameters()}
            model = create_model(cls.__name__, __config__=config, **fields)
            Configurable._models[cls] = model
        return model

    def _validate(self, parameters: Mapping[str, Parameter[Any]], given: dict[str, Any]) -> None:
        values = {name: parameter.default for name, parameter in parameters.items() if not parameter.required}
        if given or len(values) < len(parameters):
            from pydantic import ValidationError

            try:
                valid = self.parameter_model().model_validate(given)
            except ValidationError as error:
                values.update(given)
                for each in error.errors(include_url=False):
                    name = ".".join(str(part) for part in each["loc"])
                    found = "" if each["type"] == "missing" else f", not {each['input']!r}"
                    message = each["msg"].removeprefix("Input ").removeprefix("Field ")
                    self._fault(f"parameter {name!r} {message}{found}", self._doc(parameters, name))
                    values.pop(name.split(".")[0], None)
            else:
                values = {name: getattr(valid, name) for name in parameters}
        self._valid = tuple(values)
        for name, value in values.items():
            setattr(self, name, value)

    @staticmethod
    def _doc(parameters: Mapping[str, Parameter[Any]], name: str) -> str:
        parameter = parameters.get(name.split(".", maxsplit=1)[0])
        return parameter.doc if parameter is not None else ""

    def _fault(self, what: str, hint: str = "") -> None:
        self._faults = (*self._faults, Fault(type(self).__name__, what, hint))

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the settings."""
        return self._faults

    def check(self) -> None:
        """Raise `ConfigurationError` with every fault of the settings, if there is one."""
        if faults := self.faults():
            raise ConfigurationError(faults, type(self).__name__)

    def settings(self) -> dict[str, Any]:
        """The values of all parameters that are valid."""
        return {name: getattr(self, name) for name in self._valid}

    def remake(self, **changes: Any) -> Self:
        """Another of the same, made by the same call with some keywords changed."""
        args, settings = self._made_from
        return type(self)(*args, **{**settings, **changes})

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.settings().items())
        return f"{type(self).__name__}({inside})"
