"""While loops over many examples, each with its own number of steps: values, and what they are compiled to."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad as fg
import fungrad.numpy as np_
from fungrad import lax

EACH = "nest while of each"


def data(*shape, seed=0):
    return np_.asarray(np.random.default_rng(seed).uniform(0.1, 3, shape).astype(np.float32))


def steps(f, *args):
    return fg.jit(f).lower(*args).compile().as_text("steps")


def agree(f, *args):
    got = fg.jit(f)(*args)
    with fg.disable_jit():
        expected = f(*args)
    for a, b in zip(fg.tree_util.tree_leaves(got), fg.tree_util.tree_leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    return got


def halved(x, limit):
    """How often ``x`` can be halved, and what is left; a few examples need no step."""
    return lax.while_loop(lambda s: s[1] > limit, lambda s: (s[0] + 1, 0.5 * s[1]), (0, x))


@pytest.mark.parametrize("n", [1, 5, 16, 37, 200])
def test_every_example_has_its_own_number_of_steps(n):
    f = fg.vmap(lambda x: halved(x, 0.3))
    count, left = agree(f, data(n))
    wanted = np.maximum(np.ceil(np.log2(np.asarray(data(n)) / np.float32(0.3))), 0)
    np.testing.assert_array_equal(count, wanted)
    assert (np.asarray(left) <= 0.3).all()
    assert EACH in steps(f, data(n))


def test_no_example_runs():
    f = fg.vmap(lambda x: halved(x, 99.0))
    count, left = agree(f, data(20))
    assert not np.asarray(count).any()
    np.testing.assert_array_equal(left, data(20))


def test_no_examples():
    count, left = fg.jit(fg.vmap(lambda x: halved(x, 0.3)))(np_.zeros((0,)))
    assert count.shape == left.shape == (0,)


@pytest.mark.parametrize("axes", [((0, None), (None, 0)), ((0, 0), (0, 0)), ((None, 0), (0, None))])
def test_two_batches(axes):
    f = fg.vmap(fg.vmap(halved, axes[0]), axes[1])
    rank = [sum(a[k] is not None for a in axes) for k in (0, 1)]
    args = [data(*(9, 21)[2 - r :], seed=k) * 0.2 if r == 1 else data(9, 21) for k, r in enumerate(rank)]
    if axes[1][0] is None:
        args = [data(21), data(9) * 0.1]
    elif axes[1][1] is None:
        args = [data(9), data(21) * 0.1]
    assert EACH in steps(f, *args)
    agree(f, *args)


def test_three_batches_and_tangents():
    f = halved
    for axes in ((0, None), (0, None), (None, 0)):
        f = fg.vmap(f, axes)
    g = lambda x, limit: fg.jvp(lambda x: f(x, limit)[1], (x,), (x,))  # noqa: E731
    args = data(2, 17), data(3) * 0.1
    assert EACH in steps(g, *args)
    agree(g, *args)
    agree(fg.vmap(lambda x, limit: fg.jvp(lambda y: halved(y, limit)[1], (x,), (x,)), (0, None)), data(19), 0.2)


def test_tables_and_other_dtypes():
    table = data(8, seed=3)

    def one(start, flag):
        def go_on(s):
            return (s[0] < 7) & ~s[2]

        def step(s):
            i, total, _ = s
            total = total + table[i].astype(total.dtype)
            return i + 1, total, total > 6

        return lax.while_loop(go_on, step, (start, np_.float64(0.5), flag))

    with fg.enable_x64():
        args = np_.asarray(np.arange(40) % 9), np_.asarray(np.arange(40) % 5 == 0)
        assert EACH in steps(fg.vmap(one), *args)
        agree(fg.vmap(one), *args)


def test_complex_state():
    def one(c):
        return lax.while_loop(lambda s: (s[0] < 20) & (abs(s[1]) < 2), lambda s: (s[0] + 1, s[1] ** 2 + c), (0, c))

    c = np_.asarray((np.linspace(-2, 1, 30) + 0.4j).astype(np.complex64))
    agree(fg.vmap(one), c)


def test_state_of_several_numbers_goes_through_memory():
    def one(x):
        return lax.while_loop(lambda x: x.sum() > 1, lambda x: x * 0.7 + x[::-1] * 0.1, x)

    assert EACH not in steps(fg.vmap(one), data(6, 3))
    agree(fg.vmap(one), data(6, 3))


def test_loop_in_the_loop():
    def one(x):
        def step(s):
            n, x = s
            return n + 1, lax.while_loop(lambda y: y > x / 2, lambda y: y * 0.9, x)

        return lax.while_loop(lambda s: s[1] > 0.2, step, (0, x))

    agree(fg.vmap(one), data(33))


def test_examples_that_meet_in_the_predicate_run_together():
    def f(x):
        return lax.while_loop(lambda x: lax.pmax(x, "i") > 0.5, lambda x: 0.5 * x, x)

    agree(fg.vmap(f, axis_name="i"), data(12))


def test_in_a_scan_and_differentiated():
    def f(x):
        def step(x, _):
            n, y = fg.vmap(lambda x: halved(x, 0.3))(x)
            return y + 1.0, n

        return lax.scan(step, x, None, length=4)

    agree(f, data(18))
    agree(lambda x: fg.jvp(lambda x: f(x)[0], (x,), (x,)), data(18))

    def bounded(x):
        return lax.while_loop(lambda x: x > 0.3, lambda x: 0.5 * x, x, max_steps=6)

    agree(lambda x: fg.grad(lambda x: np_.sum(fg.vmap(bounded)(x) ** 2))(x), data(18))
