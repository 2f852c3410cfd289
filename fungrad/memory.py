"""``fungrad.memory``: the memories that programs move arrays between, all of which are that of this process."""

from __future__ import annotations

from fungrad.core.device import Space

__all__ = ["Space"]
