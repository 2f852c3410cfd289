"""Questions about arrays and dtypes that need no computation.

May import ``core``, ``fungrad.dtypes`` and ``numpy._promotion``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array, typeof
from fungrad.dtypes import operand_type


def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """The dtype to which operands are promoted together.

    Args:
      *args: arrays, scalars and dtype-likes; Python scalars and ``int``, ``float``, ``complex`` are weak.
      return_weak_type_flag: whether to return also if the result is weak.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.result_type(jnp.int8, jnp.arange(2.0), 1)
      dtype('float32')
    """
    if not args:
        raise ValueError("fungrad.numpy.result_type: expected at least one array or dtype, got none")
    dtype, weak = dtypes.lattice_result_type(*[operand_type(x) for x in args])
    return (dtype, weak) if return_weak_type_flag else dtype


# What strict promotion forbids is what the caller asks for.
result_type.asks_for_promotion = True  # type: ignore[attr-defined]


def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Whether values of one dtype can be converted to another under NumPy's casting rules.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.can_cast('int32', 'float32'), jnp.can_cast('int8', 'int32')
      (False, True)
    """
    return bool(np.can_cast(_numpy_dtype(from_), _numpy_dtype(to), casting))  # type: ignore[arg-type]


def _numpy_dtype(x: Any) -> np.dtype:
    return x.dtype if isinstance(x, Array) else np.dtype(x)


def _aval_of(x: Any, api: str) -> Any:
    if isinstance(x, (list, tuple)):
        warnings.warn(
            f"fungrad.numpy.{api}: a should be an array or scalar, got a {type(x).__name__}; convert it with asarray",
            DeprecationWarning,
            stacklevel=4,
        )
        return typeof(np.asarray(x))
    return typeof(x)


def shape(a: Any) -> tuple[int, ...]:
    """Shape of an array or scalar; of None, as in NumPy, ``()``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.shape(jnp.zeros((2, 3)))
      (2, 3)
    """
    return () if a is None else _aval_of(a, "shape").shape


def ndim(a: Any) -> int:
    """Number of dimensions of an array or scalar.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.ndim(jnp.zeros((2, 3))), jnp.ndim(1.0)
      (2, 0)
    """
    return len(_aval_of(a, "ndim").shape)


def size(a: Any, axis: int | Sequence[int] | None = None) -> int:
    """Number of elements of an array or scalar, or along some of its axes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.size(jnp.zeros((2, 3))), jnp.size(jnp.zeros((2, 3)), 1)
      (6, 3)
    """
    sizes = _aval_of(a, "size").shape
    axes = range(len(sizes)) if axis is None else (axis,) if isinstance(axis, int) else axis
    if len({d % len(sizes) for d in axes if sizes}) < len(axes):
        raise ValueError(f"fungrad.numpy.size: axis {axis} has a repeated axis")
    out = 1
    for d in axes:
        if not -len(sizes) <= d < len(sizes):
            raise ValueError(f"fungrad.numpy.size: axis {d} is out of bounds for an array of {len(sizes)} dimensions")
        out *= sizes[d]
    return out


def isscalar(element: Any) -> bool:
    """Whether the argument is a scalar: a Python or NumPy number, or a 0-d array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isscalar(1.0), jnp.isscalar(jnp.array(1.0)), jnp.isscalar(jnp.ones(1))
      (True, True, False)
    """
    if isinstance(element, Array):
        return element.aval.ndim == 0
    if hasattr(element, "__jax_array__"):
        return isscalar(element.__jax_array__())
    return bool(np.isscalar(element)) and not isinstance(element, (str, bytes)) or (
        isinstance(element, np.ndarray) and element.ndim == 0
    )


def iterable(y: Any) -> bool:
    """Whether the argument can be iterated over.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.iterable(jnp.arange(3)), jnp.iterable(3)
      (True, False)
    """
    if isinstance(y, Array):
        return y.aval.ndim > 0
    return bool(np.iterable(y))


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.iscomplexobj(jnp.array([1 + 0j])), jnp.iscomplexobj(1.0)
      (True, False)
    """
    if isinstance(x, (list, tuple)):
        return any(map(iscomplexobj, x))
    return x is not None and dtypes.is_complex(operand_type(x)[0])


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex.

    Example:
      >>> import fungrad.numpy as jnp
      >>> jnp.isrealobj(1.0)
      True
    """
    return not iscomplexobj(x)
