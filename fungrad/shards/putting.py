"""Where arrays are to be: ``device_put``, ``reshard`` and constraints; parts of programs that say nothing of it.

May import what is below ``fungrad`` itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fungrad.config import watch
from fungrad.core import shardings, tree
from fungrad.core.array import Array, as_array
from fungrad.core.context import Tracer
from fungrad.core.device import check_device
from fungrad.core.meshes import AbstractMesh, AxisType, Mesh, PartitionSpec, get_abstract_mesh, use_abstract_mesh
from fungrad.core.placement import placement
from fungrad.core.shardings import NamedSharding, wanted_type
from fungrad.core.source import api_boundary, wraps
from fungrad.core.transfers import explicit
from fungrad.ops.cast import copy
from fungrad.ops.resharding import constrained, note_move, on_device, put, resharded
from fungrad.shards.following import check_same_devices
from fungrad.transforms.api import check_callable


def device_put(
    x: Any, device: Any = None, *, src: Any = None, donate: Any = False, may_alias: bool | None = None
) -> Any:
    """The leaves of a pytree as fungrad arrays.

    Args:
      x: pytree of arrays and scalars.
      device: None, a device, a sharding, a ``PartitionSpec`` over the mesh that has been set, a ``Format``, a
        ``memory.Space``, or a tree of them that is a prefix of ``x``. Arrays have the sharding afterwards (those that
        have it already are returned as they are); they are whole in memory as before.
      src: ignored.
      donate: without effect.
      may_alias: False for copies also of what is there already.

    Raises:
      TypeError: a leaf is not an array or scalar.
      ValueError: the sharding does not fit the shape, or both ``donate`` and ``may_alias`` are true.

    Example:
      >>> import numpy as np
      >>> import fungrad
      >>> fungrad.device_put({"w": np.ones(2, np.float32)})
      {'w': Array([1., 1.], dtype=float32)}
    """
    if donate and may_alias:
        raise ValueError("fungrad.device_put: may_alias and donate cannot be True at the same time.")
    with explicit():
        return _device_put(x, device, may_alias)


def _device_put(x: Any, device: Any, may_alias: bool | None) -> Any:
    if may_alias is not None and not may_alias:
        x = tree.map(lambda leaf: put(copy(leaf), placement(leaf)) if isinstance(leaf, Array) else leaf, x)
    if device is None:
        return tree.map(lambda leaf: as_array(leaf, "fungrad.device_put: x"), x)
    wanted = tree.broadcast_prefix(
        device, x, is_leaf=lambda d: d is None, api="fungrad.device_put", prefix_name="device", full_name="x"
    )
    wanted = [shardings.named(w, "device_put") if isinstance(w, PartitionSpec) else w for w in wanted]
    for each in wanted:
        check_device(each, "fungrad.device_put")
    leaves, structure = tree.flatten(x)
    arrays = [as_array(leaf, "fungrad.device_put: x") for leaf in leaves]
    if watch.transfers:
        for leaf, array, each in zip(leaves, arrays, wanted, strict=True):
            if leaf is array:
                note_move(leaf, each)
    return tree.unflatten(
        structure, [on_device(x, where, "fungrad.device_put") for x, where in zip(arrays, wanted, strict=True)]
    )


def _flat(xs: Any, wanted: Any, api: str) -> list[Any]:
    return tree.broadcast_prefix(wanted, xs, is_leaf=lambda w: w is None, api=f"fungrad.{api}", prefix_name="shardings")


def reshard(xs: Any, out_shardings: Any) -> Any:
    """Arrays with another sharding in their types.

    Args:
      xs: tree of arrays.
      out_shardings: a sharding, a ``PartitionSpec`` over the mesh that has been set, or a tree of them that is a prefix
        of ``xs``. Where functions take ``out_sharding``, it is one of these, and the result is divided so however the
        operands are.

    Raises:
      ValueError: the sharding does not fit the shape, or there is none.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> with fungrad.set_mesh(fungrad.make_mesh((1,), ("x",))):
      ...   x = fungrad.reshard(jnp.ones(2), fungrad.P("x"))
      >>> fungrad.typeof(x)
      ShapedArray(float32[2@x])
    """
    leaves, structure = tree.flatten(xs)
    out = []
    for leaf, each in zip(leaves, _flat(xs, out_shardings, "reshard"), strict=True):
        if each is None:
            raise ValueError(
                "fungrad.reshard: Reshard should only be used with out_shardings which are non-None and have a "
                "non-empty mesh. Got sharding None."
            )
        x = as_array(leaf, "fungrad.reshard: xs")
        wanted = wanted_type(each, x.aval.ndim, "fungrad.reshard")
        if wanted is not None:
            wanted.check_shape(x.aval.shape, "fungrad.reshard")
            x = resharded(x, wanted)
        elif not get_abstract_mesh().are_all_axes_manual:  # where members see parts nothing is divided
            sharding = shardings.named(each, "reshard")
            if isinstance(sharding, NamedSharding):
                sharding.check_shape(x.aval.shape, "fungrad.reshard")
            x = put(x, sharding)
        out.append(x)
    return tree.unflatten(structure, out)


def with_sharding_constraint(x: Any, shardings: Any) -> Any:
    """Arrays that are to have a sharding.

    Args:
      x: tree of arrays.
      shardings: a sharding, a ``PartitionSpec`` over the mesh that has been set, or a tree of them that is a prefix of
        ``x``.

    Returns:
      The arrays; their values are the same. Along explicit axes of the mesh nothing is changed: their types must say
      the same already.

    Raises:
      ValueError: the sharding does not fit the shape, or the array has been put on other devices.
      RuntimeError: a ``PartitionSpec`` is given and no mesh has been set.
      AssertionError: the type of an array says otherwise.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> mesh = fungrad.make_mesh((1,), ("x",), fungrad.sharding.AxisType.Auto)
      >>> sharding = fungrad.NamedSharding(mesh, fungrad.P("x"))
      >>> fungrad.lax.with_sharding_constraint(jnp.ones(2), sharding)
      Array([1., 1.], dtype=float32)
    """
    leaves, structure = tree.flatten(x)
    out = []
    for leaf, each in zip(leaves, _flat(x, shardings, "lax.with_sharding_constraint"), strict=True):
        array = as_array(leaf, "fungrad.lax.with_sharding_constraint: an argument")
        out.append(array if each is None else _constrained(array, each))
    return tree.unflatten(structure, out)


def _constrained(x: Array, wanted: Any) -> Array:
    api = "lax.with_sharding_constraint"
    sharding = shardings.named(wanted, api, RuntimeError)
    if get_abstract_mesh().are_all_axes_manual and isinstance(sharding, NamedSharding):
        if not sharding.spec.all_names():
            return x  # where members see parts nothing is divided
    found = placement(x)
    if found is not None:
        check_same_devices((found, sharding), lambda i: ("the argument of", "sharding passed to")[i] + f" {api}")
    said = None
    if isinstance(sharding, NamedSharding):
        if isinstance(x, Tracer) and not sharding.mesh.explicit_axes:
            sharding.check_rank(x.shape, f"fungrad.{api}")
        else:
            sharding.check_shape(x.shape, f"fungrad.{api}")
        said = sharding.of_type(x.aval.shape)
        if said is not None:
            mine = x.aval.placement
            spec = PartitionSpec(*[None] * x.aval.ndim) if mine is None else mine.spec
            if said.spec != spec:
                raise AssertionError(
                    f"fungrad.{api}: `with_sharding_constraint` acts as an assert when all axes of mesh are of type "
                    f"`Explicit`. The array sharding: {spec} did not match the sharding provided: {said.spec}. Please "
                    "use `fungrad.reshard` to reshard your input to another sharding."
                )
            if sharding.mesh.are_all_axes_explicit:
                return x
    if isinstance(getattr(sharding, "mesh", None), AbstractMesh) and said is None:
        return x  # no devices and nothing that types say
    if watch.transfers:
        note_move(x, sharding)
    if isinstance(x, Tracer) and isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, Mesh):
        if not sharding.mesh.explicit_axes and not get_abstract_mesh().manual_axes:
            return constrained(x, sharding)
    return put(x, sharding)


# -- parts of programs that say nothing, or everything ----------------------------------------------------------------


def _mesh_with(axes: Any, kind: AxisType, api: str, given: Any) -> Any:
    """The mesh around a function, the same with other types of some axes, and these axes; None if there is none."""
    mesh = shardings.get_abstract_mesh()
    for each in tree.leaves(given):
        if isinstance(each, NamedSharding):
            theirs = each.mesh.abstract_mesh
            if not mesh.empty and mesh != theirs:
                raise ValueError(
                    f"fungrad.sharding.{api}: Context mesh {mesh} must match the mesh passed to shardings {theirs}. "
                    "Recommended approach is to use the `fungrad.set_mesh` context manager."
                )
            mesh = theirs
    if mesh.empty:
        return None
    names = mesh.axis_names if axes is None else axes if isinstance(axes, tuple) else (axes,)
    for name in names:
        if name in mesh.axis_names and mesh.type_of(name) is AxisType.Manual:
            raise NotImplementedError(
                f"fungrad.sharding.{api}: going from `Manual` AxisType to `Auto` or `Explicit` AxisType is not "
                f"allowed, but {name!r} is an axis over which shard_map maps; name the other axes only"
            )
    return mesh, mesh.update_axis_types(dict.fromkeys(names, kind)), names


def auto_axes(
    f: Callable[..., Any] | None = None, /, *, axes: str | tuple[str, ...] | None = None, out_sharding: Any = None
) -> Any:
    """A function inside of which types say nothing of how arrays are divided along some axes of the mesh.

    Args:
      f: function of arrays. Works as a decorator.
      axes: names of mesh axes; all by default.
      out_sharding: how results are divided: a ``PartitionSpec`` or a sharding, or a tree of them that is a prefix of
        the result. May be given at the call instead, under the same name.

    Raises:
      TypeError: ``out_sharding`` is given nowhere.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> with fungrad.set_mesh(fungrad.make_mesh((1,), ("x",))):
      ...   x = fungrad.device_put(jnp.ones((2, 2)), fungrad.P(None, "x"))
      ...   f = fungrad.sharding.auto_axes(lambda x: x @ x.T, out_sharding=fungrad.P("x"))
      ...   fungrad.typeof(f(x))
      ShapedArray(float32[2@x,2])
    """
    if f is None:
        return functools.partial(auto_axes, axes=axes, out_sharding=out_sharding)
    check_callable(f, "sharding.auto_axes")

    @wraps(f)
    @api_boundary
    def automatic(*args: Any, **kwargs: Any) -> Any:
        wanted = _given(out_sharding, kwargs, "auto_axes", "out_sharding")
        found = _mesh_with(axes, AxisType.Auto, "auto_axes", wanted)
        if found is None:
            return f(*args, **kwargs)
        before, mesh, names = found
        if set(before.auto_axes) == set(names):
            return f(*args, **kwargs)
        args, kwargs = tree.map(lambda x: _changed(x, mesh), (args, kwargs))
        with use_abstract_mesh(mesh):
            out = f(*args, **kwargs)
        with use_abstract_mesh(before):
            return reshard(out, wanted)

    return automatic


def _given(sharding: Any, kwargs: dict[str, Any], api: str, name: str) -> Any:
    """A sharding given at the decoration, or else taken out of the keyword arguments of the call."""
    if sharding is not None:
        return sharding
    if name not in kwargs:
        raise TypeError(f"fungrad.sharding.{api}: Missing required keyword argument: {name!r}")
    return kwargs.pop(name)


def _changed(x: Any, mesh: Any) -> Any:
    """An array as it is seen where axes of the mesh have other types."""
    if not isinstance(x, Array) or x.aval.placement is None:
        return x
    spec = shardings.explicit_part(x.aval.placement.spec, mesh)
    return resharded(x, NamedSharding(mesh, spec).of_type(x.aval.shape))


def explicit_axes(
    f: Callable[..., Any] | None = None, /, *, axes: str | tuple[str, ...] | None = None, in_sharding: Any = None
) -> Any:
    """A function inside of which types say how arrays are divided along some axes of the mesh.

    Args:
      f: function of arrays. Works as a decorator.
      axes: names of mesh axes; all by default.
      in_sharding: how arguments are divided: a ``PartitionSpec``, or a tree of them that is a prefix of the tuple of
        arguments. May be given at the call instead, under the same name.

    Raises:
      TypeError: ``in_sharding`` is given nowhere.
      ValueError: no mesh has been set.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> f = fungrad.sharding.explicit_axes(lambda x: print(fungrad.typeof(x)), in_sharding=fungrad.P("x"))
      >>> with fungrad.set_mesh(fungrad.make_mesh((1,), ("x",), (fungrad.sharding.AxisType.Auto,))):
      ...   f(jnp.ones(2))
      float32[2@x]
    """
    if f is None:
        return functools.partial(explicit_axes, axes=axes, in_sharding=in_sharding)
    check_callable(f, "sharding.explicit_axes")

    @wraps(f)
    @api_boundary
    def explicit(*args: Any, **kwargs: Any) -> Any:
        wanted = _given(in_sharding, kwargs, "explicit_axes", "in_sharding")
        found = _mesh_with(axes, AxisType.Explicit, "explicit_axes", None)
        if found is None:
            raise ValueError(
                "fungrad.sharding.explicit_axes: Context mesh cannot be empty. Please use `fungrad.set_mesh` to enter "
                "into a mesh context when using `explicit_axes`."
            )
        before, mesh, _ = found
        with use_abstract_mesh(mesh):
            out = f(*reshard(args, wanted), **kwargs)
        return tree.map(lambda x: _changed(x, before), out)

    return explicit
