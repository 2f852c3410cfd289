"""Pytree classes, random trees and small helpers shared by the tests of pytrees."""

import collections
import dataclasses
import typing

import pytest
from hypothesis import settings, strategies as st

from fungrad import tree, tree_util


class Point(typing.NamedTuple):
    x: object
    y: object


class Pair:
    """A registered class without keys."""

    def __init__(self, children, tag):
        self.children, self.tag = tuple(children), tag

    def __eq__(self, other):
        return type(other) is Pair and (self.children, self.tag) == (other.children, other.tag)

    __hash__ = None

    def __repr__(self):
        return f"Pair({self.children}, {self.tag!r})"


class Keyed:
    """A class registered with keys, whose constructor accepts anything."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __eq__(self, other):
        return type(other) is Keyed and (self.low, self.high) == (other.low, other.high)

    __hash__ = None

    def tree_flatten_with_keys(self):
        keys = tree_util.GetAttrKey("low"), tree_util.GetAttrKey("high")
        return list(zip(keys, (self.low, self.high), strict=True)), None

    @classmethod
    def tree_unflatten(cls, _meta, children):
        return cls(*children)


@dataclasses.dataclass
class Layer:
    weight: object
    bias: object
    name: str = tree.static(default="layer")


class Fixed(str):
    """A static string."""


tree_util.register_pytree_node(Pair, lambda pair: (pair.children, pair.tag), lambda tag, children: Pair(children, tag))
tree_util.register_pytree_with_keys_class(Keyed)
tree_util.register_dataclass(Layer)
tree_util.register_static(Fixed)


# Random trees ------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", "weight", "B", "10", "9"])
INT_KEYS = st.integers(-3, 12)
LEAVES = st.one_of(st.integers(0, 99), st.sampled_from(["s", 2.5, True, b"bytes"]))


def containers(children):
    few = st.lists(children, max_size=3)
    return st.one_of(
        few,
        few.map(tuple),
        st.dictionaries(KEYS, children, max_size=3),
        st.dictionaries(INT_KEYS, children, max_size=3),
        st.dictionaries(KEYS, children, max_size=3).map(collections.OrderedDict),
        st.dictionaries(KEYS, children, max_size=2).map(lambda items: collections.defaultdict(list, items)),
        st.builds(Point, children, children),
        st.builds(Pair, few, st.sampled_from(["t", None, 3, ("t", 1), ["unhashable"]])),
        st.builds(Keyed, children, children),
        st.builds(Layer, children, children, st.sampled_from(["dense", "conv"])),
        st.sampled_from([Fixed("one"), Fixed("two")]),
    )


LEAF_OR_NONE = st.one_of(LEAVES, st.none())
TREES = st.recursive(LEAF_OR_NONE, containers, max_leaves=10)


def small_containers(children):
    """Few shapes, so that two of them often match."""
    return st.one_of(
        st.lists(children, max_size=2),
        st.tuples(children),
        st.tuples(children, children),
        st.dictionaries(st.sampled_from("ab"), children, max_size=2),
        st.builds(Point, children, children),
    )


def small_containers_and_ordered(children):
    ordered = st.builds(collections.OrderedDict, st.dictionaries(st.sampled_from("ab"), children))
    return st.one_of(small_containers(children), ordered)


SMALL_LEAVES = st.sampled_from([1, 2, None])
SMALL_TREES = st.recursive(SMALL_LEAVES, small_containers_and_ordered, max_leaves=5)
# Without OrderedDict, which matches a dict here and does not in JAX.
SMALL_PLAIN_TREES = st.recursive(SMALL_LEAVES, small_containers, max_leaves=5)
check = settings(deadline=None, max_examples=200)


def outcome(function, *args):
    """The result of a call, or the class of its ValueError."""
    try:
        return function(*args)
    except ValueError:
        return ValueError


class TupleSubclass(tuple):
    pass


class ListSubclass(list):
    pass


def message(function, *args, error=ValueError, **keywords):
    """The text of the error that a call must raise."""
    with pytest.raises(error) as info:
        function(*args, **keywords)
    return str(info.value)
