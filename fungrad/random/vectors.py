"""Distributions of vectors and matrices that need linear algebra.

May import ``core``, ``ops``, ``fungrad.numpy``, and of ``random`` the arguments and continuous distributions.
"""

from __future__ import annotations

import operator
from typing import Any

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.arguments import shown
from fungrad.core.array import Array, as_array
from fungrad.numpy import linalg
from fungrad.numpy._promotion import promote_dtypes_inexact
from fungrad.ops._operands import kind_of
from fungrad.ops.resharding import at_sharding
from fungrad.ops.shape import broadcast_shapes
from fungrad.random._arguments import dtype_of, one_key, shape_of
from fungrad.random.continuous import any_normal

_METHODS = ("cholesky", "eigh", "svd")


def multivariate_normal(
    key: Any,
    mean: Any,
    cov: Any,
    shape: Any = None,
    dtype: Any = None,
    method: str = "cholesky",
    *,
    out_sharding: Any = None,
) -> Array:
    """Vectors of a multivariate normal distribution.

    Args:
      key: a random key.
      mean: array of shape ``[..., n]``.
      cov: array of shape ``[..., n, n]``, symmetric and positive semidefinite.
      shape: shape of the result without its last dimension, None for that to which ``mean`` and ``cov`` broadcast.
      dtype: floating dtype; default that of the promoted ``mean`` and ``cov``.
      method: how a root of ``cov`` is found: ``"cholesky"`` (the fastest; NaN if ``cov`` is singular), ``"eigh"`` or
        ``"svd"`` (which take singular ones).
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array of shape ``shape + (n,)``.

    Raises:
      TypeError: ``key`` is not a key, or ``mean`` or ``cov`` is not real.
      ValueError: the shapes do not fit, there is no such method, or ``dtype`` is not floating.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import random
      >>> random.multivariate_normal(random.key(0), jnp.zeros(2), jnp.eye(2), (5,)).shape
      (5, 2)
    """
    if out_sharding is not None:
        return at_sharding(
            multivariate_normal,
            out_sharding,
            "fungrad.random.multivariate_normal",
            key,
            mean,
            cov,
            shape,
            dtype,
            method,
        )
    api = "fungrad.random.multivariate_normal"
    single, _ = one_key("multivariate_normal", key)
    arrays = [as_array(x, f"{api}: {name}") for name, x in (("mean", mean), ("cov", cov))]
    centre, spread = promote_dtypes_inexact("random.multivariate_normal", *arrays)
    for name, x in (("mean", centre), ("cov", spread)):
        if kind_of(x.aval.dtype) != "f":
            raise TypeError(f"{api}: {name} must be real, got {x.aval.str_short()}")
    if method not in _METHODS:
        raise ValueError(f"{api}: method must be 'cholesky', 'eigh' or 'svd', got {method!r}")
    found = dtype_of("multivariate_normal", dtype, "f", centre.aval.dtype)
    if not centre.aval.ndim:
        raise ValueError(f"{api}: mean must have at least one dimension, got {centre.aval.str_short()}")
    n = centre.aval.shape[-1]
    if spread.aval.ndim < 2 or spread.aval.shape[-2:] != (n, n):
        raise ValueError(
            f"{api}: cov must have the shape [..., {n}, {n}] for a mean of shape {centre.aval.shape}, got "
            f"{spread.aval.shape}"
        )
    leading = centre.aval.shape[:-1], spread.aval.shape[:-2]
    try:
        dims = broadcast_shapes(*leading) if shape is None else shape_of("multivariate_normal", shape)
        fits = broadcast_shapes(dims, *leading) == dims
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError(
            f"{api}: shape {shape} must be one that mean and cov broadcast to without their last dimensions, "
            f"{leading[0]} and {leading[1]}"
        )
    if method == "cholesky":
        root = linalg.cholesky(spread)
    elif method == "eigh":
        values, vectors = linalg.eigh(spread)
        root = vectors * jnp.sqrt(values[..., None, :])
    else:
        left, values, _ = linalg.svd(spread)
        root = left * jnp.sqrt(values[..., None, :])
    noise = any_normal(single, (*dims, n), found)
    return jnp.broadcast_to(centre, noise.shape) + jnp.einsum("...ij,...j->...i", root, noise)


def orthogonal(
    key: Any, n: int, shape: Any = (), dtype: Any = None, m: int | None = None, *, out_sharding: Any = None
) -> Array:
    """Matrices with orthonormal columns (or rows, if there are more columns), uniformly distributed.

    Reference: F. Mezzadri, "How to generate random matrices from the classical compact groups", 2007.

    Args:
      key: a random key.
      n: number of rows.
      shape: leading dimensions of the result.
      dtype: floating or complex dtype; default the default floating dtype.
      m: number of columns; default ``n``.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.

    Returns:
      An array of shape ``shape + (n, m)``.

    Raises:
      TypeError: ``key`` is not a key, or ``n`` or ``m`` not an int.
      ValueError: ``dtype`` is neither floating nor complex, or a size is negative.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import random
      >>> q = random.orthogonal(random.key(0), 3)
      >>> bool(jnp.allclose(q @ q.T, jnp.eye(3), atol=1e-5))
      True
    """
    if out_sharding is not None:
        return at_sharding(orthogonal, out_sharding, "fungrad.random.orthogonal", key, n, shape, dtype, m)
    api = "fungrad.random.orthogonal"
    single, _ = one_key("orthogonal", key)
    found = dtype_of("orthogonal", dtype, "fc", dtypes.default_float())
    dims = shape_of("orthogonal", shape)
    sizes = []
    for name, size in (("n", n), ("m", n if m is None else m)):
        try:
            sizes.append(operator.index(size))
        except TypeError:
            raise TypeError(f"{api}: {name} must be an int, got {shown(size)}") from None
        if sizes[-1] < 0:
            raise ValueError(f"{api}: {name} must not be negative, got {size}")
    rows, columns = sizes
    z = any_normal(single, (*dims, max(sizes), min(sizes)), found)
    q, r = linalg.qr(z)
    q = q * jnp.expand_dims(jnp.sign(jnp.diagonal(r, axis1=-2, axis2=-1)), -2)
    return jnp.matrix_transpose(q) if rows < columns else q
