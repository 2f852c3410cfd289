"""First-order primitives, by family: each with all its rules, and its function of ``fungrad.lax``.

``python -m fungrad.ops`` prints which primitive has which rule (``docs/primitives.md``). For users the package offers
what ``jax.ops`` does: reductions by segment.
"""

from fungrad.ops.segments import segment_max, segment_min, segment_prod, segment_sum

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]
