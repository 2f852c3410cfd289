"""Reductions over sliding windows: sum, maximum and minimum, and the derivative of the extrema.

The tangent of a maximum over windows is the tangent of the element that is chosen in each window
(``select_and_gather_add``); transposed, each cotangent goes to the element that is chosen
(``select_and_scatter_add``). Both are linear in the first operand and constant in the second, so that
derivatives of any order are made of them.

May import ``core``, ``ops._operands``, ``ops.sliding``, ``ops.sliding_lowering``, ``ops.foundation``,
``ops.reduce`` and ``ops.shape``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fungrad.core.avals import ShapedArray, Zero
from fungrad.core.context import AxisData
from fungrad.core.primitive import Primitive
from fungrad.ops._operands import MANY, check_kind, double, kind_of, scalar_array
from fungrad.ops.foundation import batch_to, zeros
from fungrad.ops.reduce import NEUTRAL, highest, lowest
from fungrad.ops.shape import pad_p
from fungrad.ops.sliding import DIRECT, Sliding, dilated, padded, result_aval, slices_at, sliding
from fungrad.ops.sliding_lowering import lower_fold, lower_gather, lower_scatter, lower_spread_sum


def _wide(dtype: np.dtype, terms: int = 1) -> np.dtype:
    """The dtype in which sums are kept: half precision is too coarse to accumulate in, and single for many terms."""
    if terms > MANY:
        return double(dtype)
    return np.dtype(np.float32) if dtype.itemsize <= 2 and kind_of(dtype) == "f" else dtype


# -- sum, maximum, minimum -------------------------------------------------------------------------


class ReduceWindow(Primitive):
    """Combines the elements of each window; places without an element do not count.

    Args:
      name: name of the primitive.
      ufunc: NumPy function of two elements.
      monoid: name of the combination.
      accepts: letters of the accepted dtype kinds.
    """

    quiet = True

    def __init__(self, name: str, ufunc: np.ufunc, monoid: str, accepts: str):
        super().__init__(name)
        self.ufunc = ufunc
        self.monoid = monoid
        self.accepts = accepts

    def abstract_eval(self, x: ShapedArray, **params: Any) -> ShapedArray:
        check_kind(self.name, x, self.accepts)
        return result_aval(x, params)

    def impl(self, x: np.ndarray, **params: Any) -> np.ndarray:
        s = sliding(x.shape, **params)
        dtype = _wide(x.dtype, s.count) if self.monoid == "add" else x.dtype
        out = x.astype(dtype, copy=False)
        for step in [s] if s.count <= DIRECT else s.one_by_one():
            out = self._fold(out, step)
        return np.ascontiguousarray(out.astype(x.dtype, copy=False)).reshape(s.result)

    def _fold(self, x: np.ndarray, s: Sliding) -> np.ndarray:
        neutral = NEUTRAL[self.monoid](x.dtype)
        out = np.full(s.result, neutral, x.dtype)
        if out.size:
            x = padded(x, s, neutral)
            for k in s.positions:
                self.ufunc(out, x[slices_at(s, k)], out=out)
        return out

    def batch(self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (x,), (d,) = args, dims
        shape = tuple([n for e, n in enumerate(x.aval.shape) if e != d])
        return self.bind(x, **sliding(shape, **params).widened(d)), d

    def lower(self, ctx: Any, x: Any, **params: Any) -> Any:
        s = sliding(x.shape, **params)
        if self.monoid == "add" and max(s.base_dilation, default=1) > 1 and max(s.window_strides, default=1) == 1:
            return lower_spread_sum(ctx, x, s)
        return lower_fold(ctx, x, s, self.monoid, NEUTRAL[self.monoid](x.dtype))


class ReduceWindowSum(ReduceWindow):
    """The sum over windows; its transpose is another one."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        return self.bind(*primals, **params), self.bind(*tangents, **params)

    def transpose(self, ct: Any, x: Any, **params: Any) -> Sequence[Any]:
        s = sliding(x.aval.shape, **params)
        pairs = []
        for n, m, k, step, (low, _), b, w in zip(
            s.operand, s.result, s.window_dimensions, s.window_strides, s.padding, s.base_dilation,
            s.window_dilation, strict=True,
        ):  # fmt: skip
            # Element `i` takes part in the results at `i * b + low - k * w` for all `k`, in units of the result spread
            # by the strides: windows the other way round.
            before = (k - 1) * w - low
            pairs.append((before, (n - 1) * b + (k - 1) * w + 1 - before - dilated(m, step)))
        if 0 in s.operand or 0 in s.result:
            return (zeros(x.aval),)
        out = self.bind(
            ct,
            window_dimensions=s.window_dimensions,
            window_strides=s.base_dilation,
            padding=tuple(pairs),
            base_dilation=s.window_strides,
            window_dilation=s.window_dilation,
        )
        return (out,)


class ReduceWindowExtremum(ReduceWindow):
    """Maximum or minimum over windows; the derivative is that of the first element of those that are equal to it."""

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        y = self.bind(x, **params)
        s = sliding(x.aval.shape, **params)
        if max(s.base_dilation, default=1) > 1:
            config = tuple([(0, 0, b - 1) for b in s.base_dilation])
            worst = (lowest if self.monoid == "max" else highest)(x.aval.dtype)
            x = pad_p.bind(x, scalar_array(worst, x.aval.dtype), padding_config=config)
            t = pad_p.bind(t, scalar_array(0, x.aval.dtype), padding_config=config)
            s = s.undilated()
        return y, select_and_gather_add_p.bind(t, x, **_selection(s, "ge" if self.monoid == "max" else "le"))


def _selection(s: Sliding, select: str) -> dict[str, Any]:
    params = s.params
    del params["base_dilation"]
    return {"select_prim": select, **params}


reduce_window_sum_p = ReduceWindowSum("reduce_window_sum", np.add, "add", "iufc")
reduce_window_max_p = ReduceWindowExtremum("reduce_window_max", np.maximum, "max", "biuf")
reduce_window_min_p = ReduceWindowExtremum("reduce_window_min", np.minimum, "min", "biuf")


# -- derivative of extrema -------------------------------------------------------------------------


def _windows(shape: Sequence[int], params: dict[str, Any]) -> Sliding:
    return sliding(shape, base_dilation=(1,) * len(shape), **params)


def _choice(x: np.ndarray, s: Sliding, select: str) -> np.ndarray:
    """Number of the chosen position in each window: the first greatest (least) element.

    An element takes the place of the one before it unless that compares ``>=`` (``<=``), as in XLA; so NaN gives way
    to whatever follows.
    """
    worst = (lowest if select == "ge" else highest)(x.dtype)
    keeps = np.greater_equal if select == "ge" else np.less_equal
    x = padded(x, s, worst)
    best, choice = None, np.zeros(s.result, np.int32)
    for number, k in enumerate(s.positions):
        value = x[slices_at(s, k)]
        if best is None:
            best = value.copy()
            continue
        stays = keeps(best, value)
        np.copyto(best, value, where=~stays)
        choice[~stays] = number
    return choice


class Selection(Primitive):
    """What the two derivatives of extrema over windows share: linear in the first of two operands.

    ``select_prim`` is ``"ge"`` for the derivative of a maximum and ``"le"`` for that of a minimum.
    """

    quiet = True

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        y = self.bind(*primals, **params)
        if type(tangents[0]) is Zero:
            return y, Zero(y.aval.tangent())
        return y, self.bind(tangents[0], primals[1], **params)

    def batch(
        self, axis: AxisData, args: Sequence[Any], dims: Sequence[Any], *, select_prim: str, **params: Any
    ) -> tuple[Any, Any]:
        moved = [batch_to(x, d, 0, axis) for x, d in zip(args, dims, strict=True)]
        wide = _windows(moved[1].aval.shape[1:], params).widened(0)
        del wide["base_dilation"]
        return self.bind(*moved, select_prim=select_prim, **wide), 0


class SelectAndGatherAdd(Selection):
    """The tangent of the chosen element of each window of ``operand``; 0 where a place without element is chosen."""

    def abstract_eval(
        self, tangents: ShapedArray, operand: ShapedArray, *, select_prim: str, **params: Any
    ) -> ShapedArray:
        check_kind(self.name, operand, "f", 1)
        if tangents.shape != operand.shape or tangents.dtype != operand.dtype:
            raise TypeError(
                f"fungrad.lax.{self.name}: tangents and operand must have the same type, got {tangents.str_short()} "
                f"and {operand.str_short()}"
            )
        return ShapedArray(_windows(operand.shape, params).result, operand.dtype)

    def impl(self, tangents: np.ndarray, operand: np.ndarray, *, select_prim: str, **params: Any) -> np.ndarray:
        s = _windows(operand.shape, params)
        out = np.zeros(s.result, tangents.dtype)
        if out.size:
            choice = _choice(operand, s, select_prim)
            tangents = padded(tangents, s, 0)
            for number, k in enumerate(s.positions):
                np.copyto(out, tangents[slices_at(s, k)], where=choice == number)
        return out

    def transpose(
        self, ct: Any, tangents: Any, operand: Any, *, select_prim: str, **params: Any
    ) -> Sequence[Any]:
        return select_and_scatter_add_p.bind(ct, operand, select_prim=select_prim, **params), None

    def lower(self, ctx: Any, tangents: Any, operand: Any, *, select_prim: str, **params: Any) -> Any:
        s = _windows(operand.shape, params)
        worst = (lowest if select_prim == "ge" else highest)(operand.dtype)
        return lower_gather(ctx, tangents, operand, s, select_prim, worst)


class SelectAndScatterAdd(Selection):
    """For each window of ``operand`` the element of ``source`` is added to the place of the chosen element."""

    def abstract_eval(
        self, source: ShapedArray, operand: ShapedArray, *, select_prim: str, **params: Any
    ) -> ShapedArray:
        check_kind(self.name, operand, "f", 1)
        wanted = ShapedArray(_windows(operand.shape, params).result, operand.dtype)
        if source.shape != wanted.shape or source.dtype != wanted.dtype:
            raise TypeError(
                f"fungrad.lax.{self.name}: source must have one element per window, {wanted.str_short()}, got "
                f"{source.str_short()}"
            )
        return ShapedArray(operand.shape, operand.dtype)

    def impl(self, source: np.ndarray, operand: np.ndarray, *, select_prim: str, **params: Any) -> np.ndarray:
        s = _windows(operand.shape, params)
        wide = _wide(operand.dtype)
        out = padded(np.zeros(operand.shape, wide), s, 0)
        if source.size and operand.size:
            choice = _choice(operand, s, select_prim)
            for number, k in enumerate(s.positions):
                out[slices_at(s, k)] += np.where(choice == number, source, np.zeros((), source.dtype))
        back = tuple([(-low, -high, 0) for low, high in s.padding])
        if any(p != (0, 0) for p in s.padding):
            out = np.asarray(pad_p.impl(out, np.zeros((), wide), padding_config=back))
        return np.ascontiguousarray(out.astype(operand.dtype, copy=False)).reshape(operand.shape)

    def transpose(self, ct: Any, source: Any, operand: Any, *, select_prim: str, **params: Any) -> Sequence[Any]:
        return select_and_gather_add_p.bind(ct, operand, select_prim=select_prim, **params), None

    def lower(self, ctx: Any, source: Any, operand: Any, *, select_prim: str, **params: Any) -> Any:
        s = _windows(operand.shape, params)
        worst = (lowest if select_prim == "ge" else highest)(operand.dtype)
        return lower_scatter(ctx, source, operand, s, select_prim, worst)


select_and_gather_add_p = SelectAndGatherAdd("select_and_gather_add")
select_and_scatter_add_p = SelectAndScatterAdd("select_and_scatter_add")
