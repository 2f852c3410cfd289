"""Functions of whole rows that run as vectors over strips of rows (pass ``strips``)."""

import numpy as np
import pytest

import fungrad
from fungrad import nn, numpy as jnp


def strips(f, *args):
    """Whether the loops of a program go in strips."""
    return ".strip" in fungrad.jit(f).lower(*args).as_text("steps")


def data(n, m, dtype="float32"):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s).astype(dtype) * 0.3 for s in ((m,), (n, m), (n,))]


PROGRAMS = {
    "sigmoid": lambda np_, s, w, x, y: s(x @ w),
    "sum": lambda np_, s, w, x, y: np_.sum(s(x @ w) * y),
    "gradient": lambda np_, s, w, x, y: np_.sum((s(x @ w) * y)[:, None] * x, 0),
    "both": lambda np_, s, w, x, y: (s(x @ w), np_.max(s(x @ w)[:, None] * x, 1)),
    "rows": lambda np_, s, w, x, y: x * np_.exp(-(x @ w))[:, None] + np_.cos(y)[:, None],
    "twice": lambda np_, s, w, x, y: np_.exp(x - np_.log(np_.sum(np_.exp(x), 1, keepdims=True))).sum(0),
    "kept": lambda np_, s, w, x, y: ((e := np_.exp(x)), e * np_.log(e.sum(1))[:, None]),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("size", [(63, 8), (64, 8), (6646, 8), (4099, 67), (500, 300), (1000, 2)])
def test_programs_of_rows(name, size):
    f, args = PROGRAMS[name], data(*size)
    got = fungrad.jit(lambda *a: f(jnp, nn.sigmoid, *a))(*args)
    want = f(np, lambda x: 1 / (1 + np.exp(-x)), *[a.astype(np.float64) for a in args])
    for g, w in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64"])
def test_other_types(dtype):
    w, x, _ = data(1000, 40, dtype)
    with fungrad.enable_x64(dtype == "float64"):
        got = fungrad.jit(lambda w, x: jnp.exp(x @ w))(w, x)
    wide = np.complex128 if dtype == "complex64" else np.float64
    np.testing.assert_allclose(got, np.exp(x.astype(wide) @ w.astype(wide)), rtol=2e-2 if dtype == "float16" else 1e-4)


def test_mapped_programs_have_memory_of_their_own():
    w, x, y = data(300, 20)
    xs = np.stack([x * k for k in range(1, 9)])
    got = fungrad.jit(fungrad.vmap(lambda x: jnp.sin(x @ w)))(xs)
    np.testing.assert_allclose(got, np.sin(xs.astype(np.float64) @ w), atol=1e-5)


def test_where_strips_pay():
    w, x, y = data(5000, 67)
    assert strips(lambda w, x: nn.sigmoid(x @ w), w, x)
    assert strips(lambda w, x: jnp.sum(jnp.tanh(x @ w)[:, None] * x, 0), w, x)
    w, x, y = data(2000, 30)  # the pieces of the sum have 50 rows
    assert strips(lambda w, x: jnp.sum(nn.sigmoid(x @ w)[:, None] * x, 0), w, x)
    assert not strips(lambda w, x: (x @ w) * 2, w, x)
    assert not strips(lambda x: jnp.log(jnp.sum(x * x, 0)), x.T.copy())
