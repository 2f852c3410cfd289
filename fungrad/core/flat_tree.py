"""`FlatTree`: a flat list of leaves that remembers the tree it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import optree

from fungrad.core.tree_keys import KeyPath
from fungrad.core.tree_nodes import NAMESPACE
from fungrad.core.treedef import PyTreeDef, flatten, key_paths, structure_text, unflatten

__all__ = ["FlatTree"]


class FlatTree:
    """The leaves of a tree and its structure; immutable.

    Mapping over a `FlatTree` replaces leaves one by one and never looks inside them: a function may
    return a tuple or None without changing the structure.

    Attributes:
      leaves: the leaves, a tuple.
      treedef: the structure.

    Examples:
      >>> from fungrad.core.flat_tree import FlatTree
      >>> flat = FlatTree.flatten({'a': 1, 'b': (2, 3)})
      >>> flat.map(lambda x: 10 * x).unflatten()
      {'a': 10, 'b': (20, 30)}
    """

    __slots__ = ("_leaves", "_treedef")

    def __init__(self, treedef: PyTreeDef, leaves: Iterable[Any]):
        self._treedef = treedef
        self._leaves = tuple(leaves)
        if len(self._leaves) != treedef.num_leaves:
            raise ValueError(
                f"FlatTree: {structure_text(treedef)} has {treedef.num_leaves} leaves, got {len(self._leaves)}. "
                "Give one value per leaf."
            )

    @classmethod
    def flatten(cls, tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> FlatTree:
        """The flat form of a tree."""
        leaves, treedef = flatten(tree, is_leaf)
        return cls(treedef, leaves)

    @classmethod
    def pack(cls, parts: Iterable[FlatTree]) -> FlatTree:
        """The flat form of the tuple of some trees; `unpack` takes it apart."""
        parts = tuple(parts)
        treedef = optree.treespec_tuple([part.treedef for part in parts], namespace=NAMESPACE)
        return cls(treedef, [leaf for part in parts for leaf in part])

    @property
    def leaves(self) -> tuple[Any, ...]:
        return self._leaves

    @property
    def treedef(self) -> PyTreeDef:
        return self._treedef

    def unflatten(self) -> Any:
        """The tree."""
        return unflatten(self._treedef, self._leaves)

    def unpack(self) -> tuple[FlatTree, ...]:
        """The flat forms of the immediate children of the root."""
        parts, start = [], 0
        for child in self._treedef.children():
            stop = start + child.num_leaves
            parts.append(FlatTree(child, self._leaves[start:stop]))
            start = stop
        return tuple(parts)

    def update(self, leaves: Iterable[Any]) -> FlatTree:
        """The same structure with other leaves."""
        return FlatTree(self._treedef, leaves)

    def map(self, f: Callable[[Any], Any]) -> FlatTree:
        """`f` of every leaf."""
        return self.update([f(leaf) for leaf in self._leaves])

    def map2(self, f: Callable[[Any, Any], Any], other: Sequence[Any]) -> FlatTree:
        """`f` of every leaf and its counterpart in `other`, a `FlatTree` or a sequence."""
        return self.update([f(a, b) for a, b in zip(self._leaves, other, strict=True)])

    def unzip2(self) -> tuple[FlatTree, FlatTree]:
        """From leaves that are pairs, the tree of the first and the tree of the second elements."""
        return self.map(lambda pair: pair[0]), self.map(lambda pair: pair[1])

    def partition(self, mask: Sequence[bool]) -> tuple[list[Any], list[Any]]:
        """The leaves where `mask` is true, and the others; `merge` undoes it."""
        pairs = list(zip(self._leaves, mask, strict=True))
        return [leaf for leaf, keep in pairs if keep], [leaf for leaf, keep in pairs if not keep]

    def merge(self, mask: Sequence[bool], kept: Iterable[Any], others: Iterable[Any]) -> FlatTree:
        """This structure with leaves from `kept` where `mask` is true, from `others` elsewhere."""
        kept, others = list(kept), list(others)
        count = sum([bool(keep) for keep in mask])
        if (len(mask), len(kept), len(others)) != (len(self), count, len(self) - count):
            raise ValueError(
                f"FlatTree.merge: a mask of {len(self)} values that is true {len(kept)} times is "
                f"needed for {len(self)} leaves, {len(kept)} of them kept and {len(others)} "
                f"others; got {len(mask)} values, {count} of them true."
            )
        kept_iter, others_iter = iter(kept), iter(others)
        return self.update([next(kept_iter if keep else others_iter) for keep in mask])

    def paths(self) -> list[KeyPath]:
        """The key path of every leaf."""
        return key_paths(self._treedef)

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._leaves)

    def __getitem__(self, index: int) -> Any:
        return self._leaves[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FlatTree):
            return NotImplemented
        return self._treedef == other._treedef and self._leaves == other._leaves

    def __hash__(self) -> int:
        return hash((self._treedef, self._leaves))

    def __repr__(self) -> str:
        return f"FlatTree({self.unflatten()!r})"
