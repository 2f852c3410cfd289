"""``reshard``: an array whose type says that it is divided otherwise. Its elements are the same.

May import ``core`` and ``fungrad.sharding``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import watch
from fungrad.core import tree
from fungrad.core.array import Array, ArrayImpl, as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import EVAL, AxisData, state
from fungrad.core.device import Device, Space, check_device
from fungrad.core.formats import Format
from fungrad.core.meshes import AbstractMesh, PartitionSpec, get_abstract_mesh
from fungrad.core.placement import following, placed, placement
from fungrad.core.primitive import Primitive
from fungrad.core.shardings import DEFAULT, NamedSharding, SingleDeviceSharding, wanted_type
from fungrad.core.transfers import device_to_device, host_to_device
from fungrad.errors import ShardingTypeError


class Reshard(Primitive):
    """The operand with another sharding in its type; None for none."""

    kind = "structural"
    cheap = True
    types_only = True

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> ShapedArray:
        return self.abstract_eval(*avals, **params)

    def abstract_eval(self, x: ShapedArray, *, sharding: NamedSharding | None) -> ShapedArray:
        return ShapedArray(x.shape, x.dtype, x.weak_type, sharding=sharding, vma=x.vma)

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        return {}  # the type of the result says it

    def restored_params(self, printed: Any, in_avals: Any, out_avals: Any) -> dict[str, Any]:
        return {"sharding": out_avals[0].placement}

    def impl(self, x: np.ndarray, *, sharding: Any) -> np.ndarray:
        return x

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(primals[0], **params), self.bind(tangents[0], **params)

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        if ct.aval.vma & summed_sets(args[0].aval)[1]:
            return (ct,)  # the caller adds up what members have (`ops.summands`)
        return (retyped(ct, args[0].aval),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, sharding: NamedSharding | None
    ) -> tuple[Any, Any]:
        x, d = args[0], dims[0]
        # The batch stays divided as it is.
        mine = x.aval.placement
        entry = None if mine is None else mine.spec[d]
        if sharding is not None:
            batched = sharding.of_batch(d)
            entries = list(batched.spec)
            entries[d] = entry
            sharding = batched.update(spec=batched.spec.update(entries))
        elif entry is not None:
            sharding = mine.update(spec=PartitionSpec(*[entry if i == d else None for i in range(x.aval.ndim)]))
        return self.bind(x, sharding=sharding), d

    def lower(self, ctx: Any, x: Any, *, sharding: Any) -> Any:
        return x


reshard_p = Reshard("reshard")


class ShardingConstraint(Primitive):
    """The operand, which is to be divided as a user has said, along axes that types do not speak of.

    Attributes of the parameter ``sharding``: None, in a jaxpr read from a text, says nothing.
    """

    kind = "structural"
    cheap = True
    types_only = True

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> ShapedArray:
        return avals[0]

    def abstract_eval(self, x: ShapedArray, *, sharding: NamedSharding | None) -> ShapedArray:
        return x

    def bind(self, *args: Any, **params: Any) -> Any:
        (x,) = args
        if state.trace is EVAL and type(x) is ArrayImpl and params["sharding"] is not None:
            now, wanted = placement(x), params["sharding"]
            wanted.check_shape(x.aval.shape, "fungrad.lax.with_sharding_constraint")
            following.check_same_devices((now, wanted), lambda i: ("the argument of", _SHARDING_OF)[i])
            return placed(x, _determined(wanted, now, x.aval.ndim))
        if not watch.constraints:
            watch.note_constraint()
        return super().bind(*args, **params)

    def printed_params(self, params: dict[str, Any]) -> dict[str, Any]:
        return {}  # devices have no text

    def restored_params(self, printed: Any, in_avals: Any, out_avals: Any) -> dict[str, Any]:
        return {"sharding": None}

    def impl(self, x: np.ndarray, *, sharding: Any) -> np.ndarray:
        return x

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(primals[0], **params), self.bind(tangents[0], **params)

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        return (ct if type(ct) is Zero else self.bind(ct, **params),)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, sharding: NamedSharding | None
    ) -> tuple[Any, Any]:
        if sharding is not None:
            names = axis.spmd if isinstance(axis.spmd, tuple) else () if axis.spmd is None else (axis.spmd,)
            if set(names) & set(sharding.spec.all_names()):
                raise ValueError(
                    f"fungrad.vmap: spmd_axis_name {names} cannot appear in with_sharding_constraint spec, but got "
                    f"spec {sharding.spec}; name an axis that divides no dimension of the examples"
                )
            filled = sharding.update(spec=sharding.spec.filled(args[0].aval.ndim - 1))
            sharding = filled.of_batch(dims[0], names or PartitionSpec.UNCONSTRAINED).even(args[0].aval.shape)
        return self.bind(args[0], sharding=sharding), dims[0]

    def lower(self, ctx: Any, x: Any, *, sharding: Any) -> Any:
        return x


_SHARDING_OF = "sharding passed to with_sharding_constraint"
sharding_constraint_p = ShardingConstraint("sharding_constraint")


def _determined(wanted: NamedSharding, now: Any, ndim: int) -> NamedSharding:
    """A constraint with what it leaves open as an array is divided now."""
    spec = wanted.spec
    if PartitionSpec.UNCONSTRAINED not in spec.partitions:
        return wanted
    mine = now.spec.filled(ndim) if isinstance(now, NamedSharding) and now.mesh == wanted.mesh else [None] * ndim
    open_ = PartitionSpec.UNCONSTRAINED
    return wanted.update(spec=spec.update([m if e is open_ else e for e, m in zip(spec, mine, strict=False)]))


def constrained(x: Any, sharding: NamedSharding) -> Any:
    """A traced value that is to be divided so, where the mesh has no axes of which types speak."""
    return sharding_constraint_p.bind(x, sharding=sharding)


def resharded(x: Any, sharding: NamedSharding | None) -> Any:
    """The array with this sharding in its type."""
    aval = x.aval
    wanted = ShapedArray(aval.shape, aval.dtype, aval.weak_type, sharding=sharding, vma=aval.vma)
    return x if wanted is aval else reshard_p.bind(x, sharding=wanted.placement)


_NONE: frozenset = frozenset()


def summed_sets(aval: Any) -> tuple[frozenset, frozenset]:
    """Along which mesh axes values of a type are unreduced, and along which reduced."""
    if aval.placement is None:
        return _NONE, _NONE
    return aval.placement.spec.unreduced, aval.placement.spec.reduced


def relabelled(aval: ShapedArray, unreduced: frozenset, reduced: frozenset) -> ShapedArray:
    """The type of values that are unreduced and reduced along these axes."""
    placement = aval.placement
    if placement is None:
        placement = NamedSharding(get_abstract_mesh(), PartitionSpec(*[None] * aval.ndim))
    sharding = placement.update(spec=placement.spec.update(unreduced=unreduced, reduced=reduced))
    return ShapedArray(aval.shape, aval.dtype, aval.weak_type, sharding=sharding, vma=aval.vma)


def varied(x: Any, name: Any, api: str) -> Any:
    """A value that is the same for all members of an axis, with a copy for each: it is no longer reduced there.

    Raises:
      ValueError: it is a sum over the members.
    """
    unreduced, reduced = summed_sets(x.aval)
    if name in unreduced:
        raise ValueError(
            f"fungrad.{api}: pvary cannot accept args which are unreduced. Got {x.aval!r} along {name!r} beside values "
            "that vary there; take the sum first, with lax.psum, or cast the others with lax.pcast"
        )
    return resharded(x, relabelled(x.aval, unreduced, reduced - {name}).placement) if name in reduced else x


def put(x: Any, where: Any) -> Any:
    """An array where the user wants it; a traced value knows of that what is part of its type.

    Args:
      x: an array.
      where: a device, a sharding, a format, a memory space, or None for where it is.
    """
    if isinstance(where, Format):
        where = where.sharding
    if isinstance(where, Device):
        where = SingleDeviceSharding(where)
    if type(x) is not ArrayImpl:
        wanted = where.of_type(x.aval.shape) if isinstance(where, NamedSharding) else None
        return resharded(x, wanted) if wanted is not None else x
    if isinstance(where, Space):
        now = placement(x) or DEFAULT
        where = (
            None if where is Space.Any else now.with_memory_kind("device" if where is Space.Device else "pinned_host")
        )
    return x if where is None or placement(x) == where else placed(x, where)


def note_move(x: Any, where: Any) -> None:
    """Tells ``transfer_guard`` that an array is to be at ``where``, if it is elsewhere.

    What several devices hold is gathered on the host first, but for the same devices in another order, as in JAX.

    Raises:
      JaxRuntimeError: the guard disallows it.
    """
    if type(x) is not ArrayImpl or where is None or isinstance(where, (Space, Format)):
        return
    now = placement(x) or DEFAULT
    wanted = SingleDeviceSharding(where) if isinstance(where, Device) else where
    if isinstance(getattr(wanted, "mesh", None), AbstractMesh) or isinstance(getattr(now, "mesh", None), AbstractMesh):
        return
    if now.num_devices > 1 and now.device_set == wanted.device_set:
        if now._device_assignment != wanted._device_assignment:
            return
    if not now.is_equivalent_to(wanted, x.aval.ndim):
        moved = device_to_device if now.num_devices == 1 else host_to_device
        moved(x.aval, wanted)


def on_device(x: Any, device: Any, api: str) -> Any:
    """A result where the caller has asked for it with ``device``.

    Args:
      x: the result.
      device: None, a device, a sharding or a format.
      api: name of the public function, for messages.

    Raises:
      ValueError: ``device`` is something else, or the sharding does not fit the shape.
    """
    if device is None:
        return x
    check_device(device, api)
    check = getattr(device, "check_shape", None)
    if check is not None:
        check(x.shape, api)
    return put(x, device)


def retyped(x: Any, aval: ShapedArray) -> Any:
    """A cotangent of a value of type ``aval`` with the sharding that it has."""
    placement = None if aval.placement is None else aval.placement.of_cotangent()
    if type(x) is Zero or x.aval.placement == placement:
        return x
    if type(x) is ArrayImpl:
        return wrap_unchecked(x._data, x.aval.plain().update(sharding=placement, vma=aval.vma))
    return reshard_p.bind(x, sharding=placement)


def at_sharding(fun: Callable[..., Any], out_sharding: Any, api: str, *args: Any, **kwargs: Any) -> Any:
    """The result of a function whose sharding the caller has asked for with ``out_sharding``.

    How the arguments are divided does not matter then.

    Args:
      fun: the function.
      out_sharding: a ``PartitionSpec`` or a sharding.
      api: name of the public function, for messages.
      *args, **kwargs: its arguments, trees of arrays and other values.

    Raises:
      ValueError: the sharding does not fit the result.
    """
    # What is wrong is said before anything is computed.
    wanted = wanted_type(out_sharding, None, api)
    if wanted is not None and wanted.spec.unreduced:
        _check_summands(wanted.spec, api, [x.aval for x in tree.leaves((args, kwargs)) if isinstance(x, Array)])
    args, kwargs = tree.map(_without_sharding, (args, kwargs))

    def place(x: Any) -> Any:
        sharding = wanted_type(out_sharding, x.aval.ndim, api)
        if sharding is None:
            return x
        sharding.check_shape(x.aval.shape, api)
        return resharded(x, sharding)

    return tree.map(place, fun(*args, **kwargs))


def _check_summands(spec: PartitionSpec, api: str, avals: Sequence[ShapedArray]) -> None:
    """A result can be a sum over devices only along axes that divide an operand."""
    used: set[Any] = set()
    for aval in avals:
        if aval.placement is not None:
            used |= {*aval.placement.spec.all_names(), *aval.placement.spec.unreduced}
    if not spec.unreduced <= used:
        raise ShardingTypeError(
            f"{api}: out_sharding's unreduced axes should be in the operands' specs that were summed over. Got "
            f"operands {', '.join(map(repr, avals))} and out_sharding {spec}"
        )


def _without_sharding(x: Any) -> Any:
    return resharded(x, None) if isinstance(x, Array) and x.aval.placement is not None else x


def moved_to(x: Any, sharding: Any, api: str) -> Any:
    """``x`` divided as a user asks for, in its type if the mesh has explicit axes."""
    x = as_array(x, f"{api}: an argument")
    wanted = wanted_type(sharding, x.aval.ndim, api)
    return x if wanted is None else resharded(x, wanted)
