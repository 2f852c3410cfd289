"""Random programs of references in nested loops, branches and transformations against plain Python.

A program is a list of statements on a few references and a value. It runs twice: with the library's references, loops
and branches, and with cells of Python and Python's own control flow.
"""

import random
from types import SimpleNamespace

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

SIMPLE = ("write", "write_one", "write_some", "add", "add_one", "swap", "read", "new")
NESTED = ("jit", "scan", "fori_loop", "while_loop", "cond", "switch", "checkpoint", "vmap", "argument", "grad")


def block(rng, depth):
    kinds = SIMPLE + NESTED * (depth > 0)
    return [
        SimpleNamespace(
            kind=rng.choice(kinds), first=rng.randrange(9), other=rng.randrange(9), at=rng.randrange(-3, 3),
            c=round(rng.uniform(-1, 1), 2), blocks=[block(rng, depth - 1) for _ in range(3)] if depth else [],
        )
        for _ in range(rng.randint(1, 3))
    ]  # fmt: skip


class Cell:
    """What a reference is in Python."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, index):
        return self.value[index]

    def __setitem__(self, index, value):
        self.value = value if index is Ellipsis else self.value.at[index].set(value)


def python_scan(f, carry, xs):
    ys = []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, jnp.stack(ys)


def python_while(condition, body, carry):
    while condition(carry):
        carry = body(carry)
    return carry


def python_fori(low, high, body, carry):
    for i in range(low, high):
        carry = body(i, carry)
    return carry


def python_vmap(f):
    def mapped(cells, xs):
        own = [Cell(v) for v in cells.value]
        out = jnp.stack([f(c, x) for c, x in zip(own, xs, strict=True)])
        cells.value = jnp.stack([c.value for c in own])
        return out

    return mapped


LIBRARY = SimpleNamespace(
    new=fungrad.new_ref, jit=fungrad.jit, checkpoint=fungrad.checkpoint, scan=lax.scan, while_loop=lax.while_loop,
    fori_loop=lax.fori_loop, cond=lax.cond, switch=lax.switch, vmap=fungrad.vmap,
)  # fmt: skip
PYTHON = SimpleNamespace(
    new=Cell, jit=lambda f: f, checkpoint=lambda f: f, scan=python_scan, while_loop=python_while,
    fori_loop=python_fori, cond=lambda p, f, g, x: f(x) if p else g(x), switch=lambda i, fs, x: fs[int(i)](x),
    vmap=python_vmap,
)  # fmt: skip


def run(statements, refs, x, way, reverse):
    """The value after the statements; refs made by them are seen by those that follow."""
    refs = list(refs)
    for s in statements:
        ref, other = refs[s.first % len(refs)], refs[s.other % len(refs)]
        made = [jnp.sin(x), x * s.c, jnp.tanh(x) * other[...], other[...] + x / 2, x[::-1]][s.other % 5]

        def inner(y, b=0, s=s, given=None, refs=refs):
            return run(s.blocks[b], refs if given is None else given, y, way, reverse) * 0.5

        match s.kind:
            case "write":
                ref[...] = made
            case "write_one":
                ref[s.at] = made[0]
            case "write_some":
                ref[jnp.array([0, 2])] = made[1:]
            case "add":
                ref[...] += made
            case "add_one":
                ref[s.at] += made[1]
            case "swap":
                before = ref[...]
                ref[...] = made
                x = x + before
            case "read":
                x = x / 2 + ref[...]
            case "new":
                refs.append(way.new(made))
            case "jit":
                x = way.jit(inner)(x)
            case "scan":
                x, ys = way.scan(lambda c, t, f=inner, r=ref: (f(c + t), r[...]), x, jnp.arange(2.0))
                x = x + ys.sum(0)
            case "fori_loop":
                x = way.fori_loop(0, 2, lambda i, c, f=inner: f(c + i), x)
            case "while_loop" if not reverse:
                count = way.new(jnp.array(0))

                def step(c, f=inner, count=count):
                    count[...] += 1
                    return f(c)

                x = way.while_loop(lambda c, count=count: count[...] < 2, step, x)
            case "cond":
                x = way.cond(x.sum() > s.c, inner, lambda y, f=inner: f(y, 1), x)
            case "switch":
                which = (x[0] > 0).astype(int) + (x[1] > 0)
                x = way.switch(which, [lambda y, f=inner, b=b: f(y, b) for b in range(3)], x)
            case "checkpoint":
                x = way.checkpoint(lambda y, f=inner: f(y, given=[way.new(y * 1.5)]))(x)
            case "vmap":
                rows = way.new(jnp.stack([x, x * 2]))
                x = way.vmap(lambda r, y, f=inner: f(y, given=[r]))(rows, jnp.stack([x, x + 1])).sum(0)
                x = x + rows[...].sum(0)
            case "argument":
                own = way.new(x)
                x = way.jit(lambda r, y, f=inner: f(y, given=[r]))(own, x) + own[...]
            case "grad":
                x = fungrad.grad(lambda y, f=inner: f(y, given=[way.new(y)]).sum())(x)
        x = jnp.clip(x, -3.0, 3.0)
    return x


def outcome(statements, how, way):
    start = jnp.array([0.3, -0.7, 1.1])
    if how in ("eager", "jit"):
        refs = [way.new(jnp.ones(3)), way.new(jnp.arange(3.0))]
        f = (way.jit if how == "jit" else lambda f: f)(lambda x: run(statements, refs, x, way, False))
        return [f(start), f(start / 2), *[r[...] for r in refs]]

    def pure(x):
        refs = [way.new(jnp.ones(3)), way.new(x * 2)]
        return run(statements, refs, x, way, how != "jvp").sum() + sum([r[...].sum() for r in refs])

    if how == "jvp":
        return list(fungrad.jvp(pure, (start,), (jnp.ones(3),)))
    if how == "vmap of grad":
        if way is PYTHON:
            return [jnp.stack([fungrad.grad(pure)(x) for x in (start, start * 2)])]
        return [fungrad.vmap(fungrad.grad(pure))(jnp.stack([start, start * 2]))]
    return [(way.jit if how == "jit of grad" else lambda f: f)(fungrad.grad(pure))(start)]


@pytest.mark.parametrize("seed", [*range(24), *[pytest.param(s, marks=pytest.mark.slow) for s in range(24, 300)]])
def test_programs(seed):
    rng = random.Random(seed)
    statements = block(rng, 2)
    how = rng.choice(["eager", "jit", "jvp", "grad", "jit of grad", "vmap of grad"])
    for got, wanted in zip(outcome(statements, how, LIBRARY), outcome(statements, how, PYTHON), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-3, err_msg=how)


def test_each_branch_uses_references_of_its_own():
    a, b, c = (fungrad.new_ref(jnp.zeros(2)) for _ in range(3))

    def write(ref):
        def branch(x):
            ref[...] = x
            return x

        return branch

    x = jnp.ones(2)
    for run_it in (lambda f: f, fungrad.jit):
        run_it(lambda x: lax.cond(x.sum() > 0, write(a), write(b), x))(x)
        run_it(lambda i, x: lax.switch(i, [write(a), write(b), write(c)], x))(2, 2 * x)
        assert (a[...].tolist(), b[...].tolist(), c[...].tolist()) == ([1, 1], [0, 0], [2, 2])
        a[...] = b[...] = c[...] = jnp.zeros(2)
