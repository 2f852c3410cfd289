"""Looking into functions while they run, under every transformation."""

from fungrad.control.breakpoints import breakpoint
from fungrad.control.callbacks import debug_callback as callback, debug_log as log, debug_print as print
from fungrad.control.checkify import debug_check as check
from fungrad.control.trace_limits import assert_max_traces
from fungrad.core.public_names import publish
from fungrad.shards.drawing import inspect_array_sharding, visualize_array_sharding, visualize_sharding

__all__ = [
    "assert_max_traces",
    "breakpoint",
    "callback",
    "check",
    "inspect_array_sharding",
    "log",
    "print",
    "visualize_array_sharding",
    "visualize_sharding",
]

publish(globals(), __name__, __all__)
