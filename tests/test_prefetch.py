"""Loops over rows that ask memory for what comes next (software prefetching)."""

import re

import numpy as np
import pytest

import fungrad
from fungrad import nn, numpy as jnp


def standardised(x):
    d = x - x.mean(1, keepdims=True)
    return d / jnp.sqrt((d * d).mean(1, keepdims=True) + 1e-5)


def asked(f, *args):
    """Of how many places programs ask for lines to read, and to write."""
    text = fungrad.jit(f).lower(*args).as_text("llvm")
    calls = re.findall(r"call void @llvm.prefetch.p0\(ptr %\w+, i32 (\d)", text)
    return calls.count("0"), calls.count("1")


def big(*shape, dtype="float32"):
    return fungrad.ShapeDtypeStruct(shape, dtype)


SEVERAL = [(f, s) for f in (nn.log_softmax, nn.softmax) for s in ((4096, 1000), (40960, 100), (129, 32, 127))]


@pytest.mark.parametrize(("f", "shape"), [*SEVERAL, (standardised, (4096, 1000)), (standardised, (129, 32, 300))])
def test_several_passes_over_rows_that_come_from_memory(f, shape):
    reads, writes = asked(lambda x: f(x.reshape(-1, shape[-1])), big(*shape))
    assert reads and writes


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (nn.gelu, (4096, 1000)),  # one pass is a stream
        (nn.softmax, (64, 1000)),  # stays in the cache
        (nn.softmax, (1 << 17, 16)),  # rows of a line are one stream
        (standardised, (1 << 14, 100)),  # short ones with little work
        (nn.softmax, (16, 1 << 18)),  # another row would take the place of this one
        (lambda x: nn.softmax(x, 0), (1000, 4096)),
        (lambda x: nn.softmax(x, 0), (1000, 1000)),  # each piece of a sum goes through its rows once
        (lambda x: (x * x).sum(0), (4000, 500)),
        (lambda x: jnp.exp(jnp.roll(x, 300, 1)), (4000, 1000)),  # each loop goes through another part of the row
    ],
    ids=["stream", "cached", "short", "light", "long", "columns", "pieces", "sum", "rolled"],
)
def test_what_comes_by_itself(f, shape):
    assert asked(f, big(*shape)) == (0, 0)


def test_every_array_is_asked_for_once_an_iteration():
    def f(x, y):
        return fungrad.vjp(nn.softmax, x)[1](y)[0]

    reads, writes = asked(f, big(4096, 1024), big(4096, 1024))
    assert reads == 2 * writes > 0
    reads, writes = asked(nn.softmax, big(4096, 1024))
    assert reads == writes


@pytest.mark.parametrize("shape", [(700, 1003), (9001, 67), (3, 300, 1024)])
def test_values(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    rows = x.reshape(-1, shape[-1]).astype("float64")
    e = np.exp(rows - rows.max(1, keepdims=True))
    got = fungrad.jit(lambda x: (nn.log_softmax(x), nn.softmax(x)))(x)
    want = np.log(e / e.sum(1, keepdims=True)), e / e.sum(1, keepdims=True)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(np.reshape(g, w.shape), w, rtol=1e-5, atol=1e-6)


def test_rows_at_computed_places():
    """Where the row is known only in the loop that reads it, no other loop asks for it."""
    rng = np.random.default_rng(0)
    x, t = (rng.standard_normal((3000, 500)).astype("float32") for _ in range(2))
    where = rng.integers(0, 3000, 3000)

    def f(np_, x, t, where):
        rows = x * t[where] if np_ is np else x * t.at[where].get(mode="clip")
        return np_.exp(rows - rows.max(1, keepdims=True)).sum(1), rows - rows.mean(1, keepdims=True)

    got = fungrad.jit(lambda *a: f(jnp, *a))(x, jnp.asarray(t), where)
    for g, w in zip(got, f(np, x.astype("float64"), t, where), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)
