"""Every number that a function takes has a derivative, or says that it needs a value: none is dropped in silence."""

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
import fungrad.scipy.special as sp
from fungrad import lax, nn, random
from fungrad.errors import ConcretizationTypeError, NonConcreteBooleanIndexError

AT = 2.3
X = np.array([1.0, 2.0, 4.0])
I = np.array([0, 5])

# Functions of a number that comes in as an argument which is often a constant.
PARAMETERS = {
    "take fill": lambda v: jnp.take(X, I, mode="fill", fill_value=v).sum(),
    "at get fill": lambda v: jnp.asarray(X).at[I].get(mode="fill", fill_value=v).sum(),
    "var ddof": lambda v: jnp.var(X, ddof=v),
    "std ddof": lambda v: jnp.std(X, ddof=v),
    "var corr": lambda v: jnp.var(X, correction=v),
    "pad const": lambda v: jnp.pad(X, 1, constant_values=v).sum(),
    "pad end": lambda v: jnp.pad(X, 1, mode="linear_ramp", end_values=v).sum(),
    "lax.pad": lambda v: lax.pad(X, v, [(1, 1, 0)]).sum(),
    "nan_to_num": lambda v: jnp.nan_to_num(jnp.array([np.nan, np.inf, -np.inf]), nan=v, posinf=v, neginf=v).sum(),
    "interp l r": lambda v: jnp.interp(jnp.array([-1.0, 9.0, 1.5]), X, X, left=v, right=v).sum(),
    "interp period": lambda v: jnp.interp(jnp.array([0.5, 1.5]), jnp.array([0.0, 1.0, 2.0]), X, period=v + 3).sum(),
    "quantile": lambda v: jnp.quantile(X, v / 10),
    "percentile": lambda v: jnp.percentile(X, v * 10),
    "nanquantile": lambda v: jnp.nanquantile(X, v / 10),
    "diff pre": lambda v: jnp.diff(X, prepend=v).sum(),
    "select def": lambda v: jnp.select([X > 9], [X], v).sum(),
    "sum init": lambda v: jnp.sum(X, initial=v),
    "prod init": lambda v: jnp.prod(X, initial=v),
    "max init": lambda v: jnp.max(X, initial=v * 9),
    "min init": lambda v: jnp.min(X, initial=-v),
    "trapz dx": lambda v: jnp.trapezoid(X, dx=v),
    "gradient": lambda v: jnp.gradient(X, v).sum(),
    "average w": lambda v: jnp.average(X, weights=jnp.array([1.0, 2.0, v])),
    "logspace base": lambda v: jnp.logspace(0, 1, 3, base=v).sum(),
    "logspace": lambda v: jnp.logspace(0, v, 3).sum(),
    "geomspace": lambda v: jnp.geomspace(1, v, 3).sum(),
    "linspace": lambda v: jnp.linspace(v, 9, 3).sum(),
    "arange": lambda v: jnp.arange(v, 9.0, v).sum(),
    "full": lambda v: jnp.full(3, v).sum(),
    "full_like": lambda v: jnp.full_like(X, v).sum(),
    "where": lambda v: jnp.where(X > 1, X, v).sum(),
    "clip": lambda v: jnp.clip(X, v, 3).sum(),
    "at set": lambda v: jnp.asarray(X).at[0].set(v).sum(),
    "at mul": lambda v: jnp.asarray(X).at[0].multiply(v).sum(),
    "at pow": lambda v: jnp.asarray(X).at[1].power(v).sum(),
    "insert": lambda v: jnp.insert(X, 1, v).sum(),
    "append": lambda v: jnp.append(X, v).sum(),
    "ediff": lambda v: jnp.ediff1d(X, to_end=v, to_begin=v).sum(),
    "unwrap": lambda v: jnp.unwrap(X * 3, period=v + 2).sum(),
    "heaviside": lambda v: jnp.heaviside(jnp.array([0.0, 1.0]), v).sum(),
    "polyval": lambda v: jnp.polyval(jnp.array([v, 1.0]), 2.0),
    "polyint k": lambda v: jnp.polyint(X, k=v).sum(),
    "polymul trim": lambda v: jnp.polymul(jnp.array([v, 1.0]), X, trim_leading_zeros=True).sum(),
    "polyadd": lambda v: jnp.polyadd(jnp.array([v]), X).sum(),
    "histogram": lambda v: jnp.histogram(X, bins=3, weights=jnp.array([v, v, 1.0]))[0].sum(),
    "hist range": lambda v: jnp.histogram(X, bins=3, range=(0.0, v))[1].sum(),
    "bincount": lambda v: jnp.bincount(jnp.array([0, 1]), weights=jnp.array([v, 1.0])).sum(),
    "hist dens": lambda v: jnp.histogram_bin_edges(X * v, bins=3).sum(),
    "vander": lambda v: jnp.vander(jnp.array([v, 2.0])).sum(),
    "trim_zeros": lambda v: jnp.trim_zeros(jnp.array([0.0, v, 0.0])).sum(),
    "extract": lambda v: jnp.extract(X > 1, X * v).sum(),
    "compress": lambda v: jnp.compress(X > 1, X * v).sum(),
    "mask": lambda v: (X * v)[X * v > 3].sum(),
    "place": lambda v: jnp.place(X, X > 1, jnp.array([v]), inplace=False).sum(),
    "put": lambda v: jnp.put(X, I, v, inplace=False, mode="clip").sum(),
    "putalong": lambda v: jnp.put_along_axis(X, jnp.array([0]), v, 0, inplace=False).sum(),
    "fill_diag": lambda v: jnp.fill_diagonal(jnp.eye(2), v, inplace=False).sum(),
    "piecewise": lambda v: jnp.piecewise(X, [X > 1], [lambda x: x * v, v]).sum(),
    "choose": lambda v: jnp.choose(jnp.array([0, 1, 0]), [X * v, X]).sum(),
    "unique": lambda v: jnp.unique(jnp.array([v, v, 1.0])).sum(),
    "union1d": lambda v: jnp.union1d(jnp.array([v]), X).sum(),
    "setdiff": lambda v: jnp.setdiff1d(X * v, jnp.array([2.0])).sum(),
    "nonzero fill": lambda v: jnp.where(X > 9, size=2, fill_value=1)[0].sum() * v,
    "sort": lambda v: jnp.sort(jnp.array([v, 1.0, 9.0]))[1],
    "median": lambda v: jnp.median(jnp.array([v, 1.0, 9.0])),
    "mod": lambda v: jnp.mod(X, v).sum(),
    "divmod": lambda v: divmod(X, v)[1].sum(),
    "float_power": lambda v: jnp.float_power(X, v).sum(),
    "ldexp": lambda v: jnp.ldexp(v, 2),
    "convolve": lambda v: jnp.convolve(X, jnp.array([v, 1.0])).sum(),
    "apply": lambda v: jnp.asarray(X).at[0].apply(lambda t: t * v).sum(),
    "leaky": lambda v: nn.leaky_relu(-X, v).sum(),
    "elu": lambda v: nn.elu(-X, v).sum(),
    "celu": lambda v: nn.celu(-X, v + 0.0).sum(),
    "logsumexp b": lambda v: nn.logsumexp(X, b=jnp.array([v, 1.0, 1.0])),
    "softmax": lambda v: nn.softmax(X * v)[0],
    "uniform": lambda v: random.uniform(random.key(0), (3,), minval=v, maxval=9.0).sum(),
    "uniform2": lambda v: random.uniform(random.key(0), (3,), minval=0.0, maxval=v).sum(),
    "trunc": lambda v: random.truncated_normal(random.key(0), -v, 2.0, (3,)).sum(),
    "expon": lambda v: random.exponential(random.key(0), (3,)).sum() * v,
    "laplace": lambda v: (random.laplace(random.key(0), (3,)) * v).sum(),
    "xlogy": lambda v: sp.xlogy(v, 2.0),
    "betainc": lambda v: sp.betainc(2.0, 3.0, v / 10),
    "gammainc": lambda v: sp.gammainc(2.0, v),
    "multigammaln": lambda v: sp.multigammaln(v + 3, 2),
    "logit": lambda v: sp.logit(v / 10),
    "zeta q": lambda v: sp.zeta(3.0, v),
    "polygamma": lambda v: sp.polygamma(1, v),
    "cond": lambda v: lax.cond(v > 0, lambda u: u * u, lambda u: u, v),
    "switch": lambda v: lax.switch(jnp.int32(v), [lambda u: u, lambda u: 2 * u, lambda u: 3 * u], v),
    "while": lambda v: lax.fori_loop(0, jnp.int32(v), lambda i, c: c * v, 1.0),
    "clamp": lambda v: lax.clamp(0.0, v, 9.0),
    "reduce": lambda v: lax.reduce(X, v, lax.add, (0,)),
    "reduce mul": lambda v: lax.reduce(X, v, lax.mul, (0,)),
    "reduce_window": lambda v: lax.reduce_window(X, v, lax.add, (2,), (1,), "VALID").sum(),
    "integer_pow": lambda v: lax.integer_pow(v, 3),
    "dus": lambda v: lax.dynamic_update_slice(X, v[None], (0,)).sum(),
    "broadcast": lambda v: lax.broadcast(v, (3,)).sum(),
    "argmax gate": lambda v: jnp.stack([v, 2 * v])[jnp.argmax(jnp.stack([v, 2 * v]))],
    "np idx": lambda v: (X * v)[int(v)],
    "cumlogsumexp": lambda v: lax.cumlogsumexp(X * v).sum(),
    "array list": lambda v: jnp.array([[v, 1.0], [2.0, v]]).sum(),
    "stack": lambda v: jnp.block([[v, v], [v, 1.0]]).sum(),
    "meshgrid": lambda v: jnp.meshgrid(jnp.array([v, 1.0]), X)[0].sum(),
    "complex": lambda v: abs(jnp.array(v + 1j * v)),
    "lax.complex": lambda v: abs(lax.complex(v, v)),
    "searchsorted": lambda v: jnp.asarray(X)[jnp.searchsorted(X, v)] * v,
    "digitize": lambda v: jnp.digitize(X, jnp.array([v, 9.0])).sum() * v,
    "einsum": lambda v: jnp.einsum("i,->", X, v),
    "tensordot": lambda v: jnp.tensordot(X, v * X, 1),
    "vdot": lambda v: jnp.vdot(X, v * X),
    "outer": lambda v: jnp.outer(X, v).sum(),
    "kron": lambda v: jnp.kron(X, v).sum(),
    "copysign": lambda v: jnp.copysign(v, -X).sum(),
    "frexp": lambda v: jnp.frexp(v)[0],
    "modf": lambda v: jnp.modf(v)[0],
    "tile": lambda v: jnp.tile(v, 3).sum(),
    "repeat": lambda v: jnp.repeat(v, 3).sum(),
    "roll": lambda v: jnp.roll(X * v, 1)[0],
    "vectorize": lambda v: jnp.vectorize(lambda a: a * a)(X * v).sum(),
    "apply_along": lambda v: jnp.apply_along_axis(lambda a: a * v, 0, X).sum(),
    "linear_ramp stat": lambda v: jnp.pad(X * v, 1, mode="mean").sum(),
    "corrcoef": lambda v: jnp.corrcoef(X * v, X**2)[0, 1] + v,
    "cov w": lambda v: jnp.cov(X, aweights=jnp.array([v, 1.0, 1.0])),
    "cov ddof": lambda v: jnp.cov(X * v, ddof=0),
}
# Functions whose results have a shape, or a number of steps, that depends on values.
NEED_VALUES = {
    "arange",
    "polymul trim",
    "trim_zeros",
    "mask",
    "unique",
    "union1d",
    "setdiff",
    "while",
    "np idx",
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_derivatives_with_respect_to_parameters(name):
    f = PARAMETERS[name]
    h = 1e-6
    with fungrad.enable_x64(True):
        at = jnp.asarray(AT, "float64")
        wanted = (float(f(at + h)) - float(f(at - h))) / (2 * h)
        np.testing.assert_allclose(fungrad.grad(f)(at), wanted, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(fungrad.jvp(f, (at,), (jnp.ones_like(at),))[1], wanted, rtol=1e-5, atol=1e-7)
        compiled = fungrad.jit(fungrad.grad(f))
        if name in NEED_VALUES:
            with pytest.raises(
                (ConcretizationTypeError, NonConcreteBooleanIndexError, ValueError), match="known|value|needs to know"
            ):
                compiled(at)
        else:
            np.testing.assert_allclose(compiled(at), wanted, rtol=1e-5, atol=1e-7)


def test_a_fill_value_is_batched_and_keeps_the_dtype():
    out = fungrad.vmap(lambda v: jnp.take(X, I, mode="fill", fill_value=v))(jnp.arange(2.0))
    np.testing.assert_array_equal(out, [[1, 0], [1, 1]])
    assert fungrad.jit(lambda v: jnp.take(np.arange(3), I, mode="fill", fill_value=v))(7.0).dtype == jnp.int32
    with pytest.raises(TypeError, match="fill_value must be a number"):
        fungrad.jit(lambda v: jnp.take(X, I, mode="fill", fill_value=v))(jnp.ones(2))
