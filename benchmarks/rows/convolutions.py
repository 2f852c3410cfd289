"""Convolutions: a small network, depthwise, transposed, and layers of several sizes; average pooling.

Bars, as ratios to JAX: the network 0.6 forward and 0.35 with gradient, depthwise with gradient 0.2, transposed 0.3,
average pooling 0.5. (Maximum pooling is in ``windows.py``: 0.4 forward, 0.03 with gradient.)
"""

from benchmarks.registry import row

NHWC = ("NHWC", "HWIO", "NHWC")
LAYERS = ((64, 32, 32, 3), (3, 3, 3, 32), (32,), (3, 3, 32, 64), (64,))
# Multiplications and additions of the two layers.
FLOPS = 2.0 * 64 * 32 * 32 * 9 * (3 * 32 + 32 * 64)


def _conv(lib, x, w, strides=(1, 1), **others):
    return lib.lax.conv_general_dilated(x, w, strides, "SAME", dimension_numbers=NHWC, **others)


def network(lib):
    """Two layers with biases, and the means of their features."""

    def apply(x, w1, b1, w2, b2):
        h = lib.np.maximum(_conv(lib, 0.1 * x, 0.1 * w1) + b1, 0)
        h = lib.np.maximum(_conv(lib, h, 0.1 * w2) + b2, 0)
        return lib.np.mean(h, axis=(1, 2))

    return apply


def network_of_torch(lib):
    """The same network, whose arrays are of torch's layout in views."""
    conv = lib.nn.functional.conv2d

    def apply(x, w1, b1, w2, b2):
        x, w1, w2 = x.permute(0, 3, 1, 2), w1.permute(3, 2, 0, 1), w2.permute(3, 2, 0, 1)
        h = lib.relu(conv(0.1 * x, 0.1 * w1, b1, padding=1))
        return lib.relu(conv(h, 0.1 * w2, b2, padding=1)).mean((2, 3))

    return apply


def loss_of(apply):
    return lambda *args: (apply(*args) ** 2).sum()


forward = row("cnn/network_fwd", *LAYERS, flops=FLOPS)(network)
forward.variant("torch")(network_of_torch)
gradient = row("cnn/network_grad", *LAYERS, flops=2.9 * FLOPS, tolerance=1e-3)(
    lambda lib: lib.grad(loss_of(network(lib)), (1, 2, 3, 4))
)
gradient.variant("torch")(lambda lib: lib.func.grad(loss_of(network_of_torch(lib)), (1, 2, 3, 4)))

DEPTHWISE = ((8, 56, 56, 64), (3, 3, 1, 64))
row("cnn/depthwise_fwd", *DEPTHWISE, bytes=1.3e7)(lambda lib: lambda x, w: _conv(lib, x, w, feature_group_count=64))
row("cnn/depthwise_grad", *DEPTHWISE, bytes=2.6e7, tolerance=1e-3)(
    lambda lib: lib.grad(lambda x, w: lib.np.sum(_conv(lib, x, w, feature_group_count=64) ** 2), (0, 1))
)

TRANSPOSED = ((8, 28, 28, 64), (3, 3, 64, 64))
row("cnn/transposed_fwd", *TRANSPOSED, flops=2.0 * 8 * 28 * 28 * 9 * 64 * 64)(
    lambda lib: lambda x, w: lib.lax.conv_transpose(x, w, (2, 2), "SAME")
)
row("cnn/transposed_grad", *TRANSPOSED, flops=6.0 * 8 * 28 * 28 * 9 * 64 * 64, tolerance=1e-3)(
    lambda lib: lib.grad(lambda x, w: lib.np.sum(lib.lax.conv_transpose(x, w, (2, 2), "SAME") ** 2), (0, 1))
)

MANY_FEATURES = ((8, 14, 14, 256), (3, 3, 256, 256))
row("cnn/conv_14x14x256", *MANY_FEATURES, flops=2.0 * 8 * 14 * 14 * 9 * 256 * 256)(
    lambda lib: lambda x, w: _conv(lib, x, w)
)
row("cnn/conv_14x14x256_grad", *MANY_FEATURES, flops=6.0 * 8 * 14 * 14 * 9 * 256 * 256, tolerance=1e-3)(
    lambda lib: lib.grad(lambda x, w: lib.np.sum(_conv(lib, x, w) ** 2), (0, 1))
)
row("cnn/conv_strided_112", (4, 112, 112, 16), (3, 3, 16, 32), flops=2.0 * 4 * 56 * 56 * 9 * 16 * 32)(
    lambda lib: lambda x, w: _conv(lib, x, w, (2, 2))
)
row("cnn/conv_torch_layout", (16, 32, 32, 32), (64, 32, 3, 3), flops=2.0 * 16 * 32 * 32 * 9 * 32 * 64)(
    lambda lib: lambda x, w: lib.lax.conv_general_dilated(x, w, (1, 1), "SAME")
)
row("cnn/conv_1d_16000", (8, 16000, 16), (9, 16, 32), flops=2.0 * 8 * 16000 * 9 * 16 * 32)(
    lambda lib: lambda x, w: lib.lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=("NHC", "HIO", "NHC"))
)
