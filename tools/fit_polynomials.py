"""Fit the polynomials of `fungrad.jit.kernels.vecmath` and write them to its coefficients.py.

    python tools/fit_polynomials.py              # refit everything (a minute), rewrite the file
    python tools/fit_polynomials.py EXP LOG      # refit these only
    python tools/fit_polynomials.py --check EXP  # refit these, compare with the file only

Every table is a minimax fit (Remez exchange, in multiple precision) of the function named in
`FITS`, weighted so that the error that counts is the one of the final result. Coefficients are
rounded to their format one after another, lowest order first, and after each the remaining ones
are rebalanced by a linear programme, which recovers most of what plain rounding would lose.

Needs mpmath, which fungrad itself does not.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath as mp
import numpy as np
from scipy.optimize import linprog

from fungrad.core.programs import finish

mp.mp.dps = 90
OUTPUT = Path(__file__).parent.parent / "fungrad/jit/kernels/vecmath/coefficients.py"
Function = Callable[[mp.mpf], mp.mpf]
NUMPY_TYPES = {"f32": np.float32, "f64": np.float64}


@dataclass
class Fit:
    """One polynomial: `target(x) ~ sum c[i] x**i` on [low, high], with `weight * error` levelled.

    `terms` gives the number of coefficients by format; `low` and `high` may depend on it too.
    A `wide` one is evaluated in double for float32 results.
    """

    about: str
    target: Function
    low: object
    high: object
    terms: dict[str, int]
    weight: Function = lambda x: mp.mpf(1)
    wide: bool = False


def extrema(error: Function, low, high, count: int) -> list[tuple[mp.mpf, mp.mpf]]:
    """Alternating extrema of an error curve: (position, value), at most `count` of them."""
    samples = 24 * count
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * mp.cos(mp.pi * i / samples) for i in range(samples + 1)]
    values = [error(x) for x in points]
    groups: list[tuple[mp.mpf, mp.mpf]] = []
    for x, v in zip(points, values, strict=True):
        if groups and (groups[-1][1] > 0) == (v > 0):
            if abs(v) > abs(groups[-1][1]):
                groups[-1] = (x, v)
        else:
            groups.append((x, v))
    while len(groups) > count:
        groups.pop(0 if abs(groups[0][1]) < abs(groups[-1][1]) else -1)
    return groups


def remez(target: Function, weight: Function, low: mp.mpf, high: mp.mpf, terms: int):
    """Coefficients of the polynomial with the least maximal weighted error."""
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle - half * mp.cos(mp.pi * (i + 0.01) / (terms + 0.02)) for i in range(terms + 1)]
    coefficients: list[mp.mpf] = []
    for _ in range(12):
        rows, right = [], []
        for i, x in enumerate(nodes):
            w = weight(x)
            rows.append([w * x**j for j in range(terms)] + [mp.mpf((-1) ** i)])
            right.append(w * target(x))
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix(right))
        coefficients = [solution[j] for j in range(terms)]

        def error(x, coefficients=coefficients):
            return weight(x) * (target(x) - mp.polyval(coefficients[::-1], x))

        found = extrema(error, low, high, terms + 1)
        size = [abs(v) for _, v in found]
        if len(found) < terms + 1 or max(size) < min(size) * mp.mpf("1.01"):
            break
        nodes = [x for x, _ in found]
    return coefficients


def rebalanced(error: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Corrections d that minimise max |error - columns @ d|, by linear programming."""
    size = np.abs(error).max()
    error = error / size
    basis, triangle = np.linalg.qr(columns)  # powers are nearly dependent, their combinations not
    count, terms = basis.shape
    basis *= np.sqrt(count)
    bound = -np.ones((count, 1))
    solution = linprog(
        np.r_[np.zeros(terms), 1.0],
        A_ub=np.block([[basis, bound], [-basis, bound]]),
        b_ub=np.r_[error, -error],
        bounds=[(None, None)] * (terms + 1),
    )
    if not solution.success:
        raise RuntimeError(f"fit_polynomials: linear programme failed: {solution.message}")
    return np.linalg.solve(triangle, solution.x[:-1] * np.sqrt(count)) * size


def rounded(value: mp.mpf, type: str) -> float:
    return float(np.float32(float(value))) if type == "f32" else float(value)


def memoised(function: Function) -> Function:
    known: dict[mp.mpf, mp.mpf] = {}

    def call(x):
        if x not in known:
            known[x] = function(x)
        return known[x]

    return call


def run(fit: Fit, type: str) -> tuple[list[float], float]:
    """Coefficients rounded to the format, and the bound of the weighted error they reach."""
    low, high = (mp.mpf(v[type] if isinstance(v, dict) else v) for v in (fit.low, fit.high))
    terms = fit.terms[type]
    target = memoised(fit.target)
    # A weight that vanishes somewhere (relative errors at a zero do) leaves the exchange without a
    # hold there, so it is kept above a hundredth of its maximum.
    least = max(abs(fit.weight(low + (high - low) * i / 64)) for i in range(65)) / 100
    weight = memoised(lambda x: max(abs(fit.weight(x)), least))
    exact = remez(target, weight, low, high, terms)
    points = [low + (high - low) * (1 - mp.cos(mp.pi * (i + 0.5) / 600)) / 2 for i in range(600)]
    powers = np.array([[float(fit.weight(x) * x**j) for j in range(terms)] for x in points])

    def errors(coefficients) -> np.ndarray:
        return np.array([float(fit.weight(x) * (target(x) - mp.polyval(coefficients[::-1], x))) for x in points])

    kept = "f64" if fit.wide else type
    for k in range(terms):
        exact[k] = mp.mpf(rounded(exact[k], kept))
        if k + 1 < terms:
            moves = rebalanced(errors(exact), powers[:, k + 1 :])
            exact[k + 1 :] = [c + mp.mpf(d) for c, d in zip(exact[k + 1 :], moves, strict=True)]
    return [float(c) for c in exact], float(np.abs(errors(exact)).max())


def tail(function: Function, known: list, power: int = 1) -> Function:
    """What remains of a series: (function(x) - sum known[i] x**i) / x**len(known), also near 0.

    With `power=2` the result is a function of x**2, and `function` is odd or even.
    """
    order = len(known)
    polynomial = [mp.mpf(c) for c in known[::-1]] or [mp.mpf(0)]

    def divided(z):
        z = max(z, mp.mpf(10) ** -18) if power == 2 else z
        x = mp.sqrt(z) if power == 2 else z
        x = mp.mpf(10) ** -18 if abs(x) < mp.mpf(10) ** -18 else x
        return (function(x) - mp.polyval(polynomial, x)) / x**order

    return divided


LN2 = mp.log(2)


def root(z):
    """Square root of z, of something very small where z is 0."""
    return mp.sqrt(max(z, mp.mpf(10) ** -30))


def inverse_erfc_ratio(s):
    """y / s where erfc(y) = exp(-s**2), by Newton's method on the logarithm."""
    y = s
    for _ in range(12):
        slope = -2 / mp.sqrt(mp.pi) * mp.exp(-(y**2)) / mp.erfc(y)
        y -= (mp.log(mp.erfc(y)) + s**2) / slope
    return y / s


def away(v):
    """v, kept off 0, where a quotient by it is not defined."""
    return mp.mpf(10) ** -20 if abs(v) < mp.mpf(10) ** -20 else v


def lgamma_quotient(x):
    below, above = away(x - 1), away(x - 2)
    return mp.loggamma(1 + below if abs(below) < 0.5 else 2 + above) / (below * above)


def stirling_rest(z):
    return mp.loggamma(z) - (z - mp.mpf(1) / 2) * (mp.log(z) - 1) - LGAMMA_OFFSET


LGAMMA_OFFSET = (mp.log(2 * mp.pi) - 1) / 2
DIGAMMA_ZERO = mp.findroot(mp.digamma, 1.4616)


def digamma_quotient(x):
    x = DIGAMMA_ZERO + away(x - DIGAMMA_ZERO)
    return mp.digamma(x) / (x - DIGAMMA_ZERO)


def erfcx_scaled(x):
    return mp.exp(x**2) * mp.erfc(x) * (1 + 2 * x)


HALF_PI_SLACK = (mp.pi / 4 * mp.mpf("1.01")) ** 2
SQRT_TWO = mp.sqrt(2) - 1


def atanh_tail(z):
    """(2 atanh(s)/s - 2) / s**2 as a function of z = s**2."""
    s = mp.sqrt(max(z, mp.mpf(10) ** -18))
    return (2 * mp.atanh(s) / s - 2) / s**2


FITS: dict[str, Fit] = {
    "EXP": Fit(
        "exp(r) = 1 + r P(r), |r| <= log(2) / 2",
        tail(mp.exp, [1]),
        -LN2 * mp.mpf("0.501"),
        LN2 * mp.mpf("0.501"),
        {"f32": 6, "f64": 11},
        lambda r: r / mp.exp(r),
    ),
    "EXP2": Fit(
        "exp2(r) = 1 + r P(r), |r| <= 1/2",
        tail(lambda r: mp.power(2, r), [1]),
        mp.mpf("-0.501"),
        mp.mpf("0.501"),
        {"f32": 6, "f64": 11},
        lambda r: r / mp.power(2, r),
    ),
    "EXPM1": Fit(
        "expm1(r) = r + r**2 P(r), |r| <= log(2) / 2",
        tail(mp.exp, [1, 1]),
        -LN2 * mp.mpf("0.501"),
        LN2 * mp.mpf("0.501"),
        {"f32": 5, "f64": 11},
        lambda r: r**2 / mp.expm1(r) if abs(r) > 1e-9 else mp.mpf(10) ** -9,
    ),
    "LOG": Fit(
        "log(1 + f) = f - f**2 / 2 + f**3 P(f), 3/4 <= 1 + f <= 3/2",
        tail(mp.log1p, [0, 1, mp.mpf(-1) / 2]),
        mp.mpf(-1) / 4,
        mp.mpf(1) / 2,
        {"f32": 8},
        lambda f: f**3 / mp.log1p(f) if abs(f) > 1e-5 else mp.mpf(10) ** -10,
    ),
    "LOG_ATANH": Fit(
        "log(1 + f) = 2 s + s**3 P(s**2), s = f / (2 + f), 3/4 <= 1 + f <= 3/2",
        atanh_tail,
        0,
        mp.mpf(1) / 25,
        {"f64": 7},
        lambda z: z / 2,
    ),
    "LOG1P": Fit(
        "log(1 + z) = z + z**2 P(z), 0 <= z <= 1",
        tail(mp.log1p, [0, 1]),
        0,
        1,
        {"f32": 9, "f64": 20},
        lambda z: z**2 / mp.log1p(away(z)),
    ),
    "LOG2_ATANH": Fit(
        "log2(1 + f) ~ s P(s**2), s = f / (2 + f), sqrt(1/2) <= 1 + f <= sqrt(2), short",
        lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) / LN2 if z else 2 / LN2,
        0,
        (SQRT_TWO / (2 + SQRT_TWO)) ** 2,
        {"f64": 5},
        wide=True,
    ),
    "LOG_ATANH_TAIL": Fit(
        "log(1 + f) = 2 s + 2/3 s**3 + s**5 P(s**2), s and f as above",
        lambda z: (atanh_tail(z) - mp.mpf(2) / 3) / max(z, mp.mpf(10) ** -18),
        0,
        (SQRT_TWO / (2 + SQRT_TWO)) ** 2,
        {"f64": 7},
        lambda z: z**2 / 2,
    ),
    "ERF": Fit(
        "erf(x) = x + x P(x**2), |x| <= 1",
        lambda z: mp.erf(root(z)) / root(z) - 1,
        0,
        1,
        {"f32": 7, "f64": 13},
        lambda z: root(z) / mp.erf(root(z)),
    ),
    "LOG_ERFC": Fit(
        "erf(x) = 1 - exp(P(x - 1)), 1 <= x <= 3.93 (float32), 5.93 (float64)",
        lambda u: mp.log(mp.erfc(u + 1)),
        0,
        {"f32": mp.mpf("2.93"), "f64": mp.mpf("4.93")},
        {"f32": 8, "f64": 22},
        lambda u: mp.erfc(u + 1) / mp.erf(u + 1),
    ),
    "ERFCX": Fit(
        "exp(x**2) erfc(x) (1 + 2 x) = 1.25 + P(q), q = (x - 4) / (x + 4), 0 <= x <= 10.1 or 27.3",
        lambda q: erfcx_scaled(4 * (1 + q) / (1 - q)) - mp.mpf("1.25"),
        -1,
        {"f32": mp.mpf("6.1") / mp.mpf("14.1"), "f64": mp.mpf("23.3") / mp.mpf("31.3")},
        {"f32": 12, "f64": 23},
        wide=True,
    ),
    "ERF_INV": Fit(
        "erf_inv(x) = x P(w - 1), w = -log(1 - x**2) <= 4",
        lambda u: mp.erfinv(root(1 - mp.exp(-u - 1))) / root(1 - mp.exp(-u - 1)),
        -1 + mp.mpf(10) ** -12,
        mp.mpf("3.01"),
        {"f32": 12, "f64": 24},
    ),
    "ERF_INV_TAIL": Fit(
        "erf_inv(x) = s P(q), s = sqrt(-log(1 - x)), q = (s - 3.75) / (s + 3.75), x >= 0.9908",
        lambda q: inverse_erfc_ratio(mp.mpf("3.75") * (1 + q) / (1 - q)),
        mp.mpf("-1.585") / mp.mpf("5.915"),
        {"f32": mp.mpf("0.34") / mp.mpf("7.84"), "f64": mp.mpf("2.32") / mp.mpf("9.82")},
        {"f32": 8, "f64": 18},
    ),
    "LGAMMA": Fit(
        "lgamma(x) = (x - 1) (x - 2) P(x - 1.5), 1 <= x <= 2",
        lambda u: lgamma_quotient(u + mp.mpf("1.5")),
        mp.mpf("-0.5"),
        mp.mpf("0.5"),
        {"f64": 23},
    ),
    "LGAMMA_TAIL": Fit(
        "lgamma(z) = (z - 1/2) (log(z) - 1) + log(2 pi) / 2 - 1/2 + P(1/z**2) / z, z >= 8",
        lambda u: stirling_rest(1 / root(u)) / root(u),
        mp.mpf(10) ** -8,
        mp.mpf(1) / 64,
        {"f64": 7},
        lambda u: root(u),
    ),
    "DIGAMMA": Fit(
        "digamma(x) = (x - x0) P(x - 1.5), 1 <= x <= 2, x0 the zero there",
        lambda u: digamma_quotient(u + mp.mpf("1.5")),
        mp.mpf("-0.5"),
        mp.mpf("0.5"),
        {"f64": 23},
    ),
    "DIGAMMA_TAIL": Fit(
        "digamma(z) = log(z) - 1 / (2 z) - u P(u), u = 1/z**2, z >= 8",
        lambda u: (mp.log(1 / root(u)) - root(u) / 2 - mp.digamma(1 / root(u))) / u,
        mp.mpf(10) ** -8,
        mp.mpf(1) / 64,
        {"f64": 7},
        lambda u: u,
    ),
    "BESSEL_I1": Fit(
        "I1(x) / x = P(x**2), 0 <= x <= 8",
        lambda z: mp.besseli(1, root(z)) / root(z),
        0,
        64,
        {"f32": 10, "f64": 16},
        lambda z: root(z) / mp.besseli(1, root(z)),
    ),
    "BESSEL_I1_TAIL": Fit(
        "exp(-x) I1(x) sqrt(x) = P(1 / x), x >= 8",
        lambda u: mp.besseli(1, 1 / away(u)) * mp.exp(-1 / away(u)) / mp.sqrt(away(u)),
        mp.mpf(10) ** -20,
        mp.mpf(1) / 8,
        {"f32": 7, "f64": 22},
    ),
    "BESSEL_I0": Fit(
        "I0(x) = P(x**2), 0 <= x <= 8",
        lambda z: mp.besseli(0, root(z)),
        0,
        64,
        {"f32": 10, "f64": 16},
        lambda z: 1 / mp.besseli(0, root(z)),
    ),
    "BESSEL_I0_TAIL": Fit(
        "exp(-x) I0(x) sqrt(x) = P(1 / x), x >= 8",
        lambda u: mp.besseli(0, 1 / away(u)) * mp.exp(-1 / away(u)) / mp.sqrt(away(u)),
        mp.mpf(10) ** -20,
        mp.mpf(1) / 8,
        {"f32": 7, "f64": 22},
    ),
    "SIN_WIDE": Fit(
        "sin(r) = r + r**3 P(r**2), |r| <= pi / 2",
        tail(mp.sin, [0, 1, 0], 2),
        0,
        4 * HALF_PI_SLACK,
        {"f32": 5, "f64": 8},
        lambda z: z * root(z) / mp.sin(root(z)),
    ),
    "SIN": Fit(
        "sin(r) = r + r**3 P(r**2), |r| <= pi / 4",
        tail(mp.sin, [0, 1, 0], 2),
        0,
        HALF_PI_SLACK,
        {"f32": 3, "f64": 6},
        lambda z: z,
    ),
    "COS": Fit(
        "cos(r) = 1 - r**2 / 2 + r**4 P(r**2), |r| <= pi / 4",
        tail(mp.cos, [1, 0, mp.mpf(-1) / 2, 0], 2),
        0,
        HALF_PI_SLACK,
        {"f32": 3, "f64": 6},
        lambda z: z**2,
    ),
    "TAN": Fit(
        "tan(r) = r + r**3 P(r**2), |r| <= pi / 4",
        tail(mp.tan, [0, 1, 0], 2),
        0,
        HALF_PI_SLACK,
        {"f32": 7, "f64": 14},
        lambda z: z,
    ),
    "ATAN": Fit(
        "atan(z) = z + z**3 P(z**2), |z| <= tan(pi / 8)",
        tail(mp.atan, [0, 1, 0], 2),
        0,
        mp.mpf("0.1718"),
        {"f32": 5, "f64": 11},
        lambda z: z,
    ),
    "ASIN": Fit(
        "asin(x) = x + x**3 P(x**2), |x| <= 1/2",
        tail(mp.asin, [0, 1, 0], 2),
        0,
        mp.mpf("0.25"),
        {"f32": 5, "f64": 13},
        lambda z: z,
    ),
    "SINH": Fit(
        "sinh(x) = x + x**3 P(x**2), |x| <= 1",
        tail(mp.sinh, [0, 1, 0], 2),
        0,
        1,
        {"f32": 3, "f64": 7},
        lambda z: z / (1 + z / 6),
    ),
    "CBRT": Fit(
        "cbrt(x) ~ P(x), 1 <= x <= 2 (starting value)",
        mp.cbrt,
        1,
        2,
        {"f32": 4, "f64": 5},
    ),
}


CONSTANTS: dict[str, mp.mpf] = {
    "LN2": LN2,
    "LN2_PARTS": LN2,
    "LOG2E": 1 / LN2,
    "LOG10E": 1 / mp.log(10),
    "LOG10_2_PARTS": LN2 / mp.log(10),
    "HALF_PI": mp.pi / 2,
    "PI": mp.pi,
    "PI_PARTS": mp.pi,
    "TWO_THIRDS": mp.mpf(2) / 3,
    "LGAMMA_OFFSET": LGAMMA_OFFSET,
    "DIGAMMA_ZERO": DIGAMMA_ZERO,
}


def rounded_down(value: mp.mpf, type: str) -> float:
    """The float at or next below a positive value."""
    nearest = rounded(value, type)
    below = np.nextafter(NUMPY_TYPES[type](nearest), NUMPY_TYPES[type](0))
    return float(below) if mp.mpf(nearest) > value else nearest


def constant_text(name: str) -> str:
    """A constant as an unevaluated sum of three floats of each format, for `_PARTS` of positive ones."""
    parts = []
    take = rounded_down if name.endswith("_PARTS") else rounded
    for type in ("f32", "f64"):
        rest, floats = CONSTANTS[name], []
        for _ in range(3):
            floats.append(take(rest, type))
            rest -= mp.mpf(floats[-1])
        parts.append(f'    "{type}": ({", ".join(map(repr, floats))}),\n')
    return f"{name} = {{\n{''.join(parts)}}}\n"


def two_over_pi_chunks(first: int, width: int, count: int) -> list[mp.mpf]:
    """Consecutive pieces of 2/pi of `width` bits each, from the bit of weight 2**(first - 1) down.

    Each has few enough bits to be exact in double; bits above that weight are left out, and a
    piece above 2/pi is 0.
    """
    with mp.workdps(400 + count * width // 3):
        chunks, rest, weight = [], 2 / mp.pi, first
        rest -= mp.floor(rest / mp.mpf(2) ** first) * mp.mpf(2) ** first
        for _ in range(count):
            weight -= width
            piece = mp.floor(rest / mp.mpf(2) ** weight) * mp.mpf(2) ** weight
            rest -= piece
            chunks.append(piece)
    return chunks


def two_over_pi_text() -> str:
    """Tables of 2/pi for the reduction of large arguments, laid out as vecmath.trig wants them."""
    # a 24 bit argument of at least 2**b makes multiples of 4 of the bits from 2**(25 - b) up
    bands = []
    for b in (0, 50, 76, 102):
        first = 25 - b if b else 0
        row = two_over_pi_chunks(first, 29, 2) + two_over_pi_chunks(first - 58, 53, 1)
        bands.append([float(piece) for piece in row])
    rows = "".join(f"    ({', '.join(map(repr, row))}),\n" for row in bands)
    pieces = [mp.mpf(2) ** 300 * c for c in two_over_pi_chunks(0, 50, 24)]
    window = wrapped([float(c) for c in [0, *pieces]], 4)
    return (
        "# 2/pi without the bits that make multiples of 4, by band of arguments: 29 + 29 + 53 "
        "bits\n"
        f"TWO_OVER_PI_BANDS = (\n{rows})\n\n"
        "# 2**300 * 2/pi in pieces of 50 bits, after one piece of zero\n"
        f"TWO_OVER_PI_PIECES = (\n{window})\n"
    )


def wrapped(numbers: list[float], indent: int) -> str:
    """Numbers in lines, as elements of a tuple."""
    text, pad = "".join(f"{c!r}, " for c in numbers).rstrip(), " " * indent
    lines = textwrap.wrap(text, 116 - indent, break_long_words=False, break_on_hyphens=False)
    return "".join(f"{pad}{line}\n" for line in lines)


def formatted(type: str, coefficients: list[float]) -> str:
    """The entry of one format in a table."""
    return f'    "{type}": (\n{wrapped(coefficients, 8)}    ),\n'


HEADER = '''"""Coefficients of minimax polynomials, lowest order first, by format.

Also constants as sums of three floats, largest first.

Written by tools/fit_polynomials.py, which also says how; do not edit.
"""

# fmt: off
'''


def table_text(name: str) -> str:
    """The assignment of one table, fitted now."""
    fit = FITS[name]
    parts, notes = [], []
    for type in fit.terms:
        coefficients, bound = run(fit, type)
        parts.append(formatted(type, coefficients))
        notes.append(f"{type} 2**{float(mp.log(bound, 2)):.1f}")
        print(f"{name} {notes[-1]}", file=sys.stderr)
    comment = f"# {fit.about}\n# weighted error: {', '.join(notes)}\n"
    return f"{comment}{name} = {{\n{''.join(parts)}}}\n"


def read_tables(text: str) -> dict[str, str]:
    """Existing tables by name, as text."""
    found = re.findall(r"((?:^#.*\n)+^([A-Z0-9_]+) = \{\n(?:.*\n)*?\}\n)", text, re.MULTILINE)
    return {name: block for block, name in found if name in FITS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="tables to fit; all when none is given")
    parser.add_argument("--check", action="store_true", help="compare with the file, do not write")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in FITS]
    if unknown:
        parser.error(f"no table {', '.join(unknown)}; there are {', '.join(FITS)}")
    tables = read_tables(OUTPUT.read_text().split("# fmt: off")[1]) if OUTPUT.exists() else {}
    fresh = {name: table_text(name) for name in arguments.names or FITS}
    if arguments.check:
        different = [name for name, text in fresh.items() if tables.get(name) != text]
        sys.exit(f"differ from the file: {', '.join(different)}" if different else 0)
    tables |= fresh
    body = "\n".join(
        [constant_text(name) for name in CONSTANTS]
        + [two_over_pi_text()]
        + [tables[name] for name in FITS if name in tables]
    )
    OUTPUT.write_text(f"{HEADER}\n{body}")


if __name__ == "__main__":
    finish(main)
