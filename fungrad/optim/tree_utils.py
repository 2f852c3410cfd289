"""The functions of ``fungrad.optim.tree`` under the names that begin with ``tree_``."""

import functools
from typing import Any

from fungrad.core.public_names import publish
from fungrad.optim import tree as _tree
from fungrad.optim.tree.states import NamedTupleKey

# As attributes of this module: tree_add, tree_sub, ...
globals().update({f"tree_{_name}": getattr(_tree, _name) for _name in _tree.__all__})


def tree_l1_norm(tree: Any, squared: bool = False) -> Any:
    """The sum of magnitudes of a tree.

    Args:
      tree: tree of arrays.
      squared: whether to return its square.
    """
    return _tree.norm(tree, 1, squared)


def tree_linf_norm(tree: Any, squared: bool = False) -> Any:
    """The greatest magnitude in a tree.

    Args:
      tree: tree of arrays.
      squared: whether to return its square.
    """
    return _tree.norm(tree, "inf", squared)


tree_l2_norm = functools.partial(_tree.norm, ord=2)
tree_scalar_mul = _tree.scale
tree_add_scalar_mul = _tree.add_scale

__all__ = [
    "NamedTupleKey",
    "tree_add_scalar_mul",
    "tree_l1_norm",
    "tree_l2_norm",
    "tree_linf_norm",
    "tree_scalar_mul",
    *[f"tree_{_name}" for _name in _tree.__all__],
]

publish(globals(), __name__, __all__)
