"""Batches of examples, shuffled anew in every epoch, and parts of data sets.

May import ``core``, ``numpy`` and ``random``.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import fungrad.numpy as jnp
from fungrad import random
from fungrad.core import dtypes, tree
from fungrad.core.arguments import function, index, shown
from fungrad.core.array import Array, is_array_like, wrap_unchecked
from fungrad.core.avals import ShapedArray
from fungrad.core.source import api_class

_LAST = ("drop", "keep", "pad")


def examples(api: str, arrays: Any) -> tuple[Any, int]:
    """A tree of arrays as ours, and the common size of their first axes.

    Raises:
      TypeError: a leaf is no array.
      ValueError: there is none, one is a scalar, or sizes differ.
    """
    paths = tree.leaves_with_path(arrays)
    if not paths:
        raise ValueError(f"{api}: arrays must have at least one array")
    for path, leaf in paths:
        if not is_array_like(leaf):
            raise TypeError(f"{api}: arrays{tree.keystr(path)} must be an array, got {shown(leaf)}")
        if not np.ndim(leaf):
            raise ValueError(f"{api}: arrays{tree.keystr(path)} must have an axis of examples, got a scalar")
    sizes = {path: np.shape(leaf)[0] for path, leaf in paths}
    first, count = next(iter(sizes.items()))
    for path, size in sizes.items():
        if size != count:
            raise ValueError(
                f"{api}: arrays must have one number of examples, got {count} in arrays{tree.keystr(first)} and {size} "
                f"in arrays{tree.keystr(path)}"
            )
    return tree.map(jnp.asarray, arrays), count


def rows_of(arrays: Any, rows: np.ndarray) -> Any:
    """The examples of some numbers."""

    def taken(x: Array) -> Array:
        if dtypes.is_key(x.dtype):
            return x[rows]
        data = np.take(np.asarray(x), rows, axis=0)
        return wrap_unchecked(data, ShapedArray(data.shape, x.dtype))

    return tree.map(taken, arrays)


@api_class
class Batches:
    """Batches of a data set: what ``fungrad.data.batches`` makes.

    Iterating goes through all epochs; every time it is the same, for the order is a function of the key.

    Attributes:
      size: examples of a batch.
      per_epoch: batches of an epoch.
      epochs: number of epochs, None for no end.
    """

    def __init__(
        self, key: Any, arrays: Any, count: int, size: int, epochs: int | None, last: str, prefetch: int,
        transform: Callable[[Any, Any], Any] | None,
    ):  # fmt: skip
        self._key, self._arrays, self._count = key, arrays, count
        self.size, self.epochs = size, epochs
        self._last, self._prefetch, self._transform = last, prefetch, transform
        self.per_epoch = count // size if last == "drop" else math.ceil(count / size)

    def __len__(self) -> int:
        if self.epochs is None:
            raise TypeError("fungrad.data.batches: batches without an end have no length")
        return self.per_epoch * self.epochs

    def __iter__(self) -> Iterator[Any]:
        return self.start(0)

    def start(self, step: int) -> Iterator[Any]:
        """Goes on after ``step`` batches, as an interrupted run does.

        Args:
          step: how many batches to leave out.
        """
        step = index("fungrad.data.batches.start", "step", step, 0)
        produced = self._from(step)
        return _ahead(produced, self._prefetch) if self._prefetch else produced

    def _from(self, step: int) -> Iterator[Any]:
        epoch, position = divmod(step, self.per_epoch) if self.per_epoch else (0, 0)
        while self.epochs is None or epoch < self.epochs:
            order = self._order(epoch)
            for n in range(position, self.per_epoch):
                yield self._batch(epoch, n, order[n * self.size : (n + 1) * self.size])
            epoch, position = epoch + 1, 0

    def _order(self, epoch: int) -> np.ndarray:
        if self._key is None:
            return np.arange(self._count)
        return np.asarray(random.permutation(random.fold_in(self._key, 2 * epoch), self._count))

    def _batch(self, epoch: int, n: int, rows: np.ndarray) -> Any:
        missing = self.size - len(rows)
        if self._last == "pad" and missing:
            # The padding repeats an example, so that no number is one that never occurs.
            rows = np.concatenate([rows, np.repeat(rows[:1], missing)])
        batch = rows_of(self._arrays, rows)
        if self._transform is not None:
            batch = self._transform(random.fold_in(random.fold_in(self._key, 2 * epoch + 1), n), batch)
        if self._last == "pad":
            return batch, jnp.arange(self.size) < self.size - missing
        return batch


def _ahead(produced: Iterator[Any], depth: int) -> Iterator[Any]:
    """Elements of an iterator, made by a thread while the last ones are used."""
    made: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                made.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in produced:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:  # noqa: BLE001 (it is raised where the batch is asked for)
            put((None, error))

    thread = threading.Thread(target=work, name="fungrad.data.batches", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stopped.set()
        thread.join()


def batches(
    key: Any,
    arrays: Any,
    size: int,
    *,
    epochs: int | None = 1,
    last: str = "drop",
    prefetch: int = 0,
    transform: Callable[[Any, Any], Any] | None = None,
) -> Batches:
    """Batches of examples, shuffled anew in every epoch.

    Args:
      key: a random key, which determines the order; None for the order of the arrays.
      arrays: tree of arrays with one number of examples along their first axes.
      size: examples of a batch.
      epochs: how often to go through the data; None for no end.
      last: what to do with the examples that are left when an epoch does not divide: ``"drop"`` them, ``"keep"`` them
        as a smaller batch, or ``"pad"`` it by repeating one.  With ``"pad"`` every batch comes as a pair
        ``(batch, mask)``, the mask True for examples of the data; so all batches have one shape.
      prefetch: how many batches a thread makes in advance; 0 for none.
      transform: function ``(key, batch) -> batch``, such as an augmentation; each batch gets a key of its own.

    Returns:
      An iterable over batches, trees like ``arrays``, with ``len``; ``start(step)`` goes on after some batches.

    Raises:
      TypeError: an argument is of a wrong class.
      ValueError: the sizes differ, or no batch can be made of the data.

    Example:
      >>> import numpy as np
      >>> from fungrad import data, random
      >>> x, y = np.arange(5.0), np.arange(5)
      >>> for x_batch, y_batch in data.batches(random.key(0), (x, y), 2):
      ...   print(x_batch, y_batch)
      [0. 2.] [0 2]
      [4. 1.] [4 1]
      >>> len(data.batches(random.key(0), (x, y), 2, epochs=3, last="keep"))
      9
    """
    api = "fungrad.data.batches"
    arrays, count = examples(api, arrays)
    size = index(api, "size", size, 1)
    if epochs is not None:
        epochs = index(api, "epochs", epochs, 0)
    prefetch = index(api, "prefetch", prefetch, 0)
    if last not in _LAST:
        raise ValueError(f"{api}: last must be 'drop', 'keep' or 'pad', got {last!r}")
    if not count or (last == "drop" and count < size):
        raise ValueError(
            f"{api}: size must be at most the number of examples, got {size} and {count}; smaller batches come with "
            "last='keep'"
        )
    if transform is not None:
        function(api, "transform", transform)
        if key is None:
            raise ValueError(f"{api}: key must not be None with a transform, whose keys are made of it")
    if key is not None:
        random.fold_in(key, 0)
    return Batches(key, arrays, count, size, epochs, last, prefetch, transform)


def split(key: Any, arrays: Any, parts: Sequence[float], *, stratify: Any = None) -> list[Any]:
    """Divides a data set at random, for training and validation say.

    Args:
      key: a random key; None to take the examples in their order.
      arrays: tree of arrays with one number of examples along their first axes.
      parts: sizes of the parts: numbers of examples (int), or shares of all (float) that add up to at most 1.
      stratify: labels, a vector of integers: every part gets its share of each.

    Returns:
      One tree for each part.

    Raises:
      TypeError: a part is no number.
      ValueError: the parts are more than there is.

    Example:
      >>> import numpy as np
      >>> from fungrad import data, random
      >>> train, test = data.split(random.key(0), np.arange(10), (0.8, 0.2))
      >>> train.shape, test.shape
      ((8,), (2,))
    """
    api = "fungrad.data.split"
    arrays, count = examples(api, arrays)
    ends = _ends(api, list(parts), count)
    order = np.arange(count) if key is None else np.asarray(random.permutation(key, count))
    if stratify is not None:
        labels = np.asarray(stratify)
        if labels.shape != (count,):
            raise ValueError(
                f"{api}: stratify must have shape {(count,)}, a label for each example, got {labels.shape}"
            )
        order = _interleaved(order, labels[order])
    return [rows_of(arrays, order[begin:end]) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def _ends(api: str, parts: list[Any], count: int) -> list[int]:
    """Where the parts end."""
    if not parts:
        raise ValueError(f"{api}: parts must have at least one size")
    shares = [isinstance(p, float) for p in parts]
    if not all(s or (isinstance(p, int) and not isinstance(p, bool)) for s, p in zip(shares, parts, strict=True)):
        raise TypeError(f"{api}: parts must be integers or shares between 0 and 1, got {parts}")
    if any(shares) != all(shares) or any(not 0 <= p for p in parts) or sum(parts) > (1 + 1e-9 if shares[0] else count):
        raise ValueError(
            f"{api}: parts must be numbers of examples that add up to at most {count}, or shares that add up to at "
            f"most 1, got {parts}"
        )
    sums = np.cumsum(parts)
    return [min(count, round(float(s) * count)) for s in sums] if shares[0] else [int(s) for s in sums]


def _interleaved(order: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Examples in an order in which every stretch has about its share of each label."""
    place = np.empty(len(order))
    for label in np.unique(labels):
        (where,) = np.nonzero(labels == label)
        place[where] = (np.arange(len(where)) + 0.5) / len(where)
    return order[np.argsort(place, kind="stable")]
