"""Flattening trees, with and without key paths.

Plain Python, arranged so that the work per container is done by C loops of the interpreter: one set
test over the types of the children, one `list.extend`, one dict lookup. Two caches make that
possible: the leaf types met before, and for each node type a function that flattens its instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from fungrad.core.tree_keys import KeyPath
from fungrad.core.tree_nodes import (
    DICT,
    NONE,
    NodeType,
    are_plain_types,
    flatten_sequence,
    known_leaf_types,
    node_type,
    node_walkers,
    sorted_keys,
)
from fungrad.core.treedef import LEAF, Leaf, PyTree, PyTreeDef, known_or_new, make_treedef

__all__ = ["flatten", "flatten_with_path", "match"]

# Appends the leaves of an instance of one type to a list and returns its structure.
Walker = Callable[[Any, list[Any]], PyTreeDef]

_MAX_LEAF_TYPES = 4096
_MAX_DICT_SHAPES = 2048
_MAX_FLAT_LENGTH = 256

_are_leaf_types = known_leaf_types.issuperset
_are_strings = frozenset({str}).issuperset


def flatten(
    tree: PyTree, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Leaf], PyTreeDef]:
    """Takes a tree apart into its leaves and its structure.

    Args:
      tree: a pytree.
      is_leaf: optional predicate, called on every node before its children; where it is true the
        node is taken as a leaf.

    Returns:
      The list of leaves, in depth-first order with dict entries sorted by key, and the structure.

    Raises:
      ValueError: the keys of a dict have no order.

    Examples:
      >>> from fungrad import tree
      >>> tree.flatten({'b': [1, None], 'a': (2, 3)})
      ([2, 3, 1], PyTreeDef({'a': (*, *), 'b': [*, None]}))
    """
    leaves: list[Leaf]
    if is_leaf is not None:
        leaves = []
        return leaves, _walk_with_predicate(tree, is_leaf, leaves)
    cls = type(tree)
    if cls in known_leaf_types:
        return [tree], LEAF
    leaves = []
    return leaves, (node_walkers.get(cls) or _find_walker(cls))(tree, leaves)


def _find_walker(cls: type) -> Walker:
    """The walker of a type that is not in the caches."""
    node = node_type(cls)
    if node is None:
        if len(known_leaf_types) >= _MAX_LEAF_TYPES:
            known_leaf_types.clear()
        known_leaf_types.add(cls)
        return _walk_leaf
    make = _sequence_walker if node.flatten is flatten_sequence else _custom_walker
    walker = node_walkers[cls] = make(node)
    return walker


def _walk_children(children: Iterable[Any], leaves: list[Any]) -> list[PyTreeDef]:
    defs = []
    for child in children:
        cls = type(child)
        if cls in known_leaf_types:
            leaves.append(child)
            defs.append(LEAF)
        else:
            defs.append((node_walkers.get(cls) or _find_walker(cls))(child, leaves))
    return defs


def _walk_leaf(leaf: Any, leaves: list[Any]) -> PyTreeDef:
    leaves.append(leaf)
    return LEAF


def _walk_none(_node: None, _leaves: list[Any]) -> PyTreeDef:
    return _NONE_DEF


def _sequence_walker(node: NodeType) -> Walker:
    table = node.plain_table
    flat_defs: dict[int, PyTreeDef] = {}  # length -> structure of a sequence of leaves

    def walk(sequence: Sequence[Any], leaves: list[Any]) -> PyTreeDef:
        if not _are_leaf_types(map(type, sequence)):
            defs = _walk_children(sequence, leaves)
            return table.get(tuple(map(id, defs))) or known_or_new(table, node, None, defs)
        leaves.extend(sequence)
        length = len(sequence)
        treedef = flat_defs.get(length)
        if treedef is None:
            treedef = known_or_new(table, node, None, (LEAF,) * length)
            if length <= _MAX_FLAT_LENGTH:
                flat_defs[length] = treedef
        return treedef

    return walk


def _custom_walker(node: NodeType) -> Walker:
    def walk(instance: Any, leaves: list[Any]) -> PyTreeDef:
        children, meta = node.flatten(instance)
        return known_or_new(node.table(meta), node, meta, _walk_children(children, leaves))

    return walk


class _DictShape:
    """What is known about dicts with the same keys in the same insertion order."""

    __slots__ = ("flat_def", "keys", "pick", "table")

    def __init__(self, keys: tuple[Any, ...]):
        self.keys = sorted_keys(keys)
        in_order = all(a is b for a, b in zip(keys, self.keys, strict=True))
        # The function that gets the values in the order of the sorted keys, if that is not theirs.
        self.pick = None if in_order else itemgetter(*self.keys)
        self.table = DICT.table(self.keys)
        self.flat_def = known_or_new(self.table, DICT, self.keys, (LEAF,) * len(keys))


_dict_shapes: dict[Any, _DictShape] = {}


def _find_dict_shape(keys: tuple[Any, ...]) -> _DictShape:
    """The shape of a dict that is not known yet, or whose keys are not all plain strings."""
    kinds = tuple(map(type, keys))
    if not are_plain_types(kinds):
        return _DictShape(keys)
    # Keys can be equal without being the same (1 and True), so their types are looked up with them,
    # except for strings.
    cache_key = keys if _are_strings(kinds) else (kinds, keys)
    shape = _dict_shapes.get(cache_key)
    if shape is None:
        if len(_dict_shapes) >= _MAX_DICT_SHAPES:
            _dict_shapes.clear()
        shape = _dict_shapes[cache_key] = _DictShape(keys)
    return shape


def _walk_dict(node: dict[Any, Any], leaves: list[Any]) -> PyTreeDef:
    if not node:
        return _EMPTY_DICT_DEF
    keys = tuple(node)
    shape = _dict_shapes.get(keys) if _are_strings(map(type, keys)) else None
    if shape is None:
        shape = _find_dict_shape(keys)
    values = node.values() if shape.pick is None else shape.pick(node)
    if _are_leaf_types(map(type, values)):
        leaves.extend(values)
        return shape.flat_def
    return known_or_new(shape.table, DICT, shape.keys, _walk_children(values, leaves))


_NONE_DEF = make_treedef(NONE, None, ())
_EMPTY_DICT_DEF = make_treedef(DICT, (), ())
node_walkers[type(None)] = _walk_none
node_walkers[dict] = _walk_dict


def _walk_with_predicate(
    tree: PyTree, is_leaf: Callable[[Any], bool], leaves: list[Any]
) -> PyTreeDef:
    node = None if is_leaf(tree) else node_type(type(tree))
    if node is None:
        leaves.append(tree)
        return LEAF
    children, meta = node.flatten(tree)
    return make_treedef(node, meta, [_walk_with_predicate(c, is_leaf, leaves) for c in children])


def flatten_with_path(
    tree: PyTree, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> tuple[list[tuple[KeyPath, Leaf]], PyTreeDef]:
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
    found: list[tuple[KeyPath, Leaf]] = []

    def walk(subtree: PyTree, path: KeyPath) -> PyTreeDef:
        node = node_type(type(subtree))
        if is_leaf is not None and (
            is_leaf(path, subtree) if is_leaf_takes_path else is_leaf(subtree)
        ):
            node = None
        if node is None:
            found.append((path, subtree))
            return LEAF
        keys, children, meta = node.flatten_with_keys(subtree)
        pairs = zip(keys, children, strict=True)
        return make_treedef(node, meta, [walk(child, (*path, key)) for key, child in pairs])

    return found, walk(tree, ())


def match(treedef: PyTreeDef, tree: PyTree) -> list[Leaf] | None:
    """The leaves of a tree whose structure equals `treedef`; None for any other tree.

    The fast way to flatten where the structure is probably the one seen last.
    """
    matcher = treedef.matcher
    if matcher is not None:
        leaves = matcher(tree)
        if leaves is not None:
            return leaves
    else:
        treedef.used()
    leaves, found = flatten(tree)
    return leaves if found == treedef else None
