"""Search for hyperparameters with Optuna: the glue between its studies and mapped, compiled functions.

May import ``core``, ``numpy``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.core.arguments import function, index, number, shown
from fungrad.core.array import Array
from fungrad.core.source import api_class
from fungrad.jit.front.api import jit
from fungrad.optional import optional
from fungrad.transforms.mapping import vmap

_SAMPLERS = ("tpe", "random", "grid", "gp")
_PRUNERS = (None, "hyperband", "median")


@api_class
class Uniform(NamedTuple):
    """Numbers of an interval, evenly or, with ``log``, evenly in their logarithms.

    Attributes:
      low: the least.
      high: the greatest.
      log: whether logarithms count.
    """

    low: float
    high: float
    log: bool = False


class Result:
    """What a search has found.

    Attributes:
      study: Optuna's study, with all trials.
    """

    def __init__(self, study: Any):
        self.study = study

    @property
    def best_params(self) -> dict[str, Any]:
        """The hyperparameters of the best trial."""
        return dict(self._best().params)

    @property
    def best_value(self) -> float:
        """The value of the best trial."""
        return float(self._best().value)

    def _best(self) -> Any:
        if not any(t.value is not None for t in self.trials()):
            raise ValueError("fungrad.tune.Result: no trial has come to an end")
        return self.study.best_trial

    def trials(self) -> list[Any]:
        """Optuna's records of all trials that have ended, in order."""
        return [t for t in self.study.trials if t.state.is_finished()]

    def table(self, rows: int = 10) -> str:
        """The best trials as text, the best one first.

        Args:
          rows: how many.
        """
        sign = 1 if self.study.direction.name == "MINIMIZE" else -1
        done = sorted([t for t in self.trials() if t.value is not None], key=lambda t: sign * t.value)[:rows]
        names = list(dict.fromkeys(name for t in done for name in t.params))
        lines = [["trial", "value", *names]]
        for t in done:
            lines.append([str(t.number), f"{t.value:.6g}", *[_text(t.params.get(name, "")) for name in names]])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(" | ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines)

    def plot(self, path: Any) -> None:
        """Draws the value of all trials over each hyperparameter, and the best value over trials.

        Args:
          path: the picture, in the format of its ending.

        Raises:
          ImportError: matplotlib is not installed (extra ``train``).
          ValueError: no trial has come to an end.
        """
        figures = optional("matplotlib.figure", api="fungrad.tune.Result.plot", extra="train")
        self._best()
        done = [t for t in self.trials() if t.value is not None]
        values = np.array([t.value for t in done])
        names = list(dict.fromkeys(name for t in done for name in t.params))
        figure = figures.Figure(figsize=(3.4 * (len(names) + 1), 3.2), layout="constrained")
        first, *axes = figure.subplots(1, len(names) + 1, sharey=True, squeeze=False)[0]
        minimize = self.study.direction.name == "MINIMIZE"
        first.plot((np.minimum if minimize else np.maximum).accumulate(values), drawstyle="steps-post", label="best")
        first.plot(values, ".", color="0.6", label="trials")
        first.set(xlabel="trial", ylabel="value")
        first.legend()
        for axis, name in zip(axes, names, strict=True):
            having = [(t.params[name], t.value) for t in done if name in t.params]
            axis.scatter([_axis_value(x) for x, _ in having], [v for _, v in having], s=12)
            axis.set(xlabel=name)
            if any(getattr(t.distributions.get(name), "log", False) for t in done):
                axis.set_xscale("log")
        for axis in (first, *axes):
            axis.grid(alpha=0.3)
        figure.savefig(os.fspath(path), dpi=120)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _axis_value(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def search(
    objective: Callable[[Any], Any],
    trials: int,
    *,
    sampler: str = "tpe",
    grid: Mapping[str, Sequence[Any]] | None = None,
    pruner: str | None = None,
    maximize: bool = False,
    seed: int | None = 0,
    storage: Any = None,
    processes: int = 1,
) -> Result:
    """Searches where trials may differ in anything, also in shapes and in which hyperparameters there are.

    Args:
      objective: function of Optuna's trial to a number.  It asks for its hyperparameters as it goes:
        ``trial.suggest_float("rate", 1e-4, 1e-1, log=True)``, ``suggest_int``, ``suggest_categorical``.  With a pruner
        it calls ``trial.report(value, step)`` and raises ``optuna.TrialPruned()`` if ``trial.should_prune()``.
      trials: how many, those in the storage included.
      sampler: ``"tpe"``, ``"random"``, ``"gp"`` (a Gaussian process; needs torch) or ``"grid"``.
      grid: with ``"grid"``, the values of each hyperparameter.
      pruner: ``"hyperband"`` or ``"median"`` to end bad trials early; None for none.
      maximize: whether greater is better.
      seed: of the sampler; None for another one each time.
      storage: a file with all trials, from which a search goes on; None to keep them in memory.
      processes: how many trials to run at once, each in a process of its own; needs a storage, and an objective that
        can be pickled (a function of a module).

    Returns:
      The trials, and the best of them.

    Raises:
      ValueError: an argument is of a wrong value.
      ImportError: optuna is not installed (extra ``tune``).

    Example:
      >>> from fungrad import tune
      >>> found = tune.search(lambda trial: (trial.suggest_float("x", -3, 3) - 1) ** 2, 40)
      >>> abs(found.best_params["x"] - 1) < 0.3
      True
    """
    api = "fungrad.tune.search"
    function(api, "objective", objective)
    trials, processes = index(api, "trials", trials, 1), index(api, "processes", processes, 1)
    if sampler not in _SAMPLERS:
        raise ValueError(f"{api}: sampler must be one of {', '.join(_SAMPLERS)}, got {sampler!r}")
    if (sampler == "grid") != (grid is not None):
        raise ValueError(f"{api}: grid must be given with sampler='grid', and with no other")
    if pruner not in _PRUNERS:
        raise ValueError(f"{api}: pruner must be 'hyperband', 'median' or None, got {pruner!r}")
    if processes > 1 and storage is None:
        raise ValueError(f"{api}: storage must be given with several processes, which share their trials by it")
    settings = (
        sampler,
        grid and {name: list(v) for name, v in grid.items()},
        pruner,
        maximize,
        seed,
        _file(api, storage),
    )
    if processes == 1:
        return Result(_run(objective, trials, settings, 0))
    study = _study(settings, 0)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_run, args=(objective, trials, settings, n)) for n in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"{api}: a process has failed; its error is printed above, and the trials are in {storage}")
    return Result(study)


def _file(api: str, storage: Any) -> str | None:
    if storage is not None and not isinstance(storage, (str, os.PathLike)):
        raise TypeError(f"{api}: storage must be a path, got {shown(storage)}")
    return None if storage is None else os.fspath(storage)


def _study(settings: tuple, number: int) -> Any:
    """Optuna's study with these settings, that of the file if there is one."""
    sampler, grid, pruner, maximize, seed, file = settings
    optuna = optional("optuna", api="fungrad.tune", extra="tune")
    own = None if seed is None else seed + number
    samplers = optuna.samplers
    if sampler == "gp":
        optional("torch", api="fungrad.tune.search with sampler='gp'", extra="tune-gp")
    made = {
        "tpe": lambda: samplers.TPESampler(seed=own),
        "random": lambda: samplers.RandomSampler(seed=own),
        "gp": lambda: samplers.GPSampler(seed=own),
        "grid": lambda: samplers.GridSampler(grid, seed=own),
    }[sampler]()
    pruners = {
        None: optuna.pruners.NopPruner,
        "hyperband": optuna.pruners.HyperbandPruner,
        "median": optuna.pruners.MedianPruner,
    }
    storage = None
    if file is not None:
        journal = optional("optuna.storages.journal", api="fungrad.tune", extra="tune")
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(file))
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=storage, sampler=made, pruner=pruners[pruner](), study_name="fungrad",
            direction="maximize" if maximize else "minimize", load_if_exists=True,
        )  # fmt: skip
    finally:
        optuna.logging.set_verbosity(level)


def _quietly(study: Any, objective: Callable[[Any], Any], trials: int) -> None:
    optuna = optional("optuna", api="fungrad.tune", extra="tune")
    states = tuple(s for s in optuna.trial.TrialState if s.is_finished())
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        # Also counts the trials of other processes, and those of the file.
        if len([t for t in study.trials if t.state.is_finished()]) < trials:
            study.optimize(objective, callbacks=[optuna.study.MaxTrialsCallback(trials, states)])
    finally:
        optuna.logging.set_verbosity(level)


def _run(objective: Callable[[Any], Any], trials: int, settings: tuple, number: int) -> Any:
    study = _study(settings, number)
    _quietly(study, lambda trial: float(objective(trial)), trials)
    return study


def search_mapped(
    objective: Callable[[dict[str, Array]], Any],
    space: Mapping[str, Uniform],
    trials: int,
    *,
    batch: int = 16,
    sampler: str = "tpe",
    maximize: bool = False,
    seed: int | None = 0,
    storage: Any = None,
) -> Result:
    """Searches where trials differ in numbers only: ``batch`` of them at once, by ``jit(vmap(objective))``.

    Args:
      objective: pure function of a dict of scalars, by the names of the space, to a scalar: a whole training run, say.
      space: the interval of each hyperparameter.
      trials: how many, rounded up to whole batches; those in the storage included.
      batch: how many at once.
      sampler: ``"tpe"``, ``"random"`` or ``"gp"``.
      maximize: whether greater is better.
      seed: of the sampler; None for another one each time.
      storage: a file with all trials, from which a search goes on; None to keep them in memory.

    Returns:
      The trials, and the best of them.  A trial whose value is NaN counts as failed.

    Raises:
      TypeError: an argument is of a wrong class, or the objective returns no scalar.
      ValueError: an interval is empty.
      ImportError: optuna is not installed (extra ``tune``).

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import tune
      >>> space = {"x": tune.Uniform(-3.0, 3.0), "rate": tune.Uniform(1e-3, 1.0, log=True)}
      >>> found = tune.search_mapped(lambda p: (p["x"] - 1) ** 2 + jnp.log10(p["rate"] * 10) ** 2, space, 64)
      >>> found.best_value < 0.1
      True
    """
    api = "fungrad.tune.search_mapped"
    function(api, "objective", objective)
    trials, batch = index(api, "trials", trials, 1), index(api, "batch", batch, 1)
    if sampler not in _SAMPLERS or sampler == "grid":
        raise ValueError(f"{api}: sampler must be 'tpe', 'random' or 'gp', got {sampler!r}")
    if not isinstance(space, Mapping) or not space:
        raise TypeError(f"{api}: space must be a dict of fungrad.tune.Uniform, got {shown(space)}")
    for name, interval in space.items():
        if not isinstance(interval, Uniform):
            raise TypeError(f"{api}: space[{name!r}] must be a fungrad.tune.Uniform, got {shown(interval)}")
        for field in ("low", "high"):
            number(api, f"space[{name!r}].{field}", getattr(interval, field))
        if not interval.low < interval.high or (interval.log and interval.low <= 0):
            raise ValueError(f"{api}: space[{name!r}] must be an interval, of positive numbers if log, got {interval}")
    study = _study((sampler, None, None, maximize, seed, _file(api, storage)), 0)
    optuna = optional("optuna", api=api, extra="tune")
    failed = optuna.trial.TrialState.FAIL
    mapped = jit(vmap(lambda p: jnp.asarray(objective(p))))
    while len([t for t in study.trials if t.state.is_finished()]) < trials:
        asked = [study.ask() for _ in range(batch)]
        chosen = [
            {n: t.suggest_float(n, float(u.low), float(u.high), log=u.log) for n, u in space.items()} for t in asked
        ]
        values = np.asarray(mapped({n: jnp.asarray([c[n] for c in chosen], float) for n in space}))
        if values.shape != (batch,):
            raise TypeError(f"{api}: objective must return a scalar, got an array of shape {values.shape[1:]}")
        for trial, value in zip(asked, values, strict=True):
            if math.isnan(value):
                study.tell(trial, state=failed)
            else:
                study.tell(trial, float(value))
    return Result(study)
