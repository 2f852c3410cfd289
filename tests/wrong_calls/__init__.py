"""Wrong calls of the public functions, one a row: the call, the class of its error, and the argument it must name.

A row says ``call | class | argument``. The files hold tables only; ``test_wrong_calls.py`` runs them. Names in the
calls are those of ``NAMES``.
"""

import dataclasses
import importlib
import operator
from pathlib import Path

import numpy as np

import fungrad
import fungrad.numpy as jnp
import fungrad.scipy.linalg as linalg
import fungrad.scipy.special as special
import fungrad.scipy.stats as stats
from fungrad import (
    data,
    debug,
    dtypes,
    extend,
    flatten_util,
    image,
    io,
    lax,
    nn,
    optim,
    random,
    scipy,
    sharding,
    test_util,
    train,
    tree,
    tree_util,
    tune,
)
from fungrad.experimental import checkify, sparse


@dataclasses.dataclass
class Record:
    """A class that is no tree."""

    w: float = 1.0


def over_axis(f):
    """``f`` within a mapped axis called i."""
    return fungrad.vmap(f, axis_name="i")(jnp.arange(4.0))


def shards(f):
    """``f`` on the shards of an array along the axis i of a mesh."""
    mesh = fungrad.make_mesh((1,), ("i",))
    return fungrad.shard_map(f, mesh=mesh, in_specs=fungrad.P("i"), out_specs=fungrad.P("i"))(jnp.arange(4.0))


def generator(v):
    """A function that yields."""
    yield v


class NoSignature:
    """Can be called, but nobody knows how."""

    @property
    def __signature__(self):
        raise TypeError("none")

    def __call__(self, *args):
        return args


NAMES = {
    "generator": generator, "NoSignature": NoSignature,
    "np": np, "fungrad": fungrad, "jnp": jnp, "lax": lax, "nn": nn, "random": random, "special": special,
    "stats": stats, "image": image, "linalg": linalg, "scipy": scipy,
    "optim": optim, "io": io, "data": data, "train": train, "tree": tree, "tree_util": tree_util, "debug": debug,
    "checkify": checkify, "test_util": test_util, "tune": tune, "extend": extend, "flatten_util": flatten_util,
    "dtypes": dtypes, "operator": operator, "Record": Record,
    "V": over_axis, "S": shards,
    "sq": lambda v: v * v,
    "x": jnp.arange(4.0), "m": jnp.ones((3, 4)), "s": jnp.ones((3, 3)), "i": jnp.arange(4),
    "b": jnp.array([True, False, True, True]), "c": jnp.ones(4, "complex64"), "k": random.key(0),
    "mesh": fungrad.make_mesh((1,), ("i",)), "P": fungrad.P, "sharding": sharding,
    "q": jnp.ones((1, 4, 2, 8)), "X": np.ones((4, 3)), "x4": jnp.ones((3, 2, 5, 4)), "w4": jnp.ones((4, 2, 3, 3)),
    "n3": lax.ConvDimensionNumbers((0, 2, 1), (0, 2, 1), (0, 2, 1)),
    "params": {"a": jnp.ones(3), "b": jnp.ones(2)},
    "sparse": sparse, "M": sparse.BCOO.fromdense(jnp.eye(2, 3)),
    "R": fungrad.new_ref(jnp.zeros((2, 3))), "J": jnp.zeros((3, 1), int),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Row:
    """A wrong call, the class of its error, and the word for the argument."""

    table: str
    call: str
    error: str
    word: str


def rows():
    """All rows of all tables."""
    found = []
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        module = importlib.import_module(f"wrong_calls.{path.stem}")
        for line in module.TABLE.strip().splitlines():
            if line.strip() and not line.startswith("#"):
                call, error, word = (part.strip() for part in line.rsplit("|", 2))
                found.append(Row(path.stem, call, error, word))
    return found
