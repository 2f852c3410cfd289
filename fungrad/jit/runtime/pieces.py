"""A large module cut into several, which LLVM compiles at the same time, and their object codes as one string of bytes.

LLVM's optimiser is not run, so functions are compiled one by one in any case, and a cut changes nothing in the code of
any of them. Where a module is cut depends on its text alone: the same program has the same code on every machine. May
import ``ir.tuning``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from fungrad.jit.ir import tuning

_HEAD = re.compile(r"define (internal )?((?:[^@]*)@([\w.$-]+)\(.*) \{")
_NAME = re.compile(r"@([\w.$-]+)")
_MARK = b"fungrad objects\n"
_LENGTH = struct.Struct("<Q")


def cut(text: str) -> list[str]:
    """The modules, which are to be linked together: the text itself if it is short or has state in common.

    Args:
      text: a module as the emitter writes it, functions one after the other and one instruction per line.
    """
    pieces = min(tuning.MOST_PIECES_OF_A_MODULE, len(text) // tuning.PIECE_OF_A_MODULE)
    if pieces < 2:
        return [text]
    functions, others = _functions(text)
    found = [_HEAD.fullmatch(f[0]) for f in functions]
    matches = [m for m in found if m is not None]
    has_state = any(line.startswith("@") and " constant " not in line for line in others)
    if len(matches) < max(2, len(functions)) or has_state:
        return [text]
    # What functions of one module say of linkage they say for those of the others, too.
    heads = [f"{'hidden ' if internal else ''}{signature}" for internal, signature, _ in (m.groups() for m in matches)]
    names = [m[3] for m in matches]
    sizes = [sum(map(len, f)) for f in functions]
    parts: list[list[int]] = [[] for _ in range(pieces)]
    filled = [0] * pieces
    for n in sorted(range(len(functions)), key=lambda n: -sizes[n]):
        least = filled.index(min(filled))
        parts[least].append(n)
        filled[least] += sizes[n]
    shared = set(_NAME.findall("\n".join(others)))
    return ["\n".join(_module(sorted(part), functions, heads, names, others, shared)) for part in parts if part]


def _functions(text: str) -> tuple[list[list[str]], list[str]]:
    """The lines of every function, and all others."""
    functions: list[list[str]] = []
    others: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("define "):
            functions.append([])
            inside = True
        (functions[-1] if inside else others).append(line)
        inside = inside and line != "}"
    return functions, others


def _module(
    part: Sequence[int], functions: Sequence[list[str]], heads: Sequence[str], names: Sequence[str],
    others: Sequence[str], shared: set[str],
) -> list[str]:  # fmt: skip
    """The lines of a module with some of the functions; the others that it names are declared."""
    bodies = [line for n in part for line in (f"define {heads[n]} {{", *functions[n][1:])]
    named = shared.union(*(_NAME.findall(line) for line in bodies if "@" in line))
    declared = [f"declare {heads[n]}" for n in range(len(functions)) if names[n] in named and n not in set(part)]
    return [*others, *declared, *bodies, ""]


def joined(objects: Sequence[bytes]) -> bytes:
    """Object codes as one string of bytes; a single one is itself."""
    if len(objects) == 1:
        return objects[0]
    return _MARK + b"".join(_LENGTH.pack(len(x)) + x for x in objects)


def separate(code: bytes) -> list[bytes]:
    """The object codes in a string of bytes."""
    if not code.startswith(_MARK):
        return [code]
    objects, at = [], len(_MARK)
    while at < len(code):
        (length,) = _LENGTH.unpack_from(code, at)
        at += _LENGTH.size + length
        objects.append(code[at - length : at])
    return objects
