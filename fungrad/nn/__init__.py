"""``fungrad.nn``: functions for neural networks, under JAX's names; and layers.

A layer such as ``nn.dense`` is a pair of pure functions: ``nn.dense.init(key, ...)`` makes parameters, a dict of
arrays, and ``nn.dense.apply(params, x)`` uses them.

The file holds no code.
"""

from typing import TYPE_CHECKING

from fungrad.core.public_names import (
    public_names as _public_names,
    publish as _publish,
)
from fungrad.nn._names import (
    NAMES as _NAMES,
)

if TYPE_CHECKING:
    # Loaded when they are asked for; after a change run `python -m tools.facades`.
    from fungrad.nn import (
        batch_norm as batch_norm,
        conv as conv,
        conv_transpose as conv_transpose,
        dense as dense,
        embedding as embedding,
        group_norm as group_norm,
        gru as gru,
        initializers as initializers,
        layer_norm as layer_norm,
        lstm as lstm,
        multi_head_attention as multi_head_attention,
    )
    from fungrad.nn.activations import (
        celu as celu,
        elu as elu,
        gelu as gelu,
        glu as glu,
        hard_sigmoid as hard_sigmoid,
        hard_silu as hard_silu,
        hard_swish as hard_swish,
        hard_tanh as hard_tanh,
        identity as identity,
        leaky_relu as leaky_relu,
        log1mexp as log1mexp,
        log_sigmoid as log_sigmoid,
        mish as mish,
        one_hot as one_hot,
        relu as relu,
        relu6 as relu6,
        selu as selu,
        sigmoid as sigmoid,
        silu as silu,
        soft_sign as soft_sign,
        softplus as softplus,
        sparse_plus as sparse_plus,
        sparse_sigmoid as sparse_sigmoid,
        squareplus as squareplus,
        swish as swish,
    )
    from fungrad.nn.attention import (
        dot_product_attention as dot_product_attention,
    )
    from fungrad.nn.normalization import (
        log_softmax as log_softmax,
        logmeanexp as logmeanexp,
        logsumexp as logsumexp,
        softmax as softmax,
        standardize as standardize,
    )
    from fungrad.nn.pooling import (
        avg_pool as avg_pool,
        max_pool as max_pool,
        min_pool as min_pool,
        pool as pool,
    )
    from fungrad.nn.regularization import (
        dropout as dropout,
    )
    from fungrad.nn.scaled_products import (
        get_scaled_dot_general_config as get_scaled_dot_general_config,
        scaled_dot_general as scaled_dot_general,
        scaled_matmul as scaled_matmul,
    )
    from fungrad.nn.tables import (
        summary as summary,
    )
    from fungrad.numpy import (
        tanh as tanh,
    )

__all__ = _public_names(globals(), later=_NAMES)

_publish(globals(), __name__, __all__, later=_NAMES)
