"""Formulas for leaves, evaluated outside of transformations: many small arrays as one, large ones by compiled code.

A formula of a dozen operations on small arrays costs more in dispatch than in arithmetic. Those of optimizers are
elementwise and look the same on NumPy arrays: so they are evaluated on these directly, on many small ones laid one
after the other. On large arrays NumPy goes through memory, or at least through the cache, once per operation; there the
formula is compiled, once for each shape. Which way an array goes depends on shapes alone, never on how often the
formula has been used, so that a run that was interrupted goes on with the same bits.

May import ``fungrad.numpy``, ``fungrad.jit`` and ``core``.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.config import flush_subnormals, watch
from fungrad.core.array import ArrayImpl, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.context import EVAL, state
from fungrad.core.float_errors import quietly
from fungrad.jit.front.api import jit

Formula = Callable[[Sequence[Any], Sequence[Any], Any], tuple]

# Dtypes whose arithmetic with Python numbers is the same in NumPy.
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

# From so many elements on, in one leaf or in all small ones, the formula is compiled: NumPy takes a third of a
# millisecond for Adam's, compiled code a tenth of that; compiling takes some hundredths of a second.
_LARGE = 1 << 16
# Arrays of so few elements cost NumPy more in calls than in arithmetic, and are put together if there are so many.
_SMALL, _MANY = 2048, 8

# Compiled formulas by what tells them apart.
_compiled: dict[Any, Callable[..., tuple]] = {}
_MOST_COMPILED = 256


def is_plain() -> bool:
    """Whether nothing traces or watches operations, so that ``evaluate`` may be used."""
    return state.trace is EVAL and not watch.slow


def evaluate(
    formula: Formula, columns: Sequence[Sequence[Any]], scalars: Sequence[ArrayImpl], simple: bool = False
) -> list[Any]:
    """Values of an elementwise formula for several columns of leaves, where ``is_plain`` holds.

    Args:
      formula: as for ``map_leaves``.
      columns: for each set of corresponding leaves these, arrays or whatever they are.
      scalars: 0-d arrays.
      simple: whether the formula is one operation, which NumPy is as good at as compiled code.

    Returns:
      For each column the values of the formula; None where it must be evaluated as ``fungrad.numpy`` does it.
    """
    results: list[Any] = [None] * len(columns)
    large: list[int] = []
    alike: dict[np.dtype, list[int]] = {}
    for k, column in enumerate(columns):
        first = column[0]
        if type(first) is not ArrayImpl:
            continue
        aval = first.aval
        if first._data.size >= _LARGE and all([type(x) is ArrayImpl and x.aval.shape == aval.shape for x in column]):
            large.append(k)
        if all([type(x) is ArrayImpl and x.aval is aval for x in column]) and not aval.weak_type:
            if aval.dtype is _FLOAT32 or aval.dtype is _FLOAT64:
                alike.setdefault(aval.dtype, []).append(k)
    packs = []
    for members in alike.values():
        sizes = {k: columns[k][0]._data.size for k in members}
        less = [k for k in members if sizes[k] < _LARGE]
        if len(less) > 1 and sum([sizes[k] for k in less]) >= _LARGE:
            packs.append(less)
    run = None if simple or not (large or packs) else _compiled_form(formula)
    if run is not None:
        # Outside of transformations subnormal numbers are kept.
        with flush_subnormals(False):
            for k in large:
                results[k] = run(list(columns[k]), list(scalars))
            for members in packs:
                _packed(formula, columns, members, scalars, results, run)
    for members in alike.values():
        small = [] if simple else [k for k in members if results[k] is None and columns[k][0]._data.size <= _SMALL]
        if len(small) >= _MANY:
            _packed(formula, columns, small, scalars, results, None)
        for k in members:
            if results[k] is None:
                values = _by_numpy(formula, [x._data for x in columns[k]], scalars)
                if values is not None:
                    results[k] = [wrap_unchecked(x, columns[k][0].aval) for x in values]
    return results


def _packed(
    formula: Formula,
    columns: Sequence[Sequence[Any]],
    members: Sequence[int],
    scalars: Sequence[ArrayImpl],
    results: list[Any],
    run: Callable[..., tuple] | None,
) -> None:
    """Evaluates the formula for the leaves of some columns, which have one dtype, laid one after the other."""
    rows = zip(*[columns[k] for k in members], strict=True)
    packed = [np.concatenate([x._data.ravel() for x in row]) for row in rows]
    dtype = packed[0].dtype
    if run is None:
        values = _by_numpy(formula, packed, scalars)
        if values is None:
            return
        types = [(dtype, False)] * len(values)
    else:
        aval = ShapedArray(packed[0].shape, dtype)
        arrays = run([wrap_unchecked(x, aval) for x in packed], list(scalars))
        values, types = [x._data for x in arrays], [(x.aval.dtype, x.aval.weak_type) for x in arrays]
    end = 0
    for k in members:
        aval = columns[k][0].aval
        begin, end = end, end + columns[k][0]._data.size
        avals = [aval if kind == (dtype, False) else ShapedArray(aval.shape, *kind) for kind in types]
        # Memory of their own: it may be given away, and a view would keep that of all.
        parts = [x[begin:end].reshape(aval.shape).copy() for x in values]
        results[k] = list(map(wrap_unchecked, parts, avals))


def _by_numpy(formula: Formula, leaves: Sequence[np.ndarray], scalars: Sequence[ArrayImpl]) -> list[np.ndarray] | None:
    """The values of the formula, computed by NumPy; None if that may be something else than fungrad's arithmetic."""
    found = quietly(formula, leaves, [s._data for s in scalars], np)
    values = [x if type(x) is np.ndarray else np.asarray(x) for x in found]
    dtype, shape = leaves[0].dtype, leaves[0].shape
    # NumPy's scalars count as arrays in its promotion, arrays among the constants of the formula give arrays.
    return values if all([x.dtype is dtype and x.shape == shape for x in values]) else None


def _compiled_form(formula: Formula) -> Callable[..., tuple] | None:
    """The formula compiled; None if it refers to values that it cannot be recognised by.

    Formulas are functions made anew for every update. Two with the same code and the same constants are the same.
    """
    known = _constants(formula)
    if known is None:
        return None
    run = _compiled.get(known)
    if run is None:
        while len(_compiled) >= _MOST_COMPILED:
            _compiled.pop(next(iter(_compiled)), None)

        def of_leaves(leaves: Any, scalars: Any) -> tuple[Any, ...]:
            return tuple(formula(leaves, scalars, jnp))

        run = _compiled[known] = jit(of_leaves)
    return run


def _constants(value: Any) -> Any:
    """A hashable value that tells constants apart, numbers of different types too; None if there is none."""
    kind = type(value)
    if value is None or kind in (bool, int, float, complex, str):
        # A text tells -0.0 from 0.0, and lets NaN equal itself.
        return kind, repr(value)
    if isinstance(value, (type, np.dtype, types.BuiltinFunctionType, np.ufunc)):
        return kind, value
    if kind is tuple:
        parts = tuple(map(_constants, value))
        return None if None in parts else (kind, parts)
    if kind is types.FunctionType:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        parts = tuple(map(_constants, itertools.chain(cells, value.__defaults__ or ())))
        if None in parts or value.__kwdefaults__:
            return None
        return value.__code__, id(value.__globals__), parts
    return None


__all__ = ["Formula", "evaluate", "is_plain"]
