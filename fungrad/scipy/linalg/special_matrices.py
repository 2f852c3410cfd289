"""Matrices of known structure, with SciPy's signatures.

May import ``core``, ``numpy`` and ``scipy.linalg._arguments``.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.scipy.linalg._arguments import array, choice, count


def _vector(api: str, name: str, x: Any, least: int = 0) -> Any:
    """A vector, or a batch of them; a number is a vector of one."""
    x = jnp.atleast_1d(array(api, name, x))
    if x.shape[-1] < least:
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: {name} must have at least {least} elements along its last dimension, got "
            f"shape {x.shape}"
        )
    return x


def block_diag(*arrs: Any) -> Array:
    """A matrix with others along its diagonal.

    Args:
      *arrs: arrays of at most two dimensions; vectors are rows.

    Returns:
      A matrix whose sizes are the sums of theirs.

    Raises:
      TypeError: an argument is no array.
      ValueError: an array has more than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.block_diag(jnp.ones((1, 2)), jnp.array([[3.0]]))
      Array([[1., 1., 0.],
             [0., 0., 3.]], dtype=float32)
    """
    blocks = [array("block_diag", f"arrs[{k}]", x) for k, x in enumerate(arrs or (jnp.zeros((1, 0)),))]
    for k, x in enumerate(blocks):
        if x.ndim > 2:
            raise ValueError(
                f"fungrad.scipy.linalg.block_diag: arrs[{k}] must have at most two dimensions, got shape {x.shape}"
            )
    blocks = [jnp.atleast_2d(x) for x in blocks]
    dtype = jnp.result_type(*blocks)
    width = sum(x.shape[1] for x in blocks)
    rows, start = [], 0
    for x in blocks:
        rows.append(jnp.pad(x.astype(dtype), [(0, 0), (start, width - start - x.shape[1])]))
        start += x.shape[1]
    return jnp.concatenate(rows, 0)


def toeplitz(c: Any, r: Any = None) -> Array:
    """A matrix with constant diagonals.

    Args:
      c: its first column, shape ``(..., m)``.
      r: its first row, shape ``(..., n)``, whose first element does not count; default the conjugate of ``c``.

    Returns:
      An array of shape ``(..., m, n)``.

    Raises:
      TypeError: an argument is no array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.toeplitz(jnp.array([1, 2, 3]), jnp.array([1, 4, 5]))
      Array([[1, 4, 5],
             [2, 1, 4],
             [3, 2, 1]], dtype=int32)
    """
    c = _vector("toeplitz", "c", c)
    r = jnp.conj(c) if r is None else _vector("toeplitz", "r", r)
    m, n = c.shape[-1], r.shape[-1]
    if not m or not n:
        batch = jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1])
        return jnp.zeros((*batch, m, n), jnp.result_type(c, r))
    batch = jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c, r = jnp.broadcast_to(c, (*batch, m)), jnp.broadcast_to(r, (*batch, n))
    both = jnp.concatenate([jnp.flip(c, -1), r[..., 1:]], -1)
    return both[..., m - 1 - np.arange(m)[:, None] + np.arange(n)]


def circulant(c: Any) -> Array:
    """A matrix each of whose columns is the one before, moved down by one.

    Args:
      c: its first column, shape ``(..., n)``.

    Returns:
      An array of shape ``(..., n, n)``.

    Raises:
      TypeError: ``c`` is no array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.circulant(jnp.array([1, 2, 3]))
      Array([[1, 3, 2],
             [2, 1, 3],
             [3, 2, 1]], dtype=int32)
    """
    c = _vector("circulant", "c", c)
    n = c.shape[-1]
    return c[..., (np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]  # type: ignore[no-any-return]


def hankel(c: Any, r: Any = None) -> Array:
    """A matrix with constant diagonals from below left to above right.

    Args:
      c: its first column, shape ``(..., m)``.
      r: its last row, shape ``(..., n)``, whose first element does not count; default zeros like ``c``.

    Returns:
      An array of shape ``(..., m, n)``.

    Raises:
      TypeError: an argument is no array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.hankel(jnp.array([1, 2, 3]))
      Array([[1, 2, 3],
             [2, 3, 0],
             [3, 0, 0]], dtype=int32)
    """
    c = _vector("hankel", "c", c)
    r = jnp.zeros_like(c) if r is None else _vector("hankel", "r", r)
    m, n = c.shape[-1], r.shape[-1]
    batch = jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    both = jnp.concatenate([jnp.broadcast_to(c, (*batch, m)), jnp.broadcast_to(r, (*batch, n))[..., 1:]], -1)
    return both[..., np.arange(m)[:, None] + np.arange(n)]


def companion(a: Any) -> Array:
    """The companion matrix of a polynomial.

    Args:
      a: its coefficients, that of the highest power first, shape ``(..., n)`` with ``n >= 2``.

    Returns:
      An array of shape ``(..., n - 1, n - 1)``, whose eigenvalues are the roots.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: there are fewer than two coefficients.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.companion(jnp.array([1.0, -3, 2]))
      Array([[ 3., -2.],
             [ 1.,  0.]], dtype=float32)
    """
    a = _vector("companion", "a", a, 2)
    top = -a[..., 1:] / a[..., :1]
    n = top.shape[-1]
    below = jnp.broadcast_to(jnp.eye(n - 1, n, dtype=top.dtype), (*top.shape[:-1], n - 1, n))
    return jnp.concatenate([top[..., None, :], below], -2)


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Array:
    """The matrix whose product with a vector is its convolution with another.

    Args:
      a: the other vector, shape ``(..., m)`` with ``m >= 1``.
      n: length of the vectors that the matrix is for.
      mode: "full" (``m + n - 1`` rows), "same" (``max(m, n)`` rows, the middle ones) or "valid"
        (``max(m, n) - min(m, n) + 1`` rows).

    Returns:
      An array of shape ``(..., rows, n)``.

    Raises:
      TypeError: ``a`` is no array, or ``n`` no integer.
      ValueError: ``a`` is empty, ``n`` is not positive, or another mode.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.convolution_matrix(jnp.array([-1, 4, -2]), 3, mode="same")
      Array([[ 4, -1,  0],
             [-2,  4, -1],
             [ 0, -2,  4]], dtype=int32)
    """
    api = "convolution_matrix"
    if np.ndim(a) == 0:
        raise ValueError(f"fungrad.scipy.linalg.{api}: a must have at least one dimension, got a scalar")
    a = _vector(api, "a", a, 1)
    n = count(api, "n", n, 1)
    choice(api, "mode", mode, ("full", "same", "valid"))
    m = a.shape[-1]
    none = [(0, 0)] * (a.ndim - 1)
    first = jnp.pad(a, [*none, (0, n - 1)])
    row = jnp.zeros((*a.shape[:-1], n), a.dtype).at[..., 0].set(a[..., 0])
    whole = toeplitz(first, row)
    if mode == "full":
        return whole
    length = max(m, n) if mode == "same" else max(m, n) - min(m, n) + 1
    start = (m + n - 1 - length) // 2
    return whole[..., start : start + length, :]


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Array:
    """The matrix of the discrete Fourier transform.

    Args:
      n: its size.
      scale: None, "sqrtn" (divided by the root of ``n``, unitary) or "n" (divided by ``n``).
      dtype: complex; default that of complex numbers.

    Returns:
      An array of shape ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.
      ValueError: another ``scale``, or ``dtype`` is not complex.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.dft(2).real
      Array([[ 1.,  1.],
             [ 1., -1.]], dtype=float32)
    """
    n = count("dft", "n", n)
    choice("dft", "scale", scale, (None, "sqrtn", "n"))
    chosen = dtypes.default_complex() if dtype is None else np.dtype(dtype)
    if chosen.kind != "c":
        raise ValueError(f"fungrad.scipy.linalg.dft: dtype must be complex, got {chosen}")
    k = np.arange(n)
    # Angles of less than a turn keep their digits.
    whole = np.exp(-2j * np.pi * (np.outer(k, k) % max(n, 1)) / max(n, 1))
    return jnp.asarray(whole / {None: 1, "sqrtn": math.sqrt(max(n, 1)), "n": max(n, 1)}[scale], chosen)


def fiedler(a: Any) -> Array:
    """The symmetric matrix of absolute differences.

    Args:
      a: numbers, shape ``(..., n)``.

    Returns:
      An array of shape ``(..., n, n)``.

    Raises:
      TypeError: ``a`` is no array.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.fiedler(jnp.array([1, 4, 9]))
      Array([[0, 3, 8],
             [3, 0, 5],
             [8, 5, 0]], dtype=int32)
    """
    a = _vector("fiedler", "a", a)
    return jnp.abs(a[..., :, None] - a[..., None, :])


def fiedler_companion(a: Any) -> Array:
    """A companion matrix with five diagonals.

    Args:
      a: coefficients of a polynomial, that of the highest power first, shape ``(..., n)`` with ``n >= 1``.

    Returns:
      An array of shape ``(..., n - 1, n - 1)``, whose eigenvalues are the roots.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: there is no coefficient.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.fiedler_companion(jnp.array([1.0, -3, 2]))
      Array([[ 3., -2.],
             [ 1.,  0.]], dtype=float32)
    """
    a = _vector("fiedler_companion", "a", a, 1)
    a = a / a[..., :1]
    n = a.shape[-1] - 1
    if n < 1:
        return jnp.zeros((*a.shape[:-1], 0, 0), a.dtype)
    if n == 1:
        return -a[..., 1:, None]
    out = jnp.zeros((*a.shape[:-1], n, n), a.dtype)
    out = out.at[..., 0, 0].set(-a[..., 1]).at[..., 1, 0].set(1)
    for k in range(2, n + 1):
        # Coefficients stand in turns to the right of ones and below them.
        if k % 2 == 0:
            row, column = k - 2, k - 1
            out = out.at[..., row, column].set(-a[..., k])
            if k < n:
                out = out.at[..., row, column + 1].set(1)
        else:
            row, column = k - 1, k - 2
            out = out.at[..., row, column].set(-a[..., k])
            if k < n:
                out = out.at[..., row + 1, column].set(1)
    return out


def hadamard(n: int, dtype: Any = int) -> Array:
    """Hadamard's matrix of signs by Sylvester's construction.

    Args:
      n: its size, a power of two.
      dtype: of the result.

    Returns:
      An array of shape ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.
      ValueError: ``n`` is no power of two.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.hadamard(2)
      Array([[ 1,  1],
             [ 1, -1]], dtype=int32)
    """
    n = count("hadamard", "n", n, 1)
    if n & (n - 1):
        raise ValueError(f"fungrad.scipy.linalg.hadamard: n must be a power of two, got {n}")
    block = np.array([[1, 1], [1, -1]])
    whole = reduce(np.kron, [block] * (n.bit_length() - 1), np.ones((1, 1), int))
    return jnp.asarray(whole, dtype)


def helmert(n: int, full: bool = False) -> Array:
    """Helmert's orthogonal matrix.

    Args:
      n: its size.
      full: with the first row, which is constant.

    Returns:
      An array of shape ``(n - 1, n)``, or ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.
      ValueError: ``n`` is not positive.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.helmert(2, full=True).round(4)
      Array([[ 0.7071,  0.7071],
             [ 0.7071, -0.7071]], dtype=float32)
    """
    n = count("helmert", "n", n, 1)
    k = np.arange(n)[:, None]
    whole = np.where(np.arange(n) < k, 1.0, np.where(np.arange(n) == k, -k, 0.0))
    whole = whole / np.sqrt(np.maximum(k * (k + 1), 1))
    whole[0] = 1 / math.sqrt(n)
    return jnp.asarray(whole if full else whole[1:])


def hilbert(n: int) -> Array:
    """Hilbert's matrix, ``1 / (i + j + 1)``.

    Args:
      n: its size.

    Returns:
      An array of shape ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.hilbert(2)
      Array([[1.        , 0.5       ],
             [0.5       , 0.33333334]], dtype=float32)
    """
    n = count("hilbert", "n", n)
    k = np.arange(n)
    return jnp.asarray(1.0 / (k[:, None] + k + 1))


def invhilbert(n: int) -> Array:
    """The inverse of Hilbert's matrix.

    Args:
      n: its size.

    Returns:
      An array of floating point numbers of shape ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.invhilbert(2)
      Array([[ 4., -6.],
             [-6., 12.]], dtype=float32)
    """
    n = count("invhilbert", "n", n)

    def element(i: int, j: int) -> float:
        s = i + j
        size = (s + 1) * math.comb(n + i, n - j - 1) * math.comb(n + j, n - i - 1) * math.comb(s, i) ** 2
        return float(-size if s % 2 else size)

    return jnp.asarray(np.array([[element(i, j) for j in range(n)] for i in range(n)]).reshape(n, n))


def leslie(f: Any, s: Any) -> Array:
    """The matrix of growth of a population by ages.

    Args:
      f: fecundities, shape ``(..., n)`` with ``n >= 2``.
      s: rates of survival, shape ``(..., n - 1)``.

    Returns:
      An array of shape ``(..., n, n)``.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.leslie(jnp.array([0.1, 2.0]), jnp.array([0.5]))
      Array([[0.1, 2. ],
             [0.5, 0. ]], dtype=float32)
    """
    f, s = _vector("leslie", "f", f, 2), _vector("leslie", "s", s)
    n = f.shape[-1]
    if s.shape[-1] != n - 1:
        raise ValueError(
            f"fungrad.scipy.linalg.leslie: s must have one element less than f along its last dimension, got shapes "
            f"{s.shape} and {f.shape}"
        )
    dtype = jnp.result_type(f, s)
    batch = jnp.broadcast_shapes(f.shape[:-1], s.shape[:-1])
    top = jnp.broadcast_to(f.astype(dtype), (*batch, n))[..., None, :]
    below = jnp.broadcast_to(s.astype(dtype), (*batch, n - 1))[..., :, None] * jnp.eye(n - 1, n, dtype=dtype)
    return jnp.concatenate([top, below], -2)


def pascal(n: int, kind: str | None = None) -> Array:
    """The matrix of binomial coefficients.

    Args:
      n: its size.
      kind: None or "symmetric", "lower" or "upper".

    Returns:
      An array of shape ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.
      ValueError: another ``kind``.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.pascal(3)
      Array([[1., 1., 1.],
             [1., 2., 3.],
             [1., 3., 6.]], dtype=float32)
    """
    n = count("pascal", "n", n)
    choice("pascal", "kind", kind, (None, "symmetric", "lower", "upper"))
    return jnp.asarray(_binomials(n, kind, 1))


def _binomials(n: int, kind: str | None, sign: int) -> np.ndarray:
    lower = [[float(sign ** (i - j) * math.comb(i, j)) if j <= i else 0.0 for j in range(n)] for i in range(n)]
    whole = np.array(lower).reshape(n, n)
    if kind in (None, "symmetric"):
        return whole @ whole.T if sign > 0 else whole.T @ whole
    return whole if kind == "lower" else whole.T


def invpascal(n: int, kind: str | None = None) -> Array:
    """The inverse of the matrix of binomial coefficients.

    Args:
      n: its size.
      kind: None or "symmetric", "lower" or "upper".

    Returns:
      An array of shape ``(n, n)``.

    Raises:
      TypeError: ``n`` is no integer.
      ValueError: another ``kind``.

    Example:
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.invpascal(2)
      Array([[ 2., -1.],
             [-1.,  1.]], dtype=float32)
    """
    n = count("invpascal", "n", n)
    choice("invpascal", "kind", kind, (None, "symmetric", "lower", "upper"))
    return jnp.asarray(_binomials(n, kind, -1))
