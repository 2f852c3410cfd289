"""Tensors and variables of the tape's style, and the tapes that are recording now.

May import ``styles._graph``.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

import fungrad.numpy as jnp
from fungrad.styles._graph import Box, Node, apply


class Recorder(Protocol):
    """What a tape is for the tensors."""

    def sees(self, b: Box) -> bool:
        """Whether operations on this are recorded."""
        ...

    def add(self, node: Node, results: list[Box]) -> None:
        """Keeps an operation."""
        ...


class _Tapes(threading.local):
    def __init__(self) -> None:
        self.recording: list[Recorder] = []


tapes = _Tapes()


class Tensor(Box):
    """An array whose history, if any, is on a tape.

    Args:
      value: a number, nested lists, or an array; Python floats become float32.
      dtype: type of the elements.
    """

    __slots__ = ()

    def __init__(self, value: Any, dtype: Any = None):
        self._begin(to_array(value, dtype))

    @staticmethod
    def _tracked(inputs: Sequence[Box]) -> list[Box]:
        return [b for b in inputs if any(tape.sees(b) for tape in tapes.recording)]

    @staticmethod
    def _remember(node: Node, results: list[Box]) -> None:
        for tape in tapes.recording:
            if any(tape.sees(b) for b in node.inputs):
                tape.add(node, results)

    def __repr__(self) -> str:
        return (
            f"<Tensor: shape={self.shape}, dtype={self.dtype}, numpy={np.array2string(self.numpy(), separator=', ')}>"
        )


Tensor._result = Tensor


class Variable(Tensor):
    """A number that changes: tapes see what is done with it.

    Args:
      initial_value: what it is at first.
      trainable: whether tapes see it without being told.
      name: for people.
      dtype: type of the elements.

    Example:
      >>> from fungrad.styles import tape as tf
      >>> v = tf.Variable(1.0)
      >>> v.assign_add(2.0)
      >>> v
      <Variable 'Variable' shape=() dtype=float32, numpy=3.>
    """

    __slots__ = ("trainable", "name")

    def __init__(self, initial_value: Any, trainable: bool = True, name: str = "Variable", dtype: Any = None):
        super().__init__(initial_value, dtype)
        self.trainable, self.name = bool(trainable), name

    def assign(self, value: Any) -> None:
        """Becomes ``value``, which must have its shape.

        Raises:
          ValueError: the shape is another.
        """
        new = to_array(value, self.dtype)
        if new.shape != self.shape:
            raise ValueError(
                f"Cannot assign value to variable '{self.name}': Shape mismatch. The variable shape {self.shape}, and "
                f"the assigned value shape {new.shape} are incompatible."
            )
        self._value = new

    def assign_add(self, delta: Any) -> None:
        """Adds to it."""
        self.assign(self._value + to_array(delta, self.dtype))

    def assign_sub(self, delta: Any) -> None:
        """Subtracts from it."""
        self.assign(self._value - to_array(delta, self.dtype))

    def read_value(self) -> Tensor:
        """What it is now, as a tensor that tapes see."""
        return apply(jnp.copy, (self,))

    value = read_value

    def __repr__(self) -> str:
        numbers = np.array2string(self.numpy(), separator=", ")
        return f"<Variable '{self.name}' shape={self.shape} dtype={self.dtype}, numpy={numbers}>"


def to_array(value: Any, dtype: Any = None) -> Any:
    """An array of numbers, lists, arrays or tensors; Python's floats are single precision."""
    if isinstance(value, Box):
        return value._value if dtype is None else value._value.astype(dtype)
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)) and not hasattr(value, "aval"):
        dtype = {"f": jnp.float32, "c": jnp.complex64}.get(np.asarray(value).dtype.kind)
    return jnp.array(np.asarray(value) if not hasattr(value, "aval") else value, dtype=dtype)
