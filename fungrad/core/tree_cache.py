"""Structures that turn up again and again, and the code that is written for them.

`flatten` and `unflatten` of `core.treedef` look here first. A tree is read by the code of one of the structures that
trees of its class (and, for containers, length) had before; if none accepts it, optree takes it apart, and its
structure is counted. Code is written for what has been counted `OFTEN` times, since writing takes as long as it then
saves in about so many calls. A structure that comes from such code is always the same object, by which the code that
puts trees together is found.

May import ``core.tree_code`` and ``core.tree_nodes``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optree

from fungrad.core.tree_code import MOST_LEAVES, NoCodeError, TreeReader, constructor, defined
from fungrad.core.tree_nodes import NAMESPACE, known_leaf_types

__all__ = [
    "OFTEN",
    "SIZED",
    "Constructor",
    "clear",
    "constructors",
    "flatten_and_note",
    "reader",
    "readers",
    "unflatten_and_note",
]

Spec = Any
Reader = Callable[[Any], tuple[list[Any], Spec] | None]

# Trees of these classes are told apart by their lengths before anything else.
SIZED = frozenset((tuple, list, dict))

OFTEN = 48

# For trees of one class and length: readers that are tried, structures that are counted at a time, structures that code
# is written for altogether, and trees that are looked at for that purpose.
_MOST_READERS = 6
_MOST_COUNTED = 64
_MOST_WRITTEN = 24
_PATIENCE = 20_000

# Entries of each table, which is emptied when it is full; known types of leaves.
_MOST_ENTRIES = 2048


class History:
    """What has been seen of trees of one class and length.

    Attributes:
      counts: how often, by the hash of a structure, optree took apart such trees.
      readers: the code that has been written, by the same, the oldest first.
      refused: hashes of structures that no code is written for.
      written: how often code has been written.
      looks: at how many trees it has looked.
    """

    __slots__ = ("counts", "looks", "readers", "refused", "written")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.readers: dict[int, Reader] = {}
        self.refused: set[int] = set()
        self.written = 0
        self.looks = 0

    def note(self, key: Any, tree: Any, leaves: list[Any], spec: Spec) -> None:
        """Counts a tree that no code has accepted, and writes code if it is time."""
        self.looks += 1
        number = _hash_of(spec)
        if number is None or number in self.refused:
            return
        if number in self.readers:
            # Perhaps only for the type of a leaf.
            _note_leaf_types(leaves)
        if len(self.counts) >= _MOST_COUNTED:
            self.counts.clear()
        count = self.counts[number] = self.counts.get(number, 0) + 1
        if count == OFTEN:
            del self.counts[number]
            self._write(key, tree, leaves, spec, number)

    def _write(self, key: Any, tree: Any, leaves: list[Any], spec: Spec, number: int) -> None:
        self.written += 1
        # Code that has refused so many trees of its own structure is of no use: their metadata is equal, but never
        # the same.
        useless = self.readers.pop(number, None)
        read = None if useless else reader(tree, spec, leaves)
        if read is not None:
            _note_leaf_types(leaves)
            found = read(tree)
            # A class may give other metadata, or other children, each time.
            if found is None or any(x is not y for x, y in zip(found[0], leaves, strict=True)):
                read = None
        if read is None:
            self.refused.add(number)
        else:
            self.readers[number] = read
            while len(self.readers) > _MOST_READERS:
                del self.readers[next(iter(self.readers))]
            _enter(spec)
        _make_room(readers)
        readers[key] = tuple(reversed(self.readers.values()))


def _hash_of(spec: Spec) -> int | None:
    """The hash of a structure; None if metadata has none."""
    try:
        return hash(spec)
    except Exception:  # noqa: BLE001  # whatever a class of users' raises: jit, which needs the hash, says so
        return None


def _note_leaf_types(leaves: list[Any]) -> None:
    """Notes the types of leaves that optree has found."""
    if len(known_leaf_types) < _MOST_ENTRIES:
        known_leaf_types.update(map(type, leaves))


def _make_room(table: dict[Any, Any]) -> None:
    if len(table) >= _MOST_ENTRIES:
        table.clear()


class Constructor:
    """How trees of one structure are put together.

    Attributes:
      spec: the structure.
      count: the number of its leaves.
      build: function of a list or tuple of leaves.
    """

    __slots__ = ("build", "count", "spec")

    def __init__(self, spec: Spec):
        self.spec = spec
        self.count = spec.num_leaves
        # Code is written when it is first called.
        self.build: Callable[[Sequence[Any]], Any] = self._first

    def _first(self, leaves: Sequence[Any]) -> Any:
        try:
            self.build = constructor(self.spec)
        except NoCodeError:
            self.build = self.spec.unflatten
        return self.build(leaves)


# By class, of containers by class and length.
readers: dict[Any, tuple[Reader, ...]] = {}
_histories: dict[Any, History] = {}
# By the identity of a structure, which its entry keeps alive.
constructors: dict[int, Constructor] = {}
# How often, by their hashes, structures without a constructor were put together.
_uses: dict[int, int] = {}


def reader(tree: Any, spec: Spec, leaves: list[Any]) -> Reader | None:
    """A function that takes apart trees of one structure.

    Args:
      tree: such a tree.
      spec: the structure.
      leaves: its leaves.

    Returns:
      A function of a tree: the list of its leaves, and ``spec``; or None if the tree has another structure, or a leaf
      of a type that is not known to be one. None if there is no code for the structure.
    """
    if spec.num_leaves > MOST_LEAVES:
        return None
    code = TreeReader(runs=True)
    try:
        code.node(spec, "tree", tree, exact=True)
    except NoCodeError:
        return None
    type_of = {cls: code.known("type", cls) for cls in {*map(type, leaves)}}
    listed = f"[{', '.join(code.leaves)}]"
    if code.has_runs:
        code.require(f"leaf_types.issuperset(map(type, {listed}))")
    elif leaves:
        # As in the tree at hand, most likely.
        expected = [f"type({v}) is {type_of[type(x)]}" for v, x in zip(code.leaves, leaves, strict=True)]
        code.require(f"({' and '.join(expected)}) or leaf_types.issuperset(map(type, {listed}))")
    code.names |= {"spec": spec, "leaf_types": known_leaf_types}
    body = "".join([f"        {line}\n" for line in code.lines])
    # What a function of the user's raises, optree comes upon again.
    text = f"def read(tree):\n    try:\n{body}        return {listed}, spec\n    except Exception:\n        return None"
    return defined(text, "read", code.names)  # type: ignore[no-any-return]


def flatten_and_note(tree: Any, key: Any) -> tuple[list[Any], Spec]:
    """Takes a tree apart that no code has accepted, and counts its structure.

    Args:
      tree: the tree.
      key: its class, or for the classes of ``SIZED`` the pair of class and length.
    """
    leaves, spec = optree.tree_flatten(tree, None, namespace=NAMESPACE)
    if spec.is_leaf():
        _note_leaf_types(leaves)
        return leaves, spec
    history = _histories.get(key)
    if history is None:
        _make_room(_histories)
        history = _histories[key] = History()
    if history.written < _MOST_WRITTEN and history.looks < _PATIENCE:
        history.note(key, tree, leaves, spec)
    return leaves, spec


def unflatten_and_note(spec: Spec, leaves: Sequence[Any]) -> Any:
    """Puts a tree together whose structure has no constructor, and counts the structure."""
    number = _hash_of(spec)
    if number is not None:
        _make_room(_uses)
        count = _uses[number] = _uses.get(number, 0) + 1
        # Where each call comes with a structure of its own, equal to the others, code pays less and less.
        if count >= OFTEN and count % OFTEN == 0 and (count // OFTEN).bit_count() == 1:
            _enter(spec)
    return spec.unflatten(leaves)


def _enter(spec: Spec) -> None:
    """Gives a structure a constructor."""
    _make_room(constructors)
    constructors[id(spec)] = Constructor(spec)


def clear() -> None:
    """Forgets all code and all structures."""
    for table in (readers, _histories, constructors, _uses):
        table.clear()
