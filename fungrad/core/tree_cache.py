"""Structures that turn up again and again, and the code that is written for them.

`flatten` and `unflatten` of `core.treedef` look here first. A tree is read by the code of one of the structures that
trees of its class (and, for containers, length) had before; if none accepts it, optree takes it apart, and its
structure is counted. Code is written for what has been counted `OFTEN` times, since writing takes as long as it then
saves in about so many calls. A structure that comes from such code is always the same object, by which the code that
puts trees together, or takes apart others that match it, is found.

A predicate for leaves is called exactly as optree calls it, since it may have a state: code looks at the structure
first and then asks the predicate about one node after the other. If an answer is another one than for the earlier tree,
optree takes over, and hears the answers that have been given.

May import ``core.tree_code``, ``core.tree_order`` and ``core.tree_nodes``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any

import optree

from fungrad.core.tree_code import MOST_LEAVES, NoCodeError, TreeReader, constructor, defined
from fungrad.core.tree_nodes import NAMESPACE, has_hash, known_leaf_types, when_registered
from fungrad.core.tree_order import flattened

__all__ = [
    "OFTEN",
    "SIZED",
    "Structure",
    "clear",
    "flatten_and_note",
    "flatten_until",
    "note_use",
    "reader",
    "readers",
    "structures",
    "unflatten_and_note",
]

Spec = Any
Predicate = Callable[[Any], bool]
Reader = Callable[..., Any]

# Trees of these classes are told apart by their lengths before anything else.
SIZED = frozenset((tuple, list, dict))

OFTEN = 48

# For trees of one class and length: readers that are tried, structures that are counted at a time, structures that code
# is written for altogether, and trees that are looked at for that purpose.
_MOST_READERS = 6
_MOST_COUNTED = 64
_MOST_WRITTEN = 24
_PATIENCE = 20_000

# Threads that have written code enter it one after the other.
_changing = threading.Lock()

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
      wanted: hash of the structure of which the answers of a predicate are wanted, to write code for it.
    """

    __slots__ = ("counts", "looks", "readers", "refused", "wanted", "written")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.readers: dict[int, Reader] = {}
        self.refused: set[int] = set()
        self.written = 0
        self.looks = 0
        self.wanted: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is worth while to go on."""
        return self.written < _MOST_WRITTEN and self.looks < _PATIENCE

    def note(self, key: Any, tree: Any, leaves: list[Any], spec: Spec, answers: list[Any] | None = None) -> None:
        """Counts a tree that no code has accepted, and writes code if it is time.

        Args:
          key: its key in ``readers``.
          tree: the tree.
          leaves, spec: what optree makes of it.
          answers: those of the predicate, in depth-first order, or an empty list if they have not been noted; None if
            there is no predicate.
        """
        self.looks += 1
        wanted, self.wanted = self.wanted, None
        number = _hash_of(spec)
        if number is None or number in self.refused:
            return
        if answers and number == wanted:
            self._write(key, tree, leaves, spec, number, answers)
            return
        if number in self.readers:
            # Perhaps only for the type of a leaf.
            _note_leaf_types(leaves, answers is not None)
        if len(self.counts) >= _MOST_COUNTED:
            self.counts.clear()
        count = self.counts[number] = self.counts.get(number, 0) + 1
        if count == OFTEN:
            self.counts.pop(number, None)  # another thread may have emptied them
            if answers is None:
                self._write(key, tree, leaves, spec, number, None)
            else:
                self.wanted = number

    def _write(
        self, key: Any, tree: Any, leaves: list[Any], spec: Spec, number: int, answers: list[Any] | None
    ) -> None:
        self.written += 1
        # Code that has refused so many trees of its own structure is of no use: their metadata is equal, but never
        # the same.
        with _changing:
            useless = self.readers.pop(number, None)
        read = None if useless else reader(tree, spec, leaves, answers)
        if read is not None:
            _note_leaf_types(leaves, answers is not None)
            found = read(tree) if answers is None else read(tree, Replay(_no_more, answers))
            # A class may give other metadata, or other children, each time.
            if type(found) is not tuple or any(x is not y for x, y in zip(found[0], leaves, strict=True)):
                read = None
        with _changing:
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


def _note_leaf_types(leaves: list[Any], maybe_nodes: bool = False) -> None:
    """Notes the types of leaves that optree has found; with a predicate, some may be nodes."""
    if maybe_nodes:
        leaves = [x for x in leaves if optree.all_leaves([x], namespace=NAMESPACE)]
    if len(known_leaf_types) < _MOST_ENTRIES:
        known_leaf_types.update([cls for cls in map(type, leaves) if has_hash(cls)])


class Replay:
    """A predicate whose first answers have been given already."""

    def __init__(self, predicate: Predicate, answers: Iterable[Any]):
        self.predicate = predicate
        self.answers = iter(answers)

    def __call__(self, x: Any) -> Any:
        for answer in self.answers:
            return answer
        return self.predicate(x)


def _no_more(x: Any) -> bool:
    raise AssertionError(f"a predicate is asked about {x!r}, which is no node")


def _make_room(table: dict[Any, Any]) -> None:
    if len(table) >= _MOST_ENTRIES:
        table.clear()


class Structure:
    """How trees of one structure are put together and taken apart.

    Attributes:
      spec: the structure.
      count: the number of its leaves.
      build: function of a list or tuple of leaves.
      open: function of a tree: its subtrees where the structure has its leaves; None if it does not match, and perhaps
        if it does.
    """

    __slots__ = ("build", "count", "open", "spec")

    def __init__(self, spec: Spec):
        self.spec = spec
        self.count = spec.num_leaves
        # Code is written when it is first called.
        self.build: Callable[[Sequence[Any]], Any] = self._first_build
        self.open: Callable[[Any], list[Any] | None] = self._first_open

    def _first_build(self, leaves: Sequence[Any]) -> Any:
        try:
            self.build = constructor(self.spec)
        except NoCodeError:
            self.build = self.spec.unflatten
        return self.build(leaves)

    def _first_open(self, tree: Any) -> list[Any] | None:
        self.open = _opener(self.spec) or _open_nothing
        return self.open(tree)


def _open_nothing(_tree: Any) -> None:
    return None


def _opener(spec: Spec) -> Callable[[Any], list[Any] | None] | None:
    """A function that takes apart what matches a structure; None if there is no code for it."""
    if spec.num_leaves > MOST_LEAVES:
        return None
    code = TreeReader(runs=True)
    try:
        code.tree(spec, "tree")
    except NoCodeError:
        return None
    return _function(code, "tree", f"return [{', '.join(code.leaves)}]")


def _function(code: TreeReader, parameters: str, end: str) -> Any:
    """The function ``read`` of the code: None where it fails."""
    body = "".join([f"        {line}\n" for line in code.lines])
    # What a function of the user's raises, optree comes upon again.
    text = f"def read({parameters}):\n    try:\n{body}        {end}\n    except Exception:\n        return None\n"
    return defined(text, "read", code.names)


# By class, of containers by class and length; with a predicate, by its code's identity besides.
readers: dict[Any, tuple[Reader, ...]] = {}
_histories: dict[Any, History] = {}
# By the identity of a structure, which its entry keeps alive.
structures: dict[int, Structure] = {}
# How often, by their hashes, structures that are not among those were put together or matched.
_uses: dict[int, int] = {}


def reader(tree: Any, spec: Spec, leaves: list[Any], answers: Sequence[Any] | None = None) -> Reader | None:
    """A function that takes apart trees of one structure.

    Args:
      tree: such a tree.
      spec: the structure.
      leaves: its leaves.
      answers: what a predicate for leaves has answered, in depth-first order.

    Returns:
      A function of a tree, and with ``answers`` of a predicate. It gives the list of leaves, and ``spec``; or None if
      the tree has another structure, or a leaf of a type that is not known to be one; or a ``Replay`` if the predicate
      answers otherwise. None if there is no code for the structure.
    """
    if spec.num_leaves > MOST_LEAVES:
        return None
    if not all([has_hash(type(x)) for x in leaves]):
        return None
    code = TreeReader(runs=answers is None)
    try:
        code.tree(spec, "tree", tree, exact=True)
    except NoCodeError:
        return None
    listed = f"[{', '.join(code.leaves)}]"
    # What a predicate takes for a leaf may be of any type.
    asked = dict(zip(code.nodes, answers, strict=True)) if answers is not None else {}
    if code.has_runs:
        code.require(f"leaf_types.issuperset(map(type, {listed}))")
    elif checked := [(v, type(x)) for v, x in zip(code.leaves, leaves, strict=True) if not asked.get(v)]:
        # As in the tree at hand, most likely.
        name_of = {cls: code.known("type", cls) for cls in {cls for _, cls in checked}}
        expected = " and ".join([f"type({v}) is {name_of[cls]}" for v, cls in checked])
        others = ", ".join([v for v, _ in checked])
        code.require(f"({expected}) or leaf_types.issuperset(map(type, [{others}]))")
    code.names |= {"spec": spec, "leaf_types": known_leaf_types}
    if answers is None:
        return _function(code, "tree", f"return {listed}, spec")  # type: ignore[no-any-return]
    read = _function(code, "tree", f"return {listed}, ({', '.join(code.nodes)},)")
    expected_answers = tuple(answers)

    def read_and_ask(tree: Any, is_leaf: Predicate) -> Any:
        found = read(tree)
        if found is None:
            return None
        leaves, nodes = found
        count = 0
        for answer, expected in zip(map(is_leaf, nodes), expected_answers, strict=True):
            if answer is not expected:
                return Replay(is_leaf, (*expected_answers[:count], answer))
            count += 1
        return leaves, spec

    return read_and_ask


def flatten_and_note(tree: Any, key: Any) -> tuple[list[Any], Spec]:
    """Takes a tree apart that no code has accepted, and counts its structure.

    Args:
      tree: the tree.
      key: its class, or for the classes of ``SIZED`` the pair of class and length.
    """
    leaves, spec = flattened(tree, None)
    if spec.is_leaf():
        _note_leaf_types(leaves)
        return leaves, spec
    history = _history(key)
    if history.is_open:
        history.note(key, tree, leaves, spec)
    return leaves, spec


def flatten_until(is_leaf: Predicate, tree: Any) -> tuple[list[Any], Spec]:
    """Takes a tree apart down to where a predicate is true, by code if there is some, and counts its structure."""
    if type(is_leaf) is not FunctionType or not has_hash(type(tree)):
        return flattened(tree, is_leaf)
    cls = type(tree)
    code = id(is_leaf.__code__)
    key = (code, cls, len(tree)) if cls in SIZED else (code, cls)
    ask: Predicate = is_leaf
    for read in readers.get(key, ()):
        found = read(tree, ask)
        if type(found) is tuple:
            return found  # type: ignore[no-any-return]
        if found is not None:
            ask = found
    history = _history(key)
    if history.wanted is None:
        leaves, spec = flattened(tree, ask)
        if history.is_open and not spec.is_leaf():
            history.note(key, tree, leaves, spec, [])
        return leaves, spec
    answers: list[Any] = []

    def noted(x: Any) -> Any:
        answer = ask(x)
        answers.append(answer)
        return answer

    leaves, spec = flattened(tree, noted)
    history.note(key, tree, leaves, spec, answers)
    return leaves, spec


def _history(key: Any) -> History:
    history = _histories.get(key)
    if history is None:
        _make_room(_histories)
        history = _histories[key] = History()
    return history


def unflatten_and_note(spec: Spec, leaves: Sequence[Any]) -> Any:
    """Puts a tree together whose structure has no code, and counts the structure."""
    note_use(spec)
    return spec.unflatten(leaves)


def note_use(spec: Spec) -> None:
    """Counts a structure that has no code."""
    number = _hash_of(spec)
    if number is None:
        return
    _make_room(_uses)
    count = _uses[number] = _uses.get(number, 0) + 1
    # Where each call comes with a structure of its own, equal to the others, code pays less and less.
    if count >= OFTEN and count % OFTEN == 0 and (count // OFTEN).bit_count() == 1:
        _enter(spec)


def _enter(spec: Spec) -> None:
    """Makes a structure one that has code."""
    _make_room(structures)
    structures[id(spec)] = Structure(spec)


def clear() -> None:
    """Forgets all code and all structures."""
    for table in (readers, _histories, structures, _uses):
        table.clear()


when_registered.append(clear)
