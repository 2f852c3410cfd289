"""Native loops and branches: what `ctx.scan`, `ctx.while_loop` and `ctx.cond` make, against plain Python loops.

The primitives here do nothing but call those methods, so that the compiler is tested without the operations built on
it.
"""

from __future__ import annotations

import numpy as np
import pytest

from fungrad import lax
from fungrad.core.array import wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import eval_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.jit.front.program import compile_jaxpr
from fungrad.jit.ir import loops
from fungrad.jit.ir.loop_check import check


def aval_of(x):
    return ShapedArray(x.shape, x.dtype)


def constant(x):
    return wrap(np.asarray(x), aval_of(x))


def run_body(body, args):
    return [np.asarray(x) for x in eval_jaxpr(body, [], *[constant(x) for x in args])]


class Scan(Primitive):
    kind = "higher_order"
    multiple_results = True

    def abstract_eval(self, *avals, body, groups, length, reverse):
        n = groups[1]
        return [*body.out_avals[:n], *[a.update(shape=(length, *a.shape)) for a in body.out_avals[n:]]]

    def lower(self, ctx, *args, body, groups, length, reverse):
        a, b = groups[0], groups[0] + groups[1]
        return ctx.scan(body, args[:a], args[a:b], args[b:], length, reverse)

    def impl(self, *args, body, groups, length, reverse):
        n_consts, n_carry = groups
        consts, carry, xs = args[:n_consts], list(args[n_consts : n_consts + n_carry]), args[n_consts + n_carry :]
        stacked = [np.zeros((length, *a.shape), a.dtype) for a in body.out_avals[n_carry:]]
        for i in range(length)[:: -1 if reverse else 1]:
            out = run_body(body, [*consts, *carry, *[x[i] for x in xs]])
            carry = out[:n_carry]
            for y, value in zip(stacked, out[n_carry:], strict=True):
                y[i] = value
        return [*carry, *stacked]


class While(Primitive):
    kind = "higher_order"
    multiple_results = True

    def abstract_eval(self, *avals, condition, body, groups):
        return body.out_avals

    def lower(self, ctx, *args, condition, body, groups):
        a, b = groups[0], groups[0] + groups[1]
        return ctx.while_loop(condition, args[:a], body, args[a:b], args[b:])

    def impl(self, *args, condition, body, groups):
        a, b = groups[0], groups[0] + groups[1]
        carry = list(args[b:])
        while run_body(condition, [*args[:a], *carry])[0]:
            carry = run_body(body, [*args[a:b], *carry])
        return carry


class Cond(Primitive):
    kind = "higher_order"
    multiple_results = True

    def abstract_eval(self, index, *avals, branches):
        return branches[0].out_avals

    def lower(self, ctx, index, *args, branches):
        return ctx.cond(index, branches, args)

    def impl(self, index, *args, branches):
        return run_body(branches[min(max(int(index), 0), len(branches) - 1)], args)


@pytest.fixture(scope="module")
def control():
    made = {"scan": Scan("scan_"), "while": While("while_"), "cond": Cond("cond_")}
    yield made
    for name in ("scan_", "while_", "cond_"):
        del Primitive.instances[name]


def body_of(fun, *examples):
    """The jaxpr of ``fun`` for operands like ``examples``."""
    jaxpr = trace_flat(lambda *args: list(fun(*args)), [aval_of(x) for x in examples], DebugInfo("body"))
    assert not jaxpr.consts
    return jaxpr


def compare(fun, *arrays, tolerance=1e-5):
    arrays = [np.asarray(x) for x in arrays]
    before = [x.copy() for x in arrays]
    jaxpr = trace_flat(lambda *args: list(fun(*args)), [aval_of(x) for x in arrays], DebugInfo("program"))
    expected = run_body(jaxpr, arrays)
    program = compile_jaxpr(jaxpr)
    check(program.program)
    assert not program.host_steps
    for _ in range(2):
        for g, e in zip(program.run(arrays), expected, strict=True):
            assert g.dtype == e.dtype and g.shape == e.shape
            np.testing.assert_allclose(g, e, rtol=tolerance, atol=tolerance)
    for x, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, b)
    return program


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def kinds(program):
    return [type(s) for s in program.program.steps]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_scan_of_numbers_is_one_nest(control, length, reverse):
    def fun(r, x, xs):
        body = body_of(lambda r, c, x: [lax.mul(lax.mul(r, c), lax.sub(1.0, c)), lax.add(c, x)], r, x, r)
        return control["scan"].bind(r, x, xs, body=body, groups=(1, 1), length=length, reverse=reverse)

    program = compare(fun, np.float32(3.5), np.float32(0.3), normal(length))
    assert loops.Repeat not in kinds(program)


def test_scan_that_swaps_its_carries(control):
    def fun(a, b):
        body = body_of(lambda a, b: [b, a, a], a, b)
        return control["scan"].bind(a, b, body=body, groups=(0, 2), length=5, reverse=False)

    compare(fun, np.float32(1), np.float32(2))
    compare(fun, normal(3), normal(3, seed=1))


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_with_products(control, reverse):
    def fun(w, h, xs):
        def cell(w, h, x):
            h = lax.tanh(lax.add(lax.dot_general(h, w, (((1,), (0,)), ((), ()))), x))
            return [h, h]

        body = body_of(cell, w, h, np.zeros((20, 30), np.float32))
        return control["scan"].bind(w, h, xs, body=body, groups=(1, 1), length=6, reverse=reverse)

    program = compare(fun, 0.1 * normal(30, 30), normal(20, 30, seed=1), normal(6, 20, 30, seed=2), tolerance=1e-4)
    (repeat,) = [s for s in program.program.steps if type(s) is loops.Repeat]
    # The new state goes over the old one: nothing is copied in the loop.
    assert [s for s in repeat.steps if type(s) is loops.Call and s.routine == "copy"] == []


def test_scan_whose_carry_is_read_after_its_successor_is_made(control):
    def fun(x):
        def step(a, b):
            new = lax.mul(lax.add(a, 1.0), 2.0)
            return [new, lax.add(lax.rev(a, (0,)), lax.reduce_sum(new, (0,)))]

        body = body_of(step, x, x)
        return control["scan"].bind(x, lax.exp(x), body=body, groups=(0, 2), length=3, reverse=False)

    compare(fun, normal(5), tolerance=1e-4)


def test_scan_with_an_unchanged_carry_and_a_slice_as_result(control):
    def fun(a, xs):
        body = body_of(lambda a, x: [a, x, lax.add(a, x)], a, np.zeros(4, np.float32))
        return control["scan"].bind(a, xs, body=body, groups=(0, 1), length=3, reverse=True)

    compare(fun, normal(4), normal(3, 4, seed=1))


def test_scan_in_a_scan(control):
    def fun(x, xs):
        inner = body_of(lambda c, x: [lax.add(lax.mul(c, 0.5), x), c], x, np.zeros(3, np.float32))

        def step(c, rows):
            out = control["scan"].bind(c, rows, body=inner, groups=(0, 1), length=4, reverse=False)
            return [lax.sin(out[0]), out[1]]

        body = body_of(step, x, np.zeros((4, 3), np.float32))
        return control["scan"].bind(x, xs, body=body, groups=(0, 1), length=2, reverse=False)

    compare(fun, normal(3), normal(2, 4, 3, seed=1))


@pytest.mark.parametrize("shape", [(), (4,)])
def test_while(control, shape):
    def fun(n, x):
        condition = body_of(lambda n, i, x: [lax.lt(i, n)], n, np.int32(0), x)
        body = body_of(lambda i, x: [lax.add(i, np.int32(1)), lax.mul(x, 1.5)], np.int32(0), x)
        return control["while"].bind(n, lax.mul(n, np.int32(0)), x, condition=condition, body=body, groups=(1, 0))

    for n in (0, 1, 6):
        compare(fun, np.int32(n), normal(*shape) if shape else np.float32(0.7))


@pytest.mark.parametrize("shape", [(), (3, 4)])
@pytest.mark.parametrize("index", [-1, 0, 1, 2, 5])
def test_cond(control, index, shape):
    def fun(i, x):
        branches = tuple(
            body_of(f, x) for f in (lambda x: [lax.neg(x), x], lambda x: [x, x], lambda x: [lax.exp(x), lax.mul(x, x)])
        )
        return control["cond"].bind(i, x, branches=branches)

    compare(fun, np.int32(index), normal(*shape) if shape else np.float32(0.7))


def test_cond_of_cheap_numbers_computes_both(control):
    def fun(i, x):
        branches = (body_of(lambda x: [lax.neg(x)], x), body_of(lambda x: [lax.mul(x, 2.0)], x))
        return control["cond"].bind(i, x, branches=branches)

    program = compare(fun, np.int32(1), np.float32(3))
    assert kinds(program) == [loops.Nest]
