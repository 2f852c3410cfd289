"""The users' derivative rules as functions of flat lists of arrays.

A custom rule is Python code over trees. The classes here call it with leaves, check what it
returns and word the errors. ``Batched...`` have the same calling convention and map a rule over a
batch.

The convention: ``JvpRule.run(primals, tangents)`` and ``VjpRule.forward(primals, perturbed)`` take
all operands of the call, captured values first; tangents and cotangents are values or ``Zero``.

Rules may close over tracers. The operation that holds a rule has operands in their place, and
while the rule runs, ``Guard`` puts these for the tracers.

May import ``core``, ``ops`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.arguments import shown
from fungrad.core.array import PYTHON_SCALARS, Array, as_array, is_array_like
from fungrad.core.avals import ShapedArray, Typed, Zero
from fungrad.core.context import AnonymousAxis, AxisData, Tracer, named_axis
from fungrad.core.source import function_name
from fungrad.core.staging import DebugInfo, trace_flat
from fungrad.core.treedef import structure_text
from fungrad.ops.cast import convert_element_type
from fungrad.ops.foundation import batch_to, instantiate, reduce_sum
from fungrad.ops.shape import index_in_dim
from fungrad.transforms.api import float0_zeros
from fungrad.transforms.batching import batch_flat, used_axis_names
from fungrad.transforms.closed_over import Outside, closed_over_error, guarded


class SymbolicZero(Typed):
    """A tangent or cotangent that is zero, as rules with ``symbolic_zeros=True`` see it.

    Attributes:
      aval: type of the zeros it stands for; ``shape``, ``dtype`` (``float0`` for zeros of integers), ``ndim``, ``size``
        and ``weak_type`` are its.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad.custom_derivatives import SymbolicZero
      >>> zero = SymbolicZero.from_primal_value(jnp.ones(3))
      >>> zero, zero.shape
      (SymbolicZero(float32[3]), (3,))
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    @classmethod
    def from_primal_value(cls, value: Any) -> SymbolicZero:
        """The zero tangent of ``value``."""
        return cls(as_array(value).aval.tangent())

    def __repr__(self) -> str:
        name = "float0" if self.dtype == dtypes.float0 else self.dtype.name
        return f"SymbolicZero({name}{list(self.shape)})"


@dataclasses.dataclass(frozen=True)
class CustomVJPPrimal:
    """An argument of the forward rule with ``symbolic_zeros=True``.

    Attributes:
      value: the argument.
      perturbed: whether it is being differentiated.
    """

    value: Any
    perturbed: bool


# -- parts that rules share ----------------------------------------------------------------------


_NOTHING = Outside()


class Signature(NamedTuple):
    """What the rules of one call know of the function.

    Attributes:
      name: of the function.
      in_tree: structure of the tuple of its differentiable arguments.
      static: the values of the others.
      where: their positions.
      num_consts: how many operands of the call are captured values, which come before the
        arguments.
      body_consts: how many of these, the first ones, the function itself uses; the others only rules do.
      captured: tracers that the rules close over.
      slots: which operands stand for them.
      refused: tracers that the rules close over and that carry a derivative where the function was called.
      out: structure and types of its output, or None before it has run.
      outside: what stands for other tracers that the rules close over.
    """

    name: str
    in_tree: Any
    static: tuple = ()
    where: tuple[int, ...] = ()
    num_consts: int = 0
    body_consts: int = 0
    captured: tuple[Tracer, ...] = ()
    slots: tuple[int, ...] = ()
    refused: tuple[Tracer, ...] = ()
    out: tuple[Any, tuple[ShapedArray, ...]] | None = None
    outside: Outside = _NOTHING

    def here(self, values: Sequence[Any], perturbed: Sequence[bool]) -> Outside:
        """What stands for tracers that the rules close over.

        Args:
          values: for each of ``captured``.
          perturbed: which of them have tangents here, so that rules may not use their values.
        """
        if not self.captured and not self.refused:
            return self.outside
        refused = {id(t): t for t in self.refused}
        pairs = {}
        for t, x, on in zip(self.captured, values, perturbed, strict=True):
            if on:
                refused[id(t)] = t
            else:
                pairs[id(t)] = (t, x)
        return self.outside.within(Outside((), pairs, refused))

    def of_captured(self, operands: Sequence[Any]) -> list[Any]:
        """The entries of a sequence with one entry per operand that belong to ``captured``."""
        return [operands[i] for i in self.slots]

    def key(self) -> tuple:
        """The parts that tell two signatures apart."""
        captured = tuple(map(id, self.captured))
        return (
            self.name,
            self.in_tree,
            self.static,
            self.where,
            self.num_consts,
            self.body_consts,
            captured,
            self.slots,
            tuple(map(id, self.refused)),
            self.out,
            id(self.outside),
        )

    def full(self, args: Sequence[Any]) -> list[Any]:
        """All arguments of the function by position."""
        given, static = iter(args), dict(zip(self.where, self.static, strict=True))
        return [static[i] if i in static else next(given) for i in range(len(args) + len(static))]


class _Comparable:
    """Rules are parameters of equations: equal parts make equal rules, to share programs."""

    __name__: str

    def _parts(self) -> tuple[Hashable, ...]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.__name__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self):
            return False
        try:
            return hash(self) == hash(other) and bool(self._parts() == other._parts())
        except (TypeError, ValueError):  # static arguments that do not compare, such as arrays
            return False

    def __hash__(self) -> int:
        try:
            return hash(self._parts())
        except TypeError:
            return id(self)


class _Scalar(NamedTuple):
    """A Python number among residuals; the text tells ``True`` from ``1``, and NaN is equal to itself."""

    position: int
    value: bool | int | float | complex
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Scalar) and (self.position, self.text) == (other.position, other.text)

    def __hash__(self) -> int:
        return hash((self.position, self.text))


def _arrays(value: Any, what: str, convert: bool = True) -> tuple[list[Any], Any]:
    """Leaves of a result, as arrays, and its structure; ``what`` names it in errors."""
    leaves, structure = tree.flatten(value)
    for i, x in enumerate(leaves):
        if not is_array_like(x):
            raise TypeError(
                f"{what}{tree.leaf_paths(value)[i]} must be an array or a scalar, got {x!r} of "
                f"type {type(x).__name__}"
            )
    return [as_array(x) for x in leaves] if convert else leaves, structure


def _check_output(
    kind: str, rule: str, sig: Signature, outs: Sequence[Any], structure: Any
) -> None:
    """Raises unless the primal output of a rule is like that of the function."""
    if sig.out is None:
        return
    expected, avals = sig.out
    if structure != expected:
        raise TypeError(
            f"fungrad.custom_{kind}: the rule {rule} of {sig.name} must return a pair whose first "
            f"element is the output of {sig.name}, "
            f"with the tree structure {expected}, got the structure {structure_text(structure)}"
        )
    for i, (x, aval) in enumerate(zip(outs, avals, strict=True)):
        if x.aval.shape != aval.shape or x.aval.dtype != aval.dtype:
            path = tree.leaf_paths(tree.unflatten(structure, list(outs)))[i]
            raise TypeError(
                f"fungrad.custom_{kind}: the first element of what the rule {rule} of {sig.name} "
                "returns must be the output of "
                f"{sig.name}: at output{path} expected {aval.str_short()}, got {x.aval.str_short()}"
            )


def _as_seen(t: Any, symbolic: bool) -> Any:
    """A tangent or cotangent as rules see it."""
    if type(t) is not Zero:
        return t
    if symbolic:
        return SymbolicZero(t.aval)
    return float0_zeros(t.aval) if t.aval.dtype == dtypes.float0 else instantiate(t)


def _nonzero(xs: Sequence[Any]) -> list[bool]:
    return [type(x) is not Zero for x in xs]


def _fill(given: Sequence[Any], nonzero: Sequence[bool], like: Sequence[Any]) -> list[Any]:
    """The next of ``given`` where ``nonzero``, elsewhere the zero tangent of ``like``."""
    values = iter(given)
    return [
        next(values) if nz else Zero(x.aval.tangent()) for nz, x in zip(nonzero, like, strict=True)
    ]


def _check_consts(kind: str, sig: Signature, nonzero: Sequence[bool]) -> None:
    if any(nonzero[: sig.body_consts]):
        raise closed_over_error(f"a custom_{kind} function ({sig.name})")


# -- forward mode --------------------------------------------------------------------------------


class JvpRule(_Comparable):
    """``rule(*static, primals, tangents) -> (output, output tangent)``."""

    def __init__(self, sig: Signature, rule: Callable[..., Any], symbolic_zeros: bool):
        self.sig, self.rule, self.symbolic_zeros = sig, rule, symbolic_zeros
        self.__name__ = function_name(rule)

    def _parts(self) -> tuple:
        return (self.sig.key(), self.rule, self.symbolic_zeros)

    @property
    def functions(self) -> tuple:
        """All that may close over something."""
        return (self.rule, self.sig.static)

    def with_signature(self, **changes: Any) -> JvpRule:
        """The rule with some of its signature replaced."""
        return JvpRule(self.sig._replace(**changes), self.rule, self.symbolic_zeros)

    def run(
        self, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any], Any]:
        """Output leaves, their tangents, and the structure of the output."""
        sig = self.sig
        nonzero = _nonzero(tangents)
        _check_consts("jvp", sig, nonzero)
        n = sig.num_consts
        outside = sig.here(sig.of_captured(primals), sig.of_captured(nonzero))
        with guarded(outside, f"a custom_jvp function ({sig.name})") as unwrap:
            seen = [_as_seen(t, self.symbolic_zeros) for t in tangents[n:]]
            result = self.rule(
                *sig.static,
                tree.unflatten(sig.in_tree, primals[n:]),
                tree.unflatten(sig.in_tree, seen),
            )
            outs, out_tangents, structure = self._checked(result)
            outs = [unwrap(x) for x in outs]
            out_tangents = [unwrap(t) for t in out_tangents]
        return outs, out_tangents, structure

    def _checked(self, result: Any) -> tuple[list[Any], list[Any], Any]:
        sig, name = self.sig, self.__name__
        api = "fungrad.custom_jvp"
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(
                f"{api}: the rule {name} of {sig.name} must return a pair (output, output "
                f"tangent), got {shown(result)}"
            )
        outs, structure = _arrays(
            result[0], f"{api}: the output that the rule {name} of {sig.name} returns: output"
        )
        _check_output("jvp", name, sig, outs, structure)
        tangents, tangent_structure = tree.flatten(result[1])
        if tangent_structure != structure:
            raise TypeError(
                f"{api}: the rule {name} of {sig.name} must return an output and an output tangent "
                "of the same tree structure, got "
                f"{structure_text(structure)} and {structure_text(tangent_structure)}"
            )
        checked = [
            self._tangent(t, x, i, result[0])
            for i, (t, x) in enumerate(zip(tangents, outs, strict=True))
        ]
        return outs, checked, structure

    def _tangent(self, t: Any, primal: Any, position: int, output: Any) -> Any:
        expected = primal.aval.tangent()
        float0 = getattr(t, "dtype", None) == dtypes.float0
        if np.shape(t) == expected.shape and (
            isinstance(t, SymbolicZero) or float0 and expected.dtype == dtypes.float0
        ):
            return Zero(expected)
        if is_array_like(t) and getattr(t, "dtype", None) != dtypes.float0:
            t = as_array(t)
            if t.aval.shape == expected.shape and t.aval.dtype == expected.dtype:
                return t
        got = t.aval.str_short() if isinstance(t, Array) else f"{shown(t)}"
        raise TypeError(
            f"fungrad.custom_jvp: the rule {self.__name__} of {self.sig.name} must return a "
            "tangent of the type of the output: at "
            f"output{tree.leaf_paths(output)[position]} expected {expected.str_short()} (the "
            "tangent type of "
            f"{primal.aval.str_short()}), got {got}"
        )


class BatchedJvpRule(_Comparable):
    """A rule mapped over a batch; results have the batch in dimension 0, but for those at positions ``shared``."""

    def __init__(self, rule: Any, axis: AxisData, dims: Sequence[int | None], shared: frozenset[int] = frozenset()):
        self.rule, self.axis, self.dims, self.shared = rule, axis, tuple(dims), shared
        self.__name__ = rule.__name__

    def _parts(self) -> tuple:
        return (self.rule, self.axis, self.dims, self.shared)

    def agreeing(self, primals: Sequence[Any], tangents: Sequence[Any]) -> set[int]:
        """Positions of the results that are not mapped, neither they nor their tangents."""
        _, found_dims, out_nonzero, _ = self._run(primals, tangents)
        n = len(out_nonzero)
        dims = iter(found_dims[n:])
        dots = [next(dims) if nz else None for nz in out_nonzero]
        return {i for i, (d, dot) in enumerate(zip(found_dims[:n], dots, strict=True)) if d is None and dot is None}

    def run(
        self, primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any], Any]:
        """As ``JvpRule.run``, on whole batches."""
        found, found_dims, out_nonzero, structure = self._run(primals, tangents)
        n = len(out_nonzero)
        places = [*range(n), *[i for i, nz in enumerate(out_nonzero) if nz]]
        found = [
            _one_of_all(x, d) if i in self.shared else batch_to(x, d, 0, self.axis.size)
            for x, d, i in zip(found, found_dims, places, strict=True)
        ]
        outs = found[:n]
        return outs, _fill(found[n:], out_nonzero, outs), structure

    def _run(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any], list[bool], Any]:
        """Results and tangents that are not zero, the dimensions of the batch in them, which those are, structure."""
        nonzero, n = _nonzero(tangents), len(primals)
        out_nonzero: list[bool] = []
        structure = None

        def of_examples(*xs: Any) -> list[Any]:
            nonlocal structure
            outs, out_tangents, structure = self.rule.run(xs[:n], _fill(xs[n:], nonzero, xs[:n]))
            out_nonzero[:] = _nonzero(out_tangents)
            return [*outs, *[t for t in out_tangents if type(t) is not Zero]]

        values = [*primals, *[t for t in tangents if type(t) is not Zero]]
        dims = [*self.dims, *[d for d, nz in zip(self.dims, nonzero, strict=True) if nz]]
        found, found_dims = batch_flat(of_examples, self.axis, values, dims, f"vmap of {self.__name__}")
        return found, found_dims, out_nonzero, structure


def _one_of_all(x: Any, dim: int | None) -> Any:
    """A result in which all examples agree, without the batch."""
    return x if dim is None else index_in_dim(x, 0, dim, keepdims=False)


# -- reverse mode --------------------------------------------------------------------------------


class Backward(_Comparable):
    """``bwd(*static, residuals, cotangent) -> cotangents of the arguments``, for residuals of one
    structure.

    Attributes:
      scalars: the Python numbers among the residuals, which stay what they are.
      in_avals: types of all operands of the call.
      refused: which of the captured values have tangents, so that the rule may not use them.
    """

    def __init__(
        self,
        rule: VjpRule,
        res_tree: Any,
        scalars: tuple[_Scalar, ...],
        out: tuple[Any, tuple],
        in_avals: tuple[ShapedArray, ...],
        refused: tuple[bool, ...],
    ):
        self.rule, self.res_tree, self.scalars = rule, res_tree, scalars
        self.out, self.in_avals = out, in_avals
        self.refused = refused
        self.__name__ = function_name(rule.bwd)

    def _parts(self) -> tuple:
        return (self.rule, self.res_tree, self.scalars, self.out, self.in_avals, self.refused)

    def run(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """Cotangents of all operands of the call: values or ``Zero``."""
        rule, sig = self.rule, self.rule.sig
        n = len(sig.captured)
        captured, residuals = residuals[:n], residuals[n:]
        outside = sig.here(captured, self.refused)
        with guarded(outside, f"a custom_vjp function ({sig.name})") as unwrap:
            ct = tree.unflatten(self.out[0], [_as_seen(c, rule.symbolic_zeros) for c in cts])
            leaves = list(residuals)
            for scalar in self.scalars:
                leaves.insert(scalar.position, scalar.value)
            result = rule.bwd(*sig.static, tree.unflatten(self.res_tree, leaves), ct)
            results = [unwrap(r) for r in self._checked(result)]
        return [Zero(a.tangent()) for a in self.in_avals[: sig.num_consts]] + results

    def _checked(self, result: Any) -> list[Any]:
        sig = self.rule.sig
        if isinstance(result, list):
            result = tuple(result)
        avals = self.in_avals[sig.num_consts :]
        example = tree.unflatten(sig.in_tree, list(avals))
        leaves = self._leaves(result, example)
        return [
            self._cotangent(x, aval, i, example)
            for i, (x, aval) in enumerate(zip(leaves, avals, strict=True))
        ]

    def _leaves(self, result: Any, example: Any) -> list[Any]:
        """One cotangent per argument leaf; None stands for zeros of a whole subtree."""
        leaves, structure = tree.flatten(result, is_leaf=lambda x: x is None)
        if structure == self.rule.sig.in_tree:
            return leaves
        parts = None
        if result is not None:  # a rule without `return` is a mistake, not zeros for all arguments
            try:
                parts = tree.flatten_up_to(structure, example)
            except (TypeError, ValueError):
                parts = None
        out: list[Any] = []
        if parts is not None:
            for x, part in zip(leaves, parts, strict=True):
                below = tree.leaves(part)
                if x is not None and not (len(below) == 1 and below[0] is part):
                    parts = None
                    break
                out += [x] * len(below)
        if parts is None:
            sig = self.rule.sig
            raise TypeError(
                f"fungrad.custom_vjp: the bwd rule {self.__name__} of {sig.name} must return a "
                "tuple with one cotangent per "
                "differentiable argument, each with the tree structure of the argument (or None "
                "for zeros): expected the structure "
                f"{structure_text(sig.in_tree)}, got {structure_text(tree.structure(result))}"
                + ("; is a return missing in the rule?" if result is None else "")
            )
        return out

    def _cotangent(self, x: Any, aval: ShapedArray, position: int, example: Any) -> Any:
        expected = aval.tangent()
        if (
            expected.dtype == dtypes.float0
            or x is None
            or isinstance(x, SymbolicZero)
            and x.shape == expected.shape
        ):
            return Zero(expected)
        if is_array_like(x) and getattr(x, "dtype", None) != dtypes.float0:
            x = as_array(x)
            real_from_complex = dtypes.is_complex(x.aval.dtype) and not dtypes.is_complex(
                expected.dtype
            )
            if x.aval.shape == expected.shape and not real_from_complex:
                return (
                    x if x.aval.dtype == expected.dtype else convert_element_type(x, expected.dtype)
                )
        got = x.aval.str_short() if isinstance(x, Array) else f"{shown(x)}"
        raise ValueError(
            f"fungrad.custom_vjp: the bwd rule {self.__name__} of {self.rule.sig.name} must return "
            "cotangents of the types of the "
            f"arguments: at output{tree.leaf_paths(example)[position]} expected "
            f"{expected.str_short()}, got {got}"
        )


class VjpRule(_Comparable):
    """``fwd(*args) -> (output, residuals)`` with its ``bwd``."""

    def __init__(
        self, sig: Signature, fwd: Callable[..., Any], bwd: Callable[..., Any], symbolic_zeros: bool
    ):
        self.sig, self.fwd, self.bwd, self.symbolic_zeros = sig, fwd, bwd, symbolic_zeros
        self.__name__ = function_name(fwd)

    def _parts(self) -> tuple:
        return (self.sig.key(), self.fwd, self.bwd, self.symbolic_zeros)

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.sig.name

    @property
    def bwd_name(self) -> str:
        """Name of the backward rule."""
        return function_name(self.bwd)

    @property
    def functions(self) -> tuple:
        """All that may close over something."""
        return (self.fwd, self.bwd, self.sig.static)

    def with_signature(self, **changes: Any) -> VjpRule:
        """The rule with some of its signature replaced."""
        return VjpRule(self.sig._replace(**changes), self.fwd, self.bwd, self.symbolic_zeros)

    def forward(
        self, primals: Sequence[Any], perturbed: Sequence[bool]
    ) -> tuple[list[Any], list[Any], Backward, Any]:
        """Output leaves, residuals, the function that takes them back, the output's structure."""
        sig = self.sig
        _check_consts("vjp", sig, perturbed)
        n = sig.num_consts
        leaves: Sequence[Any] = primals[n:]
        if self.symbolic_zeros:
            leaves = [CustomVJPPrimal(x, on) for x, on in zip(leaves, perturbed[n:], strict=True)]
        captured, refused = sig.of_captured(primals), tuple(sig.of_captured(perturbed))
        outside = sig.here(captured, refused)
        with guarded(outside, f"a custom_vjp function ({sig.name})") as unwrap:
            result = self.fwd(*sig.full(tree.unflatten(sig.in_tree, leaves)))
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise TypeError(
                    f"fungrad.custom_vjp: the fwd rule {self.__name__} of {sig.name} must return a "
                    "pair (output, residuals), got "
                    f"{shown(result)}"
                )
            where = f"fungrad.custom_vjp: the fwd rule {self.__name__} of {sig.name}:"
            outs, structure = _arrays(result[0], f"{where} output")
            _check_output("vjp", self.__name__, sig, outs, structure)
            leaves, res_tree = _arrays(result[1], f"{where} residuals", convert=False)
            scalars = [_Scalar(i, x, repr(x)) for i, x in enumerate(leaves) if type(x) in PYTHON_SCALARS]
            residuals = [as_array(x) for x in leaves if type(x) not in PYTHON_SCALARS]
            outs = [unwrap(x) for x in outs]
            residuals = [*captured, *[unwrap(x) for x in residuals]]
        out = (structure, tuple([x.aval for x in outs]))
        return (
            outs,
            residuals,
            Backward(self, res_tree, tuple(scalars), out, tuple([x.aval for x in primals]), refused),
            structure,
        )


class BatchedBackward(_Comparable):
    """A backward rule mapped over a batch; cotangents of outputs have the batch in dimension 0, but for those at
    positions ``shared``, which all examples have in common."""

    def __init__(
        self,
        bwd: Any,
        axis: AxisData,
        res_dims: Sequence[int | None],
        dims: Sequence[int | None],
        shared: frozenset[int] = frozenset(),
    ):
        self.bwd, self.axis, self.res_dims, self.dims = bwd, axis, tuple(res_dims), tuple(dims)
        self.shared = shared
        self.__name__ = bwd.__name__

    def _parts(self) -> tuple:
        return (self.bwd, self.axis, self.res_dims, self.dims, self.shared)

    def run(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """As ``Backward.run``; operands that all examples share get the sum of their cotangents."""
        nonzero, n = _nonzero(cts), len(residuals)
        results: list[Any] = []

        def of_examples(*xs: Any) -> list[Any]:
            given = iter(xs[n:])
            example_cts = [
                next(given) if nz else Zero(c.aval if i in self.shared else _without_axis(c.aval))
                for i, (nz, c) in enumerate(zip(nonzero, cts, strict=True))
            ]
            results[:] = self.bwd.run(xs[:n], example_cts)
            return [r for r in results if type(r) is not Zero]

        values = [*residuals, *[c for c in cts if type(c) is not Zero]]
        dims = [*self.res_dims, *[None if i in self.shared else 0 for i, nz in enumerate(nonzero) if nz]]
        found, found_dims = batch_flat(of_examples, self.axis, values, dims, f"vmap of {self.__name__}")
        kept = [d for r, d in zip(results, self.dims, strict=True) if type(r) is not Zero]
        # What is the same for all examples is to be added up if each has cotangents of its own, unless the rule has
        # done so with a collective.
        add_equal = any(d is not None for d in dims[n:])
        if add_equal and any(d is None and f is None for d, f in zip(kept, found_dims, strict=True)):
            seen = list(results)
            add_equal = not self._has_collective(of_examples, values, dims)
            results[:] = seen
        pairs = zip(found, found_dims, strict=True)
        return [self._place(r, d, pairs, add_equal) for r, d in zip(results, self.dims, strict=True)]

    def _has_collective(self, fun: Callable[..., Any], values: Sequence[Any], dims: Sequence[int | None]) -> bool:
        """Whether a function of one example refers to the mapped axis."""
        if isinstance(self.axis.name, AnonymousAxis):
            return False
        avals = [
            x.aval if d is None else x.aval.update(shape=x.aval.shape[:d] + x.aval.shape[d + 1 :])
            for x, d in zip(values, dims, strict=True)
        ]
        with named_axis(self.axis):
            jaxpr = trace_flat(fun, avals, DebugInfo(self.__name__, (), "vmap"))
        return self.axis.name in used_axis_names(jaxpr)

    def _place(self, result: Any, dim: int | None, found: Any, add_equal: bool) -> Any:
        size = self.axis.size
        if type(result) is Zero:
            if dim is None:
                return result
            shape = result.aval.shape
            return Zero(result.aval.update(shape=(*shape[:dim], size, *shape[dim:])))
        x, found_dim = next(found)
        if dim is not None:
            return batch_to(x, found_dim, dim, size)
        if found_dim is None and not add_equal:
            return x
        return reduce_sum(batch_to(x, found_dim, 0, size), (0,))


def _without_axis(aval: ShapedArray) -> ShapedArray:
    return aval.update(shape=aval.shape[1:])


class BatchedVjpRule(_Comparable):
    """A pair of rules mapped over a batch; outputs have the batch in dimension 0, but for those in ``shared``."""

    def __init__(self, rule: Any, axis: AxisData, dims: Sequence[int | None], shared: frozenset[int] = frozenset()):
        self.rule, self.axis, self.dims, self.shared = rule, axis, tuple(dims), shared
        self.__name__, self.bwd_name, self.name = rule.__name__, rule.bwd_name, rule.name

    def _parts(self) -> tuple:
        return (self.rule, self.axis, self.dims, self.shared)

    def agreeing(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> set[int]:
        """Positions of the outputs that are not mapped."""
        _, dims, n_out, _, _ = self._run(primals, perturbed)
        return {i for i, d in enumerate(dims[:n_out]) if d is None}

    def forward(
        self, primals: Sequence[Any], perturbed: Sequence[bool]
    ) -> tuple[list[Any], list[Any], BatchedBackward, Any]:
        """As ``VjpRule.forward``, on whole batches."""
        found, dims, n, bwd, structure = self._run(primals, perturbed)
        outs = [
            _one_of_all(x, d) if i in self.shared else batch_to(x, d, 0, self.axis.size)
            for i, (x, d) in enumerate(zip(found[:n], dims[:n], strict=True))
        ]
        return outs, found[n:], BatchedBackward(bwd, self.axis, dims[n:], self.dims, self.shared), structure

    def _run(self, primals: Sequence[Any], perturbed: Sequence[bool]) -> tuple[list[Any], list[Any], int, Any, Any]:
        """Outputs and residuals, dimensions of the batch in them, the number of outputs, backward rule, structure."""
        inner: Any = None
        n_out = 0

        def of_examples(*xs: Any) -> list[Any]:
            nonlocal inner, n_out
            outs, residuals, *inner = self.rule.forward(xs, perturbed)
            n_out = len(outs)
            return outs + residuals

        found, dims = batch_flat(of_examples, self.axis, primals, self.dims, f"vmap of {self.__name__}")
        return found, dims, n_out, *inner
