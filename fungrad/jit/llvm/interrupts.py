"""Interruption of long loops: polling for signals (Ctrl-C).

Python notes a signal and handles it when the main thread next runs Python code, which a loop in native code does not.
So loops that may take long call `@poll` now and then: it lets Python handle what is waiting (and other threads of
Python run), and if that raises, sets the stop flag of the call. All loops of the call, also those on other threads of
the pool, leave when they see the flag. What they have written by then is thrown away, since `entry` raises.

The flag and the thread that made the call are in two slots at the end of the table. Other threads of the pool only look
at the flag: they are not Python's.
"""

from __future__ import annotations

from typing import Protocol

from fungrad.jit.ir import tuning
from fungrad.jit.llvm import subnormals
from fungrad.jit.llvm.module import Module

# What `run` returns when a loop was stopped: a Python exception is set.
STOPPED = 3

_POLL = """define internal i1 @poll(ptr %table) #0 {{
entry:
  %at = getelementptr inbounds i64, ptr %table, i64 {flag}
  %flag = load atomic i64, ptr %at monotonic, align 8
  %stopped = icmp ne i64 %flag, 0
  br i1 %stopped, label %yes, label %look
look:
{whose}
ask:
{start}
  %state = call i32 @PyGILState_Ensure()
  %status = call i32 @PyErr_CheckSignals()
  %thread = call ptr @PyEval_SaveThread()
  call void @PyEval_RestoreThread(ptr %thread)
  call void @PyGILState_Release(i32 %state)
{stop}
  %raised = icmp ne i32 %status, 0
  br i1 %raised, label %set, label %no
set:
  store atomic i64 1, ptr %at monotonic, align 8
  br label %yes
yes:
  ret i1 true
no:
  ret i1 false
}}"""

_RARE = '!{!"branch_weights", i32 1, i32 1000000}'

_WHOSE = """  %me = call ptr @pthread_self()
  %owner_at = getelementptr inbounds i64, ptr %table, i64 {owner}
  %owner = load ptr, ptr %owner_at, align 8
  %mine = icmp eq ptr %me, %owner
  br i1 %mine, label %ask, label %no"""


_PYTHON = {
    "PyGILState_Ensure": "declare i32 {}()",
    "PyGILState_Release": "declare void {}(i32)",
    "PyErr_CheckSignals": "declare i32 {}()",
    "PyEval_SaveThread": "declare ptr {}()",
    "PyEval_RestoreThread": "declare void {}(ptr)",
}


class Writer(Protocol):
    """What this needs of an emitter."""

    module: Module
    lines: list[str]


def period(work: float) -> int:
    """Iterations between two polls of a loop, a power of two.

    Args:
      work: estimated vector instructions of one iteration.
    """
    return 1 << max(0, int(tuning.POLLED_WORK / max(1.0, work)).bit_length() - 1)


def is_long(work: float) -> bool:
    """Whether a loop of so many estimated vector instructions polls."""
    return work > tuning.POLLED_WORK


def poll(writer: Writer, key: str, counter: str, every: int, leave: str) -> str:
    """Lines that poll if a counter is a multiple of `every`; the label at which they end.

    Args:
      writer: lines are added to its function.
      key: makes names unique.
      counter: i64 operand.
      every: a power of two.
      leave: instruction that leaves the function.
    """
    module = writer.module
    module.polls = True
    rare = module.shared_metadata(_RARE)
    writer.lines += [
        f"%low.{key} = and i64 {counter}, {every - 1}",
        f"%due.{key} = icmp eq i64 %low.{key}, 0",
        f"br i1 %due.{key}, label %poll.{key}, label %on.{key}, !prof {rare}",
        f"poll.{key}:",
        f"%stop.{key} = call i1 @poll(ptr %table)",
        f"br i1 %stop.{key}, label %stopped.{key}, label %on.{key}, !prof {rare}",
        f"stopped.{key}:",
        leave,
        f"on.{key}:",
    ]
    return f"on.{key}"


def leave_if_stopped(writer: Writer, key: str) -> None:
    """Lines that leave `run` if the stop flag is set, after a part that polls."""
    rare = writer.module.shared_metadata(_RARE)
    writer.lines += [
        f"%at.{key} = getelementptr inbounds i64, ptr %table, i64 {writer.module.flag_slot}",
        f"%flag.{key} = load atomic i64, ptr %at.{key} monotonic, align 8",
        f"%stop.{key} = icmp ne i64 %flag.{key}, 0",
        f"br i1 %stop.{key}, label %stopped.{key}, label %on.{key}, !prof {rare}",
        f"stopped.{key}:",
        f"ret i32 {STOPPED}",
        f"on.{key}:",
    ]


def begin(module: Module) -> list[str]:
    """Lines of the entry that prepare the two slots."""
    flag, machine = module.flag_slot, module.machine
    lines = [
        f"%flag = getelementptr inbounds i64, ptr %table, i64 {flag}",
        "store i64 0, ptr %flag, align 8",
    ]
    if machine.threads:
        lines += [
            "%me = call ptr @pthread_self()",
            f"%owner = getelementptr inbounds i64, ptr %table, i64 {flag + 1}",
            "store ptr %me, ptr %owner, align 8",
        ]
    return lines


def definition(module: Module) -> str:
    """The function `@poll`."""
    machine, flag = module.machine, module.flag_slot
    for name, signature in _PYTHON.items():
        module.declarations[f"@{name}"] = signature.format(f"@{name}")
    whose = "  br label %ask"
    if machine.threads:
        module.declarations["@pthread_self"] = "declare ptr @pthread_self()"
        whose = _WHOSE.format(owner=flag + 1)
    start, stop = _python_mode(module)
    return _POLL.format(flag=flag, whose=whose, start="\n".join(start), stop="\n".join(stop))


def _python_mode(module: Module) -> tuple[list[str], list[str]]:
    """Python runs with subnormal numbers kept."""
    machine = module.machine
    if not machine.flush_subnormals:
        return [], []
    names = iter(f"%mode{k}" for k in range(9))
    return subnormals.switch(False, machine.arm, lambda _: next(names), module.declarations)
