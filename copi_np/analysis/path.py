"""The path of the lateral weights while they decorrelate one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from array_api_compat import device

from copi_np._checks import check_count, check_rate
from copi_np._parts import label, named_arguments
from copi_np.arrays import Array, check_like, common_namespace
from copi_np.rules import decorrelate, decorrelation_update
from copi_np.steps import LATERAL_ARGUMENTS


def decorrelation_path(
    y: Array, eta_R: float, n_steps: int, update: Callable[..., Array] = decorrelation_update
) -> Iterator[Array]:
    """Yield the lateral weights as they decorrelate one batch, starting from the identity: one matrix per step.

    Parameters
    ----------
    y : (B, I) array        input of the layer, the same at every step
    eta_R : float           step size
    n_steps : int
    update : function       ``decorrelation_update``, ``local_decorrelation_update``, or any rule that
                            ``Network(decorrelation=..)`` takes: a function of any of R, x, y, eta_R and sample_weight

    Yields
    ------
    R : (I, I) array        ``n_steps + 1`` matrices, the identity first

    Raises
    ------
    InputError              if y is not a batch, a number is out of range, or the rule is invalid
    """
    common_namespace("BI", y)
    eta_R = check_rate("eta_R", eta_R)
    check_count("n_steps", n_steps)
    move = lateral_move(update)
    return _path(y, eta_R, n_steps, move)  # a generator would check its arguments only at the first iteration


def _path(y: Array, eta_R: float, n_steps: int, move: Callable[[Array, Array, float], Array]) -> Iterator[Array]:
    xp = common_namespace("BI", y)
    R = xp.eye(y.shape[1], dtype=y.dtype, device=device(y))
    yield R
    for _ in range(n_steps):
        R = move(R, y, eta_R)
        yield R


def lateral_move(update: Callable[..., Array]) -> Callable[[Array, Array, float], Array]:
    """Return the function of R (I, I), y (B, I) and eta_R that gives R + eta_R dR, for a rule called by name.

    Raises
    ------
    InputError              if the rule asks for unknown arguments or, when the function is called, returns no dR (I, I)
    """
    names = named_arguments("update", update, LATERAL_ARGUMENTS)

    def move(R: Array, y: Array, eta_R: float) -> Array:
        known = {"R": R, "x": decorrelate(R, y), "y": y, "eta_R": eta_R, "sample_weight": None}
        dR = update(**{name: known[name] for name in names})
        check_like(f"update {label(update)} returned", dR, R)
        return R + eta_R * dR

    return move
