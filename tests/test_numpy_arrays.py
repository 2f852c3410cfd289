"""Operators and methods of arrays, NumPy's functions on them, and what fungrad.numpy refuses."""

import copy
import pickle

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.errors import TracerArrayConversionError

# -- operators and methods ---------------------------------------------------------------------------------------------


class Foreign:
    """A class with its own arithmetic."""

    def __radd__(self, other):
        return "radd"

    def __rmatmul__(self, other):
        return "rmatmul"

    def __eq__(self, other):
        return "eq"

    def __lt__(self, other):
        return "lt"


def test_operators_leave_foreign_types_to_themselves():
    x = jnp.ones(2)
    assert x + Foreign() == "radd"
    assert x @ Foreign() == "rmatmul"
    assert (x > Foreign()) == "lt"
    assert (x == None) is False  # noqa: E711
    assert (x != "text") is True
    for wrong in ([1, 2], "text", None):
        with pytest.raises(TypeError, match="unsupported operand"):
            x + wrong
        with pytest.raises(TypeError, match="unsupported operand"):
            wrong - x


@pytest.mark.parametrize("transform", [lambda f: f, fungrad.jit, lambda f: lambda x: fungrad.jvp(f, (x,), (x,))[0]])
def test_operators_of_arrays_and_numpy_arrays_meet(transform):
    n = np.array([4.0, 5.0, 6.0], np.float32)
    x = jnp.array([1.0, 2.0, 3.0])
    for f in (
        lambda x: n + x,
        lambda x: n - x,
        lambda x: n / x,
        lambda x: n**x,
        lambda x: n @ x,
        lambda x: x - n,
        lambda x: np.float32(2) * x,
        lambda x: x * np.float32(2),
        lambda x: n < x,
    ):
        out = transform(f)(x)
        assert isinstance(out, fungrad.Array)
        np.testing.assert_allclose(np.asarray(out), f(np.asarray(x)), rtol=1e-6)


def test_methods_agree_inside_and_outside_of_transformations():
    def f(x):
        return x.T.reshape(2, -1).var(1).sum() + x.at[0, 0].set(9.0)[0].max() + x.std() + x.ravel().dot(x.flatten())

    x = jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(np.asarray(fungrad.jit(f)(x)), np.asarray(f(x)), rtol=1e-6)
    assert fungrad.grad(f)(x).shape == (2, 3)
    assert fungrad.vmap(f)(jnp.stack([x, x])).shape == (2,)


def test_arrays_know_their_device():
    x = jnp.ones(2)
    device = fungrad.devices()[0]
    assert x.device is device and x.devices() == {device}
    assert np.shares_memory(np.asarray(x.to_device(device)), np.asarray(x)) and x.block_until_ready() is x
    there = fungrad.device_put({"a": x}, device)["a"]
    assert np.shares_memory(np.asarray(there), np.asarray(x)) and there.devices() == {device}
    assert pickle.loads(pickle.dumps(device)) is device
    assert fungrad.default_backend() == device.platform == "cpu"
    assert isinstance(fungrad.device_get((x, 1.0))[0], np.ndarray)
    with pytest.raises(ValueError, match=r"fungrad\.device_put.*'gpu'"):
        fungrad.device_put(x, "gpu")
    with pytest.raises(RuntimeError, match="'tpu'"):
        fungrad.devices("tpu")


def test_deleted_arrays_refuse_every_use():
    x = jnp.ones(2)
    assert not x.is_deleted()
    x.delete()
    assert x.is_deleted()
    with pytest.raises(RuntimeError, match="deleted"):
        x + 1


def test_arrays_copy_pickle_and_print():
    x = jnp.array([1.5, 2.0])
    for same in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.copy()):
        assert same.dtype == x.dtype and bool((same == x).all())
    assert repr(x) == "Array([1.5, 2. ], dtype=float32)"
    assert f"{jnp.float32(1.25):.1f}" == "1.2"
    assert np.array_repr(x) and np.array2string(x) == "[1.5 2. ]"
    assert 1.5 in x and 7 not in x
    assert x.tobytes() == np.asarray(x).tobytes()
    assert [float(v) for v in x] == [1.5, 2.0]


@pytest.mark.parametrize("source", ["float32", "int32", "uint8", "complex64", "bool"])
@pytest.mark.parametrize("target", ["float32", "int8", "uint16", "complex64", "int64"])
def test_views_reinterpret_bits_as_numpy_does(source, target):
    data = np.arange(8).reshape(1, 8).astype(source)
    if source == "bool" and np.dtype(target).itemsize == 1:
        wanted = data.astype(np.uint8).view(target)
    else:
        wanted = data.view(target)
    out = jnp.asarray(data).view(target)
    assert out.dtype == wanted.dtype
    np.testing.assert_array_equal(np.asarray(out), wanted)


# -- NumPy's functions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: np.sin(x),
        lambda x, n: np.add(n, x),
        lambda x, n: np.concatenate([x, n]),
        lambda x, n: np.stack([n, x], axis=1),
        lambda x, n: np.sum(x),
        lambda x, n: np.add.reduce(x),
        lambda x, n: np.multiply.accumulate(x),
        lambda x, n: np.subtract.outer(x, n),
        lambda x, n: np.where(n > 1, x, 0),
        lambda x, n: np.dot(n, x),
        lambda x, n: np.einsum("i,i", x, n),
        lambda x, n: np.clip(x, 0, 1),
        lambda x, n: np.add(x, n, dtype="float32"),
        lambda x, n: np.reshape(x, (3, 1)),
        lambda x, n: np.linspace(0, x[1], 3),
    ],
)
def test_numpy_functions_come_back(call):
    n = np.array([1.0, 2.0, 3.0], np.float32)
    x = jnp.array([0.5, 1.5, 2.5])
    wanted = call(np.asarray(x), n)
    for out in (call(x, n), fungrad.jit(lambda x: call(x, n))(x), fungrad.vmap(lambda x: call(x, n))(x[None])[0]):
        assert isinstance(out, fungrad.Array)
        np.testing.assert_allclose(np.asarray(out), wanted, rtol=1e-5)


def test_numpy_functions_without_a_counterpart_compute_on_values():
    x = jnp.array([1.0, 4.0])
    assert isinstance(np.real_if_close(x), np.ndarray)
    np.testing.assert_allclose(np.testing.assert_allclose(x, x) or np.maximum.accumulate(x), [1, 4])
    with pytest.raises(TracerArrayConversionError, match="real_if_close|NumPy array"):
        fungrad.jit(np.real_if_close)(x)
    with pytest.raises(TypeError, match="out="):
        np.add(np.ones(2), np.ones(2), out=x)


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: jnp.reshape(x, (4, 5)), TypeError, r"fungrad\.numpy\.reshape: .*f32\[2,3\].*\(4, 5\)"),
        (lambda x: jnp.reshape(x, (-1, -1)), ValueError, r"fungrad\.numpy\.reshape: at most one size may be -1"),
        (lambda x: jnp.reshape(x, (6,), order="A"), NotImplementedError, r"fungrad\.numpy\.reshape: order"),
        (lambda x: jnp.sum(x, axis=2), ValueError, r"fungrad\.numpy\.sum.*axis 2"),
        (lambda x: jnp.sum(x, axis=(0, 0)), ValueError, r"fungrad\.numpy\.sum: axes must be distinct"),
        (lambda x: jnp.sum(x, axis=0.5), TypeError, r"fungrad\.numpy\.sum: axis must be an integer"),
        (lambda x: jnp.sum(x, out=x), NotImplementedError, r"fungrad\.numpy\.sum: out="),
        (lambda x: jnp.sum([1, 2]), TypeError, r"fungrad\.numpy\.sum: a must be an array or a scalar.*asarray"),
        (lambda x: jnp.max(x[:0]), ValueError, r"fungrad\.numpy\.max: .*empty"),
        (lambda x: jnp.max(x, where=x > 0), ValueError, r"fungrad\.numpy\.max: .*initial"),
        (lambda x: jnp.argmax(x[:, :0], axis=1), ValueError, r"fungrad\.numpy\.argmax"),
        (lambda x: x + jnp.ones(5), ValueError, r"fungrad\.numpy\.add: shapes \(2, 3\) and \(5,\) do not broadcast"),
        (lambda x: jnp.concatenate([x, jnp.ones(3)]), TypeError, r"fungrad\.numpy\.concatenate: .*arrays\[1\]"),
        (lambda x: jnp.concatenate([]), ValueError, r"fungrad\.numpy\.concatenate: need at least one array"),
        (lambda x: jnp.concatenate([jnp.ones(()), 1.0]), ValueError, r"zero-dimensional"),
        (lambda x: jnp.stack([x, x[0]]), ValueError, r"fungrad\.numpy\.stack: .*arrays\[1\]"),
        (lambda x: jnp.split(x, 2, axis=1), ValueError, r"fungrad\.numpy\.split: .*size 3.*2 equal"),
        (lambda x: jnp.squeeze(x, 0), ValueError, r"fungrad\.numpy\.squeeze: .*size 2"),
        (lambda x: jnp.dot(x, x), TypeError, r"fungrad\.numpy\.dot: .*3 \(axis 1.*2 \(axis 0"),
        (lambda x: jnp.matmul(x, 2.0), ValueError, r"fungrad\.numpy\.matmul: b .*scalar"),
        (lambda x: jnp.einsum("ij,jk->ik", x, x), ValueError, r"fungrad\.numpy\.einsum: label 'j'"),
        (lambda x: jnp.einsum("ij->ijk", x), ValueError, r"fungrad\.numpy\.einsum: .*'k'"),
        (lambda x: jnp.einsum("i->i", x), ValueError, r"fungrad\.numpy\.einsum: operand 0 of shape \(2, 3\)"),
        (lambda x: jnp.einsum("ij,ij", x), ValueError, r"fungrad\.numpy\.einsum: .*2 operands, got 1"),
        (lambda x: jnp.where(x > 0, x), ValueError, r"fungrad\.numpy\.where: give both"),
        (lambda x: jnp.pad(x, 1, mode="spiral"), NotImplementedError, r"fungrad\.numpy\.pad: mode .*'spiral'"),
        (lambda x: jnp.pad(x, -1), ValueError, r"fungrad\.numpy\.pad: widths"),
        (lambda x: jnp.pad(x, 1, mode="edge", constant_values=1), ValueError, r"no option 'constant_values'"),
        (lambda x: jnp.clip(x, 1j), ValueError, r"fungrad\.numpy\.clip: .*min"),
        (lambda x: jnp.array([x, [1, 2]]), TypeError, r"fungrad\.numpy\.array: .*one shape"),
        (lambda x: jnp.array([1, "a"]), TypeError, r"fungrad\.numpy\.array"),
        (lambda x: jnp.array(None), ValueError, r"fungrad\.numpy\.array: .*None"),
        (lambda x: jnp.zeros((2, -1)), ValueError, r"fungrad\.numpy\.zeros: .*negative"),
        (lambda x: jnp.zeros(2.5), TypeError, r"fungrad\.numpy\.zeros: shape must be an integer"),
        (lambda x: jnp.zeros(2, dtype="U3"), TypeError, r"fungrad\.numpy\.zeros: dtype"),
        (lambda x: jnp.arange(1, 2, 0), ValueError, r"fungrad\.numpy\.arange: step"),
        (lambda x: jnp.ones(2, device="gpu"), ValueError, r"fungrad\.numpy\.ones: device"),
        (lambda x: jnp.arange(3) ** -1, ValueError, r"fungrad\.numpy\.power: integers to negative powers"),
        (lambda x: jnp.moveaxis(x, (0, 1), 0), ValueError, r"fungrad\.numpy\.moveaxis: source and destination"),
        (lambda x: jnp.trapezoid(jnp.ones(3), jnp.ones(4)), ValueError, r"do not broadcast"),
        (lambda x: jnp.searchsorted(x, 1), ValueError, r"fungrad\.numpy\.searchsorted: a must have one dimension"),
        (lambda x: jnp.interp(x, x, x), ValueError, r"fungrad\.numpy\.interp: xp and fp"),
        (lambda x: jnp.quantile(x, 0.5, method="guess"), ValueError, r"fungrad\.numpy\.quantile: method"),
        (lambda x: jnp.repeat(x, jnp.array([1, 2, 3]), axis=0), ValueError, r"fungrad\.numpy\.repeat: repeats"),
        (lambda x: jnp.cross(jnp.ones(4), jnp.ones(4)), ValueError, r"fungrad\.numpy\.cross: .*4 and 4"),
        (lambda x: jnp.delete(jnp.arange(3), 5), IndexError, r"fungrad\.numpy\.delete: index 5"),
        (lambda x: jnp.compress(jnp.array([True, True, True]), x, axis=0), ValueError, r"fungrad\.numpy\.compress"),
        (lambda x: jnp.block([x, [x]]), ValueError, r"fungrad\.numpy\.block: .*nested equally deep"),
        (lambda x: bool(x), ValueError, r"truth value"),
    ],
)
def test_refusals_name_function_argument_and_remedy(call, error, message):
    with pytest.raises(error, match=message):
        call(jnp.arange(6.0).reshape(2, 3))


def test_shapes_that_depend_on_values_need_a_size_when_tracing():
    x = jnp.array([0, 3, 3])
    for function in (jnp.nonzero, jnp.unique, jnp.bincount, lambda x: jnp.extract(x > 0, x)):
        with pytest.raises(TypeError, match="static|traced"):
            fungrad.jit(function)(x)
    assert fungrad.jit(lambda x: jnp.unique(x, size=2))(x).tolist() == [0, 3]


def test_gradient_of_where_with_safe_arguments():
    def f(x):
        return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0).sum()

    assert fungrad.grad(f)(jnp.array([0.0, 4.0])).tolist() == [0.0, 0.25]
