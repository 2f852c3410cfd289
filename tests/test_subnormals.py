"""The option `flush_subnormals`: what is flushed, where, and for how long."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

TINY = {"float32": np.float32(1e-39), "float64": np.float64(1e-310)}


@pytest.fixture(params=["float32", "float64"])
def tiny(request):
    return jnp.asarray(TINY[request.param], dtype=request.param)


def test_kept_by_default(tiny):
    assert float(fungrad.jit(lambda x: x * 0.5)(tiny)) == float(np.asarray(tiny) * tiny.dtype.type(0.5)) > 0


def test_flushed_under_the_option(tiny):
    with fungrad.flush_subnormals():
        assert float(fungrad.jit(lambda x: x * 0.5)(tiny)) == 0
        assert float(tiny * 0.5) > 0  # eager operations are NumPy's
    assert float(np.asarray(tiny) * tiny.dtype.type(0.5)) > 0


def test_one_function_under_both():
    f = fungrad.jit(lambda x: x * 0.5)
    assert float(f(TINY["float32"])) > 0
    with fungrad.flush_subnormals():
        assert float(f(TINY["float32"])) == 0
    assert float(f(TINY["float32"])) > 0


def test_on_every_thread():
    x = np.full(2_000_000, 1e-39, np.float32)
    with fungrad.flush_subnormals():
        assert not np.any(fungrad.jit(lambda x: jnp.sin(x * 0.5) * jnp.exp(x))(x))
    assert np.all(np.asarray(fungrad.jit(lambda x: x * 0.5)(x)) > 0)


def test_python_is_called_with_subnormals_kept():
    seen = []

    def look(x):
        seen.append(float(np.asarray(x) * np.float32(0.5) * np.float32(1e-39) * np.float32(2)))
        return np.asarray(x)

    def f(x):
        def body(x, _):
            y = fungrad.pure_callback(look, fungrad.ShapeDtypeStruct((), jnp.float32), x)
            return y, y * np.float32(1e-39)

        return lax.scan(body, x, None, length=3)[1]

    with fungrad.flush_subnormals():
        ys = fungrad.jit(f)(np.float32(1.0))
    assert not np.any(np.asarray(ys)) and len(seen) == 3 and all(s > 0 for s in seen)
