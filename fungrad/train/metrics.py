"""Metrics as pure accumulators: counts that go in and come out, as the states of optimizers.

Everything that is accumulated adds up: parts of a data set may be counted apart and summed with ``fungrad.tree.map``.

May import ``core``, ``numpy``, ``nn``, ``control`` and ``optim``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fungrad.numpy as jnp
from fungrad.control.checkify import debug_check
from fungrad.core import dtypes
from fungrad.core.arguments import index
from fungrad.core.array import Array, as_array
from fungrad.core.context import Tracer
from fungrad.optim.losses import softmax_cross_entropy_with_integer_labels


class Metric(NamedTuple):
    """Three pure functions, to be jitted and mapped.

    Attributes:
      init: ``init()`` is the state before the first batch.
      update: ``update(state, predictions, labels, where=None)`` is that after one more; ``where`` says which examples
        count, as the mask of a padded batch does.
      result: ``result(state)`` is the metric of all that has been counted; NaN of nothing.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.accuracy()
      >>> state = metric.init()
      >>> state = metric.update(state, jnp.array([[0.9, 0.1], [0.2, 0.8]]), jnp.array([0, 0]))
      >>> metric.result(state)
      Array(0.5, dtype=float32)
    """

    init: Callable[[], Any]
    update: Callable[..., Any]
    result: Callable[[Any], Array]


def _labels(api: str, labels: Any, shape: tuple[int, ...] | None = None) -> Array:
    found = as_array(labels, f"fungrad.train.{api}: labels")
    if not (dtypes.is_integer(found.dtype) or dtypes.is_bool(found.dtype)):
        raise ValueError(f"fungrad.train.{api}: labels must be integers, got {found.aval.str_short()}")
    if shape is not None and found.shape != shape:
        raise ValueError(f"fungrad.train.{api}: labels must have shape {shape}, as the predictions, got {found.shape}")
    return found


def _counted(api: str, where: Any, shape: tuple[int, ...]) -> Array:
    """Which examples count, as int64, so that counts do not wrap."""
    if where is None:
        return jnp.ones(shape, np.int64)
    found = as_array(where, f"fungrad.train.{api}: where")
    if found.shape != shape:
        raise ValueError(f"fungrad.train.{api}: where must have the shape of the labels, {shape}, got {found.shape}")
    return found.astype(bool).astype(np.int64)


def _ratio(part: Any, whole: Any) -> Array:
    return (part.astype(np.float64) / whole.astype(np.float64)).astype(dtypes.default_float())


def mean() -> Metric:
    """The mean of values, such as losses; its ``update(state, values, where=None)`` has no labels.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.mean()
      >>> metric.result(metric.update(metric.init(), jnp.array([1.0, 2.0])))
      Array(1.5, dtype=float32)
    """

    def init() -> dict[str, Array]:
        return {"sum": jnp.zeros((), np.float64), "count": jnp.zeros((), np.int64)}

    def update(state: Any, values: Any, where: Any = None) -> dict[str, Array]:
        values = as_array(values, "fungrad.train.mean: values")
        counted = _counted("mean", where, values.shape)
        total = jnp.sum(jnp.where(counted != 0, values.astype(np.float64), 0))
        return {"sum": state["sum"] + total, "count": state["count"] + jnp.sum(counted)}

    return Metric(init, update, lambda state: _ratio(state["sum"], state["count"]))


def accuracy(top_k: int = 1) -> Metric:
    """Share of examples whose label is predicted, or is among the ``top_k`` greatest scores.

    Predictions are scores ``[..., classes]`` for labels ``[...]``, or with ``top_k=1`` classes like the labels.

    Args:
      top_k: how many of the greatest scores count.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.accuracy(top_k=2)
      >>> metric.result(metric.update(metric.init(), jnp.array([[0.5, 0.3, 0.2]]), jnp.array([1])))
      Array(1., dtype=float32)
    """
    top_k = index("fungrad.train.accuracy", "top_k", top_k, 1)

    def init() -> dict[str, Array]:
        return {"right": jnp.zeros((), np.int64), "count": jnp.zeros((), np.int64)}

    def update(state: Any, predictions: Any, labels: Any, where: Any = None) -> dict[str, Array]:
        predictions = as_array(predictions, "fungrad.train.accuracy: predictions")
        labels = _labels("accuracy", labels)
        if predictions.ndim == labels.ndim + 1 and predictions.shape[:-1] == labels.shape:
            own = jnp.take_along_axis(predictions, labels[..., None], -1)
            # Of equal scores the first ones win, as in argmax; an unordered score is never right.
            before = jnp.arange(predictions.shape[-1]) < labels[..., None]
            ahead = jnp.sum((predictions > own) | ((predictions == own) & before), -1)
            right = (ahead < top_k) & ~jnp.isnan(own[..., 0])
        elif top_k == 1 and predictions.shape == labels.shape:
            right = predictions == labels
        else:
            raise ValueError(
                "fungrad.train.accuracy: predictions must be scores of the shape of the labels and classes, or classes "
                f"of that of the labels with top_k=1, got shapes {predictions.shape} and {labels.shape}"
            )
        counted = _counted("accuracy", where, labels.shape)
        return {"right": state["right"] + jnp.sum(right * counted), "count": state["count"] + jnp.sum(counted)}

    return Metric(init, update, lambda state: _ratio(state["right"], state["count"]))


def confusion(num_classes: int) -> Metric:
    """The confusion matrix: how many examples of each class (row) were taken for each class (column).

    Predictions are scores ``[..., classes]`` or classes ``[...]``.

    Args:
      num_classes: number of classes.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.confusion(2)
      >>> metric.result(metric.update(metric.init(), jnp.array([0, 1, 1]), jnp.array([0, 0, 1])))
      Array([[1, 1],
             [0, 1]], dtype=int64)
    """
    return _confusion("confusion", num_classes, lambda matrix: matrix)


def _confusion(api: str, num_classes: int, result: Callable[[Array], Array]) -> Metric:
    classes = index(f"fungrad.train.{api}", "num_classes", num_classes, 1)

    def init() -> Array:
        return jnp.zeros((classes, classes), np.int64)

    def update(state: Any, predictions: Any, labels: Any, where: Any = None) -> Array:
        predictions, labels = as_array(predictions, f"fungrad.train.{api}: predictions"), _labels(api, labels)
        if predictions.ndim == labels.ndim + 1:
            if predictions.shape[-1] != classes:
                raise ValueError(
                    f"fungrad.train.{api}: predictions must have scores of {classes} classes, got shape "
                    f"{predictions.shape}"
                )
            predictions = jnp.argmax(predictions, -1)
        predictions = _labels(api, predictions, labels.shape)
        counted = _counted(api, where, labels.shape)
        valid = (labels >= 0) & (labels < classes) & (predictions >= 0) & (predictions < classes)
        debug_check(
            jnp.all(valid | (counted == 0)),
            f"fungrad.train.{api}: labels and predictions must be classes from 0 to {classes - 1}",
        )
        return state.at[jnp.where(counted != 0, labels, 0), jnp.where(counted != 0, predictions, 0)].add(counted)

    return Metric(init, update, result)


def f1(num_classes: int = 2, average: str = "macro") -> Metric:
    """The F1 score: the harmonic mean of precision and recall.

    Predictions are scores ``[..., classes]`` or classes ``[...]``.

    Args:
      num_classes: number of classes.
      average: ``"macro"`` for the mean over classes, ``"micro"`` over examples, ``"weighted"`` over classes with their
        frequencies, ``"binary"`` for class 1 of two alone, ``"none"`` for one score a class.

    Returns:
      The metric.  A class that neither occurs nor is predicted has the score 0.

    Raises:
      ValueError: there is no such average.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.f1(average="binary")
      >>> metric.result(metric.update(metric.init(), jnp.array([1, 1, 0]), jnp.array([1, 0, 0]))).round(4)
      Array(0.6667, dtype=float32)
    """
    if average not in ("macro", "micro", "weighted", "binary", "none"):
        raise ValueError(
            f"fungrad.train.f1: average must be 'macro', 'micro', 'weighted', 'binary' or 'none', got {average!r}"
        )
    if average == "binary" and num_classes != 2:
        raise ValueError(f"fungrad.train.f1: average must not be 'binary' with num_classes={num_classes}")

    def result(matrix: Array) -> Array:
        counts = matrix.astype(np.float64)
        right, actual, predicted = jnp.diagonal(counts), jnp.sum(counts, 1), jnp.sum(counts, 0)
        if average == "micro":
            return _ratio(jnp.sum(right), jnp.sum(counts))
        scores = jnp.where(actual + predicted > 0, 2 * right / jnp.maximum(actual + predicted, 1), 0)
        if average == "macro":
            scores = jnp.mean(scores)
        elif average == "weighted":
            scores = jnp.sum(scores * actual) / jnp.sum(counts)
        elif average == "binary":
            scores = scores[1]
        return scores.astype(dtypes.default_float())

    return _confusion("f1", num_classes, result)


def auc(bins: int = 1000) -> Metric:
    """Area under the ROC curve of probabilities, counted in bins: how often a 1 scores higher than a 0.

    Predictions are probabilities from 0 to 1, labels 0 and 1. Pairs within one bin count half, so the error is at most
    half the share of such pairs; ``roc_auc`` is exact for data in one piece.

    Args:
      bins: number of bins.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.auc()
      >>> metric.result(metric.update(metric.init(), jnp.array([0.1, 0.6, 0.4, 0.9]), jnp.array([0, 0, 1, 1])))
      Array(0.75, dtype=float32)
    """
    bins = index("fungrad.train.auc", "bins", bins, 1)

    def init() -> Array:
        return jnp.zeros((2, bins), np.int64)

    def update(state: Any, predictions: Any, labels: Any, where: Any = None) -> Array:
        predictions = as_array(predictions, "fungrad.train.auc: predictions")
        labels = _labels("auc", labels, predictions.shape)
        counted = _counted("auc", where, labels.shape)
        good = (predictions >= 0) & (predictions <= 1) & ((labels == 0) | (labels == 1))
        debug_check(
            jnp.all(good | (counted == 0)),
            "fungrad.train.auc: predictions must be probabilities from 0 to 1, and labels 0 or 1",
        )
        inside = jnp.where(counted != 0, predictions, 0)
        place = jnp.minimum((inside * bins).astype(jnp.int32), bins - 1)
        return state.at[jnp.where(counted != 0, labels, 0).astype(jnp.int32), place].add(counted)

    def result(state: Array) -> Array:
        zeros, ones = state.astype(np.float64)
        below = jnp.cumsum(zeros) - zeros
        return _ratio(jnp.sum(ones * (below + zeros / 2)), jnp.sum(zeros) * jnp.sum(ones))

    return Metric(init, update, result)


def roc_auc(scores: Any, labels: Any) -> Array:
    """Exact area under the ROC curve: how often a 1 scores higher than a 0, equal scores counting half.

    Args:
      scores: vector of any scores.
      labels: vector of 0 and 1.

    Returns:
      A number from 0 to 1; NaN without examples of both, or if a score is NaN.

    Raises:
      ValueError: the shapes differ, or labels are no integers.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> train.roc_auc(jnp.array([-3.0, 1.0, 0.0, 2.0]), jnp.array([0, 0, 1, 1]))
      Array(0.75, dtype=float32)
    """
    scores = as_array(scores, "fungrad.train.roc_auc: scores")
    if scores.ndim != 1:
        raise ValueError(f"fungrad.train.roc_auc: scores must be a vector, got {scores.aval.str_short()}")
    found = _labels("roc_auc", labels, scores.shape)
    ones = found.astype(bool)
    if not isinstance(found, Tracer) and not np.isin(np.asarray(found), (0, 1)).all():
        raise ValueError("fungrad.train.roc_auc: labels must be 0 or 1, got others")
    ordered = jnp.sort(scores)
    # The mean rank of all equal scores.
    rank = (jnp.searchsorted(ordered, scores) + jnp.searchsorted(ordered, scores, side="right") + 1).astype(
        np.float64
    ) / 2
    count = jnp.sum(ones).astype(np.float64)
    pairs = count * (scores.shape[0] - count)
    area = _ratio(jnp.sum(jnp.where(ones, rank, 0)) - count * (count + 1) / 2, pairs)
    # NaN has no place in the order.
    return jnp.where(jnp.isnan(scores).any(), jnp.nan, area)


def perplexity() -> Metric:
    """Exponential of the mean cross-entropy: between how many equally likely classes a model hesitates.

    Predictions are logits ``[..., classes]`` for labels ``[...]``.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import train
      >>> metric = train.perplexity()
      >>> metric.result(metric.update(metric.init(), jnp.zeros((3, 8)), jnp.array([0, 5, 7]))).round(4)
      Array(8., dtype=float32)
    """
    inner = mean()

    def update(state: Any, predictions: Any, labels: Any, where: Any = None) -> Any:
        return inner.update(state, softmax_cross_entropy_with_integer_labels(predictions, labels), where)

    return Metric(inner.init, update, lambda state: jnp.exp(inner.result(state)))
