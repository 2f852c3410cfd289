"""Convolutions as in tutorials: blurring, layouts, dilations, a small network, gradients of single examples."""

import numpy as np

from jax_programs import program

NHWC = ("NHWC", "HWIO", "NHWC")


def image():
    """Two images with a grid of lines."""
    x = np.zeros((2, 20, 18, 3), np.float32)
    x[:, ::4] = 1
    x[:, :, ::3, 1] = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    return x


@program
def blur_an_image_of_many_channels(jax):
    lax, jnp = jax.lax, jax.numpy
    taps = jnp.exp(-0.5 * jnp.linspace(-2, 2, 5) ** 2)
    kernel = jnp.outer(taps, taps) / taps.sum() ** 2
    kernel = jnp.tile(kernel[:, :, None, None], (1, 1, 1, 3))
    return lax.conv_general_dilated(image(), kernel, (1, 1), "SAME", dimension_numbers=NHWC, feature_group_count=3)


@program
def dimension_numbers_and_dilations(jax):
    lax, jnp = jax.lax, jax.numpy
    x, kernel = image(), np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)
    numbers = lax.conv_dimension_numbers(x.shape, kernel.shape, NHWC)
    strided = lax.conv_general_dilated(x, kernel, (2, 2), "SAME", (1, 1), (1, 1), numbers)
    atrous = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", (1, 1), (4, 3), numbers)
    spread = lax.conv_general_dilated(x, kernel, (1, 1), ((0, 0), (0, 0)), (2, 2), (1, 1), numbers)
    back = lax.conv_transpose(strided, kernel.swapaxes(2, 3), (2, 2), "SAME")
    first = lax.conv(jnp.transpose(x, (0, 3, 1, 2)), jnp.transpose(kernel, (3, 2, 0, 1)), (1, 1), "SAME")
    return tuple(numbers), strided, atrous, spread, back, first


@program
def one_and_three_dimensions(jax):
    lax, jnp = jax.lax, jax.numpy
    x = jnp.sin(jnp.linspace(0, 6, 200)).reshape(1, 200, 1)
    kernel = jnp.array([1.0, 0, -1, -1, 0, 1]).reshape(6, 1, 1)
    one = lax.conv_general_dilated(x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
    y = jnp.cos(jnp.arange(2 * 4 * 5 * 6.0)).reshape(1, 4, 5, 6, 2)
    cube = jnp.ones((2, 3, 2, 2, 3)) * jnp.arange(3.0)
    three = lax.conv_general_dilated(y, cube, (1, 2, 1), "SAME", dimension_numbers=("NHWDC", "HWDIO", "NHWDC"))
    return one, three


@program(tol=1e-4)
def a_small_network_and_its_gradients(jax):
    lax, jnp = jax.lax, jax.numpy
    rng = np.random.default_rng(0)
    params = [
        (0.2 * rng.normal(size=shape).astype(np.float32), np.zeros(shape[-1], np.float32))
        for shape in ((3, 3, 3, 8), (3, 3, 8, 16))
    ]

    def predict(params, x):
        for kernel, bias in params:
            x = jnp.maximum(lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=NHWC) + bias, 0)
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return x.mean((1, 2))

    def loss(params, x):
        return jnp.sum(jax.nn.log_softmax(predict(params, x))[:, 0])

    x = image() + 0.1 * rng.normal(size=(2, 20, 18, 3)).astype(np.float32)
    gradients = jax.jit(jax.grad(loss))(params, x)
    each = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(params, x[:, None])
    ensemble = jax.tree.map(lambda p: jnp.stack([p, 0.5 * p]), params)
    several = jax.jit(jax.vmap(predict, (0, None)))(ensemble, x)
    return jax.jit(predict)(params, x), gradients, each, several


@program(tol=1e-4)
def second_derivatives(jax):
    lax, jnp = jax.lax, jax.numpy
    x = jnp.asarray(image()[:1, :6, :5])
    kernel = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2, 3, 2)).astype(np.float32))

    def f(w):
        return jnp.sum(jnp.tanh(lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=NHWC)))

    return jax.hessian(f)(kernel), jax.jit(jax.hessian(f))(kernel)


@program
def patches_and_kernels_of_their_own(jax):
    lax = jax.lax
    x = np.transpose(image(), (0, 3, 1, 2))
    found = lax.conv_general_dilated_patches(x, (3, 2), (2, 2), "SAME")
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(2, found.shape[1], *found.shape[2:])).astype(np.float32)
    return found, lax.conv_general_dilated_local(x, kernels, (2, 2), "SAME", (3, 2))


@program
def numbers_of_eight_and_sixteen_bits(jax):
    lax, jnp = jax.lax, jax.numpy
    x, w = (np.arange(2 * 6 * 7) % 11 - 5).reshape(1, 6, 7, 2), (np.arange(36) % 7 - 3).reshape(3, 3, 2, 2)
    exact = lax.conv_general_dilated(
        x.astype(np.int8), w.astype(np.int8), (1, 1), "SAME", dimension_numbers=NHWC, preferred_element_type=jnp.int32
    )
    half = lax.conv_general_dilated(
        jnp.asarray(x, jnp.bfloat16), jnp.asarray(w, jnp.bfloat16), (1, 1), "SAME", dimension_numbers=NHWC
    )
    return exact, half.astype(jnp.float32), str(half.dtype)
