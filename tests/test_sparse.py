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
    check(m * x[:1], x * x[:1])
    np.testing.assert_array_equal(sparse.bcoo_multiply_dense(m, x[:1]), (m * x[:1]).data)
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


def random_parts(seed):
    """Data, indices, shape and layout of an array with duplicates, padding, stored zeros and shared batches."""
    rng = np.random.default_rng(seed)
    n_batch, n_sparse, n_dense = [(0, 2, 0), (1, 1, 1), (2, 0, 0), (1, 2, 0), (0, 1, 1), (2, 1, 0), (1, 0, 1)][seed % 7]
    shape = tuple(rng.integers(0 if seed > 20 else 1, 4, n_batch + n_sparse + n_dense).tolist())
    batch, outer = shape[:n_batch], np.array(shape[n_batch : n_batch + n_sparse])
    nse = int(rng.integers(0, 6))
    some = [tuple(np.where(rng.uniform(size=n_batch) < 0.3, 1, batch).astype(int)) for _ in range(2)]
    data = rng.integers(-2, 3, (*some[0], nse, *shape[n_batch + n_sparse :])).astype(np.float32)
    indices = np.asarray(rng.integers(0, outer + 1, (*some[1], nse, n_sparse)), np.int32)
    return jnp.asarray(data), indices, shape, n_batch, n_dense


def densely(data, indices, shape, n_batch):
    """The dense array, one element at a time."""
    out = jnp.zeros(shape, data.dtype)
    data = jnp.broadcast_to(data, (*shape[:n_batch], *data.shape[n_batch:]))
    indices = np.broadcast_to(indices, (*shape[:n_batch], *indices.shape[n_batch:]))
    outer = shape[n_batch : n_batch + indices.shape[-1]]
    for at in np.ndindex(*indices.shape[:-1]):
        if all(indices[at] < outer):
            out = out.at[(*at[:-1], *indices[at].tolist())].add(data[at])
    return out


def operations(shape, n_batch, n_dense, seed):
    """Pairs of what is done to the sparse array, and to the dense one."""
    n, rng = len(shape), np.random.default_rng(seed)
    axes = tuple(np.flatnonzero(rng.uniform(size=n) < 0.5).tolist())
    start = rng.integers(0, np.array(shape) + 1).tolist()
    stop, step = rng.integers(start, np.array(shape) + 1).tolist(), rng.integers(1, 3, n).tolist()
    factor = rng.normal(size=[s if rng.uniform() < 0.6 else 1 for s in shape]).astype(np.float32)
    right = rng.normal(size=(shape[-1], 2)).astype(np.float32)
    contract = (((n - 1,), (0,)), ((), ()))
    layouts = [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]
    yield lambda m: m, lambda x: x
    yield lambda m: m.sum(axes), lambda x: x.sum(axes)
    yield lambda m: m * factor, lambda x: x * factor
    yield lambda m: m + m * 2.0, lambda x: x * 3
    yield lambda m: sparse.bcoo_sum_duplicates(m, nse=m.nse, remove_zeros=False), lambda x: x
    yield (
        lambda m: sparse.bcoo_slice(m, start_indices=start, limit_indices=stop, strides=step),
        lambda x: lax.slice(x, start, stop, step),
    )
    yield lambda m: sparse.bcoo_rev(m, dimensions=axes), lambda x: lax.rev(x, axes)
    yield (
        lambda m: sparse.bcoo_dot_general(m, right, dimension_numbers=contract),
        lambda x: lax.dot_general(x, right, contract),
    )
    for d in range(n):
        yield lambda m, d=d: sparse.bcoo_concatenate([m, m], dimension=d), lambda x, d=d: lax.concatenate([x, x], d)
    for batch, inner in layouts:
        yield (
            lambda m, b=batch, i=inner: sparse.bcoo_update_layout(m, n_batch=b, n_dense=i, on_inefficient=None),
            lambda x: x,
        )
    if n - n_batch - n_dense == 2:
        yield BCSR.from_bcoo, lambda x: x


@pytest.mark.parametrize("seed", range(28))
def test_random_layouts(seed):
    data, indices, shape, n_batch, n_dense = random_parts(seed)

    def values(change):
        m = change(BCOO((data, indices), shape=shape))
        return m.todense() if isinstance(m, sparse.JAXSparse) else m

    x = densely(data, indices, shape, n_batch)
    for k, (change, expected) in enumerate(operations(shape, n_batch, n_dense, seed)):
        wanted = expected(x)
        np.testing.assert_allclose(values(change), wanted, rtol=1e-5, atol=1e-5, err_msg=f"operation {k}")
        weights = jnp.asarray(np.random.default_rng(k).normal(size=wanted.shape).astype(np.float32))

        def loss(d, change=change, weights=weights):
            m = change(BCOO((d, indices), shape=shape))
            return ((m.todense() if isinstance(m, sparse.JAXSparse) else m) * weights).sum()

        def dense_loss(d, expected=expected, weights=weights):
            return (expected(densely(d, indices, shape, n_batch)) * weights).sum()

        if k % 3 == seed % 3:
            np.testing.assert_allclose(
                fungrad.grad(loss)(data), fungrad.grad(dense_loss)(data), rtol=1e-4, atol=1e-5, err_msg=f"operation {k}"
            )
        if k == seed % 8:
            np.testing.assert_allclose(fungrad.jit(loss)(data), dense_loss(data), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "made",
    [
        lambda: BCOO((jnp.ones(3), jnp.zeros((4, 2), int)), shape=(3, 3)),
        lambda: BCOO((jnp.ones(3), jnp.zeros((3, 2))), shape=(3, 3)),
        lambda: BCOO((jnp.ones(3), jnp.zeros((3, 2), int)), shape=(3,)),
        lambda: BCOO((jnp.ones((3, 2)), jnp.zeros((3, 2), int)), shape=(3, 3, 4)),
        lambda: BCOO((jnp.ones((2, 3)), jnp.zeros((2, 3, 1), int)), shape=(5, 3)),
        lambda: BCSR((jnp.ones(3), jnp.array([0, 1, 2]), jnp.array([0, 1])), shape=(3, 3)),
        lambda: BCSR((jnp.ones(3), jnp.array([0, 1]), jnp.array([0, 1, 2, 3])), shape=(3, 3)),
    ],
)
def test_parts_that_do_not_fit(made):
    with pytest.raises(ValueError, match=r"fungrad\.BC(OO|SR): .*shape"):
        made()


@pytest.mark.parametrize("index", [(0, 0, 0), jnp.array([0, 1]), None, "a", 4, 1.5, (0, -6)])
def test_wrong_indices(index):
    with pytest.raises((IndexError, TypeError), match=r"fungrad\.BCOO: .*ind(ex|ices)"):
        BCOO.fromdense(X)[index]


def test_layouts_that_store_zeros_are_refused():
    x = dense(2, 3, 4)
    m = BCOO.fromdense(x)
    for change in ({"n_batch": 1}, {"n_dense": 1}, {"n_batch": 1, "n_dense": 1}):
        with pytest.raises(sparse.SparseEfficiencyError, match="on_inefficient"):
            m.update_layout(**change)
        with pytest.warns(sparse.SparseEfficiencyWarning, match="zeros"):
            check(m.update_layout(**change, on_inefficient="warn"), x)
    check(BCOO.fromdense(x[:1]).update_layout(n_batch=1), x[:1])
    for change in ({"n_batch": -1}, {"n_batch": 2, "n_dense": 2}):
        with pytest.raises(ValueError, match="must not be negative"):
            m.update_layout(**change)
    with pytest.raises(ValueError, match="on_inefficient must be"):
        m.update_layout(n_batch=1, on_inefficient="silent")
