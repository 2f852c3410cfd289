"""``example_libraries.stax``: the shapes that layers announce, and their results against JAX."""

import importlib

import numpy as np
import pytest

import fungrad
from fungrad.example_libraries import stax


def networks(s):
    return {
        "images": (s.serial(
            s.Conv(4, (3, 3), padding="SAME"), s.BatchNorm(), s.Relu, s.MaxPool((2, 2), (2, 2)),
            s.AvgPool((2, 2), padding="SAME"), s.ConvTranspose(2, (2, 2), (2, 2)), s.Flatten, s.Dense(3), s.LogSoftmax,
        ), (2, 8, 8, 3)),
        "branches": (s.serial(
            s.FanOut(3), s.parallel(s.Dense(4), s.serial(s.Dense(4), s.Tanh), s.Identity), s.FanInConcat(),
            s.shape_dependent(lambda shape: s.Dense(shape[-1])), s.FanOut(2), s.parallel(s.Softplus, s.Gelu),
            s.FanInSum,
        ), (5, 3)),
        "dropout": (s.serial(s.Dense(6), s.Dropout(0.7), s.Elu), (4, 3)),
    }  # fmt: skip


NAMES = ["images", "branches", "dropout"]


def run(s, name, random):
    (init, apply), shape = networks(s)[name]
    out_shape, params = init(random.PRNGKey(0), shape)
    x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    out = apply(params, x, rng=random.PRNGKey(1))
    assert tuple(out_shape) == out.shape
    return np.asarray(out)


@pytest.mark.parametrize("name", NAMES)
def test_shapes(name):
    assert np.isfinite(run(stax, name, fungrad.random)).all()


@pytest.mark.parity
@pytest.mark.parametrize("name", NAMES)
def test_results_are_jaxs(name):
    jax = importlib.import_module("jax")
    theirs = run(importlib.import_module("jax.example_libraries.stax"), name, jax.random)
    np.testing.assert_allclose(run(stax, name, fungrad.random), theirs, rtol=1e-4, atol=1e-5)


def test_dropout_needs_a_key():
    init, apply = stax.Dropout(0.5)
    with pytest.raises(ValueError, match="needs a random key"):
        apply((), np.ones(3))
