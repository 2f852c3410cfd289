"""L-BFGS, line searches, and the linear algebra of optimizers."""

import numpy as np
import pytest
from test_optimizers import arrays, compare

import fungrad
import fungrad.numpy as jnp
from fungrad import optim, tree
from fungrad.tree_util import keystr


def rosenbrock(x, scale=100.0):
    return (scale * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def of_tree(p):
    return ((p["a"] - 1.0) ** 4).sum() + (p["a"][0] * p["b"]) ** 2 + p["b"] ** 2


FUNCTIONS = {
    "rosenbrock": (rosenbrock, np.float32([-1.2, 1.0, 0.5])),
    "tree": (of_tree, {"a": np.float32([3.0, -2.0]), "b": np.float32(1.5)}),
    "quartic": (lambda x: (x**4).sum(), np.float32([2.0, -1.0])),
}

SEARCHES = {
    "lbfgs": lambda o: o.lbfgs(),
    "lbfgs, short memory": lambda o: o.lbfgs(memory_size=2, scale_init_precond=False),
    "lbfgs, rate": lambda o: o.lbfgs(learning_rate=1e-3, linesearch=None),
    "lbfgs, backtracking": lambda o: o.lbfgs(
        linesearch=o.scale_by_backtracking_linesearch(max_backtracking_steps=15, store_grad=True)
    ),
    "backtracking": lambda o: o.chain(o.sgd(1.0), o.scale_by_backtracking_linesearch(max_backtracking_steps=30)),
    "backtracking, few": lambda o: o.chain(o.sgd(10.0), o.scale_by_backtracking_linesearch(max_backtracking_steps=2)),
    "zoom": lambda o: o.chain(o.sgd(1.0), o.scale_by_zoom_linesearch(max_linesearch_steps=30)),
    "zoom, one": lambda o: o.chain(
        o.sgd(1.0), o.scale_by_zoom_linesearch(max_linesearch_steps=20, initial_guess_strategy="one", curv_rtol=0.1)
    ),
    "zoom, limited": lambda o: o.chain(
        o.sgd(1.0), o.scale_by_zoom_linesearch(max_linesearch_steps=10, max_learning_rate=1e-3, approx_dec_rtol=None)
    ),
    "zoom, few": lambda o: o.chain(o.sgd(1.0), o.scale_by_zoom_linesearch(max_linesearch_steps=2)),
    "zoom, adam": lambda o: o.chain(o.adam(1.0), o.scale_by_zoom_linesearch(max_linesearch_steps=15)),
}


def searched(lib, value_and_grad, optimizer, f, x, steps, jit=lambda f: f):
    state = optimizer.init(x)

    def step(x, state):
        value, grad = value_and_grad(f)(x)
        updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=f)
        return lib.apply_updates(x, updates), state, updates

    step = jit(step)
    for _ in range(steps):
        x, state, updates = step(x, state)
    return x, state, updates


SLOW = [pytest.param(f, marks=pytest.mark.slow) for f in FUNCTIONS if f != "rosenbrock"]


@pytest.mark.parity
@pytest.mark.parametrize("function", ["rosenbrock", *SLOW])
@pytest.mark.parametrize("name", SEARCHES)
def test_searches_are_those_of_optax(name, function):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    f, start = FUNCTIONS[function]
    for steps in (1, 2, 5):
        got = searched(optim, fungrad.value_and_grad, SEARCHES[name](optim), f, arrays(jnp.asarray, start), steps)
        expected = searched(
            optax, jax.value_and_grad, SEARCHES[name](optax), f, arrays(jax.numpy.asarray, start), steps, jax.jit
        )
        compare(got, expected, 2e-2 if steps == 5 else 2e-3, atol=1e-4)


@pytest.mark.parametrize("name", SEARCHES)
def test_compiled_searches_are_those_outside_of_jit(name):
    f, start = FUNCTIONS["rosenbrock"]
    results = [
        searched(optim, fungrad.value_and_grad, SEARCHES[name](optim), f, jnp.asarray(start), 3, jit)
        for jit in (lambda f: f, fungrad.jit)
    ]
    compare(results[1], results[0], 1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", SEARCHES)
def test_states_of_searches_keep_their_types(name, dtype):
    x = jnp.asarray(FUNCTIONS["rosenbrock"][1]).astype(dtype)
    optimizer = SEARCHES[name](optim)
    state = optimizer.init(x)
    _, after, updates = searched(optim, fungrad.value_and_grad, optimizer, rosenbrock, x, 1)
    for (path, a), b in zip(tree.flatten_with_path(state)[0], tree.leaves(after), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, keystr(path)
    if "rate" not in name:
        assert updates.dtype == x.dtype


def test_lbfgs_minimizes():
    optimizer = optim.lbfgs()
    x = jnp.zeros(20)
    state = optimizer.init(x)

    @fungrad.jit
    def step(x, state):
        value, grad = optim.value_and_grad_from_state(rosenbrock)(x, state=state)
        updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=rosenbrock)
        return optim.apply_updates(x, updates), state

    for _ in range(120):
        x, state = step(x, state)
    np.testing.assert_allclose(np.asarray(x), 1.0, atol=1e-3)
    value, grad = optim.value_and_grad_from_state(rosenbrock)(x, state=state)
    np.testing.assert_allclose(float(value), float(rosenbrock(x)), atol=1e-6)
    np.testing.assert_allclose(np.asarray(grad), np.asarray(fungrad.grad(rosenbrock)(x)), atol=1e-3)


def test_lbfgs_takes_newtons_step_on_a_line():
    """With one dimension and one pair in memory the approximation is the secant's."""
    optimizer = optim.scale_by_lbfgs(memory_size=1)
    x, y = jnp.array([3.0]), jnp.array([2.0])
    _, state = optimizer.update(4 * x, optimizer.init(x), x)
    direction, _ = optimizer.update(4 * y, state, y)
    np.testing.assert_allclose(np.asarray(direction), [2.0], rtol=1e-6)


@pytest.mark.parametrize("name", ["backtracking", "zoom", "zoom, one"])
def test_conditions_hold_after_a_search(name):
    f, start = FUNCTIONS["rosenbrock"]
    x = jnp.asarray(start)
    for _ in range(4):
        value, slope = f(x), None
        new, _, updates = searched(optim, fungrad.value_and_grad, SEARCHES[name](optim), f, x, 1)
        slope = jnp.vdot(fungrad.grad(f)(x), updates)
        assert f(new) <= value + 1e-4 * slope + 1e-5 * abs(value)
        if "zoom" in name:
            assert abs(jnp.vdot(fungrad.grad(f)(new), updates)) <= 0.9 * abs(slope) + 1e-4
        x = new


def test_searches_leave_regions_without_numbers():
    def f(x):
        return jnp.sum(jnp.where(x > 0, x - jnp.log(jnp.where(x > 0, x, 1.0)), jnp.nan))

    for name in ("backtracking", "zoom"):
        x = jnp.array([4.0])
        optimizer = SEARCHES[name](optim)
        value, grad = fungrad.value_and_grad(f)(x)
        updates, _ = optimizer.update(8 * grad, optimizer.init(x), x, value=value, grad=8 * grad, value_fn=f)
        assert bool(jnp.isfinite(f(x + updates)))


@pytest.mark.parametrize("make", [SEARCHES["backtracking"], SEARCHES["zoom"]])
def test_keywords_of_searches(make):
    x = jnp.ones(2)
    optimizer = make(optim)
    state = optimizer.init(x)
    with pytest.raises(TypeError, match=r"fungrad\.optim\.chain: update needs .* pass grad=, value_fn="):
        optimizer.update(x, state, x, value=1.0)
    with pytest.raises(TypeError, match="keyword factor, which value_fn has no argument for"):
        optimizer.update(x, state, x, value=2.0, grad=2 * x, value_fn=lambda x: jnp.sum(x * x), factor=2.0)
    f = lambda x, factor: factor * jnp.sum(x * x)  # noqa: E731
    updates, _ = optimizer.update(2 * x, state, x, value=2.0, grad=2 * x, value_fn=f, factor=1.0)
    assert bool(jnp.all(updates < 0))
    with pytest.raises(ValueError, match="needs the parameters"):
        optimizer.update(x, state, value=2.0, grad=2 * x, value_fn=f)


@pytest.mark.parity
def test_linear_algebra_is_that_of_optax():
    optax = pytest.importorskip("optax")
    rng = np.random.default_rng(0)
    a = rng.normal(size=(5, 5)).astype(np.float32)
    a = a @ a.T + np.eye(5, dtype=np.float32)
    got, expected = optim.power_iteration(jnp.asarray(a)), optax.power_iteration(a)
    np.testing.assert_allclose(float(got[0]), float(expected[0]), rtol=1e-4)
    np.testing.assert_allclose(np.abs(np.asarray(got[1])), np.abs(np.asarray(expected[1])), atol=1e-2)
    for p in (1, 2, 4, 8):
        got, expected = optim.matrix_inverse_pth_root(jnp.asarray(a), p), optax.matrix_inverse_pth_root(a, p)
        np.testing.assert_allclose(np.asarray(got[0]), np.asarray(expected[0]), rtol=2e-3, atol=2e-4)
    for shape in ((7,), (7, 2)):
        A, b = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=shape).astype(np.float32)
        got, expected = optim.nnls(jnp.asarray(A), jnp.asarray(b), 50), optax.nnls(A, b, 50)
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), atol=1e-4)


def test_inverse_roots_and_nonnegative_least_squares():
    scipy = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(1)
    a = rng.normal(size=(6, 6))
    a = a @ a.T + np.eye(6)
    values, vectors = np.linalg.eigh(a)
    for p in (1, 2, 4, 8):
        root, error = optim.matrix_inverse_pth_root(jnp.asarray(a, "float32"), p, ridge_epsilon=0.0)
        np.testing.assert_allclose(np.asarray(root), vectors @ np.diag(values ** (-1 / p)) @ vectors.T, atol=1e-3)
        assert float(error) < 1e-3
    with pytest.raises(ValueError, match="p must be 1, 2, 4 or 8"):
        optim.matrix_inverse_pth_root(jnp.eye(3), 3)
    A, b = rng.normal(size=(8, 4)), rng.normal(size=8)
    x = fungrad.jit(lambda A, b: optim.nnls(A, b, 500))(jnp.asarray(A, "float32"), jnp.asarray(b, "float32"))
    np.testing.assert_allclose(np.asarray(x), scipy.nnls(A, b)[0], atol=1e-3)


def test_second_order():
    loss = lambda w, x, y: jnp.sum((jnp.tanh(x @ w["a"]) - y) ** 2) + w["b"] ** 3  # noqa: E731
    w = {"a": jnp.array([0.5, -0.3]), "b": jnp.array(0.7)}
    x, y = jnp.ones((3, 2)), jnp.zeros(3)
    flat, unravel = fungrad.flatten_util.ravel_pytree(w)
    full = fungrad.hessian(lambda v: loss(unravel(v), x, y))(flat)
    np.testing.assert_allclose(np.asarray(optim.second_order.hessian_diag(loss, w, x, y)), np.diag(full), rtol=1e-5)
    v = jnp.array([1.0, 2.0, 3.0])
    product = fungrad.flatten_util.ravel_pytree(optim.second_order.hvp(loss, v, w, x, y))[0]
    np.testing.assert_allclose(np.asarray(product), np.asarray(full @ v), rtol=1e-5)
    g = fungrad.flatten_util.ravel_pytree(fungrad.grad(loss)(w, x, y))[0]
    np.testing.assert_allclose(np.asarray(optim.second_order.fisher_diag(loss, w, x, y)), np.asarray(g * g), rtol=1e-6)
