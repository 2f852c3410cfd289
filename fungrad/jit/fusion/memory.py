"""Where the values of stages are kept."""

from __future__ import annotations

from collections.abc import Sequence

from fungrad.jit.formulas.indices import Idx, linear
from fungrad.jit.formulas.tensors import Formula, Tensor
from fungrad.jit.fusion.fuse import Storage, solve
from fungrad.jit.fusion.stages import Stage
from fungrad.jit.ir import loops


class Memory:
    """Where arrays are: buffers of the program and how stages keep their values.

    Attributes:
      storage: per stage tensor.
      buffer: name of the buffer of a tensor kept whole, or of a row of it.
      offset: where in its buffer a tensor starts, if not at the beginning: an address in terms of the counters of
        enclosing steps, and the depth of the block of a nest in which those are known.
      extra: more places into which a whole tensor is stored.
    """

    def __init__(self, storage: dict[Tensor, Storage], stages: dict[Tensor, Stage]):
        self.storage = storage
        self._updates: dict[Tensor, Formula] = {}
        self._seen = 0
        self.stages = stages
        self.buffer: dict[Tensor, str] = {}
        self.offset: dict[Tensor, tuple[loops.Affine, int]] = {}
        self.extra: dict[Tensor, list[tuple[str, loops.Affine]]] = {}

    def updated(self, tensor: Tensor) -> Formula | None:
        """The formula that updates a tensor in place, None if there is none."""
        if self._seen != len(self.storage):
            self._seen = len(self.storage)
            self._updates.clear()
            for t in self.storage:
                if isinstance(t, Formula) and t.updates is not None:
                    self._updates.setdefault(t.updates, t)
        return self._updates.get(tensor)

    def position(self, tensor: Tensor, index: Sequence[Idx]) -> Idx:
        """Address of an element in the buffer of ``tensor``."""
        storage = self.storage.get(tensor)
        if storage is None or storage.full:
            return linear(tensor.shape, index)
        solution = solve(self.stages[tensor], tuple(index))
        return linear(storage.shape, [solution[a] for a in storage.axes])
