"""Parameters as a table.

May import ``core``.
"""

from __future__ import annotations

import math
from typing import Any

from fungrad.core import dtypes, tree
from fungrad.core.array import is_array_like, typeof


def summary(params: Any, depth: int | None = None) -> str:
    """The parameters of a model as a table: path, shape, dtype, number of elements and bytes of each.

    Args:
      params: tree of arrays (or of types, as of ``fungrad.eval_shape``).
      depth: how many levels of the tree to show; what is below is added up.  None for all.

    Returns:
      The table, as text to print.

    Raises:
      TypeError: a leaf is no array.
      ValueError: ``depth`` is less than 1.

    Example:
      >>> from fungrad import nn, random
      >>> print(nn.summary([nn.dense.init(random.key(0), 64, 10)]))
      path          | shape    | dtype   | elements |   bytes
      --------------+----------+---------+----------+--------
      [0]['bias']   | [10]     | float32 |       10 |    40 B
      [0]['kernel'] | [64, 10] | float32 |      640 | 2.5 KiB
      --------------+----------+---------+----------+--------
      total         |          |         |      650 | 2.5 KiB
    """
    if depth is not None and depth < 1:
        raise ValueError(f"fungrad.nn.summary: depth must be at least 1, got {depth}")
    rows: dict[str, list[Any]] = {}
    for path, leaf in tree.leaves_with_path(params):
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
            shape, dtype = tuple(leaf.shape), dtypes.canonicalize_dtype(leaf.dtype, "fungrad.nn.summary")
        elif is_array_like(leaf):
            shape, dtype = typeof(leaf).shape, typeof(leaf).dtype
        else:
            raise TypeError(
                f"fungrad.nn.summary: params{tree.keystr(path)} must be an array, got {type(leaf).__name__}"
            )
        count = math.prod(shape)
        size = count * dtype.itemsize
        name = tree.keystr(path if depth is None else path[:depth])
        row = rows.setdefault(name, [str(list(shape)), dtypes.display_name(dtype), 0, 0])
        if row[2:] != [0, 0] or name != tree.keystr(path):
            row[0] = ""
            row[1] = row[1] if row[1] == dtypes.display_name(dtype) else "several"
        row[2] += count
        row[3] += size
    total = ["total", "", "", sum(r[2] for r in rows.values()), sum(r[3] for r in rows.values())]
    lines = [[name, *row] for name, row in rows.items()]
    text = [[*map(str, line[:3]), f"{line[3]:,}", _bytes(line[4])] for line in [*lines, total]]
    head = ["path", "shape", "dtype", "elements", "bytes"]
    widths = [max(len(line[k]) for line in [head, *text]) for k in range(5)]

    def row_text(line: list[str]) -> str:
        cells = [c.ljust(w) if k < 3 else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths, strict=True))]
        return " | ".join(cells)

    rule = "-+-".join("-" * w for w in widths)
    return "\n".join([row_text(head), rule, *map(row_text, text[:-1]), rule, row_text(text[-1])])


def _bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
