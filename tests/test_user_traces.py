"""Traces of users' own, in JAX's manner: an interpreter that counts operations, and one that is quax in small."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax
from fungrad.core import Trace, Tracer
from fungrad.extend.core import jaxpr_as_fun, set_current_trace, take_current_trace
from fungrad.extend.core.primitives import jit_p


class Scaled:
    """Stands for an array times a factor that is known."""

    def __init__(self, array, factor):
        self.array, self.factor = array, factor

    def full(self):
        return self.array if self.factor == 1 else self.array * self.factor


class ScaledTracer(Tracer):
    """A ``Scaled`` in a function."""

    __slots__ = ("value",)

    def __init__(self, trace, value):
        self._trace = trace
        self.value = value

    @property
    def aval(self):
        return fungrad.typeof(self.value.array)


class ScaledTrace(Trace):
    """Keeps factors apart in products; everything else is done with the array."""

    __slots__ = ("parent_trace", "seen")

    def __init__(self, parent_trace):
        self.parent_trace = parent_trace
        super().__init__()
        self.seen = []

    def value(self, x):
        ours = isinstance(x, ScaledTracer) and x._trace is self
        return x.value if ours else Scaled(x, 1.0)

    def process_primitive(self, primitive, tracers, params, /):
        self.seen.append(primitive.name)
        values = [self.value(t) for t in tracers]
        with set_current_trace(self.parent_trace):
            if primitive.name == "mul":
                x, y = values
                return ScaledTracer(self, Scaled(primitive.bind(x.array, y.array), x.factor * y.factor))
            if primitive is jit_p:
                assert params["inline"] is False
                fun = scaled(jaxpr_as_fun(params["jaxpr"]))
                return [ScaledTracer(self, Scaled(x, 1.0)) for x in fun(*[v.full() for v in values])]
            out = primitive.bind(*[v.full() for v in values], **params)
        wrap = lambda x: ScaledTracer(self, Scaled(x, 1.0))  # noqa: E731
        return [wrap(x) for x in out] if primitive.multiple_results else wrap(out)

    def process_custom_jvp_call(self, primitive, fun, jvp, tracers, /, *, symbolic_zeros):
        self.seen.append(primitive.name)
        args = [v.full() for v in map(self.value, tracers)]
        params = {"subfuns": (fun, jvp), "symbolic_zeros": symbolic_zeros}
        outs = primitive.bind_with_trace(self.parent_trace, tuple(args), tuple(map(fungrad.typeof, args)), params)
        return [ScaledTracer(self, Scaled(x, 1.0)) for x in outs]


def scaled(fun, factor=1.0, seen=None):
    """``fun`` of arrays that are taken to be multiplied by ``factor``."""

    def wrapped(*args):
        with take_current_trace() as parent:
            trace = ScaledTrace(parent)
            tracers = [ScaledTracer(trace, Scaled(x, factor)) for x in args]
            with set_current_trace(trace):
                out = fun(*tracers)
            if seen is not None:
                seen.extend(trace.seen)
            with set_current_trace(parent):
                values = [trace.value(x) for x in fungrad.tree.leaves(out)]
                return fungrad.tree.unflatten(fungrad.tree.structure(out), [v.full() for v in values])

    return wrapped


X = np.array([0.5, -1.0, 2.0], np.float32)


def programs(x):
    y = fungrad.jit(lambda x: jnp.sin(x) + x)(x)
    n, z = lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 1.5), (0, y))
    w, ys = lax.scan(lambda c, v: (c + v, c * v), 0.0, z)
    return lax.cond(w > 0, lambda a: a + 1, lambda a: a - 1, z).sum() + (ys * n).sum() + fungrad.nn.relu(x).sum()


@pytest.mark.parametrize("wrap", [lambda f: f, fungrad.jit], ids=["", "jit"])
def test_values_and_derivatives_are_those_of_the_function(wrap):
    f = wrap(scaled(programs, 2.0))
    want = lambda x: programs(2 * x)  # noqa: E731
    x = jnp.asarray(X)
    np.testing.assert_allclose(f(x), want(x), rtol=1e-5)
    np.testing.assert_allclose(fungrad.grad(f)(x), fungrad.grad(want)(x), rtol=1e-5)
    np.testing.assert_allclose(fungrad.jvp(f, (x,), (x,))[1], fungrad.jvp(want, (x,), (x,))[1], rtol=1e-5)
    xs = jnp.stack([x, 3 * x])
    np.testing.assert_allclose(fungrad.vmap(f)(xs), fungrad.vmap(want)(xs), rtol=1e-5)


def test_operations_and_calls_are_handed_over():
    seen = []
    x = jnp.asarray(X)
    scaled(lambda x: (fungrad.jit(jnp.sin)(x) * x, fungrad.nn.relu(x)), 2.0, seen)(x)
    assert seen[:2] == ["jit", "mul"]
    assert len(seen) > 2


def test_rules_of_functions_are_kept():
    @fungrad.custom_jvp
    def f(x):
        return x * x

    f.defjvp(lambda primals, tangents: (f(*primals), 10 * tangents[0]))
    seen = []
    # The rule counts where the derivative is taken outside, and where it is taken inside.
    assert fungrad.grad(scaled(f, 2.0, seen))(3.0) == 20
    assert seen == ["custom_jvp_call"]
    assert scaled(fungrad.grad(f), 2.0)(3.0) == 10
    assert fungrad.jit(fungrad.grad(scaled(f, 2.0)))(3.0) == 20


def test_what_is_missing_is_named():
    class Lazy(Trace):
        """Without rules."""

    @fungrad.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda primals, tangents: (primals[0], tangents[0]))
    with take_current_trace() as parent:
        trace = Lazy(parent)
        x = ScaledTracer(trace, Scaled(jnp.ones(2), 1.0))
        with set_current_trace(trace):
            with pytest.raises(NotImplementedError, match="Lazy must define process_primitive"):
                x + x
            with pytest.raises(NotImplementedError, match="must override process_custom_jvp_call"):
                f(x)
        with pytest.raises(fungrad.errors.ConcretizationTypeError, match="Lazy knows no value"):
            float(ScaledTracer(trace, Scaled(jnp.ones(()), 1.0)))


def test_a_primitive_that_is_only_evaluated_needs_no_types():
    p = fungrad.extend.core.Primitive("only_evaluated")
    p.def_impl(lambda x, y: np.asarray(x) * np.asarray(y))
    assert p.bind(2.0, 3.0) == 6
    with pytest.raises(NotImplementedError, match="Abstract evaluation for 'only_evaluated'"):
        fungrad.jit(p.bind)(2.0, 3.0)


def test_jaxprs_are_evaluated_on_ndarrays_and_numbers():
    jaxpr = fungrad.make_jaxpr(lambda x, y, z: jnp.sin(x) * y + z)(X, X, 1.0)
    f = lambda x: fungrad.core.eval_jaxpr(jaxpr, (), x, X, 2.0)[0].sum()  # noqa: E731
    for g in (f, fungrad.jit(f)):
        np.testing.assert_allclose(fungrad.grad(g)(X), np.cos(X) * X, rtol=1e-5)
        np.testing.assert_allclose(fungrad.jvp(g, (X,), (X,))[1], (np.cos(X) * X * X).sum(), rtol=1e-5)
        np.testing.assert_allclose(fungrad.vmap(g)(np.stack([X, X])), [(np.sin(X) * X + 2).sum()] * 2, rtol=1e-5)
