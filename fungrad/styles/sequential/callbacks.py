"""``keras.callbacks``: what happens between the epochs of ``fit``.

May import ``fungrad``'s public modules.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from typing import Any

from fungrad.optional import optional


class Callback:
    """The base class: each method does nothing.

    Attributes:
      model: the model that is fitted.
    """

    model: Any = None

    def set_model(self, model: Any) -> None:
        """Called first."""
        self.model = model

    def on_train_begin(self) -> None:
        """Before the first epoch."""

    def on_train_end(self) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Before each epoch."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """After each epoch, with what was measured."""


class History(Callback):
    """What ``fit`` returns.

    Attributes:
      epoch: numbers of the epochs.
      history: a list of values for each metric.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class _Monitor(Callback):
    """Follows a metric: the base of callbacks that wait for it to improve."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0):
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        grows = mode == "max" or (mode == "auto" and ("acc" in monitor or "auc" in monitor))
        self.monitor, self.sign, self.min_delta = monitor, -1.0 if grows else 1.0, abs(min_delta)
        self.best = math.inf

    def improved(self, logs: dict[str, float]) -> bool:
        """Whether the metric is better than ever."""
        if self.monitor not in logs:
            raise ValueError(f"{type(self).__name__}: there is no metric {self.monitor!r}; there are {', '.join(logs)}")
        value = self.sign * logs[self.monitor]
        if value < self.best - self.min_delta:
            self.best = value
            return True
        return False


class EarlyStopping(_Monitor):
    """Ends ``fit`` when a metric has not improved for some epochs.

    Args:
      monitor: which metric.
      min_delta: less than this is no improvement.
      patience: how many epochs to wait.
      mode: ``"min"``, ``"max"``, or ``"auto"`` by the name.
      restore_best_weights: go back to the weights of the best epoch.

    Attributes:
      stopped_epoch: the epoch after which it has ended; 0 if it has not.
      best_epoch: the best epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.restore_best_weights = patience, restore_best_weights
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best_weights: Any = None

    def on_train_begin(self) -> None:
        self.wait, self.stopped_epoch, self.best = 0, 0, math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.improved(logs):
            self.wait, self.best_epoch = 0, epoch
            self.best_weights = self.model.snapshot()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch, self.model.stop_training = epoch, True

    def on_train_end(self) -> None:
        if self.restore_best_weights and self.best_weights is not None:
            self.model.restore(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the weights after each epoch, or after the best.

    Args:
      filepath: where to; ``{epoch}`` and names of metrics are filled in.
      monitor: which metric decides what is best.
      save_best_only: keep the best epoch alone.
      mode: ``"min"``, ``"max"``, or ``"auto"`` by the name.
      save_weights_only: accepted; weights are what is saved.
    """

    def __init__(
        self,
        filepath: str,
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
        save_weights_only: bool = True,
    ):
        super().__init__(monitor, mode)
        self.filepath, self.save_best_only = str(filepath), save_best_only

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not self.save_best_only or self.improved(logs):
            self.model.save_weights(self.filepath.format(epoch=epoch + 1, **logs))


class LearningRateScheduler(Callback):
    """Sets the rate before each epoch: ``schedule(epoch, rate)`` or ``schedule(epoch)``."""

    def __init__(self, schedule: Callable):
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, float(optimizer.rate()))
        except TypeError:
            rate = self.schedule(epoch)
        optimizer.learning_rate = float(rate)


class ReduceLROnPlateau(_Monitor):
    """Multiplies the rate by a factor when a metric has not improved for some epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        if factor >= 1:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}")
        self.factor, self.patience, self.min_lr, self.wait = factor, patience, min_lr, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.wait = 0 if self.improved(logs) else self.wait + 1
        if self.wait >= self.patience:
            optimizer = self.model.optimizer
            optimizer.learning_rate, self.wait = max(float(optimizer.rate()) * self.factor, self.min_lr), 0


class TensorBoard(Callback):
    """Writes event files for TensorBoard.

    Args:
      log_dir: where to.
    """

    def __init__(self, log_dir: str = "logs"):
        module = optional("tensorboardX", api="keras.callbacks.TensorBoard", extra="train")
        self._writer = module.SummaryWriter(str(log_dir))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def on_train_end(self) -> None:
        self._writer.close()


class CSVLogger(Callback):
    """Writes a line for each epoch."""

    def __init__(self, filename: str):
        self.filename = filename
        self._rows: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self._rows.append({"epoch": epoch, **logs})
        with open(self.filename, "w", newline="") as file:
            writer = csv.DictWriter(file, list(self._rows[0]))
            writer.writeheader()
            writer.writerows(self._rows)


class LambdaCallback(Callback):
    """Functions as a callback."""

    def __init__(self, on_epoch_begin: Callable | None = None, on_epoch_end: Callable | None = None):
        self._begin, self._end = on_epoch_begin, on_epoch_end

    def on_epoch_begin(self, epoch: int) -> None:
        if self._begin:
            self._begin(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._end:
            self._end(epoch, logs)
