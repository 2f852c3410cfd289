"""Code written out for the trees of warm calls against optree."""

import collections
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, strategies as st
from tree_samples import INT_KEYS, KEYS, Keyed, Layer, Pair, Point, check

import fungrad
import fungrad.numpy as jnp
from fungrad import tree_util
from fungrad.core import tree
from fungrad.core.array import ArrayImpl
from fungrad.jit.front.tree_code import builder, reader

ARRAYS = st.sampled_from([jnp.zeros(3), jnp.ones((2, 2)), jnp.asarray(1.5), jnp.arange(3), jnp.asarray(True)])
PLAIN = st.recursive(
    st.one_of(ARRAYS, st.none()),
    lambda child: st.one_of(
        st.lists(child, max_size=3),
        st.lists(child, max_size=3).map(tuple),
        st.dictionaries(KEYS, child, max_size=3),
        st.dictionaries(INT_KEYS, child, max_size=3),
        st.builds(Point, child, child),
        st.builds(Keyed, child, child),
        st.builds(Layer, child, child, st.sampled_from(["dense", "conv"])),
        st.builds(Pair, st.lists(child, max_size=3), st.sampled_from(["tag", None, 3, ("tag", 1)])),
    ),
    max_leaves=8,
)
CALLS = st.tuples(st.lists(PLAIN, max_size=3).map(tuple), st.dictionaries(KEYS, PLAIN, max_size=2))


def flat(args, kwargs):
    leaves, treedef = tree.flatten((args, kwargs))
    return leaves, treedef, tuple(x.aval for x in leaves)


def order(value):
    """A tree with its dicts as lists of items, whose order counts, and arrays as their contents."""
    if isinstance(value, dict):
        return [(k, order(v)) for k, v in value.items()]
    if isinstance(value, ArrayImpl):
        return (value.dtype.name, value.weak_type, value.tolist())
    if isinstance(value, (Keyed, Layer, Pair)):
        return (type(value), {k: order(v) for k, v in vars(value).items()})
    if isinstance(value, (list, tuple)):
        return (type(value), [order(v) for v in value])
    return value


@check
@given(call=CALLS)
def test_reads_what_optree_reads(call):
    leaves, treedef, avals = flat(*call)
    data = reader(treedef, avals)(*call)
    assert len(data) == len(leaves)
    assert all(d is x._data for d, x in zip(data, leaves, strict=True))


@check
@given(first=CALLS, second=CALLS)
def test_reads_nothing_else(first, second):
    _, treedef, avals = flat(*first)
    _, other, other_avals = flat(*second)
    same = treedef == other and all(a is b for a, b in zip(avals, other_avals, strict=True))
    assert (reader(treedef, avals)(*second) is not None) == same


@check
@given(value=PLAIN)
def test_builds_what_optree_builds(value):
    leaves, treedef = tree.flatten(value)
    built = builder(treedef, [x.aval for x in leaves])([x._data for x in leaves])
    assert order(built) == order(treedef.unflatten(leaves))


X = jnp.ones(2)


@pytest.mark.parametrize(
    "value",
    [
        {1.0: X},
        {"a": collections.OrderedDict(a=X)},
        [collections.defaultdict(list, a=X)],
        (collections.deque([X]),),
    ],
    ids=["number as key", "OrderedDict", "defaultdict", "deque"],
)
def test_other_nodes_stay_with_optree(value):
    leaves, treedef, avals = flat((value,), {})
    assert reader(treedef, avals) is None
    f = fungrad.jit(lambda v: tree.map(lambda x: x + 1, v))
    for _ in range(4):
        out = f(value)
        assert tree.structure(out) == tree.structure(value)
        assert all((x == 2).all() for x in tree.leaves(out))


@pytest.mark.parametrize(
    "other",
    [
        {"a": X, "b": [X]},
        {"a": X, "b": (X, X)},
        {"a": X, "b": [X, X], "c": X},
        {"a": X, "c": [X, X]},
        {"a": X, "b": [X, 1.0]},
        {"a": X, "b": [X, None]},
        {"a": X, "b": [X, np.ones(3, np.float32)]},
        {"a": X, "b": [X, np.ones(2, np.int64)]},
        {"a": X, "b": [X, "text"]},
        {"a": X, "b": [X, jnp.ones(3)]},
        {"a": X, "b": [X, jnp.ones(2, jnp.int32)]},
        {"a": X, "b": [X, type("L", (list,), {})()]},
        collections.OrderedDict(a=X, b=[X, X]),
        type("D", (dict,), {})(a=X, b=[X, X]),
    ],
    ids=str,
)
def test_refuses_what_differs(other):
    args = ({"a": X, "b": [X, X]},)
    _, treedef, avals = flat(args, {})
    read = reader(treedef, avals)
    assert read(args, {}) is not None
    assert read((other,), {}) is None
    assert read((*args, X), {}) is None and read((), {}) is None and read(args, {"k": X}) is None


def test_order_of_keys_does_not_matter():
    args, swapped = ({"a": X, "b": jnp.zeros(2)},), ({"b": jnp.zeros(2), "a": X},)
    _, treedef, avals = flat(args, {})
    assert [d.tolist() for d in reader(treedef, avals)(swapped, {})] == [[1, 1], [0, 0]]


def test_a_namedtuple_registered_later():
    class Late(NamedTuple):
        x: object
        y: object

    f = fungrad.jit(lambda v: v.x + v.y)
    value = Late(X, jnp.zeros(2))
    for _ in range(4):
        assert f(value).tolist() == [1, 1]
    tree_util.register_pytree_node(Late, lambda v: ((v.y, v.x), None), lambda _, c: Late(c[1] * 10, c[0]))
    for _ in range(4):
        assert f(value).tolist() == [10, 10]


def test_several_structures_and_configurations():
    f = fungrad.jit(lambda v: tree.map(lambda x: x * 2, v))
    values = [{"a": X}, {"b": X}, [X], (X, X), {"a": {"a": X}}]
    for _ in range(4):
        for value in values:
            assert order(f(value)) == order(tree.map(lambda x: x * 2, value))
    g = fungrad.jit(lambda v: v["a"] + jnp.arange(2.0))
    for _ in range(3):
        assert g({"a": jnp.arange(2)}).dtype == jnp.float32
        with fungrad.enable_x64():
            assert g({"a": jnp.arange(2, dtype=jnp.int32)}).dtype == jnp.float64


def test_keywords_and_results_of_many_kinds():
    f = fungrad.jit(lambda v, *, scale: {"z": v["w"] * scale, "a": (v["w"], None, [scale]), "p": Point(scale, ())})
    value = {"w": X}
    expected = {"z": X * 3, "a": (X, None, [jnp.asarray(3.0)]), "p": Point(jnp.asarray(3.0), ())}
    for _ in range(4):
        out = f(value, scale=jnp.asarray(3.0))
        assert tree.structure(out) == tree.structure(expected)
        assert order(out) == order(tree.unflatten(tree.structure(out), tree.leaves(out)))
        assert tree.all(tree.map(lambda x, y: bool((x == y).all()), out, expected))
    # Results of one call share no containers with those of the next.
    out["a"][2].append(X)
    assert len(f(value, scale=jnp.asarray(3.0))["a"][2]) == 1


def test_very_large_trees_stay_with_optree():
    leaves, treedef, avals = flat(([X] * 10_001,), {})
    assert reader(treedef, avals) is None
    assert len(builder(tree.structure([X] * 10_001), avals)([x._data for x in leaves])) == 10_001


def test_large_trees_get_code_after_many_calls():
    f = fungrad.jit(lambda t: tree.map(lambda x: x + 1, t), donate_argnums=0)
    value = {str(k): jnp.full(2, k, jnp.float32) for k in range(600)}
    for call in range(103):
        entry = next(iter(f._versions.entries.values()), None)
        assert (entry is not None and entry.read is not None) == (call >= 100)
        value = f(value)
    assert all(value[str(k)].tolist() == [k + 103] * 2 for k in range(600))


def test_numbers_and_ndarrays_are_leaves_too():
    """Python numbers and ndarrays take the short way, with the results and errors of the long one."""
    f = fungrad.jit(lambda t, n, flag: (t["x"] * n, t["y"] + 1, flag))
    x = np.arange(3, dtype=np.float64)
    for n in (2, 3, 4, 5, True, 2.5, 6, jnp.int32(7)):
        x[0] += 1
        got = f({"x": x, "y": 1.5}, n, flag=True)
        np.testing.assert_array_equal(got[0], (x * np.float32(n)).astype(np.float32))
        assert got[1].aval.weak_type and float(got[1]) == 2.5 and bool(got[2])
    kept, _, _ = f({"x": x, "y": 1.5}, 1, flag=True)
    x[:] = -1
    assert float(kept[1]) == 1
    with pytest.raises(OverflowError):
        f({"x": x, "y": 1.5}, 2**40, flag=True)
    with pytest.raises(TypeError, match="argument n of"):
        f({"x": x, "y": 1.5}, "two", flag=True)


def test_donated_trees():
    f = fungrad.jit(lambda t, n: tree.map(lambda x: x * n, t), donate_argnums=0)
    t = {"a": jnp.ones(4), "b": [jnp.ones((2, 3)), jnp.zeros(())]}
    for i in range(5):
        old, t = t, f(t, 2.0)
        assert float(t["a"][0]) == 2.0 ** (i + 1)
        with pytest.raises(RuntimeError, match="donated to jit"):
            old["a"] + 1
    g = fungrad.jit(lambda x: x + 1, donate_argnums=0)
    x = jnp.zeros(3)
    for _ in range(4):
        view = np.asarray(x)
        before = view.copy()
        old, x = x, g(x)
        np.testing.assert_array_equal(view, before)
        with pytest.raises(RuntimeError, match="donated to jit"):
            old + 1
    with pytest.raises(RuntimeError, match="donated to jit"):
        g(old)


@pytest.mark.parametrize("n", [10, 100_000, 1_000_000])
@pytest.mark.parametrize("shape", ["same", "other"])
def test_a_loop_with_donation_stays_in_one_memory(n, shape):
    def step(x):
        return x + 1 if shape == "same" else (x + 1).reshape(x.shape[::-1])

    f = fungrad.jit(step, donate_argnums=0)
    x = f(jnp.zeros((n, 1)))
    places = set()
    for _ in range(6):
        x = f(x)
        places.add(np.asarray(x).ctypes.data)
    assert len(places) == 1 and float(x.ravel()[0]) == 7


def test_a_view_of_what_is_donated_keeps_its_numbers():
    f = fungrad.jit(lambda x: x + 1, donate_argnums=0)
    for n in (10, 1_000_000):
        x = f(f(jnp.zeros(n)))
        part = np.asarray(x)[2:5]
        f(x)
        np.testing.assert_array_equal(part, 2)
