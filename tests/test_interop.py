"""Libraries that are told of fungrad: einops, jaxtyping, safetensors, the buffer protocol; and files of NumPy."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.test_util import check_grads

X = jnp.arange(6.0).reshape(2, 3)


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("imports", ["import einops, fungrad", "import fungrad, einops"])
def test_einops_finds_us_in_either_order(imports):
    pytest.importorskip("einops")
    code = "; print(einops.rearrange(fungrad.numpy.ones((2, 3)), 'a b -> b a').shape, einops._backends.__loader__)"
    assert run(imports + code).startswith("(3, 2) <_frozen_importlib_external.SourceFileLoader")


def test_import_imports_no_library():
    code = "import fungrad, sys; print([m for m in ('einops', 'jaxtyping') if m in sys.modules])"
    assert run(code) == "[]"


def test_einops():
    einops = pytest.importorskip("einops")
    assert einops.rearrange(X, "a b -> (b a)").tolist() == [0, 3, 1, 4, 2, 5]
    for name in ("sum", "mean", "max", "min", "prod"):
        np.testing.assert_allclose(einops.reduce(X, "a b -> b", name), getattr(np.asarray(X), name)(0))
    assert einops.repeat(X, "a b -> a b c", c=2).shape == (2, 3, 2)
    assert einops.rearrange([X, X], "c a b -> a (b c)").shape == (2, 6)
    np.testing.assert_allclose(einops.einsum(X, X, "a b, c b -> a c"), X @ X.T)
    packed, shapes = einops.pack([X, X[0]], "*")
    assert packed.shape == (9,) and einops.unpack(packed, shapes, "*")[0].shape == (2, 3)
    f = fungrad.jit(fungrad.vmap(lambda v: einops.reduce(v**2, "(n two) b -> n b", "sum", two=2)))
    assert f(jnp.ones((3, 4, 5))).shape == (3, 2, 5)
    check_grads(lambda v: einops.reduce(v**3, "a b -> a", "mean"), (X,), order=2)
    assert type(einops.asnumpy(X)) is np.ndarray


def test_jaxtyping():
    jaxtyping = pytest.importorskip("jaxtyping")
    array = fungrad.Array
    assert isinstance(X, jaxtyping.Float[array, "a b"]) and not isinstance(X, jaxtyping.Int[array, "a b"])
    assert not isinstance(X, jaxtyping.Float[array, "a"])
    key = fungrad.random.key(0)
    assert isinstance(key, jaxtyping.Key[array, ""]) and not isinstance(X, jaxtyping.Key[array, "a b"])
    assert isinstance(fungrad.random.split(key, 3), jaxtyping.Key[array, "3"])
    assert isinstance(X.astype("bfloat16"), jaxtyping.BFloat16[array, "2 3"])


def test_jaxtyping_trees():
    pytest.importorskip("jax")  # which jaxtyping's trees are made with
    jaxtyping = pytest.importorskip("jaxtyping")
    assert isinstance({"a": X, "b": (X, X)}, jaxtyping.PyTree[jaxtyping.Float[fungrad.Array, "..."]])
    assert not isinstance({"a": X}, jaxtyping.PyTree[jaxtyping.Int[fungrad.Array, "..."]])


def test_safetensors():
    numpy = pytest.importorskip("safetensors.numpy")
    found = numpy.load(numpy.save({"w": X, "n": jnp.arange(3)}))
    np.testing.assert_array_equal(found["w"], X)
    assert found["n"].dtype == "int32"


def test_buffers():
    view = memoryview(X)
    assert view.readonly and view.shape == (2, 3) and view.format == "f"
    assert view.tolist() == X.tolist() and bytes(view) == X.tobytes() == bytes(X)
    assert np.shares_memory(np.asarray(view), np.asarray(X))
    np.testing.assert_array_equal(np.frombuffer(X, "float32"), X.ravel())
    assert hashlib.sha256(X).digest() == hashlib.sha256(X.tobytes()).digest()
    with pytest.raises((TypeError, BufferError)):
        io.BytesIO(b"abcd").readinto(X)
    with pytest.raises(TypeError):
        fungrad.jit(memoryview)(X)
    rows = [memoryview(jnp.arange(100.0) + k) for k in range(50)]
    assert [r[1] for r in rows] == [k + 1 for k in range(50)]


def test_buffers_of_deleted_arrays():
    x = jnp.ones(3) + 1
    x.delete()
    with pytest.raises((TypeError, RuntimeError)):
        memoryview(x)


def test_updates_of_scipy():
    """What SciPy updates in place for other arrays, it updates through ``x.at`` for ours."""
    code = """
import os
os.environ["SCIPY_ARRAY_API"] = "1"
import numpy as np, fungrad, fungrad.numpy as jnp, scipy.stats, scipy.special
from scipy._lib.array_api_extra import at
x = jnp.arange(1.0, 6.0)
print(at(x, x > 2).set(0.0).tolist(), at(x, 0).add(5).tolist(), x.tolist())
print(type(scipy.stats.zscore(x)).__name__, round(float(scipy.special.logsumexp(x)), 4))
y = np.ones(2)
print(at(y, 0).set(3.0) is y)
"""
    pytest.importorskip("scipy._lib.array_api_extra._lib._at")
    lines = run(code).splitlines()
    assert lines[0] == "[1.0, 2.0, 0.0, 0.0, 0.0] [6.0, 2.0, 3.0, 4.0, 5.0] [1.0, 2.0, 3.0, 4.0, 5.0]"
    assert lines[1:] == ["ArrayImpl 5.4519", "True"]


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "complex64", "float16"])
def test_files_of_arrays(tmp_path, dtype):
    x = X.astype(dtype)
    jnp.save(tmp_path / "x", x)
    found = jnp.load(tmp_path / "x.npy")
    assert isinstance(found, fungrad.Array) and found.dtype == dtype
    np.testing.assert_array_equal(found, x)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.asarray(x))
    jnp.savez(tmp_path / "y", x, other=X, number=2.5)
    with jnp.load(tmp_path / "y.npz") as found:
        assert sorted(found) == ["arr_0", "number", "other"]
        np.testing.assert_array_equal(found["arr_0"], x)


def test_files_of_numbers(tmp_path):
    np.arange(5, dtype="int64").tofile(tmp_path / "n")
    assert jnp.fromfile(tmp_path / "n", "int64", count=2, offset=8).tolist() == [1, 2]
    (tmp_path / "t").write_text("1 2.5 3")
    assert jnp.fromfile(tmp_path / "t", sep=" ").tolist() == [1, 2.5, 3]
    np.save(tmp_path / "wide", np.array([2**40]))
    with pytest.raises(OverflowError):
        jnp.load(tmp_path / "wide.npy")
    np.save(tmp_path / "raw", np.asarray(X.astype("float8_e4m3fn")))
    with pytest.raises(TypeError, match="raw bytes"):
        jnp.load(tmp_path / "raw.npy")


# -- windows, polynomials, spacing: derivatives and tracing ------------------------------------------------------------


def test_derivatives_of_windows_and_polynomials():
    check_grads(lambda b: jnp.kaiser(5, b), (2.0,), order=2, rtol=2e-2, atol=2e-2)
    check_grads(jnp.i0, (jnp.array([0.5, -1.2, 2.0]),), order=2, rtol=2e-2, atol=2e-2)
    assert abs(float(fungrad.grad(fungrad.grad(jnp.i0))(0.0)) - 0.5) < 1e-6
    assert float(fungrad.grad(jnp.spacing)(1.0)) == 0
    v, w = jnp.array([1.0, -3.0, 2.5, 4.0, 1.5]), jnp.array([2.0, 1.0, -1.0])
    check_grads(jnp.poly, (w,), order=2, rtol=2e-2, atol=2e-2)
    check_grads(jnp.polydiv, (v, w), order=2, rtol=2e-2, atol=2e-2)
    check_grads(lambda p: jnp.abs(jnp.roots(p)).sum(), (jnp.array([1.0, -6.0, 11.0, -6.2]),), order=1, rtol=5e-2)
    x = jnp.linspace(-1, 1, 7)
    check_grads(lambda y: jnp.polyfit(x, y, 2), (x**2 + 0.1,), order=2, rtol=2e-2, atol=2e-2)


def test_polynomials_in_transformed_functions():
    v, w = np.float32([1.0, -3.0, 2.5, 4.0, 1.5]), np.float32([2.0, 1.0, -1.0])
    for f, args in (
        (jnp.poly, (w,)),
        (jnp.polydiv, (v, w)),
        (lambda p: jnp.sort(jnp.roots(p, strip_zeros=False)), (w,)),
        (lambda x, y: jnp.polyfit(x, y, 2), (v, v**2)),
        (lambda b: jnp.kaiser(6, b), (np.float32(3),)),
        (jnp.spacing, (v,)),
        (jnp.i0, (v,)),
    ):
        expected = f(*args)
        flat = lambda t: t if isinstance(t, tuple) else (t,)  # noqa: E731
        for got, want in zip(flat(fungrad.jit(f)(*args)), flat(expected), strict=True):
            np.testing.assert_allclose(got, want, rtol=2e-3, atol=1e-4)
        stacked = [np.stack([a, a + 1]) for a in args]
        for got, want in zip(flat(fungrad.vmap(f)(*stacked)), flat(expected), strict=True):
            np.testing.assert_allclose(got[0], want, rtol=2e-3, atol=1e-4)
    with pytest.raises(fungrad.errors.ConcretizationTypeError, match="strip_zeros"):
        fungrad.jit(jnp.roots)(w)


def test_spacing_at_the_ends():
    for dtype in ("float32", "float64"):
        values = np.array([0.0, 1.0, -1.0, 1e-3, np.finfo(dtype).max, np.finfo(dtype).min, np.inf, np.nan], dtype)
        with np.errstate(all="ignore"):
            expected = np.spacing(values)
        got = np.asarray(jnp.spacing(jnp.asarray(values, dtype)))
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, expected)


def test_indexed_grids():
    np.testing.assert_array_equal(jnp.mgrid[0:4:2, 1:3], np.mgrid[0:4:2, 1:3])
    assert [x.shape for x in jnp.ogrid[0:4, 0:2]] == [(4, 1), (1, 2)]
    assert jnp.mgrid[()].shape == jnp.mgrid[0:].shape == (0,)
    np.testing.assert_array_equal(fungrad.jit(lambda v: jnp.r_[v, 1:3, 0.5])(X[0]), np.r_[np.asarray(X[0]), 1:3, 0.5])
    for call, error, message in (
        (lambda: jnp.mgrid[3], TypeError, "must be slices"),
        (lambda: jnp.r_["x", X], ValueError, "directive"),
        (lambda: jnp.r_[X, "r"], ValueError, "must be the first index"),
        (lambda: jnp.r_[()], ValueError, "nothing to join"),
    ):
        with pytest.raises(error, match=message):
            call()
