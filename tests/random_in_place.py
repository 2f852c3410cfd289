"""Random loops that read and write parts of the arrays they carry.

A program is a list of statements on a few arrays; `function` makes a function of it for a library, ours or JAX. What
is read is what the arrays hold at that point of the step, or what they held at its beginning, so that a write in place
that comes too early changes results. Numbers are small integers where the dtype allows, so that results are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LENGTHS = (1, 2, 3, 5)
VECTORS = ((2,), (7,), (40,), (300,))
MATRICES = ((2, 3), (5, 2), (9, 6), (40, 5))
DTYPES = ("float32", "float32", "int32", "complex64", "float16", "float64")
LOOPS = ("fori", "scan", "scan back", "while", "nested")

# A write, and from where: positions may be traced, static, from another array, negative or out of range.
WRITES = (
    "set",
    "add",
    "mul",
    "max",
    "dus",
    "rows",
    "column",
    "slice",
    "many",
    "whole",
    "mask",
    "swap",
    "cond",
    "inner",
)
READS = ("element", "element", "row", "column", "dslice", "sum", "gather", "static", "max", "scalar")

# For programs in which old values are read where new ones have been written: writes that add to or replace elements,
# in choices and inner loops more often than not, and reads at the same positions, or of many elements.
RISKY_WRITES = ("set", "add", "rows", "column", "slice", "swap", "many", "whole")
RISKY_READS = ("element", "element", "element", "row", "sum", "gather", "dslice")
HAZARDS = ("copy", "shift", "mutual", "later")
RISKY_SHAPES = ((12,), (30,), (6, 3), (7, 4))


def program(rng: np.random.Generator, statements: int = 4) -> dict[str, Any]:
    """A random program: dtype, shapes, kind of loop and statements."""

    def pick(options):
        return options[rng.integers(len(options))]

    n = int(rng.integers(1, 4))
    shapes = [pick(VECTORS if rng.integers(2) else MATRICES)] * n
    if rng.integers(3) == 0:
        shapes = [pick(VECTORS + MATRICES) for _ in range(n)]

    def position():
        return (pick(("step", "step", "data", "static", "back", "far")), int(rng.integers(-4, 5)))

    def read():
        return (pick(READS), int(rng.integers(n)), bool(rng.integers(3)), position(), position())

    def statement(depth=0):
        kind = pick(WRITES if depth == 0 else WRITES[:-2])
        inner = [statement(depth + 1) for _ in range(rng.integers(1, 3))] if kind in ("cond", "inner") else []
        other = [statement(depth + 1) for _ in range(rng.integers(0, 2))] if kind == "cond" else []
        return (
            kind,
            int(rng.integers(n)),
            position(),
            position(),
            [read() for _ in range(rng.integers(1, 3))],
            inner,
            other,
        )

    return {
        "dtype": pick(DTYPES),
        "shapes": shapes,
        "loop": pick(LOOPS),
        "length": pick(LENGTHS),
        "body": [statement() for _ in range(rng.integers(1, statements + 1))],
        "result": read(),
    }


def risky_program(rng: np.random.Generator, hazard: str) -> dict[str, Any]:
    """A random program in which nearly every write meets reads of what it replaces.

    Arrays have one shape, and the same few positions are read and written; numbers are real, so that no wrong one is
    right by chance. What is read comes from before the step, before the write, and after it.

    Args:
      hazard: what the program has for certain: one of `HAZARDS`.
    """

    def pick(options):
        return options[rng.integers(len(options))]

    shapes = [pick(RISKY_SHAPES)] * 2
    positions = [(pick(("step", "data", "back")), 1), (pick(("step", "data", "back")), pick((0, 2)))]

    def read(k=None, fresh=None):
        k = int(rng.integers(2)) if k is None else k
        return (pick(RISKY_READS), k, bool(rng.integers(2)) if fresh is None else fresh, pick(positions), positions[0])

    def write(k=None, reads=(), kinds=RISKY_WRITES):
        k = int(rng.integers(2)) if k is None else k
        return (pick(kinds), k, pick(positions), positions[0], list(reads) or [read(), read()], [], [])

    def nest(kind, inner, other=()):
        return (kind, 0, pick(positions), positions[0], [read()], list(inner), list(other))

    def statement(depth=0):
        if rng.integers(depth + 2) or depth == 3:
            return write()
        other = [statement(depth + 1) for _ in range(rng.integers(3))]
        return nest(pick(("cond", "cond", "inner")), [statement(depth + 1) for _ in range(rng.integers(1, 3))], other)

    spot = positions[0]

    def old(k):
        return (pick(("element", "row")), k, False, spot, spot)

    def change(k, *reads):
        return (pick(("set", "add", "rows")), k, spot, spot, reads or [read()], [], [])

    def moved(k):
        return (pick(("slice", "swap")), k, positions[1], spot, [read()], [], [])

    k = int(rng.integers(2))
    o = 1 - k
    before, after = ([statement() for _ in range(rng.integers(3) // 2)] for _ in range(2))
    if hazard == "copy":
        # An inner loop carries one array along unchanged; then that is changed, and then its old values are read.
        core = [nest("inner", [write(o)]), change(k), change(o, old(k))]
        before = []
    elif hazard == "shift":
        # Both branches move many elements of an array to where others are read.
        core = [nest("cond", [moved(k)], [moved(k)])]
    elif hazard == "mutual":
        # Both branches write two arrays, each from old values of the other.
        core = [nest("cond", [change(k, old(o)), change(o, old(k))], [change(o, old(k)), change(k, old(o))])]
        before = after = []
    elif hazard == "later":
        # What one branch reads, and what is read after the choice, is the array before it.
        core = [nest("cond", [change(k), change(o, old(k))], [change(k)]), change(o, old(k))]
    else:
        raise ValueError(hazard)
    return {
        "dtype": "float64",
        "real": True,
        "shapes": shapes,
        "loop": pick(("fori", "scan", "while", "nested")),
        "length": pick((2, 3)),
        "body": [*before, *core, *after],
        "result": read(),
    }


def inputs(chosen: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray]:
    """Arrays for a program, and the positions that it takes from data."""
    if chosen.get("real"):
        arrays = [rng.normal(size=s).astype(chosen["dtype"]) for s in chosen["shapes"]]
    else:
        arrays = [np.asarray(rng.integers(-3, 4, s)).astype(chosen["dtype"]) for s in chosen["shapes"]]
    low, high = (0, 6) if chosen.get("real") else (-9, 9)
    return [*arrays, rng.integers(low, high, 8).astype(np.int32)]


def function(lib: Any, chosen: dict[str, Any]) -> Any:
    """The function of a program for a library: arrays to arrays after the loop, and what each step returned."""
    jnp, lax = lib.numpy, lib.lax
    length = chosen["length"]

    def place(p, i, data):
        kind, c = p
        if kind == "static":
            return c
        if kind == "data":
            return data[(i + c) % 8]
        return {"step": i + c, "back": -i + c, "far": 3 * i + c}[kind]

    def index(p, i, data, size):
        """A position; static ones must be in range."""
        return p[1] % size if p[0] == "static" else place(p, jnp.asarray(i, "int32"), data)

    def read(r, old, now, i, data):
        """A number, or a row of the last dimension."""
        kind, k, fresh, p, q = r
        x = (now if fresh else old)[k]
        at = jnp.asarray(index(p, i, data, x.shape[0]))
        if kind == "scalar":
            return jnp.asarray(i, x.dtype)
        if kind == "row":
            return x[at]
        if kind == "column":
            return x[:, index(q, i, data, x.shape[1])][: x.shape[-1]].sum() if x.ndim == 2 else x[at]
        if kind == "dslice":
            size = [max(1, s // 2) for s in x.shape]
            return lax.dynamic_slice(x, [at] + [at * 0] * (x.ndim - 1), size).sum()
        if kind == "sum":
            return x.sum()
        if kind == "gather":
            return jnp.take(x, (jnp.arange(3) * 2 + at), axis=0, mode="clip").sum(0)
        if kind == "static":
            return x[-1] - x[0]
        row = x[at] if x.ndim == 2 else x[: x.shape[0] // 2 + 1]
        if kind == "max":
            return jnp.where(jnp.real(row.sum()) > 0, row[0], row[-1])
        return row[index(q, i, data, x.shape[1])] if x.ndim == 2 else x[at]

    def fitted(v, shape):
        """A number or row made to broadcast to a shape."""
        return v if jnp.ndim(v) == 0 or (shape and v.shape == tuple(shape[-1:])) else v.sum()

    def bounded(x):
        """Keeps numbers small: whole ones in the range of a remainder."""
        if x.dtype.kind == "c":
            return x - 8 * jnp.round(x / 8)
        return x % 7 if x.dtype.kind == "i" else x - 8 * jnp.round(x / 8)

    def write(s, old, now, i, data):
        kind, k, p, q, reads, inner, other = s
        now = list(now)
        x = now[k]
        at = jnp.asarray(index(p, i, data, x.shape[0]))
        total = sum(bounded(fitted(read(r, old, now, i, data), ())).astype(x.dtype) for r in reads)
        rows = sum(fitted(read(r, old, now, i, data), x.shape[1:]).astype(x.dtype) for r in reads)
        total, rows = bounded(total), bounded(rows)
        if kind in ("set", "add", "mul", "max"):
            kind = "set" if kind == "max" and x.dtype.kind == "c" else kind
            # A product with a small number stays small.
            value = jnp.sign(jnp.real(total)).astype(x.dtype) if kind == "mul" else total
            where = (at, index(q, i, data, x.shape[1])) if x.ndim == 2 else at
            now[k] = getattr(x.at[where], {"mul": "multiply"}.get(kind, kind))(value)
        elif kind == "dus":
            size = [max(1, s // 2) for s in x.shape]
            now[k] = lax.dynamic_update_slice(
                x,
                jnp.broadcast_to(rows, size) if jnp.ndim(rows) == 0 else jnp.broadcast_to(total, size),
                [at] + [at * 0] * (x.ndim - 1),
            )
        elif kind == "rows":
            now[k] = x.at[at].set(rows)
        elif kind == "column":
            now[k] = x.at[:, index(q, i, data, x.shape[1])].add(total) if x.ndim == 2 else x.at[at].add(total)
        elif kind == "slice":
            low = abs(q[1]) % x.shape[0]
            now[k] = x.at[low:].set(x[: x.shape[0] - low] + total)
        elif kind == "many":
            now[k] = x.at[(jnp.arange(4) * 2 + at) % (x.shape[0] + 1)].add(rows)
        elif kind == "whole":
            now[k] = bounded(x + total)
        elif kind == "mask":
            now[k] = jnp.where(jnp.real(x) > 1, total, x)
        elif kind == "swap":
            b = index(q, i, data, x.shape[0])
            now[k] = x.at[at].set(x[b]).at[b].set(x[at])
        elif kind == "cond":
            flag = jnp.real(total) > 0

            def run(statements):
                return lambda: tuple(steps(statements, old, now, i, data))

            now = list(lax.cond(flag, run(inner), run(other)))
        else:
            now = list(lax.fori_loop(0, 3, lambda j, c: tuple(steps(inner, old, c, i + j, data)), tuple(now)))
        return now

    def steps(statements, old, now, i, data):
        now = list(now)
        for s in statements:
            now = write(s, old, now, i, data)
        return now

    def step(c, i, data):
        new = steps(chosen["body"], c, c, i, data)
        return tuple(new), read(chosen["result"], c, new, i, data)

    def f(*args):
        c, data = tuple(args[:-1]), args[-1]
        kind = chosen["loop"]
        if kind == "fori":
            return lax.fori_loop(0, length, lambda i, c: step(c, i, data)[0], c)
        if kind == "while":
            return lax.while_loop(lambda s: s[0] < length, lambda s: (s[0] + 1, step(s[1], s[0], data)[0]), (0, c))
        if kind == "nested":

            def outer(k, c):
                return lax.scan(lambda c, i: step(c, i + k, data), c, jnp.arange(length))[0]

            return lax.fori_loop(0, 2, outer, c)
        return lax.scan(lambda c, i: step(c, i, data), c, jnp.arange(length), reverse=kind == "scan back")

    return f
