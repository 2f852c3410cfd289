"""Compiled functions whose arguments and results have shardings.

May import ``core``, ``fungrad.sharding`` and the other modules of ``jit.front``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import watch
from fungrad.core import shardings, tree
from fungrad.core.array import Array, as_array
from fungrad.core.context import Tracer
from fungrad.core.device import Device, device_count
from fungrad.core.formats import Format
from fungrad.core.ir import Jaxpr
from fungrad.core.jaxpr_parts import jaxprs_in_params
from fungrad.core.meshes import AbstractMesh, PartitionSpec
from fungrad.core.placement import following, placed, placement
from fungrad.core.source import api_boundary, reference_to
from fungrad.ops.resharding import note_move, resharded, sharding_constraint_p


def other_device(device: Any) -> Any:
    """The sharding of a function that is to run on a device; None if there is only one."""
    if device is None or device_count() == 1:
        return None
    if isinstance(device, Format):
        device = device.sharding
    return shardings.SingleDeviceSharding(device) if isinstance(device, Device) else device


def _is_none(x: Any) -> bool:
    return x is None


class ShardedFunction:
    """A compiled function that checks the shardings of its arguments and gives results theirs.

    Attributes:
      compiled: the function without shardings.
      in_shardings, out_shardings: as they were given.
    """

    def __init__(self, compiled: Any, fun: Callable[..., Any], in_shardings: Any, out_shardings: Any, device: Any):
        functools.update_wrapper(self, fun)
        self.compiled = compiled
        self.in_shardings = tuple(in_shardings) if isinstance(in_shardings, list) else in_shardings
        self.out_shardings = out_shardings
        self._device = device
        if device is not None and tree.leaves((in_shardings, out_shardings)):
            raise ValueError(
                "fungrad.jit: If device is specified, in_shardings and out_shardings should not be: give the shardings"
            )
        self._devices = [
            *_devices_of(in_shardings, "in_shardings"),
            *_devices_of(out_shardings, "out_shardings"),
        ]
        _check_devices(self._devices)

    def __copy__(self) -> ShardedFunction:
        return self

    def __deepcopy__(self, memo: dict) -> ShardedFunction:
        return self

    def __reduce__(self) -> Any:
        return reference_to(self) or super().__reduce__()

    @api_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._device is not None:
            args, kwargs = tree.map(self._moved, (args, kwargs))
        if self.in_shardings is not None:
            if kwargs:
                raise ValueError(
                    "fungrad.jit: keyword arguments have no in_shardings: give the arguments by position, got "
                    f"{', '.join(kwargs)} by keyword"
                )
            args = self._placed(args)
        if self._devices:
            where = ((f"argument {i}", placement(x)) for i, x in enumerate(tree.leaves((args, kwargs))))
            _check_devices([*self._devices, *((name, s) for name, s in where if s is not None)])
            if watch.transfers:
                for x in tree.leaves((args, kwargs)):
                    if placement(x) is None:
                        note_move(x, self._devices[0][1])
        result = self.compiled(*args, **kwargs)
        if self._device is not None:
            return tree.map(lambda x: _put(x, self._device) if isinstance(x, Array) else x, result)
        if self.out_shardings is None:
            return result
        leaves, structure = tree.flatten(result)
        wanted = tree.broadcast_prefix(
            self.out_shardings, result, is_leaf=_is_none, api="fungrad.jit", prefix_name="out_shardings"
        )
        out = []
        for x, each in zip(leaves, wanted, strict=True):
            if each is not None:
                sharding = shardings.named(each, "jit: out_shardings", RuntimeError)
                _check_shape(sharding, x.shape, "fungrad.jit: out_shardings")
                x = _put(x, sharding)
            out.append(x)
        return tree.unflatten(structure, out)

    def _moved(self, leaf: Any) -> Any:
        """An argument on the device on which the function is to run, if one was named."""
        if isinstance(leaf, Tracer) or not isinstance(leaf, (Array, np.ndarray)):
            return leaf  # numbers may be static
        x = as_array(leaf)
        return _put(x, self._device, given=x is leaf)

    def _placed(self, args: tuple) -> tuple:
        """The arguments, where types are to say how they are divided."""
        wanted = tree.broadcast_prefix(
            self.in_shardings, args, is_leaf=_is_none, api="fungrad.jit", prefix_name="in_shardings"
        )
        leaves, structure = tree.flatten(args)
        for i, (leaf, each) in enumerate(zip(leaves, wanted, strict=True)):
            if each is None:
                continue
            x = as_array(leaf)
            sharding = shardings.named(each, "jit: in_shardings", RuntimeError)
            _check_shape(sharding, x.shape, "fungrad.jit: in_shardings")
            found = placement(x)
            one_device = isinstance(sharding, shardings.SingleDeviceSharding) and found is not None
            if one_device and len(found.device_set) == 1:
                found = None  # moved there, as with `device`
            if found is not None and not found.is_equivalent_to(sharding, x.ndim):
                raise ValueError(
                    "fungrad.jit: Received incompatible shardings: Sharding passed to jit does not match the "
                    f"sharding on the respective arg{tree.leaf_paths(args)[i]}: {sharding} and {found}; put the "
                    "argument there with fungrad.device_put, or leave in_shardings out"
                )
            leaves[i] = _put(x, sharding, given=x is leaf)
        return tree.unflatten(structure, leaves)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name == "compiled":
            raise AttributeError(name)
        return getattr(self.compiled, name)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return repr(self.compiled)


def says_where(jaxpr: Jaxpr) -> bool:
    """Whether a program asks with ``with_sharding_constraint`` that something be somewhere."""
    return any(
        eqn.primitive is sharding_constraint_p or any(map(says_where, jaxprs_in_params(eqn.params)))
        for eqn in jaxpr.eqns
    )


def putting(jaxpr: Jaxpr, arrays: Sequence[Any], name: str, names: Sequence[str]) -> Any:
    """A function that puts results of a program where its arguments are, or it says; None if that is nowhere.

    Args:
      jaxpr: the program.
      arrays: its arguments.
      name: of the function, for messages.
      names: of the arguments.

    Raises:
      ValueError: arguments are on different devices.
    """

    def describe(i: int) -> str:
        x, which = arrays[i], f"{names[i]} " if names else ""
        return f"argument {which}of {name} with shape {x.dtype.name}[{','.join(map(str, x.shape))}] and"

    return following.program(jaxpr, arrays, describe)


def _devices_of(specs: Any, name: str) -> list[tuple[str, Any]]:
    """The shardings among ``specs`` that say which devices, each with the name of the argument of ``jit``.

    Raises:
      ValueError: a sharding leaves open how a dimension is divided.
    """
    found = []
    for spec in tree.leaves(specs):
        if isinstance(spec, Format):
            spec = spec.sharding
        partition = spec.spec if isinstance(spec, shardings.NamedSharding) else spec
        if isinstance(partition, PartitionSpec) and PartitionSpec.UNCONSTRAINED in partition.partitions:
            raise ValueError(
                f"fungrad.jit: {name}: unconstrained dimensions are not allowed, got {spec}; say None or the axes"
            )
        if isinstance(spec, shardings.Sharding):
            found.append((name, spec))
    return found


def _check_devices(places: list[tuple[str, Any]]) -> None:
    """Refuses a program whose arguments and results are on different devices.

    Args:
      places: what each sharding is of, and the sharding.
    """
    first = None
    for name, sharding in places:
        if isinstance(getattr(sharding, "mesh", None), AbstractMesh):
            continue
        devices = sharding.device_set
        if first is None:
            first = name, devices
        elif devices != first[1]:
            said = [f"{n} on devices {sorted(d.id for d in s)}" for n, s in (first, (name, devices))]
            raise ValueError(
                f"fungrad.jit: Received incompatible devices for jitted computation: {said[0]} and {said[1]}; put "
                "the arguments on the same devices with fungrad.device_put"
            )


def _put(x: Any, sharding: Any, given: bool = False) -> Any:
    """An array with a sharding; of a traced one only the type says so."""
    if isinstance(x, Tracer):
        wanted = sharding.of_type(x.aval.shape) if isinstance(sharding, shardings.NamedSharding) else None
        return resharded(x, wanted) if wanted is not None else x
    if placement(x) == sharding:
        return x
    if watch.transfers and given:
        note_move(x, sharding)
    return placed(x, sharding)


def _check_shape(sharding: Any, shape: Any, api: str) -> None:
    if isinstance(sharding, shardings.NamedSharding):
        sharding.check_shape(shape, api)
