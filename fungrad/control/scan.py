"""``scan``: the function that users call.

May import ``core``, ``ops`` and ``control.scan_primitive``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.control._base import (
    Threaded,
    Traced,
    check_callables,
    check_carry,
    flat_operands,
    promote_weak,
    threading_refs,
    trace_function,
)
from fungrad.control.scan_primitive import bind
from fungrad.control.sliced_refs import SlicedRefs
from fungrad.core import tree
from fungrad.core.array import Array, as_array
from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import as_size
from fungrad.core.refs import BackwardRefsError
from fungrad.core.signatures import Carry, X, Y
from fungrad.core.source import api_boundary, function_name
from fungrad.core.treedef import structure_text
from fungrad.jit.passes.scan_unroll import Loop, at
from fungrad.ops.joining import stack

API = "lax.scan"


@api_boundary
def scan(
    f: Callable[[Carry, X], tuple[Carry, Y]],
    init: Carry,
    xs: X | None = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
) -> tuple[Carry, Y]:
    """Loops over the leading dimension of arrays, carrying values along and stacking results.

    The same as this Python loop, but traced once and compiled to one native loop::

        carry, ys = init, []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, stack(ys)

    It can be differentiated in both modes any number of times, mapped and nested. Reverse mode keeps,
    for every step, what the backward pass needs of it; values that are the same for all steps are kept once.

    Args:
      f: function ``(carry, x) -> (carry, y)`` of trees of arrays. The carry keeps its structure, shapes and dtypes;
        ``y`` may be any tree, or None.
      init: initial carry, a tree of arrays.
      xs: tree of arrays with leading dimensions of one size, or None for steps without inputs. Of a reference
        (``new_ref``) each step gets a reference to its slice.
      length: number of steps; needed only if ``xs`` has no arrays.
      reverse: whether to go from the last element of ``xs`` to the first; ``ys`` is in the order of ``xs`` all the
        same.
      unroll: how many steps to put into one iteration, a positive int, or 0 or True for all. Loops over small steps are
        fast without it; it helps where steps that follow each other have work in common.
      _split_transpose: ignored.

    Returns:
      The last carry, and the tree of the ``y`` of all steps stacked along a new leading dimension.

    Raises:
      TypeError: the result of ``f`` is no pair, or its carry differs in structure or type from ``init``; names every
        leaf that differs.
      ValueError: there is nothing to scan over, or sizes disagree.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import lax
      >>> lax.scan(lambda total, x: (total + x, total * x), 0.0, jnp.array([1.0, 2.0, 3.0]))
      (Array(6., dtype=float32), Array([0., 2., 9.], dtype=float32))
    """
    check_callables(API, f=f)
    sliced = SlicedRefs(xs, API)
    if sliced.refs:
        return _scan_slices(sliced, f, init, length, reverse, unroll)
    try:
        return _scan_with_refs(f, init, xs, length, reverse, unroll)
    except BackwardRefsError:
        return _unrolled(f, init, xs, length, reverse)


def _scan_with_refs(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool, unroll: int | bool
) -> tuple[Any, Any]:
    """The loop where references that ``f`` closes over are passed through it."""

    def run(refs: Threaded) -> tuple[Any, Any]:
        if not refs.refs:
            return _scan(f, init, xs, length, reverse, unroll)

        @functools.wraps(f)
        def step(carry: Any, x: Any) -> Any:
            result, values = refs.call(carry[1], f, carry[0], x)
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                return result
            return (result[0], values), result[1]

        (carry, values), ys = _scan(step, (init, refs.values()), xs, length, reverse, unroll)
        refs.store(values)
        return carry, ys

    return threading_refs(run)


def _scan_slices(
    sliced: SlicedRefs,
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    length: int | None,
    reverse: bool,
    unroll: int | bool,
) -> tuple[Any, Any]:
    """The loop where there are references among ``xs``."""
    try:
        carry, (ys, stacked) = _scan_with_refs(sliced.step(f), init, sliced.arrays(), length, reverse, unroll)
    except BackwardRefsError:
        arrays = sliced.arrays()
        numbers = range(_length(tree.leaves(arrays), arrays, length))
        return _unrolled(sliced.part_step(f), init, (np.array(numbers, np.int32), arrays), length, reverse)
    sliced.store(stacked)
    return carry, ys


def _unrolled(f: Callable[..., Any], init: Any, xs: Any, length: int | None, reverse: bool) -> tuple[Any, Any]:
    """The loop step by step, as Python runs it: where backward rules will need the references themselves."""
    leaves, x_tree = flat_operands(xs, API, "xs")
    carry, carry_tree = flat_operands(init, API, "init")
    steps = _length(leaves, xs, length)
    if not steps:
        return _scan(lambda c, x: f(c, x), init, xs, length, reverse, 1)
    return _in_python(f, tree.unflatten(carry_tree, carry), (leaves, x_tree), steps, reverse)


def _scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool, unroll: int | bool
) -> tuple[Any, Any]:
    carry, carry_tree = flat_operands(init, API, "init")
    leaves, x_tree = flat_operands(xs, API, "xs")
    length = _length(leaves, xs, length)
    steps = _unroll(unroll, length)
    if config.disable_jit and length:
        return _in_python(f, init, (leaves, x_tree), length, reverse)

    for x in leaves:
        if x.aval.placement is not None and x.aval.placement.spec[0] is not None:
            raise ValueError(
                f"{API}: 0th dimension of all xs should be replicated. Got {x.aval.placement.spec} for {x.aval}; "
                "divide it otherwise with fungrad.reshard"
            )
    slices = [x.aval.dec_rank(length, x.aval.leading_axis_spec()) for x in leaves]
    carry, body, outs = _trace(f, (init, xs), (carry_tree, carry), slices)
    loop = Loop(body.jaxpr, length, len(body.consts), len(carry), bool(reverse), steps)
    results = bind(loop, body.consts, carry, leaves)
    return tree.unflatten(carry_tree, results[: len(carry)]), tree.unflatten(
        outs, results[len(carry) :]
    )


def _trace(
    f: Callable[..., Any], args: tuple, carry: tuple[Any, list[Array]], slices: Sequence[ShapedArray]
) -> tuple[list[Array], Traced, Any]:
    """The initial carry, weak types promoted; the traced body; and the structure of ``y``."""
    carry_tree, values = carry
    while True:
        body = trace_function(f, args, [*[x.aval for x in values], *slices], API)
        children = body.out_tree.children()
        if len(children) != 2 or not issubclass(body.out_tree.type or object, (tuple, list)):
            raise TypeError(
                f"fungrad.{API}: {body.debug.fun_name} must return a pair (carry, y), got {_described(body)}; "
                "return (carry, None) if there is nothing to stack"
            )
        n = children[0].num_leaves
        out_avals = body.out_avals[:n]
        if children[0] == carry_tree:
            promoted = promote_weak(values, out_avals)
            if promoted is not None:
                values = promoted
                continue
        names = body.debug.arg_names[: len(values)]
        check_carry(
            API, body, names, (carry_tree, [x.aval for x in values]), (children[0], out_avals)
        )
        return values, body, children[1]


def _described(body: Traced) -> str:
    if body.out_tree.is_leaf():
        return f"an array of type {body.out_avals[0].str_short()}"
    return f"a result of structure {structure_text(body.out_tree)}"


def _length(leaves: Sequence[Array], xs: Any, length: int | None) -> int:
    """The number of steps.

    Raises:
      ValueError: it is not given, or ambiguous.
    """
    sizes = {}
    for i, x in enumerate(leaves):
        path = f"xs{tree.leaf_paths(xs)[i]}"
        if x.aval.is_high:
            continue
        if not x.aval.shape:
            raise ValueError(
                f"fungrad.{API}: {path} must have a leading dimension to scan over, got {x.aval.str_short()}; close "
                "over values that are the same in all steps"
            )
        sizes[path] = x.aval.shape[0]
    if length is not None:
        length = as_size(length)
        if length < 0:
            raise ValueError(f"fungrad.{API}: length must not be negative, got {length}")
    elif not sizes and leaves:
        raise ValueError(
            f"fungrad.{API}: must provide `length` to scan over values of users' own types only, which do not say it"
        )
    elif not sizes:
        raise ValueError(
            f"fungrad.{API}: there is nothing to scan over: pass xs, or the number of steps as length"
        )
    else:
        length = next(iter(sizes.values()))
    if set(sizes.values()) - {length}:
        listed = ", ".join(f"{path}: {n}" for path, n in sizes.items())
        raise ValueError(
            f"fungrad.{API}: xs must have leading dimensions of one size, equal to length if that is "
            f"given; got {listed} for a length of {length}"
        )
    return length


def _unroll(unroll: int | bool, length: int) -> int:
    if isinstance(unroll, bool):
        return max(length, 1) if unroll else 1
    steps = operator.index(unroll)
    if steps < 0:
        raise ValueError(f"fungrad.{API}: unroll must be a bool or an int that is not negative, got {unroll}")
    return steps or max(length, 1)


def _in_python(
    f: Callable[..., Any], carry: Any, xs: tuple[list[Array], Any], length: int, reverse: bool
) -> tuple:
    """The loop as Python runs it, for ``disable_jit``."""
    leaves, x_tree = xs
    ys: list[Any] = [None] * length
    for i in range(length)[:: -1 if reverse else 1]:
        out = f(carry, tree.unflatten(x_tree, [at(x, i) for x in leaves]))
        if not (isinstance(out, (tuple, list)) and len(out) == 2):
            raise TypeError(
                f"fungrad.{API}: {function_name(f)} must return a pair (carry, y), got {out!r}"
            )
        carry, ys[i] = out
    y_tree = tree.structure(ys[0])
    columns = zip(*[tree.flatten_up_to(y_tree, y) for y in ys], strict=True)
    return tree.map(as_array, carry), tree.unflatten(
        y_tree, [stack([as_array(y) for y in c]) for c in columns]
    )
