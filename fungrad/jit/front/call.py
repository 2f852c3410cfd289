"""``jit_p``: the primitive that calls a jaxpr as one compiled program.

Every transformation maps the jaxpr and calls the result, so a jitted function stays one call: its derivative is two
calls (forward and linear part), its batched form is a call of the batched jaxpr. Under an enclosing ``jit`` the call is
inlined.

May import ``core``, ``transforms`` and ``jit.compile``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fungrad.config import config
from fungrad.core.array import as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray, Zero, same_type
from fungrad.core.context import EVAL, AxisData, running
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import plain_jaxpr
from fungrad.core.lojax import expand_call
from fungrad.core.nonfinite import replaying, trouble, within
from fungrad.core.primitive import Primitive, is_linear
from fungrad.core.refs import RefsUsedError
from fungrad.errors import NonFiniteError
from fungrad.jit.front.program import CompiledProgram, program
from fungrad.transforms.batching import batch_jaxpr, used_axis_names
from fungrad.transforms.conditional_effects import when_jaxpr
from fungrad.transforms.forward import jvp_jaxpr
from fungrad.transforms.linearization import linearize_jaxpr
from fungrad.transforms.runtime_checks import Errors, checked_call
from fungrad.transforms.transposition import transpose_jaxpr, transposed_in_place

# Programs of structurally equal jaxprs are shared; the least recently used ones go first.
_PROGRAM_LIMIT = 40
_programs: OrderedDict[Any, CompiledProgram] = OrderedDict()


def program_of(jaxpr: Jaxpr, name: str, donated: tuple[bool, ...] = ()) -> CompiledProgram:
    """The compiled program of a jaxpr without constants, from the cache if an equal one was compiled before."""
    key = ("program", donated, config.threads, config.flush_subnormals)
    found = jaxpr.memo.get(key)
    if found is not None:
        return found
    shared = (jaxpr, key)
    found = _programs.get(shared)
    if found is None:
        plain = plain_jaxpr(jaxpr)
        found = program(jaxpr, name, donated) if plain is jaxpr else program_of(plain, name, donated)
        _programs[shared] = found
        if len(_programs) > _PROGRAM_LIMIT:
            _programs.popitem(last=False)
    else:
        _programs.move_to_end(shared)
    jaxpr.memo[key] = found
    return found


def clear_programs() -> None:
    """Forgets every shared program."""
    _programs.clear()


class Jit(Primitive):
    """Call of a compiled jaxpr. ``jaxpr`` has no constants; ``name`` is for people."""

    kind = "higher_order"
    multiple_results = True
    inline_param = "jaxpr"

    def abstract_eval(self, *avals: ShapedArray, jaxpr: Jaxpr, name: str, **_: Any) -> Sequence[ShapedArray]:
        if len(avals) != len(jaxpr.invars):
            raise TypeError(f"jit of {name}: expected {len(jaxpr.invars)} flat operands, got {len(avals)}")
        for aval, v in zip(avals, jaxpr.invars, strict=True):
            if not same_type(aval, v.aval):
                raise TypeError(
                    f"jit of {name}: expected an operand of type {v.aval.short()}, got {aval.short()}"
                )
        return jaxpr.out_avals

    def impl(self, *args: np.ndarray, jaxpr: Jaxpr, name: str, **_: Any) -> list[np.ndarray]:
        if config.disable_jit:
            return [x._concrete(name) for x in one_by_one(jaxpr, args, name)]
        return program_of(jaxpr, name).run(list(args))

    def is_high_in(self, params: dict[str, Any]) -> bool:
        return params["jaxpr"].is_high  # type: ignore[no-any-return]

    def expand(self, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return expand_call(self, args, params, "jaxpr")

    def process_in(self, trace: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return trace.process_primitive(self, args, {"inline": False, **params})

    def step_through(self, args: Sequence[Any], params: dict[str, Any]) -> None:
        with replaying():
            one_by_one(params["jaxpr"], [x._data for x in args], params["name"])

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, name: str, **_: Any) -> tuple:
        nonzero = [type(t) is not Zero for t in tangents]
        both, out_nonzero = jvp_jaxpr(jaxpr, nonzero)
        outs = call(both, [*primals, *[t for t in tangents if type(t) is not Zero]], f"jvp({name})")
        n = len(jaxpr.outvars)
        given = iter(outs[n:])
        return outs[:n], [
            next(given) if nz else Zero(v.aval.tangent()) for nz, v in zip(out_nonzero, jaxpr.outvars, strict=True)
        ]

    def linearize(self, primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: Jaxpr, name: str, **_: Any) -> tuple:
        nonzero = [type(t) is not Zero for t in tangents]
        forward, linear, where, out_nonzero = linearize_jaxpr(jaxpr, nonzero)
        n = len(jaxpr.outvars)
        outs = call(forward, primals, name)
        known, new = [*primals, *outs[:n]], iter(outs[n:])
        if not any(out_nonzero):
            return outs[:n], [Zero(v.aval.tangent()) for v in jaxpr.outvars]
        residuals = [next(new) if w is None else known[w] for w in where]
        given = iter(call(linear, [*residuals, *[t for t in tangents if type(t) is not Zero]], f"linear({name})"))
        out_tangents = [
            next(given) if nz else Zero(v.aval.tangent()) for nz, v in zip(out_nonzero, jaxpr.outvars, strict=True)
        ]
        return outs[:n], out_tangents

    def transpose(self, cts: Sequence[Any], *args: Any, jaxpr: Jaxpr, name: str, **_: Any) -> Sequence[Any]:
        linear = [is_linear(a) for a in args]
        ct_nonzero = [type(ct) is not Zero for ct in cts]
        try:
            transposed, nonzero = transpose_jaxpr(jaxpr, linear, ct_nonzero)
        except RefsUsedError:
            return transposed_in_place(lambda *xs: eval_jaxpr(jaxpr, (), *xs), args, cts, f"transpose({name})")
        operands = [a for a in args if not is_linear(a)] + [ct for ct in cts if type(ct) is not Zero]
        given = iter(call(transposed, operands, f"transpose({name})"))
        results = iter([next(given) if nz else None for nz in nonzero])
        return [next(results) if on else None for on in linear]

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], *, jaxpr: Jaxpr, name: str, **_: Any
    ) -> tuple:
        batched, out_dims = batch_jaxpr(jaxpr, axis, dims)
        return call(batched, args, f"vmap({name})"), out_dims

    def bind_when(self, condition: Any, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return call(when_jaxpr(params["jaxpr"]), [condition, *args], params["name"])

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        return checked_call(params["jaxpr"], errors, args, lambda j, xs: call(j, xs, params["name"]))

    def lower(self, ctx: Any, *args: Any, jaxpr: Jaxpr, **_: Any) -> list[Any]:
        return ctx.inline(jaxpr, args)  # type: ignore[no-any-return]

    def axis_names(self, params: dict[str, Any]) -> tuple:
        return tuple(used_axis_names(params["jaxpr"]))


jit_p = Jit("jit")


def one_by_one(jaxpr: Jaxpr, args: Sequence[np.ndarray], name: str) -> list[Any]:
    """The results of a jaxpr without constants, computed without compiling anything."""
    arrays = [wrap_unchecked(x, ShapedArray(x.shape, x.dtype)) for x in args]
    with running(EVAL), config.override("disable_jit", True), within(f"in jit of {name}"):
        return [as_array(x) for x in eval_jaxpr(jaxpr, (), *arrays)]


def examined(
    jaxpr: Jaxpr, run: Callable[..., list[np.ndarray]], name: str, donated: Sequence[bool]
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """A compiled program whose results are examined for ``debug_nans`` and ``debug_infs``.

    It runs at full speed. Where something is found it runs again, one operation at a time from the same inputs, so
    those that it may overwrite are copied.

    Args:
      jaxpr: what was compiled.
      run: the program.
      name: of the function, for messages.
      donated: which inputs the program may overwrite; empty for none.
    """

    def run_and_examine(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        given = [x.copy() if d else x for x, d in zip(inputs, donated, strict=True)] if donated else inputs
        outs = run(given)
        for x, aval in zip(outs, jaxpr.out_avals, strict=True):
            bad = trouble(x)
            if bad is not None:
                with replaying():
                    one_by_one(jaxpr, inputs, name)
                raise NonFiniteError(
                    f"jit of {name} produced {bad} in a result of type {aval.str_short()}, but one operation at a time "
                    "it does not: the compiled program rounds differently"
                )
        return outs

    return run_and_examine


def call(jaxpr: Jaxpr, args: Sequence[Any], name: str) -> list[Any]:
    """Calls a jaxpr, which may have constants, as one compiled program in the current context."""
    return jit_p.bind(*jaxpr.consts, *args, jaxpr=jaxpr.with_consts_as_inputs(), name=name)
