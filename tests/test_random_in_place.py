"""Random loops that update parts of what they carry give the same results compiled, step by step, and with JAX."""

import numpy as np
import pytest
import random_in_place

import fungrad

TOLERANCE = {"float16": 1e-2, "float32": 1e-4, "complex64": 1e-4}


def leaves(tree):
    return [np.asarray(x) for x in fungrad.tree.leaves(tree)]


def check(seed, lib=None):
    """Compares a program with its evaluation by another library, or by ours without a compiler."""
    rng = np.random.default_rng(seed)
    chosen = random_in_place.program(rng)
    arrays = random_in_place.inputs(chosen, rng)
    f = random_in_place.function(fungrad, chosen)
    args = [fungrad.numpy.asarray(x, x.dtype) for x in arrays]
    got = fungrad.jit(f)(*args)
    if lib is None:
        with fungrad.disable_jit():
            wanted = leaves(f(*args))
    else:
        g = lib.jit(random_in_place.function(lib, chosen))
        wanted = [np.asarray(x) for x in lib.tree.leaves(g(*[lib.numpy.asarray(x) for x in arrays]))]
    tolerance = TOLERANCE.get(chosen["dtype"], 0)
    for a, b in zip(leaves(got), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"seed {seed}: {chosen}")
    for a, b in zip(args, arrays, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}: an argument changed")


def check_gradient(seed):
    """The gradient of a program by all its arrays, compiled and step by step."""
    rng = np.random.default_rng(seed)
    chosen = random_in_place.program(rng)
    chosen["dtype"] = "float64"
    if chosen["loop"] == "while":
        chosen["loop"] = "fori"
    *arrays, data = [fungrad.numpy.asarray(x, x.dtype) for x in random_in_place.inputs(chosen, rng)]
    f = random_in_place.function(fungrad, chosen)
    weights = [fungrad.numpy.asarray(rng.normal(size=x.shape), "float64") for x in arrays]

    def loss(*args):
        results = fungrad.tree.leaves(f(*args, data))[: len(arrays)]
        return sum((w * x * x).sum() for w, x in zip(weights, results, strict=True))

    g = fungrad.grad(loss, tuple(range(len(arrays))))
    with fungrad.disable_jit():
        wanted = g(*arrays)
    for a, b in zip(fungrad.jit(g)(*arrays), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}: {chosen}")


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    check(seed)


@pytest.mark.parametrize("seed", [*range(100, 112), 9019])
def test_gradients_of_random_programs(seed):
    check_gradient(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5000, 6000))
def test_many_gradients_of_random_programs(seed):
    check_gradient(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 4000))
def test_many_random_programs(seed):
    check(seed)


@pytest.mark.parity
@pytest.mark.parametrize("seed", range(60, 75))
def test_like_jax(seed):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        check(seed, jax)
