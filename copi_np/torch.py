"""Decorrelated inputs for the layers of other people's models: R before every Linear and Conv2d of a PyTorch module.

    from copi_np.torch import decorrelate_, fold_

    decorrelate_(model, eta=1e-3)   # then train it as before, with any optimizer
    fold_(model)                    # an ordinary model again, with the same outputs

A layer's weight W becomes W R. PyTorch computes W R y, and the gradient that the optimizer sees is that of W with
respect to the decorrelated inputs x = R y. R itself learns from every batch in training mode, by a rule of this
package. A convolution is the same layer on patches: rows of x are the patches at all positions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import torch
from torch.nn import functional
from torch.nn.utils import parametrize

from copi_np._checks import check_rate
from copi_np._parts import call_by_name, named_arguments
from copi_np.arrays import check_like
from copi_np.errors import DivergenceError, InputError
from copi_np.rules import decorrelation_update

ETA: Final = 1e-3
"""Default step size of R. It must stay below 2 / (sum of the two largest mean squares of a layer's inputs)."""
ARGUMENTS: Final = ("R", "x", "y", "eta_R")
"""What a rule of R may ask for."""


class Lateral(torch.nn.Module):
    """Turns the weight W of a layer into W R; R is a buffer, which is saved with the model and learns by itself.

    Attributes
    ----------
    R : (I, I) tensor       lateral weights; I inputs, or channels times the size of the kernel
    eta : float             step size of R
    """

    R: torch.Tensor

    def __init__(self, weight: torch.Tensor, eta: float, rule: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        n_inputs = weight[0].numel()
        self.register_buffer("R", torch.eye(n_inputs, dtype=weight.dtype, device=weight.device))
        self.eta = eta
        self.rule = rule
        self.arguments = named_arguments("decorrelation", rule, ARGUMENTS)
        self.hook: Any = None

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return W R, in the shape of the weight."""
        return (weight.flatten(1) @ self.R).reshape(weight.shape)

    def learn(self, y: torch.Tensor) -> None:
        """Update R from inputs y (B, I), before decorrelation, without a gradient."""
        with torch.inference_mode(mode=False):  # R of inference mode could not be trained with afterwards
            y = y.detach().to(self.R)
            states = {"R": self.R, "x": y @ self.R.T, "y": y, "eta_R": self.eta}
            update = call_by_name(self.rule, self.arguments, _Named(states))
            check_like("decorrelation rule returned", update, self.R)
            self.R = self.R + self.eta * update  # a new tensor: the way back of this batch still needs the old one


class _Named:
    """Values by name, as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def decorrelate_(
    module: torch.nn.Module, eta: float = ETA, rule: Callable[..., torch.Tensor] = decorrelation_update
) -> list[str]:
    """Put lateral weights R, the identity at first, before every Linear and Conv2d of a module, in place.

    Parameters
    ----------
    module : torch.nn.Module
    eta : float             step size of R; 0 freezes it. To change it later, assign `Lateral.eta` of the layer's
                            ``parametrizations.weight[0]``
    rule : function         returns the update of R; its parameters are any of `ARGUMENTS`, as for
                            ``Network(decorrelation=rule)``: (b, I) inputs, or patches

    Returns
    -------
    names : list of str     of the layers. Convolutions in groups are left alone, and so are layers whose weight is
                            parametrized already, or is also that of another layer, as in tied embeddings

    Raises
    ------
    InputError              if the module has no such layer, or a lazy one without weights, or eta is invalid
    """
    eta = check_rate("eta", eta)
    names = []
    n_uses = Counter(id(weight) for each in module.modules() for weight in each.parameters(recurse=False))
    for name, layer in module.named_modules():
        if _has_inputs(layer) and not parametrize.is_parametrized(layer, "weight") and n_uses[id(layer.weight)] == 1:
            if torch.nn.parameter.is_lazy(layer.weight):
                raise InputError(f"layer {name} has no weights yet: pass a batch through the module first")
            lateral = Lateral(layer.weight, eta, rule)
            parametrize.register_parametrization(layer, "weight", lateral)
            lateral.hook = layer.register_forward_hook(_learn)
            names.append(name)
    if not names:
        raise InputError("the module has no Linear and no Conv2d, without groups and shared weights, to decorrelate")
    return names


def fold_(module: torch.nn.Module) -> list[str]:
    """Multiply R into the weights of every layer, W R, in place: the outputs stay as they are, up to rounding.

    Parameters
    ----------
    module : torch.nn.Module        that `decorrelate_` was applied to

    Returns
    -------
    names : list of str             of the layers

    Raises
    ------
    DivergenceError                 if lateral weights are not finite; no layer is folded then
    """
    layers = {name: layer for name, layer in module.named_modules() if _lateral(layer) is not None}
    for name, layer in layers.items():
        if not bool(torch.isfinite(_lateral(layer).R).all()):
            raise DivergenceError(f"the lateral weights of {name} are not finite: lower eta")
    for layer in layers.values():
        _lateral(layer).hook.remove()
        # deep copies of a parametrized layer share its class, from which PyTorch would remove the weight of all
        shared = type(layer)
        own = {name: value for name, value in vars(shared).items() if name not in ("__dict__", "__weakref__")}
        layer.__class__ = type(shared.__name__, shared.__bases__, own)
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return list(layers)


def _has_inputs(layer: torch.nn.Module) -> bool:
    """Return whether a layer multiplies all its inputs, or all those of a patch, by its weight."""
    return isinstance(layer, torch.nn.Linear) or (isinstance(layer, torch.nn.Conv2d) and layer.groups == 1)


def _lateral(layer: torch.nn.Module) -> Any:
    """Return the lateral weights of a layer, or None."""
    found = layer.parametrizations.weight[0] if parametrize.is_parametrized(layer, "weight") else None
    return found if isinstance(found, Lateral) else None


def _learn(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
    """Let R learn from the inputs of a layer, after they have passed through it in training mode."""
    lateral = _lateral(layer)
    if layer.training and lateral.eta != 0 and inputs[0].numel():
        lateral.learn(rows_of(layer, inputs[0]))


def rows_of(layer: torch.nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Return the inputs of a layer as rows (b, I): of a convolution, its patches at all positions of all samples."""
    if isinstance(layer, torch.nn.Linear):
        return y.reshape(-1, y.shape[-1])
    assert isinstance(layer, torch.nn.Conv2d)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    y = functional.pad(y if y.ndim == 4 else y[None], _padding(layer), mode=mode)
    patches = functional.unfold(y, layer.kernel_size, dilation=layer.dilation, stride=layer.stride)
    return patches.transpose(1, 2).reshape(-1, patches.shape[1])


def _padding(layer: torch.nn.Conv2d) -> list[int]:
    """Return left, right, top and bottom padding, as `torch.nn.functional.pad` takes it."""
    sides: list[int] = []
    for axis in (1, 0):  # the last axis first
        if layer.padding == "same":
            total = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
            sides += [total // 2, total - total // 2]
        else:
            sides += [0, 0] if layer.padding == "valid" else [int(layer.padding[axis])] * 2
    return sides
