"""Decompositions with SciPy's signatures.

May import ``core``, ``ops``, ``lax``, ``numpy``, ``control``, ``scipy.linalg._arguments`` and ``scipy.linalg.solving``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import fungrad.numpy as jnp
from fungrad.control.scan import scan
from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.ops.linalg import eigen, qr as _qr, reductions, svd as _svd
from fungrad.ops.linalg.triangular import triangular_solve
from fungrad.scipy.linalg._arguments import adjoint, check_matrix, choice, inexact, mapped, matrix
from fungrad.scipy.linalg.solving import cholesky


def eigh(
    a: Any,
    b: Any = None,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    turbo: bool = True,
    eigvals: None = None,
    type: int = 1,
    check_finite: bool = True,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian matrix, or of a pair with a positive definite ``b``.

    Args:
      a: shape ``(..., n, n)``; only one triangle of it is read.
      b: None, or of the same shape.
      lower: which triangles are read.
      eigvals_only: return only the eigenvalues.
      overwrite_a, overwrite_b, turbo, check_finite: ignored.
      eigvals: must be None.
      type: with ``b``, which problem: 1 for ``a @ v = w * b @ v``, 2 for ``a @ b @ v = w * v``, 3 for
        ``b @ a @ v = w * v``.

    Returns:
      The real eigenvalues ``w`` of shape ``(..., n)``, ascending, and ``v`` of shape ``(..., n, n)`` with the
      eigenvectors as columns; or ``w`` alone.

    Raises:
      TypeError: an argument is no array.
      ValueError: a matrix is not square, the shapes differ, or another ``type``.
      NotImplementedError: ``eigvals``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.eigh(jnp.array([[2.0, 1], [1, 2]]), eigvals_only=True)
      Array([1., 3.], dtype=float32)
    """
    if eigvals is not None:
        raise NotImplementedError("fungrad.scipy.linalg.eigh: eigvals must be None; take a slice of the results")
    choice("eigh", "type", type, (1, 2, 3))
    a = matrix("eigh", a, square=True)
    a = _whole(a, lower)
    if b is None:
        v, w = eigen.eigh(a, symmetrize_input=False)
        return w if eigvals_only else (w, v)
    a, b = inexact("eigh", a=a, b=b)
    if b.shape != a.shape:
        raise ValueError(f"fungrad.scipy.linalg.eigh: b must be of the shape of a, {a.shape}, got {b.shape}")
    factor = cholesky(_whole(b, lower), lower=True)
    left = partial(triangular_solve, factor, left_side=True, lower=True)
    if type == 1:
        inside = triangular_solve(factor, left(a), left_side=False, lower=True, transpose_a=True, conjugate_a=True)
    else:
        inside = adjoint(factor) @ a @ factor
    v, w = eigen.eigh(inside)
    if eigvals_only:
        return w
    return w, factor @ v if type == 3 else left(v, transpose_a=True, conjugate_a=True)


def _whole(a: Any, lower: bool) -> Any:
    """The Hermitian matrix with one triangle of ``a``."""
    half = jnp.tril(a, -1) if lower else jnp.triu(a, 1)
    diagonal = jnp.real(jnp.diagonal(a, axis1=-2, axis2=-1)).astype(a.dtype)
    return half + adjoint(half) + jnp.eye(a.shape[-1], dtype=a.dtype) * diagonal[..., None]


def eigh_tridiagonal(
    d: Any,
    e: Any,
    *,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: tuple[float, float] | None = None,
    tol: float | None = None,
    key: Any = None,
) -> Any:
    """Eigenvalues and eigenvectors of a Hermitian tridiagonal matrix.

    Args:
      d: its diagonal, shape ``(n,)``.
      e: the diagonal above, shape ``(n - 1,)``, whose conjugate is the diagonal below.
      eigvals_only: return only the eigenvalues.
      select: "a" for all, "i" for those with the numbers ``select_range[0]`` to ``select_range[1]``, both included, "v"
        for those in the interval ``(select_range[0], select_range[1]]``, which must be known.
      select_range: for "i" and "v".
      tol, key: ignored.

    Returns:
      The real eigenvalues of shape ``(n,)``, ascending, and the eigenvectors as columns; or the eigenvalues alone.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not match, or ``select`` or its range is wrong.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.eigh_tridiagonal(jnp.array([2.0, 2.0]), jnp.array([1.0]), eigvals_only=True)
      Array([1., 3.], dtype=float32)
    """
    api = "eigh_tridiagonal"
    choice(api, "select", select, ("a", "i", "v"))
    d, e = inexact(api, d=d, e=e)
    n = d.shape[0] if d.ndim else 0
    if d.ndim != 1 or e.shape != (max(0, n - 1),):
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: e must be of shape (n - 1,) for d of shape (n,), got shapes {e.shape} and "
            f"{d.shape}"
        )
    if select != "a" and (select_range is None or len(select_range) != 2):
        raise ValueError(f"fungrad.scipy.linalg.{api}: select_range must be a pair for select={select!r}")
    a = jnp.diag(jnp.real(d).astype(d.dtype))
    if n > 1:
        a = a + jnp.diag(e, 1) + jnp.diag(jnp.conj(e), -1)
    v, w = eigen.eigh(a, symmetrize_input=False)
    if select == "i":
        low, high = select_range  # type: ignore[misc]
        if not 0 <= low <= high < n:
            raise ValueError(
                f"fungrad.scipy.linalg.{api}: select_range must be (low, high) with 0 <= low <= high < {n}, got "
                f"{select_range}"
            )
        w, v = w[int(low) : int(high) + 1], v[:, int(low) : int(high) + 1]
    elif select == "v":
        low, high = select_range  # type: ignore[misc]
        inside = (w > low) & (w <= high)
        w, v = w[inside], v[:, inside]
    return w if eigvals_only else (w, v)


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """The singular value decomposition ``a = u @ diag(s) @ vh``.

    Args:
      a: shape ``(..., m, n)``.
      full_matrices: make ``u`` and ``vh`` square.
      compute_uv: return the singular vectors too.
      overwrite_a, check_finite, lapack_driver: ignored.

    Returns:
      ``u`` of shape ``(..., m, k)``, the real ``s`` of shape ``(..., min(m, n))`` in descending order, and ``vh`` of
      shape ``(..., k, n)``; or only ``s``.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` has fewer than two dimensions.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> linalg.svd(jnp.array([[3.0, 0], [0, -4]]), compute_uv=False)
      Array([4., 3.], dtype=float32)
    """
    return _svd.svd(matrix("svd", a), full_matrices=full_matrices, compute_uv=compute_uv)


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Array, ...]:
    """The factorisation ``a = q @ r``, or ``a[:, p] = q @ r``.

    Args:
      a: shape ``(..., m, n)``.
      overwrite_a, lwork, check_finite: ignored.
      mode: "full" (square ``q``), "economic" (``min(m, n)`` columns), "r" (only ``r`` of "full") or "raw" (the
        reflectors and their factors as a pair, then ``r``).
      pivoting: exchange columns, so that the diagonal of ``r`` does not increase in absolute value.

    Returns:
      ``q`` and ``r``, or a tuple of ``r`` alone; and with pivoting int32 ``p`` of shape ``(..., n)``.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` has fewer than two dimensions, or another mode.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> (r,) = linalg.qr(jnp.array([[3.0, 1], [4, 2]]), mode="r")
      >>> abs(r[0, 0]).round(4)
      Array(5., dtype=float32)
    """
    choice("qr", "mode", mode, ("full", "economic", "r", "raw"))
    a = matrix("qr", a)
    if mode == "raw":
        if pivoting:
            raise NotImplementedError("fungrad.scipy.linalg.qr: mode 'raw' takes no pivoting=True; choose another mode")
        made, factors = reductions.geqrf_p.bind(a)
        return (made, factors), jnp.triu(made[..., : min(a.shape[-2:]), :])  # type: ignore[return-value]
    q, r, *order = _qr.qr(a, pivoting=pivoting, full_matrices=mode != "economic")
    return (r, *order) if mode == "r" else (q, r, *order)


def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Array, ...]:
    """A matrix multiplied by the ``q`` of the factorisation of another, and ``r``.

    Args:
      a: shape ``(..., m, n)``; ``q`` has ``k = min(m, n)`` columns.
      c: for "left" of shape ``(..., k, l)`` or ``(k,)``, for "right" of shape ``(..., l, m)`` or ``(m,)``.
      mode: "right" for ``c @ q``, "left" for ``q @ c``.
      pivoting: exchange columns of ``a``.
      conjugate: multiply by the conjugate of ``q``.
      overwrite_a, overwrite_c: ignored.

    Returns:
      The product, a vector if ``c`` was one; ``r`` of shape ``(..., k, n)``; and with pivoting the int32 order of
      columns.

    Raises:
      TypeError: an argument is no array.
      ValueError: the shapes do not match, or another mode.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> a = jnp.array([[3.0, 1], [4, 2]])
      >>> product, r = linalg.qr_multiply(a, jnp.eye(2), mode="left")
      >>> jnp.allclose(product @ r, a, atol=1e-5)
      Array(True, dtype=bool)
    """
    api = "qr_multiply"
    choice(api, "mode", mode, ("left", "right"))
    a, c = inexact(api, a=a, c=c)
    check_matrix(api, "a", a)
    vector = c.ndim == 1
    if vector:
        c = c[:, None] if mode == "left" else c[None, :]
    check_matrix(api, "c", c)
    m, n = a.shape[-2:]
    needed, found = (min(m, n), c.shape[-2]) if mode == "left" else (m, c.shape[-1])
    if needed != found:
        raise ValueError(
            f"fungrad.scipy.linalg.{api}: c must have {needed} {'rows' if mode == 'left' else 'columns'} for a of "
            f"shape {a.shape}, got shape {c.shape}"
        )
    q, r, *order = _qr.qr(a, pivoting=pivoting, full_matrices=False)
    q = jnp.conj(q) if conjugate else q
    product = q @ c if mode == "left" else c @ q
    if vector:
        product = product[..., 0] if mode == "left" else product[..., 0, :]
    return (product, r, *order)


def schur(a: Any, output: str = "real") -> tuple[Array, Array]:
    """The Schur decomposition ``a = z @ t @ z.conj().T``.

    Args:
      a: shape ``(..., n, n)``.
      output: "real" (for real matrices ``t`` has blocks of two rows for pairs of complex eigenvalues) or "complex"
        (``t`` is triangular).

    Returns:
      ``t`` and the unitary ``z``, both of the shape of ``a``. There is no derivative.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` is not square, or another output.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> a = jnp.array([[1.0, 2], [3, 4]])
      >>> t, z = linalg.schur(a)
      >>> jnp.allclose(z @ t @ z.T, a, atol=1e-5)
      Array(True, dtype=bool)
    """
    choice("schur", "output", output, ("real", "complex"))
    a = matrix("schur", a, square=True)
    if output == "complex":
        a = a.astype(dtypes.to_complex_dtype(a.dtype))
    t, z = reductions.schur(a)
    return t, z


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The complex Schur form from the real one, by a rotation for each block of two rows.

    Args:
      T, Z: of shape ``(..., n, n)``, as `schur` returns them; leading dimensions broadcast.
      check_finite: ignored.

    Returns:
      Complex ``t``, upper triangular, and ``z``.

    Raises:
      TypeError: an argument is no array.
      ValueError: the matrices are not square, their sizes differ, or leading dimensions do not broadcast.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> t, z = linalg.rsf2csf(*linalg.schur(jnp.array([[0.0, 1], [-1, 0]])))
      >>> abs(t[1, 0])
      Array(0., dtype=float32)
    """
    t, z = inexact("rsf2csf", T=T, Z=Z)
    check_matrix("rsf2csf", "T", t, square=True)
    check_matrix("rsf2csf", "Z", z, square=True)
    if z.shape[-1] != t.shape[-1]:
        raise ValueError(
            f"fungrad.scipy.linalg.rsf2csf: Z must have matrices of the shape of T's, {t.shape[-2:]}, got {z.shape}"
        )
    lead = jnp.broadcast_shapes(t.shape[:-2], z.shape[:-2])
    dtype = dtypes.to_complex_dtype(t.dtype)
    t, z = (jnp.broadcast_to(x.astype(dtype), (*lead, *x.shape[-2:])) for x in (t, z))
    return mapped(_triangular, t, z)  # type: ignore[no-any-return]


def _triangular(t: Any, z: Any) -> tuple[Any, Any]:
    n = t.shape[-1]
    if n < 2:
        return t, z
    places = jnp.arange(n)

    def step(carry: Any, m: Any) -> Any:
        t, z = carry
        # An eigenvalue of the block of rows m - 1 and m, and the rotation that makes its vector the first.
        a, b, c, d = t[m - 1, m - 1], t[m - 1, m], t[m, m - 1], t[m, m]
        half = (a + d) / 2
        root = jnp.sqrt(((a - d) / 2) ** 2 + b * c)
        first = half + root - d
        small = jnp.abs(c) <= jnp.finfo(t.dtype).eps * (jnp.abs(a) + jnp.abs(d))
        length = jnp.sqrt(jnp.abs(first) ** 2 + jnp.abs(c) ** 2)
        length = jnp.where(small | (length == 0), 1, length)
        cosine = jnp.where(small, 1, first / length)
        sine = jnp.where(small, 0, c / length)
        rows = jnp.stack([t[m - 1], t[m]])
        turn = jnp.array([[jnp.conj(cosine), jnp.conj(sine)], [-sine, cosine]])
        t = t.at[m - 1].set((turn @ rows)[0]).at[m].set((turn @ rows)[1])
        columns = jnp.stack([t[:, m - 1], t[:, m]], 1) @ adjoint(turn)
        t = t.at[:, m - 1].set(columns[:, 0]).at[:, m].set(columns[:, 1])
        t = t.at[m, m - 1].set(0)
        columns = jnp.stack([z[:, m - 1], z[:, m]], 1) @ adjoint(turn)
        return (t, z.at[:, m - 1].set(columns[:, 0]).at[:, m].set(columns[:, 1])), None

    (t, z), _ = scan(step, (t, z), places[1:], reverse=True)
    return jnp.triu(t), z


def hessenberg(a: Any, *, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The Hessenberg form ``h``, with ``a = q @ h @ q.conj().T``.

    Args:
      a: shape ``(..., n, n)``.
      calc_q: return ``q`` too.
      overwrite_a, check_finite: ignored.

    Returns:
      ``h``, zero below the first subdiagonal, or ``h`` and the unitary ``q``. There is no derivative.

    Raises:
      TypeError: ``a`` is no array.
      ValueError: ``a`` is not square.

    Example:
      >>> import fungrad.numpy as jnp
      >>> import fungrad.scipy.linalg as linalg
      >>> a = jnp.array([[1.0, 2, 3], [3, 4, 5], [4, 6, 7]])
      >>> h, q = linalg.hessenberg(a, calc_q=True)
      >>> jnp.allclose(q @ h @ q.T, a, atol=1e-4), float(h[2, 0])
      (Array(True, dtype=bool), 0.0)
    """
    a = matrix("hessenberg", a, square=True)
    made, factors = reductions.hessenberg(a)
    h = jnp.triu(made, -1)
    if not calc_q:
        return h
    n = a.shape[-1]
    if n < 2:
        return h, jnp.broadcast_to(jnp.eye(n, dtype=a.dtype), a.shape)
    inner = reductions.householder_product(made[..., 1:, :-1], factors)
    none = [(0, 0)] * (a.ndim - 2)
    q = jnp.pad(inner, [*none, (1, 0), (1, 0)])
    corner = jnp.zeros((n, n), a.dtype).at[0, 0].set(1)
    return h, q + corner
