"""``DifferentiatedTracer``: what the tracers of forward mode and of linearization have in common.

Such a tracer knows its value, and Python and NumPy could have it: as a number without a derivative.  A gradient that
vanishes without a word is worse than an error, so only what has no derivative anyway may look at the value: a truth
value, an integer, an index, and ``item()``, which asks for it.  Whatever would compute on with it raises.

May import ``core``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fungrad.core.context import Tracer
from fungrad.core.source import current_source
from fungrad.core.staging import conversion_advice
from fungrad.errors import concretization_error_class


class DifferentiatedTracer(Tracer):
    """A primal value with its tangent."""

    __slots__ = ("primal", "tangent")
    primal: Any
    tangent: Any

    def _concrete(self, what: str) -> np.ndarray:
        self._leak_check()
        label = self._trace.label
        problem, advice = conversion_advice(what)
        raise concretization_error_class(what)(
            f"fungrad.{label.partition(' ')[0]}: {problem} inside {label}, at {current_source()}. The value has type "
            f"{self.aval.str_short()}; what is computed from the plain number would have no derivative. {advice}. "
            "Where no derivative is wanted, say so: fungrad.lax.stop_gradient(x) gives an array with a value."
        )

    def _known(self, what: str) -> np.ndarray:
        self._leak_check()
        return self.primal._known(what)


__all__ = ["DifferentiatedTracer"]
