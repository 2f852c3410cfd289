"""``Primitive``: one operation with all its rules.

A primitive is an object whose attributes state facts and whose methods are the rules of every transformation.  Families
of similar primitives are built by the constructors in ``fungrad.ops``; a rule that is missing says which method to
write.

May import ``core.ir``, ``core.array``, ``core.avals`` and ``core.context``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

from fungrad import locks
from fungrad.core import context
from fungrad.core.array import as_array, typeof
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.ir import check_hashable
from fungrad.core.sharded_types import placed_results
from fungrad.core.source import PACKAGE_DIR

if TYPE_CHECKING:
    from fungrad.core.context import AxisData

# Packages with primitives. They are above this one, and most of their modules are loaded when a function of theirs is
# asked for: before a primitive is looked for by name that nobody has used, or all are, the rest is loaded.
HOMES = ("fungrad.ops", "fungrad.ops.linalg", "fungrad.control", "fungrad.transforms")

# Results of abstract_eval kept per primitive; emptied when full (shapes that never come again must not pile up).
_MEMO_LIMIT = 4096


class Linear:
    """Stands for an operand in which a primitive is to be transposed."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __repr__(self) -> str:
        return f"Linear({self.aval.str_short()})"


def is_linear(x: Any) -> bool:
    """Whether a transposition rule was given ``x`` as an operand to transpose in."""
    return type(x) is Linear


class Primitive:
    """An operation and its rules.

    Values in rules are arrays or tracers; parameters are static and hashable and come as keywords.  Rules run
    in the context of the transformation that called them, so they just call the functions of ``fungrad.ops``.

    Attributes:
      name: as printed in jaxprs.
      multiple_results: whether ``bind`` returns a list.
      kind: what the compiler may assume of the structure: ``elementwise``, ``reduction``, ``structural``,
        ``contraction``, ``gather``, ``opaque`` or ``higher_order``.
      commutative: whether the two operands may be swapped.
      cheap: whether recomputing a result costs less than storing and loading it.
      cost, complex_cost: of an elementwise operation on real and on complex numbers, in additions, where it is not what
        `cheap` says.
      random: results must not be merged with those of an equal equation.
      has_effects: must run even if its results are unused.
      observes: its effect is to show values, which is repeated where values are computed again.
      quiet: whether NumPy's floating point warnings are off while ``impl`` runs; set it where ``impl`` computes.
      uses_keys: whether the random keys that are its first operand are used up.
      types_only: the result is the operand; only its type says something else of meshes.
      uses_axis_names: the abstract value depends on the named axes in scope.
      call_primitive, map_primitive: always false: JAX has primitives with functions among their operands, here jaxprs
        are parameters.
      built_in: whether the package itself has made it, so that its rules are those of the source.
      home: the module of the package that makes it when it is imported, None for others.
      altered: whether some primitive of the package has been changed from outside, or another has taken its name.
      instances: the primitives of modules that are loaded, by name; see ``named`` and ``all``.
    """

    instances: ClassVar[dict[str, Primitive]] = {}

    name: str
    multiple_results: bool = False
    kind: str = "opaque"
    commutative: bool = False
    cheap: bool = False
    cost: int | None = None
    complex_cost: int | None = None
    random: bool = False
    has_effects: bool = False
    observes: bool = False
    quiet: bool = False
    uses_keys: bool = False
    uses_axis_names: bool = False
    types_only: bool = False
    built_in: bool = False
    home: str | None = None
    call_primitive: bool = False
    map_primitive: bool = False
    altered: ClassVar[bool] = False

    # Short forms of two rules, for eager differentiation; None where there is none.
    #
    # linearize_now(record, primals, tangents, params) is `linearize` of concrete arrays, outside of every
    # transformation: `tangents` has variables and None (for zero), never only None; `record(primitive, args, params)`
    # makes the variable of an operation on variables (its type may be given as well, to save the look-up). Returns the
    # result and its tangent, a variable or None.
    #
    # transpose_now(ct, position, args, params) is the cotangent of the operand at `position`, a variable, where the
    # other operands are concrete arrays. Cotangents are ndarrays or NumPy scalars; floating point warnings are off.
    linearize_now: Any = None
    transpose_now: Any = None

    def __init__(self, name: str):
        self.name = name
        # Results of abstract_eval by operand types (and parameters), without those that depend on named axes.
        self.memo: dict[Any, Any] = {}
        # For eager evaluation, by the same keys: the aval of the result and a function of ndarrays.
        self.prepared: dict[Any, tuple[Any, Any]] = {}
        home = _module_being_imported()
        built_in = home is not None
        before = Primitive.instances.get(name)
        if before is not None and before.built_in and not built_in:
            Primitive.altered = True
        self.home = home
        self.built_in = built_in
        if before is not None and built_in and not before.built_in:
            Primitive.altered = True  # and the one of the user, who was first only since this one is loaded late, stays
        else:
            Primitive.instances[name] = self

    @staticmethod
    def find(name: str) -> Primitive | None:
        """The primitive of a name, None if there is none."""
        if name not in Primitive.instances:
            _load_all()
        return Primitive.instances.get(name)

    @staticmethod
    def named(name: str) -> Primitive:
        """The primitive of a name.

        Raises:
          KeyError: there is none.
        """
        found = Primitive.find(name)
        if found is None:
            raise KeyError(f"there is no primitive named {name!r}")
        return found

    @staticmethod
    def all() -> list[Primitive]:
        """All primitives."""
        _load_all()
        return list(Primitive.instances.values())

    def __setattr__(self, name: str, value: Any) -> None:
        if self.built_in and not sys._getframe(1).f_code.co_filename.startswith(PACKAGE_DIR):
            Primitive.altered = True
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple:
        return (_by_name, (self.name,))

    # -- application ------------------------------------------------------------------------------------------

    def bind(self, *args: Any, **params: Any) -> Any:
        """Applies the primitive in the current context.

        Args:
          *args: arrays or tracers; NumPy arrays and Python scalars are converted.
          **params: static parameters.

        Returns:
          An array or tracer, or a list of them if ``multiple_results``.
        """
        trace = context.state.trace
        if trace is context.EVAL:
            return context.evaluate(self, args, params)
        if trace is None:
            raise RuntimeError(
                f"internal error: a transformation rule applied {self.name} without saying in which trace to run it"
            )
        return trace.bind(self, args, params)

    def abstract(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        """Memoised ``abstract_eval``: the aval of the result, or a tuple of avals if ``multiple_results``."""
        key = (avals, *params.items()) if params else avals
        try:
            return self.memo[key]
        except KeyError:
            pass
        except TypeError:
            check_hashable(self, params)
            raise
        placed = False
        if not self.is_high_in(params):
            for aval in avals:
                if aval.is_high:
                    raise self.not_an_array(aval)
                placed = placed or aval.placement is not None or bool(aval.vma)
        if placed and self.kind != "higher_order":
            return self._abstract_placed(key, avals, params)
        out = self.abstract_eval(*avals, **params)
        if self.multiple_results:
            out = tuple(out)
        if self.uses_axis_names:
            return out
        if len(self.memo) >= _MEMO_LIMIT:
            self.memo.clear()
        self.memo[key] = out
        return out

    def _abstract_placed(self, key: Any, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Any:
        """``abstract`` of operands whose types say where they are, or that they vary."""
        plain = self.abstract(tuple([a.plain() for a in avals]), params)
        out, lasting = placed_results(self, avals, params, plain)
        if lasting and not self.uses_axis_names:
            self.memo[key] = out
        return out

    # -- rules ------------------------------------------------------------------------------------------------

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> Any:
        """Aval of the result (a sequence if ``multiple_results``); raises for operands of the wrong type."""
        raise self._missing("abstract_eval", "staging and checking its operands")

    def impl(self, *args: Any, **params: Any) -> Any:
        """The operation on ndarrays; returns ndarrays of exactly the types that ``abstract_eval`` announces."""
        raise self._missing("impl", "eager execution")

    def specialized(self, avals: tuple[ShapedArray, ...], params: dict[str, Any]) -> Callable[..., Any]:
        """``impl`` with its parameters, for operands of these types; a shorter function may stand in for it."""
        return partial(self.impl, **params) if params else self.impl

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        """Result and its tangent.

        ``tangents`` are values or ``Zero`` (never all of them).  The primal result must depend on primals only, and the
        tangent must be linear in the tangents.  May return ``Zero`` tangents.
        """
        raise self._missing("jvp", "differentiation")

    def linearize(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        """As ``jvp``, but run while linearizing: operations on tangents are recorded, all others executed."""
        return self.jvp(primals, tangents, **params)

    def transpose(self, ct: Any, *args: Any, **params: Any) -> Sequence[Any]:
        """Cotangents of the operands marked by ``Linear`` in ``args``, given the cotangent of the result.

        Returns:
          One entry per operand: a value or ``Zero`` where ``args`` has ``Linear``, anything (None) elsewhere.
          With ``multiple_results``, ``ct`` is a list of values and ``Zero``.
        """
        raise self._missing("transpose", "reverse-mode differentiation")

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        """Result for batched operands, and the dimension of the batch in it (None if unbatched).

        Args:
          axis: name and size of the mapped axis.
          args: operands.
          dims: for each operand the dimension that is the batch, or None.
        """
        raise self._missing("batch", "vmap")

    def get_bind_params(self, params: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of ``bind`` for an equation with these parameters: the parameters themselves."""
        return dict(params)

    def lower(self, ctx: Any, *args: Any, **params: Any) -> Any:
        """Native code of the operation in terms of ``ctx`` (``core.lowering``); default: ``impl`` as a host step."""
        return ctx.host(self, args, params)

    def checked(self, errors: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result; what can fail in the jaxprs among the parameters goes to ``errors``.

        Only for primitives with jaxprs among their parameters; see ``transforms.runtime_checks``.
        """
        raise self._missing("checked", "run-time checks inside it")

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result; the effects of the operation happen only if ``condition``, a boolean scalar, holds.

        Called where examples of a batch take different branches; see ``transforms.conditional_effects``.
        """
        raise NotImplementedError(
            f"fungrad.vmap: {self.name} has an effect that cannot be left out for some examples, and stands in a "
            "branch or loop that examples leave at different times; move the effect out of there"
        )

    def is_high_in(self, params: dict[str, Any]) -> bool:
        """Whether operands, results or something inside have types of users' own (``core.hitypes``): then the
        operation is not evaluated or compiled as it is, but in terms of arrays (``expand``)."""
        return False

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The results, computed by operations on the arrays that make up the operands; see ``core.lojax``."""
        raise self._missing("expand", "values of types of users' own")

    def expanded(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """``expand``, with a check of the types of the results."""
        args = [as_array(x) for x in args]
        out = self.expand(args, params)
        announced = self.abstract(tuple([x.aval for x in args]), params)
        outs = list(out) if self.multiple_results else [out]
        avals = announced if self.multiple_results else (announced,)
        found = [typeof(x) for x in outs]
        if len(outs) != len(avals) or not all(map(same_type, found, avals)):
            raise TypeError(
                f"{self.name} announced results of types ({', '.join(a.short() for a in avals)}), but its "
                f"implementation returned ({', '.join(a.short() for a in found)})"
            )
        outs = [as_array(x) for x in outs]
        return outs if self.multiple_results else outs[0]

    def not_an_array(self, aval: Any) -> TypeError:
        """The error for an operand whose type is one of users' own, which the operation does not know."""
        return TypeError(
            f"{self.name} takes arrays, got a value of type {aval.short()}; only primitives made for such values take "
            "them (fungrad.experimental.hijax)"
        )

    def bind_with_trace(self, trace: Any, args: Sequence[Any], avals: Any, params: dict[str, Any]) -> Any:
        """``bind`` in another trace than the current one; the types ``avals`` follow from ``args``."""
        with context.running(trace):
            return self.bind(*args, **params)

    def process_in(self, trace: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Applies the primitive in a trace of a user, by the method that JAX calls for it."""
        return trace.process_primitive(self, args, params)

    def step_through(self, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Runs the jaxprs among the parameters on arrays, one operation at a time, so that each result is examined.

        Called where a result contains NaN or infinity; nothing by default.
        """

    def axis_names(self, params: dict[str, Any]) -> tuple:
        """Names of mapped axes that the parameters refer to."""
        return ()

    def _missing(self, method: str, purpose: str) -> NotImplementedError:
        return NotImplementedError(
            f"primitive {self.name!r} has no rule for {purpose}: write the method `{method}` of "
            f"{type(self).__module__}.{type(self).__qualname__}"
        )

    def has_rule(self, method: str) -> bool:
        """Whether the primitive itself defines the rule ``method``."""
        own = getattr(self, method)
        return getattr(own, "__func__", own) is not getattr(Primitive, method)


def _module_being_imported() -> str | None:
    """The module of the package to which the primitive that is being made belongs."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE_DIR):
        if frame.f_code.co_name == "<module>":
            return str(frame.f_globals["__name__"])
        frame = frame.f_back  # type: ignore[assignment]
    return None


@cache
def _load_all() -> None:
    import pkgutil

    with locks.imports:
        for package in HOMES:
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
                if module.name != "__main__":
                    importlib.import_module(f"{package}.{module.name}")


def _by_name(name: str) -> Primitive:
    return Primitive.named(name)


def instantiate(x: Any, zeros: Any) -> Any:
    """``x``, or zeros made by ``zeros(aval)`` if it is a symbolic ``Zero``."""
    return zeros(x.aval) if type(x) is Zero else x
