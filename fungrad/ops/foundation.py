"""The primitives that all other families are built on: addition of tangents, broadcast, transpose, reshape and sum.

Differentiation adds tangents and makes zeros; batching moves and broadcasts dimensions; a broadcast transposes to a sum
and the other way round.  They stand together because they need each other.

May import ``core`` and ``ops._operands``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData, ManualAxis, evaluate
from fungrad.core.dimensions import sizes_of
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import check_kind, kind_of, lift, scalar_array
from fungrad.ops.resharding import at_sharding, resharded, varied

Dims = tuple[int, ...]


class Structural(Primitive):
    """Moves elements without arithmetic: linear in its first operand, differentiated by applying itself."""

    kind = "structural"
    cheap = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        if type(tangents[0]) is Zero:
            return y, Zero(y.aval.tangent())
        return y, self.bind(tangents[0], *primals[1:], **params)

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        return linearize_linear(self, record, primals, tangents, params)


def linearize_linear(
    primitive: Primitive, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict
) -> tuple[Any, Any]:
    """``linearize_now`` of a primitive that is linear in its first operand."""
    y = evaluate(primitive, primals, params)
    g = tangents[0]
    if g is None:
        return y, None
    aval = y.aval if g.aval is primals[0].aval else None
    return y, record(primitive, (g, *primals[1:]) if len(primals) > 1 else (g,), params, aval)


# -- addition of tangents ---------------------------------------------------------------------------------------------


class AddAny(Primitive):
    """Addition of two tangents or cotangents of the same type: linear in both operands."""

    kind = "elementwise"
    cheap = True
    commutative = True
    quiet = True

    def abstract_eval(self, x: ShapedArray, y: ShapedArray) -> ShapedArray:
        if x.shape != y.shape or x.dtype != y.dtype:
            raise TypeError(f"fungrad: cannot add tangents of types {x.str_short()} and {y.str_short()}")
        return x if x is y else x.strip_weak_type()

    def impl(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.add(x, y)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return add_any(*primals), add_zeros(*tangents)

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        return ct, ct

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return ct

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        x, y = args
        if dims[0] == dims[1]:
            return self.bind(x, y), dims[0]
        x, y = (batch_to(a, d, 0, axis) for a, d in zip(args, dims, strict=True))
        return self.bind(x, y), 0

    def scalar(self, m: Any, x: Any, y: Any) -> Any:
        """Native code: an addition."""
        return m.add(x, y)


add_any_p = AddAny("add_any")


def add_any(x: Any, y: Any) -> Any:
    """Sum of two values of the same tangent type."""
    if x.aval.is_high:
        return x.aval.vspace_add(x, y)
    return add_any_p.bind(x, y)


def add_zeros(x: Any, y: Any) -> Any:
    """Sum of two tangents, either of which may be a symbolic ``Zero``."""
    if type(x) is Zero:
        return y
    return x if type(y) is Zero else add_any(x, y)


# -- zeros -----------------------------------------------------------------------------------------------------------


def zeros(aval: ShapedArray) -> Array:
    """Zeros of type ``aval``: a broadcast literal, or an array for dtypes without literals (float0)."""
    if aval.is_high:
        return aval.vspace_zero()  # type: ignore[attr-defined, no-any-return]
    if aval.dtype.names is not None:
        return wrap_unchecked(np.zeros(aval.shape, aval.dtype), aval)
    zero = scalar_array(False if dtypes.is_bool(aval.dtype) else 0, aval.dtype, aval.weak_type)
    made = broadcast_in_dim(zero, aval.shape, ()) if aval.shape else zero
    return made if aval.placement is None else resharded(made, aval.placement)


# What types of users' own define by methods, so that they can ask the types of their parts.
ShapedArray.vspace_zero = zeros  # type: ignore[attr-defined]
ShapedArray.vspace_add = lambda aval, x, y: add_any(x, y)  # type: ignore[attr-defined]


def instantiate(x: Any) -> Any:
    """``x``, with a symbolic ``Zero`` made an array."""
    return zeros(x.aval) if type(x) is Zero else x


# -- broadcast ---------------------------------------------------------------------------------------------------------


class BroadcastInDim(Structural):
    """Operand dimension ``i`` becomes result dimension ``broadcast_dimensions[i]``; size 1 is repeated."""

    def abstract_eval(self, x: ShapedArray, *, shape: Dims, broadcast_dimensions: Dims) -> ShapedArray:
        api = "fungrad.lax.broadcast_in_dim"
        if len(broadcast_dimensions) != x.ndim:
            raise TypeError(
                f"{api}: broadcast_dimensions must name one result dimension per operand dimension, got "
                f"{broadcast_dimensions} for operand {x.str_short()}"
            )
        if any(b <= a for a, b in zip(broadcast_dimensions, broadcast_dimensions[1:], strict=False)):
            raise TypeError(f"{api}: broadcast_dimensions must increase strictly, got {broadcast_dimensions}")
        for size, d in zip(x.shape, broadcast_dimensions, strict=True):
            if not 0 <= d < len(shape) or size not in (1, shape[d]):
                raise TypeError(
                    f"{api}: operand {x.str_short()} does not broadcast to shape {shape} with broadcast_dimensions "
                    f"{broadcast_dimensions}: each operand dimension must be 1 or equal to the result's"
                )
        return ShapedArray(shape, x.dtype, x.weak_type)

    def impl(self, x: np.ndarray, *, shape: Dims, broadcast_dimensions: Dims) -> np.ndarray:
        size = math.prod(shape)
        if size == x.size:
            return x.reshape(shape)
        if x.size == 1:
            return np.full(shape, x.reshape(())[()], x.dtype)
        if x.size == math.prod(shape):
            return x.reshape(shape)  # only dimensions of size 1 are new
        middle = [1] * len(shape)
        for size, d in zip(x.shape, broadcast_dimensions, strict=True):
            middle[d] = size
        out = np.empty(shape, x.dtype)
        out[...] = x.reshape(middle)
        return out

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        if avals[0].size == math.prod(params["shape"]):
            return operator.methodcaller("reshape", params["shape"])
        return super().specialized(avals, params)

    def transpose(self, ct: Any, *args: Any, shape: Dims, broadcast_dimensions: Dims) -> Sequence[Any]:
        aval = args[0].aval
        kept = {d for size, d in zip(aval.shape, broadcast_dimensions, strict=True) if size == shape[d]}
        axes = tuple(d for d in range(len(shape)) if d not in kept)
        out = reduce_sum(ct, axes) if axes else ct
        return (reshape(out, aval.shape),)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return unbroadcast_now(ct, args[0].aval, params["shape"], params["broadcast_dimensions"])

    def batch(
        self,
        axis: AxisData,
        args: Sequence[Any],
        dims: Sequence[int | None],
        *,
        shape: Dims,
        broadcast_dimensions: Dims,
    ) -> tuple[Any, Any]:
        x = move_dim(args[0], dims[0], 0)
        dimensions = (0, *(d + 1 for d in broadcast_dimensions))
        return broadcast_in_dim(x, (axis.size, *shape), dimensions), 0

    def lower(self, ctx: Any, x: Any, *, shape: Dims, broadcast_dimensions: Dims) -> Any:
        return ctx.broadcast_in_dim(x, shape, broadcast_dimensions)

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """The dimensions, if any: the type of the result tells the shape."""
        dims = params["broadcast_dimensions"]
        return {"broadcast_dimensions": dims} if dims else {}

    def restored_params(self, printed: dict[str, Any], in_avals: Any, out_avals: Any) -> dict[str, Any]:
        """All parameters, from those that are printed."""
        return {"shape": out_avals[0].shape, "broadcast_dimensions": (), **printed}


broadcast_in_dim_p = BroadcastInDim("broadcast_in_dim")


def broadcast_in_dim(
    operand: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int], *, out_sharding: Any = None
) -> Array:
    """Broadcasts ``operand`` to ``shape``, placing its dimensions as told.

    Args:
      operand: array.
      shape: shape of the result.
      broadcast_dimensions: for each operand dimension the dimension of the result that it becomes.

    Returns:
      An array of ``shape`` and the operand's dtype.

    Raises:
      TypeError: an operand dimension is neither 1 nor the size of its result dimension.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> lax.broadcast_in_dim(jnp.array([1., 2.]), (2, 3), (0,))
      Array([[1., 1., 1.],
             [2., 2., 2.]], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            broadcast_in_dim, out_sharding, "fungrad.lax.broadcast_in_dim", operand, shape, broadcast_dimensions
        )
    operand = lift(operand, "fungrad.lax.broadcast_in_dim: operand")
    shape, dims = sizes_of(shape), tuple(map(operator.index, broadcast_dimensions))
    if operand.aval.shape == shape and dims == tuple(range(len(shape))):
        return operand
    order = sorted(range(len(dims)), key=dims.__getitem__)
    if order != list(range(len(dims))) and len(set(dims)) == len(dims) == operand.aval.ndim:
        operand, dims = transpose(operand, order), tuple([dims[i] for i in order])
    return broadcast_in_dim_p.bind(operand, shape=shape, broadcast_dimensions=dims)


def broadcast(x: Any, shape: Dims) -> Any:
    """NumPy broadcast of ``x`` to ``shape``: dimensions are aligned at the end."""
    if x.aval.shape == shape:
        return x
    offset = len(shape) - x.aval.ndim
    return broadcast_in_dim(x, shape, tuple(range(offset, len(shape))))


# -- transpose ---------------------------------------------------------------------------------------------------------


class Transpose(Structural):
    """Permutes dimensions: result dimension ``i`` is operand dimension ``permutation[i]``."""

    def abstract_eval(self, x: ShapedArray, *, permutation: Dims) -> ShapedArray:
        if sorted(permutation) != list(range(x.ndim)):
            raise TypeError(
                f"fungrad.lax.transpose: permutation must be a permutation of {tuple(range(x.ndim))} for operand "
                f"{x.str_short()}, got {permutation}"
            )
        return ShapedArray(tuple([x.shape[p] for p in permutation]), x.dtype, x.weak_type)

    def impl(self, x: np.ndarray, *, permutation: Dims) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(permutation)).reshape([x.shape[p] for p in permutation])

    def transpose(self, ct: Any, *args: Any, permutation: Dims) -> Sequence[Any]:
        return (transpose(ct, inverse_permutation(permutation)),)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return self.impl(ct, permutation=inverse_permutation(params["permutation"]))

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, permutation: Dims) -> tuple:
        d = dims[0]
        shifted = tuple(p + (p >= d) for p in permutation)  # type: ignore[operator]
        return transpose(args[0], (d, *shifted)), 0  # type: ignore[arg-type]

    def lower(self, ctx: Any, x: Any, *, permutation: Dims) -> Any:
        return ctx.transpose(x, permutation)


transpose_p = Transpose("transpose")


def transpose(operand: Any, permutation: Sequence[int]) -> Array:
    """Permutes the dimensions of ``operand``.

    Args:
      operand: array of rank n.
      permutation: for each result dimension the operand dimension it is; a permutation of ``range(n)``.

    Raises:
      TypeError: ``permutation`` is not a permutation of the operand's dimensions.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> lax.transpose(jnp.ones((2, 3, 4)), (2, 0, 1)).shape
      (4, 2, 3)
    """
    operand = lift(operand, "fungrad.lax.transpose: operand")
    permutation = tuple(map(operator.index, permutation))
    if permutation == tuple(range(operand.aval.ndim)):
        return operand
    return transpose_p.bind(operand, permutation=permutation)


def inverse_permutation(permutation: Sequence[int]) -> Dims:
    """The permutation that undoes ``permutation``."""
    out = [0] * len(permutation)
    for i, p in enumerate(permutation):
        out[p] = i
    return tuple(out)


def move_dim(x: Any, source: int | None, destination: int) -> Any:
    """``x`` with one dimension moved (None moves nothing)."""
    if source is None or source == destination:
        return x
    order = [d for d in range(x.aval.ndim) if d != source]
    order.insert(destination, source)
    return transpose(x, order)


def batch_to(x: Any, dim: int | None, destination: int, axis: AxisData | int) -> Any:
    """``x`` with its batch dimension at ``destination``; repeated along ``axis``, a mapped axis or its size, if it has
    none. Repeated examples are divided over a mesh as those of the mapped arguments are."""
    if x.aval.is_high and dim != destination:
        raise NotImplementedError(
            f"fungrad.vmap: a value of type {x.aval.short()}, mapped as {dim} says, would have to be mapped as "
            f"{destination} says; values of users' own types are not moved or repeated"
        )
    if dim is not None:
        return move_dim(x, dim, destination)
    size, entry = (axis.size, axis.entry) if isinstance(axis, AxisData) else (axis, None)
    if type(axis) is ManualAxis:
        x = varied(x, axis.name, "shard_map")
    shape = list(x.aval.shape)
    shape.insert(destination, size)
    out = broadcast_in_dim(x, shape, tuple(d for d in range(len(shape)) if d != destination))
    if entry is None or x.aval.placement is None:
        return out
    return resharded(out, x.aval.placement.of_batch(destination, entry))


# -- reshape -----------------------------------------------------------------------------------------------------------


class Reshape(Structural):
    """The same elements in row-major order with other dimension sizes."""

    def abstract_eval(self, x: ShapedArray, *, new_sizes: Dims, dimensions: None) -> ShapedArray:
        if any(d < 0 for d in new_sizes) or math.prod(new_sizes) != x.size:
            raise TypeError(
                f"fungrad.lax.reshape: cannot reshape {x.str_short()} of {x.size} elements to {new_sizes}, "
                f"which has {math.prod(new_sizes)}"
            )
        return ShapedArray(new_sizes, x.dtype, x.weak_type)

    def impl(self, x: np.ndarray, *, new_sizes: Dims, dimensions: None) -> np.ndarray:
        return x.reshape(new_sizes)

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        return operator.methodcaller("reshape", params["new_sizes"])

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        return (reshape(ct, args[0].aval.shape),)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        return ct.reshape(args[0].aval.shape)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, new_sizes: Dims, **_: Any
    ) -> tuple:
        return reshape(move_dim(args[0], dims[0], 0), (axis.size, *new_sizes)), 0

    def lower(self, ctx: Any, x: Any, *, new_sizes: Dims, dimensions: None) -> Any:
        return ctx.reshape(x, new_sizes)


reshape_p = Reshape("reshape")


def reshape(
    operand: Any, new_sizes: Sequence[int], dimensions: Sequence[int] | None = None, *, out_sharding: Any = None
) -> Array:
    """Gives ``operand`` other dimension sizes, keeping its elements in row-major order.

    Args:
      operand: array.
      new_sizes: shape of the result, with the same number of elements.
      dimensions: order in which operand dimensions are read first (a permutation); default row-major.

    Raises:
      TypeError: the number of elements differs.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> lax.reshape(jnp.arange(4), (2, 2))
      Array([[0, 1],
             [2, 3]], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(reshape, out_sharding, "fungrad.lax.reshape", operand, new_sizes, dimensions)
    operand = lift(operand, "fungrad.lax.reshape: operand")
    if dimensions is not None:
        operand = transpose(operand, dimensions)
    new_sizes = sizes_of(new_sizes)
    if operand.aval.shape == new_sizes:
        return operand
    return reshape_p.bind(operand, new_sizes=new_sizes, dimensions=None)


# -- sum ---------------------------------------------------------------------------------------------------------------


# Terms that are added up one after the other.
_TERMS = 32


def sum_of(x: np.ndarray, axes: Dims) -> Any:
    """The sum over some axes. NumPy adds up pairs of pairs only along the axis that is contiguous; along the others
    blocks of terms are summed, then blocks of these sums."""
    if x.dtype.kind not in "fc":
        return np.add.reduce(x, axis=axes, dtype=x.dtype)
    long = [a for a in axes if x.shape[a] > 2 * _TERMS and x.strides[a] != x.itemsize]
    if not long or (x.flags.c_contiguous and len(axes) == x.ndim):
        return np.add.reduce(x, axis=axes, dtype=x.dtype)
    short = tuple([a for a in axes if a not in long])
    if short:
        x = np.add.reduce(x, axis=short, keepdims=True, dtype=x.dtype)
    for a in long:
        x = _sum_along(x, a)
    return x.reshape([n for d, n in enumerate(x.shape) if d not in axes])


def _sum_along(x: np.ndarray, axis: int) -> np.ndarray:
    """The sum along one axis, which stays with size 1, in blocks of blocks."""
    rest = None
    while x.shape[axis] > 2 * _TERMS:
        blocks = x.shape[axis] // _TERMS
        at = (slice(None),) * axis
        if blocks * _TERMS < x.shape[axis]:
            more = np.add.reduce(x[(*at, slice(blocks * _TERMS, None))], axis=axis, keepdims=True)
            rest = more if rest is None else rest + more
            x = x[(*at, slice(blocks * _TERMS))]
        x = np.add.reduce(x.reshape((*x.shape[:axis], blocks, _TERMS, *x.shape[axis + 1 :])), axis=axis + 1)
    total = np.add.reduce(x, axis=axis, keepdims=True)
    return total if rest is None else total + rest


class ReduceSum(Primitive):
    """Sum over dimensions, which disappear; linear."""

    kind = "reduction"
    monoid = "add"
    quiet = True

    def abstract_eval(self, x: ShapedArray, *, axes: Dims) -> ShapedArray:
        check_kind("reduce_sum", x, "iufc")
        check_axes("reduce_sum", x, axes)
        return ShapedArray(tuple([n for d, n in enumerate(x.shape) if d not in axes]), x.dtype, x.weak_type)

    def impl(self, x: np.ndarray, *, axes: Dims) -> Any:
        if x.dtype.itemsize == 2 and kind_of(x.dtype) == "f":
            # Half-precision sums are accumulated in float32, as compiled code does.
            return sum_of(x.astype(np.float32), axes).astype(x.dtype)
        return sum_of(x, axes)

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        dtype = avals[0].dtype
        if dtype.itemsize == 2 and kind_of(dtype) == "f":
            return super().specialized(avals, params)
        if kind_of(dtype) in "fc" and math.prod([avals[0].shape[a] for a in params["axes"]]) > 2 * _TERMS:
            return partial(sum_of, axes=params["axes"])
        return partial(np.add.reduce, axis=params["axes"], dtype=dtype)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, axes: Dims) -> tuple[Any, Any]:
        return self.bind(*primals, axes=axes), self.bind(*tangents, axes=axes)

    def linearize_now(self, record: Any, primals: Sequence[Any], tangents: Sequence[Any], params: dict) -> tuple:
        return linearize_linear(self, record, primals, tangents, params)

    def transpose(self, ct: Any, *args: Any, axes: Dims) -> Sequence[Any]:
        shape = args[0].aval.shape
        return (broadcast_in_dim(ct, shape, tuple(d for d in range(len(shape)) if d not in axes)),)

    def transpose_now(self, ct: Any, position: int, args: Sequence[Any], params: dict) -> Any:
        shape, axes = args[0].aval.shape, params["axes"]
        out = np.empty(shape, ct.dtype)
        out[...] = ct.reshape([1 if d in axes else n for d, n in enumerate(shape)]) if ct.shape else ct
        return out

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, axes: Dims) -> tuple[Any, Any]:
        return batch_reduction(self, args[0], dims[0], axes, {})


def batch_reduction(primitive: Primitive, x: Any, dim: Any, axes: Dims, params: dict[str, Any]) -> tuple[Any, int]:
    """A reduction over ``axes`` of each example of ``x``, whose batch is in ``dim``."""
    shifted = tuple(a + (a >= dim) for a in axes)
    out = primitive.bind(x, axes=shifted, **params)
    return out, dim - sum(a < dim for a in shifted)


def check_axes(name: str, x: ShapedArray, axes: Dims) -> None:
    """Raises unless ``axes`` are distinct dimensions of ``x``."""
    if len(set(axes)) != len(axes) or not all(0 <= a < x.ndim for a in axes):
        raise ValueError(
            f"fungrad.lax.{name}: axes must be distinct and in [0, {x.ndim}) for operand {x.str_short()}, got {axes}"
        )


reduce_sum_p = ReduceSum("reduce_sum")


def unbroadcast_now(ct: Any, aval: ShapedArray, shape: Dims, broadcast_dimensions: Dims) -> Any:
    """Transpose of a broadcast on an ndarray: the sum over the dimensions that are new or were repeated.

    Args:
      ct: cotangent of the result.
      aval: type of the operand.
      shape: shape of the result.
      broadcast_dimensions: where it has the dimensions of the operand.
    """
    axes = _repeated(aval.shape, shape, broadcast_dimensions)
    return (reduce_sum_p.impl(ct, axes=axes) if axes else ct).reshape(aval.shape)


@lru_cache(maxsize=1024)
def _repeated(before: Dims, after: Dims, broadcast_dimensions: Dims) -> Dims:
    """The dimensions that a broadcast adds or repeats."""
    kept = {d for n, d in zip(before, broadcast_dimensions, strict=True) if n == after[d]}
    return tuple([d for d in range(len(after)) if d not in kept])


def reduce_sum(operand: Any, axes: Sequence[int], *, out_sharding: Any = None) -> Array:
    """Sums ``operand`` over ``axes``, which must be non-negative.

    Example:
      >>> from fungrad import lax
      >>> import fungrad.numpy as jnp
      >>> lax.reduce_sum(jnp.ones((2, 3)), (1,))
      Array([3., 3.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(reduce_sum, out_sharding, "fungrad.lax.reduce_sum", operand, axes)
    operand = lift(operand, "fungrad.lax.reduce_sum: operand")
    axes = tuple(map(operator.index, axes))
    return reduce_sum_p.bind(operand, axes=axes) if axes else operand
