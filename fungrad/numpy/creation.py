"""Making arrays: from values, of constants, ranges and grids.

May import ``core``, ``ops`` and ``numpy._promotion``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.config import watch
from fungrad.core import dtypes
from fungrad.core.arguments import brief, shown
from fungrad.core.array import (
    PYTHON_SCALARS,
    Array,
    as_array,
    from_numpy,
    from_scalar,
    is_array_like,
    typeof,
    wrap,
)
from fungrad.core.avals import ShapedArray
from fungrad.core.context import Tracer
from fungrad.core.device import check_device
from fungrad.core.dimensions import as_size, is_symbolic, is_symbolic_shape, max_size
from fungrad.core.placement import placement
from fungrad.core.shardings import sharding_of_type
from fungrad.core.transfers import host_to_device, unseen
from fungrad.errors import IncompatibleShapesError
from fungrad.numpy import ufuncs
from fungrad.numpy._promotion import cast, operand, raw_operand, requested_dtype
from fungrad.ops import elementwise, joining, shape as shape_ops
from fungrad.ops._operands import scalar_array
from fungrad.ops.cast import convert_element_type, copy as copy_op, stop_gradient
from fungrad.ops.foundation import broadcast, broadcast_in_dim
from fungrad.ops.resharding import at_sharding, on_device, put, resharded

# -- from values -------------------------------------------------------------------------------------------------------


def array(
    object: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str | None = "K",
    ndmin: int = 0,
    *,
    device: Any = None,
    out_sharding: Any = None,
) -> Array:
    """An array of a value.

    Args:
      object: scalar, array, or nested lists and tuples of them; arrays and tracers inside lists are stacked.
      dtype: dtype of the result, honoured at any width. By default that of the value at the default width.
      copy: ignored for what cannot be shared; without, a fungrad array is returned as it is.
      order: only for compatibility: ``K``, ``A``, ``C`` (arrays are row-major).
      ndmin: least rank of the result: dimensions of size 1 are put in front.
      device: None, a device or a sharding: where the result is to be.

    Returns:
      Array; weakly typed only if ``object`` is a Python number and no dtype is given.

    Raises:
      TypeError: the value is not numeric, or its nesting is ragged.
      OverflowError: an integer does not fit the dtype.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.array([[1, 2], [3, 4.5]])
      Array([[1. , 2. ],
             [3. , 4.5]], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(array, out_sharding, "fungrad.numpy.array", object, dtype, copy, order, ndmin, device=device)
    if order not in (None, "K", "A", "C"):
        raise NotImplementedError(
            f"fungrad.numpy.array: order must be 'K', 'A' or 'C', got {order!r}; arrays are row-major"
        )
    out = _convert(object, requested_dtype(dtype, "array"), "array", copy)
    if ndmin > out.aval.ndim:
        out = shape_ops.expand_dims(out, range(ndmin - out.aval.ndim))
    return on_device(out, device, "fungrad.numpy.array")


def asarray(
    a: object,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    device: Any = None,
    out_sharding: Any = None,
) -> Array:
    """``a`` as an array; arrays of the requested dtype are returned as they are.

    See ``array`` for arguments and errors.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.asarray(2), jnp.asarray((2, 3))
      (Array(2, dtype=int32, weak_type=True), Array([2, 3], dtype=int32))
    """
    if out_sharding is not None:
        return at_sharding(asarray, out_sharding, "fungrad.numpy.asarray", a, dtype, order, copy=copy, device=device)
    if copy is False and not isinstance(a, Array):
        raise ValueError(
            f"fungrad.numpy.asarray: copy=False is not possible for a {type(a).__name__}; arrays are never views of "
            "mutable data"
        )
    return array(a, dtype=dtype, copy=bool(copy), order=order, device=device)


def _convert(x: Any, dtype: np.dtype | None, api: str, copy: bool) -> Array:
    """The value ``x`` as an array of ``dtype`` (None: its own, at default width)."""
    what = f"fungrad.numpy.{api}: the value"
    if hasattr(x, "__jax_array__"):
        x = x.__jax_array__()
    if isinstance(x, Array):
        if dtype is None or x.aval.dtype == dtype and not x.aval.weak_type:
            return copy_op(x) if copy else as_array(x, what)
        return convert_element_type(x, dtype)
    if isinstance(x, PYTHON_SCALARS) and not isinstance(x, np.generic):
        if dtype is None:
            return from_scalar(x, what)
        return _from_numpy(np.asarray(_fitting(x, dtype, what)), dtype, what)
    if isinstance(x, (list, tuple)):
        return _from_sequence(x, dtype, api, what)
    if x is None:
        raise ValueError(f"{what} is None, which is not an array or scalar")
    if not isinstance(x, (np.ndarray, np.generic)):
        x = np.asarray(x)
    return _from_numpy(x, dtype, what)


def _fitting(x: Any, dtype: np.dtype, what: str) -> Any:
    """A Python scalar, checked to fit an integer dtype, as NumPy can convert it."""
    if not isinstance(x, int) or isinstance(x, bool):
        return x
    if dtypes.is_integer(dtype):
        info = dtypes.iinfo(dtype)
        if not info.min <= x <= info.max:
            raise OverflowError(
                f"{what} is the integer {x}, which does not fit {dtype.name} ({info.min} to {info.max}); request a "
                "wider dtype"
            )
        return np.asarray(int(x), dtype)
    try:
        return float(x) if abs(x) >= 2**63 else x
    except OverflowError:
        raise OverflowError(f"{what} is an integer of {x.bit_length()} bits, which does not fit {dtype.name}") from None


def _from_numpy(x: np.ndarray, dtype: np.dtype | None, what: str) -> Array:
    if dtype is None:
        return from_numpy(x, what=what)
    if x.dtype.kind not in "biufcV" or (x.dtype.kind == "V" and not dtypes.is_known(x.dtype)):
        raise TypeError(f"{what} has dtype {x.dtype}, which is not numeric")
    if watch.transfers:
        host_to_device(ShapedArray(x.shape, dtype))
    if x.dtype.kind == "c" and not dtypes.is_complex(dtype):
        x = x != 0 if dtypes.is_bool(dtype) else x.real
    if x.dtype.kind == "f" and dtypes.is_integer(dtype):
        # NumPy leaves the conversion of numbers out of range to the machine; this one saturates.
        wide = wrap(np.array(x, order="C"), ShapedArray(x.shape, x.dtype.newbyteorder("=")))
        return convert_element_type(wide, dtype)
    return wrap(np.array(x, dtype=dtype, order="C"), ShapedArray(x.shape, dtype))


def _from_sequence(x: Sequence[Any], dtype: np.dtype | None, api: str, what: str) -> Array:
    """An array of nested lists and tuples."""
    leaves = list(_leaves(x))
    if not any(isinstance(leaf, Array) or hasattr(leaf, "__jax_array__") for leaf in leaves):
        try:
            data = np.array(x, dtype=None if dtype is None or not leaves else _request_for(leaves, dtype))
        except ValueError:
            raise ValueError(f"{what} is ragged: the lists in one list must all have the same lengths") from None
        if not leaves and dtype is None:
            dtype = dtypes.default_float()
        if dtype is None and any(isinstance(leaf, (np.generic, np.ndarray)) for leaf in leaves):
            # NumPy's values promote as arrays do, with numbers that adapt.
            dtype = dtypes.lattice_result_type(*{(t.dtype, t.weak_type) for t in map(typeof, leaves)})[0]
        if data.dtype == object:
            for leaf in leaves:
                if not isinstance(leaf, (*PYTHON_SCALARS, np.ndarray, np.generic)):
                    # Nothing for None, as for None itself: it has no wrong type, but no value.
                    error = ValueError if leaf is None else TypeError
                    raise error(f"{what} holds {shown(leaf)}; elements must be arrays or numbers")
            raise OverflowError(f"{what} holds integers that do not fit 64 bit")
        return _from_numpy(data, dtype, what)
    leaf_arrays = [leaf if isinstance(leaf, PYTHON_SCALARS) else operand(leaf, api, "an element") for leaf in leaves]
    if dtype is None:
        operands = [(a.aval.dtype, a.aval.weak_type) for a in map(_as_operand, leaf_arrays)]
        dtype = dtypes.lattice_result_type(*operands)[0]
    elements = [_convert(element, dtype, api, copy=False) for element in x]
    shapes = {e.aval.shape for e in elements}
    if len(shapes) > 1:
        raise TypeError(f"{what}: elements of a list must have one shape, got {' and '.join(map(str, sorted(shapes)))}")
    return joining.stack(elements, 0)


def raw_values(x: Any) -> Any:
    """Values that are written into an array, before they take its dtype: nested lists of numbers as a NumPy array."""
    if is_array_like(x):
        return x
    if not isinstance(x, (list, tuple)) or any(isinstance(leaf, Array) for leaf in _leaves(x)):
        return asarray(x)
    try:
        data = np.asarray(x)
    except ValueError:
        return asarray(x)
    return data if data.dtype.kind in "biufc" else asarray(x)


def _as_operand(x: Any) -> Array:
    return x if isinstance(x, Array) else operand(x, "array", "an element")


def _request_for(leaves: Sequence[Any], dtype: np.dtype) -> np.dtype | None:
    """The dtype to ask NumPy for, which checks that Python integers fit; None where values must be converted."""
    only_ints = all(isinstance(leaf, int) for leaf in leaves)
    return dtype if only_ints and dtypes.is_integer(dtype) and dtype.kind in "iu" else None


def _leaves(x: Any) -> Any:
    for element in x:
        if isinstance(element, (list, tuple)):
            yield from _leaves(element)
        else:
            yield element


def copy(a: object, order: str | None = None) -> Array:
    """A copy of an array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.copy(jnp.array([1, 2]))
      Array([1, 2], dtype=int32)
    """
    return array(a, copy=True)


def astype(x: Any, dtype: Any, /, *, copy: bool = False, device: Any = None) -> Array:
    """``x`` converted to a dtype.

    Complex numbers lose their imaginary part, with a warning; numbers become booleans by comparison with zero.

    Args:
      x: array or scalar.
      dtype: any supported dtype; None means the default floating dtype.
      copy: whether an array that has the dtype is copied, so that one may be donated or deleted without the other.
      device: None, a device or a sharding: where the result is to be.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.astype(jnp.array([0.0, 1.7]), int)
      Array([0, 1], dtype=int32)
    """
    x = operand(x, "astype", "x")
    new = dtypes.default_float() if dtype is None else dtypes.canonicalize_dtype(dtype, "fungrad.numpy.astype")
    if dtypes.is_complex(x.aval.dtype) and not dtypes.is_complex(new) and not dtypes.is_bool(new):
        warnings.warn(
            f"fungrad.numpy.astype: complex numbers of type {x.aval.str_short()} lose their imaginary part when they "
            f"become {new.name}; take .real before",
            DeprecationWarning,
            stacklevel=4,
        )
        x = ufuncs.real(x)
    out = convert_element_type(x, new)
    return on_device(copy_op(out) if copy and out is x else out, device, "fungrad.numpy.astype")


# -- constants ---------------------------------------------------------------------------------------------------------


def canonical_shape(shape: Any, api: str) -> tuple[int, ...]:
    """A shape argument as a tuple: an int stands for one dimension.

    Raises:
      TypeError: it is not made of integers.
      ValueError: a size is negative.
    """
    try:
        out = (
            tuple([as_size(n) for n in shape])
            if hasattr(shape, "__len__") and not _is_0d(shape)
            else (as_size(shape),)
        )
    except TypeError as error:
        if type(error) is not TypeError:
            raise  # a traced size has its own explanation
        raise TypeError(
            f"fungrad.numpy.{api}: shape must be an integer or a sequence of integers, got {brief(shape)}"
        ) from error
    if any(n < 0 for n in out):
        raise IncompatibleShapesError(f"fungrad.numpy.{api}: sizes must not be negative, got shape {out}")
    return out


def _is_0d(shape: Any) -> bool:
    return isinstance(shape, (Array, np.ndarray)) and not shape.shape


def _constant(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    return broadcast_in_dim(scalar_array(value, dtype), shape, ())


def _is_float0(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype == dtypes.float0


def _float0_array(shape: tuple[int, ...]) -> Any:
    """The only array of a shape of dtype float0, that of tangents of integers: an ndarray, as derivatives return it."""
    return np.zeros(shape, dtypes.float0)


def _filled(api: str, value: int, shape: Any, dtype: Any, device: Any) -> Array:
    if _is_float0(dtype):
        check_device(device, f"fungrad.numpy.{api}")
        return _float0_array(canonical_shape(shape, api))
    found = requested_dtype(dtype, api)
    found = dtypes.default_float() if found is None else found
    if dtypes.is_bool(found):
        value = bool(value)
    if watch.transfers:
        host_to_device(ShapedArray((), found))
    return on_device(_constant(value, canonical_shape(shape, api), found), device, f"fungrad.numpy.{api}")


def zeros(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array of zeros, of the default floating dtype unless ``dtype`` is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.zeros(2), jnp.zeros((1, 2), int)
      (Array([0., 0.], dtype=float32), Array([[0, 0]], dtype=int32))
    """
    if out_sharding is not None:
        return at_sharding(zeros, out_sharding, "fungrad.numpy.zeros", shape, dtype, device=device)
    return _filled("zeros", 0, shape, dtype, device)


def ones(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array of ones, of the default floating dtype unless ``dtype`` is given.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ones((2, 2), dtype=int)
      Array([[1, 1],
             [1, 1]], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(ones, out_sharding, "fungrad.numpy.ones", shape, dtype, device=device)
    return _filled("ones", 1, shape, dtype, device)


def empty(shape: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """The same as ``zeros``: there is no uninitialised memory.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.empty((2, 3)).shape
      (2, 3)
    """
    if out_sharding is not None:
        return at_sharding(empty, out_sharding, "fungrad.numpy.empty", shape, dtype, device=device)
    return _filled("empty", 0, shape, dtype, device)


def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """An array of one value.

    Args:
      shape: shape of the result.
      fill_value: scalar, or array that broadcasts to ``shape``.
      dtype: dtype of the result; by default that of ``fill_value``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.full((2, 2), jnp.array([1, 2]))
      Array([[1, 2],
             [1, 2]], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(full, out_sharding, "fungrad.numpy.full", shape, fill_value, dtype, device=device)
    out = _full(fill_value, canonical_shape(shape, "full"), requested_dtype(dtype, "full"), None, "full")
    return on_device(out, device, "fungrad.numpy.full")


def _full(fill_value: Any, shape: tuple[int, ...], dtype: np.dtype | None, weak: bool | None, api: str) -> Array:
    if dtype is None:
        value = asarray(fill_value) if isinstance(fill_value, (list, tuple)) else operand(fill_value, api, "fill_value")
    else:
        if not isinstance(fill_value, (list, tuple)):
            raw_operand(fill_value, api, "fill_value")
        value = cast(_convert(fill_value, dtype, api, copy=False), dtype, bool(weak))
    return broadcast_to(value, shape, api)


def broadcast_to(array: Any, shape: Any, api: str = "broadcast_to") -> Array:
    """NumPy broadcast of an array to a shape."""
    x = operand(array, api, "array")
    aval = x.aval
    fits = len(shape) >= aval.ndim and all(n in (1, m) for n, m in zip(aval.shape[::-1], shape[::-1], strict=False))
    if not fits:
        raise IncompatibleShapesError(
            f"fungrad.numpy.{api}: cannot broadcast {aval.str_short()} to shape {tuple(shape)}: each dimension, "
            "counted from the last, must be 1 or equal"
        )
    return broadcast(x, tuple(shape))


def _like(api: str, a: Any, dtype: Any, shape: Any) -> tuple[tuple[int, ...], np.dtype, bool]:
    """Shape, dtype and weakness of a ``*_like`` function's result."""
    aval = a if hasattr(a, "shape") and hasattr(a, "dtype") and not isinstance(a, (Array, np.ndarray)) else None
    if aval is None:
        aval = operand(a, api, "a").aval
    weak = dtype is None and bool(getattr(aval, "weak_type", False))
    found = requested_dtype(dtype, api)
    if found is None:
        found = dtypes.canonicalize_dtype(aval.dtype)
    return tuple(aval.shape) if shape is None else canonical_shape(shape, api), found, weak


def _filled_like(api: str, value: int, a: Any, dtype: Any, shape: Any, device: Any) -> Array:
    if _is_float0(getattr(a, "dtype", None) if dtype is None else dtype):
        check_device(device, f"fungrad.numpy.{api}")
        return _float0_array(canonical_shape(np.shape(a) if shape is None else shape, api))
    sizes, found, weak = _like(api, a, dtype, shape)
    if watch.transfers:
        host_to_device(ShapedArray((), found, weak))
    scalar = scalar_array(bool(value) if dtypes.is_bool(found) else value, found, weak)
    return _where_like(broadcast_in_dim(scalar, sizes, ()), a, device, api)


def _where_like(x: Array, a: Any, device: Any, api: str) -> Array:
    """A result of a ``*_like`` function, divided as the array is after whose shape it is made if nothing is asked."""
    if device is not None:
        return on_device(x, device, f"fungrad.numpy.{api}")
    if not isinstance(a, Array) or a.aval.shape != x.aval.shape:
        return x
    if a.aval.placement is not None:
        return resharded(x, sharding_of_type(a.aval))
    return put(x, placement(a)) if watch.placed else x


def zeros_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """Zeros of the shape and dtype of ``a``, either of which may be replaced.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.zeros_like(jnp.array([1.5, 2.5]))
      Array([0., 0.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(zeros_like, out_sharding, "fungrad.numpy.zeros_like", a, dtype, shape, device=device)
    return _filled_like("zeros_like", 0, a, dtype, shape, device)


def ones_like(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None) -> Array:
    """Ones of the shape and dtype of ``a``, either of which may be replaced.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ones_like(jnp.array([1.5, 2.5]))
      Array([1., 1.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(ones_like, out_sharding, "fungrad.numpy.ones_like", a, dtype, shape, device=device)
    return _filled_like("ones_like", 1, a, dtype, shape, device)


def empty_like(prototype: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """The same as ``zeros_like``: there is no uninitialised memory.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.empty_like(jnp.array([1, 2])).dtype
      dtype('int32')
    """
    return _filled_like("empty_like", 0, prototype, dtype, shape, device)


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, shape: Any = None, *, device: Any = None, out_sharding: Any = None
) -> Array:
    """One value in the shape and dtype of ``a``, either of which may be replaced.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.full_like(jnp.array([1.0, 2.0]), 7)
      Array([7., 7.], dtype=float32)
    """
    if out_sharding is not None:
        return at_sharding(
            full_like, out_sharding, "fungrad.numpy.full_like", a, fill_value, dtype, shape, device=device
        )
    sizes, found, weak = _like("full_like", a, dtype, shape)
    return _where_like(_full(fill_value, sizes, found, weak, "full_like"), a, device, "full_like")


# -- ranges ------------------------------------------------------------------------------------------------------------


def arange(
    start: Any, stop: Any = None, step: Any = None, dtype: Any = None, *, device: Any = None, out_sharding: Any = None
) -> Array:
    """Numbers from ``start`` up to, without, ``stop`` in steps of ``step``; ``arange(n)`` counts from 0.

    The arguments must be known when tracing: they decide the shape.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.arange(3), jnp.arange(1, 2, 0.5)
      (Array([0, 1, 2], dtype=int32), Array([1. , 1.5], dtype=float32))
    """
    if out_sharding is not None:
        return at_sharding(arange, out_sharding, "fungrad.numpy.arange", start, stop, step, dtype, device=device)
    given = [x for x in (start, stop, step) if x is not None]
    found = requested_dtype(dtype, "arange")
    values = [_static_number(x) for x in given]
    if any(isinstance(x, complex) for x in values):
        raise ValueError(f"fungrad.numpy.arange: start, stop and step must be real, got {', '.join(map(str, values))}")
    if found is None:
        with unseen():
            operands = [operand(x, "arange", "an argument") for x in given]
        found = dtypes.lattice_result_type(*[(x.aval.dtype, x.aval.weak_type) for x in operands])[0]
    if stop is None:
        first, last = 0, values[0]
        interval = values[1] if step is not None else 1
    else:
        first, last = values[0], values[1]
        interval = values[2] if step is not None else 1
    if interval == 0:
        raise ValueError("fungrad.numpy.arange: step must not be 0")
    if is_symbolic_shape((first, last, interval)):
        return on_device(_symbolic_range(first, last, interval, found), device, "fungrad.numpy.arange")
    size = max(0, math.ceil((last - first) / interval))
    if first == 0 and interval == 1 and not dtypes.is_bool(found):
        out: Any = shape_ops.iota(found, size)
    else:
        exact = np.arange(first, last, interval)
        if exact.size != size:
            exact = first + interval * np.arange(size)
        out = wrap(exact.astype(found), ShapedArray((size,), found))
    if dtypes.is_inexact(found):
        if watch.transfers:
            host_to_device(ShapedArray((), found))
        # Where bounds are known but differentiated, how many numbers there are is a constant, the numbers are not.
        if stop is not None and isinstance(start, Tracer):
            out = elementwise.add(out, convert_element_type(_only_derivative(start), found))
        if isinstance(step, Tracer):
            each = convert_element_type(_only_derivative(step), found)
            out = elementwise.add(out, elementwise.mul(shape_ops.iota(found, size), each))
    return on_device(out, device, "fungrad.numpy.arange")


def _symbolic_range(first: Any, last: Any, step: Any, dtype: np.dtype) -> Any:
    """A range whose bounds or step are symbolic; the step has a known sign."""
    for x in (first, last, step):
        if not is_symbolic(x) and not isinstance(x, int):
            raise TypeError(
                f"fungrad.numpy.arange: beside symbolic dimensions, start, stop and step must be integers, got "
                f"{brief(x)}; multiply and add floating-point numbers afterwards"
            )
    size = max_size(0, (last - first + step - 1) // step if step > 0 else (first - last - step - 1) // -step)
    out: Any = shape_ops.iota(dtype, size)
    if step != 1:
        out = elementwise.mul(out, convert_element_type(as_array(step), dtype))
    return out if first == 0 else elementwise.add(out, convert_element_type(as_array(first), dtype))


def _only_derivative(x: Array) -> Array:
    """Zero, with the derivative of ``x``."""
    return elementwise.sub(x, stop_gradient(x))


def _static_number(x: Any) -> Any:
    """A bound of a range as a Python number."""
    if isinstance(x, Array):
        return x._known("arange()").item()
    return x.item() if isinstance(x, (np.ndarray, np.generic)) else x
