"""``custom_linear_solve`` and ``custom_root``: against dense algebra and JAX, under every transformation."""

import functools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core.check import check_jaxpr
from fungrad.test_util import check_grads

A = np.array([[4.0, 1.0, 0.5], [-0.5, 3.0, 1.0], [0.25, -1.0, 5.0]], np.float32)
B = np.array([1.0, -2.0, 0.5], np.float32)


def close(got, expected, rtol=2e-4):
    fungrad.tree.map(
        lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol),
        got,
        expected,
    )


def iterate(lib, matvec, b, steps=60):
    """Richardson's iteration with a loop that has no reverse mode."""

    def body(state):
        i, x = state
        residual = lib.tree_util.tree_map(lambda u, v: u - v, b, matvec(x))
        return i + 1, lib.tree_util.tree_map(lambda u, v: u + 0.2 * v, x, residual)

    start = lib.tree_util.tree_map(lib.numpy.zeros_like, b)
    return lib.lax.while_loop(lambda s: s[0] < steps, body, (0, start))[1]


def solve(lib, a, b, **options):
    solver = functools.partial(iterate, lib)
    return lib.lax.custom_linear_solve(lambda x: a @ x, b, solver, solver, **options)


def programs(lib):
    """Functions of a matrix and a vector, with what they are called by."""
    np_ = lib.numpy
    f = functools.partial(solve, lib)
    loss = lambda a, b: np_.sum(f(a, b) ** 2)  # noqa: E731
    mats = np.stack([A, A.T, 2 * A])
    vecs = np.stack([B, -B, 3 * B])
    t = np.ones_like(A)
    in_scan = lambda a, b: lib.lax.scan(lambda x, s: (f(a, x * s), x), b, np_.arange(1.0, 4.0))  # noqa: E731
    in_cond = lambda a, b: lib.lax.cond(b[0] > 0, lambda: f(a, b), lambda: b)  # noqa: E731
    return {
        "value": (f, (A, B)),
        "jit": (lib.jit(f), (A, B)),
        "jvp": (lambda a, b: lib.jvp(f, (a, b), (t, b)), (A, B)),
        "jvp in b": (lambda b: lib.jvp(lambda v: f(A, v), (b,), (b,)), (B,)),
        "linearize": (lambda a, b: lib.linearize(f, a, b)[1](t, b), (A, B)),
        "grad": (lib.grad(loss, (0, 1)), (A, B)),
        "jit grad": (lib.jit(lib.grad(loss, (0, 1))), (A, B)),
        "grad jit": (lib.grad(lib.jit(loss), (0, 1)), (A, B)),
        "hessian": (lib.hessian(loss, 1), (A, B)),
        "grad of grad in a": (lib.grad(lambda a, b: lib.grad(loss)(a, b).sum()), (A, B)),
        "vmap both": (lib.vmap(f), (mats, vecs)),
        "vmap b": (lib.vmap(f, (None, 0)), (A, vecs)),
        "vmap a": (lib.vmap(f, (0, None)), (mats, B)),
        "vmap b columns": (lib.vmap(f, (None, 1), 1), (A, vecs.T)),
        "vmap vmap": (lib.vmap(lib.vmap(f, (None, 0)), (0, None)), (mats, vecs)),
        "vmap grad": (lib.vmap(lib.grad(loss, (0, 1)), (0, None)), (mats, B)),
        "grad vmap jit": (
            lib.grad(lambda a, b: lib.vmap(lib.jit(loss), (None, 0))(a, b).sum(), (0, 1)),
            (A, vecs),
        ),
        "scan": (in_scan, (A, B)),
        "grad scan": (lib.grad(lambda a, b: in_scan(a, b)[0].sum(), (0, 1)), (A, B)),
        "jit grad scan": (lib.jit(lib.grad(lambda a, b: in_scan(a, b)[0].sum(), (0, 1))), (A, B)),
        "grad cond": (lib.jit(lib.grad(lambda a, b: in_cond(a, b).sum(), (0, 1))), (A, B)),
    }


@pytest.mark.parity
@pytest.mark.parametrize("name", list(programs(fungrad)))
def test_linear_solve_agrees_with_jax(name):
    jax = pytest.importorskip("jax")
    f, args = programs(fungrad)[name]
    g, _ = programs(jax)[name]
    close(f(*args), g(*args), 1e-3)


def test_linear_solve_agrees_with_dense_algebra():
    close(solve(fungrad, A, B), np.linalg.solve(A, B))
    x, jacobian = np.linalg.solve(A, B), np.linalg.inv(A)
    close(fungrad.jacrev(lambda b: solve(fungrad, A, b))(B), jacobian)
    close(fungrad.jacfwd(lambda b: solve(fungrad, A, b))(B), jacobian)
    close(fungrad.jacrev(lambda a: solve(fungrad, a, B))(A), -np.einsum("ij,k->ijk", jacobian, x), 1e-3)


def test_linear_solve_derivatives_numerically():
    with fungrad.enable_x64():
        f = functools.partial(solve, fungrad)
        check_grads(f, (A.astype(np.float64), B.astype(np.float64)), order=2, atol=1e-3, rtol=1e-3)


def test_linear_solve_of_complex_numbers():
    a, b = A + 0.25j * A.T, B * (1 - 2j)

    def loss(b):
        return jnp.abs(solve(fungrad, a.astype(np.complex64), b)).sum()

    g = fungrad.grad(loss)(b.astype(np.complex64))
    jacobian = np.linalg.inv(a)
    x = jacobian @ b
    close(g, jacobian.T @ (np.conj(x) / np.abs(x)), 1e-3)


def in_trees(lib, p, b):
    def matvec(x):
        return {"u": p * x["u"], "v": (x["v"][0] + x["u"].sum(), 2.0 * x["v"][1])}

    def direct(matvec, b):
        u = b["u"] / p
        return {"u": u, "v": (b["v"][0] - u.sum(), b["v"][1] / 2.0)}

    def transposed(vecmat, b):
        return {"u": (b["u"] - b["v"][0]) / p, "v": (b["v"][0], b["v"][1] / 2.0)}

    return lib.lax.custom_linear_solve(matvec, b, direct, transposed)


@pytest.mark.parity
@pytest.mark.parametrize("wrap", ["", "jit"])
def test_linear_solve_of_trees(wrap):
    jax = pytest.importorskip("jax")
    b = {"u": B, "v": (np.float32(2.0), np.ones((2, 1), np.float32))}
    p = np.array([1.0, 2.0, 4.0], np.float32)

    def both(lib):
        def loss(p, b):
            x = in_trees(lib, p, b)
            return x["u"].sum() * x["v"][0] + (x["v"][1] ** 2).sum()

        value = lambda p, b: in_trees(lib, p, b)  # noqa: E731
        batch = lib.tree_util.tree_map(lambda x: np.stack([x, 2 * x]), b)
        only_u = lib.vmap(value, (None, {"u": 0, "v": None}))
        out = [
            (lib.jit(value) if wrap else value)(p, b),
            lib.grad(lib.jit(loss) if wrap else loss, (0, 1))(p, b),
            lib.vmap(lib.grad(loss, (0, 1)), (None, 0))(p, batch),
            only_u(p, {"u": batch["u"], "v": b["v"]}),
        ]
        return lib.tree_util.tree_leaves(out)

    close(both(fungrad), both(jax), 1e-4)


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_linear_solve_with_auxiliary_results(wrap):
    def f(a, b):
        def direct(matvec, b):
            return b / a, {"steps": jnp.int32(7), "norm": jnp.sum(b**2)}

        return lax.custom_linear_solve(lambda x: a * x, b, direct, symmetric=True, has_aux=True)

    x, aux = wrap(f)(2.0, B)
    close(x, B / 2)
    assert int(aux["steps"]) == 7 and aux["steps"].dtype == "int32"
    g = wrap(fungrad.grad(lambda a, b: f(a, b)[0].sum() + 100.0 * f(a, b)[1]["norm"], (0, 1)))(2.0, B)
    close(g, (-B.sum() / 4, np.full(3, 0.5)))
    mapped = wrap(fungrad.vmap(fungrad.grad(lambda a, b: f(a, b)[0].sum(), 1), (0, None)))
    close(mapped(jnp.array([1.0, 4.0]), B), np.array([[1.0] * 3, [0.25] * 3]))
    x, aux = wrap(fungrad.vmap(f, (None, 0)))(2.0, np.stack([B, B]))
    assert aux["steps"].shape == (2,) and x.shape == (2, 3)


def test_linear_solve_by_callback_needs_no_derivative():
    def host(matvec, b):
        return fungrad.pure_callback(
            lambda a, b: np.linalg.solve(a, b), fungrad.ShapeDtypeStruct(b.shape, b.dtype), A, b
        )

    forward = fungrad.jvp(lambda b: lax.custom_linear_solve(lambda x: A @ x, b, host), (B,), (B,))
    close(forward, (np.linalg.solve(A, B),) * 2)

    def host_transposed(vecmat, b):
        return fungrad.pure_callback(lambda b: np.linalg.solve(A.T, b), fungrad.ShapeDtypeStruct((3,), "float32"), b)

    g = fungrad.jit(fungrad.grad(lambda b: lax.custom_linear_solve(lambda x: A @ x, b, host, host_transposed).sum()))
    close(g(B), np.linalg.solve(A.T, np.ones(3)))


def test_linear_solve_jaxpr_and_sizes():
    jaxpr = fungrad.make_jaxpr(functools.partial(solve, fungrad))(A, B)
    check_jaxpr(jaxpr)
    assert [e.primitive.name for e in jaxpr.eqns] == ["custom_linear_solve"]
    empty = lax.custom_linear_solve(lambda x: x, jnp.zeros(0), lambda m, b: b, symmetric=True)
    assert empty.shape == (0,)
    assert lax.custom_linear_solve(lambda x: x, (), lambda m, b: b, symmetric=True) == ()
    with fungrad.disable_jit():
        close(solve(fungrad, A, B), np.linalg.solve(A, B))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: lax.custom_linear_solve(lambda x: (x, x), B, lambda m, b: b),
            "matvec .*must return a tree like b, but they differ",
        ),
        (
            lambda: lax.custom_linear_solve(lambda x: x[:2], B, lambda m, b: b),
            r"b has type f32\[3\], the result f32\[2\]",
        ),
        (
            lambda: lax.custom_linear_solve(lambda x: x, {"a": B}, lambda m, b: {"a": b["a"] > 0}),
            r"(?s)solve .*b\['a'\] has type f32\[3\], the result bool\[3\]",
        ),
        (
            lambda: lax.custom_linear_solve(lambda x: x, B, lambda m, b: b, lambda m, b: b.sum()),
            "transpose_solve .*",
        ),
        (
            lambda: lax.custom_linear_solve(lambda x: x, B, lambda m, b: b, has_aux=True),
            "must return a pair",
        ),
        (lambda: lax.custom_linear_solve(None, B, None), "matvec must be a function"),
        (lambda: lax.custom_linear_solve(lambda x: x, "b", None), "solve must be a function"),
        (
            lambda: fungrad.grad(lambda b: lax.custom_linear_solve(lambda x: x, b, lambda m, b: b).sum())(B),
            "needs transpose_solve",
        ),
        (lambda: lax.custom_root(lambda x: (x,), 1.0, None, None), "solve must be a function"),
        (
            lambda: lax.custom_root(lambda x: (x,), 1.0, lambda f, x: x, lambda g, y: y),
            "f .*must return a tree like initial_guess",
        ),
        (
            lambda: lax.custom_root(lambda x: x, 1.0, lambda f, x: (x,), lambda g, y: y),
            "solve .*must return a tree like initial_guess",
        ),
        (
            lambda: lax.custom_root(lambda x: x, 1.0, lambda f, x: x, lambda g, y: (y, y)),
            "tangent_solve .*must return a tree like initial_guess",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(TypeError, match=message):
        call()


# -- custom_root -----------------------------------------------------------------------------------


def newton(lib, f, x):
    return lib.lax.while_loop(
        lambda s: s[0] < 30, lambda s: (s[0] + 1, s[1] - f(s[1]) / lib.jvp(f, (s[1],), (1.0,))[1]), (0, x)
    )[1]


def cube_root(lib, a, guess=1.0):
    return lib.lax.custom_root(lambda x: x**3 - a, guess, functools.partial(newton, lib), lambda g, y: y / g(1.0))


def nonlinear_system(lib, p, guess):
    np_ = lib.numpy

    def f(x):
        return np_.array([x[0] ** 2 + x[1] - p[0], x[0] * x[1] - p[1]])

    def solver(f, x):
        return lib.lax.fori_loop(0, 25, lambda i, x: x - inverse(lib, lib.jacfwd(f)(x)) @ f(x), x)

    def tangent_solve(g, y):
        return inverse(lib, lib.jacobian(g)(y)) @ y

    return lib.lax.custom_root(f, guess, solver, tangent_solve)


def inverse(lib, m):
    return lib.numpy.array([[m[1, 1], -m[0, 1]], [-m[1, 0], m[0, 0]]]) / (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0])


def root_programs(lib):
    f = functools.partial(cube_root, lib)
    system = functools.partial(nonlinear_system, lib)
    p, guess = np.array([3.0, 1.0], np.float32), np.array([1.5, 0.5], np.float32)
    a = np.float32(8.0)
    many = np.array([1.0, 8.0, 27.0], np.float32)
    in_scan = lambda a: lib.lax.scan(lambda c, s: (f(c * s), c), a, lib.numpy.arange(1.0, 4.0))[0]  # noqa: E731
    return {
        "value": (f, (a,)),
        "jit": (lib.jit(f), (a,)),
        "grad": (lib.grad(f), (a,)),
        "second": (lib.grad(lib.grad(f)), (a,)),
        "third": (lib.grad(lib.grad(lib.grad(f))), (a,)),
        "jvp": (lambda a: lib.jvp(f, (a,), (a,)), (a,)),
        "linearize": (lambda a: lib.linearize(f, a)[1](a), (a,)),
        "vmap": (lib.vmap(f), (many,)),
        "vmap grad": (lib.jit(lib.vmap(lib.grad(f))), (many,)),
        "grad vmap": (lib.grad(lambda a: lib.vmap(f)(a).sum()), (many,)),
        "vmap guess": (lib.vmap(f, (None, 0)), (a, many)),
        "grad guess": (lib.grad(f, 1), (a, a)),
        "scan": (in_scan, (a,)),
        "grad scan": (lib.jit(lib.grad(in_scan)), (a,)),
        "system": (lib.jit(system), (p, guess)),
        "system jacrev": (lib.jit(lib.jacrev(system)), (p, guess)),
        "system jacfwd": (lib.jacfwd(system), (p, guess)),
        "system hessian": (lib.jit(lib.hessian(lambda p, g: system(p, g)[0])), (p, guess)),
        "system vmap jacrev": (
            lib.vmap(lib.jacrev(system), (0, None)),
            (np.stack([p, p + 0.5]), guess),
        ),
    }


@pytest.mark.parity
@pytest.mark.parametrize("name", list(root_programs(fungrad)))
def test_root_agrees_with_jax(name):
    jax = pytest.importorskip("jax")
    f, args = root_programs(fungrad)[name]
    g, _ = root_programs(jax)[name]
    close(f(*args), g(*args), 1e-3)


def test_root_derivatives_numerically():
    with fungrad.enable_x64():
        check_grads(functools.partial(cube_root, fungrad), (8.0,), order=2, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["eager", "jit"])
def test_root_with_auxiliary_results(wrap):
    def f(a):
        def solver(f, x):
            return {"x": jnp.sqrt(a)}, (jnp.int32(3), f(x)["x"])

        return lax.custom_root(
            lambda x: {"x": x["x"] ** 2 - a},
            {"x": 1.0},
            solver,
            lambda g, y: {"x": y["x"] / g({"x": 1.0})["x"]},
            has_aux=True,
        )

    x, (steps, value) = wrap(f)(4.0)
    assert float(x["x"]) == 2.0 and int(steps) == 3 and float(value) == -3.0
    assert float(wrap(fungrad.grad(lambda a: f(a)[0]["x"] + f(a)[1][1]))(4.0)) == 0.25


def test_root_of_a_function_without_parameters():
    f = lambda x: lax.custom_root(lambda y: y - 2.0, x, lambda f, x: x - f(x), lambda g, y: y / g(1.0))  # noqa: E731
    assert float(f(5.0)) == 2.0 and float(fungrad.grad(f)(5.0)) == 0.0
