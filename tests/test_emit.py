"""Native code of loop nests against the interpreter of the loop IR, and against NumPy."""

import numpy as np
import pytest
from emitted import RNG, agree, dtype_of, program, sample, x_to_y

from fungrad.jit.front import load as runtime
from fungrad.jit.ir.loop_check import check
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
    Repeat,
    Set,
    Store,
    Update,
    Var,
    View,
    While,
)
from fungrad.jit.kernels.scalars import type_of
from fungrad.jit.runtime import native

i, j = Affine.var("i"), Affine.var("j")
SIZES = (1, 2, 3, 7, 16, 17, 31, 64, 100, 129, 300)
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64",
)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", (1, 5, 16, 100))
def test_map_of_every_dtype(dtype, n):
    t = type_of(dtype_of(dtype))
    op = "xor" if t == "i1" else "add"
    p = x_to_y(
        n,
        [Loop("i", n, [Load("a", "x", i), Let("b", op, ("a", "a"), t), Store("y", i, "b")])],
        dtype,
    )
    x = sample((n,), dtype_of(dtype))
    (y,) = agree(p, x)
    np.testing.assert_array_equal(y, x ^ x if t == "i1" else x + x)


@pytest.mark.parametrize("n", SIZES)
def test_chain_of_operations(n):
    body = [
        Load("a", "x", i),
        Let("e", "exp", ("a",), "f32"),
        Let("s", "select", ("c", "e", "a"), "f32"),
        Store("y", i, "s"),
    ]
    body.insert(1, Let("c", "gt", ("a", Const(0.0, "f32")), "i1"))
    x = sample((n,))
    (y,) = agree(x_to_y(n, [Loop("i", n, body)]), x, rtol=1e-6)
    np.testing.assert_allclose(y, np.where(x > 0, np.exp(x), x), rtol=1e-5)


def test_function_with_several_results():
    def both(m, a):
        return a + 1.0, a * 2.0

    n = 37
    buffers = [Buffer("x", "f4", (n,), "input")] + [Buffer(b, "f4", (n,), "output") for b in "yz"]
    body = [
        Load("a", "x", i),
        Let(("b", "c"), "both", ("a",), ("f32", "f32"), both),
        Store("y", i, "b"),
        Store("z", i, "c"),
    ]
    x = sample((n,))
    y, z = agree(program(buffers, [Nest([Loop("i", n, body)])]), x)
    np.testing.assert_array_equal(y, x + 1)
    np.testing.assert_array_equal(z, x * 2)


@pytest.mark.parametrize("rows,columns", [(1, 1), (3, 5), (16, 16), (17, 33), (40, 3)])
@pytest.mark.parametrize("dtype", ["float32", "bool", "float64", "complex64"])
def test_index_maps(rows, columns, dtype):
    """Transposition, reversal, broadcast of a row and of a column, a strided slice."""
    x = sample((rows, columns), dtype)
    is_complex = np.dtype(dtype).kind == "c"

    def moved(index, shape):
        load = [Load("re", "x", index, 0), Load("im", "x", index, 1)] if is_complex else [Load("re", "x", index)]
        store = Store("y", i * shape[1] + j, "re", "im" if is_complex else None)
        nest = Nest([Loop("i", shape[0], [Loop("j", shape[1], [*load, store])])])
        buffers = [Buffer("x", dtype, x.shape, "input"), Buffer("y", dtype, shape, "output")]
        return agree(program(buffers, [nest]), x)[0]

    np.testing.assert_array_equal(moved(j * columns + i, (columns, rows)), x.T)
    last = rows * columns - 1
    np.testing.assert_array_equal(moved(last - i * columns - j, x.shape), x[::-1, ::-1])
    np.testing.assert_array_equal(moved(i * columns - j + (columns - 1), x.shape), x[:, ::-1])
    np.testing.assert_array_equal(moved(j, x.shape), np.broadcast_to(x[0], x.shape))
    np.testing.assert_array_equal(moved(i * columns, x.shape), np.broadcast_to(x[:, :1], x.shape))
    half = (rows, (columns + 1) // 2)
    np.testing.assert_array_equal(moved(i * columns + j * 2, half), x[:, ::2])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("op", ["add", "mul", "max", "min"])
def test_reduction_to_scalar(n, op):
    p = x_to_y(
        n,
        [
            Acc("s", op, "f32"),
            Loop("i", n, [Load("a", "x", i), Update("s", "a")]),
            Store("y", 0, "s"),
        ],
        m=1,
    )
    x = (1 + 0.1 * sample((n,))).astype("f4")
    (y,) = agree(p, x, rtol=1e-4)
    reference = {"add": np.sum, "mul": np.prod, "max": np.max, "min": np.min}[op]
    np.testing.assert_allclose(y[0], reference(x.astype("f8")), rtol=1e-4)


@pytest.mark.parametrize("op,reference", [("and", np.logical_and), ("or", np.logical_or), ("xor", np.logical_xor)])
@pytest.mark.parametrize("n", (1, 9, 64, 100))
def test_boolean_reduction(op, reference, n):
    p = x_to_y(
        n,
        [
            Acc("s", op, "i1"),
            Loop("i", n, [Load("a", "x", i), Update("s", "a")]),
            Store("y", 0, "s"),
        ],
        "bool",
        m=1,
    )
    for x in (np.ones(n, bool), np.zeros(n, bool), np.arange(n) == n - 1):
        assert agree(p, x)[0][0] == reference.reduce(x)


def test_reduction_starts_from_initial_value():
    p = x_to_y(
        50,
        [
            Acc("s", "add", "f32", Const(100.0, "f32")),
            Loop("i", 50, [Load("a", "x", i), Update("s", "a")]),
            Store("y", 0, "s"),
        ],
        m=1,
    )
    (y,) = agree(p, np.ones(50, "f4"))
    assert y[0] == 150


@pytest.mark.parametrize("op,expected", [("max", -np.inf), ("add", 0), ("min", np.inf), ("mul", 1)])
def test_reduction_of_nothing(op, expected):
    p = x_to_y(
        0,
        [
            Acc("s", op, "f32"),
            Loop("i", 0, [Load("a", "x", i), Update("s", "a")]),
            Store("y", 0, "s"),
        ],
        m=1,
    )
    assert agree(p, np.zeros(0, "f4"))[0][0] == expected


@pytest.mark.parametrize("n", (1, 5, 33, 200))
@pytest.mark.parametrize("op", ["max", "min"])
def test_extremes_propagate_nan(n, op):
    p = x_to_y(
        n,
        [
            Acc("s", op, "f32"),
            Loop("i", n, [Load("a", "x", i), Update("s", "a")]),
            Store("y", 0, "s"),
        ],
        m=1,
    )
    for at in {0, n // 2, n - 1}:
        x = sample((n,))
        x[at] = np.nan
        assert np.isnan(agree(p, x)[0][0])


@pytest.mark.parametrize("rows,columns", [(1, 1), (2, 50), (50, 2), (30, 30), (7, 129), (200, 3)])
def test_reduction_over_either_axis(rows, columns):
    x = sample((rows, columns))

    def reduced(outer, inner):
        index = i * columns + j
        n = {"i": rows, "j": columns}
        nest = Nest(
            [
                Loop(
                    outer,
                    n[outer],
                    [
                        Acc("s", "add", "f32"),
                        Loop(inner, n[inner], [Load("a", "x", index), Update("s", "a")]),
                        Store("y", Affine.var(outer), "s"),
                    ],
                )
            ]
        )
        buffers = [Buffer("x", "f4", x.shape, "input"), Buffer("y", "f4", (n[outer],), "output")]
        return agree(program(buffers, [nest]), x, rtol=1e-4, atol=1e-4)[0]

    np.testing.assert_allclose(reduced("i", "j"), x.sum(1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(reduced("j", "i"), x.sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("columns", (1, 3, 16, 20, 100))
def test_rows_with_several_passes(columns):
    """Softmax: a maximum, a sum and a quotient per row, in one nest."""
    rows, index = 5, i * columns + j
    row = [
        Acc("m", "max", "f32"),
        Loop("j", columns, [Load("a", "x", index), Update("m", "a")]),
        Acc("s", "add", "f32"),
        Loop(
            "j",
            columns,
            [
                Load("a", "x", index),
                Let("d", "sub", ("a", "m"), "f32"),
                Let("e", "exp", ("d",), "f32"),
                Update("s", "e"),
                Store("y", index, "e"),
            ],
        ),
        Loop(
            "j",
            columns,
            [Load("e", "y", index), Let("q", "div", ("e", "s"), "f32"), Store("y", index, "q")],
        ),
    ]
    buffers = [Buffer(b, "f4", (rows, columns), kind) for b, kind in (("x", "input"), ("y", "output"))]
    x = sample((rows, columns))
    (y,) = agree(program(buffers, [Nest([Loop("i", rows, row)])]), x, rtol=1e-5)
    e = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(y, e / e.sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("columns", (1, 4, 33, 64, 100))
@pytest.mark.parametrize("op", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_position_of_extreme(columns, op, dtype):
    rows, t = 8, type_of(np.dtype(dtype))
    x = sample((rows, columns), dtype)
    x[1] = 5
    x[2, columns // 2 :] = 77
    x[3, columns // 3] = -77
    if t == "f32":
        x[4, columns // 2] = x[4, -1] = np.nan
        x[5] = -np.inf
        x[6] = np.inf
    nest = Nest(
        [
            Loop(
                "i",
                rows,
                [
                    Acc("m", op, t, position="p"),
                    Loop("j", columns, [Load("a", "x", i * columns + j), Update("m", "a", j)]),
                    Store("y", i, "p"),
                    Store("v", i, "m"),
                ],
            )
        ]
    )
    buffers = [
        Buffer("x", dtype, x.shape, "input"),
        Buffer("y", "i8", (rows,), "output"),
        Buffer("v", dtype, (rows,), "output"),
    ]
    y, v = agree(program(buffers, [nest]), x)
    np.testing.assert_array_equal(y, getattr(np, op)(x, 1))
    np.testing.assert_array_equal(v, getattr(np, op[3:])(x, 1))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("op", ["add", "mul", "max"])
def test_running_result(n, op):
    x = sample((n,), "int64")
    p = x_to_y(
        n,
        [
            Acc("s", op, "i64"),
            Loop("i", n, [Load("a", "x", i), Prefix("r", "s", "a"), Store("y", i, "r")]),
        ],
        "int64",
    )
    (y,) = agree(p, x)
    reference = {"add": np.add, "mul": np.multiply, "max": np.maximum}[op]
    np.testing.assert_array_equal(y, reference.accumulate(x))


@pytest.mark.parametrize("rows,columns", [(3, 40), (40, 3), (20, 20)])
def test_running_result_over_first_axis(rows, columns):
    x = sample((rows, columns), "int32")
    nest = Nest(
        [
            Loop(
                "j",
                columns,
                [
                    Acc("s", "add", "i32"),
                    Loop(
                        "i",
                        rows,
                        [
                            Load("a", "x", i * columns + j),
                            Prefix("r", "s", "a"),
                            Store("y", i * columns + j, "r"),
                        ],
                    ),
                ],
            )
        ]
    )
    buffers = [Buffer(b, "i4", x.shape, kind) for b, kind in (("x", "input"), ("y", "output"))]
    np.testing.assert_array_equal(agree(program(buffers, [nest]), x)[0], x.cumsum(0, dtype="i4"))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "bool", "int8"])
def test_guarded_loads(n, dtype):
    """Padding: elements outside of the operand are never touched."""
    t = type_of(np.dtype(dtype))
    body = [
        Index("at", i - 3),
        Let("low", "ge", ("at", Const(0, "i32")), "i1"),
        Let("high", "lt", ("at", Const(n, "i32")), "i1"),
        Let("inside", "and", ("low", "high"), "i1"),
        Load("a", "x", i - 3, where="inside", other=Const(1, t)),
        Store("y", i, "a"),
    ]
    x = sample((n,), dtype)
    (y,) = agree(x_to_y(n, [Loop("i", n + 7, body)], dtype, m=n + 7), x)
    np.testing.assert_array_equal(y, np.pad(x, (3, 4), constant_values=1))


@pytest.mark.parametrize("n", (1, 16, 40))
def test_guarded_stores(n):
    body = [
        Load("a", "x", i),
        Let("c", "gt", ("a", Const(0, "i32")), "i1"),
        Store("y", i, "a", where="c"),
    ]
    nests = [Nest([Loop("i", n, [Store("y", i, Const(0, "i32"))])]), Nest([Loop("i", n, body)])]
    buffers = [Buffer("x", "i4", (n,), "input"), Buffer("y", "i4", (n,), "output")]
    x = sample((n,), "int32")
    np.testing.assert_array_equal(agree(program(buffers, nests), x)[0], np.maximum(x, 0))


@pytest.mark.parametrize("n", (1, 5, 33, 100))
@pytest.mark.parametrize("index_dtype", ["int32", "uint8", "int64"])
def test_gather_and_scatter(n, index_dtype):
    at = RNG.permutation(n).astype(index_dtype)
    x = sample((n, 3))
    address, q = Affine.var("q"), Load("q", "at", i)
    buffers = [
        Buffer("x", "f4", x.shape, "input"),
        Buffer("at", index_dtype, (n,), "input"),
        Buffer("y", "f4", x.shape, "output"),
        Buffer("z", "f4", x.shape, "output"),
    ]
    gathered = [q, Loop("j", 3, [Load("a", "x", address * 3 + j), Store("y", i * 3 + j, "a")])]
    scattered = [q, Loop("j", 3, [Load("a", "x", i * 3 + j), Store("z", address * 3 + j, "a")])]
    p = program(buffers, [Nest([Loop("i", n, gathered)]), Nest([Loop("i", n, scattered)])])
    y, z = agree(p, x, at)
    np.testing.assert_array_equal(y, x[at])
    np.testing.assert_array_equal(z[at], x)


@pytest.mark.parametrize("n", (1, 20, 100))
def test_colliding_updates_all_count(n):
    at = RNG.integers(0, 4, n).astype("i4")
    x = sample((n,), "int32")
    buffers = [
        Buffer("x", "i4", (n,), "input"),
        Buffer("at", "i4", (n,), "input"),
        Buffer("y", "i4", (4,), "output"),
    ]
    body = [Load("q", "at", i), Load("a", "x", i), Store("y", "q", "a", update="add")]
    steps = [Call("fill", [], [View("y", (4,))]), Nest([Loop("i", n, body)])]
    expected = np.zeros(4, "i4")
    np.add.at(expected, at, x)
    np.testing.assert_array_equal(agree(program(buffers, steps), x, at)[0], expected)


def test_variables_branches_and_scalar_loops():
    """Collatz: steps until 1, with a data-dependent loop per element."""
    n = 30
    body = [
        Load("start", "x", i),
        Var("v", "i64", "start"),
        Var("count", "i32", Const(0, "i32")),
        LoopWhile(
            [Let("go", "gt", ("v", Const(1, "i64")), "i1")],
            "go",
            [
                Let("low", "and", ("v", Const(1, "i64")), "i64"),
                Let("odd", "ne", ("low", Const(0, "i64")), "i1"),
                If(
                    "odd",
                    [
                        Let("t", "mul", ("v", Const(3, "i64")), "i64"),
                        Let("u", "add", ("t", Const(1, "i64")), "i64"),
                        Set("v", "u"),
                    ],
                    [Let("w", "shr", ("v", Const(1, "i64")), "i64"), Set("v", "w")],
                ),
                Let("next", "add", ("count", Const(1, "i32")), "i32"),
                Set("count", "next"),
            ],
        ),
        Store("y", i, "count"),
    ]
    p = x_to_y(n, [Loop("i", n, body)], "int64", "int32")
    (y,) = agree(p, np.arange(1, n + 1))

    def collatz(v):
        count = 0
        while v > 1:
            v, count = (3 * v + 1 if v % 2 else v // 2), count + 1
        return count

    np.testing.assert_array_equal(y, [collatz(v) for v in range(1, n + 1)])


def test_sequential_loop_carries_values():
    """Logistic map: a variable that every iteration changes."""
    body = [
        Var("v", "f64", Const(0.3, "f64")),
        Loop(
            "i",
            50,
            [
                Let("a", "sub", (Const(1.0, "f64"), "v"), "f64"),
                Let("b", "mul", ("v", "a"), "f64"),
                Let("c", "mul", ("b", Const(3.7, "f64")), "f64"),
                Set("v", "c"),
                Store("y", i, "v"),
            ],
        ),
    ]
    p = program([Buffer("y", "f8", (50,), "output")], [Nest(body)])
    (y,) = agree(p)
    v, expected = 0.3, []
    for _ in range(50):
        v = v * (1 - v) * 3.7
        expected.append(v)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("n", (1, 8, 21))
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_elements(n, dtype):
    t = "f32" if dtype == "complex64" else "f64"
    body = [
        Load("r", "x", i, 0),
        Load("s", "x", i, 1),
        Let("n", "neg", ("s",), t),
        Store("y", i, "r", "n"),
        Store("z", Affine(n - 1) - i, "r", "s"),
    ]
    buffers = [Buffer(b, dtype, (n,), kind) for b, kind in zip("xyz", ("input", "output", "output"), strict=True)]
    x = sample((n,), dtype)
    y, z = agree(program(buffers, [Nest([Loop("i", n, body)])]), x)
    np.testing.assert_array_equal(y, x.conj())
    np.testing.assert_array_equal(z, x[::-1])


def test_in_place_output_and_temporaries_that_share_memory():
    n = 70
    buffers = [
        Buffer("x", "f4", (n,), "input"),
        Buffer("y", "f4", (n,), "output", alias="x"),
        Buffer("t", "f4", (n,), "temp", offset=0),
        Buffer("u", "f4", (n,), "temp", offset=0),
    ]

    def step(source, target):
        return Nest(
            [
                Loop(
                    "i",
                    n,
                    [
                        Load("a", source, i),
                        Let("b", "add", ("a", Const(1.0, "f32")), "f32"),
                        Store(target, i, "b"),
                    ],
                )
            ]
        )

    p = program(buffers, [step("x", "t"), step("t", "u"), step("u", "y")])
    check(p)
    x = sample((n,))
    given = x.copy()
    (y,) = runtime.load(p).run([given])
    assert np.shares_memory(y, given)
    np.testing.assert_array_equal(y, x + 1 + 1 + 1)


def test_repeat_while_and_branch():
    """x doubled in a loop of steps until it passes a limit; then one of two branches."""
    buffers = [
        Buffer("x", "f4", (3,), "input"),
        Buffer("y", "f4", (4, 3), "output"),
        Buffer("count", "i4", (), "output"),
        Buffer("state", "f4", (3,), "temp"),
        Buffer("go", "bool", (), "temp"),
        Buffer("which", "i4", (), "temp"),
    ]
    double = Nest(
        [
            Loop(
                "i",
                3,
                [Load("a", "state", i), Let("b", "add", ("a", "a"), "f32"), Store("state", i, "b")],
            )
        ]
    )
    keep = Nest([Loop("i", 3, [Load("a", "state", i), Store("y", Affine.var("step", 3) + i, "a")])])
    test = Nest(
        [
            Load("a", "state", 0),
            Let("c", "lt", ("a", Const(100.0, "f32")), "i1"),
            Store("go", 0, "c"),
        ]
    )
    add_one = Nest(
        [
            Load("a", "count", 0),
            Let("b", "add", ("a", Const(1, "i32")), "i32"),
            Store("count", 0, "b"),
        ]
    )
    choose = Nest(
        [
            Load("a", "count", 0),
            Let("c", "and", ("a", Const(1, "i32")), "i32"),
            Store("which", 0, "c"),
        ]
    )
    steps = [
        Call("copy", [View("x", (3,))], [View("state", (3,))]),
        Call("fill", [], [View("count", ())]),
        Repeat("step", 4, [keep, double]),
        While([test], "go", [double, add_one]),
        choose,
        Branch("which", [[add_one], [add_one, add_one, add_one]]),
    ]
    y, count = agree(program(buffers, steps), np.array([1, 2, 3], "f4"))
    np.testing.assert_array_equal(y, np.array([1, 2, 3]) * np.array([[1], [2], [4], [8]]))
    assert count == 6  # 16 -> 128 in three steps, then the branch for odd counts


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("m,n,kk", [(1, 1, 1), (5, 7, 3), (1, 9, 4), (9, 1, 4), (4, 5, 1), (3, 3, 0)])
@pytest.mark.parametrize("turn", [(False, False), (True, False), (False, True), (True, True)])
def test_matrix_product(dtype, m, n, kk, turn):
    a, b = sample((m, kk), dtype), sample((kk, n), dtype)

    def operand(name, rows, columns, turned):
        return View(name, (rows, columns), 0, (1, rows) if turned else (columns, 1))

    buffers = [
        Buffer("a", dtype, (kk, m) if turn[0] else (m, kk), "input"),
        Buffer("b", dtype, (n, kk) if turn[1] else (kk, n), "input"),
        Buffer("c", dtype, (m, n), "output"),
    ]
    call = Call("gemm", [operand("a", m, kk, turn[0]), operand("b", kk, n, turn[1])], [View("c", (m, n))])
    stored = [x.T if t else x for x, t in zip((a, b), turn, strict=True)]
    (c,) = agree(program(buffers, [call]), *stored, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(c, a @ b, rtol=1e-4, atol=1e-5)


def test_batched_product_adds_to_result_and_repeats_operand():
    a, b = sample((2, 3, 4, 5)), sample((3, 5, 6))
    buffers = [
        Buffer("a", "f4", a.shape, "input"),
        Buffer("b", "f4", b.shape, "input"),
        Buffer("c", "f4", (2, 3, 4, 6), "output"),
    ]
    c = View("c", (2, 3, 4, 6))
    b_view = View("b", (2, 3, 5, 6), 0, (0, 30, 6, 1))
    product = [View("a", a.shape), b_view]
    steps = [Call("gemm", product, [c]), Call("gemm", product, [c], {"beta": 1})]
    (result,) = agree(program(buffers, steps), a, b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(result, 2 * (a @ b), rtol=1e-4, atol=1e-4)


def test_host_steps_run_between_native_ones_and_in_loops():
    seen = []

    def flip(x):
        seen.append(x.copy())
        assert not x.flags.writeable
        return x[::-1] * 2

    buffers = [
        Buffer("x", "f4", (4,), "input"),
        Buffer("y", "f4", (2, 4), "output"),
        Buffer("t", "f4", (4,)),
    ]
    keep = Nest(
        [
            Loop(
                "i",
                4,
                [
                    Load("a", "t", i),
                    Let("b", "add", ("a", Const(1.0, "f32")), "f32"),
                    Store("t", i, "b"),
                ],
            )
        ]
    )
    row = View("y", (4,), Affine.var("r", 4))
    steps = [
        Call("copy", [View("x", (4,))], [View("t", (4,))]),
        Repeat("r", 2, [keep, Host("flip", flip, [View("t", (4,))], [row])]),
    ]
    x = np.arange(4, dtype="f4")
    (y,) = agree(program(buffers, steps), x)
    np.testing.assert_array_equal(y, [(x + 1)[::-1] * 2, (x + 2)[::-1] * 2])
    assert len(seen) == 4  # twice interpreted, twice native


def test_host_step_exception_reaches_the_caller():
    def broken(x):
        raise ZeroDivisionError("on purpose")

    buffers = [Buffer("x", "f4", (4,), "input"), Buffer("y", "f4", (4,), "output")]
    p = program(buffers, [Host("broken", broken, [View("x", (4,))], [View("y", (4,))])])
    executable = runtime.load(p)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="on purpose"):
            executable.run([np.zeros(4, "f4")])


def test_constants_are_bound():
    value = sample((6,))
    buffers = [
        Buffer("x", "f4", (6,), "input"),
        Buffer("y", "f4", (6,), "output"),
        Buffer("w", "f4", (6,), "const", value),
    ]
    body = [
        Load("a", "x", i),
        Load("b", "w", i),
        Let("c", "mul", ("a", "b"), "f32"),
        Store("y", i, "c"),
    ]
    x = sample((6,))
    np.testing.assert_array_equal(agree(program(buffers, [Nest([Loop("i", 6, body)])]), x)[0], x * value)


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_conversions_between_all_dtypes(source, target):
    n = 21
    s, t = type_of(dtype_of(source)), type_of(dtype_of(target))
    body = [Load("a", "x", i), Let("b", "convert", ("a",), t), Store("y", i, "b")]
    x = sample((n,), dtype_of(source))
    if s[0] in "fb" and s != "bf16":
        x[:5] = [np.inf, -np.inf, np.nan, 300.7, -300.7]
    agree(x_to_y(n, [Loop("i", n, body)], source, target), x)


@pytest.fixture
def plain_processor(monkeypatch):
    """A compiler for the least of x86-64: no AVX, no fused multiplication, no half precision."""
    host = native.session().host
    if not host.triple.startswith("x86_64"):
        pytest.skip("for x86-64")
    monkeypatch.setattr(native, "_session", native.Session(native.Host(host.triple, "x86-64", "")))


@pytest.mark.parametrize("other", ["float16", "float32", "float64", "bool", "int64"])
def test_half_precision_without_instructions(plain_processor, keep_subnormals, other):
    # every number: the smallest halves are subnormal
    every = np.arange(1 << 16, dtype="u2").view("f2")
    with np.errstate(all="ignore"):
        near = np.nextafter(every.astype("f4"), np.float32(0))
    values = every if other == "float16" else np.concatenate([every.astype("f4"), near, near / 3])
    values = np.nan_to_num(values, nan=1) if other in ("bool", "int64") else values
    if other == "int64":
        values = np.clip(values, -6e4, 6e4)
    with np.errstate(all="ignore"):
        x = values.astype(other)
        for source, target in ((other, "float16"), ("float16", other)):
            given = x.astype(source)
            t = type_of(np.dtype(target))
            body = [Load("a", "x", i), Let("c", "convert", ("a",), t), Store("y", i, "c")]
            p = x_to_y(given.size, [Loop("i", given.size, body)], source, target)
            (y,) = runtime.load(p).run([given])
            np.testing.assert_array_equal(y, given.astype(target))


@pytest.mark.parametrize("n", (1, 7, 64, 101))
def test_least_processor(plain_processor, n):
    body = [
        Load("a", "x", i),
        Let("e", "exp", ("a",), "f32"),
        Let("f", "fma", ("e", "a", Const(1.0, "f32")), "f32"),
        Store("y", i, "f"),
    ]
    agree(x_to_y(n, [Loop("i", n, body)]), sample((n,)), rtol=1e-6)


@pytest.mark.parametrize("op", ["div", "rem"])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float32"])
def test_division_by_zero_and_of_the_minimum_is_defined(op, dtype):
    d = np.dtype(dtype)
    t = type_of(d)
    n = 40
    x, y = sample((n,), d), sample((n,), d)
    y[:4] = 0
    if d.kind == "i":
        x[4], y[4] = np.iinfo(d).min, -1
    buffers = [
        Buffer("x", d, (n,), "input"),
        Buffer("w", d, (n,), "input"),
        Buffer("y", d, (n,), "output"),
    ]
    body = [Load("a", "x", i), Load("b", "w", i), Let("c", op, ("a", "b"), t), Store("y", i, "c")]
    agree(program(buffers, [Nest([Loop("i", n, body)])]), x, y)
