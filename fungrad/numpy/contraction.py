"""``einsum``: sums of products in index notation.

An expression is parsed to one label per axis; ``opt_einsum`` finds an order of pairwise contractions, and each pair
becomes one ``dot_general`` after the labels that only one operand has are summed and repeated labels reduced to
diagonals.

May import ``core``, ``ops``, ``numpy._promotion`` and the modules of ``numpy`` before it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from fungrad.core import dtypes
from fungrad.core.array import Array, as_array
from fungrad.core.dimensions import is_symbolic
from fungrad.numpy._promotion import cast, operand, promote_dtypes, raw_operand, requested_dtype
from fungrad.numpy.linear import contract, diagonal
from fungrad.numpy.manipulation import no_out
from fungrad.numpy.ufuncs import multiply
from fungrad.ops import foundation
from fungrad.ops.dot import dot_general
from fungrad.ops.reduce import reduce_or
from fungrad.ops.resharding import at_sharding

Labels = tuple[Any, ...]


# -- parsing -----------------------------------------------------------------------------------------------------------


def _parse_text(text: str, count: int) -> tuple[list[list[Any]], list[Any] | None]:
    """Labels of each operand and of the result (None if it is not given); ``...`` stands for itself."""
    text = text.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    if "-" in output or ">" in output or "-" in inputs or ">" in inputs:
        raise ValueError(f"fungrad.numpy.einsum: the subscripts {text!r} must contain one '->' at most")
    terms = inputs.split(",")
    if len(terms) != count:
        raise ValueError(f"fungrad.numpy.einsum: the subscripts {text!r} name {len(terms)} operands, got {count}")
    return [_labels(t, text) for t in terms], _labels(output, text) if arrow else None


def _labels(term: str, text: str) -> list[Any]:
    before, dots, after = term.partition("...")
    wrong = [c for c in before + after if not c.isalpha()]
    if wrong:
        raise ValueError(f"fungrad.numpy.einsum: {wrong[0]!r} in the subscripts {text!r} is not a letter")
    return [*before, ..., *after] if dots else list(before)


def _parse(subscripts: Any, operands: Sequence[Any]) -> tuple[list[Any], list[list[Any]], list[Any] | None]:
    """Operands, their labels and those of the result, from either form of the arguments."""
    if isinstance(subscripts, str):
        labels, output = _parse_text(subscripts, len(operands))
        return list(operands), labels, output
    # Interleaved: an operand, its labels, the next operand, its labels, ..., and maybe the labels of the result.
    rest = [subscripts, *operands]
    output = list(rest.pop()) if len(rest) % 2 else None
    return rest[::2], [list(ls) for ls in rest[1::2]], output


def _expand(
    shapes: Sequence[tuple[int, ...]], labels: list[list[Any]], output: list[Any] | None
) -> tuple[list[Labels], Labels]:
    """Labels with ``...`` written out, and those of the result.

    The dimensions that an ellipsis covers are aligned at the end, and labelled by their distance from it.
    """
    full: list[Labels] = []
    widest = 0
    for i, (shape, own) in enumerate(zip(shapes, labels, strict=True)):
        named = [x for x in own if x is not ...]
        covered = len(shape) - len(named)
        if covered < 0 or (covered and ... not in own) or own.count(...) > 1:
            raise ValueError(
                f"fungrad.numpy.einsum: operand {i} of shape {shape} has {len(shape)} dimensions, but its subscripts "
                f"name {len(named)}"
            )
        widest = max(widest, covered)
        at = own.index(...) if ... in own else 0
        covering = [("...", covered - d) for d in range(covered)]
        full.append((*own[:at], *covering, *own[at + 1 :]) if ... in own else tuple(own))
    dots = tuple([("...", widest - d) for d in range(widest)])
    counts = Counter(x for own in full for x in own)
    if output is None:
        once = sorted(
            (x for x, n in counts.items() if n == 1 and not isinstance(x, tuple)), key=lambda x: (str(type(x)), x)
        )
        return full, (*dots, *once)
    at = output.index(...) if ... in output else 0
    result = (*output[:at], *dots, *output[at + 1 :]) if ... in output else tuple(output)
    unknown = [x for x in result if x not in counts]
    if unknown:
        raise ValueError(f"fungrad.numpy.einsum: the result has the label {unknown[0]!r}, which no operand has")
    if len(set(result)) != len(result):
        raise ValueError("fungrad.numpy.einsum: a label of the result occurs more than once")
    return full, result


def _sizes(shapes: Sequence[tuple[int, ...]], labels: Sequence[Labels]) -> dict[Any, int]:
    """Size of each label; size 1 broadcasts."""
    sizes: dict[Any, int] = {}
    for i, (shape, own) in enumerate(zip(shapes, labels, strict=True)):
        for n, label in zip(shape, own, strict=True):
            known = sizes.setdefault(label, n)
            if known == 1:
                sizes[label] = n
            elif n not in (1, known):
                raise ValueError(
                    f"fungrad.numpy.einsum: label {_shown(label)} has size {known} in one operand and {n} in operand "
                    f"{i} of shape {shape}"
                )
    return sizes


def _shown(label: Any) -> str:
    return "'...'" if isinstance(label, tuple) else repr(label)


# -- contraction -------------------------------------------------------------------------------------------------------


def _simplified(x: Array, own: Labels, kept: set[Any], sizes: dict[Any, int]) -> tuple[Array, Labels]:
    """One operand with its repeated labels made diagonals, dimensions of size 1 that broadcast dropped, and labels that
    nothing else needs summed.
    """
    labels = list(own)
    for label in [x for x, n in Counter(labels).items() if n > 1]:
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.aval.shape[i] != x.aval.shape[j]:
                raise ValueError(
                    f"fungrad.numpy.einsum: the repeated label {_shown(label)} has sizes {x.aval.shape[i]} and "
                    f"{x.aval.shape[j]}"
                )
            x = diagonal(x, 0, i, j)
            labels = [y for k, y in enumerate(labels) if k not in (i, j)] + [label]
    drop = [d for d, y in enumerate(labels) if y not in kept or (x.aval.shape[d] == 1 != sizes[y])]
    if drop:
        # Summing over size 1 removes the dimension: the broadcast happens where it meets the others.
        lone = [d for d in drop if x.aval.shape[d] == 1]
        summed = tuple(d for d in drop if d not in lone)
        x = _summed(x, summed) if summed else x
        labels = [y for d, y in enumerate(labels) if d not in summed]
        keep = [d for d, y in enumerate(labels) if y in kept and not (x.aval.shape[d] == 1 != sizes[y])]
        x = foundation.reshape(x, [x.aval.shape[d] for d in keep])
        labels = [labels[d] for d in keep]
    return x, tuple(labels)


def _summed(x: Array, axes: tuple[int, ...]) -> Array:
    return reduce_or(x, axes) if dtypes.is_bool(x.aval.dtype) else foundation.reduce_sum(x, axes)


def _product(
    x: Array, lx: Labels, y: Array, ly: Labels, kept: set[Any], options: tuple[Any, Any, Any]
) -> tuple[Array, Labels]:
    """The contraction of two operands to the labels in ``kept``."""
    shared = [a for a in lx if a in ly]
    summed, batch = [a for a in shared if a not in kept], [a for a in shared if a in kept]
    numbers = (
        (tuple([lx.index(a) for a in summed]), tuple([ly.index(a) for a in summed])),
        (tuple([lx.index(a) for a in batch]), tuple([ly.index(a) for a in batch])),
    )
    free = [a for a in lx if a not in shared] + [a for a in ly if a not in shared]
    if not summed and not (set(lx) - set(batch)) and not (set(ly) - set(batch)):
        # Nothing is summed and nothing is outer: a product of elements.
        return multiply(x, foundation.transpose(y, [ly.index(a) for a in lx])), lx
    precision, preferred, product = options
    if product is dot_general:
        return contract("einsum", x, y, numbers, precision, preferred), (*batch, *free)
    found = product(x, y, numbers, precision=precision, preferred_element_type=preferred)
    return as_array(found, "fungrad.numpy.einsum: the result of _dot_general"), (*batch, *free)


def _arranged(x: Array, own: Labels, result: Labels, sizes: dict[Any, int]) -> Array:
    """The last operand with the labels of the result in order; labels it lacks are broadcast."""
    x = foundation.transpose(x, [own.index(a) for a in result if a in own])
    if len(own) == len(result):
        return x
    shape = [sizes[a] for a in result]
    return foundation.broadcast_in_dim(x, shape, [d for d, a in enumerate(result) if a in own])


@functools.lru_cache(maxsize=512)
def _path(
    labels: tuple[Labels, ...], result: Labels, shapes: tuple[tuple[int, ...], ...], optimize: Any
) -> list[tuple[int, ...]]:
    """Order of pairwise contractions, each as positions in the list of operands that are left."""
    if len(labels) <= 2 or optimize is False:
        return [(0, 1)] * (len(labels) - 1)
    if isinstance(optimize, tuple):
        return [tuple(step) for step in optimize if step != "einsum_path"]
    from opt_einsum import contract_path

    names = {a: chr(0x4E00 + i) for i, a in enumerate(dict.fromkeys(a for own in labels for a in own))}
    text = ",".join("".join(names[a] for a in own) for own in labels) + "->" + "".join(names[a] for a in result)
    # The order may depend on symbolic sizes, which are taken for middling ones.
    shapes = tuple([tuple([8 if is_symbolic(n) else n for n in s]) for s in shapes])
    how = "auto" if optimize is True else "optimal" if optimize == "optimal" else optimize
    return [tuple(step) for step in contract_path(text, *shapes, shapes=True, optimize=how)[0]]


def _hashable(optimize: Any) -> Any:
    return (
        tuple(tuple(s) if not isinstance(s, str) else s for s in optimize)
        if isinstance(optimize, (list, tuple))
        else optimize
    )


def einsum(
    subscripts: Any, /, *operands: Any, out: None = None, optimize: Any = "auto", precision: Any = None,
    preferred_element_type: Any = None, out_sharding: Any = None, _dot_general: Callable[..., Any] = dot_general,
) -> Array:  # fmt: skip
    """Sum of products in Einstein's notation.

    Each operand's dimensions get labels; dimensions with one label run together, and those that the result lacks are
    summed.

    Args:
      subscripts: text such as ``"ij,jk->ik"`` (``...`` covers any dimensions, a label may repeat), or the first of
        operands and label lists in turn: ``einsum(x, [0, 1], y, [1, 2], [0, 2])``. Without ``->``, the result has the
        labels that occur once, in alphabetical order.
      *operands: arrays.
      out: must be None.
      optimize: how to find the order of contractions: ``auto``, ``optimal``, ``greedy`` ..., False for left to right,
        or a path.
      precision: accepted for compatibility.
      preferred_element_type: dtype in which products are added, and of the result.
      out_sharding: how the result is divided; see :func:`fungrad.reshard`.
      _dot_general: what computes products of two operands, with the arguments of ``lax.dot_general``.

    Raises:
      ValueError: the subscripts are malformed, or sizes do not match.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.arange(6).reshape(2, 3)
      >>> jnp.einsum("ij,ij->i", x, x)
      Array([ 5, 50], dtype=int32)
    """
    if out_sharding is not None:
        return at_sharding(
            functools.partial(
                einsum, optimize=optimize, precision=precision, preferred_element_type=preferred_element_type,
                _dot_general=_dot_general,
            ),
            out_sharding, "fungrad.numpy.einsum", subscripts, *operands,
        )  # fmt: skip
    no_out("einsum", out)
    given, labels, output = _parse(subscripts, operands)
    if not given:
        raise ValueError("fungrad.numpy.einsum: need at least one operand")
    xs = promote_dtypes("einsum", *[raw_operand(x, "einsum", f"operand {i}") for i, x in enumerate(given)])
    weak = all(x.aval.weak_type for x in xs)
    shapes = tuple([x.aval.shape for x in xs])
    full, result = _expand(shapes, labels, output)
    sizes = _sizes(shapes, full)
    preferred = requested_dtype(preferred_element_type, "einsum")
    path = _path(tuple(full), result, shapes, _hashable(optimize))
    terms: list[tuple[Array, Labels]] = list(zip(xs, full, strict=True))
    for step in path or [(0,)]:
        chosen = [terms[i] for i in step]
        terms = [t for i, t in enumerate(terms) if i not in step]
        needed = {*result, *(a for _, own in terms for a in own)}
        terms.append(_contracted(chosen, needed, sizes, (precision, preferred, _dot_general)))
    x, own = _simplified(*terms[0], set(result), sizes)
    out_array = _arranged(x, own, result, sizes)
    return cast(out_array, out_array.aval.dtype if preferred is None else preferred, weak and preferred is None)


def _contracted(
    chosen: list[tuple[Array, Labels]], needed: set[Any], sizes: dict[Any, int], options: tuple[Any, Any, Any]
) -> tuple[Array, Labels]:
    """The operands of one step of a path contracted to the labels that are still needed."""
    x, lx = chosen[0]
    for k, (y, ly) in enumerate(chosen[1:], 1):
        later = {a for _, own in chosen[k + 1 :] for a in own}
        x, lx = _simplified(x, lx, {*needed, *later, *ly}, sizes)
        y, ly = _simplified(y, ly, {*needed, *later, *lx}, sizes)
        # A label that only one of them still has may be summed alone.
        x, lx = _simplified(x, lx, {*needed, *later, *ly}, sizes)
        x, lx = _product(x, lx, y, ly, {*needed, *later}, options)
    return x, lx


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[list[Any], Any]:
    """The order of contractions that ``einsum`` would use, and a description of it.

    Example:
      >>> import fungrad.numpy as jnp
      >>> x = jnp.ones((2, 2))
      >>> jnp.einsum_path("ij,jk,kl->il", x, x, x)[0][0]
      'einsum_path'
    """
    from opt_einsum import contract_path

    given, labels, output = _parse(subscripts, operands)
    arrays = [operand(x, "einsum_path", f"operand {i}") for i, x in enumerate(given)]
    shapes = tuple([x.aval.shape for x in arrays])
    full, result = _expand(shapes, labels, output)
    _sizes(shapes, full)
    names = {
        a: a if isinstance(a, str) else chr(0x4E00 + i)
        for i, a in enumerate(dict.fromkeys(a for own in full for a in own))
    }
    text = ",".join("".join(names[a] for a in own) for own in full) + "->" + "".join(names[a] for a in result)
    path, info = contract_path(text, *shapes, shapes=True, optimize="auto" if optimize is True else optimize)
    return ["einsum_path", *path], info


__all__ = ["einsum", "einsum_path"]
