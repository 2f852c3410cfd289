"""Pytrees: the functions the library uses and `fungrad.tree` exports.

A pytree is a leaf, or a node whose children are pytrees.  optree, a compiled library, flattens, compares and hashes;
this facade gives it JAX's names, key paths, and errors that say where two trees differ.  The parts:

    tree_keys          names of children, key paths
    tree_nodes         node types and their names for people
    tree_code          code written out for one structure
    tree_cache         structures that turn up again and again, and their code
    tree_order         the order of keys of dicts
    treedef            structures, flattening, matching
    flat_tree          `FlatTree`
    tree_registration  registering classes, `Partial`

Differences from `jax.tree`: `deque` and `time.struct_time` are nodes, a dict matches an `OrderedDict` with the same
keys, and structures print as `PyTreeSpec(...)`.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

import optree

from fungrad.core.flat_tree import FlatTree
from fungrad.core.tree_keys import (
    DictKey,
    FlattenedIndexKey,
    GetAttrKey,
    KeyEntry,
    KeyPath,
    SequenceKey,
    keystr,
)
from fungrad.core.tree_nodes import NAMESPACE, known_leaf_types
from fungrad.core.treedef import (
    LEAF,
    Difference,
    PyTreeDef,
    differences,
    flatten,
    flatten_up_to,
    flatten_with_path,
    key_paths,
    open_treedef,
    open_value,
    raise_mismatch,
    structure_text,
    subtrees_at_leaves,
    unflatten,
)

__all__ = [
    "LEAF",
    "DictKey",
    "FlatTree",
    "FlattenedIndexKey",
    "GetAttrKey",
    "KeyEntry",
    "KeyPath",
    "PyTreeDef",
    "SequenceKey",
    "all",
    "all_leaves",
    "broadcast",
    "broadcast_prefix",
    "equality_errors",
    "flatten",
    "flatten_up_to",
    "flatten_with_path",
    "key_paths",
    "keystr",
    "known_leaf_types",
    "leaf_paths",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "reduce",
    "reduce_associative",
    "structure",
    "transpose",
    "treedef_children",
    "treedef_is_leaf",
    "treedef_tuple",
    "unflatten",
]

T = TypeVar("T")
IsLeaf = Callable[[Any], bool]

_NO_VALUE: Any = object()


def leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[Any]:
    """The leaves of a tree, in depth-first order, dict entries sorted by key.

    Args:
      tree: a pytree.
      is_leaf: optional predicate, called on every node before its children; where it is true the
        node is taken as a leaf.

    Returns:
      The list of leaves.

    Examples:
      >>> from fungrad import tree
      >>> tree.leaves({'b': [1, None], 'a': (2, 3)})
      [2, 3, 1]
      >>> tree.leaves([1, None], is_leaf=lambda x: x is None)
      [1, None]
    """
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf | None = None) -> PyTreeDef:
    """The structure of a tree.

    Args:
      tree: a pytree.
      is_leaf: optional predicate for nodes to be taken as leaves, as in `fungrad.tree.leaves`.

    Returns:
      The structure, with `*` for leaves when printed.

    Examples:
      >>> from fungrad import tree
      >>> tree.structure([1, (2, None)])
      PyTreeSpec([*, (*, None)])
    """
    return flatten(tree, is_leaf)[1]


def leaves_with_path(
    tree: Any, is_leaf: Callable[..., bool] | None = None, is_leaf_takes_path: bool = False
) -> list[tuple[KeyPath, Any]]:
    """The pairs of key path and leaf of a tree.

    Args:
      tree: a pytree.
      is_leaf: optional predicate for nodes to be taken as leaves.
      is_leaf_takes_path: whether `is_leaf` is called with the key path and the node.

    Returns:
      One pair per leaf, in the order of `fungrad.tree.leaves`.

    Examples:
      >>> from fungrad import tree
      >>> tree.leaves_with_path({'a': [7]})
      [((DictKey(key='a'), SequenceKey(idx=0)), 7)]
    """
    return flatten_with_path(tree, is_leaf, is_leaf_takes_path)[0]


def leaf_paths(tree: Any, is_leaf: IsLeaf | None = None) -> list[str]:
    """The printed key path of each leaf of a tree: `["['a'][0]", "['b']"]`."""
    return [keystr(path) for path, _ in flatten_with_path(tree, is_leaf)[0]]


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Applies a function to the leaves of one or more trees.

    Args:
      f: function of as many arguments as there are trees.
      tree: a pytree; its structure is the structure of the result.
      *rest: further trees with the structure of `tree`, or with `tree` as a prefix: where `tree`
        has a leaf and a further tree a subtree, `f` gets the subtree.
      is_leaf: optional predicate for nodes of `tree` to be taken as leaves.

    Returns:
      The tree of the results of `f`.

    Raises:
      ValueError: a further tree does not match.

    Examples:
      >>> from fungrad import tree
      >>> tree.map(lambda x, y: x + y, {'a': 1, 'b': (2, 3)}, {'a': 10, 'b': (20, 30)})
      {'a': 11, 'b': (22, 33)}
    """
    flat, treedef = flatten(tree, is_leaf)
    if not rest:
        return unflatten(treedef, [f(leaf) for leaf in flat])
    others = _flatten_rest(treedef, rest, "fungrad.tree.map")
    if len(others) == 1:
        return unflatten(treedef, [f(x, y) for x, y in zip(flat, others[0], strict=True)])
    return unflatten(treedef, [f(*args) for args in zip(flat, *others, strict=True)])


def map_with_path(
    f: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Callable[..., bool] | None = None,
    is_leaf_takes_path: bool = False,
) -> Any:
    """Applies a function to the key paths and leaves of one or more trees.

    Args:
      f: function of the key path and as many leaves as there are trees.
      tree: a pytree; its structure is the structure of the result.
      *rest: further trees with the structure of `tree`, or with `tree` as a prefix.
      is_leaf: optional predicate for nodes of `tree` to be taken as leaves.
      is_leaf_takes_path: whether `is_leaf` is called with the key path and the node.

    Returns:
      The tree of the results of `f`.

    Raises:
      ValueError: a further tree does not match.

    Examples:
      >>> from fungrad import tree
      >>> tree.map_with_path(lambda path, x: f"{path[0].key}={x}", {'a': 1, 'b': 2})
      {'a': 'a=1', 'b': 'b=2'}
    """
    pairs, treedef = flatten_with_path(tree, is_leaf, is_leaf_takes_path)
    others = _flatten_rest(treedef, rest, "fungrad.tree.map_with_path")
    args = zip(*zip(*pairs, strict=True), *others, strict=True) if pairs else ()
    return unflatten(treedef, [f(*row) for row in args])


def _flatten_rest(treedef: PyTreeDef, rest: tuple[Any, ...], api: str) -> list[list[Any]]:
    """The subtrees of each further argument of `map` at the leaves of the first."""
    flats = []
    for i, tree in enumerate(rest):
        flat = subtrees_at_leaves(treedef, tree)
        if flat is None:
            raise_mismatch(
                differences(treedef, tree, open_treedef, open_value, prefix=True),
                api=api,
                name=f"rest[{i}]",
                hint="Every further tree must have the structure of the first one, or have it as a prefix.",
            )
        flats.append(flat)
    return flats


def reduce(function: Callable[[T, Any], T], tree: Any, initializer: T = _NO_VALUE, is_leaf: IsLeaf | None = None) -> T:
    """Combines the leaves of a tree from the left.

    Args:
      function: function of the value so far and a leaf.
      tree: a pytree.
      initializer: value to start from; by default the first leaf.
      is_leaf: optional predicate for nodes to be taken as leaves.

    Returns:
      The last value.

    Raises:
      TypeError: the tree has no leaves and no initializer is given.

    Examples:
      >>> import operator
      >>> from fungrad import tree
      >>> tree.reduce(operator.add, [1, (2, {'a': 3})])
      6
    """
    flat = leaves(tree, is_leaf)
    if initializer is not _NO_VALUE:
        return functools.reduce(function, flat, initializer)
    if not flat:
        raise TypeError(
            "fungrad.tree.reduce: a tree without leaves needs an initializer. Pass the value that "
            "an empty tree reduces to."
        )
    return functools.reduce(function, flat)


def reduce_associative(
    operation: Callable[[T, T], T], tree: Any, *, identity: T = _NO_VALUE, is_leaf: IsLeaf | None = None
) -> T:
    """Combines the leaves of a tree with an associative operation, in a balanced order.

    Leaves are combined pairwise, so that the depth is logarithmic in their number.

    Args:
      operation: function of two neighbouring values.
      tree: a pytree.
      identity: the value of a tree without leaves.
      is_leaf: optional predicate for nodes to be taken as leaves.

    Returns:
      The combined value.

    Raises:
      TypeError: the tree has no leaves and no identity is given.

    Examples:
      >>> from fungrad import tree
      >>> tree.reduce_associative(lambda x, y: f"({x}{y})", ['a', 'b', 'c', 'd'])
      '((ab)(cd))'
    """

    def combine(flat: list[T]) -> T:
        if len(flat) == 1:
            return flat[0]
        middle = len(flat) // 2
        return operation(combine(flat[:middle]), combine(flat[middle:]))

    flat = leaves(tree, is_leaf)
    if flat:
        return combine(flat)
    if identity is _NO_VALUE:
        raise TypeError(
            "fungrad.tree.reduce_associative: a tree without leaves needs an identity. Pass the "
            "value that an empty tree reduces to."
        )
    return identity


def all(tree: Any, *, is_leaf: IsLeaf | None = None) -> bool:
    """Whether every leaf of a tree is true.

    Args:
      tree: a pytree.
      is_leaf: optional predicate for nodes to be taken as leaves.

    Returns:
      A bool; True for a tree without leaves.

    Examples:
      >>> from fungrad import tree
      >>> tree.all({'a': True, 'b': (True, False)})
      False
    """
    return builtins.all(leaves(tree, is_leaf))


def all_leaves(iterable: Iterable[Any], is_leaf: IsLeaf | None = None) -> bool:
    """Whether every element of an iterable is a leaf.

    Args:
      iterable: the elements.
      is_leaf: optional predicate for nodes to be taken as leaves.

    Returns:
      A bool.

    Examples:
      >>> from fungrad import tree_util
      >>> tree_util.all_leaves([1, 'a']), tree_util.all_leaves([1, (2,)])
      (True, False)
    """
    return builtins.all(structure(element, is_leaf).is_leaf() for element in iterable)


def transpose(
    outer_treedef: PyTreeDef, inner_treedef: PyTreeDef | None, pytree_to_transpose: Any
) -> Any:
    """Turns a tree of trees inside out.

    Args:
      outer_treedef: the outer structure of the tree.
      inner_treedef: the structure of the subtrees at the leaves of `outer_treedef`; None to take it
        from the first subtree.
      pytree_to_transpose: the tree, of structure `outer_treedef.compose(inner_treedef)`.

    Returns:
      The tree of structure `inner_treedef.compose(outer_treedef)`.

    Raises:
      TypeError: the number of leaves is not the product of the two structures'.
      ValueError: the tree does not have `outer_treedef` as its outer structure, or it has no
        subtree to take the inner structure from.

    Examples:
      >>> from fungrad import tree
      >>> pairs = [('a', 1), ('b', 2), ('c', 3)]
      >>> tree.transpose(tree.structure([0, 0, 0]), None, pairs)
      (['a', 'b', 'c'], [1, 2, 3])
    """
    flat, treedef = flatten(pytree_to_transpose)
    if inner_treedef is None:
        subtrees = flatten_up_to(outer_treedef, pytree_to_transpose)
        if not subtrees:
            raise ValueError(
                f"fungrad.tree.transpose: the outer structure {structure_text(outer_treedef)} has no leaves, so "
                "the inner structure cannot be taken from the tree. Pass inner_treedef."
            )
        inner_treedef = structure(subtrees[0])
    size = inner_treedef.num_leaves
    if len(flat) != size * outer_treedef.num_leaves:
        raise TypeError(
            f"fungrad.tree.transpose: pytree_to_transpose must have the structure "
            f"{structure_text(outer_treedef.compose(inner_treedef))}, which has {size * outer_treedef.num_leaves} "
            f"leaves; got {structure_text(treedef)}, which has {len(flat)}."
        )
    return unflatten(inner_treedef, [unflatten(outer_treedef, flat[i::size]) for i in range(size)])


def broadcast(prefix_tree: Any, full_tree: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Repeats the leaves of a prefix tree over the leaves of a larger tree.

    Args:
      prefix_tree: a pytree that is a prefix of `full_tree`.
      full_tree: a pytree.
      is_leaf: optional predicate for nodes of `prefix_tree` to be taken as leaves.

    Returns:
      A tree of the structure of `full_tree` whose leaves are those of `prefix_tree`.

    Raises:
      ValueError: `prefix_tree` is not a prefix of `full_tree`.

    Examples:
      >>> from fungrad import tree
      >>> tree.broadcast((1, 2), ([10, 20], {'a': 30}))
      ([1, 1], {'a': 2})
    """
    flat = broadcast_prefix(
        prefix_tree, full_tree, is_leaf, api="fungrad.tree.broadcast", prefix_name="prefix_tree"
    )
    return unflatten(structure(full_tree), flat)


def broadcast_prefix(
    prefix_tree: Any,
    full_tree: Any,
    is_leaf: IsLeaf | None = None,
    *,
    api: str,
    prefix_name: str,
    full_name: str = "the full tree",
) -> list[Any]:
    """The leaves of a prefix tree, each repeated for every leaf of its subtree of a larger tree.

    Args:
      prefix_tree: a pytree that is a prefix of `full_tree`.
      full_tree: a pytree.
      is_leaf: optional predicate for nodes of `prefix_tree` to be taken as leaves.
      api: the public function that was called, for the error.
      prefix_name: what the caller calls `prefix_tree`, such as `in_axes`.
      full_name: what the caller calls `full_tree`.

    Returns:
      One value per leaf of `full_tree`.

    Raises:
      ValueError: `prefix_tree` is not a prefix of `full_tree`.
    """
    flat, treedef = flatten(prefix_tree, is_leaf)
    if treedef.is_leaf():
        return flat * structure(full_tree).num_leaves
    subtrees = subtrees_at_leaves(treedef, full_tree)
    if subtrees is None:
        _raise_not_a_prefix(treedef, full_tree, api, prefix_name, full_name)
    if treedef.num_nodes == treedef.num_leaves + 1 and not issubclass(treedef.type, dict):  # type: ignore[arg-type]
        # One tuple, list or the like of leaves, by far the most frequent prefix.
        counts = [structure(subtree).num_leaves for subtree in subtrees]
        return [leaf for leaf, count in zip(flat, counts, strict=True) for _ in range(count)]
    # Dicts that match may list their entries in different orders: numbered leaves tell where each of them is.
    full = structure(full_tree)
    result: list[Any] = [None] * full.num_leaves
    numbers = subtrees_at_leaves(treedef, full.unflatten(range(full.num_leaves)))
    for leaf, places in zip(flat, numbers, strict=True):  # type: ignore[arg-type]
        for place in leaves(places):
            result[place] = leaf
    return result


def _raise_not_a_prefix(
    treedef: PyTreeDef, full_tree: Any, api: str, prefix_name: str, full_name: str
) -> NoReturn:
    found = list(differences(treedef, full_tree, open_treedef, open_value, prefix=True))
    path, prefix_text, full_text, reason = found[0]
    places = [f"{prefix_name}{keystr(other[0])}" for other in found[1:4]]
    more = f" Also at {', '.join(places)}." if places else ""
    raise ValueError(
        f"{api}: {prefix_name} must be a tree prefix of {full_name}, but they differ at "
        f"{prefix_name}{keystr(path)}: {prefix_name} has {prefix_text}, {full_name} has "
        f"{full_text} ({reason}). Give {prefix_name} the same structure there, or one value for "
        f"all the leaves below.{more}"
    )


def equality_errors(tree1: Any, tree2: Any, is_leaf: IsLeaf | None = None) -> Iterator[Difference]:
    """The places where the structures of two trees differ.

    Args:
      tree1, tree2: pytrees, or `PyTreeDef` structures.
      is_leaf: optional predicate for nodes to be taken as leaves.

    Yields:
      The key path, what `tree1` has there, what `tree2` has there, and in what they differ.
    """

    def opener(tree: Any) -> Callable[[Any], Any]:
        if isinstance(tree, PyTreeDef):
            return open_treedef
        return lambda value: open_value(value, is_leaf)

    return differences(tree1, tree2, opener(tree1), opener(tree2), prefix=False)


def treedef_is_leaf(treedef: PyTreeDef) -> bool:
    """Whether a structure is a single node: a leaf, `None` or an empty container.

    Args:
      treedef: a structure.

    Returns:
      A bool.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> [tree_util.treedef_is_leaf(tree.structure(x)) for x in (1, [1], None)]
      [True, False, True]
    """
    return treedef.num_nodes == 1


def treedef_children(treedef: PyTreeDef) -> list[PyTreeDef]:
    """The structures of the immediate children of a structure.

    Args:
      treedef: a structure.

    Returns:
      A list of structures.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> tree_util.treedef_children(tree.structure([1, (2, 3)]))
      [PyTreeSpec(*), PyTreeSpec((*, *))]
    """
    return treedef.children()


def treedef_tuple(treedefs: Iterable[PyTreeDef]) -> PyTreeDef:
    """The structure of a tuple whose elements have the given structures.

    Args:
      treedefs: the structures of the elements.

    Returns:
      The structure of the tuple.

    Examples:
      >>> from fungrad import tree, tree_util
      >>> tree_util.treedef_tuple([tree.structure(1), tree.structure([2])])
      PyTreeSpec((*, [*]))
    """
    return optree.treespec_tuple(tuple(treedefs), namespace=NAMESPACE)
