"""The greatest elements of rows: the routine `topk` of `loops.Call`.

    topk    input dense, of shape (rows, n); output dense, int32 of shape (rows, k): the positions of the `k` greatest
            elements, in descending order, the first of equal ones first. Floats are compared in their total order.

Up to 32 results stay in registers, in order. More of them are collected in memory, for elements of up to 32 bits: those
that are greater than the least of the best `k` so far are added to these, with their positions; when there are `2 k`,
they are sorted and the better half stays. In both, elements that are not greater are passed over a register at a time.
"""

from __future__ import annotations

from fungrad.jit.ir import tuning
from fungrad.jit.ir.loops import Call
from fungrad.jit.llvm.sorting import Rows
from fungrad.jit.llvm.writer import ProgramWriter


def emit_topk(program: ProgramWriter, call: Call) -> None:
    """Write a `topk` into the function `run`."""
    source, target = call.inputs[0], call.outputs[0]
    (rows, n), k = source.shape, target.shape[1]
    if rows == 0 or k == 0:
        return
    dtype = program.program.buffers[source.buffer].dtype
    element = f"i{8 * dtype.itemsize}"
    kind = {"u": "unsigned", "b": "unsigned"}.get(dtype.kind, "signed" if dtype.kind == "i" else "float")
    if k <= tuning.TOP_IN_REGISTERS:
        function = _top_function(program, element, kind, n, k)
    else:
        function = _collecting_function(program, element, kind, n, k)
    program.long = program.long or rows * n > tuning.RELEASED_TOP
    with program.function() as name:
        x, y = program.address(source.buffer, source.offset), program.address(target.buffer, target.offset)
        program.lines += [
            "br label %unit",
            "unit:",
            "%u = phi i64 [ %begin, %entry ], [ %u2, %unit ]",
            f"%ox = mul i64 %u, {n}",
            f"%px = getelementptr {element}, ptr {x}, i64 %ox",
            f"%oy = mul i64 %u, {k}",
            f"%py = getelementptr i32, ptr {y}, i64 %oy",
            f"call void @{function}(ptr %px, ptr %py)",
            "%u2 = add i64 %u, 1",
            "%more = icmp ult i64 %u2, %end",
            "br i1 %more, label %unit, label %units",
            "units:",
        ]
    if program.module.machine.threads and rows > 1 and rows * n > tuning.SHARED_TOP:
        program.parallel(name, rows, tuning.PIECES_PER_THREAD)
    else:
        program.lines.append(f"call void @{name}(ptr %table, i64 0, i64 {rows})")


def _top_function(program: ProgramWriter, element: str, kind: str, n: int, k: int) -> str:
    """A function `(ptr x, ptr y)` for one row.

    The results so far stay in registers, in order. Elements that are not greater than the last of them are passed
    over a register at a time; others are put in their place without branches.
    """
    name = f"top_{kind}_{element}_{n}_{k}"
    module = program.module
    if f"@{name}" in module.globals:
        return name
    lanes = 8 if element == "i64" else 16
    places = 16 if k <= 16 else 32
    bits, width = f"i{lanes}", int(element[1:])
    module.declarations[f"@llvm.cttz.{bits}"] = f"declare {bits} @llvm.cttz.{bits}({bits}, i1)"
    text = _TOP.format(
        name=name,
        element=element,
        vector=f"<{lanes} x {element}>",
        keys=f"<{places} x {element}>",
        positions=f"<{places} x i32>",
        counting="<" + ", ".join(f"i32 {c}" for c in range(places)) + ">",
        same=f"<{places} x i32> zeroinitializer",
        filled="<" + ", ".join([f"i32 {k}"] * places) + ">",
        bits=bits,
        lanes=lanes,
        align=width // 8,
        n=n,
        k=k,
        last=k - 1,
        blocks=n - (n - k) % lanes,
        key=_key(kind, element, lanes, "%bits"),
        result=f"<{k} x i32>",
        results="<" + ", ".join(f"i32 {c}" for c in range(k)) + ">",
    )
    for stem in ("fill", "found", "tail"):
        insert = _INSERT.format(
            s=stem,
            element=element,
            keys=f"<{places} x {element}>",
            positions=f"<{places} x i32>",
            flags=f"<{places} x i1>",
            moved=f"<{places} x i32> <" + ", ".join(f"i32 {max(c - 1, 0)}" for c in range(places)) + ">",
            start="<" + ", ".join(["i1 true"] + ["i1 false"] * (places - 1)) + ">",
            same=f"<{places} x i32> zeroinitializer",
            align=width // 8,
            one_key=_key(kind, element, 1, f"%{stem}.loaded", f"%{stem}."),
        )
        text = text.replace(f"INSERT {stem}", insert)
    module.globals[f"@{name}"] = text
    return name


def _collecting_function(program: ProgramWriter, element: str, kind: str, n: int, k: int) -> str:
    """A function `(ptr x, ptr y)` for one row, whose results are collected in memory."""
    name = f"top_{kind}_{element}_{n}_{k}"
    module = program.module
    if f"@{name}" in module.globals:
        return name
    lanes, room = 16, min(2 * k, n)
    bits, width = f"i{lanes}", int(element[1:])
    module.declarations[f"@llvm.cttz.{bits}"] = f"declare {bits} @llvm.cttz.{bits}({bits}, i1)"
    text = _COLLECT.format(
        name=name,
        sort=Rows(program, "i64", room).alone(),
        element=element,
        vector=f"<{lanes} x {element}>",
        bits=bits,
        lanes=lanes,
        align=width // 8,
        n=n,
        k=k,
        room=room,
        last=k - 1,
        greatest=2**63 - 1,
        blocks=n - (n - room) % lanes,
        key=_key(kind, element, lanes, "%bits"),
    )
    for stem in ("fill", "found", "tail"):
        rank = _RANK.format(
            s=stem, element=element, align=width // 8, key=_key(kind, element, 1, f"%{stem}.loaded", f"%{stem}.")
        )
        text = text.replace(f"RANK {stem}", rank)
    module.globals[f"@{name}"] = text
    return name


def _key(kind: str, element: str, count: int, bits: str, stem: str = "%") -> str:
    """Lines that make a signed integer `key`, which orders as the number does, of its bits."""
    type = element if count == 1 else f"<{count} x {element}>"
    width = int(element[1:])

    def constant(value: int) -> str:
        return str(value) if count == 1 else "<" + ", ".join([f"{element} {value}"] * count) + ">"

    if kind == "signed":
        return f"{stem}key = or {type} {bits}, {constant(0)}"
    top = 1 << (width - 1)
    if kind == "unsigned":
        return f"{stem}key = xor {type} {bits}, {constant(-top)}"
    # Negative floats order by decreasing magnitude: all bits but the sign are flipped.
    return "\n  ".join(
        [
            f"{stem}sign = ashr {type} {bits}, {constant(width - 1)}",
            f"{stem}flip = and {type} {stem}sign, {constant(top - 1)}",
            f"{stem}key = xor {type} {bits}, {stem}flip",
        ]
    )


# Puts element `at` among the results `keys` and `where`; those from place `m` on are free (see `fill`).
_INSERT = """%{s}.px = getelementptr inbounds {element}, ptr %x, i64 %{s}.at
  %{s}.loaded = load {element}, ptr %{s}.px, align {align}
  {one_key}
  %{s}.key1 = insertelement {keys} poison, {element} %{s}.key, i64 0
  %{s}.keyw = shufflevector {keys} %{s}.key1, {keys} poison, {same}
  %{s}.narrow = trunc i64 %{s}.at to i32
  %{s}.at1 = insertelement {positions} poison, i32 %{s}.narrow, i64 0
  %{s}.atw = shufflevector {positions} %{s}.at1, {positions} poison, {same}
  %{s}.ge = icmp sge {keys} %{s}.keys, %{s}.keyw
  %{s}.stays = and {flags} %{s}.ge, %{s}.taken
  %{s}.before = shufflevector {flags} %{s}.stays, {flags} poison, {moved}
  %{s}.here = or {flags} %{s}.before, {start}
  %{s}.keysm = shufflevector {keys} %{s}.keys, {keys} poison, {moved}
  %{s}.wherem = shufflevector {positions} %{s}.where, {positions} poison, {moved}
  %{s}.keysi = select {flags} %{s}.here, {keys} %{s}.keyw, {keys} %{s}.keysm
  %{s}.wherei = select {flags} %{s}.here, {positions} %{s}.atw, {positions} %{s}.wherem
  %{s}.keys2 = select {flags} %{s}.stays, {keys} %{s}.keys, {keys} %{s}.keysi
  %{s}.where2 = select {flags} %{s}.stays, {positions} %{s}.where, {positions} %{s}.wherei"""

_TOP = """define internal void @{name}(ptr noalias %x, ptr noalias %y) #0 {{
entry:
  br label %fill
fill:
  %fill.at = phi i64 [ 0, %entry ], [ %f2, %fill ]
  %fill.keys = phi {keys} [ zeroinitializer, %entry ], [ %fill.keys2, %fill ]
  %fill.where = phi {positions} [ zeroinitializer, %entry ], [ %fill.where2, %fill ]
  %count = trunc i64 %fill.at to i32
  %count1 = insertelement {positions} poison, i32 %count, i64 0
  %countw = shufflevector {positions} %count1, {positions} poison, {same}
  %fill.taken = icmp slt {positions} {counting}, %countw
  INSERT fill
  %f2 = add i64 %fill.at, 1
  %f.more = icmp ult i64 %f2, {k}
  br i1 %f.more, label %fill, label %filled
filled:
  %some = icmp ult i64 {k}, {blocks}
  br i1 %some, label %block, label %rest
block:
  %i = phi i64 [ {k}, %filled ], [ %i2, %next ]
  %b.keys = phi {keys} [ %fill.keys2, %filled ], [ %n.keys, %next ]
  %b.where = phi {positions} [ %fill.where2, %filled ], [ %n.where, %next ]
  %px = getelementptr inbounds {element}, ptr %x, i64 %i
  %bits = load {vector}, ptr %px, align {align}
  {key}
  %least = extractelement {keys} %b.keys, i64 {last}
  %one = insertelement {vector} poison, {element} %least, i64 0
  %all = shufflevector {vector} %one, {vector} poison, <{lanes} x i32> zeroinitializer
  %mask = icmp sgt {vector} %key, %all
  %set = bitcast <{lanes} x i1> %mask to {bits}
  %any = icmp ne {bits} %set, 0
  br i1 %any, label %found, label %next
found:
  %left = phi {bits} [ %set, %block ], [ %left2, %found ]
  %found.keys = phi {keys} [ %b.keys, %block ], [ %found.keys2, %found ]
  %found.where = phi {positions} [ %b.where, %block ], [ %found.where2, %found ]
  %place = call {bits} @llvm.cttz.{bits}({bits} %left, i1 true)
  %lane = zext {bits} %place to i64
  %found.at = add i64 %i, %lane
  %found.taken = icmp slt {positions} {counting}, {filled}
  INSERT found
  %minus = add {bits} %left, -1
  %left2 = and {bits} %left, %minus
  %again = icmp ne {bits} %left2, 0
  br i1 %again, label %found, label %next
next:
  %n.keys = phi {keys} [ %b.keys, %block ], [ %found.keys2, %found ]
  %n.where = phi {positions} [ %b.where, %block ], [ %found.where2, %found ]
  %i2 = add i64 %i, {lanes}
  %more = icmp ult i64 %i2, {blocks}
  br i1 %more, label %block, label %rest
rest:
  %r.keys = phi {keys} [ %fill.keys2, %filled ], [ %n.keys, %next ]
  %r.where = phi {positions} [ %fill.where2, %filled ], [ %n.where, %next ]
  %none = icmp eq i64 {blocks}, {n}
  br i1 %none, label %done, label %tail
tail:
  %tail.at = phi i64 [ {blocks}, %rest ], [ %t2, %tail ]
  %tail.keys = phi {keys} [ %r.keys, %rest ], [ %tail.keys2, %tail ]
  %tail.where = phi {positions} [ %r.where, %rest ], [ %tail.where2, %tail ]
  %tail.taken = icmp slt {positions} {counting}, {filled}
  INSERT tail
  %t2 = add i64 %tail.at, 1
  %t.more = icmp ult i64 %t2, {n}
  br i1 %t.more, label %tail, label %done
done:
  %d.where = phi {positions} [ %r.where, %rest ], [ %tail.where2, %tail ]
  %out = shufflevector {positions} %d.where, {positions} poison, <{k} x i32> {results}
  store {result} %out, ptr %y, align 4
  ret void
}}"""


# Element `at` and its position as one integer, the less the better: stored in the next place.
_RANK = """%{s}.px = getelementptr inbounds {element}, ptr %x, i64 %{s}.at
  %{s}.loaded = load {element}, ptr %{s}.px, align {align}
  {key}
  %{s}.low = xor {element} %{s}.key, -1
  %{s}.wide = sext {element} %{s}.low to i64
  %{s}.high = shl i64 %{s}.wide, 32
  %{s}.rank = or i64 %{s}.high, %{s}.at
  %{s}.to = getelementptr inbounds i64, ptr %best, i64 %{s}.count
  store i64 %{s}.rank, ptr %{s}.to, align 8
  %{s}.count2 = add i64 %{s}.count, 1"""

_COLLECT = """define internal i64 @{name}_keep(ptr noalias %best, ptr noalias %order) #0 {{
entry:
  call void @{sort}(ptr %best, ptr %order, i64 0, i64 0)
  br label %copy
copy:
  %c = phi i64 [ 0, %entry ], [ %c2, %copy ]
  %from = getelementptr inbounds i64, ptr %order, i64 %c
  %to = getelementptr inbounds i64, ptr %best, i64 %c
  %rank = load i64, ptr %from, align 8
  store i64 %rank, ptr %to, align 8
  %c2 = add i64 %c, 1
  %more = icmp ult i64 %c2, {k}
  br i1 %more, label %copy, label %done
done:
  %key = ashr i64 %rank, 32
  %least = xor i64 %key, -1
  ret i64 %least
}}
define internal void @{name}(ptr noalias %x, ptr noalias %y) #0 {{
entry:
  %best = alloca [{room} x i64], align 64
  %order = alloca [{room} x i64], align 64
  br label %fill
fill:
  %fill.at = phi i64 [ 0, %entry ], [ %f2, %fill ]
  %fill.count = phi i64 [ 0, %entry ], [ %fill.count2, %fill ]
  RANK fill
  %f2 = add i64 %fill.at, 1
  %f.more = icmp ult i64 %f2, {room}
  br i1 %f.more, label %fill, label %filled
filled:
  %first = call i64 @{name}_keep(ptr %best, ptr %order)
  %some = icmp ult i64 {room}, {blocks}
  br i1 %some, label %block, label %rest
block:
  %i = phi i64 [ {room}, %filled ], [ %i2, %next ]
  %b.count = phi i64 [ {k}, %filled ], [ %n.count, %next ]
  %b.least = phi i64 [ %first, %filled ], [ %n.least, %next ]
  %px = getelementptr inbounds {element}, ptr %x, i64 %i
  %bits = load {vector}, ptr %px, align {align}
  {key}
  %least = trunc i64 %b.least to {element}
  %one = insertelement {vector} poison, {element} %least, i64 0
  %all = shufflevector {vector} %one, {vector} poison, <{lanes} x i32> zeroinitializer
  %mask = icmp sgt {vector} %key, %all
  %set = bitcast <{lanes} x i1> %mask to {bits}
  %any = icmp ne {bits} %set, 0
  br i1 %any, label %found, label %next
found:
  %left = phi {bits} [ %set, %block ], [ %left2, %go ]
  %found.count = phi i64 [ %b.count, %block ], [ %g.count, %go ]
  %found.least = phi i64 [ %b.least, %block ], [ %g.least, %go ]
  %place = call {bits} @llvm.cttz.{bits}({bits} %left, i1 true)
  %lane = zext {bits} %place to i64
  %found.at = add i64 %i, %lane
  RANK found
  %full = icmp eq i64 %found.count2, {room}
  br i1 %full, label %keep, label %go
keep:
  %kept = call i64 @{name}_keep(ptr %best, ptr %order)
  br label %go
go:
  %g.count = phi i64 [ %found.count2, %found ], [ {k}, %keep ]
  %g.least = phi i64 [ %found.least, %found ], [ %kept, %keep ]
  %minus = add {bits} %left, -1
  %left2 = and {bits} %left, %minus
  %again = icmp ne {bits} %left2, 0
  br i1 %again, label %found, label %next
next:
  %n.count = phi i64 [ %b.count, %block ], [ %g.count, %go ]
  %n.least = phi i64 [ %b.least, %block ], [ %g.least, %go ]
  %i2 = add i64 %i, {lanes}
  %more = icmp ult i64 %i2, {blocks}
  br i1 %more, label %block, label %rest
rest:
  %r.count = phi i64 [ {k}, %filled ], [ %n.count, %next ]
  %none = icmp eq i64 {blocks}, {n}
  br i1 %none, label %pad, label %tail
tail:
  %tail.at = phi i64 [ {blocks}, %rest ], [ %t2, %went ]
  %tail.count = phi i64 [ %r.count, %rest ], [ %t.count, %went ]
  RANK tail
  %t.full = icmp eq i64 %tail.count2, {room}
  br i1 %t.full, label %halve, label %went
halve:
  %t.kept = call i64 @{name}_keep(ptr %best, ptr %order)
  br label %went
went:
  %t.count = phi i64 [ %tail.count2, %tail ], [ {k}, %halve ]
  %t2 = add i64 %tail.at, 1
  %t.more = icmp ult i64 %t2, {n}
  br i1 %t.more, label %tail, label %pad
pad:
  %p.count = phi i64 [ %r.count, %rest ], [ %t.count, %went ]
  br label %padding
padding:
  %p = phi i64 [ %p.count, %pad ], [ %p2, %padding ]
  %pp = getelementptr inbounds i64, ptr %best, i64 %p
  store i64 {greatest}, ptr %pp, align 8
  %p2 = add i64 %p, 1
  %p.more = icmp ult i64 %p2, {room}
  br i1 %p.more, label %padding, label %sorted
sorted:
  call void @{sort}(ptr %best, ptr %order, i64 0, i64 0)
  br label %put
put:
  %o = phi i64 [ 0, %sorted ], [ %o2, %put ]
  %po = getelementptr inbounds i64, ptr %order, i64 %o
  %result = load i64, ptr %po, align 8
  %position = trunc i64 %result to i32
  %py = getelementptr inbounds i32, ptr %y, i64 %o
  store i32 %position, ptr %py, align 4
  %o2 = add i64 %o, 1
  %o.more = icmp ult i64 %o2, {k}
  br i1 %o.more, label %put, label %done
done:
  ret void
}}"""
