"""Error messages of pytrees: the function, the path, what was expected, what came."""

import collections
import functools
import operator

import numpy as np
import pytest
from tree_samples import Fixed, Keyed, Layer, Pair, Point, message

from fungrad import tree, tree_util
from fungrad.core import tree as core_tree


def test_unflatten_errors():
    structure = tree.structure({"a": [1, 2], "b": Point(3, 4)})
    text = message(tree.unflatten, structure, [1, 2])
    assert "fungrad.tree.unflatten: too few leaves" in text
    assert "['b'].x" in text and "expected 4" in text and "got 2" in text
    text = message(tree.unflatten, structure, range(6))
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
            collections.defaultdict(list, b=1),
            ["a defaultdict(<class 'int'>)", "a defaultdict(<class 'list'>)", "missing ['a']"],
        ),
        (
            collections.OrderedDict(a=1, b=[2]),
            {"b": 1, "a": 2},
            ["rest[0]['b']", "a list of length 1"],
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
    text = message(core_tree.flatten_up_to, tree.structure(first), second)
    assert text.startswith("fungrad.tree_util.flatten_up_to: tree")
    with pytest.raises(ValueError):
        tree.structure(first).flatten_up_to(second)


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
    call = functools.partial(core_tree.broadcast_prefix, api="fungrad.vmap", prefix_name="in_axes", full_name="args")
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
    found = [(tree_util.keystr(path), *texts) for path, *texts in core_tree.equality_errors(first, second)]
    assert found == [
        ("['a'][1]", "a list of length 1", "a leaf of type int", "their Python types differ"),
        ("['b']", "a leaf of type int", "a list of length 1", "their Python types differ"),
        ("['c'].y", "a leaf of type int", "a tuple of length 1", "their Python types differ"),
    ]
    structures = tree.structure(first), tree.structure(second)
    assert [path for path, *_ in core_tree.equality_errors(*structures)] == [
        path for path, *_ in core_tree.equality_errors(first, second)
    ]
    ordered, default = collections.OrderedDict, collections.defaultdict
    for a, b, reason in [
        (ordered(a=1, b=2), ordered(b=1, a=2), "the metadata of the nodes differs"),
        (default(int, a=1), default(list, a=1), "the metadata of the nodes differs"),
        (ordered(a=1), {"a": 1}, "their Python types differ"),
    ]:
        assert [reason for *_, reason in core_tree.equality_errors(a, b)] == [reason]
        assert tree.structure(a) != tree.structure(b)
    same = core_tree.equality_errors([None, 1], [2, 1], is_leaf=lambda x: x is None)
    assert list(same) == []


def test_transpose_errors():
    outer, inner = tree.structure([1, 2]), tree.structure((1, 2))
    text = message(tree.transpose, outer, inner, [1, 2, 3], error=TypeError)
    assert "fungrad.tree.transpose" in text
    assert "structure [(*, *), (*, *)]," in text and "got [*, *, *]," in text
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
