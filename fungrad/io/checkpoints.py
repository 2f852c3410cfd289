"""Checkpoints of a training run: a directory with the state after some steps.

May import ``io.files``, ``io.atomic`` and what they do.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any

from fungrad.core.arguments import index, shown
from fungrad.core.array import Array
from fungrad.core.source import api_class
from fungrad.io.atomic import sweep
from fungrad.io.files import load, metadata_of, save_described

_API = "fungrad.io.Checkpoints"
_FILE = re.compile(r"step_(\d{10,})\.safetensors")
_METRICS = "metrics"


@api_class
class Checkpoints:
    """A directory of checkpoints: the last few, and the best one.

    Each is one file, written whole or not at all: a process that is killed in the middle loses nothing that was there.

    Args:
      directory: where to; it is made if it does not exist.
      keep: how many of the last checkpoints to keep; None for all.
      best: name of the metric by which one more is kept; None for none.
      mode: ``"min"`` if a lower metric is better, else ``"max"``.

    Raises:
      TypeError: an argument is of a wrong class.
      ValueError: ``keep`` is less than 1, or the mode another.

    Example:
      >>> import tempfile
      >>> import fungrad.numpy as jnp
      >>> from fungrad import io
      >>> checkpoints = io.Checkpoints(tempfile.mkdtemp(), keep=2, best="val_loss")
      >>> for step, loss in enumerate([3.0, 1.0, 2.0, 2.5]):
      ...   checkpoints.save(step, {"w": jnp.full(2, step, float)}, {"val_loss": loss})
      >>> checkpoints.steps(), checkpoints.best_step()
      ([1, 2, 3], 1)
      >>> checkpoints.load()["w"]
      Array([3., 3.], dtype=float32)
    """

    def __init__(self, directory: Any, keep: int | None = 3, best: str | None = None, mode: str = "min"):
        if not isinstance(directory, (str, os.PathLike)):
            raise TypeError(f"{_API}: directory must be a path, got {shown(directory)}")
        if best is not None and not isinstance(best, str):
            raise TypeError(f"{_API}: best must be the name of a metric, got {shown(best)}")
        if mode not in ("min", "max"):
            raise ValueError(f"{_API}: mode must be 'min' or 'max', got {mode!r}")
        self.directory = os.fspath(directory)
        self.keep = None if keep is None else index(_API, "keep", keep, 1)
        self.best, self.mode = best, mode
        os.makedirs(self.directory, exist_ok=True)
        # What a process that was killed has left half-written.
        sweep(self.directory, _FILE.pattern)

    def __repr__(self) -> str:
        return f"Checkpoints({self.directory!r}, keep={self.keep}, best={self.best!r}, mode={self.mode!r})"

    def path(self, step: int) -> str:
        """The file of a step, whether it is there or not."""
        return os.path.join(self.directory, f"step_{index(_API, 'step', step, 0):010d}.safetensors")

    def steps(self) -> list[int]:
        """The steps that there are checkpoints of, in ascending order."""
        return sorted(int(m.group(1)) for m in map(_FILE.fullmatch, os.listdir(self.directory)) if m)

    def latest_step(self) -> int | None:
        """The last step; None if there is none."""
        return max(self.steps(), default=None)

    def metrics(self, step: int) -> dict[str, float]:
        """The metrics that were saved with a step."""
        return json.loads(metadata_of(self.path(step), f"{_API}.metrics").get(_METRICS, "{}"))

    def best_step(self) -> int | None:
        """The step with the best metric, the first of equal ones; None if there is none.  NaN is never best."""
        if self.best is None:
            return None
        sign = 1 if self.mode == "min" else -1
        scored = [(sign * self.metrics(s).get(self.best, math.nan), s) for s in self.steps()]
        return min([pair for pair in scored if not math.isnan(pair[0])], default=(0, None))[1]

    def save(self, step: int, tree: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Saves the state after a step, and removes checkpoints that are no longer kept.

        Args:
          step: its number; what was saved under it before is replaced.
          tree: the state: parameters, optimizer state, keys, numbers; all that is needed to go on.
          metrics: numbers by name, among them the one called ``best``.

        Raises:
          TypeError: a leaf cannot be saved, or a metric is no number.
        """
        path = self.path(step)
        numbers = {}
        for name, value in (metrics or {}).items():
            if isinstance(value, Array) and value.shape or not hasattr(value, "__float__"):
                raise TypeError(f"{_API}.save: metrics[{name!r}] must be a number, got {shown(value)}")
            numbers[name] = float(value)
        save_described(path, tree, {_METRICS: json.dumps(numbers)}, api=f"{_API}.save")
        if self.keep is None:
            return
        kept = {*self.steps()[-self.keep :], self.best_step(), step}
        for old in self.steps():
            if old not in kept:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path(old))

    def load(self, step: int | str = "latest", like: Any = None) -> Any:
        """The state after a step.

        Args:
          step: its number, ``"latest"`` or ``"best"``.
          like: a tree of the structure that is expected, as for ``fungrad.io.load``.

        Raises:
          FileNotFoundError: there is no such checkpoint.
          ValueError: ``like`` has another structure, shapes or dtypes.
        """
        found = step
        if isinstance(step, str):
            if step not in ("latest", "best"):
                raise ValueError(f"{_API}.load: step must be a number, 'latest' or 'best', got {step!r}")
            found = self.latest_step() if step == "latest" else self.best_step()  # type: ignore[assignment]
            if found is None:
                raise FileNotFoundError(f"{_API}.load: there is no {step} checkpoint in {self.directory}")
        return load(self.path(found), like)  # type: ignore[arg-type]
