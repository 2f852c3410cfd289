"""Texts of jaxprs compared with those of JAX.

Programs traced by JAX are copied equation by equation, so that names, line breaking, and the sharing
of jaxprs are compared whatever primitives fungrad itself uses.  At the end, programs of functions of
``lax`` are traced by both.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from fungrad.core import dtypes
from fungrad.core.array import from_numpy
from fungrad.core.avals import ShapedArray
from fungrad.core.check import check_jaxpr
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.printing import jaxpr_text, opaque_objects, param_types, register_param_type
from fungrad.ops import (
    cast,
    compare,
    complex_parts,
    dot,
    elementwise,
    foundation,
    integer,
    joining,
    shape,
    special,
    transcendental,
)
from fungrad.transforms.inspection import make_jaxpr

jax = pytest.importorskip("jax")
jnp = jax.numpy
lax = jax.lax
jax_core = pytest.importorskip("jax.extend.core")

pytestmark = pytest.mark.parity

# Parameters of JAX's primitives that JAX leaves out while they have their defaults, as they have here.
HIDDEN = {
    "jit": [
        *("inline", "donated_invars", "keep_unused", "ctx_mesh", "compiler_options_kvs"),
        *("in_shardings", "out_shardings", "in_layouts", "out_layouts"),
    ],
    "convert_element_type": ["sharding"],
    "broadcast_in_dim": ["shape", "sharding"],
    "dot_general": ["out_sharding"],
    "mul": ["out_dtype"],
}  # fmt: skip

# Parameters that JAX prints and fungrad does not have.
SHARDING = ("sharding", "out_sharding")


class Copy(Primitive):
    """A primitive of JAX by its name."""

    multiple_results = True

    @classmethod
    def of(cls, name):
        known = Primitive.instances.get(name)
        return known if isinstance(known, cls) else cls(name)


@pytest.fixture(autouse=True)
def copied_primitives():
    """Lets copies take the names of fungrad's own primitives for one test."""
    primitives, types = dict(Primitive.instances), dict(param_types)
    param_types.clear()
    for cls in (
        lax.GatherDimensionNumbers,
        lax.ScatterDimensionNumbers,
        lax.ConvDimensionNumbers,
        lax.GatherScatterMode,
        lax.Precision,
    ):
        register_param_type(cls)
    yield
    Primitive.instances.clear()
    Primitive.instances.update(primitives)
    param_types.clear()
    param_types.update(types)


def copy_aval(aval):
    if jax.dtypes.issubdtype(aval.dtype, jax.dtypes.prng_key):
        return ShapedArray(aval.shape, dtypes.prng_key)
    return ShapedArray(aval.shape, np.dtype(aval.dtype), aval.weak_type)


class Copier:
    """Copies one closed jaxpr and the jaxprs inside, each of them once.

    Attributes:
      listed: dimension numbers of dot_general are lists, which JAX prints (but does not have).
      sharding: parameters about sharding are kept.
    """

    def __init__(self, listed, sharding):
        self.jaxprs = {}
        self.listed = listed
        self.left_out = () if sharding else SHARDING

    def param(self, value):
        if isinstance(value, jax_core.ClosedJaxpr):
            return self.param(value.jaxpr)
        if isinstance(value, jax_core.Jaxpr):
            if id(value) not in self.jaxprs:
                self.jaxprs[id(value)] = self.jaxpr(value)
            return self.jaxprs[id(value)]
        return tuple(map(self.param, value)) if type(value) is tuple else value

    def params(self, eqn):
        hidden = (*HIDDEN.get(eqn.primitive.name, ()), *self.left_out)
        out = {k: self.param(v) for k, v in eqn.params.items() if k not in hidden}
        if eqn.primitive.name == "dot_general":
            if self.listed:
                pairs = out["dimension_numbers"]
                out["dimension_numbers"] = tuple(tuple(map(list, pair)) for pair in pairs)
            out = {k: v for k, v in out.items() if v is not None}
        if out.get("broadcast_dimensions") == ():
            del out["broadcast_dimensions"]
        if out.get("accuracy", 0) is None:
            del out["accuracy"]
        return out

    def jaxpr(self, jaxpr, consts=()):
        env = {}

        def atom(a):
            if isinstance(a, jax_core.Literal):
                return Literal(a.val, copy_aval(a.aval))
            return env.setdefault(a, Var(copy_aval(a.aval)))

        def atoms(values):
            return [atom(a) for a in values]

        constvars, invars = atoms(jaxpr.constvars), atoms(jaxpr.invars)
        eqns = [Eqn(Copy.of(e.primitive.name), atoms(e.invars), self.params(e), atoms(e.outvars)) for e in jaxpr.eqns]
        return Jaxpr(constvars, invars, atoms(jaxpr.outvars), eqns, consts)


X = np.arange(3.0, dtype=np.float32)
M = np.ones((4, 3), np.float32)
N = np.ones((3, 5), np.float32)
CONST = np.array([1.0, 2.0, 3.0], np.float32)


def shared(x):
    f = jax.jit(lambda y: y * 2)
    g = jax.jit(lambda y: f(y) + f(f(y)))
    return g(f(x)) + jnp.clip(x, 0, 1) + jnp.clip(x + 1, 0, 1)


def long_body(c, x):
    for _ in range(11):
        c = jnp.sin(c) * x
    return c, c


PROGRAMS = {
    "scalar": (lambda x: 2.0 * x + 1.0, 3.0),
    "no input": (lambda: jnp.float32(3) + 1,),
    "no output": (lambda x: (), X),
    "no equation": (lambda x, y: (y, x, 1.0), X, X),
    "constants": (lambda x: x + np.arange(3.0) + CONST, X),
    "constant only": (lambda: CONST + 0,),
    "reduction": (lambda x: x.sum(), X),
    "dot_general": (lambda a, b: a @ b, M, N),
    "precision": (lambda a, b: jnp.dot(a, b, precision="highest"), M, N),
    "where": (lambda a: jnp.where(a > 0, a, 0), M),
    "index": (lambda a, i: a[i], X, 1),
    "gather": (lambda a: a[jnp.array([0, 1])], X),
    "scatter": (lambda a, i: a.at[i].add(1.0), X, np.array([0, 1])),
    "slices": (lambda a: (a[1:3], a[::-1], a[::2]), X),
    "dynamic": (lambda a, i: lax.dynamic_update_slice(a, lax.dynamic_slice(a, (i,), (2,)), (i,)), X, 1),
    "many equations": (lambda x: [jnp.sin(x) for _ in range(60)], X),
    "many inputs": (lambda *x: x[0] + x[1], *[X] * 40),
    "long operands": (lambda *x: jnp.concatenate(x), *[X] * 60),
    "scan": (lambda x: lax.scan(lambda c, y: (c + y, c * y), 0.0, x), X),
    "long scan": (lambda x: lax.scan(long_body, jnp.float32(0), x), X),
    "cond": (lambda x: lax.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, x), X),
    "switch": (lambda i, a: lax.switch(i, [jnp.sin, jnp.cos, jnp.tan], a), 1, X),
    "while": (lambda x: lax.while_loop(lambda x: x.sum() < 3, lambda x: x + 1, x), X),
    "fori": (lambda a: lax.fori_loop(0, 5, lambda i, s: s + i, a), X),
    "jit": (lambda x: jax.jit(lambda y: y * 2)(x), X),
    "jit of one operand twice": (lambda a: jax.jit(lambda u, v: (u, v, u + v))(a, a), X),
    "jit that forwards": (lambda a: jax.jit(lambda u, v: (u, v))(a, a), X),
    "jit with a result twice": (lambda a: jax.jit(lambda u, w: (u * 2,) * 2)(a, a), X),
    "shared": (shared, X),
    "gradient": (jax.grad(lambda x: jnp.tanh(x).sum()), X),
    "unused result": (lambda a: lax.sort([a, a], num_keys=1)[0], X),
    "unused result inside": (lambda a: jnp.argsort(a), X),
    "convolution": (
        lambda a, b: lax.conv_general_dilated(a, b, (1, 1), "SAME"),
        np.ones((1, 2, 5, 5), np.float32),
        np.ones((3, 2, 3, 3), np.float32),
    ),
    "pooling": (lambda a: lax.reduce_window(a, -np.inf, lax.max, (2, 2), (1, 1), "VALID"), M),
    "casts": (lambda a: (a.astype(jnp.bfloat16), a > 0, ~(a > 0), a.astype(int)), X),
    "no operands": (lambda: jnp.arange(5) + jnp.zeros((3, 5), int),),
    "random": (lambda k: jax.random.normal(k, (3,)), jax.random.key(0)),
    "checkpoint": (lambda a: jax.checkpoint(lambda z: jnp.sin(z))(a), X),
    "pad": (lambda a: lax.pad(a, 0.0, [(1, 1, 0)]), X),
    "cholesky": (lambda a: jnp.linalg.cholesky(a @ a.T), M),
    "literals": (
        lambda a: (a * np.nan, a * -np.inf, a * 1e-10, a * 1e20, a.astype(int) * 3, a * (1 + 2j)),
        X,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def traced():
    """JAX's jaxprs of the programs."""
    return {name: jax.make_jaxpr(fun)(*args) for name, (fun, *args) in PROGRAMS.items()}


def copy(closed, *, listed=True, sharding=True):
    consts = [from_numpy(np.asarray(c)) for c in closed.consts]
    return Copier(listed, sharding).jaxpr(closed.jaxpr, consts)


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_text(traced, name):
    assert jaxpr_text(copy(traced[name])) == str(traced[name])


@pytest.mark.parametrize("width", [0, 30, 50, 79, 120, 1000])
def test_same_text_at_other_widths(traced, width):
    private = pytest.importorskip("jax._src.core")
    for name, closed in traced.items():
        expected = private.pp_toplevel_jaxpr(closed.jaxpr).format(width)
        assert jaxpr_text(copy(closed), width=width) == expected, name


@pytest.mark.parametrize("options", [{"print_shapes": False}], ids=str)
def test_same_text_with_options(traced, options):
    for name, closed in traced.items():
        assert jaxpr_text(copy(closed), **options) == closed.pretty_print(**options), name


@pytest.mark.parametrize("name", PROGRAMS)
def test_round_trip(traced, name):
    jaxpr = copy(traced[name], listed=False)
    text = jaxpr_text(jaxpr, weak=True)
    assert parse_jaxpr(text, consts=jaxpr.consts, objects=opaque_objects(jaxpr)) == jaxpr


@pytest.mark.parametrize("name", ["scalar", "constants", "where", "scan", "shared", "convolution"])
def test_own_texts_are_read(traced, name):
    jaxpr = copy(traced[name], listed=False)
    parsed = parse_jaxpr(str(traced[name]), consts=jaxpr.consts)
    assert str(parsed) == str(traced[name])


# -- programs of fungrad itself -------------------------------------------------------------------

OWN_MODULES = (cast, compare, complex_parts, dot, elementwise, foundation)
OWN_MODULES += (integer, joining, shape, special, transcendental)
OWN_LAX = SimpleNamespace(**{k: v for module in OWN_MODULES for k, v in vars(module).items()})


def names(text):
    return re.findall(r"\w+", text)


UNARY = names("""sin cos tan exp log tanh sqrt rsqrt abs sign floor ceil logistic expm1 log1p erf erfc
                 asin atan sinh cosh is_finite square cbrt lgamma digamma erf_inv exp2 round neg""")
BINARY = names("eq ne lt le gt ge max min pow atan2 div rem nextafter add sub mul")
BITWISE = names("""bitwise_and bitwise_or bitwise_xor shift_left shift_right_logical
                   shift_right_arithmetic""")
MATMUL = (((1,), (0,)), ((), ()))
I = np.arange(3, dtype=np.int32)
Z = X.astype(np.complex64)

LAX_PROGRAMS = {
    "arithmetic": (lambda lax, x, y: lax.add(lax.mul(x, 2.0), lax.sub(y, lax.neg(x))), X, X),
    "weak arithmetic": (lambda lax, x, y: lax.add(lax.mul(x, 2.0), y), 1.0, X[0]),
    "unary": (lambda lax, x: [getattr(lax, name)(x) for name in UNARY], X),
    "binary": (lambda lax, x: [getattr(lax, name)(x, 1.0) for name in BINARY], X),
    "integer_pow": (lambda lax, x: (lax.integer_pow(x, 3), lax.integer_pow(x, -1)), X),
    "bitwise": (lambda lax, x: [getattr(lax, name)(x, 3) for name in BITWISE], I),
    "bit counts": (lambda lax, x: [lax.population_count(x), lax.clz(x), lax.bitwise_not(x)], I),
    "convert": (lambda lax, x: [lax.convert_element_type(x, t) for t in (np.int32, bool)], X),
    "convert weak": (lambda lax, x: lax.convert_element_type(x, np.float32), 1.0),
    "bitcast": (lambda lax, x: lax.bitcast_convert_type(x, np.int32), X),
    "reduce_precision": (lambda lax, x: lax.reduce_precision(x, 5, 10), X),
    "complex": (lambda lax, z: [lax.real(z), lax.conj(z), lax.complex(lax.imag(z), 1.0)], Z),
    "stop_gradient": (lambda lax, x: lax.stop_gradient(x), X),
    "broadcast": (lambda lax, x: lax.broadcast_in_dim(x, (2, 3), (1,)), X),
    "broadcast scalar": (lambda lax, x: lax.broadcast_in_dim(x, (2, 3), ()), 1.0),
    "reshape": (lambda lax, m: lax.reshape(m, (3, 4)), M),
    "transpose": (lambda lax, m: lax.transpose(m, (1, 0)), M),
    "squeeze": (lambda lax, m: lax.squeeze(lax.expand_dims(m, (0,)), (0,)), M),
    "rev": (lambda lax, m: lax.rev(m, (0,)), M),
    "concatenate": (lambda lax, m: lax.concatenate([m, m], 0), M),
    "pad": (lambda lax, m: lax.pad(m, 0.0, [(1, 1, 0), (0, -1, 1)]), M),
    "slice": (lambda lax, m: lax.slice(m, (0, 1), (4, 3), (2, 1)), M),
    "slice without strides": (lambda lax, m: lax.slice(m, (0, 1), (4, 3)), M),
    "split": (lambda lax, x: lax.split(x, (1, 2)), X),
    "select": (lambda lax, m: lax.select(lax.gt(m, 0.0), m, lax.neg(m)), M),
    "clamp": (lambda lax, m: lax.clamp(0.0, m, 1.0), M),
    "iota": (lambda lax: lax.iota(np.int32, 5),),
    "broadcasted_iota": (lambda lax: lax.broadcasted_iota(np.float32, (2, 5), 1),),
    "dot_general": (lambda lax, a, b: lax.dot_general(a, b, MATMUL), M, N),
    "dot_general options": (
        lambda lax, a, b: lax.dot_general(
            a, b, MATMUL, precision="highest", preferred_element_type=np.dtype(np.float32)
        ),
        M,
        N,
    ),
    "no equation": (lambda lax, x, y: (y, x, np.float32(1)), X, X),
    "constants": (lambda lax, x: lax.add(x, CONST), X),
    "unused result": (lambda lax, x: lax.split(x, (1, 2))[1], X),
    "unused": (lambda lax, x: (lax.sin(x), lax.cos(x))[1], X),
    "long": (lambda lax, *xs: lax.concatenate([lax.sin(x) for x in xs], 0), *[X] * 40),
}


def both_traced(name):
    """Jaxprs of a program, traced by fungrad and by JAX."""
    fun, *args = LAX_PROGRAMS[name]
    own = make_jaxpr(lambda *xs: fun(OWN_LAX, *xs))(*args)
    return own, jax.make_jaxpr(lambda *xs: fun(lax, *xs))(*args)


@pytest.mark.parametrize("name", LAX_PROGRAMS)
def test_lax_programs(name):
    own, theirs = both_traced(name)
    check_jaxpr(own, name)
    text, exact = str(own), jaxpr_text(own, weak=True)
    assert parse_jaxpr(exact, consts=own.consts, objects=opaque_objects(own)) == own
    assert str(parse_jaxpr(text, consts=own.consts)) == text
    # Last, since the copy takes over the names of the primitives.
    copied = copy(theirs, sharding=False)
    assert text == str(copied)
    types = [(a.shape, a.dtype, a.weak_type) for a in theirs.out_avals]
    assert [(a.shape, a.dtype, a.weak_type) for a in own.out_avals] == types
