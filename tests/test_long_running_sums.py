"""Running sums that are longer than the levels of other sums."""

import numpy as np

import fungrad
import fungrad.numpy as jnp


def test_a_long_running_sum_goes_on():
    x = np.random.default_rng(0).uniform(0, 1, 20_003).astype(np.float32)
    for y, expected in (
        (fungrad.jit(jnp.cumsum)(x), np.cumsum(x, dtype=np.float64)),
        (fungrad.jit(lambda x: jnp.cumsum(x.reshape(-1, 83), 0))(x), np.cumsum(x.reshape(-1, 83), 0, dtype=np.float64)),
    ):
        np.testing.assert_allclose(y, expected, rtol=1e-4)
