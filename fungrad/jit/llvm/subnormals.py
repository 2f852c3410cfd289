"""Flushing of subnormal numbers to zero, for programs compiled with the option `flush_subnormals`.

Processors take a hundred cycles for an operation with a subnormal operand or result, so a program whose exponentials
fade out can be ten times slower than it need be. Under the option the control register of the floating point unit is
set for the time of a call (and of each piece of work on another thread), and back before Python runs again.
"""

from __future__ import annotations

from collections.abc import Callable

# Bits of the control register by instruction set: treat subnormal operands as zero and flush subnormal results.
_X86_BITS = 0x8040
_ARM_BITS = 1 << 24

Register = Callable[[str], str]


def switch(flush: bool, arm: bool, register: Register, declarations: dict[str, str]) -> tuple[list[str], list[str]]:
    """Lines that start to flush (or to keep) subnormal numbers, and lines that restore what was before.

    Args:
      flush: whether to flush.
      arm: for AArch64 instead of x86.
      register: gives names of new registers.
      declarations: of the module, added to.
    """
    if arm:
        declarations["@llvm.aarch64.get.fpcr"] = "declare i64 @llvm.aarch64.get.fpcr()"
        declarations["@llvm.aarch64.set.fpcr"] = "declare void @llvm.aarch64.set.fpcr(i64)"
        before, new = register("%mode"), register("%mode")
        start = [
            f"{before} = call i64 @llvm.aarch64.get.fpcr()",
            f"{new} = {_operation('i64', before, _ARM_BITS, flush)}",
            f"call void @llvm.aarch64.set.fpcr(i64 {new})",
        ]
        return start, [f"call void @llvm.aarch64.set.fpcr(i64 {before})"]
    for name in ("stmxcsr", "ldmxcsr"):
        declarations[f"@llvm.x86.sse.{name}"] = f"declare void @llvm.x86.sse.{name}(ptr)"
    before, place, bits, new = (register("%mode") for _ in range(4))
    start = [
        f"{before} = alloca i32, align 4",
        f"{place} = alloca i32, align 4",
        f"call void @llvm.x86.sse.stmxcsr(ptr {before})",
        f"{bits} = load i32, ptr {before}, align 4",
        f"{new} = {_operation('i32', bits, _X86_BITS, flush)}",
        f"store i32 {new}, ptr {place}, align 4",
        f"call void @llvm.x86.sse.ldmxcsr(ptr {place})",
    ]
    return start, [f"call void @llvm.x86.sse.ldmxcsr(ptr {before})"]


def _operation(type: str, register: str, bits: int, on: bool) -> str:
    """Switches bits on or off."""
    return f"or {type} {register}, {bits}" if on else f"and {type} {register}, {~bits}"


def flushing(function: str, arm: bool, register: Register, declarations: dict[str, str]) -> str:
    """A function over a range that calls another one while subnormal numbers are flushed."""
    start, stop = switch(True, arm, register, declarations)
    header = f"define internal void @{function}.flushing(ptr %table, i64 %begin, i64 %end) #0 {{"
    call = f"call void @{function}(ptr %table, i64 %begin, i64 %end)"
    return "\n".join([header, "entry:", *start, call, *stop, "ret void", "}"])


def keeping_host(arm: bool, register: Register, declarations: dict[str, str]) -> str:
    """The function `host.keeping`, which calls Python with subnormal numbers kept."""
    start, stop = switch(False, arm, register, declarations)
    header = "define internal i32 @host.keeping(i32 %number, ptr %table) #0 {"
    call = "%status = call i32 @fg_host(i32 %number, ptr %table)"
    return "\n".join([header, "entry:", *start, call, *stop, "ret i32 %status", "}"])
