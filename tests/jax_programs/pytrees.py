"""Trees of arrays: maps, key paths, own nodes, turning trees inside out."""

import collections
import dataclasses
import functools
import typing

from jax_programs import program, raised


class Coefficients(typing.NamedTuple):
    slope: object
    offset: object


@program
def counting_leaves(jax):
    jnp = jax.numpy
    trees = [
        [1, "a", 2.5],
        (1, (2, 3), ()),
        [1, {"k1": 2, "k2": (3, 4)}, 5],
        {"a": 2, "b": (2, 3)},
        jnp.array([1, 2, 3]),
        None,
        [None, 1, [None]],
        Coefficients(1, {"x": 2}),
        collections.OrderedDict([("z", 1), ("a", 2)]),
        {2: "two", 1: "one"},
    ]
    return [(len(jax.tree.leaves(t)), jax.tree.leaves(t)) for t in trees]


@program
def mapping(jax):
    jnp = jax.numpy
    lists = [[1, 2, 3], [1, 2], [1, 2, 3, 4]]
    params = {"w": jnp.ones((2, 3)), "b": (jnp.zeros(3), 2.0)}
    others = jax.tree.map(lambda x: x + 1, params)
    return {
        "double": jax.tree.map(lambda x: x * 2, lists),
        "two": jax.tree.map(lambda x, y: x + y, params, others),
        "mismatch": raised(jax.tree.map, lambda x, y: x, lists, [[1], [2], [3]]),
        "none": jax.tree.map(lambda x: x + 1, {"a": None, "b": 1}),
        "none leaf": jax.tree.map(lambda x: x is None, {"a": None, "b": 1}, is_leaf=lambda x: x is None),
        "prefix": jax.tree.map(lambda x, y: (x, y), (1, 2), ([3, 4], {"a": 5})),
        "shapes": jax.tree.map(jnp.shape, params),
        "sum": jax.tree.reduce(lambda a, b: a + jnp.sum(b), params, 0.0),
        "all": jax.tree.all({"a": True, "b": [True, False]}),
        "old names": jax.tree_util.tree_map(jnp.sum, params),
        "leaves": jax.tree_util.tree_leaves(params),
        "namedtuple": jax.tree.map(lambda x: x * 10, Coefficients(1, 2.0)),
    }


@program
def key_paths(jax):
    jnp = jax.numpy
    tree = {"layers": [{"w": jnp.ones(2), "b": 0.5}, Coefficients(1, (2,))], "step": 3}
    flat, treedef = jax.tree_util.tree_flatten_with_path(tree)
    return {
        "texts": [(jax.tree_util.keystr(path), leaf) for path, leaf in flat],
        "simple": [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in flat],
        "keys": [repr(key) for path, _ in flat for key in path],
        "rebuilt": jax.tree_util.tree_unflatten(treedef, [leaf for _, leaf in flat]),
        "named": jax.tree_util.tree_map_with_path(lambda path, x: x * len(path), tree),
        "decay": jax.tree_util.tree_map_with_path(
            lambda path, x: x * (0.1 if path[-1] == jax.tree_util.DictKey("w") else 1.0), tree
        ),
        "new name": [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(tree)],
    }


@program
def own_nodes(jax):
    jnp = jax.numpy

    @jax.tree_util.register_pytree_node_class
    class Vector:
        def __init__(self, x, y, unit):
            self.x, self.y, self.unit = x, y, unit

        def tree_flatten(self):
            return (self.x, self.y), self.unit

        @classmethod
        def tree_unflatten(cls, unit, children):
            return cls(*children, unit)

    @functools.partial(jax.tree_util.register_dataclass, data_fields=["weight", "bias"], meta_fields=["name"])
    @dataclasses.dataclass
    class Layer:
        weight: object
        bias: object
        name: str

        def __call__(self, x):
            return x @ self.weight + self.bias

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass(frozen=True)
    class State:
        step: object
        label: str = dataclasses.field(default="run", metadata={"static": True})

    class Plain:
        def __init__(self, value):
            self.value = value

    class Special:
        def __init__(self, a, b):
            self.a, self.b = a, b

    jax.tree_util.register_pytree_with_keys(
        Special,
        lambda s: (((jax.tree_util.GetAttrKey("a"), s.a), (jax.tree_util.GetAttrKey("b"), s.b)), None),
        lambda _, children: Special(*children),
    )
    layer = Layer(jnp.arange(6.0).reshape(3, 2), jnp.ones(2), "dense")
    loss = lambda layer, x: jnp.sum(layer(x) ** 2)  # noqa: E731
    grads = jax.jit(jax.grad(loss))(layer, jnp.ones(3))
    v = jax.jit(lambda v: jax.tree.map(lambda a: a * 2, v))(Vector(1.0, jnp.ones(2), "m"))
    state = jax.jit(lambda s: State(s.step + 1, s.label))(State(jnp.array(0)))
    stacked = jax.vmap(lambda layer, x: layer(x), in_axes=(None, 0))(layer, jnp.ones((4, 3)))
    mapped = jax.vmap(lambda v: v.x + v.y)(Vector(jnp.arange(3.0), jnp.ones(3), "m"))
    special = jax.tree_util.tree_map_with_path(lambda p, x: jax.tree_util.keystr(p) + str(x), Special(1, [2]))
    return {
        "grads": [grads.weight, grads.bias, grads.name],
        "vector": [v.x, v.y, v.unit],
        "state": [state.step, state.label, len(jax.tree.leaves(state))],
        "stacked": stacked,
        "mapped": mapped,
        "not registered": raised(jax.jit(lambda p: p.value), Plain(1.0)),
        "leaf": len(jax.tree.leaves([Plain(1), Plain(2)])),
        "special": [special.a, special.b],
        "again": raised(jax.tree_util.register_pytree_node_class, Vector),
        "partial": jax.jit(lambda f, x: f(x))(jax.tree_util.Partial(jnp.add, 2.0), jnp.ones(2)),
    }


@program
def inside_out(jax):
    jnp = jax.numpy
    steps = [{"t": 1, "obs": 3}, {"t": 2, "obs": 4}]
    by_map = jax.tree.map(lambda *xs: list(xs), *steps)
    structure = jax.tree.structure
    transposed = jax.tree.transpose(structure([0, 0]), structure({"t": 0, "obs": 0}), steps)
    inner = jax.tree.transpose(structure([0, 0]), None, steps)
    stacked = jax.tree.map(lambda *xs: jnp.stack(xs), *steps)
    flat, treedef = jax.tree.flatten(steps)
    raveled, unravel = None, None
    return by_map, transposed, inner, stacked, flat, treedef.num_leaves, raveled, unravel


@program
def structures(jax):
    structure = jax.tree.structure
    a, b = structure({"a": 1, "b": (2, None)}), structure({"b": ("x", None), "a": 0})
    return {
        "equal": [a == b, hash(a) == hash(b), structure([1]) == structure((1,)), structure(None) == structure(1)],
        "leaves": [a.num_leaves, a.num_nodes],
        "unflatten": jax.tree.unflatten(a, [10, 20]),
        "too few": raised(jax.tree.unflatten, a, [1]),
        "is_leaf": jax.tree_util.treedef_is_leaf(structure(1)),
        "all leaves": [jax.tree_util.all_leaves([1, 2]), jax.tree_util.all_leaves([1, [2]])],
        "broadcast": jax.tree.broadcast((1, 2), ([0, 0], 0)),
        "vmap prefix": raised(jax.vmap(lambda x: x, in_axes=({"a": 0},)), {"b": 1}),
    }


@program
def random_tree(jax):
    """One key per leaf, with the structure of the tree."""
    jnp = jax.numpy
    params = {"w": jnp.zeros((2, 2)), "b": [jnp.zeros(3), jnp.zeros(())]}
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.tree.unflatten(treedef, list(jax.random.split(jax.random.key(0), len(leaves))))
    return jax.tree.map(lambda p, k: p + jax.random.normal(k, p.shape, p.dtype), params, keys)
