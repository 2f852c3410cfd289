"""Measure the error and speed of the functions of `vecmath`.

    python -m tools.vecmath_error               # the tables of docs/vecmath.md
    python -m tools.vecmath_error --exhaustive  # every float32 (10 s a function)
    python -m tools.vecmath_error exp log       # these only

`compile_map` is the smallest possible user of `LLVMScalars`: one function, one loop, contiguous
arrays. Tests use it to sweep whole ranges at machine speed. References are NumPy and SciPy in double
for float32, and mpmath for float64; the last two are only needed here and in tests.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from fungrad.core.programs import finish
from fungrad.jit.kernels import vecmath
from fungrad.jit.kernels.scalars import NUMPY_DTYPES, ScalarBuilder, Value, bit_width
from fungrad.jit.llvm.scalar import LLVMScalars, memory_type

ScalarFunction = Callable[..., Value]
INF = float("inf")


@dataclass
class CompiledMap:
    """A scalar function as a loop over contiguous arrays.

    Attributes:
      text: the LLVM module before optimisation.
      instructions: number of LLVM instructions written for one element, without loads and stores.
      seconds: time LLVM took to turn the text into machine code.
    """

    text: str
    instructions: int
    seconds: float
    result: np.dtype
    entry: Callable[..., None]
    engine: object

    def __call__(self, *arrays: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        arrays = tuple(np.ascontiguousarray(a) for a in arrays)
        if out is None:
            out = np.empty(arrays[0].shape, self.result)
        self.entry(out.ctypes.data, *(a.ctypes.data for a in arrays), out.size)
        return out


def loop_text(function: ScalarFunction, types: tuple[str, ...], lanes: int) -> tuple[str, int, str]:
    """LLVM module with `map(out, in0, ..., n)`; also the instruction count and the result type.

    Full vectors come first, then single elements.
    """
    names = count()
    declarations: dict[str, str] = {}
    single = LLVMScalars(names, declarations)
    first = "0"
    if lanes > 1:
        vector = LLVMScalars(names, declarations, lanes=lanes)
        vector.lines = single.lines
        vector.avx512 = _has_avx512()
        _loop(vector, function, types, "0", "%whole")
        first = "%whole"
    instructions, result = _loop(single, function, types, first, "%n")
    parameters = "".join(f"ptr noalias %in{k}, " for k in range(len(types)))
    lines = "\n  ".join(single.lines)
    header = f"define void @map(ptr noalias %out, {parameters}i64 %n) {{"
    text = f"""{header}
entry:
  %whole = and i64 %n, {-lanes}
  {lines}
  ret void
}}
"""
    return "\n".join([*declarations.values(), text]), instructions, result


def _loop(m: LLVMScalars, function: ScalarFunction, types: tuple[str, ...], first: str, last: str) -> tuple[int, str]:
    """Append one loop over [first, last); gives the instruction count and the result type."""
    k = m.lanes
    before, head, body, latch, after = (f"{part}{k}" for part in _LOOP_BLOCKS)
    m.lines += [f"br label %{before}", f"{before}:", f"br label %{head}", f"{head}:"]
    m.lines.append(f"%i{k} = phi i64 [ {first}, %{before} ], [ %next{k}, %{latch} ]")
    m.lines.append(f"%more{k} = icmp slt i64 %i{k}, {last}")
    m.lines += [f"br i1 %more{k}, label %{body}, label %{after}", f"{body}:"]
    arguments = []
    for number, type in enumerate(types):
        place = m.append(f"getelementptr {memory_type(type)}, ptr %in{number}, i64 %i{k}")
        arguments.append(m.load(type, place))
    start = len(m.lines)
    result = function(m, *arguments)
    instructions = len(m.lines) - start
    place = m.append(f"getelementptr {memory_type(result.type)}, ptr %out, i64 %i{k}")
    m.store(result, place)
    m.lines += [f"br label %{latch}", f"{latch}:", f"%next{k} = add i64 %i{k}, {k}"]
    m.lines += [f"br label %{head}", f"{after}:"]
    return instructions, result.type


_LOOP_BLOCKS = ("before", "head", "body", "latch", "after")


def _target_machine() -> llvm.TargetMachine:
    # An execution engine owns its target machine, so every one gets a new one.
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=2, jit=True)


def vector_lanes(types: tuple[str, ...]) -> int:
    """Lanes that fill a vector register of this machine with the widest of the types."""
    return (512 if _has_avx512() else 256) // max(bit_width(t) for t in types)


def _has_avx512() -> bool:
    return bool(llvm.get_host_cpu_features().get("avx512f", False))


def compile_map(function: ScalarFunction, *types: str, lanes: int | None = None) -> CompiledMap:
    """Compile `function(m, *values)` to a loop over contiguous arrays of the given scalar types.

    >>> square = compile_map(lambda m, x: x * x, "f32")
    >>> square(np.array([1.0, 2.0, 3.0], np.float32))
    array([1., 4., 9.], dtype=float32)
    """
    text, instructions, result = loop_text(function, types, lanes or vector_lanes(types))
    start = time.perf_counter()
    module = llvm.parse_assembly(text)
    engine = llvm.create_mcjit_compiler(module, _target_machine())
    engine.finalize_object()
    address = engine.get_function_address("map")
    seconds = time.perf_counter() - start
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(types)), ctypes.c_int64)
    return CompiledMap(text, instructions, seconds, NUMPY_DTYPES[result], prototype(address), engine)


# References


@dataclass(frozen=True)
class Reference:
    """What a function should give, and where to look.

    Attributes:
      double: the function on float64 arrays, within a few units of float64.
      exact: name of the function in `exact_functions`.
      domain: `real`, `positive`, `unit` (|x| <= 1) or `above_one`; where float64 is sampled.
      bounds: largest error in units in the last place, float32 and float64.
    """

    double: Callable[..., np.ndarray]
    exact: str
    domain: str = "real"
    bounds: tuple[float, float] = (2.0, 2.0)


def _logistic(x: np.ndarray) -> np.ndarray:
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, 1.0) / (1.0 + z)


def _half_turns(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x modulo 2 in quarter turns, exactly: (quarter, rest)."""
    x = x - 2.0 * np.rint(x / 2.0)
    quarter = np.rint(2.0 * x)
    return quarter, np.pi * (x - quarter / 2.0)


def _sinpi(x: np.ndarray) -> np.ndarray:
    quarter, rest = _half_turns(x)
    kinds = [quarter % 4 == k for k in range(4)]
    values = [np.sin(rest), np.cos(rest), -np.sin(rest), -np.cos(rest)]
    y = np.select(kinds, values, np.nan)
    return np.where(y == 0, np.copysign(0.0, x), y)


def _cospi(x: np.ndarray) -> np.ndarray:
    quarter, rest = _half_turns(x)
    kinds = [quarter % 4 == k for k in range(4)]
    values = [np.cos(rest), -np.sin(rest), -np.cos(rest), np.sin(rest)]
    return np.select(kinds, values, np.nan) + 0.0


def references() -> dict[str, Reference]:
    """Reference of every function of one argument."""
    from scipy import special

    def digamma(x: np.ndarray) -> np.ndarray:
        return np.where((x == 0) | (x == -np.inf), np.nan, special.psi(x))

    def bessel_i1e(x: np.ndarray) -> np.ndarray:
        return np.copysign(special.i1e(np.abs(x)), x)

    def erf_inv(x: np.ndarray) -> np.ndarray:
        return np.copysign(special.erfinv(np.abs(x)), x)

    def lgamma(x: np.ndarray) -> np.ndarray:
        return np.where(np.isinf(x), np.inf, special.gammaln(x))

    return {
        "acos": Reference(np.arccos, "acos", "unit"),
        "acosh": Reference(np.arccosh, "acosh", "above_one"),
        "asin": Reference(np.arcsin, "asin", "unit"),
        "asinh": Reference(np.arcsinh, "asinh"),
        "atan": Reference(np.arctan, "atan"),
        "atanh": Reference(np.arctanh, "atanh", "unit"),
        "bessel_i0e": Reference(special.i0e, "bessel_i0e", "real", (4.0, 4.0)),
        "bessel_i1e": Reference(bessel_i1e, "bessel_i1e", "real", (4.0, 4.0)),
        "cbrt": Reference(np.cbrt, "cbrt"),
        "cos": Reference(np.cos, "cos"),
        "cosh": Reference(np.cosh, "cosh"),
        "cospi": Reference(_cospi, "cospi"),
        "digamma": Reference(digamma, "digamma", "positive", (2.0, 4.0)),
        "erf": Reference(special.erf, "erf"),
        "erf_inv": Reference(erf_inv, "erfinv", "unit"),
        "erfc": Reference(special.erfc, "erfc"),
        "exp": Reference(np.exp, "exp"),
        "exp2": Reference(np.exp2, "exp2"),
        "expm1": Reference(np.expm1, "expm1"),
        "lgamma": Reference(lgamma, "lgamma", "positive", (2.0, 5.0)),
        "log": Reference(np.log, "log", "positive"),
        "log10": Reference(np.log10, "log10", "positive"),
        "log1p": Reference(np.log1p, "log1p"),
        "log2": Reference(np.log2, "log2", "positive"),
        "logistic": Reference(_logistic, "logistic"),
        "rsqrt": Reference(lambda x: 1.0 / np.sqrt(x), "rsqrt", "positive"),
        "sin": Reference(np.sin, "sin"),
        "sinh": Reference(np.sinh, "sinh"),
        "sinpi": Reference(_sinpi, "sinpi"),
        "softplus": Reference(lambda x: np.logaddexp(0.0, x), "softplus"),
        "sqrt": Reference(np.sqrt, "sqrt", "positive"),
        "tan": Reference(np.tan, "tan"),
        "tanh": Reference(np.tanh, "tanh"),
    }


def binary_references() -> dict[str, Reference]:
    """Reference of every function of two arguments."""
    return {
        "atan2": Reference(np.arctan2, "atan2"),
        "hypot": Reference(np.hypot, "hypot"),
        "logaddexp": Reference(np.logaddexp, "logaddexp"),
        "nextafter": Reference(np.nextafter, "nextafter"),
        "pow": Reference(np.power, "pow"),
    }


def exact_functions() -> dict[str, Callable]:
    """The functions in multiple precision."""
    import mpmath as mp

    mp.mp.dps = 50

    def erfinv(x: mp.mpf) -> mp.mpf:
        if abs(x) == 1:
            return x * mp.inf
        if abs(x) < 0.5:
            return mp.erfinv(x)
        # Newton on log(erfc), which mpmath's own erfinv lacks the digits for near 1
        target = mp.log(1 - abs(x))
        y = mp.sqrt(-target)
        for _ in range(10):
            slope = -2 / mp.sqrt(mp.pi) * mp.exp(-(y**2)) / mp.erfc(y)
            y -= (mp.log(mp.erfc(y)) - target) / slope
        return mp.sign(x) * y

    own: dict[str, Any] = {
        "bessel_i0e": lambda x: mp.besseli(0, x) * mp.exp(-abs(x)),
        "bessel_i1e": lambda x: mp.besseli(1, x) * mp.exp(-abs(x)),
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        "erfc": lambda x: mp.erfc(x) if abs(x) < 100 else mp.mpf(1) - mp.sign(x),
        "erfinv": erfinv,
        "exp2": lambda x: mp.power(2, x),
        "lgamma": lambda x: mp.log(abs(mp.gamma(x))) if x < 0 else mp.loggamma(x),
        "log2": lambda x: mp.log(x) / mp.log(2),
        "log10": lambda x: mp.log(x) / mp.log(10),
        "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        "logistic": lambda x: 1 / (1 + mp.exp(-x)),
        "pow": lambda x, y: mp.power(x, y),
        "rsqrt": lambda x: 1 / mp.sqrt(x),
        "softplus": lambda x: mp.log1p(mp.exp(-abs(x))) + max(x, 0),
    }
    names = {r.exact for r in (references() | binary_references()).values()} - {"nextafter"}
    return {name: own.get(name) or getattr(mp, name) for name in names}


def exact_values(function: Callable, *arguments: np.ndarray) -> np.ndarray:
    """Results in extended precision: the nearest double plus what it lacks; NaN for complex ones."""
    import mpmath as mp

    result = np.empty(arguments[0].shape, np.longdouble)
    for i, row in enumerate(zip(*arguments, strict=True)):
        value = function(*map(mp.mpf, map(float, row)))
        value = mp.nan if isinstance(value, mp.mpc) else mp.mpf(value)
        nearest = float(value)
        rest = float(value - mp.mpf(nearest)) if np.isfinite(nearest) else 0.0
        result[i] = np.longdouble(nearest) + np.longdouble(rest)
    return result


# Errors


def ulp_errors(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """|got - expected| in units in the last place of `got`'s format, at the expected value.

    `expected` has a wider format. A NaN in one place only, an infinity of the wrong sign and a zero
    of the wrong sign count as infinitely wrong; an infinity where the last finite number was
    expected, or the reverse, as one unit more than the distance to the bound.
    """
    type = got.dtype
    largest = np.finfo(type).max
    with np.errstate(all="ignore"):
        rounded = expected.astype(type)
        inside = np.where(np.isfinite(rounded), rounded, np.copysign(largest, rounded))
        unit = np.spacing(np.abs(inside))
        top_unit = largest - np.nextafter(largest, type.type(0))
        unit = np.where(np.isfinite(unit), unit, top_unit).astype(expected.dtype)
        bound = np.copysign(largest.astype(expected.dtype) + unit, got.astype(expected.dtype))
        finite_got = np.where(np.isinf(got), bound, got.astype(expected.dtype))
        bound = np.copysign(largest.astype(expected.dtype) + unit, expected)
        finite_expected = np.where(np.abs(expected) > np.abs(bound), bound, expected)
        error = np.abs(finite_got - finite_expected) / unit
    both_nan = np.isnan(got) & np.isnan(expected)
    wrong_nan = np.isnan(got) != np.isnan(expected)
    wrong_zero = (got == 0) & (expected == 0) & (np.signbit(got) != np.signbit(expected))
    return np.where(both_nan, 0.0, np.where(wrong_nan | wrong_zero, np.inf, error))


def units_off(name: str) -> ScalarFunction:
    """The error of a float32 function against its double version, as a scalar function itself.

    So a sweep runs at machine speed. It trusts the double version, which is compared with multiple
    precision on its own.
    """
    function = vecmath.FUNCTIONS[name]

    def error(m: ScalarBuilder, x: Value) -> Value:
        got, exact = function(m, x), function(m, m.convert(x, "f64"))
        nearest = m.convert(exact, "f32")
        exponent = m.max(m.bitcast(nearest, "u32") & 0x7F800000, m.const(1 << 23, "u32"))
        exponent = m.min(exponent, m.const(254 << 23, "u32"))
        unit = m.convert(m.bitcast(exponent, "f32"), "f64") * 2.0**-23
        limit = m.const(2.0**128, exact)
        held = m.max(-limit, m.min(limit, m.convert(got, "f64")))
        units = m.abs(held - m.max(-limit, m.min(limit, exact))) / unit
        sign = 0x80000000
        got_bits, exact_bits = m.bitcast(got, "u32"), m.bitcast(nearest, "u32")
        other_zero = (got == 0.0) & (exact == 0.0) & (((got_bits ^ exact_bits) & sign) != 0)
        wrong = other_zero | (m.is_nan(got) ^ m.is_nan(exact))
        units = m.select(wrong, INF, units)
        return m.convert(m.select(m.is_nan(got) & m.is_nan(exact), 0.0, units), "f32")

    return error


def all_float32(step: int = 1, chunk: int = 1 << 24) -> Iterator[np.ndarray]:
    """Every float32, or every `step`-th bit pattern, in chunks."""
    for start in range(0, 1 << 32, chunk * step):
        bits = np.arange(start, min(start + chunk * step, 1 << 32), step, dtype=np.uint64)
        yield bits.astype(np.uint32).view(np.float32)


def float64_samples(domain: str, count: int, seed: int = 0) -> np.ndarray:
    """Arguments of all magnitudes, with weight on those that occur and on edges of the domain."""
    random = np.random.default_rng(seed)
    count = max(count // 5, 1)
    signs = random.choice([-1.0, 1.0], count)
    if domain == "unit":
        parts = [
            random.uniform(-1, 1, 3 * count),
            signs * (1 - 2.0 ** random.uniform(-53, 0, count)),
            signs * 2.0 ** random.uniform(-1074, 0, count),
        ]
        return np.concatenate(parts)
    if domain == "above_one":
        parts = [
            1 + 2.0 ** random.uniform(-52, 10, 4 * count),
            2.0 ** random.uniform(0, 1024, count),
        ]
        return np.concatenate(parts)
    anything = random.integers(0, 1 << 64, count, dtype=np.uint64).view(np.float64)
    parts = [
        anything[np.isfinite(anything)],
        random.normal(size=count) * 3,
        random.normal(size=count) * 30,
        random.uniform(-1, 1, count),
        signs * (1 + random.normal(size=count) * 2.0 ** random.uniform(-50, 0, count)),
    ]
    x = np.concatenate(parts)
    return np.abs(x) if domain == "positive" else x


def nanoseconds(compiled: CompiledMap, *arrays: np.ndarray) -> float:
    """Time per element, the best of several runs."""
    out = compiled(*arrays)
    best = np.inf
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(5):
            compiled(*arrays, out=out)
        best = min(best, (time.perf_counter() - start) / 5)
    return best / out.size * 1e9


def float32_error(name: str, step: int = 4099) -> tuple[float, float]:
    """(largest error in units, where) over every `step`-th float32."""
    compiled = compile_map(vecmath.FUNCTIONS[name], "f32")
    reference = references()[name].double
    worst, place = -1.0, np.nan
    for x in all_float32(step):
        with np.errstate(all="ignore"):
            error = ulp_errors(compiled(x), reference(x.astype(np.float64)))
        i = int(np.argmax(error))
        if error[i] > worst:
            worst, place = float(error[i]), float(x[i])
    return worst, place


def float32_error_of_all(name: str) -> tuple[float, float]:
    """(largest error in units, where) over every float32, by the double version of the function."""
    errors = compile_map(units_off(name), "f32", lanes=16)
    worst, place = -1.0, np.nan
    for x in all_float32():
        error = errors(x)
        i = int(np.argmax(error))
        if not error[i] <= worst:
            worst, place = float(error[i]), float(x[i])
    return worst, place


def float64_error(name: str, count: int = 20_000, seed: int = 0) -> tuple[float, float]:
    """(largest error in units, where) over samples, against multiple precision."""
    reference = references()[name]
    x = float64_samples(reference.domain, count, seed)
    expected = exact_values(exact_functions()[reference.exact], x)
    got = compile_map(vecmath.FUNCTIONS[name], "f64")(x)
    # multiple precision has no signed zeros
    expected = np.where(expected == 0, np.copysign(expected, got), expected)
    error = ulp_errors(got, expected)
    i = int(np.argmax(error))
    return float(error[i]), float(x[i])


def table_rows(names: list[str], step: int, count: int) -> Iterator[str]:
    """Lines of the table of docs/vecmath.md."""
    columns = ["error", "at", "ns", "instructions"]
    header = ["function", *(f"float32: {c}" for c in columns), *(f"float64: {c}" for c in columns)]
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join('---' for _ in header)} |"
    for name in names:
        cells = [name]
        for type, (error, place) in (
            ("f32", float32_error(name, step) if step > 1 else float32_error_of_all(name)),
            ("f64", float64_error(name, count)),
        ):
            compiled = compile_map(vecmath.FUNCTIONS[name], type)
            x = float64_samples(references()[name].domain, 500_000)
            x = x[np.abs(x) < 100.0][:100_000].astype(NUMPY_DTYPES[type])
            cells += [f"{error:.3f}", f"{place:.9g}", f"{nanoseconds(compiled, x):.2f}"]
            cells.append(str(compiled.instructions))
        yield f"| {' | '.join(cells)} |"


def replace_table(document: Path, table: str) -> None:
    """Put a table between the two comments that mark its place."""
    text = document.read_text()
    start = text.index("-->\n", text.index("<!-- table:")) + len("-->\n")
    document.write_text(f"{text[:start]}{table}\n{text[text.index('<!-- end -->') :]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="functions; all of one argument when none is given")
    parser.add_argument("--exhaustive", action="store_true", help="try every float32")
    parser.add_argument("--samples", type=int, default=20_000, help="float64 arguments a function")
    parser.add_argument("--write", type=Path, help="put the table into this document instead")
    arguments = parser.parse_args()
    names = arguments.names or list(references())
    unknown = [name for name in names if name not in references()]
    if unknown:
        parser.error(f"no reference for {', '.join(unknown)}; there are {', '.join(references())}")
    rows = table_rows(names, 1 if arguments.exhaustive else 1021, arguments.samples)
    if arguments.write:
        replace_table(arguments.write, "\n".join(rows))
    else:
        for line in rows:
            print(line, flush=True)


if __name__ == "__main__":
    finish(main)
