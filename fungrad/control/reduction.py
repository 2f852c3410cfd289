"""``reduce``: combining elements along dimensions with any associative function.

Common combinations are recognised and become the reduction primitives of ``fungrad.ops.reduce``;
the others are kept as a jaxpr of scalars.

May import ``core``, ``ops`` and ``transforms``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.control.scan import scan
from fungrad.core import tree
from fungrad.core.array import ArrayImpl, wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.context import AnonymousAxis, AxisData
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.source import function_name
from fungrad.core.staging import DebugInfo, check_results, trace_flat
from fungrad.core.treedef import structure_text
from fungrad.ops._operands import lift_pair
from fungrad.ops.cast import convert_element_type
from fungrad.ops.foundation import (
    Dims,
    batch_to,
    broadcast_in_dim,
    check_axes,
    reduce_sum_p,
    reshape,
    transpose,
)
from fungrad.ops.reduce import (
    NEUTRAL,
    reduce_and_p,
    reduce_max_p,
    reduce_min_p,
    reduce_or_p,
    reduce_prod_p,
    reduce_xor_p,
)
from fungrad.ops.resharding import at_sharding
from fungrad.transforms.batching import batch_jaxpr
from fungrad.transforms.forward import jvp_flat

# The reduction that combines with each binary primitive.
_REDUCTIONS = {
    "add": reduce_sum_p,
    "mul": reduce_prod_p,
    "max": reduce_max_p,
    "min": reduce_min_p,
    "and": reduce_and_p,
    "or": reduce_or_p,
    "xor": reduce_xor_p,
}

# The positions of the result, along which the scalar computation is mapped.
_POSITIONS = AnonymousAxis()


class Reduce(Primitive):
    """Combines elements along ``dimensions`` by a jaxpr of scalars: accumulators and elements to
    accumulators.

    Operands are n arrays of one shape followed by n initial values, 0-d or of the shape of the
    result.
    """

    kind = "higher_order"
    multiple_results = True

    def abstract_eval(
        self, *avals: ShapedArray, dimensions: Dims, jaxpr: Jaxpr
    ) -> Sequence[ShapedArray]:
        xs = avals[: len(avals) // 2]
        check_axes("reduce", xs[0], dimensions)
        kept = tuple([n for d, n in enumerate(xs[0].shape) if d not in dimensions])
        return [ShapedArray(kept, out.dtype) for out in jaxpr.out_avals]

    def impl(self, *args: np.ndarray, dimensions: Dims, jaxpr: Jaxpr) -> Sequence[np.ndarray]:
        count = len(args) // 2
        kept = [d for d in range(args[0].ndim) if d not in dimensions]
        shape = [args[0].shape[d] for d in kept]
        size, length = math.prod(shape), math.prod(args[0].shape[d] for d in dimensions)
        step, _ = batch_jaxpr(jaxpr, AxisData(_POSITIONS, size), [0] * (2 * count), True)

        def flat(x: np.ndarray, rows: int) -> np.ndarray:
            return np.ascontiguousarray(x).reshape(rows, size)

        steps = [flat(x.transpose([*dimensions, *kept]), length) for x in args[:count]]
        carry: list[Any] = [row(flat(np.broadcast_to(init, shape), 1)[0]) for init in args[count:]]
        for k in range(length):
            carry = eval_jaxpr(step, step.consts, *carry, *[row(x[k]) for x in steps])
        return [c._concrete("reduce").reshape(shape) for c in carry]

    def jvp(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, dimensions: Dims, jaxpr: Jaxpr
    ) -> tuple[Any, Any]:
        outs = self.bind(*primals, dimensions=dimensions, jaxpr=jaxpr)

        def fun(*args: Any) -> list[Any]:
            return _by_steps(args, dimensions, jaxpr)

        return outs, jvp_flat(fun, primals, tangents, "jvp of reduce")[1]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, dimensions: Dims, jaxpr: Jaxpr
    ) -> tuple[Any, Any]:
        count = len(args) // 2
        moved = [batch_to(x, d, 0, axis) for x, d in zip(args[:count], dims, strict=False)]
        shape = moved[0].aval.shape
        kept = tuple([n for d, n in enumerate(shape[1:]) if d not in dimensions])
        for init, d in zip(args[count:], dims[count:], strict=True):
            if d is not None or init.aval.shape:
                init = batch_to(init, d, 0, axis)
            if init.aval.ndim == 1:
                init = broadcast_in_dim(init, (axis.size, *kept), (0,))
            moved.append(init)
        out = self.bind(*moved, dimensions=tuple([d + 1 for d in dimensions]), jaxpr=jaxpr)
        return out, [0] * count

    def lower(self, ctx: Any, *args: Any, dimensions: Dims, jaxpr: Jaxpr) -> Any:
        """A scan over the reduced positions whose carry is all results at once."""
        count = len(args) // 2
        kept = [d for d in range(args[0].ndim) if d not in dimensions]
        shape = tuple([args[0].shape[d] for d in kept])
        size, length = math.prod(shape), math.prod(args[0].shape[d] for d in dimensions)
        xs, inits = [], []
        for x, init in zip(args[:count], args[count:], strict=True):
            moved = ctx.transpose(x, [*dimensions, *kept])
            xs.append(ctx.reshape(moved, (length, size) if shape else (length,)))
            wide = init if init.shape == shape else ctx.broadcast_in_dim(init, shape, ())
            inits.append(ctx.reshape(wide, (size,) if shape else ()))
        step = jaxpr
        if shape:
            step, _ = batch_jaxpr(jaxpr, AxisData(_POSITIONS, size), [0] * (2 * count), True)
        outs = ctx.scan(step, [], inits, xs, length, False)
        return [ctx.reshape(out, shape) for out in outs]


reduce_p = Reduce("reduce")


def row(x: np.ndarray) -> ArrayImpl:
    """An ndarray as an array."""
    return wrap(x, ShapedArray(x.shape, x.dtype))


def _by_steps(args: Sequence[Any], dimensions: Dims, jaxpr: Jaxpr) -> list[Any]:
    """The reduction as a loop over the reduced positions, which is what is differentiated."""
    count = len(args) // 2
    shape = args[0].aval.shape
    kept = tuple([d for d in range(len(shape)) if d not in dimensions])
    result_shape = tuple([shape[d] for d in kept])
    size, length = math.prod(result_shape), math.prod(shape[d] for d in dimensions)
    step, _ = batch_jaxpr(jaxpr, AxisData(_POSITIONS, size), [0] * (2 * count), True)

    def body(carry: Any, rows: Any) -> tuple[Any, None]:
        return tuple(eval_jaxpr(step, step.consts, *carry, *rows)), None

    xs = [reshape(transpose(x, (*dimensions, *kept)), (length, size)) for x in args[:count]]
    inits = []
    for init in args[count:]:
        wide = init if init.aval.shape else broadcast_in_dim(init, result_shape, ())
        inits.append(reshape(wide, (size,)))
    outs, _ = scan(body, tuple(inits), tuple(xs), length=length)
    return [reshape(x, result_shape) for x in outs]


def reduce(
    operands: Any, init_values: Any, computation: Callable[[Any, Any], Any], dimensions: Any, out_sharding: Any = None
) -> Any:
    """Combines the elements of arrays along dimensions with an associative function of scalars.

    Args:
      operands: array, or pytree of arrays of one shape that are reduced together.
      init_values: scalars in the same structure: where the accumulation starts, a neutral element
        of ``computation``.
      computation: ``computation(accumulator, element)`` of 0-d arrays in the structure of
        ``operands``, returning the same. Must be associative, since the order is not defined, and
        must not close over traced values.
      dimensions: non-negative dimensions to reduce.

    Returns:
      Arrays without ``dimensions``, in the structure of ``operands``.

    Raises:
      TypeError: shapes or dtypes do not match.
      ValueError: the structures do not match, or an initial value is no scalar.

    Example:
      >>> import numpy as np
      >>> from fungrad import lax
      >>> x = np.float32([[1, 2], [3, 4]])
      >>> lax.reduce(x, 0.0, lambda a, b: lax.add(a, lax.mul(b, b)), (1,))
      Array([ 5., 25.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(reduce, out_sharding, "fungrad.lax.reduce", operands, init_values, computation, dimensions)
    api = "fungrad.lax.reduce"
    leaves, structure = tree.flatten(operands)
    init_leaves, init_structure = tree.flatten(init_values)
    if structure != init_structure or not leaves:
        raise ValueError(
            f"{api}: operands and init_values must have the same structure with at least one "
            f"array, "
            f"got {structure_text(structure)} and {structure_text(init_structure)}"
        )
    pairs = [lift_pair("reduce", x, init) for x, init in zip(leaves, init_leaves, strict=True)]
    xs, inits = [x for x, _ in pairs], [init for _, init in pairs]
    _check_types(xs, inits)
    axes = tuple([operator.index(d) for d in dimensions])
    check_axes("reduce", xs[0].aval, axes)
    jaxpr = trace_computation(computation, structure, [x.aval for x in xs], "reduce")
    if len(xs) == 1:
        found = _recognised(jaxpr)
        if found is not None:
            return tree.unflatten(structure, [_by_monoid(found, xs[0], inits[0], axes)])
    outs = [
        convert_element_type(out, out.aval.dtype, x.aval.weak_type and init.aval.weak_type)
        for out, x, init in zip(reduce_p.bind(*xs, *inits, dimensions=axes, jaxpr=jaxpr), xs, inits, strict=True)
    ]
    return tree.unflatten(structure, outs)


def _check_types(xs: Sequence[Any], inits: Sequence[Any]) -> None:
    shape = xs[0].aval.shape
    for position, (x, init) in enumerate(zip(xs, inits, strict=True)):
        if x.aval.shape != shape:
            raise TypeError(
                "fungrad.lax.reduce: operands must have one shape, got "
                + ", ".join(str(x.aval.shape) for x in xs)
            )
        if init.aval.shape:
            raise ValueError(
                f"fungrad.lax.reduce: init_values must be scalars, got {init.aval.str_short()} at position {position}"
            )
        if init.aval.dtype != x.aval.dtype:
            raise TypeError(
                f"fungrad.lax.reduce: initial value {position} must be a scalar of the dtype of "
                f"its "
                f"operand {x.aval.str_short()}, got {init.aval.str_short()}"
            )


def trace_computation(
    computation: Callable[..., Any], structure: Any, avals: Sequence[ShapedArray], name: str
) -> Jaxpr:
    """The computation as a jaxpr of accumulators followed by elements."""
    scalars = [ShapedArray((), a.dtype) for a in avals]
    count = len(avals)
    debug = DebugInfo(function_name(computation), (), f"lax.{name}")

    def flat(*args: Any) -> list[Any]:
        result = computation(
            tree.unflatten(structure, args[:count]), tree.unflatten(structure, args[count:])
        )
        outs, found = tree.flatten(result)
        outs = check_results(outs, result, debug)
        types = [x.aval.strip_weak_type() for x in outs]
        if found != structure or types != scalars:
            wanted = ", ".join(a.str_short() for a in scalars)
            got = ", ".join(a.str_short() for a in types)
            error = ValueError if found != structure else TypeError
            raise error(
                f"fungrad.lax.{name}: {debug.fun_name} must return the structure and types of its "
                f"accumulators, {structure_text(structure)} of {wanted}, "
                f"got {structure_text(found)} of {got}"
            )
        return outs

    jaxpr = trace_flat(flat, scalars * 2, debug)
    if jaxpr.consts:
        raise TypeError(
            f"fungrad.lax.{name}: {debug.fun_name} must not close over arrays or traced values; "
            f"pass "
            "them as operands"
        )
    return jaxpr


def _recognised(jaxpr: Jaxpr) -> Primitive | None:
    """The primitive that combines accumulator and element, if the jaxpr is nothing else."""
    if len(jaxpr.eqns) != 1:
        return None
    (eqn,) = jaxpr.eqns
    same = len(eqn.invars) == 2 and set(eqn.invars) == set(jaxpr.invars)
    if eqn.primitive.name in _REDUCTIONS and same and jaxpr.outvars == eqn.outvars:
        return eqn.primitive
    return None


def _by_monoid(primitive: Primitive, x: Any, init: Any, axes: Dims) -> Any:
    out = _REDUCTIONS[primitive.name].bind(x, axes=axes)
    if out.aval.weak_type and not init.aval.weak_type:
        out = convert_element_type(out, out.aval.dtype)
    if type(init) is ArrayImpl and init._data == NEUTRAL[primitive.name](init.dtype):
        return out
    return primitive.bind(init, out)
