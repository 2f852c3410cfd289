"""Sparse arrays against dense ones."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.experimental import sparse
from fungrad.experimental.sparse import BCOO, BCSR

RNG = np.random.default_rng(0)


def dense(*shape, share=0.4):
    x = RNG.normal(size=shape).astype(np.float32)
    return np.where(RNG.uniform(size=shape) < share, x, 0).astype(np.float32)


def check(m, expected, **kw):
    np.testing.assert_allclose(
        m.todense() if sparse.JAXSparse in type(m).__mro__ else m, expected, rtol=1e-5, atol=1e-6
    )


X, Y = dense(4, 5), dense(4, 5)


@pytest.mark.parametrize("n_batch, n_dense", [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (3, 0)])
def test_layouts(n_batch, n_dense):
    x = dense(2, 3, 4)
    m = BCOO.fromdense(x, n_batch=n_batch, n_dense=n_dense)
    assert (m.n_batch, m.n_dense, m.n_sparse, m.shape) == (n_batch, n_dense, 3 - n_batch - n_dense, x.shape)
    check(m, x)
    check(m.sum_duplicates(), x)
    check(m.sort_indices(), x)
    check(m * 2.0, 2 * x)
    check(sparse.bcoo_extract(m, x), x)
    check(sparse.bcoo_multiply_dense(m, x[:1]), x * x[:1])
    check(m + m, 2 * x)
    for axis in (0, 1, 2, (0, 2), None):
        check(m.sum(axis), x.sum(axis))
    check(sparse.bcoo_slice(m, start_indices=(0, 1, 1), limit_indices=(2, 3, 4), strides=(1, 1, 2)), x[:, 1:, 1:4:2])
    check(sparse.bcoo_rev(m, dimensions=(1, 2)), x[:, ::-1, ::-1])
    check(m.reshape(6, 4), x.reshape(6, 4))
    check(sparse.bcoo_concatenate([m, m], dimension=1), np.concatenate([x, x], 1))
    check(m.update_layout(n_batch=0, n_dense=0), x)
    check(fungrad.jit(lambda m: m * 3.0)(m), 3 * x)
    leaves, structure = fungrad.tree.flatten(m)
    check(fungrad.tree.unflatten(structure, leaves), x)


def test_padding_counts_for_nothing():
    m = BCOO.fromdense(X, nse=15)
    assert m.nse == 15
    for made, expected in (
        (m.T, X.T), (m.sum(0), X.sum(0)), (m[1:3, ::-2], X[1:3, ::-2]), (m[2], X[2]), (m[:, -1], X[:, -1]),
        (m.reshape(2, 10), X.reshape(2, 10)), (m @ Y.T, X @ Y.T), (Y.T @ m, Y.T @ X), (m * Y, X * Y), (m - Y, X - Y),
        (m @ BCOO.fromdense(Y.T, nse=15), X @ Y.T), (m * BCOO.fromdense(Y, nse=12), X * Y), (m * Y[:1], X * Y[:1]),
        (m.sum(), X.sum()), (m @ Y[0], X @ Y[0]), (m.sum_duplicates(), X), (-m, -X), (abs(m), abs(X)), (m / 2, X / 2),
        (BCSR.from_bcoo(m), X), (m[..., 1:2], X[..., 1:2]),
    ):  # fmt: skip
        check(made, expected)
    repeated = BCOO((jnp.ones(3), jnp.array([[1, 1], [0, 0], [1, 1]])), shape=(2, 2))
    assert repeated.todense().tolist() == [[1, 0], [0, 2]]
    summed = repeated.sum_duplicates()
    assert summed.nse == 2 and summed.data.tolist() == [1, 2] and summed.indices.tolist() == [[0, 0], [1, 1]]
    check(sparse.bcoo_extract(repeated, np.eye(2, dtype=np.float32)), np.eye(2))
    check(BCOO.fromdense(np.zeros((2, 0), np.float32)), np.zeros((2, 0)))
    assert BCOO.fromdense(np.eye(3)).to_scipy_sparse().nnz == 3
    check(BCOO.from_scipy_sparse(m.to_scipy_sparse()), X)


def test_products():
    a, b = dense(2, 3, 4), dense(2, 4, 5)
    batched = BCOO.fromdense(a, n_batch=1)
    check(batched @ b, a @ b)
    check(BCOO.fromdense(a) @ b, a @ b)
    dims = (((2,), (1,)), ((0,), (0,)))
    check(sparse.bcoo_dot_general(batched, b, dimension_numbers=dims), a @ b)
    check(sparse.bcoo_dot_general(a, BCOO.fromdense(b, n_batch=1), dimension_numbers=dims), a @ b)
    check(
        sparse.bcoo_dot_general(batched, b, dimension_numbers=(((0, 2), (0, 1)), ((), ()))),
        np.tensordot(a, b, ((0, 2), (0, 1))),
    )
    check(sparse.bcoo_dot_general(BCOO.fromdense(X), Y, dimension_numbers=(((), ()), ((), ()))), np.tensordot(X, Y, 0))
    taken = sparse.bcoo_dot_general_sampled(
        X, Y, BCOO.fromdense(X @ Y.T).indices, dimension_numbers=(((1,), (1,)), ((), ()))
    )
    check(taken, BCOO.fromdense(X @ Y.T).data)
    check(fungrad.vmap(lambda m, v: m @ v)(batched, b), a @ b)


@pytest.mark.parametrize("kind", ["bcsr", "coo", "csr", "csc"])
def test_other_formats(kind):
    cls = getattr(sparse, kind.upper())
    m = cls.fromdense(X)
    check(m, X)
    check(m @ Y.T, X @ Y.T)
    check(fungrad.jit(lambda m, v: m @ v)(m, Y[0]), X @ Y[0])
    check(sparse.eye(3, 4, 1, sparse_format=kind), np.eye(3, 4, 1))
    assert sparse.empty((2, 3), sparse_format=kind).nse == 0
    if kind != "bcsr":
        check(m.T, X.T)


def test_sparsify():
    m, n = BCOO.fromdense(X), BCOO.fromdense(Y)

    @fungrad.jit
    def inner(a):
        return jnp.sin(a) * 2

    def f(a, b, v):
        return (inner(a) + b, a @ v, (a.T @ v[:4]).sum(), a - v, a[1:, :2] ** 2, jnp.concatenate([a, b]), a * b, -a / 2)

    v = dense(5)
    got = sparse.sparsify(f)(m, n, v)
    assert isinstance(got[0], BCOO) and isinstance(got[4], BCOO)
    for made, expected in zip(got, f(jnp.asarray(X), jnp.asarray(Y), v), strict=True):
        check(made, expected)
    check(fungrad.jit(sparse.sparsify(lambda a: jnp.sum(a * 3.0, 0)))(m), 3 * X.sum(0))
    with pytest.raises(NotImplementedError, match="sparse rule for cos is not implemented"):
        sparse.sparsify(jnp.cos)(m)


def test_derivatives():
    m = BCOO.fromdense(X)
    f = lambda a, v: jnp.sum(jnp.tanh(a @ v) ** 2)  # noqa: E731
    v = dense(5, share=1.0)
    gm, gv = sparse.grad(f, (0, 1))(m, v)
    dm, dv = fungrad.grad(f, (0, 1))(jnp.asarray(X), v)
    check(gm, np.where(X != 0, dm, 0))
    check(gv, dv)
    check(fungrad.jit(sparse.value_and_grad(f))(m, v)[1], np.where(X != 0, dm, 0))
    for jacobian in (sparse.jacfwd, sparse.jacrev):
        check(jacobian(lambda a: a @ v)(m), np.where(X != 0, fungrad.jacrev(lambda a: a @ v)(jnp.asarray(X)), 0))


def test_random_and_solve():
    m = sparse.random_bcoo(fungrad.random.key(0), (3, 8, 2), nse=0.25, n_batch=1)
    assert (m.nse, m.n_batch) == (4, 1) and np.count_nonzero(m.todense()) == 12
    a = np.eye(4, dtype=np.float32) * 3 + dense(4, 4) * 0.1
    rows = sparse.CSR.fromdense(a)
    b = dense(4, share=1.0)
    check(sparse.linalg.spsolve(rows.data, rows.indices, rows.indptr, b), np.linalg.solve(a, b))
    check(
        sparse.bcoo_dynamic_slice(BCOO.fromdense(X), (9, 1), (2, 3)), lax.dynamic_slice(jnp.asarray(X), (9, 1), (2, 3))
    )
    check(
        sparse.bcoo_broadcast_in_dim(BCOO.fromdense(X[:1]), shape=(2, 3, 5), broadcast_dimensions=(1, 2)),
        np.broadcast_to(X[:1], (2, 3, 5)),
    )
