"""The functions that ``vjp``, ``linearize`` and ``linear_transpose`` return: linear programs that users can call.

They are pytrees: what the program reads (the residuals) are the leaves, and the rest is structure, equal for equal
programs. So they are arguments and results of ``jit``, ``vmap`` and ``scan``, and a function that takes one is compiled
once. As long as nobody looks, they keep the recorded program; the first time one is flattened, the record becomes a
jaxpr of residuals and variables.

May import ``core``, ``ops`` and the trace modules of ``transforms``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fungrad.core import dtypes, tree
from fungrad.core.array import Array, as_array
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.source import api_boundary, api_class
from fungrad.core.tree_registration import register_pytree_node, register_static
from fungrad.core.treedef import structure_text
from fungrad.errors import IncompatibleShapesError
from fungrad.ops._operands import scalar_array
from fungrad.ops.foundation import instantiate
from fungrad.ops.summands import check_kind
from fungrad.transforms.linearization import LinearProgram, TangentVar, linear_jaxpr, record_linear
from fungrad.transforms.transposition import backward_pass


def float0_zeros(aval: ShapedArray) -> np.ndarray:
    """The tangent or cotangent of an integer array, as users see it."""
    return np.zeros(aval.shape, dtypes.float0)


def visible(x: Any, primal: ShapedArray) -> Any:
    """A tangent or cotangent as users see it: arrays, and float0 ndarrays for integer primals."""
    if type(x) is Zero:
        high = x.aval.is_high
        return float0_zeros(primal) if not high and x.aval.dtype == dtypes.float0 else instantiate(x)
    return x


def checked_tangent(t: Any, primal: ShapedArray, api: str, position: int, primals: Any) -> Any:
    """A tangent given by the user, checked against the type of its primal; float0 becomes a symbolic zero.

    Args:
      t: the tangent.
      primal: type of the primal.
      api: the public function, for messages.
      position: number of the leaf.
      primals: tree of which it is a leaf.
    """
    expected = primal.tangent()
    if expected.is_high:
        return _checked_high(t, expected, f"fungrad.{api}: the tangent of primals{tree.leaf_paths(primals)[position]}")
    got_float0 = getattr(t, "dtype", None) == dtypes.float0
    if expected.dtype == dtypes.float0 and got_float0 and np.shape(t) == expected.shape:
        return Zero(expected)
    if not got_float0:
        scalar = not isinstance(t, (Array, np.ndarray, np.generic))
        t = as_array(t, f"fungrad.{api}: tangent")
        inexact = dtypes.is_inexact(expected.dtype) and dtypes.is_inexact(t.aval.dtype)
        if scalar and inexact and t.aval.weak_type and t.aval.dtype != expected.dtype:
            if not (dtypes.is_complex(t.aval.dtype) and not dtypes.is_complex(expected.dtype)):
                t = scalar_array(np.asarray(t._concrete("tangent")).item(), expected.dtype, expected.weak_type)
        if t.aval.shape == expected.shape and t.aval.dtype == expected.dtype:
            return t
    path = tree.leaf_paths(primals)[position]
    got = f"float0{list(np.shape(t))}" if got_float0 else t.aval.str_short()
    same_shape = got_float0 or t.aval.shape == expected.shape
    kind = ValueError if api == "linearize" else TypeError
    raise (kind if same_shape else IncompatibleShapesError)(
        f"fungrad.{api}: the tangent of primals{path} must have type {expected.str_short()} (that of the primal"
        f"{', float0 for integers and booleans' if expected.dtype == dtypes.float0 else ''}), got {got}"
    )


def _checked_high(x: Any, expected: Any, what: str) -> Any:
    """A tangent or cotangent whose type is a user's own."""
    x = as_array(x, what)
    if x.aval != expected:
        raise TypeError(f"{what} must have type {expected.short()}, got {x.aval.short()}")
    return x


# -- markers -----------------------------------------------------------------------------------------------------------


class _Marker:
    """A value of which there is one per class: a node without children."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


@register_static
class NotNeeded(_Marker):
    """Stands in ``args_res`` for an argument that the backward pass does not read."""

    __slots__ = ()


@register_static
class GradRef(_Marker):
    """Stands for a cotangent that was added to a reference instead (``with_refs``)."""

    __slots__ = ()


@register_static
class DidntWant(_Marker):
    """Stands for a cotangent that nobody asked for (``with_refs``)."""

    __slots__ = ()


class GradValue(_Marker):
    """Given to ``with_refs``: return the cotangent."""

    __slots__ = ()


class DontWant(_Marker):
    """Given to ``with_refs``: do not compute the cotangent."""

    __slots__ = ()


# -- the functions -----------------------------------------------------------------------------------------------------


class Types(NamedTuple):
    """What is known of a linear function besides its program.

    Attributes:
      in_avals, in_tree: the arguments at which it was made.
      out_avals, out_tree: the results there.
      name: of the function that was differentiated.
      api: what made it.
    """

    in_avals: tuple[ShapedArray, ...]
    in_tree: Any
    out_avals: tuple[ShapedArray, ...]
    out_tree: Any
    name: str
    api: str


class Closed(NamedTuple):
    """A linear program as structure.

    Attributes:
      jaxpr: from residuals and input tangents to the tangents of results that have one.
      nonzero: which results have one.
      where: for each residual the number of the primal leaf that it is, or None.
      types: see `Types`.
    """

    jaxpr: Jaxpr
    nonzero: tuple[bool, ...]
    where: tuple[int | None, ...]
    types: Types


class LinearFunction:
    """A linear function that is a pytree; subclasses say what calling it means."""

    def __init__(self, program: LinearProgram, types: Types, primals: Sequence[Any] = ()):
        self._types = types
        self._program: LinearProgram | None = program
        self._closed: Closed | None = None
        self._primals = [weakref.ref(p) for p in primals]
        self._args_res: Any = None
        self._opaque_residuals: Any = None

    @classmethod
    def _rebuilt(cls, closed: Closed, children: Sequence[Any]) -> LinearFunction:
        self = object.__new__(cls)
        self._types = closed.types
        self._program, self._primals = None, []
        self._closed = closed
        self._args_res, self._opaque_residuals = children
        return self

    def _close(self) -> Closed:
        """Makes the record a jaxpr, for good: from now on the residuals that users see are those that are used."""
        if self._closed is not None:
            return self._closed
        program = self._program
        assert program is not None
        residuals: dict[int, Any] = {}
        for eqn in program.live_eqns():
            for a in eqn.args:
                if type(a) is not TangentVar:
                    residuals.setdefault(id(a), a)
        primals = {id(p): i for i, p in enumerate([ref() for ref in self._primals]) if p is not None}
        where = tuple([primals.get(i) for i in residuals])
        used = {i: r for i, r in zip(where, residuals.values(), strict=True) if i is not None}
        leaves = [used.get(i, NotNeeded()) for i in range(len(self._types.in_avals))]
        self._args_res = list(tree.unflatten(self._types.in_tree, leaves)) if self._primals else []
        self._opaque_residuals = [r for i, r in zip(where, residuals.values(), strict=True) if i is None]
        jaxpr = linear_jaxpr(program, list(residuals.values()))
        nonzero = tuple([type(x) is TangentVar for x in program.outputs])
        self._closed = Closed(jaxpr, nonzero, where, self._types)
        self._program, self._primals = None, []
        return self._closed

    @property
    def args_res(self) -> list[Any]:
        """The arguments that the function reads, ``NotNeeded()`` in place of the others; they may be replaced."""
        self._close()
        return self._args_res  # type: ignore[no-any-return]

    @args_res.setter
    def args_res(self, value: list[Any]) -> None:
        self._close()
        self._args_res = value

    @property
    def opaque_residuals(self) -> list[Any]:
        """The other values that the function reads."""
        self._close()
        return self._opaque_residuals  # type: ignore[no-any-return]

    @opaque_residuals.setter
    def opaque_residuals(self, value: list[Any]) -> None:
        self._close()
        self._opaque_residuals = value

    @property
    def jaxpr(self) -> Jaxpr:
        """The program: from residuals and tangents of the arguments to tangents of the results."""
        return self._close().jaxpr

    def _recorded(self) -> LinearProgram:
        """The linear program, recorded anew if it has become a jaxpr."""
        if self._program is not None:
            return self._program
        closed = self._close()
        given = tree.leaves(self._args_res, is_leaf=lambda x: type(x) is NotNeeded)
        opaque = iter(self._opaque_residuals)
        jaxpr, n = closed.jaxpr, len(closed.where)
        residuals = []
        for where, var in zip(closed.where, jaxpr.invars[:n], strict=True):
            x = next(opaque) if where is None else given[where]
            x = as_array(x, f"fungrad.{self._types.api}: a residual of the function for {self._types.name}")
            if not same_type(x.aval, var.aval):
                raise TypeError(
                    f"fungrad.{self._types.api}: the function for {self._types.name} was made with a residual of type "
                    f"{var.aval.str_short()}, which is now {x.aval.str_short()}; where it comes out of vmap or scan, "
                    "map or scan over it before calling it"
                )
            residuals.append(x)
        avals = [v.aval for v in jaxpr.invars[n:]]
        program = record_linear(
            lambda *xs: eval_jaxpr(jaxpr, (), *residuals, *xs), avals, [True] * len(avals), self._types.name
        )
        found = iter(program.outputs)
        program.outputs = [
            next(found) if on else Zero(a.tangent())
            for on, a in zip(closed.nonzero, self._types.out_avals, strict=True)
        ]
        return program

    def __repr__(self) -> str:
        return f"<{self._types.api} of {self._types.name}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            f"fungrad.{self._types.api}: the function for {self._types.name} holds a recorded program, which cannot be "
            "pickled; pickle the arguments, and differentiate where it is needed"
        )

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        return self


class Linearized(LinearFunction):
    """What ``linearize`` returns: from tangents of the arguments to those of the output."""

    @api_boundary
    def __call__(self, *tangents: Any) -> Any:
        types = self._types
        flat, given_tree = tree.flatten(tangents)
        if given_tree != types.in_tree:
            raise TypeError(
                f"fungrad.linearize: the linearized function of {types.name} takes tangents of structure "
                f"{structure_text(types.in_tree)}, got {structure_text(given_tree)}"
            )
        given = []
        for i, (t, aval) in enumerate(zip(flat, types.in_avals, strict=True)):
            t = checked_tangent(t, aval, "linearize", i, tangents)
            if aval.inexact:
                given.append(instantiate(t))
        results = self._recorded().push_forward(given)
        return tree.unflatten(types.out_tree, [visible(t, a) for t, a in zip(results, types.out_avals, strict=True)])


@api_class
class Pullback(LinearFunction):
    """The function that ``vjp`` returns: from cotangents of the output to cotangents of the arguments."""

    def __call__(self, cotangent: Any, *more: Any) -> tuple:
        return self._pulled(cotangent, more)[0]  # type: ignore[no-any-return]

    def with_refs(self, *wanted: Any) -> Callable[[Any], Any]:
        """The function with cotangents added to references, or left out.

        Args:
          *wanted: like the arguments of the function that was differentiated: references that cotangents are added to,
            ``GradValue()`` for those that are returned, ``DontWant()`` for those that are not computed.

        Returns:
          A function of the cotangent of the output.
        """
        types = self._types
        flat, structure = tree.flatten(wanted)
        if structure != types.in_tree:
            raise ValueError(
                f"fungrad.vjp: with_refs takes arguments like those of {types.name}, of structure "
                f"{structure_text(types.in_tree)}, got {structure_text(structure)}"
            )

        def pull(cotangent: Any) -> Any:
            _, leaves = self._pulled(cotangent, ())
            out: list[Any] = []
            for x, how in zip(leaves, flat, strict=True):
                if type(how) is GradValue:
                    out.append(x)
                elif type(how) is DontWant or x.dtype == dtypes.float0:
                    out.append(DidntWant())
                else:
                    how[...] = how[...] + x
                    out.append(GradRef())
            return tree.unflatten(types.in_tree, out)

        return pull

    def _pulled(self, cotangent: Any, more: tuple) -> tuple[Any, list[Any]]:
        types = self._types
        if more:
            raise TypeError(
                f"fungrad.vjp: the function for {types.name} must be called with a single argument, the cotangent of "
                f"its output (a tuple if that is one), got {1 + len(more)}"
            )
        leaves, treedef = tree.flatten(cotangent)
        if treedef != types.out_tree:
            raise (TypeError if types.api == "linear_transpose" else ValueError)(
                f"fungrad.{types.api}: unexpected tree structure: the cotangent for "
                f"{types.name} must have the tree structure of its output, "
                f"{structure_text(types.out_tree)}, got {structure_text(treedef)}"
            )
        cts = [
            self._cotangent(x, a, i, cotangent) for i, (x, a) in enumerate(zip(leaves, types.out_avals, strict=True))
        ]
        results = iter(backward_pass(self._recorded(), cts))
        transposed = types.api == "linear_transpose"
        out = [
            visible(next(results), aval) if aval.inexact or transposed else float0_zeros(aval)
            for aval in types.in_avals
        ]
        return tree.unflatten(types.in_tree, out), out

    def _cotangent(self, x: Any, aval: ShapedArray, position: int, cotangent: Any) -> Any:
        # A linear function of integers is transposed as it is; nothing is differentiated.
        transposed = self._types.api == "linear_transpose"
        expected = aval if transposed else aval.tangent()
        if expected.is_high:
            path = tree.leaf_paths(cotangent)[position]
            return _checked_high(x, expected, f"fungrad.{self._types.api}: the cotangent{path} for {self._types.name}")
        if expected.dtype == dtypes.float0:
            # Numbers of the type of the output, as its value has them, say as little as float0 does.
            given = aval.dtype if type(x) is int and dtypes.is_integer(aval.dtype) else getattr(x, "dtype", None)
            if given in (dtypes.float0, aval.dtype) and np.shape(x) == expected.shape:
                return Zero(expected)
        elif getattr(x, "dtype", None) != dtypes.float0:
            scalar = not isinstance(x, (Array, np.ndarray, np.generic))
            x = as_array(x, f"fungrad.{self._types.api}: cotangent")
            inexact = dtypes.is_inexact(expected.dtype) and dtypes.is_inexact(x.aval.dtype)
            if scalar and x.aval.dtype != expected.dtype and inexact and x.aval.weak_type:
                if dtypes.is_complex(expected.dtype) or not dtypes.is_complex(x.aval.dtype):
                    x = scalar_array(x._concrete("cotangent").item(), expected.dtype, expected.weak_type)
            if x.aval.shape == expected.shape and x.aval.dtype == expected.dtype:
                check_kind(x, expected, self._types.api)
                return x
        path = tree.leaf_paths(cotangent)[position]
        got = (
            x.aval.str_short()
            if isinstance(x, Array)
            else f"{getattr(x, 'dtype', type(x).__name__)}{list(np.shape(x))}"
        )
        raise (TypeError if transposed else ValueError)(
            f"fungrad.{self._types.api}: unexpected JAX type (e.g. shape/dtype): the cotangent{path} for "
            f"{self._types.name} must have type {expected.str_short()}, that of the output, got {got}"
        )


def _register(cls: type[LinearFunction]) -> None:
    def flatten(function: LinearFunction) -> tuple[tuple[Any, ...], Closed]:
        closed = function._close()
        return (function._args_res, function._opaque_residuals), closed

    register_pytree_node(cls, flatten, cls._rebuilt)


_register(Linearized)
_register(Pullback)
