"""Functions of fungrad.numpy against jax.numpy: values, dtypes, weak types, refusals, and gradients."""

import warnings

import numpy as np
import pytest
from numpy_cases import CASES, evaluate, variables
from test_numpy_values import as_function, leaves, used

import fungrad
import fungrad.numpy as fnp

jax = pytest.importorskip("jax")
pytestmark = pytest.mark.parity

# Where fungrad differs from JAX on purpose: the beginning of the expression and the dtypes.
NOT_JAX = {
    # NumPy's semantics: NaN and infinity of complex numbers, cuts outside the array, odd integer periods, other values.
    "np.max(n": ("complex64",),
    "np.min(n": ("complex64",),
    "np.ptp(n": ("complex64",),
    "np.nanmax(n": ("complex64",),
    "np.nanmin(n": ("complex64",),
    "np.exp2(n)": ("complex64",),
    "np.expm1(n)": ("complex64",),
    "np.sign(n)": ("complex64",),
    "np.split(v, [4, 2])": None,
    "np.split(v, [-1])": None,
    "np.split(v, [2, 9])": None,
    "np.unwrap(x, period=3": ("int8", "int32", "int64", "uint8", "uint32"),
    "np.array_equal(x, 'text')": None,
    "np.divide(x, n)": ("complex64",),
    "np.power(x, n)": ("complex64",),
    "np.float_power(x, n)": ("complex64",),
    "np.maximum(n": ("complex64",),
    "np.maximum(x, n": ("complex64",),
    "np.minimum(n": ("complex64",),
    "np.minimum(x, n": ("complex64",),
    "np.arctan2": ("complex64",),
    "np.logaddexp(n": ("complex64",),
    "np.logaddexp(x, n": ("complex64",),
    "np.logaddexp2": ("complex64",),
    # The array API standard: limits at infinities, zeros with the sign of the exact quotient.
    "np.floor_divide(n": ("float16", "float32", "float64"),
    "np.floor_divide(x, n": ("float16", "float32", "float64"),
    "np.divmod(n": ("float16", "float32", "float64"),
    "np.divmod(x, n": ("float16", "float32", "float64"),
    # Small integers are widened as those of cumulative_sum.
    "np.cumulative_prod": ("int8", "uint8"),
    # Booleans are accepted as numbers.
    "np.kron": ("bool",),
    "np.vander": ("bool",),
    "np.partition": ("bool", "complex64"),
    "np.bincount(i, weights=v": ("bool",),
    "np.ediff1d": ("bool",),
    "np.round": ("bool",),
    "x.round()": ("bool",),
    # Division by zero of numbers that were booleans; powers with negative integer exponents.
    "np.divide": ("bool",),
    "np.fmod": ("bool",),
    "np.power": ("int8", "int32", "int64"),
    "np.float_power": ("bool",),
    # A value that never wins is taken by its value; JAX takes -5 modulo the dtype.
    "np.max(x, where=b, initial=-5)": ("uint8", "uint32"),
    # NaN at infinity, as NumPy's.
    "np.spacing(n)": ("float16",),
    # Integers are fitted as by NumPy; JAX refuses them.
    "np.polyfit(v": ("int8", "int16", "int32", "int64", "uint8", "uint32", "bool"),
    "np.polyfit(x": ("int8", "int16", "int32", "int64", "uint8", "uint32", "bool"),
    # Reads an iterator, which JAX refuses.
    "np.fromiter": None,
}


def excused(expression, dtype):
    return any(
        expression.startswith(start) and (dtypes is None or dtype in dtypes) for start, dtypes in NOT_JAX.items()
    )


def outcome(expression, namespace, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return evaluate(expression, namespace, namespace.asarray, dtype), None
        except (TypeError, ValueError, AttributeError, IndexError, NotImplementedError) as error:
            return None, error


def differences(expression, wanted, got):
    """How results differ from JAX's; the weakness of booleans, which has no effect, is left out."""
    wanted, got = leaves(wanted), leaves(got)
    if len(wanted) != len(got):
        return [f"{expression}: {len(got)} results, expected {len(wanted)}"]
    out = []
    for w, g in zip(wanted, got, strict=True):
        if not hasattr(w, "aval"):
            if w != g:
                out.append(f"{expression}: {g!r}, expected {w!r}")
            continue
        weak = w.weak_type and w.dtype != bool
        if (g.shape, g.dtype, g.weak_type and g.dtype != bool) != (w.shape, w.dtype, weak):
            out.append(f"{expression}: {g.aval}, expected {w.aval}")
            continue
        tolerance = 2e-2 if w.dtype.itemsize == 2 and w.dtype.kind == "f" else 3e-5
        ours, theirs = np.asarray(g), np.asarray(w)
        same = np.isclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
        if np.iscomplexobj(w):
            # Parts by themselves too: a complex number with an infinite part is at no finite distance from another.
            parts = [(ours.real, theirs.real), (ours.imag, theirs.imag)]
            close = [np.isclose(*p, rtol=tolerance, atol=tolerance, equal_nan=True) for p in parts]
            same = np.where(np.isnan(ours) & np.isnan(theirs), same, close[0] & close[1])
        if not same.all():
            out.append(f"{expression}:\n  got      {ours.tolist()}\n  expected {theirs.tolist()}")
    return out


def compare(family, dtype):
    problems = []
    for expression in CASES[family]:
        if excused(expression, dtype):
            continue
        wanted, refusal = outcome(expression, jax.numpy, dtype)
        got, error = outcome(expression, fnp, dtype)
        if (refusal is None) != (error is None):
            problems.append(f"{expression}: {error or 'accepted'!r}, JAX: {refusal or 'accepts'!r}")
        elif refusal is None:
            problems += differences(expression, wanted, got)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("family", CASES)
def test_float_results_are_jaxs(family):
    compare(family, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64"])
@pytest.mark.parametrize("family", CASES)
def test_results_are_jaxs(family, dtype):
    compare(family, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "int8", "uint8", "uint32"])
@pytest.mark.parametrize("family", ["operators", "reductions"])
def test_narrow_results_are_jaxs(family, dtype):
    compare(family, dtype)


# Functions of positions that are traced, and those positions.
TRACED_POSITIONS = {
    "insert a number": (lambda np, i: np.insert(np.arange(4), i, 9), 2),
    "insert a block": (lambda np, i: np.insert(np.ones((2, 3)), i, np.arange(6.0).reshape(3, 2), axis=1), -2),
    "insert beyond the end": (lambda np, i: np.insert(np.arange(5.0), i, np.array([7, 8, 9])), [9, 1, 7]),
    "insert rows": (lambda np, i: np.insert(np.ones((3, 2)), i, 5, axis=0), np.array([2, -9, 0, 2], "int8")),
    "insert at equal positions": (lambda np, i: np.insert(np.arange(3), i, np.array([5, 4, 3])), [1, 1, 1]),
    "take along an axis": (
        lambda np, i: np.take_along_axis(np.arange(6.0).reshape(2, 3), i, axis=1, mode="one_hot"), [[0, 5], [-1, 1]]),
    "take along a vector": (
        lambda np, i: np.take_along_axis(np.arange(3, dtype="int8"), i, axis=0, mode="one_hot"), [0, 5, -1, -4]),
    "numbers in a list": (lambda np, i: np.where(np.iscomplexobj([i, 2.0]), 1, 2), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACED_POSITIONS)
def test_traced_positions(name):
    function, positions = TRACED_POSITIONS[name]
    positions = np.asarray(positions)
    if positions.dtype == np.int64:
        positions = positions.astype(np.int32)
    wanted = jax.jit(lambda i: function(jax.numpy, i))(positions)
    for got in (fungrad.jit(lambda i: function(fnp, i))(positions), function(fnp, fnp.asarray(positions))):
        assert not differences(name, wanted, got)


# Sets are differentiable here, and the gradient of logaddexp at infinity is NaN.
OTHER_GRADIENTS = (
    "np.unique", "np.union1d", "np.setdiff1d", "np.setxor1d", "np.logaddexp(n", "np.logaddexp(x, n",
    "np.logaddexp2(n", "np.logaddexp2(x, n",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("family", CASES)
def test_gradients_are_jaxs(family):
    problems = []
    scope = variables("float32")
    for expression in CASES[family]:
        names = [n for n in used(expression) if scope[n].dtype == np.float32 and n != "n"]
        if not names or excused(expression, "float32") or expression.startswith(OTHER_GRADIENTS):
            continue

        def total(*values, expression=expression, names=names):
            outs = as_function(expression, names)(*values)
            return sum(((o * o).sum() for o in outs if o.dtype == np.float32), start=fnp.zeros(()))

        def jax_total(*values, expression=expression, names=names):
            inside = {k: jax.numpy.asarray(v) for k, v in scope.items()} | dict(zip(names, values, strict=True))
            outs = leaves(eval(expression, {"np": jax.numpy, "onp": np, **inside}))
            outs = [o for o in outs if isinstance(o, jax.Array) and o.dtype == np.float32]
            return sum(((o * o).sum() for o in outs), start=jax.numpy.zeros(()))

        values = [scope[n] for n in names]
        try:
            wanted = jax.grad(jax_total, argnums=tuple(range(len(names))))(*map(jax.numpy.asarray, values))
        except (TypeError, ValueError, NotImplementedError):
            continue
        got = fungrad.grad(total, argnums=tuple(range(len(names))))(*map(fnp.asarray, values))
        for name, w, g in zip(names, wanted, got, strict=True):
            if not np.allclose(np.asarray(g), np.asarray(w), rtol=1e-3, atol=1e-3, equal_nan=True):
                problems.append(
                    f"{expression} by {name}:\n  got      {np.asarray(g).tolist()}\n  expected {np.asarray(w).tolist()}"
                )
    assert not problems, "\n".join(problems)
