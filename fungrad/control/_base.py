"""What loops and branches share: the base class of their primitives, traced bodies, and changes to jaxprs.

The functions given to ``scan``, ``while_loop`` and ``cond`` are traced to jaxprs, and what they close over, arrays or
values of enclosing transformations, becomes leading operands: jaxprs among parameters have no constants.

May import ``core``, ``ops``, ``transforms`` and ``jit``.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fungrad.config import config
from fungrad.core import dtypes, tree
from fungrad.core.array import Array, ArrayImpl, as_array, is_array_like, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero, interchangeable, same_type
from fungrad.core.context import EVAL, Tracer, running, state
from fungrad.core.ir import Atom, Builder, Jaxpr, Literal, Var, any_high, eval_jaxpr, jaxprs_in_params, params_key
from fungrad.core.jaxpr_parts import chosen, closed, memoised
from fungrad.core.key_types import is_compound
from fungrad.core.nonfinite import replaying
from fungrad.core.primitive import Primitive
from fungrad.core.promotion import lattice_result_type
from fungrad.core.refs import (
    BackwardRefsError,
    Binding,
    Ref,
    RefFrame,
    RefsUsedError,
    bound,
    contents,
    differentiating,
    store,
)
from fungrad.core.source import function_name
from fungrad.core.staging import DebugInfo, argument_names, trace_tree
from fungrad.core.treedef import PyTreeDef, differences, open_treedef
from fungrad.jit.front.call import program_of
from fungrad.jit.passes.dce import dce
from fungrad.ops.bit_generator import RngBitGenerator, RngUniform
from fungrad.ops.cast import convert_element_type
from fungrad.ops.foundation import broadcast_in_dim_p
from fungrad.ops.random_bits import KeyPrimitive
from fungrad.transforms.batching import used_axis_names

T = TypeVar("T")


def draws_together(jaxpr: Jaxpr) -> bool:
    """Whether a jaxpr draws from a generator that draws at once for all examples, so that it matters which keys are
    mapped: with threefry2x32 each example has the draw of its own key, mapped or shared."""
    if "draws together" not in jaxpr.memo:
        jaxpr.memo["draws together"] = any(
            isinstance(e.primitive, (RngBitGenerator, RngUniform))
            or (isinstance(e.primitive, KeyPrimitive) and any(is_compound(a.aval.dtype) for a in e.invars))
            or any(map(draws_together, jaxprs_in_params(e.params)))
            for e in jaxpr.eqns
        )
    return jaxpr.memo["draws together"]  # type: ignore[no-any-return]


class HigherOrderPrimitive(Primitive):
    """A loop or a branch: a primitive whose parameters are jaxprs without constants.

    Evaluated eagerly it is one compiled program, and under ``disable_jit`` it runs in Python, one operation at a time.
    """

    kind = "higher_order"
    multiple_results = True

    def impl(self, *args: np.ndarray, **params: Any) -> list[np.ndarray]:
        if config.disable_jit:
            arrays = [wrap_unchecked(x, ShapedArray(x.shape, x.dtype)) for x in args]
            return [as_array(x)._concrete(self.name) for x in self.interpret(*arrays, **params)]
        return program_of(self._equation(args, params), self.name).run(list(args))

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return any_high(params)

    def interpret(self, *args: Array, **params: Any) -> list[Any]:
        """The operation on arrays, by applying the primitives of its jaxprs one by one."""
        raise NotImplementedError

    def step_through(self, args: Sequence[Any], params: dict[str, Any]) -> None:
        with running(EVAL), config.override("disable_jit", True), replaying():
            self.interpret(*args, **params)

    def _equation(self, args: Sequence[np.ndarray], params: dict[str, Any]) -> Jaxpr:
        """The jaxpr that is nothing but one application of the primitive."""

        def make() -> Jaxpr:
            builder = Builder()
            invars = [Var(ShapedArray(x.shape, x.dtype)) for x in args]
            outvars = builder.add(self, invars, params)
            return Jaxpr((), invars, outvars, builder.eqns)

        return memoised(
            next(jaxprs_in_params(params)), ("equation", self.name, params_key(params)), make
        )

    def axis_names(self, params: dict[str, Any]) -> tuple:
        return tuple(frozenset().union(*[used_axis_names(j) for j in jaxprs_in_params(params)]))


# -- sequences -------------------------------------------------------------------------------------------------------


def positions(mask: Sequence[bool]) -> list[int]:
    """Where ``mask`` is true."""
    return [i for i, on in enumerate(mask) if on]


def is_nonzero(xs: Sequence[Any]) -> list[bool]:
    """Which tangents or cotangents are not symbolic zeros."""
    return [type(x) is not Zero for x in xs]


def tangents_of(given: Sequence[Any], nonzero: Sequence[bool], outs: Sequence[Any]) -> list[Any]:
    """Tangents of the results ``outs``: the next of ``given`` where ``nonzero``, a symbolic zero elsewhere."""
    values = iter(given)
    return [
        next(values) if nz else Zero(x.aval.tangent()) for nz, x in zip(nonzero, outs, strict=True)
    ]


def fixpoint(start: Sequence[bool], step: Callable[[list[bool]], Sequence[bool]]) -> list[bool]:
    """The least flags that contain ``start`` and what ``step`` makes of them."""
    flags = list(start)
    for _ in range(len(flags) + 1):
        new = [a or b for a, b in zip(flags, step(flags), strict=True)]
        if new == flags:
            return flags
        flags = new
    raise AssertionError("internal error: flags of a loop's carry did not settle")


# -- jaxprs ----------------------------------------------------------------------------------------------------------


def rewired(jaxpr: Jaxpr, ins: Sequence[int], outs: Sequence[int | ShapedArray]) -> Jaxpr:
    """A jaxpr with its inputs in another order, and other outputs.

    Args:
      jaxpr: has no constants.
      ins: positions of its inputs, each once.
      outs: positions of outputs, and types of zeros.
    """
    zeros = Builder()
    outvars = [jaxpr.outvars[o] if isinstance(o, int) else _zero(zeros, o) for o in outs]
    return jaxpr.replace(
        invars=[jaxpr.invars[i] for i in ins],
        outvars=outvars,
        eqns=[*jaxpr.eqns, *zeros.eqns],
        debug=None,
    )


def _zero(builder: Builder, aval: ShapedArray) -> Atom:
    scalar = Literal(
        False if dtypes.is_bool(aval.dtype) else 0, ShapedArray((), aval.dtype, aval.weak_type)
    )
    if not aval.shape:
        return scalar
    return builder.add(
        broadcast_in_dim_p, [scalar], {"shape": aval.shape, "broadcast_dimensions": ()}
    )[0]


def with_inputs(jaxpr: Jaxpr, avals: Sequence[ShapedArray]) -> Jaxpr:
    """A jaxpr with further inputs, after its own, that it does not use."""
    return jaxpr.replace(invars=[*jaxpr.invars, *map(Var, avals)], debug=None)


def pruned(jaxpr: Jaxpr, used: Sequence[bool]) -> Jaxpr:
    """A jaxpr without the outputs that are not used and what only they need; keeps its inputs."""
    return dce(jaxpr.replace(outvars=chosen(jaxpr.outvars, used)))


# -- traced functions ------------------------------------------------------------------------------------------------

# What functions were traced to, by function and then by the types of arguments: loops that a program runs again and
# again are traced once. Functions that close over tracers are not kept.
_traces: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


class _Record(NamedTuple):
    """What a function that uses references was traced to, so that it need not be called once more.

    Attributes:
      fun: the function.
      in_tree, avals: structure and types of its arguments.
      jaxpr: from these, and what the references hold, to the results and what they hold in the end.
      out_tree: structure of the result.
      frame: the references.
    """

    fun: Callable[..., Any]
    in_tree: PyTreeDef
    avals: tuple[ShapedArray, ...]
    jaxpr: Jaxpr
    out_tree: PyTreeDef
    frame: RefFrame

    def fits(self, args: tuple) -> bool:
        """Whether it is what the function does with these arguments."""
        leaves, structure = tree.flatten((args, {}))
        return structure == self.in_tree and [x.aval for x in leaves] == list(self.avals)

    def run(self, args: tuple) -> Any:
        """The result; what is written goes to the references."""
        refs = self.frame.closed
        outs = eval_jaxpr(self.jaxpr, self.jaxpr.consts, *tree.leaves(args), *map(contents, refs))
        n = len(outs) - len(refs)
        for ref, value, written in zip(refs, outs[n:], self.frame.written, strict=True):
            if written:
                store(ref, value)
        return tree.unflatten(self.out_tree, outs[:n])


class Threaded:
    """The references that the functions of a loop or a branch use: their contents are passed through it.

    A loop is tried without any; ``trace_function`` says which ones its functions use.

    Attributes:
      refs: the references.
      written: which of them some function writes to.
    """

    def __init__(self) -> None:
        self.refs: list[Ref] = []
        self.written: set[int] = set()
        self._records: dict[int, _Record] = {}

    def values(self) -> list[Any]:
        """What they hold now."""
        return [contents(r) for r in self.refs]

    def call(self, values: Sequence[Any], fun: Callable[..., Any], *args: Any) -> tuple[Any, list[Any]]:
        """``fun(*args)`` with these contents, and what the references hold afterwards."""
        made: list[Binding]
        record = self._records.get(id(fun))
        with bound(self.refs, values) as made:
            again = record is not None and record.fits(args)
            result = record.run(args) if again else fun(*args)  # type: ignore[union-attr]
        self.written.update(id(b.ref) for b in made if b.written)
        return result, [b.value for b in made]

    def add(self, found: RefsUsedError) -> bool:
        """Notes which references a function uses, and what it was traced to; whether some are new."""
        self._records.update((id(r.fun), r) for r in found.records)
        known = set(map(id, self.refs))
        new = [r for r in found.refs if id(r) not in known]
        self.refs += new
        return bool(new)

    def store(self, values: Sequence[Any]) -> None:
        """Stores what they hold after the loop."""
        for ref, value in zip(self.refs, values, strict=True):
            if id(ref) in self.written:
                store(ref, value)


def threading_refs(run: Callable[[Threaded], T]) -> T:
    """Runs a loop or branch, again if its functions turn out to use references; these are called once all the same.

    Args:
      run: traces the functions with the references given to it passed through.
    """
    threaded = Threaded()
    while True:
        try:
            return run(threaded)
        except RefsUsedError as found:
            if not threaded.add(found):
                raise


def closing_over_refs(api: str, fun: Callable[..., Any], operands: tuple) -> tuple[Callable[..., Any], tuple]:
    """A function and its operands without the references among them, which it closes over."""
    leaves, structure = tree.flatten(operands)
    refs = {i: x for i, x in enumerate(leaves) if isinstance(x, Ref)}
    if not refs:
        return fun, operands
    first: dict[int, int] = {}
    for i, ref in refs.items():
        if id(ref) in first:
            names = argument_names(fun, operands, {})
            raise ValueError(
                f"fungrad.{api}: only one reference to a mutable array may be passed as an argument to a function, but "
                f"when tracing {function_name(fun)} the mutable array reference of type {ref.aval.str_short()} "
                f"appeared at both {names[first[id(ref)]]} and {names[i]}"
            )
        first[id(ref)] = i

    @functools.wraps(fun)
    def without_refs(*rest: Any) -> Any:
        given = iter(rest)
        full = [refs[i] if i in refs else next(given) for i in range(len(leaves))]
        return fun(*tree.unflatten(structure, full))

    return without_refs, tuple([x for x in leaves if not isinstance(x, Ref)])


class Traced:
    """A traced function.

    Attributes:
      as_traced: the jaxpr with its constants attached.
      jaxpr: without constants; the captured values are its leading inputs.
      consts: the captured values.
      out_tree: structure of the result.
      debug: names of the function and its arguments.
      backward_refs: whether it hands references from outside to rules for reverse mode.
    """

    def __init__(self, jaxpr: Jaxpr, out_tree: PyTreeDef, backward_refs: bool = False):
        self.backward_refs = backward_refs
        self.as_traced = jaxpr
        self.consts, self.jaxpr = closed(jaxpr)
        self.out_tree = out_tree
        self.debug: DebugInfo = jaxpr.debug

    @property
    def out_avals(self) -> tuple[ShapedArray, ...]:
        return self.jaxpr.out_avals


def trace_function(
    fun: Callable[..., Any], args: tuple, avals: Sequence[ShapedArray], api: str
) -> Traced:
    """Traces ``fun(*args)``.

    Args:
      fun: the user's function.
      args: trees of arrays; only their structure matters.
      avals: types of the leaves.
      api: for messages, such as ``lax.scan``.

    Raises:
      RefsUsedError: it uses references that are not passed through.
      BackwardRefsError: what is being differentiated hands references to rules for reverse mode.
    """
    in_tree = tree.structure((args, {}))
    key = (in_tree, tuple(avals), api, config.trace_key, state.axis_env)
    known: dict[Any, Any] = {}
    try:
        known = _traces.setdefault(fun, {})
    except TypeError:  # not hashable or not weakly referable
        pass
    found = known.get(key)
    if found is None:
        debug = DebugInfo(function_name(fun), argument_names(fun, args, {}), api)
        frame = RefFrame()
        jaxpr, out_tree = trace_tree(fun, in_tree, avals, debug, frame)
        if frame.closed or frame.args:
            raise RefsUsedError(frame.closed, [_Record(fun, in_tree, tuple(avals), jaxpr, out_tree, frame)])
        found = Traced(jaxpr, out_tree, frame.backward)
        if not any(isinstance(c, Tracer) for c in found.consts):
            known[key] = found
    if found.backward_refs and differentiating():
        raise BackwardRefsError(api, found.debug.fun_name)
    return found


def trace_functions(funs: Sequence[Callable[..., Any]], args: tuple, avals: Sequence[ShapedArray], api: str) -> list:
    """``trace_function`` of several functions; what references they use is said of all together."""
    traced, found = [], []
    for fun in funs:
        try:
            traced.append(trace_function(fun, args, avals, api))
        except RefsUsedError as used:
            found.append(used)
    if found:
        raise RefsUsedError(
            list({id(r): r for used in found for r in used.refs}.values()), [r for used in found for r in used.records]
        )
    return traced


def check_callables(api: str, **functions: Any) -> None:
    """Raises TypeError unless all arguments are functions."""
    for name, fun in functions.items():
        if not callable(fun):
            raise TypeError(
                f"fungrad.{api}: {name} must be a function, got {fun!r} of type {type(fun).__name__}"
            )


def flat_operands(value: Any, api: str, name: str) -> tuple[list[Array], PyTreeDef]:
    """The leaves of an argument as arrays, and its structure.

    Raises:
      TypeError: a leaf is not an array or scalar; names its path.
    """
    leaves, structure = tree.flatten(value)
    for i, x in enumerate(leaves):
        if not is_array_like(x):
            path = tree.leaf_paths(value)[i]
            if isinstance(x, Ref):
                raise TypeError(
                    f"fungrad.{api}: {name}{path} is a reference of type {x.aval.str_short()}; let the function close "
                    "over it instead of passing it"
                )
            raise TypeError(
                f"fungrad.{api}: {name}{path} must be an array or a scalar, got {x!r} of type {type(x).__name__}; "
                "close over other values instead of passing them"
            )
    return [as_array(x, f"fungrad.{api}: {name}") for x in leaves], structure


def is_concrete(x: Any) -> bool:
    """Whether ``x`` is an array with a value that can be looked at now."""
    return type(x) is ArrayImpl


# -- types of carries ------------------------------------------------------------------------------------------------


def promote_weak(values: Sequence[Any], out_avals: Sequence[ShapedArray]) -> list[Any] | None:
    """Initial carries with weakly typed ones converted to what the body makes of them; None if there is nothing to do.

    ``0`` that a body turns into float32 thus starts as float32.
    """
    out, changed = list(values), False
    for i, (x, aval) in enumerate(zip(values, out_avals, strict=True)):
        if x.aval.weak_type and not same_type(x.aval, aval):
            wanted, _ = lattice_result_type((x.aval.dtype, True), (aval.dtype, aval.weak_type))
            if wanted != x.aval.dtype:
                out[i] = convert_element_type(x, wanted)
                changed = True
    return out if changed else None


def check_carry(
    api: str, body: Traced, names: Sequence[str], carry: tuple[PyTreeDef, Sequence[ShapedArray]], out: tuple
) -> None:
    """Raises TypeError unless a body returns a carry of the structure and types that it was given.

    Args:
      api: the public function.
      body: the traced body, for its name.
      names: the path of every leaf of the carry.
      carry: structure and types on input.
      out: structure and types on output.
    """
    root = names[0].partition("[")[0] if names else "carry"
    if carry[0] != out[0]:
        lines = [
            f"{root}{tree.keystr(path)}: {first} on input, {second} on output ({reason})"
            for path, first, second, reason in differences(
                carry[0], out[0], open_treedef, open_treedef, prefix=False
            )
        ]
        detail = "\n  ".join(lines or [f"{carry[0]} on input, {out[0]} on output"])
        raise TypeError(
            f"fungrad.{api}: {body.debug.fun_name} must return a carry with the structure of the carry it is given, "
            f"but they differ:\n  {detail}\nReturn the carry in the structure of the initial value."
        )
    lines = [
        f"{name} has type {a.str_short()} on input but {b.str_short()} on output ({_difference(a, b)})"
        for name, a, b in zip(names, carry[1], out[1], strict=True)
        if not interchangeable(a, b)
    ]
    if lines:
        shown = "\n  ".join(lines)
        raise TypeError(
            f"fungrad.{api}: {body.debug.fun_name} must return a carry of the types of the carry it is given, but they "
            f"differ:\n  {shown}\nChange the body, or the initial value, so that types agree (convert with .astype)."
        )


def _difference(a: ShapedArray, b: ShapedArray) -> str:
    if a.is_high or b.is_high:
        return "types differ"
    shapes, kinds = a.shape != b.shape, a.dtype != b.dtype
    return (
        "shapes and dtypes differ"
        if shapes and kinds
        else "shapes differ"
        if shapes
        else "dtypes differ"
        if kinds
        else "what is unreduced or reduced differs"
    )
