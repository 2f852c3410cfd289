"""Transforming a part of the parameters.

May import ``core``, ``fungrad.numpy`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fungrad.core import tree
from fungrad.optim._naming import match_prefix, naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    MaskOrFn,
    OptState,
    Params,
    Updates,
    check_state,
    set_to_zero,
    with_extra_args_support,
)
from fungrad.optim.tree.states import ParamsPlaceholder


class MaskedState(NamedTuple):
    """State of ``masked``.

    Attributes:
      inner_state: state of the masked transformation, with ``MaskedNode()`` for what it does not see.
    """

    inner_state: Any


class MaskedNode(NamedTuple):
    """Stands in trees of a masked transformation for what it does not see; has no leaves."""


def _is_function(mask: Any) -> bool:
    """Whether a mask is a function, and not a tree of bools of a class that can be called."""
    leaves = tree.leaves(mask)
    return len(leaves) > 0 and all(map(callable, leaves))


@naming("masked")
def masked(
    inner: GradientTransformation, mask: MaskOrFn, *, mask_compatible_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """Applies a transformation to a part of the parameters; the other updates pass as they are.

    Args:
      inner: the transformation.
      mask: tree of bools, like the parameters or with one bool for a whole subtree, or a function from parameters to
        one: what to transform.
      mask_compatible_extra_args: whether keywords of ``update`` that are trees like the parameters are masked too.

    Raises:
      ValueError: the mask has another structure than the parameters.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.masked(optim.scale(-1.0), {'w': True, 'b': False})
      >>> params = {'w': jnp.ones(2), 'b': jnp.ones(1)}
      >>> opt.update(params, opt.init(params))[0]
      {'b': Array([1.], dtype=float32), 'w': Array([-1., -1.], dtype=float32)}
    """
    inner = with_extra_args_support(inner)

    def chosen(name: str, values: Any) -> Any:
        found = mask(values) if _is_function(mask) else mask
        match_prefix("fungrad.optim.masked", "mask", found, name, values)
        return found

    def hide(found: Any, values: Any) -> Any:
        return tree.map(lambda on, x: x if on else MaskedNode(), found, values)

    def init(params: Params) -> MaskedState:
        if isinstance(params, ParamsPlaceholder):
            return MaskedState(inner.init(params))
        return MaskedState(inner.init(hide(chosen("params", params), params)))

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, MaskedState)
        found = chosen("updates", updates)
        if mask_compatible_extra_args:
            structure = tree.structure(updates)
            extra = {k: hide(found, v) if tree.structure(v) == structure else v for k, v in extra.items()}
        seen = None if params is None else hide(found, params)
        out, after = inner.update(hide(found, updates), state.inner_state, seen, **extra)
        return tree.map(lambda on, new, old: new if on else old, found, out, updates), MaskedState(after)

    return GradientTransformationExtraArgs(init, update)


@naming("freeze")
def freeze(mask: MaskOrFn) -> GradientTransformationExtraArgs:
    """Sets the updates of a part of the parameters to zero.

    Args:
      mask: tree of bools, like the parameters or with one bool for a whole subtree, or a function from parameters to
        one: what does not change.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.chain(optim.sgd(0.1), optim.freeze({'w': True, 'b': False}))
      >>> params = {'w': jnp.ones(2), 'b': jnp.ones(1)}
      >>> opt.update(params, opt.init(params))[0]
      {'b': Array([-0.1], dtype=float32), 'w': Array([0., 0.], dtype=float32)}
    """
    return masked(set_to_zero(), mask)
