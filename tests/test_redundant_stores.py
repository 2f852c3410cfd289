"""Redundant store elimination: what was just read from a place is not written back, and everything else is."""

import numpy as np
import pytest

import fungrad as fg
import fungrad.numpy as jnp
from fungrad.jit.ir.loops import Affine, Buffer, Let, Load, Loop, Nest, Program, Set, Store, Var
from fungrad.jit.ir.traverse import of_kind, walk
from fungrad.jit.rewrites.redundant_stores import drop_redundant_stores

F32, C64 = np.dtype(np.float32), np.dtype(np.complex64)
i = Affine.var("i")
READ, WRITTEN = Load("a", "x", i), Store("y", i, "a")


def stores_left(body, dtype=F32, alias="x"):
    """How many stores to `y`, which is in the memory of `x`, remain of a loop with that body."""
    buffers = [Buffer("x", dtype, (8,), "temp"), Buffer("y", dtype, (8,), "temp", alias=alias)]
    buffers += [Buffer("m", np.dtype(bool), (8,), "input"), Buffer("z", dtype, (8,), "output")]
    program = Program("p", buffers, [Nest([Loop("i", 8, body)], "a nest")], ["m"], ["z"])
    return len([s for s in of_kind(Store, walk(drop_redundant_stores(program).steps)) if s.buffer == "y"])


@pytest.mark.parametrize(
    "body",
    [
        [READ, WRITTEN],
        [READ, Let("b", "mul", ("a", "a"), "f32"), Store("z", i, "b"), WRITTEN],
        [Load("c", "m", i), READ, Store("y", i, "a", where="c")],
        [READ, Load("c", "m", i), WRITTEN, Store("y", i + 1, "a")][:3],
    ],
    ids=["alone", "with another use", "under a condition", "after another read"],
)
def test_is_dropped(body):
    assert stores_left(body) == 0


def test_complex_numbers_are_dropped_whole():
    real, imag = Load("a", "x", i, 0), Load("b", "x", i, 1)
    assert stores_left([real, imag, Store("y", i, "a", "b")], C64) == 0
    assert stores_left([real, imag, Store("y", i, "b", "a")], C64) == 1


@pytest.mark.parametrize(
    "body",
    [
        [READ, Store("y", i + 1, "a")],
        [Load("a", "x", i + 1), WRITTEN],
        [READ, Let("b", "mul", ("a", "a"), "f32"), Store("y", i, "b")],
        [READ, Store("y", i, "a", update="add")],
        [Load("c", "m", i), Load("a", "x", i, None, "c", 0.0), WRITTEN],
        [Var("s", "i64", 0), READ, Set("s", 1), Store("y", i, "a"), Load("b", "x", Affine.var("s")), Set("s", 2),
         Store("y", Affine.var("s"), "b")],
    ],
    ids=["elsewhere", "from elsewhere", "another value", "an update", "a masked read", "a place that changed"],
)  # fmt: skip
def test_stays(body):
    assert stores_left(body) == 1


def test_stays_after_other_writes():
    assert stores_left([READ, Store("x", i + 1, 2.0), WRITTEN]) == 1
    assert stores_left([READ, Loop("j", 8, [Store("x", Affine.var("j"), 2.0)]), WRITTEN]) == 1


def test_stays_in_other_memory():
    assert stores_left([READ, WRITTEN], alias=None) == 1


def test_a_row_that_is_set_in_a_loop_which_reads_all_of_them():
    weights = jnp.asarray(np.random.default_rng(0).standard_normal((7, 7)), jnp.float32)

    def stages(rows, y):
        def stage(n, state):
            rows, y = state
            s = jnp.sum(weights[n % 7][:, None] * rows, 0)
            return rows.at[n % 7].set(jnp.sin(s + y)), y + s * 0.1

        return fg.lax.fori_loop(0, 20, stage, (rows, y))

    args = jnp.ones((7, 2)), jnp.ones(2)
    with fg.disable_jit():
        expected = stages(*args)
    for got, want in zip(fg.jit(stages)(*args), expected, strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=2e-5)
    lowered = fg.jit(stages).lower(*args)
    before, after = (lowered.as_text(f"rewrites:{name}").count("store") for name in ("in place", "redundant stores"))
    assert after < before
