"""Types and primitives of one's own that stay one value and one operation under every transformation (JAX's *hijax*).

A subclass of `HiType` is a type; `register_hitype` says which class has values of it. Values are produced and consumed
by primitives that mention the type: subclasses of `VJPHiPrimitive`, an instance of which is an operation for operands
of certain types, or of `HiPrimitive`, an instance of which is one for all. Both say how the operation is computed with
arrays (``expand``, ``to_lojax``), and how it is differentiated and mapped. A primitive of this kind may just as well
take and return arrays only.

May import ``core``, ``ops``, ``transforms``, ``interpreters`` and ``extend``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from fungrad.core import tree
from fungrad.core.array import as_array
from fungrad.core.avals import AbstractValue, ShapedArray, Zero, same_type
from fungrad.core.context import AxisData
from fungrad.core.dtypes import float0
from fungrad.core.hitypes import (
    HiPspec,
    HiType,
    MappingSpec,
    MutableHiType,
    aval_method,
    aval_property,
    refuse_mutable,
    register_hitype,
)
from fungrad.core.ir import Eqn
from fungrad.core.primitive import Primitive, is_linear
from fungrad.core.public_names import publish
from fungrad.core.refs import AbstractRef
from fungrad.core.source import api_boundary
from fungrad.core.treedef import structure_text
from fungrad.interpreters.ad import instantiate_zeros, is_undefined_primal
from fungrad.ops.foundation import add_any, batch_to
from fungrad.transforms.batching import batch_flat
from fungrad.transforms.forward import jvp_flat

_API = "fungrad.experimental.hijax"


# -- primitives for all types of operands ------------------------------------------------------------------------------


class HiPrimitive(Primitive):
    """A primitive on values of types of one's own, with JAX's conventions: subclasses override its methods.

    Attributes:
      name: as printed in jaxprs.
      multiple_results: whether ``bind`` returns a list.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.experimental.hijax import HiPrimitive
      >>> class Twice(HiPrimitive):
      ...   def abstract_eval(self, x):
      ...     return x, set()
      ...   def to_lojax(self, x):
      ...     return x + x
      ...   def jvp(self, primals, tangents):
      ...     return self.bind(*primals), self.bind(*tangents)
      ...   def transpose(self, ct, x):
      ...     return [self.bind(ct)]
      >>> twice_p = Twice("doc_twice")
      >>> fungrad.jit(fungrad.grad(twice_p.bind))(3.0)
      Array(2., dtype=float32, weak_type=True)
    """

    kind = "higher_order"

    def is_high(self, *avals: Any, **params: Any) -> bool:
        """Kept for compatibility: the operation is always computed by ``to_lojax``."""
        return True

    def is_effectful(self, params: dict[str, Any]) -> bool:
        """Kept for compatibility: the effects that ``abstract_eval`` returns decide."""
        return False

    def abstract_eval(self, *arg_avals: Any, **params: Any) -> Any:
        """The type of the result (a list of types if ``multiple_results``), and a set of effects."""
        raise self._missing("abstract_eval", "the types of its results")

    def to_lojax(self, *args: Any, **params: Any) -> Any:
        """The result, computed by operations on the arrays in the operands."""
        raise self._missing("to_lojax", "computing its results")

    # The signatures are JAX's; the core asks by these three.

    def abstract(self, avals: tuple[Any, ...], params: dict[str, Any]) -> Any:
        key = (avals, *params.items())
        try:
            return self.memo[key]
        except (KeyError, TypeError):
            pass
        out, effects = self.abstract_eval(*avals, **params)
        if effects:
            self.has_effects = True
        out = tuple(out) if self.multiple_results else out
        try:
            self.memo[key] = out
        except TypeError:  # reported where the equation is made
            pass
        return out

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return True

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return self.to_lojax(*args, **params)


# -- primitives for operands of certain types --------------------------------------------------------------------------


class GradAccum:
    """Where ``vjp_bwd`` puts the cotangent of an operand.

    Attributes:
      aval: type of the cotangent.
    """

    __slots__ = ("aval", "_total")

    def __init__(self, aval: Any):
        self.aval = aval
        self._total: Any = None

    def accum(self, x: Any) -> None:
        """Adds ``x``, a value or `Zero`."""
        if x is None or type(x) is Zero:
            return
        x = as_array(x)
        self._total = x if self._total is None else add_any(self._total, x)

    def freeze(self) -> Any:
        """The sum of what was added: a value or `Zero`."""
        return Zero(self.aval) if self._total is None else self._total


class NullAccum(GradAccum):
    """Stands for the cotangent of an operand that is not differentiated: takes anything and keeps nothing."""

    __slots__ = ()

    def accum(self, x: Any) -> None:
        """Does nothing."""


def _leaves(structure: Any, value: Any, what: str) -> list[Any]:
    """The leaves of ``value``, whose structure must be ``structure``."""
    leaves, found = tree.flatten(value)
    if found != structure:
        raise TypeError(f"{what} must have the structure {structure_text(structure)}, got {found}")
    return leaves


def _is_none(x: Any) -> bool:
    return x is None


class VJPHiPrimitive:
    """An operation on operands of certain types; subclasses say what it does.

    ``__init__`` of a subclass sets three attributes and then calls ``super().__init__()``. Applied like a function,
    the operation takes operands of the types ``in_avals``. Only those rules are needed that are asked for: for reverse
    mode ``vjp_fwd`` with ``vjp_bwd_retval`` or ``vjp_bwd``, for forward mode ``jvp``, for ``linearize`` ``lin`` with
    ``linearized``, for ``vmap`` ``batch`` or ``batch_dim_rule``. Where ``vjp_fwd`` or ``lin`` is missing, ``jvp``
    serves if what it does is linear in the tangents.

    Attributes:
      in_avals: types of the operands, a tuple of trees.
      out_aval: type of the result, a tree.
      params: static and hashable parameters by name, which become attributes.

    Raises:
      AttributeError: one of the three is missing, or both ``vjp_bwd`` and ``vjp_bwd_retval`` are defined.

    Example:
      >>> import fungrad, fungrad.numpy as jnp
      >>> from fungrad.experimental.hijax import VJPHiPrimitive
      >>> class Power(VJPHiPrimitive):
      ...   def __init__(self, x, n):
      ...     self.in_avals, self.out_aval, self.params = (x,), x, dict(n=n)
      ...     super().__init__()
      ...   def expand(self, x):
      ...     return x ** self.n
      ...   def vjp_fwd(self, nonzero, x):
      ...     return self(x), x
      ...   def vjp_bwd_retval(self, x, ct):
      ...     return (ct * self.n * x ** (self.n - 1),)
      ...   def batch_dim_rule(self, axis, dims):
      ...     return dims[0]
      >>> cube = lambda x: Power(fungrad.typeof(x), 3)(x)
      >>> fungrad.vmap(fungrad.grad(cube))(jnp.arange(3.0))
      Array([ 0.,  3., 12.], dtype=float32)
    """

    in_avals: tuple[Any, ...]
    out_aval: Any
    params: dict[str, Hashable]
    effects: frozenset = frozenset()

    def __init__(self) -> None:
        kind = type(self).__name__
        for name in ("in_avals", "out_aval", "params"):
            if not hasattr(self, name):
                raise AttributeError(f"{_API}: {kind}.__init__ should set `self.{name}` before super().__init__()")
        if _overrides(self, "vjp_bwd") and _overrides(self, "vjp_bwd_retval"):
            raise AttributeError(f"{_API}: {kind} should not override both `vjp_bwd` and `vjp_bwd_retval`")
        if self.effects:
            raise NotImplementedError(
                f"{_API}: {kind} has effects, which only a HiPrimitive may have; references are passed as what they "
                "hold"
            )
        self.in_avals_flat, self.in_tree = tree.flatten(self.in_avals)
        self.out_avals_flat, self.out_tree = tree.flatten(self.out_aval)
        for aval in (*self.in_avals_flat, *self.out_avals_flat):
            if isinstance(aval, MutableHiType):
                refuse_mutable(aval)
            if isinstance(aval, AbstractRef):
                raise NotImplementedError(f"{_API}: {kind} takes a reference; pass what it holds: ref[...]")
        self.__dict__.update(self.params)
        self.check(*self.in_avals)

    def check(self, *arg_tys: Any) -> None:
        """May raise for types of operands that the operation does not take."""

    @api_boundary
    def __call__(self, *args: Any) -> Any:
        """Applies the operation."""
        kind = type(self).__name__
        flat = [as_array(x, f"{_API}: operand of {kind}") for x in _leaves(self.in_tree, args, f"operands of {kind}")]
        for x, aval in zip(flat, self.in_avals_flat, strict=True):
            if not same_type(x.aval, aval):
                raise TypeError(f"{_API}: {kind} was made for an operand of type {aval.short()}, got {x.aval.short()}")
        return tree.unflatten(self.out_tree, call_hi_primitive_p.bind(*flat, _prim=self))

    # -- rules ---------------------------------------------------------------------------------------------------------

    def expand(self, *args: Any) -> Any:
        """The result, computed by operations on the arrays in the operands."""
        raise self._missing("computing its result", "expand")

    def vjp_fwd(self, nzs_in: Any, /, *args: Any) -> tuple:
        """The result and residuals, and optionally which results have cotangents.

        Args:
          nzs_in: which operands are differentiated, a tree like them.
          *args: the operands.
        """
        raise self._missing("grad support", "vjp_fwd")

    def vjp_bwd(self, res: Any, outgrad: Any, /, *arg_accums: Any) -> None:
        """Adds the cotangents of the operands to ``arg_accums``, by their methods ``accum``."""
        grads = self.vjp_bwd_retval(res, outgrad)
        flat = tree.broadcast_prefix(
            tuple(grads), self.in_avals, is_leaf=lambda x: x is None or type(x) is Zero, api=_API, prefix_name="cts"
        )
        for accum, x in zip(tree.leaves(arg_accums), flat, strict=True):
            accum.accum(x)

    def vjp_bwd_retval(self, res: Any, outgrad: Any, /) -> Any:
        """The cotangents of the operands, a tuple."""
        raise self._missing("grad support", "vjp_bwd` or `vjp_bwd_retval")

    def jvp(self, primals: Any, tangents: Any) -> tuple[Any, Any]:
        """The result and its tangent; tangents of operands are values or `Zero`."""
        raise self._missing("jvp support", "jvp")

    def lin(self, nzs_in: Any, /, *primals: Any) -> tuple:
        """The result and residuals for ``linearized``."""
        raise self._missing("linearize support", "lin` and `linearized")

    def linearized(self, residuals: Any, *tangents: Any) -> Any:
        """The tangent of the result."""
        raise self._missing("linearize support", "lin` and `linearized")

    def transpose(self, out_ct: Any, *maybe_accums: Any) -> None:
        """For an operation that is linear in some operands: adds their cotangents to the accumulators that stand in
        their places."""
        raise self._missing("transpose support", "transpose")

    def batch(self, axis_data: Any, args: Any, dims: Any) -> tuple[Any, Any]:
        """The result for operands that are mapped, and how it is mapped.

        Args:
          axis_data: the mapped axis, with ``name`` and ``size``.
          args: the operands.
          dims: how each is mapped: None, a dimension, or a `MappingSpec`.
        """
        out_dim = self.batch_dim_rule(axis_data, dims)
        return VmapOf(self, axis_data, dims, out_dim)(*args), out_dim

    def batch_dim_rule(self, axis_data: Any, dims: Any, /) -> Any:
        """How the result is mapped, where operands are mapped as ``dims`` says; the operation is then mapped as it is
        computed."""
        raise self._missing("vmap support", "batch` or `batch_dim_rule")

    def dce(self, used_outs: Any) -> tuple[Any, Any, VJPHiPrimitive | None]:
        """For results of which only some are used: which operands are needed, which results are made, and the
        operation that makes them (None for none)."""
        if not any(_leaves(self.out_tree, used_outs, "used_outs")):
            return False, False, None
        return True, True, self

    # -- the rules on leaves, which `VmapOf` has in another form -------------------------------------------------------

    def _expand_flat(self, args: Sequence[Any]) -> list[Any]:
        return self._results(self.expand(*tree.unflatten(self.in_tree, args)), "expand")

    def _jvp_flat(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        if not _overrides(self, "jvp") and _overrides(self, "lin"):
            return self._linearize_flat(primals, tangents)
        out, dots = self.jvp(tree.unflatten(self.in_tree, primals), tree.unflatten(self.in_tree, tangents))
        return self._results(out, "jvp"), self._result_tangents(dots, "jvp")

    def _linearize_flat(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        reverse, forward = _overrides(self, "vjp_fwd"), _overrides(self, "lin")
        if not reverse and not forward:
            if not _overrides(self, "jvp"):
                raise self._missing("grad support", "vjp_fwd")
            return self._jvp_flat(primals, tangents)
        nonzero = tuple([type(t) is not Zero for t in tangents])
        args, wanted = tree.unflatten(self.in_tree, primals), tree.unflatten(self.in_tree, nonzero)
        residuals: list[Any] = []
        trees: list[Any] = []
        outs: list[Any] = []
        out_nonzero: Any = True
        for on, rule in ((forward, "lin"), (reverse, "vjp_fwd")):
            structure = None
            if on:
                out, res, *rest = getattr(self, rule)(wanted, *args)
                outs = self._results(out, rule)
                out_nonzero = rest[0] if rest else True
                leaves, structure = tree.flatten(res)
                residuals += [as_array(x) for x in leaves]
            trees.append(structure)
        flags = tree.broadcast_prefix(out_nonzero, self.out_aval, api=_API, prefix_name="nonzero results")
        given = [t for t in tangents if type(t) is not Zero]
        op = _Derivative(self, trees[0], trees[1], nonzero)
        dots = call_hi_primitive_linearized_p.bind(*residuals, *given, op=op)
        zeros = [Zero(a.tangent()) for a in self.out_avals_flat]
        return outs, [t if on else z for t, on, z in zip(dots, flags, zeros, strict=True)]

    def _transpose_flat(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        accums = [GradAccum(x.aval.to_ct_aval()) if is_linear(x) else x for x in args]
        self.transpose(tree.unflatten(self.out_tree, cts), *tree.unflatten(self.in_tree, accums))
        return [a.freeze() if isinstance(a, GradAccum) else None for a in accums]

    def _batch_flat(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        out, dim = self.batch(axis, tree.unflatten(self.in_tree, args), tree.unflatten(self.in_tree, dims))
        flat = tree.broadcast_prefix(dim, self.out_aval, is_leaf=_is_none, api=_API, prefix_name="dims")
        return [as_array(x) for x in self._results(out, "batch")], flat

    def _results(self, out: Any, rule: str) -> list[Any]:
        return _leaves(self.out_tree, out, f"{_API}: the result of {type(self).__name__}.{rule}")

    def _result_tangents(self, dots: Any, rule: str) -> list[Any]:
        what = f"the tangent that {type(self).__name__}.{rule} returned"
        flat = self.out_tree.flatten_up_to(dots)
        return [_as_tangent(t, a, what) for t, a in zip(flat, self.out_avals_flat, strict=True)]

    def _missing(self, purpose: str, wanted: str) -> NotImplementedError:
        return NotImplementedError(f"{_API}: for {purpose}, {type(self).__name__} must implement `{wanted}`")

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{self.params}]"

    def __hash__(self) -> int:
        return hash((type(self).__name__, tuple(self.params.items()), self.effects))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.params == other.params and (  # type: ignore[attr-defined]
            self.in_avals_flat == other.in_avals_flat and self.in_tree == other.in_tree  # type: ignore[attr-defined]
        )


def _overrides(prim: VJPHiPrimitive, method: str) -> bool:
    return getattr(type(prim), method) is not getattr(VJPHiPrimitive, method)


# -- the operation in jaxprs -------------------------------------------------------------------------------------------


class _CallHiPrimitive(Primitive):
    """Application of a `VJPHiPrimitive`, the parameter ``_prim``, to the leaves of its operands."""

    kind = "higher_order"
    multiple_results = True

    def abstract(self, avals: tuple[Any, ...], params: dict[str, Any]) -> Any:
        return tuple(params["_prim"].out_avals_flat)

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return True

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return params["_prim"]._expand_flat(args)  # type: ignore[no-any-return]

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, _prim: Any) -> tuple[Any, Any]:
        return _prim._jvp_flat(primals, tangents)  # type: ignore[no-any-return]

    def linearize(self, primals: Sequence[Any], tangents: Sequence[Any], *, _prim: Any) -> tuple[Any, Any]:
        return _prim._linearize_flat(primals, tangents)  # type: ignore[no-any-return]

    def transpose(self, cts: Sequence[Any], *args: Any, _prim: Any) -> list[Any]:
        return _prim._transpose_flat(cts, args)  # type: ignore[no-any-return]

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, _prim: Any) -> tuple[Any, Any]:
        return _prim._batch_flat(axis, args, dims)  # type: ignore[no-any-return]

    def dce(self, eqn: Eqn, used: Sequence[bool]) -> Eqn | None:
        """The equation without what is not used, as the operation says."""
        prim = eqn.params["_prim"]
        needed, made, new = prim.dce(tree.unflatten(prim.out_tree, used))
        if new is None:
            return None
        ins = tree.broadcast_prefix(needed, prim.in_avals, api=_API, prefix_name="used operands")
        outs = tree.broadcast_prefix(made, prim.out_aval, api=_API, prefix_name="produced results")
        return eqn.replace(
            invars=[a for a, on in zip(eqn.invars, ins, strict=True) if on],
            outvars=[v for v, on in zip(eqn.outvars, outs, strict=True) if on],
            params={"_prim": new},
        )


def _as_tangent(t: Any, aval: Any, what: str) -> Any:
    """A tangent for a result of type ``aval``, None for zero."""
    expected = aval.tangent()
    if t is None or type(t) is Zero or getattr(t, "dtype", None) == float0:
        return Zero(expected)
    t = as_array(t)
    if not same_type(t.aval, expected):
        raise TypeError(f"{_API}: {what} must have type {expected.short()}, got {t.aval.short()}")
    return t


# -- derivatives of the operation at a point ---------------------------------------------------------------------------


class _Derivative(NamedTuple):
    """The derivative of a `VJPHiPrimitive` at a point, a linear operation on the tangents where ``nonzero``.

    Attributes:
      prim: the operation.
      lin_tree, vjp_tree: structures of the residuals of ``lin`` and ``vjp_fwd``, None where a rule is missing.
      nonzero: which operands have tangents.
    """

    prim: VJPHiPrimitive
    lin_tree: Any
    vjp_tree: Any
    nonzero: tuple[bool, ...]

    @property
    def out_avals(self) -> list[Any]:
        """Types of the tangents of the results."""
        return [a.tangent() for a in self.prim.out_avals_flat]

    @property
    def num_tangents(self) -> int:
        """How many operands have tangents."""
        return sum(self.nonzero)

    def _residuals(self, flat: Sequence[Any]) -> tuple[Any, Any]:
        n = self.lin_tree.num_leaves if self.lin_tree is not None else 0
        return (
            None if self.lin_tree is None else tree.unflatten(self.lin_tree, flat[:n]),
            None if self.vjp_tree is None else tree.unflatten(self.vjp_tree, flat[n:]),
        )

    def push(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the results."""
        prim = self.prim
        if self.lin_tree is None:
            raise prim._missing("linearize support", "lin` and `linearized")
        given = iter(tangents)
        zeros = [Zero(a.tangent()) for a in prim.in_avals_flat]
        full = [next(given) if on else z for on, z in zip(self.nonzero, zeros, strict=True)]
        out = prim.linearized(self._residuals(residuals)[0], *tree.unflatten(prim.in_tree, full))
        return [instantiate_zeros(t) for t in prim._result_tangents(out, "linearized")]

    def pull(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """Cotangents of the operands, values or `Zero`."""
        prim = self.prim
        if self.vjp_tree is None:
            raise prim._missing("grad support", "vjp_fwd")
        accums = [
            (GradAccum if on else NullAccum)(a.to_ct_aval())
            for on, a in zip(self.nonzero, prim.in_avals_flat, strict=True)
        ]
        ct = tree.unflatten(prim.out_tree, [instantiate_zeros(ct) for ct in cts])
        prim.vjp_bwd(self._residuals(residuals)[1], ct, *tree.unflatten(prim.in_tree, accums))
        return [a.freeze() for a, on in zip(accums, self.nonzero, strict=True) if on]


class _MappedDerivative(NamedTuple):
    """A derivative mapped over an axis: tangents have the examples in dimension 0, residuals as ``dims`` says."""

    op: Any
    axis: AxisData
    dims: tuple[Any, ...]

    @property
    def out_avals(self) -> list[Any]:
        """Types of the tangents of the results."""
        return [a.inc_rank(self.axis.size, 0) for a in self.op.out_avals]

    @property
    def num_tangents(self) -> int:
        """How many operands have tangents."""
        return self.op.num_tangents  # type: ignore[no-any-return]

    def _mapped(self, rule: Callable[..., Any], residuals: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        n, size = len(residuals), self.axis.size

        def fun(*xs: Any) -> list[Any]:
            return [instantiate_zeros(x) for x in rule(xs[:n], xs[n:])]

        dims = [*self.dims, *[0] * len(given)]
        outs, out_dims = batch_flat(fun, self.axis, [*residuals, *given], dims, "vmap of a derivative")
        return [batch_to(x, d, 0, size) for x, d in zip(outs, out_dims, strict=True)]

    def push(self, residuals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the results."""
        return self._mapped(self.op.push, residuals, tangents)

    def pull(self, residuals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
        """Cotangents of the operands."""
        return self._mapped(self.op.pull, residuals, [instantiate_zeros(ct) for ct in cts])


class _CallLinearized(Primitive):
    """A derivative at a point, the parameter ``op``: operands are residuals, and tangents, in which it is linear."""

    kind = "higher_order"
    multiple_results = True

    def abstract(self, avals: tuple[Any, ...], params: dict[str, Any]) -> Any:
        return tuple(params["op"].out_avals)

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return True

    def _pushed(self, args: Sequence[Any], op: Any) -> list[Any]:
        n = len(args) - op.num_tangents
        return op.push(args[:n], args[n:])  # type: ignore[no-any-return]

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return self._pushed(args, params["op"])

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, op: Any) -> tuple[Any, Any]:
        return jvp_flat(lambda *xs: self._pushed(xs, op), primals, tangents, "jvp of a derivative")

    def transpose(self, cts: Sequence[Any], *args: Any, op: Any) -> list[Any]:
        n = len(args) - op.num_tangents
        return [None] * n + op.pull(args[:n], cts)  # type: ignore[no-any-return]

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, op: Any) -> tuple[Any, Any]:
        n = len(args) - op.num_tangents
        tangents = [batch_to(t, d, 0, axis) for t, d in zip(args[n:], dims[n:], strict=True)]
        outs = self.bind(*args[:n], *tangents, op=_MappedDerivative(op, axis, tuple(dims[:n])))
        return outs, [0] * len(outs)


call_hi_primitive_p = _CallHiPrimitive("call_hi_primitive")
call_hi_primitive_linearized_p = _CallLinearized("call_hi_primitive_linearized")


# -- mapped operations -------------------------------------------------------------------------------------------------


class VmapOf(VJPHiPrimitive):
    """A `VJPHiPrimitive` with a ``batch_dim_rule``, mapped: every rule is that of the operation, mapped."""

    prim: VJPHiPrimitive
    axis_data: AxisData
    in_dims: tuple[Any, ...]
    out_dims: tuple[Any, ...]

    def __init__(self, prim: VJPHiPrimitive, axis_data: AxisData, in_dims: Any, out_dim: Any):
        ins = tree.broadcast_prefix(in_dims, prim.in_avals, is_leaf=_is_none, api=_API, prefix_name="dims")
        outs = tree.broadcast_prefix(out_dim, prim.out_aval, is_leaf=_is_none, api=_API, prefix_name="dims")
        self.in_avals = _unmapped(axis_data, ins, prim.in_avals)
        self.out_aval = _unmapped(axis_data, outs, prim.out_aval)
        self.params = {"prim": prim, "axis_data": axis_data, "in_dims": tuple(ins), "out_dims": tuple(outs)}
        super().__init__()

    def _mapped(self, fun: Callable[..., Any], args: Sequence[Any], dims: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        return batch_flat(fun, self.axis_data, args, dims, f"vmap of {type(self.prim).__name__}")

    def _placed(self, outs: Sequence[Any], dims: Sequence[Any]) -> list[Any]:
        placed = []
        for x, d, wanted in zip(outs, dims, self.out_dims, strict=True):
            if wanted is None and d is not None:
                raise ValueError(
                    f"{_API}: {type(self.prim).__name__}.batch_dim_rule says that a result is the same for all "
                    "examples, but it differs"
                )
            placed.append(x if wanted is None else batch_to(x, d, wanted, self.axis_data))
        return placed

    def _expand_flat(self, args: Sequence[Any]) -> list[Any]:
        return self._placed(*self._mapped(lambda *xs: self.prim._expand_flat(xs), args, self.in_dims))

    def _jvp_flat(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        return self._derived(self.prim._jvp_flat, primals, tangents)

    def _linearize_flat(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        return self._derived(self.prim._linearize_flat, primals, tangents)

    def _derived(
        self, rule: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        n = len(primals)
        nonzero = [type(t) is not Zero for t in tangents]
        flags: list[bool] = []

        def fun(*xs: Any) -> list[Any]:
            given = iter(xs[n:])
            zeros = [Zero(a.tangent()) for a in self.prim.in_avals_flat]
            full = [next(given) if on else z for on, z in zip(nonzero, zeros, strict=True)]
            outs, dots = rule(xs[:n], full)
            flags[:] = [type(t) is not Zero for t in dots]
            return [*outs, *[t for t in dots if type(t) is not Zero]]

        args = [*primals, *[t for t in tangents if type(t) is not Zero]]
        # Tangents of types of their own are mapped as such types say: only arrays are mapped like their primals.
        dims = [*self.in_dims, *[d for d, on in zip(self.in_dims, nonzero, strict=True) if on]]
        outs, out_dims = self._mapped(fun, args, dims)
        k = len(flags)
        given = iter(zip(outs[k:], out_dims[k:], strict=True))
        dots = []
        for on, aval, wanted in zip(flags, self.out_avals_flat, self.out_dims, strict=True):
            t, d = next(given) if on else (None, None)
            if on and not (wanted is None and d is None):
                t = batch_to(t, d, 0 if wanted is None else wanted, self.axis_data)
            dots.append(t if on else Zero(aval.tangent()))
        return self._placed(outs[:k], out_dims[:k]), dots

    def _transpose_flat(self, cts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
        raise self._missing(f"transpose support of the mapped {type(self.prim).__name__}", "batch")

    def batch_dim_rule(self, axis_data: Any, dims: Any, /) -> Any:
        flat = tree.broadcast_prefix(dims, self.in_avals, is_leaf=_is_none, api=_API, prefix_name="dims")
        inner = [_without(d, own) for d, own in zip(flat, self.in_dims, strict=True)]
        out = self.prim.batch_dim_rule(axis_data, tree.unflatten(self.in_tree, inner))
        outs = tree.broadcast_prefix(out, self.prim.out_aval, is_leaf=_is_none, api=_API, prefix_name="dims")
        return tree.unflatten(self.out_tree, [_with(d, own) for d, own in zip(outs, self.out_dims, strict=True)])


def _without(dim: Any, removed: Any) -> Any:
    """Where dimension ``dim`` is once ``removed`` is gone."""
    return dim if dim is None or removed is None else dim - (removed < dim)


def _with(dim: Any, inserted: Any) -> Any:
    """Where dimension ``dim`` is once there is another one at ``inserted``."""
    return dim if dim is None or inserted is None else dim + (inserted <= dim)


def _unmapped(axis: AxisData, dims: Sequence[Any], avals: Any) -> Any:
    flat, structure = tree.flatten(avals)
    return tree.unflatten(
        structure, [a if d is None else a.inc_rank(axis.size, d) for a, d in zip(flat, dims, strict=True)]
    )


__all__ = [
    "AbstractRef",
    "AbstractValue",
    "GradAccum",
    "HiPrimitive",
    "HiPspec",
    "HiType",
    "MappingSpec",
    "MutableHiType",
    "NullAccum",
    "ShapedArray",
    "VJPHiPrimitive",
    "Zero",
    "aval_method",
    "aval_property",
    "instantiate_zeros",
    "is_undefined_primal",
    "register_hitype",
]

publish(globals(), __name__, __all__)
