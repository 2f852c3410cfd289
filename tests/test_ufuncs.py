"""Ufuncs as objects: their methods against NumPy's, inside transformed functions, and what they refuse."""

from __future__ import annotations

import inspect
import operator
import pickle

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad.test_util import check_grads

FLOATS = (
    "add multiply maximum minimum logaddexp logaddexp2 subtract divide hypot power floor_divide remainder fmod fmax "
    "fmin arctan2 float_power copysign logical_and logical_or logical_xor"
).split()
INTEGERS = "bitwise_and bitwise_or bitwise_xor gcd lcm add multiply maximum subtract floor_divide".split()
TRUTHS = "logical_and logical_or logical_xor equal not_equal bitwise_and bitwise_or bitwise_xor".split()
OBJECTS = [n for n in jnp.__all__ if isinstance(getattr(jnp, n), jnp.ufunc)]

RNG = np.random.default_rng(0)
DATA = {
    "float32": RNG.uniform(0.5, 2, (3, 4)).astype("float32"),
    "int32": RNG.integers(1, 7, (3, 4)).astype("int32"),
    "bool": RNG.integers(0, 2, (3, 4)).astype(bool),
}
CASES = [(n, "float32") for n in FLOATS] + [(n, "int32") for n in INTEGERS] + [(n, "bool") for n in TRUTHS]
BY_NAME = pytest.mark.parametrize(("name", "dtype"), CASES)


def pair(name):
    return getattr(jnp, name), getattr(np, name)


def by_elements(name):
    """A ufunc of NumPy that goes element by element.

    Where it has vectors of 512 bits, NumPy reduces two functions to wrong values along a contiguous axis.
    """
    theirs = getattr(np, name)
    return np.frompyfunc(theirs, 2, 1) if name in ("power", "arctan2") else theirs


def close(got, expected):
    expected = np.asarray(expected)
    expected = expected.astype(float) if expected.dtype == object else expected
    np.testing.assert_allclose(np.asarray(got), expected, rtol=2e-5)


@BY_NAME
def test_reduce_is_numpys(name, dtype):
    ours, theirs = getattr(jnp, name), by_elements(name)
    x = DATA[dtype]
    for axis in (0, -1):
        for keepdims in (False, True):
            close(ours.reduce(x, axis, keepdims=keepdims), theirs.reduce(x, axis, keepdims=keepdims))
    if theirs.identity is not None or name in ("maximum", "minimum"):
        close(ours.reduce(x, None), theirs.reduce(x, None))
    start = x[0, 0].item()
    mask = np.arange(12).reshape(3, 4) % 3 != 0
    close(ours.reduce(x, 0, initial=start), theirs.reduce(x, 0, initial=start))
    close(ours.reduce(x, 1, initial=start, where=mask), theirs.reduce(x, 1, initial=start, where=mask))
    close(fungrad.jit(lambda v: ours.reduce(v, 1))(x), theirs.reduce(x, 1))


@BY_NAME
def test_accumulate_reduceat_and_outer_are_numpys(name, dtype):
    ours, theirs = getattr(jnp, name), by_elements(name)
    x = DATA[dtype]
    for axis in (0, 1):
        close(ours.accumulate(x, axis), theirs.accumulate(x, axis))
        for places in ([0, 2], [1], [2, 0, 1], [0, 1, 1]):
            close(ours.reduceat(x, np.array(places), axis), theirs.reduceat(x, places, axis))
    places = jnp.array([0, 2])
    close(fungrad.jit(ours.reduceat)(x, places), theirs.reduceat(x, [0, 2]))
    close(ours.outer(x, x[0, :2]), theirs.outer(x, x[0, :2]))
    close(ours.outer(x[0, 0], x), theirs.outer(x[0, 0], x))


@pytest.mark.parametrize("name", [*FLOATS[:-3], "bitwise_or", "gcd"])
@pytest.mark.parametrize("index", [(0,), (np.array([0, 0, 2]),), (slice(None), np.array([1, 1])), (slice(1, 3), 0), ()])
def test_at_is_numpys(name, index):
    ours, theirs = pair(name)
    x = DATA["int32" if name in INTEGERS[:4] else "float32"]
    for b in (x.ravel()[1], np.broadcast_to(x[1, :1], x[index].shape)):
        expected = x.copy()
        theirs.at(expected, index, b)
        close(ours.at(x, index, b, inplace=False), expected)
        close(fungrad.jit(lambda v, w: ours.at(v, index, w, inplace=False))(x, b), expected)


def test_at_of_one_argument_and_outside():
    x = jnp.arange(4.0)
    assert jnp.negative.at(x, jnp.array([1, 1, 2]), inplace=False).tolist() == [0, 1, -2, 3]
    assert fungrad.jit(lambda v, i: jnp.hypot.at(v, i, 3.0, inplace=False))(x, jnp.array([9, 1]))[0] == 0
    assert jnp.negative.at(x, np.array([True, False, True, True]), inplace=False).tolist() == [0, 1, -2, -3]


def test_methods_differentiate_and_batch():
    x = jnp.asarray(DATA["float32"])
    for f in (
        lambda v: jnp.hypot.reduce(v, 1),
        lambda v: jnp.divide.accumulate(v, 0),
        lambda v: jnp.power.reduceat(v, np.array([0, 2]), 1),
        lambda v: jnp.arctan2.outer(v[0], v[1]),
        lambda v: jnp.hypot.at(v, np.array([0, 0]), v[1:2], inplace=False),
        lambda v: jnp.logaddexp.reduce(v, 1),
        lambda v: jnp.add.reduceat(v, np.array([0, 1]), 1),
    ):
        check_grads(f, (x,), order=2, modes=("fwd", "rev"), rtol=2e-2, atol=2e-2)
        stacked = jnp.stack([x, x + 1])
        close(fungrad.vmap(f)(stacked), np.stack([f(x), f(x + 1)]))


def test_logaddexp_of_infinities():
    inf = np.inf
    for row in ([-inf, -inf], [inf, 1.0], [-inf, 2.0], [inf, -inf], [np.nan, 1.0], [1000.0, 1000.0], []):
        row = np.float32(row)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(jnp.logaddexp.reduce(row), np.logaddexp.reduce(row), rtol=1e-6)
    assert fungrad.grad(jnp.logaddexp.reduce)(jnp.array([-inf, 2.0])).tolist() == [0, 1]
    z = np.complex64([1 + 2j, -0.5j, 3])
    np.testing.assert_allclose(jnp.logaddexp.reduce(z), np.log(np.exp(z).sum()), rtol=1e-5)


def test_reductions_of_nothing():
    nothing = jnp.zeros((0, 2))
    for name in ("add", "multiply", "logical_and", "hypot", "logaddexp"):
        ours, theirs = pair(name)
        close(ours.reduce(nothing), theirs.reduce(np.zeros((0, 2), "float32")))
    with pytest.raises(ValueError, match="max of no elements"):
        jnp.maximum.reduce(nothing)
    with pytest.raises(ValueError, match=r"fungrad\.numpy\.divide\.reduce: there are no elements"):
        jnp.divide.reduce(nothing)
    assert jnp.divide.accumulate(nothing).shape == (0, 2)
    assert jnp.add.reduceat(jnp.arange(3), jnp.zeros(0, int)).shape == (0,)


def test_dtypes_of_methods():
    x = jnp.array([1, 2, 3], "int8")
    assert jnp.add.reduce(x).dtype == jnp.sum(x).dtype == jnp.add.reduceat(x, jnp.array([0])).dtype
    assert jnp.add.reduce(x, dtype="float32").dtype == "float32"
    assert jnp.divide.reduce(x).dtype == "float32"
    assert jnp.bitwise_or.reduce(x).dtype == "int8"
    assert jnp.equal.reduce(x > 1).dtype == bool
    assert jnp.maximum.reduce(x, dtype="int16").dtype == "int16"
    assert jnp.arctan2.accumulate(x, dtype="bfloat16").dtype == "bfloat16"


@pytest.mark.parametrize("name", OBJECTS)
def test_ufuncs_say_what_they_are(name):
    ours, theirs = pair(name)
    assert (ours.nin, ours.nout) == (theirs.nin, theirs.nout)
    if theirs.identity is not None and name not in ("fmod", "ldexp"):
        assert ours.identity == theirs.identity
    assert pickle.loads(pickle.dumps(ours)) is ours
    assert ours.__doc__ and "fungrad.numpy.ufunc" in repr(ours)
    assert list(inspect.signature(ours).parameters.values())[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )  # fmt: skip


def test_functions_of_scalars_become_ufuncs():
    add = jnp.frompyfunc(operator.add, nin=2, nout=1, identity=0)
    x = jnp.arange(4)
    assert isinstance(add, jnp.ufunc) and add == jnp.frompyfunc(operator.add, 2, 1, identity=0)
    assert add != jnp.frompyfunc(operator.add, 2, 1) and hash(add) == hash(jnp.frompyfunc(operator.add, 2, 1))
    assert add(x, 10).tolist() == [10, 11, 12, 13]
    assert add.reduce(x) == 6 and add.accumulate(x).tolist() == [0, 1, 3, 6]
    assert add.outer(x, x).shape == (4, 4) and add.at(x, 1, 10, inplace=False).tolist() == [0, 11, 2, 3]
    both = jnp.frompyfunc(lambda a, b: (a + b, a - b), 2, 2)
    assert [v.tolist() for v in both(x, 1)] == [[1, 2, 3, 4], [-1, 0, 1, 2]]
    assert fungrad.grad(lambda v: add.reduce(v))(jnp.ones(3)).tolist() == [1, 1, 1]
    unary = jnp.frompyfunc(lambda a: a * a, 1, 1)
    assert unary(x).tolist() == [0, 1, 4, 9] and unary.at(x, 3, inplace=False).tolist() == [0, 1, 2, 9]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jnp.add(1, 2, out=np.zeros(1)), NotImplementedError, r"fungrad\.numpy\.add: out must be None"),
        (lambda: jnp.add(1, 2, where=True), NotImplementedError, r"fungrad\.numpy\.add: where must be None"),
        (lambda: jnp.negative(1, out=1), NotImplementedError, r"fungrad\.numpy\.negative: out must be None"),
        (lambda: jnp.modf(1.0, out=1), NotImplementedError, r"fungrad\.numpy\.modf: out must be None"),
        (lambda: jnp.round(1.0, out=1), NotImplementedError, r"fungrad\.numpy\.round: out must be None"),
        (lambda: jnp.isposinf(1.0, out=1), NotImplementedError, r"fungrad\.numpy\.isposinf: out must be None"),
        (lambda: jnp.add.reduce([1, 2]), TypeError, r"must be an array or a scalar, got \[1, 2\]"),
        (lambda: jnp.add.reduce(jnp.ones(2), out=1), NotImplementedError, r"add\.reduce: out="),
        (lambda: jnp.negative.reduce(jnp.ones(2)), ValueError, r"negative\.reduce: only functions of two arguments"),
        (lambda: jnp.divide.reduce(jnp.ones(2), 1), ValueError, r"divide\.reduce"),
        (lambda: jnp.divide.reduce(jnp.ones(2), where=np.ones(2, bool)), ValueError, "where= needs initial="),
        (lambda: jnp.add.reduce(jnp.ones(2), where=np.ones(2)), ValueError, "where must be a boolean mask"),
        (lambda: jnp.bitwise_or.reduce(jnp.ones(2)), TypeError, "boolean or integer"),
        (lambda: jnp.add.accumulate(jnp.ones((2, 2)), (0, 1)), TypeError, r"add\.accumulate: axis must be one integer"),
        (lambda: jnp.hypot.accumulate(jnp.ones(2), 3), ValueError, r"hypot\.accumulate"),
        (lambda: jnp.add.reduceat(jnp.ones(3), jnp.ones(2)), ValueError, "indices must be a vector of integers"),
        (lambda: jnp.add.reduceat(jnp.ones(3), jnp.array([3])), IndexError, "indices must be from 0 to 2"),
        (lambda: jnp.add.at(jnp.ones(3), 0, 1), NotImplementedError, "pass inplace=False"),
        (lambda: jnp.hypot.at(jnp.ones(3), 0, inplace=False), TypeError, r"hypot\.at: expected a function of 1 arg"),
        (lambda: jnp.hypot.at(jnp.ones(3), 0, jnp.ones(4), inplace=False), ValueError, r"hypot\.at"),
        (lambda: jnp.negative.outer(jnp.ones(3), 1), ValueError, r"negative\.outer: only functions of two"),
        (lambda: jnp.frompyfunc(3, 1, 1), TypeError, "func must be a function"),
        (lambda: jnp.frompyfunc(abs, 1.5, 1), TypeError, "nin must be an integer"),
        (lambda: jnp.frompyfunc(abs, -1, 1), ValueError, "nin must not be negative"),
        (lambda: jnp.frompyfunc(abs, 1, 1)(1, 2), TypeError, r"fungrad\.numpy\.abs: expected 1 arguments, got 2"),
        (lambda: jnp.frompyfunc(abs, 1, 2)(1), TypeError, "has not the 2 results"),
        (lambda: jnp.frompyfunc(abs, 1, 1)([1]), TypeError, "must be an array or a scalar"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
