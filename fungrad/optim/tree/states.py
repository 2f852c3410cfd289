"""Finding and changing what is in states of optimizers, whatever they are made of.

May import ``core``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from fungrad.core import tree as pytree
from fungrad.core.tree_keys import DictKey, GetAttrKey
from fungrad.core.tree_registration import flatten_one_level_with_keys, is_tree_node, register_pytree_node_class

Path = tuple[Any, ...]
Filter = Callable[[Path, Any], bool]


@register_pytree_node_class
class ParamsPlaceholder:
    """A tree without leaves that stands for parameters in the state that ``init`` makes."""

    def tree_flatten(self) -> tuple[tuple, None]:
        """No children."""
        return (), None

    @classmethod
    def tree_unflatten(cls, aux: None, children: Any) -> ParamsPlaceholder:
        """Another placeholder."""
        return cls()


@dataclasses.dataclass(frozen=True)
class NamedTupleKey:
    """Part of a path: a field of a named tuple.

    Attributes:
      tuple_name: name of its class.
      name: the field.
    """

    tuple_name: str
    name: str

    def __str__(self) -> str:
        return f"{self.tuple_name}.{self.name}"


def _is_placeholder(x: Any) -> bool:
    return isinstance(x, ParamsPlaceholder)


def map_params(
    initable: Any,
    f: Callable[..., Any],
    state: Any,
    /,
    *rest: Any,
    transform_non_params: Callable[[Any], Any] | None = None,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """Applies a function to everything in a state that is like the parameters: moments, running sums ...

    Args:
      initable: the optimizer that the state is of, or its ``init``.
      f: ``f(value, *rest)`` of one leaf.
      state: the state.
      *rest: trees like the parameters.
      transform_non_params: function of the other leaves (counts, learning rates); default leaves them.
      is_leaf: predicate for what in the parameters is a leaf.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.sgd(0.1, momentum=0.9)
      >>> state = opt.init({'w': jnp.ones(2)})
      >>> optim.tree.map_params(opt, lambda x: x + 1, state)[0].trace
      {'w': Array([1., 1.], dtype=float32)}
    """
    init = getattr(initable, "init", initable)

    def mapped(mark: Any, value: Any) -> Any:
        if _is_placeholder(mark):
            return pytree.map(f, value, *rest, is_leaf=is_leaf)
        return value if transform_non_params is None else transform_non_params(value)

    return pytree.map(mapped, init(ParamsPlaceholder()), state, is_leaf=_is_placeholder)


def _is_named_tuple(x: Any) -> bool:
    return isinstance(x, tuple) and hasattr(x, "_fields")


def _children(node: Any) -> list[tuple[Any, Any]]:
    """The children of a node with their keys; empty for a leaf."""
    if _is_named_tuple(node):
        return [(NamedTupleKey(type(node).__name__, field), getattr(node, field)) for field in node._fields]
    if isinstance(node, dict):
        return [(DictKey(key), value) for key, value in node.items()]
    if node is None or not is_tree_node(type(node)):
        return []
    return list(flatten_one_level_with_keys(node)[0])


def _name(key: Any) -> Any:
    if isinstance(key, DictKey):
        return key.key
    return key.name if isinstance(key, (NamedTupleKey, GetAttrKey)) else None


def _found(path: Path, node: Any, key: Any) -> Iterator[tuple[Path, Any]]:
    if _is_named_tuple(node) and type(node).__name__ == key:
        yield path, node
    for step, child in _children(node):
        if isinstance(step, (DictKey, NamedTupleKey)) and _name(step) == key:
            yield (*path, step), child
        yield from _found((*path, step), child, key)


def get_all_with_path(tree: Any, key: Any, filtering: Filter | None = None) -> list[tuple[Path, Any]]:
    """Everything in a state that has a name: fields of named tuples, named tuples of a class, entries of dicts.

    Args:
      tree: a state, or any tree.
      key: the name, or key of a dict.
      filtering: ``filtering(path, value)`` says whether a value counts.

    Returns:
      Pairs of path and value, depth first.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> state = optim.adam(0.1).init(jnp.ones(2))
      >>> [(path, value),] = optim.tree.get_all_with_path(state, 'count')
      >>> print(path[-1], value)
      ScaleByAdamState.count 0
    """
    found = list(_found((), tree, key))
    return found if filtering is None else [(path, value) for path, value in found if filtering(path, value)]


def get(tree: Any, key: Any, default: Any = None, filtering: Filter | None = None) -> Any:
    """The only thing in a state that has a name.

    Args:
      tree: a state, or any tree.
      key: the name, as for ``get_all_with_path``.
      default: what to return if there is none.
      filtering: ``filtering(path, value)`` says whether a value counts.

    Raises:
      KeyError: there are several.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> print(optim.tree.get(optim.adam(0.1).init(jnp.ones(2)), 'nu'))
      [0. 0.]
    """
    found = get_all_with_path(tree, key, filtering)
    if len(found) > 1:
        places = ", ".join("".join(f"[{step}]" for step in path) for path, _ in found[:4])
        raise KeyError(
            f"fungrad.optim.tree.get: {key!r} is in the tree {len(found)} times: {places}; pass filtering, or use "
            "get_all_with_path"
        )
    return found[0][1] if found else default


def put(tree: Any, filtering: Filter | None = None, /, **kwargs: Any) -> Any:
    """A state with new values for everything that has certain names.

    Args:
      tree: a state, or any tree.
      filtering: ``filtering(path, value)`` says whether a value is replaced.
      **kwargs: names, as for ``get_all_with_path``, and new values.

    Raises:
      KeyError: nothing has one of the names.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> state = optim.adam(0.1).init(jnp.ones(2))
      >>> print(optim.tree.get(optim.tree.set(state, count=jnp.int32(7)), 'count'))
      7
    """
    for key in kwargs:
        if not get_all_with_path(tree, key, filtering):
            raise KeyError(f"fungrad.optim.tree.set: nothing in the tree is called {key!r}")

    def chosen(path: Path, node: Any, name: Any) -> bool:
        return isinstance(name, str) and name in kwargs and (filtering is None or filtering(path, node))

    def replaced(path: Path, node: Any) -> Any:
        if _is_named_tuple(node) and chosen(path, node, type(node).__name__):
            return kwargs[type(node).__name__]
        children = _children(node)
        if not children:
            return node
        new = []
        for step, child in children:
            inner = (*path, step)
            named = isinstance(step, (DictKey, NamedTupleKey)) and chosen(inner, child, _name(step))
            new.append(kwargs[_name(step)] if named else replaced(inner, child))
        return _rebuilt(node, new)

    return replaced((), tree)


def _rebuilt(node: Any, children: list[Any]) -> Any:
    if _is_named_tuple(node):
        return type(node)(*children)
    if isinstance(node, dict):
        keys = list(node)
        by_key = dict(zip(keys, children, strict=True))
        structure = pytree.structure(node, is_leaf=lambda x: x is not node)
        return pytree.unflatten(structure, [by_key[k] for k in _order(node)])
    structure = pytree.structure(node, is_leaf=lambda x: x is not node)
    return pytree.unflatten(structure, children)


def _order(node: dict) -> list[Any]:
    """The keys of a dict in the order in which its children are flattened."""
    return [step.key for step, _ in flatten_one_level_with_keys(node)[0]]
