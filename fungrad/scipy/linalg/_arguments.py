"""Arguments of ``fungrad.scipy.linalg``: matrices of the dtypes that LAPACK has.

May import ``core``, ``ops`` and ``numpy``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import brief
from fungrad.core.array import Array
from fungrad.ops._operands import lift
from fungrad.transforms.mapping import vmap


def array(api: str, name: str, x: Any) -> Array:
    """An argument as an array.

    Raises:
      TypeError: it is none, and no number.
    """
    return lift(x, f"fungrad.scipy.linalg.{api}: {name}")


def inexact(api: str, **named: Any) -> list[Any]:
    """Arguments in their common dtype, which has at least 32 bits and is not that of integers."""
    xs = [array(api, name, x) for name, x in named.items()]
    dtype = jnp.result_type(*xs)
    dtype = dtypes.to_inexact_dtype(dtype) if not jnp.issubdtype(dtype, jnp.inexact) else dtype
    if dtype.itemsize < 4:
        dtype = dtypes.float32
    return [x.astype(dtype) for x in xs]


def matrix(api: str, x: Any, name: str = "a", square: bool = False) -> Any:
    """A matrix, or a batch of them.

    Raises:
      TypeError: it is no array.
      ValueError: it has fewer than two dimensions, or is to be square and is not.
    """
    (x,) = inexact(api, **{name: x})
    check_matrix(api, name, x, square)
    return x


def check_matrix(api: str, name: str, x: Any, square: bool = False) -> None:
    """Raises ValueError unless ``x`` is a (square) matrix or a batch of them."""
    full = f"fungrad.scipy.linalg.{api}"
    if x.ndim < 2:
        raise ValueError(f"{full}: {name} must have at least two dimensions, got shape {x.shape}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{full}: {name} must be square in its last two dimensions, got shape {x.shape}")


def systems(api: str, a: Any, b: Any, name: str = "a", vectors: bool = True) -> tuple[Any, Any, bool]:
    """A batch of square matrices and right hand sides with the same batch dimensions, and whether those are vectors.

    A ``b`` of one dimension is a vector; with one dimension less than ``a`` it is a batch of ``vectors``.

    Raises:
      ValueError: the shapes do not match.
    """
    a, b = inexact(api, **{name: a, "b": b})
    check_matrix(api, name, a, square=True)
    n = a.shape[-1]
    vector = b.ndim == 1 or (vectors and b.ndim == a.ndim - 1 and (b.shape[-1] == n or b.shape[-2] != n))
    if not b.ndim or (b.shape[-1] if vector else b.shape[-2]) != n:
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: b must be of shape (..., {n}) or (..., {n}, m) for "
            f"{name} of shape {a.shape}, got {b.shape}"
        )
    if vector:
        b = b[..., None]
    try:
        batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: the batch dimensions of b must broadcast with those of {name}, got shapes "
            f"{a.shape} and {b.shape}"
        ) from None
    return jnp.broadcast_to(a, (*batch, *a.shape[-2:])), jnp.broadcast_to(b, (*batch, *b.shape[-2:])), vector


def count(api: str, name: str, n: Any, least: int = 0) -> int:
    """A size.

    Raises:
      TypeError: it is no integer.
      ValueError: it is too small.
    """
    try:
        n = operator.index(n)
    except TypeError:
        raise TypeError(f"fungrad.scipy.linalg.{api}: {name} must be an integer, got {brief(n)}") from None
    if n < least:
        raise ValueError(f"fungrad.scipy.linalg.{api}: {name} must be at least {least}, got {n}")
    return n


def choice(api: str, name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """One of some values.

    Raises:
      ValueError: it is another.
    """
    if isinstance(value, (str, int, type(None))) and value in allowed:
        return value
    raise ValueError(
        f"fungrad.scipy.linalg.{api}: {name} must be {' or '.join(map(repr, allowed))}, got {value!r}"
    )


def over_batch(f: Callable[..., Any], batch: int) -> Callable[..., Any]:
    """A function of single matrices for so many batch dimensions."""
    for _ in range(batch):
        f = vmap(f)
    return f


def mapped(f: Callable[..., Any], *xs: Any, core: int = 2, **options: Any) -> Any:
    """A function of single matrices on a batch of them, all with equal batch dimensions."""
    return over_batch(partial(f, **options), xs[0].ndim - core)(*xs)


def adjoint(x: Any) -> Any:
    """The conjugate transpose."""
    return jnp.conj(x.mT)
