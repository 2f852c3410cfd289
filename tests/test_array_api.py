"""The Python array API standard: what its test suite has found, and what the module says of itself.

The suite itself (github.com/data-apis/array-api-tests) is run by hand, see docs/numpy-and-scipy.md.
"""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp

INF, NAN = math.inf, math.nan
BOTH = pytest.mark.parametrize("compile", [lambda f: f, fungrad.jit], ids=["eager", "compiled"])


def same(a, b):
    """Equal, with the sign of zero, and NaN equal to NaN."""
    a, b = complex(a), complex(b)
    return all(
        math.isnan(x) and math.isnan(y) or x == y and math.copysign(1, x) == math.copysign(1, y)
        for x, y in ((a.real, b.real), (a.imag, b.imag))
    )


FLOOR_DIVIDE = [
    (INF, 1.0, INF), (INF, -2.0, -INF), (-INF, 3.0, -INF), (-INF, -1.0, INF), (INF, INF, NAN), (INF, -INF, NAN),
    (1.0, INF, 0.0), (1.0, -INF, -0.0), (-1.0, INF, -0.0), (-1.0, -INF, 0.0), (-0.0, 1.0, -0.0), (-0.0, -1.0, 0.0),
    (0.0, 1.0, 0.0), (0.0, -1.0, -0.0), (1.0, 0.0, INF), (1.0, -0.0, -INF), (0.0, 0.0, NAN), (NAN, 1.0, NAN),
    (7.0, 2.0, 3.0), (-7.0, 2.0, -4.0), (7.0, -2.0, -4.0), (-1e-30, 1.0, -1.0), (1e-30, 1.0, 0.0), (2.0, 2.5, 0.0),
]  # fmt: skip
REMAINDER = [
    (-0.0, 1.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, -0.0), (-0.0, -1.0, -0.0), (4.0, 2.0, 0.0), (4.0, -2.0, -0.0),
    (-4.0, 2.0, 0.0), (-4.0, -2.0, -0.0), (5.0, 3.0, 2.0), (-5.0, 3.0, 1.0), (5.0, -3.0, -1.0), (1.0, INF, 1.0),
    (1.0, -INF, -INF), (-1.0, INF, INF), (-1.0, -INF, -1.0), (INF, 1.0, NAN), (1.0, 0.0, NAN), (NAN, 1.0, NAN),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_quotients_and_remainders_of_infinities_and_zeros(compile, dtype):
    for function, table in (
        (jnp.floor_divide, FLOOR_DIVIDE),
        (lambda x, y: x // y, FLOOR_DIVIDE),
        (lambda x, y: jnp.divmod(x, y)[0], FLOOR_DIVIDE),
        (jnp.remainder, REMAINDER),
        (lambda x, y: x % y, REMAINDER),
        (lambda x, y: jnp.divmod(x, y)[1], REMAINDER),
    ):
        # What float16 does not have is left out.
        rows = [c for c in table if dtype != "float16" or not 0 < abs(c[0]) < 1e-20]
        x, y, _ = (jnp.array([r[i] for r in rows], dtype) for i in range(3))
        got = compile(function)(x, y)
        assert got.dtype == dtype
        wrong = [(*r, float(g)) for r, g in zip(rows, got, strict=True) if not same(r[2], float(g))]
        assert not wrong


def test_remainders_have_a_derivative_at_zeros():
    for x, y in ((4.0, 2.0), (4.0, -2.0), (-4.0, 2.0), (0.0, 3.0), (5.0, 3.0)):
        assert float(fungrad.grad(jnp.remainder)(x, y)) == 1
        assert float(fungrad.grad(jnp.remainder, 1)(x, y)) == -(x // y)
        assert float(fungrad.grad(jnp.floor_divide)(x, y)) == 0


EXPM1 = [
    (0j, 0j), (complex(-0.0, 0.0), 0j), (complex(INF, 0.0), complex(INF, 0.0)), (complex(-INF, INF), -1 + 0j),
    (complex(INF, INF), complex(INF, NAN)), (complex(-INF, NAN), -1 + 0j), (complex(INF, NAN), complex(INF, NAN)),
    (complex(NAN, 0.0), complex(NAN, 0.0)), (complex(-INF, 2.0), complex(-1, 0.0)),
    (complex(1, INF), complex(NAN, NAN)),
    (complex(NAN, 1.0), complex(NAN, NAN)), (complex(INF, 2.0), complex(-INF, INF)),
]  # fmt: skip
TANH = [
    (complex(INF, 1.0), 1 + 0j), (complex(INF, 2.5), 1 + 0j), (complex(INF, 3e37), 1 + 0j), (complex(INF, INF), 1 + 0j),
    (complex(-INF, 2.5), -1 + 0j), (complex(INF, -2.5), complex(1, -0.0)), (complex(0, INF), complex(0, NAN)),
    (complex(NAN, 0.0), complex(NAN, 0.0)),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize(("function", "table"), [(jnp.expm1, EXPM1), (jnp.tanh, TANH)], ids=["expm1", "tanh"])
def test_complex_special_values(compile, dtype, function, table):
    got = compile(function)(jnp.array([z for z, _ in table], dtype))
    wrong = [(z, w, complex(g)) for (z, w), g in zip(table, got, strict=True) if not same(w, complex(g))]
    assert not wrong


def test_diagonals_at_any_distance():
    for k in (2**31, -(2**31), 2**40, -(10**30), 4, -4):
        assert not np.any(jnp.eye(3, k=k)) and jnp.eye(0, k=k).shape == (0, 0)
        assert np.all(jnp.tri(3, k=k) == (k > 0))
        np.testing.assert_array_equal(jnp.triu(jnp.ones((3, 3)), k), np.full((3, 3), float(k < 0)))


def test_masks_without_elements():
    x = jnp.ones((2, 3))
    assert x[np.ones((2, 0), bool)].shape == (0,) and x[np.ones(0, bool)].shape == (0, 3)
    assert jnp.ones((0, 2))[np.ones((0, 2), bool)].shape == (0,)
    np.testing.assert_array_equal(x.at[np.ones(0, bool)].set(5.0), x)
    with pytest.raises(IndexError, match="boolean index"):
        x[np.ones((3, 0), bool)]


def test_results_that_are_tuples():
    x = jnp.arange(3.0)
    for found in (jnp.meshgrid(x, x), jnp.broadcast_arrays(x, x[:1]), jnp.unstack(x), jnp.nonzero(x)):
        assert type(found) is tuple


def test_limits_are_python_numbers():
    for dtype in ("float16", "bfloat16", "float32", "float64", "complex64", "float8_e4m3fn"):
        info = jnp.finfo(dtype)
        assert isinstance(info, jnp.finfo) and info is jnp.finfo(jnp.zeros((), dtype))
        for name in ("eps", "max", "min", "smallest_normal", "tiny", "resolution"):
            assert type(getattr(info, name)) is float
        assert type(info.bits) is int
    assert jnp.finfo("complex64").dtype == "float32" and jnp.finfo(float).bits == 64
    assert jnp.finfo("float32").max == float(np.finfo("float32").max)
    info = jnp.iinfo(int_type="uint8")
    assert isinstance(info, jnp.iinfo) and (info.min, info.max, info.bits, info.kind) == (0, 255, 8, "u")
    for wrong, message in ((lambda: jnp.finfo("int8"), "floating point"), (lambda: jnp.iinfo("float32"), "integer")):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_what_the_module_says_of_itself():
    assert jnp.__array_api_version__ == "2025.12"
    x = jnp.ones(2)
    assert x.__array_namespace__() is jnp and x.__array_namespace__(api_version="2025.12") is jnp
    with pytest.raises(ValueError, match="api_version must be one of"):
        x.__array_namespace__(api_version="2019.01")
    info = jnp.__array_namespace_info__()
    assert info.devices() == (x.device,) and info.default_device() is x.device
    assert info.capabilities()["boolean indexing"] and info.capabilities()["data-dependent shapes"]
    with fungrad.enable_x64(False):
        assert info.default_dtypes()["real floating"] == "float32" and info.default_dtypes()["indexing"] == "int32"
    with fungrad.enable_x64(True):
        found = info.default_dtypes(device=x.device)
        assert {k: v.name for k, v in found.items()} == {
            "real floating": "float64", "complex floating": "complex128", "integral": "int64", "indexing": "int64",
        }  # fmt: skip
        assert jnp.argmax(jnp.arange(3)).dtype == "int64"
        # JAX's, where the standard has the default dtype of positions.
        assert jnp.searchsorted(jnp.arange(3), 1).dtype == jnp.digitize(1, jnp.arange(3)).dtype == "int32"
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert len(info.dtypes()) == 13
    with pytest.raises(ValueError, match="kind must be one of"):
        info.dtypes(kind="nonsense")
    with pytest.raises(ValueError, match="device must be None"):
        info.dtypes(device="gpu")


def test_parameters_of_dlpack_have_names():
    names = list(inspect.signature(jnp.ones(2).__dlpack__).parameters)
    assert names == ["stream", "max_version", "dl_device", "copy"]
