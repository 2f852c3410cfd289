"""Native convolutions of sizes that use every kernel, against eager ones (NumPy) and JAX; shapes like JAX's.

The op table (`optable_conv.py`) has small convolutions of all kinds.
"""

import loop_interpreter as interpret
import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.jit.front.program import compile_jaxpr
from fungrad.jit.ir.loops import Host
from fungrad.jit.ir.traverse import walk
from fungrad.jit.products import convolution as emitted
from fungrad.ops.convolution_shapes import Taps

NHWC = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
ONE = (1, 1)

# Shapes, strides, padding, and other arguments.
CASES = {
    "panels": ((2, 13, 17, 6), (3, 3, 6, 20), ONE, "SAME", NHWC),
    "channels first": ((2, 6, 13, 17), (20, 6, 3, 3), ONE, "SAME", {}),
    "half a panel": ((2, 13, 17, 6), (3, 3, 6, 8), ONE, "SAME", NHWC),
    "few outputs": ((2, 13, 17, 6), (3, 3, 6, 5), ONE, "SAME", NHWC),
    "strided": ((3, 32, 32, 16), (3, 3, 16, 33), (2, 2), "SAME", NHWC),
    "cut": ((2, 13, 17, 6), (4, 2, 6, 37), (2, 3), ((3, -1), (-2, 4)), {**NHWC, "rhs_dilation": (2, 3)}),
    "short lines": ((5, 4, 4, 32), (3, 3, 32, 40), ONE, "SAME", NHWC),
    "very short lines": ((5, 2, 2, 32), (3, 3, 32, 40), ONE, "SAME", NHWC),
    "many features": ((2, 7, 7, 256), (3, 3, 256, 48), ONE, "SAME", NHWC),
    "spread": ((2, 13, 17, 6), (4, 3, 6, 20), ONE, ((2, 1), (3, 3)), {**NHWC, "lhs_dilation": (2, 3)}),
    "spread, without taps": (
        (2, 13, 17, 6), (2, 1, 6, 20), (2, 1), ((2, 1), (3, 3)),
        {**NHWC, "lhs_dilation": (3, 4), "rhs_dilation": (2, 1)},
    ),
    "groups": ((2, 13, 17, 12), (3, 3, 4, 27), ONE, "SAME", {**NHWC, "feature_group_count": 3}),
    "batch groups": ((6, 13, 17, 4), (3, 3, 4, 27), ONE, "SAME", {**NHWC, "batch_group_count": 3}),
    "single features": ((2, 13, 17, 40), (7, 7, 1, 40), ONE, "SAME", {**NHWC, "feature_group_count": 40}),
    "single features, strided": (
        (3, 13, 17, 21), (7, 5, 1, 21), (2, 1), "SAME", {**NHWC, "feature_group_count": 21, "rhs_dilation": (1, 2)},
    ),
    "single features, channels first": ((2, 40, 13, 17), (40, 1, 7, 7), ONE, "SAME", {"feature_group_count": 40}),
    "single features, spread": (
        (3, 9, 8, 21), (7, 7, 1, 21), ONE, ((4, 4), (5, 3)),
        {**NHWC, "feature_group_count": 21, "lhs_dilation": (2, 2)},
    ),
    "deep, single features": (
        (1, 18, 17, 6), (17, 16, 1, 6), ONE, ((1, 1), (2, 1)), {**NHWC, "feature_group_count": 6},
    ),
    "one dimension": ((2, 6, 2111), (20, 6, 5), (1,), "SAME", {}),
    "one dimension, strided": ((2, 6, 2111), (20, 6, 5), (2,), "SAME", {"rhs_dilation": (3,)}),
    "far taps": ((2, 130, 40, 4), (3, 3, 4, 20), ONE, "VALID", {**NHWC, "rhs_dilation": (60, 3)}),
    "far taps in a long line": ((1, 40, 1700, 6), (3, 5, 6, 20), ONE, "SAME", {**NHWC, "rhs_dilation": (9, 300)}),
    "large kernel": ((1, 90, 100, 2), (41, 47, 2, 20), ONE, "VALID", NHWC),
    "three dimensions": ((2, 6, 7, 8, 9), (20, 6, 3, 2, 3), (1, 2, 1), "SAME", {}),
    "deep": ((6, 13, 17, 3), (13, 17, 3, 20), ONE, ((1, 1), (1, 1)), NHWC),
    "deep, strided": ((6, 13, 17, 3), (12, 15, 3, 20), (2, 1), ((1, 1), (1, 2)), NHWC),
    "deep, dilated": ((6, 33, 33, 3), (12, 11, 3, 20), (1, 2), ((1, 1), (1, 2)), {**NHWC, "rhs_dilation": (2, 3)}),
    "deep, spread": ((6, 13, 17, 3), (12, 15, 3, 20), ONE, ((1, 1), (1, 2)), {**NHWC, "lhs_dilation": (2, 2)}),
    "deep, groups": ((6, 13, 17, 6), (13, 17, 3, 20), ONE, ((1, 1), (1, 1)), {**NHWC, "feature_group_count": 2}),
    "deep, long": ((3, 4, 2000), (20, 4, 1900), (1,), "VALID", {}),
    "deep, padded": ((3, 4, 2000), (20, 4, 1998), (1,), ((1, 1),), {}),
}  # fmt: skip


def operands(name, dtype=np.float32):
    lhs, rhs, strides, padding, others = CASES[name]
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=lhs).astype(dtype), rng.normal(size=rhs).astype(dtype)
    return x, w, lambda library: lambda x, w: library.conv_general_dilated(x, w, strides, padding, **others)


def close(a, b, tolerance):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize("name", CASES)
def test_native_convolutions(name):
    x, w, function = operands(name)
    f = function(lax)
    lowered = fungrad.jit(f).lower(x, w)
    assert "host" not in lowered.as_text("steps")
    assert "= conv" in lowered.as_text("steps"), "it is not the step that is meant"
    close(lowered.compile()(x, w), f(x, w), 1e-5)


@pytest.mark.parametrize(
    "name",
    ["panels", "spread", "groups", "single features, strided", "far taps", "deep", "deep, spread", "deep, groups"],
)
def test_derivatives_of_native_convolutions(name):
    with fungrad.enable_x64():
        x, w, function = operands(name, np.float64)
        f = function(lax)

        def loss(x, w):
            return jnp.sum(jnp.sin(f(x, w)))

        def second(x, w):
            return jnp.sum(jnp.sin(fungrad.grad(loss)(x, w))) + jnp.sum(jnp.cos(fungrad.grad(loss, 1)(x, w)))

        for function in (fungrad.grad(loss, (0, 1)), fungrad.grad(second, (0, 1))):
            for a, b in zip(fungrad.jit(function)(x, w), function(x, w), strict=True):
                close(a, b, 1e-12)


@pytest.mark.parametrize(
    "name", ["panels", "spread", "one dimension", "single features", "deep", "deep, single features", "deep, groups"]
)
def test_the_interpreter_agrees(name):
    x, w, function = operands(name)
    f = function(lax)
    program = compile_jaxpr(fungrad.make_jaxpr(f)(x, w)).program
    (out,) = interpret.run(program, [x, w])
    close(out, f(x, w), 1e-5)


@pytest.mark.parametrize("rows", [1, 2, 5, 24])
@pytest.mark.parametrize(
    "name", ["panels", "few outputs", "short lines", "single features", "deep", "deep, single features"]
)
def test_tiles_of_any_height(name, rows, monkeypatch):
    """As on processors with more or wider registers, and with caches that hold single lines."""
    monkeypatch.setattr(emitted._Emitter, "rows", lambda self, columns: rows)
    monkeypatch.setenv("FUNGRAD_CHECK", "1")
    x, w, function = operands(name)
    f = function(lax)
    close(fungrad.jit(lambda x, w: f(x, w))(x, w), f(x, w), 1e-5)


def test_results_do_not_depend_on_the_number_of_threads():
    x, w, function = operands("deep")
    f = fungrad.jit(function(lax))
    before = fungrad.config.threads
    results = []
    try:
        for threads in (1, 2, 3):
            fungrad.config.update("threads", threads)
            results.append(np.asarray(f(x, w)))
    finally:
        fungrad.config.update("threads", before)
    for r in results[1:]:
        np.testing.assert_array_equal(r, results[0])


def test_a_gradient_of_layers_runs_without_python():
    def loss(w, x):
        h = jnp.maximum(lax.conv_general_dilated(x, w[0], (2, 2), "SAME", **NHWC), 0)
        return jnp.mean(lax.conv_general_dilated(h, w[1], ONE, "SAME", **NHWC) ** 2)

    rng = np.random.default_rng(0)
    w = [rng.normal(size=s).astype(np.float32) for s in ((3, 3, 3, 16), (3, 3, 16, 32))]
    x = rng.normal(size=(4, 16, 16, 3)).astype(np.float32)
    program = compile_jaxpr(fungrad.make_jaxpr(fungrad.grad(loss))(w, x)).program
    assert not [s for s in walk(program.steps) if type(s) is Host]
    for a, b in zip(fungrad.jit(fungrad.grad(loss))(w, x), fungrad.grad(loss)(w, x), strict=True):
        close(a, b, 1e-4)


def test_what_follows_a_convolution_runs_on_its_blocks():
    """Bias and activation of a layer while its results are in the cache, for all groups and strides."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=s).astype(np.float32) for s in ((4, 32, 32, 8), (3, 3, 4, 24), (24,)))
    spread = {"lhs_dilation": (2, 2)}
    for strides, padding, options in ((ONE, "SAME", {}), ((2, 1), "VALID", {}), (ONE, ((2, 1), (1, 2)), spread)):

        def layer(x, w, b, strides=strides, padding=padding, options=options):
            y = lax.conv_general_dilated(x, w, strides, padding, feature_group_count=2, **NHWC, **options)
            return jnp.maximum(y + b, 0), jnp.sum(y, (0, 1, 2))

        lowered = fungrad.jit(layer).lower(x, w, b)
        assert "rows" in lowered.as_text("steps")
        for got, wanted in zip(lowered.compile()(x, w, b), layer(x, w, b), strict=True):
            close(got, wanted, 1e-4)


def test_parts_of_an_axis_are_the_axis():
    """Every pair of a result and a tap that meet is in one part, and meets the same element there."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        stride, dilation, spread = (int(rng.integers(1, 5)) for _ in range(3))
        taps, results, low = (int(rng.integers(a, b)) for a, b in ((1, 6), (1, 9), (-3, 6)))
        axis = Taps(7, taps, results, stride, dilation, low, spread)
        wanted = {}
        for o in range(axis.result):
            for k in range(axis.kernel):
                at, rest = divmod(o * stride + k * dilation - axis.low, spread)
                if not rest:
                    wanted[o, k] = at
        got = {}
        made = []
        for part in axis.parts():
            t = part.taps
            made += range(axis.result)[part.results]
            for o in range(t.result):
                for k in range(t.kernel):
                    place = part.first + o * part.step, part.tap_first + k * part.tap_step
                    got[place] = o * t.stride + k * t.dilation - t.low
        assert got == wanted
        assert sorted(made) == list(range(axis.result))


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_like_jax(name):
    import jax

    x, w, function = operands(name)
    close(fungrad.jit(function(lax))(x, w), jax.jit(function(jax.lax))(x, w), 1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 2), (0, 1))])
@pytest.mark.parametrize("strides", [(2, 2), (1, 3), (4, 2)])
def test_conv_transpose_like_jax(padding, strides):
    import jax

    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 6, 3)).astype(np.float32)
    for turned in (False, True):
        w = rng.normal(size=(3, 2, 4, 3) if turned else (3, 2, 3, 4)).astype(np.float32)
        for consistent in (False, True):
            for dilation in (None, (2, 1)):
                options = {"transpose_kernel": turned, "use_consistent_padding": consistent, "rhs_dilation": dilation}
                a, b = (library.conv_transpose(x, w, strides, padding, **options) for library in (lax, jax.lax))
                close(a, b, 1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("numbers", [None, ("NCHW", "OIWH", "CNHW"), ("NCHW", "WHIO", "WHCN")])
def test_patches_and_local_kernels_like_jax(numbers):
    import jax

    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 5, 6)).astype(np.float32)
    options = {"dimension_numbers": numbers}
    made = [y.conv_general_dilated_patches(x, (2, 3), (1, 2), "SAME", **options) for y in (lax, jax.lax)]
    close(*made, 1e-6)
    _, rhs, out = lax.conv_dimension_numbers(x.shape, (1, 1, 2, 3), numbers)
    shape = [0] * 4
    for d, n in zip(rhs, (7, *(made[0].shape[o] for o in out[1:])), strict=True):
        shape[d] = n
    w = rng.normal(size=shape).astype(np.float32)
    close(*[y.conv_general_dilated_local(x, w, (1, 2), "SAME", (2, 3), **options) for y in (lax, jax.lax)], 1e-5)


@pytest.mark.parity
def test_shapes_like_jax():
    import jax

    calls = [
        lambda y: y.conv_general_shape_tuple((1, 9, 8, 3), (3, 3, 3, 16), (2, 2), "SAME", NHWC["dimension_numbers"]),
        lambda y: y.conv_general_shape_tuple((1, 9, 3), (4, 3, 16), (2,), ((1, 2),), ("NHC", "HIO", "NHC")),
        lambda y: y.conv_transpose_shape_tuple((1, 9, 8, 3), (3, 3, 4, 3), (2, 2), "SAME", NHWC["dimension_numbers"]),
        lambda y: y.conv_transpose_shape_tuple((1, 9, 8, 3), (3, 3, 4, 3), (3, 2), "VALID", NHWC["dimension_numbers"]),
        lambda y: y.conv_shape_tuple((4, 3, 9), (16, 3, 3), (2,), ((0, 1),), 2),
        lambda y: y.conv_general_permutations(("NHWC", "WHIO", "CNWH")),
        lambda y: tuple(y.conv_dimension_numbers((1, 2, 3), (1, 2, 3), None)),
        lambda y: tuple(map(tuple, y.padtype_to_pads((9, 8), (3, 4), (2, 3), "SAME_LOWER"))),
    ]
    for call in calls:
        ours, theirs = call(lax), call(jax.lax)
        assert [tuple(map(int, np.ravel(v))) for v in ours] == [tuple(map(int, np.ravel(v))) for v in theirs]
