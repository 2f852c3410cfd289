"""Rows of the op table: factorisations of matrices and triangular systems.

Where a factor is determined only up to signs or phases, a row compares what does not depend on them.
"""

from __future__ import annotations

import numpy as np
from optable_base import Op

import fungrad.numpy as jnp
from fungrad import lax

DTYPES = ("float32", "float64", "complex64", "complex128")
SQUARE = (((3, 3),), ((2, 3, 3),), ((1, 1),), ((0, 0),), ((0, 2, 2),))
OBLONG = (((3, 3),), ((4, 2),), ((2, 2, 3),), ((0, 2),), ((2, 0),))
TOLERANCES = {"float32": 1e-4, "complex64": 1e-4, "float64": 1e-11, "complex128": 1e-11}


def matrix(rng, shape, dtype):
    x = rng.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-1, 1, shape)
    # far from singular, with singular values and eigenvalues that differ
    x = x + np.eye(*shape[-2:]) * np.arange(2, 2 + shape[-1])
    return x.astype(dtype)


def any_matrix(rng, shape, dtype):
    x = rng.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-1, 1, shape)
    return x.astype(dtype)


def hermitian(x, xp):
    return (x + xp.conj(xp.swapaxes(x, -1, -2))) / 2


def positive(x, xp):
    return x @ xp.conj(xp.swapaxes(x, -1, -2)) + xp.eye(x.shape[-1], dtype=x.dtype)


def real(dtype):
    return np.zeros((), dtype).real.dtype


def complex_of(dtype):
    return np.result_type(dtype, np.complex64)


def cholesky(xp, factor):
    return lambda x: factor(positive(x, xp))


def projections(v):
    """The projections on the columns of ``v``, which do not depend on their phases."""
    return v[..., :, None, :] * v.conj()[..., None, :, :]


def eigh_of(xp, eigh):
    def function(x):
        values, vectors = eigh(hermitian(x, xp))
        return values, projections(vectors)

    return function


def svd_of(svd):
    def function(x):
        u, s, vh = svd(x)
        return s, u @ vh

    return function


def eigenvalues(xp, eig):
    # sums of powers: in no order
    def function(x):
        w = eig(x)
        return w.sum(-1), (w * w * w).sum(-1)

    return function


def lu_reference(x):
    from scipy.linalg import lu_factor

    lu = np.empty_like(x)
    pivots = np.empty((*x.shape[:-2], min(x.shape[-2:])), np.int32)
    order = np.empty(x.shape[:-1], np.int32)
    for k in np.ndindex(*x.shape[:-2]):
        lu[k], pivots[k] = lu_factor(x[k]) if x[k].size else (x[k], [])
        rows = np.arange(x.shape[-2])
        for i, j in enumerate(pivots[k]):
            rows[[i, j]] = rows[[j, i]]
        order[k] = rows
    return lu, pivots, order


def permutation_of(pivots, permutation_size):
    order = np.empty((*pivots.shape[:-1], permutation_size), np.int32)
    for k in np.ndindex(*pivots.shape[:-1]):
        rows = np.arange(permutation_size)
        for i, j in enumerate(pivots[k]):
            rows[[i, j]] = rows[[j, i]]
        order[k] = rows
    return order


def pivots(rng, shape, dtype):
    return (np.arange(shape[-1]) + rng.integers(0, 2, shape)).astype(dtype)


def triangular_reference(a, b, lower, left_side, transpose_a, conjugate_a, unit_diagonal):
    t = np.tril(a) if lower else np.triu(a)
    n = a.shape[-1]
    if unit_diagonal:
        t = t * (1 - np.eye(n)) + np.eye(n)
    t = np.swapaxes(t, -1, -2) if transpose_a else t
    t = t.conj() if conjugate_a else t
    if left_side:
        return np.linalg.solve(t, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(t, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


def triangular_row(left_side, lower, transpose_a=False, conjugate_a=False, unit_diagonal=False):
    params = {
        "left_side": left_side,
        "lower": lower,
        "transpose_a": transpose_a,
        "conjugate_a": conjugate_a,
        "unit_diagonal": unit_diagonal,
    }
    flags = "".join(str(int(v)) for v in params.values())
    shapes = (((3, 3), (3, 3)), ((2, 2, 2), (2, 2, 2)), ((0, 0), (0, 0)))
    return Op(
        f"triangular_solve_{flags}",
        lax.linalg.triangular_solve,
        triangular_reference,
        DTYPES,
        shapes,
        params=params,
        domains=(matrix, any_matrix),
        special=False,
        weak=False,
        wide=False,
        rtol=TOLERANCES,
        jit_rtol=TOLERANCES,
        jax=lambda jax, a, b, **params: jax.lax.linalg.triangular_solve(a, b, **params),
        jax_rtol=TOLERANCES,
        primitives=("triangular_solve",),
    )


def row(name, fun, reference, shapes=SQUARE, domain=matrix, jax=None, primitives=(), **more):
    tolerances = dict.fromkeys(("rtol", "jit_rtol", "jax_rtol"), TOLERANCES)
    options = {"special": False, "weak": False, "wide": False, **tolerances}
    return Op(
        name,
        fun,
        reference,
        more.pop("dtypes", DTYPES),
        shapes,
        domains=(domain,),
        jax=jax,
        primitives=primitives or (name,),
        grad_rtol=1e-4,
        **options,
        **more,
    )


def reflected(q_of):
    """q of the factorisation of a matrix, made of its reflectors."""

    def function(x):
        h, taus = jnp.linalg.qr(x, mode="raw")
        return q_of(h.mT, taus, x)

    return function


def schur_of(schur):
    """What does not depend on signs: the matrix again, and the sizes of the last row."""

    def function(x):
        t, q = schur(x)
        return q @ t @ q.conj().swapaxes(-1, -2)

    return function


def hessenberg_of(x):
    h, taus = lax.linalg.hessenberg(x)
    n = x.shape[-1]
    q = lax.linalg.householder_product(h[..., 1:, :-1], taus) if n > 1 else x[..., :0, :0]
    one = jnp.ones((*x.shape[:-2], 1, 1), x.dtype)
    if n <= 1:
        return x
    q = jnp.concatenate(
        [
            jnp.concatenate([one, jnp.zeros((*x.shape[:-2], 1, n - 1), x.dtype)], -1),
            jnp.concatenate([jnp.zeros((*x.shape[:-2], n - 1, 1), x.dtype), q], -1),
        ],
        -2,
    )
    return q @ jnp.triu(h, -1) @ q.conj().mT


def tridiagonal_dense(dl, d, du):
    n = d.shape[-1]
    out = np.zeros((*d.shape, n), d.dtype)
    k = np.arange(n)
    out[..., k, k] = d
    out[..., k[1:], k[:-1]] = dl[..., 1:]
    out[..., k[:-1], k[1:]] = du[..., :-1]
    return out


def dominant(rng, shape, dtype):
    return (any_matrix(rng, shape, dtype) + 4).astype(dtype)


def vectors(rng, shape, dtype):
    return any_matrix(rng, shape, dtype)


def upper(rng, shape, dtype):
    return np.triu(matrix(rng, shape, dtype))


def pivoted(x, xp, qr):
    """The matrix again, the sizes of the diagonal, and the order of columns."""
    q, r, order = qr(x)
    back = xp.argsort(order, axis=-1)
    whole = xp.take_along_axis(q @ r, xp.broadcast_to(back[..., None, :], x.shape), axis=-1)
    return whole, abs(xp.diagonal(r, axis1=-2, axis2=-1)), order


def pivoted_reference(x):
    from scipy.linalg import qr

    sizes = np.zeros((*x.shape[:-2], min(x.shape[-2:])), real(x.dtype))
    order = np.zeros((*x.shape[:-2], x.shape[-1]), np.int32)
    order[...] = np.arange(x.shape[-1])
    for k in np.ndindex(*x.shape[:-2]) if x.size else ():
        _, r, order[k] = qr(x[k], mode="economic", pivoting=True)
        sizes[k] = abs(np.diagonal(r))
    return x, sizes, order


def raw_qr(x):
    h, taus = np.linalg.qr(x, "raw")
    return h, taus


def tridiagonal_values(parts):
    """The eigenvalues of a tridiagonal matrix."""
    _, d, e, _ = parts
    n = d.shape[-1]
    k = jnp.arange(n)
    whole = jnp.zeros((*d.shape, n), d.dtype).at[..., k, k].set(d)
    whole = whole.at[..., k[1:], k[:-1]].set(e).at[..., k[:-1], k[1:]].set(e)
    return jnp.linalg.eigvalsh(whole)


REAL = ("float32", "float64")

OPS = [
    row(
        "cholesky",
        cholesky(jnp, lax.linalg.cholesky),
        cholesky(np, np.linalg.cholesky),
        jax=lambda jax, x: cholesky(jax.numpy, jax.lax.linalg.cholesky)(x),
    ),
    row(
        "eigh",
        eigh_of(jnp, lambda x: lax.linalg.eigh(x)[::-1]),
        eigh_of(np, np.linalg.eigh),
        result=real,
        jax=lambda jax, x: eigh_of(jax.numpy, jax.numpy.linalg.eigh)(x),
    ),
    row(
        "eig",
        eigenvalues(jnp, jnp.linalg.eigvals),
        eigenvalues(np, lambda x: np.linalg.eigvals(x).astype(complex_of(x.dtype))),
        result=complex_of,
        jax=lambda jax, x: eigenvalues(jax.numpy, jax.numpy.linalg.eigvals)(x),
    ),
    row("svd", svd_of(lambda x: lax.linalg.svd(x, full_matrices=False)), svd_of(lambda x: np.linalg.svd(x, False)),
        OBLONG, result=real,
        jax=lambda jax, x: svd_of(lambda x: jax.lax.linalg.svd(x, full_matrices=False))(x)),
    row("svdvals", jnp.linalg.svdvals, lambda x: np.linalg.svd(x, compute_uv=False), OBLONG, result=real,
        jax=lambda jax, x: jax.numpy.linalg.svdvals(x), primitives=("svd",)),
    row("qr", lambda x: lax.linalg.qr(x, full_matrices=False), lambda x: tuple(np.linalg.qr(x)), OBLONG,
        jax=lambda jax, x: jax.lax.linalg.qr(x, full_matrices=False)),
    row("lu", lax.linalg.lu, lu_reference, OBLONG, jax=lambda jax, x: jax.lax.linalg.lu(x)),
    row("lu_pivots_to_permutation", lax.linalg.lu_pivots_to_permutation, permutation_of, (((3,),), ((2, 2),)), pivots,
        params={"permutation_size": 4}, dtypes=("int32",), order=0,
        jax=lambda jax, x, permutation_size: jax.lax.linalg.lu_pivots_to_permutation(x, permutation_size)),
    row("qr_complete", lambda x: lax.linalg.qr(x), lambda x: tuple(np.linalg.qr(x, "complete")), (((3, 3),), ((2, 3),)),
        jax=lambda jax, x: jax.lax.linalg.qr(x), primitives=("qr",)),
    row("qr_pivoted", lambda x: pivoted(x, jnp, lambda x: lax.linalg.qr(x, full_matrices=False, pivoting=True)),
        pivoted_reference, (((3, 3),), ((4, 2),), ((2, 2, 3),), ((2, 0),)),
        jax=lambda jax, x: pivoted(x, jax.numpy, lambda x: jax.lax.linalg.qr(x, full_matrices=False, pivoting=True)),
        primitives=("qr",)),
    row("geqrf", lambda x: jnp.linalg.qr(x, mode="raw"), raw_qr, OBLONG, order=0,
        jax=lambda jax, x: jax.numpy.linalg.qr(x, mode="raw")),
    row("householder_product", reflected(lambda h, t, x: lax.linalg.householder_product(h, t)),
        lambda x: np.linalg.qr(x)[0], (((3, 3),), ((4, 2),), ((2, 3, 2),), ((0, 0),)), order=0,
        jax=lambda jax, x: jax.numpy.linalg.qr(x)[0]),
    row("ormqr", reflected(lambda h, t, x: lax.linalg.ormqr(h, t, x, transpose=True)),
        lambda x: np.linalg.qr(x, "complete")[0].conj().swapaxes(-1, -2) @ x, (((3, 3),), ((4, 2),), ((2, 3, 2),)),
        order=0, jax=lambda jax, x: jax.numpy.linalg.qr(x, "complete")[0].conj().mT @ x),
    row("ormqr_right", reflected(lambda h, t, x: lax.linalg.ormqr(h, t, x.mT, left=False)),
        lambda x: x.swapaxes(-1, -2) @ np.linalg.qr(x, "complete")[0], (((3, 3),), ((2, 3, 2),)), order=0,
        jax=lambda jax, x: x.mT @ jax.numpy.linalg.qr(x, "complete")[0], primitives=("ormqr",)),
    row("hessenberg", hessenberg_of, lambda x: x, SQUARE, order=0, jax=lambda jax, x: x),
    row("schur", schur_of(lax.linalg.schur), lambda x: x, SQUARE, order=0, jax=lambda jax, x: x),
    row("tridiagonal", lambda x: tridiagonal_values(lax.linalg.tridiagonal(hermitian(x, jnp))),
        lambda x: np.linalg.eigvalsh(hermitian(x, np)), SQUARE, order=0, result=real,
        jax=lambda jax, x: jax.numpy.linalg.eigvalsh(hermitian(x, jax.numpy))),
    Op("tridiagonal_solve", lax.linalg.tridiagonal_solve,
       lambda dl, d, du, b: np.linalg.solve(tridiagonal_dense(dl, d, du), b), DTYPES,
       (((3,), (3,), (3,), (3, 2)), ((2, 1), (2, 1), (2, 1), (2, 1, 1)), ((0,), (0,), (0,), (0, 1))),
       domains=(vectors, dominant, vectors, any_matrix), special=False, weak=False, wide=False, rtol=TOLERANCES,
       jit_rtol=TOLERANCES, jax=lambda jax, *a: jax.lax.linalg.tridiagonal_solve(*a) if a[1].size else a[3],
       jax_rtol=TOLERANCES),
    Op("cholesky_update", lambda r, w: lax.linalg.cholesky_update(jnp.triu(r), w),
       lambda r, w: np.linalg.cholesky(np.triu(r).mT @ np.triu(r) + w[..., :, None] * w[..., None, :]).mT, REAL,
       (((3, 3), (3,)), ((2, 2, 2), (2, 2)), ((0, 0), (0,))), domains=(upper, vectors), special=False, weak=False,
       wide=False, rtol=TOLERANCES, jit_rtol=TOLERANCES, jax_rtol=TOLERANCES, grad_rtol=1e-4,
       jax=lambda jax, r, w: jax.numpy.linalg.cholesky(
           jax.numpy.triu(r).mT @ jax.numpy.triu(r) + w[..., :, None] * w[..., None, :]).mT),
    Op("symmetric_product", lax.linalg.symmetric_product,
       lambda a, c, alpha, beta: (alpha * (a @ a.mT) + beta * c).astype(a.dtype), REAL,
       (((3, 2), (3, 3)), ((2, 2, 3), (2, 2, 2)), ((0, 2), (0, 0))), params={"alpha": 2.0, "beta": -1.0},
       domains=(any_matrix, any_matrix), special=False, weak=False, wide=False, rtol=TOLERANCES,
       jit_rtol=TOLERANCES, jax=lambda jax, a, c, **p: jax.lax.linalg.symmetric_product(a, c, **p),
       jax_rtol=TOLERANCES),
    triangular_row(True, True),
    triangular_row(True, False, transpose_a=True, conjugate_a=True),
    triangular_row(False, True, conjugate_a=True, unit_diagonal=True),
    triangular_row(False, False, transpose_a=True),
]  # fmt: skip
