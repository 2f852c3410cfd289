"""Random programs give the same results as with JAX: eager, compiled, mapped, differentiated, and combinations."""

import functools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from random_programs import arguments, inputs, many, modes, programs

import fungrad

pytestmark = pytest.mark.parity
jax = pytest.importorskip("jax")

TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 5e-4, "complex64": 5e-4}
# Beyond this size rounding errors of intermediate values may show; only types are compared then.
LARGE = 1e4


@functools.cache
def _abstract(shapes_and_dtypes, apply):
    out = jax.eval_shape(functools.partial(apply, jax), *[jax.ShapeDtypeStruct(s, d) for s, d in shapes_and_dtypes])
    return out.shape, out.dtype.name


def abstract(apply, operands):
    return _abstract(tuple(operands), apply)


@functools.partial(jax.jit, static_argnums=0)
def reference(program, args, batches):
    """Everything that JAX says, in one compilation; and the values on the way."""
    # Without barriers XLA simplifies over steps, and aborts the process on the reverse of a comparison.
    barrier = jax.lax.optimization_barrier
    one, many = modes(jax, program, between=barrier)
    results = {name: f(*args) for name, f in one.items()} | {name: f(*batches) for name, f in many.items()}
    return (
        results,
        program(jax, *args, between=barrier)[1],
        jax.vmap(lambda *a: program(jax, *a, between=barrier)[1])(*batches),
    )


def largest(values):
    sizes = [np.abs(np.asarray(v).astype(np.complex64)) for v in values]
    return max([float(np.max(s, initial=0)) for s in sizes])


def tolerance(program, values):
    dtypes = {v.dtype.name for v in values}
    return max([TOLERANCE.get(d, 0) for d in dtypes])


def compare(name, got, wanted, tol):
    got, wanted = fungrad.tree.leaves(got), jax.tree.leaves(wanted)
    assert len(got) == len(wanted), name
    for k, (g, w) in enumerate(zip(got, wanted, strict=True)):
        where = f"{name}, result {k}"
        if w.dtype.itemsize == 0:  # tangents of integers
            assert g.dtype == fungrad.float0 and g.shape == w.shape, where
            continue
        # A weak bool is as good as a strong one.
        types = [(x.shape, x.dtype.name, x.dtype != bool and bool(x.weak_type)) for x in (g, w)]
        assert types[0] == types[1], f"{where}: {types[0]} is not {types[1]}"
        if tol is None:
            continue
        g, w = np.asarray(g), np.asarray(w)
        if w.dtype.kind in "biu":
            np.testing.assert_array_equal(g, w, err_msg=where)
            continue
        wide = np.complex128 if w.dtype.kind == "c" else np.float64
        g, w = g.astype(wide), w.astype(wide)
        size = np.abs(w[np.isfinite(w)]).max(initial=1.0)
        np.testing.assert_allclose(g, w, rtol=tol, atol=tol * size, err_msg=where)


def check(program, seed, compiled=("eager", "grad", "vmap grad")):
    arrays, batched = arguments(program, seed), arguments(program, seed + 1, batch=2)
    results, values, batch_values = reference(program, inputs(jax, program, arrays), inputs(jax, program, batched))
    # Types only, where numbers are too large to say more.
    too_large = largest([*values, *batch_values]) > LARGE or any(
        not np.isfinite(np.asarray(v).astype(np.complex64)).all() for v in values
    )
    tol = None if too_large else tolerance(program, values)
    one, many = modes(fungrad, program)
    args, batches = inputs(fungrad, program, arrays), inputs(fungrad, program, batched)
    for functions, operands in (one, args), (many, batches):
        for name, f in functions.items():
            with np.errstate(all="ignore"):
                compare(name, f(*operands), results[name], tol)
                if name in compiled:
                    compare(f"jit {name}", fungrad.jit(f)(*operands), results[name], tol)


common = {"deadline": None, "derandomize": True, "suppress_health_check": list(hypothesis.HealthCheck)}


@hypothesis.settings(max_examples=25, **common)
@hypothesis.given(program=programs(abstract), seed=st.integers(0, 3))
def test_random_programs(program, seed):
    check(program, seed)


@pytest.mark.slow
@hypothesis.settings(max_examples=many(1500), deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(program=programs(abstract, max_steps=9), seed=st.integers(0, 1000))
def test_many_random_programs(program, seed):
    """Some ten minutes; ``many`` says how to run more."""
    check(program, seed)
