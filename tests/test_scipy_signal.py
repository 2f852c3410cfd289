"""Cosine transforms, convolutions, spectra and interpolation: against SciPy and JAX, and transformed."""

import itertools
import warnings

import numpy as np
import pytest
from optable_base import array

import fungrad as fg
import fungrad.numpy as jnp
from fungrad.scipy import fft, integrate, interpolate, ndimage, signal
from fungrad.scipy.cluster.vq import vq
from fungrad.test_util import check_grads

scipy_signal = pytest.importorskip("scipy.signal")
scipy_fft = pytest.importorskip("scipy.fft")

RNG = np.random.default_rng(0)


def close(actual, wanted, atol=1e-10):
    actual, wanted = fg.tree.leaves(actual), list(wanted) if isinstance(wanted, (tuple, list)) else [wanted]
    for a, w in zip(actual, wanted, strict=True):
        assert a.shape == np.shape(w)
        np.testing.assert_allclose(np.asarray(a), w, rtol=1e-9, atol=atol)


def sample(shape, kind="f"):
    x = RNG.normal(size=shape)
    return x + 1j * RNG.normal(size=shape) if kind == "c" else x


def everywhere(function, *operands, order=2, modes=("fwd", "rev")):
    """The function is differentiable, the same compiled, without Python, and mapped."""
    operands = [array(x) for x in operands]
    wanted = function(*operands)
    compiled = fg.jit(function)
    assert " host " not in compiled.lower(*operands).as_text("steps")
    close(compiled(*operands), [np.asarray(w) for w in fg.tree.leaves(wanted)])
    mapped = fg.vmap(function)(*[jnp.stack([x, x * 0.5]) for x in operands])
    close([leaf[0] for leaf in fg.tree.leaves(mapped)], [np.asarray(w) for w in fg.tree.leaves(wanted)])
    check_grads(function, operands, order, modes=modes, rtol=1e-4)


# -- cosine transforms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 17])
@pytest.mark.parametrize("name", ["dct", "idct"])
def test_cosine_transforms(name, n):
    ours, theirs = getattr(fft, name), getattr(scipy_fft, name)
    for (shape, axis), kind, norm in itertools.product(
        [((n,), -1), ((3, n), 1), ((n, 2), -2)], "fc", [None, "backward", "ortho"]
    ):
        x = sample(shape, kind)
        close(ours(array(x), axis=axis, norm=norm), theirs(x, axis=axis, norm=norm))
        close(ours(array(x), n=4, axis=axis), theirs(x, n=4, axis=axis))
    assert ours(jnp.arange(4)).dtype == ours(jnp.ones(4, "float16")).dtype == np.float32


def test_cosine_transforms_along_several_axes():
    x = sample((3, 4, 5))
    for options in ({}, {"axes": (0, 2)}, {"s": (2, 6), "axes": (-1, 0)}, {"s": (2, 7)}, {"norm": "ortho"}, {"s": 3}):
        close(fft.dctn(array(x), **options), scipy_fft.dctn(x, **options))
        close(fft.idctn(array(x), **options), scipy_fft.idctn(x, **options))
    everywhere(lambda x: fft.idctn(fft.dctn(x) ** 2), sample((3, 4)))
    everywhere(lambda x: fft.dct(x, n=5, norm="ortho"), sample((7,)))
    assert fft.dct(jnp.zeros((0, 3))).shape == (0, 3)


# -- convolutions ------------------------------------------------------------------------------------------------------

SHAPES = [((5,), (3,)), ((3,), (5,)), ((4,), (4,)), ((6,), (4,)), ((4,), (7,)), ((5, 6), (3, 2)), ((2, 3), (5, 6))]


@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve", "convolve2d", "correlate2d"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_convolutions(name, shapes):
    if "2d" in name and len(shapes[0]) != 2:
        pytest.skip("matrices only")
    for kind, mode, method in itertools.product("fc", ["full", "same", "valid"], ["direct", "fft"]):
        options = {"method": method} if name in ("convolve", "correlate") else {}
        x, y = (sample(s, kind) for s in shapes)
        wanted = getattr(scipy_signal, name)(x, y, mode, **options)
        close(getattr(signal, name)(array(x), array(y), mode, **options), wanted)


def test_convolutions_along_some_axes():
    x, y = sample((3, 4, 5)), sample((3, 2, 3))
    close(signal.fftconvolve(array(x), array(y), axes=(1, -1)), scipy_signal.fftconvolve(x, y, axes=(1, 2)))
    x, y = sample((3, 4)), sample((3, 6))
    close(signal.fftconvolve(array(x), array(y), "valid", axes=1), scipy_signal.fftconvolve(x, y, "valid", axes=1))
    assert signal.convolve(jnp.arange(3), jnp.arange(2)).dtype == np.float32


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions_differentiate(mode):
    everywhere(lambda x, y: signal.convolve(x, y, mode), sample((7,)), sample((3,)))
    everywhere(lambda x, y: signal.fftconvolve(x, y, mode), sample((7,)), sample((3,)))
    everywhere(lambda x, y: signal.correlate2d(x, y, mode), sample((4, 5)), sample((2, 3)), order=1)


# -- spectra -----------------------------------------------------------------------------------------------------------

SPECTRA = [
    {"nperseg": 16},
    {"nperseg": 17, "noverlap": 5},
    {"nperseg": 16, "nfft": 32, "window": "boxcar"},
    {"nperseg": 20, "window": "hamming", "return_onesided": False},
    {"window": np.arange(1.0, 13.0)},
]


@pytest.mark.parametrize("options", SPECTRA, ids=range(len(SPECTRA)))
@pytest.mark.parametrize("shape, axis", [((60,), -1), ((3, 50), 1), ((50, 2), 0)])
@pytest.mark.filterwarnings("ignore:.*omplex")
def test_spectra(options, shape, axis):
    for kind in "fc":
        x, y = sample(shape, kind), sample(shape)
        if "window" not in options or isinstance(options["window"], str):
            close(signal.stft(array(x), 2.0, axis=axis, **options), scipy_signal.stft(x, 2.0, axis=axis, **options))
            for boundary in ("even", "odd", "constant", None):
                more = {"boundary": boundary, "padded": False, "detrend": "linear", "axis": axis, **options}
                close(signal.stft(array(x), **more), scipy_signal.stft(x, **more))
        for scaling, average in itertools.product(["density", "spectrum"], ["mean", "median"]):
            more = {"axis": axis, "scaling": scaling, "average": average, **options}
            close(signal.welch(array(x), 3.0, **more), scipy_signal.welch(x, 3.0, **more))
            close(signal.csd(array(x), array(y), 3.0, **more), scipy_signal.csd(x, y, 3.0, **more))


def test_spectra_of_signals_of_other_lengths():
    x, y = sample((2, 40)), sample((2, 30))
    close(signal.csd(array(x), array(y), nperseg=16), scipy_signal.csd(x, y, nperseg=16))
    close(signal.csd(array(x), None, nperseg=16), scipy_signal.welch(x, nperseg=16))
    with pytest.warns(UserWarning, match="nperseg=256 is greater"):
        f, p = signal.welch(array(sample((30,))))
    assert f.shape == p.shape == (16,)
    assert signal.stft(jnp.zeros((2, 0)))[2].shape == (2, 0)
    with pytest.warns(UserWarning, match="return_onesided is ignored"):
        signal.welch(array(sample((30,), "c")), nperseg=8)


ISTFT = [
    {},
    {"nperseg": 12, "noverlap": 6, "nfft": 16},
    {"nperseg": 17},
    {"noverlap": 12},
    {"noverlap": 0},
    {"input_onesided": False},
    {"boundary": False, "window": "hamming"},
]


@pytest.mark.parametrize("options", ISTFT, ids=range(len(ISTFT)))
def test_inverse_spectra(options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # windows that cannot be inverted
        for shape in ((9, 12), (2, 9, 5)):
            z = sample(shape, "c")
            close(signal.istft(array(z), **options), scipy_signal.istft(z, **options))


def test_inverse_spectra_along_other_axes():
    z = sample((5, 9, 3), "c")
    for axes in ({"time_axis": 0, "freq_axis": 1}, {"time_axis": 0, "freq_axis": 2}, {"time_axis": 2, "freq_axis": 0}):
        close(signal.istft(array(z), **axes)[1], scipy_signal.istft(z, **axes)[1])


def test_spectra_differentiate():
    everywhere(lambda x: signal.welch(x, nperseg=8)[1], sample((20,)))
    everywhere(lambda x, y: signal.csd(x, y, nperseg=8, detrend="linear")[1], sample((20,)), sample((20,)), order=1)
    everywhere(lambda x: signal.istft(signal.stft(x, nperseg=8)[2] ** 2, nperseg=8)[1], sample((20,)), order=1)
    everywhere(lambda x: signal.detrend(x, bp=[4]), sample((9,)))


@pytest.mark.parametrize("kind", ["linear", "constant"])
def test_detrend(kind):
    for shape, axis in (((20,), -1), ((3, 20), 1), ((20, 2), 0)):
        x = sample(shape)
        close(signal.detrend(array(x), axis, kind), scipy_signal.detrend(x, axis, kind))
        close(signal.detrend(array(x), axis, kind, [5, 12]), scipy_signal.detrend(x, axis, kind, [5, 12]))


# -- interpolation and others ------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates_as_jax(mode, order):
    theirs = pytest.importorskip("jax.scipy.ndimage")
    for shape in ((5,), (4, 6), (2, 3)):
        x, c = sample(shape).astype(np.float32), RNG.uniform(-8, 12, (len(shape), 30)).astype(np.float32)
        for image in (x, (50 * x).astype(np.int32), x + 1j * x):
            cval = 3 if image.dtype.kind == "i" else 1.5
            a = ndimage.map_coordinates(image, list(c), order, mode, cval)
            b = theirs.map_coordinates(image, list(c), order, mode, cval)
            assert a.dtype == b.dtype
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["grid-wrap", "mirror", "reflect", "nearest"])
def test_map_coordinates_as_scipy(mode):
    theirs = pytest.importorskip("scipy.ndimage")
    for shape, order in itertools.product(((5,), (4, 6), (1, 3)), (0, 1)):
        x, c = sample(shape), RNG.uniform(-8, 12, (len(shape), 30))
        wanted = theirs.map_coordinates(x, c, order=order, mode=mode)
        close(ndimage.map_coordinates(array(x), array(c), order, mode.removeprefix("grid-")), wanted)


def test_map_coordinates_differentiates():
    c = RNG.uniform(0.1, 2.9, (2, 4))
    everywhere(lambda x, c: ndimage.map_coordinates(x, c, 1, "nearest"), sample((4, 4)), c)


def test_regular_grid_interpolation():
    theirs = pytest.importorskip("scipy.interpolate").RegularGridInterpolator
    grid = tuple(np.sort(sample((n,))) for n in (4, 5))
    values, at = sample((4, 5, 2)), sample((7, 3, 2))
    for method, fill in itertools.product(("linear", "nearest"), (np.nan, 0.0, None)):
        ours = interpolate.RegularGridInterpolator(tuple(map(array, grid)), array(values), method, False, fill)
        close(ours(array(at)), theirs(grid, values, method, False, fill)(at))
        close(ours((array(at[..., 0]), array(at[..., 1]))), theirs(grid, values, method, False, fill)(at))
    inside = np.stack([RNG.uniform(g[0], g[-1], 4) for g in grid], -1)
    everywhere(lambda v, x: interpolate.RegularGridInterpolator(tuple(map(array, grid)), v)(x), values, inside)
    # the interpolator is a tree
    f = interpolate.RegularGridInterpolator((jnp.arange(3.0),), jnp.arange(3.0))
    assert float(fg.jit(lambda f, x: f(x))(f, jnp.array([0.5]))[0]) == 0.5
    assert len(fg.tree.leaves(f)) == 3


def test_vector_quantisation():
    theirs = pytest.importorskip("scipy.cluster.vq").vq
    for x, book in ((sample((6, 3)), sample((4, 3))), (sample((5,)), sample((3,)))):
        codes, distances = vq(array(x), array(book))
        wanted = theirs(x, book)
        assert codes.tolist() == wanted[0].tolist()
        close(distances, wanted[1])
    everywhere(lambda x, book: vq(x, book)[1], sample((6, 3)), sample((4, 3)))


def test_trapezoid():
    y, x = sample((3, 5)), np.sort(sample((5,)))
    close(integrate.trapezoid(array(y), array(x)), np.trapezoid(y, x))
    close(integrate.trapezoid(array(y), dx=0.5, axis=0), np.trapezoid(y, dx=0.5, axis=0))
    everywhere(lambda y, x: integrate.trapezoid(y, x), y, x)


def test_numbers_keep_their_digits():
    """Python numbers beside arrays of double precision are not rounded to single precision first."""
    x = sample((40,))
    for ours, wanted in (
        (signal.stft(array(x), 0.1, nperseg=8), scipy_signal.stft(x, 0.1, nperseg=8)),
        (signal.welch(array(x), 0.1, nperseg=8), scipy_signal.welch(x, 0.1, nperseg=8)),
    ):
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(np.asarray(a), b, rtol=1e-11, atol=1e-13)
    z = scipy_signal.stft(x, nperseg=8)[2]
    np.testing.assert_allclose(np.asarray(signal.istft(array(z), 0.1)[0]), scipy_signal.istft(z, 0.1)[0], rtol=1e-14)
    outside = array(np.array([9.0]))
    assert float(ndimage.map_coordinates(array(x[:3]), [outside], 1, cval=0.1)[0]) == 0.1
    line = interpolate.RegularGridInterpolator((array(np.arange(3.0)),), array(x[:3]), fill_value=0.1)
    assert float(line(outside[:, None])[0]) == 0.1
    np.testing.assert_allclose(float(integrate.trapezoid(array(x), dx=0.1)), np.trapezoid(x, dx=0.1), rtol=1e-13)
