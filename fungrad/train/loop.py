"""The training loop.

May import ``core``, ``io``, ``data`` and the modules of ``train`` before it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fungrad.config import debug_infs, debug_nans
from fungrad.core import tree
from fungrad.core.arguments import function, index, shown
from fungrad.core.array import Array, DeletedArray
from fungrad.core.source import api_class
from fungrad.data.batching import Batches
from fungrad.errors import NonFiniteError
from fungrad.io.checkpoints import Checkpoints
from fungrad.train.history import History
from fungrad.train.stopping import EarlyStopping

_API = "fungrad.train.fit"


class Look(NamedTuple):
    """What callbacks are given, every time a run is looked at.

    Attributes:
      step: how many steps have been taken.
      state: the state after them.
      metrics: means of the step's metrics since the last look, and what ``evaluate`` has returned.
      history: all looks so far.
    """

    step: int
    state: Any
    metrics: dict[str, float]
    history: History


@api_class
class Fit(NamedTuple):
    """What a run has come to.

    Attributes:
      state: the last state; with early stopping the best one.
      history: what has been measured.
      step: how many steps have been taken.
      reason: why it ended: ``"end of data"``, ``"steps"``, ``"early stopping"`` or ``"callback"``.
    """

    state: Any
    history: History
    step: int
    reason: str


def fit(
    step: Callable[[Any, Any], Any],
    state: Any,
    data: Iterable[Any],
    *,
    steps: int | None = None,
    every: int | None = None,
    evaluate: Callable[[Any], Any] | None = None,
    checkpoints: Checkpoints | None = None,
    early_stopping: EarlyStopping | None = None,
    callbacks: Sequence[Callable[[Look], Any]] = (),
    progress: bool = True,
    on_nan: str = "raise",
) -> Fit:
    """Runs ``state, metrics = step(state, batch)`` over data.

    ``step`` is a pure function that the caller has compiled; the state is all that changes: parameters, optimizer
    state, keys.  Every now and then the run is looked at: metrics are averaged and put into the history, ``evaluate``
    is called, a checkpoint is saved.  A run with the same arguments goes on from the last checkpoint, and gives what it
    would have given without the interruption, bit for bit.

    Args:
      step: function ``(state, batch) -> (state, metrics)``; the metrics are a dict of scalars, or one, the loss.
      state: the first state, a tree.
      data: batches, such as ``fungrad.data.batches`` makes, whose ``start`` is used to go on.  The batches of other
        iterables are counted off.
      steps: how many steps to take at most; None for all the data.
      every: how many steps from look to look; default an epoch of ``fungrad.data.batches``, else all.
      evaluate: function of the state to a dict of scalars, such as ``{"val_loss": ...}``.
      checkpoints: where to save the state at every look, and to go on from; with its ``best`` the best one is kept.
      early_stopping: when to stop, and go back to the best state.
      callbacks: functions of a ``Look``, called in order; one that returns True stops the run.
      progress: show a bar on stderr, with tqdm if that is installed.
      on_nan: what to do if a metric of the step is NaN or infinite: ``"raise"`` an error that names the operation that
        made it, or ``"ignore"`` it.

    Returns:
      The last (or best) state, and the history.

    Raises:
      TypeError: an argument is of a wrong class, or the step returns something else.
      NonFiniteError: a metric is not finite; names the step and, if the step can be repeated, the operation.

    Example:
      >>> import fungrad
      >>> from fungrad import optim, train
      >>> import fungrad.numpy as jnp
      >>> opt = optim.sgd(0.1)
      >>> @fungrad.jit
      ... def step(state, batch):
      ...   w, opt_state = state
      ...   loss, gradient = fungrad.value_and_grad(lambda w: jnp.sum((w - batch) ** 2))(w)
      ...   updates, opt_state = opt.update(gradient, opt_state)
      ...   return (optim.apply_updates(w, updates), opt_state), {"loss": loss}
      >>> w = jnp.zeros(())
      >>> run = train.fit(step, (w, opt.init(w)), [3.0] * 40, every=20, progress=False)
      >>> run.state[0].round(2), run.history["step"]
      (Array(3., dtype=float32), array([20, 40]))
    """
    total, every = _check(step, data, steps, every, evaluate, checkpoints, early_stopping, callbacks, on_nan)
    done, history, reason = 0, History(), ""
    memory: Any = early_stopping.start(state) if early_stopping else 0
    if checkpoints is not None and checkpoints.latest_step() is not None:
        like = {"state": state, "memory": memory, "history": "", "reason": ""}
        saved = checkpoints.load(like=like)
        state, memory, reason = saved["state"], saved["memory"], saved["reason"]
        done, history = checkpoints.latest_step() or 0, History.from_text(saved["history"])
    sums: dict[str, float] = {}
    since = 0
    with _bar(progress, total, done) as show:
        batches = _go_on(data, done) if not reason else iter(())
        while not reason:
            batch = next(batches, _END) if steps is None or done < steps else _END
            if batch is not _END:
                before = state
                state, metrics = _split(step(state, batch))
                done, since = done + 1, since + 1
                for name, value in metrics.items():
                    if on_nan == "raise" and not math.isfinite(value):
                        _blame(step, before, batch, name, value, done)
                    sums[name] = sums.get(name, 0.0) + value
                show(done, metrics)
            else:
                reason = "steps" if steps is not None and done >= steps else "end of data"
            if since and (reason or since == every):
                looked = {name: value / since for name, value in sums.items()}
                looked |= _numbers("evaluate", evaluate(state)) if evaluate else {}
                sums, since = {}, 0
                history.add(done, looked)
                if early_stopping:
                    memory, stop = early_stopping.after(memory, state, looked)
                    reason = "early stopping" if stop else reason
                if any([callback(Look(done, state, looked, history)) is True for callback in callbacks]):
                    reason = reason or "callback"
                if checkpoints is not None:
                    # A run that was at the end of its data may be given more.
                    final = reason if reason in ("early stopping", "callback") else ""
                    kept = {"state": state, "memory": memory, "history": history.to_text(), "reason": final}
                    checkpoints.save(done, kept, looked)
    close = getattr(batches, "close", None)
    if close is not None:
        close()
    return Fit(memory["state"] if early_stopping else state, history, done, reason)


_END: Any = object()


def _check(
    step: Any, data: Any, steps: Any, every: Any, evaluate: Any, checkpoints: Any, early_stopping: Any, callbacks: Any,
    on_nan: Any,
) -> tuple[int | None, int | None]:  # fmt: skip
    """The number of steps and that from look to look, None where they are not known."""
    function(_API, "step", step)
    if not isinstance(data, Iterable):
        raise TypeError(f"{_API}: data must be an iterable of batches, got {shown(data)}")
    if evaluate is not None:
        function(_API, "evaluate", evaluate)
    for callback in callbacks:
        function(_API, "each of callbacks", callback)
    if checkpoints is not None and not isinstance(checkpoints, Checkpoints):
        raise TypeError(f"{_API}: checkpoints must be fungrad.io.Checkpoints, got {shown(checkpoints)}")
    if early_stopping is not None and not isinstance(early_stopping, EarlyStopping):
        raise TypeError(f"{_API}: early_stopping must be fungrad.train.EarlyStopping, got {shown(early_stopping)}")
    if on_nan not in ("raise", "ignore"):
        raise ValueError(f"{_API}: on_nan must be 'raise' or 'ignore', got {on_nan!r}")
    length = None
    if steps is not None:
        length = index(_API, "steps", steps, 0)
    with contextlib.suppress(TypeError):
        length = min(len(data), length) if length is not None else len(data)  # type: ignore[arg-type]
    if every is not None:
        every = index(_API, "every", every, 1)
    elif isinstance(data, Batches):
        every = data.per_epoch
    return length, every


def _go_on(data: Any, done: int) -> Iterator[Any]:
    if callable(getattr(data, "start", None)):
        return data.start(done)
    return itertools.islice(iter(data), done, None)


def _split(returned: Any) -> tuple[Any, dict[str, float]]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(f"{_API}: step must return a pair (state, metrics), got {type(returned).__name__}")
    return returned[0], _numbers("step", returned[1])


def _numbers(source: str, metrics: Any) -> dict[str, float]:
    """Metrics as Python numbers."""
    named = metrics if isinstance(metrics, Mapping) else {"loss": metrics}
    found = {}
    for name, value in named.items():
        if isinstance(value, (Array, list, tuple)) and getattr(value, "shape", None) != () or isinstance(value, str):
            raise TypeError(f"{_API}: metrics of {source} must be scalars, got {shown(value)} for {name!r}")
        found[str(name)] = float(value)
    return found


def _blame(step: Any, before: Any, batch: Any, name: str, value: float, done: int) -> None:
    """Raises the error for a metric that is not finite, after another look at the step."""
    what = f"{_API}: {name} is {value} in step {done}"
    if any(isinstance(leaf, DeletedArray) for leaf in tree.leaves((before, batch))):
        raise NonFiniteError(
            f"{what}; the step has been given the memory of its state, so it cannot be repeated: leave donate_argnums "
            "out to be told which operation it was"
        )
    # Infinite numbers that vanish again are no fault where the metric is NaN.
    watched = debug_nans if math.isnan(value) else debug_infs
    try:
        with watched(True):
            step(before, batch)
    except NonFiniteError as error:
        raise NonFiniteError(f"{what}: {error}") from None
    raise NonFiniteError(f"{what}; it was not made by an operation of fungrad, or was there before")


@contextlib.contextmanager
def _bar(progress: bool, total: int | None, done: int) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A function that shows the step and a moving average of its metrics."""
    if not progress or importlib.util.find_spec("tqdm") is None:
        yield lambda step, metrics: None
        return
    tqdm = importlib.import_module("tqdm").tqdm
    averages: dict[str, float] = {}
    with tqdm(total=total, initial=done, unit="step") as bar:

        def show(step: int, metrics: dict[str, float]) -> None:
            for name, value in metrics.items():
                averages[name] = 0.98 * averages.get(name, value) + 0.02 * value
            bar.set_postfix({n: f"{v:.4g}" for n, v in averages.items()}, refresh=False)
            bar.update()

        yield show
