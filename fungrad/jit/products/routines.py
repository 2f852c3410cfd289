"""Routines on buffers: the one table of what a `loops.Call` may call.

gemm    inputs a (..., m, k), b (..., k, n); output c (..., m, n), dense in its last two dimensions; leading
        dimensions are batch dimensions, with stride 0 where an operand is repeated. A transposed operand is a view
        with swapped strides. Attributes: `beta` (0 or 1; 1 adds to c), `conjugate` (names of operands "a", "b").
copy    input and output dense and of equal size
fill    output dense; attribute `byte`
conv, conv_each, conv_deep, conv_deep_each    see `products.convolution`
kernel  see `llvm.linking`
sort, topk    see `llvm.sorting` and `llvm.topk`
library    see `llvm.library_calls`
fft     see `llvm.fourier`
"""

from __future__ import annotations

from fungrad.jit.ir import convolutions, tuning
from fungrad.jit.ir.loops import Affine, Call
from fungrad.jit.ir.products import CONVOLUTIONS, fits, work
from fungrad.jit.llvm import library_calls
from fungrad.jit.llvm.fourier import emit_fft
from fungrad.jit.llvm.linking import emit_array
from fungrad.jit.llvm.sorting import emit_sort
from fungrad.jit.llvm.topk import emit_topk
from fungrad.jit.llvm.writer import ProgramWriter
from fungrad.jit.products.blas import BlasProduct
from fungrad.jit.products.convolution import emit_conv, emit_conv_deep, emit_conv_deep_each
from fungrad.jit.products.products import Product


def is_long(call: Call) -> bool:
    """Whether a call takes long compared with handing over the interpreter lock."""
    if call.routine == "gemm":
        return work(call) > tuning.RELEASED_PRODUCT
    if call.routine in CONVOLUTIONS:
        return convolutions.work(call) > tuning.RELEASED_CONVOLUTION
    return call.routine == "library" and library_calls.is_long(call)


def emit(program: ProgramWriter, call: Call) -> None:
    """Write a call into the function `run`."""
    ROUTINES[call.routine](program, call)


def _gemm(program: ProgramWriter, call: Call) -> None:
    if 0 in call.outputs[0].shape:
        return
    if fits(program.program, call):
        Product(program, call).emit()
    else:
        BlasProduct(program, call).emit()


def _copy(program: ProgramWriter, call: Call) -> None:
    """Move dense bytes."""
    source, target = call.inputs[0], call.outputs[0]
    size = program.program.buffers[target.buffer].dtype.itemsize
    for n in target.shape:
        size *= n
    if size == 0:
        return
    a, b = (program.address(v.buffer, Affine.of(v.offset)) for v in (source, target))
    program.module.declarations["@llvm.memmove.p0.p0.i64"] = "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)"
    program.lines.append(f"call void @llvm.memmove.p0.p0.i64(ptr {b}, ptr {a}, i64 {size}, i1 false)")


def _fill(program: ProgramWriter, call: Call) -> None:
    """Set every byte."""
    target = call.outputs[0]
    size = program.program.buffers[target.buffer].dtype.itemsize
    for n in target.shape:
        size *= n
    at = program.address(target.buffer, target.offset)
    program.module.declarations["@llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    byte = call.attributes.get("byte", 0)
    program.lines.append(f"call void @llvm.memset.p0.i64(ptr {at}, i8 {byte}, i64 {size}, i1 false)")


# What writes a call.
ROUTINES = {
    "gemm": _gemm,
    "conv": emit_conv,
    "conv_each": emit_conv,
    "conv_deep": emit_conv_deep,
    "conv_deep_each": emit_conv_deep_each,
    "copy": _copy,
    "fill": _fill,
    "kernel": emit_array,
    "sort": emit_sort,
    "topk": emit_topk,
    "library": library_calls.emit_library,
    "fft": emit_fft,
}
