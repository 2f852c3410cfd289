"""Cotangents of reads are added where they belong: the gradient of a loop that reads parts of an array does not go
through all of it in every step."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

N = 5000


def scanned(read, steps=6):
    """A function of a table that a loop reads, and whose gradient adds up the cotangents of the reads."""

    def f(table):
        return lax.scan(lambda c, d: (c * 0.9 + jnp.sin(read(table, d)), None), 0.0, jnp.arange(steps))[0]

    return f


READS = {
    "gather": lambda t, d: t[(jnp.arange(4) * 7 + d) % N].sum(),
    "repeated gather": lambda t, d: (t[jnp.array([1, 1, 2]) + d] * jnp.arange(3.0)[:, None]).sum(),
    "row": lambda t, d: (t[d] * t[d + 1]).sum(),
    "element": lambda t, d: t[d, d % 3] * t[d + 1, 1],
    "beyond": lambda t, d: t[N - 3 + d].sum(),
    "negative": lambda t, d: t[-d].sum(),
    "slice": lambda t, d: lax.dynamic_slice(t, (d, 0), (3, 4)).sum(),
    "clamped slice": lambda t, d: lax.dynamic_slice(t, (N - 4 + d, d), (3, 2)).sum(),
    "column and row": lambda t, d: (lax.dynamic_slice(t, (0, 1), (N, 1)).sum() + t[d]).sum(),
    "static": lambda t, d: t[3].sum() * d + t[7, 2] + t[-1, 0],
    "static rows": lambda t, d: (t[4:9] * d).sum(),
    "minus": lambda t, d: t[d].sum() - t[d + 1].sum(),
    "loop": lambda t, d: lax.fori_loop(0, 3, lambda k, s: s * 0.5 + t[d + k].sum(), 0.0),
    "two loops": lambda t, d: sum(lax.fori_loop(0, 3, lambda k, s: s * t[d + k, 0] + t[k].sum(), 0.0) for _ in "ab"),
    "checkpoint": lambda t, d: fungrad.checkpoint(lambda t: jnp.sin(t[d]).sum())(t) + t[d + 1].sum(),
    "batch": lambda t, d: fungrad.vmap(lambda k: jnp.sin(t[k + d]).sum())(jnp.array([0, 0, 2])).sum(),
}


def tables(dtype="float32"):
    return jnp.asarray(np.random.default_rng(0).normal(size=(N, 4)), dtype=dtype)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_in_loops(name, dtype):
    g = fungrad.grad(scanned(READS[name]))
    got = fungrad.jit(g)(tables(dtype))
    with fungrad.disable_jit():
        wanted = g(tables(dtype))
    assert got.dtype == dtype
    # Sums over all steps: the rounding of single precision is that of the greatest terms.
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=5e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", READS)
def test_gradients_without_loops(name):
    g = fungrad.value_and_grad(lambda t, d: READS[name](t, d) + READS["row"](t, d + 2))
    got = fungrad.jit(g)(tables(), 2)
    with fungrad.disable_jit():
        wanted = g(tables(), 2)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in READS if n not in ("column and row",)])
def test_no_step_goes_through_the_table(name):
    text = fungrad.jit(fungrad.grad(scanned(READS[name]))).lower(tables()).as_text("steps")
    backward = text.rsplit(" in 0..6", 1)[1]
    assert f"0..{N}" not in backward and f"0..{4 * N}" not in backward, text


def test_second_derivatives_and_batches():
    f = scanned(READS["row"])
    h = fungrad.grad(lambda t, v: jnp.sum(fungrad.grad(f)(t) * v))
    t, v = tables("float64"), tables("float64") * 0.5
    with fungrad.disable_jit():
        wanted = h(t, v)
    np.testing.assert_allclose(fungrad.jit(h)(t, v), wanted, rtol=1e-9, atol=1e-9)
    g = fungrad.vmap(fungrad.grad(f))
    both = jnp.stack([t, v])
    np.testing.assert_allclose(fungrad.jit(g)(both), np.stack([fungrad.grad(f)(t), fungrad.grad(f)(v)]), rtol=1e-9)


def sums(dtype):
    """Sums of arrays and zeros with parts, as users write them."""
    u = jnp.asarray(np.arange(1, 4), dtype=dtype)
    i = jnp.array([5, 2, 5])
    zeros = jnp.zeros(40, dtype)
    return {
        "added": lambda x, k: x + zeros.at[i + k].add(u),
        "set": lambda x, k: zeros.at[k].set(u[0]) + x,
        "set twice": lambda x, k: x + zeros.at[i + k].set(u),
        "subtracted": lambda x, k: x + zeros.at[i + k].subtract(u) + x,
        "numbers": lambda x, k: lax.iota(dtype, 40) + zeros.at[k].set(u[0], unique_indices=True),
        "slice": lambda x, k: x + lax.dynamic_update_slice(zeros, u, (k + 36,)),
        "pad": lambda x, k: (x * k + jnp.pad(u, (3, 34))) + jnp.pad(u, (37, 0)),
        "only parts": lambda x, k: zeros.at[k].add(u[0]) + lax.dynamic_update_slice(zeros, u, (k,)),
        "used again": lambda x, k: (lambda part: (x + part, part * 2))(zeros.at[k].add(u[1])),
        "full slice": lambda x, k: x + lax.dynamic_update_slice(zeros, x * 2, (k,)),
        "scan": lambda x, k: x + lax.fori_loop(0, 3, lambda j, c: c.at[j + k].add(u[j]) + x, zeros),
        "scan read": lambda x, k: x + lax.fori_loop(0, 3, lambda j, c: c.at[j].add(c[j] + 1) + x, zeros),
        "empty scan": lambda x, k: x + lax.fori_loop(0, 0, lambda j, c: c.at[j].add(u[0]), zeros),
    }


@pytest.mark.parametrize("name", sums("float32"))
@pytest.mark.parametrize("dtype", ["float32", "int32", "complex64", "float16", "bfloat16", "uint8"])
def test_sums_with_parts(name, dtype):
    if name == "subtracted" and dtype == "uint8":
        pytest.skip("wraps")
    f = sums(dtype)[name]
    x = jnp.asarray(np.arange(40) % 5, dtype=dtype)
    for k in (0, 3, 50, -3):
        got = fungrad.jit(f)(x, k)
        with fungrad.disable_jit():
            wanted = f(x, jnp.asarray(k))
        for a, b in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(wanted), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=f"{k}")
