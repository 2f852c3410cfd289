"""Compiled programs against the interpreter of jaxprs, and the loops that fusion makes of known patterns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import fungrad
from fungrad import lax, numpy as jnp
from fungrad.core.array import wrap
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.jit.formulas.lowering import Graph, Lowerer
from fungrad.jit.front.load import load
from fungrad.jit.front.program import CompiledProgram, compile_jaxpr
from fungrad.jit.fusion.build import build_program
from fungrad.jit.ir import loops
from fungrad.jit.ir.loop_check import check


def trace(fun, *arrays) -> Jaxpr:
    def flat(*args):
        out = fun(*args)
        return list(out) if isinstance(out, (list, tuple)) else [out]

    avals = [ShapedArray(x.shape, x.dtype) for x in arrays]
    return trace_flat(flat, avals, DebugInfo("program"))


def constant(x):
    """An array of exactly the dtype of ``x``: conversion would narrow it."""
    return wrap(x, ShapedArray(x.shape, x.dtype))


def compare(fun, *arrays, tolerance: float = 1e-5) -> CompiledProgram:
    """Compiles ``fun`` and compares its results with eager ones; returns the program."""
    arrays = [np.asarray(x) for x in arrays]
    before = [x.copy() for x in arrays]
    jaxpr = trace(fun, *arrays)
    program = compile_jaxpr(jaxpr)
    check(program.program)
    expected = [np.asarray(x) for x in eval_jaxpr(jaxpr, jaxpr.consts, *[constant(x) for x in arrays])]
    for _ in range(2):  # the second run finds used memory
        got = program.run(arrays)
        for g, e in zip(got, expected, strict=True):
            assert g.dtype == e.dtype and g.shape == e.shape
            if e.dtype.kind in "fc":
                scale = max(1.0, float(np.max(np.abs(e), initial=0.0, where=np.isfinite(e))))
                np.testing.assert_allclose(g, e, rtol=tolerance, atol=tolerance * scale)
            else:
                np.testing.assert_array_equal(g, e)
    for x, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(x, b)
    return program


def rows(x, like):
    return lax.broadcast_in_dim(x, like.shape, tuple(range(len(like.shape) - 1)))


def softmax(x):
    e = lax.exp(lax.sub(x, rows(lax.reduce_max(x, (1,)), x)))
    return lax.div(e, rows(lax.reduce_sum(e, (1,)), x))


def log_softmax(x):
    d = lax.sub(x, rows(lax.reduce_max(x, (1,)), x))
    return lax.sub(d, rows(lax.log(lax.reduce_sum(lax.exp(d), (1,))), x))


def layer_norm(x, scale, shift):
    n = float(x.shape[1])
    d = lax.sub(x, rows(lax.div(lax.reduce_sum(x, (1,)), n), x))
    variance = lax.div(lax.reduce_sum(lax.mul(d, d), (1,)), n)
    y = lax.mul(d, rows(lax.rsqrt(lax.add(variance, 1e-5)), x))
    wide = lax.broadcast_in_dim(scale, x.shape, (1,))
    return lax.add(lax.mul(y, wide), lax.broadcast_in_dim(shift, x.shape, (1,)))


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def nests(program: CompiledProgram) -> list[loops.Nest]:
    assert all(type(s) in (loops.Nest, loops.Call) for s in program.program.steps), program.text()
    return [s for s in program.program.steps if type(s) is loops.Nest]


# -- the loops of known patterns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 7), (6, 1), (64, 100)])
@pytest.mark.parametrize("fun", [softmax, log_softmax])
def test_softmax_is_one_loop_over_rows(fun, shape):
    program = compare(fun, normal(*shape))
    assert len(nests(program)) == 1
    assert len([s for s in nests(program)[0].body if type(s) is loops.Loop]) <= 1


def test_softmax_of_one_row():
    compare(softmax, normal(1, 4))


def test_layer_norm_is_one_loop_over_rows():
    program = compare(layer_norm, normal(6, 50), normal(50, seed=1), normal(50, seed=2))
    assert len(nests(program)) == 1
    # The centred values are cheap: they are computed again rather than stored.
    assert not [b for b in program.program.buffers.values() if b.kind == "temp"]


def test_elementwise_chain_is_one_nest_without_temporaries():
    def fun(x, y):
        z = lax.add(lax.mul(x, y), lax.exp(lax.neg(x)))
        return lax.tanh(z), lax.sub(z, y)

    program = compare(fun, normal(30, 20), normal(30, 20, seed=1))
    assert len(nests(program)) == 1
    assert program.memory_analysis().temp_size_in_bytes == 0


def test_sums_over_rows_columns_and_everything_share_a_nest():
    def fun(x):
        s = lax.mul(x, x)
        return lax.reduce_sum(s, (0,)), lax.reduce_sum(s, (1,)), lax.reduce_sum(s, (0, 1)), lax.exp(x)

    assert len(nests(compare(fun, normal(40, 30)))) == 1


def test_reductions_of_reductions_stay_in_order():
    def fun(x):
        total = lax.reduce_sum(x, (0, 1))
        return lax.reduce_max(lax.mul(x, lax.broadcast_in_dim(total, x.shape, ())), (0,))

    compare(fun, normal(4, 9))


def test_transposes_reach_the_product_as_strides():
    def fun(x, y):
        return lax.dot_general(lax.transpose(x, (1, 0)), lax.transpose(y, (1, 0)), (((1,), (0,)), ((), ())))

    program = compare(fun, normal(30, 40), normal(50, 30, seed=1), tolerance=1e-4)
    assert [type(s) for s in program.program.steps] == [loops.Call]


def test_what_follows_a_product_is_computed_in_its_memory():
    def fun(x, y, b):
        h = lax.dot_general(x, y, (((1,), (0,)), ((), ())))
        return lax.tanh(lax.add(h, lax.broadcast_in_dim(b, h.shape, (1,))))

    program = compare(fun, normal(30, 40), normal(40, 50, seed=1), normal(50, seed=2), tolerance=1e-4)
    assert program.memory_analysis().temp_size_in_bytes == 0


def test_results_that_are_inputs_are_the_same_arrays():
    x = normal(3)
    program = compile_jaxpr(trace(lambda x: [x, lax.neg(x), x], x))
    a, b, c = program.run([x])
    assert a is x and c is x
    np.testing.assert_array_equal(b, -x)


def test_equal_results_are_computed_once():
    x = normal(3)
    a, b = compile_jaxpr(trace(lambda x: [lax.exp(x), lax.exp(x)], x)).run([x])
    assert a is b


def test_donated_memory_becomes_the_result():
    x, y = normal(3, 4), normal(3, 4, seed=1)
    jaxpr = trace(lambda x, y: lax.add(lax.mul(x, 2.0), y), x, y)
    expected = x * 2 + y
    (out,) = compile_jaxpr(jaxpr, donated=(True, False)).run([x, y])
    assert np.shares_memory(out, x) and not np.shares_memory(out, y)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_donated_memory_is_left_alone_while_it_is_read_elsewhere():
    x = normal(3, 3)
    expected = x + x.T
    (out,) = compile_jaxpr(trace(lambda x: lax.add(x, lax.transpose(x, (1, 0))), x), donated=(True,)).run([x])
    np.testing.assert_allclose(out, expected)


def test_unsupported_types_run_as_visible_host_steps():
    x = (normal(3) + 1j * normal(3, seed=1)).astype(np.complex64)
    jaxpr = trace(lambda x: lax.exp(x), x)
    program = compile_jaxpr(jaxpr)
    np.testing.assert_allclose(program.run([x])[0], np.exp(x), rtol=1e-5)
    assert set(program.host_steps) <= {"exp"}
    assert all(name in program.text("steps") for name in program.host_steps)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), ()])
def test_sizes_zero_and_one(shape):
    def fun(x):
        out = [lax.exp(x), lax.reduce_sum(x, tuple(range(len(shape)))), lax.reshape(x, (x.size, 1))]
        return out + [lax.cumsum(x, d) for d in range(len(shape))] + [lax.rev(x, tuple(range(len(shape))))]

    compare(fun, normal(*shape) if shape else np.float32(0.5))


def test_texts_and_analyses():
    program = compare(softmax, normal(4, 5))
    assert "exp" in program.text("jaxpr") and "-- cse" in program.text("passes")
    assert "for i1 in 0..4" in program.text("steps")
    assert "define" in program.text("llvm") and program.text("asm")
    assert program.cost_analysis()["flops"] >= 4 * 5 * 3
    assert program.memory_analysis().output_size_in_bytes == 80
    with pytest.raises(ValueError, match="no text of stage 'hlo'"):
        program.text("hlo")


# -- random programs -------------------------------------------------------------------------------------------------

_SIZES = (1, 2, 3, 4, 6)
_UNARY = ("neg", "tanh", "sin", "abs", "square", "exp_of_tanh")
_REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min")


class Writer:
    """Draws a program step by step; values are tracers, all float64 or int32."""

    def __init__(self, draw, values):
        self.draw = draw
        self.values = list(values)

    def pick(self, predicate=lambda x: True):
        found = [x for x in self.values if predicate(x)]
        return self.draw(st.sampled_from(found)) if found else None

    def step(self):
        kind = self.draw(st.sampled_from(sorted(_STEPS)))
        x = self.pick()
        new = _STEPS[kind](self, x)
        if new is not None and new.size <= 400 and new.ndim <= 4:
            self.values.append(new)


def _is_float(x):
    return x.dtype.kind == "f"


def _unary(w, x):
    name = w.draw(st.sampled_from(_UNARY))
    if not _is_float(x):
        return lax.neg(x)
    return lax.exp(lax.tanh(x)) if name == "exp_of_tanh" else getattr(lax, name)(x)


def _binary(w, x):
    y = w.pick(lambda y: y.shape == x.shape and y.dtype == x.dtype)
    name = w.draw(st.sampled_from(("add", "sub", "mul", "max", "min")))
    if name == "mul" and _is_float(x):
        x, y = lax.sin(x), lax.tanh(y)
    return getattr(lax, name)(x, y)


def _select(w, x):
    y = w.pick(lambda y: y.shape == x.shape and y.dtype == x.dtype)
    which = w.pick(lambda p: p.shape == x.shape and not _is_float(p))
    return None if which is None else lax.select(lax.gt(which, np.int32(0)), x, y)


def _broadcast(w, x):
    at = w.draw(st.integers(0, x.ndim))
    shape = (*x.shape[:at], w.draw(st.sampled_from(_SIZES)), *x.shape[at:])
    return lax.broadcast_in_dim(x, shape, tuple(d for d in range(len(shape)) if d != at))


def _transpose(w, x):
    return lax.transpose(x, tuple(w.draw(st.permutations(range(x.ndim)))))


def _reshape(w, x):
    n = x.size
    first = w.draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0] or [1]))
    shape = w.draw(st.sampled_from([(n,), (first, n // first), (1, n)]))
    return lax.reshape(x, shape) if n else None


def _slice(w, x):
    if not x.ndim or not x.size:
        return None
    starts = [w.draw(st.integers(0, n - 1)) for n in x.shape]
    limits = [w.draw(st.integers(a + 1, n)) for a, n in zip(starts, x.shape, strict=True)]
    return lax.slice(x, starts, limits, [w.draw(st.integers(1, 3)) for _ in x.shape])


def _rev(w, x):
    return lax.rev(x, tuple(d for d in range(x.ndim) if w.draw(st.booleans())))


def _pad(w, x):
    config = [(w.draw(st.integers(-1, 2)), w.draw(st.integers(0, 2)), w.draw(st.integers(0, 1))) for _ in x.shape]
    return lax.pad(x, constant(np.zeros((), x.dtype)), config) if x.size and x.ndim else None


def _concatenate(w, x):
    if not x.ndim:
        return None
    y = w.pick(lambda y: y.shape == x.shape and y.dtype == x.dtype)
    return lax.concatenate([x, y, x], w.draw(st.integers(0, x.ndim - 1)))


def _reduce(w, x):
    axes = tuple(d for d in range(x.ndim) if w.draw(st.booleans()))
    return getattr(lax, w.draw(st.sampled_from(_REDUCTIONS)))(x, axes) if x.size else None


def _running(w, x):
    if not x.ndim:
        return None
    name = w.draw(st.sampled_from(("cumsum", "cummax")))
    return getattr(lax, name)(x, w.draw(st.integers(0, x.ndim - 1)), reverse=w.draw(st.booleans()))


def _arg(w, x):
    if not x.ndim or _is_float(x) or not x.size:
        return None
    return lax.argmax(x, w.draw(st.integers(0, x.ndim - 1)), np.int32)


def _normalise(w, x):
    if x.ndim != 2 or not _is_float(x) or not x.size:
        return None
    return w.draw(st.sampled_from((softmax, log_softmax)))(x)


def _dot(w, x):
    if x.ndim != 2:
        return None
    y = w.pick(lambda y: y.ndim == 2 and y.dtype == x.dtype and y.shape[0] == x.shape[1])
    return None if y is None else lax.dot_general(x, y, (((1,), (0,)), ((), ())))


_STEPS = {
    f.__name__: f
    for f in (
        _unary, _binary, _select, _broadcast, _transpose, _reshape, _slice, _rev, _pad, _concatenate, _reduce,
        _running, _arg, _normalise, _dot,
    )
}  # fmt: skip


@st.composite
def programs(draw):
    shapes = [tuple(draw(st.lists(st.sampled_from(_SIZES), max_size=3))) for _ in range(2)]
    shapes += [shapes[0], shapes[1]]
    seed = draw(st.integers(0, 99))
    generator = np.random.default_rng(seed)
    arrays = [generator.standard_normal(s) for s in shapes[:3]] + [
        generator.integers(-9, 9, shapes[3]).astype(np.int32)
    ]

    def fun(*args):
        w = Writer(draw, args)
        for _ in range(draw(st.integers(1, 14))):
            w.step()
        count = draw(st.integers(1, 3))
        return [w.pick() for _ in range(count)] + [w.values[-1]]

    return trace(fun, *arrays), arrays


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_random_programs(case):
    jaxpr, arrays = case
    expected = [np.asarray(x) for x in eval_jaxpr(jaxpr, jaxpr.consts, *[constant(x) for x in arrays])]
    program = compile_jaxpr(jaxpr)
    check(program.program)
    got = program.run(arrays)
    for g, e in zip(got, expected, strict=True):
        assert g.dtype == e.dtype and g.shape == e.shape
        if e.dtype.kind == "f":
            np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-9 * max(1.0, float(np.max(np.abs(e), initial=0.0))))
        else:
            np.testing.assert_array_equal(g, e)


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 4)])
def test_reversed_positions_of_repeated_elements(shape):
    def fun(x):
        wide = lax.broadcast_in_dim(x, (2, 1, 1, 2), (1, 2, 3))
        return lax.rev(lax.reshape(wide, shape), tuple(range(len(shape))))

    compare(fun, normal(1, 1, 2))


def test_rows_and_columns_of_one_square_matrix_stay_apart():
    """Loops of the same length over the rows and over the columns of a matrix: one would walk with large strides."""
    f = fungrad.jit(lambda s, a: ((s[:, None] + a).max(0), (s[:, None] + a).argmax(0)))
    s, a = np.arange(16, dtype=np.float32), np.arange(256, dtype=np.float32).reshape(16, 16) % 37
    assert f.lower(s, a).as_text("steps").count("nest") == 3  # filling, maxima, positions
    for got, wanted in zip(f(s, a), ((s[:, None] + a).max(0), (s[:, None] + a).argmax(0)), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_row_that_is_read_again_is_not_overwritten():
    import fungrad
    import fungrad.numpy as jnp

    def f(a):
        a = jnp.sin(a) + 0.5 * a
        # Every element of the result needs whole rows and columns of ``a``, and one element.
        return jnp.tanh(jnp.dot(a, a)) + 0.1 * a

    x = jnp.arange(8.0).reshape(2, 2, 2) / 8
    np.testing.assert_allclose(fungrad.jit(fungrad.vmap(f))(x), fungrad.vmap(f)(x), rtol=1e-6)


def test_many_parameters_with_their_moments():
    n = 60

    def update(*leaves):
        p, g, m, v = (leaves[k * n : (k + 1) * n] for k in range(4))
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.9 * a + 0.1 * b * b for a, b in zip(v, g, strict=True)]
        p = [a - b / (1.0 + c) for a, b, c in zip(p, m, v, strict=True)]
        return [*p, *m, *v]

    rng = np.random.default_rng(0)
    arrays = [rng.random((2 + k % 2, 5)).astype("f4") for k in range(n)] * 4
    program = compare(update, *arrays)
    # far apart as they are in the program, what reads one gradient is one loop
    assert sum(type(s) is loops.Nest for s in program.program.steps) == n
    # so many arrays are looked at in a loop; one of them is not contiguous
    *_, last = program.run([*arrays[:-1], np.asfortranarray(arrays[-1])])
    np.testing.assert_array_equal(last, program.run(arrays)[-1])


@pytest.mark.parametrize("offset", [-8, -1, 0, 2, 30])
@pytest.mark.parametrize("shape", [(40, 40), (33, 70), (70, 33), (9, 5)])
def test_gradient_along_a_diagonal(shape, offset):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    count = np.diagonal(x, offset).size
    weights = np.arange(1, count + 1, dtype=np.float32)
    run = fungrad.jit(fungrad.grad(lambda x: (jnp.diagonal(x, offset) * weights).sum()))
    wanted, i = np.zeros_like(x), np.arange(count)
    wanted[i + max(0, -offset), i + max(0, offset)] = weights
    np.testing.assert_array_equal(run(x), wanted)
    if offset == 0 and shape[0] <= shape[1]:
        # Positions in the matrix are compared, not divided.
        text = run.lower(x).as_text("steps")
        assert " rem " not in text and " div " not in text


@pytest.mark.parametrize("interior", [1, 2, 6, 7])
@pytest.mark.parametrize("columns", [2, 3, 5, 10])
def test_spread_numbers_in_rows(interior, columns):
    x = np.arange(1, 51, dtype=np.float32)
    size = 49 * (interior + 1) + 1
    for before in (0, 2):
        after = -(size + before) % columns

        def f(x, before=before, after=after):
            return jnp.reshape(lax.pad(x, np.float32(9), [(before, after, interior)]), (-1, columns))

        wanted = np.full(before + size + after, 9, np.float32)
        wanted[before : before + size : interior + 1] = x
        wanted = wanted.reshape(-1, columns)
        np.testing.assert_array_equal(fungrad.jit(f)(x), wanted)
        np.testing.assert_array_equal(fungrad.jit(lambda x: f(x).T)(x), wanted.T)


def test_positions_computed_at_run_time_count_inside_of_others():
    # What a computed index reads is found also where it stands, as a number, in the formula of another one.
    lowerer = Lowerer()
    x = lowerer.source(ShapedArray((20,), np.dtype("float32")))
    steps = lowerer.source(ShapedArray((5,), np.dtype("int32")))
    places = lowerer.cumulative(steps, "add", 0, False)

    def element(m, i):
        place = m.at(m.load(places, i))
        return m.load(x, m.index(place, np.int32) * 2)

    y = lowerer.compute((5,), np.float32, element)
    program = build_program(Graph([x, steps], [y], lowerer.opaques, lowerer.kept), [y], "p")
    given = np.array([1, 2, 0, 3, 1], np.int32)
    (out,) = load(program).run([np.arange(20, dtype=np.float32), given])
    np.testing.assert_array_equal(out, 2 * np.cumsum(given))
