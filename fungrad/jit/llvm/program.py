"""A `Program` as one LLVM module: a function per nest, `run` that calls them in order, and `entry`,
which Python calls.

`entry` is a C function of Python's fast calling convention. Its arguments are arrays: the arena,
then the buffers in the order of `Module.arguments`. It reads their addresses straight from the
array objects, releases the interpreter lock around
long programs and returns an integer: 0, or 1 if a host step failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from fungrad.jit.ir import provenance, tuning
from fungrad.jit.ir.cost import nest_work, step_work
from fungrad.jit.ir.loops import Affine, Branch, Call, Host, Nest, Parallel, Program, Repeat, Rows, Series, While
from fungrad.jit.ir.products import work_of_step
from fungrad.jit.ir.traverse import of_kind, walk
from fungrad.jit.llvm import exchange, interrupts, subnormals
from fungrad.jit.llvm.control import split_loop, units
from fungrad.jit.llvm.module import Module, pairs_of
from fungrad.jit.llvm.nests import NestEmitter
from fungrad.jit.llvm.support import support_text
from fungrad.jit.products import routines
from fungrad.jit.products.convolution import part_of_conv
from fungrad.jit.products.products import Product, part_of_range
from fungrad.jit.runtime.layout import DATA_OFFSET, FLAGS_OFFSET, SUITED, UNSUITED


class ProgramEmitter:
    """Writes the module of one program.

    Attributes:
      hosts: the host steps in the order of their numbers.
      symbols: names of external functions that must be supplied when the module is loaded.
    """

    def __init__(self, program: Program):
        self.program = program
        self.module = Module(program)
        self.hosts: list[Host] = []
        self.symbols: dict[str, None] = {}
        self.lines: list[str] = []
        self.names: Iterator[int] = count()
        self.nests = count()
        self.parts = count()
        self.long = False
        self.has_hosts = has_hosts(program)
        self.quiets_blas = False
        # Counters of iterations between two polls for signals.
        self.pollers: list[str] = []
        # Whether what is written goes into a function beside `run`.
        self.in_function = False
        # For those who look: the step that is written, and which lines of `run` were written for which.
        self.present: Any = None
        self.spans: list[tuple[int, int, Any]] = []

    def emit(self) -> str:
        """Text of the module."""
        for buffer in self.program.buffers.values():
            if buffer.kind == "temp" and buffer.alias is None and buffer.offset is None:
                raise ValueError(f"loop IR: temporary {buffer.name} has no place in the arena")
        self.steps(self.program.steps)
        if provenance.is_on():
            self.module.note("run", None, self.lines, self.spans)
        self.module.functions.append(
            "\n".join(
                [
                    "define internal i32 @run(ptr %table) #0 {",
                    "entry:",
                    *self.pollers,
                    *exchange.at_home(self, self.module.moving),
                    *self.module.joined(self.lines),
                    "ret i32 0",
                    "}",
                ]
            )
        )
        if self.module.polls:
            self.module.functions.append(interrupts.definition(self.module))
        self.module.functions.append(self.entry())
        text = self.module.text()
        support = support_text(text, self.module.machine.soft_half)
        return f"{text}{support}attributes #0 = {{ nounwind noinline }}\n"

    def entry(self) -> str:
        """The function that Python calls."""
        module = self.module
        lines = [
            "define ptr @entry(ptr %self, ptr %args, i64 %n) #0 {",
            "entry:",
            f"%table = alloca [{module.table_size} x ptr], align 16",
            *self.arguments(),
        ]
        if module.polls:
            lines += interrupts.begin(module)
        if self.long:
            lines.append("%thread = call ptr @PyEval_SaveThread()")
            module.declarations["@PyEval_SaveThread"] = "declare ptr @PyEval_SaveThread()"
            module.declarations["@PyEval_RestoreThread"] = "declare void @PyEval_RestoreThread(ptr)"
        if self.quiets_blas:
            lines.append("call void @fg_blas_enter()")
        start, stop = self.float_mode()
        lines += [*start, "%status = call i32 @run(ptr %table)", *stop]
        if self.quiets_blas:
            lines.append("call void @fg_blas_leave()")
        if self.long:
            lines.append("call void @PyEval_RestoreThread(ptr %thread)")
        if module.polls:
            lines += [
                f"%stopped = icmp eq i32 %status, {interrupts.STOPPED}",
                "br i1 %stopped, label %raise, label %return",
                "raise:",
                "ret ptr null",
                "return:",
            ]
        module.declarations["@PyLong_FromLong"] = "declare ptr @PyLong_FromLong(i64)"
        lines += [
            "%wide = sext i32 %status to i64",
            "%result = call ptr @PyLong_FromLong(i64 %wide)",
            "ret ptr %result",
            "}",
        ]
        return "\n".join(lines)

    def arguments(self) -> list[str]:
        """Lines of `entry` that put the addresses of all arrays into the table, and leave with status `UNSUITED` if an
        input is not contiguous and aligned. Many are a loop, since LLVM's time for a block grows faster than the block.
        """
        arrays = len(self.module.arguments) + 1  # the arena is the first
        inputs = [k for k, name in enumerate(self.module.arguments, 1) if self.program.buffers[name].kind == "input"]
        if arrays > tuning.LOOKED_UP_ARRAYS and inputs == list(range(1, len(inputs) + 1)):
            lines = [
                "br label %each",
                "each:",
                "%k = phi i64 [ 0, %entry ], [ %next, %each ]",
                "%both = phi i32 [ -1, %entry ], [ %all, %each ]",
                *_argument("", "%k"),
                *_flags(""),
                "%place = sub i64 %k, 1",
                f"%given = icmp ult i64 %place, {len(inputs)}",
                "%g = and i32 %both, %f",
                "%all = select i1 %given, i32 %g, i32 %both",
                "%next = add i64 %k, 1",
                f"%more = icmp ult i64 %next, {arrays}",
                "br i1 %more, label %each, label %there",
                "there:",
            ]
            both = "%all"
        else:
            lines, both = [line for k in range(arrays) for line in _argument(str(k), str(k))], ""
            for k in inputs:
                lines += _flags(str(k))
                if both:
                    lines.append(f"%g{k} = and i32 {both}, %f{k}")
                both = f"%g{k}" if both else f"%f{k}"
        if not inputs:
            return lines
        self.module.declarations["@PyLong_FromLong"] = "declare ptr @PyLong_FromLong(i64)"
        return [
            *lines,
            f"%suited = and i32 {both}, {SUITED}",
            f"%go = icmp eq i32 %suited, {SUITED}",
            "br i1 %go, label %start, label %unsuited",
            "unsuited:",
            f"%no = call ptr @PyLong_FromLong(i64 {UNSUITED})",
            "ret ptr %no",
            "start:",
        ]

    # -- steps -------------------------------------------------------------------------------------

    def steps(self, steps: Sequence[Any]) -> None:
        for step in steps:
            start = len(self.lines)
            self.present = step
            self.step(step)
            if provenance.state.thread and not self.in_function:
                self.spans.append((start, len(self.lines), step))

    def step(self, step: Any) -> None:
        """Writes one step."""
        polled, self.module.polls = self.module.polls, False
        _STEP[type(step)](self, step)
        if self.module.polls:
            interrupts.leave_if_stopped(self, f"step{next(self.names)}")
        self.module.polls |= polled

    def register(self, stem: str = "%x") -> str:
        return f"{stem}{next(self.names)}"

    def nest(self, nest: Nest) -> None:
        name = self.nest_function(nest)
        self.long = self.long or nest_work(self.program, nest) > tuning.RELEASED_WORK
        n = units(self.program, nest)
        if self.module.machine.threads and split_loop(nest) is not None and n > 1:
            self.parallel(name, n, tuning.PIECES_PER_THREAD)
        else:
            self.lines.append(f"call void @{name}(ptr %table, i64 0, i64 {n})")

    def float_mode(self) -> tuple[list[str], list[str]]:
        """Lines around code that computes: they flush subnormal numbers where that was asked for."""
        machine = self.module.machine
        if not machine.flush_subnormals:
            return [], []
        return subnormals.switch(True, machine.arm, self.register, self.module.declarations)

    def parallel(self, function: str, n: int, pieces_per_thread: int) -> None:
        """Share the range `0 .. n` of a function between threads."""
        machine = self.module.machine
        if machine.flush_subnormals:
            # The threads of the pool have control registers of their own.
            wrapper = subnormals.flushing(function, machine.arm, self.register, self.module.declarations)
            self.module.functions.append(wrapper)
            function = f"{function}.flushing"
        name, types, more = "fg_parallel", "ptr, ptr, i64, i64", ""
        if self.module.polls:
            name, types, more = "fg_parallel_polling", f"{types}, ptr", ", ptr @poll"
        self.symbols[name] = None
        self.module.declarations[f"@{name}"] = f"declare void @{name}({types})"
        self.lines.append(f"call void @{name}(ptr @{function}, ptr %table, i64 {n}, i64 {pieces_per_thread}{more})")

    @contextmanager
    def function(self) -> Iterator[str]:
        """Write the lines inside to a function of its own, over a range `%begin .. %end`."""
        outside, self.lines = self.lines, []
        nested, self.in_function = self.in_function, True
        name = f"part{next(self.parts)}"
        yield name
        self.in_function = nested
        if provenance.is_on():
            self.module.note(name, self.present, self.lines, [])
        header = f"define internal void @{name}(ptr noalias %table, i64 %begin, i64 %end) #0 {{"
        self.module.functions.append("\n".join([header, "entry:", *self.lines, "ret void", "}"]))
        self.lines = outside

    def slot(self, symbol: str) -> str:
        """Address of the table slot of a `Repeat` counter."""
        register = self.register()
        place = self.module.slots[f"%{symbol}"]
        self.lines.append(f"{register} = getelementptr inbounds i64, ptr %table, i64 {place}")
        return register

    def base(self, buffer: str) -> str:
        """Address of a buffer."""
        root = self.program.root(buffer)
        slot = self.module.slots.get(root.name, 0)
        at, base = self.register(), self.register()
        self.lines += [
            f"{at} = getelementptr inbounds ptr, ptr %table, i64 {slot}",
            f"{base} = load ptr, ptr {at}, align 8",
        ]
        if slot:
            return base
        moved = self.register()
        self.lines.append(f"{moved} = getelementptr inbounds i8, ptr {base}, i64 {root.offset}")
        return moved

    def address(self, buffer: str, offset: Affine) -> str:
        """Address of an element of a buffer; the offset may contain `Repeat` counters."""
        base = self.base(buffer)
        total = self.offset(offset)
        register = self.register()
        size = self.program.buffers[buffer].dtype.itemsize
        scaled = self.register()
        self.lines += [
            f"{scaled} = mul i64 {total}, {size}",
            f"{register} = getelementptr inbounds i8, ptr {base}, i64 {scaled}",
        ]
        return register

    def offset(self, expression: Affine) -> str:
        """An affine expression of counters as an operand."""
        total = str(expression.const)
        for symbol, c in expression.terms:
            at, value, part, following = (self.register() for _ in range(4))
            place = self.module.slots[f"%{symbol}"]
            self.lines += [
                f"{at} = getelementptr inbounds i64, ptr %table, i64 {place}",
                f"{value} = load i64, ptr {at}, align 8",
                f"{part} = mul i64 {value}, {c}",
                f"{following} = add i64 {total}, {part}",
            ]
            total = following
        return total

    def call(self, call: Call) -> None:
        self.long = self.long or routines.is_long(call)
        routines.emit(self, call)

    def without_blas_threads(self, write: Callable[[], None]) -> None:
        """Write steps during which the BLAS has no threads of its own.

        Switching costs half a microsecond: a program without host steps does so once, from its beginning to its end.
        """
        for symbol in ("fg_blas_enter", "fg_blas_leave"):
            self.symbols[symbol] = None
            self.module.declarations[f"@{symbol}"] = f"declare void @{symbol}()"
        if self.has_hosts:
            self.lines.append("call void @fg_blas_enter()")
        write()
        if self.has_hosts:
            self.lines.append("call void @fg_blas_leave()")
        self.quiets_blas = not self.has_hosts

    def host(self, host: Host) -> None:
        """Call back into Python; leave with status 1 if it failed."""
        number = len(self.hosts)
        self.hosts.append(host)
        self.symbols["fg_host"] = None
        self.module.declarations["@fg_host"] = "declare i32 @fg_host(i32, ptr)"
        function, machine = "fg_host", self.module.machine
        if machine.flush_subnormals:
            function = "host.keeping"
            if number == 0:
                wrapper = subnormals.keeping_host(machine.arm, self.register, self.module.declarations)
                self.module.functions.append(wrapper)
        status, failed = self.register(), self.register()
        k = next(self.names)
        self.lines += [
            f"{status} = call i32 @{function}(i32 {number}, ptr %table)",
            # Anything but success: 0 is what a signal leaves that Python handles on the way in or out.
            f"{failed} = icmp ne i32 {status}, 1",
            f"br i1 {failed}, label %fail{k}, label %host{k}",
            f"fail{k}:",
            "ret i32 1",
            f"host{k}:",
        ]

    def series(self, step: Series) -> None:
        self.steps(step.steps)

    def rows(self, step: Rows) -> None:
        """Take blocks of rows through all steps, on several threads."""
        name, count = self.function_on_rows(step, step.block)
        if self.module.machine.threads:
            self.parallel(name, count, rows_pieces(step))
        else:
            self.lines.append(f"call void @{name}(ptr %table, i64 0, i64 {count})")

    def function_on_rows(self, step: Rows, block: int) -> tuple[str, int]:
        """Write the function that takes some blocks through all steps; its name and the number of blocks."""
        with self.function() as name:
            for s in step.steps:
                if type(s) is Call:
                    self.long = self.long or routines.is_long(s)
                    if s.routine in ("conv", "conv_each"):
                        part_of_conv(self, s, block)
                    else:
                        Product(self, s).part(block)
                else:
                    self.part_of_nest(s, step.extent, block)
        return name, -(-step.extent // block)

    def part_of_nest(self, nest: Nest, extent: int, block: int) -> None:
        """Call the function of a nest over some rows on the rows of the blocks `%begin .. %end`."""
        name = self.nest_function(nest)
        n = units(self.program, nest)
        self.long = self.long or nest_work(self.program, nest) > tuning.RELEASED_WORK
        per_block = block * n // extent
        first, count = part_of_range(self, per_block, n)
        end = self.register()
        self.lines += [
            f"{end} = add i64 {first}, {count}",
            f"call void @{name}(ptr %table, i64 {first}, i64 {end})",
        ]

    def side_by_side(self, step: Parallel) -> None:
        """Share the work of all steps between threads at once, in parcels of about the same size."""
        total = sum(work_of_step(s) for s in step.steps)
        members = [self.member(s, total // tuning.PARCELS) for s in step.steps]
        with self.function() as name:
            start = 0
            for function, count in members:
                self.part_of_member(function, start, count)
                start += count
        if self.module.machine.threads:
            self.parallel(name, start, tuning.PIECES_PER_THREAD)
        else:
            self.lines.append(f"call void @{name}(ptr %table, i64 0, i64 {start})")

    def member(self, step: Any, parcel: int) -> tuple[str, int]:
        """Write the function of one of several steps; its name and the number of parcels it divides into."""
        if type(step) is Rows:
            count = -(-step.extent // step.block)
            blocks = max(1, min(count, round(count * parcel / max(1, work_of_step(step)))))
            return self.function_on_rows(step, blocks * step.block)
        if type(step) is Call:
            self.long = self.long or routines.is_long(step)
            return Product(self, step).divided(parcel)
        with self.function() as name:
            for nest in step.steps if type(step) is Series else [step]:
                function, n = self.nest_function(nest), units(self.program, nest)
                self.lines.append(f"call void @{function}(ptr %table, i64 0, i64 {n})")
        return name, 1

    def part_of_member(self, function: str, start: int, count: int) -> None:
        """Call a function on what falls into its range of parcels, which begins at `start`."""
        for bound in ("umin", "umax"):
            self.module.declarations[f"@llvm.{bound}.i64"] = f"declare i64 @llvm.{bound}.i64(i64, i64)"
        k = next(self.names)
        self.lines += [
            f"%low{k} = call i64 @llvm.umax.i64(i64 %begin, i64 {start})",
            f"%high{k} = call i64 @llvm.umin.i64(i64 %end, i64 {start + count})",
            f"%any{k} = icmp ult i64 %low{k}, %high{k}",
            f"br i1 %any{k}, label %do{k}, label %past{k}",
            f"do{k}:",
            f"%first{k} = sub i64 %low{k}, {start}",
            f"%last{k} = sub i64 %high{k}, {start}",
            f"call void @{function}(ptr %table, i64 %first{k}, i64 %last{k})",
            f"br label %past{k}",
            f"past{k}:",
        ]

    def nest_function(self, nest: Nest) -> str:
        """Write the function of a nest; its name."""
        name = f"nest{next(self.nests)}"
        NestEmitter(self.module, nest, name).emit()
        return name

    def repeat(self, step: Repeat) -> None:
        if step.extent == 0:
            return
        k = next(self.names)
        pairs = pairs_of(self.program, step)
        homes = exchange.before_loop(self, pairs)
        at = self.slot(step.index)
        self.lines += [f"store i64 0, ptr {at}, align 8", f"br label %repeat{k}", f"repeat{k}:"]
        self.steps(step.steps)
        exchange.exchange(self, pairs)
        work = sum(step_work(self.program, s) for s in step.steps)
        if interrupts.is_long(work * step.extent):
            count = self.register()
            self.lines.append(f"{count} = load i64, ptr {at}, align 8")
            interrupts.poll(self, f"s{k}", count, interrupts.period(work), f"ret i32 {interrupts.STOPPED}")
        self.lines += [
            f"%now{k} = load i64, ptr {at}, align 8",
            f"%next{k} = add i64 %now{k}, 1",
            f"store i64 %next{k}, ptr {at}, align 8",
            f"%more{k} = icmp ult i64 %next{k}, {step.extent}",
            f"br i1 %more{k}, label %repeat{k}, label %done{k}",
            f"done{k}:",
        ]
        exchange.after_loop(self, pairs, homes)

    def loop_while(self, step: While) -> None:
        k = next(self.names)
        pairs = pairs_of(self.program, step)
        homes = exchange.before_loop(self, pairs)
        at = self.register()
        self.pollers.append(f"{at} = alloca i64, align 8")
        self.lines += [f"store i64 0, ptr {at}, align 8", f"br label %test{k}", f"test{k}:"]
        self.steps(step.test)
        base = self.base(step.condition)
        self.lines += [
            f"%byte{k} = load i8, ptr {base}, align 1",
            f"%more{k} = icmp ne i8 %byte{k}, 0",
            f"br i1 %more{k}, label %body{k}, label %done{k}",
            f"body{k}:",
        ]
        self.steps(step.steps)
        exchange.exchange(self, pairs)
        before, now = self.register(), self.register()
        self.lines += [
            f"{before} = load i64, ptr {at}, align 8",
            f"{now} = add i64 {before}, 1",
            f"store i64 {now}, ptr {at}, align 8",
        ]
        work = sum(step_work(self.program, s) for s in (*step.test, *step.steps))
        interrupts.poll(self, f"w{k}", now, interrupts.period(work), f"ret i32 {interrupts.STOPPED}")
        self.lines += [f"br label %test{k}", f"done{k}:"]
        exchange.after_loop(self, pairs, homes)

    def branch(self, step: Branch) -> None:
        k = next(self.names)
        base = self.base(step.selector)
        last = len(step.branches) - 1
        cases = " ".join(f"i32 {b}, label %case{k}.{b}" for b in range(last))
        self.lines += [
            f"%which{k} = load i32, ptr {base}, align 4",
            f"switch i32 %which{k}, label %case{k}.{last} [ {cases} ]",
        ]
        for b, steps in enumerate(step.branches):
            self.lines.append(f"case{k}.{b}:")
            self.steps(steps)
            self.lines.append(f"br label %join{k}")
        self.lines.append(f"join{k}:")


def _argument(name: str, place: str) -> list[str]:
    """Lines that put the address of the array at a place among the arguments into the table."""
    return [
        f"%a{name} = getelementptr inbounds ptr, ptr %args, i64 {place}",
        f"%o{name} = load ptr, ptr %a{name}, align 8",
        f"%d{name} = getelementptr inbounds i8, ptr %o{name}, i64 {DATA_OFFSET}",
        f"%p{name} = load ptr, ptr %d{name}, align 8",
        f"%s{name} = getelementptr inbounds ptr, ptr %table, i64 {place}",
        f"store ptr %p{name}, ptr %s{name}, align 8",
    ]


def _flags(name: str) -> list[str]:
    """Lines that read what an array says of its layout."""
    return [
        f"%fa{name} = getelementptr inbounds i8, ptr %o{name}, i64 {FLAGS_OFFSET}",
        f"%f{name} = load i32, ptr %fa{name}, align 4",
    ]


def rows_pieces(step: Rows) -> int:
    """How many pieces of the rows a thread gets: several where they are many, so that a piece stays in the cache and a
    slow thread does less; one otherwise, since products copy their right operand once per piece."""
    return max(1, min(tuning.PIECES_PER_THREAD, step.extent // tuning.ROWS_OF_A_PIECE))


def has_hosts(program: Program) -> bool:
    """Whether any step runs in Python."""
    return bool(of_kind(Host, walk(program.steps)))


_STEP: dict[type, Callable[[ProgramEmitter, Any], None]] = {
    Nest: ProgramEmitter.nest,
    Call: ProgramEmitter.call,
    Host: ProgramEmitter.host,
    Repeat: ProgramEmitter.repeat,
    Rows: ProgramEmitter.rows,
    Parallel: ProgramEmitter.side_by_side,
    Series: ProgramEmitter.series,
    While: ProgramEmitter.loop_while,
    Branch: ProgramEmitter.branch,
}
