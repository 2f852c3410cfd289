"""Speculative fast paths: compute plainly, and once more with care where numbers left their range on the way.

While subnormal numbers are flushed, what leaves the range of numbers cannot come back: infinity and nan stay, and so
does 0. So whether a product has been all right can be seen at its end, and its factors are simply multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fungrad.jit.kernels.scalars import Value
from fungrad.jit.llvm.writer import NestWriter

# The bits of the fraction and the greatest exponent of a normal number.
_FORMATS = {"f32": ("u32", 23, 254), "f64": ("u64", 52, 2046)}


def normal(x: Value) -> Value:
    """Whether numbers are normal: not 0, subnormal, infinite, or nan."""
    m = x.m
    bits, fraction, greatest = _FORMATS[x.type]
    # without the sign, and with exponents that start from 0
    shifted = (m.bitcast(x, bits) << 1) - (2 << fraction)
    return m.compare("lt", shifted, m.const(greatest * (2 << fraction), bits))


def attempt(
    nest: NestWriter, fine: Sequence[Value], plain: Sequence[Value], again: Callable[[], Sequence[Value]]
) -> list[Value]:
    """Values, computed again unless conditions hold in all lanes.

    Args:
      nest: that is being written.
      fine: the conditions.
      plain: the values if they hold.
      again: writes what computes the values otherwise.
    """
    conditions = [nest.any_lane(~f) for f in fine]
    wrong = conditions[0]
    for c in conditions[1:]:
        wrong = nest.scalar.operand(f"or i1 {wrong}, {c}")
    redo, leave = nest.label("again"), nest.label("joined")
    before, saved = nest.block, nest.save()
    nest.lines.append(f"br i1 {wrong}, label %{redo}, label %{leave}")
    nest.start(redo)
    careful = again()
    end = nest.block
    nest.lines.append(f"br label %{leave}")
    nest.restore(saved)
    nest.start(leave)
    joined = []
    for a, b in zip(plain, careful, strict=True):
        text = f"phi {a.m.llvm(a.type)} [ {a.raw}, %{before} ], [ {b.raw}, %{end} ]"
        joined.append(a.m.value(a.type, a.m.append(text)))
    return joined
