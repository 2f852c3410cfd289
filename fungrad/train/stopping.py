"""Early stopping.

May import ``core``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fungrad.core import tree
from fungrad.core.arguments import index, number, shown
from fungrad.core.array import ArrayImpl, wrap_unchecked
from fungrad.core.source import api_class

_API = "fungrad.train.EarlyStopping"


def snapshot(state: Any) -> Any:
    """A copy of a tree, which a step that is given the tree's memory does not touch."""

    def copied(leaf: Any) -> Any:
        if isinstance(leaf, ArrayImpl):
            return wrap_unchecked(np.array(leaf._data), leaf.aval)
        return leaf.copy() if isinstance(leaf, np.ndarray) else leaf

    return tree.map(copied, state)


@api_class
class EarlyStopping:
    """Stops when a metric has not improved for some time, and goes back to the best state.

    Args:
      metric: its name, one of what ``evaluate`` (or the step) returns.
      patience: how many times in a row it may fail to improve.
      mode: ``"min"`` if lower is better, else ``"max"``.
      min_delta: by how much it must improve to count.

    Raises:
      TypeError: an argument is of a wrong class.
      ValueError: the patience is less than 1, or the mode another.

    Example:
      >>> from fungrad import train
      >>> train.EarlyStopping("val_loss", patience=3)
      EarlyStopping('val_loss', patience=3, mode='min', min_delta=0.0)
    """

    def __init__(self, metric: str, patience: int = 5, mode: str = "min", min_delta: float = 0.0):
        if not isinstance(metric, str):
            raise TypeError(f"{_API}: metric must be the name of a metric, got {shown(metric)}")
        if mode not in ("min", "max"):
            raise ValueError(f"{_API}: mode must be 'min' or 'max', got {mode!r}")
        number(_API, "min_delta", min_delta)
        self.metric, self.mode, self.min_delta = metric, mode, float(min_delta)
        self.patience = index(_API, "patience", patience, 1)

    def __repr__(self) -> str:
        return (
            f"EarlyStopping({self.metric!r}, patience={self.patience}, mode={self.mode!r}, min_delta={self.min_delta})"
        )

    def start(self, state: Any) -> dict[str, Any]:
        """What is remembered: the best value, since when, and the state then."""
        return {"best": math.inf, "waited": 0, "state": snapshot(state)}

    def after(self, memory: dict[str, Any], state: Any, metrics: dict[str, float]) -> tuple[dict[str, Any], bool]:
        """What is remembered after a look at the metrics, and whether to stop.

        Raises:
          KeyError: the metric is not there.
        """
        if self.metric not in metrics:
            raise KeyError(f"{_API}: there is no metric {self.metric!r}; there are {', '.join(metrics)}")
        value = metrics[self.metric] if self.mode == "min" else -metrics[self.metric]
        if value < memory["best"] - self.min_delta:
            return {"best": value, "waited": 0, "state": snapshot(state)}, False
        waited = memory["waited"] + 1
        return {**memory, "waited": waited}, waited >= self.patience
