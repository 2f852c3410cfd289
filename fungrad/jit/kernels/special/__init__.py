"""Special functions that take as many steps as their arguments ask for: incomplete gamma and beta, zeta.

Each is a scalar function over a builder, like those of `vecmath`, but with loops (`ScalarBuilder.iterate`): a vector of
arguments goes on until all of its elements have converged. They compute in double, for float32 too. docs/vecmath.md
lists the measured errors. `FUNCTIONS` holds them by name; their modules are imported when one of them is called, which
few programs do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from fungrad.jit.kernels.scalars import ScalarBuilder, Value

_MODULES = {
    "bessel_first": ("bessel_jn",),
    "exponential_integrals": ("cosine_integral", "expi", "expn", "sine_integral"),
    "gamma_slope": ("igamma_grad_a", "random_gamma_grad", "random_gamma_grad_a", "random_gamma_grad_x"),
    "gamma_variate": ("random_gamma", "random_loggamma"),
    "incomplete_beta": ("regularized_incomplete_beta",),
    "incomplete_gamma": ("igamma", "igammac"),
    "zeta": ("polygamma", "zeta"),
}


def _imported_when_called(module: str, name: str) -> Callable[..., Value]:
    def function(m: ScalarBuilder, *arguments: Value, **parameters: Any) -> Value:
        found = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return found(m, *arguments, **parameters)  # type: ignore[no-any-return]

    return function


FUNCTIONS: dict[str, Callable[..., Value]] = {
    name: _imported_when_called(module, name) for module, names in _MODULES.items() for name in names
}
"""Every iterative function by name; each takes a builder and values of one float type."""
