"""Does a product of one declared type fit an input of another? Says no only where that is certain."""

from __future__ import annotations

import numbers
import types
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

__all__ = ["fits", "type_name"]

NUMBERS: Final[dict[Any, type]] = {int: numbers.Integral, float: numbers.Real, complex: numbers.Complex}
"""What may be read as a number of Python: NumPy's own, too, and whole numbers as real ones."""


def fits(given: Any, wanted: Any) -> bool:
    """True unless a product declared as `given` can certainly not be read as `wanted`."""
    given, wanted = _plain(given), _plain(wanted)
    if given == wanted or Any in (given, wanted) or object is wanted:
        return True
    if isinstance(given, (str, TypeVar)) or isinstance(wanted, (str, TypeVar)):
        return True
    if _is_union(given):
        return all(fits(each, wanted) for each in get_args(given))
    if _is_union(wanted):
        return any(fits(given, each) for each in get_args(wanted))
    given_class, wanted_class = get_origin(given) or given, get_origin(wanted) or wanted
    if not (isinstance(given_class, type) and isinstance(wanted_class, type)):
        return True
    if getattr(wanted_class, "_is_protocol", False):
        return True
    if wanted_class in NUMBERS and issubclass(given_class, NUMBERS[wanted_class]):
        return True
    if not issubclass(given_class, wanted_class):
        return False
    given_arguments, wanted_arguments = get_args(given), get_args(wanted)
    if given_class is not wanted_class or len(given_arguments) != len(wanted_arguments):
        return True
    return all(fits(a, b) or fits(b, a) for a, b in zip(given_arguments, wanted_arguments, strict=True))


def _plain(annotation: Any) -> Any:
    """The type behind Annotated and behind aliases, which NumPy's NDArray is on Python 3.12 and later."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(origin, "__value__"):
            annotation = origin.__value__[get_args(annotation)]
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def type_name(annotation: Any) -> str:
    """The type as a user writes it."""
    if get_args(annotation):
        return str(annotation).replace("typing.", "")
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
