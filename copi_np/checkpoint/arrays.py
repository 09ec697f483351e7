"""Turn networks into arrays on the host, and back, for checkpoints, exports and pickles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from copi_np._finding_parts import Given
from copi_np._parts import label, per_layer
from copi_np.architecture import feedback_shape, plan_layers
from copi_np.arrays import NDArray
from copi_np.backend import Backend
from copi_np.datasets.scaling import Scaling
from copi_np.errors import DataError, InputError, OtherPartsError, list_names, one_line, shown
from copi_np.more_signals import ALL_SIGNALS
from copi_np.network import Network
from copi_np.steps import Step

ADVICE: Final = "use another copy of the checkpoint, or an earlier one"

FORWARD_MEMORY: Final = "step_"
LATERAL_MEMORY: Final = "lateral_"
"""Prefixes of the names of a step's state, see `steps.Step.state`."""
SHIFT: Final = "input_shift"
SCALE: Final = "input_scale"
"""Names of the arrays of `Network.scaling`."""
ADAM_MEMORY: Final = ("step_mean_", "step_square_")
"""The running means of Adam, one number per weight each."""


def check_network(network: Any) -> None:
    """Raise an InputError unless it is a network: path and network are easily swapped."""
    if not isinstance(network, Network):
        how = "give its network_" if hasattr(network, "fit") else "the path comes first, then the network"
        raise InputError(f"need a Network, got {shown(network)}: {how}")


def network_arrays(network: Network) -> dict[str, NDArray]:
    """Return the arrays from which `network_of` builds a network that continues where this one is.

    The names are those in a checkpoint: "W_0", "R_0", "feedback_0", .. for layer 0; and "input_shift" and "input_scale"
    (I,) if the network was trained on scaled inputs, ``(inputs - input_shift) / input_scale``. The arrays are copies on
    the host.

    Raises
    ------
    InputError          if it is not a network
    """
    check_network(network)
    arrays: dict[str, NDArray] = {}
    if network.scaling is not None:
        arrays |= {SHIFT: network.scaling.shift, SCALE: network.scaling.scale}
    for k, (layer, feedback) in enumerate(zip(network.layers, network.feedback, strict=True)):
        named = {"W": layer.W, "R": layer.R if layer.has_lateral_weights else None, "feedback": feedback}
        arrays |= {f"{name}_{k}": network.backend.to_host(value) for name, value in named.items() if value is not None}
        for prefix, step in ((FORWARD_MEMORY, layer.forward_step), (LATERAL_MEMORY, layer.lateral_step)):
            arrays |= {f"{prefix}{name}_{k}": value for name, value in _state(step, network.backend).items()}
    return arrays


def _state(step: Step | None, backend: Backend) -> dict[str, NDArray]:
    """Return a step's state as arrays on the host, without None; raise an InputError if a file cannot hold it."""
    state: Any = step.state() if step is not None else {}
    need = "must be a dict of arrays and numbers"
    if not isinstance(state, dict):
        raise InputError(f"state() of {label(step)} {need}: got {shown(state)}")
    on_host = {}
    for name, value in state.items():
        if value is None:
            continue
        number = value if isinstance(value, (int, float, complex)) else None
        array = backend.to_host(value) if hasattr(value, "dtype") else np.array(number)
        if not isinstance(name, str) or array.dtype.kind not in "biufc":
            raise InputError(f"state() of {label(step)} {need}: got {shown(value)} for {shown(name)}")
        on_host[name] = array
    return on_host


def network_of(
    config: dict[str, Any], arrays: Mapping[str, NDArray], backend: str | Backend, own: Mapping[str, Any] | None = None
) -> Network:
    """Return a network of this configuration that holds these arrays.

    Parameters
    ----------
    config : dict       as ``network.config``
    arrays : mapping    as `network_arrays` gives them
    backend : str or Backend
    own : mapping       from "rule", "activation", .. to your own parts that the configuration names

    Raises
    ------
    DataError           if the sizes of the two do not agree
    InputError          if one of your own parts is missing or is a different one, or if the arrays do not fit in
                        another way, or are not finite
    """
    given = Given(own or {})
    parts = {name: given.find(name, value) for name, value in config.items()}
    given.check_complete()
    _check_shapes(parts, arrays)
    network = Network(**parts, rng=np.random.default_rng(0), backend=backend)
    if SHIFT in arrays or SCALE in arrays:
        network.scaling = Scaling(arrays[SHIFT], arrays[SCALE])
    asarray = network.backend.asarray
    for k, layer in enumerate(network.layers):
        layer.W = asarray(arrays[f"W_{k}"])
        if f"R_{k}" in arrays:
            layer.R = asarray(arrays[f"R_{k}"])
        network.feedback[k] = asarray(arrays[f"feedback_{k}"]) if f"feedback_{k}" in arrays else None
        for prefix, step in ((FORWARD_MEMORY, layer.forward_step), (LATERAL_MEMORY, layer.lateral_step)):
            names = [name for name in arrays if name.startswith(prefix) and name.endswith(f"_{k}")]
            if step is not None and names:
                start, end = len(prefix), -len(f"_{k}")
                _restore(step, {name[start:end]: _on_device(network, arrays[name]) for name in names})
    return network


def _restore(step: Step, state: dict[str, Any]) -> None:
    """Let a step continue from a state; its own errors must not look like a damaged file."""
    try:
        step.restore(state)
    except Exception as error:
        held = f"cannot continue from {list_names(state)}"
        raise OtherPartsError(f"restore() of {label(step)} {held} ({one_line(error)}): correct it") from error


def _on_device(network: Network, value: NDArray) -> Any:
    """Return an array on the network's device, or the number in an array without axes."""
    return network.backend.asarray(value) if value.ndim else value.item()


def _check_shapes(parts: dict[str, Any], arrays: Mapping[str, NDArray]) -> None:
    """Refuse arrays that cannot be weights, or whose sizes differ from the declared ones.

    This comes before weights of these sizes are drawn, which could take any amount of memory.
    """
    n_constant = int(bool(parts.get("bias")))
    if parts.get("input_shape") is None:
        n_layers = len(parts["sizes"]) - 1
        sizes = [int(arrays["W_0"].shape[-1]) - n_constant, *(int(arrays[f"W_{k}"].shape[0]) for k in range(n_layers))]
        if sizes != parts["sizes"]:
            raise DataError(
                f"the checkpoint declares layers {shown(parts['sizes'])}, but holds weights of {sizes}: {ADVICE}"
            )
    plans = plan_layers(parts["sizes"], parts.get("input_shape"))
    n_layers, n_columns = len(plans), [plan.n_inputs + n_constant for plan in plans]
    shapes: dict[str, tuple[int, ...]] = {f"W_{k}": (plans[k].n_outputs, n_columns[k]) for k in range(n_layers)}
    rules = per_layer("rule", parts["rule"], n_layers)
    of_adam = [(k, f"{prefix}{k}") for prefix in ADAM_MEMORY for k in range(n_layers) if rules[k] == "adam"]
    shapes |= {name: shapes[f"W_{k}"] for k, name in of_adam if name in arrays}
    learning = per_layer("decorrelation", parts["decorrelation"], n_layers)
    shapes |= {f"R_{k}": (n_columns[k], n_columns[k]) for k in range(n_layers) if learning[k] is not None}
    signal = parts["error_signal"]
    source = ALL_SIGNALS[signal].feedback_from if isinstance(signal, str) else signal.feedback_from
    if source is not None:
        of_feedback = {f"feedback_{k}": feedback_shape(plans, k, source) for k in range(n_layers - 1)}
        shapes |= {name: shape for name, shape in of_feedback.items() if name in arrays}
    shapes |= {name: (plans[0].size_in,) for name in (SHIFT, SCALE) if name in arrays}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise DataError(f"the checkpoint holds {name} of {arrays[name].shape} instead of {shape}: {ADVICE}")
        if arrays[name].dtype.kind != "f":
            raise DataError(f"the checkpoint holds {name} of {arrays[name].dtype} instead of floats: {ADVICE}")


def content_digest(arrays: Mapping[str, NDArray]) -> str:
    """Return the SHA-256 of the names, types, shapes and values of arrays; how a file packs them does not matter."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)  # dates and text have no buffer of their own
    return digest.hexdigest()
