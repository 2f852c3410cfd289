"""Sorting rows of numbers: the routine `sort` of `loops.Call`.

    sort    input and output dense, of shape (rows, n) and of type int32 or int64; every row ascending. Equal
            integers are indistinguishable, so that nothing need be stable: who wants positions packs them into the
            low bits.

There are two ways of sorting, both built on one network of compare-and-exchange steps (Batcher's merge exchange,
Knuth 5.2.2 M), which has no branches that depend on data:

* Many rows at a time: a register holds the same column of as many rows as it has lanes. Blocks of rows are
  transposed into a scratch array, the network exchanges whole registers, and the result is transposed back.
* A row alone: it is dealt out to the lanes, the lanes are sorted as above, and the sorted runs are merged in pairs.
  A merge works from both ends at once, which halves the chain of dependent loads and needs no test for the end of a
  run.
"""

from __future__ import annotations

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Call
from fungrad.jit.llvm.writer import ProgramWriter

# Lanes of one step.
_LANES = {"i32": 16, "i64": 8}
# The greatest integer fills up incomplete runs.
_GREATEST = {"i32": 2**31 - 1, "i64": 2**63 - 1}


def emit_sort(program: ProgramWriter, call: Call) -> None:
    """Write a `sort` into the function `run`."""
    source, target = call.inputs[0], call.outputs[0]
    rows, n = source.shape
    if rows == 0 or n == 0:
        return
    element = "i32" if program.program.buffers[source.buffer].dtype.itemsize == 4 else "i64"
    lanes = _LANES[element]
    size = int(element[1:]) // 8
    together = rows >= lanes // 2 and n > 1
    function = Rows(program, element, n).together() if together else Rows(program, element, n).alone()
    units = -(-rows // lanes) if together else rows
    per_unit = lanes if together else 1
    program.long = program.long or rows * n > tuning.RELEASED_NUMBERS
    with program.function() as name:
        x, y = program.address(source.buffer, source.offset), program.address(target.buffer, target.offset)
        lines = program.lines
        lines += [
            "br label %unit",
            "unit:",
            "%u = phi i64 [ %begin, %entry ], [ %u2, %unit ]",
            f"%row = mul i64 %u, {per_unit}",
            f"call void @{function}(ptr {x}, ptr {y}, i64 %row, i64 {rows - 1})",
            "%u2 = add i64 %u, 1",
            "%more = icmp ult i64 %u2, %end",
            "br i1 %more, label %unit, label %units",
            "units:",
        ]
    if program.module.machine.threads and units > 1 and rows * n * size > tuning.SHARED_SORT_BYTES:
        program.parallel(name, units, tuning.PIECES_PER_THREAD)
    else:
        program.lines.append(f"call void @{name}(ptr %table, i64 0, i64 {units})")


def exchanges(n: int) -> list[tuple[int, int]]:
    """The steps of the network for `n` inputs: pairs of places whose elements are put in order.

    >>> exchanges(3)
    [(0, 2), (0, 1), (1, 2)]
    """
    found = []
    top = 1 << max(0, (n - 1).bit_length() - 1)
    p = top if n > 1 else 0
    while p:
        q, r, d = top, 0, p
        while True:
            found += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return found


class Rows:
    """Functions that sort rows of one length; each is added to the module once."""

    def __init__(self, program: ProgramWriter, element: str, n: int):
        self.module = program.module
        self.element, self.n = element, n
        self.lanes = _LANES[element]
        self.vector = f"<{self.lanes} x {element}>"

    def define(self, name: str, text: str) -> str:
        """Add a function unless the module has it."""
        self.module.globals.setdefault(f"@{name}", text)
        return name

    def extremes(self, type: str) -> tuple[str, str]:
        """Names of the functions for minimum and maximum."""
        suffix = self.element if type == self.element else f"v{self.lanes}{self.element}"
        names = []
        for op in ("smin", "smax"):
            name = f"@llvm.{op}.{suffix}"
            self.module.declarations[name] = f"declare {type} {name}({type}, {type})"
            names.append(name)
        return names[0], names[1]

    # -- the network -----------------------------------------------------------------------------------------------

    def network(self, type: str) -> str:
        """A function `(ptr x, i64 n)` that sorts an array of `n` elements of a type, scalar or vector, lane by lane."""
        low, high = self.extremes(type)
        for op in ("ctlz.i64(i64, i1)", "umin.i64(i64, i64)"):
            self.module.declarations[f"@llvm.{op.split('(')[0]}"] = f"declare i64 @llvm.{op}"
        name = f"sort_{'lanes' if type == self.vector else 'few'}_{self.element}"
        return self.define(name, _NETWORK.format(name=name, type=type, low=low, high=high, align=self.align))

    @property
    def align(self) -> int:
        """Alignment of an element in bytes."""
        return int(self.element[1:]) // 8

    def written_out(self, n: int) -> str:
        """The same for vectors and a fixed small number of them, in registers."""
        low, high = self.extremes(self.vector)
        name, v = f"sort_lanes_{self.element}_{n}", self.vector
        values = [f"%x{k}" for k in range(n)]
        lines = [f"define internal void @{name}(ptr noalias %x) #0 {{"]
        for k in range(n):
            lines += [
                f"%p{k} = getelementptr inbounds {v}, ptr %x, i64 {k}",
                f"%x{k} = load {v}, ptr %p{k}, align {self.align}",
            ]
        for step, (i, j) in enumerate(exchanges(n)):
            lines += [
                f"%l{step} = call {v} {low}({v} {values[i]}, {v} {values[j]})",
                f"%h{step} = call {v} {high}({v} {values[i]}, {v} {values[j]})",
            ]
            values[i], values[j] = f"%l{step}", f"%h{step}"
        lines += [f"store {v} {values[k]}, ptr %p{k}, align {self.align}" for k in range(n)]
        return self.define(name, "\n".join([*lines, "ret void", "}"]))

    def sort_lanes(self, n: int, scratch: str) -> str:
        """The line that sorts `n` vectors in a scratch array."""
        if n <= tuning.SORTED_IN_REGISTERS:
            return f"call void @{self.written_out(n)}(ptr {scratch})"
        return f"call void @{self.network(self.vector)}(ptr {scratch}, i64 {n})"

    # -- many rows -------------------------------------------------------------------------------------------------

    def together(self) -> str:
        """A function `(ptr x, ptr y, i64 row, i64 last)` that sorts as many rows as there are lanes, from `row` on;
        rows after `last` are that row once more."""
        name = f"sort_rows_{self.element}_{self.n}"
        if f"@{name}" in self.module.globals:
            return name
        n, lanes, element = self.n, self.lanes, self.element
        self.module.declarations["@llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
        lines = [
            f"define internal void @{name}(ptr %x, ptr %y, i64 %row, i64 %last) #0 {{",
            "entry:",
            f"%scratch = alloca [{max(n, lanes)} x {self.vector}], align 64",
        ]
        for k in range(lanes):
            lines += [
                f"%n{k} = add i64 %row, {k}",
                f"%r{k} = call i64 @llvm.umin.i64(i64 %n{k}, i64 %last)",
                f"%o{k} = mul i64 %r{k}, {n}",
                f"%x{k} = getelementptr {element}, ptr %x, i64 %o{k}",
                f"%y{k} = getelementptr {element}, ptr %y, i64 %o{k}",
            ]
        lines += self.turn(True) + [self.sort_lanes(n, "%scratch")] + self.turn(False) + ["ret void", "}"]
        return self.define(name, "\n".join(lines))

    def turn(self, there: bool) -> list[str]:
        """Lines that transpose rows into the scratch array, or back."""
        n, lanes = self.n, self.lanes
        stem = "in" if there else "out"
        if n < lanes:
            return self.turn_columns(there)
        # The last square overlaps the one before where the length is no multiple of the lanes.
        count = -(-n // lanes)
        lines = [
            f"br label %{stem}.start",
            f"{stem}.start:",
            f"br label %{stem}",
            f"{stem}:",
            f"%{stem}.b = phi i64 [ 0, %{stem}.start ], [ %{stem}.next, %{stem} ]",
            f"%{stem}.far = mul i64 %{stem}.b, {lanes}",
            f"%{stem}.k = call i64 @llvm.umin.i64(i64 %{stem}.far, i64 {n - lanes})",
        ]
        values = [f"%{stem}.v{k}" for k in range(lanes)]
        rows = [f"%{'x' if there else 'y'}{k}" for k in range(lanes)]
        for k in range(lanes):
            lines += [
                f"%{stem}.row{k} = getelementptr {self.element}, ptr {rows[k]}, i64 %{stem}.k",
                f"%{stem}.at{k} = add i64 %{stem}.k, {k}",
                f"%{stem}.s{k} = getelementptr {self.vector}, ptr %scratch, i64 %{stem}.at{k}",
            ]
        source, target = ("row", "s") if there else ("s", "row")
        for k in range(lanes):
            lines.append(f"{values[k]} = load {self.vector}, ptr %{stem}.{source}{k}, align {self.align}")
        turned = self.transpose(values, stem, lines)
        for k in range(lanes):
            lines.append(f"store {self.vector} {turned[k]}, ptr %{stem}.{target}{k}, align {self.align}")
        return [
            *lines,
            f"%{stem}.next = add i64 %{stem}.b, 1",
            f"%{stem}.more = icmp ult i64 %{stem}.next, {count}",
            f"br i1 %{stem}.more, label %{stem}, label %{stem}.done",
            f"{stem}.done:",
        ]

    def turn_columns(self, there: bool) -> list[str]:
        """The same for fewer columns than lanes, element by element."""
        lines, stem = [], "in" if there else "out"
        for k in range(self.n):
            for lane in range(self.lanes):
                at = f"{stem}.{k}.{lane}"
                lines += [
                    f"%r{at} = getelementptr {self.element}, ptr %{'x' if there else 'y'}{lane}, i64 {k}",
                    f"%s{at} = getelementptr {self.element}, ptr %scratch, i64 {k * self.lanes + lane}",
                ]
                source, target = ("r", "s") if there else ("s", "r")
                lines += [
                    f"%v{at} = load {self.element}, ptr %{source}{at}, align {self.align}",
                    f"store {self.element} %v{at}, ptr %{target}{at}, align {self.align}",
                ]
        return lines

    def transpose(self, values: list[str], stem: str, lines: list[str]) -> list[str]:
        """The columns of a square of values: halves are exchanged between rows at distance n/2, n/4, ... 1."""
        n, distance = self.lanes, self.lanes // 2
        values = list(values)
        while distance:
            low = [c if not c & distance else n + c - distance for c in range(n)]
            high = [c + distance if not c & distance else n + c for c in range(n)]
            for r in range(n):
                if r & distance:
                    continue
                a, b = values[r], values[r + distance]
                for half, order, at in (("l", low, r), ("h", high, r + distance)):
                    mask = ", ".join(f"i32 {c}" for c in order)
                    values[at] = f"%{stem}.t{half}{distance}.{r}"
                    lines.append(
                        f"{values[at]} = shufflevector {self.vector} {a}, {self.vector} {b}, <{n} x i32> <{mask}>"
                    )
            distance //= 2
        return values

    # -- a row alone -----------------------------------------------------------------------------------------------

    def alone(self) -> str:
        """A function `(ptr x, ptr y, i64 row, i64 last)` that sorts one row."""
        name = f"sort_row_{self.element}_{self.n}"
        if f"@{name}" in self.module.globals:
            return name
        n, element = self.n, self.element
        nbytes = n * self.align
        self.module.declarations["@llvm.memmove.p0.p0.i64"] = "declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)"
        self.module.declarations["@llvm.memcpy.p0.p0.i64"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
        head = [
            f"define internal void @{name}(ptr %x, ptr %y, i64 %row, i64 %last) #0 {{",
            "entry:",
            f"%o = mul i64 %row, {n}",
            f"%from = getelementptr {element}, ptr %x, i64 %o",
            f"%to = getelementptr {element}, ptr %y, i64 %o",
        ]
        if n <= tuning.SORTED_ALONE:
            lines = [
                f"call void @llvm.memmove.p0.p0.i64(ptr %to, ptr %from, i64 {nbytes}, i1 false)",
                f"call void @{self.network(element)}(ptr %to, i64 {n})",
            ]
        else:
            lines = self.by_merging()
        return self.define(name, "\n".join([*head, *lines, "ret void", "}"]))

    def by_merging(self) -> list[str]:
        """Lines that sort a long row in two scratch arrays of equal runs."""
        n, lanes, element = self.n, self.lanes, self.element
        groups = 1
        while groups * lanes * tuning.MERGED_RUN < n:
            groups *= 2
        run = -(-n // (lanes * groups))
        block, whole = lanes * run, lanes * run * groups
        merge = self.define(f"merge_{element}", _MERGE.format(element=element, align=self.align))
        deal = self.define(f"collect_{element}", _COLLECT.format(element=element, align=self.align, lanes=lanes))
        lines = [f"%{s} = alloca [{whole} x {element}], align 64" for s in ("a", "b")]
        lines.append(f"call void @llvm.memcpy.p0.p0.i64(ptr %a, ptr %from, i64 {n * self.align}, i1 false)")
        for k in range(n, whole):
            lines += [
                f"%fill{k} = getelementptr {element}, ptr %a, i64 {k}",
                f"store {element} {_GREATEST[element]}, ptr %fill{k}, align {self.align}",
            ]
        sort = self.sort_lanes(run, "%group")
        lines += [
            "br label %group.start",
            "group.start:",
            "br label %groups",
            "groups:",
            "%g = phi i64 [ 0, %group.start ], [ %g2, %groups ]",
            f"%at = mul i64 %g, {block}",
            f"%group = getelementptr {element}, ptr %a, i64 %at",
            f"%runs = getelementptr {element}, ptr %b, i64 %at",
            sort,
            f"call void @{deal}(ptr %group, ptr %runs, i64 {run})",
            "%g2 = add i64 %g, 1",
            f"%g.more = icmp ult i64 %g2, {groups}",
            "br i1 %g.more, label %groups, label %merging",
            "merging:",
        ]
        source, target, length = "%b", "%a", run
        while length < whole:
            lines.append(f"call void @{merge}(ptr {source}, ptr {target}, i64 {length}, i64 {whole})")
            source, target, length = target, source, 2 * length
        lines.append(f"call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr {source}, i64 {n * self.align}, i1 false)")
        return lines


# -- functions that do not depend on the length ------------------------------------------------------------------------

_NETWORK = """define internal void @{name}(ptr noalias %x, i64 %n) #0 {{
entry:
  %small = icmp ult i64 %n, 2
  br i1 %small, label %done, label %start
start:
  %n1 = add i64 %n, -1
  %zeros = call i64 @llvm.ctlz.i64(i64 %n1, i1 true)
  %e = sub i64 63, %zeros
  %top = shl i64 1, %e
  br label %round
round:
  %p = phi i64 [ %top, %start ], [ %p2, %following ]
  %twice = shl i64 %p, 1
  br label %pass
pass:
  %q = phi i64 [ %top, %round ], [ %q2, %again ]
  %r = phi i64 [ 0, %round ], [ %p, %again ]
  %d = phi i64 [ %p, %round ], [ %d2, %again ]
  %limit = sub i64 %n, %d
  %any = icmp ult i64 %r, %limit
  br i1 %any, label %run, label %passed
run:
  %base = phi i64 [ %r, %pass ], [ %base2, %ran ]
  %far = add i64 %base, %p
  %end = call i64 @llvm.umin.i64(i64 %far, i64 %limit)
  br label %exchange
exchange:
  %i = phi i64 [ %base, %run ], [ %i2, %exchange ]
  %j = add i64 %i, %d
  %pa = getelementptr inbounds {type}, ptr %x, i64 %i
  %pb = getelementptr inbounds {type}, ptr %x, i64 %j
  %a = load {type}, ptr %pa, align {align}
  %b = load {type}, ptr %pb, align {align}
  %lo = call {type} {low}({type} %a, {type} %b)
  %hi = call {type} {high}({type} %a, {type} %b)
  store {type} %lo, ptr %pa, align {align}
  store {type} %hi, ptr %pb, align {align}
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, %end
  br i1 %more, label %exchange, label %ran
ran:
  %base2 = add i64 %base, %twice
  %go = icmp ult i64 %base2, %limit
  br i1 %go, label %run, label %passed
passed:
  %same = icmp eq i64 %q, %p
  br i1 %same, label %following, label %again
again:
  %d2 = sub i64 %q, %p
  %q2 = lshr i64 %q, 1
  br label %pass
following:
  %p2 = lshr i64 %p, 1
  %last = icmp eq i64 %p2, 0
  br i1 %last, label %done, label %round
done:
  ret void
}}"""

# Merges neighbouring runs of equal length, each pair from both ends.
_MERGE = """define internal void @merge_{element}(ptr noalias %x, ptr noalias %y, i64 %length, i64 %n) #0 {{
entry:
  %twice = shl i64 %length, 1
  br label %pair
pair:
  %base = phi i64 [ 0, %entry ], [ %base2, %next ]
  %middle = add i64 %base, %length
  %base2 = add i64 %base, %twice
  %left.end = add i64 %middle, -1
  %right.end = add i64 %base2, -1
  br label %step
step:
  %k = phi i64 [ 0, %pair ], [ %k2, %step ]
  %a = phi i64 [ %base, %pair ], [ %a2, %step ]
  %b = phi i64 [ %middle, %pair ], [ %b2, %step ]
  %c = phi i64 [ %left.end, %pair ], [ %c2, %step ]
  %e = phi i64 [ %right.end, %pair ], [ %e2, %step ]
  %pa = getelementptr inbounds {element}, ptr %x, i64 %a
  %pb = getelementptr inbounds {element}, ptr %x, i64 %b
  %pc = getelementptr inbounds {element}, ptr %x, i64 %c
  %pe = getelementptr inbounds {element}, ptr %x, i64 %e
  %va = load {element}, ptr %pa, align {align}
  %vb = load {element}, ptr %pb, align {align}
  %vc = load {element}, ptr %pc, align {align}
  %ve = load {element}, ptr %pe, align {align}
  %first = icmp sle {element} %va, %vb
  %front = select i1 %first, {element} %va, {element} %vb
  %first.one = zext i1 %first to i64
  %a2 = add i64 %a, %first.one
  %b1 = add i64 %b, 1
  %b2 = sub i64 %b1, %first.one
  %greater = icmp sgt {element} %vc, %ve
  %back = select i1 %greater, {element} %vc, {element} %ve
  %greater.one = zext i1 %greater to i64
  %c2 = sub i64 %c, %greater.one
  %e1 = add i64 %e, -1
  %e2 = add i64 %e1, %greater.one
  %at = add i64 %base, %k
  %other = sub i64 %right.end, %k
  %py = getelementptr inbounds {element}, ptr %y, i64 %at
  %pz = getelementptr inbounds {element}, ptr %y, i64 %other
  store {element} %front, ptr %py, align {align}
  store {element} %back, ptr %pz, align {align}
  %k2 = add i64 %k, 1
  %more = icmp ult i64 %k2, %length
  br i1 %more, label %step, label %next
next:
  %go = icmp ult i64 %base2, %n
  br i1 %go, label %pair, label %done
done:
  ret void
}}"""

# Puts the elements of each lane, which stand one vector apart, next to each other.
_COLLECT = """define internal void @collect_{element}(ptr noalias %x, ptr noalias %y, i64 %n) #0 {{
entry:
  br label %lane
lane:
  %l = phi i64 [ 0, %entry ], [ %l2, %next ]
  %start = mul i64 %l, %n
  br label %step
step:
  %k = phi i64 [ 0, %lane ], [ %k2, %step ]
  %row = mul i64 %k, {lanes}
  %from = add i64 %row, %l
  %to = add i64 %start, %k
  %px = getelementptr inbounds {element}, ptr %x, i64 %from
  %py = getelementptr inbounds {element}, ptr %y, i64 %to
  %v = load {element}, ptr %px, align {align}
  store {element} %v, ptr %py, align {align}
  %k2 = add i64 %k, 1
  %more = icmp ult i64 %k2, %n
  br i1 %more, label %step, label %next
next:
  %l2 = add i64 %l, 1
  %go = icmp ult i64 %l2, {lanes}
  br i1 %go, label %lane, label %done
done:
  ret void
}}"""
