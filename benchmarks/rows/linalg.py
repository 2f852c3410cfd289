"""Linear algebra: batches of small systems, a Kalman filter, a Gaussian process, and Newton's method."""

import numpy as np

from benchmarks.registry import data, row


def systems(count, n):
    """Matrices far from singular, and right hand sides."""
    a = data((count, n, n), seed=1) + n * np.eye(n, dtype=np.float32)
    return a, data((count, n), seed=2)


def solving(count, n):
    """The row of a batch of systems."""

    def make(lib):
        arrays = [lib.asarray(x) for x in systems(count, n)]
        run = lib.jit(lambda a, b: lib.np.linalg.solve(a, b[..., None])[..., 0])
        return lambda: lib.done(run(*arrays))

    def torch(lib):
        arrays = [lib.asarray(x) for x in systems(count, n)]
        return lambda: lib.linalg.solve(*arrays)

    def numpy(lib):
        a, b = systems(count, n)
        return lambda: np.linalg.solve(a, b[..., None])[..., 0]

    name = f"linalg/solve_{count}x{n}x{n}"
    made = row(name, tolerance=1e-3, bytes=4.0 * count * n * (n + 2), flops=count * (2 * n**3 / 3 + 2 * n * n))(make)
    made.variant("torch", "torchc")(torch)
    made.variant("numpy")(numpy)
    return made


solving(4096, 4)
solving(256, 16)


# -- Kalman filter -----------------------------------------------------------------------------------------------------

STEPS, STATE, SEEN = 1000, 4, 2


def model():
    """Motion in a plane at constant velocity, of which noisy positions are observed."""
    step = np.eye(STATE, dtype=np.float32)
    step[0, 2] = step[1, 3] = 0.1
    observed = np.eye(SEEN, STATE, dtype=np.float32)
    noise = 0.01 * np.eye(STATE, dtype=np.float32)
    error = 0.5 * np.eye(SEEN, dtype=np.float32)
    walk = np.cumsum(data((STEPS, SEEN), seed=3), axis=0).astype(np.float32)
    return step, observed, noise, error, walk


def filtered(np_, solve):
    """One step: prediction, gain, correction, and the logarithm of the likelihood."""

    def one(step, observed, noise, error, state, covariance, seen):
        state = step @ state
        covariance = step @ covariance @ step.T + noise
        innovation = seen - observed @ state
        spread = observed @ covariance @ observed.T + error
        gain = solve(spread, observed @ covariance).T
        state = state + gain @ innovation
        covariance = covariance - gain @ observed @ covariance
        likelihood = -0.5 * (innovation @ solve(spread, innovation) + np_.linalg.slogdet(spread)[1])
        return state, covariance, likelihood

    return one


@row("linalg/kalman_1000", tolerance=1e-3, bytes=4.0 * STEPS * (SEEN + STATE), flops=STEPS * 700.0)
def kalman(lib):
    one = filtered(lib.np, lib.np.linalg.solve)
    *matrices, walk = [lib.asarray(x) for x in model()]

    def run(step, observed, noise, error, walk):
        def body(carry, seen):
            state, covariance, likelihood = one(step, observed, noise, error, *carry, seen)
            return (state, covariance), (state, likelihood)

        start = lib.np.zeros(STATE, "float32"), lib.np.eye(STATE, dtype="float32")
        _, (states, likelihoods) = lib.lax.scan(body, start, walk)
        return states, lib.np.sum(likelihoods)

    compiled = lib.jit(run)
    return lambda: lib.done(compiled(*matrices, walk))


@kalman.variant("numpy")
def _(lib):
    one = filtered(np, np.linalg.solve)
    *matrices, walk = model()

    def run():
        state, covariance = np.zeros(STATE, np.float32), np.eye(STATE, dtype=np.float32)
        states, total = [], np.float32(0)
        for seen in walk:
            state, covariance, likelihood = one(*matrices, state, covariance, seen)
            states.append(state)
            total += likelihood
        return np.stack(states), total

    return run


# -- Gaussian process --------------------------------------------------------------------------------------------------

POINTS = 500


def likelihood(np_, cholesky, triangular):
    """Negative logarithm of the marginal likelihood of a squared exponential kernel."""

    def f(log_scales, x, y):
        length, amplitude, noise = np_.exp(log_scales[0]), np_.exp(log_scales[1]), np_.exp(log_scales[2])
        distances = (x[:, None] - x[None, :]) ** 2
        kernel = amplitude * np_.exp(-0.5 * distances / length**2)
        kernel = kernel + (noise + 1e-3) * np_.eye(POINTS, dtype=x.dtype)
        factor = cholesky(kernel)
        weights = triangular(factor, y)
        return 0.5 * (weights @ weights) + np_.log(np_.diagonal(factor)).sum()

    return f


def samples():
    """Hyperparameters, places, and a noisy sine."""
    x = np.linspace(0, 10, POINTS, dtype=np.float32)
    return np.float32([0.1, 0.2, -1.0]), x, np.sin(x) + 0.1 * data((POINTS,), seed=4)


@row("linalg/gaussian_process_500_vag", tolerance=1e-2, bytes=8.0 * POINTS**2, flops=2.0 * POINTS**3)
def gaussian_process(lib):
    def triangular(factor, y):
        solved = lib.lax.linalg.triangular_solve(factor, y[:, None], left_side=True, lower=True)
        return solved[:, 0]

    run = lib.jit(lib.value_and_grad(likelihood(lib.np, lib.np.linalg.cholesky, triangular)))
    arrays = [lib.asarray(x) for x in samples()]
    return lambda: lib.done(run(*arrays))


@gaussian_process.variant("torch")
def _(lib):
    def triangular(factor, y):
        return lib.linalg.solve_triangular(factor, y[:, None], upper=False)[:, 0]

    both = lib.func.grad_and_value(likelihood(lib.root, lib.linalg.cholesky, triangular))
    arrays = [lib.asarray(x) for x in samples()]
    return lambda: both(*arrays)[::-1]


# -- Newton's method ---------------------------------------------------------------------------------------------------

EXAMPLES, FEATURES, ITERATIONS = 2000, 30, 5


@row("linalg/newton_logistic", tolerance=1e-2, flops=ITERATIONS * 4.0 * EXAMPLES * FEATURES**2)
def newton(lib):
    x = data((EXAMPLES, FEATURES), seed=5)
    y = (x @ data((FEATURES,), seed=6) + data((EXAMPLES,), seed=7) > 0).astype(np.float32)

    def loss(w, x, y):
        logits = x @ w
        return lib.np.mean(lib.np.logaddexp(0.0, logits) - y * logits) + 1e-3 * (w @ w)

    def step(w, x, y):
        return w - lib.np.linalg.solve(lib.hessian(loss)(w, x, y), lib.grad(loss)(w, x, y))

    def run(w, x, y):
        return lib.lax.fori_loop(0, ITERATIONS, lambda _, w: step(w, x, y), w)

    compiled = lib.jit(run)
    arrays = [lib.asarray(a) for a in (np.zeros(FEATURES, np.float32), x, y)]
    return lambda: lib.done(compiled(*arrays))


@newton.variant("torch")
def _(lib):
    f = lib.root.nn.functional
    x = data((EXAMPLES, FEATURES), seed=5)
    y = (x @ data((FEATURES,), seed=6) + data((EXAMPLES,), seed=7) > 0).astype(np.float32)
    arrays = [lib.asarray(a) for a in (x, y)]

    def loss(w, x, y):
        logits = x @ w
        return (f.softplus(logits) - y * logits).mean() + 1e-3 * (w @ w)

    def run():
        w = lib.root.zeros(FEATURES)
        for _ in range(ITERATIONS):
            w = w - lib.linalg.solve(lib.func.hessian(loss)(w, *arrays), lib.func.grad(loss)(w, *arrays))
        return w

    return run
