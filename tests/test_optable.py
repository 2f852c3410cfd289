"""What holds for every operation, checked for every row of the op table."""

from __future__ import annotations

import itertools
import re
import warnings

import numpy as np
import pytest
from optable import NOT_ROWS, OPS
from optable_base import (
    TOLERANCE,
    Op,
    array,
    as_list,
    dtype_of,
    is_inexact,
    special_operands,
    special_values,
    widened,
)

from fungrad.core.array import Array, typeof
from fungrad.core.avals import Zero
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import Literal, eval_jaxpr
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.printing import jaxpr_text, opaque_objects
from fungrad.jit.formulas import scalar_rules
from fungrad.transforms.api import jvp, linearize, vjp
from fungrad.transforms.inspection import eval_shape, make_jaxpr
from fungrad.transforms.mapping import vmap

# References are computed by NumPy, which keeps subnormal numbers.
pytestmark = pytest.mark.usefixtures("keep_subnormals")

rows = pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
differentiable_rows = pytest.mark.parametrize(
    "op", [op for op in OPS if op.order], ids=[op.name for op in OPS if op.order]
)

# Compiling takes long: the main set compiles a few cases of every row, `thinning` says that the rest is slow.
PARTS = [(op, part) for op in OPS for part in ("few", "rest") if part == "few" or op.cases() != op.few_cases()]
parts_of_rows = pytest.mark.parametrize("op, part", PARTS, ids=[f"{op.name}-{part}" for op, part in PARTS])
parts_of_special_rows = pytest.mark.parametrize(
    "op, part",
    [(op, part) for op, part in PARTS if op.special and (part == "few" or list(op.dtypes) != op.few_dtypes())],
    ids=lambda x: x if isinstance(x, str) else x.name,
)


def tolerance(dtype, overrides):
    """Relative tolerance for results of ``dtype``."""
    return max(TOLERANCE.get(dtype.name, 0.0), overrides.get(dtype.name, 0.0))


def assert_close(actual, expected, rtol, atol, what):
    """Compares two ndarrays of any of our dtypes; NaN and infinities must agree exactly."""
    assert actual.dtype == expected.dtype, f"{what}: dtype {actual.dtype}, expected {expected.dtype}"
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    with np.errstate(all="ignore"):
        a, e = widened(actual), widened(expected)
        if rtol == 0 or not is_inexact(actual.dtype):
            np.testing.assert_array_equal(a, e, err_msg=what)
        else:
            np.testing.assert_allclose(a, e, rtol=rtol, atol=rtol * atol, err_msg=what)


def reference(op, operands):
    """The expected results, computed with more precision and rounded once."""
    wide = [widened(x) for x in operands] if op.wide else operands
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outs = as_list(op.reference(*wide, **op.params))
        dtypes = [x.dtype for x in operands]
        outs = [np.asarray(x) for x in outs]
        outs[0] = outs[0].astype(op.result(*dtypes) if op.result else dtypes[0])
    return outs


def case_text(shapes, dtypes):
    return ", ".join(f"{d.name}{list(s)}" for s, d in zip(shapes, dtypes, strict=True))


# -- values -----------------------------------------------------------------------------------------------------------


@rows
def test_values_and_types(op):
    for shapes, dtypes in op.cases():
        operands = op.sample(shapes, dtypes)
        actual = as_list(op.call(*[array(x) for x in operands]))
        expected = reference(op, operands)
        assert len(actual) == len(expected)
        for out, ref in zip(actual, expected, strict=True):
            assert isinstance(out, Array)
            assert not out.weak_type
            what = f"{op.name}({case_text(shapes, dtypes)})"
            assert_close(np.asarray(out), ref, tolerance(ref.dtype, op.rtol), op.atol, what)


@rows
def test_operands_are_not_changed(op):
    shapes, dtypes = op.cases()[0]
    operands = op.sample(shapes, dtypes)
    kept = [x.copy() for x in operands]
    op.call(*[array(x) for x in operands])
    for x, before in zip(operands, kept, strict=True):
        np.testing.assert_array_equal(x, before)


special_rows = pytest.mark.parametrize(
    "op", [op for op in OPS if op.special], ids=[op.name for op in OPS if op.special]
)


@special_rows
def test_special_values(op):
    for entry in op.dtypes:
        dtypes = op.operand_dtypes(entry)
        operands = special_operands(op, dtypes)
        (actual,) = as_list(op.call(*[array(x) for x in operands]))
        (expected,) = reference(op, operands)
        # A sum of parts of very different sizes has no relative precision in each part.
        rtol = max(4 * tolerance(expected.dtype, op.rtol), 1e-5 if expected.dtype.kind == "c" else 0)
        assert_close(np.asarray(actual), expected, rtol, 1e-30, f"{op.name} of {entry}")


@special_rows
def test_never_warns(op):
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for entry in op.dtypes:
            op.call(*[array(x) for x in special_operands(op, op.operand_dtypes(entry))])


@rows
def test_memory_layouts(op):
    shapes, dtypes = next(((s, d) for s, d in op.cases() if any(len(x) >= 1 for x in s)), op.cases()[0])
    operands = op.sample(shapes, dtypes)
    expected = as_list(op.call(*[array(x) for x in operands]))

    def strided(x):
        if not x.ndim:
            return x
        wide = np.zeros([2 * n for n in x.shape], x.dtype)
        view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
        view[...] = x
        return view

    def reverse(x):
        flip = tuple(slice(None, None, -1) for _ in x.shape)
        return np.ascontiguousarray(x[flip])[flip] if x.ndim else x

    def fortran(x):
        return np.asfortranarray(x) if x.ndim else x

    for layout in (strided, reverse, fortran):
        actual = as_list(op.call(*[array(layout(x)) for x in operands]))
        for a, e in zip(actual, expected, strict=True):
            assert_close(
                np.asarray(a),
                np.asarray(e),
                1e-6 if is_inexact(a.dtype) else 0,
                1,
                f"{op.name} {layout.__name__}",
            )


@rows
def test_abstract_evaluation_agrees(op):
    for shapes, dtypes in op.cases():
        operands = [array(x) for x in op.sample(shapes, dtypes)]
        announced = [o.aval for o in as_list(make_jaxpr(op.call)(*operands).outvars)]
        assert announced == [typeof(o) for o in as_list(op.call(*operands))]
        structs = as_list(eval_shape(op.call, *operands))
        assert [(s.shape, s.dtype) for s in structs] == [(a.shape, a.dtype) for a in announced]


@pytest.mark.parametrize("op", [op for op in OPS if op.weak], ids=[op.name for op in OPS if op.weak])
def test_python_scalars(op):
    """Python scalars give weak results of the default width, and take the dtype of an array beside them."""
    for entry in op.dtypes:
        dtypes = op.operand_dtypes(entry)
        if any(d.name not in ("float32", "int32", "complex64", "bool") for d in dtypes):
            continue
        values = [x.item() for x in op.sample(((),) * op.arity, dtypes)]
        (out,) = as_list(op.call(*values))
        (strong,) = as_list(op.call(*[array(np.asarray(v, d)) for v, d in zip(values, dtypes, strict=True)]))
        assert out.dtype == strong.dtype
        assert out.weak_type == (dtypes[0].kind != "b")
        np.testing.assert_array_equal(np.asarray(out), np.asarray(strong))
        if op.arity == 1:
            continue
        mixed = [array(np.asarray(values[0], dtypes[0])), *values[1:]]
        (out,) = as_list(op.call(*mixed))
        assert (out.dtype, out.weak_type) == (strong.dtype, False)
        np.testing.assert_array_equal(np.asarray(out), np.asarray(strong))


# -- jaxprs -----------------------------------------------------------------------------------------------------------


def traced(op, shapes, dtypes):
    operands = [array(x) for x in op.sample(shapes, dtypes)]
    return make_jaxpr(op.call)(*operands), operands


@rows
def test_jaxpr_is_valid_and_survives_printing(op):
    for shapes, dtypes in op.cases()[:3]:
        jaxpr, operands = traced(op, shapes, dtypes)
        check_jaxpr(jaxpr)
        again = parse_jaxpr(jaxpr_text(jaxpr, weak=True), objects=opaque_objects(jaxpr))
        assert jaxpr_text(again) == jaxpr_text(jaxpr)
        assert again == jaxpr
        direct = as_list(op.call(*operands))
        for a, b in zip(eval_jaxpr(jaxpr, jaxpr.consts, *operands), direct, strict=True):
            np.testing.assert_array_equal(widened(np.asarray(a)), widened(np.asarray(b)))


@rows
def test_row_covers_its_primitives(op):
    jaxpr, _ = traced(op, *op.cases()[0])
    used = {eqn.primitive.name for eqn in jaxpr.eqns}
    assert set(op.covers) <= used, f"{op.name} uses {sorted(used)}, its row says {op.covers}"


def test_every_primitive_has_a_row():
    covered = {name for op in OPS for name in op.covers}
    missing = (
        {
            name
            for name, p in Primitive.instances.items()
            if type(p).__module__.startswith("fungrad.") and p.kind != "higher_order"
        }
        - covered
        - NOT_ROWS
    )
    assert not missing, f"primitives without a row in tests/optable_*.py: {sorted(missing)}"


# -- derivatives ------------------------------------------------------------------------------------------------------


def restricted(op, operands):
    """The operation as a function of its differentiable operands alone, and those operands."""
    positions = op.diff if op.diff is not None else [i for i, x in enumerate(operands) if is_inexact(x.dtype)]

    def fun(*chosen):
        full = [array(x) for x in operands]
        for i, x in zip(positions, chosen, strict=True):
            full[i] = x
        out = [y for y in as_list(op.call(*full)) if is_inexact(y.dtype)]
        return tuple(out)

    return fun, [operands[i] for i in positions]


def directions(xs, seed):
    rng = np.random.default_rng(seed)

    def normal(x):
        re = rng.standard_normal(x.shape)
        return (re + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else re).astype(x.dtype)

    return [normal(np.asarray(x)) for x in xs]


def difference(fun, xs, vs, h=1e-6):
    """Directional derivative by fourth-order central differences."""

    def at(t):
        return [np.asarray(y) for y in fun(*[array(x + t * v) for x, v in zip(xs, vs, strict=True)])]

    near = [(a - b) / (2 * h) for a, b in zip(at(h), at(-h), strict=True)]
    far = [(a - b) / (4 * h) for a, b in zip(at(2 * h), at(-2 * h), strict=True)]
    return [(4 * n - f) / 3 for n, f in zip(near, far, strict=True)]


def check_forward(fun, xs, vs, rtol, what):
    """jvp and linearize against finite differences; returns the tangents."""
    primals, tangents = [array(x) for x in xs], [array(v) for v in vs]
    values, outs = jvp(fun, tuple(primals), tuple(tangents))
    for y, t in zip(values, outs, strict=True):
        assert t.aval.strip_weak_type() == y.aval.strip_weak_type()
    for t, d in zip(outs, difference(fun, xs, vs), strict=True):
        np.testing.assert_allclose(np.asarray(t), d, rtol=rtol, atol=rtol, err_msg=what)
    _, linear = linearize(fun, *primals)
    for t, d in zip(linear(*tangents), outs, strict=True):
        np.testing.assert_allclose(np.asarray(t), np.asarray(d), rtol=1e-10, atol=1e-10, err_msg=f"{what}: linearize")
    return outs


def check_reverse(fun, xs, vs, outs, what):
    """<cotangents, J v> == <J^T cotangents, v>, as real numbers (complex derivatives may be only real linear)."""
    values, pull = vjp(fun, *[array(x) for x in xs])
    cts = directions(values, 7)
    back = pull(tuple(array(c) for c in cts))
    for ct, x in zip(back, xs, strict=True):
        assert (ct.shape, ct.dtype) == (x.shape, x.dtype), what
    left = sum(np.sum(c * np.asarray(t)).real for c, t in zip(cts, outs, strict=True))
    right = sum(np.sum(np.asarray(b) * v).real for b, v in zip(back, vs, strict=True))
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9, err_msg=f"{what}: transpose")
    return cts


@differentiable_rows
def test_derivatives(op):
    cases = op.gradient_cases()
    assert cases, f"{op.name} has a derivative but no inexact dtype among its rows"
    for shapes, dtypes in cases:
        what = f"{op.name}({case_text(shapes, dtypes)})"
        fun, xs = restricted(op, op.sample(shapes, dtypes, seed=1))
        vs = directions(xs, 3)
        outs = check_forward(fun, xs, vs, op.grad_rtol, what)
        cts = check_reverse(fun, xs, vs, outs, what)
        if op.order < 2:
            continue
        ws = directions(xs, 5)

        def pushed(*ys, fun=fun, vs=vs):
            return jvp(fun, tuple(ys), tuple(array(v) for v in vs))[1]

        def pulled(*ys, fun=fun, cts=cts):
            return vjp(fun, *ys)[1](tuple(array(c) for c in cts))

        outs = check_forward(pushed, xs, ws, 10 * op.grad_rtol, f"{what}: forward over forward")
        check_reverse(pushed, xs, ws, outs, f"{what}: reverse over forward")
        outs = check_forward(pulled, xs, ws, 10 * op.grad_rtol, f"{what}: forward over reverse")
        check_reverse(pulled, xs, ws, outs, f"{what}: reverse over reverse")


def equations(op, shapes, dtypes):
    """Every equation of the operation with concrete operands."""
    jaxpr, operands = traced(op, shapes, dtypes)
    env = dict(zip(jaxpr.all_invars, [*jaxpr.consts, *operands], strict=True))
    for eqn in jaxpr.eqns:
        args = [a.array if type(a) is Literal else env[a] for a in eqn.invars]
        out = eqn.primitive.bind(*args, **eqn.params)
        env.update(zip(eqn.outvars, out if eqn.primitive.multiple_results else [out], strict=True))
        yield eqn.primitive, args, eqn.params


def tangents_of(primitive, args, tangents, params):
    outs, ts = primitive.jvp(args, tangents, **params)
    if not primitive.multiple_results:
        outs, ts = [outs], [ts]
    for out, t in zip(outs, ts, strict=True):
        assert t.aval.shape == out.aval.shape and t.aval.dtype == out.aval.tangent().dtype
    return outs, [np.zeros(t.aval.shape) if type(t) is Zero else np.asarray(t) for t in ts]


@differentiable_rows
def test_derivative_rules_are_linear(op):
    shapes, dtypes = op.gradient_cases()[0]
    for primitive, args, params in equations(op, shapes, dtypes):
        active = [i for i, x in enumerate(args) if is_inexact(x.dtype)]
        if op.diff is not None:
            active = [i for i in active if i in op.diff]
        if not active:
            continue

        def call(vectors, active=active, args=args, primitive=primitive, params=params):
            tangents = [Zero(x.aval.tangent()) for x in args]
            for i, v in zip(active, vectors, strict=True):
                if v is not None:
                    tangents[i] = array(v)
            return tangents_of(primitive, args, tangents, params)

        a = directions([args[i] for i in active], 11)
        b = directions([args[i] for i in active], 13)
        outs, of_a = call(a)
        for x, y in zip(outs, as_list(primitive.bind(*args, **params)), strict=True):
            np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
        _, of_b = call(b)
        _, of_sum = call([x + y for x, y in zip(a, b, strict=True)])
        _, of_scaled = call([2.5 * x for x in a])
        for x, y, total, scaled in zip(of_a, of_b, of_sum, of_scaled, strict=True):
            eps = 1e-10 if x.dtype.itemsize >= 8 and x.dtype != np.complex64 else 1e-5
            np.testing.assert_allclose(total, x + y, rtol=eps, atol=eps)
            np.testing.assert_allclose(scaled, 2.5 * x, rtol=eps, atol=eps)
        # A symbolic zero must mean what an array of zeros means.
        for kept in itertools.product([True, False], repeat=len(active)):
            if any(kept) and not all(kept):
                _, symbolic = call([v if k else None for k, v in zip(kept, a, strict=True)])
                _, explicit = call([v if k else np.zeros_like(v) for k, v in zip(kept, a, strict=True)])
                for x, y in zip(symbolic, explicit, strict=True):
                    np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


# -- vmap -------------------------------------------------------------------------------------------------------------


@rows
def test_vmap_equals_a_loop(op):
    for shapes, dtypes in op.cases()[:4]:
        for axes in batch_axes(shapes):
            batched = []
            samples = [op.sample(shapes, dtypes, seed=k) for k in range(3)]
            for i, axis in enumerate(axes):
                xs = [s[i] for s in samples]
                batched.append(xs[0] if axis is None else np.stack(xs, axis))
            out = as_list(vmap(op.call, in_axes=axes)(*[array(x) for x in batched]))
            for k in range(3):
                example = [array(samples[0][i] if a is None else samples[k][i]) for i, a in enumerate(axes)]
                for o, e in zip(out, as_list(op.call(*example)), strict=True):
                    assert o.aval.strip_weak_type().update(shape=o.shape[1:]) == e.aval.strip_weak_type()
                    rtol = tolerance(o.dtype, op.rtol)
                    assert_close(
                        np.asarray(o)[k],
                        np.asarray(e),
                        rtol,
                        1,
                        f"vmap of {op.name}, in_axes={axes}",
                    )


@rows
def test_vmap_over_nothing(op):
    shapes, dtypes = op.cases()[0]
    operands = [array(x) for x in op.sample(shapes, dtypes)]
    expected = as_list(op.call(*operands))
    for axes in batch_axes(shapes):
        batched = [
            x if a is None else array(np.zeros(x.shape[:a] + (0,) + x.shape[a:], x.dtype))
            for x, a in zip(operands, axes, strict=True)
        ]
        for o, e in zip(as_list(vmap(op.call, in_axes=axes)(*batched)), expected, strict=True):
            assert (o.shape, o.dtype) == ((0, *e.shape), e.dtype)


def batch_axes(shapes):
    """Every choice of a batch axis (or none) per operand: first and last position."""
    choices = [sorted({0, len(s)}) + [None] for s in shapes]
    return [axes for axes in itertools.product(*choices) if any(a is not None for a in axes)][:40]


# -- jit --------------------------------------------------------------------------------------------------------------


@parts_of_rows
def test_jit_equals_eager(op, part):
    jit = pytest.importorskip("fungrad.jit.front.api").jit
    compiled = jit(op.call)
    few = op.few_cases()
    for shapes, dtypes in few if part == "few" else [case for case in op.cases() if case not in few]:
        operands = [array(x) for x in op.sample(shapes, dtypes)]
        for a, e in zip(as_list(compiled(*operands)), as_list(op.call(*operands)), strict=True):
            assert a.aval == e.aval
            rtol = 2 * tolerance(e.dtype, {**op.rtol, **op.jit_rtol})
            assert_close(
                np.asarray(a),
                np.asarray(e),
                rtol,
                op.atol,
                f"jit of {op.name}({case_text(shapes, dtypes)})",
            )


# What compiled programs leave to Python: callbacks, and rows with sorts along an axis that is not contiguous.
ON_THE_HOST = {"pure_callback", "io_callback", "debug_callback", "sort", "top_k", "reduce"}


@rows
def test_jit_needs_no_python(op):
    jit = pytest.importorskip("fungrad.jit.front.api").jit
    compiled = jit(op.call)
    for shapes, dtypes in op.cases()[:1] + op.cases()[-1:]:
        operands = [array(x) for x in op.sample(shapes, dtypes)]
        if all(scalar_rules.supports(d) for d in dtypes):
            names = set(re.findall(r"= host (\w+)", compiled.lower(*operands).as_text("steps")))
            assert names <= ON_THE_HOST, f"{op.name}({case_text(shapes, dtypes)})"


@parts_of_special_rows
def test_jit_equals_eager_on_special_values(op, part):
    jit = pytest.importorskip("fungrad.jit.front.api").jit
    compiled = jit(op.call)
    few = op.few_dtypes()
    for entry in few if part == "few" else [entry for entry in op.dtypes if entry not in few]:
        operands = [array(x) for x in special_operands(op, op.operand_dtypes(entry))]
        (a,), (e,) = as_list(compiled(*operands)), as_list(op.call(*operands))
        rtol = max(4 * tolerance(e.dtype, {**op.rtol, **op.jit_rtol}), 1e-5 if e.dtype.kind == "c" else 0)
        a, e = np.asarray(a), np.asarray(e)
        if e.dtype.kind == "c":
            # A complex number with an infinite part is an infinity; where it points to is rounding when both overflow.
            infinite = [np.isinf(x.real) & np.isinf(x.imag) for x in (a, e)]
            a = np.where(infinite[0] & infinite[1], e, a)
        assert_close(a, e, rtol, 1e-30, f"jit of {op.name} of {entry}")


# -- JAX --------------------------------------------------------------------------------------------------------------


def jax_function(op, jax):
    if callable(op.jax):
        return lambda *operands: op.jax(jax, *operands, **op.params)
    fun = getattr(jax.lax, op.jax or op.name)
    return lambda *operands: fun(*operands, **op.params)


jax_rows = pytest.mark.parametrize(
    "op",
    [op for op in OPS if op.jax is not None],
    ids=[op.name for op in OPS if op.jax is not None],
)


@pytest.mark.parity
@jax_rows
def test_values_and_types_are_those_of_jax(op):
    jax = pytest.importorskip("jax")
    fun = jax_function(op, jax)
    allowed = None if op.jax_dtypes is None else {op.operand_dtypes(e) for e in op.jax_dtypes}
    for shapes, dtypes in op.cases():
        if allowed is not None and dtypes not in allowed:
            continue
        operands = op.sample(shapes, dtypes)
        with jax.enable_x64(True), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = as_list(fun(*[jax.numpy.asarray(x) for x in operands]))
        for a, e in zip(as_list(op.call(*[array(x) for x in operands])), expected, strict=True):
            rtol = 4 * max(tolerance(a.dtype, op.rtol), op.jax_rtol.get(a.dtype.name, 0))
            assert_close(
                np.asarray(a),
                np.asarray(e),
                rtol,
                op.atol,
                f"{op.name}({case_text(shapes, dtypes)}) in JAX",
            )
            assert a.weak_type == e.weak_type


@pytest.mark.parity
@pytest.mark.parametrize(
    "op",
    [op for op in OPS if op.special and op.jax is not None and op.jax_special],
    ids=[op.name for op in OPS if op.special and op.jax is not None and op.jax_special],
)
def test_special_values_are_those_of_jax(op):
    jax = pytest.importorskip("jax")
    fun = jax_function(op, jax)
    for entry in op.dtypes if op.jax_dtypes is None else op.jax_dtypes:
        dtypes = op.operand_dtypes(entry)
        if any(d.kind == "c" or d.itemsize not in (1, 4) for d in dtypes):
            continue
        operands = special_operands(op, dtypes)
        with jax.enable_x64(True), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (expected,) = as_list(fun(*[jax.numpy.asarray(x) for x in operands]))
        (actual,) = as_list(op.call(*[array(x) for x in operands]))
        rtol = 8 * max(tolerance(actual.dtype, op.rtol), op.jax_rtol.get(actual.dtype.name, 0))
        assert_close(np.asarray(actual), np.asarray(expected), rtol, 1e-30, f"{op.name} of {entry} in JAX")


@pytest.mark.parity
@pytest.mark.parametrize(
    "op",
    [op for op in OPS if op.weak and op.jax is not None],
    ids=[op.name for op in OPS if op.weak and op.jax is not None],
)
def test_weak_types_are_those_of_jax(op):
    jax = pytest.importorskip("jax")
    fun = jax_function(op, jax)
    for entry in op.dtypes:
        dtypes = op.operand_dtypes(entry)
        if any(d.name not in ("float32", "int32", "complex64") for d in dtypes):
            continue
        values = [x.item() for x in op.sample(((),) * op.arity, dtypes)]
        (actual,) = as_list(op.call(*values))
        (expected,) = as_list(fun(*values))
        assert actual.dtype == expected.dtype
        assert actual.weak_type == expected.weak_type


def test_sampling_is_deterministic():
    op = OPS[0]
    shapes, dtypes = op.cases()[0]
    for a, b in zip(op.sample(shapes, dtypes), op.sample(shapes, dtypes), strict=True):
        np.testing.assert_array_equal(a, b)


def test_special_values_include_the_extremes():
    assert np.isnan(special_values(dtype_of("bfloat16")).astype(float)).any()
    assert special_values(np.dtype("uint8")).tolist() == [0, 1, 2, 3, 254, 255]
    assert isinstance(OPS[0], Op)
