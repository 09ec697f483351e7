"""Networks as arrays, and in files: one .npz without pickle, written completely or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from copi_np._finding_parts import Given, objects_in
from copi_np._parts import is_list, label, per_layer
from copi_np.arrays import NDArray
from copi_np.backend import Backend
from copi_np.error_signals import ERROR_SIGNALS
from copi_np.errors import (
    BackendError,
    CopiError,
    DataError,
    InputError,
    NewerVersionError,
    OtherPartsError,
    list_names,
    one_line,
    shown,
)
from copi_np.network import Network
from copi_np.steps import Step
from copi_np.storage.npz import read_npz, write_npz
from copi_np.storage.untrusted import parse_json

SCHEMA: Final = 2
"""Version of the file's layout; it grows when a reader of the old layout would misunderstand the new one."""

ADVICE: Final = "use another copy of the checkpoint, or an earlier one"

FORWARD_MEMORY: Final = "step_"
LATERAL_MEMORY: Final = "lateral_"
"""Prefixes of the names of what a step keeps, see `steps.Step.state`."""
ADAM_MEMORY: Final = ("step_mean_", "step_square_")
"""What Adam keeps for each weight."""


def save_network(
    path: str | os.PathLike[str],
    network: Network,
    metadata: dict[str, Any] | None = None,
    *,
    previous: str | os.PathLike[str] | None = None,
) -> None:
    """Write a network to an .npz file: configuration, weights, feedback, and the state of steps and of the noise.

    The network that `load_network` returns continues exactly where this one is. Your own parts are recorded by their
    names; pass them again to load the network.

    The file is written completely or not at all: a reader finds the old file or the new one, never half of one.

    Parameters
    ----------
    path : path                 ends in .npz
    network : Network
    metadata : dict, optional   anything JSON can hold, returned by `load_network`
    previous : path, optional   keeps the older file at `path` once the new one is on the disk

    Raises
    ------
    InputError                  if JSON cannot hold the metadata
    DataError                   if the file cannot be written; an older one stays as it was
    """
    arrays = network_arrays(network)
    content = {"schema": SCHEMA, "network": network.config, "arrays": sorted(arrays), "metadata": metadata or {}}
    content["noise"] = network.noise_state
    try:
        header = json.dumps(content)
        parse_json(header)  # refuses what json.dumps writes but JSON does not allow, such as NaN
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata of a checkpoint must be plain values, as in JSON: {error}") from None
    arrays["header"] = np.array(header)
    digest = np.array(content_digest(arrays))
    write_npz(Path(path), {**arrays, "sha256": digest}, None if previous is None else Path(previous))


def check_network(network: Network) -> None:
    """Raise an InputError unless it is a network: path and network are easily swapped."""
    if not isinstance(network, Network):
        raise InputError(f"need a Network, got {shown(network)}: the path comes first, then the network")


def content_digest(arrays: Mapping[str, NDArray]) -> str:
    """Return the SHA-256 of names, types, shapes and values of arrays: of a file's content, however it is packed."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)  # dates and text have no buffer of their own
    return digest.hexdigest()


def network_arrays(network: Network) -> dict[str, NDArray]:
    """Return what `network_of` needs besides the configuration to build a network that continues where this one is.

    The names are those in a checkpoint: "W_0", "R_0", "feedback_0", .. for layer 0. The arrays are copies on the host.

    Raises
    ------
    InputError          if it is not a network
    """
    check_network(network)
    arrays: dict[str, NDArray] = {}
    for k, (layer, feedback) in enumerate(zip(network.layers, network.feedback, strict=True)):
        named = {"W": layer.W, "R": layer.R if layer.has_lateral_weights else None, "feedback": feedback}
        arrays |= {f"{name}_{k}": network.backend.to_host(value) for name, value in named.items() if value is not None}
        for prefix, step in ((FORWARD_MEMORY, layer.forward_step), (LATERAL_MEMORY, layer.lateral_step)):
            arrays |= {f"{prefix}{name}_{k}": value for name, value in _state(step, network.backend).items()}
    return arrays


def _state(step: Step | None, backend: Backend) -> dict[str, NDArray]:
    """Return what a step keeps as arrays on the host, without None; raise an InputError if a file cannot hold it."""
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


def load_network(
    path: str | os.PathLike[str],
    backend: str | Backend = "numpy",
    *,
    rule: Any = None,
    decorrelation: Any = None,
    activation: Any = None,
    loss: Any = None,
    error_signal: Any = None,
) -> tuple[Network, dict[str, Any]]:
    """Read a network that `save_network` wrote, on any backend.

    Parameters
    ----------
    path : path
    backend : {"numpy", "cupy", "auto"} or Backend
    rule, decorrelation, activation, loss, error_signal
                        your own parts that the network was saved with, as they were passed to `Network`, or a list of
                        several. They are compared by name. Functions of `copi_np.rules` need not be passed

    Returns
    -------
    network : Network
    metadata : dict     as passed to `save_network`

    Raises
    ------
    DataError           if the file is missing, damaged, or not a checkpoint that this version can read; a
                        `NewerVersionError` if a newer version wrote it
    InputError          if its weights do not fit its configuration, or are not finite; if one of your own parts is
                        missing, or was passed but is not named in the file
    BackendError        if the backend does not work here, or has not enough memory
    """
    own = {"rule": rule, "decorrelation": decorrelation, "activation": activation}
    own |= {"loss": loss, "error_signal": error_signal}
    for kind, part in own.items():
        if part is not None and not is_list(part) and not objects_in(part):
            raise InputError(f"{kind} must be your own part that the file names, got {shown(part)}: leave out {kind}=")
    return load_with(path, backend, own)


def load_like(path: str | os.PathLike[str], network: Network) -> tuple[Network, dict[str, Any]]:
    """Read a network as `load_network` does, with the parts and on the backend of another network."""
    return load_with(path, network.backend, network.parts)


def load_with(
    path: str | os.PathLike[str], backend: str | Backend, own: Mapping[str, Any]
) -> tuple[Network, dict[str, Any]]:
    """Read a network as `load_network` does, with your own parts by kind; built-in names among them are ignored."""
    path = Path(path)
    try:
        header = parse_json(str(read_npz(path, ADVICE, ["header"])["header"]))
        if header["schema"] > SCHEMA:
            raise NewerVersionError(f"{path} was written by a newer version of copi-np: update this one")
        arrays = read_npz(path, ADVICE, ["header", "sha256", *header["arrays"]])
        digest = str(arrays.pop("sha256", None))
        if content_digest(arrays) != digest:
            raise DataError(f"{path} is damaged (its SHA-256 differs): {ADVICE}")
        del arrays["header"]
        if header["arrays"] != sorted(arrays):
            raise DataError(f"{path} lacks some of its arrays: {ADVICE}")
        network = network_of(header["network"], arrays, backend, own)
        if header.get("noise") is not None:  # files of earlier versions have none
            network.noise_state = header["noise"]
        return network, header["metadata"]
    except CopiError:
        raise
    except MemoryError:
        raise BackendError(f"there is not enough memory for the network in {path}: free some") from None
    # raised by a header or arrays of the wrong kind; NumPy raises SystemError for text that cannot be decoded
    except (ArithmeticError, AttributeError, LookupError, RecursionError, SystemError, TypeError, ValueError):
        raise DataError(f"{path} is damaged, or not a checkpoint: {ADVICE}") from None


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
    n_layers = len(parts["sizes"]) - 1
    sizes = [int(arrays["W_0"].shape[-1]), *(int(arrays[f"W_{k}"].shape[0]) for k in range(n_layers))]
    if sizes != parts["sizes"]:
        raise DataError(
            f"the checkpoint declares layers {shown(parts['sizes'])}, but holds weights of {sizes}: {ADVICE}"
        )
    shapes = {f"W_{k}": (sizes[k + 1], sizes[k]) for k in range(n_layers)}
    rules = per_layer("rule", parts["rule"], n_layers)
    of_adam = [(k, f"{prefix}{k}") for prefix in ADAM_MEMORY for k in range(n_layers) if rules[k] == "adam"]
    shapes |= {name: shapes[f"W_{k}"] for k, name in of_adam if name in arrays}
    learning = per_layer("decorrelation", parts["decorrelation"], n_layers)
    shapes |= {f"R_{k}": (sizes[k], sizes[k]) for k in range(n_layers) if learning[k] is not None}
    signal = parts["error_signal"]
    source = ERROR_SIGNALS[signal].feedback_from if isinstance(signal, str) else signal.feedback_from
    if source is not None:
        above = sizes[2:] if source == "above" else [sizes[-1]] * (n_layers - 1)
        of_feedback = {f"feedback_{k}": (sizes[k + 1], above[k]) for k in range(n_layers - 1)}
        shapes |= {name: shape for name, shape in of_feedback.items() if name in arrays}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise DataError(f"the checkpoint holds {name} of {arrays[name].shape} instead of {shape}: {ADVICE}")
        if arrays[name].dtype.kind != "f":
            raise DataError(f"the checkpoint holds {name} of {arrays[name].dtype} instead of floats: {ADVICE}")
