"""What there is to know of the process when something goes wrong.

May import ``core``.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings

import numpy as np

from fungrad.core.device import device_count, devices, local_device_count, process_count, process_index
from fungrad.core.version import VERSION


def print_environment_info(return_string: bool = False) -> str | None:
    """Prints versions, devices, the system, and the environment variables that the library reads.

    ``python -m fungrad info`` says more.

    Args:
      return_string: whether to return the text instead.

    Example:
      >>> import fungrad
      >>> print(fungrad.print_environment_info(return_string=True))  # doctest: +ELLIPSIS
      fungrad: ...
      numpy:   ...
    """
    lines = [
        f"fungrad: {VERSION}",
        f"numpy:   {np.__version__}",
        f"python:  {' '.join(sys.version.split())}",
        f"device info: {devices()[0].device_kind}-{device_count()}, {local_device_count()} local devices",
        f"process_count: {process_count()}",
        f"platform: {platform.uname()}",
    ]
    lines += [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(("FUNGRAD_", "JAX_", "NUMBA_", "XLA_"))]
    text = "\n".join(lines)
    if return_string:
        return text
    print(text)
    return None


def process_indices(backend: str | None = None) -> list[int]:
    """Numbers of all processes: 0 alone.

    Args:
      backend: None or ``cpu``.
    """
    return list(range(process_count(backend)))


def _renamed(old: str, new: str) -> None:
    warnings.warn(f"fungrad.{old} has been renamed to fungrad.{new}.", DeprecationWarning, stacklevel=3)


def host_count(backend: str | None = None) -> int:
    """Former name of ``process_count``.

    Args:
      backend: None or ``cpu``.
    """
    _renamed("host_count", "process_count")
    return process_count(backend)


def host_id(backend: str | None = None) -> int:
    """Former name of ``process_index``.

    Args:
      backend: None or ``cpu``.
    """
    _renamed("host_id", "process_index")
    return process_index(backend)


def host_ids(backend: str | None = None) -> list[int]:
    """Former name of ``process_indices``.

    Args:
      backend: None or ``cpu``.
    """
    _renamed("host_ids", "process_indices")
    return process_indices(backend)
