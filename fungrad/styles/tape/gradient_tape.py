"""``GradientTape``: records what is done with the tensors and variables that it watches, as TensorFlow's does.

May import ``styles.tape.tensors``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import fungrad
import fungrad.numpy as jnp
from fungrad import tree
from fungrad.styles._graph import Box, Node, apply, box, pull_arrays, pull_boxes, sweep
from fungrad.styles.tape.tensors import Tensor, Variable, tapes


class GradientTape:
    """Records operations inside of its block, for derivatives afterwards.

    Args:
      persistent: whether it can be asked more than once.
      watch_accessed_variables: whether trainable variables are seen without ``watch``.

    Example:
      >>> from fungrad.styles import tape as tf
      >>> x = tf.Variable(3.0)
      >>> with tf.GradientTape() as t2:
      ...   with tf.GradientTape() as t1:
      ...     y = x ** 3
      ...   first = t1.gradient(y, x)
      >>> float(first), float(t2.gradient(first, x))
      (27.0, 18.0)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent, self._variables = persistent, watch_accessed_variables
        self._watched: dict[int, Box] = {}
        self._made: dict[int, tuple[Node, int]] = {}
        self._kept: list[Box] = []  # results, so that their identities stay theirs
        self._accessed: dict[int, Variable] = {}
        self._recording = self._used = False

    # -- recording ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> GradientTape:
        if self._recording:
            raise ValueError("Tape is already recording.")
        tapes.recording.append(self)
        self._recording = True
        return self

    def __exit__(self, *_: Any) -> None:
        if self._recording:
            self._stop()

    def _stop(self) -> None:
        tapes.recording.remove(self)
        self._recording = False

    def sees(self, b: Box) -> bool:
        """Whether operations on this are recorded."""
        if id(b) in self._made or id(b) in self._watched:
            return True
        return self._variables and isinstance(b, Variable) and b.trainable

    def add(self, node: Node, results: list[Box]) -> None:
        """Keeps an operation."""
        for b in node.inputs:
            if isinstance(b, Variable):
                self._accessed[id(b)] = b
        for i, b in enumerate(results):
            self._made[id(b)] = (node, i)
            self._kept.append(b)

    def watch(self, tensor: Any) -> None:
        """Records what is done with these from now on.

        Args:
          tensor: a tensor or a tree of them, of floating or complex dtype.

        Raises:
          ValueError: the tape is not recording, or something is no tensor.
        """
        if not self._recording:
            raise ValueError("the tape records only inside of its block: call watch there")
        for b in tree.leaves(tensor):
            if not isinstance(b, Box):
                raise ValueError(f"Passed in object {b!r} of type {type(b).__name__!r}, not Tensor or Variable")
            self._watched[id(b)] = b

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables that recorded operations have read."""
        return tuple(self._accessed.values())

    def reset(self) -> None:
        """Forgets what has been recorded."""
        self._watched, self._made, self._kept, self._accessed = {}, {}, [], {}

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Records nothing inside of the block."""
        if not self._recording:
            raise ValueError("Tape is not recording.")
        self._stop()
        try:
            yield
        finally:
            self.__enter__()

    # -- asking -------------------------------------------------------------------------------------------------------

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: str = "none"
    ) -> Any:
        """The derivatives of what was computed by what was watched.

        Args:
          target: a tensor or a tree of them; one of several elements stands for its sum.
          sources: tensors and variables, or a tree of them.
          output_gradients: cotangents of the target.
          unconnected_gradients: ``"none"`` or ``"zero"``: what to give for sources that the target does not depend on.

        Returns:
          Tensors in the structure of the sources.

        Raises:
          RuntimeError: the tape is not persistent and was asked before.

        Example:
          >>> from fungrad.styles import tape as tf
          >>> w, other = tf.Variable([1.0, 2.0]), tf.Variable(0.0)
          >>> with tf.GradientTape() as t:
          ...   loss = tf.reduce_sum(w ** 2)
          >>> t.gradient(loss, {"w": w, "other": other})
          {'other': None, 'w': <Tensor: shape=(2,), dtype=float32, numpy=[2., 4.]>}
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
        self._ask()
        targets = tree.leaves(target)
        given = [None] * len(targets) if output_gradients is None else tree.leaves(output_gradients)
        seeds = [
            (y, ct if ct is not None else jnp.ones(y.shape, y.dtype))
            for y, ct in zip(targets, given, strict=True)
            if isinstance(y, Box)
        ]
        # Another tape may want the derivative of the derivative: then the way back is recorded like everything else.
        recorded = bool(tapes.recording)
        wrap = (lambda ct: ct if isinstance(ct, Box) else box(jnp.asarray(ct), Tensor)) if recorded else _array
        reached = self._back([(y, wrap(ct)) for y, ct in seeds], recorded)

        def of(source: Any) -> Any:
            if not isinstance(source, Box):
                raise ValueError(f"a source must be a Tensor or a Variable, got {type(source).__name__}")
            if id(source) in reached:
                ct = reached[id(source)][1]
                return ct if isinstance(ct, Box) else box(ct, Tensor)
            if unconnected_gradients == "zero":
                return box(jnp.zeros(source.shape, source.dtype), Tensor)
            return None

        return tree.map(of, sources)

    def jacobian(self, target: Any, sources: Any) -> Any:
        """The derivatives of every element of the target, with its axes in front.

        Args:
          target: a tensor.
          sources: tensors and variables, or a tree of them.

        Example:
          >>> from fungrad.styles import tape as tf
          >>> x = tf.Variable([1.0, 2.0])
          >>> with tf.GradientTape() as t:
          ...   y = x * x
          >>> t.jacobian(y, x)
          <Tensor: shape=(2, 2), dtype=float32, numpy=[[2., 0.],
           [0., 4.]]>
        """
        self._ask()
        size = target._value.size
        leaves, structure = tree.flatten(sources)

        def row(ct: Any) -> list[Any]:
            reached = self._back([(target, ct.reshape(target.shape))], recorded=False)
            return [reached[id(s)][1] if id(s) in reached else None for s in leaves]

        rows = fungrad.vmap(row)(jnp.eye(size, dtype=target.dtype))
        return tree.unflatten(
            structure,
            [
                None if r is None else box(r.reshape(target.shape + s.shape), Tensor)
                for r, s in zip(rows, leaves, strict=True)
            ],
        )

    def batch_jacobian(self, target: Any, source: Any) -> Any:
        """The Jacobian of each example of a batch, where examples do not depend on each other.

        Args:
          target: a tensor ``[batch, ...]``.
          source: a tensor ``[batch, ...]``.
        """
        full = self.jacobian(target, source)
        batch = range(target.shape[0])
        out = jnp.stack([full._value[(i, *[slice(None)] * (target.ndim - 1), i)] for i in batch])
        return box(out, Tensor)

    def _ask(self) -> None:
        if self._used and not self._persistent:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients (or jacobians)"
            )
        self._used = True
        if self._recording and not self._persistent:
            self._stop()

    def _back(self, seeds: Sequence[tuple[Box, Any]], recorded: bool) -> dict[int, tuple[Box, Any]]:
        def made(b: Box) -> tuple[Node, int] | None:
            return self._made.get(id(b))

        def pull(node: Node, cts: Sequence[Any]) -> list[Any]:
            back = (pull_boxes if recorded else pull_arrays)(node, cts)
            return [ct if self.sees(b) else None for b, ct in zip(node.inputs, back, strict=True)]

        def add(x: Any, y: Any) -> Any:
            return apply(jnp.add, (x, y)) if recorded else jnp.add(x, y)

        return sweep(seeds, made, lambda node: [made(b) for b in node.inputs], pull, add)


def _array(ct: Any) -> Any:
    return ct._value if isinstance(ct, Box) else jnp.asarray(ct)
