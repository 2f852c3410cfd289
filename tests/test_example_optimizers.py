"""``example_libraries.optimizers``: steps against JAX, states as pytrees, schedules."""

import importlib

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.example_libraries import optimizers

CASES = {
    "sgd": (0.1,), "momentum": (0.1, 0.9), "nesterov": (0.1, 0.9), "adagrad": (0.1,), "rmsprop": (0.1,),
    "rmsprop_momentum": (0.1,), "adam": (0.1,), "adamax": (0.1,), "sm3": (0.1,),
}  # fmt: skip


def steps(module, name, count=3):
    init, update, get_params = getattr(module, name)(*CASES[name])
    state = init({"a": np.arange(6.0, dtype=np.float32).reshape(2, 3) - 2, "b": np.float32(1.5)})
    for i in range(count):
        params = get_params(state)
        state = update(i, {"a": 2 * params["a"], "b": params["b"]}, state)
    return state, get_params(state)


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_steps_are_jaxs(name):
    theirs = importlib.import_module("jax.example_libraries.optimizers")
    _, mine = steps(optimizers, name)
    _, expected = steps(theirs, name)
    for key in mine:
        np.testing.assert_allclose(mine[key], expected[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_states_are_pytrees_and_cross_jit(name):
    state, params = steps(optimizers, name)
    again = optimizers.pack_optimizer_state(optimizers.unpack_optimizer_state(state))
    assert fungrad.tree.structure(again) == fungrad.tree.structure(state)
    _, update, get_params = getattr(optimizers, name)(*CASES[name])
    if name != "sm3":  # whose states have shapes as leaves
        new = fungrad.jit(update)(3, params, state)
        np.testing.assert_allclose(get_params(new)["a"], get_params(update(3, params, state))["a"], rtol=1e-5)
    with pytest.raises(TypeError, match="another structure"):
        update(0, {"a": params["a"]}, state)


def test_schedules():
    assert optimizers.exponential_decay(1.0, 2, 0.5)(4) == 0.25
    assert optimizers.inverse_time_decay(1.0, 2, 1.0)(3) == 0.4
    assert optimizers.inverse_time_decay(1.0, 2, 1.0, staircase=True)(3) == 0.5
    assert float(optimizers.polynomial_decay(1.0, 4, 0.0, 2.0)(2)) == 0.25
    schedule = optimizers.piecewise_constant([2, 5], [1.0, 0.5, 0.1])
    assert [float(schedule(i)) for i in (2, 3, 6)] == [1.0, 0.5, float(np.float32(0.1))]
    with pytest.raises(ValueError, match="values one longer"):
        optimizers.piecewise_constant([2, 5], [1.0, 0.5])
    with pytest.raises(TypeError, match="a number or a function"):
        optimizers.make_schedule([1.0])


def test_gradients_are_clipped():
    clipped = optimizers.clip_grads({"a": jnp.array([3.0, 4.0])}, 1.0)
    np.testing.assert_allclose(clipped["a"], [0.6, 0.8], rtol=1e-6)
    assert optimizers.l2_norm({"a": jnp.array([3.0, 4.0])}) == 5
