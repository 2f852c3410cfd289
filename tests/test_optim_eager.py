"""Short ways of optimizers outside of transformations: small leaves packed, large ones compiled."""

import numpy as np
import pytest
from test_optimizers import compare

import fungrad.numpy as jnp
from fungrad import optim, tree
from fungrad.optim import _eager, _leafwise, apply


def _one_by_one(monkeypatch):
    """Every leaf by ``fungrad.numpy``, as under ``vmap`` or while operations are watched."""
    for module in (_leafwise, apply):
        monkeypatch.setattr(module, "is_plain", lambda: False)


def _leaves(shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    return {str(k): jnp.asarray(rng.normal(size=shape), dtype) for k, shape in enumerate(shapes)}


EAGER_WAYS = {
    "each by itself": [(3, 4), (), (5,)],
    "many small ones packed": [(3, 4), (), (5,), (0,), (2, 1), (7,), (1,), (4,), (300, 200)],
    "enough to compile": [(200, 200), (150, 200), (), (3,), (0, 2)],
    "large ones": [(300, 300), (70_000,), (2,)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "complex64"])
@pytest.mark.parametrize("way", EAGER_WAYS)
@pytest.mark.parametrize("name", ["adam", "adam, low precision", "lion", "rmsprop", "sgd, momentum", "yogi"])
def test_eager_updates_take_any_way_to_the_same_values(name, way, dtype, monkeypatch):
    make = {
        "adam": lambda: optim.adam(1e-2),
        "adam, low precision": lambda: optim.adam(1e-2, mu_dtype=jnp.bfloat16),
        "lion": lambda: optim.lion(1e-2),
        "rmsprop": lambda: optim.rmsprop(1e-2),
        "sgd, momentum": lambda: optim.sgd(1e-2, 0.9),
        "yogi": lambda: optim.yogi(1e-2),
    }[name]
    if dtype == "complex64" and name in ("lion", "adam, low precision", "yogi"):
        pytest.skip("signs and low precision of complex numbers")
    shapes = EAGER_WAYS[way]

    def run_of(optimizer):
        params = _leaves(shapes, dtype, 0)
        state = optimizer.init(params)
        for step in range(2):
            updates, state = optimizer.update(_leaves(shapes, dtype, 1 + step), state, params)
            params = optim.apply_updates(params, updates)
        return params, updates, state

    got = run_of(make())
    assert all(x._data.base is None or x._data.size >= 2**16 for x in tree.leaves(got))
    _one_by_one(monkeypatch)
    expected = run_of(make())
    assert [x.aval for x in tree.leaves(got)] == [x.aval for x in tree.leaves(expected)]
    # The sign of a mean that is zero but for rounding may differ.
    compare(got, expected, 1e-9 if dtype == "float64" else 2e-5, 2e-2 if name == "lion" else 1e-6)


def test_compiled_formulas_are_told_apart_by_their_constants():
    params, gradient = jnp.zeros(70_000), jnp.full(70_000, 2.0)
    for b1 in (0.9, 0.5, 0, 0.0, jnp.float32(0.9)):
        optimizer = optim.scale_by_adam(b1=b1, b2=0.0, eps=0.0)
        for _ in range(2):
            updates, state = optimizer.update(gradient, optimizer.init(params))
            np.testing.assert_allclose(np.asarray(state.mu), 2.0 * (1 - b1), rtol=1e-6)
    before = len(_eager._compiled)
    optim.scale_by_adam(b1=0.9, b2=0.0, eps=0.0).update(gradient, state)
    assert len(_eager._compiled) == before


def test_eager_updates_of_large_arrays_keep_subnormal_numbers():
    optimizer = optim.sgd(0.5, 0.5)
    tiny = jnp.full(70_000, 1e-40)
    updates, _ = optimizer.update(tiny, optimizer.init(tiny))
    assert 0 < -float(updates[0]) < 1e-40
