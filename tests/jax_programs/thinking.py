"""What differs from NumPy: immutable arrays, static shapes, what cannot be compiled."""

from functools import partial

import numpy as np

from jax_programs import jaxpr_text, program, raised


@program
def immutability(jax):
    jnp = jax.numpy
    x = jnp.arange(10)

    def assign():
        x[0] = 10

    y = x.at[0].set(10)
    return {"error": raised(assign), "updated": y, "old": x}


@program
def printed_tracer(jax):
    """Python side effects happen while tracing, once per kind of argument."""
    jnp = jax.numpy
    seen = []

    @jax.jit
    def f(x, y):
        seen.append((x.shape, str(x.dtype), y.shape, str(y.dtype)))
        return jnp.dot(x + 1, y + 1)

    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), dtype=jnp.float32)
    y = jnp.arange(4.0)
    first = f(x, y)
    second = f(x * 2, y)
    f(x[:2], y)
    f(x.astype(jnp.float16), y)
    return first, second, seen


@program
def traced_program(jax):
    jnp = jax.numpy

    def f(x, y):
        return jnp.dot(x + 1, y + 1)

    return jaxpr_text(jax.make_jaxpr(f)(np.ones((3, 4), np.float32), np.ones(4, np.float32)))


@program
def branches_on_values(jax):
    @jax.jit
    def f(x, neg):
        return -x if neg else x

    static = jax.jit(lambda x, neg: -x if neg else x, static_argnums=(1,))
    named = jax.jit(lambda x, neg: -x if neg else x, static_argnames="neg")
    return raised(f, 1, True), static(1, True), static(1, False), named(2.0, neg=True)


@program
def shapes_are_static(jax):
    jnp = jax.numpy

    def bad(x):
        return x.reshape(jnp.array(x.shape).prod())

    def good(x):
        return x.reshape((np.prod(x.shape),))

    def bad_arange(n):
        return jnp.arange(n)

    x = jnp.ones((2, 3))
    return {
        "eager": bad(x),
        "jit": raised(jax.jit(bad), x),
        "good": jax.jit(good)(x),
        "arange": raised(jax.jit(bad_arange), 3),
        "static arange": jax.jit(bad_arange, static_argnums=0)(3),
        "zeros": raised(jax.jit(lambda n: jnp.zeros(n)), 3),
        "slice": raised(jax.jit(lambda x, n: x[:n]), x, 1),
        "range": raised(jax.jit(lambda n: sum(i for i in range(n))), 3),
    }


@program
def values_that_leak(jax):
    jnp = jax.numpy
    kept = []

    @jax.jit
    def f(x):
        kept.append(x * 2)
        return x

    f(jnp.float32(1.0))
    return raised(lambda: kept[0] + 1), raised(jax.jit(lambda y: y + kept[0]), 1.0)


@program
def conversions_of_tracers(jax):
    jnp = jax.numpy
    x = jnp.arange(3.0)
    return {
        "float": raised(jax.jit(lambda x: float(x.sum())), x),
        "int": raised(jax.jit(lambda x: int(x.sum())), x),
        "bool": raised(jax.jit(lambda x: bool(x.sum() > 0)), x),
        "complex": raised(jax.jit(lambda x: complex(x.sum())), x),
        "index": raised(jax.jit(lambda x: [1, 2, 3][x[0].astype(int)]), x),
        "numpy": raised(jax.jit(lambda x: np.asarray(x)), x),
        "item": raised(jax.jit(lambda x: x[0].item()), x),
        "tolist": raised(jax.jit(lambda x: x.tolist()), x),
        "while": raised(jax.jit(lambda x: next(iter([])) if x[0] > 0 else x), x),
        "unpack": jax.jit(lambda x: [a + 1 for a in x])(x),
        "mask": raised(jax.jit(lambda x: x[x > 1]), x),
        "nonzero": raised(jax.jit(lambda x: jnp.nonzero(x)), x),
        "unique": raised(jax.jit(lambda x: jnp.unique(x)), x),
        "sized": jax.jit(lambda x: jnp.nonzero(x, size=2))(x),
        "where": jax.jit(lambda x: jnp.where(x > 1, x, 0))(x),
        "grad if": jax.grad(lambda x: x**2 if x > 0 else -x)(2.0),
        "vmap if": raised(jax.vmap(lambda x: x if x > 0 else -x), x),
    }


@program
def results_must_be_arrays(jax):
    jnp = jax.numpy
    return {
        "string": raised(jax.jit(lambda x: "text"), 1.0),
        "argument": raised(jax.jit(lambda x: x), "text"),
        "object": raised(jax.jit(lambda x: x), object()),
        "none": jax.jit(lambda x: None)(1.0) is None,
        "not callable": raised(jax.jit, 3),
        "unhashable static": raised(jax.jit(lambda x, y: x, static_argnums=1), 1.0, [1]),
        "dict": jax.jit(lambda x: {"a": x, "b": (x + 1, None)})(jnp.ones(2)),
    }


@program
def decorated_with_options(jax):
    jnp = jax.numpy

    @partial(jax.jit, static_argnames=("n",))
    def power(x, n=2):
        return x**n

    @jax.jit
    def with_default(x, scale=3.0, *, shift=1.0):
        """Scales and shifts."""
        return x * scale + shift

    return {
        "default": power(jnp.arange(3.0)),
        "given": power(jnp.arange(3.0), n=3),
        "keyword": with_default(1.0, shift=2.0),
        "positional": with_default(1, 2),
        "name": with_default.__name__,
        "doc": with_default.__doc__,
        "nested": jax.jit(lambda x: power(with_default(x), n=3))(2.0),
        "lowered": jax.jit(lambda x: x + 1).lower(jnp.ones(3)).compile()(jnp.ones(3)),
    }
