"""Tests of tree structures, their caches, registration and `FlatTree`."""

import collections
import copy
import dataclasses
import enum
import functools
import gc
import operator
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given, strategies as st
from tree_samples import (
    TREES,
    Fixed,
    Keyed,
    Layer,
    Pair,
    Point,
    TupleSubclass,
    check,
    message,
)

import fungrad
from fungrad import numpy as jnp, tree, tree_util
from fungrad.core import tree as core_tree
from fungrad.core.flat_tree import FlatTree

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


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Part(enum.StrEnum):
    train = "train"


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: [d, (d,)]], ids=["root", "nested"])
@pytest.mark.parametrize("keys", [(1,), (True,), (1.0,), (np.int64(1),), ("train",), (Part.train,), (0, 2)])
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


@pytest.mark.parametrize(
    "keys", [(1, "a", None), (Color.RED, Color.BLUE), (2j, 1j)], ids=["types", "enumeration", "complex"]
)
@pytest.mark.parametrize("make", [dict, lambda items: collections.defaultdict(list, items)], ids=["dict", "default"])
def test_keys_without_common_order(keys, make):
    values = make(dict.fromkeys(keys, 1))
    for f in (tree.leaves, tree.structure, tree.leaves_with_path, fungrad.jit(len), lambda t: tree.map(str, [t])):
        for _ in range(2):
            with pytest.raises(ValueError, match="Comparator raised exception while sorting pytree dictionary keys"):
                f(values)
    ordered = collections.OrderedDict.fromkeys(keys, 1)
    assert list(tree.map(str, ordered)) == list(keys)


MAPPED = {
    "map": lambda t: tree.map(lambda x: x + 1, t),
    "map_with_path": lambda t: tree.map_with_path(lambda _, x: x + 1, t),
    "unflatten": lambda t: tree.unflatten(tree.structure(t), tree.leaves(t)),
    "treedef": lambda t: tree.structure(t).unflatten(tree.leaves(t)),
    "composed": lambda t: tree.structure((t, 0)).children()[0].unflatten(tree.leaves(t)),
    "jit": fungrad.jit(lambda t: t),
    "jit of a closed-over tree": lambda t: fungrad.jit(lambda: t)(),
    "grad": fungrad.grad(lambda t: sum(tree.leaves(t))),
    "jvp": lambda t: fungrad.jvp(lambda t: t, (t,), (t,))[1],
    "vmap": lambda t: fungrad.vmap(lambda x: t)(jnp.zeros(2)),
    "scan": lambda t: fungrad.lax.scan(lambda c, _: (c, None), t, None, 2)[0],
    "while": lambda t: fungrad.lax.while_loop(lambda c: False, lambda c: c, t),
    "cond": lambda t: fungrad.lax.cond(True, lambda: t, lambda: t),
    "eval_shape": lambda t: fungrad.eval_shape(lambda: t),
}


@pytest.mark.parametrize("way", MAPPED)
def test_dicts_come_back_with_sorted_keys(way):
    leaf = jnp.ones(())
    for keys in ("ba", "ab", "ba"):
        inner = dict.fromkeys(keys, leaf)
        values = {"z": [inner, Pair((inner,), keys)], "y": collections.defaultdict(list, inner)}
        values["x"] = collections.OrderedDict(b=leaf, a=leaf)
        result = MAPPED[way](values)
        assert list(result) == ["x", "y", "z"] and list(result["y"]) == ["a", "b"]
        assert type(result["y"]) is collections.defaultdict and result["y"].default_factory is list
        assert list(result["x"]) == ["b", "a"]
        assert list(result["z"][0]) == list(result["z"][1].children[0]) == ["a", "b"]
        assert result["z"][1].tag == keys


def test_kinds_of_dicts_match():
    """Any dict with the same keys matches; the result is like the first, in its order."""
    plain, ordered = {"a": 1, "b": 2}, collections.OrderedDict(b=20, a=10)
    default = collections.defaultdict(list, a=100, b=200)
    result = tree.map(lambda *xs: sum(xs), ordered, plain, default)
    assert type(result) is collections.OrderedDict and list(result.items()) == [("b", 222), ("a", 111)]
    result = tree.map(lambda *xs: sum(xs), default, ordered)
    assert result == {"a": 110, "b": 220} and result.default_factory is list
    assert tree.broadcast(plain, collections.OrderedDict(b=[0], a=(0, 0))) == {"b": [2], "a": (1, 1)}


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
    assert a == b and hash(a) == hash(b)
    assert a != tree.structure({**uses_everything(), "fixed": Fixed("g")})
    assert a != "something else"
    assert tree.structure(()) != tree.structure([])
    assert tree.structure(None) != tree.structure(1)
    assert tree.structure({}) != tree.structure(collections.OrderedDict())


def test_structure_pickles():
    structure = tree.structure(uses_everything())
    assert pickle.loads(pickle.dumps(structure)) == structure
    leaf = tree.structure(1)
    assert pickle.loads(pickle.dumps([leaf, leaf])) == [leaf, leaf]
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
        tree.map(lambda x, y: x, first, second)
    with pytest.raises(ValueError, match="ambiguous"):
        _ = tree.structure(first) == tree.structure(second)


def test_treedef_functions():
    leaf, pair = tree.structure(1), tree.structure((1, [2]))
    assert tree_util.treedef_tuple([leaf, pair]) == tree.structure((1, (1, [2])))
    assert tree_util.treedef_children(pair) == [leaf, tree.structure([2])]
    assert tree_util.treedef_is_leaf(leaf) and not tree_util.treedef_is_leaf(pair)
    assert isinstance(leaf, tree_util.PyTreeDef)
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
    tree_util.register_pytree_node(Special, lambda x: ((x.data,), x.extra), lambda extra, c: Special(*c, extra))
    assert tree.leaves([Special(1, 2)]) == [1]
    assert tree.map(lambda x: 10 * x, Special(1, 2)) == Special(10, 2)
    with pytest.raises(ValueError, match="Duplicate custom"):
        tree_util.register_pytree_node(Special, lambda x: ((), None), lambda _, c: None)


@pytest.mark.parametrize("cls", [dict, tuple, type(None), collections.OrderedDict, Pair, Layer])
def test_duplicate_registration(cls):
    with pytest.raises(ValueError, match=r"register_pytree_node: Duplicate custom.*once"):
        tree_util.register_pytree_node(cls, lambda x: ((), None), lambda _, c: None)


def test_registration_errors():
    with pytest.raises(TypeError, match=r"register_pytree_node: expected a class.*'name'"):
        tree_util.register_pytree_node("name", lambda x: ((), None), lambda _, c: None)

    class Wrong:
        pass

    tree_util.register_pytree_node(Wrong, lambda x: [1, 2], lambda _, c: Wrong())
    with pytest.raises(ValueError, match=r"Wrong should return a \(children, aux_data\) tuple"):
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
    assert moved.leaves == tuple(("kept", x) if keep else x for keep, x in zip(mask, flat, strict=True))


def test_flat_tree_errors():
    flat = FlatTree.flatten([1, 2])
    assert "has 2 leaves, got 3" in message(flat.update, [1, 2, 3])
    assert "FlatTree.merge" in message(flat.merge, [True, False], [1, 2], [])
    assert "FlatTree.merge" in message(flat.merge, [True], [1], [2])


def test_dataclasses_with_any_fields():
    made = [("self", "c", "m"), ("x", "nodetype"), (), ("only",)]
    for names in made:
        cls = dataclasses.make_dataclass("Record", [*names, ("unit", str, "m")])
        tree_util.register_dataclass(cls, names, ["unit"])
        value = cls(*range(len(names)), unit="s")
        assert tree.leaves(value) == list(range(len(names)))
        assert tree.map(lambda x: x + 1, value) == cls(*range(1, len(names) + 1), unit="s")
