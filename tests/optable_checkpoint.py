"""Rows of the op table: names of values for checkpoint policies."""

import numpy as np
from optable_base import Op

from fungrad.ad_checkpoint import checkpoint_name

OPS = [
    Op(
        "name",
        lambda x: checkpoint_name(x, "a"),
        np.copy,
        ("float32", "int32", "complex64", "bool"),
        jax=lambda jax, x: __import__("jax.ad_checkpoint").ad_checkpoint.checkpoint_name(x, "a"),
        weak=False,
    ),
]
