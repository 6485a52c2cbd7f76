"""`async def` methods that never wait, as the plain functions that they could have been.

A module is written `async def` by habit, and often awaits nothing. Then its coroutine never suspends, and all
that it is for costs a third of calling it. Its code differs from that of a plain `def` by one flag and one
instruction at its head, which makes the coroutine; without these it runs straight through, with the same
lines, names, closure and exceptions. Why this is done at all: docs/decisions/0006.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any, Final
from weakref import WeakKeyDictionary

__all__ = ["straight"]

SUSPENDING: Final = frozenset({"SEND", "YIELD_VALUE", "GET_AWAITABLE", "GET_AITER", "GET_ANEXT", "BEFORE_ASYNC_WITH"})
HEAD: Final = ("RETURN_GENERATOR", "POP_TOP")

_known: WeakKeyDictionary[FunctionType, FunctionType | None] = WeakKeyDictionary()


def straight(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same method without its coroutine, where it can do without; else the method itself."""
    if not isinstance(method, MethodType) or not isinstance(method.__func__, FunctionType):
        return method
    function = method.__func__
    if function not in _known:
        _known[function] = _straightened(function)
    made = _known[function]
    return method if made is None else MethodType(made, method.__self__)


def _straightened(function: FunctionType) -> FunctionType | None:
    if not inspect.iscoroutinefunction(function) or (code := _code(function.__code__)) is None:
        return None
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__, made.__module__, made.__doc__ = function.__qualname__, function.__module__, function.__doc__
    return made


def _code(code: CodeType) -> CodeType | None:
    """Code that does not make a coroutine first; None where it may suspend, or is not as we know it."""
    instructions = list(dis.get_instructions(code))
    if any(each.opname in SUSPENDING for each in instructions):
        return None
    names = [each.opname for each in instructions]
    if HEAD[0] not in names or names.count(HEAD[0]) != 1:
        return None
    at = names.index(HEAD[0])
    if names[at + 1] != HEAD[1]:
        return None
    raw = bytearray(code.co_code)
    for instruction in instructions[at : at + 2]:
        raw[instruction.offset : instruction.offset + 2] = bytes([dis.opmap["NOP"], 0])
    return code.replace(co_code=bytes(raw), co_flags=code.co_flags & ~inspect.CO_COROUTINE)
