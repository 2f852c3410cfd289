"""``while_loop`` and ``fori_loop``: the functions that users call.

May import ``core``, ``ops``, ``control.scan_primitive`` and ``control.while_primitive``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.control import scan_primitive, while_primitive
from fungrad.control._base import (
    Threaded,
    Traced,
    check_callables,
    check_carry,
    flat_operands,
    is_concrete,
    promote_weak,
    threading_refs,
    trace_function,
)
from fungrad.control.scan_bodies import Loop
from fungrad.control.while_primitive import WhileLoop
from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import memoised, split_list
from fungrad.core.refs import BackwardRefsError
from fungrad.core.signatures import T
from fungrad.core.source import api_boundary
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.core.treedef import structure_text
from fungrad.ops.cast import convert_element_type
from fungrad.ops.compare import lt
from fungrad.ops.elementwise import add
from fungrad.ops.integer import bitwise_and


@api_boundary
def while_loop(
    cond_fun: Callable[[T], Any], body_fun: Callable[[T], T], init_val: T, *, max_steps: int | None = None
) -> T:
    """Repeats ``body_fun`` as long as ``cond_fun`` holds.

    The same as this Python loop, but traced once and compiled to one native loop::

        val = init_val
        while cond_fun(val):
            val = body_fun(val)
        return val

    Forward-mode differentiation works for every loop. Reverse mode (``grad``, ``vjp``, ``jacrev``), which
    JAX does not have, keeps the values of every step, so their number must be known when the program is
    compiled. In a function that is compiled or mapped, and inside another loop, the loop needs a bound
    ``max_steps``: memory, and some time, are spent on that many steps even if fewer run; the loop itself
    still stops as soon as it can. Where the predicate depends on known values only, as in ``grad(f)(x)``
    of a function that is not jitted, no bound is needed: the loop is run once more to count its steps,
    and the backward pass is compiled for that number, rounded up.

    Under ``vmap`` a mapped predicate lets the loop run until it fails for all examples; those that are
    done stay as they are.

    Args:
      cond_fun: function of the carry that returns a boolean scalar.
      body_fun: function of the carry that returns a carry of the same structure, shapes and dtypes.
      init_val: initial carry, a tree of arrays.
      max_steps: the loop ends after this many steps even if ``cond_fun`` still holds. Not in JAX.

    Returns:
      The last carry.

    Raises:
      TypeError: the result of ``cond_fun`` is no boolean scalar, or that of ``body_fun`` differs from
        the carry in structure or types; names every leaf that differs.
      ValueError: reverse-mode differentiation of a loop without ``max_steps`` in a compiled or mapped
        function.

    Example:
      >>> import fungrad
      >>> from fungrad import lax
      >>> lax.while_loop(lambda x: x < 100, lambda x: 2 * x, 3)
      Array(192, dtype=int32, weak_type=True)
      >>> def newton(a):  # square root
      ...     return lax.while_loop(
      ...         lambda x: abs(x * x - a) > 1e-6, lambda x: 0.5 * (x + a / x), a, max_steps=20)
      >>> round(float(fungrad.grad(newton)(4.0)), 4)
      0.25
    """
    check_callables("lax.while_loop", cond_fun=cond_fun, body_fun=body_fun)

    def run(refs: Threaded) -> Any:
        if not refs.refs:
            return _while_loop(cond_fun, body_fun, init_val, max_steps)

        @functools.wraps(cond_fun)
        def go_on(carry: Any) -> Any:
            result, values = refs.call(carry[1], cond_fun, carry[0])
            if any(x is not y for x, y in zip(values, carry[1], strict=True)):
                raise NotImplementedError("fungrad.lax.while_loop: cond_fun writes to a reference; let body_fun do it")
            return result

        @functools.wraps(body_fun)
        def step(carry: Any) -> Any:
            return refs.call(carry[1], body_fun, carry[0])

        value, values = _while_loop(go_on, step, (init_val, refs.values()), max_steps)
        refs.store(values)
        return value

    return threading_refs(run)


def _while_loop(cond_fun: Callable, body_fun: Callable, init_val: Any, max_steps: int | None) -> Any:
    api = "lax.while_loop"
    carry, structure = flat_operands(init_val, api, "init_val")
    if max_steps is not None:
        max_steps = operator.index(max_steps)
        if max_steps < 0:
            raise ValueError(f"fungrad.{api}: max_steps must not be negative, got {max_steps}")
    if config.disable_jit and all(map(is_concrete, carry)):
        return _while_in_python(cond_fun, body_fun, tree.unflatten(structure, carry), max_steps)
    carry, body = _body(api, body_fun, (init_val,), [], carry, structure)
    predicate = trace_function(cond_fun, (init_val,), [x.aval for x in carry], api)
    _check_predicate(api, predicate)
    if max_steps is not None:
        return tree.unflatten(structure, _bounded(predicate, body, carry, max_steps))
    loop = WhileLoop(predicate.jaxpr, body.jaxpr, len(predicate.consts), len(body.consts))
    outs = while_primitive.bind(loop, predicate.consts, body.consts, carry)
    return tree.unflatten(structure, outs)


def _body(
    api: str, body_fun: Callable[..., Any], args: tuple, leading: list[ShapedArray], carry: list[Array], structure: Any
) -> tuple[list[Array], Traced]:
    """The initial carry, weak types promoted, and the traced body.

    Args:
      api: for messages.
      body_fun: function of ``args``, the last of which is the carry.
      args: trees of arguments.
      leading: types of arguments before the carry.
      carry: initial values.
      structure: of the carry.
    """
    while True:
        body = trace_function(body_fun, args, [*leading, *[x.aval for x in carry]], api)
        promoted = promote_weak(carry, body.out_avals) if body.out_tree == structure else None
        if promoted is None:
            break
        carry = promoted
    names = body.debug.arg_names[len(leading) :]
    given = structure, [x.aval for x in carry]
    check_carry(api, body, names, given, (body.out_tree, body.out_avals))
    return carry, body


def _check_predicate(api: str, predicate: Traced) -> None:
    avals = predicate.out_avals
    if not predicate.out_tree.is_leaf() or avals[0].shape or not dtypes.is_bool(avals[0].dtype):
        got = avals[0].str_short() if predicate.out_tree.is_leaf() else f"{structure_text(predicate.out_tree)}"
        raise TypeError(
            f"fungrad.{api}: cond_fun must return a boolean scalar, but {predicate.debug.fun_name} returns "
            f"{got}; compare with something, and reduce arrays with all() or any()"
        )


def _bounded(predicate: Traced, body: Traced, carry: list[Array], max_steps: int) -> list[Any]:
    """A loop that counts its steps."""
    m, n = len(predicate.consts), len(body.consts)
    counter = ShapedArray((), np.dtype(np.int32))

    def go_on(*args: Any) -> list[Any]:
        consts, (count,), values = split_list(args, m, 1)
        (pred,) = eval_jaxpr(predicate.jaxpr, (), *consts, *values)
        return [bitwise_and(pred, lt(count, np.int32(max_steps)))]

    def step(*args: Any) -> list[Any]:
        consts, (count,), values = split_list(args, n, 1)
        return [add(count, np.int32(1)), *eval_jaxpr(body.jaxpr, (), *consts, *values)]

    def with_counter(jaxpr: Jaxpr, n_consts: int, fun: Callable[..., Any], key: Any) -> Jaxpr:
        avals = split_list(jaxpr.in_avals, n_consts)
        debug = DebugInfo("counted", (), "lax.while_loop")
        return memoised(jaxpr, key, lambda: trace_flat(fun, [*avals[0], counter, *avals[1]], debug))

    loop = WhileLoop(
        with_counter(predicate.jaxpr, m, go_on, ("counted predicate", max_steps)),
        with_counter(body.jaxpr, n, step, "counted body"),
        m,
        n,
        max_steps,
    )
    outs = while_primitive.bind(
        loop, predicate.consts, body.consts, [as_array(np.int32(0)), *carry]
    )
    return outs[1:]


def _while_in_python(
    cond_fun: Callable, body_fun: Callable, val: Any, max_steps: int | None
) -> Any:
    steps = 0
    while (max_steps is None or steps < max_steps) and cond_fun(val):
        val = body_fun(val)
        steps += 1
    return tree.map(as_array, val)


@api_boundary
def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[[Any, T], T], init_val: T, *, unroll: int | bool | None = None
) -> T:
    """Loops over the integers from ``lower`` up to, not including, ``upper``.

    The same as this Python loop, but traced once and compiled to one native loop::

        val = init_val
        for i in range(lower, upper):
            val = body_fun(i, val)
        return val

    With bounds that are Python integers (or arrays with known values) it can be differentiated in both
    modes; with traced bounds the number of steps is not known to the compiler, and only forward mode
    works (see ``while_loop``, which can be given a bound).

    Args:
      lower: integer scalar.
      upper: integer scalar. Both bounds may be floating-point numbers of one dtype: whole ones, or traced ones, from
        the first of which ``i`` counts up while it is less than the second.
      body_fun: function ``(i, val) -> val``, where ``i`` is an integer scalar, or of the dtype of traced bounds, and
        ``val`` keeps its structure, shapes and dtypes.
      init_val: initial value, a tree of arrays.
      unroll: how many steps to put into one iteration, 0 or True for all. Only with known bounds.

    Returns:
      The last value.

    Raises:
      TypeError: a bound is no integer scalar, or the result of ``body_fun`` differs from ``val`` in
        structure or types.
      ValueError: ``unroll`` with traced bounds.

    Example:
      >>> from fungrad import lax
      >>> lax.fori_loop(0, 5, lambda i, total: total + i, 0)
      Array(10, dtype=int32, weak_type=True)
    """
    check_callables("lax.fori_loop", body_fun=body_fun)

    def run(refs: Threaded) -> Any:
        if not refs.refs:
            return _fori_loop(lower, upper, body_fun, init_val, unroll)

        @functools.wraps(body_fun)
        def step(i: Any, carry: Any) -> Any:
            return refs.call(carry[1], body_fun, i, carry[0])

        value, values = _fori_loop(lower, upper, step, (init_val, refs.values()), unroll)
        refs.store(values)
        return value

    try:
        return threading_refs(run)
    except BackwardRefsError:
        bounds, _ = _bounds("lax.fori_loop", lower, upper)
        if not all(map(is_concrete, bounds)):
            raise
        return _fori_in_python(range(int(bounds[0]), int(bounds[1])), body_fun, init_val)


def _fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any, unroll: int | bool | None) -> Any:
    api = "lax.fori_loop"
    carry, structure = flat_operands(init_val, api, "init_val")
    bounds, dtype = _bounds(api, lower, upper)
    static = all(map(is_concrete, bounds))
    if static and config.disable_jit:
        return _fori_in_python(range(int(bounds[0]), int(bounds[1])), body_fun, init_val)
    if static:
        first = int(bounds[0])
        start = as_array(first)
    elif unroll is not None:
        raise ValueError(
            f"fungrad.{api}: unroll needs bounds with known values, got {bounds[0].aval.str_short()} and "
            f"{bounds[1].aval.str_short()} that are traced; leave unroll out"
        )
    else:
        weak = dtypes.is_float(dtype) and all(b.aval.weak_type for b in bounds)
        start, end = (convert_element_type(b, dtype, weak) for b in bounds)
    carry, body = _body(api, body_fun, (start, init_val), [start.aval], carry, structure)
    n = len(body.consts)
    stepped = memoised(body.jaxpr, ("fori_loop", n), lambda: _counting(body.jaxpr, n))
    if static:
        length = max(int(bounds[1]) - first, 0)
        steps = _unroll(api, unroll, length)
        loop = Loop(stepped, length, n, len(carry) + 1, False, steps)
        outs = scan_primitive.bind(loop, body.consts, [start, *carry], [])
    else:
        avals = [start.aval, start.aval, *[x.aval for x in carry]]
        debug = DebugInfo("bound", (), api)
        cond = memoised(
            stepped,
            "fori_loop bound",
            lambda: trace_flat(lambda end, i, *_: [lt(i, end)], avals, debug),
        )
        outs = while_primitive.bind(
            WhileLoop(cond, stepped, 1, n), [end], body.consts, [start, *carry]
        )
    return tree.unflatten(structure, outs[1:])


def _bounds(api: str, lower: Any, upper: Any) -> tuple[list[Array], np.dtype]:
    """The bounds as arrays, and their common dtype; a Python integer takes the dtype of the other."""
    bounds = []
    for name, bound in (("lower", lower), ("upper", upper)):
        if not is_array_like(bound):
            raise TypeError(
                f"fungrad.{api}: {name} must be an integer scalar, got {shown(bound)}"
            )
        x = as_array(bound, f"fungrad.{api}: {name}")
        if x.aval.shape or not (dtypes.is_integer(x.aval.dtype) or dtypes.is_float(x.aval.dtype)):
            raise TypeError(
                f"fungrad.{api}: {name} must be an integer scalar, got {x.aval.str_short()}"
            )
        bounds.append(x)
    a, b = (x.aval for x in bounds)
    if a.dtype == b.dtype:
        _check_whole(api, bounds)
        return bounds, a.dtype
    if dtypes.is_integer(a.dtype) and dtypes.is_integer(b.dtype) and (a.weak_type or b.weak_type):
        return bounds, a.dtype if b.weak_type else b.dtype
    raise TypeError(
        f"fungrad.{api}: lower and upper must have the same dtype, got {a.str_short()} and {b.str_short()}; convert "
        "one with .astype"
    )


def _check_whole(api: str, bounds: Sequence[Any]) -> None:
    """Raises TypeError if bounds with known values are fractions, of which the steps would be a matter of taste."""
    if dtypes.is_integer(bounds[0].aval.dtype) or not all(map(is_concrete, bounds)):
        return
    for name, x in zip(("lower", "upper"), bounds, strict=True):
        if not float(x).is_integer():
            raise TypeError(f"fungrad.{api}: {name} must be a whole number, got {float(x)}; round it to an integer")


def _counting(body: Jaxpr, n: int) -> Jaxpr:
    """A body that also returns the next index, from one that only takes the index, after ``n`` consts."""

    def step(*args: Any) -> list[Any]:
        return [add(args[n], 1), *eval_jaxpr(body, (), *args)]

    return trace_flat(step, body.in_avals, DebugInfo("step", (), "lax.fori_loop"))


def _unroll(api: str, unroll: int | bool | None, length: int) -> int:
    if unroll is None or unroll is False:
        return 1
    if unroll is True:
        return max(length, 1)
    steps = operator.index(unroll)
    if steps < 0:
        raise ValueError(f"fungrad.{api}: unroll must be a bool or an int that is not negative, got {unroll}")
    return steps or max(length, 1)


def _fori_in_python(steps: range, body_fun: Callable, val: Any) -> Any:
    for i in steps:
        val = body_fun(as_array(i), val)
    return tree.map(as_array, val)
