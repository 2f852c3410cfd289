"""Callbacks that write metrics to files, and a picture of them.

May import ``train.history`` and ``train.loop``.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import Any

from fungrad.core.arguments import shown
from fungrad.core.source import api_class
from fungrad.optional import optional
from fungrad.train.history import History
from fungrad.train.loop import Look


def _path(api: str, name: str, value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"fungrad.train.{api}: {name} must be a path, got {shown(value)}")
    return os.fspath(value)


@api_class
class CSVWriter:
    """A callback that writes a table: a row for every look, a column for every metric.

    The table is that of the whole history, so it is right after an interruption too.

    Args:
      path: the file.

    Example:
      >>> import tempfile, os
      >>> from fungrad import train
      >>> path = os.path.join(tempfile.mkdtemp(), "run.csv")
      >>> writer = train.CSVWriter(path)
      >>> run = train.fit(lambda s, b: (s, b), 0, [3.0, 1.0], every=1, callbacks=[writer], progress=False)
      >>> print(open(path).read())
      step,loss
      1,3.0
      2,1.0
      <BLANKLINE>
    """

    def __init__(self, path: Any):
        self.path = _path("CSVWriter", "path", path)

    def __call__(self, look: Look) -> None:
        temporary = f"{self.path}.tmp"
        with open(temporary, "w", newline="") as file:
            table = csv.DictWriter(file, ["step", *look.history.names], lineterminator="\n")
            table.writeheader()
            table.writerows(look.history.rows)
        os.replace(temporary, self.path)


@api_class
class TensorBoardWriter:
    """A callback that writes event files for TensorBoard.

    Args:
      directory: where to.

    Raises:
      ImportError: tensorboardX is not installed (extra ``train``).
    """

    def __init__(self, directory: Any):
        directory = _path("TensorBoardWriter", "directory", directory)
        module = optional("tensorboardX", api="fungrad.train.TensorBoardWriter", extra="train")
        self._writer = module.SummaryWriter(directory)

    def __call__(self, look: Look) -> None:
        for name, value in look.metrics.items():
            self._writer.add_scalar(name, value, look.step)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()


def plot(history: History, path: Any, names: Sequence[str] | None = None) -> None:
    """Draws metrics over steps: those with one name but for ``val_`` in one picture.

    Args:
      history: what ``fit`` has measured.
      path: the picture, in the format of its ending.
      names: which metrics; None for all.

    Raises:
      ImportError: matplotlib is not installed (extra ``train``).
      ValueError: there is nothing to draw.
    """
    if not isinstance(history, History):
        raise TypeError(f"fungrad.train.plot: history must be a fungrad.train.History, got {shown(history)}")
    path = _path("plot", "path", path)
    chosen = list(names) if names is not None else history.names
    if not chosen or not len(history):
        raise ValueError("fungrad.train.plot: history must have rows with metrics")
    figures = optional("matplotlib.figure", api="fungrad.train.plot", extra="train")
    groups: dict[str, list[str]] = {}
    for name in chosen:
        groups.setdefault(name.removeprefix("val_"), []).append(name)
    # Not pyplot, which would choose a window system for the whole process.
    figure = figures.Figure(figsize=(4.5 * len(groups), 3.4), layout="constrained")
    axes = figure.subplots(1, len(groups), squeeze=False)[0]
    for axis, (title, members) in zip(axes, groups.items(), strict=True):
        for name in members:
            values = history[name]
            seen = ~(values != values)
            axis.plot(history["step"][seen], values[seen], label=name, marker="." if seen.sum() < 30 else None)
        axis.set(xlabel="step", title=title)
        axis.grid(alpha=0.3)
        if len(members) > 1:
            axis.legend()
    figure.savefig(path, dpi=120)
