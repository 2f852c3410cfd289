"""The functions of ``fungrad.scipy.special`` beyond ``lax``: one row feeds the tests of ``test_special_functions.py``.

A row: name, SciPy's function (of float64 arrays), the interval of each operand, and what else is to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special as sp


@dataclass(frozen=True)
class Case:
    """One function.

    Attributes:
      name: in ``fungrad.scipy.special``; a suffix after a colon tells rows apart.
      reference: of float64 arrays; a tuple for several results.
      domains: an interval for each operand; a callable gives the operand from a generator and a shape.
      edges: for each operand values at which the reference is right, tried in all combinations.
      diff: positions of the operands differentiated; None for all.
      rtol: in double precision, where it is not 1e-12.
      single: in single precision, in units of 1e-7.
      jax: name in ``jax.scipy.special`` unless it is the same; "" if there is nothing to compare.
      jax_rtol: relative tolerance against JAX in single precision.
      options: keyword arguments.
    """

    name: str
    reference: Callable[..., Any]
    domains: Sequence[Any]
    edges: Sequence[Sequence[float]] = ()
    diff: Sequence[int] | None = None
    rtol: float = 1e-12
    single: float = 10.0
    jax: str | None = None
    jax_rtol: float = 1e-4
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def function(self) -> str:
        return self.name.partition(":")[0]

    def sample(self, shape: tuple[int, ...], dtype: Any, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        draws = [d(rng, shape) if callable(d) else rng.uniform(*d, shape) for d in self.domains]
        return [np.asarray(x).astype(dtype) for x in draws]


def whole(low, high):
    return lambda rng, shape: rng.integers(low, high, shape, endpoint=True).astype(float)


INF, NAN = np.inf, np.nan
POWERS = [0, 1e-10, -1e-10, 2, -2, 400, -400, 1.7e308, -1.7e308, INF, NAN]

CASES = [
    Case("erfcx", sp.erfcx, [(-2, 8)], [[0, -0.0, INF, -INF, NAN, 1e300, 1e-300, 30]]),
    Case(
        "dawsn", sp.dawsn, [(-8, 8)], [[0, INF, -INF, NAN, 1e200, 1e-200, 3e-308, 1e12, 3e38, -3e38, 1.7e308, -1.7e308]]
    ),
    Case("ndtri", sp.ndtri, [(0.001, 0.999)], [[0, 1, 0.5, -0.1, 1.1, NAN, 1e-300, 1e-17, 1 - 1e-16]], single=30),
    Case(
        "log_ndtr",
        sp.log_ndtr,
        [(-12, 5)],
        [[-INF, INF, NAN, -1e4, -37, 0, 8, -1, -1.0000001]],
        single=30,
    ),
    Case(
        "owens_t", sp.owens_t, [(-3, 3), (-3, 3)], [[0, 1, -2, INF, NAN], [0, 1, -1, 50, INF, -INF, NAN]], jax_rtol=1e-3
    ),
    Case("fresnel", sp.fresnel, [(-6, 6)], [[0, INF, -INF, NAN, 1e-5, 1.8, 20]], jax_rtol=1e-3),
    Case("exp1", sp.exp1, [(0.05, 10)], [[0, INF, NAN, 1, 1e-10, 700]]),
    Case("expi", sp.expi, [(0.05, 50)], [[0, INF, -INF, NAN, 1e-10, 39.9, 40.1, 700]], single=60),
    Case("expi:negative", sp.expi, [(-20, -0.05)], single=30),
    Case(
        "expn",
        lambda n, x: sp.expn(n.astype(int), x),
        [whole(0, 6), (0.1, 8)],
        [[0, 1, 2, 50], [0.5, 1, INF, 1e-5]],
        diff=(1,),
    ),
    Case("sici", sp.sici, [(0.2, 30)], [[0, INF, NAN, 1e-10, 4, 4.1, 1e5]], single=60, jax_rtol=1e-3),
    Case("spence", sp.spence, [(0.02, 6)], [[0, 1, 2, 0.5, NAN, 1e5, 1e-5]]),
    Case("boxcox", sp.boxcox, [(0.1, 5), (-2, 2)], [[0, 0.3, 1, 9, INF], POWERS]),
    Case("boxcox1p", sp.boxcox1p, [(-0.8, 5), (-2, 2)], [[-1, 0, 1e-9, 9, INF], POWERS]),
    Case(
        "poch",
        sp.poch,
        [(0.3, 6), (0.2, 4)],
        [[0, 1, -1, -3, 2.5, -0.5, 40, 1e-300, 1e300, 1.7e308, INF], [0, 1, 2, -2, 0.5]],
    ),
    Case("comb", sp.comb, [(3, 8), (0.2, 2.8)], [[0, 1, 7, 50, -1, 1e9, 1e300, 1.7e308, NAN], [0, 1, 3, 7, -2, NAN]]),
    Case(
        "comb:repetition",
        lambda n, k: sp.comb(n, k, repetition=True),
        [(3, 8), (0.2, 2.8)],
        [[1, 7, 30], [0, 1, 3, 7]],
        options={"repetition": True},
    ),
    Case("loggamma", sp.loggamma, [(0.2, 20)]),
    Case(
        "hyp1f1",
        sp.hyp1f1,
        [(0.3, 4), (0.5, 5), (-20, 20)],
        [[0, 1, -2, 3.5], [1, 2.5, -0.5], [0, 1, -80, -800, 150, NAN]],
        rtol=1e-11,
        jax="",
    ),
    Case(
        "hyp2f1",
        sp.hyp2f1,
        [(-2, 3), (-2, 3), (0.5, 5), (-3, 0.85)],
        [[0, 1, -2, 0.3], [1.2, 2], [2.7, 5], [0, 0.5, -1, 0.99, -50, 1, NAN]],
        rtol=1e-10,
        jax="",
    ),
    Case("hyp2f1:near_one", sp.hyp2f1, [(0.2, 1), (0.2, 1), (2.2, 2.4), (0.92, 0.99)], rtol=1e-11, jax=""),
    Case(
        "bessel_jn",
        lambda z: np.stack([sp.jv(k, z) for k in range(6)]),
        [(-30, 30)],
        [[0, 25, 26, -1e3, 1e-4, NAN]],
        rtol=1e-12,
        single=60,
        jax="",
        options={"v": 5},
    ),
]
