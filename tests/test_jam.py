"""Unroll and jam: several rows that are summed up at the same time give what they give one by one."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.jit.ir import tuning

RNG = np.random.default_rng(11)
FUNCTIONS = {
    "sum": lambda x, v: x.sum(1),
    "product": lambda x, v: x @ v,
    "distance": lambda x, v: jnp.abs(x - v).sum(1) * 2,
    "largest": lambda x, v: jnp.max(x, 1),
    "two sums": lambda x, v: (x.sum(1), (x * v).sum(1)),
    "position": lambda x, v: jnp.argmax(x, 1),
    "softmax": lambda x, v: jnp.exp(x - x.max(1, keepdims=True)).sum(1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(8, 200), (11, 131), (41, 64)])
def test_rows_at_the_same_time(name, shape, monkeypatch):
    monkeypatch.setenv("FUNGRAD_CACHE_DIR", "")
    for constant in ("JAMMED_ROW_BYTES", "JAMMED_CACHES"):
        monkeypatch.setattr(tuning, constant, 0)
    monkeypatch.setattr(tuning, "JAMMED_GROUPS", 2)
    for dtype in ("float32", "float64", "int32"):
        x, v = (jnp.asarray((RNG.normal(size=s) * 9).astype(dtype)) for s in (shape, shape[1:]))
        for threads in (1, 2):
            with fungrad.threads(threads):
                compiled = fungrad.jit(lambda x, v: FUNCTIONS[name](x, v))
                got = fungrad.tree.leaves(compiled(x, v))
        text = compiled.lower(x, v).compile().as_text()
        assert ("[4*" in text) == (name not in ("position", "softmax")), text
        for a, b in zip(got, fungrad.tree.leaves(FUNCTIONS[name](x, v)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
        # A row is summed up in the same way wherever it stands.
        for a, b in zip(got, fungrad.tree.leaves(compiled(x[::-1], v)), strict=True):
            np.testing.assert_array_equal(a, b[::-1])
