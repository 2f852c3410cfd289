"""Nests that read one array along rows and another along columns: tiles, transposed in registers."""

import numpy as np
import pytest
from emitted import agree, program, sample

import fungrad
import fungrad.data
from fungrad import numpy as jnp
from fungrad.jit.ir.loops import Affine, Buffer, Let, Load, Loop, Nest, Store

PROGRAMS = {
    "transposed": lambda np_, x, y: x.T,
    "computed": lambda np_, x, y: x.T * 2 + y,
    "both parts": lambda np_, x, y: np_.conj(x.T) * y,
    "with itself": lambda np_, x, y: x.T + x.reshape(x.shape[::-1]),
    "one part": lambda np_, x, y: np_.real(x.T) + np_.imag(y),
    "two results": lambda np_, x, y: (np_.imag(x).T, x.T - y),
    "rows backwards": lambda np_, x, y: x[::-1].T,
    "columns backwards": lambda np_, x, y: x[:, ::-1].T * y,
    "part": lambda np_, x, y: x[1:, 2:].T + y[2:, 1:],
    "three dimensions": lambda np_, x, y: np_.stack([x, y.T]).transpose(0, 2, 1) + y,
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("shape", [(3, 5), (8, 8), (9, 17), (130, 67), (64, 1030), (300, 9)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int8"])
def test_values(name, shape, dtype):
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-30, 30, s).astype(dtype) for s in (shape, shape[::-1]))
    if np.dtype(dtype).kind == "c":
        x, y = x + 1j * rng.integers(-9, 9, x.shape).astype(x.real.dtype), y - 0.5j
    with fungrad.enable_x64():
        got = fungrad.jit(lambda x, y: PROGRAMS[name](jnp, x, y))(x, y)
    for g, w in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(PROGRAMS[name](np, x, y)), strict=True):
        np.testing.assert_array_equal(g, w)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("name", ["transposed", "computed"])
def test_squares_are_transposed_in_registers(name, dtype):
    with fungrad.enable_x64():
        x, y = (fungrad.ShapeDtypeStruct(s, dtype) for s in ((300, 200), (200, 300)))
        lowered = fungrad.jit(lambda x, y: PROGRAMS[name](jnp, x, y)).lower(x, y)
    assert " tile " in lowered.as_text("steps") and "gather" not in lowered.as_text("llvm")


@pytest.mark.parametrize("size", [8, 16, 21])
def test_rows_at_computed_places_are_read_as_columns(size):
    """Where a row begins is computed by the loop over rows: nothing is read ahead of that."""
    x = jnp.array(np.random.default_rng(0).standard_normal((40, size, size)).astype("f4"))

    def moved(x, key):
        padded = jnp.pad(x, ((0, 0), (3, 3), (3, 3)))
        places = fungrad.random.randint(key, (len(x), 2), 0, 7)
        return fungrad.vmap(lambda v, at: fungrad.lax.dynamic_slice(v, (at[0], at[1]), (size, size)))(padded, places)

    for f in (
        lambda x, key: moved(x, key).reshape(len(x), -1).T * 2,
        lambda x, key: fungrad.data.shift(key, x[..., None], 3).reshape(len(x), -1).T * 2,
    ):
        np.testing.assert_array_equal(fungrad.jit(f)(x, fungrad.random.key(1)), f(x, fungrad.random.key(1)))


def test_what_is_read_before_a_loop_is_not_read_again_in_it():
    """The loop inside writes to the same memory under another name."""
    n, m = 8, 512
    element = Affine.var("j", n) + "i"
    inside = [Load("w", "z", element), Let("s", "add", ("v", "w"), "f32"), Store("y", element, "s")]
    nest = Nest([Loop("i", n, [Load("v", "x", Affine.var("i")), Loop("j", m, inside, vector=True)])])
    buffers = [
        Buffer("x", np.float32, (n * m,), "input"),
        Buffer("z", np.float32, (n * m,), "input"),
        Buffer("y", np.float32, (n * m,), "output", alias="x"),
    ]
    agree(program(buffers, [nest]), sample((n * m,)), sample((n * m,)))
