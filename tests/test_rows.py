"""Steps that share blocks of rows or run side by side: which are put together, and that results stay the same."""

import loop_interpreter as interpret
import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.jit.front.program import compile_jaxpr
from fungrad.jit.ir import loop_check
from fungrad.jit.ir.loops import Affine, Buffer, Call, Load, Loop, Nest, Parallel, Program, Rows, Store
from fungrad.jit.ir.traverse import walk
from fungrad.jit.rewrites.rows import without_sums

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def compiled(f, *args):
    return compile_jaxpr(fungrad.make_jaxpr(f)(*args))


def groups(program):
    """The kinds of the steps of every group: `g` a product, `n` a nest."""
    kinds = {Call: "g", Nest: "n"}
    found = [s for s in walk(program.final.steps) if type(s) is Rows]
    return ["".join(kinds[type(s)] for s in g.steps) for g in found]


def agrees(f, *args, rtol=2e-3):
    """Native results with one and two threads have the same bits, and agree with the interpreter and eager results."""
    program = compiled(f, *args)
    loop_check.check(program.final)
    results = []
    for threads in (1, 2):
        with fungrad.config.override("threads", threads):
            results.append(program.run(args))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)
    expected = fungrad.tree.leaves(f(*map(jnp.asarray, args)))
    for got, want in zip(results[0], expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * max(1, float(np.abs(want).max())))
    return program


def layers(x, *weights):
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        x = jnp.maximum(x @ w + b, 0)
    return x


def weights(*sizes):
    return [part for a, b in zip(sizes, sizes[1:], strict=False) for part in (normal(a, b) / a**0.5, normal(b))]


@pytest.mark.parametrize("rows", [64, 67, 130, 200])
def test_layers_are_a_chain(rows):
    program = agrees(layers, normal(rows, 90), *weights(90, 128, 70, 128))
    assert groups(program) == ["gngngn"]


def test_the_interpreter_runs_groups():
    f, args = layers, [normal(40, 96), *weights(96, 160)]
    program = compiled(f, *args)
    assert groups(program) == ["gn"]
    (got,) = interpret.run(program.final, args)
    np.testing.assert_allclose(got, program.run(args)[0], rtol=1e-4, atol=1e-4)


def test_rows_of_others_are_waited_for():
    def reversed_rows(x, w, v):
        y = x @ w
        return jnp.maximum(y + y[::-1], 0) @ v

    assert groups(agrees(reversed_rows, normal(128, 100), normal(100, 128), normal(128, 90))) == ["ng"]

    def transposed(x, w):
        y = x @ w
        return y.T @ y

    assert groups(agrees(transposed, normal(128, 100), normal(100, 128))) == []


def test_what_needs_all_rows_comes_behind():
    def centred(x, w, v):
        y = x @ w
        mean = jnp.mean(y, axis=0)
        return jnp.tanh(y) @ v, y - mean

    program = agrees(centred, normal(128, 100), normal(100, 128), normal(128, 90))
    assert groups(program)[0][0] == "g" and "gng" in groups(program)[0]


def test_rows_with_reductions_inside():
    def softmax(x, w, v):
        y = x @ w
        e = jnp.exp(y - jnp.max(y, axis=1, keepdims=True))
        return (e / jnp.sum(e, axis=1, keepdims=True)) @ v

    assert groups(agrees(softmax, normal(96, 100), normal(100, 128), normal(128, 90))) == ["gng"]


def test_a_gradient_updates_its_weight():
    def step(x, dy, w, m):
        g = x.T @ dy
        m = 0.9 * m + 0.1 * g
        return w - 0.01 * m / (jnp.sqrt(m * m) + 1e-3), m

    program = agrees(step, normal(60, 200), normal(60, 130), normal(200, 130), normal(200, 130))
    assert groups(program) == ["gn"]


@pytest.mark.parametrize("rows", [64, 130])
def test_gradient_of_layers(rows):
    def loss(x, *params):
        return jnp.mean(layers(x, *params) ** 2)

    sizes = (100, 128, 140, 90)
    params = weights(*sizes)
    gradient = fungrad.grad(loss, argnums=tuple(range(1, 1 + len(params))))
    program = agrees(gradient, normal(rows, 100), *params)
    # forwards and backwards in one group, then the gradients of the weights
    assert groups(program) == ["gngngngngn"]
    (side_by_side,) = [s for s in program.final.steps if type(s) is Parallel]
    assert sum(type(s) is Call for s in side_by_side.steps) == 3


def test_independent_products_run_side_by_side():
    def heads(x, q, k, v):
        return x @ q, jnp.sum(x @ k, axis=0), jnp.exp(x @ v)

    program = agrees(heads, normal(70, 100), normal(100, 130), normal(100, 90), normal(100, 110))
    (side_by_side,) = [s for s in program.final.steps if type(s) is Parallel]
    assert sum(type(s) in (Call, Rows) for s in side_by_side.steps) == 3


def test_dependent_steps_side_by_side_are_refused():
    program = compiled(lambda x, y: (x @ y) @ y, normal(100, 100), normal(100, 100)).final
    loop_check.check(program)
    program.steps = [Parallel([s for step in program.steps for s in (step.steps if type(step) is Rows else [step])])]
    with pytest.raises(loop_check.LoopError, match="needs another step"):
        loop_check.check(program)


def test_inside_a_scan():
    def cell(h, x):
        h = jnp.tanh(x @ w + h @ u + b)
        return h, jnp.sum(h, axis=1)

    w, u, b = normal(100, 128) / 10, normal(128, 128) / 12, normal(128)

    def run(h, xs):
        return fungrad.lax.scan(cell, h, xs)

    program = agrees(run, normal(64, 128), normal(5, 64, 100), rtol=5e-3)
    assert groups(program)


@pytest.mark.parametrize("read", [False, True])
def test_sums_that_are_read_before_they_are_complete_stay(read):
    i, j = Affine.var("i"), Affine.var("j")
    inner = [Load("a", "x", i * 8 + j), Store("s", j, "a", update="add")]
    inner += [Load("b", "s", j), Store("y", i * 8 + j, "b")] if read else [Store("y", i * 8 + j, "a")]
    shapes = {"x": (64, 8), "s": (8,), "y": (64, 8)}
    buffers = [Buffer(n, "f4", shape, "input" if n == "x" else "output") for n, shape in shapes.items()]
    nest = Nest([Loop("i", 64, [Loop("j", 8, inner)])])
    program = Program("p", buffers, [nest], ["x"], ["s", "y"])
    parts = without_sums(program, nest, 64)
    if read:
        assert parts is None
    else:
        rows, sums = parts
        assert [s.buffer for s in walk(rows.body) if type(s) is Store] == ["y"]
        assert [(s.buffer, s.update) for s in walk(sums.body) if type(s) is Store] == [("s", "add")]


def test_rows_get_scratch_memory_of_their_own():
    def gates(h, w, c):
        i, f, g = jnp.split(h @ w, 3, axis=1)
        return jnp.tanh(f) * c + jnp.exp(-i * i) * g

    def run(h, w):
        return fungrad.lax.scan(lambda h, _: (gates(h, w, h),) * 2, h, None, length=4)

    program = agrees(run, normal(70, 90) / 10, normal(90, 270) / 10, rtol=5e-3)
    assert groups(program) == ["gn"]
    gradient = fungrad.grad(lambda h, w: jnp.sum(run(h, w)[1] ** 2), argnums=(0, 1))
    assert len(groups(agrees(gradient, normal(70, 90) / 10, normal(90, 270) / 10, rtol=5e-3))) >= 2


def test_a_group_that_mixes_rows_is_refused():
    program = compiled(layers, normal(64, 90), *weights(90, 128))
    steps = program.final.steps
    ((at, group),) = [(k, s) for k, s in enumerate(steps) if type(s) is Rows]
    steps[at] = group.replace(steps=group.steps[::-1])
    loop_check.check(program.final)  # in another order it is another program, but still one on rows
    outputs = next(s.outputs for s in group.steps if type(s) is Call)
    copy = Call("copy", outputs, outputs)
    steps[at] = group.replace(steps=[*group.steps, copy])
    with pytest.raises(loop_check.LoopError, match="does not divide into rows"):
        loop_check.check(program.final)


def test_donated_arguments_are_updated_by_rows():
    @fungrad.jit
    def plain(x, dy, w):
        return w - 0.01 * (x.T @ dy)

    donating = fungrad.jit(lambda x, dy, w: w - 0.01 * (x.T @ dy), donate_argnums=2)
    x, dy, w = normal(60, 200), normal(60, 130), normal(200, 130)
    np.testing.assert_array_equal(donating(x, dy, jnp.array(w)), plain(x, dy, w))
