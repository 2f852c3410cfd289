"""``cond`` and ``switch``: the functions that users call.

May import ``core``, ``ops`` and ``control.cond_primitive``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import numpy as np

from fungrad.config import config
from fungrad.control._base import (
    Threaded,
    Traced,
    check_callables,
    closing_over_refs,
    flat_operands,
    is_concrete,
    threading_refs,
    trace_functions,
)
from fungrad.control.cond_primitive import cond_p, joined
from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.avals import interchangeable
from fungrad.core.refs import BackwardRefsError
from fungrad.core.signatures import T, X, Y
from fungrad.core.source import api_boundary, function_name
from fungrad.core.treedef import differences, open_treedef, structure_text
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import clamp, ne

_NO_OPERAND: Any = object()


@api_boundary
@overload
def cond(
    pred: Any, true_fun: Callable[..., T], false_fun: Callable[..., T], *operands: Any, operand: Any = ...
) -> T: ...


@overload
def cond(
    pred: Any, true_operand: X, true_fun: Callable[[X], T], false_operand: Y, false_fun: Callable[[Y], T], /
) -> T: ...


def cond(*args: Any, **kwargs: Any) -> Any:
    """``cond(pred, true_fun, false_fun, *operands)``: runs one of two functions.

    The same as ``true_fun(*operands) if pred else false_fun(*operands)``, for a predicate that may be
    traced. Both functions are traced; only one runs, except under ``vmap`` with a mapped predicate,
    where both run for all examples and each example takes the result it asked for. Reverse mode keeps
    what the backward pass needs of the branch that ran.

    Args:
      pred: a scalar, boolean or a number that counts as true unless zero.
      true_fun: function of ``operands``, a tree of arrays as result.
      false_fun: function with the same structure and types of the result.
      *operands: trees of arrays; the functions may also close over arrays and traced values.
      operand: a single operand, as a keyword.

    Returns:
      The result of the function that ran.

    The form ``cond(pred, true_operand, true_fun, false_operand, false_fun)`` is accepted too.

    Raises:
      TypeError: the predicate is no scalar, or the results of the functions differ in structure or
        types; names every leaf that differs.

    Example:
      >>> import fungrad
      >>> from fungrad import lax
      >>> f = lambda x: lax.cond(x > 0, lambda x: x * x, lambda x: -x, x)
      >>> f(3.0), f(-3.0)
      (Array(9., dtype=float32, weak_type=True), Array(3., dtype=float32, weak_type=True))
      >>> fungrad.grad(f)(3.0)
      Array(6., dtype=float32, weak_type=True)
    """
    if len(args) == 5 and not kwargs and not callable(args[1]) and callable(args[2]):
        pred, true_operand, true_fun, false_operand, false_fun = args
        if callable(false_fun):
            return _cond(
                pred,
                lambda t, _: true_fun(t),
                lambda _, f: false_fun(f),
                (true_operand, false_operand),
                (true_fun, false_fun),
            )
    return _cond_of(*args, **kwargs)


def _cond_of(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any, operand: Any = _NO_OPERAND
) -> Any:
    if operand is not _NO_OPERAND:
        if operands:
            raise TypeError(
                "fungrad.lax.cond: give operands by position or the keyword operand, not both"
            )
        operands = (operand,)
    return _cond(pred, true_fun, false_fun, operands, (true_fun, false_fun))


def _cond(pred: Any, true_fun: Callable, false_fun: Callable, operands: tuple, named: tuple) -> Any:
    api = "lax.cond"
    check_callables(api, true_fun=true_fun, false_fun=false_fun)
    index = _predicate(pred)
    if config.disable_jit and is_concrete(index):
        return _in_python((false_fun, true_fun)[int(index)], operands)
    names = [
        f"{n} {function_name(f)}" for n, f in zip(("true_fun", "false_fun"), named, strict=True)
    ]
    return _choose(api, index, (false_fun, true_fun), operands, names[::-1])


def _predicate(pred: Any) -> Array:
    """The index of the branch, 1 for true."""
    api = "fungrad.lax.cond"
    if not is_array_like(pred):
        raise TypeError(f"{api}: pred must be a scalar, got {pred!r} of type {type(pred).__name__}")
    pred = as_array(pred, f"{api}: pred")
    if pred.aval.shape:
        raise TypeError(
            f"{api}: pred must be a scalar, got {pred.aval.str_short()}; reduce it with all() or any(), "
            "or choose elements with fungrad.numpy.where"
        )
    dtype = pred.aval.dtype
    if not dtypes.is_bool(dtype):
        if not (dtypes.is_integer(dtype) or dtypes.is_float(dtype)):
            raise TypeError(
                f"{api}: pred must be a boolean or a real number, got {pred.aval.str_short()}"
            )
        pred = ne(pred, 0)
    return convert_element_type(pred, np.int32)


@api_boundary
def switch(
    index: Any, branches: Sequence[Callable[..., T]], *operands: Any, operand: Any = _NO_OPERAND
) -> T:
    """Runs one of several functions: ``branches[index](*operands)``.

    As ``cond``, with as many functions as there are.

    Args:
      index: integer scalar; one out of range is clamped.
      branches: functions of ``operands`` whose results agree in structure and types.
      *operands: trees of arrays.
      operand: a single operand, as a keyword.

    Returns:
      The result of the function that ran.

    Raises:
      TypeError: ``index`` is no integer scalar, or results differ.
      ValueError: there are no branches.

    Example:
      >>> from fungrad import lax
      >>> branches = [lambda x: x + 1, lambda x: x * 10, lambda x: -x]
      >>> [int(lax.switch(i, branches, 3)) for i in (0, 1, 2, 7)]
      [4, 30, -3, -3]
    """
    api = "lax.switch"
    if operand is not _NO_OPERAND:
        if operands:
            raise TypeError(
                f"fungrad.{api}: give operands by position or the keyword operand, not both"
            )
        operands = (operand,)
    if callable(branches) or not isinstance(branches, Iterable):
        raise TypeError(f"fungrad.{api}: branches must be a sequence of functions, got {shown(branches)}")
    branches = tuple(branches)
    check_callables(api, **{f"branches[{i}]": b for i, b in enumerate(branches)})
    if not is_array_like(index):
        raise TypeError(
            f"fungrad.{api}: index must be an integer scalar, got {index!r} of type {type(index).__name__}"
        )
    index = as_array(index, f"fungrad.{api}: index")
    if index.aval.shape or not dtypes.is_integer(index.aval.dtype):
        raise TypeError(
            f"fungrad.{api}: index must be an integer scalar, got {index.aval.str_short()}"
        )
    if not branches:
        raise ValueError(f"fungrad.{api}: branches must have at least one function")
    if len(branches) == 1:
        return branches[0](*operands)
    last = len(branches) - 1
    dtype = index.aval.dtype
    if dtype != np.int32:
        # Clamped before it is narrowed, so that no large index wraps around.
        highest = min(last, int(np.iinfo(dtype).max))
        index = clamp(np.zeros((), dtype), index, np.asarray(highest, dtype))
        index = convert_element_type(index, np.int32)
    index = clamp(np.int32(0), index, np.int32(last))
    if config.disable_jit and is_concrete(index):
        return _in_python(branches[int(index)], operands)
    names = [f"branches[{i}] {function_name(b)}" for i, b in enumerate(branches)]
    return _choose(api, index, branches, operands, names)


def _in_python(fun: Callable[..., Any], operands: tuple) -> Any:
    return tree.map(as_array, fun(*operands))


def _choose(
    api: str, index: Any, branches: Sequence[Callable], operands: tuple, names: Sequence[str]
) -> Any:
    def run(refs: Threaded) -> Any:
        if not refs.refs:
            return _choose_from(api, index, branches, operands, names)

        def threading(branch: Callable[..., Any]) -> Callable[..., Any]:
            return lambda values, *args: refs.call(values, branch, *args)

        wrapped = [functools.wraps(b)(threading(b)) for b in branches]
        value, values = _choose_from(api, index, wrapped, (refs.values(), *operands), names)
        refs.store(values)
        return value

    both = [closing_over_refs(api, b, operands) for b in branches]
    branches, operands = [b for b, _ in both], both[0][1]
    try:
        return threading_refs(run)
    except BackwardRefsError:
        if not is_concrete(index):
            raise
        return _in_python(branches[int(index)], operands)


def _choose_from(
    api: str, index: Any, branches: Sequence[Callable], operands: tuple, names: Sequence[str]
) -> Any:
    values, _ = flat_operands(operands, api, "operands")
    avals = [x.aval for x in values]
    traced = trace_functions(branches, operands, avals, api)
    for other, name in zip(traced[1:], names[1:], strict=True):
        _check_alike(api, (names[0], traced[0]), (name, other))
    jaxprs, consts = joined([t.as_traced for t in traced])
    outs = cond_p.bind(index, *consts, *values, branches=jaxprs)
    return tree.unflatten(traced[0].out_tree, outs)


def _check_alike(api: str, first: tuple[str, Traced], second: tuple[str, Traced]) -> None:
    """Raises TypeError unless two branches return the same structure and types."""
    (name, a), (other, b) = first, second
    if a.out_tree != b.out_tree:
        found = differences(a.out_tree, b.out_tree, open_treedef, open_treedef, prefix=False)
        lines = [
            f"the result{tree.keystr(path)} is {x} in {name.split()[0]} and {y} in {other.split()[0]} ({reason})"
            for path, x, y, reason in found
        ]
        raise TypeError(
            f"fungrad.{api}: {name} and {other} must return trees of one structure, but they return\n"
            f"  {structure_text(a.out_tree)} and\n  {structure_text(b.out_tree)}\n" + "\n".join(lines)
        )
    paths = [f"the result{tree.keystr(path)}" for path in tree.key_paths(a.out_tree)]
    lines = [
        f"{path} has type {x.str_short()} in {name.split()[0]} and {y.str_short()} in {other.split()[0]}"
        for path, x, y in zip(paths, a.out_avals, b.out_avals, strict=True)
        if not interchangeable(x, y)
    ]
    if lines:
        shown = "\n  ".join(lines)
        raise TypeError(
            f"fungrad.{api}: {name} and {other} must return arrays of the same types, but they differ:\n"
            f"  {shown}\nConvert the results (with .astype, or by broadcasting) so that they agree."
        )
