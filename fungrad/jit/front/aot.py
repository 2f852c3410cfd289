"""The stages of a jitted function, for those who want to look or to compile ahead of time.

``jit(f).trace(x)`` gives a ``Traced``, ``.lower()`` a ``Lowered``, ``.compile()`` a ``Compiled`` that can be called.

May import ``core`` and ``transforms.inspection``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fungrad.core import tree
from fungrad.core.array import as_array, wrap_unchecked
from fungrad.core.context import Tracer
from fungrad.core.ir import Jaxpr
from fungrad.core.source import api_boundary
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

    def program(self) -> CompiledProgram:
        """The compiled program."""

    def prepare(self) -> Callable[..., Any]:
        """Compiles, and gives what runs on ndarrays."""

    def take(self, arrays: Any) -> Any:
        """The ndarrays of arguments, of which donated ones are used up."""


class Stage:
    """What all stages know: types of arguments and results, and the texts of the program."""

    def __init__(self, entry: Entry, in_tree: Any, name: str):
        self._entry = entry
        self.in_tree = in_tree
        self.fun_name = name

    @property
    def out_tree(self) -> Any:
        """Structure of the result."""
        return self._entry.out_tree

    @property
    def in_avals(self) -> Any:
        """Types of the arguments, as ``(args, kwargs)``."""
        return tree.unflatten(self.in_tree, self._entry.jaxpr.in_avals)

    @property
    def out_info(self) -> Any:
        """Types of the results, a tree of ``ShapeDtypeStruct``."""
        return tree.unflatten(self._entry.out_tree, [shape_struct(a) for a in self._entry.out_avals])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.fun_name}>"


class Traced(Stage):
    """A traced function: its jaxpr."""

    @property
    def jaxpr(self) -> Jaxpr:
        """The jaxpr, constants attached."""
        return self._entry.jaxpr

    def lower(self) -> Lowered:
        """Runs the passes and plans the native program."""
        return Lowered(self._entry, self.in_tree, self.fun_name)


class Lowered(Stage):
    """A function ready to compile: every intermediate form can be read."""

    def as_text(self, stage: str = "steps") -> str:
        """Text of the program.

        Args:
          stage: ``jaxpr`` (as traced), ``passes`` (after each pass), ``steps`` (loop nests and calls), ``llvm`` or
            ``asm``.

        Raises:
          ValueError: there is no such stage.
        """
        if stage == "jaxpr":
            return self._entry.jaxpr.pretty_print(name_stack=True)
        return self._entry.program().text(stage)

    def cost_analysis(self) -> dict[str, float]:
        """Estimated operations and bytes moved by one call."""
        return self._entry.program().cost_analysis()

    def compile(self) -> Compiled:
        """Compiles to native code."""
        self._entry.program()
        return Compiled(self._entry, self.in_tree, self.fun_name)


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
    def timings(self) -> dict[str, float]:
        """Seconds spent in each stage of compilation."""
        return self._entry.program().timings

    @api_boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        entry = self._entry
        if entry.frame is not None:
            raise NotImplementedError(
                f"fungrad.jit: the compiled {self.fun_name} uses references, which a compiled function does not store; "
                "call the jitted function itself"
            )
        leaves, treedef = tree.flatten((args, kwargs))
        if treedef != self.in_tree:
            raise TypeError(
                f"fungrad.jit: the compiled {self.fun_name} takes arguments of structure {self.in_tree}, got "
                f"{treedef}; static arguments are already fixed and must be left out"
            )
        arrays: list[Any] = [as_array(x) for x in leaves]
        for i, (x, aval) in enumerate(zip(arrays, entry.jaxpr.in_avals, strict=True)):
            if x.aval.shape != aval.shape or x.aval.dtype != aval.dtype:
                path = tree.leaf_paths((args, kwargs))[i]
                raise TypeError(
                    f"fungrad.jit: the compiled {self.fun_name} takes {aval.str_short()} as argument{path}, got "
                    f"{x.aval.str_short()}; call the jitted function itself to compile for other types"
                )
            if isinstance(x, Tracer):
                raise TypeError(
                    f"fungrad.jit: the compiled {self.fun_name} cannot be transformed (it was given a "
                    f"{type(x).__name__}); transform the jitted function instead"
                )
        run = entry.run or entry.prepare()
        outs = run(entry.const_data + entry.take(arrays))
        return tree.unflatten(
            entry.out_tree, [wrap_unchecked(d, a) for d, a in zip(outs, entry.out_avals, strict=True)]
        )
