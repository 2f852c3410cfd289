"""Linear algebra: values against NumPy and JAX, derivatives, batches of batches, singular matrices, empty ones."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import grad, jit, lax, vmap
from fungrad.core.ir import jaxprs_in_params
from fungrad.test_util import check_grads

SHAPES = [(3, 3), (2, 4, 4), (2, 3, 5, 5), (1, 1), (0, 0), (0, 3, 3), (2, 0, 0)]
OBLONG = [(3, 5), (5, 3), (2, 4, 2), (0, 3), (3, 0)]


def matrix(*shape, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def positive(x):
    return x @ np.conj(np.swapaxes(x, -1, -2)) + 3 * np.eye(x.shape[-1], dtype=x.dtype)


def close(got, wanted, tol=2e-4):
    for x, y in zip(fungrad.tree.leaves(got), wanted if isinstance(wanted, (tuple, list)) else [wanted], strict=True):
        y = np.asarray(y)
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=tol, atol=tol * max(1, np.abs(y).max(initial=0)))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_square_matrices(shape, dtype):
    x = matrix(*shape, dtype=dtype)
    p = positive(x)
    for f in (lambda f: f, jit):
        close(f(jnp.linalg.det)(x), np.linalg.det(x))
        close(f(jnp.linalg.inv)(p), np.linalg.inv(p))
        close(f(jnp.linalg.slogdet)(x), tuple(np.linalg.slogdet(x)))
        close(f(lambda x: jnp.linalg.slogdet(x, method="qr"))(x), tuple(np.linalg.slogdet(x)))
        close(f(jnp.linalg.cholesky)(p), np.linalg.cholesky(p))
        close(f(jnp.linalg.eigvalsh)(p), np.linalg.eigvalsh(p))
        close(f(lambda x: jnp.linalg.matrix_power(x, -2))(p), np.linalg.matrix_power(p, -2))
        close(f(lambda x: jnp.linalg.matrix_power(x, 5))(x), np.linalg.matrix_power(x, 5))
        close(f(jnp.linalg.matrix_rank)(x), np.linalg.matrix_rank(x) if x.size else np.zeros(shape[:-2]))
    b = matrix(*shape[:-1], 2, dtype=dtype, seed=1)
    close(jnp.linalg.solve(p, b), np.linalg.solve(p, b))
    u, s, vh = jnp.linalg.svd(p, hermitian=True)
    close((u * s[..., None, :].astype(u.dtype)) @ vh, p)
    values, vectors = jnp.linalg.eig(x)
    close(x.astype("complex64") @ vectors, np.asarray(vectors * values[..., None, :]))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("shape", OBLONG, ids=str)
def test_other_matrices(shape, dtype):
    x = matrix(*shape, dtype=dtype)
    for mode in ("reduced", "complete"):
        close(jnp.linalg.qr(x, mode), tuple(np.linalg.qr(x, mode)))
    close(jnp.linalg.svdvals(x), np.linalg.svd(x, compute_uv=False))
    close(jnp.linalg.pinv(x), np.linalg.pinv(x))
    for full in (True, False):
        u, s, vh = jnp.linalg.svd(x, full_matrices=full)
        k = min(shape[-2:])
        close((u[..., :k] * s[..., None, :].astype(u.dtype)) @ vh[..., :k, :], x)
    for ord in (None, "fro", "nuc", 1, np.inf, 2):
        if x.size:
            close(jnp.linalg.norm(x, ord, axis=(-2, -1)), np.linalg.norm(x, ord, axis=(-2, -1)))
    for ord in (None, 0, 1, 2, 3, -1.5, np.inf, -np.inf):
        if x.size:
            close(jnp.linalg.norm(x, ord, axis=-1), np.linalg.norm(x, ord, axis=-1))
    if x.ndim == 2 and x.size:
        for b in (matrix(shape[0], dtype=dtype), matrix(shape[0], 2, dtype=dtype)):
            got, wanted = jnp.linalg.lstsq(x, b, numpy_resid=True), np.linalg.lstsq(x, b)
            close(got, wanted, 1e-3)


def hermitian(x):
    return (x + jnp.conj(jnp.swapaxes(x, -1, -2))) / 2


FUNCTIONS = {
    "inv": jnp.linalg.inv,
    "det": jnp.linalg.det,
    "logdet": lambda x: jnp.linalg.slogdet(x)[1],
    "cholesky": lambda x: jnp.linalg.cholesky(x @ jnp.conj(jnp.swapaxes(x, -1, -2)) + jnp.eye(x.shape[-1])),
    "solve": lambda x: jnp.linalg.solve(x, jnp.swapaxes(x, -1, -2)),
    "eigvalsh": lambda x: jnp.linalg.eigvalsh(hermitian(x)),
    "eigh": lambda x: jnp.abs(jnp.linalg.eigh(hermitian(x))[1]) ** 2,
    "eigvals": lambda x: jnp.sort(jnp.abs(jnp.linalg.eigvals(x))),
    "eig": lambda x: jnp.sort(jnp.abs(lax.linalg.eig(
        x, compute_left_eigenvectors=False, enable_eigvec_derivs=True)[1]).sum(-2)),
    # Vectors as they come, whose phases make the largest components real.
    "eig of both sides": lambda x: [v * v for v in lax.linalg.eig(x, enable_eigvec_derivs=True)[1:]],
    "svd": lambda x: (lambda u, s, vh: u @ vh)(*jnp.linalg.svd(x, full_matrices=False)),
    "svdvals": jnp.linalg.svdvals,
    "qr": jnp.linalg.qr,
    "lu": lambda x: lax.linalg.lu(x)[0],
    "pinv": jnp.linalg.pinv,
    "nuclear norm": lambda x: jnp.linalg.norm(x, "nuc", axis=(-2, -1)),
    "power": lambda x: jnp.linalg.matrix_power(x, -2),
}  # fmt: skip
OF_OBLONG = ("svd", "svdvals", "qr", "lu", "pinv")


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name, dtype):
    with fungrad.enable_x64(True):
        for shape in [(3, 3), (2, 4, 4), *([(3, 5), (5, 3)] if name in OF_OBLONG else [])]:
            x = matrix(*shape, dtype=dtype, seed=3) + 2 * np.eye(*shape[-2:])
            check_grads(FUNCTIONS[name], (x,), order=2, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("sides", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_derivatives_of_eigenvectors_keep_the_greatest_component_real(dtype, sides):
    def f(x):
        left, right = sides
        values, *vectors = lax.linalg.eig(
            x, compute_left_eigenvectors=left, compute_right_eigenvectors=right, enable_eigvec_derivs=True
        )
        return values, [v * v for v in vectors]  # the sign of a vector of a real matrix is not determined

    with fungrad.enable_x64(True):
        for shape in [(1, 1), (4, 4), (2, 3, 3)]:
            x = matrix(*shape, dtype=dtype, seed=4)
            check_grads(jit(f) if len(shape) == 3 else f, (x,), order=2, rtol=2e-3, atol=1e-3)
        assert fungrad.jvp(f, (np.zeros((2, 0, 0)),), (np.zeros((2, 0, 0)),))[1][0].shape == (2, 0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_batches_of_batches(name):
    with fungrad.enable_x64(True):
        x = matrix(2, 3, 4, 4, dtype="float64", seed=3) + 2 * np.eye(4)

        def loss(x):
            return sum(jnp.sum(jnp.abs(leaf) ** 2) for leaf in fungrad.tree.leaves(FUNCTIONS[name](x)))

        wanted = np.array([[grad(loss)(x[i, j]) for j in range(3)] for i in range(2)])
        for f in (vmap(vmap(grad(loss))), jit(vmap(grad(loss), in_axes=1, out_axes=1)) if name != "eig" else None):
            if f is not None:
                np.testing.assert_allclose(f(x), wanted, rtol=1e-8, atol=1e-8)
        summed = grad(lambda x: vmap(vmap(loss))(x).sum())(x)
        np.testing.assert_allclose(summed, wanted, rtol=1e-8, atol=1e-8)


def test_failures_are_nan_inside_and_errors_on_known_values():
    bad = np.float32([[1, 2], [2, 1]])
    good = np.float32([[4, 0], [0, 9]])
    with pytest.raises(
        np.linalg.LinAlgError, match="fungrad.numpy.linalg.cholesky: the matrix is not positive definite"
    ):
        jnp.linalg.cholesky(bad)
    with pytest.raises(np.linalg.LinAlgError, match="fungrad.numpy.linalg.inv: the matrix is singular"):
        jnp.linalg.inv(np.zeros((2, 2)))
    with pytest.raises(np.linalg.LinAlgError, match="fungrad.numpy.linalg.solve: the matrix is singular"):
        jnp.linalg.solve(np.zeros((2, 2)), np.ones(2))
    both = jit(jnp.linalg.cholesky)(np.stack([bad, good]))
    assert np.isnan(both[0]).all()
    np.testing.assert_array_equal(both[1], [[2, 0], [0, 3]])
    assert np.isnan(lax.linalg.cholesky(bad)).all()
    assert not np.isfinite(jit(jnp.linalg.inv)(np.zeros((2, 2), "float32"))).any()
    for f in (jnp.linalg.eigh, jnp.linalg.svd, jnp.linalg.eig):
        nan = fungrad.tree.leaves(jit(f)(np.full((2, 2), np.nan, "float32")))
        assert all(np.isnan(x).all() for x in nan)


def test_the_determinant_of_a_singular_matrix_has_a_derivative():
    x = np.outer([1.0, 2, 3, 4], [1.0, 1, 2, 1]) + np.diag([0.0, 0, 1, 1])
    wanted = np.zeros((4, 4))
    wanted[:2, :2] = [[2, -2], [-1, 1]]
    np.testing.assert_allclose(grad(jnp.linalg.det)(x), wanted, atol=1e-5)


def test_a_determinant_is_twice_differentiable_where_singular_values_are_equal():
    with fungrad.enable_x64(True):
        check_grads(jnp.linalg.det, (np.eye(4),), order=2, rtol=1e-3, atol=1e-4)


def test_equal_eigenvalues_have_finite_derivatives():
    assert np.isfinite(grad(lambda x: jnp.linalg.eigh(x)[1].sum())(jnp.eye(3))).all()
    assert np.isfinite(grad(lambda x: jnp.linalg.svd(x)[0].sum())(jnp.eye(3))).all()


def test_tensors_and_chains():
    a = matrix(2, 3, 6, dtype="float64")
    np.testing.assert_allclose(
        jnp.linalg.tensorinv(a.reshape(6, 2, 3), 1), np.linalg.tensorinv(a.reshape(6, 2, 3), 1), 1e-4
    )
    b = matrix(2, 3, dtype="float64")
    np.testing.assert_allclose(jnp.linalg.tensorsolve(a, b), np.linalg.tensorsolve(a, b), rtol=1e-4)
    chain = [matrix(3), matrix(3, 4), matrix(4, 2), matrix(2)]
    np.testing.assert_allclose(jnp.linalg.multi_dot(chain), np.linalg.multi_dot(chain), rtol=1e-5)
    np.testing.assert_allclose(jnp.linalg.cond(chain[1]), np.linalg.cond(chain[1]), rtol=1e-5)


def test_numpys_functions_come_to_ours():
    x = jnp.array([[2.0, 1.0], [1.0, 3.0]])
    assert isinstance(np.linalg.inv(x), fungrad.Array)
    np.testing.assert_allclose(
        grad(lambda x: np.linalg.det(x))(x), np.linalg.det(x) * np.asarray(np.linalg.inv(x)).T, rtol=1e-5
    )


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: jnp.linalg.inv(np.ones((2, 3))), "linalg.inv: a must be square"),
        (lambda: jnp.linalg.inv(np.ones(3)), "linalg.inv: a must have at least two dimensions"),
        (lambda: jnp.linalg.solve(np.eye(3), np.ones(2)), "linalg.solve: b must have 3 rows"),
        (lambda: jnp.linalg.qr(np.eye(3), "all"), "linalg.qr: mode must be"),
        (lambda: jnp.linalg.norm(np.ones((2, 2, 2)), 2), "linalg.norm: x must be a vector or a matrix"),
        (lambda: jnp.linalg.norm(np.eye(2), "x"), "linalg.norm: the norm of a matrix must be"),
        (lambda: jnp.linalg.eigh(np.eye(2), "x"), "linalg.eigh: UPLO must be"),
        (lambda: lax.linalg.cholesky(np.eye(2, dtype="int32")), "lax.linalg.cholesky: x must be of dtype"),
        (lambda: lax.linalg.triangular_solve(np.eye(2), np.ones((3, 3))), "triangular_solve: b must have"),
        (lambda: jnp.linalg.multi_dot([np.eye(2)]), "linalg.multi_dot: expected at least two"),
        (lambda: jnp.linalg.matrix_power(np.eye(2), 1.5), "linalg.matrix_power: n must be an integer"),
        (lambda: grad(lambda x: lax.linalg.eig(x)[1].real.sum())(np.eye(2)), "eig: eigenvectors of general matrices"),
    ],
)
def test_errors_name_function_and_argument(call, words):
    with pytest.raises((TypeError, ValueError, NotImplementedError), match=words.replace("(", r"\(")):
        call()


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
def test_products_of_reflectors_are_linear_in_the_matrix(dtype, left, transpose):
    with fungrad.enable_x64(True):
        h, taus = jnp.linalg.qr(matrix(2, 4, 3, dtype=dtype, seed=1), mode="raw")
        c = matrix(2, *((4, 2) if left else (2, 4)), dtype=dtype, seed=2)

        def f(c):
            return lax.linalg.ormqr(h.mT, taus, c, left=left, transpose=transpose)

        check_grads(f, (c,), 2)
        with pytest.raises(NotImplementedError, match="fungrad.lax.linalg.ormqr: there is no derivative"):
            fungrad.jvp(lambda t: lax.linalg.ormqr(h.mT, t, c, left=left), (taus,), (taus,))


def test_additional_columns_of_a_complete_qr_stay_orthogonal():
    with fungrad.enable_x64(True):
        x, dx = matrix(4, 2, dtype="complex128", seed=1), matrix(4, 2, dtype="complex128", seed=2)
        (q, r), (dq, dr) = fungrad.jvp(lax.linalg.qr, (x,), (dx,))
        np.testing.assert_allclose(dq @ r + q @ dr, dx, atol=1e-12)
        inside = q.conj().T @ dq
        np.testing.assert_allclose(inside + inside.conj().T, np.zeros((4, 4)), atol=1e-12)
        check_grads(lambda x: (lambda q: q[:, 2:] @ q[:, 2:].conj().T)(lax.linalg.qr(x)[0]), (x,), 2)


def test_parts_of_the_spectrum():
    x = matrix(5, 5, dtype="float32", seed=3)
    h = x + x.T
    v, w = lax.linalg.eigh(h, subset_by_index=(1, 3))
    every = np.linalg.eigvalsh(h)
    np.testing.assert_allclose(w, every[1:3], rtol=1e-4)
    np.testing.assert_allclose(h @ v, v * w, atol=1e-4)
    u, s, vh = jit(lambda x: lax.linalg.svd(x, full_matrices=False, subset_by_index=(1, 4)))(x)
    assert u.shape == (5, 3) and vh.shape == (3, 5)
    np.testing.assert_allclose(s, np.linalg.svd(x, compute_uv=False)[1:4], rtol=1e-4)
    np.testing.assert_allclose(x @ vh.T, u * s, atol=1e-4)
    np.testing.assert_allclose(jnp.linalg.svd(h, False, hermitian=True, subset_by_index=(0, 2)).S,
                               np.linalg.svd(h, compute_uv=False)[:2], rtol=1e-4)  # fmt: skip


def test_singular_tridiagonal_systems():
    zero, one = np.zeros(3, "float32"), np.ones((3, 2), "float32")
    for f in (lambda f: f, jit):
        solve = f(lambda d, b: lax.linalg.tridiagonal_solve(zero, d, zero, b))
        assert np.isnan(solve(np.float32([1, 0, 1]), one)).all()
        perturbed = f(lambda d, b: lax.linalg.tridiagonal_solve(zero, d, zero, b, perturb_singular=True))
        x = perturbed(np.float32([1, 0, 1]), one)
        assert np.isfinite(x).all() and abs(x[1, 0]) > 1e5
        np.testing.assert_allclose(perturbed(np.float32([1, 2, 4]), one)[:, 1], [1, 0.5, 0.25])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("left", [True, False])
def test_threads_share_the_right_hand_sides_of_large_systems(dtype, left, monkeypatch):
    from fungrad.ops.linalg import native

    monkeypatch.setattr(native, "_LARGE_SOLVE", 1000)
    with fungrad.enable_x64(True):
        a = matrix(2, 30, 30, dtype=dtype, seed=1) + 10 * np.eye(30)
        for columns in (64, 101):
            b = matrix(2, *((30, columns) if left else (columns, 30)), dtype=dtype, seed=2)
            for transpose, conjugate in ((False, False), (True, False), (True, True), (False, True)):
                options = {"left_side": left, "lower": True, "transpose_a": transpose, "conjugate_a": conjugate}
                wanted = lax.linalg.triangular_solve(a, b, **options)
                got = jit(lambda a, b, o=options: lax.linalg.triangular_solve(a, b, **o))(a, b)
                np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "name", ["solve", "inv", "cholesky", "qr", "svd", "eigh", "pinv", "lstsq", "det", "matrix_power"]
)
def test_known_matrices_in_staged_functions(name):
    a = jnp.array([[3.0, 1.0], [1.0, 2.0]])
    call = {"solve": lambda b: jnp.linalg.solve(a, b), "lstsq": lambda b: jnp.linalg.lstsq(a, b)[0]}
    call |= {"matrix_power": lambda b: jnp.linalg.matrix_power(a, -2) @ b}
    f = call.get(
        name, lambda b: sum(fungrad.tree.leaves(fungrad.tree.map(lambda x: x.sum(), getattr(jnp.linalg, name)(a)))) * b
    )
    b = jnp.array([1.0, 2.0])
    for staged in (
        fungrad.jit(f),
        fungrad.checkpoint(f),
        lambda b: lax.scan(lambda c, _: (c, f(c)), b, None, length=1)[1][0],
        lambda b: lax.cond(b.sum() > 0, f, lambda b: 2 * f(b), b),
    ):
        np.testing.assert_allclose(staged(b), f(b), rtol=1e-5, atol=1e-6)
    slope = grad(lambda b: f(b).sum())
    np.testing.assert_allclose(jit(slope)(b), slope(b), rtol=1e-5, atol=1e-6)


def test_singular_matrices_in_staged_functions():
    zeros, b = jnp.zeros((2, 2)), jnp.ones(2)
    assert lax.cond(False, lambda b: jnp.linalg.solve(zeros, b), lambda b: b, b).tolist() == [1, 1]
    assert not np.isfinite(fungrad.jit(lambda b: jnp.linalg.solve(zeros, b))(b)).any()


@pytest.mark.parametrize("shape", [(300, 2), (2, 300)])
def test_the_derivative_of_pinv_makes_no_matrix_square_in_the_longer_side(shape):
    def sizes(jaxpr):
        for e in jaxpr.eqns:
            yield from (v.aval.size for v in e.outvars)
            for sub in jaxprs_in_params(e.params):
                yield from sizes(sub)

    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    jaxpr = fungrad.make_jaxpr(fungrad.grad(lambda x: (jnp.linalg.pinv(x) ** 2).sum()))(x)
    assert max(sizes(jaxpr)) == x.size


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_compiled_eigenvalues_come_in_the_same_order(dtype):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((20, 4, 4))
    if dtype == "complex64":
        a = a + 1j * rng.standard_normal((20, 4, 4))
    x = jnp.asarray(a.astype(dtype))
    for got, wanted in zip(fungrad.jit(jnp.linalg.eig)(x), jnp.linalg.eig(x), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_traces_along_a_traced_diagonal():
    x = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    f = fungrad.jit(lambda x, k: jnp.trace(x, k, 1, 2))
    for k in range(-4, 6):
        np.testing.assert_array_equal(f(x, k), np.trace(x, k, 1, 2))
    np.testing.assert_array_equal(
        fungrad.vmap(lambda k: jnp.trace(x, k, 1, 2))(jnp.arange(3)), [np.trace(x, k, 1, 2) for k in range(3)]
    )
    with pytest.raises(TypeError):
        f(x, 1.0)
