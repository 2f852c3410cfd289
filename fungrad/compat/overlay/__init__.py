"""What stands behind names of JAX that fungrad does not have at the same place, one file per module of JAX.

``NAMES`` of a file comes before fungrad's own names; ``UNTIL_NATIVE`` after them. See ``fungrad.compat.rows``.
"""
