"""Independent oracles: the paper's equations as loops over samples and synapses, in float64.

Nothing here is copied from the package or calls it, and nothing is fast. As in the paper, vectors of one sample are
columns: ``y``, ``x``, ``a`` are one-dimensional below, and a batch is a loop over its rows.
"""

from __future__ import annotations

import copy

import numpy as np

# --------------------------------------------------------------------------------------------- comparing arrays


def assert_near(actual, expected, size=None, ulps=100):
    """Assert equality up to `ulps` roundings, in the dtype of `actual`, of numbers as large as `size`.

    `size` is that of the summed terms, which may cancel; if None, the largest of `expected` and 1.
    """
    actual, expected = np.asarray(actual), np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if size is None:
        size = np.max(np.abs(expected), initial=1.0)
    tolerance = ulps * np.finfo(actual.dtype).eps * float(size)
    worst = np.max(np.abs(actual.astype(np.float64) - expected), initial=0.0)
    assert worst <= tolerance, f"off by {worst:.3g}, allowed {tolerance:.3g}\n{actual}\nexpected\n{expected}"


def assert_equal_to(relative, actual, expected):
    """Assert equality up to `relative` times the largest of `expected` and 1."""
    expected = np.asarray(expected, dtype=np.float64)
    assert np.shape(actual) == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=relative * np.max(np.abs(expected), initial=1.0))


# ------------------------------------------------------------------------ the rules, synapse by synapse


def over_synapses(n_rows, n_columns, n_samples, value):
    """Return the matrix of the mean of value(n, i, j) over samples n."""
    matrix = np.zeros((n_rows, n_columns))
    for i in range(n_rows):
        for j in range(n_columns):
            matrix[i, j] = sum(float(value(n, i, j)) for n in range(n_samples)) / n_samples
    return matrix


def double(*arrays):
    """Return the arrays in float64, in which arithmetic is nearly exact for tests of float32."""
    return [np.asarray(array, dtype=np.float64) for array in arrays]


def copi(W, x, z):
    """Eq. 5 and Appendix C: z_i x_j - w_ij x_j^2; the decay is pre-synaptic."""
    W, x, z = double(W, x, z)
    return over_synapses(*W.shape, len(x), lambda n, i, j: z[n, i] * x[n, j] - W[i, j] * x[n, j] ** 2)


def sgd(x, delta):
    """Section 2.7: delta_i x_j."""
    x, delta = double(x, delta)
    return over_synapses(delta.shape[1], x.shape[1], len(x), lambda n, i, j: delta[n, i] * x[n, j])


def decorrelation_matrix(R, x):
    """Above Eq. 4: minus the sum over k other than i of x_i x_k r_kj."""
    R, x = double(R, x)
    return over_synapses(
        *R.shape, len(x), lambda n, i, j: -sum(x[n, i] * x[n, k] * R[k, j] for k in range(len(R)) if k != i)
    )


def decorrelation_local(R, x):
    """Eq. 6 and Appendix C: -(q_i x_j - r_ij x_j^2) with q_i = sum_k r_ik x_k."""
    R, x = double(R, x)

    def value(n, i, j):
        q_i = sum(R[i, k] * x[n, k] for k in range(len(R)))
        return -(q_i * x[n, j] - R[i, j] * x[n, j] ** 2)

    return over_synapses(*R.shape, len(x), value)


def oja(M, x):
    """Appendix C: y_i x_j - m_ij y_i^2 with y_i = sum_j m_ij x_j; the decay is post-synaptic."""
    M, x = double(M, x)

    def value(n, i, j):
        y_i = sum(M[i, k] * x[n, k] for k in range(M.shape[1]))
        return y_i * x[n, j] - M[i, j] * y_i**2

    return over_synapses(*M.shape, len(x), value)


def second_moment(x):
    """C_ij, the mean of x_i x_j."""
    (x,) = double(x)
    return over_synapses(x.shape[1], x.shape[1], len(x), lambda n, i, j: x[n, i] * x[n, j])


def off(C):
    """Return C without its diagonal."""
    return np.array([[0.0 if i == j else C[i, j] for j in range(len(C))] for i in range(len(C))])


def least_squares(x, z):
    """Return the matrix W (O, I) that minimises the sum of ||z - W x||^2."""
    x, z = double(x, z)
    return np.linalg.lstsq(x, z, rcond=None)[0].T


def adam_move(gradients, beta1=0.9, beta2=0.99, epsilon=1e-8):
    """Return Adam's last move, in units of the step size, after these updates (newest last), from explicit sums.

    The weights of a bias-corrected mean add up to 1, so they are (1 - beta) beta^age / (1 - beta^t).
    """
    t = len(gradients)
    ages = np.arange(t)[::-1]

    def weighted(beta, values):
        weights = beta**ages / np.sum(beta**ages)
        return sum(weight * value for weight, value in zip(weights, values, strict=True))

    mean = weighted(beta1, gradients)
    square = weighted(beta2, [g**2 for g in gradients])
    return mean / (np.sqrt(square) + epsilon)


def momentum_move(gradients, beta=0.9):
    """Return the last move of gradient descent with momentum, in units of the step size, as an explicit sum."""
    return sum(beta**age * gradient for age, gradient in enumerate(reversed(gradients)))


# ------------------------------------------------------------------------------------- activations and losses


def by_entry(function):
    return np.vectorize(function, otypes=[np.float64])


F = {
    "leaky_relu": by_entry(lambda a: a if a > 0 else 0.1 * a),
    "relu": by_entry(lambda a: max(a, 0.0)),
    "tanh": by_entry(lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))),
    "linear": by_entry(lambda a: a),
}
DF = {
    "leaky_relu": by_entry(lambda a: 1.0 if a > 0 else 0.1),
    "relu": by_entry(lambda a: 1.0 if a > 0 else 0.0),
    "tanh": by_entry(lambda a: 1 / np.cosh(a) ** 2),
    "linear": by_entry(lambda a: 1.0),
}


def quadratic(y, target):
    """Return the loss of one sample, ||y - y*||^2."""
    return sum((y_k - t_k) ** 2 for y_k, t_k in zip(y, target, strict=True))


def quadratic_gradient(y, target):
    return np.array([2 * (y_k - t_k) for y_k, t_k in zip(y, target, strict=True)])


def softmax(y):
    weights = np.exp(y)
    return weights / np.sum(weights)


def cross_entropy(y, target):
    """Return the loss of one sample, -sum_k t_k log softmax(y)_k."""
    return -sum(t_k * np.log(p_k) for t_k, p_k in zip(target, softmax(y), strict=True))


def cross_entropy_gradient(y, target):
    """Return its gradient, for targets that add up to 1."""
    return softmax(y) - target


LOSS = {"quadratic": quadratic, "cross_entropy": cross_entropy}
LOSS_GRADIENT = {"quadratic": quadratic_gradient, "cross_entropy": cross_entropy_gradient}


def directional_derivative(function, point, direction, h=1e-5):
    """Return the central difference of a scalar function along `direction`; its error is of order h^2."""
    return (function(point + h * direction) - function(point - h * direction)) / (2 * h)


# ------------------------------------------------------------------------------------- Algorithm 1, sample by sample


class OracleNetwork:
    """Algorithm 1 in float64, with W, R, f and the top-down matrices B of every layer as lists.

    Layers are numbered from 0; ``B[k]`` carries signals into layer k.
    """

    def __init__(self, W, R, B, names, *, rule="copi", error_signal="bp", decorrelation="matrix", loss="quadratic"):
        self.W = [np.array(matrix, dtype=np.float64) for matrix in W]
        self.R = [np.array(matrix, dtype=np.float64) for matrix in R]
        self.B = [None if matrix is None else np.array(matrix, dtype=np.float64) for matrix in B]
        self.f = [F[name] for name in names]
        self.df = [DF[name] for name in names]
        self.rule, self.error_signal, self.decorrelation, self.loss = rule, error_signal, decorrelation, loss
        self.gradients = [[] for _ in W]

    def forward(self, y0):
        """Return x, a and y of one sample in every layer (lines 4 to 8)."""
        xs, activations, ys = [], [], []
        y = np.asarray(y0, dtype=np.float64)
        for W, R, f in zip(self.W, self.R, self.f, strict=True):
            x = R @ y
            a = W @ x
            y = f(a)
            xs.append(x)
            activations.append(a)
            ys.append(y)
        return xs, activations, ys

    def loss_from(self, layer, a, target):
        """Return the loss of one sample whose pre-activation in `layer` is set to `a`."""
        y = self.f[layer](a)
        for k in range(layer + 1, len(self.W)):
            y = self.f[k](self.W[k] @ (self.R[k] @ y))
        return LOSS[self.loss](y, target)

    def mean_loss(self, y0, targets):
        """Return the loss averaged over a batch."""
        losses = [LOSS[self.loss](self.forward(y)[2][-1], target) for y, target in zip(y0, targets, strict=True)]
        return float(np.mean(losses))

    def signals(self, y0, target):
        """Return one delta per layer for one sample (lines 10 to 12, and the alternatives of Section 2.5)."""
        _, a, y = self.forward(y0)
        last = len(self.W) - 1
        delta = [np.array([]) for _ in self.W]
        delta[last] = -self.df[last](a[last]) * LOSS_GRADIENT[self.loss](y[last], target)
        step = {"tp": 1.0, "dtp": 0.1}.get(self.error_signal, 0.0)
        t = y[last] + step * delta[last]  # the target state of target propagation
        for k in range(last - 1, -1, -1):
            slope = np.diag(self.df[k](a[k]))
            if self.error_signal == "bp":
                delta[k] = slope @ self.R[k + 1].T @ self.W[k + 1].T @ delta[k + 1]
            elif self.error_signal == "fa":
                delta[k] = slope @ self.B[k] @ delta[k + 1]
            elif self.error_signal == "dfa":
                delta[k] = slope @ self.B[k] @ delta[last]
            elif self.error_signal == "tp":
                t = self.f[k](self.B[k] @ t)
                delta[k] = t - a[k]
            else:
                t = y[k] + self.f[k](self.B[k] @ t) - self.f[k](self.B[k] @ y[k + 1])
                delta[k] = slope @ (t - y[k]) / step
        return delta

    def trained_inverse(self, k, ys):
        """Return B[k] after one step of normalised least mean squares towards f(B y_above) = y, of size 0.1."""
        B = self.B[k]
        dB = np.zeros_like(B)
        power = 0.0
        for y in ys:
            b = B @ y[k + 1]
            dB += np.outer(self.df[k](b) * (y[k] - self.f[k](b)), y[k + 1])
            power += y[k + 1] @ y[k + 1]
        return B + 0.1 * dB / power

    def step(self, y0, targets, eta_W, eta_R, delta_scale=1.0):
        """Train on a batch (lines 4 to 16), computing all updates from the old weights; return loss and deltas."""
        passes = [self.forward(y) for y in y0]
        signals = [self.signals(y, target) for y, target in zip(y0, targets, strict=True)]
        loss = self.mean_loss(y0, targets)
        before = copy.deepcopy((self.W, self.R, self.B))
        deltas = []
        for k in range(len(self.W)):
            W, R = before[0][k], before[1][k]
            x = np.array([xs[k] for xs, _, _ in passes])
            a = np.array([activations[k] for _, activations, _ in passes])
            delta = delta_scale * np.array([signal[k] for signal in signals])
            deltas.append(delta)
            if eta_W != 0:
                self.W[k] = W + eta_W * self.forward_move(k, W, x, a, delta)
            if self.decorrelation == "matrix":
                self.R[k] = R + eta_R * decorrelation_matrix(R, x)
            elif self.decorrelation == "local":
                self.R[k] = R + eta_R * decorrelation_local(R, x)
        if self.error_signal in ("tp", "dtp"):
            ys = [y for _, _, y in passes]
            for k in range(len(self.W) - 1):
                self.B[k] = self.trained_inverse(k, ys)
        return loss, deltas

    def forward_move(self, k, W, x, a, delta):
        """Return the update that eta_W multiplies, by the rule of this network."""
        if self.rule == "copi":
            return copi(W, x, a + delta)
        self.gradients[k].append(sgd(x, delta))
        moves = {"sgd": lambda gradients: gradients[-1], "momentum": momentum_move, "adam": adam_move}
        return moves[self.rule](self.gradients[k])


def oracle_of(network):
    """Return the oracle with the weights and the rules of a `copi_np.Network`."""
    host, config = network.backend.to_host, network.config
    names = [config["activation"]] * (len(network.layers) - 1) + [config["output_activation"]]
    return OracleNetwork(
        [host(layer.W) for layer in network.layers],
        [host(layer.R) for layer in network.layers],
        [None if B is None else host(B) for B in network.feedback],
        names,
        **{key: config[key] for key in ("rule", "error_signal", "decorrelation", "loss")},
    )
