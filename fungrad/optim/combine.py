"""Combining gradient transformations.

May import ``optim.base``.
"""

from __future__ import annotations

from typing import Any

from fungrad.optim.base import GradientTransformation, OptState, Params, Updates


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
        if len(state) != len(transformations):
            raise ValueError(
                f"fungrad.optim.chain: the state has {len(state)} parts for {len(transformations)} transformations; "
                "make it with the init of the same chain"
            )
        after = []
        for t, s in zip(transformations, state, strict=True):
            updates, s = t.update(updates, s, params, **extra)
            after.append(s)
        return updates, tuple(after)

    return GradientTransformation(init, update)
