"""Reference whitening transforms, and measures of how correlated a batch is.

Second moments are never centred in this package, ``C = x.T @ x / B``, because COPI does not centre its inputs:
"decorrelated" means that C is diagonal, "whitened" that C is the identity.
"""

from __future__ import annotations

from math import inf

from array_api_compat import device

from copi_np._checks import check_rate
from copi_np.arrays import Array, common_namespace, safe_divisor, spectral_rounding
from copi_np.errors import InputError
from copi_np.rules import mean_outer, mean_square


def second_moment(x: Array) -> Array:
    """Return the second-moment matrix C = <x x^T> (I, I) of a batch x (B, I); not centred."""
    return mean_outer(x, x)


def off_diagonal(C: Array) -> Array:
    """Return the matrix (I, I) with its diagonal set to zero: C - diag(C)."""
    xp = common_namespace("II", C)
    return xp.where(xp.eye(C.shape[0], dtype=xp.bool, device=device(C)), xp.zeros_like(C), C)


# ----------------------------------------------------------------------------------------------------- transforms


def zca(sigma: Array, epsilon: float = 0.0) -> Array:
    """Return the matrix of ZCA whitening, the symmetric one: M = sigma^(-1/2).

    Parameters
    ----------
    sigma : (I, I) array    second-moment matrix, symmetric
    epsilon : float         added to every eigenvalue, for singular matrices; 0 or more, in units of x^2

    Returns
    -------
    M : (I, I) array        ``M @ sigma @ M.T`` is the identity, for epsilon = 0

    Raises
    ------
    InputError              if epsilon is invalid, or an eigenvalue of sigma + epsilon is 0 or less, up to rounding. It
                            is if an input is always zero or a linear combination of others, or if there are fewer
                            samples than inputs
    """
    inverse_root, vectors = _inverse_root_spectrum(sigma, epsilon)
    return (vectors * inverse_root) @ vectors.T


def pca(sigma: Array, epsilon: float = 0.0) -> Array:
    """Return the matrix of PCA whitening, which rotates to the principal axes, largest variance first, then scales.

    Parameters, return value and errors are those of `zca`; row k of M is the k-th axis, its sign arbitrary.
    """
    xp = common_namespace("II", sigma)
    inverse_root, vectors = _inverse_root_spectrum(sigma, epsilon)
    return xp.flip((vectors * inverse_root).T, axis=0)


def cholesky(sigma: Array, epsilon: float = 0.0) -> Array:
    """Return the matrix of Cholesky whitening: M = L^-1 with sigma = L L^T, lower triangular.

    Parameters, return value and errors are those of `zca`.
    """
    xp = common_namespace("II", sigma)
    _inverse_root_spectrum(sigma, epsilon)  # to raise the same errors
    identity = xp.eye(sigma.shape[0], dtype=sigma.dtype, device=device(sigma))
    return xp.linalg.inv(xp.linalg.cholesky(sigma + float(epsilon) * identity))


def _inverse_root_spectrum(sigma: Array, epsilon: float) -> tuple[Array, Array]:
    """Return the eigenvalues of sigma + epsilon, ascending, to the power -1/2, and the eigenvectors as columns."""
    xp = common_namespace("II", sigma)
    epsilon = check_rate("epsilon", epsilon)
    if not xp.isdtype(sigma.dtype, "real floating") or not bool(xp.all(xp.isfinite(sigma))):
        raise InputError("cannot whiten: sigma must hold finite numbers of a floating-point dtype")
    values, vectors = xp.linalg.eigh(sigma)
    values = values + epsilon
    smallest, largest = float(xp.min(values)), float(xp.max(values))
    if not smallest > largest * spectral_rounding(sigma):
        shrinkage = float(xp.mean(xp.linalg.diagonal(sigma))) / 10
        epsilon = shrinkage if shrinkage > 0 else 0.01
        raise InputError(
            f"cannot whiten: the smallest eigenvalue is {smallest:.2g}, the largest {largest:.2g}: raise epsilon, e.g. "
            f"to {epsilon:.2g}, give more samples than inputs, or drop inputs that are always zero or combinations of "
            "others"
        )
    return 1 / xp.sqrt(values), vectors


# ------------------------------------------------------------------------------------------------------- measures


def decorrelation_loss(C: Array) -> float:
    """Return the mean square of the off-diagonal second moments: 0 for decorrelated inputs.

    Parameters
    ----------
    C : (I, I) array    second-moment matrix

    Returns
    -------
    float               in units of x^4; 0 for a single input
    """
    xp = common_namespace("II", C)
    n_inputs = int(C.shape[0])
    off = off_diagonal(C)
    largest = float(xp.max(xp.abs(off)))
    if not 0 < largest < inf:
        return largest
    total = float(xp.sum((off / largest) ** 2)) * largest * largest  # float32 cannot hold the squares of extreme C
    return total / max(n_inputs * (n_inputs - 1), 1)


def mean_absolute_correlation(C: Array) -> float:
    """Return the mean absolute correlation |C_ij| / sqrt(C_ii C_jj) over pairs of different inputs; not centred.

    Parameters
    ----------
    C : (I, I) array    second-moment matrix

    Returns
    -------
    float               between 0 (decorrelated) and 1; inputs that are always zero are left out
    """
    xp = common_namespace("II", C)
    power = xp.linalg.diagonal(C)
    alive = power > 0
    scale = xp.where(alive, 1 / xp.sqrt(safe_divisor(power)), xp.zeros_like(power))
    n_alive = int(xp.sum(xp.astype(alive, xp.int64)))
    total = float(xp.sum(xp.abs(off_diagonal(C) * scale * scale[:, None])))
    return total / max(n_alive * (n_alive - 1), 1)


def feature_correlation(x: Array, u: Array) -> Array:
    """Return the correlation of every feature x_i with the feature u_i of the same index; not centred.

    Parameters
    ----------
    x, u : (B, I) arrays    two transforms of one batch, such as its decorrelated and its ZCA-whitened form

    Returns
    -------
    (I,) array              between -1 and 1; 0 where either feature is always zero
    """
    xp = common_namespace("BI BI", x, u)
    scale = xp.sqrt(mean_square(x)) * xp.sqrt(mean_square(u))
    correlation = xp.mean(x * u, axis=0) / safe_divisor(scale)
    return xp.where(scale > 0, correlation, xp.zeros_like(scale))


def hadamard_defect(C: Array) -> float:
    """Return sum(log C_ii) - log det C, the Lyapunov function of decorrelation: 0 exactly if C is diagonal.

    Parameters
    ----------
    C : (I, I) array    second-moment matrix, positive definite

    Returns
    -------
    float               in nats, at least 0 (Hadamard's inequality); independent of the scale of any input

    Raises
    ------
    InputError          if C is not positive definite, up to rounding
    """
    xp = common_namespace("II", C)
    rms = xp.sqrt(safe_divisor(xp.linalg.diagonal(C)))
    spectrum = xp.linalg.eigvalsh(C / rms / rms[:, None])
    if not float(xp.min(spectrum)) > float(xp.max(spectrum)) * spectral_rounding(C):
        raise InputError(
            "the Hadamard defect needs a positive definite second-moment matrix: drop inputs that are always zero "
            "or combinations of others"
        )
    return -float(xp.sum(xp.log(spectrum)))


def asymmetry(R: Array) -> float:
    """Return the relative asymmetry ||R - R^T|| / ||R|| of R (I, I), in the Frobenius norm; 0 if R is symmetric."""
    xp = common_namespace("II", R)
    return float(xp.linalg.matrix_norm(R - R.T) / xp.linalg.matrix_norm(R))
