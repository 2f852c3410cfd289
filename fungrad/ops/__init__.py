"""First-order primitives, by family: each with all its rules, and its function of ``fungrad.lax``.

``python -m fungrad.ops`` prints which primitive has which rule (``docs/primitives.md``).
"""
