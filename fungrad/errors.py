"""Error classes of fungrad, each with the mistake that causes it and the way out.

They are exported as ``fungrad.errors``.  May import nothing from the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class FungradTypeError(TypeError):
    """Base of the errors about what a traced value can and cannot do."""


# JAX's name of it.
JAXTypeError = FungradTypeError


class JAXIndexError(IndexError):
    """Base of the errors about indices that a traced value cannot be."""


class JaxRuntimeError(RuntimeError):
    """Base of the errors of compiled programs while they run. Broken and fixed are those of its subclasses."""


class InconclusiveDimensionOperation(Exception):  # noqa: N818 - JAX's name
    """The result of a comparison of symbolic sizes depends on their values."""


class KernelError(FungradTypeError):
    """A function given to ``fungrad.extend.numba_kernel`` cannot be compiled, or failed in compiled code.

    Broken::

      def kernel(x):
          if x < 0:
              raise ValueError("negative")   # nobody can catch it inside of a loop over elements
          return x ** 0.5

    Fixed::

      def kernel(x):
          return x ** 0.5 if x >= 0 else np.nan

    The function must be one that ``numba.njit`` compiles for numbers (or arrays) of the types of the operands.
    """


class ConcretizationTypeError(FungradTypeError):
    """A traced value was used where Python needs an actual number.

    Under ``jit`` and ``vmap`` a function is run once with tracers, which have a shape and a dtype but no value.  A
    shape or a Python loop bound cannot depend on them.  Under ``grad`` and ``jvp`` outside of ``jit`` there is a value,
    and ``float(x)`` or ``math.sin(x)`` would compute with it, but without a derivative: they raise as well.

    Broken::

      @fungrad.jit
      def f(x, n):
          return jnp.zeros(n) + x        # n is a tracer: the shape is not known

    Fixed, by making the argument static (one compilation per value)::

      @functools.partial(fungrad.jit, static_argnames="n")
      def f(x, n):
          return jnp.zeros(n) + x

    Shapes themselves are always known, so ``jnp.zeros(x.shape[0])`` works.
    """


class TracerBoolConversionError(ConcretizationTypeError):
    """The truth value of a traced array was needed, usually by ``if``, ``while``, ``and`` or ``assert``.

    Broken::

      @fungrad.jit
      def relu(x):
          return x if x > 0 else 0.0     # which branch? x has no value yet

    Fixed, by computing both and selecting, or by a traced branch::

      @fungrad.jit
      def relu(x):
          return jnp.where(x > 0, x, 0.0)

    If the argument takes few values, declare it static instead.
    """


class TracerIntegerConversionError(ConcretizationTypeError):
    """A traced array was used as a Python integer: a list index, a ``range`` bound, ``int(x)``.

    Broken::

      names = [1.0, 2.0, 3.0]
      fungrad.jit(lambda i: names[i])(0)

    Fixed, by indexing an array, or by declaring the argument static::

      fungrad.jit(lambda i: jnp.array(names)[i])(0)
      fungrad.jit(lambda i: names[i], static_argnums=0)(0)
    """


class TracerArrayConversionError(FungradTypeError):
    """A traced array was converted to a NumPy array, usually by a function that is not fungrad's.

    Broken::

      fungrad.jit(lambda x: np.array([x, 2 * x]).sum())(1.0)

    Fixed, by using fungrad's own function::

      fungrad.jit(lambda x: jnp.array([x, 2 * x]).sum())(1.0)

    Under ``grad`` and ``jvp`` outside of ``jit`` the array has a value, but what NumPy computes from it would have no
    derivative, so it is refused there too.  ``fungrad.lax.stop_gradient(x)`` gives an array that can be converted.
    """


class NonConcreteBooleanIndexError(FungradTypeError, JAXIndexError):
    """A traced boolean mask was used as an index: the shape of the result would depend on its values.

    Broken::

      fungrad.jit(lambda x: x[x > 0].sum())(x)

    Fixed, by selecting instead of removing::

      fungrad.jit(lambda x: jnp.where(x > 0, x, 0.0).sum())(x)
    """


class UnexpectedTracerError(FungradTypeError):
    """A tracer was used after the transformation that made it had finished.

    Functions given to transformations must be pure: a value stored outside while tracing is an empty shell afterwards.

    Broken::

      seen = []

      @fungrad.jit
      def f(x):
          seen.append(x * 2)             # escapes
          return x

      f(1.0)
      seen[0] + 1                        # UnexpectedTracerError

    Fixed, by returning it::

      @fungrad.jit
      def f(x):
          return x, x * 2

    ``with fungrad.checking_leaks():`` raises where the tracer escapes instead of where it is used.
    """


LeakedTracerError = UnexpectedTracerError


class KeyReuseError(FungradTypeError, RuntimeError):
    """A random key was used twice, so the two results are not independent.

    Broken::

      a = random.normal(key)
      b = random.normal(key)             # equals a

    Fixed, by splitting::

      key_a, key_b = random.split(key)
      a, b = random.normal(key_a), random.normal(key_b)
    """


class TypePromotionError(ValueError, TypeError):
    """The operands have no common dtype: strict promotion is on and theirs differ, or one of them is a random key.

    Broken::

      with fungrad.numpy_dtype_promotion("strict"):
          jnp.float32(1) + jnp.int32(1)

    Fixed, by an explicit conversion::

      jnp.float32(1) + jnp.int32(1).astype(jnp.float32)

    Attributes:
      operands: the dtype of each operand, and whether it is weak.
    """

    def __init__(self, message: str, operands: Sequence[tuple[Any, bool]] = ()):
        super().__init__(message)
        self.operands = tuple(operands)


class RankPromotionError(ValueError):
    """Operands of different ranks while ``numpy_rank_promotion`` is on guard.

    Broken::

      with fungrad.numpy_rank_promotion("raise"):
          jnp.ones((2, 3)) + jnp.ones(3)

    Fixed, by adding the dimension::

      jnp.ones((2, 3)) + jnp.ones(3)[None, :]

    Attributes:
      shapes: those of the operands.
    """

    def __init__(self, message: str, shapes: Sequence[tuple[int, ...]] = ()):
        super().__init__(message)
        self.shapes = tuple(shapes)


class IncompatibleShapesError(TypeError, ValueError):
    """Operands whose shapes do not fit together, or a shape or permutation that no array can have.

    NumPy raises ValueError here and JAX TypeError; this class is both.

    Broken::

      jnp.ones((4, 3)) + jnp.ones(4)          # the last dimensions are 3 and 4

    Fixed, by saying which dimensions belong together::

      jnp.ones((4, 3)) + jnp.ones(4)[:, None]
    """


class ShardingTypeError(Exception):
    """The shardings in the types of operands, over explicit axes of a mesh, do not determine that of a result.

    Broken::

      with fungrad.set_mesh(fungrad.make_mesh((2,), ("i",))):
          x = fungrad.device_put(jnp.ones((4, 4)), fungrad.P(None, "i"))
          x @ x.T        # sum over "i": on every device, or a part on each?

    Fixed, by saying how the result is divided::

      jnp.matmul(x, x.T, out_sharding=fungrad.P())

    Or let an operand be divided otherwise with ``fungrad.reshard``, or leave a part of the program to
    ``fungrad.sharding.auto_axes``.
    """


class UnboundAxisNameError(NameError):
    """A collective such as ``lax.psum`` names an axis that no enclosing ``vmap`` maps.

    Broken::

      fungrad.vmap(lambda x: lax.psum(x, "batch"))(xs)

    Fixed, by naming the mapped axis::

      fungrad.vmap(lambda x: lax.psum(x, "batch"), axis_name="batch")(xs)
    """


class RuntimeCheckError(ValueError):
    """Base of the errors that checks of values raise while a program runs, also from compiled code."""


class FailedCheckError(RuntimeCheckError):
    """A ``fungrad.debug.check`` failed.

    The message is the user's, followed by the iteration of each loop and the lane of each ``vmap`` around the check.

    Broken::

      @fungrad.jit
      def f(x):
          debug.check(x > 0, "x must be positive, got {x}", x=x)
          return jnp.log(x)

      f(-1.0)                            # FailedCheckError: x must be positive, got -1.0

    To get the error as a value instead, use ``fungrad.experimental.checkify.checkify(f)``.
    """


class NaNError(RuntimeCheckError):
    """``checkify`` with ``nan_checks`` found an operation that produced a NaN."""


class OOBError(RuntimeCheckError):
    """``checkify`` with ``index_checks`` found an index outside of an array.

    Without this check such reads are clamped or filled, and such writes dropped.
    """


class DivisionByZeroError(RuntimeCheckError):
    """``checkify`` with ``div_checks`` found a division by zero."""


class NonFiniteError(FloatingPointError):
    """``fungrad.config.debug_nans`` or ``debug_infs`` is on, and an operation produced a NaN or an infinity.

    The message names the operation, the user's line, the iterations of the loops in which it stands, whether it belongs
    to the backward pass, and the ranges of its operands.

    Broken::

      with fungrad.debug_nans():
          fungrad.grad(lambda x: jnp.sqrt(x) * 0.0)(0.0)     # infinity times zero in the backward pass

    Fixed, by keeping the operation away from where it is singular::

      fungrad.grad(lambda x: jnp.sqrt(jnp.where(x > 0, x, 1.0)) * 0.0)(0.0)
    """

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message
        self.places: list[str] = []

    def within(self, place: str) -> None:
        """Adds a loop or function in which the operation stands; inner ones first."""
        self.places.append(place)

    def __str__(self) -> str:
        return f"{self.message}; {', '.join(self.places)}" if self.places else self.message


def is_foreign(what: str) -> bool:
    """Whether what needs a value is a function of another library, such as ``numpy.linalg.inv``."""
    return what.startswith(("numpy.", "scipy.", "the ufunc "))


def concretization_error_class(what: str) -> type[FungradTypeError]:
    """The error class for a conversion of a traced value, such as ``bool()``, or a function that needs its value."""
    if is_foreign(what):
        return TracerArrayConversionError
    return {
        "bool()": TracerBoolConversionError,
        "__index__()": TracerIntegerConversionError,
        "boolean index": NonConcreteBooleanIndexError,
        "__array__()": TracerArrayConversionError,
    }.get(what, ConcretizationTypeError)


class JaxprTypeError(TypeError):
    """A jaxpr is malformed: it uses a variable before its definition, or a type in it is wrong.

    Functions that build or change jaxprs cause it: a transformation rule, a compiler pass, or hand-written code.  The
    message shows the equation, marked by ``>``, with its neighbours.

    Broken::

      def abstract_eval(self, x):        # announces another type than the rule makes
          return ShapedArray(x.shape[1:], x.dtype)

    Fixed, by making the rule and ``abstract_eval`` of the primitive agree, and by checking at once::

      fungrad.core.check.check_jaxpr(jaxpr, where="after my_pass")
    """


__all__ = [
    "ConcretizationTypeError",
    "DivisionByZeroError",
    "FailedCheckError",
    "FungradTypeError",
    "IncompatibleShapesError",
    "InconclusiveDimensionOperation",
    "JAXIndexError",
    "JAXTypeError",
    "JaxRuntimeError",
    "JaxprTypeError",
    "KernelError",
    "KeyReuseError",
    "NaNError",
    "NonConcreteBooleanIndexError",
    "NonFiniteError",
    "OOBError",
    "RankPromotionError",
    "RuntimeCheckError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "TypePromotionError",
    "UnboundAxisNameError",
    "UnexpectedTracerError",
]


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
