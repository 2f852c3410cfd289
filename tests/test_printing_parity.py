"""Texts of jaxprs compared with those of JAX.

Programs traced by JAX are copied equation by equation, so that names, line breaking, and the sharing of jaxprs are compared
whatever primitives fungrad itself uses.
"""

from __future__ import annotations

import numpy as np
import pytest

from fungrad.core import dtypes
from fungrad.core.array import from_numpy
from fungrad.core.avals import ShapedArray
from fungrad.core.ir import Eqn, Jaxpr, Literal, Var
from fungrad.core.parsing import parse_jaxpr
from fungrad.core.primitive import Primitive
from fungrad.core.printing import jaxpr_text, opaque_objects, param_types, register_param_type

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
    """

    def __init__(self, listed):
        self.jaxprs = {}
        self.listed = listed

    def param(self, value):
        if isinstance(value, jax_core.ClosedJaxpr):
            return self.param(value.jaxpr)
        if isinstance(value, jax_core.Jaxpr):
            if id(value) not in self.jaxprs:
                self.jaxprs[id(value)] = self.jaxpr(value)
            return self.jaxprs[id(value)]
        return tuple(map(self.param, value)) if type(value) is tuple else value

    def params(self, eqn):
        hidden = HIDDEN.get(eqn.primitive.name, ())
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
        eqns = [
            Eqn(Copy.of(e.primitive.name), atoms(e.invars), self.params(e), atoms(e.outvars))
            for e in jaxpr.eqns
        ]
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


def copy(closed, *, listed=True):
    consts = [from_numpy(np.asarray(c)) for c in closed.consts]
    return Copier(listed).jaxpr(closed.jaxpr, consts)


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
