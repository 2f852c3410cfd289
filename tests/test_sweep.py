"""Sums over leading axes: a few rows at a time, some columns at a time."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp

WEIGHTED = {
    "row @ matrix": lambda a, w: w @ a,
    "scaled rows": lambda a, w: (w[:, None] * a).sum(0),
    "costly factors": lambda a, w: (jnp.exp(-jnp.abs(w))[:, None] * a).sum(0),
    "two sums": lambda a, w: (w[:, None] * a).sum(0) + a.sum(0),
    "maximum": lambda a, w: (a - w[:, None]).max(0),
}
EXPECTED = {
    "row @ matrix": lambda a, w: w @ a,
    "scaled rows": lambda a, w: w @ a,
    "costly factors": lambda a, w: np.exp(-np.abs(w)) @ a,
    "two sums": lambda a, w: w @ a + a.sum(0),
    "maximum": lambda a, w: (a - w[:, None]).max(0),
}


@pytest.mark.parametrize("shape", [(2, 5000), (9, 4100), (17, 5001), (40, 9000), (300, 17), (33, 40)])
@pytest.mark.parametrize("name", WEIGHTED)
def test_sums_of_weighted_rows(name, shape):
    rng = np.random.default_rng(0)
    a, w = rng.standard_normal(shape), rng.standard_normal(shape[0])
    found = fungrad.jit(WEIGHTED[name])(jnp.array(a, "float32"), jnp.array(w, "float32"))
    np.testing.assert_allclose(found, EXPECTED[name](a, w), rtol=2e-5, atol=2e-5 * shape[0])


def test_few_long_rows_are_added_up_without_copies_of_the_sum():
    a, w = jnp.zeros((16, 100_000)), jnp.zeros(16)
    text = fungrad.jit(WEIGHTED["scaled rows"]).lower(a, w).compile().as_text("steps")
    assert "temp " not in text and ".block in" in text
