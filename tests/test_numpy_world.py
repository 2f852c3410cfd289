"""NumPy's functions, SciPy's, DLPack and plots with our arrays."""

import gc

import numpy as np
import pytest
import scipy.optimize
import scipy.special

import fungrad
import fungrad.numpy as jnp
from fungrad.errors import TracerArrayConversionError

N = np.array([1.0, 2.0, 3.0], np.float32)


def _wrote(write, shape=3, into=None):
    b = np.zeros(shape) if into is None else into
    write(b)
    return b


# -- lists and keywords ------------------------------------------------------------------------------------------------

# Each gives an array of fungrad, also of traced arrays.
OURS = {
    "polyfit": lambda x: np.polyfit(x, [1, 2, 4], 1),
    "add": lambda x: np.add(x, [1, 2, 3]),
    "add reflected": lambda x: np.add([1, 2, 3], x),
    "maximum": lambda x: np.maximum(x, (2, 2, 2)),
    "divmod": lambda x: np.divmod(x, [2, 2, 2])[1],
    "matmul": lambda x: np.matmul(x, [1, 2, 3]),
    "ldexp": lambda x: np.ldexp(x, [1, 2, 3]),
    "concatenate": lambda x: np.concatenate([x, [1.0]]),
    "concatenate casting": lambda x: np.concatenate([x, x], casting="unsafe"),
    "stack": lambda x: np.stack([x, [1, 2, 3]]),
    "vstack": lambda x: np.vstack((x, [1, 2, 3])),
    "hstack": lambda x: np.hstack([x, [1.0]]),
    "column_stack": lambda x: np.column_stack([x, [1, 2, 3]]),
    "block": lambda x: np.block([[x, x]]),
    "where": lambda x: np.where(x > 1, x, [0, 0, 0]),
    "where list": lambda x: np.where([True, False, True], x, 0.0),
    "select": lambda x: np.select([x > 1, x > 0], [x, [1, 2, 3]]),
    "choose": lambda x: np.choose([0, 1, 0], [x, [7, 7, 7]]),
    "dot": lambda x: np.dot(x, [1, 2, 3]),
    "outer": lambda x: np.outer(x, [1, 2]),
    "cross": lambda x: np.cross(x, [1, 0, 0]),
    "kron": lambda x: np.kron(x, [1, 2]),
    "tensordot": lambda x: np.tensordot(x, [1, 2, 3], 1),
    "einsum": lambda x: np.einsum("i,i", x, [1, 2, 3]),
    "einsum interleaved": lambda x: np.einsum(x, [0], x, [0]),
    "convolve": lambda x: np.convolve(x, [1, 1]),
    "interp": lambda x: np.interp(x, [0, 2.0], [0, 1.0]),
    "polyval": lambda x: np.polyval([1, 2], x),
    "isin": lambda x: np.isin(x, [1, 2]),
    "allclose": lambda x: np.allclose(x, [1, 2, 3]),
    "array_equal": lambda x: np.array_equal(x, [1, 2, 3]),
    "searchsorted": lambda x: np.searchsorted(x, [1.5]),
    "digitize": lambda x: np.digitize(x, [0, 1.5]),
    "percentile": lambda x: np.percentile(x, [10, 90]),
    "average": lambda x: np.average(x, weights=[1, 2, 3]),
    "corrcoef": lambda x: np.corrcoef(x, [3, 1, 2]),
    "bincount": lambda x: np.bincount([0, 1, 1], weights=x),
    "histogram": lambda x: np.histogram(x, bins=[0, 1, 2])[0],
    "histogram2d": lambda x: np.histogram2d(x, x, bins=[2, 3])[0],
    "lexsort": lambda x: np.lexsort((x, [1, 1, 1])),
    "take": lambda x: np.take(x, [0, 1]),
    "insert": lambda x: np.insert(x, 1, [5]),
    "append": lambda x: np.append(x, [5]),
    "delete": lambda x: np.delete(x, [0, 1]),
    "diff": lambda x: np.diff(x, prepend=[0]),
    "gradient": lambda x: np.gradient(x, [0, 1, 3]),
    "trapezoid": lambda x: np.trapezoid(x, [0, 1, 3]),
    "meshgrid": lambda x: np.meshgrid(x, [1, 2])[0],
    "linspace": lambda x: np.linspace([0, 0, 0], x, 3),
    "clip": lambda x: np.clip(x, [2, 0, 0], [3, 1, 1]),
    "clip a_min": lambda x: np.clip(x, a_min=2, a_max=2.5),
    "pad": lambda x: np.pad(x, (1, 2)),
    "tile": lambda x: np.tile(x, (2, 1)),
    "repeat": lambda x: np.repeat(x, [1, 2, 0]),
    "reshape": lambda x: np.reshape(x, (3, 1), order="F"),
    "split": lambda x: np.split(x, [1])[1],
    "sum where": lambda x: np.sum(x, where=x > 1),
    "sum defaults": lambda x: np.sum(x, keepdims=np._NoValue, out=None, where=True),
    "mean keepdims": lambda x: np.mean(x, axis=0, keepdims=True),
    "std": lambda x: np.std(x, ddof=1),
    "sort": lambda x: np.sort(x, kind="stable"),
    "argsort": lambda x: np.argsort(x, kind="mergesort"),
    "median": lambda x: np.median(x, overwrite_input=True),
    "zeros like": lambda x: np.zeros(3, like=x),
    "add dtype": lambda x: np.add(x, x, dtype="float32"),
    "less dtype": lambda x: np.less(x, 2.0, dtype=bool),
    "add casting": lambda x: np.add(x, x, casting="same_kind", order="C"),
    "reduce": lambda x: np.add.reduce(x),
    "reduce keepdims": lambda x: np.maximum.reduce(x, axis=0, keepdims=True),
    "accumulate": lambda x: np.multiply.accumulate(x),
    "outer of a ufunc": lambda x: np.subtract.outer(x, [1, 2]),
    "gammaln": lambda x: scipy.special.gammaln(x),
    "psi": lambda x: scipy.special.psi(x),
    "xlogy": lambda x: scipy.special.xlogy(x, [1, 2, 3]),
    "betainc": lambda x: scipy.special.betainc(2.0, 3.0, x / 4),
}
# Each writes to an ndarray, calls a function of NumPy's world, or has no counterpart: NumPy computes on the values.
THEIRS = {
    "copy": lambda x: np.copy(x, "C"),
    "atleast_1d": lambda x: np.atleast_1d(x, [1])[0],
    "atleast_2d": lambda x: np.atleast_2d(x),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, [[1], [2]])[0],
    "apply_along_axis": lambda x: np.apply_along_axis(lambda v: v[v > 1], 0, x),
    "zeros_like": lambda x: np.zeros_like(x, order="K", subok=False),
    "full_like an array": lambda x: np.full_like(x, 2),
    "written to": lambda x: _wrote(lambda b: b.__setitem__(0, 3.0), into=np.ones_like(x)),
    "piecewise": lambda x: np.piecewise(x, [x > 1], [lambda v: np.floor(v), 0.0]),
    "clip out": lambda x: np.clip(x, 0, 1, out=np.zeros(3, "f4")),
    "concatenate out": lambda x: np.concatenate([x, x], out=np.zeros(6, "f4")),
    "round out": lambda x: np.round(x, 1, out=np.zeros(3, "f4")),
    "sum out": lambda x: np.sum(x, out=np.zeros((), "f4")),
    "add out": lambda x: np.add(x, [1, 2, 3], out=np.zeros(3)),
    "add where": lambda x: np.add(x, x, out=np.zeros(3), where=[True, False, True]),
    "put": lambda x: _wrote(lambda b: np.put(b, [0, 1, 2], x)),
    "put index": lambda x: _wrote(lambda b: np.put(b, jnp.array([0, 2]), x)),
    "place": lambda x: _wrote(lambda b: np.place(b, b == 0, x)),
    "putmask": lambda x: _wrote(lambda b: np.putmask(b, b == 0, x)),
    "put_along_axis": lambda x: _wrote(lambda b: np.put_along_axis(b, np.array([2, 1, 0]), x, 0)),
    "copyto": lambda x: _wrote(lambda b: np.copyto(b, x)),
    "fill_diagonal": lambda x: _wrote(lambda b: np.fill_diagonal(b, x), (3, 3)),
    "setitem": lambda x: _wrote(lambda b: b.__setitem__(slice(None), x)),
    "iadd": lambda x: _wrote(lambda b: b.__iadd__(x)),
    "add.at": lambda x: _wrote(lambda b: np.add.at(b, [0, 0, 1], x)),
    "full": lambda x: np.full((2, 3), x),
    "full_like": lambda x: np.full_like(np.ones(3), x),
    "reduceat": lambda x: np.add.reduceat(x, [0, 1]),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x),
    "ellipk": lambda x: scipy.special.ellipk(x / 4),
    "choose with booleans": lambda x: np.choose(np.array([True, False, True]), [x, x * x]),
    "convolve with a number": lambda x: np.convolve(x, 2),
    "tril of a vector": lambda x: np.tril(x),
    "frompyfunc": lambda x: np.frompyfunc(lambda v: v * v, 1, 1)(x).astype(float),
}


def _assert_like(out, wanted):
    np.testing.assert_allclose(np.asarray(out), wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", OURS)
def test_functions_of_numpy_take_lists_and_keywords(name):
    call = OURS[name]
    wanted, x = call(N), jnp.asarray(N)
    for out in (call(x), fungrad.jit(call)(x), fungrad.vmap(call)(x[None])[0], fungrad.jvp(call, (x,), (x,))[0]):
        assert isinstance(out, fungrad.Array)
        _assert_like(out, wanted)


@pytest.mark.parametrize("name", THEIRS)
def test_what_numpy_does_itself_gives_ndarrays(name):
    call = THEIRS[name]
    out = call(jnp.asarray(N))
    assert isinstance(out, (np.ndarray, np.generic))
    _assert_like(out, call(N))


def test_dtypes_of_ufuncs_are_computed_in():
    x = jnp.array([100, 100], "int8")
    assert np.add(x, x, dtype="int32").tolist() == [200, 200]
    assert fungrad.jit(lambda x: np.add(x, x, dtype="int32"))(x).tolist() == [200, 200]
    assert np.add.reduce(x, dtype="int16").tolist() == 200
    assert np.true_divide(x, 8, dtype="float32").dtype == np.float32


def test_ufuncs_of_others_are_not_mistaken_for_ours():
    halved = np.frompyfunc(lambda v: v / 2, 1, 1)

    class Named:
        __name__ = "sin"

        def __call__(self, v):
            return v / 2

    sin = np.frompyfunc(Named(), 1, 1)
    x = jnp.asarray(N)
    for ufunc in (halved, sin):
        np.testing.assert_allclose(ufunc(x).astype(float), N / 2)
        with pytest.raises(TracerArrayConversionError, match="the ufunc"):
            fungrad.jit(ufunc)(x)


def test_positions_out_of_range_raise_where_they_are_known():
    x = jnp.asarray(N)
    for call, error in (
        (lambda: np.take(x, [0, 7]), IndexError),
        (lambda: np.take(x, -9), IndexError),
        (lambda: np.take_along_axis(x, jnp.array([7]), 0), IndexError),
        (lambda: np.unravel_index(jnp.array([99]), (3, 3)), ValueError),
        (lambda: np.bincount(jnp.array([-1, 2])), ValueError),
    ):
        with pytest.raises(error):
            call()
    assert isinstance(np.take(x, 7, mode="clip"), fungrad.Array)
    keys = fungrad.random.split(fungrad.random.key(0), 3)
    taken = np.take(keys, [2])
    assert taken.dtype == keys.dtype and (fungrad.random.key_data(taken) == fungrad.random.key_data(keys[2:])).all()
    with pytest.raises(IndexError):
        np.take(keys, [3])
    rows, columns = np.unravel_index(jnp.array([5]), (3, 3))
    assert (rows.dtype, rows.tolist(), columns.tolist()) == (jnp.int32, [1], [2])


def test_calls_that_numpy_refuses_too_are_refused_in_our_words():
    x = jnp.asarray(N)
    for call in (lambda: np.reshape(x, (2, 2)), lambda: np.concatenate([x, [[1.0]]]), lambda: np.sum(x, axis=3)):
        with pytest.raises((TypeError, ValueError), match=r"fungrad\.numpy"):
            call()


def test_arrays_are_not_written_to():
    x = jnp.asarray(N)
    for write in (
        lambda: np.add(N, N, out=x),
        lambda: np.clip(N, 0, 1, out=x),
        lambda: np.copyto(x, N),
        lambda: np.put(x, [0], 1.0),
        lambda: np.putmask(x, N > 0, 1.0),
        lambda: np.add.at(x, [0], 1.0),
    ):
        with pytest.raises(TypeError, match="out=|immutable"):
            write()
    np.testing.assert_array_equal(x, N)


def test_functions_of_fungrad_stay_strict():
    for call in (lambda: jnp.add(jnp.ones(2), [1, 2]), lambda: jnp.concatenate([jnp.ones(2), [1.0]])):
        with pytest.raises(TypeError, match="asarray"):
            call()


def test_ndarrays_without_a_copy():
    x = jnp.asarray(N)
    for view in (np.asarray(x), np.asarray(x, copy=False), np.asarray(x, "float32", copy=False)):
        assert not view.flags.writeable and np.shares_memory(view, np.asarray(x))
    with pytest.raises(ValueError, match="without a copy|Unable to avoid copy"):
        np.asarray(x, "float64", copy=False)
    for copy in (np.array(x), np.asarray(x, copy=True), np.asarray(x, "float64"), np.copy(x)):
        assert copy.flags.writeable and not np.shares_memory(copy, np.asarray(x))
    assert bytes(x) == N.tobytes() and bytes(jnp.int32(3)) == b"\3\0\0\0"


# -- DLPack ------------------------------------------------------------------------------------------------------------


class Older:
    """An array for consumers, or of producers, of before version 1."""

    def __init__(self, x):
        self.x = x

    def __dlpack__(self, stream=None):
        return self.x.__dlpack__()

    def __dlpack_device__(self):
        return self.x.__dlpack_device__()


def test_from_dlpack_is_read_only():
    x = jnp.asarray(N)
    view = np.from_dlpack(x)
    assert not view.flags.writeable and np.shares_memory(view, np.asarray(x))
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 9
    # Who cannot be told that memory is read-only gets a copy.
    for copy in (np.from_dlpack(Older(x)), np.from_dlpack(x, copy=True)):
        assert not np.shares_memory(copy, np.asarray(x))
    x.__dlpack__(copy=False)  # who insists gets the memory
    np.testing.assert_array_equal(x, N)


def test_memory_outlives_the_array():
    view = np.from_dlpack(jnp.arange(10000.0) + 1)
    gc.collect()
    np.testing.assert_array_equal(view, np.arange(10000.0) + 1)
    for _ in range(100):
        jnp.ones(3).__dlpack__(max_version=(1, 0))  # never used


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float16", "complex64", "bool", "int8"])
@pytest.mark.parametrize("older", [False, True])
def test_every_dtype_travels(dtype, older):
    x = jnp.array([[0, 1, 2], [3, 1, 0]]).astype(dtype)

    class Wrapped(Older):
        def __dlpack__(self, **kwargs):
            return self.x.__dlpack__(**({} if older else kwargs))

    back = jnp.from_dlpack(Wrapped(x))
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(np.asarray(back), np.asarray(x))


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float32", "int16"])
def test_jax_receives_and_sends(dtype):
    jax = pytest.importorskip("jax")
    data = np.arange(6).reshape(2, 3).astype(dtype)
    there = jax.numpy.from_dlpack(jnp.asarray(data))
    assert there.dtype == data.dtype
    np.testing.assert_array_equal(np.asarray(there), data)
    back = jnp.from_dlpack(jax.numpy.asarray(data))
    assert back.dtype == data.dtype
    np.testing.assert_array_equal(np.asarray(back), data)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jnp.array([1, 2], "int4").__dlpack__(), BufferError, "no dtype int4"),
        (lambda: fungrad.random.key(0).__dlpack__(), BufferError, "no dtype"),
        (lambda: jnp.ones(2).__dlpack__(dl_device=(2, 0)), BufferError, "CPU"),
        (lambda: jnp.ones(2).__dlpack__(stream=1), ValueError, "stream"),
        (lambda: jnp.from_dlpack(np.ones(2), copy=False), ValueError, "copy=False"),
        (lambda: jnp.from_dlpack([1, 2]), TypeError, "__dlpack__"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- SciPy -------------------------------------------------------------------------------------------------------------


def _rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("start", [np.asarray, jnp.asarray], ids=["ndarray", "Array"])
@pytest.mark.parametrize("wide", [False, True], ids=["32", "64"])
@pytest.mark.parametrize(
    "method", ["L-BFGS-B", "SLSQP", "TNC", "BFGS", "CG", "Newton-CG", "trust-ncg", "trust-constr", "trust-exact"]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # line searches in 32 bit
def test_minimizers_take_gradients(method, wide, start):
    if method in ("SLSQP", "TNC") and not wide:
        pytest.skip("these want gradients of 64 bit, whatever the library")
    options = {"hess": fungrad.hessian(_rosenbrock)} if method in ("Newton-CG", "trust-ncg", "trust-exact") else {}
    with fungrad.enable_x64(wide):
        found = scipy.optimize.minimize(
            _rosenbrock, start([1.3, 0.7, 0.8]), jac=fungrad.grad(_rosenbrock), method=method, **options
        )
    np.testing.assert_allclose(found.x, 1, rtol=1e-3)


def test_minimizers_with_bounds_and_constraints():
    x0 = np.array([1.3, 0.7, 0.8])
    both = fungrad.value_and_grad(_rosenbrock)
    found = scipy.optimize.minimize(both, x0, jac=True, method="L-BFGS-B", bounds=[(0, 0.9)] * 3)
    np.testing.assert_allclose(found.x, [0.9, 0.8118812, 0.659151], rtol=1e-3)

    def room(x):
        return 1.5 - jnp.sum(x**2)

    with fungrad.enable_x64(True):
        constraint = {"type": "ineq", "fun": room, "jac": fungrad.grad(room)}
        found = scipy.optimize.minimize(both, x0, jac=True, method="SLSQP", constraints=[constraint])
    np.testing.assert_allclose(found.x, [0.84758, 0.71845, 0.51521], rtol=1e-3)


@pytest.mark.parametrize("start", [np.asarray, jnp.asarray], ids=["ndarray", "Array"])
def test_solvers_take_jacobians(start):
    def residuals(x):
        return jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])

    x0 = start([1.3, 0.7, 0.8])
    for method in ("trf", "lm", "dogbox"):
        found = scipy.optimize.least_squares(residuals, x0, jac=fungrad.jacfwd(residuals), method=method)
        np.testing.assert_allclose(found.x, 1, rtol=1e-4)
    cubes = lambda x: x**3 - 1  # noqa: E731
    found = scipy.optimize.root(cubes, x0, jac=fungrad.jacfwd(cubes))
    np.testing.assert_allclose(found.x, 1, rtol=1e-4)
    square = lambda t: t**2 - 2.0  # noqa: E731
    np.testing.assert_allclose(scipy.optimize.newton(square, 1.0, fungrad.grad(square)), 2**0.5, rtol=1e-6)


# -- plots -------------------------------------------------------------------------------------------------------------


def test_plots_of_arrays():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    x = jnp.linspace(0.0, 1.0, 5)
    grid_x, grid_y = jnp.meshgrid(x, x)
    height = jnp.sin(grid_x * grid_y)
    for draw, projection in (
        (lambda a: a.bar(x, x**2, bottom=x, yerr=x), None),
        (lambda a: a.bar(["a", "b"], jnp.array([1.0, 2.0])), None),
        (lambda a: a.errorbar(x, x, yerr=x), None),
        (lambda a: a.contourf(grid_x, grid_y, height), None),
        (lambda a: a.plot_surface(grid_x, grid_y, height), "3d"),
        (lambda a: a.bar3d(x, x, x * 0, 0.1, 0.1, x), "3d"),
    ):
        figure = plt.figure()
        draw(figure.add_subplot(projection=projection))
        figure.canvas.draw()
        plt.close(figure)
