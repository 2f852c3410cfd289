"""Small programs of every control-flow function, written once for any library with JAX's names.

As in ``programs.py``: ``name: (function of the library, arguments)``.
"""

import numpy as np


def _x(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 1.5, shape).astype(np.float32)


def nested(lib):
    """A loop in a loop in a loop, each with what the ones around it compute."""
    np_, lax = lib.numpy, lib.lax

    def f(x):
        def outer(i, c):
            def inner(c, a):
                d = lax.cond(np_.sum(c) > 2.0, lambda c: c * 0.5 * a, lambda c: np_.sin(c) + x, c)
                return lax.fori_loop(0, 2, lambda j, d: d * 0.9 + c * j, d), np_.sum(d)

            c, sums = lax.scan(inner, c, x)
            return c + np_.sum(sums) * 0.1

        return lax.fori_loop(0, 3, outer, x)

    return f


def dynamic(lib):
    np_, lax = lib.numpy, lib.lax
    return lambda x: lax.while_loop(
        lambda s: np_.sum(s[1]) < 9.0, lambda s: (s[0] + 1, s[1] * 1.3 + np_.sin(x)), (0, x)
    )[1]


def solve(lib):
    lax = lib.lax

    def f(x):
        def by_diagonal(matvec, b):
            return b / (x + 2.0)

        return lax.custom_linear_solve(lambda v: (x + 2.0) * v, x * x, by_diagonal, by_diagonal)

    return f


def root(lib):
    np_, lax = lib.numpy, lib.lax

    def newton(f, y):
        return lax.fori_loop(0, 12, lambda _, y: y - f(y) / 3.0, y)

    def f(x):
        return lax.custom_root(
            lambda y: y**3 + y - x, np_.ones_like(x), newton, lambda g, y: y / g(np_.ones_like(y))
        )

    return f


def piecewise(lib):
    np_ = lib.numpy
    return lambda x: np_.piecewise(x, [x < 0.6, x > 1.0], [lambda x: x * x, np_.sin, lambda x: 3.0 - x])


REVERSIBLE = {
    "scan": (lambda lib: lambda x: lib.lax.scan(lambda c, a: (lib.numpy.sin(c) * a, c * a), x[0], x), (_x(4),)),
    "scan reverse": (
        lambda lib: lambda x: lib.lax.scan(lambda c, a: (c * a + x, c), x, x, reverse=True, unroll=2),
        (_x(3),),
    ),
    "fori_loop": (lambda lib: lambda x: lib.lax.fori_loop(0, 3, lambda i, c: lib.numpy.sin(c) * x + i, x), (_x(3),)),
    "cond": (
        lambda lib: lambda x: lib.lax.cond(lib.numpy.sum(x) > 2.0, lambda y: y * x, lambda y: lib.numpy.cos(y), x),
        (_x(3),),
    ),
    "switch": (
        lambda lib: lambda x: lib.lax.switch(
            (2 * x[0]).astype("int32"), [lambda y: y * x, lib.numpy.sin, lambda y: 1 / y], x
        ),
        (_x(3),),
    ),
    "map": (lambda lib: lambda x: lib.lax.map(lambda a: lib.numpy.sin(a) * x, x, batch_size=2), (_x(3),)),
    "associative_scan": (
        lambda lib: lambda x: lib.lax.associative_scan(lambda a, b: a * b + 0.1 * a, x, reverse=True),
        (_x(5),),
    ),
    "custom_linear_solve": (solve, (_x(3),)),
    "custom_root": (root, (_x(3),)),
    "vectorize": (
        lambda lib: lambda x: lib.numpy.vectorize(lambda a, b: a * lib.numpy.sum(b), signature="(),(n)->()")(x, x),
        (_x(3),),
    ),
    "piecewise": (piecewise, (_x(5),)),
    "apply_along_axis": (
        lambda lib: lambda x: lib.numpy.apply_along_axis(lambda row: lib.numpy.cumsum(row) * row, 0, x),
        (_x(3, 2),),
    ),
    "nested": (nested, (_x(3),)),
}

# Without a reverse mode in JAX.
FORWARD = {"while_loop": (dynamic, (_x(3),))}

ORDERS = (
    (),
    ("jvp",),
    ("vmap",),
    ("jit",),
    ("checkpoint",),
    ("vmap", "vmap"),
    ("jvp", "vmap", "jit"),
    ("grad",),
    ("grad", "grad"),
    ("jvp", "grad"),
    ("vmap", "grad"),
    ("grad", "vmap", "jit"),
)
CASES = [
    (name, order) for name in (*REVERSIBLE, *FORWARD) for order in ORDERS if name in REVERSIBLE or "grad" not in order
]
