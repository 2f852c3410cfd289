"""The rewrites of the loop IR: nodes that know the roles of their fields, and the pipeline of passes."""

import dataclasses
import inspect

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.jit.ir import loops, traverse
from fungrad.jit.ir.loop_check import LoopError
from fungrad.jit.ir.loops import (
    Affine,
    Buffer,
    Call,
    Const,
    If,
    Let,
    Load,
    Loop,
    Nest,
    Program,
    Store,
    Update,
    View,
    While,
)
from fungrad.jit.rewrites import pipeline
from fungrad.jit.rewrites.passes import Pass

NODES = [c for c in vars(loops).values() if inspect.isclass(c) and issubclass(c, loops.Node) and c is not loops.Node]
i = Affine.var("i")


@pytest.mark.parametrize("kind", NODES, ids=lambda c: c.__name__)
def test_nodes_never_change(kind):
    assert dataclasses.is_dataclass(kind) and kind.FIELDS == tuple(f.name for f in dataclasses.fields(kind))
    lists = {*kind.BODIES, *kind.READS, *kind.WRITES, "attributes"}
    node = kind(*[[] if n in lists else "1" for n in kind.FIELDS])
    for name in kind.FIELDS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(node, name, None)
    assert node.replace() is not node


def test_roles_answer_for_every_node():
    load = Load("a", "x", i + Affine.var("n"), None, "m", Const(0.0, "f32"))
    store = Store("y", i, "a", where="m", update="add")
    loop = Loop("i", 4, [load, If("c", [store], [Update("s", "a", i)])], tile=8)
    assert traverse.uses(load) == {"i", "n", "m"} and traverse.defines(load) == ("a",)
    assert traverse.all_uses(loop) == {"i", "n", "m", "c", "a", "s"}
    assert traverse.defines(loop) == ("i",) and traverse.changes(loop.body[1].orelse[0]) == ("s",)
    assert traverse.buffers_of(loop) == ({"x", "y"}, {"y"})
    assert traverse.mentions(Let("b", "mul", ("a", "a"), "f32")) == ["a", "a"]
    renamed = traverse.rename(loop, {"a": "b", "i": "k"}, {"i": Affine.var("k") * 2})
    assert renamed.index == "k" and renamed.tile == 8
    assert [s.name for s in traverse.walk([renamed]) if type(s) is Load] == ["b"]
    assert renamed.body[0].index == Affine.var("k") * 2 + Affine.var("n")
    assert renamed.body[1].then[0].value == "b" and renamed.body[1].then[0].update == "add"
    step = While([], "go", [Call("copy", [View("x", (4,), i)], [View("y", (4,))])], [("t", "u")])
    assert traverse.buffers_of(step) == ({"go", "x", "t", "u"}, {"y", "t", "u"})
    assert traverse.substitute(step, {"i": Affine(3)}).steps[0].inputs[0].offset == Affine(3)


def test_text_of_every_rewrite():
    f = fungrad.jit(lambda x: jnp.cumsum(jnp.sin(x) * 2, 0) / jnp.exp(x).sum(0))
    lowered = f.lower(jnp.ones((30, 50)))
    text = lowered.as_text("rewrites")
    assert [part.split("\n")[0].split(":")[0] for part in text.split("-- ")[1:]] == [
        "built",
        *[step.name for step in pipeline.PIPELINE],
    ]
    assert ": no change" in text
    assert lowered.as_text("rewrites:threads") == lowered.as_text("steps")
    assert "vector" not in lowered.as_text("rewrites:lazy") and "vector" in lowered.as_text("rewrites:vectorise")
    with pytest.raises(ValueError, match="no rewrite 'nothing'; choose one of empty copies, interchange"):
        lowered.as_text("rewrites:nothing")


def test_names_of_rewrites_are_unique():
    names = [step.name for step in pipeline.PIPELINE]
    assert len(set(names)) == len(names)


def program(*body):
    buffers = [Buffer("x", "f4", (4,), "input"), Buffer("y", "f4", (4,), "output")]
    return Program("p", buffers, [Nest([Loop("i", 4, body)])], ["x"], ["y"])


def test_verifier_says_which_pass_was_wrong():
    good = program(Load("a", "x", i), Store("y", i, "a"))
    assert pipeline.CHECKING
    drop = Pass("drop loads", "statements", lambda p, body: [body[0].replace(body=body[0].body[1:])])
    with pytest.raises(LoopError, match="after the pass 'drop loads': a is not defined"):
        pipeline.run(good, [drop])
    assert len(good.steps[0].body[0].body) == 2  # the given program stays


def test_passes_on_nests_may_give_several_or_none():
    p = program(Load("a", "x", i), Store("y", i, "a"))
    p.steps.append(loops.Parallel([Nest([Loop("i", 4, [Store("y", i, Const(0.0, "f32"))])])]))
    twice = Pass("twice", "nest", lambda p, nest: [nest, nest])
    assert [type(s) for s in twice(p).steps] == [Nest, Nest, loops.Parallel]
    assert [type(s) for s in twice(p).steps[-1].steps] == [loops.Series]
    keep = Pass("keep", "nest", lambda p, nest: None)
    assert keep(p).steps[0] is p.steps[0]


@pytest.mark.parametrize("step", pipeline.PIPELINE, ids=lambda step: step.name)
def test_modules_say_which_passes_they_hold(step):
    doc = inspect.getmodule(step.run).__doc__.split("\n\n")[0]
    assert f"``{step.name}``" in doc and doc.startswith("Pass")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_short_loops_are_written_out_in_loops_of_any_depth(depth):
    """The rows of a matrix of few columns run as vectors, however deep the step stands that goes over them."""
    x, y = jnp.linspace(-1, 1, 400).reshape(100, 4), jnp.linspace(-2, 2, 100)

    def step(carry):
        w, p, g = carry
        p = p + 0.05 * g
        w = w + 0.1 * p
        z = x @ w
        g = (y - fungrad.nn.sigmoid(z)) @ x - w
        return w, p + 0.05 * g, g

    def nested(depth, carry):
        if depth == 0:
            return step(carry)
        return fungrad.lax.fori_loop(0, 3, lambda _, c: nested(depth - 1, c), carry)

    carry = tuple(jnp.full(4, k, jnp.float32) for k in (0.1, 0.2, 0.3))
    f = fungrad.jit(lambda carry: nested(depth, carry))
    assert ".sum3" in f.lower(carry).as_text("rewrites:unroll")
    with fungrad.disable_jit():
        expected = f(carry)
    for got, want in zip(f(carry), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [3, 7, 40, 100])
def test_sums_in_loops_over_small_steps_are_in_registers(length):
    """Weighted sums of a few rows of which the step of a loop changes one, as in methods of Runge and Kutta."""
    weights = jnp.tril(jnp.linspace(-1, 1, length * length).reshape(length, length), -1)

    def slopes(y):
        def stage(state):
            i, k = state
            z = y + weights[i] @ k
            return i + 1, k.at[i].set(jnp.stack([z[1], -z[0]]) * 0.1)

        return fungrad.lax.while_loop(lambda state: state[0] < length, stage, (0, jnp.zeros((length, 2))))[1]

    def solve(y):
        return fungrad.lax.while_loop(
            lambda state: state[0] < 5, lambda state: (state[0] + 1, state[1] + slopes(state[1]).sum(0)), (0, y)
        )[1]

    f = fungrad.jit(solve)
    y = jnp.asarray([1.0, 2.0])
    assert ".sum1" in f.lower(y).as_text("rewrites:unroll") or length > 7
    with fungrad.disable_jit():
        expected = f(y)
    np.testing.assert_allclose(f(y), expected, rtol=1e-5)
    batch = jnp.stack([y, y + 1, y - 1])
    np.testing.assert_allclose(fungrad.jit(fungrad.vmap(solve))(batch)[0], expected, rtol=1e-5)
