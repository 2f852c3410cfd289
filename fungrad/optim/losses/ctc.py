"""Connectionist temporal classification.

May import ``core``, ``numpy``, ``nn``, ``control`` and ``losses._arguments``.
"""

from __future__ import annotations

from typing import Any

import fungrad.numpy as jnp
from fungrad import nn
from fungrad.control.scan import scan
from fungrad.core.array import Array
from fungrad.optim.losses._arguments import array, floating, integral, same_shape


def ctc_loss_with_forward_probs(
    logits: Any, logit_paddings: Any, labels: Any, label_paddings: Any, *, blank_id: int = 0, log_epsilon: Any = -1e5
) -> tuple[Array, Array, Array]:
    """``ctc_loss``, and the forward probabilities that it is made of.

    Shapes are given in the sizes B (sequences), T (frames), K (classes) and N (labels).

    Reference: Graves et al., https://doi.org/10.1145/1143844.1143891.

    Args:
      logits: as for ``ctc_loss``.
      logit_paddings: as for ``ctc_loss``.
      labels: as for ``ctc_loss``.
      label_paddings: as for ``ctc_loss``.
      blank_id: as for ``ctc_loss``.
      log_epsilon: as for ``ctc_loss``.

    Returns:
      A triple: the losses (B,); logarithms of the probabilities, of shape (T, B, N + 1), that after a frame n labels
      are out and the last frame was blank; and, of shape (T, B, N), that label n is the last frame.

    Raises:
      ValueError: shapes or dtypes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> logits, labels = jnp.zeros((1, 4, 3)), jnp.array([[1, 2]])
      >>> _, blank, label = optim.ctc_loss_with_forward_probs(logits, jnp.zeros((1, 4)), labels, jnp.zeros((1, 2)))
      >>> blank.shape, label.shape
      ((4, 1, 3), (4, 1, 2))
    """
    return _forward(
        "ctc_loss_with_forward_probs", logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon
    )


def ctc_loss(
    logits: Any, logit_paddings: Any, labels: Any, label_paddings: Any, *, blank_id: int = 0, log_epsilon: Any = -1e5
) -> Array:
    """Negative logarithm of the probability that frames, read without repetitions and blanks, spell the labels.

    Shapes are given in the sizes B (sequences), T (frames), K (classes) and N (labels).

    Reference: Graves et al., https://doi.org/10.1145/1143844.1143891.

    Args:
      logits: floating array of shape (B, T, K).
      logit_paddings: of shape (B, T): 1 for frames after the end of a sequence, else 0.
      labels: integers of shape (B, N).
      label_paddings: of shape (B, N): 1 for labels after the end, else 0.
      blank_id: number of the class that stands for no label.
      log_epsilon: stands for the logarithm of 0.  Labels that do not fit into their frames have a loss of about its
        absolute value.

    Returns:
      The loss of each sequence, of shape (B,).

    Raises:
      ValueError: shapes or dtypes do not fit.

    Example:
      >>> import fungrad.numpy as jnp
      >>> from fungrad import optim
      >>> logits = jnp.zeros((1, 4, 3))
      >>> optim.ctc_loss(logits, jnp.zeros((1, 4)), jnp.array([[1, 2]]), jnp.zeros((1, 2))).round(4)
      Array([1.6864], dtype=float32)
    """
    return _forward("ctc_loss", logits, logit_paddings, labels, label_paddings, blank_id, log_epsilon)[0]


def _forward(
    api: str, logits: Any, logit_paddings: Any, labels: Any, label_paddings: Any, blank_id: int, log_epsilon: Any
) -> tuple[Array, Array, Array]:
    logits, labels = floating(api, "logits", logits), integral(api, "labels", labels)
    logit_paddings = array(api, "logit_paddings", logit_paddings)
    label_paddings = array(api, "label_paddings", label_paddings)
    if logits.ndim != 3 or labels.ndim != 2 or logits.shape[0] != labels.shape[0]:
        raise ValueError(
            f"fungrad.optim.losses.{api}: logits must have shape [sequences, frames, classes] and labels "
            f"[sequences, labels], got {logits.shape} and {labels.shape}"
        )
    same_shape(api, "label_paddings", label_paddings, "labels", labels)
    same_shape(api, "logit_paddings", logit_paddings, "the frames of logits", logits[..., 0])
    # Sums over frames, and log_epsilon, need more range than half precision has.
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    batch, frames, classes = logits.shape
    if not 0 <= blank_id < classes:
        raise ValueError(f"fungrad.optim.losses.{api}: blank_id must be in [0, {classes}), got {blank_id}")
    if not frames:
        raise ValueError(f"fungrad.optim.losses.{api}: logits must have at least one frame, got shape {logits.shape}")
    count = labels.shape[1]
    lengths = count - jnp.sum(label_paddings, 1).astype(jnp.int32)
    # Where the next label is the same, there must be a blank between them.
    repeated = jnp.pad((labels[:, :-1] == labels[:, 1:]).astype(logits.dtype), ((0, 0), (0, min(count, 1))))
    log_probabilities = nn.log_softmax(logits)
    blank = log_probabilities[:, :, blank_id].T[:, :, None]
    # Paddings may be any number, also one that is no class.
    valid = (labels >= 0) & (labels < classes)
    emitted = jnp.take_along_axis(log_probabilities, jnp.where(valid, labels, 0)[:, None, :], 2)
    emitted = jnp.where(valid[:, None, :], emitted, 0).transpose(1, 0, 2)

    def advance(alpha: Array, scores: Array) -> Array:
        """``alpha`` of n labels, together with the ways that come to one label more."""
        return jnp.concatenate([alpha[:, :1], jnp.logaddexp(alpha[:, 1:], scores)], -1)

    def frame(carry: tuple[Array, Array], x: tuple[Array, Array, Array]) -> tuple:
        old_blank, old_label = carry
        log_label, log_blank, padded = x
        # Straight from one label to the next, unless it is the same one.
        before = advance(old_blank, old_label + log_epsilon * repeated)
        label = jnp.logaddexp(before[:, :-1] + log_label, old_label + log_label)
        after = advance(before + log_blank, old_label + log_blank + log_epsilon * (1.0 - repeated))
        # A frame of padding changes nothing.
        there = padded[:, None] == 0
        new = jnp.where(there, after, old_blank), jnp.where(there, label, old_label)
        return new, new

    nothing = jnp.full((batch, count), log_epsilon, logits.dtype)
    start = jnp.concatenate([jnp.zeros((batch, 1), logits.dtype), nothing], -1)
    alphas: tuple[Array, Array]
    _, alphas = scan(frame, (start, nothing), (emitted, blank, logit_paddings.T))
    alpha_blank, alpha_label = alphas
    last = advance(alpha_blank[-1], alpha_label[-1])
    loss = -jnp.take_along_axis(last, lengths[:, None], 1)[:, 0]
    return loss, alpha_blank.at[-1].set(last), alpha_label
