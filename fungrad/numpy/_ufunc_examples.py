"""Examples for the docstrings of functions that factories make (``_ufunc_factories``), by the names of the functions.

Imports nothing.
"""

from __future__ import annotations

_EXAMPLES: dict[str, tuple[str, ...]] = {
    "add": (
        ">>> jnp.add(jnp.array([1, 2]), 0.5)",
        "Array([1.5, 2.5], dtype=float32, weak_type=True)",
        ">>> jnp.add(True, False)",
        "Array(True, dtype=bool)",
    ),
    "arccos": (
        ">>> jnp.arccos(jnp.array([-1.0, 1.0]))",
        "Array([3.1415927, 0.       ], dtype=float32)",
    ),
    "arccosh": (
        ">>> jnp.arccosh(jnp.array([1.0, 2.0]))",
        "Array([0.      , 1.316958], dtype=float32)",
    ),
    "arcsin": (
        ">>> jnp.arcsin(jnp.array([0.0, 1.0]))",
        "Array([0.       , 1.5707964], dtype=float32)",
    ),
    "arcsinh": (
        ">>> jnp.arcsinh(jnp.array([0.0, 1.0]))",
        "Array([0.       , 0.8813736], dtype=float32)",
    ),
    "arctan": (
        ">>> jnp.arctan(jnp.array([0.0, 1.0, jnp.inf]))",
        "Array([0.       , 0.7853982, 1.5707964], dtype=float32)",
    ),
    "arctan2": (
        ">>> jnp.arctan2(jnp.array([1.0, -1.0]), jnp.array([-1.0, -1.0]))",
        "Array([ 2.3561945, -2.3561945], dtype=float32)",
    ),
    "arctanh": (
        ">>> jnp.arctanh(jnp.array([0.0, 0.5, 1.0]))",
        "Array([0.        , 0.54930615,        inf], dtype=float32)",
    ),
    "bitwise_and": (
        ">>> jnp.bitwise_and(jnp.array([12, 10]), 6)",
        "Array([4, 2], dtype=int32)",
    ),
    "bitwise_or": (
        ">>> jnp.bitwise_or(jnp.array([12, 10]), 6)",
        "Array([14, 14], dtype=int32)",
    ),
    "bitwise_xor": (
        ">>> jnp.bitwise_xor(jnp.array([12, 10]), 6)",
        "Array([10, 12], dtype=int32)",
    ),
    "cbrt": (
        ">>> jnp.cbrt(jnp.array([-8.0, 27.0]))",
        "Array([-2.       ,  2.9999998], dtype=float32)",
    ),
    "ceil": (
        ">>> jnp.ceil(jnp.array([-1.5, 0.2]))",
        "Array([-1.,  1.], dtype=float32)",
    ),
    "cos": (
        ">>> jnp.cos(jnp.array([0.0, jnp.pi]))",
        "Array([ 1., -1.], dtype=float32)",
    ),
    "cosh": (
        ">>> jnp.cosh(jnp.array([0.0, 1.0]))",
        "Array([1.       , 1.5430807], dtype=float32)",
    ),
    "divide": (
        ">>> jnp.true_divide(jnp.array([1, 2]), 4)",
        "Array([0.25, 0.5 ], dtype=float32)",
    ),
    "equal": (
        ">>> jnp.equal(jnp.array([1, 2]), 2)",
        "Array([False,  True], dtype=bool)",
    ),
    "exp": (
        ">>> jnp.exp(jnp.array([0.0, 1.0]))",
        "Array([1.      , 2.718282], dtype=float32)",
    ),
    "exp2": (
        ">>> jnp.exp2(jnp.array([-1.0, 3.0]))",
        "Array([0.5, 8. ], dtype=float32)",
    ),
    "expm1": (
        ">>> jnp.expm1(jnp.array([0.0, 1e-10]))",
        "Array([0.e+00, 1.e-10], dtype=float32)",
    ),
    "floor": (
        ">>> jnp.floor(jnp.array([-1.5, 0.2]))",
        "Array([-2.,  0.], dtype=float32)",
    ),
    "greater": (
        ">>> jnp.greater(jnp.array([1, 3]), 2)",
        "Array([False,  True], dtype=bool)",
    ),
    "greater_equal": (
        ">>> jnp.greater_equal(jnp.array([1, 2]), 2)",
        "Array([False,  True], dtype=bool)",
    ),
    "less": (
        ">>> jnp.less(jnp.array([1, 3]), 2)",
        "Array([ True, False], dtype=bool)",
    ),
    "less_equal": (
        ">>> jnp.less_equal(jnp.array([2, 3]), 2)",
        "Array([ True, False], dtype=bool)",
    ),
    "log": (
        ">>> jnp.log(jnp.array([1.0, 0.0, -1.0]))",
        "Array([  0., -inf,  nan], dtype=float32)",
    ),
    "log1p": (
        ">>> jnp.log1p(jnp.array([0.0, 1e-10]))",
        "Array([0.e+00, 1.e-10], dtype=float32)",
    ),
    "logical_and": (
        ">>> jnp.logical_and(jnp.array([0, 1, 2]), True)",
        "Array([False,  True,  True], dtype=bool)",
    ),
    "logical_or": (
        ">>> jnp.logical_or(jnp.array([0, 1, 2]), False)",
        "Array([False,  True,  True], dtype=bool)",
    ),
    "logical_xor": (
        ">>> jnp.logical_xor(jnp.array([0, 1, 2]), True)",
        "Array([ True, False, False], dtype=bool)",
    ),
    "maximum": (
        ">>> jnp.maximum(jnp.array([1, 5]), jnp.array([3, 2]))",
        "Array([3, 5], dtype=int32)",
    ),
    "minimum": (
        ">>> jnp.minimum(jnp.array([1, 5]), jnp.array([3, 2]))",
        "Array([1, 2], dtype=int32)",
    ),
    "multiply": (
        ">>> jnp.multiply(jnp.array([[1], [2]]), jnp.array([3, 4]))",
        "Array([[3, 4],",
        "       [6, 8]], dtype=int32)",
    ),
    "nextafter": (
        ">>> bool(jnp.nextafter(1.0, 2.0) == 1.0 + jnp.finfo('float32').eps)",
        "True",
    ),
    "not_equal": (
        ">>> jnp.not_equal(jnp.array([1, 2]), 2)",
        "Array([ True, False], dtype=bool)",
    ),
    "sin": (
        ">>> jnp.sin(jnp.array([0.0, jnp.pi / 2]))",
        "Array([0., 1.], dtype=float32)",
    ),
    "sinh": (
        ">>> jnp.sinh(jnp.array([0.0, 1.0]))",
        "Array([0.       , 1.1752012], dtype=float32)",
    ),
    "sqrt": (
        ">>> jnp.sqrt(jnp.array([4.0, 2.0])), jnp.sqrt(-1 + 0j)",
        "(Array([2.       , 1.4142135], dtype=float32), Array(0.+1.j, dtype=complex64, weak_type=True))",
    ),
    "subtract": (
        ">>> jnp.subtract(jnp.array([1, 2]), 0.5)",
        "Array([0.5, 1.5], dtype=float32, weak_type=True)",
    ),
    "tan": (
        ">>> jnp.tan(jnp.array([0.0, jnp.pi / 4]))",
        "Array([0., 1.], dtype=float32)",
    ),
    "tanh": (
        ">>> jnp.tanh(jnp.array([0.0, 1.0, 100.0]))",
        "Array([0.       , 0.7615942, 1.       ], dtype=float32)",
    ),
    "trunc": (
        ">>> jnp.fix(jnp.array([-1.5, 1.5]))",
        "Array([-1.,  1.], dtype=float32)",
    ),
}  # fmt: skip


def with_example(name: str, doc: str) -> str:
    """A docstring completed by the example of the function ``name``."""
    lines = _EXAMPLES.get(name)
    if lines is None:
        return doc
    body = "\n      ".join((">>> import fungrad.numpy as jnp", *lines))
    return f"{doc.rstrip()}\n\n    Example:\n      {body}\n    "
