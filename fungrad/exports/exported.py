"""``export``: a jitted function, traced for certain types, as an object that can be called, differentiated and kept.

May import ``core``, ``transforms``, ``jit`` and the other modules of ``exports``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core import shardings, tree
from fungrad.core.arguments import shown
from fungrad.core.array import as_array, is_array_like
from fungrad.core.avals import ShapedArray
from fungrad.core.dimensions import is_symbolic, is_symbolic_shape
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.source import api_boundary
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.core.treedef import PyTreeDef, differences, open_treedef, open_value, raise_mismatch
from fungrad.exports.dimensions import UnknownVariable
from fungrad.exports.instances import at_sizes, expressions
from fungrad.exports.programs import check_portable, portable
from fungrad.exports.serialization import FORMAT, read, write
from fungrad.exports.solving import equations_of, solve, symbolic_shapes
from fungrad.exports.trees import structure_as_data, structure_of_data
from fungrad.jit.front.call import call
from fungrad.transforms.api import vjp
from fungrad.transforms.custom_rules import custom_vjp

minimum_supported_calling_convention_version = FORMAT
maximum_supported_calling_convention_version = FORMAT

PLATFORM = "cpu"


class DisabledSafetyCheck:
    """A check that is left out when a function is exported or called.

    Example:
      >>> from fungrad import export
      >>> export.DisabledSafetyCheck.platform()
      platform
    """

    def __init__(self, _impl: str):
        self._impl = _impl

    @classmethod
    def platform(cls) -> DisabledSafetyCheck:
        """Lets a function that was exported for other platforms be called on the CPU."""
        return cls("platform")

    @classmethod
    def custom_call(cls, target_name: str) -> DisabledSafetyCheck:
        """Lets a function apply a primitive that the user has defined: every process must define it alike.

        Args:
          target_name: name of the primitive.
        """
        return cls(f"custom_call:{target_name}")

    def is_custom_call(self) -> str | None:
        """The name of the primitive that is let through, if it is about one."""
        found = re.match("custom_call:(.+)$", self._impl)
        return found.group(1) if found else None

    def __repr__(self) -> str:
        return self._impl

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DisabledSafetyCheck) and self._impl == other._impl

    def __hash__(self) -> int:
        return hash(self._impl)


def default_export_platform() -> str:
    """The platform for which functions are exported unless others are given: ``cpu``.

    Example:
      >>> from fungrad import export
      >>> export.default_export_platform()
      'cpu'
    """
    return PLATFORM


@dataclasses.dataclass(frozen=True, repr=False)
class Exported:
    """A function of arrays of certain types, as a program that needs nothing of the process that made it.

    Attributes:
      fun_name: name of the function.
      in_tree: structure of the pair of arguments and keyword arguments.
      in_avals: types of the arguments, flat; their shapes may have symbolic dimensions.
      out_tree: structure of the result.
      out_avals: types of the results, flat.
      nr_devices: number of devices that the shardings of the function refer to.
      platforms: for which it was exported.
      disabled_safety_checks: checks that were left out.
      calling_convention_version: version of the format in which it is kept.
      ordered_effects, unordered_effects: empty: functions with effects are not exported.
      uses_global_constants: whether there are symbolic dimensions.
      jaxpr: the program.
    """

    fun_name: str
    in_tree: PyTreeDef
    in_avals: tuple[ShapedArray, ...]
    out_tree: PyTreeDef
    out_avals: tuple[ShapedArray, ...]
    nr_devices: int
    platforms: tuple[str, ...]
    disabled_safety_checks: tuple[DisabledSafetyCheck, ...]
    jaxpr: Jaxpr
    # The function with the rules that the user has given it, from which derivatives are made; None once it was kept.
    _source: Jaxpr | None = None
    _kept_vjp: Exported | None = None
    _in_shardings: tuple[Any, ...] = ()
    _out_shardings: tuple[Any, ...] = ()
    calling_convention_version: int = FORMAT
    ordered_effects: tuple[Any, ...] = ()
    unordered_effects: tuple[Any, ...] = ()
    uses_global_constants: bool = False
    _memo: dict[Any, Any] = dataclasses.field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        return f"Exported(fun_name={self.fun_name}, ...)"

    __str__ = __repr__

    @property
    def module_kept_var_idx(self) -> tuple[int, ...]:
        """Numbers of the arguments that the program reads."""
        read_vars = {a for eqn in self.jaxpr.eqns for a in eqn.invars} | set(self.jaxpr.outvars)
        return tuple(i for i, v in enumerate(self.jaxpr.invars) if v in read_vars)

    @property
    def mlir_module_serialized(self) -> bytes:
        """What JAX keeps a program as: here the bytes of ``serialize``, without derivatives."""
        return bytes(self.serialize())

    def mlir_module(self, serialized: bool = True) -> str:
        """The text of the program: a jaxpr, since there is no MLIR.

        Args:
          serialized: has no effect.
        """
        return self.jaxpr.pretty_print(weak=True)

    def in_shardings_jax(self, mesh: Any) -> tuple[Any, ...]:
        """The shardings of the arguments on a mesh, None where none was given.

        Args:
          mesh: the mesh, or an abstract one.
        """
        return tuple([_on_mesh(s, mesh) for s in self._in_shardings or (None,) * len(self.in_avals)])

    def out_shardings_jax(self, mesh: Any) -> tuple[Any, ...]:
        """The shardings of the results on a mesh, None where none was given.

        Args:
          mesh: the mesh, or an abstract one.
        """
        return tuple([_on_mesh(s, mesh) for s in self._out_shardings or (None,) * len(self.out_avals)])

    def has_vjp(self) -> bool:
        """Whether ``vjp`` gives the derivative: always unless the function was read and kept without."""
        return self._source is not None or self._kept_vjp is not None

    def vjp(self) -> Exported:
        """The exported backward pass.

        It takes the flat arguments and a cotangent for each flat result, and returns a cotangent for each argument.

        Raises:
          ValueError: the function was kept without derivatives.
        """
        if self._kept_vjp is not None:
            return self._kept_vjp
        if "vjp" not in self._memo:
            self._memo["vjp"] = self._make_vjp()
        return self._memo["vjp"]  # type: ignore[no-any-return]

    def _make_vjp(self) -> Exported:
        source = self._source
        if source is None:
            raise ValueError(
                f"fungrad.export: No VJP is available: {self.fun_name} was kept without its derivative; serialize it "
                "with vjp_order=1, or more for derivatives of higher order"
            )
        n = len(self.in_avals)

        def flat(*args: Any) -> list[Any]:
            _, backward = vjp(lambda *primals: eval_jaxpr(source, source.consts, *primals), *args[:n])
            return [as_array(ct) for ct in backward(list(args[n:]))]

        in_avals = [*self.in_avals, *[a.tangent() for a in self.out_avals]]
        traced = trace_flat(flat, in_avals, DebugInfo(f"vjp of {self.fun_name}", (), "export"))
        in_tree = tree.structure((tuple([0] * len(in_avals)), {}))
        out_tree = tree.structure(tuple([0] * n))
        return _exported(
            self.fun_name, traced, in_tree, out_tree, self.platforms, self.disabled_safety_checks, self.nr_devices
        )

    def __deepcopy__(self, memo: dict) -> Exported:
        return self

    def __reduce__(self) -> tuple:
        try:
            return deserialize, (bytes(self.serialize(1)),)
        except Exception:  # noqa: BLE001 - whatever it has no derivative for
            return deserialize, (bytes(self.serialize()),)

    def serialize(self, vjp_order: int = 0) -> bytearray:
        """The function as bytes, which ``deserialize`` reads in any process with the same major version.

        Args:
          vjp_order: how many times the function can be differentiated when it is read.

        Raises:
          ValueError: the order is negative, or the function was itself read without so many derivatives.
          NotImplementedError: arguments or results have nodes of unregistered classes.
        """
        if not isinstance(vjp_order, int) or vjp_order < 0:
            raise ValueError(f"fungrad.export: vjp_order must be a non-negative integer, got {vjp_order!r}")
        stages, each = [], self
        for order in range(vjp_order + 1):
            stages.append(_as_data(each))
            if order < vjp_order:
                each = each.vjp()
        return write(stages)

    @api_boundary
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function, also inside of compiled, mapped and differentiated functions.

        Args:
          *args: arguments of the types and structure for which it was exported.
          **kwargs: keyword arguments.

        Returns:
          The result, with the structure of the function's own.

        Raises:
          ValueError: the arguments have another structure, or a leaf has another shape or dtype; the sizes for symbolic
            dimensions contradict each other or the constraints of their scope.
        """
        if PLATFORM not in self.platforms and DisabledSafetyCheck.platform() not in self.disabled_safety_checks:
            raise ValueError(
                f"fungrad.export: Function '{self.fun_name}' was exported for platforms '{self.platforms}' but it is "
                f"used on '{(PLATFORM,)}'; export it with 'cpu' among the platforms, or with disabled_checks="
                "[fungrad.export.DisabledSafetyCheck.platform()]"
            )
        leaves, structure = tree.flatten((args, kwargs))
        if structure != self.in_tree:
            raise_mismatch(
                differences(self.in_tree, (args, kwargs), open_treedef, open_value, prefix=False),
                api=f"fungrad.export: call of {self.fun_name}",
                name="(args, kwargs)",
                hint="The arguments must have the same pytree structure as when the function was exported.",
            )
        arrays = [as_array(x) if is_array_like(x) else x for x in leaves]
        for i, (x, aval) in enumerate(zip(arrays, self.in_avals, strict=True)):
            self._check_argument(x, aval, i)
        sizes = tuple(self._sizes(arrays).items()) if self._is_symbolic else ()
        return tree.unflatten(self.out_tree, self._flat(sizes)(*arrays))

    def _check_argument(self, x: Any, aval: ShapedArray, i: int) -> None:
        if is_array_like(x) and _fits(x.aval.shape, aval.shape) and x.aval.dtype == aval.dtype:
            return
        got = x.aval.str_short() if is_array_like(x) else f"{shown(x)}"
        what = "type"
        if is_array_like(x):
            what = "Dtype" if x.aval.dtype != aval.dtype else "Shape" if x.aval.ndim == aval.ndim else "Rank"
        raise ValueError(
            f"fungrad.export: {what} mismatch for {self._argument_names[i]} of {self.fun_name}: it was exported for "
            f"{aval.str_short()} and called with {got}; convert the argument, or export the function for this type"
        )

    # -- symbolic dimensions: a program for each tuple of values of the variables

    @property
    def _is_symbolic(self) -> bool:
        """Whether an argument has a symbolic dimension."""
        if "symbolic" not in self._memo:
            self._memo["symbolic"] = _symbolic(self.jaxpr)
        return self._memo["symbolic"]  # type: ignore[no-any-return]

    @property
    def _argument_names(self) -> list[str]:
        """``args[0]['w']`` and the like for each flat argument."""
        paths = tree.leaf_paths(tree.unflatten(self.in_tree, [0] * self.in_tree.num_leaves))
        return [f"{'args' if path.startswith('[0]') else 'kwargs'}{path[3:]}" for path in paths]

    def _sizes(self, arrays: Sequence[Any] | None) -> dict[str, Any]:
        """The values of the variables for some arguments; None only asks whether the shapes determine them."""
        shapes = list(zip(self._argument_names, [a.shape for a in self.in_avals], strict=True))
        sizes = None if arrays is None else [x.aval.shape for x in arrays]
        return solve(equations_of(shapes, sizes), symbolic_shapes(shapes), check=arrays is not None)

    def _program(self, sizes: tuple[tuple[str, Any], ...]) -> Jaxpr:
        """The program for some values of the variables."""
        if not sizes:
            return self.jaxpr
        if ("program", sizes) not in self._memo:
            self._memo["program", sizes] = at_sizes(self.jaxpr, dict(sizes), self.fun_name)
        return self._memo["program", sizes]  # type: ignore[no-any-return]

    def _flat(self, sizes: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
        """The function of flat arguments of some sizes, with the derivative that has been exported."""
        if ("flat", sizes) not in self._memo:
            self._memo["flat", sizes] = self._make_flat(sizes)
        return self._memo["flat", sizes]  # type: ignore[no-any-return]

    def _make_flat(self, sizes: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
        program = self._program(sizes)

        def run(*args: Any) -> tuple[Any, ...]:
            return tuple(call(program, args, self.fun_name))

        def backward(args: Any, cts: Any) -> tuple[Any, ...]:
            # The backward pass has the variables of the function.
            return tuple(self.vjp()._flat(sizes)(*args, *cts))

        function = custom_vjp(run)
        function.defvjp(lambda *args: (function(*args), args), backward)
        return function


def _fits(shape: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    """Whether a shape has the numbers of another one; what fits an expression is found out later."""
    if shape == expected:
        return True
    return len(shape) == len(expected) and all(
        is_symbolic(e) or (not is_symbolic(d) and d == e) for d, e in zip(shape, expected, strict=True)
    )


def check_scopes(args: Any, kwargs: Any) -> None:
    """Raises ValueError if symbolic dimensions of arguments are of different scopes."""
    first = None
    for path, leaf in tree.flatten_with_path((args, kwargs))[0]:
        for d in getattr(leaf, "shape", ()):
            if is_symbolic(d):
                first = first or d
                place = tree.keystr(path[1:])
                first.scope.check_same(d, f"when exporting, at the argument {place}")  # type: ignore[attr-defined]


def _on_mesh(sharding: Any, mesh: Any) -> Any:
    return None if sharding is None else shardings.NamedSharding(mesh, sharding)


def _exported(
    name: str,
    source: Jaxpr,
    in_tree: PyTreeDef,
    out_tree: PyTreeDef,
    platforms: tuple[str, ...],
    disabled: tuple[DisabledSafetyCheck, ...],
    nr_devices: int = 1,
    in_shardings: tuple[Any, ...] = (),
    out_shardings: tuple[Any, ...] = (),
) -> Exported:
    jaxpr = portable(source)
    allowed = {check.is_custom_call() for check in disabled}
    check_portable(jaxpr, name, [n for n in allowed if n is not None])
    exported = Exported(
        name, in_tree, source.in_avals, out_tree, source.out_avals, nr_devices, platforms, disabled, jaxpr, source,
        None, in_shardings, out_shardings, uses_global_constants=_symbolic(jaxpr),
    )  # fmt: skip
    _check_variables(exported)
    return exported


def _check_variables(exported: Exported) -> None:
    """Raises ValueError unless the shapes of the arguments determine the variables of the program."""
    solved = exported._sizes(None) if exported._is_symbolic else {}
    for d in expressions(exported.jaxpr):
        for name in sorted(d.variables() - set(solved)):
            try:
                d.evaluate(solved)
            except UnknownVariable:
                raise ValueError(
                    f"fungrad.export: Encountered dimension variable '{name}' that is not appearing in the shapes of "
                    f"the function arguments: the arguments of {exported.fun_name} have the dimension variables "
                    f"{list(solved)}; add an argument with such a dimension, of shape (0, {name}) for example"
                ) from None


def _symbolic(jaxpr: Jaxpr) -> bool:
    return any(is_symbolic_shape(a.shape) for a in jaxpr.in_avals if not a.is_high)


def export(
    fun_jit: Callable[..., Any],
    *,
    platforms: Sequence[str] | None = None,
    disabled_checks: Sequence[DisabledSafetyCheck] = (),
) -> Callable[..., Exported]:
    """Exports a jitted function for arguments of certain types.

    The program needs nothing of this process: it can be kept as bytes and called in another one. Programs do not depend
    on a platform; those that are named are recorded, and a call checks that the CPU is among them.

    Args:
      fun_jit: what ``fungrad.jit`` returned.
      platforms: names of platforms; ``("cpu",)`` by default.
      disabled_checks: checks to leave out.

    Returns:
      A function that takes arguments of ``fun_jit``, or their types as ``ShapeDtypeStruct``, and returns the
      ``Exported``.

    Raises:
      ValueError: the function is not the result of ``jit``, or applies a primitive of the user's.
      NotImplementedError: it calls Python functions or has other effects.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad import export
      >>> exported = export.export(fungrad.jit(jnp.square))(jnp.arange(4.0))
      >>> exported.in_avals
      (ShapedArray(float32[4]),)
      >>> data = exported.serialize(vjp_order=1)
      >>> again = export.deserialize(data)
      >>> again.call(jnp.array([0.5, 1.0, 1.5, 2.0]))
      Array([0.25, 1.  , 2.25, 4.  ], dtype=float32)
      >>> fungrad.grad(lambda x: again.call(x).sum())(jnp.ones(4))
      Array([2., 2., 2., 2.], dtype=float32)
    """
    if not (hasattr(fun_jit, "trace") and hasattr(fun_jit, "lower")):
        raise ValueError(
            f"fungrad.export.export: Function to be exported must be the result of `jit` but is: {fun_jit!r}; pass "
            "fungrad.jit(f)"
        )
    names = (PLATFORM,) if platforms is None else tuple(platforms)
    if isinstance(platforms, str) or not names or not all(isinstance(n, str) for n in names):
        raise ValueError(
            f"fungrad.export.export: platforms must be a sequence of names such as ('cpu',), got {platforms!r}"
        )
    for check in disabled_checks:
        if not isinstance(check, DisabledSafetyCheck):
            raise TypeError(
                f"fungrad.export.export: disabled_checks must be a sequence of DisabledSafetyCheck, got {check!r} in it"
            )

    @api_boundary
    def exporting(*args: Any, **kwargs: Any) -> Exported:
        check_scopes(args, kwargs)
        traced = fun_jit.trace(*args, **kwargs)  # type: ignore[attr-defined]
        if traced.uses_references:
            raise NotImplementedError(
                f"fungrad.export.export: {traced.fun_name} cannot be exported because it uses references from outside; "
                "pass what they hold and return what they shall hold"
            )
        ins, outs = _shardings_of(fun_jit, traced)
        devices = {s.mesh.size for s in (*ins, *outs) if s is not None}
        return _exported(
            traced.fun_name,
            traced.jaxpr,
            traced.in_tree,
            traced.out_tree,
            names,
            tuple(disabled_checks),
            max(devices, default=1),
            tuple([None if s is None else s.spec for s in ins]),
            tuple([None if s is None else s.spec for s in outs]),
        )

    return exporting


def _shardings_of(fun_jit: Any, traced: Any) -> tuple[list[Any], list[Any]]:
    """The shardings with a mesh that a jitted function was given, for flat arguments and results."""
    found = []
    for given, structure in ((getattr(fun_jit, "in_shardings", None), traced.in_tree),
                             (getattr(fun_jit, "out_shardings", None), traced.out_tree)):  # fmt: skip
        whole = tree.unflatten(structure, [0] * structure.num_leaves)
        if structure is traced.in_tree:
            args, kwargs = whole
            flat = _broadcast(given, args) + [None] * len(tree.leaves(kwargs))
        else:
            flat = _broadcast(given, whole)
        found.append([s if isinstance(s, shardings.NamedSharding) else None for s in flat])
    return found[0], found[1]


def _broadcast(given: Any, whole: Any) -> list[Any]:
    if given is None:
        return [None] * len(tree.leaves(whole))
    return tree.broadcast_prefix(
        given, whole, is_leaf=lambda s: s is None, api="fungrad.export.export", prefix_name="shardings"
    )


# -- bytes -------------------------------------------------------------------------------------------------------------


def _as_data(exported: Exported) -> dict[str, Any]:
    name = exported.fun_name
    return {
        "fun_name": name,
        "in_tree": structure_as_data(exported.in_tree, f"the arguments of {name}"),
        "out_tree": structure_as_data(exported.out_tree, f"the results of {name}"),
        "nr_devices": exported.nr_devices,
        "platforms": list(exported.platforms),
        "disabled_safety_checks": [str(c) for c in exported.disabled_safety_checks],
        "in_shardings": [_spec_as_data(s) for s in exported._in_shardings],
        "out_shardings": [_spec_as_data(s) for s in exported._out_shardings],
        "program": exported.jaxpr,
    }


def _spec_as_data(spec: Any) -> Any:
    if spec is None:
        return None
    parts = [list(p) if isinstance(p, tuple) else p for p in spec]
    names = [n for p in parts for n in (p if isinstance(p, list) else [p]) if n is not None]
    if not all(isinstance(n, str) for n in names):
        raise NotImplementedError(
            f"fungrad.export: only strings can be names of mesh axes in exported functions, got {names} in {spec}; "
            "rename the axes"
        )
    return parts


def _spec_of_data(data: Any) -> Any:
    if data is None:
        return None
    return shardings.PartitionSpec(*[tuple(p) if isinstance(p, list) else p for p in data])


def deserialize(blob: bytearray | bytes) -> Exported:
    """Reads a function that ``Exported.serialize`` has written. Nothing among the bytes is run while they are read.

    Args:
      blob: the bytes.

    Raises:
      TypeError: ``blob`` is not bytes.
      ValueError: the bytes are damaged, are no exported function, or were written by another version.

    Example:
      >>> import fungrad
      >>> from fungrad import export
      >>> data = export.export(fungrad.jit(lambda x: 2 * x))(1.0).serialize()
      >>> export.deserialize(data).call(4.0)
      Array(8., dtype=float32, weak_type=True)
      >>> export.deserialize(data[:-1])
      Traceback (most recent call last):
      ...
      ValueError: fungrad.export.deserialize: the data are damaged: ...
    """
    after: Exported | None = None
    for stage in reversed(read(blob)):
        jaxpr = stage["program"]
        after = Exported(
            stage["fun_name"],
            structure_of_data(stage["in_tree"]),
            jaxpr.in_avals,
            structure_of_data(stage["out_tree"]),
            jaxpr.out_avals,
            stage["nr_devices"],
            tuple(stage["platforms"]),
            tuple([DisabledSafetyCheck(c) for c in stage["disabled_safety_checks"]]),
            jaxpr,
            None,
            after,
            tuple([_spec_of_data(s) for s in stage["in_shardings"]]),
            tuple([_spec_of_data(s) for s in stage["out_shardings"]]),
            uses_global_constants=_symbolic(jaxpr),
        )
    assert after is not None
    return after
