"""Random mapped loops over choices between expensive values give the same results compiled and step by step."""

import numpy as np
import pytest
from random_programs import many

import fungrad
import fungrad.numpy as jnp
from fungrad import lax

SIZES = (1, 3, 16, 17, 64)
LOOPS = ("while", "while", "scan", "fori", "while in scan", "cond in while")
UNARY = (jnp.sin, jnp.tanh, jnp.cos, lambda x: jnp.exp(-x * x), lambda x: jnp.log1p(x * x), lambda x: -x)


def expensive(x, number):
    """A value that costs enough to be put into a branch."""
    for k in range(number):
        x = UNARY[k % 5](x + 0.1 * k)
    return x


def expression(rng, names, depth=2):
    """A random formula of some values, as a function of a dictionary of them."""

    def pick(options):
        return options[rng.integers(len(options))]

    kind = int(rng.integers(9)) if depth else 0
    if kind <= 1:
        name = pick(names)
        return lambda env: env[name]
    a, b, c, d = (expression(rng, names, depth - 1) for _ in range(4))
    if kind == 2:
        f = pick(UNARY)
        return lambda env: f(a(env))
    if kind == 3:
        return lambda env: 0.5 * a(env) * b(env)
    if kind == 4:
        return lambda env: 0.5 * a(env) - 0.25 * b(env)
    number = int(rng.integers(4, 9))
    if kind == 5:
        return lambda env: expensive(a(env), number)
    if kind == 6:
        return lambda env: jnp.where(a(env) > b(env), expensive(c(env), number), d(env))
    if kind == 7:
        return lambda env: lax.cond(a(env) > 0.1, lambda: expensive(b(env), number) + c(env), lambda: d(env))
    choose = pick((2, 3))
    branches = [lambda x: x, lambda x: expensive(x, number), lambda x: x * 0.5 - 0.1][:choose]
    return lambda env: lax.switch(jnp.int32(3 * a(env)), branches, b(env))


def program(rng):
    """A function of a parameter and a state of one example."""
    kind = LOOPS[rng.integers(len(LOOPS))]
    steps = int(rng.integers(1, 6))
    # What does not change in the loop, and may be read in it and after it.
    before = [expression(rng, ["p"]) for _ in range(2)]
    new = [expression(rng, ["p", "q", "r", "x", "y"]) for _ in range(2)]
    after = expression(rng, ["p", "q", "r", "x", "y"])

    def f(p, x):
        fixed = {"p": p, "q": before[0]({"p": p})}
        fixed["r"] = before[1](fixed)

        def body(state):
            env = {**fixed, "x": state[0], "y": state[1]}
            first = jnp.tanh(new[0](env))
            return first, 0.5 * state[1] + 0.4 * jnp.tanh(new[1]({**env, "x": first}))

        def whiles(state, bound):
            def go_on(s):
                return (s[0] < bound) & (s[1][0] > -0.9)

            return lax.while_loop(go_on, lambda s: (s[0] + 1, body(s[1])), (jnp.int32(0), state))[1]

        start = (x, 0.1 * x)
        if kind == "scan":
            state, ys = lax.scan(lambda s, _: (body(s), s[1]), start, None, length=steps)
            state = (state[0], state[1] + 0.1 * ys.sum())
        elif kind == "fori":
            state = lax.fori_loop(0, steps, lambda i, s: body(s), start)
        elif kind == "while in scan":
            state = lax.scan(lambda s, n: (whiles(s, n), None), start, jnp.arange(3))[0]
        elif kind == "cond in while":
            state = lax.cond(p > 0, lambda s: whiles(s, steps), body, start)
        else:
            state = whiles(start, jnp.int32(3 * jnp.abs(x)) + steps)
        return after({**fixed, "x": state[0], "y": state[1]}), state

    return f, kind


def check(seed):
    rng = np.random.default_rng(seed)
    f, kind = program(rng)
    n = SIZES[rng.integers(len(SIZES))]
    dtype = ("float32", "float64")[rng.integers(2)]
    args = [jnp.asarray(rng.uniform(-1.5, 1.5, n), dtype=dtype) for _ in range(2)]
    modes = {"vmap": fungrad.vmap(f)}
    if rng.integers(3) == 0:
        modes["vmap of vmap"] = lambda p, x: fungrad.vmap(fungrad.vmap(f), (0, None))(jnp.stack([p, 0.5 * x, x]), x)
    if kind in ("scan", "fori"):
        modes["vmap grad"] = fungrad.vmap(fungrad.grad(lambda p, x: f(p, x)[0], (0, 1)))
    for name, g in modes.items():
        with fungrad.disable_jit():
            wanted = fungrad.tree.leaves(g(*args))
        tolerance = 1e-9 if dtype == "float64" else 2e-3 if "grad" in name else 2e-4
        for a, b in zip(fungrad.tree.leaves(fungrad.jit(g)(*args)), wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"seed {seed}, {name}, {kind}")


@pytest.mark.parametrize("seed", range(12))
def test_random_mapped_loops(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 100 + many(1400)))
def test_many_random_mapped_loops(seed):
    check(seed)
