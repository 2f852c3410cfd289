"""Configuration: the few switches that change what fungrad computes or reports.

Each option has a process-wide value (``fungrad.config.update``) and may be overridden for the current
thread inside a ``with`` block (``fungrad.enable_x64()``, ``fungrad.disable_jit()`` ...).  The initial value
comes from the environment variable ``FUNGRAD_<NAME>``.

=======================  ==========  =============================================================
option                   default     meaning
=======================  ==========  =============================================================
enable_x64               False       default width of new values is 64 bit instead of 32 bit
numpy_dtype_promotion    standard    ``strict`` forbids implicit promotion between strong dtypes
numpy_rank_promotion     allow       ``warn`` or ``raise`` when broadcasting adds dimensions
strict_index             False       every out-of-range index is an error instead of clamp or drop
disable_jit              False       ``jit`` runs the Python function operation by operation
flush_subnormals         True        compiled code takes subnormal numbers for zero, as JAX does: faster
debug_nans               False       raise at the first operation that produces a NaN
debug_infs               False       raise at the first operation that produces an infinity
debug_key_reuse          False       raise where a random key is used a second time
check_tracer_leaks       False       raise where a traced value outlives its transformation
explain_cache_misses     False       ``jit`` logs what differs from the nearest known call
log_compiles             False       ``jit`` logs each tracing and compilation, and how long it took
no_tracing               False       raise where ``jit`` would trace a function again
traceback_filtering      True        remove library frames from tracebacks of user errors
threads                  0           threads of compiled code; 0 means all that the process may use
num_cpu_devices          0           devices that the CPU stands for, to try sharding; 0 means 1
=======================  ==========  =============================================================

Options of JAX that change nothing here are taken and kept (``accepted_options``).

May import ``locks`` and ``accepted_options``.
"""

from __future__ import annotations

import contextlib
import operator
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from fungrad import locks
from fungrad.accepted_options import ACCEPTED, check_accepted

# When the package was imported, in nanoseconds since 1970.
LOADED_AT = time.time_ns()

# Options that change what tracing produces: they are part of every cache key.
_SEMANTIC = (
    "enable_x64",
    "numpy_dtype_promotion",
    "numpy_rank_promotion",
    "strict_index",
    "flush_subnormals",
    "debug_nans",
    "debug_infs",
    "debug_key_reuse",
    "disable_jit",
    "default_prng_impl",
    "enable_custom_prng",
    "legacy_prng_key",
    "random_seed_offset",
    "high_dynamic_range_gumbel",
)

_CHOICES: dict[str, tuple[str, ...]] = {
    "numpy_dtype_promotion": ("standard", "strict"),
    "numpy_rank_promotion": ("allow", "warn", "raise"),
}

# JAX's names of values.
_SAME: dict[str, dict[Any, Any]] = {
    "traceback_filtering": {
        "off": False, "auto": True, "tracebackhide": True, "remove_frames": True, "quiet_remove_frames": True,
    },
}  # fmt: skip

_TRUE = ("1", "true", "yes", "on", "t", "y")
_FALSE = ("0", "false", "no", "off", "f", "n", "")


def _parse(name: str, text: str, default: Any, what: str = "") -> Any:
    """Value of option ``name`` read from a text: that of the environment, or of what ``what`` names."""
    what = what or f"FUNGRAD_{name.upper()}"
    value: Any = text.strip()
    if isinstance(default, bool):
        if value.lower() not in _TRUE + _FALSE:
            allowed = ", ".join(filter(None, _TRUE + _FALSE))
            raise ValueError(f"{what}={text!r}: expected one of {allowed}")
        value = value.lower() in _TRUE
    elif isinstance(default, int):
        try:
            value = int(value or default)
        except ValueError:
            raise ValueError(f"{what}={text!r}: expected an integer, 0 for all processors") from None
    try:
        return _validated(name, value)
    except ValueError as error:
        raise ValueError(f"{what}={text!r}: {error}") from None


def _validated(name: str, value: Any) -> Any:
    """A value for an option, as that is kept.

    Raises:
      TypeError: it is of the wrong type.
      ValueError: it is of the right type, but the option cannot have it.
    """
    if name in ACCEPTED:
        return check_accepted(name, value)
    if name in _SAME and isinstance(value, str):
        value = _SAME[name].get(value, value)
    choices = _CHOICES.get(name)
    if choices is not None:
        if not isinstance(value, str) or value not in choices:
            error = ValueError if isinstance(value, str) else TypeError
            raise error(f"fungrad.config: {name} must be one of {choices}, got {value!r}")
        return value
    found = value
    if isinstance(getattr(Config, name), bool):
        # NumPy's bool is no subclass of Python's; 0 and 1 are what command lines give.
        if type(value).__name__ in ("bool", "bool_") and hasattr(value, "__bool__"):
            return bool(value)
        if type(value) is int and value in (0, 1):
            return bool(value)
        raise TypeError(f"fungrad.config: {name} must be True or False, got {value!r} of type {type(value).__name__}")
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(
            f"fungrad.config: {name} must be an integer, got {value!r} of type {type(value).__name__}"
        ) from None
    if not 0 <= found < 2**31:
        meaning = "all processors" if name == "threads" else "one"
        raise ValueError(f"fungrad.config: {name} must be 0 ({meaning}) or a positive number, got {found}")
    return found


class Watch:
    """What eager operations look at before they look at options of their thread, which takes longer.

    Attributes:
      results: whether some thread may want results examined (debug_nans or debug_infs).
      placed: whether some array has been put on devices of its own, so that results are to be there.
      constraints: whether some program has been traced that says where something is to be.
      slow: whether results are to be examined or put somewhere, so that operations must not take their shortest ways.
      transfers: whether some thread may want to hear of values that become arrays (transfer_guard).
      on_transfers: functions called when ``transfers`` becomes true.
    """

    __slots__ = ("results", "placed", "constraints", "slow", "transfers", "on_transfers", "_blocks", "_guards", "_lock")

    def __init__(self) -> None:
        self.results = self.placed = self.constraints = self.slow = self.transfers = False
        self.on_transfers: list[Callable[[], None]] = []
        self._blocks = self._guards = 0
        self._lock = locks.lock()

    def change(self, blocks: int = 0, guards: int = 0) -> None:
        """Notes that so many more ``with`` blocks ask for it, or that the process-wide options have changed."""
        with self._lock:
            self._blocks += blocks
            self._guards += guards
            self.results = self._blocks > 0 or Config.check_results
            self.slow = self.results or self.placed or self.constraints
            before = self.transfers
            self.transfers = self._guards > 0 or any(_guards(getattr(Config, name)) for name in TRANSFER_GUARDS)
            if self.transfers and not before:
                for told in self.on_transfers:
                    told()

    def note_placed(self, some: bool) -> None:
        """Notes whether there are arrays that have been put on devices."""
        with self._lock:
            self.placed = some
            self.slow = self.results or some or self.constraints

    def note_constraint(self) -> None:
        """Notes that a program says where something is to be: from now on loops and calls are asked for it."""
        with self._lock:
            self.constraints = self.slow = True


watch = Watch()
_WATCHED = ("debug_nans", "debug_infs")
# The options that `transfer_guard` sets, one per direction.
TRANSFER_GUARDS = (
    "transfer_guard_host_to_device",
    "transfer_guard_device_to_device",
    "transfer_guard_device_to_host",
)


def _guards(level: str | None) -> bool:
    return level not in (None, "allow")


# The attributes that hold the values of user contexts.
_contexts: list[str] = []


def _derived(source: Any) -> tuple[tuple, bool]:
    """Values of the derived attributes for the options of ``source``."""
    key = tuple(getattr(source, option) for option in _SEMANTIC)
    if source.context_mesh is not None:
        key = (*key, source.context_mesh)
    if source.collects_index_errors:
        key = (*key, "collects index errors")
    if source.leaves_out_checks:
        key = (*key, "leaves out checks")
    if _contexts:
        key = (*key, *[getattr(source, name) for name in _contexts])
    return key, source.debug_nans or source.debug_infs


class Config(threading.local):
    """The options of the table above, as attributes.

    Process-wide values live on the class and overrides of one thread in the thread-local instance dictionary,
    so that reading an option is one attribute access.
    """

    enable_x64: bool = False
    numpy_dtype_promotion: str = "standard"
    numpy_rank_promotion: str = "allow"
    strict_index: bool = False
    flush_subnormals: bool = True
    disable_jit: bool = False
    debug_nans: bool = False
    debug_infs: bool = False
    debug_key_reuse: bool = False
    check_tracer_leaks: bool = False
    explain_cache_misses: bool = False
    log_compiles: bool = False
    no_tracing: bool = False
    traceback_filtering: bool = True
    threads: int = 0
    num_cpu_devices: int = 0
    # The mesh that has been set (`core.meshes`): part of what functions are traced under, though no option.
    context_mesh = None
    # Whether `checkify` collects indices outside of arrays, so that known ones must not raise; no option either.
    collects_index_errors = False
    # Whether `checkify` is asked for other errors than those of `checkify.check`.
    leaves_out_checks = False
    # The semantic options as one hashable value, kept up to date by every setter.
    trace_key: tuple = ()
    # Whether eager operations examine their results (debug_nans or debug_infs), kept up to date likewise.
    check_results: bool = False

    def update(self, name: str, value: Any) -> None:
        """Sets an option for the whole process; ``name`` may carry JAX's ``jax_`` prefix.

        Example:
          >>> import fungrad
          >>> fungrad.config.update("jax_enable_x64", True)
          >>> fungrad.numpy.ones(2).dtype
          dtype('float64')
          >>> fungrad.config.update("enable_x64", False)
        """
        name = _option_name(name)
        value = _validated(name, value)
        for each in (name, *TRANSFER_GUARDS) if name == "transfer_guard" else (name,):
            setattr(Config, each, value)
            self.__dict__.pop(each, None)
        Config.trace_key, Config.check_results = _derived(Config)
        watch.change()
        if self.__dict__:
            self._refresh()

    def set_context(self, name: str, value: Any) -> None:
        """Sets the value of a user context for the whole process."""
        setattr(Config, name, value)
        Config.trace_key, Config.check_results = _derived(Config)
        if self.__dict__:
            self._refresh()

    def read(self, name: str) -> Any:
        """Value of an option in this thread."""
        return getattr(self, _option_name(name))

    @property
    def values(self) -> dict[str, Any]:
        """All options and their values in this thread, under JAX's names.

        Example:
          >>> import fungrad
          >>> fungrad.config.values["jax_enable_x64"]
          False
        """
        return {f"jax_{name}": getattr(self, name) for name in (*_OPTIONS, *ACCEPTED)}

    def __setattr__(self, name: str, value: Any) -> None:
        """``config.enable_x64 = True`` is ``config.update("enable_x64", True)``."""
        self.update(name, value)

    def __getattr__(self, name: str) -> Any:
        if name == "x64_enabled":  # JAX's other name
            return self.enable_x64
        if name.startswith(("jax_", "fungrad_")):
            return getattr(self, _option_name(name))
        raise AttributeError(f"fungrad.config has no option {name!r}; options: {', '.join(_OPTIONS)}")

    def parse_flags_with_absl(self) -> None:
        """Sets options that the command line gives as ``--jax_option=value``; other arguments are left to the program.

        A switch may be given without a value, and as ``--nojax_option``. Nothing of absl is needed.

        Example:
          >>> import sys, fungrad
          >>> sys.argv, before = ["program", "--jax_enable_x64", "--steps=3"], sys.argv
          >>> fungrad.config.parse_flags_with_absl()
          >>> fungrad.config.enable_x64
          True
          >>> fungrad.config.update("jax_enable_x64", False); sys.argv = before
        """
        for argument in sys.argv[1:]:
            if argument == "--":
                return
            flag, given, text = argument.partition("=")
            off = flag.startswith(("--nojax_", "-nojax_"))
            name = flag.lstrip("-").removeprefix("no" if off else "")
            short = name.removeprefix("jax_")
            if not argument.startswith("-") or short == name or short not in (*_OPTIONS, *ACCEPTED):
                continue
            self.update(short, _parse(short, text, getattr(Config, short), flag) if given else not off)

    config_with_absl = parse_flags_with_absl

    def set_context_mesh(self, mesh: Any) -> None:
        """Notes the mesh under which this thread traces; None for none."""
        local = self.__dict__
        if mesh is None:
            local.pop("context_mesh", None)
        else:
            local["context_mesh"] = mesh
        if set(local) <= set(_DERIVED):
            local.clear()
        else:
            self._refresh()

    @property
    def compile_key(self) -> tuple:
        """The semantic options alone: compiled programs know no meshes."""
        return self.trace_key[: len(_SEMANTIC)]

    def collecting_index_errors(self) -> contextlib.AbstractContextManager[None]:
        """Lets known indices outside of arrays go where traced ones go, for ``checkify`` to find them."""
        return self._overriding("collects_index_errors", True)

    def leaving_out_checks(self) -> contextlib.AbstractContextManager[None]:
        """Lets ``checkify.check`` do nothing, for ``checkify`` with other errors."""
        return self._overriding("leaves_out_checks", True)

    def _refresh(self) -> None:
        self.__dict__["trace_key"], self.__dict__["check_results"] = _derived(self)

    def override(self, name: str, value: Any) -> contextlib.AbstractContextManager[None]:
        """Sets an option for the current thread within a ``with`` block."""
        name = _option_name(name)
        return self._overriding(name, _validated(name, value))

    @contextlib.contextmanager
    def _overriding(self, name: str, value: Any) -> Iterator[None]:
        local = self.__dict__
        missing = object()
        before = local.get(name, missing)
        asks = int(bool(value) and name in _WATCHED)
        guards = int(name in TRANSFER_GUARDS and _guards(value))
        watch.change(asks, guards)
        local[name] = value
        self._refresh()
        try:
            yield
        finally:
            watch.change(-asks, -guards)
            if before is missing:
                local.pop(name, None)
            else:
                local[name] = before
            if set(local) <= set(_DERIVED):
                local.clear()
            else:
                self._refresh()


_DERIVED = ("trace_key", "check_results")
_OPTIONS = tuple(name for name in Config.__annotations__ if name not in _DERIVED)


def _option_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"fungrad.config: name must be a string, got {name!r} of type {type(name).__name__}")
    short = name.removeprefix("jax_").removeprefix("fungrad_")
    if short not in _OPTIONS and short not in ACCEPTED:
        raise AttributeError(
            f"fungrad.config.update: Unrecognized config option: there is no option {name!r}; options: "
            f"{', '.join(_OPTIONS)}"
        )
    return short


for _name, _option in ACCEPTED.items():
    setattr(Config, _name, _option.default)


for _name in _OPTIONS:
    _text = os.environ.get(f"FUNGRAD_{_name.upper()}")
    if _text is not None:
        setattr(Config, _name, _parse(_name, _text, getattr(Config, _name)))
Config.trace_key, Config.check_results = _derived(Config)
watch.change()

config = Config()


def read_jax_variables() -> None:
    """Sets options that the environment gives by JAX's names, such as ``JAX_ENABLE_X64``.

    For programs that were written for JAX (`fungrad.compat`). ``FUNGRAD_...`` comes before ``JAX_...``.

    Raises:
      ValueError: the option cannot have the value.
    """
    for name in (*_OPTIONS, *ACCEPTED):
        variable = f"JAX_{name.upper()}"
        text = os.environ.get(variable)
        if text is not None and f"FUNGRAD_{name.upper()}" not in os.environ:
            config.update(name, _parse(name, text, getattr(Config, name), variable))


class _NotGiven:
    """The default of a keyword."""

    def __repr__(self) -> str:
        return "..."


_NOT_GIVEN = _NotGiven()


def _switch(name: str, default: Any, doc: str) -> Callable[..., contextlib.AbstractContextManager]:
    """A public context manager that overrides option ``name`` for the current thread."""

    def context(value: Any = default, *, new_val: Any = _NOT_GIVEN) -> contextlib.AbstractContextManager:
        if not isinstance(new_val, _NotGiven):
            value = new_val
        return config.override(name, value)

    context.__name__ = context.__qualname__ = name
    context.__doc__ = doc
    return context


enable_x64 = _switch("enable_x64", True, "Makes 64 bit the default width inside a ``with`` block.")


def disable_jit(disable: bool = True) -> contextlib.AbstractContextManager:
    """Runs jitted functions operation by operation inside a ``with`` block.

    Args:
      disable: False compiles them, where an enclosing block does not.
    """
    return config.override("disable_jit", disable)


debug_nans = _switch("debug_nans", True, "Raises at the first operation that produces a NaN inside a ``with`` block.")
debug_infs = _switch("debug_infs", True, "Raises at the first operation that produces an infinity.")
debug_key_reuse = _switch(
    "debug_key_reuse",
    True,
    """Raises ``KeyReuseError``, which names both lines, where a random key is used a second time.

Keys are followed as arrays: the same variable given to two draws, to a draw and ``split``, or to a compiled function
that draws with it, twice.  ``fold_in`` uses no key up.

Args:
  value: whether to report.

Example:
  >>> import fungrad
  >>> from fungrad import random
  >>> key = random.key(0)
  >>> with fungrad.debug_key_reuse():
  ...     x = random.normal(key)
  ...     try:
  ...         y = random.uniform(key)
  ...     except fungrad.errors.KeyReuseError as error:
  ...         print("fungrad.random.normal" in str(error))
  True
""",
)
explain_cache_misses = _switch(
    "explain_cache_misses", True, "Logs why ``jit`` traces a function again inside a ``with`` block."
)
log_compiles = _switch(
    "log_compiles",
    True,
    """Logs, as warnings of the logger ``fungrad.jit``, what ``jit`` traces and compiles, and how long it takes.

Example:
  >>> import fungrad
  >>> with fungrad.log_compiles():
  ...     x = fungrad.jit(lambda x: x * 2.0)(1.0)
""",
)
no_tracing = _switch(
    "no_tracing",
    True,
    """Raises ``RuntimeError`` where ``jit`` would trace a function inside a ``with`` block.

Example:
  >>> import fungrad
  >>> double = fungrad.jit(lambda x: x * 2.0)
  >>> x = double(1.0)
  >>> with fungrad.no_tracing():
  ...     x = double(3.0)
""",
)
class UserContext:
    """A value of the user's that functions depend on, in addition to their arguments. Made by ``make_user_context``.

    A call sets it inside a ``with`` block, for the current thread.

    Attributes:
      value: what it is now.
    """

    def __init__(self, name: str):
        self._name = name

    @property
    def value(self) -> Any:
        """The value in this thread."""
        return getattr(config, self._name)

    def get_global(self) -> Any:
        """The value outside of ``with`` blocks."""
        return getattr(Config, self._name)

    def set_global(self, value: Any) -> None:
        """Sets the value outside of ``with`` blocks."""
        config.set_context(self._name, _hashable(value))

    def __call__(self, value: Any) -> contextlib.AbstractContextManager[None]:
        return config._overriding(self._name, _hashable(value))


def make_user_context(default_value: Any = None) -> UserContext:
    """A value that functions may depend on besides their arguments: they are traced again where it differs.

    Args:
      default_value: the value outside of ``with`` blocks; must be hashable.

    Returns:
      A function that sets the value inside a ``with`` block; it has ``value``, ``get_global`` and ``set_global``.

    Raises:
      TypeError: the value is not hashable.

    Example:
      >>> import fungrad
      >>> scale = fungrad.make_user_context(1.0)
      >>> f = fungrad.jit(lambda x: x * scale.value)
      >>> with scale(3.0):
      ...     print(f(2.0), f(1.0))
      6.0 3.0
      >>> print(f(2.0))
      2.0
    """
    name = f"user_context_{len(_contexts)}"
    setattr(Config, name, _hashable(default_value))
    _contexts.append(name)
    config.set_context(name, default_value)
    return UserContext(name)


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"fungrad.make_user_context: the value must be hashable, got {value!r} of type {type(value).__name__}"
        ) from None
    return value


default_device = _switch(
    "default_device",
    None,
    """Makes a device the default inside a ``with`` block; must be None, ``"cpu"`` or the device of this process.""",
)
default_matmul_precision = _switch(
    "default_matmul_precision",
    None,
    """Sets the least precision of matrix products inside a ``with`` block.

Products are always computed in the precision of their operands, and those of 16 bits added up in single, which is no
less than any of the values asks for.

Args:
  value: a name such as ``"bfloat16"``, ``"tensorfloat32"`` or ``"float32"``, or None.

Raises:
  ValueError: there is no such precision.

Example:
  >>> import fungrad, fungrad.numpy as jnp
  >>> with fungrad.default_matmul_precision("float32"):
  ...     x = jnp.ones((2, 2)) @ jnp.ones((2, 2))
""",
)
default_prng_impl = _switch(
    "default_prng_impl",
    "threefry2x32",
    """Sets the generator of keys for which none is named, and of raw keys, inside a ``with`` block.

Args:
  value: ``threefry2x32``, ``threefry4x32``, ``rbg``, ``unsafe_rbg``, ``philox2x32`` or ``philox4x32``.

Raises:
  ValueError: there is no such generator.

Example:
  >>> import fungrad
  >>> with fungrad.default_prng_impl("rbg"):
  ...     fungrad.random.key(0).dtype == fungrad.random.key_dtype("rbg")
  True
""",
)
enable_checks = _switch("enable_checks", True, "Accepted for compatibility; internal checks are those of the tests.")
enable_custom_prng = _switch(
    "enable_custom_prng",
    True,
    "Makes ``PRNGKey``, and functions given raw keys, return typed keys inside a ``with`` block.",
)
threefry_partitionable = _switch(
    "threefry_partitionable", True, "Must be True: bits do not depend on how they are divided."
)
legacy_prng_key = _switch(
    "legacy_prng_key", "allow", "What raw keys do inside a ``with`` block: ``allow`` them, ``warn``, or ``error``."
)
auto_pcast = _switch(
    "auto_pcast", True, "Without effect: values that vary over fewer axes of ``shard_map`` are always taken as varying."
)
softmax_custom_jvp = _switch("softmax_custom_jvp", True, "Without effect: ``softmax`` has one rule, the stable one.")
allow_f16_reductions = _switch("allow_f16_reductions", True, "Without effect: 16-bit floats are added up in single.")
array_garbage_collection_guard = _switch(
    "array_garbage_collection_guard", "allow", "Without effect: memory is freed by reference counts."
)
thread_guard = _switch("thread_guard", True, "Without effect: any thread may use arrays and compiled functions.")
jax2tf_associative_scan_reductions = _switch(
    "jax2tf_associative_scan_reductions", True, "Without effect: about TensorFlow."
)
remove_size_one_mesh_axis_from_type = _switch("remove_size_one_mesh_axis_from_type", True, "Without effect.")
_GUARD_DOC = """What to do inside a ``with`` block about %s.

An array is memory of this process, so that nothing moves. As in JAX on a CPU, a NumPy array or a Python number that
becomes an array counts as a transfer from host to device, and an array that is put on other devices as one from device
to device; what compiled functions close over, and reading arrays, counts as none.

Args:
  new_val: ``allow``; ``log``, a warning of the logger ``fungrad``; ``disallow``; ``log_explicit`` or
    ``disallow_explicit``, which are also about what ``device_put`` does; or None, for the process-wide level.

Raises:
  ValueError: there is no such level. Inside of the block ``JaxRuntimeError``: a transfer that is disallowed.

Example:
  >>> import fungrad, fungrad.numpy as jnp, numpy as np
  >>> x = jnp.ones(2)
  >>> with fungrad.%s("disallow"):
  ...   y = x + fungrad.device_put(np.ones(2, np.float32))
  ...   try:
  ...     x + np.ones(2, np.float32)
  ...   except fungrad.errors.JaxRuntimeError as error:
  ...     print(str(error).partition(",")[0])
  Disallowed host-to-device transfer: aval=ShapedArray(float32[2])
"""


@contextlib.contextmanager
def transfer_guard(new_val: str | None) -> Iterator[None]:
    with contextlib.ExitStack() as blocks:
        for name in ("transfer_guard", *TRANSFER_GUARDS):
            blocks.enter_context(config.override(name, new_val))
        yield


transfer_guard.__doc__ = _GUARD_DOC % ("transfers between host and device, and between devices", "transfer_guard")
transfer_guard_host_to_device = _switch(
    "transfer_guard_host_to_device",
    "allow",
    _GUARD_DOC % ("transfers from host to device", "transfer_guard_host_to_device"),
)
transfer_guard_device_to_host = _switch(
    "transfer_guard_device_to_host",
    "allow",
    "As ``transfer_guard``, from device to host: a CPU reads arrays where they are, so that there are none.",
)
transfer_guard_device_to_device = _switch(
    "transfer_guard_device_to_device",
    "allow",
    "As ``transfer_guard``, from device to device: arrays that are put on other devices.",
)
strict_index = _switch("strict_index", True, "Makes every out-of-range index an error inside a ``with`` block.")
flush_subnormals = _switch(
    "flush_subnormals",
    True,
    """Takes subnormal numbers for zero in functions compiled inside a ``with`` block, or keeps them.

Numbers below 1.2e-38 in float32 and bfloat16 (2.2e-308 in float64) cost processors a hundred cycles per operation.
Compiled functions take them for zero by default, as in JAX: averages that fade out, such as the moments of an
optimizer, end at 0 instead of staying among them for ever. Inside of ``with flush_subnormals(False)`` they are kept, as
in NumPy. Eager operations, callbacks and the rest of Python always keep them; float16 and narrower types have
subnormal numbers of their own, which are no slower and always kept.

Args:
  value: whether to flush.

Example:
  >>> import fungrad, fungrad.numpy as jnp
  >>> halved = fungrad.jit(lambda x: x / 2)
  >>> float(halved(jnp.finfo("float32").tiny))
  0.0
  >>> with fungrad.flush_subnormals(False):
  ...     float(halved(jnp.finfo("float32").tiny)) > 0
  True
""",
)
numpy_dtype_promotion = _switch(
    "numpy_dtype_promotion", "standard", "Sets implicit dtype promotion to ``standard`` or ``strict``."
)
numpy_rank_promotion = _switch(
    "numpy_rank_promotion", "allow", "Sets implicit rank promotion to ``allow``, ``warn`` or ``raise``."
)
threads = _switch("threads", 0, "Sets the number of threads of compiled code inside a ``with`` block; 0 means all.")
