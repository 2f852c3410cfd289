"""Gamma variates: a primitive, because their derivative by the parameter is not that of the rejections that make them.

The compiled form is in ``jit.kernels.special.gamma_variate``; this file has the same steps in NumPy.

May import ``core``, ``ops._operands``, ``ops.compare``, ``ops.elementwise``, ``ops.foundation``, ``ops.random_bits``,
``ops.special`` and ``ops.transcendental``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core import dtypes
from fungrad.core.array import Array
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.ops._operands import check_kind, constant
from fungrad.ops.compare import eq, lt, select_n
from fungrad.ops.elementwise import add, div, mul, sub
from fungrad.ops.foundation import batch_to
from fungrad.ops.random_bits import KeyPrimitive, hash_in_place, key_at, with_positions
from fungrad.ops.special import digamma, random_gamma_grad
from fungrad.ops.transcendental import exp

# Of the quick test for acceptance.
SQUEEZE = 0.0331
# Trials; each is refused with a probability of at most 1/20.
LIMIT = 1000
# Hashes that a variate needs, in additions.
_COST = 1500


def unit_format(dtype: np.dtype) -> tuple[int, int]:
    """How uniform numbers are made of random words: the shift to the width of the mantissa, and the bits of 1."""
    mantissa = int(dtypes.finfo(dtype).nmant)
    width = 8 * dtype.itemsize
    drawn = 8 if mantissa < 8 else width
    return drawn - mantissa, int(np.ones((), dtype).view(f"uint{width}"))


# -- in NumPy ----------------------------------------------------------------------------------------------------------


def _subkeys(keys: np.ndarray, position: Any) -> np.ndarray:
    """The subkeys at a position (or at positions) of keys given as words of shape ``[2, n]``."""
    out = np.zeros(np.broadcast_shapes(keys.shape, np.shape(position)), np.uint32)
    out[1] = position
    hash_in_place(keys[0], keys[1], out[0], out[1])
    return out


def _unit(keys: np.ndarray, dtype: np.dtype) -> np.ndarray:
    first, second = _subkeys(keys, 0)
    shift, one = unit_format(dtype)
    word = np.dtype(f"uint{8 * dtype.itemsize}")
    if dtype.itemsize == 8:
        bits = first.astype(np.uint64) << np.uint64(32) | second
    else:
        bits = (first ^ second).astype(np.uint8 if word.itemsize == 2 and shift == 1 else word).astype(word)
    return (bits >> word.type(shift) | word.type(one)).view(dtype) - dtype.type(1)


def _normal(keys: np.ndarray, dtype: np.dtype) -> np.ndarray:
    from scipy import special

    one = np.ones((), dtype)
    least = np.nextafter(-one, np.zeros((), dtype))
    u = np.maximum(least, _unit(keys, dtype) * (one - least) + least)
    wide = u if dtype.itemsize >= 4 else u.astype(np.float32)
    return special.erfinv(wide).astype(dtype) * dtype.type(math.sqrt(2))


def _cubes(keys: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The accepted (1 + c x)**3 for each key and each d."""
    dtype = d.dtype
    one, half = dtype.type(1), dtype.type(0.5)
    out = np.ones_like(d)
    c = dtype.type(1 / 3) / np.sqrt(d)
    places = np.arange(d.size)
    chain, again = np.zeros_like(keys), np.zeros(d.shape, bool)
    for _ in range(LIMIT):
        if not places.size:
            break
        chain = np.where(again, chain, _subkeys(keys, 1))
        u = _unit(_subkeys(keys, 2), dtype)
        x = _normal(_subkeys(chain, 1), dtype)
        chain = _subkeys(chain, 0)
        v = x * c + one
        again = v <= 0
        square, cube = x * x, v * v * v
        refused = u >= one - square * square * dtype.type(SQUEEZE)
        refused &= np.log(u) >= square * half + d * (one - cube + np.log(cube))
        keys = np.where(again, keys, _subkeys(keys, 0))
        out[places] = cube
        # Those that go on.
        on = again | refused
        places, d, c, again = places[on], d[on], c[on], again[on]
        keys, chain = keys[:, on], chain[:, on]
    return out


def _variates(keys: np.ndarray, a: np.ndarray, log_space: bool) -> np.ndarray:
    """A variate for each key (words of shape ``[2, n]``) and each parameter."""
    one = a.dtype.type(1)
    boosted = ~(a >= one)
    d = np.where(boosted, a + one, a) - a.dtype.type(1 / 3)
    cubes = _cubes(_subkeys(keys, 0), d)
    u = _unit(_subkeys(keys, 1), a.dtype)
    if log_space:
        log_u = np.log1p(-u)
        boost = np.where(boosted & (log_u != 0), log_u * (one / a), a.dtype.type(0))
        out = np.log(d) + np.log(cubes) + boost
    else:
        out = d * cubes * np.where(boosted, (one - u) ** (one / a), one)
    return np.where(a < 0, a.dtype.type(np.nan), out).astype(a.dtype, copy=False)


# -- the primitive -----------------------------------------------------------------------------------------------------


class RandomGamma(KeyPrimitive):
    """For each key variates of the gamma distribution, one for each parameter.

    The parameters have the shape of the keys, and then that of the draw. With ``log_space`` the results are logarithms.
    The derivative by a parameter moves a variate so that its probability stays (``random_gamma_grad``).
    """

    quiet = True
    uses_keys = True

    def abstract_eval(self, keys: ShapedArray, a: ShapedArray, *, log_space: bool) -> ShapedArray:
        check_kind(self.name, keys, "k", 0)
        check_kind(self.name, a, "f", 1)
        if a.shape[: keys.ndim] != keys.shape:
            raise TypeError(
                f"random_gamma: the shape of the parameters must begin with that of the keys, got {a.str_short()} for "
                f"{keys.str_short()}"
            )
        return ShapedArray(a.shape, a.dtype)

    def impl(self, keys: np.ndarray, a: np.ndarray, *, log_space: bool) -> np.ndarray:
        if keys.dtype != dtypes.prng_key:
            return self.evaluated(keys, a, log_space=log_space)
        count = math.prod(a.shape[keys.ndim :])
        words = np.moveaxis(dtypes.key_words(keys).reshape(-1, 2), 1, 0)
        positions = np.tile(np.arange(count, dtype=np.uint32), words.shape[1])
        own = _subkeys(np.repeat(words, count, axis=1), positions)
        return _variates(own, a.reshape(-1), log_space).reshape(a.shape)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, log_space: bool) -> tuple[Any, Any]:
        keys, a = primals
        g = tangents[1]
        y = self.bind(keys, a, log_space=log_space)
        if type(g) is Zero:
            return y, Zero(y.aval.tangent())
        if not log_space:
            # A variate that has become 0 stays 0, although the slope by the variate is infinite there.
            zero = eq(y, constant(y, 0.0))
            slope = random_gamma_grad(a, select_n(zero, y, constant(y, 1.0)))
            return y, mul(g, select_n(zero, slope, constant(y, 0.0)))
        # Of variates that are tiny, log(x) is (log(u) + lgamma(a + 1)) / a.
        tiny = lt(y, constant(y, float(np.log(dtypes.finfo(y.aval.dtype).eps))))
        limit = div(sub(digamma(add(a, 1.0)), y), a)
        x = exp(select_n(tiny, y, constant(y, 0.0)))
        return y, mul(g, select_n(tiny, div(random_gamma_grad(a, x), x), limit))

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(*[batch_to(x, d, 0, axis) for x, d in zip(args, dims, strict=True)], **params), 0

    def lower(self, ctx: Any, keys: Any, a: Any, *, log_space: bool) -> Any:
        def variate(m: Any, key: Any, position: Any, a: Any) -> Any:
            own = key_at(m, key, position)
            return m.random_loggamma(*own, a) if log_space else m.random_gamma(*own, a)

        places = with_positions(ctx, keys, a.shape[len(keys.shape) :])
        return ctx.map(variate, [*places, a], a.dtype, cost=_COST)


random_gamma_p = RandomGamma("random_gamma")


def random_gamma(keys: Any, a: Array, log_space: bool = False) -> Array:
    """Variates of the gamma distribution, or their logarithms: for each key an array of those for its parameters."""
    return random_gamma_p.bind(keys, a, log_space=log_space)
