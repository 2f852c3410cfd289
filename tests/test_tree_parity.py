"""`fungrad.tree` and `fungrad.tree_util` against JAX, on random trees."""

import collections
import copy
import functools
import operator
import time

import numpy as np
import pytest
from hypothesis import given
from tree_samples import (
    SMALL_PLAIN_TREES,
    SMALL_TREES,
    TREES,
    Fixed,
    Keyed,
    Layer,
    ListSubclass,
    Pair,
    Point,
    TupleSubclass,
    check,
    outcome,
)

from fungrad import tree, tree_util
from fungrad.core import tree as core_tree

parity = pytest.mark.parity


@pytest.fixture(scope="module")
def jax():
    """JAX, with the classes of this module registered there too."""
    jax = pytest.importorskip("jax")
    util = jax.tree_util
    if not util.is_tree_node(Pair):
        util.register_pytree_node(
            Pair, lambda pair: (pair.children, pair.tag), lambda tag, children: Pair(children, tag)
        )
        util.register_pytree_with_keys(
            Keyed,
            lambda k: (((util.GetAttrKey("low"), k.low), (util.GetAttrKey("high"), k.high)), None),
            Keyed.tree_unflatten,
        )
        util.register_dataclass(Layer)
        util.register_static(Fixed)
    return jax


def opened(structure):
    """A structure of ours, level by level: type of the node, opened children."""
    return None if structure.is_leaf() else (structure.type, [opened(child) for child in structure.children()])


def opened_by_jax(structure):
    """The same of a structure of JAX's; its leaves have no node data, and no children."""
    if structure.num_leaves == structure.num_nodes == 1:
        return None
    data = structure.node_data()
    cls = type(None) if data is None else data[0]
    return (cls, [opened_by_jax(child) for child in structure.children()])


def text_of_keys(path):
    return [f"{type(key).__name__}{key!r}" for key in path]


@parity
@check
@given(value=TREES)
def test_flatten_agrees(jax, value):
    expected_leaves, expected_def = jax.tree.flatten(value)
    leaves, structure = tree.flatten(value)
    assert [id(x) for x in leaves] == [id(x) for x in expected_leaves]
    assert opened(structure) == opened_by_jax(expected_def)
    assert (structure.num_leaves, structure.num_nodes) == (
        expected_def.num_leaves,
        expected_def.num_nodes,
    )
    assert tree.leaves(value) == expected_leaves
    assert tree.structure(value) == structure
    rebuilt = tree.unflatten(structure, leaves)
    assert rebuilt == jax.tree.unflatten(expected_def, expected_leaves) == value
    assert type(rebuilt) is type(value)


@parity
@check
@given(value=TREES)
def test_paths_agree(jax, value):
    expected, expected_def = jax.tree.flatten_with_path(value)
    pairs, structure = tree.flatten_with_path(value)
    assert structure == tree.structure(value)
    assert opened(structure) == opened_by_jax(expected_def)
    assert len(pairs) == len(expected)
    for (path, leaf), (expected_path, expected_leaf) in zip(pairs, expected, strict=True):
        assert leaf is expected_leaf
        assert text_of_keys(path) == text_of_keys(expected_path)
        assert tree_util.keystr(path) == jax.tree_util.keystr(expected_path)
        assert tree_util.keystr(path, simple=True, separator="/") == jax.tree_util.keystr(
            expected_path, simple=True, separator="/"
        )
    assert core_tree.key_paths(structure) == [path for path, _ in pairs]
    assert core_tree.leaf_paths(value) == [tree_util.keystr(path) for path, _ in pairs]


@parity
@check
@given(value=TREES)
def test_maps_agree(jax, value):
    def double(x):
        return [x, x]

    def join(x, y, z):
        return (x, y, z)

    assert tree.map(double, value) == jax.tree.map(double, value)
    assert tree.map(join, value, value, tree.map(double, value)) == jax.tree.map(
        join, value, value, jax.tree.map(double, value)
    )
    named = tree.map_with_path(lambda path, x, y: (tree_util.keystr(path), x, y), value, value)
    expected = jax.tree.map_with_path(lambda path, x, y: (jax.tree_util.keystr(path), x, y), value, value)
    assert named == expected


@parity
@check
@given(value=TREES)
def test_is_leaf_agrees(jax, value):
    def is_leaf(x):
        return x is None or isinstance(x, (list, Point))

    expected_leaves, expected_def = jax.tree.flatten(value, is_leaf=is_leaf)
    leaves, structure = tree.flatten(value, is_leaf)
    assert leaves == expected_leaves
    assert opened(structure) == opened_by_jax(expected_def)
    seen, expected_seen = [], []
    tree.flatten(value, seen.append)
    jax.tree.flatten(value, expected_seen.append)
    assert [id(x) for x in seen] == [id(x) for x in expected_seen]

    def short(path, _):
        return len(path) == 1

    found = tree.leaves_with_path(value, short, is_leaf_takes_path=True)
    expected = jax.tree.leaves_with_path(value, short, is_leaf_takes_path=True)
    assert [leaf for _, leaf in found] == [leaf for _, leaf in expected]


@parity
@check
@given(first=SMALL_PLAIN_TREES, second=SMALL_PLAIN_TREES)
def test_matching_two_trees_agrees(jax, first, second):
    structures = tree.structure(first), tree.structure(second)
    expected = jax.tree.structure(first), jax.tree.structure(second)
    assert (structures[0] == structures[1]) == (expected[0] == expected[1])
    if structures[0] == structures[1]:
        assert hash(structures[0]) == hash(structures[1])
    assert outcome(structures[0].flatten_up_to, second) == outcome(expected[0].flatten_up_to, second)
    for function, reference in [
        (tree.broadcast, jax.tree.broadcast),
        (
            lambda a, b: tree.map(lambda *xs: xs, a, b),
            lambda a, b: jax.tree.map(lambda *xs: xs, a, b),
        ),
        (
            lambda a, b: tree.map_with_path(lambda _, *xs: xs, a, b),
            lambda a, b: jax.tree.map_with_path(lambda _, *xs: xs, a, b),
        ),
    ]:
        assert outcome(function, first, second) == outcome(reference, first, second)
    differences = [path for path, *_ in core_tree.equality_errors(first, second)]
    assert (differences == []) == (structures[0] == structures[1])
    assert [path for path, *_ in core_tree.equality_errors(*structures)] == differences
    composed = structures[0].compose(structures[1])
    assert opened(composed) == opened_by_jax(expected[0].compose(expected[1]))
    assert composed == tree.structure(tree.map(lambda _: second, first))


@parity
@check
@given(outer=SMALL_TREES, inner=SMALL_TREES)
def test_transpose_agrees(jax, outer, inner):
    counter = iter(range(1000))
    value = tree.map(lambda _: tree.map(lambda _: next(counter), inner), outer)
    outer_def, inner_def = tree.structure(outer), tree.structure(inner)
    if not outer_def.num_leaves:
        # JAX reports too few leaves here; the transposed tree is well defined.
        expected = tree.map(lambda _: outer, inner)
        assert tree.transpose(outer_def, inner_def, value) == expected
        return
    expected = jax.tree.transpose(jax.tree.structure(outer), jax.tree.structure(inner), value)
    assert tree.transpose(outer_def, inner_def, value) == expected
    assert tree.transpose(outer_def, None, value) == expected


@parity
@check
@given(value=TREES)
def test_reductions_agree(jax, value):
    texts = tree.map(str, value)
    assert tree.reduce(operator.add, texts, "") == jax.tree.reduce(operator.add, texts, "")
    assert tree.all(value) == jax.tree.all(value)

    def join(a, b):
        return f"({a}{b})"

    grouped = tree.reduce_associative(join, texts, identity="")
    assert grouped == jax.tree.reduce_associative(join, texts, identity="")
    flat = tree.leaves(value)
    assert tree_util.all_leaves(flat) and jax.tree_util.all_leaves(flat)
    assert tree_util.all_leaves([value]) == jax.tree_util.all_leaves([value])


@parity
@check
@given(value=TREES.filter(lambda value: not isinstance(value, Point)))
def test_one_level_agrees(jax, value):
    # Namedtuples are left out: JAX repeats the first key and gives the class as metadata.
    assert tree_util.is_tree_node(type(value)) == jax.tree_util.is_tree_node(type(value))
    if not tree_util.is_tree_node(type(value)):
        assert tree_util.default_registry.flatten_one_level(value) is None
        return
    children, meta = tree_util.flatten_one_level(value)
    expected_children, expected_meta = jax.tree_util.flatten_one_level(value)
    assert list(children) == list(expected_children)
    assert meta == expected_meta
    pairs, _ = tree_util.flatten_one_level_with_keys(value)
    expected_pairs, _ = jax.tree_util.flatten_one_level_with_keys(value)
    assert [text_of_keys([key]) for key, _ in pairs] == [text_of_keys([key]) for key, _ in expected_pairs]


SPECIAL = [
    collections.Counter("aab"),
    TupleSubclass((1, 2)),
    ListSubclass([1]),
    {1, 2},
    range(3),
    (),
    [],
    {},
    None,
    [None],
    collections.OrderedDict(),
    {(1, "a"): 1, (0, "b"): 2},
    {"b": {}, "a": ()},
    np.arange(3),
    np.float32(1),
    tree_util.SequenceKey(0),
    functools.partial(print, 1),
]


@parity
@pytest.mark.parametrize("value", SPECIAL, ids=lambda value: type(value).__name__)
def test_what_is_a_node_agrees(jax, value):
    leaves, structure = tree.flatten(value)
    expected_leaves, expected = jax.tree.flatten(value)
    assert [id(x) for x in leaves] == [id(x) for x in expected_leaves]
    assert opened(structure) == opened_by_jax(expected)


@parity
def test_what_is_a_node_differs(jax):
    """Sequences that are nodes here and leaves in JAX, as `fungrad.core.tree` says."""
    for value in collections.deque([1, 2]), time.localtime(0):
        assert len(jax.tree.leaves(value)) == 1
        assert tree.leaves(value) == list(value)
        assert tree.map(lambda x: x, value) == value


@parity
def test_keys_print_as_in_jax(jax):
    for name, argument in [
        ("SequenceKey", 3),
        ("DictKey", ("k", 1)),
        ("GetAttrKey", "field"),
        ("FlattenedIndexKey", 2),
    ]:
        ours, theirs = getattr(tree_util, name), getattr(jax.tree_util, name)
        assert repr(ours(argument)) == repr(theirs(argument))
        assert str(ours(argument)) == str(theirs(argument))
        assert ours(argument) == ours(argument) and hash(ours(argument)) == hash(ours(argument))
        assert ours.__match_args__ == theirs.__match_args__
        assert copy.deepcopy(ours(argument)) == ours(argument)
    assert tree_util.SequenceKey(0) != tree_util.DictKey(0)
    path = (tree_util.DictKey(1), "free", 3)
    jax_path = (jax.tree_util.DictKey(1), "free", 3)
    assert tree_util.keystr(path) == jax.tree_util.keystr(jax_path)


@parity
def test_public_names_cover_jax(jax):
    for ours, theirs in [(tree, jax.tree), (tree_util, jax.tree_util)]:
        names = {name for name in dir(theirs) if not name.startswith("_")}
        assert names - set(ours.__all__) == set()
        assert all(hasattr(ours, name) for name in ours.__all__)


@parity
def test_partial_agrees(jax):
    inner = functools.partial(max, 5)
    for args, keywords in [((), {}), ((1, 2), {}), ((1,), {"key": 3})]:
        ours = tree_util.Partial(inner, *args, **keywords)
        theirs = jax.tree_util.Partial(inner, *args, **keywords)
        assert ours.args == theirs.args and ours.keywords == theirs.keywords
        assert tree.leaves(ours) == jax.tree.leaves(theirs)
        assert core_tree.leaf_paths(ours) == [
            jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(theirs)
        ]
