"""The verifier of shared memory finds plans that are wrong, however they came about."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.jit.fusion.overwrite import Overwriting
from fungrad.jit.ir.loop_check import LoopError
from fungrad.jit.ir.loops import (
    Affine,
    Buffer,
    Call,
    Const,
    Let,
    Load,
    Loop,
    Nest,
    Parallel,
    Program,
    Repeat,
    Series,
    Store,
    View,
)
from fungrad.jit.rewrites import buffers, memory_check, pipeline
from fungrad.jit.rewrites.exchange import exchange

I = Affine.var("i")


def plus(source, target, amount=1.0, n=8, start=0):
    body = [Load("a", source, I + start), Let("b", "add", ("a", Const(amount, "f32")), "f32")]
    return Nest([Loop("i", n, [*body, Store(target, I + start, "b")])])


def program(steps, temps, outputs=("y",), inputs=("x",), n=8):
    declared = [Buffer(b, "f4", (n,), "input") for b in inputs]
    declared += [Buffer(b, "f4", (n,), "output") for b in outputs]
    declared += [Buffer(b, "f4", (n,)) for b in temps]
    return Program("p", declared, steps, list(inputs), list(outputs))


def test_every_program_of_the_tests_is_checked():
    assert pipeline.CHECKING and isinstance(buffers.verifier, memory_check.Verifier)


def test_results_that_do_not_live_to_the_end(monkeypatch):
    """The plan that put a second result over the first, which lived in a donated input."""

    class Short(buffers._Touches):
        def __init__(self, program):
            super().__init__(program)
            self.last = {n: min(k, len(program.steps) - 1) for n, k in self.last.items()}
            self.last.update({n: k for k, (r, w) in enumerate(self.of) for n in r | w})

    def f(x):
        a = x + 1
        return a, a / jnp.sum(a)

    monkeypatch.setattr(buffers, "_Touches", Short)
    with pytest.raises(LoopError, match="needed in the end, but its memory has been given to another"):
        fungrad.jit(f, donate_argnums=0)(jnp.arange(4.0))


def test_a_carry_over_one_that_is_still_read(monkeypatch):
    monkeypatch.setattr(Overwriting, "_next_fault", lambda *_: None)

    def body(c, k):
        return jnp.concatenate([c[1:] * k, c[:1]]), c[0]

    with pytest.raises(LoopError, match=r"is written over .* before all of that is read|has been given to another"):
        fungrad.jit(lambda x: lax.scan(body, x, jnp.arange(4.0)))(jnp.arange(3000.0))


def test_reads_of_what_nobody_has_written():
    with pytest.raises(LoopError, match="t is read, but nothing has been written there"):
        pipeline.run(program([plus("t", "y")], ["t"]))


def test_steps_in_order_beside_others():
    steps = [Parallel([Series([plus("x", "t"), plus("t", "y")]), plus("x", "z")])]
    memory_check.Verifier().placed(buffers.arrange(program(steps, ["t"], ["y", "z"])))
    steps = [Parallel([Series([plus("t", "y"), plus("x", "t")]), plus("x", "z")])]
    with pytest.raises(LoopError, match="t is read, but nothing has been written there"):
        memory_check.Verifier().placed(buffers.arrange(program(steps, ["t"], ["y", "z"])))


def first_loads(f, *args):
    """Names of the buffers that are read into variables before a loop or choice over small steps."""
    text = fungrad.jit(f).lower(*args).as_text("rewrites:regions")
    return {line.split("load ")[1].split("[")[0] for line in text.splitlines() if line.strip().startswith("first")}


def test_small_steps_read_only_old_values_that_are_there():
    """Results of a choice and elements that a step replaces are not read first, those that it keeps are."""

    def choice(x, i):
        return lax.switch(i, [lambda x: (x * 2, x[0]), lambda x: (x - 1, x.sum()), lambda x: (x, x[1])], x)

    def choices(x, i):
        """One after the other, in a loop that stays a repeated step."""
        new = lax.cond(i > 0, lambda x: x[:3] * 2, lambda x: x[2:5], x)
        return x + new.sum(), new

    def loop(x):
        return lax.fori_loop(0, 3, lambda i, x: x.at[0].set(x[1] * 2), x)

    x = jnp.arange(4.0)
    assert not any(name.startswith("out") for name in first_loads(choice, x, 1))
    for i, wanted in enumerate([(x * 2, x[0]), (x - 1, x.sum()), (x, x[1])]):
        for a, b in zip(fungrad.jit(choice)(x, i), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    assert first_loads(loop, x) == {"out0"}
    np.testing.assert_array_equal(fungrad.jit(loop)(x), [2, 1, 2, 3])

    def scanned(x):
        return lax.scan(choices, x, jnp.arange(3))

    big = jnp.arange(9000.0)
    with fungrad.disable_jit():
        wanted = scanned(big)
    for a, b in zip(fungrad.jit(scanned)(big), wanted, strict=True):
        np.testing.assert_allclose(a, b)


def test_temporaries_that_overlap():
    p = program([plus("x", "t"), plus("x", "u"), plus("t", "y"), plus("u", "z")], "tu", ("y", "z"))
    assert buffers.arrange(p).arena_bytes > 32
    buffers.verifier.placed(p)
    p.buffers["t"].offset, p.buffers["u"].offset = 0, 16
    with pytest.raises(LoopError, match="t is needed here, but its memory has been given to another"):
        buffers.verifier.placed(p)


def test_temporaries_that_overlap_one_after_the_other():
    p = program([plus("x", "t"), plus("t", "y"), plus("x", "u"), plus("u", "z")], "tu", ("y", "z"))
    p.buffers["t"].offset = p.buffers["u"].offset = 0
    buffers.verifier.placed(p)


def test_what_is_written_again_only_in_part():
    steps = [plus("x", "t"), plus("x", "u"), plus("u", "y"), plus("x", "t", n=4), plus("t", "z")]
    p = program(steps, "tu", ("y", "z"))
    p.buffers["t"].offset = p.buffers["u"].offset = 0
    with pytest.raises(LoopError, match="4 elements of it were not written again"):
        buffers.verifier.placed(p)
    p.steps.insert(4, plus("x", "t", n=4, start=4))
    buffers.verifier.placed(p)


def test_results_and_inputs_are_kept():
    for outputs, donated, match in ((("y",), (), "x is needed"), (("y", "z"), ("x",), "y is needed")):
        p = program([plus("x", "y"), plus("x" if "z" not in outputs else "y", outputs[-1])], "", outputs)
        before = buffers.roots(p.buffers)
        for name in outputs:
            p.buffers[name].alias = "x"
        with pytest.raises(LoopError, match=match):
            buffers.verifier.shared(p, before, donated)


def test_in_place_at_other_positions():
    reversed_ = Nest([Loop("i", 8, [Load("a", "x", I * -1 + 7), Store("y", I, "a")])])
    p = program([reversed_], "")
    before = buffers.roots(p.buffers)
    p.buffers["y"].alias = "x"
    with pytest.raises(LoopError, match="y is written over x before all of that is read"):
        buffers.verifier.shared(p, before, ["x"])


def test_carries_that_exchange_memory_with_what_lasts():
    """The new carry keeps half of its elements from step to step: the exchange takes them away."""
    n = 1024

    def steps(part):
        copy = Call("copy", [View("t", (n,))], [View("y", (n,))])
        return [plus("x", "y", n=n), Repeat("k", 3, [plus("y", "t", n=part), copy])]

    p = exchange(buffers.arrange(program(steps(n), "t", n=n)))
    assert p.steps[-1].exchanges
    buffers.verifier.placed(p)
    with pytest.raises(LoopError, match="512 elements of it were not written again"):
        buffers.verifier.placed(exchange(buffers.arrange(program(steps(n // 2), "t", n=n))))


def test_numbers_of_a_checked_program():
    x = np.arange(8, dtype="f4")
    got = fungrad.jit(lambda x: lax.fori_loop(0, 5, lambda i, c: c.at[i].add(c[7 - i]), x), donate_argnums=0)(
        jnp.array(x)
    )
    for i in range(5):
        x[i] += x[7 - i]
    np.testing.assert_array_equal(got, x)
