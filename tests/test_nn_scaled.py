"""Orthogonal initialisers, and products in block-scaled formats."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, random

KEY = random.key(3)
INIT = nn.initializers


@pytest.mark.parity
def test_orthogonal_matrices_are_those_of_jax():
    jax = pytest.importorskip("jax")
    theirs = jax.nn.initializers
    for shape, axis in (((4, 6), -1), ((6, 4), -1), ((3, 4, 5), 1), ((0, 3), -1)):
        for dtype in (None, "complex64"):
            ours = INIT.orthogonal(1.5, axis)(KEY, shape, dtype)
            expected = theirs.orthogonal(1.5, axis)(jax.random.key(3), shape, dtype)
            assert ours.dtype == expected.dtype
            np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4)
    for shape in ((3, 2, 4), (3, 4, 2, 2), (2, 3, 5, 1, 4)):
        ours = INIT.delta_orthogonal()(KEY, shape)
        np.testing.assert_allclose(ours, theirs.delta_orthogonal()(jax.random.key(3), shape), rtol=1e-3, atol=1e-4)


def test_blocks_of_gates_are_orthogonal():
    make = INIT.blockwise(INIT.orthogonal(), 4)
    recurrent = np.asarray(nn.lstm.init(KEY, 3, 5, recurrent_init=make)["recurrent_kernel"])
    for block in np.split(recurrent, 4, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-5)
    gates = nn.gru.init(KEY, 3, 5, recurrent_init=INIT.blockwise(INIT.orthogonal(), 3))["recurrent_kernel"]
    assert gates.shape == (5, 15)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: INIT.orthogonal()(KEY, (3,)), "orthogonal: shape must have at least two dimensions"),
        (lambda: INIT.orthogonal(dtype=int)(KEY, (3, 2)), "orthogonal: dtype must be floating"),
        (lambda: INIT.delta_orthogonal()(KEY, (3, 2)), "delta_orthogonal: shape must have three to five"),
        (lambda: INIT.delta_orthogonal()(KEY, (3, 4, 2)), "delta_orthogonal: shape must not have fewer outputs"),
        (lambda: INIT.blockwise(INIT.orthogonal(), 4)(KEY, (3, 6)), "blockwise: the size 6"),
    ],
)
def test_wrong_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_scaled_products():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-4, 5, (2, 3, 8)), rng.integers(-4, 5, (2, 5, 8))
    sa, sb = 2.0 ** rng.integers(-2, 3, (2, 3, 4)), 2.0 ** rng.integers(-2, 3, (2, 5, 4))
    expected = np.einsum("bmk,bnk->bmn", a * sa.repeat(2, -1), b * sb.repeat(2, -1))
    for dtype in ("float32", "float8_e4m3fn"):
        operands = [jnp.asarray(x.astype(np.float32)).astype(dtype) for x in (a, b, sa, sb)]
        np.testing.assert_array_equal(nn.scaled_matmul(*operands), expected)
        np.testing.assert_array_equal(fungrad.vmap(nn.scaled_matmul)(*[x[None] for x in operands])[0], expected)
    assert nn.scaled_matmul(*operands, preferred_element_type="bfloat16").dtype == jnp.bfloat16


@pytest.mark.parametrize("mode, error", [("mxfp8", 0.05), ("nvfp4", 0.2)])
def test_rounded_products(mode, error):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 64)).astype(np.float32), rng.normal(size=(64, 2, 32)).astype(np.float32)
    numbers = (((2,), (0,)), ((0,), (1,)))
    configs = [nn.get_scaled_dot_general_config(mode)] * 3
    exact = lax.dot_general(a, b, numbers)

    def rounded(a, b):
        return nn.scaled_dot_general(a, b, numbers, configs=configs)

    out = rounded(a, b)
    assert out.shape == exact.shape and out.dtype == np.float32
    assert 1e-4 < np.abs(out - exact).mean() / np.abs(exact).mean() < error
    np.testing.assert_allclose(fungrad.jit(rounded)(a, b), out, rtol=1e-4, atol=1e-4)
    grads = fungrad.grad(lambda a, b: (rounded(a, b) ** 2).sum(), (0, 1))(a, b)
    wanted = fungrad.grad(lambda a, b: (lax.dot_general(a, b, numbers) ** 2).sum(), (0, 1))(a, b)
    for g, w in zip(grads, wanted, strict=True):
        assert g.shape == w.shape
        assert np.abs(g - w).mean() / np.abs(w).mean() < 2 * error
    np.testing.assert_array_equal(nn.scaled_dot_general(a, b, numbers), exact)
    # Numbers that the format holds stay what they are.
    whole = rng.integers(-3, 4, (2, 4, 64)).astype(np.float32)
    whole[..., ::16] = 6 if mode == "nvfp4" else 448
    ones = np.full((64, 2, 32), 6 if mode == "nvfp4" else 1, np.float32)
    got = nn.scaled_dot_general(whole, ones, numbers, configs=configs)
    np.testing.assert_allclose(got, lax.dot_general(whole, ones, numbers), rtol=1e-5)
