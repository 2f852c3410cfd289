"""Dtypes and weak types of functions of Python scalars, alone and beside arrays of every dtype, are JAX's."""

import itertools
import warnings

import numpy as np
import pytest

import fungrad
import fungrad.numpy as fnp

pytestmark = pytest.mark.parity

SCALARS = (True, 3, 0.5, 1 + 2j)
DTYPES = "bool int8 uint8 int32 uint32 float16 bfloat16 float32 complex64".split()

PREDICATES = """
isnan isinf isfinite isposinf isneginf isreal iscomplex signbit logical_not logical_and logical_or logical_xor equal
not_equal less less_equal greater greater_equal isclose allclose array_equal array_equiv any all isin
""".split()

# What needs other arguments than numbers and arrays, or another library.
OTHERS = """
save savez load frombuffer fromfile fromstring fromfunction from_dlpack vectorize printoptions set_printoptions
array_repr array_str array2string
""".split()

# What JAX makes of arguments that are refused here: lengths, axes, positions and distances that are no integers,
# complex numbers that have no order or angle, differences that lose imaginary parts, gradients along no axis.
REFUSED_HERE = set("""
arctan2 atan2 argmax argmin nanargmax nanargmin bartlett blackman hamming hanning kaiser delete ediff1d gradient roll
trim_zeros unravel_index vsplit
""".split())  # fmt: skip
# Shapes given as truth values, or as arrays.
OTHER_TYPES = {"broadcast_shapes", "unravel_index"}


ERRORS = (TypeError, ValueError, IndexError, AttributeError, NotImplementedError, ArithmeticError, AssertionError)


def shared(jnp):
    """Names of the functions that both libraries have."""
    for name in sorted(dir(jnp)):
        f, g = getattr(jnp, name), getattr(fnp, name, None)
        if not name.startswith("_") and callable(f) and callable(g) and not isinstance(f, type) and name not in OTHERS:
            yield name


def types(lib, f, args):
    """Shapes, dtypes and weakness of results, or the error with which they are refused."""
    args = [lib.numpy.ones(3, a) if isinstance(a, str) else a for a in args]
    try:
        out = lib.eval_shape(lambda: f(*args))
    except ERRORS:  # it needs to know values
        try:
            out = f(*args)
        except ERRORS as error:
            return error
    leaves = lib.tree_util.tree_leaves(out)
    return [(x.shape, x.dtype, bool(getattr(x, "weak_type", False))) if hasattr(x, "dtype") else x for x in leaves]


def different(names, cases):
    """How the types of results differ from JAX's, and how many agree."""
    jax = pytest.importorskip("jax")
    found, same = [], 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, args in itertools.product(names, cases):
            wanted = types(jax, getattr(jax.numpy, name), args)
            if isinstance(wanted, Exception):
                continue
            got = types(fungrad, getattr(fnp, name), args)
            if got == wanted:
                same += 1
            elif not (isinstance(got, (TypeError, ValueError)) and name in REFUSED_HERE):
                found.append(f"{name}{args}: {got!r}, expected {wanted}")
    return found, same


def of_scalars():
    return [*itertools.product(SCALARS), *itertools.product(SCALARS, SCALARS)]


def test_predicates_of_scalars():
    found, same = different(PREDICATES, of_scalars())
    assert not found, "\n".join(found)
    assert same > 200


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_functions_of_scalars(part):
    names = [n for n in shared(pytest.importorskip("jax").numpy) if n != "broadcast_shapes"]
    found, same = different(names[part::4], of_scalars())
    assert not found, "\n".join(found)
    assert same > 200


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_of_scalars_and_arrays(dtype):
    names = [n for n in shared(pytest.importorskip("jax").numpy) if n not in OTHER_TYPES]
    found, same = different(names, [*itertools.product(SCALARS, [dtype]), *itertools.product([dtype], SCALARS)])
    assert not found, "\n".join(found)
    assert same > 200
