"""Tree structures: flattening, unflattening, key paths and where two trees differ.

A `PyTreeDef` is optree's `PyTreeSpec`.  Key paths and differences are computed level by level in Python, and only for
errors and for the functions that return paths.

May import ``core.tree_keys``, ``core.tree_nodes``, ``core.tree_order`` and ``core.tree_cache``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NoReturn

import optree

from fungrad.core.tree_cache import (
    SIZED,
    flatten_and_note,
    flatten_until,
    note_use,
    readers,
    structures,
    unflatten_and_note,
)
from fungrad.core.tree_keys import KeyEntry, KeyPath, keystr
from fungrad.core.tree_nodes import NAMESPACE, NodeType, flattened_index_keys, has_hash, known_leaf_types, node_type
from fungrad.core.tree_order import flattened

PyTreeDef = optree.PyTreeSpec

def structure_text(treedef: PyTreeDef) -> str:
    """A structure for a message, such as ``{'a': *, 'b': (*, *)}``."""
    return str(treedef).removeprefix("PyTreeSpec(").removesuffix(")").removesuffix(f", namespace={NAMESPACE!r}")


LEAF: PyTreeDef = optree.tree_structure(0, namespace=NAMESPACE)  # type: ignore[arg-type]


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], PyTreeDef]:
    """Takes a tree apart into its leaves and its structure.

    Args:
      tree: a pytree.
      is_leaf: optional predicate, called on every node before its children; where it is true the
        node is taken as a leaf.

    Returns:
      The list of leaves, in depth-first order with dict entries sorted by key, and the structure.

    Examples:
      >>> from fungrad import tree
      >>> leaves, treedef = tree.flatten({'b': [1, 2], 'a': 3})
      >>> leaves
      [3, 1, 2]
    """
    if is_leaf is not None:
        return flatten_until(is_leaf, tree)
    cls = type(tree)
    try:
        if cls in known_leaf_types:
            return [tree], LEAF
    except TypeError:
        if has_hash(cls):
            raise
        return flattened(tree, None)
    key = (cls, len(tree)) if cls in SIZED else cls
    for read in readers.get(key, ()):
        found = read(tree)
        if found is not None:
            return found
    return flatten_and_note(tree, key)


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """Puts a tree together from its structure and its leaves.

    Args:
      treedef: the structure.
      leaves: one value per leaf.

    Returns:
      The tree.

    Raises:
      ValueError: there are too few or too many leaves.

    Examples:
      >>> from fungrad import tree
      >>> tree.unflatten(tree.structure({'a': 0, 'b': (0, 0)}), [1, 2, 3])
      {'a': 1, 'b': (2, 3)}
    """
    if type(leaves) is not list and type(leaves) is not tuple:
        leaves = list(leaves)
    known = structures.get(id(treedef))
    if known is not None and known.count == len(leaves):
        return known.build(leaves)
    if len(leaves) != treedef.num_leaves:
        _raise_wrong_number_of_leaves(treedef, len(leaves))
    return unflatten_and_note(treedef, leaves)


def _raise_wrong_number_of_leaves(treedef: PyTreeDef, got: int) -> None:
    expected = treedef.num_leaves
    if got < expected:
        path = keystr(key_paths(treedef)[got])
        detail = f"too few leaves, the first place without one is {path or 'the root'}"
    else:
        detail = f"too many leaves, {got - expected} left over"
    raise ValueError(
        f"fungrad.tree.unflatten: {detail}; expected {expected} for {structure_text(treedef)}, got {got}. Pass one "
        "value per leaf, in the order of fungrad.tree.leaves."
    )


# Paths -------------------------------------------------------------------------------------------

# One level of a tree or structure: node type (None for a leaf), keys, children, metadata.
Level = tuple[NodeType | None, Sequence[KeyEntry], Sequence[Any], Any]
# Where two trees differ: path, what the first has there, what the second has, in what they differ.
Difference = tuple[KeyPath, str, str, str]

_LEAF_LEVEL: Level = (None, (), (), None)


def open_value(value: Any, is_leaf: Callable[[Any], bool] | None = None) -> Level:
    """The first level of a tree."""
    node = None if is_leaf is not None and is_leaf(value) else node_type(type(value))
    if node is None:
        return _LEAF_LEVEL
    return node, *node.open(value)


def open_treedef(treedef: PyTreeDef) -> Level:
    """The first level of a structure; its children are structures."""
    if treedef.is_leaf():
        return _LEAF_LEVEL
    node = node_type(treedef.type)  # type: ignore[arg-type]
    children = treedef.children()
    if node is None:
        return _LEAF_LEVEL
    # An instance around its children's structures says the rest. A class that checks its children may refuse them;
    # then they have only their positions.
    try:
        keys, _, meta = node.open(treedef.one_level().unflatten(children))  # type: ignore[union-attr]
    except (TypeError, ValueError, AttributeError):
        keys, meta = (), None
    return node, keys if len(keys) == len(children) else flattened_index_keys(len(children)), children, meta


def key_paths(treedef: PyTreeDef) -> list[KeyPath]:
    """The key path of every leaf of a structure."""
    node, keys, children, _ = open_treedef(treedef)
    if node is None:
        return [()]
    pairs = zip(keys, children, strict=True)
    return [(key, *path) for key, child in pairs for path in key_paths(child)]


def flatten_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Any]], PyTreeDef]:
    """Takes a tree apart into pairs of key path and leaf, and its structure.

    Args:
      tree: a pytree.
      is_leaf: optional predicate for nodes to be taken as leaves.
      is_leaf_takes_path: whether `is_leaf` is called with the key path and the node.

    Returns:
      The list of pairs, in the order of `fungrad.tree.leaves`, and the structure.

    Examples:
      >>> from fungrad import tree
      >>> pairs, treedef = tree.flatten_with_path({'a': (1, 2)})
      >>> pairs[1]
      ((DictKey(key='a'), SequenceKey(idx=1)), 2)
    """
    found: list[tuple[KeyPath, Any]] = []
    stops: set[int] = set()

    def walk(subtree: Any, path: KeyPath) -> None:
        stop = is_leaf is not None and (is_leaf(path, subtree) if is_leaf_takes_path else is_leaf(subtree))
        node, keys, children, _ = _LEAF_LEVEL if stop else open_value(subtree)
        if node is None:
            found.append((path, subtree))
            stops.add(id(subtree))
            return
        for key, child in zip(keys, children, strict=True):
            walk(child, (*path, key))

    walk(tree, ())
    if is_leaf_takes_path:
        return found, flattened(tree, lambda x: id(x) in stops)[1]
    return found, flattened(tree, is_leaf)[1]


# Matching ----------------------------------------------------------------------------------------


def subtrees_at_leaves(treedef: PyTreeDef, tree: Any) -> list[Any] | None:
    """The subtrees of `tree` where `treedef` has its leaves; None if the structures do not match."""
    known = structures.get(id(treedef))
    if known is not None:
        found = known.open(tree)
        if found is not None:
            return found
    elif treedef.is_leaf():
        return [tree]
    else:
        note_use(treedef)
    try:
        return treedef.flatten_up_to(tree)
    except (ValueError, TypeError):
        return None


def flatten_up_to(treedef: PyTreeDef, tree: Any) -> list[Any]:
    """The subtrees of `tree` at the places where `treedef` has its leaves.

    Raises:
      ValueError: `treedef` is not the structure of the top of `tree`.
    """
    subtrees = subtrees_at_leaves(treedef, tree)
    if subtrees is None:
        raise_mismatch(
            differences(treedef, tree, open_treedef, open_value, prefix=True),
            api="fungrad.tree_util.flatten_up_to",
            name="tree",
            hint="The tree must have the structure of the treedef down to the treedef's leaves.",
        )
    return subtrees


def differences(
    first: Any,
    second: Any,
    open_first: Callable[[Any], Level],
    open_second: Callable[[Any], Level],
    *,
    prefix: bool,
    path: KeyPath = (),
) -> Iterator[Difference]:
    """The places where two trees, or a tree and a structure, differ.

    Args:
      first, second: what is compared.
      open_first, open_second: how to open them, `open_treedef` or `open_value`.
      prefix: whether a leaf of `first` matches any subtree of `second`.
      path: the key path of both.
    """
    node1, keys1, children1, meta1 = open_first(first)
    node2, keys, children2, meta2 = open_second(second)
    if node1 is None and (prefix or node2 is None):
        return
    length1, length2 = len(children1), len(children2)
    dicts = node1 is not None and node2 is not None and issubclass(node1.cls, dict) and issubclass(node2.cls, dict)
    if node1 is None or (node1 is not node2 and not (prefix and dicts)):
        reason = "their Python types differ"
    elif dicts:
        reason = _difference_of_keys(keys1, keys)
        if not reason and not prefix:
            reason = _difference_within_type(node1, meta1, length1, meta2, length2)
        if not reason:
            children_of = dict(zip(keys, children2, strict=True))
            keys, children2 = keys1, [children_of[key] for key in keys1]
    else:
        reason = _difference_within_type(node1, meta1, length1, meta2, length2)
    if reason:
        text1 = _describe_leaf(first) if node1 is None else node1.description(meta1, length1)
        text2 = _describe_leaf(second) if node2 is None else node2.description(meta2, length2)
        yield path, text1, text2, reason
        return
    # An instance knows its keys best, and `second` is the one more often.
    for key, child1, child2 in zip(keys, children1, children2, strict=True):
        yield from differences(
            child1, child2, open_first, open_second, prefix=prefix, path=(*path, key)
        )


def _difference_within_type(
    node: NodeType, meta1: Any, length1: int, meta2: Any, length2: int
) -> str:
    """In what two nodes of one type differ, their children aside; empty if they agree."""
    if length1 != length2:
        return "the lengths differ"
    try:
        equal = meta1 is meta2 or bool(meta1 == meta2)
    except ValueError as error:
        raise ValueError(
            f"fungrad.tree: the metadata of two {node.cls.__qualname__} nodes cannot be compared: {error} "
            "Metadata must compare to a single bool. Make arrays children of a node."
        ) from error
    return "" if equal else "the metadata of the nodes differs"


def _difference_of_keys(keys1: Sequence[KeyEntry], keys2: Sequence[KeyEntry]) -> str:
    """In what the keys of two dicts differ; empty if they are the same, in any order."""
    missing = [entry.key for entry in keys1 if entry not in keys2]
    unexpected = [entry.key for entry in keys2 if entry not in keys1]
    parts = [f"missing {missing}"] if missing else []
    parts += [f"unexpected {unexpected}"] if unexpected else []
    return f"the keys differ: {', '.join(parts)}" if parts else ""


def _describe_leaf(value: Any) -> str:
    if isinstance(value, PyTreeDef):
        return "a leaf"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"a leaf, {value.dtype}[{','.join(map(str, value.shape))}]"
    return f"a leaf of type {type(value).__name__}"


def raise_mismatch(found: Iterable[Difference], *, api: str, name: str, hint: str) -> NoReturn:
    """Raises the error for a tree that does not match another.

    Args:
      found: where they differ, expected structure first.
      api: the public function that was called.
      name: what the second tree is called, usually an argument name.
      hint: what to do.
    """
    lines = [
        f"{name}{keystr(path)}: expected {expected}, got {got} ({reason})"
        for path, expected, got, reason in islice(found, 4)
    ]
    if not lines:
        raise ValueError(f"{api}: {name} has another structure. {hint}")
    more = "".join([f"\n  also at {line}" for line in lines[1:3]])
    more += "\n  and at more places." if len(lines) > 3 else ""
    raise ValueError(f"{api}: {lines[0]}. {hint}{more}")
