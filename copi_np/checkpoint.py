"""Save and load networks: one .npz file without pickle, written all or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from copi_np.archives import read_npz, write_npz
from copi_np.backend import Backend
from copi_np.errors import CopiError, DataError, InputError
from copi_np.network import Network

SCHEMA: Final = 1
"""Version of the file's layout; raised when a reader of the old layout would misunderstand the new one."""

ADVICE: Final = "use another copy of the checkpoint, or an earlier one"


def save_network(path: str | os.PathLike[str], network: Network, metadata: dict[str, Any] | None = None) -> None:
    """Write a network to an .npz file: configuration, weights, feedback, and the running means of Adam.

    The network that `load_network` makes of it goes on exactly where this one is.

    The file is written all or not at all: a reader finds the old one or the new one, and never half of one.

    Parameters
    ----------
    path : path                 ends in .npz
    network : Network
    metadata : dict, optional   anything JSON can hold, given back by `load_network`

    Raises
    ------
    InputError                  if JSON cannot hold the metadata
    DataError                   if the file cannot be written; an older one is left as it was
    """
    arrays = network_arrays(network)
    content = {"schema": SCHEMA, "network": network.config, "arrays": sorted(arrays), "metadata": metadata or {}}
    try:
        header = json.dumps(content)
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata of a checkpoint must be plain values, as in JSON: {error}") from error
    write_npz(Path(path), {"header": np.array(header), **arrays})


def network_arrays(network: Network) -> dict[str, npt.NDArray[Any]]:
    """All that `network_of` needs, beside the configuration, for a network that goes on exactly where this one is.

    The names are those of a checkpoint: "W_0", "R_0", "feedback_0", .. for layer 0; copies, on the host.
    """
    arrays = {}
    for k, (layer, feedback) in enumerate(zip(network.layers, network.feedback, strict=True)):
        named = {"W": layer.W, "R": layer.R if layer.has_lateral_weights else None, "feedback": feedback}
        named |= {f"step_{name}": value for name, value in layer.forward_step.state().items()}
        arrays.update({f"{name}_{k}": _on_host(network, value) for name, value in named.items() if value is not None})
    return arrays


def _on_host(network: Network, value: Any) -> npt.NDArray[Any]:
    return np.array(value) if isinstance(value, int) else network.backend.to_host(value)


def load_network(path: str | os.PathLike[str], backend: str | Backend = "numpy") -> tuple[Network, dict[str, Any]]:
    """Read a network that `save_network` wrote, on whichever backend.

    Parameters
    ----------
    path : path
    backend : {"numpy", "cupy", "auto"} or Backend

    Returns
    -------
    network : Network
    metadata : dict     as it was given to `save_network`

    Raises
    ------
    DataError           if the file is missing, damaged, or not a checkpoint that this version can read
    InputError          if its weights do not fit its configuration, or are not finite
    BackendError        if the backend does not work here
    """
    path = Path(path)
    arrays = read_npz(path, ADVICE)
    try:
        header = json.loads(str(arrays.pop("header")))
        if header["schema"] > SCHEMA:
            raise DataError(f"{path} was written by a newer version of copi-np: update this one")
        if header["arrays"] != sorted(arrays):
            raise DataError(f"{path} lacks some of its arrays: {ADVICE}")
        return network_of(header["network"], arrays, backend), header["metadata"]
    except CopiError:
        raise
    # a header or arrays of the wrong kind raise nearly every kind of exception there is
    except Exception as error:
        raise DataError(f"{path} is damaged, or not a checkpoint: {ADVICE}") from error


def network_of(config: dict[str, Any], arrays: dict[str, Any], backend: str | Backend) -> Network:
    """A network of this configuration that holds these arrays.

    Parameters
    ----------
    config : dict       as ``network.config``
    arrays : dict       as `network_arrays` gives them
    backend : str or Backend

    Raises
    ------
    DataError           if the sizes of the two do not agree
    InputError          if the arrays do not fit in another way, or are not finite
    """
    # before weights of the announced sizes are drawn, which could take any amount of memory
    sizes = [int(arrays["W_0"].shape[-1]), *(int(arrays[f"W_{k}"].shape[0]) for k in range(len(config["sizes"]) - 1))]
    if sizes != config["sizes"]:
        raise DataError(f"the checkpoint announces layers {config['sizes']}, but holds weights of {sizes}: {ADVICE}")
    network = Network(**config, rng=np.random.default_rng(0), backend=backend)
    for k, layer in enumerate(network.layers):
        layer.W = network.backend.asarray(arrays[f"W_{k}"])
        if f"R_{k}" in arrays:
            layer.R = network.backend.asarray(arrays[f"R_{k}"])
        if f"feedback_{k}" in arrays:
            network.feedback[k] = network.backend.asarray(arrays[f"feedback_{k}"])
        names = [name for name in arrays if name.startswith("step_") and name.endswith(f"_{k}")]
        if names:
            prefix, suffix = len("step_"), -len(f"_{k}")
            layer.forward_step.restore({name[prefix:suffix]: network.backend.asarray(arrays[name]) for name in names})
    return network
