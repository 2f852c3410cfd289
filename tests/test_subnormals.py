"""The option `flush_subnormals`: what is flushed, where, and for how long."""

import importlib.util
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, optim
from fungrad.jit.front import load as runtime

TINY = {"float32": np.float32(1e-39), "float64": np.float64(1e-310)}

_PATH = Path(__file__).parents[1] / "tools" / "time_special_inputs.py"
_SPEC = importlib.util.spec_from_file_location("time_special_inputs", _PATH)
special_inputs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(special_inputs)
FUNCTIONS = {k: f for k, f in special_inputs.FUNCTIONS.items() if k not in ("softmax", "logsumexp")}


@pytest.fixture(params=["float32", "float64"])
def tiny(request):
    return jnp.asarray(TINY[request.param], dtype=request.param)


def test_flushed_by_default(tiny):
    assert fungrad.config.flush_subnormals
    assert float(fungrad.jit(lambda x: x * 0.5)(tiny)) == 0
    assert float(tiny * 0.5) > 0  # eager operations are NumPy's
    assert float(np.asarray(tiny) * tiny.dtype.type(0.5)) > 0


def test_kept_under_the_option(tiny):
    with fungrad.flush_subnormals(False):
        assert float(fungrad.jit(lambda x: x * 0.5)(tiny)) == float(np.asarray(tiny) * tiny.dtype.type(0.5)) > 0
    assert float(fungrad.jit(lambda x: x * 0.5)(tiny)) == 0


def test_one_function_under_both():
    f = fungrad.jit(lambda x: x * 0.5)
    for _ in range(2):
        assert float(f(TINY["float32"])) == 0
        with fungrad.flush_subnormals(False):
            assert float(f(TINY["float32"])) > 0


def test_on_every_thread():
    x = np.full(2_000_000, 1e-39, np.float32)
    f = fungrad.jit(lambda x: jnp.sin(x * 0.5) * jnp.exp(x))
    for _ in range(3):
        assert not np.any(f(x))
        with fungrad.flush_subnormals(False):
            assert np.all(np.asarray(f(x)) > 0)
    # of Python's threads, each has a mode of its own
    seen = []

    def run():
        seen.append((float(f(x).max()), float(np.float32(1e-39) * np.float32(0.5))))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(0.0, float(np.float32(1e-39) * np.float32(0.5)))] and seen[0][1] > 0


def test_products_flush():
    a, b = np.full((64, 64), 1e-20, np.float32), np.full((64, 64), 1e-20, np.float32)
    assert not np.any(fungrad.jit(jnp.matmul)(a, b))
    with fungrad.flush_subnormals(False):
        assert np.all(np.asarray(fungrad.jit(jnp.matmul)(a, b)) > 0)


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

    ys = fungrad.jit(f)(np.float32(1.0))
    assert not np.any(np.asarray(ys)) and len(seen) == 3 and all(s > 0 for s in seen)


def test_a_failing_callback_leaves_the_mode_behind():
    def fail(x):
        raise ValueError("no")

    f = fungrad.jit(lambda x: fungrad.pure_callback(fail, fungrad.ShapeDtypeStruct((), jnp.float32), x) * 2)
    with pytest.raises(ValueError, match="no"):
        f(np.float32(1))
    assert np.float32(1e-39) * np.float32(0.5) > 0


def test_half_precision_keeps_its_subnormals():
    x = np.array([6e-8, -6e-8, 3e-5], np.float16)
    np.testing.assert_array_equal(np.asarray(fungrad.jit(lambda x: x * 1)(x)), x)
    assert np.all(np.asarray(fungrad.jit(lambda x: x.astype("float32"))(x)) == x.astype(np.float32))


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_moments_of_rows_that_are_not_read_become_zero(name):
    """Kept, they would end among subnormal numbers and slow every later step down."""
    optimizer = getattr(optim, name)(1e-3, b1=0.5, b2=0.9)
    table = jnp.asarray(np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32))
    state = optimizer.init(table)

    @fungrad.jit
    def step(table, state, ids):
        gradient = fungrad.grad(lambda table: (table[ids] ** 2).sum())(table)
        updates, state = optimizer.update(gradient, state, table)
        return optim.apply_updates(table, updates), state

    table, state = step(table, state, np.arange(64))
    for _ in range(1200):
        table, state = step(table, state, np.arange(4))
    moments = [np.asarray(x) for x in fungrad.tree.leaves(state) if np.shape(x) == (64, 8)]
    assert len(moments) == 2
    for m in moments:
        assert np.all(m[:4] != 0) and not np.any(m[4:])
    assert np.all(np.isfinite(np.asarray(table)))


@pytest.fixture(params=["widest", "plain"], scope="module")
def instructions(request):
    """With the instructions of the machine, and without those of AVX-512."""
    original = runtime.machine
    if request.param == "plain":
        runtime.machine = lambda: replace(original(), avx512=False)
    fungrad.clear_caches()
    yield
    runtime.machine = original
    fungrad.clear_caches()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_subnormal_and_small_numbers(name, dtype, instructions):
    """A subnormal argument counts as the zero of its sign, or is kept; what is larger is computed as always."""
    least = np.finfo(dtype).tiny
    factors = [0.5, -0.5, 1e-3, -1e-3, 0.0, -0.0, 4, -4.7, 9, 64, -1000.3, 1e6]
    x = jnp.asarray((np.array(factors) * least).astype(dtype), dtype=dtype)
    f = fungrad.jit(FUNCTIONS[name])
    got = np.asarray(f(x))
    with fungrad.flush_subnormals(False):
        kept = np.asarray(f(x))
    close = {"rtol": 1e-5 if dtype == "float32" else 1e-13, "atol": 0, "equal_nan": True}
    assert np.isclose(got[4:], kept[4:], **close).all()
    zeros = np.resize(kept[4:6], 4)
    fine = np.isclose(got[:4], zeros, **close) | np.isclose(got[:4], kept[:4], **close) | (got[:4] == np.asarray(x)[:4])
    assert fine.all(), (got, kept)
