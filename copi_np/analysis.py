"""What a network or a rule does, measured: the path of the lateral weights, and the alignment of error signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import pi

from copi_np.arrays import Array, common_namespace
from copi_np.checks import check_count, check_rate
from copi_np.error_signals import backpropagation
from copi_np.errors import InputError
from copi_np.network import Network
from copi_np.rules import decorrelate, decorrelation_update


def decorrelation_path(
    y: Array, eta_R: float, n_steps: int, update: Callable[[Array, Array], Array] = decorrelation_update
) -> Iterator[Array]:
    """The lateral weights while they decorrelate one batch, from the identity, one matrix a step.

    Parameters
    ----------
    y : (B, I) array        input of the layer, the same at every step
    eta_R : float           step size
    n_steps : int
    update : function       ``decorrelation_update`` or ``local_decorrelation_update``

    Yields
    ------
    R : (I, I) array        ``n_steps + 1`` matrices, the identity first

    Raises
    ------
    InputError              if y is not a batch, or a number is out of range
    """
    xp = common_namespace("BI", y)
    eta_R = check_rate("eta_R", eta_R)
    check_count("n_steps", n_steps)
    R = xp.eye(y.shape[1], dtype=y.dtype, device=y.device)
    yield R
    for _ in range(n_steps):
        R = R + eta_R * update(R, decorrelate(R, y))
        yield R


def alignment_angle(delta: Array, reference: Array) -> float:
    """Angle between two error signals of a layer, each batch taken as one long vector.

    Parameters
    ----------
    delta, reference : (B, O) arrays

    Returns
    -------
    float           in degrees, 0 to 180: below 90, a small step along `delta` has a component along `reference`

    Raises
    ------
    InputError      if one of the two is zero everywhere, which has no direction
    """
    xp = common_namespace("BO BO", delta, reference)
    norms = xp.linalg.vector_norm(delta) * xp.linalg.vector_norm(reference)
    if not float(norms) > 0:
        raise InputError("an error signal that is zero everywhere has no direction: give a batch with an error")
    cosine = xp.clip(xp.sum(delta * reference) / norms, -1, 1)  # rounding may take it just outside
    return float(xp.acos(cosine)) * 180 / pi


def alignment_angles(network: Network, y0: Array, targets: Array) -> list[float]:
    """Angle between the network's own error signals and those of backpropagation, in every hidden layer.

    Parameters
    ----------
    network : Network           not changed
    y0 : (B, I) array           inputs
    targets : (B, K) array      desired outputs

    Returns
    -------
    angles : list of float      in degrees, the first hidden layer first; in the output layer all signals are the same

    Raises
    ------
    InputError                  if the batch does not fit the network, or a signal is zero everywhere
    """
    trace = network.forward(y0)
    own = network.error_signals(trace, targets)
    exact = backpropagation(network.layers, trace, network.feedback, own[-1])  # all start from the same delta_L
    return [alignment_angle(*pair) for pair in zip(own[:-1], exact[:-1], strict=True)]
