"""``reduce_window`` and ``reduce``: recognition of primitives, pytrees, errors, derivatives, and native code."""

import numpy as np
import pytest

import fungrad as fg
import fungrad.numpy as fnp
from fungrad import lax
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 7, 3)).astype(np.float32)
CONFIGURATIONS = [
    ((1, 2, 2, 1), (1, 2, 2, 1), "VALID", None, None),
    ((1, 3, 3, 1), (1, 2, 2, 1), "SAME", None, None),
    ((1, 3, 3, 1), (1, 1, 1, 1), "same_lower", None, None),
    ((2, 3, 1, 1), (1, 2, 3, 1), ((0, 1), (2, 1), (0, 2), (-1, 0)), None, None),
    ((1, 2, 3, 2), (1, 1, 2, 1), ((0, 0), (1, 1), (2, 0), (0, 1)), (1, 2, 1, 1), (1, 2, 2, 1)),
]


def max_pool(x, window=(1, 2, 2, 1), strides=(1, 2, 2, 1), padding="VALID"):
    return lax.reduce_window(x, -np.inf, lax.max, window, strides, padding)


def argmax_pool(L, x):
    """The maximum of windows with its position, by a function of pairs."""

    def larger(a, b):
        first = L.ge(a[0], b[0])
        return L.select(first, a[0], b[0]), L.select(first, a[1], b[1])

    positions = np.arange(x.size, dtype=np.int32).reshape(x.shape)
    init = (np.float32(-np.inf), np.int32(-1))
    return L.reduce_window((x, positions), init, larger, (1, 2, 2, 1), (1, 2, 2, 1), "SAME")


@pytest.mark.parity
@pytest.mark.parametrize("name, initial", [("add", 0), ("max", -np.inf), ("min", np.inf), ("mul", 1), ("add", 2)])
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_values_are_those_of_jax(name, initial, configuration):
    jax = pytest.importorskip("jax")
    window, strides, padding, base, dilation = configuration
    init = np.float32(initial)

    def reduced(L, x):
        return L.reduce_window(x, init, getattr(L, name), window, strides, padding.upper()
                               if isinstance(padding, str) else padding, base, dilation)  # fmt: skip

    wanted = np.asarray(reduced(jax.lax, X))
    for result in (reduced(lax, X), fg.jit(lambda x: reduced(lax, x))(X)):
        np.testing.assert_allclose(result, wanted, rtol=2e-6, atol=2e-6)


@pytest.mark.parity
@pytest.mark.parametrize("configuration", CONFIGURATIONS[:3])
def test_gradients_of_pooling_are_those_of_jax(configuration):
    jax = pytest.importorskip("jax")
    window, strides, padding, _, _ = configuration

    def loss(L, square, x):
        return square(L.reduce_window(x, np.float32(-np.inf), L.max, window, strides, padding.upper())).sum()

    wanted = jax.grad(lambda x: loss(jax.lax, jax.numpy.square, x))(X)
    gradient = fg.grad(lambda x: loss(lax, fnp.square, x))
    for result in (gradient(X), fg.jit(gradient)(X)):
        np.testing.assert_allclose(result, np.asarray(wanted), rtol=1e-6, atol=1e-6)


@pytest.mark.parity
def test_ties_and_nan_go_where_jax_sends_them():
    jax = pytest.importorskip("jax")
    x = np.float32([1, 1, 0, 2, 2, np.nan, 3, 3, np.nan, np.nan, 1, 1])

    def pulled(L, vjp, x):
        return vjp(lambda x: L.reduce_window(x, np.float32(-np.inf), L.max, (3,), (1,), "VALID"), x)[1](
            np.arange(1, 11, dtype=np.float32)
        )[0]

    wanted = np.asarray(pulled(jax.lax, jax.vjp, x))
    np.testing.assert_array_equal(pulled(lax, fg.vjp, x), wanted)
    np.testing.assert_array_equal(fg.jit(lambda x: pulled(lax, fg.vjp, x))(x), wanted)


@pytest.mark.parity
def test_several_operands_are_reduced_together():
    jax = pytest.importorskip("jax")
    wanted = argmax_pool(jax.lax, X)
    for result in (argmax_pool(lax, X), fg.jit(lambda x: argmax_pool(lax, x))(X)):
        assert isinstance(result, tuple)
        for a, b in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(a, np.asarray(b))


def test_common_functions_become_primitives():
    def names(init, function):
        jaxpr = fg.make_jaxpr(lambda x: lax.reduce_window(x, init, function, (2,), (1,), "SAME"))(X[0, 0, :, 0])
        return [e.primitive.name for e in jaxpr.eqns]

    assert names(0.0, lax.add) == ["reduce_window_sum"]
    assert names(0.0, lambda a, b: b + a) == ["reduce_window_sum"]
    assert names(-np.inf, lax.max) == ["reduce_window_max"]
    assert names(np.inf, fnp.minimum) == ["reduce_window_min"]
    assert names(1.0, lax.mul) == ["reduce_window"]
    # A start that is not neutral takes part once.
    assert names(3.0, lax.add) == ["reduce_window_sum", "broadcast_in_dim", "add"]


def host_steps(function, *args):
    return fg.jit(function).lower(*args).compile().as_text("steps").count(" host ")


@pytest.fixture
def x64():
    with fg.enable_x64(True):
        yield


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_derivatives_of_sum_and_maximum(configuration, order):
    window, strides, padding, base, dilation = configuration
    x = RNG.permutation(84).reshape(1, 4, 7, 3).astype(np.float64) / 84 + 0.5
    for init, function in ((0.0, lax.add), (1.0, lax.mul), (-10.0, lax.max)):

        def reduced(x, init=init, function=function):
            out = lax.reduce_window(x, np.float64(init), function, window, strides, padding, base, dilation)
            return fnp.sin(out / 8)

        if (init, order) != (1.0, 2):
            check_grads(reduced, (x,), order, eps=1e-5, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("x64")
def test_reverse_mode_of_functions_that_are_no_primitives():
    x = RNG.uniform(0.5, 1.5, (5, 6))

    def norm(x):
        return lax.reduce_window(x, np.float64(0), lambda a, b: a + b * b, (2, 3), (1, 2), "SAME")

    check_grads(norm, (x,), 2)
    gradient = fg.grad(lambda x: norm(x).sum())
    np.testing.assert_allclose(fg.jit(gradient)(x), gradient(x), rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_long_windows_are_a_loop():
    x = RNG.uniform(0.9, 1.1, 300)

    def product(x):
        return lax.reduce_window(x, np.float64(1), lax.mul, (100,), (3,), "SAME")

    wanted = [np.prod(x[max(0, 3 * k - 48) : 3 * k + 52]) for k in range(100)]
    np.testing.assert_allclose(product(x), wanted, rtol=1e-12)
    compiled = fg.jit(product)
    np.testing.assert_allclose(compiled(x), wanted, rtol=1e-12)
    assert host_steps(product, x) == 0
    check_grads(product, (x,), 1)
    for init, function, reference in ((0.0, lax.add, np.sum), (-np.inf, lax.max, np.max)):
        long = fg.jit(lambda x, i=init, f=function: lax.reduce_window(x, i, f, (100,), (3,), "SAME"))
        wanted = [reference(x[max(0, 3 * k - 48) : 3 * k + 52]) for k in range(100)]
        np.testing.assert_allclose(long(x), wanted, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
@pytest.mark.parametrize("name, init", [("max", -np.inf), ("add", 0.0), ("mul", 1.0)])
def test_vmap_over_every_axis(name, init, axis):
    def pool(x):
        return lax.reduce_window(x, init, getattr(lax, name), (2, 3, 1), (1, 2, 1), "SAME")

    def pulled(x):
        y, back = fg.vjp(pool, x)
        return y, back(y)[0]

    batched = fg.vmap(pulled, in_axes=axis)(X)
    single = [pulled(x) for x in np.moveaxis(X, axis, 0)]
    for a, b in zip(batched, zip(*single, strict=True), strict=True):
        np.testing.assert_allclose(a, np.stack(b), rtol=1e-6)


def test_initial_values_may_be_batched():
    inits = np.float32([0, 1, 2])
    batched = fg.vmap(lambda i: lax.reduce_window(X[0, 0], i, lambda a, b: a + b * b, (2, 3)))(inits)
    single = [lax.reduce_window(X[0, 0], i, lambda a, b: a + b * b, (2, 3)) for i in inits]
    np.testing.assert_allclose(batched, np.stack(single), rtol=1e-6)


def test_everything_is_native():
    assert host_steps(max_pool, X) == 0
    assert host_steps(fg.grad(lambda x: max_pool(x).sum()), X) == 0
    assert host_steps(lambda x: argmax_pool(lax, x), X) == 0
    assert host_steps(lambda x: lax.reduce(x, 0.0, lambda a, b: a + b * b, (1, 3)), X) == 0


@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_do_not_depend_on_threads(threads):
    x = RNG.normal(size=(8, 33, 31, 16)).astype(np.float32)
    gradient = fg.jit(fg.grad(lambda x: (max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME") ** 2).sum()))
    with fg.threads(threads):
        np.testing.assert_allclose(gradient(x), fg.grad(lambda x: (max_pool(x, (1, 3, 3, 1), (1, 2, 2, 1), "SAME") ** 2).sum())(x), rtol=1e-6)  # fmt: skip  # noqa: E501


def test_half_precision_sums_are_accumulated_in_single():
    x = np.ones((1, 4096), np.float16)
    total = fg.jit(lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 4096)))(x)
    assert total.dtype == np.float16 and total[0, 0] == 4096


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"window_dimensions": (2, 2)}, TypeError, "window_dimensions must have one entry for each of the 1"),
        ({"window_dimensions": (0,)}, TypeError, "every entry of window_dimensions must be positive"),
        ({"window_strides": (1, 1)}, TypeError, "window_strides must have one entry"),
        ({"window_strides": (0,)}, TypeError, "every entry of window_strides must be positive"),
        ({"base_dilation": (0,)}, TypeError, "every entry of base_dilation must be positive"),
        ({"window_dilation": (-1,)}, TypeError, "every entry of window_dilation must be positive"),
        ({"padding": "HALF"}, ValueError, "padding must be 'VALID', 'SAME', 'SAME_LOWER'"),
        ({"padding": ((1, 1), (1, 1))}, ValueError, "padding must have one pair for each"),
        ({"padding": (1,)}, TypeError, "pairs \\(low, high\\)"),
        ({"init_value": np.zeros(2, np.float32)}, TypeError, "initial value 0 must be a scalar"),
        ({"init_value": np.int32(0)}, TypeError, "initial value 0 must be a scalar of the dtype"),
        ({"init_value": (0.0, 0.0)}, ValueError, "must have the same structure"),
        ({"computation": lambda a, b: (a, b)}, ValueError, "must return the structure and types"),
    ],
)
def test_errors(arguments, error, text):
    given = {"init_value": 0.0, "computation": lax.add, "window_dimensions": (2,), **arguments}
    with pytest.raises(error, match=text):
        lax.reduce_window(np.ones(5, np.float32), **given)


@pytest.mark.parity
def test_shapes_are_those_of_jax():
    jax = pytest.importorskip("jax")
    for shape, window, strides, padding in (
        ((10, 7), (3, 2), (2, 3), "SAME"),
        ((10, 7), (4, 2), (1, 3), "SAME_LOWER"),
        ((3, 2), (5, 4), (2, 1), "VALID"),
    ):
        assert lax.padtype_to_pads(shape, window, strides, padding) == jax.lax.padtype_to_pads(
            shape, window, strides, padding
        )
        pads = lax.padtype_to_pads(shape, window, strides, padding)
        wanted = jax.lax.reduce_window_shape_tuple(shape, window, strides, pads, (1, 2), (2, 1))
        assert lax.reduce_window_shape_tuple(shape, window, strides, pads, (1, 2), (2, 1)) == wanted


# -- reduce ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [(0,), (1, 3), (0, 1, 2, 3), ()])
def test_reduce_with_any_function(dimensions):
    def decayed(x):
        return lax.reduce(x, np.float32(1), lambda a, b: a * 0.5 + fnp.sin(b), dimensions)

    kept = [d for d in range(4) if d not in dimensions]
    rows = np.transpose(X, [*dimensions, *kept]).reshape(-1, *[X.shape[d] for d in kept])
    wanted = np.ones(rows.shape[1:], np.float32)
    for r in rows:
        wanted = wanted * np.float32(0.5) + np.sin(r)
    np.testing.assert_allclose(decayed(X), wanted, rtol=1e-5)
    np.testing.assert_allclose(fg.jit(decayed)(X), wanted, rtol=1e-5)
    assert host_steps(decayed, X) == 0
    check_grads(decayed, (X[:1, :3, :2].astype(np.float32),), 2, atol=5e-2, rtol=5e-2)


@pytest.mark.parametrize("shape, dimensions", [((0, 3), (0,)), ((3, 0), (0,)), ((0,), (0,))])
def test_reduce_of_nothing(shape, dimensions):
    def reduced(x):
        return lax.reduce(x, np.float32(2), lambda a, b: a * b + 1, dimensions)

    x = np.zeros(shape, np.float32)
    wanted = np.full([n for d, n in enumerate(shape) if d not in dimensions], 2, np.float32)
    np.testing.assert_array_equal(reduced(x), wanted)
    np.testing.assert_array_equal(fg.jit(reduced)(x), wanted)
