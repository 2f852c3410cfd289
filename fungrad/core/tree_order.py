"""The order of the keys of dicts when trees are put together.

May import ``core.tree_nodes``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import optree

from fungrad.core.tree_nodes import NAMESPACE

__all__ = ["flattened", "leaves_in_any_order", "with_sorted_keys"]

Spec = optree.PyTreeSpec


def flattened(tree: Any, is_leaf: Callable[[Any], Any] | None) -> tuple[list[Any], Spec]:
    """The leaves of a tree, and its structure with sorted keys."""
    leaves, spec = optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)
    return leaves, spec if spec.is_leaf() else with_sorted_keys(spec)


def leaves_in_any_order(tree: Any) -> list[Any]:
    """The leaves of whatever a program holds, which need not be a tree of the user's: keys of dicts need not sort."""
    return optree.tree_leaves(tree, namespace=NAMESPACE)


# optree puts a dict together in the order that it had; in JAX's trees keys are sorted. The hash of a structure does not
# depend on the order of keys nor on metadata, so it says whether there is a dict whose order can be wrong. Structures
# themselves would not do as keys: equal ones may differ in metadata and in the types of keys (`1 == True`).
_order_matters: dict[int, bool] = {}
_MOST_KEPT = 65_536


def with_sorted_keys(treedef: Spec) -> Spec:
    """The structure with the keys of its dicts in sorted order.

    Raises:
      ValueError: the keys of a dict do not sort.
    """
    known = _order_matters.get(hash(treedef))
    if known is False or (known and _is_sorted(treedef)):
        return treedef
    matters = False

    def sorted_node(node: Spec) -> Spec:
        nonlocal matters
        if node.kind not in _DICTS or node.num_children < 2:
            return node
        matters = True
        example: Any = node.unflatten([0] * node.num_children)
        try:
            keys = sorted(example)
        except TypeError as error:
            raise ValueError(
                "fungrad.tree: Comparator raised exception while sorting pytree dictionary keys: the keys "
                f"{list(example)} have no order among them ({error}). Use keys of one type, or a "
                "collections.OrderedDict, whose order is kept."
            ) from None
        result: Any = dict.fromkeys(keys, 0)
        if node.kind == optree.PyTreeKind.DEFAULTDICT:
            result = defaultdict(example.default_factory, result)
        return optree.tree_structure(result, namespace=NAMESPACE)  # type: ignore[arg-type]

    found = treedef.transform(sorted_node)
    if len(_order_matters) >= _MOST_KEPT:
        _order_matters.clear()
    _order_matters[hash(treedef)] = matters
    return found if matters else treedef


_DICTS = (optree.PyTreeKind.DICT, optree.PyTreeKind.DEFAULTDICT)


def _is_sorted(treedef: Spec) -> bool:
    """Whether the keys of all dicts have the order in which they are flattened."""
    # The pickled state of a structure has for each dict, or defaultdict, its keys in their own order at the end.
    nodes: Any
    nodes, *_ = treedef.__getstate__()  # type: ignore[misc]
    for node in nodes:
        own = node[7]
        if own is not None:
            keys = node[2]
            if [*own] != (keys[1] if type(keys) is tuple else keys):
                return False
    return True
