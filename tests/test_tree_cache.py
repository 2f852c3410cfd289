"""Structures that turn up again and again: the code written for them gives what optree gives, or steps aside."""

import collections
import dataclasses
import enum
import gc
import sys
import threading
import weakref
from typing import NamedTuple

import numpy as np
import optree
import pytest
from hypothesis import given, strategies as st
from tree_samples import LEAF_OR_NONE, TREES, Keyed, Layer, Pair, Point, check, containers

import fungrad
import fungrad.numpy as jnp
from fungrad import tree, tree_util
from fungrad.core import tree_cache
from fungrad.core.tree_code import NoCodeError, constructor
from fungrad.core.tree_nodes import NAMESPACE
from fungrad.core.tree_order import flattened

MANY = tree_cache.OFTEN + 3
# Two trees of one root are of one structure more often.
ROOTS = containers(LEAF_OR_NONE)


def exact(value):
    """A tree in a form that tells everything: the order and the types of keys, metadata, and leaves by identity."""
    if isinstance(value, dict):
        return (type(value), [(type(k), k, exact(v)) for k, v in value.items()])
    if isinstance(value, (Keyed, Layer, Pair)):
        return (type(value), [(k, exact(v)) for k, v in vars(value).items()])
    if isinstance(value, (list, tuple)):
        return (type(value), [exact(v) for v in value])
    return (type(value), value)


def flat(value):
    return flattened(value, None)


def reader(value):
    leaves, spec = flat(value)
    return tree_cache.reader(value, spec, leaves)


def hot(value):
    """Takes a tree apart until there is code for its structure."""
    for _ in range(MANY):
        result = tree.flatten(value)
    return result


@check
@given(st.one_of(st.tuples(TREES, TREES), st.tuples(ROOTS, ROOTS)))
def test_reads_its_own_structure_and_nothing_else(pair):
    first, second = pair
    read = reader(first)
    if read is None:
        return
    leaves, spec = flat(second)
    found = read(second)
    if found is not None:
        assert len(found[0]) == len(leaves) and all(x is y for x, y in zip(found[0], leaves, strict=True))
        assert found[1] == spec
        assert exact(found[1].unflatten(leaves)) == exact(spec.unflatten(leaves))
    known = tree_cache.known_leaf_types.issuperset(map(type, flat(first)[0]))
    assert not known or read(first) is not None


@check
@given(TREES)
def test_constructs_what_optree_constructs(value):
    leaves, spec = flat(value)
    try:
        build = constructor(spec)
    except NoCodeError:
        return
    assert exact(build(leaves)) == exact(spec.unflatten(leaves))


@check
@given(st.lists(ROOTS, min_size=2, max_size=4))
def test_trees_in_turns(values):
    expected = [(flat(v)[0], exact(flat(v)[1].unflatten(flat(v)[0]))) for v in values]
    for _ in range(MANY):
        for value, (leaves, rebuilt) in zip(values, expected, strict=True):
            got, treedef = tree.flatten(value)
            assert all(x is y for x, y in zip(got, leaves, strict=True))
            assert exact(tree.unflatten(treedef, got)) == rebuilt
            assert tree.map(lambda x, y: x is y, value, value) == tree.unflatten(treedef, [True] * len(got))


def test_the_kinds_of_nodes_have_code():
    value = [{"b": 1, "a": (2, None)}, {3: 4, 1: 5}, Point(6, 7), Layer(8, 9), Keyed(10, [11]), Pair([12], ("t", 3))]
    read = reader(value)
    leaves, spec = flat(value)
    assert read(value)[0] == leaves == [2, 1, 5, 4, 6, 7, 8, 9, 10, 11, 12]
    assert exact(constructor(spec)(leaves)) == exact(spec.unflatten(leaves))
    assert hot(value)[1] is hot(value)[1]


class Level(enum.StrEnum):
    HIGH = "high"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"high": 1}, {Level.HIGH: 1}),
        ({1: 1}, {True: 1}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Pair([1], 1), Pair([1], True)),
        (Pair([1], ("a", 0)), Pair([1], ("a", False))),
        (Pair([1], 0.0), Pair([1], -0.0)),
        (Layer(1, 2, "a"), Layer(1, 2, "b")),
        ([1, 2], [1, None]),
        ([1, 2], [1, [2]]),
        ((1, Point(1, 2)), (1, (1, 2))),
    ],
)
def test_trees_that_are_nearly_alike(first, second):
    hot(first)
    leaves, treedef = tree.flatten(second)
    assert leaves == flat(second)[0]
    assert exact(tree.unflatten(treedef, leaves)) == exact(flat(second)[1].unflatten(leaves))
    assert exact(tree.map(lambda x: x, second)) == exact(flat(second)[1].unflatten(leaves))


def test_a_type_of_leaves_that_becomes_a_node():
    class Late:
        def __init__(self, x):
            self.x = x

    tree_cache.clear()  # else there may be code for so many structures that none is written here
    leaf = Late(1)
    for value in (leaf, [leaf, leaf], Layer(leaf, leaf)):
        assert hot(value)[0][0] is leaf
    tree_util.register_pytree_node(Late, lambda v: ((v.x,), None), lambda _, c: Late(*c))
    for value in (leaf, [leaf, leaf], Layer(leaf, leaf)):
        assert set(hot(value)[0]) == {1}


def test_a_namedtuple_registered_later():
    class Late(NamedTuple):
        x: object
        y: object

    for value in (Late(1, 2), [Late(1, 2)]):
        assert hot(value)[0] == [1, 2]
    old = tree.structure(Late(1, 2))
    tree_util.register_pytree_node(Late, lambda v: ((v.y, v.x), None), lambda _, c: Late(c[1], c[0]))
    for value in (Late(1, 2), [Late(1, 2)]):
        assert hot(value)[0] == [2, 1]
        assert tree.unflatten(tree.structure(value), [2, 1]) == value
    assert tree.unflatten(old, [1, 2]) == Late(1, 2)


def test_other_metadata_each_time():
    class Fresh:
        pass

    tree_util.register_pytree_node(Fresh, lambda _: ((1, 2), [0]), lambda m, c: (m, c))
    value = [Fresh(), Fresh()]
    _, first = hot(value)
    _, second = tree.flatten(value)
    assert tree.unflatten(first, [1, 2, 1, 2])[0][0] is not tree.unflatten(second, [1, 2, 1, 2])[0][0]
    assert not any(read(value) for read in tree_cache.readers.get((list, 2), ()))


@pytest.mark.parametrize("later", [(1, 2, 3), (), ([1], 2), (None, {}), 0, RuntimeError])
def test_other_children_when_asked_again(later):
    """Each time that a tree is taken apart is a time of its own, also when code is written for it."""

    class Counting:
        asked = 0

    def flatten(node):
        node.asked += 1
        if node.asked % 2:
            return (1, {"a": 2}), None
        if later is RuntimeError:
            raise RuntimeError("asked again")
        return later, None

    tree_util.register_pytree_node(Counting, flatten, lambda _, children: children)
    for _ in range(MANY):
        value = [Counting(), 5]
        leaves, treedef = tree.flatten(value)
        assert leaves == [1, 2, 5] and tree.unflatten(treedef, leaves) == [(1, {"a": 2}), 5]
        value = [Counting(), 5]
        assert tree.leaves(value, is_leaf=is_even) == [1, 2, 5]


def test_equal_metadata_of_many_objects():
    """Structures are equal, but the code of one does not fit the others; each keeps its own metadata."""

    class Config:
        def __eq__(self, other):
            return type(other) is Config

        def __hash__(self):
            return 5

    for _ in range(3 * MANY):
        config = Config()
        value = Pair([1, 2], config)
        leaves, treedef = tree.flatten(value)
        assert tree.unflatten(treedef, leaves).tag is config


def test_unhashable_metadata():
    tag = ["list"]
    for _ in range(MANY):
        leaves, treedef = tree.flatten([Pair([1], tag), 2])
        assert leaves == [1, 2] and tree.unflatten(treedef, leaves)[0].tag is tag


def test_errors_of_flatten_functions():
    class Moody:
        bad = 0

    def flatten(_):
        if Moody.bad == 1:
            raise RuntimeError("not now")
        return ((1, 2), None) if Moody.bad == 0 else ((1, 2), None, None)

    tree_util.register_pytree_node(Moody, flatten, lambda _, c: Moody())
    value = [Moody()]
    hot(value)
    Moody.bad = 1
    with pytest.raises(RuntimeError, match="not now"):
        tree.flatten(value)
    Moody.bad = 2
    with pytest.raises(ValueError, match=r"should return a \(children, aux_data\) tuple"):
        tree.flatten(value)
    Moody.bad = 0
    assert hot(value)[0] == [1, 2]


def test_errors_of_dataclasses():
    @tree_util.register_dataclass
    @dataclasses.dataclass
    class Positive:
        x: object

        def __post_init__(self):
            if self.x == -1:
                raise ArithmeticError("negative")

    value = [Positive(1), Positive(2)]
    for _ in range(MANY):
        assert tree.map(lambda x: x + 1, value) == [Positive(2), Positive(3)]
    with pytest.raises(ArithmeticError, match="negative"):
        tree.map(lambda x: x - 2, value)
    del value[0].x
    with pytest.raises(AttributeError):
        tree.flatten(value)


def test_wrong_numbers_of_leaves():
    _, treedef = hot(Layer(1, [2, 3]))
    for _ in range(MANY):
        assert tree.unflatten(treedef, iter([1, 2, 3])).bias == [2, 3]
    for leaves in ([1, 2], [1, 2, 3, 4]):
        with pytest.raises(ValueError, match=r"fungrad\.tree\.unflatten: too (few|many) leaves"):
            tree.unflatten(treedef, leaves)


def test_other_trees_of_map():
    value = {"a": Layer(1, 2), "b": [3]}
    hot(value)
    subtrees = {"a": Layer((1, 1), None), "b": [{"k": 1}]}
    assert tree.map(lambda _, y: y, value, subtrees) == subtrees
    assert tree.map(lambda x, y: x + y, value, {"b": [10], "a": Layer(10, 10)})["a"] == Layer(11, 12)
    with pytest.raises(ValueError, match="the metadata of the nodes differs"):
        tree.map(lambda x, y: x, value, {"a": Layer(1, 2, "other"), "b": [3]})


def test_lists_and_deep_trees_of_any_size():
    long, deep = [jnp.ones(2)] * 1000, 1
    for _ in range(80):
        deep = [deep, 2]
    for value in (long, [long, None, {"a": 1.0}], deep, (deep, long)):
        leaves, treedef = hot(value)
        assert all(x is y for x, y in zip(leaves, flat(value)[0], strict=True))
        numbers = range(len(leaves))
        for _ in range(3):
            assert exact(tree.unflatten(treedef, numbers)) == exact(flat(value)[1].unflatten(numbers))
    swapped = [*long[:-1], None]
    assert len(tree.leaves(swapped)) == 999


def test_tracers_and_arrays_in_one_structure():
    value = Layer(jnp.ones(2), np.ones(2, np.float32))

    def f(v):
        return jnp.sum(tree.map(lambda x, y: x * y, v, v).weight) + sum(jnp.sum(x) for x in tree.leaves(v))

    for _ in range(MANY):
        assert f(value) == 6
    assert fungrad.grad(f)(value).weight.tolist() == [3, 3]
    assert fungrad.jit(f)(value) == 6


def test_what_is_kept():
    """A structure is kept when it has come often, until the caches are cleared."""

    class Payload:
        pass

    def uses(count):
        payload = Payload()
        for _ in range(count):
            tree.unflatten(tree.structure([Pair([1], payload)]), [1])
        return weakref.ref(payload)

    seldom, often = uses(tree_cache.OFTEN // 2), uses(MANY)
    gc.collect()
    assert seldom() is None and often() is not None
    fungrad.clear_caches()
    gc.collect()
    assert often() is None
    assert tree.leaves([Pair([1], "t")]) == [1]


def test_more_structures_than_are_kept():
    values = [[Pair([i], str(j))] for i in range(3) for j in range(20)]
    for _ in range(MANY):
        for value in values:
            leaves, treedef = tree.flatten(value)
            assert exact(tree.unflatten(treedef, leaves)) == exact(value)
    assert len(tree_cache.readers.get((list, 1), ())) <= 6


def test_containers_without_code():
    for value in (collections.OrderedDict(b=1, a=2), [collections.defaultdict(list, a=1)], {1.5: 1}, {(1, 2): 3}):
        leaves, treedef = hot(value)
        assert leaves == flat(value)[0] and exact(tree.unflatten(treedef, leaves)) == exact(value)


def test_trees_deeper_than_the_stack():
    """optree takes apart and puts together what code for each node, written by recursion, could not."""
    for step in (lambda v: (v,), lambda v: {"a": v, "b": 2}, lambda v: Layer(v, 1)):
        value = 1
        for _ in range(600):
            value = step(value)
        for _ in range(MANY):
            leaves, treedef = tree.flatten(value)
            assert treedef == tree.structure(tree.unflatten(treedef, leaves))
            assert tree.structure(tree.map(lambda x, y: y, value, value)) == treedef


def test_integers_without_a_text():
    big, bigger = 10**5000, 10**5001
    value = {big: 1, -bigger: [2, 3], 4: 5}
    for _ in range(MANY):
        leaves, treedef = tree.flatten(value)
        assert leaves == [2, 3, 5, 1]
        assert list(tree.unflatten(treedef, leaves)) == sorted(value)
        assert tree.map(lambda x, y: x + y, value, value) == {big: 2, -bigger: [4, 6], 4: 10}


def test_threads_that_write_code_at_once():
    values = [[{"a": i, "b": (j, None)}, Pair([i], str(j))] for i in range(2) for j in range(12)]
    failures = []

    def use():
        try:
            for _ in range(MANY):
                for value in values:
                    leaves, treedef = tree.flatten(value)
                    assert exact(tree.unflatten(treedef, leaves)) == exact(value)
                    assert tree.leaves(value, is_leaf=is_none)[2] is None
        except Exception as error:  # noqa: BLE001  # for the main thread
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


# Predicates --------------------------------------------------------------------------------------


def is_none(x):
    return x is None


def is_pair(x):
    return isinstance(x, (Pair, tuple))


def is_even(x):
    return not isinstance(x, bool) and isinstance(x, int) and x % 2 == 0


def asked(flatten, predicate, value):
    """What a predicate is asked about, what it answers, and the leaves and structure."""
    calls = []

    def noted(x):
        calls.append((id(x), predicate(x)))
        return calls[-1][1]

    leaves, treedef = flatten(value, noted)
    return calls, [id(x) for x in leaves], exact(treedef.unflatten(leaves)), treedef


@check
@given(st.lists(ROOTS, min_size=1, max_size=3), st.sampled_from([is_none, is_pair, is_even]))
def test_predicates_are_asked_as_optree_asks(values, predicate):
    expected = [asked(flattened, predicate, v) for v in values]
    for _ in range(MANY + 2):
        for value, what in zip(values, expected, strict=True):
            assert asked(tree.flatten, predicate, value) == what


def test_a_predicate_that_answers_otherwise():
    value = {"a": [1, (2, 3)], "b": Layer(None, 4)}
    for limit in range(9):
        for change in (0, 1):
            # One code object, whose answers depend on a variable: first for a while as usual, then otherwise.
            state = {"stop": None}

            def predicate(x, state=state):
                state["count"] += 1
                return state["count"] == state["stop"]

            def ask(flatten, state=state, predicate=predicate, stop=None):
                state.update(count=0, stop=stop)
                return *flatten(value, predicate), state["count"]

            for _ in range(MANY + 2):
                ask(tree.flatten)
            stop = limit + change
            expected = ask(lambda v, p: optree.tree_flatten(v, p, namespace=NAMESPACE), stop=stop)
            assert ask(tree.flatten, stop=stop) == expected
    assert any(type(key) is tuple and dict in key[1:] for key in tree_cache.readers)


def test_a_predicate_that_raises():
    def predicate(x):
        if x == 3:
            raise RuntimeError("three")
        return x is None

    for _ in range(MANY + 2):
        assert tree.leaves([1, [2, None]], is_leaf=predicate) == [1, 2, None]
    with pytest.raises(RuntimeError, match="three"):
        tree.leaves([1, [3, None]], is_leaf=predicate)


def test_predicates_without_code():
    for predicate in (callable, [None, 1].__contains__, tree_util.Partial(is_none)):
        for _ in range(MANY):
            assert tree.leaves([1, [2]], is_leaf=predicate) == [1, 2]


def test_other_trees_of_map_with_a_predicate():
    dynamic = [Layer(1, None), {"a": None, "b": (2, None)}]
    static = [Layer(None, "x"), {"a": [3], "b": (None, 4)}]
    for _ in range(MANY + 2):
        both = tree.map(lambda x, y: y if x is None else x, dynamic, static, is_leaf=lambda x: x is None)
        assert both == [Layer(1, "x"), {"a": [3], "b": (2, 4)}]
    with pytest.raises(ValueError, match="the keys differ"):
        tree.map(lambda x, y: y, dynamic, [static[0], {"a": 1}], is_leaf=lambda x: x is None)


class WithoutHash(type):
    """Metaclass of classes that no set or dict takes."""

    def __eq__(cls, other):
        return cls is other


class Unlisted(metaclass=WithoutHash):
    pass


@pytest.mark.parametrize("before", [0, MANY])
def test_leaves_whose_class_has_no_hash(before):
    leaf = Unlisted()
    for make in (lambda x: x, lambda x: [x, 1.0], lambda x: {"a": (x, 2)}, lambda x: [{"a": x}, x]):
        for _ in range(before):
            tree.flatten(make(3.0))
        for _ in range(2 * MANY):
            leaves, structure = tree.flatten(make(leaf))
            assert any(x is leaf for x in leaves)
            assert structure == tree.structure(make(0))
            assert tree.flatten(make(leaf), is_leaf=lambda x: isinstance(x, str))[1] == structure
            assert len(tree.leaves(make(leaf))) == len(leaves)
            tree.map(lambda a, b: b, make(0), make(leaf))
        assert tree_util.tree_leaves_with_path(make(leaf))[0][1] is leaf
        assert structure.flatten_up_to(make(leaf))[0] is leaf
        assert tree.structure(tree.broadcast(0, make(leaf))) == structure
        assert tree_util.all_leaves([leaf])
        assert not tree_util.is_tree_node(Unlisted)
    with pytest.raises(ValueError, match="a leaf of type Unlisted"):
        tree.map(lambda a, b: a, [[0]], [leaf])
    with pytest.raises(TypeError, match="expected a class that has a hash"):
        tree_util.register_pytree_node(Unlisted, lambda x: ((), None), lambda meta, children: leaf)


def test_transformations_name_leaves_whose_class_has_no_hash():
    leaf = Unlisted()
    assert fungrad.grad(lambda x: (x, leaf), has_aux=True)(1.0)[1] is leaf
    assert fungrad.block_until_ready([leaf])[0] is leaf
    calls = (
        lambda: fungrad.jit(lambda a: a)({"a": leaf}),
        lambda: fungrad.jit(lambda a: leaf)(1.0),
        lambda: fungrad.vmap(lambda a: a)(leaf),
        lambda: fungrad.lax.scan(lambda c, x: (c, x), leaf, jnp.ones(3)),
        lambda: jnp.add(1.0, leaf),
        lambda: jnp.where(True, leaf, 1.0),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"fungrad\..* got .*Unlisted"):
            call()
