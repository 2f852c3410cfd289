"""Work moved out of scans by the compiler: what moves, and that values stay."""

from __future__ import annotations

import numpy as np
import pytest

import fungrad as fg
import fungrad.numpy as np_
from fungrad import lax
from fungrad.jit.passes import run_passes


def data(*shape, seed=0):
    return np_.asarray(np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * 0.3)


def scans(f, *args):
    """The scans of the compiled program, after all passes."""
    jaxpr = run_passes(fg.make_jaxpr(f)(*args))
    return [e for e in jaxpr.eqns if e.primitive.name == "scan"], jaxpr


def names(jaxpr):
    return [e.primitive.name for e in jaxpr.eqns]


def by_steps(f, *args):
    """The result of the interpreter, operation by operation."""
    with fg.disable_jit():
        return f(*args)


def agree(f, *args):
    got, expected = fg.jit(f)(*args), by_steps(f, *args)
    for a, b in zip(fg.tree_util.tree_leaves(got), fg.tree_util.tree_leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def rnn(w, u, b, h, xs):
    def step(h, x):
        h = np_.tanh(x @ w + h @ u + b)
        return h, h

    return lax.scan(step, h, xs)


RNN = (data(32, 16, seed=1), data(16, 16, seed=2), data(16, seed=3), data(8, 16, seed=4), data(7, 8, 32, seed=5))


def test_input_projection_is_one_product():
    (scan,), jaxpr = scans(rnn, *RNN)
    assert names(scan.params["jaxpr"]).count("dot_general") == 1
    products = [e for e in jaxpr.eqns if e.primitive.name == "dot_general"]
    assert [p.outvars[0].aval.shape for p in products] == [(7, 8, 16)]
    agree(rnn, *RNN)


def test_weight_gradients_are_products_after_the_loop():
    def loss(*args):
        return np_.sum(rnn(*args)[1] ** 2)

    grad = fg.grad(loss, (0, 1, 2, 3, 4))
    (_, backward), jaxpr = scans(grad, *RNN)
    body = backward.params["jaxpr"]
    # Only the product with the cotangent of the hidden state stays, and no weight goes round.
    assert names(body).count("dot_general") == 2
    carried = body.out_avals[: backward.params["num_carry"]]
    assert sorted(a.shape for a in carried) == [(8, 16), (16,)]
    agree(grad, *RNN)


@pytest.mark.parametrize("reverse", [False, True])
def test_matrix_times_vector_becomes_one_product(reverse):
    def f(w, h, xs):
        return lax.scan(lambda h, x: (h * 0.5 + w @ x, h), h, xs, reverse=reverse)

    args = data(40, 30), data(40), data(6, 30)
    (scan,), _ = scans(f, *args)
    assert "dot_general" not in names(scan.params["jaxpr"])
    agree(f, *args)
    agree(fg.grad(lambda *a: np_.sum(f(*a)[0] ** 2), (0, 1, 2)), *args)


def test_what_does_not_change_is_computed_before():
    def f(w, h):
        def step(h, _):
            return h @ (np_.exp(w) / np_.sum(np_.exp(w), axis=1, keepdims=True)), None

        return lax.scan(step, h, None, length=5)[0]

    args = data(12, 12), data(3, 12)
    (scan,), _ = scans(f, *args)
    assert set(names(scan.params["jaxpr"])) == {"dot_general"}
    agree(f, *args)


def test_products_with_the_carry_stay():
    def f(w, h, xs):
        return lax.scan(lambda h, x: ((h * x) @ w, None), h, xs)[0]

    args = data(16, 16), data(4, 16), data(5, 4, 16)
    (scan,), _ = scans(f, *args)
    assert "dot_general" in names(scan.params["jaxpr"])
    agree(f, *args)


def test_sum_of_products_beside_other_terms():
    def f(total, xs, ys):
        def step(total, xy):
            x, y = xy
            return total + x.T @ y + np_.sum(x) + (y.T @ x).T, np_.sum(y)

        return lax.scan(step, total, (xs, ys))

    args = data(9, 11), data(6, 4, 9), data(6, 4, 11, seed=1)
    (scan,), jaxpr = scans(f, *args)
    assert "dot_general" not in names(scan.params["jaxpr"])
    assert scan.params["num_carry"] == 1
    assert names(jaxpr).count("dot_general") == 2
    agree(f, *args)


def test_a_total_that_is_read_in_the_loop_stays():
    def f(total, xs):
        def step(total, x):
            total = total + x.T @ x
            return total, total[0, 0]

        return lax.scan(step, total, xs)

    args = data(8, 8), data(6, 3, 8)
    (scan,), _ = scans(f, *args)
    assert names(scan.params["jaxpr"]).count("dot_general") == 1
    agree(f, *args)


def test_total_that_nothing_else_goes_round_with():
    def f(xs):
        return lax.scan(lambda total, x: (total + x.T @ x, None), np_.zeros((8, 8)), xs)[0]

    found, jaxpr = scans(f, data(6, 3, 8))
    assert not found
    assert "dot_general" in names(jaxpr)
    agree(f, data(6, 3, 8))


@pytest.mark.parametrize("length", [0, 1])
def test_short_loops_are_left_alone(length):
    args = (*RNN[:4], data(length, 8, 32))
    (scan,), _ = scans(rnn, *args)
    assert names(scan.params["jaxpr"]).count("dot_general") == 2
    agree(rnn, *args)


def test_large_factors_are_not_stacked():
    def f(total, xs):
        def step(total, x):
            return total + np_.sin(x).T @ np_.cos(x), None

        return lax.scan(step, total, xs)[0]

    args = data(4, 4), data(3, 50, 4)
    (scan,), _ = scans(f, *args)
    assert "dot_general" in names(scan.params["jaxpr"])
    agree(f, *args)


def test_nested_scans():
    def f(w, xs):
        def outer(total, x):
            def inner(h, row):
                return np_.tanh(row @ w + h), None

            return total + lax.scan(inner, np_.zeros(32), x)[0], None

        return lax.scan(outer, np_.zeros(32), xs)[0]

    args = data(64, 32), data(4, 5, 64)
    agree(f, *args)
    agree(fg.grad(lambda *a: np_.sum(f(*a) ** 2), (0, 1)), *args)


def test_under_vmap_and_second_derivatives():
    def loss(w, h, xs):
        return np_.sum(lax.scan(lambda h, x: (np_.tanh(x @ w + h), h), h, xs)[1] ** 2)

    args = data(40, 30), data(3, 30), data(5, 3, 40)
    many = data(2, 5, 3, 40, seed=9)
    agree(lambda w, h, xs: fg.vmap(fg.grad(loss), (None, None, 0))(w, h, xs), *args[:2], many)
    v = data(40, 30, seed=7)
    agree(lambda w, h, xs: fg.jvp(lambda w: fg.grad(loss)(w, h, xs), (w,), (v,))[1], *args)


def test_effects_stay_in_the_loop(capsys):
    def f(w, h):
        def step(h, _):
            fg.debug.print("{}", w[0, 0])
            return h @ w, None

        return lax.scan(step, h, None, length=3)[0]

    fg.jit(f)(np_.eye(20), data(3, 20))
    assert capsys.readouterr().out == "1.0\n" * 3


def test_passes_are_settled():
    jaxpr = run_passes(fg.make_jaxpr(fg.grad(lambda *a: np_.sum(rnn(*a)[1])))(*RNN))
    assert run_passes(jaxpr) is jaxpr


def test_transposed_matrix_is_made_once():
    def f(w, h):
        return lax.scan(lambda h, _: (np_.tanh(h @ w.T), None), h, None, length=4)[0]

    args = data(32, 32), data(8, 32)
    (scan,), jaxpr = scans(f, *args)
    assert names(scan.params["jaxpr"]) == ["dot_general", "tanh"]
    assert "transpose" in names(jaxpr)
    agree(f, *args)


def test_cheap_residuals_are_not_stacked():
    def loss(w, h):
        def step(h, _):
            h = np_.tanh(h * w)
            return h, h

        return np_.sum(lax.scan(step, h, None, length=6)[1])

    # The derivative of tanh is made of its result, which is stacked anyway.
    grad = fg.grad(loss, (0, 1))
    (forward, _), _ = scans(grad, data(5), data(5))
    stacked = forward.params["jaxpr"].out_avals[1:]
    assert len(stacked) == 2  # the result, and the old carry
    agree(grad, data(5), data(5))


def test_scanned_operands_are_not_copied_as_residuals():
    def loss(w, h, xs):
        return np_.sum(lax.scan(lambda h, x: (np_.sin(h) * w * x, None), h, xs)[0])

    grad = fg.grad(loss, (0, 1))
    (forward, backward), jaxpr = scans(grad, data(5), data(5), data(6, 5))
    stacked = forward.params["jaxpr"].out_avals[forward.params["num_carry"] :]
    assert len(stacked) == 2  # a sine and a cosine
    assert jaxpr.invars[2] in backward.invars
    agree(grad, data(5), data(5), data(6, 5))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("unroll", [1, 2, 3, 6, 7, 9, True])
def test_unrolled_scans(unroll, reverse):
    def f(a, h, xs):
        def step(h, x):
            h = np_.sin(h) * a + x["p"]
            return h, (h * 2, x["q"])

        return lax.scan(step, h, xs, reverse=reverse, unroll=unroll)

    args = data(3), data(3, seed=1), {"p": data(7, 3, seed=2), "q": data(7, seed=3)}
    found, _ = scans(f, *args)
    lengths = [s.params["length"] for s in found]
    expected = {1: [7], 2: [3], 3: [2]}
    assert lengths == ([] if unroll is True else expected.get(unroll, []))
    agree(f, *args)
    agree(fg.grad(lambda *a: np_.sum(f(*a)[1][0] ** 2), (0, 1, 2)), *args)


def test_unrolled_fori_loop():
    def f(x):
        return lax.fori_loop(0, 10, lambda i, x: x * 0.5 + i, x, unroll=4)

    (scan,), _ = scans(f, data())
    assert scan.params["length"] == 2
    agree(f, data())


def test_memory_of_a_gradient():
    """Bytes per step, in arrays of the size of the carry."""

    def per_step(grad, args):
        sizes = [fg.jit(grad).lower(*args(n)).compile().memory_analysis().temp_size_in_bytes for n in (100, 200)]
        return (sizes[1] - sizes[0]) / 100

    def rnn_loss(*args):
        return np_.sum(rnn(*args)[1] ** 2)

    # The projections of the inputs, the results, the old states, and the cotangents for the weights.
    rnn_args = lambda n: (*RNN[:4], data(n, 8, 32))  # noqa: E731
    assert per_step(fg.grad(rnn_loss, (0, 1, 2)), rnn_args) == 4 * 8 * 16 * 4

    def chain(step):
        return fg.grad(lambda w, h, xs: np_.sum(lax.scan(step(w), h, xs)[0]), (0, 1))

    plain = lambda w: lambda h, x: (np_.sin(h) * w + x, None)  # noqa: E731
    chain_args = lambda n: (data(64), data(64), data(n, 64))  # noqa: E731
    assert per_step(chain(plain), chain_args) == 2 * 64 * 4
    assert per_step(chain(lambda w: fg.checkpoint(plain(w))), chain_args) == 64 * 4
