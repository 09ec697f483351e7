"""Save and load networks: one .npz file without pickle, written completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from copi_np._finding_parts import objects_in
from copi_np._parts import is_list
from copi_np.backend import Backend
from copi_np.checkpoint.arrays import ADVICE, content_digest, network_arrays, network_of
from copi_np.errors import (
    BackendError,
    CopiError,
    DataError,
    InputError,
    NewerVersionError,
    shown,
)
from copi_np.network import Network
from copi_np.storage.npz import read_npz, write_npz
from copi_np.storage.untrusted import parse_json

SCHEMA: Final = 4
"""Version of the file's layout; it grows when a reader of the old layout would misunderstand the new one. Version 4 has
convolutions, and version 3 biases and scaled inputs. Networks without them are written as version 3 or 2, which earlier
versions of the package read."""


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
    config = network.config
    content = {"schema": _schema(network), "network": config, "arrays": sorted(arrays), "metadata": metadata or {}}
    content["noise"] = network.noise_state
    try:
        header = json.dumps(content)
        parse_json(header)  # refuses what json.dumps writes but JSON does not allow, such as NaN
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata of a checkpoint must be plain values, as in JSON: {error}") from None
    arrays["header"] = np.array(header)
    digest = np.array(content_digest(arrays))
    write_npz(Path(path), {**arrays, "sha256": digest}, None if previous is None else Path(previous))


def _schema(network: Network) -> int:
    """Return the oldest version of the layout that can hold a network."""
    if network.input_shape is not None:
        return SCHEMA
    return SCHEMA - 1 if network.layers[0].has_bias or network.scaling is not None else SCHEMA - 2


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
    backend : {"numpy", "cupy", "torch", "auto"} or Backend
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
