"""``debug.breakpoint``: a prompt in the middle of a function that may be traced, compiled, mapped and differentiated.

What the user's frames hold while the function is traced are tracers; those become operands of a debug
callback, which shows the frames with values in their places.

May import ``core`` and ``control.callbacks``.
"""

from __future__ import annotations

import cmd
import linecache
import pprint
import sys
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from typing import IO, Any

from fungrad.control.callbacks import debug_callback, pure_callback
from fungrad.core import tree
from fungrad.core.context import Tracer
from fungrad.core.source import PACKAGE_DIR, api_boundary
from fungrad.ops.cast import stop_gradient

_one_at_a_time = threading.Lock()


class Frame:
    """A frame of the user's code, as the prompt shows it.

    Attributes:
      file, line, function: where it is.
      locals: its variables; values where the function had tracers.
      globals: of its module.
    """

    def __init__(self, frame: types.FrameType, variables: dict[str, Any]):
        self.file, self.line = frame.f_code.co_filename, frame.f_lineno
        self.function = frame.f_code.co_name
        self.locals = variables
        self.globals = frame.f_globals

    def source(self, before: int, after: int) -> list[str]:
        """Numbered lines around the current one, which is marked."""
        out = []
        for n in range(max(1, self.line - before), self.line + after + 1):
            text = linecache.getline(self.file, n)
            if text:
                out.append(f"{'->' if n == self.line else '  '} {n:4d}  {text.rstrip()}")
        return out

    def with_locals(self, variables: dict[str, Any]) -> Frame:
        """The same place with other values."""
        new = object.__new__(Frame)
        new.__dict__.update(self.__dict__, locals=variables)
        return new


class Prompt(cmd.Cmd):
    """The commands of ``debug.breakpoint``: like those of ``pdb``, without stepping."""

    prompt = "(fdb) "

    def __init__(
        self,
        frames: Sequence[Frame],
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        completekey: str = "tab",
    ):
        super().__init__(completekey, stdin, stdout)
        self.use_rawinput = stdin is None
        if stdin is not None:
            # Another prompt may read on from the same input: no line must be read ahead, nor be shown.
            self.prompt = ""
        self.frames = list(frames)
        self.current = 0

    def preloop(self) -> None:
        self._say(f"Stopped in {self._place(self.frames[0])}; h for help, c to continue.")
        self._show(1)

    @staticmethod
    def _place(frame: Frame) -> str:
        return f"{frame.file}:{frame.line} ({frame.function})"

    def _say(self, text: str) -> None:
        print(text, file=self.stdout, flush=True)

    def _show(self, lines: int) -> None:
        frame = self.frames[self.current]
        self._say(f"> {self._place(frame)}")
        for text in frame.source(lines, lines):
            self._say(text)

    def _value(self, expression: str, show: Callable[[Any], str]) -> None:
        frame = self.frames[self.current]
        try:
            value = eval(expression, frame.globals, dict(frame.locals))
            self._say(show(value))
        except Exception as error:  # noqa: BLE001 - the prompt shows whatever goes wrong
            self._say("*** " + traceback.format_exception_only(error)[-1].strip())

    # -- commands

    def do_p(self, arg: str) -> None:
        """p EXPRESSION: the value of an expression."""
        self._value(arg, repr)

    def do_pp(self, arg: str) -> None:
        """pp EXPRESSION: the value of an expression, pretty-printed."""
        self._value(arg, pprint.pformat)

    def do_locals(self, arg: str) -> None:
        """locals: the variables of the frame and their values."""
        for name, value in self.frames[self.current].locals.items():
            self._say(f"{name} = {value!r}")

    def do_list(self, arg: str) -> None:
        """l(ist): the source around the current line."""
        self._show(5)

    def do_where(self, arg: str) -> None:
        """w(here), bt: the frames, the innermost last."""
        for number in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[number]
            self._say(f"{'> ' if number == self.current else '  '}{self._place(frame)}")
            self._say(f"      {linecache.getline(frame.file, frame.line).strip()}")

    def do_up(self, arg: str) -> None:
        """u(p): to the frame that called this one."""
        self._go(self.current + 1, "This is the outermost frame.")

    def do_down(self, arg: str) -> None:
        """d(own): to the frame that this one called."""
        self._go(self.current - 1, "This is the innermost frame.")

    def _go(self, number: int, otherwise: str) -> None:
        if 0 <= number < len(self.frames):
            self.current = number
            self._show(1)
        else:
            self._say(otherwise)

    def do_continue(self, arg: str) -> bool:
        """c(ontinue): goes on with the program."""
        return True

    def do_quit(self, arg: str) -> None:
        """q(uit): ends the program, as sys.exit does."""
        sys.exit(0)

    do_h = cmd.Cmd.do_help
    do_l = do_list
    do_w = do_bt = do_backtrace = do_where
    do_u, do_d = do_up, do_down
    do_c = do_cont = do_continue
    do_q = do_exit = do_quit
    do_EOF = do_quit  # noqa: N815 - the name that `cmd` looks for

    def default(self, line: str) -> None:
        """Anything else is an expression."""
        self._value(line, repr)

    def emptyline(self) -> bool:
        """An empty line does nothing."""
        return False

    def run(self) -> None:
        """Reads commands until one ends the prompt."""
        while True:
            try:
                self.cmdloop()
                return
            except KeyboardInterrupt:
                self._say("--KeyboardInterrupt--")


def _frames_of(frame: types.FrameType | None, filter_frames: bool, limit: int | None) -> list[types.FrameType]:
    """A frame and its callers, innermost first, without the library's."""
    found: list[types.FrameType] = []
    while frame is not None and (limit is None or len(found) < limit):
        if not (filter_frames and frame.f_code.co_filename.startswith(PACKAGE_DIR)):
            found.append(frame)
        frame = frame.f_back
    return found


class _Opaque:
    """A variable that is no tree of arrays, and stays what it is."""

    def __init__(self, value: Any):
        self.value = value


def _parts(value: Any) -> tuple[list[Any], Any]:
    """Leaves and structure of a variable; of one that cannot be flattened, itself."""
    try:
        return tree.flatten(value)
    except Exception:  # noqa: BLE001 - dictionaries with keys that do not compare, user-defined nodes that fail
        return tree.flatten(_Opaque(value))


class _Taken:
    """A variable taken apart, and which leaves are tracers, by number."""

    def __init__(self, leaves: list[Any], structure: Any, places: list[int | None]):
        self.leaves, self.structure, self.places = leaves, structure, places

    def filled(self, values: Sequence[Any]) -> Any:
        """The variable with values for tracers."""
        leaves = [x if p is None else values[p] for x, p in zip(self.leaves, self.places, strict=True)]
        return tree.unflatten(self.structure, leaves)


class _Snapshot:
    """Frames with places for the values of tracers."""

    def __init__(self, frames: Sequence[types.FrameType]):
        self.tracers: list[Any] = []
        self._where: dict[int, int] = {}
        self._frames = []
        for frame in frames:
            variables = {}
            for name, value in dict(frame.f_locals).items():
                leaves, structure = _parts(value)
                places = [self._place(x) for x in leaves]
                # Only variables with tracers are taken apart: others are shown as they are.
                changed = any(p is not None for p in places)
                variables[name] = _Taken(leaves, structure, places) if changed else value
            self._frames.append((Frame(frame, {}), variables))

    def _place(self, x: Any) -> int | None:
        if not isinstance(x, Tracer) or not x._trace.alive:
            return None
        if id(x) not in self._where:
            self._where[id(x)] = len(self.tracers)
            self.tracers.append(x)
        return self._where[id(x)]

    def filled(self, values: Sequence[Any]) -> list[Frame]:
        """The frames with values."""
        out = []
        for frame, variables in self._frames:
            shown = {n: v.filled(values) if type(v) is _Taken else v for n, v in variables.items()}
            out.append(frame.with_locals(shown))
        return out


@api_boundary
def breakpoint(
    *,
    backend: str | None = None,
    filter_frames: bool = True,
    num_frames: int | None = None,
    ordered: bool = False,
    token: Any = None,
    **kwargs: Any,
) -> Any:
    """Stops the program and reads commands, with the values of the variables around it.

    Works where the function is compiled, mapped (stops once per example), differentiated (stops in the
    forward pass) or in a loop. Commands: an expression or ``p``, ``pp`` EXPRESSION, ``locals``, ``list``,
    ``where``, ``up``, ``down``, ``continue``, ``quit``; ``help`` explains them.

    Args:
      backend: ``"cli"`` or None: there is one.
      filter_frames: whether to leave the library's frames out.
      num_frames: how many frames are shown; None for all.
      ordered: whether stops must keep their order (they always do).
      token: an array or tree of arrays: the program stops when it is known, and only if what is returned
        for it is used.
      **kwargs: ``stdin`` and ``stdout``, files to read commands from and to write to.

    Returns:
      ``token``.

    Example:
      >>> import io, sys, fungrad
      >>> @fungrad.jit
      ... def f(x):
      ...   y = x * 2.0
      ...   fungrad.debug.breakpoint(stdin=io.StringIO("p x + y"), stdout=io.StringIO())
      ...   return y
    """
    if backend not in (None, "cli"):
        raise ValueError(f"fungrad.debug.breakpoint: backend must be 'cli' or None, got {backend!r}")
    unknown = set(kwargs) - {"stdin", "stdout", "completekey"}
    if unknown:
        raise TypeError(
            f"fungrad.debug.breakpoint: unknown argument {sorted(unknown)[0]!r}; the prompt takes stdin, stdout and "
            "completekey"
        )
    if token is not None and ordered:
        raise ValueError("fungrad.debug.breakpoint: ordered and token exclude each other")
    snapshot = _Snapshot(_frames_of(sys._getframe(2), filter_frames, num_frames))

    def stop(*values: Any) -> None:
        with _one_at_a_time:
            Prompt(snapshot.filled(values), **kwargs).run()

    if token is None:
        debug_callback(stop, *snapshot.tracers, ordered=ordered)
        return None

    def stop_and_return(x: Any, *values: Any) -> Any:
        stop(*values)
        return x

    token, values = stop_gradient((token, snapshot.tracers))
    return pure_callback(stop_and_return, token, token, *values, vmap_method="sequential")
