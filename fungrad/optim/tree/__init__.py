"""Functions of whole trees: arithmetic as on vectors, dtypes, random trees, and what is in states of optimizers."""

from fungrad.core.public_names import publish
from fungrad.optim.tree.arithmetic import (
    add,
    add_scale,
    allclose,
    batch_shape,
    bias_correction,
    clip,
    conj,
    div,
    full_like,
    mul,
    norm,
    ones_like,
    real,
    scale,
    size,
    sub,
    update_infinity_moment,
    update_moment,
    update_moment_per_elem_norm,
    vdot,
    where,
    zeros_like,
)
from fungrad.optim.tree.arithmetic import greatest as max
from fungrad.optim.tree.arithmetic import least as min
from fungrad.optim.tree.arithmetic import total as sum
from fungrad.optim.tree.casting import cast, cast_like
from fungrad.optim.tree.casting import dtype_of as dtype
from fungrad.optim.tree.randomness import random_like, split_key_like, unwrap_random_key_data
from fungrad.optim.tree.states import get, get_all_with_path, map_params
from fungrad.optim.tree.states import put as set

__all__ = [
    "add",
    "add_scale",
    "allclose",
    "batch_shape",
    "bias_correction",
    "cast",
    "cast_like",
    "clip",
    "conj",
    "div",
    "dtype",
    "full_like",
    "get",
    "get_all_with_path",
    "map_params",
    "max",
    "min",
    "mul",
    "norm",
    "ones_like",
    "random_like",
    "real",
    "scale",
    "set",
    "size",
    "split_key_like",
    "sub",
    "sum",
    "unwrap_random_key_data",
    "update_infinity_moment",
    "update_moment",
    "update_moment_per_elem_norm",
    "vdot",
    "where",
    "zeros_like",
]

publish(globals(), __name__, __all__)
