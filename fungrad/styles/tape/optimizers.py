"""``tf.optimizers``: optimizers that change variables.

The file holds no code.
"""

from fungrad.styles._optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, schedules

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "schedules"]
