"""Functions of whole trees: arithmetic as on vectors, dtypes, random trees, and what is in states of optimizers."""

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.optim.tree.arithmetic import (
    add as add,
    add_scale as add_scale,
    allclose as allclose,
    batch_shape as batch_shape,
    bias_correction as bias_correction,
    clip as clip,
    conj as conj,
    div as div,
    full_like as full_like,
    greatest as max,
    least as min,
    mul as mul,
    norm as norm,
    ones_like as ones_like,
    real as real,
    scale as scale,
    size as size,
    sub as sub,
    total as sum,
    update_infinity_moment as update_infinity_moment,
    update_moment as update_moment,
    update_moment_per_elem_norm as update_moment_per_elem_norm,
    vdot as vdot,
    where as where,
    zeros_like as zeros_like,
)
from fungrad.optim.tree.casting import (
    cast as cast,
    cast_like as cast_like,
    dtype_of as dtype,
)
from fungrad.optim.tree.randomness import (
    random_like as random_like,
    split_key_like as split_key_like,
    unwrap_random_key_data as unwrap_random_key_data,
)
from fungrad.optim.tree.states import (
    get as get,
    get_all_with_path as get_all_with_path,
    map_params as map_params,
    put as set,
)

__all__ = _public_names(globals())

_publish(globals(), __name__, __all__)
