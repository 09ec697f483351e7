"""Export trained networks for other tools: weights as safetensors, and the whole network as ONNX."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from copi_np import __version__
from copi_np._parts import label
from copi_np.activations import ACTIVATIONS, LEAK
from copi_np.checkpoint import check_network, network_arrays
from copi_np.errors import InputError, list_names
from copi_np.network import Network
from copi_np.storage.atomic import check_writable, replace_file

OPSET: Final = 17
"""Version of ONNX's operators; runtimes since 2022 support it."""


def export_safetensors(path: str | os.PathLike[str], network: Network) -> None:
    """Write the weights of a network to a .safetensors file (extra ``export``).

    The tensors are W_0 (O, I), R_0 (I, I), feedback_0, .. for layer 0 and so on, as in a checkpoint; the configuration
    is JSON in the metadata, under "copi_np".

    Raises
    ------
    InputError          if safetensors is not installed, or `network` is not a network
    DataError           if the file cannot be written
    """
    check_writable(Path(path))
    try:
        from safetensors.numpy import save
    except ImportError:
        raise _missing("safetensors") from None
    # the library writes an array's memory as it is, ignoring its strides
    tensors = {name: np.asarray(array, order="C") for name, array in network_arrays(network).items()}
    content = save(tensors, metadata={"copi_np": json.dumps({"version": __version__, "network": network.config})})
    replace_file(Path(path), lambda file: file.write(content))


def export_onnx(path: str | os.PathLike[str], network: Network) -> None:
    """Write a network to an .onnx file that computes what `Network.predict` does (extra ``export``).

    One input, "inputs" (N, I), and one output, "outputs" (N, K), logits for the cross-entropy. W and R of each layer
    are folded into one matrix.

    Raises
    ------
    InputError          if onnx is not installed, `network` is not a network, or an activation is your own
    DataError           if the file cannot be written
    """
    check_writable(Path(path))
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise _missing("onnx") from None
    check_network(network)
    for layer in network.layers:
        if layer.activation != ACTIVATIONS.get(layer.activation.name):
            raise InputError(
                f"ONNX has no operator for activation {label(layer.activation)}, which is your own: "
                f"export_safetensors writes the weights, or use one of {list_names(ACTIVATIONS)}"
            )
    kind = TensorProto.FLOAT if network.dtype == "float32" else TensorProto.DOUBLE
    nodes, constants = [], []
    value = "inputs"
    for k, layer in enumerate(network.layers):
        M = network.backend.to_host(layer.folded())
        constants.append(numpy_helper.from_array(np.ascontiguousarray(M.T), f"M_{k}"))
        nodes.append(helper.make_node("MatMul", [value, f"M_{k}"], [f"a_{k}"]))
        value = "outputs" if k == len(network.layers) - 1 else f"y_{k}"
        nodes += _activation(helper, layer.activation.name, f"a_{k}", value)
    constants.append(numpy_helper.from_array(np.array(LEAK, network.dtype), "leak"))
    sizes = network.parts["sizes"]
    graph = helper.make_graph(
        nodes,
        "copi_np",
        [helper.make_tensor_value_info("inputs", kind, ["N", sizes[0]])],
        [helper.make_tensor_value_info("outputs", kind, ["N", sizes[-1]])],
        constants,
    )
    model = helper.make_model(
        graph, producer_name="copi_np", producer_version=__version__, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = 8  # as old as the operators, so that runtimes of that age read the file
    checker.check_model(model)
    content = model.SerializeToString()
    replace_file(Path(path), lambda file: file.write(content))


def _activation(helper: Any, name: str, a: str, y: str) -> list[Any]:
    """Return the nodes of y = f(a). The leaky ReLU is max(a, leak a): its own operator exists for float32 only."""
    if name == "leaky_relu":
        scaled = f"{a}_leaked"
        return [helper.make_node("Mul", [a, "leak"], [scaled]), helper.make_node("Max", [a, scaled], [y])]
    return [helper.make_node({"relu": "Relu", "tanh": "Tanh", "linear": "Identity"}[name], [a], [y])]


def _missing(package: str) -> InputError:
    return InputError(f"this export needs {package}: pip install 'copi-np[export]'")
