"""``fungrad.scipy.linalg`` against SciPy and JAX, and what its derivatives, batches and compiled forms do."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
import fungrad.scipy.linalg as linalg
from fungrad import grad, jit, vmap
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 4))
B = RNG.normal(size=(4, 2))
H = A @ A.T + np.eye(4)
Z = A + 1j * RNG.normal(size=(4, 4))
HZ = Z @ Z.conj().T + np.eye(4)
V = RNG.normal(size=4)
STACK = RNG.normal(size=(2, 3, 3, 3)) + 4 * np.eye(3)
WIDE, TALL = RNG.normal(size=(3, 5)), RNG.normal(size=(5, 3))


@pytest.fixture(autouse=True)
def double():
    with fungrad.enable_x64(True):
        yield


def leaves(x):
    return [np.asarray(v) for v in fungrad.tree.leaves(x)]


def close(got, want, tol=1e-8):
    got, want = leaves(got), leaves(want)
    assert len(got) == len(want)
    for x, y in zip(got, want, strict=True):
        assert x.shape == y.shape and x.dtype == y.dtype, (x.shape, y.shape, x.dtype, y.dtype)
        np.testing.assert_allclose(x, y, rtol=tol, atol=tol)


# -- values of JAX -----------------------------------------------------------------------------------------------------


def calls():
    """Name, arguments and keywords of calls whose results do not depend on signs that nobody determines."""
    for m, right in ((H, B), (HZ, B + 1j)):
        for lower in (False, True):
            yield "cholesky", (m,), {"lower": lower}
            yield "cho_solve", ((np.asarray(linalg.cho_factor(m, lower)[0]), lower), right), {}
            yield "solve", (m, right), {"lower": lower, "assume_a": "pos"}
            yield "eigh", (m,), {"lower": lower, "eigvals_only": True}
            for trans in (0, 1, 2, "N", "T", "C"):
                yield "solve_triangular", (m, right[:, 0]), {"trans": trans, "lower": lower, "unit_diagonal": lower}
        for trans in (0, 1, 2):
            yield "lu_solve", (tuple(map(np.asarray, linalg.lu_factor(m))), right), {"trans": trans}
        for assumed in ("gen", "sym", "her", "pos"):
            yield "solve", (m, right[:, 0]), {"assume_a": assumed}
        yield "inv", (m,), {}
    for m in (A, Z, WIDE, TALL):
        for permute in (False, True):
            yield "lu", (m,), {"permute_l": permute}
        yield "lu_factor", (m,), {}
        yield "svd", (m,), {"compute_uv": False}
        for mode in ("full", "economic", "r"):
            for pivoting in (False, True):
                yield "qr", (m,), {"mode": mode, "pivoting": pivoting}
    for m in (A, Z):
        for conjugate in (False, True):
            for mode in ("left", "right"):
                yield "qr_multiply", (m, V), {"mode": mode, "conjugate": conjugate, "pivoting": conjugate}
        yield "hessenberg", (m,), {"calc_q": True}
        yield "schur", (m,), {}
        yield "sqrtm", (m,), {}
        yield "expm", (m,), {}
        yield "solve_sylvester", (m, H, m), {}
        yield "det", (m,), {}
    yield "qr_multiply", (TALL, RNG.normal(size=(3, 2))), {"mode": "left"}
    yield "qr_multiply", (WIDE, RNG.normal(size=(2, 3))), {"mode": "right"}
    yield "schur", (A,), {"output": "complex"}
    yield "eigh_tridiagonal", (V, V[1:]), {"eigvals_only": True}
    yield "eigh_tridiagonal", (V, V[1:]), {"eigvals_only": True, "select": "i", "select_range": (1, 2)}
    for m in (10 * A, 0.01 * A, np.zeros((3, 3)), STACK, 1e7 * A):
        yield "expm", (m,), {}
    yield "expm", (np.triu(A),), {"upper_triangular": True}
    yield "expm_frechet", (A, H), {}
    yield "solve", (STACK, RNG.normal(size=(3, 2))), {}
    yield "solve_sylvester", (A, STACK, RNG.normal(size=(4, 3))), {}
    yield "solve_sylvester", (A, -A, A), {}
    yield "polar", (TALL,), {}
    yield "polar", (WIDE,), {"side": "left"}
    for n in (1, 2, 3, 6):
        for name in ("hilbert", "invhilbert", "helmert", "dft"):
            yield name, (n,), {}
        yield "helmert", (n,), {"full": True}
        yield "dft", (n,), {"scale": "sqrtn"}
    yield "hadamard", (8,), {}
    yield "hadamard", (4,), {"dtype": "float32"}
    for c in (V, V + 1j, np.arange(1, 5), RNG.normal(size=(2, 5))):
        for name in ("toeplitz", "hankel", "circulant", "companion", "fiedler_companion"):
            yield name, (c,), {}
        yield "toeplitz", (c, c[..., :3]), {}
        yield "hankel", (c, c[..., :3]), {}
        for mode in ("full", "same", "valid"):
            yield "convolution_matrix", (c, 3, mode), {}
            yield "convolution_matrix", (c, 7, mode), {}
    yield "fiedler", (V,), {}
    yield "leslie", (V, V[1:]), {}
    yield "block_diag", (A, B, V, 2.0), {}
    yield "block_diag", (), {}


@pytest.mark.parity
def test_values_and_types_are_those_of_jax():
    import jax
    import jax.scipy.linalg as theirs

    jax.config.update("jax_enable_x64", True)
    try:
        for name, args, options in calls():
            want = getattr(theirs, name)(*args, **options)
            try:
                close(getattr(linalg, name)(*args, **options), jax.tree.leaves(want), 1e-7)
            except AssertionError as error:
                raise AssertionError(f"{name}, {options}, shapes {[np.shape(x) for x in args]}: {error}") from None
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.parity
def test_every_name_of_jax_is_there():
    import jax.lax.linalg
    import jax.scipy.linalg

    assert {n for n in dir(jax.scipy.linalg) if not n.startswith("_")} <= set(linalg.__all__)
    assert {n for n in dir(jax.lax.linalg) if not n.startswith("_")} <= set(fungrad.lax.linalg.__all__)


# -- values of SciPy ---------------------------------------------------------------------------------------------------


def test_functions_of_matrices_are_those_of_scipy():
    import scipy.linalg as theirs

    for m in (A, 10 * A, 1e-3 * A, Z, np.diag([1.0, 1, 2]), np.triu(A)):
        close(linalg.expm(m), theirs.expm(m), 1e-9)
    for m in (H, Z, np.diag([1e-6, 1.0, 1e6]), np.array([[1.0, 1], [0, 1]])):
        np.testing.assert_allclose(linalg.logm(m), theirs.logm(m), rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(linalg.sqrtm(m), theirs.sqrtm(m), rtol=1e-8, atol=1e-8)
    out, error = linalg.logm(H, disp=False)
    assert error < 1e-10 and np.isfinite(out).all()
    assert np.isnan(linalg.logm(np.zeros((2, 2)))).any()
    np.testing.assert_allclose(linalg.funm(A, jnp.sin), theirs.sinm(A), atol=1e-9)
    assert 0 < linalg.funm(A, jnp.sin, disp=False)[1] < 1e-10
    for m in (A, Z, TALL, WIDE):
        for side in ("right", "left"):
            close(linalg.polar(m, side), theirs.polar(m, side))
    for lower in (False, True):
        for kind in (1, 2, 3):
            w, v = linalg.eigh(A + A.T, H, lower=lower, type=kind)
            np.testing.assert_allclose(w, theirs.eigh(A + A.T, H, type=kind, eigvals_only=True), rtol=1e-8, atol=1e-8)
            sides = {1: (A + A.T, H), 2: ((A + A.T) @ H, np.eye(4)), 3: (H @ (A + A.T), np.eye(4))}[kind]
            np.testing.assert_allclose(sides[0] @ v, sides[1] @ v * w, atol=1e-8)
    inside = linalg.eigh_tridiagonal(V, V[1:], select="v", select_range=(-0.5, 1.0))
    want = theirs.eigh_tridiagonal(V, V[1:], select="v", select_range=(-0.5, 1.0))
    np.testing.assert_allclose(inside[0], want[0], atol=1e-9)
    t, z = (np.asarray(x) for x in linalg.rsf2csf(*linalg.schur(STACK[0, 0] - 5 * np.eye(3) + np.eye(3, k=2) * 9)))
    np.testing.assert_array_equal(np.tril(t, -1), 0)
    np.testing.assert_allclose(z.conj().T @ z, np.eye(3), atol=1e-12)
    forms = [theirs.schur(m) for m in STACK[0] - 5 * np.eye(3)]
    t, q = (np.stack(x) for x in zip(*forms, strict=True))
    for left, right in [(t, q), (t[0], q), (t, q[0])]:
        for found, wanted in zip(linalg.rsf2csf(left, right), theirs.rsf2csf(left, right), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-10)
    t, z = (np.asarray(x) for x in linalg.rsf2csf(*linalg.schur(STACK[0, 0] - 5 * np.eye(3) + np.eye(3, k=2) * 9)))
    np.testing.assert_allclose(z @ t @ z.conj().T, STACK[0, 0] - 5 * np.eye(3) + np.eye(3, k=2) * 9, atol=1e-10)
    for n in (1, 2, 5):
        for kind in ("lower", "upper", "symmetric"):
            np.testing.assert_array_equal(linalg.pascal(n, kind), theirs.pascal(n, kind))
            np.testing.assert_array_equal(linalg.invpascal(n, kind), theirs.invpascal(n, kind))
    (h, tau), r = linalg.qr(A, mode="raw")
    np.testing.assert_allclose(np.triu(h), r)
    p, lower, upper = linalg.lu(A, p_indices=True)
    np.testing.assert_allclose(lower[p] @ upper, A, atol=1e-12)
    assert tau.shape == (4,)


def test_single_precision_stays_and_is_accurate():
    a = (3 * A).astype("float32")
    for f in (linalg.expm, linalg.inv, linalg.det, lambda x: linalg.polar(x)[0]):
        assert f(a).dtype == np.float32
    assert linalg.sqrtm(a).dtype == linalg.logm(a).dtype == np.complex64
    import scipy.linalg as theirs

    want = theirs.expm(3 * A)
    np.testing.assert_allclose(linalg.expm(a), want, rtol=1e-4, atol=1e-5 * abs(want).max())
    assert linalg.expm(np.ones((2, 2), "float16")).dtype == np.float32
    assert linalg.expm(np.ones((2, 2), int)).dtype == np.float64


# -- derivatives -------------------------------------------------------------------------------------------------------


def real_part(f):
    return lambda *a: (lambda x: (x.real, x.imag))(f(*a))


DERIVATIVES = {
    "cholesky": (lambda x: linalg.cholesky(x @ x.mT + jnp.eye(4)), (A,)),
    "cho_solve": (lambda x, b: linalg.cho_solve(linalg.cho_factor(x @ x.mT + jnp.eye(4)), b), (A, B)),
    "lu": (lambda x: linalg.lu(x)[1:], (A,)),
    "lu_solve": (lambda x, b: linalg.lu_solve(linalg.lu_factor(x), b, trans=1), (A + 3 * np.eye(4), B)),
    "solve pos": (lambda x, b: linalg.solve(x @ x.mT + jnp.eye(4), b, assume_a="pos"), (A, B)),
    "solve pos complex": (
        real_part(lambda x, b: linalg.solve(x @ x.conj().mT + jnp.eye(4), b + 1j * x[:, 0], assume_a="pos")), (Z, V)),
    "solve_triangular": (lambda x, b: linalg.solve_triangular(x, b, trans="T", lower=True), (A + 3 * np.eye(4), B)),
    "inv": (linalg.inv, (A + 3 * np.eye(4),)),
    "generalised eigh": (lambda x: linalg.eigh(x + x.mT, jnp.asarray(H), eigvals_only=True), (A,)),
    "eigh by b": (lambda b: linalg.eigh(jnp.asarray(A + A.T), b @ b.mT + jnp.eye(4), eigvals_only=True), (A,)),
    "eigh_tridiagonal": (lambda d, e: linalg.eigh_tridiagonal(d, e, eigvals_only=True), (V, V[1:])),
    "qr_multiply": (lambda x, c: linalg.qr_multiply(x, c), (TALL, WIDE)),
    "expm": (linalg.expm, (A,)),
    "expm of zero": (linalg.expm, (np.zeros((2, 2)),)),
    "expm squared": (lambda x: linalg.expm(x) / 1e3, (9 * A[:2, :2],)),
    "expm triangular": (lambda x: linalg.expm(jnp.triu(x), upper_triangular=True), (A[:3, :3],)),
    "expm_frechet": (lambda a, e: linalg.expm_frechet(a, e, compute_expm=False), (A[:2, :2], A[2:, 2:])),
    "solve_sylvester": (linalg.solve_sylvester, (A[:2, :2] + 3 * np.eye(2), H[:3, :3], A[:2, :3])),
    "sqrtm": (real_part(linalg.sqrtm), (H[:3, :3],)),
    "sqrtm of identity": (real_part(linalg.sqrtm), (np.eye(2),)),
    "logm": (real_part(linalg.logm), (H[:2, :2],)),
    "logm of identity": (real_part(linalg.logm), (np.eye(2),)),
    "polar": (linalg.polar, (A[:3, :3],)),
    "polar of identity": (linalg.polar, (np.eye(3),)),
    "polar tall": (linalg.polar, (TALL,)),
    "polar wide": (lambda x: linalg.polar(x, "left"), (WIDE,)),
    "toeplitz": (linalg.toeplitz, (V, V[:3])),
    "companion": (linalg.companion, (V,)),
    "block_diag": (linalg.block_diag, (A, V)),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    f, args = DERIVATIVES[name]
    check_grads(f, args, 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["expm", "sqrtm", "polar", "solve_sylvester", "solve pos", "qr_multiply"])
def test_gradients_of_batches_are_batches_of_gradients(name):
    f, args = DERIVATIVES[name]

    def loss(*a):
        return sum((jnp.abs(x) ** 2).sum() for x in fungrad.tree.leaves(f(*a)))

    stacked = [np.stack([x, x + 0.1 * np.roll(x, 1), 1.2 * x]) for x in args]
    wanted = [grad(loss)(*[x[k] for x in stacked]) for k in range(3)]
    np.testing.assert_allclose(jit(vmap(grad(loss)))(*stacked), wanted, rtol=1e-6, atol=1e-8)
    summed = grad(lambda *a: vmap(loss)(*a).sum())(*stacked)
    np.testing.assert_allclose(summed, wanted, rtol=1e-6, atol=1e-8)


# -- compiled, mapped, empty -------------------------------------------------------------------------------------------

COMPILED = {
    "solve": lambda x: linalg.solve(x, x[..., :1]),
    "solve pos": lambda x: linalg.solve(x @ x.mT, x, assume_a="pos"),
    "lu": linalg.lu,
    "qr": lambda x: linalg.qr(x, pivoting=True),
    "schur": lambda x: linalg.schur(x, "complex"),
    "rsf2csf": lambda x: linalg.rsf2csf(*linalg.schur(x)),
    "hessenberg": lambda x: linalg.hessenberg(x, calc_q=True),
    "eigh": lambda x: linalg.eigh(x + x.mT, eigvals_only=True),
    "expm": linalg.expm,
    "sqrtm": linalg.sqrtm,
    "logm": linalg.logm,
    "polar": linalg.polar,
    "solve_sylvester": lambda x: linalg.solve_sylvester(x, x, x),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_code_calls_no_python_and_batches_agree(name):
    f = COMPILED[name]
    wanted = [[leaves(f(STACK[i, j])) for j in range(3)] for i in range(2)]
    compiled = jit(f)
    assert "= host" not in compiled.lower(STACK).as_text("steps")
    for results in (compiled(STACK), vmap(vmap(f))(STACK)):
        for k, r in enumerate(leaves(results)):
            want = np.array([[w[k] for w in row] for row in wanted])
            np.testing.assert_allclose(r, want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2)])
def test_matrices_without_elements(name, shape):
    for f in (COMPILED[name], jit(COMPILED[name])):
        for r in leaves(f(np.zeros(shape))):
            assert r.size == 0 or r.shape[-1] == 0 or shape == (0, 0)


def test_failures():
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        linalg.inv(np.zeros((2, 2)))
    assert np.isnan(linalg.cholesky(-np.eye(2))).all()
    assert np.isnan(jit(linalg.expm)(1e9 * np.eye(2))).all()
    assert np.isnan(linalg.expm(1e3 * np.eye(2), max_squarings=2)).all()
    assert np.isnan(linalg.expm(np.full((2, 2), np.inf))).all()
    assert np.isnan(linalg.schur(np.full((2, 2), np.nan))[0]).all()
