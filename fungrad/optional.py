"""Optional libraries: imported when something needs them, with an error that says what to install.

May import nothing.
"""

from __future__ import annotations

import importlib
from typing import Any


def optional(module: str, *, api: str, extra: str) -> Any:
    """A module of a library that the library itself does not need.

    Args:
      module: its dotted name.
      api: the public function that needs it.
      extra: the extra of fungrad that installs it.

    Raises:
      ImportError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise ImportError(
            f"{api} needs {library}, which is not installed: pip install 'fungrad[{extra}]'", name=library
        ) from None
