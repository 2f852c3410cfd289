"""The loop IR: addresses, printing, verification, the interpreter, and the rewrites of the scheduler."""

from typing import get_args

import loop_interpreter as interpret
import numpy as np
import pytest
from hypothesis import given, strategies as st

from fungrad.jit.ir import facts, loop_check, loop_text
from fungrad.jit.ir.affine import address
from fungrad.jit.ir.loop_check import LoopError, check
from fungrad.jit.ir.loop_text import element_index, program_text, statements_text
from fungrad.jit.ir.loops import (
    Acc,
    Affine,
    Branch,
    Buffer,
    Call,
    Const,
    Host,
    If,
    Index,
    Let,
    Load,
    Loop,
    LoopWhile,
    Nest,
    Prefix,
    Program,
    Repeat,
    Set,
    Statement,
    Step,
    Store,
    Update,
    Var,
    View,
    While,
)
from fungrad.jit.ir.machine import Machine
from fungrad.jit.ir.traverse import buffers_of, walk
from fungrad.jit.llvm import nests, program as emitter
from fungrad.jit.products import routines
from fungrad.jit.rewrites import memory_check, pipeline, schedule
from fungrad.jit.rewrites.buffers import arrange
from fungrad.jit.rewrites.hoist import hoist

i, j = Affine.var("i"), Affine.var("j")
MACHINE = Machine(64, True)

terms = st.dictionaries(st.sampled_from("abc"), st.integers(-9, 9))
affine = st.builds(lambda c, t: Affine(c, tuple(t.items())), st.integers(-99, 99), terms)
places = st.fixed_dictionaries({s: st.integers(-5, 5) for s in "abc"})


def at(expression, values):
    return expression.const + sum(c * values[s] for s, c in expression.terms)


@given(affine, affine, st.integers(-7, 7), places)
def test_affine_arithmetic(x, y, factor, values):
    assert at(x + y, values) == at(x, values) + at(y, values)
    assert at(x - y, values) == at(x, values) - at(y, values)
    assert at(3 - x, values) == 3 - at(x, values)
    assert at(factor * x, values) == factor * at(x, values)
    assert at(-x, values) == -at(x, values)
    assert (x + y) - y == x and hash(x + y) == hash(y + x)
    assert at(x.substitute({"a": y}), values) == at(x, {**values, "a": at(y, values)})


@given(affine, st.fixed_dictionaries({s: st.integers(1, 4) for s in "abc"}))
def test_affine_bounds_are_attained(x, extents):
    values = [
        at(x, {"a": a, "b": b, "c": c})
        for a in range(extents["a"])
        for b in range(extents["b"])
        for c in range(extents["c"])
    ]
    assert x.bounds(extents) == (min(values), max(values))
    assert (i + j).bounds({"i": 3}) is None


def test_addresses():
    assert address((2, 3, 4), ("i", 1, j * 2)) == 12 * i + 4 + 2 * j
    assert address((), ()) == Affine()
    with pytest.raises(ValueError, match="2 indices for shape"):
        address((3,), ("i", "j"))


@pytest.mark.parametrize(
    "shape,index,text",
    [
        ((), Affine(), ""),
        ((5,), i, "i"),
        ((4, 10), 10 * i + j, "i, j"),
        ((4, 10), 10 * i + 3, "i, 3"),
        ((4, 10), 10 * i - j + 9, "i, -j + 9"),
        ((4, 10), 39 - 10 * i - j, "-i + 3, -j + 9"),
        ((2, 3, 4), 12 * i + 4 * j + 2, "i, j, 2"),
    ],
)
def test_addresses_are_shown_by_dimension(shape, index, text):
    assert element_index(Buffer("x", "f4", shape), index) == text


def everything():
    """A program with every kind of statement and step."""
    buffers = [
        Buffer("x", "f4", (4, 6), "input"),
        Buffer("y", "f4", (4, 6), "output"),
        Buffer("p", "i8", (4,), "output"),
        Buffer("z", "c8", (3,), "output"),
        Buffer("w", "f4", (6, 6), "const", np.eye(6, dtype="f4")),
        Buffer("go", "?", ()),
        Buffer("which", "i4", ()),
    ]
    row = [
        Acc("m", "argmax", "f32", position="at"),
        Acc("s", "add", "f32", Const(1.0, "f32")),
        Var("v", "i32", Const(0, "i32")),
        Loop(
            "j",
            6,
            [
                Index("k", j + 1),
                Let("c", "lt", ("k", Const(6, "i32")), "i1"),
                Load("a", "x", 6 * i + j + 1, where="c", other=Const(0.0, "f32")),
                Let("b", "convert", ("k",), "f32"),
                Update("m", "a", j),
                Prefix("r", "s", "b"),
                Store("y", 6 * i + j, "r", where="c", update="add"),
                If("c", [Set("v", "k")], [Set("v", Const(9, "i32"))]),
            ],
            ordered=True,
        ),
        LoopWhile(
            [Let("more", "gt", ("v", Const(0, "i32")), "i1")],
            "more",
            [Let("less", "sub", ("v", Const(1, "i32")), "i32"), Set("v", "less")],
        ),
        Store("p", i, "at"),
    ]
    pairs = Nest([Loop("i", 3, [Store("z", i, Const(1.0, "f32"), Const(2.0, "f32"))])], "pairs")
    stop = Nest([Store("go", 0, Const(False, "i1")), Store("which", 0, Const(1, "i32"))])
    steps = [
        Call("gemm", [View("x", (4, 6)), View("w", (6, 6), 0, (1, 6))], [View("y", (4, 6))]),
        Repeat("t", 2, [Nest([Loop("i", 4, row, parallel=True)], "rows")]),
        While([stop], "go", [pairs]),
        Branch(
            "which",
            [[pairs], [Host("negate", np.negative, [View("y", (2, 6), 12)], [View("y", (2, 6))])]],
        ),
        pairs,
    ]
    return Program("all", buffers, steps, ["x"], ["y", "p", "z"])


LISTING = """\
program all (x) -> (y, p, z)
  input  x: float32[4,6]
  output y: float32[4,6]
  output p: int64[4]
  output z: complex64[3]
  const  w: float32[6,6]
  temp   go: bool[]
  temp   which: int32[]
  y = gemm x, w[0: 6x6 strides 1,6]
  repeat t in 0..2
    nest rows
      for i in 0..4 parallel
        acc m, at: f32 = argmax
        acc s: f32 = add from 1.0
        var v: i32 = 0
        for j in 0..6 ordered
          k = index j + 1: i32
          c = lt k 6
          a = load x[i, j + 1] where c else 0.0
          b = convert k -> f32
          m <- a at j
          r = s <- b
          store y[i, j] add= r where c
          if c
            v := k
          else
            v := 9
        while
          more = gt v 0
        more do
          less = sub v 1
          v := less
        store p[i] = at
  while
    nest
      store go[] = False
      store which[] = 1
  go do
    nest pairs
      for i in 0..3
        store z[i] = 1.0 + 2.0i
  case 0 of which
    nest pairs
      for i in 0..3
        store z[i] = 1.0 + 2.0i
  case 1 of which
    y[0: 2x6] = host negate y[12: 2x6]
  nest pairs
    for i in 0..3
      store z[i] = 1.0 + 2.0i"""


def test_listing():
    assert program_text(everything()) == LISTING


def test_everything_is_well_formed_and_runs():
    p = everything()
    check(p)
    x = np.arange(24, dtype="f4").reshape(4, 6)
    y, at_, z = interpret.run(p, [x])
    np.testing.assert_array_equal(z, 1 + 2j)
    np.testing.assert_array_equal(at_, [4, 4, 4, 4])
    sums = 1 + np.cumsum(np.arange(1, 6))
    assert y[0, 0] == -(x[2, 0] + 2 * sums[0]) and y[3, 5] == x[3, 5]


def test_reads_and_writes():
    p = everything()
    assert buffers_of(p.steps[0]) == ({"x", "w"}, {"y"})
    assert buffers_of(p.steps[1]) == ({"x", "y"}, {"y", "p"})
    assert buffers_of(p.steps[2]) == ({"go"}, {"go", "which", "z"})
    assert buffers_of(p.steps[3]) == ({"which", "y"}, {"z", "y"})
    assert sum(type(s) is Store for s in walk(p.steps)) == 7


def one_loop(*body, n=4, **marks):
    buffers = [
        Buffer("x", "f4", (4,), "input"),
        Buffer("y", "f4", (4,), "output"),
        Buffer("q", "c8", (4,), "input"),
        Buffer("k", "f4", (4,), "const", np.ones(4, "f4")),
    ]
    good = Loop("g", 4, [Store("y", "g", Const(0.0, "f32"))])
    return Program("p", buffers, [Nest([good, Loop("i", n, list(body), **marks)])], ["x", "q"], ["y"])


@pytest.mark.parametrize(
    "body,message",
    [
        ([Store("y", i, "nowhere")], "nowhere is not defined"),
        ([Load("a", "x", i + 1)], "address 1..4 outside of x"),
        ([Load("a", "x", -i)], "address -3..0 outside"),
        ([Load("a", "missing", i)], "unknown buffer missing"),
        ([Load("a", "x", i), Load("a", "x", i)], "a is already defined"),
        ([Load("a", "x", i), Store("y", "a", "a")], "a is not an integer"),
        ([Store("y", i, Const(1, "i32"))], "1:i32 is i32, expected f32"),
        ([Load("a", "x", i), Store("k", i, "a")], "k is a constant"),
        ([Load("a", "q", i)], "`part` is for complex"),
        ([Load("a", "x", i, 1)], "`part` is for complex"),
        ([Load("a", "q", i, 0), Store("q", i, "a")], "`imag` is for complex"),
        ([Update("s", Const(0.0, "f32"))], "s is not an accumulator"),
        ([Acc("s", "sum", "f32")], "unknown monoid sum"),
        ([Acc("s", "add", "f32"), Update("s", Const(0, "i32"))], "expected f32"),
        ([Acc("s", "argmax", "f32"), Update("s", Const(0.0, "f32"))], "a position is for argmax"),
        ([Set("v", Const(0, "i32"))], "v is not a variable"),
        ([Load("a", "x", i), If("a", [])], "a is f32, expected i1"),
        ([Loop("i", 2, [])], "i is already defined"),
        ([Loop("j", -1, [])], "negative extent"),
        ([Let(("a", "b"), "two", (), ("f32",))], "as many types as names"),
        ([Nest([])], "Nest is not a statement"),
        ([Load("a", "x", i), Store("y", i, "a", update="argmax")], "unknown combination argmax"),
    ],
)
def test_verifier_finds(body, message):
    with pytest.raises(LoopError, match=message.replace("(", r"\(")):
        check(one_loop(*body))


def test_verifier_finds_loops_that_may_not_run_as_marked():
    inner = Loop("j", 2, [Store("y", i, Const(0.0, "f32"))], vector=True)
    with pytest.raises(LoopError, match="a vector loop inside a vector loop"):
        check(one_loop(inner, vector=True))
    with pytest.raises(LoopError, match="ordered loop is neither"):
        check(one_loop(vector=True, ordered=True))
    p = one_loop()
    body = [
        Var("v", "f32", Const(0.0, "f32")),
        Loop("i", 4, [Load("a", "x", i), Set("v", "a"), Store("y", i, "v")], parallel=True),
    ]
    p.steps[0] = Nest(body)
    with pytest.raises(LoopError, match="v makes the iterations depend"):
        check(p)


@pytest.mark.parametrize(
    "buffer,message",
    [
        (Buffer("b", "f4", (4,), "scratch"), "unknown kind 'scratch'"),
        (Buffer("b", "f4", (4,), "const", np.ones(3, "f4")), "another type"),
        (Buffer("b", "f4", (4,), alias="nothing"), "alias of unknown buffer"),
        (Buffer("b", "f4", (5,), alias="x"), "another size"),
        (Buffer("b", "f4", (4,), alias="k"), "alias of a constant"),
    ],
)
def test_verifier_finds_bad_buffers(buffer, message):
    p = one_loop()
    p.buffers["b"] = buffer
    with pytest.raises(LoopError, match=message):
        check(p)


def test_verifier_finds_unwritten_outputs_and_views_out_of_range():
    p = one_loop()
    p.steps = []
    with pytest.raises(LoopError, match="output y is never written"):
        check(p)
    p = one_loop()
    p.steps.append(Repeat("t", 3, [Call("copy", [View("x", (2,), Affine.var("t"))], [View("y", (2,))])]))
    check(p)
    p.steps[-1] = p.steps[-1].replace(extent=4)
    with pytest.raises(LoopError, match=r"spans 0..4 of 4"):
        check(p)


def test_program_needs_unique_names():
    with pytest.raises(ValueError, match="not unique"):
        Program("p", [Buffer("x", "f4", ()), Buffer("x", "f4", ())], [], [], [])


# -- The scheduler ---------------------------------------------------------------------------------


def copy_nest(shape, index, out_index):
    rows, columns = shape
    return Nest([Loop("i", rows, [Loop("j", columns, [Load("a", "x", index), Store("y", out_index, "a")])])])


def matrix_program(shape, out_shape, nest):
    buffers = [Buffer("x", "f4", shape, "input"), Buffer("y", "f4", out_shape, "output")]
    return Program("p", buffers, [nest], ["x"], ["y"])


def loops(nests):
    return [
        (s.index, s.extent, bool(s.vector), bool(s.parallel)) for n in nests for s in walk(n.body) if type(s) is Loop
    ]


def test_dense_loops_become_one():
    nest = copy_nest((30, 70), 70 * i + j, 70 * i + j)
    p = matrix_program((30, 70), (30, 70), nest)
    (scheduled,) = schedule.schedule(p.aimed_at(MACHINE), nest)
    assert loops([scheduled]) == [("j", 2100, True, False)]
    assert "store y[" in statements_text(p, scheduled.body)


def test_transposition_goes_through_squares():
    nest = Nest(
        [
            Loop(
                "i",
                512,
                [Loop("j", 512, [Load("a", "x", 512 * j + i), Store("y", 512 * i + j, "a")])],
            )
        ]
    )
    p = matrix_program((512, 512), (512, 512), nest)
    (scheduled,) = schedule.schedule(p.aimed_at(MACHINE), nest)
    assert [s.tile for s in walk(scheduled.body) if type(s) is Loop] == [None, 16, None]
    assert scheduled.body[0].extent == 4


def test_invariant_loads_leave_the_loop():
    body = [
        Loop(
            "i",
            8,
            [
                Loop(
                    "j",
                    50,
                    [
                        Load("a", "x", i),
                        Let("e", "exp", ("a",), "f32"),
                        Let("one", "add", (Const(1.0, "f32"), Const(1.0, "f32")), "f32"),
                        Let("b", "add", ("e", "one"), "f32"),
                        Store("y", 50 * i + j, "b"),
                    ],
                )
            ],
        )
    ]
    p = matrix_program((8,), (8, 50), Nest(body))
    (scheduled,) = schedule.schedule(p.aimed_at(MACHINE), p.steps[0])
    outer = scheduled.body[-1]
    assert [s.name for s in scheduled.body[:-1]] == ["one"]
    assert [type(s) for s in outer.body] == [Load, Let, Let, Loop]
    assert [type(s) for s in outer.body[-1].body] == [Store]


def test_loads_of_what_the_loop_stores_stay():
    body = [Loop("i", 8, [Loop("j", 8, [Load("a", "y", i), Store("y", i, "a")])])]
    p = matrix_program((8,), (8,), Nest(body))
    assert hoist(p, body)[0].body[0].body[0].buffer == "y"
    temps = [Buffer("t", "f4", (8,)), Buffer("u", "f4", (8,))]
    p = Program("p", temps, [], [], [])
    arrange(p)
    loop = Loop("i", 8, [Load("a", "t", 0), Store("u", i, "a")])
    assert type(hoist(p, [loop])[0]) is Load
    p.buffers["u"].offset = p.buffers["t"].offset
    assert type(hoist(p, [loop])[0]) is Loop


@pytest.mark.parametrize(
    "statement,expected",
    [
        (Store("y", Affine.var("i"), "a"), True),
        (Store("y", 0, "a", update="add"), False),
        (Store("y", Affine.var("q"), "a", update="add"), False),
        (Set("v", "a"), False),
    ],
)
def test_what_may_run_as_vectors(statement, expected):
    p = one_loop()
    loop = Loop("i", 4, [Load("a", "x", i), Load("q", "x", i), statement])
    assert facts.is_vectorisable(p, loop) is expected


def test_small_nests_stay_on_one_thread():
    for n, expected in ((1000, False), (4_000_000, True)):
        nest = Nest([Loop("i", n, [Load("a", "x", i), Store("y", i, "a")])])
        p = matrix_program((n,), (n,), nest)
        (scheduled,) = schedule.schedule(p.aimed_at(MACHINE), nest)
        assert scheduled.body[0].parallel is expected
    assert not loops(schedule.schedule(p.aimed_at(Machine(64, False)), nest))[0][3]


@pytest.mark.parametrize("n", [30_000_000, 30_000_001])
def test_split_reduction_has_a_fixed_number_of_pieces(n):
    body = [
        Acc("s", "add", "f32"),
        Loop("i", n, [Load("a", "x", i), Update("s", "a")]),
        Store("y", 0, "s"),
    ]
    p = matrix_program((n,), (1,), Nest(body))
    for machine in (MACHINE, Machine(16, False)):
        before = [step for step in pipeline.TARGETED if step.name in ("combine", "split reductions")]
        split = pipeline.run(p.aimed_at(machine), before)
        check(split)
        (part,) = [b for b in split.buffers.values() if b.kind == "temp"]
        assert part.shape == (32,) and len(split.steps) == 2
    assert len(p.steps) == 1 and len(p.buffers) == 2


@pytest.mark.parametrize("n", [10, 48, 100, 1000, 1003, 4096, 10_000_000, 9973])
@pytest.mark.parametrize("wanted", [32, 128, 1024])
def test_divisors(n, wanted):
    d = facts.divisor(n, wanted)
    assert d is None or (n % d == 0 and wanted // 3 <= d <= 3 * wanted)
    if d is None:
        assert not any(n % k == 0 for k in range(max(2, wanted // 3), 3 * wanted + 1))


def test_every_statement_and_step_is_known_to_all_that_handle_them():
    statements, steps = set(get_args(Statement)), set(get_args(Step))
    for table in (loop_check._CHECK, interpret._RUN, nests._EMIT):
        assert set(table) == statements
    for table in (loop_check._CHECK_STEP, interpret._STEP, memory_check._STEP, emitter._STEP):
        assert set(table) == steps
    assert set(loop_text._PRINT) == statements | steps
    assert set(interpret.ROUTINES) == set(routines.ROUTINES)
