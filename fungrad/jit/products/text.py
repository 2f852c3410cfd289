"""A writer of LLVM functions: registers, loops, branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count


class Function:
    """Collects the instructions of one function.

    Args:
      name: without the sign.
      parameters: pairs of LLVM type and name.
    """

    def __init__(self, name: str, parameters: Sequence[tuple[str, str]], internal: bool = True):
        linkage = "internal " if internal else ""
        arguments = ", ".join(f"{type} %{parameter}" for type, parameter in parameters)
        self.header = f"define {linkage}void @{name}({arguments}) #0 {{"
        self.lines: list[str] = ["entry:"]
        self.block = "entry"
        self._names = count()

    def text(self) -> str:
        """The finished function."""
        return "\n".join([self.header, *self.lines, "  ret void", "}"])

    def do(self, instruction: str) -> None:
        """An instruction without a result."""
        self.lines.append(f"  {instruction}")

    def op(self, instruction: str) -> str:
        """An instruction; the register of its result."""
        register = f"%r{next(self._names)}"
        self.lines.append(f"  {register} = {instruction}")
        return register

    def label(self, stem: str) -> str:
        """A new label."""
        return f"{stem}{next(self._names)}"

    def start(self, label: str) -> None:
        """Begins a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def opaque(self, type: str, value: str) -> str:
        """The same value, of which LLVM does not know how it was made: it then stays in a register of its own instead
        of becoming a chain of additions."""
        return self.op(f'call {type} asm "", "=r,0"({type} {value})')

    # -- integers and addresses ----------------------------------------------------------------------------------------

    def mul(self, a: str | int, b: str | int) -> str:
        """Product of two `i64`."""
        return self.op(f"mul nsw i64 {a}, {b}")

    def add(self, a: str | int, b: str | int) -> str:
        """Sum of two `i64`."""
        return self.op(f"add nsw i64 {a}, {b}")

    def sub(self, a: str | int, b: str | int) -> str:
        """Difference of two `i64`."""
        return self.op(f"sub nsw i64 {a}, {b}")

    def least(self, a: str | int, b: str | int) -> str:
        """The lesser of two `i64`."""
        less = self.op(f"icmp slt i64 {a}, {b}")
        return self.op(f"select i1 {less}, i64 {a}, i64 {b}")

    def most(self, a: str | int, b: str | int) -> str:
        """The greater of two `i64`."""
        less = self.op(f"icmp sgt i64 {a}, {b}")
        return self.op(f"select i1 {less}, i64 {a}, i64 {b}")

    def at(self, pointer: str, nbytes: str | int) -> str:
        """A pointer moved by some bytes."""
        return self.op(f"getelementptr i8, ptr {pointer}, i64 {nbytes}")

    # -- control flow --------------------------------------------------------------------------------------------------

    def loop(
        self,
        end: str | int,
        step: str | int,
        body: Callable[[str, list[str]], list[str]],
        carried: Sequence[tuple[str, str]] = (),
        at_least_once: bool = False,
    ) -> list[str]:
        """`for i in range(0, end, step)`.

        Args:
          end: number of iterations times `step`.
          step: of the counter.
          body: gets the counter and the carried values and returns their new values.
          carried: type and first value of what changes from one iteration to the next.
          at_least_once: whether the first iteration runs in any case.

        Returns:
          The carried values after the loop.
        """
        head, latch, done = self.label("loop"), self.label("latch"), self.label("done")
        before = self.block
        if at_least_once:
            self.do(f"br label %{head}")
        else:
            some = self.op(f"icmp sgt i64 {end}, 0")
            self.do(f"br i1 {some}, label %{head}, label %{done}")
        self.start(head)
        counter = f"%i{next(self._names)}"
        following = f"{counter}n"
        registers = [f"%c{next(self._names)}" for _ in carried]
        self.lines.append(f"  {counter} = phi i64 [ 0, %{before} ], [ {following}, %{latch} ]")
        places = []
        for _ in carried:
            places.append(len(self.lines))
            self.lines.append("")
        new = body(counter, registers)
        self.do(f"br label %{latch}")
        self.start(latch)
        for place, register, (type, first), value in zip(places, registers, carried, new, strict=True):
            self.lines[place] = f"  {register} = phi {type} [ {first}, %{before} ], [ {value}, %{latch} ]"
        self.do(f"{following} = add nsw i64 {counter}, {step}")
        more = self.op(f"icmp slt i64 {following}, {end}")
        self.do(f"br i1 {more}, label %{head}, label %{done}")
        self.start(done)
        if at_least_once:
            return new
        return [
            self.op(f"phi {type} [ {first}, %{before} ], [ {value}, %{latch} ]")
            for (type, first), value in zip(carried, new, strict=True)
        ]

    def choose(self, condition: str, then: Callable[[], None], orelse: Callable[[], None] | None = None) -> None:
        """A branch."""
        yes, no, join = self.label("then"), self.label("else"), self.label("join")
        self.do(f"br i1 {condition}, label %{yes}, label %{no if orelse else join}")
        self.start(yes)
        then()
        self.do(f"br label %{join}")
        if orelse:
            self.start(no)
            orelse()
            self.do(f"br label %{join}")
        self.start(join)
