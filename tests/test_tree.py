"""Tests of pytrees: `fungrad.tree`, `fungrad.tree_util` and what they rest on in `fungrad.core`."""

import collections
import copy
import dataclasses
import enum
import functools
import gc
import operator
import pickle
import time
import typing
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fungrad import tree, tree_util
from fungrad.core import tree as core_tree
from fungrad.core import tree_flatten, tree_nodes, treedef
from fungrad.core.flat_tree import FlatTree
from fungrad.core.tree_compile import compile_builder, compile_matcher

parity = pytest.mark.parity


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


tree_util.register_pytree_node(
    Pair, lambda pair: (pair.children, pair.tag), lambda tag, children: Pair(children, tag)
)
tree_util.register_pytree_with_keys_class(Keyed)
tree_util.register_dataclass(Layer)
tree_util.register_static(Fixed)


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
        st.dictionaries(KEYS, children, max_size=2).map(
            lambda items: collections.defaultdict(list, items)
        ),
        st.builds(Point, children, children),
        st.builds(Pair, few, st.sampled_from(["t", None, 3, ("t", 1), ["unhashable"]])),
        st.builds(Keyed, children, children),
        st.builds(Layer, children, children, st.sampled_from(["dense", "conv"])),
        st.sampled_from([Fixed("one"), Fixed("two")]),
    )


LEAF_OR_NONE = st.one_of(LEAVES, st.none())
TREES = st.recursive(LEAF_OR_NONE, containers, max_leaves=10)
# Few shapes, so that two of them often match.
SMALL_TREES = st.recursive(
    st.sampled_from([1, 2, None]),
    lambda children: st.one_of(
        st.lists(children, max_size=2),
        st.tuples(children),
        st.tuples(children, children),
        st.dictionaries(st.sampled_from("ab"), children, max_size=2),
        st.builds(Point, children, children),
        st.builds(collections.OrderedDict, st.dictionaries(st.sampled_from("ab"), children)),
    ),
    max_leaves=5,
)
check = settings(deadline=None, max_examples=200)


def outcome(function, *args):
    """The result of a call, or the class of its ValueError."""
    try:
        return function(*args)
    except ValueError:
        return ValueError


def text_of_keys(path):
    return [f"{type(key).__name__}{key!r}" for key in path]


@parity
@check
@given(value=TREES)
def test_flatten_agrees(jax, value):
    expected_leaves, expected_def = jax.tree.flatten(value)
    leaves, structure = tree.flatten(value)
    assert [id(x) for x in leaves] == [id(x) for x in expected_leaves]
    assert repr(structure) == repr(expected_def)
    assert (structure.num_leaves, structure.num_nodes) == (
        expected_def.num_leaves,
        expected_def.num_nodes,
    )
    assert [repr(child) for child in structure.children()] == [
        repr(child) for child in expected_def.children()
    ]
    assert structure.node_data() == expected_def.node_data()
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
    assert repr(structure) == repr(expected_def)
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
    expected = jax.tree.map_with_path(
        lambda path, x, y: (jax.tree_util.keystr(path), x, y), value, value
    )
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
    assert repr(structure) == repr(expected_def)
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
@given(first=SMALL_TREES, second=SMALL_TREES)
def test_matching_two_trees_agrees(jax, first, second):
    structures = tree.structure(first), tree.structure(second)
    expected = jax.tree.structure(first), jax.tree.structure(second)
    assert (structures[0] == structures[1]) == (expected[0] == expected[1])
    if structures[0] == structures[1]:
        assert hash(structures[0]) == hash(structures[1])
    assert outcome(structures[0].flatten_up_to, second) == outcome(
        expected[0].flatten_up_to, second
    )
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
    assert repr(composed) == repr(expected[0].compose(expected[1]))
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
    assert [text_of_keys([key]) for key, _ in pairs] == [
        text_of_keys([key]) for key, _ in expected_pairs
    ]


class TupleSubclass(tuple):
    pass


class ListSubclass(list):
    pass


SPECIAL = [
    collections.deque([1, 2]),
    collections.Counter("aab"),
    TupleSubclass((1, 2)),
    ListSubclass([1]),
    time.localtime(0),
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
    assert repr(structure) == repr(expected)


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


# Structures --------------------------------------------------------------------------------------


def uses_everything():
    return {
        "list": [1, (2, None), []],
        "point": Point(3, {"b": 4, "a": 5}),
        "pair": Pair((6, [7]), "tag"),
        "keyed": Keyed(8, (9,)),
        "layer": Layer(10, [11], "conv"),
        "ordered": collections.OrderedDict(z=12, a=13),
        "default": collections.defaultdict(list, k=14),
        "ints": {2: 15, 1: 16},
        "fixed": Fixed("f"),
    }


@check
@given(value=TREES)
def test_compiled_functions_equal_the_walk(value):
    leaves, structure = tree.flatten(value)
    assert compile_builder(structure)(leaves) == tree.unflatten(structure, leaves) == value
    match = compile_matcher(structure)
    assert [id(x) for x in match(value)] == [id(x) for x in leaves]


@check
@given(first=SMALL_TREES, second=SMALL_TREES)
def test_compiled_matcher_rejects_other_structures(first, second):
    leaves, structure = tree.flatten(second)
    found = compile_matcher(tree.structure(first))(second)
    assert found == (leaves if structure == tree.structure(first) else None)


def test_results_stay_the_same_when_a_structure_is_used_often():
    value = uses_everything()
    leaves, structure = tree.flatten(value)
    assert structure.matcher is None
    for _ in range(3 * treedef._COMPILE_AFTER):
        assert tree.unflatten(structure, iter(leaves)) == value
        assert core_tree.match(structure, value) == leaves
        assert core_tree.match(structure, {**value, "extra": 1}) is None
        assert core_tree.match(structure, {**value, "point": Point(3, {"b": 4, "c": 5})}) is None
        assert core_tree.match(structure, {**value, "pair": Pair((6, [7]), "other")}) is None
        assert core_tree.match(structure, {**value, "ints": 1}) is None
    assert structure.matcher is not None
    assert tree.map(lambda x, y: x + y, value, value) == tree.map(lambda x: 2 * x, value)
    with pytest.raises(ValueError, match="too many leaves"):
        tree.unflatten(structure, [*leaves, 1])


def test_match_meets_new_leaf_types():
    class New:
        pass

    structure = tree.structure((1, [2]))
    for _ in range(2 * treedef._COMPILE_AFTER):
        core_tree.match(structure, (1, [2]))
    assert structure.matcher is not None
    new = New()
    assert core_tree.match(structure, (1, [new])) == [1, new]
    assert core_tree.match(structure, (1, [None])) is None


def test_known_structures_are_the_same_object():
    assert tree.structure({"a": [1, (2,)]}) is tree.structure({"a": [3, (4,)]})
    assert tree.structure((1, 2)) is tree.structure((1, 2), is_leaf=lambda _: False)
    assert tree.structure(Point(1, [2])) is tree.structure(Point(3, [4]))
    assert tree.structure({"a": 1, "b": 2}) is tree.structure({"b": 1, "a": 2})


def test_dict_is_rebuilt_in_key_order():
    assert list(tree.map(abs, {"b": 1, "a": 2})) == ["a", "b"]
    assert list(tree.map(abs, collections.OrderedDict(b=1, a=2))) == ["b", "a"]


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Part(enum.StrEnum):
    train = "train"


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: [d, (d,)]], ids=["root", "nested"])
@pytest.mark.parametrize(
    "keys", [(1,), (True,), (1.0,), (np.int64(1),), ("train",), (Part.train,), (0, 2)]
)
def test_equal_keys_keep_their_own_type(keys, wrap):
    for other in [(1,), (True,), ("train",), (Part.train,)]:
        tree.map(str, wrap(dict.fromkeys(other, 1)))
    result = tree.map(lambda x: x, wrap(dict.fromkeys(keys, 1)))
    while not isinstance(result, dict):
        result = result[0]
    assert [(type(key), key) for key in result] == [(type(key), key) for key in keys]


@pytest.mark.parametrize("tags", [(1, True, 1.0), (0, False), (("a", 1), ("a", True))])
def test_equal_metadata_is_kept_apart(tags):
    for tag in tags * 2:
        result = tree.map(lambda x: x, [Pair((1,), tag)])
        assert repr(result) == repr([Pair((1,), tag)])
    first, second = tree.structure(Pair((1,), tags[0])), tree.structure(Pair((1,), tags[1]))
    assert first == second and hash(first) == hash(second)


def test_keys_without_common_order():
    assert tree.leaves({1: "int", "a": "str", None: "none", (2,): "tuple"}) == [
        "none",
        "int",
        "str",
        "tuple",
    ]
    assert tree.leaves({Color.RED: 1, Color.BLUE: 2}) == [2, 1]
    first, second = tree.structure({1: 0, "a": 0}), tree.structure({"a": 0, 1: 0})
    assert first == second
    with pytest.raises(ValueError, match=r"fungrad.tree.flatten: .*order.*complex.*OrderedDict"):
        tree.flatten({1j: 0, 2j: 1})


def test_caches_stay_bounded(monkeypatch):
    monkeypatch.setattr(tree_nodes, "_MAX_TABLES", 8)
    monkeypatch.setattr(tree_flatten, "_MAX_DICT_SHAPES", 8)
    monkeypatch.setattr(treedef, "_MAX_ENTRIES", 8)
    monkeypatch.setattr(tree_flatten, "_MAX_LEAF_TYPES", len(tree_nodes.known_leaf_types) + 4)
    for i in range(50):
        value = {f"k{i}": [1, (i,)], "nested": {j: {"x": None} for j in range(i % 12)}}
        assert tree.map(lambda x: x, value) == value
        sequence = [(1,) * (i % 5), [(2,) * i], None, type(f"Leaf{i}", (), {})()]
        assert tree.map(lambda x: x, sequence) == sequence
    assert len(tree_flatten._dict_shapes) <= 8
    assert len(tree_nodes.DICT._tables) <= 8
    assert len(tree_nodes.LIST.plain_table) <= 8
    assert len(tree_nodes.known_leaf_types) <= tree_flatten._MAX_LEAF_TYPES


def test_metadata_is_not_kept_alive():
    class Big:
        pass

    big = Big()
    reference = weakref.ref(big)
    partial = tree_util.Partial(lambda x, _big=big: x, 1)
    for _ in range(3):
        tree.map(lambda x: x, {"f": [partial]})
    del big, partial
    gc.collect()
    assert reference() is None


def test_structure_equality_and_hash():
    a, b = tree.structure(uses_everything()), tree.structure(uses_everything())
    assert a == b and hash(a) == hash(b) and a == a
    assert a != tree.structure({**uses_everything(), "fixed": Fixed("g")})
    assert a != "something else"
    assert tree.structure(()) != tree.structure([])
    assert tree.structure(None) != tree.structure(1)
    assert tree.structure({}) != tree.structure(collections.OrderedDict())


def test_structure_pickles():
    structure = tree.structure(uses_everything())
    assert pickle.loads(pickle.dumps(structure)) == structure
    leaf = tree.structure(1)
    assert pickle.loads(pickle.dumps([leaf, leaf]))[0] is leaf
    assert copy.deepcopy(structure) == structure
    assert pickle.loads(pickle.dumps(tree_util.default_registry)) is tree_util.default_registry


def test_unhashable_metadata():
    value = Pair((1,), ["unhashable"])
    assert hash(tree.structure(value)) == hash(tree.structure(copy.deepcopy(value)))
    assert tree.structure(value) == tree.structure(copy.deepcopy(value))
    assert tree.structure(value) != tree.structure(Pair((1,), ["other"]))


def test_array_metadata_error():
    first, second = Pair((1,), np.zeros(3)), Pair((1,), np.zeros(3))
    with pytest.raises(ValueError, match=r"metadata of two Pair nodes.*children of a node"):
        _ = tree.structure(first) == tree.structure(second)
    with pytest.raises(ValueError, match=r"metadata of two Pair nodes"):
        compile_matcher(tree.structure(first))(second)


def test_treedef_functions():
    leaf, pair = tree.structure(1), tree.structure((1, [2]))
    assert tree_util.treedef_tuple([leaf, pair]) == tree.structure((1, (1, [2])))
    assert tree_util.treedef_children(pair) == [leaf, tree.structure([2])]
    assert tree_util.treedef_is_leaf(leaf) and not tree_util.treedef_is_leaf(pair)
    assert isinstance(leaf, tree_util.PyTreeDef) and leaf.node_data() is None
    assert tree.leaves(pair) == [pair]  # a structure is a leaf itself


# Registration ------------------------------------------------------------------------------------


def test_class_can_be_registered_after_it_was_a_leaf():
    class Late:
        def __init__(self, value):
            self.value = value

    value = Late(5)
    assert tree.leaves([value, value]) == [value, value]
    tree_util.register_pytree_node(Late, lambda x: ((x.value,), None), lambda _, c: Late(*c))
    assert tree.leaves([value, 6]) == [5, 6]


def test_namedtuple_can_be_registered_with_another_rule():
    Special = collections.namedtuple("Special", "data extra")
    assert tree.leaves(Special(1, 2)) == [1, 2]
    tree_util.register_pytree_node(
        Special, lambda x: ((x.data,), x.extra), lambda extra, c: Special(*c, extra)
    )
    assert tree.leaves([Special(1, 2)]) == [1]
    assert tree.map(lambda x: 10 * x, Special(1, 2)) == Special(10, 2)
    with pytest.raises(ValueError, match="duplicate registration"):
        tree_util.register_pytree_node(Special, lambda x: ((), None), lambda _, c: None)


@pytest.mark.parametrize("cls", [dict, tuple, type(None), collections.OrderedDict, Pair, Layer])
def test_duplicate_registration(cls):
    with pytest.raises(ValueError, match=r"register_pytree_node: duplicate registration.*once"):
        tree_util.register_pytree_node(cls, lambda x: ((), None), lambda _, c: None)


def test_registration_errors():
    with pytest.raises(TypeError, match=r"register_pytree_node: expected a class.*'name'"):
        tree_util.register_pytree_node("name", lambda x: ((), None), lambda _, c: None)

    class Wrong:
        pass

    tree_util.register_pytree_node(Wrong, lambda x: [1, 2], lambda _, c: Wrong())
    with pytest.raises(TypeError, match=r"Wrong must return a pair \(children, metadata\)"):
        tree.flatten(Wrong())


def test_children_may_be_any_iterable():
    class Lazy:
        def __init__(self, items):
            self.items = items

    tree_util.register_pytree_with_keys(
        Lazy,
        lambda x: (((tree_util.DictKey(i), item) for i, item in enumerate(x.items)), None),
        lambda _, children: Lazy(list(children)),
        lambda x: (iter(x.items), None),
    )
    value = Lazy([1, [2, 3]])
    assert tree.leaves(value) == [1, 2, 3]
    assert tree.map(lambda x, y: x + y, value, value).items == [2, [4, 6]]
    assert core_tree.leaf_paths(value) == ["[0]", "[1][0]", "[1][1]"]
    assert tree_util.flatten_one_level(value) == ((1, [2, 3]), None)


def test_dataclass_fields():
    @functools.partial(tree_util.register_dataclass, data_fields=["b", "a"], meta_fields=["m"])
    @dataclasses.dataclass(frozen=True)
    class Explicit:
        a: int
        b: int
        m: str

    assert tree.leaves(Explicit(1, 2, "m")) == [2, 1]
    assert tree.map(lambda x: -x, Explicit(1, 2, "m")) == Explicit(-1, -2, "m")
    assert core_tree.leaf_paths(Explicit(1, 2, "m")) == [".b", ".a"]

    @dataclasses.dataclass
    class Dropping:
        a: int
        cache: int = 0
        total: int = dataclasses.field(init=False, default=7)

    tree_util.register_dataclass(Dropping, drop_fields=["cache", "total"])
    assert tree.map(lambda x: -x, Dropping(1, cache=5)) == Dropping(-1, cache=0)

    class Plain:
        def __init__(self, *, left, right):
            self.left, self.right = left, right

    tree_util.register_dataclass(Plain, data_fields=["left", "right"], meta_fields=[])
    assert tree.map(lambda x: -x, Plain(left=1, right=2)).right == -2


def test_dataclass_registration_errors():
    @dataclasses.dataclass
    class Data:
        a: int
        b: int
        c: int = dataclasses.field(init=False, default=0)

    register = tree_util.register_dataclass
    with pytest.raises(TypeError, match="both data_fields and meta_fields"):
        register(Data, data_fields=["a", "b"])
    with pytest.raises(ValueError, match=r"\['b'\] are not. Add"):
        register(Data, data_fields=["a"], meta_fields=[])
    with pytest.raises(ValueError, match=r"\['b'\] in data_fields and in meta_fields"):
        register(Data, data_fields=["a", "b"], meta_fields=["b"])
    with pytest.raises(ValueError, match=r"\['z'\] are not fields of .*Data"):
        register(Data, data_fields=["a", "b"], meta_fields=["z"])
    with pytest.raises(ValueError, match=r"\['c'\] are not fields .*init=False"):
        register(Data)
    with pytest.raises(TypeError, match="is not a dataclass"):
        register(TupleSubclass)


def test_partial():
    def f(*args, **keywords):
        return args, keywords

    inner = functools.partial(f, 1, key=2)
    outer = tree_util.Partial(inner, 3, other=4)
    assert outer() == inner(3, other=4)
    assert outer.func is inner and outer.args == (3,)
    nested = tree_util.Partial(outer, 5)
    assert nested.func is outer and tree.leaves(nested) == [5]
    assert nested(6) == ((1, 3, 5, 6), {"key": 2, "other": 4})
    assert tree.structure(tree_util.Partial(f, 1)) == tree.structure(tree_util.Partial(f, 2))
    assert tree.structure(tree_util.Partial(f, 1)) != tree.structure(tree_util.Partial(max, 1))
    assert pickle.loads(pickle.dumps(tree_util.Partial(max, 1)))(2) == 2
    with pytest.raises(TypeError, match="must be callable, got 3"):
        tree_util.Partial(3)


# Errors ------------------------------------------------------------------------------------------


def message(function, *args, error=ValueError, **keywords):
    with pytest.raises(error) as info:
        function(*args, **keywords)
    return str(info.value)


def test_unflatten_errors():
    structure = tree.structure({"a": [1, 2], "b": Point(3, 4)})
    text = message(tree.unflatten, structure, [1, 2])
    assert "fungrad.tree.unflatten: too few leaves" in text
    assert "['b'].x" in text and "expected 4" in text and "got 2" in text
    text = message(structure.unflatten, range(6))
    assert "too many leaves, 2 left over" in text and "expected 4" in text and "got 6" in text


@pytest.mark.parametrize(
    ("first", "second", "parts"),
    [
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, ["rest[0]['a']", "length 2", "length 3"]),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, ["missing ['b']", "unexpected ['c']"]),
        ((1, (2, 3)), (1, [2, 3]), ["rest[0][1]", "a tuple of length 2", "a list of length 2"]),
        (([1], [2]), (np.zeros(3), [2]), ["rest[0][0]", "a leaf, float64[3]"]),
        (([1], [2]), ("x", [2]), ["rest[0][0]", "a leaf of type str"]),
        ((1, None), (1, 5), ["rest[0][1]", "expected None", "a leaf of type int"]),
        (Point(1, [2]), Point(1, (2,)), ["rest[0].y"]),
        (Keyed(1, [2]), Keyed(1, 2), ["rest[0].high"]),
        (Layer(1, 2, "a"), Layer(1, 2, "b"), ["metadata ('a',)", "metadata ('b',)"]),
        (Pair((1,), "t"), Pair((1, 2), "t"), ["1 child", "2 children"]),
        ([Fixed("a")], [Fixed("b")], ["static Fixed 'a'", "static Fixed 'b'"]),
        (
            collections.defaultdict(int, a=1),
            collections.defaultdict(list, a=1),
            ["a defaultdict(<class 'int'>)", "a defaultdict(<class 'list'>)", "metadata"],
        ),
        (
            collections.OrderedDict(a=1, b=2),
            collections.OrderedDict(b=1, a=2),
            ["an OrderedDict with keys ['a', 'b']", "keys ['b', 'a']"],
        ),
    ],
)
def test_map_mismatch_errors(first, second, parts):
    text = message(tree.map, lambda x, y: x, first, second)
    assert text.startswith("fungrad.tree.map: rest[0]")
    assert "must have the structure" in text
    for part in parts:
        assert part in text
    text = message(tree.map_with_path, lambda path, x, y: x, first, second)
    assert text.startswith("fungrad.tree.map_with_path: rest[0]")
    assert message(tree.structure(first).flatten_up_to, second).startswith(
        "fungrad.tree_util.PyTreeDef.flatten_up_to: tree"
    )


def test_mismatch_error_lists_several_places():
    text = message(tree.map, lambda x, y: x, [[1]] * 6, [[1], 2, (3,), (4,), (5,), (6,)])
    assert "rest[0][1]" in text and "also at rest[0][2]" in text and "at more places" in text


def test_second_tree_is_named():
    text = message(tree.map, lambda x, y, z: x, (1, 2), (3, 4), (5,))
    assert text.startswith("fungrad.tree.map: rest[1]: expected a tuple of length 2")


def test_errors_of_the_function_pass_through():
    def f(x):
        raise ValueError("from f")

    assert message(tree.map, f, [1]) == "from f"

    class Strict:
        def __init__(self, value):
            if not isinstance(value, int):
                raise ValueError("Strict holds an int")
            self.value = value

    tree_util.register_pytree_node(Strict, lambda x: ((x.value,), None), lambda _, c: Strict(*c))
    assert message(tree.map, str, Strict(1)) == "Strict holds an int"


def test_paths_of_keyed_class_that_refuses_placeholders():
    class Picky:
        def __init__(self, value):
            self.value = value + 0

    tree_util.register_pytree_with_keys(
        Picky,
        lambda x: ([(tree_util.GetAttrKey("value"), x.value)], None),
        lambda _, children: Picky(*children),
    )
    assert core_tree.leaf_paths(Picky(1)) == [".value"]
    (path,) = core_tree.key_paths(tree.structure(Picky(1)))
    assert tree_util.keystr(path) == "[<flat index 0>]"
    text = message(tree.map, lambda x, y: x, [Picky(1), [2]], [Picky(1), 2])
    assert text.startswith("fungrad.tree.map: rest[0][1]")


def test_broadcast_prefix():
    call = functools.partial(
        core_tree.broadcast_prefix, api="fungrad.vmap", prefix_name="in_axes", full_name="args"
    )
    full = ({"w": 1, "b": [2, 3]}, 4, None)
    assert call(7, full) == [7, 7, 7, 7]
    assert call((0, 1, None), full) == [0, 0, 0, 1]
    assert call(({"w": 0, "b": 1}, 2, None), full) == [1, 1, 0, 2]
    none_is_leaf = functools.partial(call, is_leaf=lambda x: x is None)
    assert none_is_leaf((None, 1, None), full) == [None, None, None, 1]
    text = message(call, ({"w": 0, "b": (1, 2)}, 2, None), full)
    assert text.startswith("fungrad.vmap: in_axes must be a tree prefix of args")
    assert "in_axes[0]['b']" in text
    assert "a tuple of length 2" in text and "a list of length 2" in text
    text = message(call, (None, 1), full)
    assert "a tuple of length 2" in text and "a tuple of length 3" in text
    text = message(call, ({"w": 0}, [1], 3), full)
    assert "Also at in_axes[1]" in text


def test_broadcast_error():
    text = message(tree.broadcast, {"a": 1, "c": 2}, {"a": [1, 2], "b": 2})
    assert text.startswith("fungrad.tree.broadcast: prefix_tree must be a tree prefix")
    assert "missing ['c'], unexpected ['b']" in text


def test_equality_errors():
    first = {"a": (1, [2]), "b": 3, "c": Point(1, 2)}
    second = {"a": (1, 2), "b": [3], "c": Point(1, (2,))}
    found = [
        (tree_util.keystr(path), *texts)
        for path, *texts in core_tree.equality_errors(first, second)
    ]
    assert found == [
        ("['a'][1]", "a list of length 1", "a leaf of type int", "their Python types differ"),
        ("['b']", "a leaf of type int", "a list of length 1", "their Python types differ"),
        ("['c'].y", "a leaf of type int", "a tuple of length 1", "their Python types differ"),
    ]
    structures = tree.structure(first), tree.structure(second)
    assert [path for path, *_ in core_tree.equality_errors(*structures)] == [
        path for path, *_ in core_tree.equality_errors(first, second)
    ]
    same = core_tree.equality_errors([None, 1], [2, 1], is_leaf=lambda x: x is None)
    assert list(same) == []


def test_transpose_errors():
    outer, inner = tree.structure([1, 2]), tree.structure((1, 2))
    text = message(tree.transpose, outer, inner, [1, 2, 3], error=TypeError)
    assert "fungrad.tree.transpose" in text
    assert "PyTreeDef([(*, *), (*, *)])" in text and "PyTreeDef([*, *, *])" in text
    text = message(tree.transpose, tree.structure([]), None, [])
    assert "Pass inner_treedef" in text


def test_reduction_errors():
    text = message(tree.reduce, operator.add, {}, error=TypeError)
    assert text.startswith("fungrad.tree.reduce: ") and "initializer" in text
    text = message(tree.reduce_associative, operator.add, (), error=TypeError)
    assert text.startswith("fungrad.tree.reduce_associative: ") and "identity" in text
    assert tree.reduce(operator.add, {}, None) is None
    assert tree.reduce_associative(operator.add, (), identity=None) is None


def test_one_level_errors():
    for function in (tree_util.flatten_one_level, tree_util.flatten_one_level_with_keys):
        assert "expected a pytree node, got a leaf of type int" in message(function, 1)


# FlatTree ----------------------------------------------------------------------------------------


def test_flat_tree():
    flat = FlatTree.flatten({"a": 1, "b": (2, [3])})
    assert len(flat) == 3 and list(flat) == [1, 2, 3] and flat[1] == 2
    assert flat.unflatten() == {"a": 1, "b": (2, [3])}
    assert flat.map(lambda x: (x, None)).leaves == ((1, None), (2, None), (3, None))
    assert flat.map2(operator.add, flat).leaves == (2, 4, 6)
    assert flat.map2(operator.add, [10, 20, 30]).unflatten() == {"a": 11, "b": (22, [33])}
    first, second = flat.map(lambda x: (x, -x)).unzip2()
    assert first == flat and second == flat.map(operator.neg)
    assert flat == FlatTree.flatten({"a": 1, "b": (2, [3])}) != flat.map(operator.neg)
    assert hash(flat) == hash(FlatTree.flatten({"a": 1, "b": (2, [3])}))
    assert [tree_util.keystr(path) for path in flat.paths()] == ["['a']", "['b'][0]", "['b'][1][0]"]
    assert repr(flat) == "FlatTree({'a': 1, 'b': (2, [3])})"
    with pytest.raises(AttributeError):
        flat.leaves = ()


def test_flat_tree_with_predicate_keeps_nodes_as_leaves():
    flat = FlatTree.flatten((None, [1, 2]), is_leaf=lambda x: x is None or isinstance(x, list))
    assert flat.leaves == (None, [1, 2])
    assert flat.map(type).unflatten() == (type(None), list)


@check
@given(values=st.lists(TREES, max_size=4))
def test_flat_tree_pack_and_unpack(values):
    parts = [FlatTree.flatten(value) for value in values]
    packed = FlatTree.pack(parts)
    assert packed.unflatten() == tuple(values)
    assert packed.treedef == tree.structure(tuple(values))
    assert list(packed.unpack()) == parts


@check
@given(value=TREES, data=st.data())
def test_flat_tree_partition_and_merge(value, data):
    flat = FlatTree.flatten(value)
    mask = data.draw(st.lists(st.booleans(), min_size=len(flat), max_size=len(flat)))
    kept, others = flat.partition(mask)
    assert len(kept) == sum(mask) and len(others) == len(flat) - sum(mask)
    assert flat.merge(mask, kept, others) == flat
    moved = flat.merge(mask, [("kept", x) for x in kept], others)
    assert moved.leaves == tuple(
        ("kept", x) if keep else x for keep, x in zip(mask, flat, strict=True)
    )


def test_flat_tree_errors():
    flat = FlatTree.flatten([1, 2])
    assert "has 2 leaves, got 3" in message(flat.update, [1, 2, 3])
    assert "FlatTree.merge" in message(flat.merge, [True, False], [1, 2], [])
    assert "FlatTree.merge" in message(flat.merge, [True], [1], [2])
