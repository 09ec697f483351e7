"""Step sizes by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, Final

from copi_np._checks import check_count, check_rate, with_both_rates
from copi_np._parts import label
from copi_np.errors import InputError, shown

NOT_GIVEN: Final[Any] = object()
"""Marks a step size that was not given, since another argument may set it."""


@dataclass(frozen=True)
class Schedule:
    """Step sizes by epoch: some for the first epochs, while decorrelation sets in, and others after that.

    Parameters
    ----------
    eta_W, eta_R : float                step sizes of the forward and lateral weights; eta_R is by default eta_W
    first_epochs : int                  number of epochs at the start with step sizes of their own
    first_eta_W, first_eta_R : float    the step sizes of those epochs; 0, the default, leaves the weights unchanged
    delta_scale : float                 multiplies the error signals of all layers, in every epoch
    rest_R_after : int or None          after this epoch the lateral weights are frozen, which costs less; None: they
                                        learn to the end
    eta, first_eta : float              set both eta_W and eta_R, which the paper keeps equal, and both for the first
                                        epochs

    Raises
    ------
    InputError                          if a value cannot be used, or a step size is missing or given twice
    """

    eta_W: float = NOT_GIVEN
    eta_R: float = NOT_GIVEN
    first_epochs: int = 0
    first_eta_W: float = NOT_GIVEN
    first_eta_R: float = NOT_GIVEN
    delta_scale: float = 1.0
    rest_R_after: int | None = None
    _: KW_ONLY
    eta: InitVar[float] = NOT_GIVEN
    first_eta: InitVar[float] = NOT_GIVEN

    def __post_init__(self, eta: float, first_eta: float) -> None:
        """Check the numbers, and turn NumPy's into Python's, since a checkpoint holds plain numbers."""
        if self.rest_R_after is not None:
            object.__setattr__(self, "rest_R_after", check_count("rest_R_after", self.rest_R_after))
        object.__setattr__(self, "first_epochs", check_count("first_epochs", self.first_epochs, minimum=0))
        names = ("eta_W", "eta_R", "first_eta_W", "first_eta_R", "delta_scale")
        values = {name: getattr(self, name) for name in names} | {"eta": eta, "first_eta": first_eta}
        rates = with_both_rates({name: value for name, value in values.items() if value is not NOT_GIVEN})
        if "eta_W" not in rates:
            raise InputError("a schedule needs step sizes: give eta, or eta_W and eta_R")
        rates = {"eta_R": rates["eta_W"], "first_eta_W": 0.0, "first_eta_R": 0.0} | rates
        for name in names:
            object.__setattr__(self, name, check_rate(name, rates[name]))
        if self.rest_R_after is not None and self.rest_R_after < self.first_epochs and self.first_eta_W == 0:
            last, rest = self.first_epochs, self.rest_R_after
            raise InputError(
                f"nothing would learn in epoch {last}: first_eta_W is 0 until then, and rest_R_after={rest} freezes R "
                f"before: freeze it after epoch {last} or later, or lower first_epochs"
            )

    def rates(self, epoch: int) -> dict[str, float]:
        """Return the keyword arguments of `Network.step` in an epoch, counted from 1."""
        eta_W, eta_R = (self.first_eta_W, self.first_eta_R) if epoch <= self.first_epochs else (self.eta_W, self.eta_R)
        if self.rest_R_after is not None and epoch > self.rest_R_after:
            eta_R = 0.0
        return {"eta_W": eta_W, "eta_R": eta_R, "delta_scale": self.delta_scale}


def rates_of(schedule: Schedule | Callable[[int], Mapping[str, float]], epoch: int) -> dict[str, float]:
    """Return the step sizes of an epoch, eta_W, eta_R and delta_scale, from a `Schedule` or a function of the epoch.

    Raises
    ------
    InputError      if your own function returns anything else
    """
    if isinstance(schedule, Schedule):
        return schedule.rates(epoch)
    rates = schedule(epoch)
    known = ("eta_W", "eta_R", "delta_scale")
    if not isinstance(rates, Mapping) or "eta_W" not in rates or not set(rates) <= set(known):
        need = "a dict with eta_W, and perhaps eta_R and delta_scale"
        raise InputError(f"schedule {label(schedule)} must return {need}: got {shown(rates)}")
    rates = {"eta_R": rates["eta_W"], "delta_scale": 1.0, **rates}
    return {name: check_rate(name, rates[name]) for name in known}
