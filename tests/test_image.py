"""``fungrad.image`` against JAX: values, dtypes, gradients, every method; compiled and mapped."""

from __future__ import annotations

import re

import numpy as np
import pytest
from optable_base import array

import fungrad
import fungrad.numpy as jnp
from fungrad import image
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)
METHODS = ["nearest", "linear", "cubic", "cubic-pytorch", "lanczos3", "lanczos5", "area"]
SHAPES = [
    ((5,), (9,)),
    ((9,), (4,)),
    ((6, 5, 3), (4, 8, 3)),
    ((2, 7, 6, 2), (2, 3, 13, 2)),
    ((4, 4), (4, 4)),
    ((3, 2), (0, 5)),
]
methods = pytest.mark.parametrize("method", METHODS)


@pytest.mark.parity
@methods
@pytest.mark.parametrize("antialias", [True, False])
def test_sizes_are_those_of_jax(method, antialias):
    jax = pytest.importorskip("jax")

    for old, new in SHAPES:
        x = RNG.normal(size=old).astype(np.float32)
        theirs = jax.image.resize(x, new, method, antialias)
        for f in (image.resize, fungrad.jit(image.resize, static_argnums=(1, 2, 3))):
            ours = f(x, new, method, antialias)
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
    for dtype in ("float16", "int32", "uint8", "complex64", "bfloat16"):
        x = jnp.asarray(np.arange(12).reshape(3, 4)).astype(dtype)
        theirs = jax.image.resize(np.asarray(x), (5, 2), method, antialias)
        ours = image.resize(x, (5, 2), method, antialias)
        assert ours.dtype == theirs.dtype
        wide = "complex64" if dtype == "complex64" else "float32"
        rtol = {"float16": 4e-3, "bfloat16": 3e-2}.get(dtype, 1e-5)
        np.testing.assert_allclose(
            np.asarray(ours).astype(wide), np.asarray(theirs).astype(wide), rtol=rtol, atol=rtol * 12
        )


@pytest.mark.parity
@methods
def test_gradients_are_those_of_jax(method):
    jax = pytest.importorskip("jax")

    x, w = RNG.normal(size=(6, 5, 2)).astype(np.float32), RNG.normal(size=(4, 8, 2)).astype(np.float32)
    theirs = jax.grad(lambda x: (jax.image.resize(x, (4, 8, 2), method) * w).sum())(x)
    ours = fungrad.jit(fungrad.grad(lambda x: (image.resize(x, (4, 8, 2), method) * w).sum()))(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("antialias", [True, False])
def test_moves_are_those_of_jax(method, antialias):
    jax = pytest.importorskip("jax")

    if method == "cubic-pytorch" and not antialias:
        pytest.skip("JAX wants a static scale there")
    x = RNG.normal(size=(6, 5, 2)).astype(np.float32)
    scale, shift = np.float32([0.7, 1.9]), np.float32([1.3, -2.2])

    def moved(module):
        return lambda x, s, t: module.scale_and_translate(x, (5, 9, 2), (0, -2), s, t, method, antialias)

    theirs = moved(jax.image)(x, scale, shift)
    ours = moved(image)(x, scale, shift)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)
    slopes = [
        lib.grad(lambda *a, m=m: (moved(m)(*a) ** 2).sum(), (0, 1, 2))(x, scale, shift)
        for lib, m in ((fungrad, image), (jax, jax.image))
    ]
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)


@methods
def test_derivatives(method):
    x = array(RNG.normal(size=(4, 5)))
    check_grads(lambda x: image.resize(x, (3, 7), method) ** 2, (x,), order=2, rtol=1e-4)
    if method in ("cubic", "lanczos3"):
        scale, shift = array(np.array([0.83])), array(np.array([0.37]))
        check_grads(
            lambda x, s, t: image.scale_and_translate(x, (6, 5), (0,), s, t, method),
            (x, scale, shift),
            order=2,
            rtol=1e-3,
        )


def test_native_and_mapped():
    x = RNG.normal(size=(3, 6, 5)).astype(np.float32)
    for method in METHODS:
        f = fungrad.jit(lambda x, m=method: image.resize(x, (4, 9), m))
        assert not re.findall(r"= host (\w+)", f.lower(x[0]).as_text("steps"))
        mapped = fungrad.vmap(lambda x, m=method: image.resize(x, (4, 9), m))(x)
        np.testing.assert_allclose(mapped, image.resize(x, (3, 4, 9), method), rtol=1e-5, atol=1e-5)
    assert image.ResizeMethod.from_string("bicubic") is image.ResizeMethod.CUBIC
    assert image.resize(np.zeros((0, 3), np.float32), (2, 5), "linear").shape == (2, 5)
