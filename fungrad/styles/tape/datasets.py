"""``tf.data``: data sets that are iterated over, in batches.

May import ``styles.tape.tensors``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fungrad import random, tree
from fungrad.styles._graph import Box, box
from fungrad.styles.tape.functions import next_key
from fungrad.styles.tape.tensors import Tensor, to_array


class Dataset:
    """Something to iterate over, as often as one likes.

    Example:
      >>> import numpy as np
      >>> from fungrad.styles import tape as tf
      >>> dataset = tf.data.Dataset.from_tensor_slices((np.arange(5.0), np.arange(5))).batch(2)
      >>> [x.shape for x, y in dataset]
      [(2,), (2,), (1,)]
    """

    def __init__(self, make: Callable[[], Iterator[Any]], length: int):
        self._make, self._length = make, length

    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """One element for each row of arrays with equal first axes.

        Args:
          tensors: a tree of arrays or tensors.

        Raises:
          ValueError: the first axes differ.
        """
        arrays = tree.map(np.asarray, tensors)
        sizes = {a.shape[0] for a in tree.leaves(arrays)}
        if len(sizes) != 1:
            raise ValueError(f"Dataset.from_tensor_slices: the first axes must have one size, got {sorted(sizes)}")
        (size,) = sizes
        return Dataset(lambda: (tree.map(lambda a, i=i: a[i], arrays) for i in range(size)), size)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Groups of elements, stacked.

        Args:
          batch_size: how many.
          drop_remainder: leave out the last group if it is smaller.
        """

        def batches() -> Iterator[Any]:
            group: list[Any] = []
            for element in self._make():
                group.append(element)
                if len(group) == batch_size:
                    yield _stacked(group)
                    group = []
            if group and not drop_remainder:
                yield _stacked(group)

        whole, rest = divmod(self._length, batch_size)
        return Dataset(batches, whole + bool(rest and not drop_remainder))

    def shuffle(self, buffer_size: int) -> Dataset:
        """Another order in each pass.

        Args:
          buffer_size: at most so many elements are mixed at a time.
        """

        def shuffled() -> Iterator[Any]:
            waiting: list[Any] = []
            rng = np.random.default_rng(int(random.bits(next_key())))
            for element in self._make():
                waiting.append(element)
                if len(waiting) > buffer_size:
                    yield waiting.pop(int(rng.integers(len(waiting))))
            while waiting:
                yield waiting.pop(int(rng.integers(len(waiting))))

        return Dataset(shuffled, self._length)

    def map(self, fun: Callable) -> Dataset:
        """A function of each element."""

        def mapped() -> Iterator[Any]:
            for element in self._make():
                out = fun(*element) if isinstance(element, tuple) else fun(element)
                yield tree.map(lambda a: a.numpy() if isinstance(a, Box) else a, out)

        return Dataset(mapped, self._length)

    def repeat(self, count: int) -> Dataset:
        """The whole ``count`` times."""
        return Dataset(lambda: (e for _ in range(count) for e in self._make()), self._length * count)

    def take(self, count: int) -> Dataset:
        """The first ``count`` elements."""
        return Dataset(lambda: (e for _, e in zip(range(count), self._make(), strict=False)), min(count, self._length))

    def prefetch(self, buffer_size: Any) -> Dataset:
        """The same: data is in memory already."""
        return self

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        for element in self._make():
            yield tree.map(lambda a: box(_array(a), Tensor), element)


def _stacked(group: list[Any]) -> Any:
    return tree.map(lambda *parts: np.stack(parts), *group)


def _array(a: Any) -> Any:
    return to_array(np.asarray(a))
