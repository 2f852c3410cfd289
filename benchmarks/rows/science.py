"""Option prices and gravity, with gradients."""

import math

import numpy as np

from benchmarks.registry import data, row

VOL, RATE = 0.3, 0.02


def options():
    """Spot prices, strikes and times to expiry."""
    rng = np.random.default_rng(0)
    ranges = ((50, 150), (50, 150), (0.1, 2))
    return [rng.uniform(low, high, 10**6).astype(np.float32) for low, high in ranges]


def price(np_, erf):
    """Black and Scholes' price of a call."""

    def cdf(x):
        return 0.5 * (1 + erf(x * math.sqrt(0.5)))

    def f(spot, strike, time):
        root = VOL * np_.sqrt(time)
        d1 = (np_.log(spot / strike) + (RATE + 0.5 * VOL * VOL) * time) / root
        return spot * cdf(d1) - strike * np_.exp(-RATE * time) * cdf(d1 - root)

    return f


@row("sci/black_scholes_1e6_vag", tolerance=1e-3, bytes=6 * 4e6)
def black_scholes(lib):
    f = price(lib.np, lib.lax.erf)
    run = lib.jit(lib.value_and_grad(lambda *a: lib.np.sum(f(*a)), argnums=(0, 1, 2)))
    arrays = [lib.asarray(x) for x in options()]
    return lambda: lib.done(run(*arrays))


@black_scholes.variant("torch", "torchc")
def _(lib):
    f = price(lib.root, lib.erf)
    both = lib.jit(lib.func.grad_and_value(lambda *a: f(*a).sum(), argnums=(0, 1, 2)))
    arrays = [lib.asarray(x) for x in options()]
    return lambda: both(*arrays)[::-1]


@black_scholes.variant("autograd")
def _(lib):
    from autograd.scipy.special import erf

    f = price(lib.np, erf)
    run = lib.value_and_grad(lambda a: lib.np.sum(f(*a)))
    arrays = tuple(options())
    return lambda: run(arrays)


@black_scholes.variant("numba")
def _(lib):
    f32, exp, log, erf, prange = lib.f32, lib.exp, lib.log, lib.erf, lib.prange
    half, one, vol, rate = f32(0.5), f32(1), f32(VOL), f32(RATE)
    drift, slope = f32(RATE + 0.5 * VOL * VOL), f32(VOL / math.sqrt(8 * math.pi))

    @lib.summing
    def chunk(spot, strike, time, d_spot, d_strike, d_time):
        total = f32(0)
        for i in range(spot.size):
            root = np.sqrt(time[i])
            d1 = (log(spot[i] / strike[i]) + drift * time[i]) / (vol * root)
            n1 = half * (one + erf(d1 * f32(math.sqrt(0.5))))
            n2 = half * (one + erf((d1 - vol * root) * f32(math.sqrt(0.5))))
            paid = strike[i] * exp(-rate * time[i]) * n2
            total += spot[i] * n1 - paid
            d_spot[i] = n1
            d_strike[i] = -paid / strike[i]
            d_time[i] = spot[i] * exp(-half * d1 * d1) * slope / root + rate * paid
        return total

    size = 1000

    @lib.kernel
    def run(spot, strike, time, d_spot, d_strike, d_time):
        totals = np.zeros(spot.size // size)
        for c in prange(spot.size // size):
            a, b = c * size, (c + 1) * size
            totals[c] = chunk(spot[a:b], strike[a:b], time[a:b], d_spot[a:b], d_strike[a:b], d_time[a:b])
        return totals.sum()

    arrays, slopes = options(), [np.zeros(10**6, np.float32) for _ in range(3)]
    return lambda: (run(*arrays, *slopes), slopes)


BODIES = 1000


def bodies():
    """Positions and masses."""
    return data((BODIES, 3)), np.abs(data((BODIES,), seed=1)) + np.float32(0.1)


def energy(np_, mass):
    """Softened potential energy of all pairs."""

    def f(position):
        d = position[:, None, :] - position[None, :, :]
        r2 = np_.sum(d * d, axis=-1) + 1e-2
        return -0.5 * np_.sum(mass[:, None] * mass[None, :] / np_.sqrt(r2))

    return f


@row("sci/nbody_1000_grad", tolerance=1e-2, flops=20.0 * BODIES**2)
def nbody(lib):
    position, mass = map(lib.asarray, bodies())
    f = lib.jit(lib.value_and_grad(energy(lib.np, mass)))
    return lambda: lib.done(f(position))


@nbody.variant("torch", "torchc")
def _(lib):
    position, mass = map(lib.asarray, bodies())
    f = lib.jit(lib.func.grad_and_value(energy(lib.root, mass)))
    return lambda: f(position)[::-1]


@nbody.variant("autograd")
def _(lib):
    position, mass = bodies()
    f = lib.value_and_grad(energy(lib.np, mass))
    return lambda: f(position)


@nbody.variant("numba")
def _(lib):
    f32, zero, prange = lib.f32, lib.f32(0), lib.prange

    @lib.summing
    def pull(x, y, z, mass, i):
        """Potential at body i, and its gradient."""
        potential, gx, gy, gz = zero, zero, zero, zero
        for j in range(x.size):
            dx, dy, dz = x[i] - x[j], y[i] - y[j], z[i] - z[j]
            inverse = f32(1) / np.sqrt(dx * dx + dy * dy + dz * dz + f32(1e-2))
            part = mass[j] * inverse
            weight = part * inverse * inverse
            potential += part
            gx += weight * dx
            gy += weight * dy
            gz += weight * dz
        return mass[i] * potential, mass[i] * gx, mass[i] * gy, mass[i] * gz

    @lib.kernel
    def run(x, y, z, mass, gradient):
        total = 0.0
        for i in prange(x.size):
            potential, gx, gy, gz = pull(x, y, z, mass, i)
            total += potential
            gradient[i, 0], gradient[i, 1], gradient[i, 2] = gx, gy, gz
        return -0.5 * total

    position, mass = bodies()
    x, y, z = np.ascontiguousarray(position.T)
    gradient = np.zeros_like(position)
    return lambda: (run(x, y, z, mass, gradient), gradient)
