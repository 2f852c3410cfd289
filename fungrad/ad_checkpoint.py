"""Checkpointing of derivatives: names of intermediate values, policies, what is kept."""

from fungrad.transforms.checkpoint_answers import Offloadable, Recompute, Saveable
from fungrad.transforms.checkpointing import (
    checkpoint,
    checkpoint_name,
    checkpoint_policies,
    print_saved_residuals,
    saved_residuals,
)

remat = checkpoint

__all__ = [
    "checkpoint", "checkpoint_name", "checkpoint_policies", "Offloadable", "print_saved_residuals", "Recompute",
    "remat", "Saveable", "saved_residuals",
]  # fmt: skip
