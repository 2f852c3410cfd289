"""Combining gradient transformations.

May import ``optim.base``.
"""

from __future__ import annotations

from typing import Any

from fungrad.core.arguments import shown
from fungrad.optim._naming import naming
from fungrad.optim.base import GradientTransformation, OptState, Params, Updates


@naming("chain")
def chain(*transformations: GradientTransformation) -> GradientTransformation:
    """Applies transformations one after the other.

    Args:
      *transformations: each gets the updates that the one before returns.

    Returns:
      A transformation whose state is the tuple of their states.

    Example:
      >>> from fungrad import optim
      >>> opt = optim.chain(optim.trace(decay=0.9), optim.scale(-0.1))
    """
    for i, t in enumerate(transformations):
        if not (hasattr(t, "init") and hasattr(t, "update")):
            raise TypeError(
                f"fungrad.optim.chain: argument {i} must be a GradientTransformation, got {t!r} of type "
                f"{type(t).__name__}"
            )

    def init(params: Params) -> tuple:
        return tuple(t.init(params) for t in transformations)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        if type(state) not in (tuple, list) or len(state) != len(transformations):
            parts = f"{len(state)} parts" if type(state) in (tuple, list) else shown(state)
            raise ValueError(
                f"fungrad.optim.chain: state must have {len(transformations)} parts, one for each transformation, got "
                f"{parts}; make it with init(params)"
            )
        after = []
        for t, s in zip(transformations, state, strict=True):
            updates, s = t.update(updates, s, params, **extra)
            after.append(s)
        return updates, tuple(after)

    return GradientTransformation(init, update)
