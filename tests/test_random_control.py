"""Random programs with control flow and positions that depend on values: as JAX, and eagerly as compiled."""

import functools

import hypothesis
import numpy as np
import pytest
import random_control
from hypothesis import strategies as st
from random_programs import arguments, inputs, many, modes, programs

import fungrad
from fungrad.config import config

common = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}
ALL = ("eager", "grad", "jvp", "vmap", "vmap grad", "grad vmap")


@functools.cache
def _abstract(shapes_and_dtypes, apply):
    avals = [fungrad.ShapeDtypeStruct(s, d) for s, d in shapes_and_dtypes]
    out = fungrad.eval_shape(functools.partial(apply, fungrad), *avals)
    return out.shape, out.dtype.name


def abstract(apply, operands):
    return _abstract(tuple(operands), apply)


def random_programs(max_steps):
    return programs(abstract, max_steps=max_steps, more=random_control.steps)


def leaves(results):
    return [np.asarray(x) for x in fungrad.tree.leaves(results)]


def close(got, wanted, what):
    """Compiled code may round otherwise, and may keep 16-bit values wider on the way."""
    assert len(got) == len(wanted), what
    for k, (g, w) in enumerate(zip(got, wanted, strict=True)):
        where = f"{what}, result {k}"
        assert (g.shape, g.dtype) == (w.shape, w.dtype), where
        if g.dtype.kind in "biu" or not g.dtype.itemsize:
            np.testing.assert_array_equal(g, w, err_msg=where)
            continue
        tolerance = 0.1 if g.dtype.itemsize == 2 else 1e-3
        wide = np.complex128 if w.dtype.kind == "c" else np.float64
        g, w = g.astype(wide), w.astype(wide)
        size = np.abs(w[np.isfinite(w)]).max(initial=1.0)
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance * size, err_msg=where)


def moderate(values):
    """Whether rounding of values on the way is small against all of them, and 16-bit numbers do not overflow."""
    return all(np.abs(np.asarray(v).astype(np.complex64)).max(initial=0) < 1e3 for v in values)


def check_compiled(program, seed):
    """Eager against compiled, with one thread and with two."""
    args = inputs(fungrad, program, arguments(program, seed))
    batches = inputs(fungrad, program, arguments(program, seed + 1, batch=3))
    half = any(v.dtype.itemsize == 2 for v in program(fungrad, *args)[1])
    every = [*program(fungrad, *args)[1], *fungrad.vmap(lambda *a: program(fungrad, *a)[1])(*batches)]
    numbers = moderate(every) and not half
    one, many = modes(fungrad, program)
    for functions, operands in ((one, args), (many, batches)):
        for name, f in functions.items():
            expected = leaves(f(*operands))
            compiled = fungrad.jit(f)
            results = []
            for threads in (1, 2):
                with config.override("threads", threads):
                    results.append(leaves(compiled(*operands)))
            for a, b in zip(*results, strict=True):
                # The number of threads must not change a bit.
                assert a.tobytes() == b.tobytes(), f"{name}: threads"
            if numbers:
                close(results[0], expected, f"jit of {name}")
            else:
                assert [(x.shape, x.dtype) for x in results[0]] == [(x.shape, x.dtype) for x in expected], name


@hypothesis.settings(max_examples=25, derandomize=True, **common)
@hypothesis.given(program=random_programs(5), seed=st.integers(0, 3))
def test_eager_and_compiled(program, seed):
    check_compiled(program, seed)


@pytest.mark.slow
@hypothesis.settings(max_examples=many(1000), **common)
@hypothesis.given(program=random_programs(8), seed=st.integers(0, 1000))
def test_many_eager_and_compiled(program, seed):
    """Some ten minutes; ``many`` says how to run more."""
    check_compiled(program, seed)


@pytest.mark.parity
@hypothesis.settings(max_examples=15, derandomize=True, **common)
@hypothesis.given(program=random_programs(5), seed=st.integers(0, 3))
def test_as_jax(program, seed):
    pytest.importorskip("jax")
    from test_random_programs import check

    check(program, seed, compiled=ALL)


@pytest.mark.slow
@pytest.mark.parity
@hypothesis.settings(max_examples=many(600), **common)
@hypothesis.given(program=random_programs(8), seed=st.integers(0, 1000))
def test_many_as_jax(program, seed):
    """Some ten minutes, half of them JAX's."""
    pytest.importorskip("jax")
    from test_random_programs import check

    check(program, seed, compiled=ALL)
