"""Optimizers against optax, outside of transformations and compiled."""

import re

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import optim, tree
from fungrad.config import watch

PARAMS = {
    "w": np.float32(np.random.default_rng(0).normal(size=(4, 3))),
    "b": (np.float32([0.5, -1.0, 2.0]), np.float32(0.25)),
}

OPTIMIZERS = {
    "sgd": lambda lib: lib.sgd(0.1),
    "momentum": lambda lib: lib.sgd(0.1, momentum=0.9),
    "nesterov": lambda lib: lib.sgd(0.1, momentum=0.9, nesterov=True),
    "schedule": lambda lib: lib.sgd(lambda count: 0.1 / (1 + count)),
    "adam": lambda lib: lib.adam(1e-2),
    "adam with a root": lambda lib: lib.adam(1e-2, b1=0.8, b2=0.99, eps=1e-6, eps_root=1e-8),
    "nadam": lambda lib: lib.adam(1e-2, nesterov=True),
    "adamw": lambda lib: lib.adamw(1e-2, weight_decay=0.1),
    "moments in half precision": lambda lib: lib.adam(1e-2, mu_dtype="bfloat16"),
}


def steps(lib, optimizer, params, gradients, update):
    state = optimizer.init(params)
    for g in gradients:
        updates, state = update(g, state, params)
        params = lib.apply_updates(params, updates)
    return params, state


def gradients_of(params, n=5):
    rng = np.random.default_rng(1)
    return [tree.map(lambda p: rng.normal(size=p.shape).astype(p.dtype), params) for _ in range(n)]


def on_device(lib_array, trees):
    return tree.map(lib_array, trees)


@pytest.mark.parity
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_optax(name, compiled):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    ours, theirs = OPTIMIZERS[name](optim), OPTIMIZERS[name](optax)
    gradients = gradients_of(PARAMS)
    update = fungrad.jit(ours.update) if compiled else ours.update
    got = steps(optim, ours, on_device(jnp.asarray, PARAMS), on_device(jnp.asarray, gradients), update)
    expected = steps(
        optax, theirs, on_device(jax.numpy.asarray, PARAMS), on_device(jax.numpy.asarray, gradients), theirs.update
    )
    got, expected = tree.leaves(got), jax.tree.leaves(expected)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        half = a.dtype.itemsize == 2
        np.testing.assert_allclose(
            np.asarray(a).astype(float), np.asarray(b).astype(float), rtol=2e-2 if half else 2e-6, atol=1e-6
        )


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "complex64"])
@pytest.mark.parametrize("name", ["adam", "adam with a root", "nadam", "adamw", "sgd"])
def test_both_ways_of_evaluation_agree(name, dtype, monkeypatch):
    """The formula on ndarrays gives the values and types that it gives on arrays."""
    optimizer = OPTIMIZERS[name](optim)
    params = tree.map(lambda p: jnp.asarray(p, dtype=dtype), PARAMS)
    gradients = [tree.map(lambda g: jnp.asarray(g, dtype=dtype), g) for g in gradients_of(PARAMS)]
    short = tree.leaves(steps(optim, optimizer, params, gradients, optimizer.update))
    monkeypatch.setattr(watch, "results", True)
    general = tree.leaves(steps(optim, optimizer, params, gradients, optimizer.update))
    for a, b in zip(short, general, strict=True):
        assert a.aval is b.aval
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_numbers_that_numpy_would_promote():
    """A NumPy scalar or an array as a hyperparameter does not widen the updates."""
    g, p = jnp.ones(3), jnp.zeros(3)
    for rate in (np.float64(0.5), jnp.float32(0.5), 1):
        updates, _ = optim.scale(rate).update(g, optim.scale(rate).init(p))
        assert updates.dtype == jnp.float32 and updates.tolist() == [float(rate)] * 3
    optimizer = optim.scale_by_adam(b1=np.float64(0.9), b2=jnp.float32(0.999))
    out, _ = optimizer.update(g, optimizer.init(p))
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(out), 1.0, rtol=1e-4)


def test_trees_without_leaves():
    optimizer = optim.adam(0.1)
    updates, state = optimizer.update({}, optimizer.init({}))
    assert updates == {} and state[0].mu == {} and state[0].nu == {}


def test_missing_parameters_are_left_alone():
    params = {"a": jnp.ones(2), "b": jnp.ones(2), "c": np.ones(2, np.float32)}
    out = optim.apply_updates(params, {"a": jnp.ones(2), "b": None, "c": jnp.ones(2)})
    assert out["a"].tolist() == [2, 2] and out["b"] is params["b"] and out["c"].tolist() == [2, 2]
    half = optim.apply_updates(jnp.ones(2, jnp.float16), jnp.ones(2))
    assert half.dtype == jnp.float16


def test_differentiates_through_an_update():
    optimizer = optim.adam(0.1, eps=0.5, eps_root=1e-8)
    p = jnp.asarray(1.0)

    def after(g):
        updates, _ = optimizer.update(g, optimizer.init(p), p)
        return optim.apply_updates(p, updates)

    compiled = fungrad.jit(fungrad.grad(after))(0.3)
    np.testing.assert_allclose(np.asarray(fungrad.grad(after)(0.3)), np.asarray(compiled), rtol=1e-4)
    batch = fungrad.vmap(after)(jnp.array([0.3, -0.3]))
    np.testing.assert_allclose(np.asarray(batch), [after(0.3), after(-0.3)], rtol=1e-6)


def test_does_not_warn():
    with np.errstate(all="raise"):
        optimizer = optim.adam(1e-2, eps=0.0)
        updates, _ = optimizer.update(jnp.zeros(2), optimizer.init(jnp.zeros(2)))
        assert np.isnan(np.asarray(updates)).all()


@pytest.mark.parametrize(
    "make", [lambda: optim.adam(1e-3), lambda: optim.adam(1e-3, nesterov=True), lambda: optim.sgd(lambda n: 0.1)]
)
def test_counts_of_updates_stay_at_the_greatest_number(make):
    opt = make()
    params = jnp.ones(2)
    state = opt.init(params)
    last = np.iinfo(np.int32).max
    state = fungrad.tree.map(lambda v: jnp.full_like(v, last - 1) if v.dtype == np.int32 else v, state)
    for step in (opt.update, fungrad.jit(opt.update)):
        now = state
        for _ in range(3):
            updates, now = step(jnp.ones(2), now, params)
            counts = [v for v in fungrad.tree.leaves(now) if v.dtype == np.int32]
            assert counts and all(int(c) == last for c in counts)
            assert bool(jnp.all(jnp.isfinite(updates))) and bool(jnp.all(updates < 0))


def test_64_bit_parameters_are_updated_in_64_bit():
    """Also where 32 bit are the default: the corrections and schedules of Python numbers keep their digits."""
    for make in (lambda: optim.adam(0.1), lambda: optim.sgd(lambda n: 0.1), lambda: optim.adamw(0.1, nesterov=True)):
        results = []
        for x64 in (False, True):
            with fungrad.enable_x64(x64):
                x = jnp.array([1.0, 0.3], "float64")
                opt = make()
                state = opt.init(x)
                for _ in range(5):
                    updates, state = opt.update(x * x, state, x)
                    x = optim.apply_updates(x, updates)
                assert x.dtype == np.float64
                results.append(np.asarray(x))
        np.testing.assert_allclose(results[0], results[1], rtol=1e-13)


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit])
@pytest.mark.parametrize("shape", [(4, 2), (2, 3, 2), (0, 2)])
def test_updates_of_other_parameters_are_named(wrap, shape):
    params = {"layer": {"w": jnp.ones((3, 2)), "b": jnp.zeros(2)}}
    updates = {"layer": {"w": jnp.ones(shape), "b": None}}
    with pytest.raises(ValueError, match=re.escape(f"apply_updates: updates['layer']['w'] has shape {shape}")):
        wrap(optim.apply_updates)(params, updates)
