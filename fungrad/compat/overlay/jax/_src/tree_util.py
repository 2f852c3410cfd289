"""``jax._src.tree_util``."""

from collections.abc import Sequence
from typing import Any

from fungrad import tree_util
from fungrad.compat.rows import Row, adapter, alias


class _Entry:
    """How nodes of one type are opened and made."""

    @staticmethod
    def to_iter(node: Any) -> tuple[list[Any], Any]:
        """The children of a node, and what else there is to it."""
        return tree_util.tree_flatten(node, is_leaf=lambda x: x is not node)

    @staticmethod
    def from_iter(rest: Any, children: Sequence[Any]) -> Any:
        """A node with these children."""
        return tree_util.tree_unflatten(rest, list(children))


class _Registry:
    """The types of nodes, as a mapping."""

    def __contains__(self, kind: type) -> bool:
        return tree_util.is_tree_node(kind)

    def __getitem__(self, kind: type) -> _Entry:
        if kind not in self:
            raise KeyError(kind)
        return _Entry()


NAMES: dict[str, Row] = {
    "_registry": adapter(_Registry(), "flax jaxlie"),
    "flatten_one_level": alias("fungrad.tree_util:flatten_one_level", "orbax"),
}
