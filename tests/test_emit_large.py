"""Native code of loop nests that are large enough to be divided or turned, against the interpreter."""

import numpy as np
import pytest
from emitted import agree, program, sample, x_to_y

from fungrad.jit.front import load as runtime
from fungrad.jit.ir.loop_check import check
from fungrad.jit.ir.loops import Acc, Affine, Buffer, Call, Const, Let, Load, Loop, Nest, Store, Update, View

i, j = Affine.var("i"), Affine.var("j")


@pytest.mark.parametrize("dtype", ["float32", "int16", "float64", "bool", "complex64"])
@pytest.mark.parametrize("rows,columns", [(260, 300), (16, 600), (600, 16), (17, 311)])
def test_large_transpositions_run_in_blocks(dtype, rows, columns):
    nest = Nest(
        [
            Loop(
                "j",
                columns,
                [
                    Loop(
                        "i",
                        rows,
                        [
                            Load("a", "x", i * columns + j, 0),
                            Load("b", "x", i * columns + j, 1),
                            Store("y", j * rows + i, "a", "b"),
                        ]
                        if dtype == "complex64"
                        else [Load("a", "x", i * columns + j), Store("y", j * rows + i, "a")],
                    )
                ],
            )
        ]
    )
    x = sample((rows, columns), dtype)
    buffers = [Buffer("x", dtype, x.shape, "input"), Buffer("y", dtype, x.shape[::-1], "output")]
    np.testing.assert_array_equal(runtime.load(program(buffers, [nest])).run([x])[0], x.T)


@pytest.mark.parametrize("n", [1_000_000, 1_000_003])
@pytest.mark.parametrize("op,reference", [("add", np.sum), ("max", np.max)])
def test_large_reductions_are_split(n, op, reference):
    p = x_to_y(
        n,
        [
            Acc("s", op, "f32", Const(-5.0, "f32")),
            Loop("i", n, [Load("a", "x", i), Let("e", "exp", ("a",), "f32"), Update("s", "e")]),
            Let("t", "neg", ("s",), "f32"),
            Store("y", 0, "t"),
        ],
        m=1,
    )
    x = sample((n,))
    executable = runtime.load(p)
    (y,) = executable.run([x])
    expected = reference(np.exp(x.astype("f8"))) - (5 if op == "add" else 0)
    np.testing.assert_allclose(-y[0], expected, rtol=1e-5)
    assert all((executable.run([x])[0] == y).all() for _ in range(5))


@pytest.mark.parametrize("rows,columns", [(100, 2048), (77, 1000), (33, 1003), (64, 4096)])
def test_reductions_over_the_first_axis_of_wide_arrays(rows, columns):
    """Mean and maximum in one nest, swept row by row."""
    body = [
        Acc("s", "add", "f32"),
        Acc("m", "max", "f32", Const(0.5, "f32")),
        Loop("i", rows, [Load("a", "x", i * columns + j), Update("s", "a"), Update("m", "a")]),
        Let("mean", "mul", ("s", Const(1 / rows, "f32")), "f32"),
        Store("y", j, "mean"),
        Store("z", j, "m"),
    ]
    x = sample((rows, columns))
    buffers = [Buffer("x", "f4", x.shape, "input")] + [Buffer(b, "f4", (columns,), "output") for b in "yz"]
    p = program(buffers, [Nest([Loop("j", columns, body)])])
    executable = runtime.load(p)
    check(executable.program)
    y, z = executable.run([x])
    np.testing.assert_allclose(y, x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(z, np.maximum(x.max(0), 0.5))


def rows_program(rows, columns, extra=()):
    """An ordered loop over rows: a total, sums of columns, a scratch row, a result per row."""
    index = i * columns + j
    body = [
        Acc("s", "add", "f32"),
        Loop("j", columns, [Load("a", "x", index), Update("s", "a"), Update("total", "a")]),
        Loop(
            "j",
            columns,
            [Load("a", "x", index), Let("d", "mul", ("a", "s"), "f32"), Store("t", j, "d")],
        ),
        Loop(
            "j",
            columns,
            [
                Load("d", "t", Affine(columns - 1) - j),
                Store("y", index, "d"),
                Store("sums", j, "d", update="add"),
                *extra,
            ],
        ),
    ]
    nest = Nest(
        [
            Acc("total", "add", "f32", Const(1.0, "f32")),
            Loop("j", columns, [Store("sums", j, Const(2.0, "f32"))]),
            Loop("i", rows, body, ordered=True),
            Store("z", 0, "total"),
        ]
    )
    buffers = [
        Buffer("x", "f4", (rows, columns), "input"),
        Buffer("y", "f4", (rows, columns), "output"),
        Buffer("sums", "f4", (columns,), "output"),
        Buffer("z", "f4", (), "output"),
        Buffer("t", "f4", (columns,)),
    ]
    return program(buffers, [nest])


@pytest.mark.parametrize("rows,columns,split", [(5, 7, False), (4096, 130, True), (4099, 130, False)])
def test_ordered_rows_that_meet_in_sums(rows, columns, split):
    p = rows_program(rows, columns)
    x = sample((rows, columns))
    if rows < 100:
        agree(p, x, rtol=1e-4, atol=1e-4)
    executable = runtime.load(p)
    assert any("part" in b for b in executable.program.buffers) is split
    check(executable.program)
    y, sums, z = executable.run([x])
    expected = (x * x.sum(1, keepdims=True))[:, ::-1]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(sums, 2 + expected.astype("f8").sum(0), rtol=1e-4, atol=1)
    np.testing.assert_allclose(z, 1 + x.astype("f8").sum(), rtol=1e-3, atol=1e-1)


@pytest.mark.parametrize(
    "extra",
    [
        [Load("b", "sums", j), Store("y", i * 130 + j, "b")],  # reads a sum while it grows
        [Store("y", (i * 130 + 129) * 0 + j, "d")],  # all iterations store to the same place
        [Store("sums", j, "d", update="max")],  # two ways to combine
    ],
)
def test_ordered_rows_that_depend_on_each_other_stay_whole(extra):
    executable = runtime.load(rows_program(4096, 130, extra))
    assert not any("part" in b for b in executable.program.buffers)


@pytest.mark.parametrize(
    "a_shape,b_shape",
    [
        ((300, 200), (200, 150)),
        ((150, 200), (200, 301)),
        ((9, 100, 70), (9, 70, 50)),
        ((2, 3, 100, 70), (2, 3, 70, 90)),
        ((2000, 700), (700, 1)),
        ((1, 700), (700, 2003)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_large_products_are_shared_between_threads(a_shape, b_shape, turned, dtype):
    a, b = sample(a_shape, dtype), sample(b_shape, dtype)

    def operand(name, shape):
        *batch, rows, columns = shape
        size, strides = rows * columns, []
        for n in reversed(batch):
            strides.insert(0, size)
            size *= n
        return View(name, shape, 0, (*strides, 1, rows) if turned else None)

    shape = (*a_shape[:-1], b_shape[-1])
    stored = [x.swapaxes(-1, -2) if turned else x for x in (a, b)]
    buffers = [
        Buffer("a", dtype, stored[0].shape, "input"),
        Buffer("b", dtype, stored[1].shape, "input"),
        Buffer("c", dtype, shape, "output"),
    ]
    call = Call("gemm", [operand("a", a_shape), operand("b", b_shape)], [View("c", shape)])
    (c,) = runtime.load(program(buffers, [call])).run([np.ascontiguousarray(x) for x in stored])
    np.testing.assert_allclose(c, a @ b, rtol=1e-3, atol=1e-3)
