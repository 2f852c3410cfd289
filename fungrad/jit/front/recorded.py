"""What compiled functions tell those who record and listen, and how they take another way while somebody records.

May import ``core``.
"""

from __future__ import annotations

import weakref
from typing import Any

from fungrad.core import monitoring, timeline

# Traced functions that have a program to run.
prepared: weakref.WeakSet[Any] = weakref.WeakSet()


def note_tracing(name: str, seconds: float) -> None:
    """Tells that the function ``name`` has just been traced."""
    monitoring.record_event_duration_secs(monitoring.TRACING, seconds, fun_name=name)
    timeline.add_last(f"trace {name}", "compile", seconds)


def _run_otherwise() -> None:
    for entry in list(prepared):
        entry.prepare()


timeline.on_change.append(_run_otherwise)
