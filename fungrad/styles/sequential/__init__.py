"""``fungrad.styles.sequential``: Keras' style over fungrad's primitives.

A model is a list of layers that is compiled, fitted and asked.  ``from fungrad.styles import sequential as keras`` runs
programs of that style; so does ``tf.keras`` of ``fungrad.styles.tape``.

The file holds no code.
"""

from types import SimpleNamespace

from fungrad.styles import _optimizers as optimizers
from fungrad.styles.sequential import callbacks, layers, models
from fungrad.styles.sequential.layers import Input, MaxNorm, Regularizer
from fungrad.styles.sequential.models import Sequential, set_random_seed

Model = Sequential
utils = SimpleNamespace(set_random_seed=set_random_seed)
regularizers = SimpleNamespace(
    L1=lambda l1=0.01: Regularizer(l1, 0.0),
    L2=lambda l2=0.01: Regularizer(0.0, l2),
    L1L2=Regularizer,
    l1=lambda l1=0.01: Regularizer(l1, 0.0),
    l2=lambda l2=0.01: Regularizer(0.0, l2),
    l1_l2=Regularizer,
)
constraints = SimpleNamespace(MaxNorm=MaxNorm)
