"""``fungrad.nn``: functions for neural networks, under JAX's names; and layers.

A layer such as ``nn.dense`` is a pair of pure functions: ``nn.dense.init(key, ...)`` makes parameters, a dict of
arrays, and ``nn.dense.apply(params, x)`` uses them.

The file holds no code.
"""

from fungrad.core.public_names import publish
from fungrad.nn import (
    batch_norm,
    conv,
    conv_transpose,
    dense,
    embedding,
    group_norm,
    gru,
    initializers,
    layer_norm,
    lstm,
    multi_head_attention,
)
from fungrad.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    one_hot,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
)
from fungrad.nn.attention import dot_product_attention
from fungrad.nn.normalization import log_softmax, logmeanexp, logsumexp, softmax, standardize
from fungrad.nn.pooling import avg_pool, max_pool, min_pool, pool
from fungrad.nn.regularization import dropout
from fungrad.nn.scaled_products import get_scaled_dot_general_config, scaled_dot_general, scaled_matmul
from fungrad.nn.tables import summary
from fungrad.numpy import tanh

__all__ = [
    "avg_pool",
    "batch_norm",
    "celu",
    "conv",
    "conv_transpose",
    "dense",
    "dot_product_attention",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "get_scaled_dot_general_config",
    "glu",
    "group_norm",
    "gru",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "identity",
    "initializers",
    "layer_norm",
    "leaky_relu",
    "log1mexp",
    "log_sigmoid",
    "log_softmax",
    "logmeanexp",
    "logsumexp",
    "lstm",
    "max_pool",
    "min_pool",
    "mish",
    "multi_head_attention",
    "one_hot",
    "pool",
    "relu",
    "relu6",
    "scaled_dot_general",
    "scaled_matmul",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softmax",
    "softplus",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "standardize",
    "summary",
    "swish",
    "tanh",
]

publish(globals(), __name__, __all__)
