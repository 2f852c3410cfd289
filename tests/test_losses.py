"""Losses against optax: values, gradients, masks, compiled and mapped; and where its numbers are not the last word."""

import math

import numpy as np
import pytest

import fungrad
import fungrad.numpy as jnp
from fungrad import lax, nn, optim
from fungrad.test_util import check_grads

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def probabilities(*shape):
    x = RNG.random(shape).astype(np.float32) + 0.1
    return x / x.sum(-1, keepdims=True)


def integers(high, *shape):
    return RNG.integers(0, high, shape).astype(np.int32)


def mask(*shape):
    return RNG.random(shape) < 0.7


X, P, Q = normal(4, 5), probabilities(4, 5), np.log(probabilities(4, 5))
Y = (RNG.random((4, 5)) < 0.5).astype(np.float32)
SIGNS = np.where(Y > 0, 1, -1).astype(np.float32)
M = mask(4, 5)
M[0] = False
M2 = M.copy()
M2[:, 2] = True
IMAGES = normal(2, 3, 4, 3)
CLASSES = np.eye(3, dtype=np.float32)[integers(3, 2, 3, 4)]
FRAMES = (
    normal(3, 6, 5),
    np.float32([[0] * 6, [0] * 4 + [1] * 2, [0, 0, 1, 1, 1, 1]]),
    np.int32([[1, 2, 2], [3, 3, 0], [4, 1, 2]]),
    np.float32([[0, 0, 0], [0, 0, 1], [0, 1, 1]]),
)

INTEGER_LABELS = "softmax_cross_entropy_with_integer_labels"

# name: function, arguments, keywords, positions to differentiate by, and whether it works example by example.
CASES = {
    "squared_error": ("squared_error", (X, normal(4, 5)), {}, (0, 1), True),
    "squared_error of one": ("squared_error", (X,), {}, (0,), True),
    "l2": ("l2_loss", (X, normal(4, 5)), {}, (0, 1), True),
    "l2 of one": ("l2_loss", (X,), {}, (0,), True),
    "huber": ("huber_loss", (3 * X, normal(4, 5)), {}, (0, 1), True),
    "huber with delta": ("huber_loss", (3 * X,), {"delta": 0.3}, (0,), True),
    "log_cosh": ("log_cosh", (5 * X, normal(4, 5)), {}, (0, 1), True),
    "cosine_similarity": ("cosine_similarity", (X, normal(4, 5)), {}, (0, 1), True),
    "cosine_similarity over all": ("cosine_similarity", (X, normal(4, 5)), {"axis": None}, (0, 1), False),
    "cosine_similarity where": ("cosine_similarity", (X, normal(4, 5)), {"where": M2, "epsilon": 1e-3}, (0, 1), False),
    "cosine_distance": ("cosine_distance", (X, normal(4, 5)), {"axis": 0, "epsilon": 1e-6}, (0, 1), False),
    "sigmoid_binary": ("sigmoid_binary_cross_entropy", (8 * X, P), {}, (0,), True),
    "sigmoid_binary of bools": ("sigmoid_binary_cross_entropy", (X, Y > 0), {}, (0,), True),
    "focal": ("sigmoid_focal_loss", (8 * X, Y), {}, (0,), True),
    "focal with alpha": ("sigmoid_focal_loss", (X, P), {"alpha": 0.3, "gamma": 1.5}, (0, 1), True),
    "hinge": ("hinge_loss", (X, SIGNS), {}, (0,), True),
    "perceptron": ("perceptron_loss", (X, SIGNS), {}, (0,), True),
    "sparsemax": ("sparsemax_loss", (X, Y), {}, (0,), True),
    "softmax": ("softmax_cross_entropy", (X, P), {}, (0, 1), True),
    "softmax of far logits": ("softmax_cross_entropy", (1e4 * X, P), {}, (0,), True),
    "softmax over two axes": ("softmax_cross_entropy", (X, P), {"axis": (0, 1)}, (0, 1), False),
    "softmax over all": ("softmax_cross_entropy", (X, P), {"axis": None}, (0, 1), False),
    "softmax where": ("softmax_cross_entropy", (X, P), {"where": M}, (), False),
    "softmax where, some": ("softmax_cross_entropy", (X, P), {"where": M2}, (0,), False),
    "integer labels": (INTEGER_LABELS, (X, integers(5, 4)), {}, (0,), True),
    "integer labels, first": (INTEGER_LABELS, (X, integers(4, 5)), {"axis": 0}, (0,), False),
    "integer labels, negative": (INTEGER_LABELS, (X, np.int32([-1, 0, -5, 2])), {}, (0,), True),
    "integer labels, no class": (INTEGER_LABELS, (X, np.int32([5, 0, -6, 2])), {}, (), True),
    "integer labels over two": (
        INTEGER_LABELS, (normal(2, 3, 4), integers(8, 3)), {"axis": (0, -1)}, (0,), False,
    ),
    "integer labels where": (
        INTEGER_LABELS, (X, np.int32([0, 2, 2, 2])), {"where": M2}, (0,), False,
    ),
    "integer labels where examples": (
        INTEGER_LABELS, (X, integers(5, 4)), {"where": np.array([True, False, True, True])},
        (), False,
    ),
    "safe softmax": ("safe_softmax_cross_entropy", (X, P), {}, (0, 1), True),
    "poly": ("poly_loss_cross_entropy", (X, P), {"epsilon": 0.7}, (0, 1), True),
    "poly where": ("poly_loss_cross_entropy", (X, P), {"where": M2, "axis": 0}, (0,), False),
    "multiclass hinge": ("multiclass_hinge_loss", (X, integers(5, 4)), {}, (0,), True),
    "multiclass perceptron": ("multiclass_perceptron_loss", (X, integers(5, 4)), {}, (0,), True),
    "multiclass sparsemax": ("multiclass_sparsemax_loss", (X, integers(5, 4)), {}, (0,), False),
    "kl": ("kl_divergence", (Q, P), {}, (0, 1), True),
    "kl where": ("kl_divergence", (Q, P), {"where": M, "axis": 0}, (0, 1), False),
    "kl of log targets": ("kl_divergence_with_log_targets", (Q, np.log(P)), {}, (0, 1), True),
    "generalized kl": ("generalized_kl_divergence", (Q, 2 * P), {}, (0, 1), True),
    "convex kl": ("convex_kl_divergence", (Q, P), {"axis": None}, (0, 1), False),
    "smooth labels": ("smooth_labels", (np.eye(5, dtype=np.float32), 0.1), {}, (0,), False),
    "smooth labels where": ("smooth_labels", (P, 0.1), {"where": M2}, (0,), False),
    "smooth labels over two": ("smooth_labels", (P, 0.1), {"axis": (0, 1)}, (0,), False),
    "ranking": ("ranking_softmax_loss", (X, np.abs(normal(4, 5))), {}, (0, 1), False),
    "ranking where": ("ranking_softmax_loss", (X, integers(3, 4, 5)), {"where": M}, (), False),
    "ranking unreduced": ("ranking_softmax_loss", (X, P), {"where": M2, "reduce_fn": None, "weights": P}, (), False),
    "dice": ("dice_loss", (IMAGES, CLASSES), {}, (0,), True),
    "dice with everything": (
        "dice_loss", (IMAGES, CLASSES),
        {"class_weights": np.float32([1, 2, 3]), "smooth": 0.5, "alpha": 0.3, "beta": 0.7, "reduction": "sum",
         "ignore_background": True, "axis": (1, 2)}, (0,), True,
    ),
    "dice of probabilities": ("dice_loss", (probabilities(2, 3, 3), CLASSES[:, :, 0]), {"reduction": "none"}, (), True),
    "dice of probabilities with softmax off": (
        "dice_loss", (probabilities(2, 3, 3), CLASSES[:, :, 0]), {"apply_softmax": False}, (), True,
    ),
    "generalized dice": ("multiclass_generalized_dice_loss", (IMAGES, CLASSES), {}, (0,), False),
    "binary dice": ("binary_dice_loss", (normal(2, 6), (normal(2, 6) > 0).astype(np.float32)), {}, (0,), True),
    "binary dice, one channel": (
        "binary_dice_loss", (normal(2, 6, 1), (normal(2, 6, 1) > 0).astype(np.float32)), {}, (0,), True,
    ),
    "ntxent": ("ntxent", (normal(6, 4), np.int32([0, 0, 1, 1, 2, 2])), {}, (0,), False),
    "ntxent of triples": ("ntxent", (normal(6, 4), np.int32([0, 0, 0, 1, 1, 5])), {"temperature": 0.5}, (0,), False),
    "ntxent of one label": ("ntxent", (normal(3, 4), np.int32([1, 1, 1])), {}, (), False),
    "triplets": ("triplet_margin_loss", (X, normal(4, 5), normal(4, 5)), {"margin": 3.0}, (0, 1, 2), False),
    "triplets along the first axis": (
        "triplet_margin_loss", (X, normal(4, 5), normal(4, 5)), {"axis": 0, "norm_degree": 4}, (0, 1, 2), False,
    ),
    "ctc": ("ctc_loss", FRAMES, {}, (0,), False),
    "ctc with another blank": ("ctc_loss", FRAMES, {"blank_id": 4, "log_epsilon": -1e4}, (0,), False),
    "ctc with probabilities": ("ctc_loss_with_forward_probs", FRAMES, {}, (), False),
}  # fmt: skip


def total(out):
    return sum(jnp.sum(leaf) for leaf in fungrad.tree.leaves(out))


def close(got, expected, rtol=2e-5, atol=2e-6):
    got, expected = (
        (got if isinstance(got, tuple) else (got,)),
        (expected if isinstance(expected, tuple) else (expected,)),
    )
    for ours, theirs in zip(got, expected, strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=atol)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_optax(case):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    name, args, kwargs, positions, _ = CASES[case]
    ours, theirs = getattr(optim.losses, name), getattr(optax.losses, name)
    got = ours(*map(jnp.asarray, args), **kwargs)
    scale = 1e4 if "far" in case else 1.0
    close(got, theirs(*map(jax.numpy.asarray, args), **kwargs), rtol=1e-4 if "ctc" in case else 2e-5, atol=3e-6 * scale)
    if positions:
        gradients = fungrad.grad(lambda *a: total(ours(*a, **kwargs)), positions)(*map(jnp.asarray, args))
        expected = jax.grad(lambda *a: theirs(*a, **kwargs).sum(), positions)(*map(jax.numpy.asarray, args))
        close(gradients, tuple(expected), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_compiled_and_mapped(case):
    name, args, kwargs, positions, examples = CASES[case]
    loss = getattr(optim.losses, name)
    args = tuple(map(jnp.asarray, args))

    def f(*a):
        return loss(*a, **kwargs)

    if positions:

        def both(*a):
            return fungrad.value_and_grad(lambda *b: total(f(*b)), positions)(*a)

        value, gradients = both(*args)
        compiled_value, compiled = fungrad.jit(both)(*args)
        close(compiled_value, value, rtol=1e-4)
        close(compiled, gradients, rtol=1e-4, atol=1e-5)
        assert all(bool(jnp.all(jnp.isfinite(g))) for g in gradients)
    else:
        close(fungrad.jit(f)(*args), f(*args), rtol=1e-4, atol=2e-6)
    if examples:
        one_by_one = jnp.stack([f(*[a[n] for a in args]) for n in range(len(args[0]))]) if args[0].ndim < 3 else None
        if one_by_one is not None:
            close(fungrad.vmap(f)(*args), one_by_one)
    batch = jnp.stack([args[0], -args[0]])
    mapped = fungrad.vmap(lambda first: f(first, *args[1:]))(batch) if "probabilities" not in case else None
    if mapped is not None:
        for n in range(2):
            got = fungrad.tree.map(lambda x: x[n], mapped)
            close(got, f(batch[n], *args[1:]), rtol=1e-4, atol=1e-5)


SMOOTH = {
    "squared_error": (X, normal(4, 5)),
    "log_cosh": (X, normal(4, 5)),
    "cosine_similarity": (X, normal(4, 5)),
    "sigmoid_binary_cross_entropy": (X, Y),
    "sigmoid_focal_loss": (X, Y),
    "softmax_cross_entropy": (X, P),
    "safe_softmax_cross_entropy": (X, P),
    "poly_loss_cross_entropy": (X, P),
    "kl_divergence": (Q, P),
    "kl_divergence_with_log_targets": (Q, np.log(P)),
    "triplet_margin_loss": (X, X + 2, X + 0.1 * normal(4, 5)),
    "dice_loss": (IMAGES, CLASSES),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_numerically_right(name):
    first, *others = SMOOTH[name]
    with fungrad.enable_x64():
        rest = [jnp.asarray(np.float64(a)) for a in others]
        check_grads(lambda x: getattr(optim.losses, name)(x, *rest), (np.float64(first),), order=2)


def test_ctc_counts_the_ways():
    """The probability of labels by adding up all sequences of frames that spell them."""
    frames, classes = 4, 3
    logits = normal(1, frames, classes)
    p = np.exp(np.asarray(nn.log_softmax(jnp.asarray(logits))))[0]
    for labels in ([1, 2], [1, 1], [2], []):
        wanted = 0.0
        for path in np.ndindex(*[classes] * frames):
            read = [c for n, c in enumerate(path) if c and (n == 0 or path[n - 1] != c)]
            if read == labels:
                wanted += math.prod(p[n, c] for n, c in enumerate(path))
        padded = np.int32([labels + [0] * (3 - len(labels))])
        paddings = np.float32([[0] * len(labels) + [1] * (3 - len(labels))])
        loss = optim.ctc_loss(jnp.asarray(logits), jnp.zeros((1, frames)), padded, paddings)
        np.testing.assert_allclose(float(loss[0]), -math.log(wanted), rtol=1e-5)
    assert float(optim.ctc_loss(logits, jnp.zeros((1, 4)), np.int32([[1, 1, 1]]), jnp.zeros((1, 3)))[0]) > 9e4
    check_grads(lambda x: optim.ctc_loss(x, jnp.zeros((1, 4)), padded, paddings), (logits,), order=1, modes=["rev"])


def test_paddings_of_labels_may_be_any_number():
    logits, frames, labels, paddings = FRAMES
    other = np.where(paddings > 0, np.int32(99), labels)
    np.testing.assert_array_equal(
        optim.ctc_loss(logits, frames, labels, paddings), optim.ctc_loss(logits, frames, other, paddings)
    )


# -- extremes ------------------------------------------------------------------------------------------------------


def test_far_logits_have_losses_and_gradients():
    far = jnp.array([[1e30, -1e30, 0.0], [-1e38, 1e38, 0.0]])
    labels = jnp.array([0, 1])
    for loss in (
        lambda z: optim.softmax_cross_entropy_with_integer_labels(z, labels),
        lambda z: optim.softmax_cross_entropy(z, nn.one_hot(labels, 3)),
        lambda z: optim.sigmoid_binary_cross_entropy(z, nn.one_hot(labels, 3)),
        lambda z: optim.sigmoid_focal_loss(z, nn.one_hot(labels, 3)),
        optim.huber_loss,
        optim.log_cosh,
    ):
        value, gradient = fungrad.value_and_grad(lambda z: jnp.sum(loss(z)))(far)
        assert bool(jnp.isfinite(value)) or loss in (optim.huber_loss, optim.log_cosh)
        assert bool(jnp.all(jnp.isfinite(gradient)))


def test_small_losses_keep_their_digits():
    x = jnp.array([1e-4, -1e-3, 0.5, 20.0])
    expected = np.log(np.cosh(np.float64(x)))
    np.testing.assert_allclose(optim.log_cosh(x), expected, rtol=5e-7)
    np.testing.assert_allclose(fungrad.vmap(fungrad.grad(fungrad.grad(optim.log_cosh)))(jnp.zeros(2)), [1, 1])
    confident = optim.sigmoid_binary_cross_entropy(jnp.array([20.0, -20.0]), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(confident, 2.0611537e-09, rtol=1e-6)


def test_what_cannot_be_counts_for_nothing():
    logits, labels = jnp.array([[0.0, -jnp.inf, 1.0]]), jnp.array([[0.5, 0.0, 0.5]])
    value, gradient = fungrad.value_and_grad(lambda z: jnp.sum(optim.safe_softmax_cross_entropy(z, labels)))(logits)
    assert bool(jnp.isfinite(value)) and bool(jnp.all(jnp.isfinite(gradient))) and float(gradient[0, 1]) == 0
    p, t = jnp.log(jnp.array([0.0, 1.0])), jnp.array([0.0, 1.0])
    for loss in (optim.kl_divergence, optim.losses.generalized_kl_divergence):
        value, gradients = fungrad.value_and_grad(loss, (0, 1))(p, t)
        assert float(value) == 0 and all(bool(jnp.all(jnp.isfinite(g))) for g in gradients)
    both = optim.losses.kl_divergence_with_log_targets
    value, gradients = fungrad.value_and_grad(both, (0, 1))(p, jnp.log(t))
    assert float(value) == 0 and all(bool(jnp.all(jnp.isfinite(g))) for g in gradients)
    assert float(optim.kl_divergence(p, jnp.array([0.5, 0.5]))) == math.inf


def test_gradients_of_masked_losses_are_finite_and_zero_outside():
    scores = jnp.asarray(np.where(M, X, np.float32(np.nan)))
    for loss in (
        lambda z: optim.softmax_cross_entropy(z, jnp.asarray(P), where=M),
        lambda z: optim.losses.poly_loss_cross_entropy(z, jnp.asarray(P), where=M),
        lambda z: optim.losses.ranking_softmax_loss(z, jnp.asarray(P), where=M),
        lambda z: optim.softmax_cross_entropy_with_integer_labels(z, jnp.argmax(M, 1), where=M),
    ):
        value, gradient = fungrad.value_and_grad(lambda z: jnp.sum(loss(z)))(jnp.asarray(X))
        assert bool(jnp.isfinite(value)) and bool(jnp.all(jnp.isfinite(gradient)))
        assert not np.any(np.asarray(gradient)[~M])
    assert np.isnan(float(jnp.sum(optim.softmax_cross_entropy(scores, jnp.asarray(P)))))


def test_a_ranking_without_items_is_zero_with_a_gradient():
    def loss(z):
        return optim.losses.ranking_softmax_loss(z, jnp.asarray(P), where=np.zeros((4, 5), bool))

    value, gradient = fungrad.value_and_grad(loss)(jnp.asarray(X))
    assert float(value) == 0 and not np.any(gradient)


def test_half_precision_stays():
    for dtype in ("bfloat16", "float16"):
        x = jnp.asarray(X).astype(dtype)
        assert optim.softmax_cross_entropy(x, jnp.asarray(P).astype(dtype)).dtype == dtype
        assert optim.huber_loss(x, x).dtype == optim.log_cosh(x).dtype == x.dtype
        logits, frames, labels, paddings = FRAMES
        assert optim.ctc_loss(jnp.asarray(logits).astype(dtype), frames, labels, paddings).dtype == jnp.float32


def test_odd_norms_take_absolute_values():
    a, p, n = jnp.zeros((1, 2)), jnp.array([[1.0, -1.0]]), jnp.array([[3.0, -3.0]])
    loss = optim.losses.triplet_margin_loss(a, p, n, norm_degree=1, margin=5.0)
    np.testing.assert_allclose(loss, [5 + 2 - 6], rtol=1e-5)


def test_probabilities_are_checked_also_in_compiled_functions():
    def loss(p):
        return optim.losses.dice_loss(p, jnp.asarray(CLASSES), apply_softmax=False)

    for f in (loss, fungrad.jit(loss)):
        with pytest.raises(ValueError, match="dice_loss: without a softmax, predictions must be probabilities"):
            f(jnp.asarray(IMAGES))

    def binary(p):
        return optim.losses.binary_dice_loss(p, jnp.ones((1, 3)), apply_sigmoid=False)

    assert float(binary(jnp.ones((1, 3)))[0]) == 0
    with pytest.raises(ValueError, match="from 0 to 1"):
        binary(jnp.full((1, 3), 1.5))


def test_fenchel_young_losses():
    loss = optim.losses.make_fenchel_young_loss(nn.logsumexp)
    np.testing.assert_allclose(
        loss(jnp.asarray(X), jnp.asarray(P)), optim.softmax_cross_entropy(jnp.asarray(X), jnp.asarray(P)), rtol=1e-5
    )
    gradient = fungrad.jit(fungrad.grad(lambda s: jnp.sum(loss(s, jnp.asarray(P)))))(jnp.asarray(X))
    np.testing.assert_allclose(gradient, nn.softmax(jnp.asarray(X)) - P, rtol=1e-4, atol=1e-6)
    tempered = optim.losses.make_fenchel_young_loss(lambda s, scale: scale * nn.logsumexp(s / scale))
    assert tempered(jnp.asarray(X), jnp.asarray(P), scale=2.0).shape == (4,)


def test_names_are_those_of_optax():
    assert optim.softmax_cross_entropy is optim.losses.softmax_cross_entropy
    optax = pytest.importorskip("optax")
    theirs = {n for n in dir(optax.losses) if not n.startswith("_") and callable(getattr(optax.losses, n))}
    assert theirs <= set(optim.losses.__all__)
    assert {n for n in optim.losses.__all__ if hasattr(optax, n)} <= set(optim.__all__)


def test_empty_batches():
    assert optim.softmax_cross_entropy(jnp.zeros((0, 3)), jnp.zeros((0, 3))).shape == (0,)
    assert optim.softmax_cross_entropy_with_integer_labels(jnp.zeros((0, 3)), jnp.zeros(0, int)).shape == (0,)
    assert optim.ctc_loss(jnp.zeros((0, 4, 3)), jnp.zeros((0, 4)), jnp.zeros((0, 2), int), jnp.zeros((0, 2))).shape == (
        0,
    )
    no_labels = optim.ctc_loss(jnp.zeros((2, 4, 3)), jnp.zeros((2, 4)), jnp.zeros((2, 0), int), jnp.zeros((2, 0)))
    np.testing.assert_allclose(no_labels, 4 * math.log(3), rtol=1e-6)
    assert lax.stop_gradient(optim.huber_loss(jnp.zeros(0))).shape == (0,)
