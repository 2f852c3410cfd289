"""Tree structures: `PyTreeDef`, unflattening, and matching trees against structures.

A `PyTreeDef` holds a node type, the node's metadata and the structures of the children. Structures
met before are found again in a table of their node type (`make_treedef`), so flattening the same
shape of tree twice gives the same object: comparing two structures is then an `is`, and the hash is
computed once. The tables are a cache only: equality and hash are structural.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from fungrad.core.tree_compile import MAX_NODES, compile_builder, compile_matcher
from fungrad.core.tree_keys import KeyEntry, KeyPath, keystr
from fungrad.core.tree_nodes import (
    DICT,
    LIST,
    NONE,
    TUPLE,
    NodeType,
    StructureTable,
    flattened_index_keys,
    node_type,
    same_meta,
)

__all__ = [
    "LEAF",
    "Difference",
    "PyTreeDef",
    "differences",
    "flatten_up_to",
    "key_paths",
    "known_or_new",
    "make_treedef",
    "open_treedef",
    "open_value",
    "raise_mismatch",
    "unflatten",
]

PyTree = Any
Leaf = Any

_MAX_ENTRIES = 1024  # per table: distinct structures of the children
_COMPILE_AFTER = 64  # uses


class PyTreeDef:
    """The structure of a pytree: its node types, their metadata, and where its leaves are.

    Treedefs come from `fungrad.tree.structure` and `fungrad.tree.flatten`. They are immutable,
    hashable, comparable with `==`, picklable when the classes in them are, and print with `*` for
    each leaf.

    Attributes:
      num_leaves: number of leaves.
      num_nodes: number of nodes, leaves included.

    Examples:
      >>> from fungrad import tree
      >>> tree.structure({'b': (1, None), 'a': [2, 3]})
      PyTreeDef({'a': [*, *], 'b': (*, None)})
    """

    __slots__ = (
        "_build",
        "_children",
        "_compiled_build",
        "_compiled_match",
        "_hash",
        "_uses",
        "is_known",
        "meta",
        "node",
        "num_leaves",
        "num_nodes",
    )

    def __init__(self, node: NodeType | None, meta: Any, children: tuple[PyTreeDef, ...]):
        self.node = node  # None for a leaf
        self.meta = meta
        self._children = children
        self.num_leaves: int = 1 if node is None else sum([child.num_leaves for child in children])
        self.num_nodes: int = 1 + sum([child.num_nodes for child in children])
        self._build: Callable[[Iterator[Any]], Any] | None = next if node is None else None
        self._compiled_build: Callable[[Sequence[Any]], Any] | None = (
            itemgetter(0) if node is None else None
        )
        self._compiled_match: Callable[[Any], list[Any] | None] | None = None
        self._uses = 0
        self._hash: int | None = None
        self.is_known = node is None  # found by its table, hence never rebuilt

    def builder(self) -> Callable[[Iterator[Any]], Any]:
        """The function that takes this structure's leaves from an iterator and builds the tree."""
        build = self._build
        if build is None:
            build = self._build = _make_builder(self)
        return build

    def used(self) -> None:
        """Counts a use of the general functions; after many, writes special ones."""
        self._uses += 1
        if self._uses == _COMPILE_AFTER and 1 < self.num_nodes <= MAX_NODES:
            self._compiled_build = compile_builder(self)
            self._compiled_match = compile_matcher(self)

    @property
    def matcher(self) -> Callable[[Any], list[Any] | None] | None:
        """The compiled matcher (see `core.tree_compile`), if this structure has been used often."""
        return self._compiled_match

    @property
    def child_defs(self) -> tuple[PyTreeDef, ...]:
        """Structures of the immediate children, as a tuple."""
        return self._children

    def children(self) -> list[PyTreeDef]:
        """Structures of the immediate children, as a list."""
        return list(self._children)

    def node_data(self) -> tuple[type, Any] | None:
        """Type and metadata of the root node; None for a leaf."""
        if self.node is None:
            return None
        return self.node.cls, list(self.meta) if self.node is DICT else self.meta

    def unflatten(self, leaves: Iterable[Leaf]) -> PyTree:
        """The tree with this structure and the given leaves."""
        return unflatten(self, leaves)

    def flatten_up_to(self, tree: PyTree) -> list[PyTree]:
        """The subtrees of `tree` at the places where this structure has its leaves."""
        return flatten_up_to(self, tree)

    def compose(self, inner: PyTreeDef) -> PyTreeDef:
        """This structure with every leaf replaced by the structure `inner`."""
        if self.node is None:
            return inner
        return make_treedef(self.node, self.meta, [c.compose(inner) for c in self._children])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, PyTreeDef):
            return NotImplemented
        if self.node is not other.node or self.num_nodes != other.num_nodes:
            return False
        if self.node is None:
            return True
        return same_meta(self.node, self.meta, other.meta) and self._children == other._children

    def __hash__(self) -> int:
        value = self._hash
        if value is None:
            value = self._hash = hash((self.node, _hash_of_meta(self.meta), self._children))
        return value

    def __repr__(self) -> str:
        return f"PyTreeDef({_text(self)})"

    def __reduce__(self) -> tuple[Any, ...]:
        cls = None if self.node is None else self.node.cls
        return _restore_treedef, (cls, self.meta, self._children)


def _hash_of_meta(meta: Any) -> int:
    try:
        return hash(meta)
    except TypeError:
        # Metadata need not be hashable. Leaving it out keeps the hash valid: equal structures still
        # have equal hashes, and `==` tells the others apart.
        return 0


def _restore_treedef(cls: type | None, meta: Any, children: tuple[PyTreeDef, ...]) -> PyTreeDef:
    if cls is None:
        return LEAF
    node = node_type(cls)
    if node is None:
        raise ValueError(
            f"fungrad.tree_util.PyTreeDef: cannot unpickle a structure that contains {cls!r}, "
            "which is not registered as a pytree node. Import the module that registers it first."
        )
    return make_treedef(node, meta, children)


def _text(treedef: PyTreeDef) -> str:
    node, children = treedef.node, [_text(child) for child in treedef.child_defs]
    if node is None:
        return "*"
    if node is NONE:
        return "None"
    if node is TUPLE:
        return f"({children[0]},)" if len(children) == 1 else f"({', '.join(children)})"
    if node is LIST:
        return f"[{', '.join(children)}]"
    if node is DICT:
        items = zip(treedef.meta, children, strict=True)
        return "{" + ", ".join([f"{key!r}: {child}" for key, child in items]) + "}"
    return f"CustomNode({node.label(treedef.meta)}, [{', '.join(children)}])"


LEAF = PyTreeDef(None, None, ())


def make_treedef(node: NodeType, meta: Any, children: Sequence[PyTreeDef]) -> PyTreeDef:
    """The structure of a node with the given metadata and structures of the children."""
    return known_or_new(node.table(meta), node, meta, children)


def known_or_new(
    table: StructureTable | None, node: NodeType, meta: Any, children: Sequence[PyTreeDef]
) -> PyTreeDef:
    """`make_treedef` for callers that know the table, `node.table(meta)`, already."""
    if table is None:
        return PyTreeDef(node, meta, tuple(children))
    # Identities are safe as keys: an entry keeps its children alive.
    key = tuple(map(id, children))
    treedef = table.get(key)
    if treedef is None:
        treedef = PyTreeDef(node, meta, tuple(children))
        if all(child.is_known for child in children):
            treedef.is_known = True
            if len(table) >= _MAX_ENTRIES:
                table.clear()
            table[key] = treedef
    return treedef


# Unflattening ------------------------------------------------------------------------------------


def unflatten(treedef: PyTreeDef, leaves: Iterable[Leaf]) -> PyTree:
    """Builds a tree from its structure and its leaves.

    Args:
      treedef: the structure.
      leaves: one value per leaf, in the order of `fungrad.tree.leaves`.

    Returns:
      The tree.

    Raises:
      ValueError: the number of leaves is not that of the structure.

    Examples:
      >>> from fungrad import tree
      >>> tree.unflatten(tree.structure({'a': 0, 'b': (0, 0)}), [1, 2, 3])
      {'a': 1, 'b': (2, 3)}
    """
    if type(leaves) is not list and type(leaves) is not tuple:
        leaves = list(leaves)
    if len(leaves) != treedef.num_leaves:
        _raise_wrong_number_of_leaves(treedef, len(leaves))
    build = treedef._compiled_build
    if build is not None:
        return build(leaves)
    treedef.used()
    return (treedef._build or treedef.builder())(iter(leaves))


def _make_builder(treedef: PyTreeDef) -> Callable[[Iterator[Any]], Any]:
    node, meta, children = treedef.node, treedef.meta, treedef.child_defs
    if node is NONE:
        return lambda _leaves: None
    assert node is not None  # leaves have their builder from the start
    unflatten_node, length = node.unflatten, len(children)
    if all(child is LEAF for child in children):
        if node is TUPLE:
            return lambda leaves: tuple(islice(leaves, length))
        if node is LIST:
            return lambda leaves: list(islice(leaves, length))
        if node is DICT:
            # Not strict: the iterator goes on to other nodes. With the keys first, zip stops before
            # it takes a leaf too many.
            return lambda leaves: dict(zip(meta, leaves, strict=False))
        return lambda leaves: unflatten_node(meta, tuple(islice(leaves, length)))
    builders = [child.builder() for child in children]
    if node is TUPLE:
        return lambda leaves: tuple([build(leaves) for build in builders])
    if node is LIST:
        return lambda leaves: [build(leaves) for build in builders]
    if node is DICT:
        items = tuple(zip(meta, builders, strict=True))
        return lambda leaves: {key: build(leaves) for key, build in items}
    return lambda leaves: unflatten_node(meta, tuple([build(leaves) for build in builders]))


def _raise_wrong_number_of_leaves(treedef: PyTreeDef, got: int) -> None:
    expected = treedef.num_leaves
    if got < expected:
        path = keystr(key_paths(treedef)[got])
        detail = f"too few leaves, the first place without one is {path or 'the root'}"
    else:
        detail = f"too many leaves, {got - expected} left over"
    raise ValueError(
        f"fungrad.tree.unflatten: {detail}; expected {expected} for {treedef}, got {got}. Pass one "
        "value per leaf, in the order of fungrad.tree.leaves."
    )


# Paths -------------------------------------------------------------------------------------------


def child_keys(treedef: PyTreeDef) -> Sequence[KeyEntry]:
    """Keys of the immediate children of a structure."""
    node, meta, length = treedef.node, treedef.meta, len(treedef.child_defs)
    if node is None:
        return ()
    if node.meta_keys is not None:
        return node.meta_keys(meta, length)
    # Only an instance knows the keys. Build one around placeholders; a class that checks its
    # children may refuse them, and then its children have only their positions.
    try:
        keys, _, _ = node.flatten_with_keys(node.unflatten(meta, tuple([None] * length)))
    except (TypeError, ValueError, AttributeError):
        keys = ()
    return keys if len(keys) == length else flattened_index_keys(meta, length)


def key_paths(treedef: PyTreeDef) -> list[KeyPath]:
    """The key path of every leaf of a structure."""
    if treedef.node is None:
        return [()]
    pairs = zip(child_keys(treedef), treedef.child_defs, strict=True)
    return [(key, *path) for key, child in pairs for path in key_paths(child)]


# Matching ----------------------------------------------------------------------------------------

# One level of a tree or structure: node type (None for a leaf), keys, children, metadata.
Level = tuple[NodeType | None, Sequence[KeyEntry], Sequence[Any], Any]
# Where two trees differ: path, what the first has there, what the second has, in what they differ.
Difference = tuple[KeyPath, str, str, str]

_LEAF_LEVEL: Level = (None, (), (), None)


def open_treedef(treedef: PyTreeDef) -> Level:
    """The first level of a structure."""
    return treedef.node, child_keys(treedef), treedef.child_defs, treedef.meta


def open_value(value: Any, is_leaf: Callable[[Any], bool] | None = None) -> Level:
    """The first level of a tree."""
    node = None if is_leaf is not None and is_leaf(value) else node_type(type(value))
    if node is None:
        return _LEAF_LEVEL
    return node, *node.flatten_with_keys(value)


def flatten_up_to(treedef: PyTreeDef, tree: PyTree) -> list[PyTree]:
    """The subtrees of `tree` at the places where `treedef` has its leaves.

    Raises:
      ValueError: `treedef` is not the structure of the top of `tree`.
    """
    subtrees: list[PyTree] = []
    if not append_subtrees(treedef, tree, subtrees):
        raise_mismatch(
            differences(treedef, tree, open_treedef, open_value, prefix=True),
            api="fungrad.tree_util.PyTreeDef.flatten_up_to",
            name="tree",
            hint="The tree must have the structure of the treedef down to the treedef's leaves.",
        )
    return subtrees


def append_subtrees(treedef: PyTreeDef, tree: PyTree, subtrees: list[PyTree]) -> bool:
    """Appends what `flatten_up_to` returns; False if the structures do not match."""
    node = treedef.node
    if node is None:
        subtrees.append(tree)
        return True
    if type(tree) is not node.cls:
        return False
    children, meta = node.flatten(tree)
    child_defs = treedef.child_defs
    if len(children) != len(child_defs) or not same_meta(node, treedef.meta, meta):
        return False
    for child_def, child in zip(child_defs, children, strict=True):
        if child_def is LEAF:
            subtrees.append(child)
        elif not append_subtrees(child_def, child, subtrees):
            return False
    return True


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
    node1, _, children1, meta1 = open_first(first)
    node2, keys, children2, meta2 = open_second(second)
    if node1 is None and (prefix or node2 is None):
        return
    length1, length2 = len(children1), len(children2)
    if node1 is None or node1 is not node2:
        reason = "their Python types differ"
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
    if node.cls not in (tuple, list) and node.meta_keys is not None:
        keys1, keys2 = node.meta_keys(meta1, length1), node.meta_keys(meta2, length2)
        missing = [_plain_key(key) for key in keys1 if key not in keys2]
        unexpected = [_plain_key(key) for key in keys2 if key not in keys1]
        parts = [f"missing {missing}"] if missing else []
        parts += [f"unexpected {unexpected}"] if unexpected else []
        if parts:
            return f"the keys differ: {', '.join(parts)}"
    if length1 != length2:
        return "the lengths differ"
    return "" if same_meta(node, meta1, meta2) else "the metadata of the nodes differs"


def _plain_key(key: KeyEntry) -> Any:
    for name in ("key", "name", "idx"):
        if hasattr(key, name):
            return getattr(key, name)
    return key


def _describe_leaf(value: Any) -> str:
    if isinstance(value, PyTreeDef):
        return "a leaf"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"a leaf, {value.dtype}[{','.join(map(str, value.shape))}]"
    return f"a leaf of type {type(value).__name__}"


def raise_mismatch(found: Iterable[Difference], *, api: str, name: str, hint: str) -> None:
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
    more = "".join([f"\n  also at {line}" for line in lines[1:3]])
    more += "\n  and at more places." if len(lines) > 3 else ""
    raise ValueError(f"{api}: {lines[0]}. {hint}{more}")
