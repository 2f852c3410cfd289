"""Steps of random programs whose control flow and positions depend on values: branches, loops, scans, reads and writes.

They add to ``random_programs``.  What decides is a small integer made of a value that all libraries compute exactly;
it may be negative and out of range.
"""

import numpy as np
from hypothesis import strategies as st
from random_programs import one_of

# Functions that keep shape and dtype; "exact" ones do not round.
EXACT = {
    "f": {
        "half": lambda np_, x: x * 0.5,
        "negative": lambda np_, x: -x,
        "abs": lambda np_, x: np_.abs(x),
        "shift": lambda np_, x: x + 0.25,
        "positive part": lambda np_, x: np_.maximum(x, 0),
    },
    "i": {"negative": lambda np_, x: -x, "next": lambda np_, x: x + 1, "parity": lambda np_, x: x & 1},
    "b": {"not": lambda np_, x: ~x, "same": lambda np_, x: x},
    "c": {"negative": lambda np_, x: -x, "conj": lambda np_, x: np_.conj(x), "half": lambda np_, x: x * 0.5},
}
SMOOTH = {
    "f": {
        "sin": lambda np_, x: np_.sin(x),
        "tanh": lambda np_, x: np_.tanh(x) * 2,
        "sqrt": lambda np_, x: np_.sqrt(np_.abs(x)),
        "log1p": lambda np_, x: np_.log1p(np_.abs(x)),
        "quotient": lambda np_, x: x / (1 + x * x),
        "norm": lambda np_, x: x * np_.sqrt(np_.sum(x * x) + 1).astype(x.dtype) * 0.5,
    },
    "c": {"sin": lambda np_, x: np_.sin(x * 0.5)},
}


@st.composite
def function(draw, kind):
    """Name, function of the library and a value, and whether it is exact."""
    smooth = kind in SMOOTH and draw(st.booleans())
    table = SMOOTH[kind] if smooth else EXACT[kind]
    name = draw(one_of(table))
    f = table[name]
    return name, lambda lib, x: f(lib.numpy, x), not smooth


def number(lib, x):
    """An integer from -4 to 5 that depends on all elements of ``x``."""
    total = lib.numpy.sum(x.astype(lib.numpy.float32)) * 2
    return lib.numpy.clip(total, -4, 5).astype(lib.numpy.int32)


def bounded_while(lib, n, f, x):
    """As many steps as ``n`` says, at most three; a loop with a bound, or its equal where there are none."""
    if lib.__name__ == "fungrad":
        return lib.lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, f(lib, s[1])), (0, x), max_steps=3)[1]
    step = lambda c, k: (lib.lax.cond(k < n, lambda c: f(lib, c), lambda c: c, c), None)  # noqa: E731
    return lib.lax.scan(step, x, lib.numpy.arange(3))[0]


@st.composite
def branches_and_loops(draw, x, i, decider):
    (a, f, exact), (b, g, also) = draw(function(x.kind)), draw(function(x.kind))
    reverse, unroll = draw(st.booleans()), draw(st.sampled_from([1, 2]))
    table = {
        "cond": lambda lib, x, d: lib.lax.cond(number(lib, d) > 0, lambda x: f(lib, x), lambda x: g(lib, x), x),
        "captures": lambda lib, x, d: lib.lax.cond(number(lib, d) > 0, lambda: f(lib, x), lambda: g(lib, x)),
        "switch": lambda lib, x, d: lib.lax.switch(
            number(lib, d), [lambda x: f(lib, x), lambda x: x, lambda x: g(lib, x)], x
        ),
        "carry": lambda lib, x, d: lib.lax.scan(lambda c, _: (f(lib, c), None), x, None, length=3, unroll=unroll)[0],
        "steps": lambda lib, x, d: lib.lax.scan(lambda c, _: (f(lib, c), g(lib, c)), x, None, length=2)[1],
        "branch in scan": lambda lib, x, d: lib.lax.scan(
            lambda c, k: (lib.lax.cond(k < number(lib, d), lambda c: f(lib, c), lambda c: g(lib, c), c), None),
            x,
            lib.numpy.arange(3),
            reverse=reverse,
        )[0],
        "fori": lambda lib, x, d: lib.lax.fori_loop(0, 3, lambda k, c: f(lib, c), x),
        "fori of varying length": lambda lib, x, d: lib.lax.fori_loop(
            0, lib.numpy.minimum(number(lib, d), 3), lambda k, c: f(lib, c), lib.lax.stop_gradient(x)
        ),
        "while": lambda lib, x, d: lib.lax.while_loop(
            lambda s: s[0] < number(lib, d), lambda s: (s[0] + 1, f(lib, s[1])), (0, lib.lax.stop_gradient(x))
        )[1],
        "bounded while": lambda lib, x, d: bounded_while(lib, number(lib, d), f, x),
        "nested while": lambda lib, x, d: bounded_while(
            lib, number(lib, d), lambda lib, c: bounded_while(lib, number(lib, d) - 2, f, g(lib, c)), x
        ),
        "checkpoint": lambda lib, x, d: lib.checkpoint(lambda x: g(lib, f(lib, x)))(x),
        "jit of cond": lambda lib, x, d: lib.jit(
            lambda x, n: lib.lax.cond(n > 0, lambda x: f(lib, x), lambda x: g(lib, x), x)
        )(x, number(lib, d)),
    }
    if x.ndim:
        table |= {
            "scan": lambda lib, x, d: lib.lax.scan(
                lambda c, row: (f(lib, c) if x.dtype == bool else f(lib, c) + row, g(lib, c)),
                lib.numpy.zeros(x.shape[1:], x.dtype),
                x,
                reverse=reverse,
            )[reverse],
            "map": lambda lib, x, d: lib.lax.map(lambda row: f(lib, row), x),
            "mapped cond": lambda lib, x, d: lib.vmap(
                lambda row: lib.lax.cond(
                    number(lib, d) + lib.numpy.arange(1)[0] > 0, lambda r: f(lib, r), lambda r: g(lib, r), row
                )
            )(x),
        }
    name = draw(one_of(table))
    return f"{name}({a}, {b})", table[name], (i, decider), exact and also


@st.composite
def positions(draw, x, i, decider):
    """Reads and writes at positions that are values."""
    axis = draw(st.integers(0, x.ndim - 1))
    size, behind = x.shape[axis], x.ndim - 1 - axis
    offsets = np.array(draw(st.lists(st.integers(-3, 3), min_size=2, max_size=4)), np.int32)
    mode = draw(st.sampled_from(["clip", "fill", "wrap"]))
    many = lambda lib, d: number(lib, d) + offsets  # noqa: E731
    mapped = lambda lib, f, d: lib.vmap(f)(many(lib, d))  # noqa: E731
    table = {
        "reads nothing": lambda lib, x, d: x[lib.numpy.zeros(0, lib.numpy.int32)],
        # (JAX forgets the dimensions of the indices where there is nothing to take from)
        "takes nothing": lambda lib, x, d: lib.numpy.take(
            x, lib.numpy.zeros((0, 2) if x.size else 0, lib.numpy.int32), axis=axis
        ),
        "writes nothing": lambda lib, x, d: x.at[lib.numpy.zeros(0, lib.numpy.int32)].set(1),
        "slice": lambda lib, x, d: lib.lax.dynamic_slice_in_dim(x, number(lib, d), max(size - 1, 0), axis),
        "overwritten": lambda lib, x, d: lib.lax.dynamic_update_slice_in_dim(
            x, lib.lax.slice_in_dim(x, 0, max(size - 1, 0), axis=axis), number(lib, d), axis
        ),
        "reversed order": lambda lib, x, d: lib.numpy.take_along_axis(
            x, lib.numpy.broadcast_to((size - 1 - np.arange(size)).reshape(size, *[1] * behind), x.shape), axis
        ),
    }
    if size:
        table |= {
            "take": lambda lib, x, d: lib.numpy.take(x, number(lib, d), axis=axis, mode=mode),
            "takes": lambda lib, x, d: lib.numpy.take(x, many(lib, d), axis=axis, mode=mode),
            "mapped take": lambda lib, x, d: mapped(lib, lambda k: lib.numpy.take(x, k, axis=axis, mode=mode), d),
        }
    if x.shape[0]:
        one = True if x.kind == "b" else 2
        table |= {
            "read": lambda lib, x, d: x[number(lib, d)],
            "reads": lambda lib, x, d: x[many(lib, d)],
            "get": lambda lib, x, d: x.at[many(lib, d)].get(mode="fill", fill_value=0),
            "mapped read": lambda lib, x, d: mapped(lib, lambda k: x[k], d),
            "mapped slice": lambda lib, x, d: mapped(lib, lambda k: lib.lax.dynamic_slice_in_dim(x, k, 1, 0), d),
            "read twice mapped": lambda lib, x, d: mapped(lib, lambda k: lib.vmap(lambda n: x[n])(k + np.arange(2)), d),
            "set": lambda lib, x, d: x.at[number(lib, d)].set(one),
            "set by a row": lambda lib, x, d: x.at[number(lib, d)].set(x[0]),
            "mapped set": lambda lib, x, d: mapped(lib, lambda k: x.at[k].set(one), d),
        }
        if x.kind != "b":
            table |= {
                "add": lambda lib, x, d: x.at[many(lib, d)].add(one),
                "add rows": lambda lib, x, d: x.at[many(lib, d)].add(x[many(lib, d)]),
                "multiply": lambda lib, x, d: x.at[number(lib, d)].multiply(one),
                "mapped add": lambda lib, x, d: mapped(lib, lambda k: x.at[k].add(x[k]), d),
                "written in a loop": lambda lib, x, d: lib.lax.fori_loop(
                    0, 3, lambda k, c: c.at[k + number(lib, d)].set(c[k] + x[0]), x
                ),
            }
    name = draw(one_of(table))
    exact = mode != "fill" or "take" not in name
    return f"{name}[{axis}]", table[name], (i, decider), exact


def steps(x, i, values):
    """The strategies of a next step that depends on values; None if no value can decide."""
    deciders = [j for j, y in enumerate(values) if y.exact and y.kind in "fib"]
    if not deciders:
        return None
    decider = st.sampled_from(deciders)
    found = [decider.flatmap(lambda j: branches_and_loops(x, i, j))]
    if x.ndim and x.size <= 60:
        found.append(decider.flatmap(lambda j: positions(x, i, j)))
    return st.one_of(*found)
