"""What a run has measured.

May import nothing but NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from fungrad.core.source import api_class


@api_class
class History:
    """Rows of numbers, one for each time a run was looked at.

    Attributes:
      rows: dicts with ``"step"`` and the metrics.

    Example:
      >>> from fungrad import train
      >>> history = train.History()
      >>> history.add(10, {"loss": 0.5})
      >>> history.add(20, {"loss": 0.25, "val_loss": 0.3})
      >>> history["loss"], history["val_loss"]
      (array([0.5 , 0.25]), array([nan, 0.3]))
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None):
        self.rows: list[dict[str, Any]] = list(rows or [])

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds a row."""
        self.rows.append({"step": step, **metrics})

    @property
    def names(self) -> list[str]:
        """Names of all metrics, in the order in which they came up."""
        return list(dict.fromkeys(name for row in self.rows for name in row if name != "step"))

    def __getitem__(self, name: str) -> np.ndarray:
        if name != "step" and name not in self.names:
            raise KeyError(f"fungrad.train.History: there is no metric {name!r}; there are {', '.join(self.names)}")
        return np.array([row.get(name, np.nan) for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"History({len(self.rows)} rows of {', '.join(self.names) or 'nothing'})"

    def to_text(self) -> str:
        """All of it as JSON, which ``from_text`` reads."""
        return json.dumps(self.rows)

    @classmethod
    def from_text(cls, text: str) -> History:
        """What ``to_text`` has written."""
        return cls(json.loads(text))
