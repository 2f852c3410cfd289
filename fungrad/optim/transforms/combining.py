"""Combining transformations: one after the other, or each for its part of the parameters.

May import ``core`` and the modules of ``optim`` that every transformation may import.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from fungrad.core import tree
from fungrad.core.arguments import shown
from fungrad.optim._naming import naming
from fungrad.optim.base import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    OptState,
    Params,
    Updates,
    check_state,
    set_to_zero,
    with_extra_args_support,
)
from fungrad.optim.transforms.masking import masked


def _check_transformation(api: str, name: str, value: Any) -> None:
    if not (hasattr(value, "init") and hasattr(value, "update")):
        raise TypeError(f"fungrad.optim.{api}: {name} must be a GradientTransformation, got {shown(value)}")


@naming("chain")
def chain(*transformations: GradientTransformation) -> GradientTransformationExtraArgs:
    """Applies transformations one after the other.

    Args:
      *transformations: each gets the updates that the one before returns.

    Returns:
      A transformation whose state is the tuple of their states.

    Example:
      >>> from fungrad import optim
      >>> opt = optim.chain(optim.trace(decay=0.9), optim.scale(-0.1))
    """
    for i, t in enumerate(transformations):
        _check_transformation("chain", f"argument {i}", t)
    parts = [with_extra_args_support(t) for t in transformations]

    def init(params: Params) -> tuple:
        return tuple([t.init(params) for t in parts])

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        if type(state) not in (tuple, list) or len(state) != len(parts):
            came = f"{len(state)} parts" if type(state) in (tuple, list) else shown(state)
            raise ValueError(
                f"fungrad.optim.chain: state must have {len(parts)} parts, one for each transformation, got {came}; "
                "make it with init(params)"
            )
        after = []
        for t, s in zip(parts, state, strict=True):
            updates, s = t.update(updates, s, params, **extra)
            after.append(s)
        return updates, tuple(after)

    return GradientTransformationExtraArgs(init, update)


@naming("named_chain")
def named_chain(*transformations: tuple[str, GradientTransformation]) -> GradientTransformationExtraArgs:
    """Applies transformations one after the other, and keeps their states under names.

    Args:
      *transformations: pairs of name and transformation.

    Returns:
      A transformation whose state is a dict.

    Raises:
      ValueError: a name is given twice.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.named_chain(('momentum', optim.trace(decay=0.9)), ('rate', optim.scale(-0.1)))
      >>> list(opt.init(jnp.ones(2)))
      ['momentum', 'rate']
    """
    for i, pair in enumerate(transformations):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise TypeError(
                f"fungrad.optim.named_chain: argument {i} must be a pair of a name and a transformation, got "
                f"{shown(pair)}"
            )
        _check_transformation("named_chain", f"the transformation {pair[0]!r}", pair[1])
    names = [name for name, _ in transformations]
    if len(set(names)) < len(names):
        raise ValueError(f"fungrad.optim.named_chain: every name must be given once, got {', '.join(names)}")
    parts = [(name, with_extra_args_support(t)) for name, t in transformations]

    def init(params: Params) -> OrderedDict:
        return OrderedDict((name, t.init(params)) for name, t in parts)

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        if not isinstance(state, dict) or set(state) != set(names):
            raise ValueError(
                f"fungrad.optim.named_chain: state must be a dict with the keys {', '.join(names)}, got "
                f"{shown(state)}; make it with init(params)"
            )
        after = OrderedDict()
        for name, t in parts:
            updates, after[name] = t.update(updates, state[name], params, **extra)
        return updates, after

    return GradientTransformationExtraArgs(init, update)


class PartitionState(NamedTuple):
    """State of ``partition``.

    Attributes:
      inner_states: state of each transformation, by label.
    """

    inner_states: Mapping[Hashable, OptState]


@naming("partition")
def partition(
    transforms: Mapping[Hashable, GradientTransformation],
    param_labels: Any,
    *,
    mask_compatible_extra_args: bool = False,
) -> GradientTransformationExtraArgs:
    """Applies to each parameter the transformation that its label chooses.

    Args:
      transforms: transformations by label.
      param_labels: tree of labels, like the parameters or with one label for a whole subtree, or a function from
        parameters to one.
      mask_compatible_extra_args: whether keywords of ``update`` that are trees like the parameters are divided too.

    Raises:
      ValueError: a label has no transformation.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.partition({'fast': optim.sgd(1.0), 'slow': optim.sgd(0.1)}, {'a': 'fast', 'b': 'slow'})
      >>> params = {'a': jnp.ones(2), 'b': jnp.ones(1)}
      >>> opt.update(params, opt.init(params))[0]
      {'a': Array([-1., -1.], dtype=float32), 'b': Array([-0.1], dtype=float32)}
    """
    if not isinstance(transforms, Mapping):
        raise TypeError(f"fungrad.optim.partition: transforms must be a dict, got {shown(transforms)}")
    for label, t in transforms.items():
        _check_transformation("partition", f"transforms[{label!r}]", t)
    parts = {label: with_extra_args_support(t) for label, t in transforms.items()}

    def labels_of(values: Any) -> Any:
        labels = param_labels(values) if callable(param_labels) else param_labels
        for path, label in tree.flatten_with_path(labels)[0]:
            if label not in parts:
                known = ", ".join([repr(k) for k in parts])
                raise ValueError(
                    f"fungrad.optim.partition: param_labels{tree.keystr(path)} is {label!r}, for which transforms has "
                    f"nothing; it has {known}"
                )
        return labels

    def part(labels: Any, label: Hashable) -> GradientTransformationExtraArgs:
        mask = tree.map(lambda other: other == label, labels)
        return masked(parts[label], mask, mask_compatible_extra_args=mask_compatible_extra_args)

    def init(params: Params) -> PartitionState:
        labels = labels_of(params)
        return PartitionState({label: part(labels, label).init(params) for label in parts})

    def update(updates: Updates, state: OptState, params: Params | None = None, **extra: Any) -> tuple:
        check_state(state, PartitionState)
        labels = labels_of(updates)
        after = {}
        for label in parts:
            updates, after[label] = part(labels, label).update(updates, state.inner_states[label], params, **extra)
        return updates, PartitionState(after)

    return GradientTransformationExtraArgs(init, update)


@naming("selective_transform")
def selective_transform(optimizer: GradientTransformation, *, freeze_mask: Any) -> GradientTransformationExtraArgs:
    """Optimizes a part of the parameters; the others stay, and have no state.

    Args:
      optimizer: the transformation.
      freeze_mask: tree of bools, like the parameters or with one bool for a whole subtree: what stays.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> opt = optim.selective_transform(optim.sgd(0.1), freeze_mask={'w': True, 'b': False})
      >>> params = {'w': jnp.ones(2), 'b': jnp.ones(1)}
      >>> opt.update(params, opt.init(params))[0]
      {'b': Array([-0.1], dtype=float32), 'w': Array([0., 0.], dtype=float32)}
    """

    def labels(params: Params) -> Any:
        return tree.map(lambda frozen: "freeze" if frozen else "train", freeze_mask)

    return partition({"train": optimizer, "freeze": set_to_zero()}, labels)
