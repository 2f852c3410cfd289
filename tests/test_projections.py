"""Projections, assignments and perturbations against optax and SciPy."""

import itertools

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import nn, optim, random, tree
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)
TREE = {"a": RNG.normal(size=(2, 3)).astype(np.float32), "b": (RNG.normal(size=4).astype(np.float32), np.float32(0.3))}
NORMAL = tree.map(lambda x: np.asarray(x) + np.float32(0.5), TREE)

CASES = {
    "non_negative": lambda lib, t, a: lib.projection_non_negative(t),
    "box": lambda lib, t, a: lib.projection_box(
        t, tree.map(lambda x: 0 * x - 0.1, t), tree.map(lambda x: 0 * x + 0.4, t)
    ),
    "simplex": lambda lib, t, a: lib.projection_simplex(t),
    "simplex of another size": lambda lib, t, a: lib.projection_simplex(t, 2.5),
    "l1_sphere": lambda lib, t, a: lib.projection_l1_sphere(t, 1.5),
    "l1_ball": lambda lib, t, a: lib.projection_l1_ball(t, 2.0),
    "l1_ball, inside": lambda lib, t, a: lib.projection_l1_ball(t, 100.0),
    "l2_sphere": lambda lib, t, a: lib.projection_l2_sphere(t, 2.0),
    "l2_ball": lambda lib, t, a: lib.projection_l2_ball(t),
    "l2_ball, inside": lambda lib, t, a: lib.projection_l2_ball(t, 50.0),
    "linf_ball": lambda lib, t, a: lib.projection_linf_ball(t, 0.5),
    "vector": lambda lib, t, a: lib.projection_vector(t, a),
    "hyperplane": lambda lib, t, a: lib.projection_hyperplane(t, a, 0.7),
    "halfspace": lambda lib, t, a: lib.projection_halfspace(t, a, -3.0),
    "halfspace, inside": lambda lib, t, a: lib.projection_halfspace(t, a, 30.0),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_projections_are_those_of_optax(name):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    ours, theirs = (tree.map(lib.asarray, (TREE, NORMAL)) for lib in (jnp, jax.numpy))
    project = CASES[name]
    got, expected = project(optim.projections, *ours), project(optax.projections, *theirs)
    assert tree.structure(got) == tree.structure(expected)
    for x, y in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=1e-6)

    def score(lib, project, t, a):
        out = tree.leaves(project(lib, t, a))
        return sum((n + 1) * (x * x).sum() for n, x in enumerate(out))

    got = fungrad.jit(fungrad.grad(lambda t: score(optim.projections, project, t, ours[1])))(ours[0])
    expected = jax.grad(lambda t: score(optax.projections, project, t, theirs[1]))(theirs[0])
    for x, y in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=1e-5)


def test_bounds_of_boxes_may_be_parts_of_trees():
    t = tree.map(jnp.asarray, TREE)
    low = optim.projections.projection_box(t, 0.0, {"a": 0.5, "b": 0.1})
    assert float(low["a"].max()) == 0.5 and float(low["b"][0].max()) == pytest.approx(0.1)
    cube = optim.projections.projection_hypercube(t, 0.25)
    assert max(float(x.max()) for x in tree.leaves(cube)) == 0.25
    assert min(float(x.min()) for x in tree.leaves(cube)) == 0


def test_the_simplex_has_ties_and_derivatives():
    for values in ([1.0, 1.0, 1.0], [0.0], [5.0, 5.0, -3.0], [1e6, -1e6, 0.0]):
        out = optim.projections.projection_simplex(jnp.array(values))
        np.testing.assert_allclose(out.sum(), 1, rtol=1e-6)
        assert float(out.min()) >= 0
    with fungrad.enable_x64():
        check_grads(optim.projections.projection_simplex, (np.array([0.3, -0.1, 0.4, 0.2]),), order=2)
    mapped = fungrad.vmap(optim.projections.projection_simplex)(jnp.asarray(TREE["a"]))
    np.testing.assert_allclose(mapped.sum(1), 1, rtol=1e-6)
    assert optim.projections.projection_simplex(jnp.array([1.0, 2.0], "bfloat16")).dtype == jnp.bfloat16
    with pytest.raises(ValueError, match="at least one element"):
        optim.projections.projection_simplex(jnp.zeros(0))


# -- assignment --------------------------------------------------------------------------------------------------


def least_cost(cost):
    from scipy.optimize import linear_sum_assignment

    i, j = linear_sum_assignment(cost)
    return cost[i, j].sum()


ALGORITHMS = ("hungarian_algorithm", "base_hungarian_algorithm")


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (3, 7), (7, 3), (1, 4), (12, 12)])
def test_assignments_cost_the_least(name, shape):
    solve = getattr(optim.assignment, name)
    compiled = fungrad.jit(solve)
    for kind in (lambda: RNG.normal(size=shape), lambda: RNG.integers(0, 4, shape), lambda: RNG.integers(-9, 9, shape)):
        cost = np.asarray(kind(), np.float32 if kind().dtype.kind == "f" else np.int32)
        for f in (solve, compiled):
            i, j = f(jnp.asarray(cost))
            assert i.dtype == j.dtype == jnp.int32 and i.shape == j.shape == (min(shape),)
            assert len(set(i.tolist())) == len(set(j.tolist())) == min(shape)
            np.testing.assert_allclose(cost[np.asarray(i), np.asarray(j)].sum(), least_cost(cost), rtol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (0, 3)])
def test_pairs_are_in_the_order_of_optax(name, shape):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    cost = RNG.normal(size=shape).astype(np.float32)
    got = getattr(optim.assignment, name)(jnp.asarray(cost))
    expected = getattr(optax.assignment, name)(jax.numpy.asarray(cost))
    for x, y in zip(got, expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_assignments_of_batches_and_in_programs():
    costs = jnp.asarray(RNG.normal(size=(6, 4, 5)).astype(np.float32))
    i, j = fungrad.jit(fungrad.vmap(optim.assignment.hungarian_algorithm))(costs)
    for n, cost in enumerate(np.asarray(costs)):
        np.testing.assert_allclose(cost[np.asarray(i[n]), np.asarray(j[n])].sum(), least_cost(cost), rtol=1e-5)

    def matched(cost):
        rows, columns = optim.assignment.base_hungarian_algorithm(cost)
        return cost[rows, columns].sum()

    gradient = fungrad.grad(matched)(costs[0])
    assert gradient.sum() == 4 and set(np.asarray(gradient).ravel().tolist()) == {0.0, 1.0}


def test_forbidden_pairs():
    cost = np.array([[1.0, np.inf, 9.0], [1.0, np.inf, np.inf], [np.inf, 2.0, 1.0]])
    for name in ALGORITHMS:
        solve = getattr(optim.assignment, name)
        for f in (solve, fungrad.jit(solve)):
            i, j = f(jnp.asarray(cost))
            assert cost[np.asarray(i), np.asarray(j)].sum() == 12
            for bad, word in (([[1.0, np.inf], [1.0, np.inf]], "finite cost"), ([[1.0, np.nan], [1.0, 2.0]], "NaN")):
                with pytest.raises(ValueError, match=f"{name}: cost_matrix must .*{word}"):
                    f(jnp.array(bad))


def test_integer_costs_are_exact():
    cost = np.array([[2**24 + 1, 2**24], [2**24, 2**24]], np.int32)
    i, j = optim.assignment.hungarian_algorithm(jnp.asarray(cost))
    assert cost[np.asarray(i), np.asarray(j)].sum() == 2**25


def test_all_small_problems():
    """Every matrix of 3 x 3 costs 0 and 1, against all permutations."""
    orders = list(itertools.permutations(range(3)))
    costs = np.array(list(itertools.product([0, 1], repeat=9)), np.float32).reshape(-1, 3, 3)
    i, j = fungrad.jit(fungrad.vmap(optim.assignment.hungarian_algorithm))(jnp.asarray(costs))
    got = np.take_along_axis(costs[np.arange(512)[:, None], np.asarray(i)], np.asarray(j)[..., None], 2).sum((1, 2))
    np.testing.assert_array_equal(got, np.min([costs[:, range(3), order].sum(1) for order in orders], 0))


# -- perturbations -----------------------------------------------------------------------------------------------


def winner(x):
    return nn.one_hot(jnp.argmax(x["a"]), 3) * x["b"]


@pytest.mark.parity
@pytest.mark.parametrize("noise", ["Gumbel", "Normal"])
@pytest.mark.parametrize("baseline", [False, True])
def test_perturbed_functions_are_those_of_optax(noise, baseline):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    x = {"a": np.float32([0.1, 0.3, 0.2]), "b": np.float32(2.0)}

    def theirs_of(t):
        return jax.nn.one_hot(jax.numpy.argmax(t["a"]), 3) * t["b"]

    made = []
    for lib, f in ((optim, winner), (optax, theirs_of)):
        kind = getattr(lib.perturbations, noise)()
        made.append(lib.perturbations.make_perturbed_fun(f, 50, 0.5, kind, baseline))
    got = made[0](random.key(3), tree.map(jnp.asarray, x))
    expected = made[1](jax.random.key(3), tree.map(jax.numpy.asarray, x))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    got = fungrad.jit(fungrad.jacrev(made[0], 1))(random.key(3), tree.map(jnp.asarray, x))
    expected = jax.jacrev(made[1], 1)(jax.random.key(3), tree.map(jax.numpy.asarray, x))
    for ours, theirs in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_perturbed_argmax_is_the_softmax():
    soft = optim.perturbations.make_perturbed_fun(lambda x: nn.one_hot(jnp.argmax(x), 3), 20_000, 1.0)
    x = jnp.array([0.0, 1.0, -0.5])
    np.testing.assert_allclose(soft(random.key(0), x), nn.softmax(x), atol=0.02)
    jacobian = fungrad.jit(fungrad.jacobian(soft, 1))(random.key(0), x)
    np.testing.assert_allclose(jacobian, fungrad.jacobian(nn.softmax)(x), atol=0.05)
