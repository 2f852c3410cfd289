"""Where the names of ``fungrad.nn`` are, each in words of the module that has it.

Written by ``python -m tools.facades`` from the imports of the facade.
"""

NAMES = {
    "fungrad.nn": (
        "batch_norm conv conv_transpose dense embedding group_norm gru initializers layer_norm lstm "
        "multi_head_attention"
    ),
    "fungrad.nn.activations": (
        "celu elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu log1mexp log_sigmoid "
        "mish one_hot relu relu6 selu sigmoid silu soft_sign softplus sparse_plus sparse_sigmoid squareplus swish"
    ),
    "fungrad.nn.attention": "dot_product_attention",
    "fungrad.nn.normalization": "log_softmax logmeanexp logsumexp softmax standardize",
    "fungrad.nn.pooling": "avg_pool max_pool min_pool pool",
    "fungrad.nn.regularization": "dropout",
    "fungrad.nn.scaled_products": "get_scaled_dot_general_config scaled_dot_general scaled_matmul",
    "fungrad.nn.tables": "summary",
    "fungrad.numpy": "tanh",
}
