"""Functions that LLVM calls on processors without an instruction for something, and that no library here provides.

Half precision: processors without F16C convert through `__extendhfsf2` and `__truncsfhf2` of the compiler's run-time
library.
"""

from __future__ import annotations

# Widening: exponent and fraction move up by 13 bits, a product rebuilds the exponent (also of subnormal numbers).
# Narrowing: to nearest even, by adding just under half a unit; subnormal results by adding 0.5, which leaves the
# rounded fraction in the low bits.
_HALVES = """
define weak hidden float @__extendhfsf2(half %x) #0 {
  %h = bitcast half %x to i16
  %w = zext i16 %h to i32
  %sign16 = and i32 %w, 32768
  %sign = shl i32 %sign16, 16
  %rest = and i32 %w, 32767
  %moved = shl i32 %rest, 13
  %small = bitcast i32 %moved to float
  %scaled = fmul float %small, 0x46F0000000000000
  %finite = bitcast float %scaled to i32
  %special = or i32 %moved, 2139095040
  %is_special = icmp uge i32 %rest, 31744
  %bits = select i1 %is_special, i32 %special, i32 %finite
  %signed = or i32 %bits, %sign
  %y = bitcast i32 %signed to float
  ret float %y
}
define weak hidden half @__truncsfhf2(float %x) #0 {
  %w = bitcast float %x to i32
  %top = lshr i32 %w, 16
  %sign = and i32 %top, 32768
  %a = and i32 %w, 2147483647
  %last = lshr i32 %a, 13
  %odd = and i32 %last, 1
  %lower = sub i32 %a, 939520001
  %rounded = add i32 %lower, %odd
  %normal = lshr i32 %rounded, 13
  %af = bitcast i32 %a to float
  %shifted = fadd float %af, 0.5
  %shifted_bits = bitcast float %shifted to i32
  %subnormal = sub i32 %shifted_bits, 1056964608
  %is_subnormal = icmp ult i32 %a, 947912704
  %finite = select i1 %is_subnormal, i32 %subnormal, i32 %normal
  %is_large = icmp uge i32 %a, 1199566848
  %bounded = select i1 %is_large, i32 31744, i32 %finite
  %fraction = and i32 %last, 1023
  %quiet = or i32 %fraction, 32256
  %is_nan = icmp ugt i32 %a, 2139095040
  %bits = select i1 %is_nan, i32 %quiet, i32 %bounded
  %signed = or i32 %bits, %sign
  %h = trunc i32 %signed to i16
  %y = bitcast i16 %h to half
  ret half %y
}
"""


def support_text(text: str, soft_half: bool) -> str:
    """Definitions that a module needs.

    Args:
      text: of the module.
      soft_half: the processor cannot convert half precision.
    """
    return _HALVES if soft_half and "half" in text else ""
