"""Looking into functions while they run, under every transformation."""

from fungrad.control.breakpoints import breakpoint
from fungrad.control.callbacks import debug_callback as callback
from fungrad.control.callbacks import debug_print as print
from fungrad.control.checkify import debug_check as check

__all__ = ["breakpoint", "callback", "check", "print"]
