"""The stages of a jitted function, for those who want to look or to compile ahead of time.

``jit(f).trace(x)`` gives a ``Traced``, ``.lower()`` a ``Lowered``, ``.compile()`` a ``Compiled`` that can be called.

May import ``core``, ``jit.front.sharded`` and ``transforms.inspection``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from fungrad.config import watch
from fungrad.core import tree
from fungrad.core.array import as_array, wrap_unchecked
from fungrad.core.avals import ShapedArray, Typed, same_type
from fungrad.core.context import Tracer
from fungrad.core.formats import Format, Layout
from fungrad.core.frozen import frozen
from fungrad.core.ir import Jaxpr
from fungrad.core.ref_calls import call_with_refs
from fungrad.core.refs import AbstractRef, Ref
from fungrad.core.shardings import DEFAULT
from fungrad.core.signatures import P, R_co
from fungrad.core.source import api_boundary
from fungrad.core.treedef import structure_text
from fungrad.errors import JaxRuntimeError
from fungrad.jit.front.sharded import putting
from fungrad.transforms.inspection import shape_struct

if TYPE_CHECKING:
    from fungrad.jit.front.program import CompiledProgram


class Entry(Protocol):
    """What is known of a traced function (`api.Entry`)."""

    jaxpr: Jaxpr
    out_tree: Any
    out_avals: Any
    const_data: Any
    run: Callable[..., Any] | None
    frame: Any
    high: bool
    says_where: bool

    def call_high(self, arrays: Any) -> Any:
        """The results for arguments of which some have types of users' own."""

    def program(self) -> CompiledProgram:
        """The compiled program."""

    def prepare(self) -> Callable[..., Any]:
        """Compiles, and gives what runs on ndarrays."""

    def take(self, arrays: Any) -> Any:
        """The ndarrays of arguments, of which donated ones are used up."""


@frozen
class ArgInfo(Typed):
    """An argument of a staged function.

    Attributes:
      aval: its type.
      donated: whether its memory is given to the function.
    """

    aval: ShapedArray
    donated: bool


# Those of XLA's options whose names do not begin as the others'.
_OTHER_OPTIONS = frozenset(
    "exec_time_optimization_effort fdo_profile memory_fitting_effort memory_fitting_level optimization_level".split()
)


def check_compiler_options(options: Any, api: str) -> None:
    """Options of XLA are taken and have no effect.

    Raises:
      TypeError: they are not a dictionary of options by name.
      JaxRuntimeError: one has a name that none of XLA's has, all of which begin with ``xla_`` but for a few.
    """
    if options is not None and not (isinstance(options, Mapping) and all(isinstance(k, str) for k in options)):
        raise TypeError(f"{api}: compiler_options must be None or a dict of options by name, got {options!r}")
    for name in options or ():
        if not name.startswith("xla_") and name not in _OTHER_OPTIONS:
            raise JaxRuntimeError(
                f"INVALID_ARGUMENT: No such compile option: {name!r} ({api}: compiler_options are those of XLA, whose "
                "names begin with xla_)"
            )


class Stage:
    """What all stages know: types of arguments and results, and the texts of the program."""

    def __init__(self, entry: Entry, in_tree: Any, name: str, donated: Sequence[bool]):
        self._entry = entry
        self.in_tree = in_tree
        self.fun_name = name
        self._donated = tuple(donated)

    @property
    def args_info(self) -> Any:
        """The arguments as ``(args, kwargs)`` with leaves ``ArgInfo``."""
        avals = self._argument_avals
        return tree.unflatten(self.in_tree, [ArgInfo(a, d) for a, d in zip(avals, self._donated, strict=True)])

    @property
    def _argument_avals(self) -> list[Any]:
        """Types of the leaves of the arguments: the jaxpr takes what references hold, also those closed over."""
        avals: list[Any] = list(self._entry.jaxpr.in_avals[: self.in_tree.num_leaves])
        for i in self._entry.frame.args if self._entry.frame is not None else ():
            avals[i] = AbstractRef(avals[i])
        return avals

    @property
    def donate_argnums(self) -> tuple[int, ...]:
        """Numbers of the donated arguments, counted by leaves."""
        return tuple(i for i, d in enumerate(self._donated) if d)

    @property
    def out_avals(self) -> Any:
        """Types of the results, a tree of ``ShapedArray``."""
        return tree.unflatten(self._entry.out_tree, self._result_avals)

    @property
    def _result_avals(self) -> list[Any]:
        """Types of the leaves of the result; what references hold comes after them."""
        return list(self._entry.out_avals[: self._entry.out_tree.num_leaves])

    @property
    def out_tree(self) -> Any:
        """Structure of the result."""
        return self._entry.out_tree

    @property
    def in_avals(self) -> Any:
        """Types of the arguments, as ``(args, kwargs)``."""
        return tree.unflatten(self.in_tree, self._argument_avals)

    @property
    def out_info(self) -> Any:
        """Types of the results, a tree of ``ShapeDtypeStruct``."""
        return tree.unflatten(self._entry.out_tree, [shape_struct(a) for a in self._result_avals])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.fun_name}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict) -> Self:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            f"fungrad.stages.{type(self).__name__}: programs of a process cannot be pickled, got that of "
            f"{self.fun_name}; use fungrad.export.export and serialize, or pickle the function that is compiled"
        )


class Traced(Stage):
    """A traced function: its jaxpr."""

    @property
    def uses_references(self) -> bool:
        """Whether the function touches references from outside."""
        return self._entry.frame is not None

    @property
    def jaxpr(self) -> Jaxpr:
        """The jaxpr, constants attached."""
        return self._entry.jaxpr

    def lower(self, *, lowering_platforms: Sequence[str] | None = None) -> Lowered:
        """Runs the passes and plans the native program.

        Args:
          lowering_platforms: None, or names of platforms; ``cpu`` must be among them.

        Raises:
          ValueError: the CPU is not among the platforms.
        """
        if lowering_platforms is not None and "cpu" not in lowering_platforms:
            raise ValueError(
                f"fungrad.jit: lowering_platforms must contain 'cpu', the only platform, got {lowering_platforms!r}"
            )
        return Lowered(self._entry, self.in_tree, self.fun_name, self._donated)


class Lowered(Stage):
    """A function ready to compile: every intermediate form can be read."""

    def as_text(self, stage: str | None = "steps", *, dialect: str | None = None, debug_info: bool = False) -> str:
        """Text of the program.

        Args:
          stage: ``jaxpr`` (as traced), ``passes`` (after each pass), ``steps`` (loop nests and calls), ``llvm`` or
            ``asm``; None for ``steps``.
          dialect: JAX's name of the same; its dialects (``stablehlo``, ``hlo``) do not exist here.
          debug_info: accepted for compatibility: texts name the lines of the program anyway.

        Raises:
          ValueError: there is no such stage.
        """
        stage = dialect or stage or "steps"
        if stage == "jaxpr":
            return self._entry.jaxpr.pretty_print(name_stack=True)
        return self._entry.program().text(stage)

    def cost_analysis(self) -> dict[str, float]:
        """Estimated operations and bytes moved by one call."""
        return self._entry.program().cost_analysis()

    def compiler_ir(self, dialect: str | None = None) -> Any:
        """The program as data: the loop IR, for looking at it.

        Args:
          dialect: None, or ``stablehlo`` or ``hlo``, in which there is none.

        Returns:
          The loop IR, or None for a dialect of XLA.

        Raises:
          ValueError: there is no such dialect.
        """
        if dialect in ("stablehlo", "hlo"):
            return None
        if dialect is not None:
            raise ValueError(
                f"fungrad.jit: compiler_ir has no dialect {dialect!r}; as_text gives the text of any stage"
            )
        return self._entry.program().compilation.program

    def compile(
        self, compiler_options: Mapping[str, Any] | None = None, *, device_assignment: Any = None
    ) -> Compiled:
        """Compiles to native code.

        Args:
          compiler_options: options of XLA by name; accepted for compatibility, without effect here.
          device_assignment: likewise.
        """
        check_compiler_options(compiler_options, "fungrad.jit: compile")
        self._entry.program()
        return Compiled(self._entry, self.in_tree, self.fun_name, self._donated)


def _format(aval: Any) -> Format:
    return Format(Layout(tuple(range(aval.ndim))), DEFAULT)


class Compiled(Lowered):
    """A compiled function: call it with arguments of the types it was compiled for."""

    def memory_analysis(self) -> Any:
        """Sizes in bytes of arguments, results and temporaries, and their peak.

        >>> import fungrad
        >>> compiled = fungrad.jit(lambda x: x + 1.0).lower(fungrad.numpy.zeros(8)).compile()
        >>> compiled.memory_analysis().peak_memory_in_bytes
        64
        """
        return self._entry.program().memory_analysis()

    @property
    def input_shardings(self) -> Any:
        """Where the arguments are, as ``(args, kwargs)``."""
        return tree.unflatten(self.in_tree, [DEFAULT] * self.in_tree.num_leaves)

    @property
    def output_shardings(self) -> Any:
        """Where the results are, a tree like the result."""
        return tree.unflatten(self._entry.out_tree, [DEFAULT] * len(self._result_avals))

    @property
    def input_formats(self) -> Any:
        """Where the arguments are and how they lie in memory, as ``(args, kwargs)``."""
        return tree.unflatten(self.in_tree, [_format(a) for a in self._argument_avals])

    @property
    def output_formats(self) -> Any:
        """Where the results are and how they lie in memory, a tree like the result."""
        return tree.unflatten(self._entry.out_tree, [_format(a) for a in self._result_avals])

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The same as calling it."""
        return self(*args, **kwargs)

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent in each stage of compilation."""
        return self._entry.program().timings

    @api_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        entry = self._entry
        leaves, treedef = tree.flatten((args, kwargs))
        if treedef != self.in_tree:
            raise TypeError(
                f"fungrad.jit: Function compiled with input pytree does not match the input pytree it was called with: "
                f"the compiled {self.fun_name} takes {structure_text(self.in_tree)}, got {structure_text(treedef)}; "
                "static arguments are already fixed and must be left out"
            )
        arrays: list[Any] = [x if isinstance(x, Ref) else as_array(x) for x in leaves]
        for i, (x, aval) in enumerate(zip(arrays, self._argument_avals, strict=True)):
            if isinstance(x, Ref) != isinstance(aval, AbstractRef) or not same_type(x.aval, aval):
                path = tree.leaf_paths((args, kwargs))[i]
                raise TypeError(
                    "fungrad.jit: Argument types differ from the types for which this computation was compiled: "
                    f"{self.fun_name} takes {aval.short()} as argument{path}, got {x.aval.short()}; call the "
                    "jitted function itself to compile for other types"
                )
            if isinstance(x, Tracer):
                raise TypeError(
                    "fungrad.jit: Cannot apply JAX transformations to a function lowered and compiled for a particular "
                    f"signature: {self.fun_name} was given a {type(x).__name__}; transform the jitted function instead"
                )
        if entry.high:
            return tree.unflatten(entry.out_tree, entry.call_high(arrays))
        run = entry.run or entry.prepare()
        if entry.frame is not None:
            names = [f"argument{path}" for path in tree.leaf_paths((args, kwargs))]
            outs = functools.partial(self._outs, run)
            return call_with_refs(entry.frame, entry.out_tree, arrays, names, self.fun_name, outs)
        return tree.unflatten(entry.out_tree, self._outs(run, arrays))

    def _outs(self, run: Callable[..., Any], arrays: Sequence[Any]) -> list[Any]:
        entry, put = self._entry, None
        if (watch.placed or entry.says_where) and entry.frame is None:
            put = putting(entry.jaxpr, arrays, self.fun_name, ())
        outs = run(entry.const_data + entry.take(arrays))
        results = [wrap_unchecked(d, a) for d, a in zip(outs, entry.out_avals, strict=True)]
        return results if put is None else put(results)  # type: ignore[no-any-return]


@runtime_checkable
class Wrapped(Protocol[P, R_co]):
    """What ``jit`` returns: a function that can be called, traced and lowered."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Calls the function."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """The function of a method."""

    def trace(self, *args: P.args, **kwargs: P.kwargs) -> Traced:
        """Traces the function for arguments of these types."""

    def lower(self, *args: P.args, **kwargs: P.kwargs) -> Lowered:
        """Traces and lowers the function for arguments of these types."""

    def eval_shape(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Types of the results for arguments of these types."""

    def clear_cache(self) -> None:
        """Forgets every traced and compiled version."""
