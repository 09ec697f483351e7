"""Equations of the family around COPI, proposed by others before and after the paper, as one pure function each.

Notation, brackets and conventions are those of `rules`: read that file first. C = <x x^T> is the matrix of second
moments of the decorrelated inputs x = R y, V = diag(C) their mean squares, off(C) = C - V, and I the identity.

Any rule dR = -A R of the lateral weights has its own partner among the rules of the forward weights,

    dW = <delta x^T> + W A,

with which it does not disturb what the layer computes: W R then moves by <delta y^T> R^T R, to first order. COPI's
rule (Eq. 3) is the partner of its decorrelation (Eq. 4), A = off(C). The others here come with theirs.
"""

from __future__ import annotations

from typing import Final

from array_api_compat import device

from copi_np.arrays import Array, common_namespace
from copi_np.rules import mean_outer, mean_square
from copi_np.whitening import off_diagonal

DAMPING: Final = 1e-2
"""Added to mean squares before dividing by them, in units of x^2: inputs that are always 0 need it."""


# ------------------------------------------------------------------------------ between decorrelating and whitening


def kappa_decorrelation_update(R: Array, x: Array, kappa: float = 0.5) -> Array:
    """Return the update that whitens as well as decorrelates.

        dR = -((1 - kappa) off(C) + kappa (V - I)) R

    Its fixed points have C = I, for any kappa between 0 and 1; kappa = 1/2 is half of -(C - I) R. With kappa = 0 it is
    the matrix form of Eq. 4; with kappa = 1 it only sets the mean squares to 1. Source: the loss of Dalm et al.,
    "Efficient Deep Learning with Decorrelated Backpropagation", arXiv 2405.02385.

    Parameters
    ----------
    R : (I, I) array    lateral weights
    x : (B, I) array    decorrelated inputs of the same layer, ``y @ R.T``
    kappa : float       the share of whitening, 0 to 1

    Returns
    -------
    dR : (I, I) array   to be added, times eta_R
    """
    common_namespace("II BI", R, x)
    off_C_R = mean_outer(x, x @ R) - mean_square(x)[:, None] * R
    return -((1 - kappa) * off_C_R + kappa * (mean_square(x) - 1)[:, None] * R)


def kappa_update(W: Array, x: Array, a: Array, delta: Array, kappa: float = 0.5) -> Array:
    """Return the update of the forward weights that is the partner of `kappa_decorrelation_update`.

        dW = <delta x^T> + (1 - kappa) <a x^T> - (1 - 2 kappa) W V - kappa W

    Parameters
    ----------
    W : (O, I) array        forward weights
    x : (B, I) array        decorrelated inputs
    a : (B, O) array        pre-activations, W x
    delta : (B, O) array    error signal
    kappa : float           as for the lateral weights

    Returns
    -------
    dW : (O, I) array       to be added, times eta_W
    """
    common_namespace("OI BI BO BO", W, x, a, delta)
    return mean_outer(delta + (1 - kappa) * a, x) - W * ((1 - 2 * kappa) * mean_square(x) + kappa)


def gain_controlled_update(R: Array, x: Array, y: Array, eta_R: float) -> Array:
    """Return the update that decorrelates, with a gain that preserves the size of the inputs.

        R <- g R - eta_R (g R) C,       g^2 = <|y|^2> / <|x|^2>

    Its fixed points have C = c I, with c = (tr <y y^T> / I) (1 - eta_R c)^2. In the spirit of "Fast gain-controlled
    decorrelation", arXiv 2407.10780, which uses the mean of the ratios of norms, and centred inputs.

    Parameters
    ----------
    R : (I, I) array    lateral weights
    x : (B, I) array    decorrelated inputs of the same layer, ``y @ R.T``
    y : (B, I) array    inputs before decorrelation; not all 0
    eta_R : float       step size, not 0; the fixed points depend on it

    Returns
    -------
    dR : (I, I) array   to be added, times eta_R
    """
    xp = common_namespace("II BI BI", R, x, y)
    gain = xp.sqrt(xp.mean(y * y) / xp.mean(x * x))
    return (gain - 1) / eta_R * R - gain * mean_outer(x @ R.T, x)


# -------------------------------------------------------------------------------------------------- normalised rules


def normalised_decorrelation_update(R: Array, x: Array, damping: float = DAMPING) -> Array:
    """Return the decorrelation update in units of the mean squares, as Eq. 2 scales the forward weights.

        dR = -off(C) (V + damping)^-1 R

    Without damping all covariances shrink at the same rate, whatever the units of the inputs.

    Parameters
    ----------
    R : (I, I) array    lateral weights
    x : (B, I) array    decorrelated inputs of the same layer, ``y @ R.T``
    damping : float     as for `normalised_update`

    Returns
    -------
    dR : (I, I) array   to be added, times eta_R
    """
    common_namespace("II BI", R, x)
    scale = 1 / (mean_square(x) + damping)
    return -(mean_outer(x, (x * scale) @ R) - (mean_square(x) * scale)[:, None] * R)


def normalised_update(W: Array, x: Array, z: Array, damping: float = DAMPING) -> Array:
    """Return COPI's update (Eq. 3) in units of the mean squares: Eq. 2 for decorrelated inputs.

        dW = (<z x^T> - W V) (V + damping)^-1

    Together with the rule above, and once the layer's inputs are decorrelated, W R moves by <delta y^T> <y y^T>^-1 up
    to damping: gradient descent preconditioned by the inverse second moments of the inputs, as in `natural_update`.

    Parameters
    ----------
    W : (O, I) array    forward weights
    x : (B, I) array    decorrelated inputs
    z : (B, O) array    target states, ``a + delta``
    damping : float     as for `normalised_decorrelation_update`

    Returns
    -------
    dW : (O, I) array   to be added, times eta_W
    """
    common_namespace("OI BI BO", W, x, z)
    return (mean_outer(z, x) - W * mean_square(x)) / (mean_square(x) + damping)


def natural_update(x: Array, delta: Array, C: Array, damping: float = DAMPING) -> Array:
    """Return the gradient preconditioned by the inverse second moments of the inputs: the input half of K-FAC.

        dW = <delta x^T> (C + damping)^-1

    Source: FOOF, Benzing, "Gradient Descent on Neurons and its Link to Approximate Second-Order Optimization",
    arXiv 2201.12250.

    Parameters
    ----------
    x : (B, I) array        inputs
    delta : (B, O) array    error signal
    C : (I, I) array        second moments of the inputs, such as a running mean over batches
    damping : float         added to every eigenvalue of C

    Returns
    -------
    dW : (O, I) array       to be added, times eta_W
    """
    xp = common_namespace("BI BO II", x, delta, C)
    damped = C + damping * xp.eye(C.shape[0], dtype=C.dtype, device=device(C))
    return xp.linalg.solve(damped, mean_outer(x, delta)).T


# ----------------------------------------------------------------------------------------------- means and recurrence


def centred_decorrelation_update(R: Array, x: Array) -> Array:
    """Return the decorrelation update of a layer whose last input is always 1; it also removes the means.

        dR = -P off(C) R,       P: the identity without its last 1

    At its fixed points the other units have mean 0 and are decorrelated. `Network(.., bias=True)` learns by it.

    Parameters
    ----------
    R : (I, I) array    lateral weights; the last row is 0, .., 0, 1, and stays so
    x : (B, I) array    decorrelated inputs of the same layer, the last of which is 1

    Returns
    -------
    dR : (I, I) array   to be added, times eta_R
    """
    xp = common_namespace("II BI", R, x)
    dR = -(mean_outer(x, x @ R) - mean_square(x)[:, None] * R)
    return xp.concat([dR[:-1, :], xp.zeros_like(dR[-1:, :])], axis=0)


def foldiak_decorrelate(L: Array, y: Array) -> Array:
    """Return the outputs x of recurrent lateral inhibition, where x = y - L x.

        x = (I + L)^-1 y

    Source: Foldiak, "Forming sparse representations by local anti-Hebbian learning", Biological Cybernetics 64 (1990),
    without its sparsity.

    Parameters
    ----------
    L : (I, I) array    strengths of inhibition, 0 on the diagonal
    y : (B, I) array    inputs

    Returns
    -------
    x : (B, I) array
    """
    xp = common_namespace("II BI", L, y)
    return xp.linalg.solve(L + xp.eye(L.shape[0], dtype=L.dtype, device=device(L)), y.T).T


def foldiak_update(L: Array, x: Array) -> Array:
    """Return the anti-Hebbian update of recurrent inhibition: units that are active together inhibit each other more.

        dL = off(C)

    Parameters
    ----------
    L : (I, I) array    strengths of inhibition
    x : (B, I) array    outputs of `foldiak_decorrelate`

    Returns
    -------
    dL : (I, I) array   to be added, times a step size; 0 on the diagonal, and symmetric
    """
    common_namespace("II BI", L, x)
    return off_diagonal(mean_outer(x, x))
