"""``linear_call``: a linear function whose transpose is given by another function.

May import ``core``, ``ops``, ``transforms`` and ``control.solves``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from fungrad.control._base import HigherOrderPrimitive, check_callables, flat_operands, trace_function
from fungrad.control.solves import Like
from fungrad.core import dtypes, tree
from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import EVAL, AxisData, state
from fungrad.core.ir import Jaxpr, eval_jaxpr
from fungrad.core.jaxpr_parts import split_list
from fungrad.core.primitive import is_linear
from fungrad.core.source import api_boundary
from fungrad.jit.front.call import jit_p
from fungrad.ops.cast import stop_gradient
from fungrad.ops.foundation import add_any, batch_to, instantiate
from fungrad.transforms.batching import batch_jaxpr
from fungrad.transforms.runtime_checks import Errors, eval_checked, without_checks

T = TypeVar("T")


class _Pair(NamedTuple):
    """The parameters of a linear call, and how its operands are grouped.

    Attributes:
      callee: from ``(*consts, *residuals, *linear)`` to the results.
      transposed: from ``(*consts, *residuals, *cotangents)`` to the cotangents of ``linear``.
      lengths: how many operands are constants of ``callee``, residuals, linear, and constants of ``transposed``.
    """

    callee: Jaxpr
    transposed: Jaxpr
    lengths: tuple[int, int, int, int]

    def operands(self, args: Sequence[T]) -> list[list[T]]:
        """The four groups."""
        return split_list(args, *self.lengths[:3])


class LinearCall(HigherOrderPrimitive):
    """The results of ``callee``; its transpose is the linear call of ``transposed``, whose transpose is this one.

    Operands are the constants of ``callee``, the residuals, the linear operands, and the constants of ``transposed``.
    """

    inline_param = "callee"

    def bind(self, *args: Any, **params: Any) -> Any:
        # At the bottom nothing is transposed any more.
        if state.trace is EVAL:
            return self.interpret(*args, **params)
        return super().bind(*args, **params)

    def abstract_eval(self, *avals: ShapedArray, **params: Any) -> Sequence[ShapedArray]:
        pair = _Pair(**params)
        consts, residuals, linear, _ = pair.operands(avals)
        given = [(a.shape, a.dtype) for a in (*consts, *residuals, *linear)]
        if given != [(a.shape, a.dtype) for a in pair.callee.in_avals]:
            expected = ", ".join(a.str_short() for a in pair.callee.in_avals)
            raise TypeError(f"linear_call: expected operands of types ({expected}), got {avals}")
        return pair.callee.out_avals

    def interpret(self, *args: Any, **params: Any) -> list[Any]:
        callee = params["callee"]
        return eval_jaxpr(callee, (), *args[: len(callee.invars)])

    def lower(self, ctx: Any, *args: Any, **params: Any) -> Any:
        callee = params["callee"]
        return ctx.inline(callee, args[: len(callee.invars)])

    def checked(self, errors: Errors, args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
        # The call stays, with its transpose; the checks are made beside it.
        callee = params["callee"]
        eval_checked(callee, errors, (), *[stop_gradient(x) for x in args[: len(callee.invars)]])
        return self.bind(*args, **{**params, "callee": without_checks(callee, errors.kinds)})

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self._derivative(jit_p.jvp, primals, tangents, params)

    def linearize(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self._derivative(jit_p.linearize, primals, tangents, params)

    def _derivative(
        self, rule: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
    ) -> tuple[list[Any], list[Any]]:
        """The results and their tangents; ``rule`` differentiates ``callee`` in what it is not linear in."""
        pair = _Pair(**params)
        consts, residuals, linear, more = pair.operands(primals)
        const_dots, residual_dots, linear_dots, _ = pair.operands(tangents)
        outs = self.bind(*primals, **params)
        out_dots: list[Any] = [Zero(x.aval.tangent()) for x in outs]
        if any(type(t) is not Zero for t in linear_dots):
            out_dots = self.bind(*consts, *residuals, *map(instantiate, linear_dots), *more, **params)
        if any(type(t) is not Zero for t in (*const_dots, *residual_dots)):
            dots = [*const_dots, *residual_dots, *[Zero(x.aval.tangent()) for x in linear]]
            _, moved = rule([*consts, *residuals, *linear], dots, jaxpr=pair.callee, name="linear_call")
            out_dots = [_sum(a, b) for a, b in zip(out_dots, moved, strict=True)]
        return outs, out_dots

    def transpose(self, cts: Sequence[Any], *args: Any, **params: Any) -> Sequence[Any]:
        pair = _Pair(**params)
        consts, residuals, linear, more = pair.operands(args)
        if any(map(is_linear, (*consts, *residuals, *more))):
            raise TypeError(
                "fungrad.custom_derivatives.linear_call: a transposed function is linear in something else than "
                "linear_args; what fun is linear in must be among them"
            )
        a, b, c, d = pair.lengths
        found = self.bind(
            *more,
            *residuals,
            *map(instantiate, cts),
            *consts,
            callee=pair.transposed,
            transposed=pair.callee,
            lengths=(d, b, len(cts), a),
        )
        cotangents = [ct if is_linear(x) else None for ct, x in zip(found, linear, strict=True)]
        return [*[None] * (a + b), *cotangents, *[None] * d]

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[int | None], **params: Any) -> tuple[Any, Any]:
        pair = _Pair(**params)
        consts, residuals, linear, more = pair.operands(args)
        const_dims, residual_dims, linear_dims, more_dims = pair.operands(dims)
        # Linear operands and results are vectors of two spaces between which the functions go back and forth: all of
        # them are batches.
        linear = [batch_to(x, d, 0, axis) for x, d in zip(linear, linear_dims, strict=True)]
        in_dims = [*const_dims, *residual_dims, *[0] * len(linear)]
        callee, out_dims = batch_jaxpr(pair.callee, axis, in_dims, force_out=True)
        in_dims = [*more_dims, *residual_dims, *[0] * len(out_dims)]
        transposed, _ = batch_jaxpr(pair.transposed, axis, in_dims, force_out=True)
        consts, more = [*callee.consts, *consts], [*transposed.consts, *more]
        outs = self.bind(
            *consts,
            *residuals,
            *linear,
            *more,
            callee=callee.with_consts_as_inputs(),
            transposed=transposed.with_consts_as_inputs(),
            lengths=(len(consts), len(residuals), len(linear), len(more)),
        )
        return outs, [0] * len(outs)


linear_call_p = LinearCall("linear_call")


def _sum(x: Any, y: Any) -> Any:
    if type(x) is Zero or type(y) is Zero:
        return y if type(x) is Zero else x
    return add_any(x, y)


@api_boundary
def linear_call(
    fun: Callable[[Any, Any], Any], fun_transpose: Callable[[Any, Any], Any], residual_args: Any, linear_args: Any
) -> Any:
    """Calls a linear function whose transpose is given, so that reverse mode uses it.

    Whether the functions are transposes of each other is not checked. Both are traced when this is called.

    Args:
      fun: ``fun(residual_args, linear_args)``, linear in the second argument.
      fun_transpose: ``fun_transpose(residual_args, ct)`` for ``ct`` like the result of ``fun``; returns a tree like
        ``linear_args``.
      residual_args: tree of arrays in which the functions need not be linear. Derivatives by them are those of
        ``fun``.
      linear_args: tree of arrays of floating point or complex numbers.

    Returns:
      ``fun(residual_args, linear_args)``.

    Raises:
      TypeError: an argument is not a function, a leaf of ``linear_args`` is not inexact, or ``fun_transpose`` returns
        something else than a tree like ``linear_args``.

    Example:
      >>> import fungrad
      >>> from fungrad.custom_derivatives import linear_call
      >>> def divide(x, d):
      ...   return linear_call(lambda d, x: x / d, lambda d, ct: ct / d, d, x)
      >>> divide(9.0, 3.0)
      Array(3., dtype=float32, weak_type=True)
      >>> fungrad.linear_transpose(lambda x: x + divide(x, 3.0), 1.0)(18.0)
      (Array(24., dtype=float32, weak_type=True),)
    """
    api = "custom_derivatives.linear_call"
    check_callables(api, fun=fun, fun_transpose=fun_transpose)
    residuals, _ = flat_operands(residual_args, api, "residual_args")
    linear, structure = flat_operands(linear_args, api, "linear_args")
    for x, path in zip(linear, tree.leaf_paths(linear_args), strict=True):
        if not dtypes.is_inexact(x.aval.dtype):
            raise TypeError(
                f"fungrad.{api}: linear_args{path} must be floating point or complex, got {x.aval.str_short()}; pass "
                "integers among residual_args"
            )
    avals = [x.aval for x in (*residuals, *linear)]
    callee = trace_function(fun, (residual_args, linear_args), avals, api)
    result = tree.unflatten(callee.out_tree, [0] * callee.out_tree.num_leaves)
    avals = [*[x.aval for x in residuals], *callee.out_avals]
    transposed = trace_function(fun_transpose, (residual_args, result), avals, api)
    Like(api, "linear_args", structure, [x.aval for x in linear]).check("fun_transpose", transposed)
    outs = linear_call_p.bind(
        *callee.consts,
        *residuals,
        *linear,
        *transposed.consts,
        callee=callee.jaxpr,
        transposed=transposed.jaxpr,
        lengths=(len(callee.consts), len(residuals), len(linear), len(transposed.consts)),
    )
    return tree.unflatten(callee.out_tree, outs)
