"""Special functions that iterate."""

import numpy as np

from benchmarks.registry import row


def _row(name, function, scipy_name):
    @row(name, tolerance=1e-3, bytes=12e5)
    def made(lib):
        a, x = (lib.asarray(v) for v in _arguments())
        f = lib.jit(lambda a, x: function(lib)(a, x))
        return lambda: lib.done(f(a, x))

    @made.variant("numpy")
    def _(lib):
        from scipy import special

        a, x = _arguments()
        f = getattr(special, scipy_name)
        return lambda: f(a, x)


def _arguments():
    rng = np.random.default_rng(0)
    a = 10 ** rng.uniform(-1, 2, 10**5)
    return a.astype(np.float32), (a * rng.uniform(0.5, 2, a.size)).astype(np.float32)


_row("special/igamma_1e5", lambda lib: lib.lax.igamma, "gammainc")
_row("special/igammac_1e5", lambda lib: lib.lax.igammac, "gammaincc")
