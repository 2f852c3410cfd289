"""Types and primitives of users' own under every transformation; programs with them give what JAX gives."""

import importlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fungrad
from fungrad.experimental import hijax as our_hijax

NAMES = ("HiPrimitive", "HiType", "ShapedArray", "VJPHiPrimitive", "register_hitype", "instantiate_zeros",
         "is_undefined_primal")  # fmt: skip



def library(jax: Any) -> SimpleNamespace:
    """The types and operations of the tests, made with ``jax``, which is fungrad or JAX."""
    jnp = jax.numpy
    name = jax.__name__
    hijax = importlib.import_module(f"{name}.experimental.hijax")
    private = importlib.import_module("fungrad.experimental.hijax" if name == "fungrad" else "jax._src.hijax")
    f32, i8 = jnp.dtype("float32"), jnp.dtype("int8")

    # -- quantised arrays, whose tangents are arrays -------------------------------------------------------------------

    @dataclass(frozen=True)
    class Quantised:
        values: Any
        scale: Any

    @dataclass(frozen=True)
    class QuantisedTy(hijax.HiType):
        shape: tuple

        def lo_ty(self):
            return [hijax.ShapedArray(self.shape, i8), hijax.ShapedArray(self.shape[:-1], f32)]

        def lower_val(self, q):
            return [q.values, q.scale]

        def raise_val(self, values, scale):
            return Quantised(values, scale)

        def to_tangent_aval(self):
            return hijax.ShapedArray(self.shape, f32)

        def str_short(self, short_dtypes=False, **_):
            return f"q8[{','.join(map(str, self.shape))}]"

    hijax.register_hitype(Quantised, lambda q: QuantisedTy(q.values.shape))

    class Quantise(hijax.VJPHiPrimitive):
        def __init__(self, x):
            self.in_avals, self.out_aval, self.params = (x,), QuantisedTy(x.shape), {}
            super().__init__()

        def expand(self, x):
            scale = jnp.max(jnp.abs(x), axis=-1) / 127
            return Quantised(jnp.round(x / scale[..., None]).astype(i8), scale)

        def vjp_fwd(self, nonzero, x):
            return self(x), None

        def vjp_bwd_retval(self, _, ct):
            return (ct,)

    class Dequantise(hijax.VJPHiPrimitive):
        def __init__(self, q):
            self.in_avals, self.out_aval, self.params = (q,), hijax.ShapedArray(q.shape, f32), {}
            super().__init__()

        def expand(self, q):
            return q.values.astype(f32) * q.scale[..., None]

        def vjp_fwd(self, nonzero, q):
            return self(q), None

        def vjp_bwd_retval(self, _, ct):
            return (ct,)

    # -- an operation on arrays, with rules for every transformation ---------------------------------------------------

    class Power(hijax.VJPHiPrimitive):
        def __init__(self, x, n):
            self.in_avals, self.out_aval, self.params = (x,), x, {"n": n}
            super().__init__()

        def expand(self, x):
            return x**self.n

        def vjp_fwd(self, nonzero, x):
            return self(x), x

        def vjp_bwd_retval(self, x, ct):
            return (ct * self.n * power(x, self.n - 1),)

        def jvp(self, primals, tangents):
            (x,), (t,) = primals, tangents
            return self(x), t * self.n * power(x, self.n - 1)

        def lin(self, nonzero, x):
            return self(x), x

        def linearized(self, x, t):
            return t * self.n * power(x, self.n - 1)

        def batch_dim_rule(self, axis, dims):
            return dims[0]

    class Product(hijax.VJPHiPrimitive):
        def __init__(self, x, y):
            self.in_avals, self.out_aval, self.params = (x, y), x, {}
            super().__init__()

        def expand(self, x, y):
            return x * y

        def vjp_fwd(self, nonzero, x, y):
            return self(x, y), (x, y)

        def vjp_bwd_retval(self, residuals, ct):
            x, y = residuals
            return ct * y, ct * x

        def batch_dim_rule(self, axis, dims):
            return dims[1] if dims[0] is None else dims[0]

    def power(x, n):
        return Power(jax.typeof(x), n)(x)

    # -- a type that is its own tangent type, with primitives of the older kind ----------------------------------------

    @dataclass(frozen=True)
    class Boxed:
        value: Any

    @dataclass(frozen=True)
    class BoxedTy(hijax.HiType):
        shape: tuple

        def lo_ty(self):
            return [hijax.ShapedArray(self.shape, f32)]

        def lower_val(self, x):
            return [x.value]

        def raise_val(self, value):
            return Boxed(value)

        def to_tangent_aval(self):
            return self

        def vspace_zero(self):
            return box(jnp.zeros(self.shape, f32))

        def vspace_add(self, x, y):
            return box_add_p.bind(x, y)

        def dec_rank(self, size, spec):
            return self if spec is None else BoxedTy(self.shape[1:])

        def inc_rank(self, size, spec):
            return self if spec is None else BoxedTy((size, *self.shape))

        def leading_axis_spec(self):
            return Mapped()

        def str_short(self, short_dtypes=False, **_):
            return f"box[{','.join(map(str, self.shape))}]"

    @dataclass(frozen=True)
    class Mapped(private.MappingSpec):
        pass

    hijax.register_hitype(Boxed, lambda x: BoxedTy(x.value.shape))

    class Box(hijax.HiPrimitive):
        def abstract_eval(self, x):
            return BoxedTy(x.shape), set()

        def to_lojax(self, x):
            return Boxed(x)

        def jvp(self, primals, tangents):
            return box(*primals), box(*map(hijax.instantiate_zeros, tangents))

        def transpose(self, ct, x):
            assert hijax.is_undefined_primal(x)
            return [unbox(ct)]

    class Unbox(hijax.HiPrimitive):
        def abstract_eval(self, x):
            return hijax.ShapedArray(x.shape, f32), set()

        def to_lojax(self, x):
            return x.value

        def jvp(self, primals, tangents):
            return unbox(*primals), unbox(*map(hijax.instantiate_zeros, tangents))

        def transpose(self, ct, x):
            return [box(ct)]

    class BoxAdd(hijax.HiPrimitive):
        def abstract_eval(self, x, y):
            return x, set()

        def to_lojax(self, x, y):
            return Boxed(x.value + y.value)

        def transpose(self, ct, x, y):
            return [ct, ct]

        def jvp(self, primals, tangents):
            return self.bind(*primals), self.bind(*map(hijax.instantiate_zeros, tangents))

    box_p, unbox_p, box_add_p = Box(f"box_{name}"), Unbox(f"unbox_{name}"), BoxAdd(f"box_add_{name}")

    def box(x):
        return box_p.bind(x)

    def unbox(x):
        return unbox_p.bind(x)

    class UnboxMapped(hijax.VJPHiPrimitive):
        def __init__(self, x):
            self.in_avals, self.out_aval, self.params = (x,), hijax.ShapedArray(x.shape, f32), {}
            super().__init__()

        def expand(self, x):
            return x.value

        def batch(self, axis, args, dims):
            return UnboxMapped(jax.typeof(args[0]))(*args), None if dims[0] is None else 0

    return SimpleNamespace(
        jax=jax, jnp=jnp, power=power, box=box, unbox=unbox, Boxed=Boxed, BoxedTy=BoxedTy, Mapped=Mapped,
        Quantised=Quantised, box_add=box_add_p.bind,
        unbox_mapped=lambda x: UnboxMapped(jax.typeof(x))(x),
        quantise=lambda x: Quantise(jax.typeof(x))(x), dequantise=lambda q: Dequantise(jax.typeof(q))(q),
        product=lambda x, y: Product(jax.typeof(x), jax.typeof(y))(x, y),
    )  # fmt: skip


PROGRAMS: dict[str, Any] = {}


def program(fun):
    PROGRAMS[fun.__name__] = fun
    return fun


X = np.array([[1.0, 2.0, 3.0], [4.0, -5.0, 6.5]], np.float32)


@program
def quantised_values(m):
    x = m.jnp.asarray(X)
    q = m.jax.jit(m.quantise)(x)
    assert isinstance(q, m.Quantised)
    twice = m.jax.jit(lambda q: m.dequantise(q) * 2)
    return q.values, q.scale, m.dequantise(m.quantise(x)), twice(q), twice(m.quantise(x))


@program
def straight_through(m):
    x = m.jnp.asarray(X)
    inner = m.jax.jit(lambda x: m.dequantise(m.quantise(x)))
    loss = lambda x: m.jnp.sum(inner(m.jnp.sin(x)) ** 2)  # noqa: E731
    value, pull = m.jax.vjp(m.dequantise, m.quantise(x))
    return (
        m.jax.grad(loss)(x), m.jax.jit(m.jax.grad(loss))(x), *m.jax.value_and_grad(loss)(x),
        m.jax.grad(lambda q: m.jnp.sum(m.dequantise(q) ** 2))(m.quantise(x)), value, *pull(2 * value),
    )  # fmt: skip


@program
def quantised_loops(m):
    lax, x = m.jax.lax, m.jnp.asarray(X)

    def step(q, s):
        return m.quantise(m.dequantise(q) * s), m.jnp.sum(m.dequantise(q))

    def loss(x):
        q, ys = lax.scan(step, m.quantise(x), m.jnp.array([1.5, 0.5, 2.0]))
        return m.jnp.sum(m.dequantise(q)) + m.jnp.sum(ys**2)

    def until(q):
        return lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, m.quantise(2 * m.dequantise(c[1]))), (0, q))

    n, q = until(m.quantise(x))
    return (
        loss(x), n, m.dequantise(q),
        m.dequantise(m.jax.jit(until)(m.quantise(x))[1]),
    )  # fmt: skip


@program
def power_rules(m):
    jax, x = m.jax, m.jnp.asarray(X)
    f = lambda x: m.jnp.sum(m.power(m.jnp.sin(x), 3))  # noqa: E731
    out = [f(x), jax.grad(f)(x), jax.jvp(f, (x,), (x,))[1], jax.linearize(f, x)[1](x)]
    out += [jax.jit(jax.grad(f))(x), jax.vmap(jax.grad(f))(x), jax.grad(lambda x: m.jnp.sum(jax.vmap(f)(x)))(x)]
    out += [jax.vmap(jax.vmap(lambda x: m.power(x, 2)), in_axes=1, out_axes=1)(x)]
    out += [jax.grad(lambda y: jax.grad(lambda y: m.power(y, 4))(y))(2.0), jax.jit(jax.grad(jax.grad(f)), )(2.0)]
    return tuple(out)


@program
def mapped_products(m):
    jax, x = m.jax, m.jnp.asarray(X)
    y = m.jnp.array([1.0, 2.0, 3.0])
    outer = lambda x, y: m.jnp.sum(jax.vmap(m.product, in_axes=(0, None))(x, y) ** 2)  # noqa: E731
    return (
        jax.vmap(m.product)(x, x), jax.vmap(m.product, in_axes=(None, 0))(y, x), jax.grad(outer)(x, y),
        jax.grad(outer, 1)(x, y), *jax.jit(jax.grad(outer, (0, 1)))(x, y),
        jax.vmap(jax.vmap(m.product, in_axes=(0, None)), in_axes=(1, None), out_axes=1)(x, m.jnp.float32(2)),
        jax.vmap(jax.grad(lambda x, y: m.jnp.sum(m.product(x, y) * y)), in_axes=(0, None))(x, y),
    )  # fmt: skip


@program
def boxes(m):
    jax, x = m.jax, m.jnp.asarray(X)

    def f(b):
        return m.box(m.jnp.sin(m.unbox(b)) * m.unbox(b))

    loss = lambda b: m.jnp.sum(m.unbox(jax.jit(f)(b)) ** 2)  # noqa: E731
    b = m.box(x)
    assert isinstance(jax.grad(loss)(b), m.Boxed)
    out, tangent = jax.jvp(jax.jit(f), (b,), (b,))
    value, pull = jax.vjp(f, b)
    carried = lambda b: m.jnp.sum(m.unbox(jax.lax.scan(lambda c, _: (f(c), m.unbox(c)), b, None, length=2)[0]))  # noqa: E731
    return (
        loss(b), jax.grad(loss)(b).value, jax.jit(jax.grad(loss))(b).value, out.value, tangent.value, value.value,
        pull(value)[0].value, m.box_add(b, b).value, carried(b),
    )  # fmt: skip


@program
def mapped_boxes(m):
    jax, x = m.jax, m.jnp.asarray(X)
    b = m.box(x)
    mapped = jax.vmap(lambda b: m.jnp.sum(m.unbox_mapped(b)), in_axes=m.Mapped(), axis_size=2)(b)
    same = jax.vmap(lambda b: b, in_axes=m.Mapped(), out_axes=m.Mapped(), axis_size=2)(b)
    scanned = jax.lax.scan(lambda c, b: (c + m.jnp.sum(m.unbox(b)), b), 0.0, b, length=2)
    return mapped, same.value, scanned[0], scanned[1].value


def flat(outs):
    return [np.asarray(x) for x in outs]


@pytest.fixture(scope="module")
def ours():
    return library(fungrad)


@pytest.mark.parity
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_give_what_jax_gives(name, ours):
    jax = pytest.importorskip("jax")
    importlib.import_module("jax.experimental.hijax")
    theirs = library(jax)
    got, wanted = flat(PROGRAMS[name](ours)), flat(PROGRAMS[name](theirs))
    assert len(got) == len(wanted)
    for i, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype, i
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5, err_msg=str(i))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_run(name, ours):
    for x in flat(PROGRAMS[name](ours)):
        assert np.isfinite(x).all()


def test_derivatives_of_a_primitive_are_those_of_its_formula(ours):
    x = fungrad.numpy.asarray(X)
    f = lambda x: (ours.power(fungrad.numpy.sin(x), 3)).sum()  # noqa: E731
    want = 3 * np.sin(X) ** 2 * np.cos(X)
    np.testing.assert_allclose(fungrad.grad(f)(x), want, rtol=1e-5)
    np.testing.assert_allclose(fungrad.vmap(fungrad.grad(f))(x), want, rtol=1e-5)
    fungrad.test_util.check_grads(f, (x,), order=2, modes=["fwd", "rev"], rtol=2e-2)


def test_checkpointed_types(ours):
    x = fungrad.numpy.asarray(X)
    f = lambda f: fungrad.grad(lambda x: (ours.dequantise(f(x)) ** 2).sum())  # noqa: E731
    made = lambda x: ours.quantise(fungrad.numpy.sin(x))  # noqa: E731
    np.testing.assert_allclose(f(fungrad.checkpoint(made))(x), f(made)(x), rtol=1e-6)
    np.testing.assert_allclose(fungrad.jit(f(fungrad.checkpoint(made)))(x), f(made)(x), rtol=1e-6)


def test_branches_over_types(ours):
    def choice(i, q):
        return fungrad.lax.cond(i > 0, lambda q: q, lambda q: ours.quantise(3 * ours.dequantise(q)), q)

    x = fungrad.numpy.asarray(X)
    q = ours.quantise(x)
    for f in (choice, fungrad.jit(choice)):
        np.testing.assert_allclose(ours.dequantise(f(1, q)), ours.dequantise(q), rtol=1e-6)
        np.testing.assert_allclose(ours.dequantise(f(0, q)), 3 * ours.dequantise(q), rtol=1e-6)
        gradient = fungrad.grad(lambda x, i, f=f: ours.dequantise(f(i, ours.quantise(x))).sum())
        np.testing.assert_allclose(gradient(x, 1), np.ones_like(X))
        np.testing.assert_allclose(fungrad.jit(gradient)(x, 0), np.full_like(X, 3))


def test_derivatives_of_loops_over_types(ours):
    x, scales = fungrad.numpy.asarray(X), fungrad.numpy.array([1.5, 0.5, 2.0])

    def loss(x):
        return ours.dequantise(fungrad.lax.scan(
            lambda q, s: (ours.quantise(ours.dequantise(q) * s), None), ours.quantise(x), scales)[0]).sum()  # fmt: skip

    # Quantisation is differentiated as if it were nothing.
    np.testing.assert_allclose(fungrad.grad(loss)(x), np.full(X.shape, 1.5), rtol=1e-6)
    np.testing.assert_allclose(fungrad.jit(fungrad.grad(loss))(x), np.full(X.shape, 1.5), rtol=1e-6)

    def carried(b, x):
        step = lambda c, _: (ours.box(fungrad.numpy.sin(ours.unbox(c)) * ours.unbox(c)), ours.unbox(c))  # noqa: E731
        c, ys = fungrad.lax.scan(step, ours.box(x) if b is None else b, None, length=3)
        return ours.unbox(c).sum() + (ys**2).sum()

    def plain(x):
        step = lambda c, _: (fungrad.numpy.sin(c) * c, c)  # noqa: E731
        c, ys = fungrad.lax.scan(step, x, None, length=3)
        return c.sum() + (ys**2).sum()

    want = fungrad.grad(plain)(x)
    np.testing.assert_allclose(fungrad.grad(carried, 1)(None, x), want, rtol=1e-5)
    np.testing.assert_allclose(fungrad.grad(carried)(ours.box(x), x).value, want, rtol=1e-5)
    np.testing.assert_allclose(fungrad.jvp(lambda x: carried(None, x), (x,), (x,))[1], (want * x).sum(), rtol=1e-5)


class Quotient(our_hijax.VJPHiPrimitive):
    """The quotient of its operands, with a rule that adds to accumulators."""

    def __init__(self, x, y):
        self.in_avals, self.out_aval, self.params = (x, y), x, {}
        super().__init__()

    def expand(self, x, y):
        return x / y

    def vjp_fwd(self, nonzero, x, y):
        return self(x, y), (x, y)

    def vjp_bwd(self, residuals, ct, x_accum, y_accum):
        x, y = residuals
        x_accum.accum(ct / y)
        y_accum.accum(-ct * x / y**2)

    def batch_dim_rule(self, axis, dims):
        return dims[0]


def quotient(x, y):
    return Quotient(fungrad.typeof(x), fungrad.typeof(y))(x, y)


@pytest.mark.parametrize("argnums", [0, 1, (0, 1)])
def test_accumulators_of_cotangents(argnums):
    x, y = fungrad.numpy.asarray(X), fungrad.numpy.asarray(X + 10)
    wanted = fungrad.grad(lambda x, y: ((x / y) ** 2).sum(), argnums)(x, y)
    for f in (quotient, fungrad.vmap(quotient), fungrad.vmap(fungrad.vmap(quotient)), fungrad.jit(quotient)):
        got = fungrad.grad(lambda x, y, f=f: (f(x, y) ** 2).sum(), argnums)(x, y)
        for a, b in zip(fungrad.tree.leaves(got), fungrad.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_jaxpr_shows_one_value_of_one_type(ours):
    jaxpr = fungrad.make_jaxpr(lambda x: ours.dequantise(ours.quantise(x)))(fungrad.numpy.asarray(X))
    assert [str(eqn.primitive) for eqn in jaxpr.eqns] == ["call_hi_primitive"] * 2
    assert "b:q8[2,3] = call_hi_primitive" in str(jaxpr)
    assert jaxpr.is_high


def test_compiled_ahead_of_time(ours):
    q = ours.quantise(fungrad.numpy.asarray(X))
    lowered = fungrad.jit(lambda q: ours.dequantise(q) + 1).lower(q)
    assert "kernel" in lowered.as_text() or lowered.as_text()
    np.testing.assert_allclose(lowered.compile()(q), np.asarray(ours.dequantise(q)) + 1)


def test_custom_rules_around_types(ours):
    @fungrad.custom_vjp
    def f(q):
        return ours.dequantise(q)

    f.defvjp(lambda q: (f(q), ours.dequantise(q)), lambda y, ct: (ct * y,))
    q = ours.quantise(fungrad.numpy.asarray(X))
    np.testing.assert_allclose(fungrad.grad(lambda q: f(q).sum())(q), ours.dequantise(q))
    np.testing.assert_allclose(fungrad.jit(fungrad.grad(lambda q: f(q).sum()))(q), ours.dequantise(q))


class Linear(our_hijax.VJPHiPrimitive):
    """Twice its operand, with the rule of a linear operation."""

    def __init__(self, x):
        self.in_avals, self.out_aval, self.params = (x,), x, {}
        super().__init__()

    def expand(self, x):
        return 2 * x

    def transpose(self, ct, accum):
        accum.accum(2 * ct)


def test_transpose_of_a_linear_operation():
    f = lambda x: Linear(fungrad.typeof(x))(x)  # noqa: E731
    assert fungrad.linear_transpose(f, 1.0)(3.0)[0] == 6


def test_errors_say_what_to_write(ours):
    q = ours.quantise(fungrad.numpy.asarray(X))
    with pytest.raises(AttributeError, match=r"'values': .* type q8\[2,3\] is taken apart by primitives only"):
        fungrad.jit(lambda q: q.values)(q)
    with pytest.raises(TypeError, match="a Quantised of type .* made of traced values"):
        fungrad.jit(lambda x: ours.Quantised(x, x))(fungrad.numpy.asarray(X))
    with pytest.raises(NotImplementedError, match=r"vmap requires QuantisedTy to implement the `dec_rank` method"):
        fungrad.vmap(lambda q: q, in_axes=ours.Mapped(), axis_size=2)(q)
    with pytest.raises(ValueError, match="non-array type"):
        fungrad.vmap(lambda q: q, axis_size=2)(q)
    with pytest.raises(ValueError, match="must provide `length`"):
        fungrad.lax.scan(lambda c, b: (c, None), 0.0, ours.box(fungrad.numpy.ones(2)))
    with pytest.raises(NotImplementedError, match="Linear must implement `vjp_fwd`"):
        fungrad.grad(lambda x: Linear(fungrad.typeof(x))(x))(1.0)
    with pytest.raises(TypeError, match=r"made for an operand of type f32\[\], got f32\[2\]"):
        Linear(fungrad.typeof(np.float32(1)))(np.ones(2, np.float32))
    with pytest.raises(TypeError, match=r"takes arrays, got a value of type q8\[2,3\]"):
        fungrad.lax.sin_p.bind(q) if hasattr(fungrad.lax, "sin_p") else fungrad.lax.sin(q)


def test_a_wrong_result_is_refused():
    class Wrong(Linear):
        def expand(self, x):
            return x.astype("float16")

    with pytest.raises(TypeError, match=r"announced results of types \(f32\[\]\), but its implementation returned"):
        Wrong(fungrad.typeof(np.float32(1)))(np.float32(1))


def test_definitions_are_checked():
    hijax = our_hijax

    class Both(Linear):
        def vjp_bwd(self, res, ct, accum):
            """Never called."""

        def vjp_bwd_retval(self, res, ct):
            """Never called."""

    class Unfinished(hijax.VJPHiPrimitive):
        def __init__(self):
            self.in_avals = ()
            super().__init__()

    class Mutable(hijax.MutableHiType):
        def __hash__(self):
            return 0

        def __eq__(self, other):
            return type(other) is Mutable

    class Value:
        """Of a type that changes."""

    hijax.register_hitype(Value, lambda x: Mutable())
    with pytest.raises(AttributeError, match="should not override both"):
        Both(fungrad.typeof(1.0))
    with pytest.raises(AttributeError, match="should set `self.out_aval`"):
        Unfinished()
    with pytest.raises(NotImplementedError, match="MutableHiType"):
        fungrad.jit(lambda x: x)(Value())
    with pytest.raises(TypeError, match="has an attribute `aval`"):
        hijax.register_hitype(type("HasAval", (), {"aval": 1}), lambda x: x)
