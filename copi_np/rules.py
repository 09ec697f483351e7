"""The paper as code: every update rule is one pure function. Read this file first, then `algorithm`.

Notation (row-major, one sample per row, B samples in a batch):

    y  (B, I)  input of a layer                x  (B, I)  decorrelated input, x = R y
    a  (B, O)  pre-activation, a = W x         z  (B, O)  target state, z = a + delta
    R  (I, I)  lateral weights                 W  (O, I)  forward weights

The brackets <.> are means over the batch, diag(.) keeps the diagonal of a matrix, and * multiplies element by
element. A product such as W x of the paper, with samples as columns, is ``x @ W.T`` here. Every rule returns an update
dW or dR; the caller adds ``eta * dW``. No function changes its arguments. All functions raise `InputError` if
arrays differ in library, device or dtype, are empty, or do not fit each other.

Reference: N. Ahmad, E. Schrader, M. van Gerven, "Constrained Parameter Inference as a Principle for Learning".
"""

from __future__ import annotations

from copi_np.arrays import Array, common_namespace, is_concrete, safe_divisor, spectral_rounding
from copi_np.errors import InputError

# ------------------------------------------------------------------------------------------------ statistics


def mean_outer(u: Array, v: Array) -> Array:
    """Return the mean outer product over the batch, <u v^T>.

    Parameters
    ----------
    u : (B, M) array
    v : (B, N) array

    Returns
    -------
    (M, N) array        ``u.T @ v / B``; neither argument is centred
    """
    common_namespace("BM BN", u, v)
    return u.T @ v / u.shape[0]


def mean_square(x: Array) -> Array:
    """Return the mean square of every unit over the batch, <x^2>: the diagonal of ``mean_outer(x, x)``.

    Parameters
    ----------
    x : (B, I) array

    Returns
    -------
    (I,) array          not centred
    """
    xp = common_namespace("BI", x)
    return xp.mean(x * x, axis=0)


# ------------------------------------------------------------------------ the forward pass, Sections 2.1 and 2.4


def decorrelate(R: Array, y: Array) -> Array:
    """Return the decorrelated input x = R y (Section 2.4; Algorithm 1, line 5).

    Parameters
    ----------
    R : (I, I) array    lateral weights
    y : (B, I) array    input of the layer

    Returns
    -------
    x : (B, I) array
    """
    common_namespace("II BI", R, y)
    return y @ R.T


def transform(W: Array, x: Array) -> Array:
    """Return the pre-activation a = W x (Section 2.1; Algorithm 1, line 6).

    Parameters
    ----------
    W : (O, I) array    forward weights
    x : (B, I) array    decorrelated input

    Returns
    -------
    a : (B, O) array
    """
    common_namespace("OI BI", W, x)
    return x @ W.T


def target_state(a: Array, delta: Array) -> Array:
    """Return the target state z = a + delta (Section 2.5).

    Parameters
    ----------
    a : (B, O) array        pre-activation
    delta : (B, O) array    error signal: the perturbation of a towards lower loss

    Returns
    -------
    z : (B, O) array
    """
    common_namespace("BO BO", a, delta)
    return a + delta


# ------------------------------------------------------------------------- learning the forward weights, Section 2.3


def decay_towards(W: Array, D: Array) -> Array:
    """Return the decay of weights towards desired ones, dW = D - W (Eq. 1).

    Parameters
    ----------
    W, D : (O, I) arrays    current and desired forward weights

    Returns
    -------
    dW : (O, I) array       to be added, times eta_W
    """
    common_namespace("OI OI", W, D)
    return D - W


def inference_update(W: Array, x: Array, z: Array) -> Array:
    """Infer the desired weights from targets, however the inputs are correlated (Eq. 2).

        dW = <z x^T> <x x^T>^-1 - W

    Parameters
    ----------
    W : (O, I) array    forward weights
    x : (B, I) array    inputs; <x x^T> must be invertible, which takes B >= I
    z : (B, O) array    target states

    Returns
    -------
    dW : (O, I) array   to be added, times eta_W

    Raises
    ------
    InputError          also if <x x^T> is singular, up to rounding; this is not checked inside `jax.jit` and `vmap`,
                        where values cannot be read
    """
    xp = common_namespace("OI BI BO", W, x, z)
    C = mean_outer(x, x)
    if is_concrete(C) and not _is_invertible(C):
        raise InputError(
            "<x x^T> cannot be inverted: give more samples, or drop inputs that are always zero or combinations of "
            "others"
        )
    return xp.linalg.solve(C, mean_outer(x, z)).T - W


def _is_invertible(C: Array) -> bool:
    """Return whether the smallest eigenvalue of a second-moment matrix (I, I) is more than rounding error.

    Every input is first scaled to unit root mean square, since small inputs do no harm to the inverse.
    """
    xp = common_namespace("II", C)
    if not bool(xp.all(xp.isfinite(C))):
        return False
    power = xp.linalg.diagonal(C)
    rms = xp.sqrt(xp.where(power > 0, power, xp.ones_like(power)))
    spectrum = xp.linalg.eigvalsh(C / rms / rms[:, None])
    return bool(xp.min(spectrum) > spectral_rounding(C) * xp.max(spectrum))


def whitened_update(W: Array, x: Array, z: Array) -> Array:
    """Infer the desired weights from whitened inputs: (Eq. 2) with <x x^T> = I (Section 2.3).

        dW = <z x^T> - W

    Parameters
    ----------
    W : (O, I) array    forward weights
    x : (B, I) array    whitened inputs
    z : (B, O) array    target states

    Returns
    -------
    dW : (O, I) array   to be added, times eta_W
    """
    common_namespace("OI BI BO", W, x, z)
    return mean_outer(z, x) - W


def copi_update(W: Array, x: Array, z: Array) -> Array:
    """Return the COPI update, for decorrelated inputs, whose <x x^T> is diagonal (Eq. 3); for one sample (Eq. 5).

        dW = <z x^T> - W diag<x^2>

    This is a Hebbian term plus a weight decay: column j decays by the mean square of the presynaptic unit j. For one
    synapse and one sample (Appendix C): dw_ij = z_i x_j - w_ij x_j^2. Algorithm 1, line 14.

    Parameters
    ----------
    W : (O, I) array    forward weights
    x : (B, I) array    decorrelated inputs
    z : (B, O) array    target states, ``a + delta``

    Returns
    -------
    dW : (O, I) array   to be added, times eta_W
    """
    common_namespace("OI BI BO", W, x, z)
    return mean_outer(z, x) - W * mean_square(x)


def sgd_update(x: Array, delta: Array) -> Array:
    """Return the update of stochastic gradient descent, with or without backpropagation (Section 2.7).

        dW = <delta x^T>

    With a = W x and z = a + delta, the COPI rule differs from this one only by the correlations of the inputs:
    dW_copi = dW + W (<x x^T> - diag<x^2>), so the two are equal where inputs are decorrelated.

    Parameters
    ----------
    x : (B, I) array        inputs
    delta : (B, O) array    error signal, the negative gradient of each sample's loss with respect to a

    Returns
    -------
    dW : (O, I) array       to be added, times eta_W
    """
    common_namespace("BI BO", x, delta)
    return mean_outer(delta, x)


# ------------------------------------------------------------------------- learning the lateral weights, Section 2.4


def decorrelation_update(R: Array, x: Array) -> Array:
    """Return the decorrelation update, matrix form (Eq. 4, first line; Section 2.4).

        dR = -(<x x^T> - diag<x^2>) R

    Written so that the (I, I) matrix <x x^T> is never built: with few samples, ``x.T @ (x @ R)`` is cheaper.

    Parameters
    ----------
    R : (I, I) array    lateral weights
    x : (B, I) array    decorrelated inputs of the same layer, ``y @ R.T``

    Returns
    -------
    dR : (I, I) array   to be added, times eta_R
    """
    common_namespace("II BI", R, x)
    return -(mean_outer(x, x @ R) - mean_square(x)[:, None] * R)


def local_decorrelation_update(R: Array, x: Array) -> Array:
    """Return the decorrelation update, local form (Eq. 4, second line); for one sample (Eq. 6).

        dR = -(<q x^T> - R diag<x^2>)

    This is the COPI rule with its sign reversed, and target q = R x. For one synapse and one sample (Appendix C):
    dr_ij = -(q_i x_j - r_ij x_j^2). Algorithm 1, line 15. As a matrix it is -R (<x x^T> - diag<x^2>). The paper takes
    this to equal `decorrelation_update` because R stays symmetric. R does not: the two are equal where R commutes with
    <x x^T> - diag<x^2>, as at the first step from the identity, and differ later.

    Parameters
    ----------
    R : (I, I) array    lateral weights
    x : (B, I) array    decorrelated inputs of the same layer, ``y @ R.T``

    Returns
    -------
    dR : (I, I) array   to be added, times eta_R
    """
    common_namespace("II BI", R, x)
    q = x @ R.T
    return -(mean_outer(q, x) - R * mean_square(x))


# ------------------------------------------------------------------------------------------- Appendices B and C


def linear_map(x: Array, z: Array) -> Array:
    """Return the linear map from decorrelated x to z, the fixed point of COPI, where dW = 0 (Appendix B).

        W = <z x^T> diag<x^2>^-1

    Parameters
    ----------
    x : (B, I) array    decorrelated inputs
    z : (B, O) array    states to approximate

    Returns
    -------
    W : (O, I) array    zero in the column of an input that is always zero, for which the paper's formula divides by 0
    """
    common_namespace("BI BO", x, z)
    return mean_outer(z, x) / safe_divisor(mean_square(x))


def oja_update(M: Array, x: Array) -> Array:
    """Return the update of Oja's rule for y = M x, for comparison (Appendix C).

        dM = <y x^T> - diag<y^2> M

    It decays by the mean square of the postsynaptic unit; COPI decays by that of the presynaptic unit.

    Parameters
    ----------
    M : (O, I) array    weights
    x : (B, I) array    inputs

    Returns
    -------
    dM : (O, I) array   to be added, times a step size
    """
    common_namespace("OI BI", M, x)
    y = x @ M.T
    return mean_outer(y, x) - M * mean_square(y)[:, None]
