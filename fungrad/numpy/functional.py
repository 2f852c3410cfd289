"""Functions that apply functions: vectorize, piecewise, apply_along_axis, apply_over_axes.

May import ``core``, ``ops``, ``transforms``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from fungrad.core import tree
from fungrad.core.array import Array, as_array, is_array_like
from fungrad.core.source import api_boundary, function_name
from fungrad.numpy import manipulation
from fungrad.numpy._promotion import broadcast_shapes, cast, check_rank_promotion, converted, operand
from fungrad.numpy.ufuncs import truth
from fungrad.ops import foundation, shape as shape_ops
from fungrad.ops.compare import select_n
from fungrad.transforms.mapping import vmap

CoreDims = tuple[str, ...]

_DIMENSIONS = r"\((?:\w+(?:,\w+)*)?\)"
_SIGNATURE = re.compile(rf"^{_DIMENSIONS}(?:,{_DIMENSIONS})*->{_DIMENSIONS}(?:,{_DIMENSIONS})*$")


# -- vectorize -------------------------------------------------------------------------------------------------------


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[int | str] = frozenset(), signature: str | None = None
) -> Callable[..., Any]:
    """Makes a function of scalars, or of arrays of few dimensions, broadcast over the rest like a ufunc.

    The function is mapped with ``vmap`` over the leading dimensions of its arguments, which broadcast together, so
    unlike NumPy's it is as fast as if it had been written for whole arrays.

    Args:
      pyfunc: function of arrays.
      excluded: positions and names of arguments that are passed on as they are. Arguments that are None always are.
      signature: the dimensions that the function sees, ``(m,n),(n)->(m)``: one group per argument and result,
        where the same name stands for the same size. By default arguments are scalars and results may have any
        dimensions.

    Returns:
      The function, which takes its arguments by position, except excluded ones.

    Raises:
      TypeError: ``excluded`` is malformed; when called, the number of arguments or results is wrong.
      ValueError: ``signature`` is malformed; when called, sizes do not agree or broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> matvec = jnp.vectorize(jnp.dot, signature='(m,n),(n)->(m)')
      >>> matvec(jnp.ones((5, 2, 3)), jnp.ones(3)).shape
      (5, 2)
    """
    fixed = _excluded(excluded)
    dims = None if signature is None else _parse(signature)

    @api_boundary
    @functools.wraps(pyfunc)
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        where = f"vectorize of {function_name(pyfunc)}" + (f" with signature {signature!r}" if dims else "")
        for name in kwargs:
            if name not in fixed:
                raise TypeError(
                    f"fungrad.numpy.vectorize: {where}: the keyword argument {name} is neither mapped nor excluded; "
                    f"pass it by position, or name it in excluded={{{name!r}}}"
                )
        mapped = [i for i, x in enumerate(args) if i not in fixed and x is not None]
        core = [()] * len(mapped) if dims is None else _core_of(args, fixed, mapped, dims[0], where)
        arrays = [operand(args[i], "vectorize", f"args[{i}]") for i in mapped]

        def fun(*xs: Any) -> Any:
            given = dict(zip(mapped, xs, strict=True))
            return pyfunc(*[given.get(i, x) for i, x in enumerate(args)], **kwargs)

        return _broadcast_call(fun, arrays, core, None if dims is None else dims[1], where)

    return vectorized


def _excluded(excluded: Collection[int | str]) -> frozenset:
    fixed = frozenset(excluded)
    for x in fixed:
        if isinstance(x, bool) or not isinstance(x, (int, str)):
            raise TypeError(f"fungrad.numpy.vectorize: excluded must hold positions and names, got {x!r}")
        if isinstance(x, int) and x < 0:
            raise ValueError(f"fungrad.numpy.vectorize: excluded must not hold negative positions, got {x}")
    return fixed


def _parse(signature: str) -> tuple[list[CoreDims], list[CoreDims]]:
    """The dimensions of arguments and of results."""
    text = re.sub(r"\s", "", signature)
    if not _SIGNATURE.match(text):
        raise ValueError(f"fungrad.numpy.vectorize: signature must look like '(m,n),(n)->(m)', got {signature!r}")
    sides = [re.findall(_DIMENSIONS, side) for side in text.split("->")]
    ins, outs = [[tuple(re.findall(r"\w+", group)) for group in side] for side in sides]
    return ins, outs


def _core_of(
    args: tuple, fixed: frozenset, mapped: Sequence[int], dims: Sequence[CoreDims], where: str
) -> list[CoreDims]:
    """The dimensions that the function sees of each mapped argument; groups belong to those not excluded."""
    positions = [i for i in range(len(args)) if i not in fixed]
    if len(positions) != len(dims):
        raise TypeError(
            f"fungrad.numpy.vectorize: {where}: expected {len(dims)} arguments by position, got {len(positions)}"
        )
    core = dict(zip(positions, dims, strict=True))
    missing = [i for i in positions if i not in mapped and core[i]]
    if missing:
        raise ValueError(f"fungrad.numpy.vectorize: {where}: args[{missing[0]}] has dimensions, so it must not be None")
    return [core[i] for i in mapped]


def _broadcast_call(
    fun: Callable[..., Any],
    arrays: Sequence[Array],
    core: Sequence[CoreDims],
    core_out: Sequence[CoreDims] | None,
    where: str,
) -> Any:
    """``fun`` mapped over all but the core dimensions of its arguments."""
    sizes: dict[str, int] = {}
    outer = []
    for i, (x, names) in enumerate(zip(arrays, core, strict=True)):
        split = x.aval.ndim - len(names)
        if split < 0:
            raise ValueError(
                f"fungrad.numpy.vectorize: {where}: argument {i} of type {x.aval.str_short()} has too few dimensions "
                f"for ({','.join(names)})"
            )
        outer.append(x.aval.shape[:split])
        _unify(sizes, names, x.aval.shape[split:], f"{where}: argument {i}")
    try:
        shape = broadcast_shapes(*outer)
    except ValueError as error:
        raise ValueError(f"fungrad.numpy.vectorize: {where}: {error}") from None
    if len({len(s) for s in outer if s}) > 1:
        check_rank_promotion("vectorize", [x.aval.shape for x in arrays])

    def checked(*xs: Any) -> Any:
        out = fun(*xs)
        if core_out is not None:
            _check_results(out, core_out, dict(sizes), where)
        return out

    # Dimensions of size 1 are not mapped over: they are dropped, and put back where all arguments have them.
    mapped, single = checked, []
    for d in reversed(range(len(shape))):
        axes = [0 if d - len(shape) >= -len(o) and o[d - len(shape)] != 1 else None for o in outer]
        if all(a is None for a in axes):
            single.append(d)
        else:
            mapped = vmap(mapped, tuple(axes), axis_size=shape[d])
    small = []
    for x, o in zip(arrays, outer, strict=True):
        small.append(shape_ops.squeeze(x, [d for d, n in enumerate(o) if n == 1]))
    out = mapped(*small)
    return tree.map(lambda y: manipulation.expand_dims(as_array(y), single[::-1]) if single else as_array(y), out)


def _unify(sizes: dict[str, int], names: CoreDims, shape: Sequence[int], what: str) -> None:
    """Adds the sizes of named dimensions; a number stands for itself."""
    for name, n in zip(names, shape, strict=True):
        expected = int(name) if name.isdigit() else sizes.setdefault(name, n)
        if expected != n:
            raise ValueError(
                f"fungrad.numpy.vectorize: {what} has size {n} along dimension {name!r}, which has size {expected}"
            )


def _check_results(out: Any, core: Sequence[CoreDims], sizes: dict[str, int], where: str) -> None:
    results = list(out) if isinstance(out, tuple) else [out]
    if len(results) != len(core):
        raise TypeError(f"fungrad.numpy.vectorize: {where}: expected {len(core)} results, got {len(results)}")
    for i, (y, names) in enumerate(zip(results, core, strict=True)):
        shape = as_array(y).aval.shape
        if len(shape) != len(names):
            raise ValueError(
                f"fungrad.numpy.vectorize: {where}: result {i} has shape {shape}, which does not fit "
                f"({','.join(names)})"
            )
        _unify(sizes, names, shape, f"{where}: result {i}")


# -- piecewise -------------------------------------------------------------------------------------------------------


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """A function defined by cases: for each element the value that goes with the last condition that holds.

    All functions are computed for all elements (``fungrad.numpy.where`` explains what that means for gradients).

    Args:
      x: array.
      condlist: boolean arrays that broadcast with ``x``.
      funclist: for each condition a function of one element, or a number; one more is for where no condition holds,
        else that is 0.
      *args: passed on to the functions.
      **kw: passed on to the functions.

    Returns:
      An array of the shape and dtype of ``x``.

    Raises:
      ValueError: the number of functions does not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.array([-2.0, 0.0, 3.0])
      >>> jnp.piecewise(x, [x < 0, x > 0], [lambda v: -v, lambda v: v * v, 10.0])
      Array([ 2., 10.,  9.], dtype=float32)
    """
    x = operand(x, "piecewise", "x")
    conditions = [truth(c, "piecewise") for c in _conditions(condlist, x)]
    functions = list(funclist)
    if len(functions) == len(conditions):
        functions.append(0)
    elif len(functions) != len(conditions) + 1:
        n = len(conditions)
        raise ValueError(
            f"fungrad.numpy.piecewise: for {n} conditions there must be {n} or {n + 1} functions, got {len(functions)}"
        )
    *cases, default = functions
    shape = x.aval.shape
    which: Any = foundation.broadcast_in_dim(np.int32(0), shape, ())
    for i, condition in enumerate(conditions):
        number = foundation.broadcast_in_dim(np.int32(i + 1), shape, ())
        which = select_n(foundation.broadcast(condition, shape), which, number)
    values = [_case(f, x, args, kw) for f in [default, *cases]]
    return select_n(which, *values)


def _conditions(condlist: Any, x: Array) -> list[Any]:
    """The conditions; one alone need not be in a list."""
    if isinstance(condlist, (list, tuple)):
        if condlist and is_array_like(condlist[0]):
            return list(condlist)
        return [np.asarray(condlist, bool)]
    condition = operand(condlist, "piecewise", "condlist")
    return [condition] if condition.aval.ndim <= x.aval.ndim else [condition[i] for i in range(len(condition))]  # type: ignore[index]


def _case(f: Any, x: Array, args: tuple, kw: dict[str, Any]) -> Array:
    """The value of one function or number for all elements."""
    if callable(f):
        value = vectorize(lambda v: cast(as_array(f(v, *args, **kw)), x.aval.dtype))(x)
    else:
        value = converted(f, x.aval.dtype, "piecewise", "funclist")
    return foundation.broadcast(value, x.aval.shape)


# -- along axes ------------------------------------------------------------------------------------------------------


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Array:
    """Applies a function of vectors to all vectors along an axis.

    Args:
      func1d: function of a 1-d array, and ``args`` and ``kwargs``, that returns an array.
      axis: the axis along which vectors are taken.
      arr: array.
      *args: passed on.
      **kwargs: passed on.

    Returns:
      An array with the dimensions of the results in place of ``axis``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.apply_along_axis(lambda v: v[::-1] - v[0], 0, jnp.array([[1, 2], [3, 5]]))
      Array([[2, 3],
             [0, 0]], dtype=int32)
    """
    x = operand(arr, "apply_along_axis", "arr")
    axis = shape_ops.canonical_axis("apply_along_axis", axis, x.aval.ndim)

    def fun(v: Any) -> Any:
        return func1d(v, *args, **kwargs)

    for _ in range(axis):
        fun = vmap(fun, 0, 0)
    # The dimensions after the axis come last in the result too.
    for _ in range(x.aval.ndim - axis - 1):
        fun = vmap(fun, -1, -1)
    return fun(x)


def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: int | Sequence[int]) -> Array:
    """Applies a function such as ``sum`` over one axis after the other, keeping the number of dimensions.

    Args:
      func: function ``func(a, axis)`` whose result has as many dimensions as ``a``, or one fewer.
      a: array.
      axes: axes, one or several.

    Returns:
      An array with as many dimensions as ``a``.

    Raises:
      ValueError: the result of ``func`` has another number of dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.apply_over_axes(jnp.sum, jnp.ones((2, 3, 4)), (0, 2)).shape
      (1, 3, 1)
    """
    x = operand(a, "apply_over_axes", "a")
    ndim = x.aval.ndim
    for axis in [axes] if isinstance(axes, int) else axes:
        position = shape_ops.canonical_axis("apply_over_axes", axis, ndim)
        out = as_array(func(x, position))
        if out.aval.ndim == ndim - 1:
            out = manipulation.expand_dims(out, position)
        if out.aval.ndim != ndim:
            raise ValueError(
                f"fungrad.numpy.apply_over_axes: {function_name(func)} must return an array of {ndim} or "
                f"{ndim - 1} dimensions, got {out.aval.str_short()}"
            )
        x = out
    return x
