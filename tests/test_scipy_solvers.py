"""Minimisation, iterative solvers and rotations: against SciPy and JAX, differentiated, mapped, compiled."""

import itertools
import warnings

import numpy as np
import pytest
from optable_base import array

import fungrad as fg
import fungrad.numpy as jnp
from fungrad.scipy.optimize import minimize
from fungrad.scipy.sparse.linalg import bicgstab, cg, gmres
from fungrad.scipy.spatial.transform import Rotation, Slerp
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)
LIMITED = "l-bfgs-experimental-do-not-rely-on-this"


# -- minimisation ------------------------------------------------------------------------------------------------------


def rosenbrock(lib):
    return lambda x: lib.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def himmelblau(lib):
    return lambda p: (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2


def matyas(lib):
    return lambda p: 0.26 * (p[0] ** 2 + p[1] ** 2) - 0.48 * p[0] * p[1]


def eggholder(lib):
    def f(p):
        x, y = p
        far = (y + 47) * lib.sin(lib.sqrt(lib.abs(x / 2 + y + 47)))
        return -far - x * lib.sin(lib.sqrt(lib.abs(x - (y + 47))))

    return f


PROBLEMS = [
    (rosenbrock, np.zeros(2)), (rosenbrock, np.zeros(5)), (himmelblau, np.ones(2)), (himmelblau, np.zeros(2)),
    (matyas, np.ones(2) * 6), (eggholder, np.ones(2) * 100),
]  # fmt: skip


@pytest.mark.parametrize("method", ["BFGS", LIMITED])
@pytest.mark.parametrize("problem, x0", PROBLEMS)
def test_minima(problem, x0, method):
    optimize = pytest.importorskip("scipy.optimize")
    wanted = optimize.minimize(problem(np), x0, method="BFGS")
    options = {"ftol": 0.0} if method == LIMITED else {}
    found = minimize(problem(jnp), array(x0), method=method, options=options)
    assert bool(found.success) and int(found.status) == 0
    assert float(found.fun) <= wanted.fun + 1e-9
    np.testing.assert_allclose(np.asarray(found.x), wanted.x, atol=2e-4)
    gradient = fg.grad(problem(jnp))(found.x)
    np.testing.assert_allclose(np.asarray(found.jac), np.asarray(gradient), atol=1e-9)
    assert np.abs(np.asarray(gradient)).max() < 1e-5
    assert int(found.nfev) == int(found.njev) <= 2 * wanted.nfev
    single = minimize(problem(jnp), jnp.asarray(x0, jnp.float32), method=method)
    assert single.x.dtype == single.fun.dtype == np.float32
    np.testing.assert_allclose(np.asarray(single.x), wanted.x, rtol=1e-3, atol=5e-3)


@pytest.mark.parametrize("method", ["BFGS", LIMITED])
def test_minimize_with_64_bits_by_default(method):
    with fg.enable_x64(True):
        for run in (lambda f: f, fg.jit):
            found = run(lambda x0: minimize(himmelblau(jnp), x0, method=method))(jnp.ones(2))
            assert found.success and found.x.dtype == np.float64 and found.status.dtype == found.nit.dtype == np.int64


@pytest.mark.parity
def test_steps_are_those_of_jax():
    theirs = pytest.importorskip("jax.scipy.optimize")
    jax = pytest.importorskip("jax")
    for method in ("BFGS", LIMITED):
        a = minimize(himmelblau(jnp), jnp.ones(2), method=method)
        b = theirs.minimize(himmelblau(jax.numpy), jax.numpy.ones(2), method=method)
        assert (int(a.nit), int(a.nfev)) == (int(b.nit), int(b.nfev))
        np.testing.assert_allclose(np.asarray(a.x), np.asarray(b.x), rtol=1e-5)
        assert a._fields == b._fields


def test_minimisation_inside_of_transformations():
    def solution(x, a):
        return minimize(lambda x, a: jnp.sum((x - a) ** 4 + (x - a) ** 2), x, (a,), method="BFGS").x

    x0, a = array(np.zeros((3, 2))), array(RNG.normal(size=(3, 2)))
    np.testing.assert_allclose(np.asarray(fg.jit(fg.vmap(solution))(x0, a)), np.asarray(a), atol=1e-5)
    compiled = fg.jit(lambda x: minimize(rosenbrock(jnp), x, method="BFGS").x)
    assert " host " not in compiled.lower(x0[0]).as_text("steps")
    np.testing.assert_allclose(np.asarray(compiled(x0[0])), 1, atol=1e-5)
    assert minimize(lambda x: jnp.sum(x**2), jnp.ones(1), method="BFGS").hess_inv.shape == (1, 1)


def test_when_minimisation_stops():
    def f(x):
        return jnp.sum((x - 3) ** 4)

    for method in ("BFGS", LIMITED):
        short = minimize(f, array(np.zeros(3)), method=method, options={"maxiter": 2})
        assert not short.success and int(short.status) == 1 and int(short.nit) == 2
        none = minimize(f, array(np.full(3, 3.0)), method=method)
        assert none.success and int(none.nit) == 0
        loose = minimize(f, array(np.zeros(3)), method=method, tol=1e-1)
        assert loose.success and int(loose.nit) < int(minimize(f, array(np.zeros(3)), method=method).nit)
    # a function without a minimum, and one that is NaN beyond a wall
    assert not minimize(lambda x: x.sum(), jnp.zeros(2), method="BFGS", options={"maxiter": 20}).success
    wall = minimize(lambda x: jnp.sum(x - jnp.log(x)), array(np.full(2, 0.01)), method="BFGS")
    np.testing.assert_allclose(np.asarray(wall.x), 1, rtol=1e-4)


def test_complex_minimisation():
    target = RNG.normal(size=4) + 1j * RNG.normal(size=4)
    mix = RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4)) + 4 * np.eye(4)

    def f(z):
        return jnp.sum(jnp.abs(array(mix) @ (z - array(target))) ** 2)

    found = minimize(f, array(np.zeros(4, complex)), method=LIMITED, options={"ftol": 0.0})
    assert found.success
    np.testing.assert_allclose(np.asarray(found.x), target, atol=1e-5)


# -- iterative solvers -------------------------------------------------------------------------------------------------


def matrices(kind, n=10):
    b = RNG.normal(size=(n, n)) + (1j * RNG.normal(size=(n, n)) if kind == "c" else 0)
    return b @ b.conj().T + n * np.eye(n), b + 5 * np.eye(n), (b[0] + 1)


SOLVERS = [
    (cg, {}), (cg, {"M": True}), (bicgstab, {}), (bicgstab, {"M": True}),
    *[(gmres, {"solve_method": m, **o}) for m in ("batched", "incremental") for o in ({}, {"restart": 4}, {"M": True})],
]  # fmt: skip


@pytest.mark.parametrize("solver, options", SOLVERS)
@pytest.mark.parametrize("kind", "fc")
def test_solvers(solver, options, kind):
    definite, general, b = matrices(kind)
    a = definite if solver is cg else general
    if "M" in options:
        options = {**options, "M": array(np.diag(1 / np.diag(a)))}
    x, info = solver(array(a), array(b), tol=1e-11, **options)
    np.testing.assert_allclose(a @ np.asarray(x), b, atol=1e-8)
    assert info is None or int(info) == 0
    y, _ = solver(lambda v: array(a) @ v, array(b), array(np.ones_like(b)), tol=0.0, atol=1e-9, **options)
    assert np.linalg.norm(a @ np.asarray(y) - b) < 1e-8
    compiled = fg.jit(lambda a, b: solver(a, b, tol=1e-11, **options)[0]).lower(array(a), array(b)).compile()
    assert " host " not in compiled.as_text("steps")
    np.testing.assert_allclose(np.asarray(compiled(array(a), array(b))), np.asarray(x), atol=1e-8)
    many = fg.vmap(lambda b: solver(array(a), b, tol=1e-11, **options)[0])(array(np.stack([b, 2 * b])))
    np.testing.assert_allclose(np.asarray(many), np.stack([x, 2 * np.asarray(x)]), atol=1e-8)


@pytest.mark.parametrize("solver", [cg, gmres, bicgstab])
def test_solvers_differentiate(solver):
    definite, general, b = matrices("f", 5)

    def solution(a, b):
        a = a @ a.T + 5 * jnp.eye(5) if solver is cg else a
        return solver(a, b, tol=1e-13)[0]

    check_grads(solution, (array(general), array(b)), 2, rtol=1e-4)
    z = matrices("c", 4)
    matrix = array(z[0] if solver is cg else z[1])
    if solver is not cg:
        check_grads(lambda b: solver(matrix, b, tol=1e-13)[0], (array(z[2]),), 2, rtol=1e-4)


@pytest.mark.parametrize("solver", [cg, gmres, bicgstab])
def test_solvers_of_trees(solver):
    b = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}
    x, _ = solver(lambda t: {"a": 2 * t["a"], "b": 4 * t["b"]}, b)
    np.testing.assert_allclose(np.asarray(x["a"]), 0.5, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(x["b"]), 0.25, rtol=1e-5)
    zero, _ = solver(jnp.eye(3), jnp.zeros(3))
    assert zero.tolist() == [0, 0, 0]
    limited, _ = solver(
        array(matrices("f")[0]), array(np.ones(10)), maxiter=1, **({"restart": 1} if solver is gmres else {})
    )
    assert np.isfinite(np.asarray(limited)).all()


# -- rotations ---------------------------------------------------------------------------------------------------------


def theirs():
    return pytest.importorskip("scipy.spatial.transform")


QUATERNIONS = RNG.normal(size=(20, 4))


def close(a, b, atol=1e-9):
    np.testing.assert_allclose(np.asarray(a), b, atol=atol)


def test_rotations_in_other_forms():
    r, s = Rotation.from_quat(array(QUATERNIONS)), theirs().Rotation.from_quat(QUATERNIONS)
    for name in ("as_matrix", "as_rotvec", "as_mrp", "magnitude"):
        close(getattr(r, name)(), getattr(s, name)())
    close(r.as_rotvec(degrees=True), s.as_rotvec(degrees=True), 1e-7)
    for options in ({"canonical": True}, {"scalar_first": True}, {}):
        close(r.as_quat(**options), s.as_quat(**options))
    for made in (
        Rotation.from_matrix(array(s.as_matrix())), Rotation.from_rotvec(array(s.as_rotvec())),
        Rotation.from_rotvec(array(s.as_rotvec(degrees=True)), degrees=True), Rotation.from_mrp(array(s.as_mrp())),
    ):  # fmt: skip
        close(made.as_matrix(), s.as_matrix())
    close(Rotation.from_matrix(array(s.as_matrix()[3])).as_matrix(), s.as_matrix()[3])
    for degenerate in ([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, -1]):
        q = np.array(degenerate, float)
        one, other = Rotation.from_quat(array(q)), theirs().Rotation.from_quat(q)
        close(Rotation.from_matrix(one.as_matrix()).as_matrix(), other.as_matrix())
        close(one.as_rotvec(), other.as_rotvec())
        close(one.as_quat(canonical=True), other.as_quat(canonical=True))


def test_rotations_composed():
    r, s = Rotation.from_quat(array(QUATERNIONS)), theirs().Rotation.from_quat(QUATERNIONS)
    v = RNG.normal(size=(20, 3))
    close((r * Rotation(r.quat[::-1])).as_matrix(), (s * s[::-1]).as_matrix())
    close(r.inv().as_matrix(), s.inv().as_matrix())
    close(r.apply(array(v)), s.apply(v))
    close(r.apply(array(v), inverse=True), s.apply(v, inverse=True))
    close(r.apply(array(v[0])), s.apply(v[0]))
    close(r[2].apply(array(v)), s[2].apply(v))
    close(r[3:5].as_matrix(), s[3:5].as_matrix())
    assert len(r) == 20 and not r.single and r[0].single
    close(Rotation.concatenate([r, r[:2]]).quat, np.concatenate([r.quat, r.quat[:2]]))
    close(Rotation.identity().as_matrix(), np.eye(3))
    assert Rotation.identity(3).quat.shape == (3, 4)
    weights = np.arange(1.0, 21.0)
    close(r.mean().as_matrix(), s.mean().as_matrix())
    close(r.mean(array(weights)).as_matrix(), s.mean(weights).as_matrix())
    some = Rotation.random(fg.random.key(0), 2000)
    close(jnp.linalg.norm(some.quat, axis=-1), 1, 1e-5)
    assert np.abs(np.asarray(some.as_matrix().mean(0))).max() < 0.06
    assert Rotation.random(fg.random.key(0)).single


SEQUENCES = [a + b + c for a, b, c in itertools.product("xyz", repeat=3) if a != b and b != c]


@pytest.mark.parametrize("seq", [*SEQUENCES, *[s.upper() for s in SEQUENCES]])
def test_euler_angles(seq):
    r, s = Rotation.from_quat(array(QUATERNIONS)), theirs().Rotation.from_quat(QUATERNIONS)
    close(r.as_euler(seq), s.as_euler(seq))
    close(r.as_euler(seq, degrees=True), s.as_euler(seq, degrees=True), 1e-7)
    angles = RNG.uniform(-3, 3, (5, 3))
    close(Rotation.from_euler(seq, array(angles)).as_matrix(), theirs().Rotation.from_euler(seq, angles).as_matrix())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gimbal lock
        for middle in (0.0, np.pi) if seq[0] == seq[2] else (np.pi / 2, -np.pi / 2):
            angles[:, 1] = middle
            locked = theirs().Rotation.from_euler(seq, angles)
            found = Rotation.from_quat(array(locked.as_quat())).as_euler(seq)
            close(Rotation.from_euler(seq, found).as_matrix(), locked.as_matrix(), 1e-6)


def test_euler_angles_about_fewer_axes():
    angles = np.array([[10.0, 20.0], [30.0, 40.0]])
    wanted = theirs().Rotation.from_euler("XY", angles, degrees=True).as_matrix()
    close(Rotation.from_euler("XY", array(angles), degrees=True).as_matrix(), wanted)
    close(Rotation.from_euler("z", array(np.array(0.3))).as_rotvec(), [0, 0, 0.3])


def test_interpolated_rotations():
    r, s = Rotation.from_quat(array(QUATERNIONS)), theirs().Rotation.from_quat(QUATERNIONS)
    times = np.sort(RNG.uniform(size=20))
    at = np.linspace(times[0], times[-1], 33)
    ours, wanted = Slerp.init(array(times), r), theirs().Slerp(times, s)
    close(ours(array(at)).as_matrix(), wanted(at).as_matrix())
    close(ours(array(at[5])).as_matrix(), wanted(at[5]).as_matrix())
    close(fg.jit(lambda f, t: f(t).as_matrix())(ours, array(at)), wanted(at).as_matrix())


def test_rotations_differentiate():
    v = array(RNG.normal(size=3) * 0.5)
    check_grads(lambda v: Rotation.from_rotvec(v).as_matrix(), (v,), 2, rtol=1e-4)
    check_grads(lambda v: Rotation.from_rotvec(v).as_rotvec(), (v,), 2, rtol=1e-4)
    check_grads(lambda v: Rotation.from_rotvec(v).as_euler("xyz"), (v,), 1, rtol=1e-4)
    # at no rotation, where formulas divide by the angle
    zero = array(np.zeros(3))
    close(fg.jacfwd(lambda v: Rotation.from_rotvec(v).as_rotvec())(zero), np.eye(3))
    close(fg.hessian(lambda v: Rotation.from_rotvec(v).as_rotvec()[0])(zero), np.zeros((3, 3)))
    assert np.isfinite(np.asarray(fg.grad(lambda v: Rotation.from_rotvec(v).magnitude())(zero))).all()
    many = fg.vmap(lambda q, v: Rotation.from_quat(q).apply(v))(array(QUATERNIONS), array(RNG.normal(size=(20, 3))))
    assert many.shape == (20, 3)
