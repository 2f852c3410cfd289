"""Calls of functions in compiled libraries: one description that eager evaluation and compiled programs both follow.

A `LibraryCall` says which C or Fortran functions are called for one item of a batch, with which arguments. Eagerly
`LibraryCall.run` calls them through ctypes; a compiled program (``ctx.library`` in a ``lower`` rule) calls them from
native code, item by item, the items shared between threads and with workspaces in its arena.

Functions are named ``provider_name``. A provider gives addresses; one is registered where its library is known
(`fungrad.core.lapack`), by a module that is imported with the primitives that need it, since programs kept on disk ask
for addresses without tracing anything.

May import ``errors`` and ``locks``.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.core.frozen import frozen

# What the names of library functions begin with in compiled code.
PREFIX = "fg_library_"


@frozen
class Operand:
    """The address of an operand's item."""

    number: int


@frozen
class Result:
    """The address of a result's item."""

    number: int


@frozen
class Work:
    """The address of a workspace."""

    number: int


@frozen
class Constant:
    """The address of constant bytes: Fortran takes everything by reference."""

    data: bytes


@frozen
class Value:
    """A number by value; `type` is ``i32``, ``i64``, ``float`` or ``double``."""

    value: int | float
    type: str = "i64"


@frozen
class Items:
    """The number of items, as an ``i64`` by value, for a function that goes through them itself."""


Argument = Operand | Result | Work | Constant | Value | Items


@frozen
class Function:
    """One call.

    Attributes:
      symbol: ``provider_name``.
      arguments: in order.
      returns: ``void`` or ``i32``, which is ignored.
    """

    symbol: str
    arguments: tuple[Argument, ...]
    returns: str = "void"


@frozen
class LibraryCall:
    """What is done with one item.

    Operands and results are dense arrays whose first dimension counts the items. An operand may have fewer, each for as
    many successive items: the first dimension of the results is a multiple of its own.

    Attributes:
      name: for printed programs.
      functions: called in order.
      copies: pairs (operand, result): the result begins as a copy of the operand, which it is as large as. Functions
        that overwrite an argument get the result; operands are never written.
      work: sizes of the workspaces, in bytes; every thread has its own.
      cost: multiplications and additions of one item, roughly; decides whether threads share the items.
      together: the functions are called once for a run of items (with `Items`), not once for each.
    """

    name: str
    functions: tuple[Function, ...]
    copies: tuple[tuple[int, int], ...] = ()
    work: tuple[int, ...] = ()
    cost: float = 100.0
    together: bool = False

    def __repr__(self) -> str:
        return self.name

    def run(self, operands: Sequence[np.ndarray], results: Sequence[np.ndarray]) -> None:
        """Calls the functions for all items; ``results`` are C-contiguous arrays, which are filled."""
        operands = [np.ascontiguousarray(x).reshape(x.shape) for x in operands]
        items = results[0].shape[0]
        if not items:
            return
        for source, target in self.copies:
            results[target].reshape(-1).view(np.uint8)[...] = operands[source].reshape(-1).view(np.uint8)
        spaces = [np.empty(max(n, 1) + 64, np.uint8) for n in self.work]
        works = [(x.ctypes.data + 63) // 64 * 64 for x in spaces]
        kept: list[Any] = []
        prepared = [(f, *_prepared(f, items, works, kept)) for f in self.functions]
        for k in range(1 if self.together else items):
            for function, call, arguments in prepared:
                for place, a in enumerate(function.arguments):
                    if isinstance(a, (Operand, Result)):
                        array = (operands if isinstance(a, Operand) else results)[a.number]
                        own = len(array)
                        arguments[place] = array.ctypes.data + k // (items // own) * (array.nbytes // own)
                call(*arguments)


_TYPES: dict[str, Any] = {
    "i32": ctypes.c_int32,
    "i64": ctypes.c_int64,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
}


def _prepared(function: Function, items: int, works: Sequence[int], kept: list[Any]) -> tuple[Any, list[Any]]:
    """The function for ctypes and its arguments, 0 where addresses of items go."""
    types: list[Any] = []
    arguments: list[Any] = []
    for a in function.arguments:
        if isinstance(a, Value):
            types.append(_TYPES[a.type])
            arguments.append(a.value)
        elif isinstance(a, Items):
            types.append(ctypes.c_int64)
            arguments.append(items)
        else:
            types.append(ctypes.c_void_p)
            if isinstance(a, Constant):
                buffer = ctypes.create_string_buffer(a.data, max(1, len(a.data)))
                kept.append(buffer)
                arguments.append(ctypes.addressof(buffer))
            else:
                arguments.append(works[a.number] if isinstance(a, Work) else 0)
    returned = ctypes.c_int32 if function.returns == "i32" else None
    return ctypes.CFUNCTYPE(returned, *types)(address(function.symbol)), arguments


# -- addresses ---------------------------------------------------------------------------------------------------------

_providers: dict[str, Callable[[str], int]] = {}


def provide(name: str, addresses: Callable[[str], int]) -> None:
    """Registers what gives the addresses of the functions ``name_...`` by the rest of their names."""
    _providers[name] = addresses


def address(symbol: str) -> int:
    """Address of a function.

    Raises:
      RuntimeError: the library does not have it.
    """
    provider, _, name = symbol.partition("_")
    found = _providers[provider](name)
    if not found:
        raise RuntimeError(f"fungrad: the library of {provider!r} has no function {name!r}")
    return found


# -- dividing the items ------------------------------------------------------------------------------------------------

# Items are dealt out in runs, so that there are as many workspaces as runs and not as items.
_RUNS = 16
# Multiplications from which on threads share a call: handing over takes some microseconds.
_SHARED = 20_000


def runs_of(call: LibraryCall, items: int) -> int:
    """Into how many runs the items are divided."""
    if items * call.cost < _SHARED:
        return 1
    per_run = max(1, math.ceil(items / _RUNS), math.ceil(_SHARED / 4 / call.cost))
    return math.ceil(items / per_run)
