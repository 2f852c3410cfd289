"""Random programs of nested loops and branches give the same results as with JAX, under every transformation."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from random_programs import many

import fungrad

pytestmark = pytest.mark.parity
jax = pytest.importorskip("jax")

SHAPES = [(), (3,), (2, 2), (11,)]
SIMPLE = ("sin", "mix", "tanh mul", "where", "mean", "closed", "flip", "set", "dot", "swap")


# A program is a list of statements `(operation, a, b, extra)` that change variables 0 and 1, in terms of each other.
@st.composite
def bodies(draw, depth, differentiable):
    nested = ["scan", "fori", "cond"] + ([] if differentiable else ["while"])
    names = st.sampled_from(SIMPLE if depth == 0 else SIMPLE + tuple(nested) * 2)
    statements = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(names)
        extra = None
        if name in nested:
            extra = (
                draw(st.integers(0, 4)),
                draw(st.booleans()),
                draw(bodies(depth - 1, differentiable)),
                draw(bodies(depth - 1, differentiable)) if name == "cond" else None,
            )
        statements.append((name, draw(st.integers(0, 1)), draw(st.integers(0, 1)), extra))
    return statements


@st.composite
def programs(draw):
    differentiable = draw(st.booleans())
    kinds = ["scan", "fori"] + ([] if differentiable else ["while"])
    extra = (draw(st.integers(0, 5)), draw(st.booleans()), draw(bodies(2, differentiable)), None)
    return draw(st.sampled_from(SHAPES)), differentiable, [(draw(st.sampled_from(kinds)), 0, 1, extra)]


def simple(lib, name, a, b, w, i):
    np_ = lib.numpy
    if name == "sin":
        return np_.sin(a) + 0.5 * b
    if name == "mix":
        return 0.5 * a - 0.25 * b + 0.1
    if name == "tanh mul":
        return np_.tanh(a * b)
    if name == "where":
        return np_.where(a > b, a, 0.3 * b)
    if name == "mean":
        return 0.5 * a + np_.mean(np_.sin(b))
    if name == "closed":
        return w * np_.cos(a)
    if name == "flip":
        return np_.flip(b) if np_.ndim(b) else -b
    if name == "set":
        return a.at[i % a.shape[0]].set(np_.tanh(b[0])) if np_.ndim(a) else a
    return np_.tanh(np_.dot(b, a)) + 0.1 * a if np_.ndim(a) == 2 else 0.1 * np_.dot(a, b) + 0.2 * a


def run(lib, statements, state, w, i):
    """The variables after the statements; `i` is the counter of the loop around."""
    lax = lib.lax
    state = list(state)
    for name, k, j, extra in statements:
        if extra is None:
            if name == "swap":
                state = state[::-1]
            else:
                state[k] = simple(lib, name, state[k], state[j], w, i)
            continue
        length, reverse, body, other = extra
        if name == "scan":
            steps = lib.numpy.arange(length) if reverse else None

            def step(s, n, body=body):
                s = run(lib, body, s, w, i if n is None else n)
                return s, s[0]

            state, ys = lax.scan(step, tuple(state), steps, length=length, reverse=reverse)
            state = [state[0], 0.5 * state[1] + 0.1 * lib.numpy.sum(ys)]
        elif name == "fori":
            state = lax.fori_loop(0, length, lambda n, s, body=body: run(lib, body, s, w, n), tuple(state))
        elif name == "while":

            def go_on(s, length=length):
                return (s[0] < length) & (lib.numpy.sum(lib.numpy.abs(s[1][0])) < 9.0)

            def turn(s, body=body):
                return s[0] + 1, run(lib, body, s[1], w, s[0])

            state = lax.while_loop(go_on, turn, (0, tuple(state)))[1]
        else:
            state = lax.cond(
                lib.numpy.mean(state[k]) > 0.05,
                lambda s, body=body: run(lib, body, s, w, i),
                lambda s, other=other: run(lib, other, s, w, i),
                tuple(state),
            )
        state = list(state)
    return tuple(state)


def modes(lib, program):
    """Functions of ``(x, y, w)`` by name."""
    _, differentiable, statements = program

    def f(x, y, w):
        return run(lib, statements, (x, y), w, 0)

    def loss(x, y, w):
        a, b = f(x, y, w)
        return lib.numpy.sum(a) + lib.numpy.sum(b * b)

    def push(g):
        return lambda *args: lib.jvp(g, args, tuple([0.5 * lib.numpy.ones_like(x) for x in args]))[1]

    def mapped(g):
        return lambda *args: lib.vmap(g, (0, 0, None))(*[lib.numpy.stack([x, -0.5 * x]) for x in args[:2]], args[2])

    found = {"plain": f, "jvp": push(f), "vmap": mapped(f), "vmap jvp": mapped(push(f))}
    if differentiable:
        grad = lib.grad(loss, (0, 1, 2))
        total = lib.grad(lambda *args: lib.numpy.sum(mapped(loss)(*args)), (0, 1, 2))
        found |= {"grad": grad, "vmap grad": mapped(grad), "grad vmap": total, "jvp grad": push(grad)}
        found["grad jit"] = lib.grad(lambda *args: lib.jit(loss)(*args), (0, 1, 2))
    return found


def leaves(tree):
    return [np.asarray(x) for x in fungrad.tree_util.tree_leaves(tree)]


def check(program, seed):
    rng = np.random.default_rng(seed)
    values = [rng.uniform(-1, 1, program[0]).astype(np.float32) for _ in range(3)]
    ours, theirs = modes(fungrad, program), modes(jax, program)
    expected = jax.jit(lambda *args: {name: f(*args) for name, f in theirs.items()})(*map(jax.numpy.asarray, values))
    for name, f in ours.items():
        got = fungrad.jit(f)(*map(fungrad.numpy.asarray, values))
        for a, b in zip(leaves(got), leaves(expected[name]), strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape, name
            size = 1 + np.max(np.abs(b), initial=0)
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * size, err_msg=name)


@hypothesis.settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(program=programs(), seed=st.integers(0, 99))
def test_random_loops(program, seed):
    check(program, seed)


@pytest.mark.slow
@hypothesis.settings(max_examples=many(500), deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(program=programs(), seed=st.integers(0, 999))
def test_many_random_loops(program, seed):
    check(program, seed)
