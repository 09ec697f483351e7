"""Export trained networks and estimators for other tools: weights as safetensors, whole models as ONNX."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from copi_np import __version__
from copi_np._parts import label
from copi_np.activations import ACTIVATIONS, LEAK, Activation
from copi_np.arrays import NDArray
from copi_np.checkpoint import check_network, network_arrays
from copi_np.datasets.scaling import Scaling
from copi_np.errors import InputError, list_names
from copi_np.network import Network
from copi_np.patches import Patches
from copi_np.storage.atomic import check_writable, replace_file

OPSET: Final = 17
"""Version of ONNX's operators; runtimes since 2022 support it."""


def export_safetensors(path: str | os.PathLike[str], network: Network) -> None:
    """Write the weights of a network to a .safetensors file (extra ``export``).

    The tensors are W_0 (O, I), R_0 (I, I), feedback_0, .. for layer 0 and so on, as in a checkpoint, with one more
    column or row for the constant unit of a bias. The metadata hold the configuration as JSON, under "copi_np".

    Raises
    ------
    InputError          if safetensors is not installed, or `network` is not a network
    DataError           if the file cannot be written
    """
    try:
        from safetensors.numpy import save
    except ImportError:
        raise _missing("safetensors") from None
    check_network(network)
    check_writable(Path(path))
    # the library writes an array's memory as it is, ignoring its strides
    tensors = {name: np.asarray(array, order="C") for name, array in network_arrays(network).items()}
    content = save(tensors, metadata={"copi_np": json.dumps({"version": __version__, "network": network.config})})
    replace_file(Path(path), lambda file: file.write(content))


class Exportable(NamedTuple):
    """The computation of an estimator: standardised inputs, a network, then classes, or values in the units of y.

    Attributes
    ----------
    network : Network
    n_features : int
    inputs : Scaling or None            of the features, or None if they are used as they are
    outputs : Scaling or None           of the values to predict
    classes : (K,) array or None        labels of the outputs of a classifier
    has_probabilities : bool            whether the softmax of the outputs gives probabilities
    """

    network: Network
    n_features: int
    inputs: Scaling | None = None
    outputs: Scaling | None = None
    classes: NDArray | None = None
    has_probabilities: bool = False


def export_onnx(path: str | os.PathLike[str], model: Any) -> None:
    """Write a network or an estimator to an .onnx file that computes what its `predict` does (extra ``export``).

    A network has one input, "inputs" (N, I), and one output, "outputs" (N, K), logits for the cross-entropy. W and R of
    each layer are folded into one matrix, or the kernel of a Conv. A network that was trained on scaled inputs scales
    them itself.

    An estimator is exported as a whole, scaling included, with the names that skl2onnx uses: the input "X" (N, I) has
    its ``n_features_in_`` features, in the dtype that it was fitted in. A classifier has the outputs "label" (N,) and
    "probabilities" (N, K), or "scores" (N, K), the outputs of its network, where its loss gives no probabilities. A
    regressor has "variable" (N, K).

    Parameters
    ----------
    path : path
    model : Network, or a fitted COPIClassifier or COPIRegressor

    Raises
    ------
    InputError          if onnx is not installed, `model` is something else, an activation is your own, or ONNX has no
                        type for the classes
    DataError           if the file cannot be written
    """
    try:
        import onnx  # noqa: F401 (to say so before anything else)
    except ImportError:
        raise _missing("onnx") from None
    if hasattr(model, "_exportable"):
        check_writable(Path(path))
        graph = _estimator(model._exportable())
    elif hasattr(model, "fit"):
        kinds = "networks, COPIClassifier and COPIRegressor"
        raise InputError(f"export_onnx knows only {kinds}, got a {type(model).__name__}: export its network or model")
    else:
        check_network(model)
        check_writable(Path(path))
        graph = _Graph(model.dtype)
        n_inputs = model.n_inputs
        value = graph.input("inputs", n_inputs)
        if model.scaling is not None:
            value = graph.scaled(value, model.scaling)
        outputs = graph.network(model, value, n_inputs)
        graph.output("outputs", outputs, [model.n_outputs])
    content = graph.content()
    replace_file(Path(path), lambda file: file.write(content))


def _estimator(model: Exportable) -> _Graph:
    """Return the graph of an estimator."""
    graph, n_outputs = _Graph(model.network.dtype), model.network.n_outputs
    value = graph.input("X", model.n_features)
    if model.inputs is not None:
        value = graph.scaled(value, model.inputs)
    value = graph.network(model.network, value, model.n_features)
    if model.outputs is not None:
        shift, scale = graph.shift_and_scale(model.outputs)
        value = graph.node("Add", graph.node("Mul", value, scale), shift)
    if model.classes is None:
        graph.output("variable", value, [n_outputs])
        return graph
    largest = graph.node("ArgMax", value, axis=1, keepdims=0)
    classes = _onnx_classes(model.classes)
    graph.output("label", graph.node("Gather", graph.constant(classes), largest), [], classes.dtype)
    if model.has_probabilities:
        graph.output("probabilities", graph.node("Softmax", value, axis=1), [n_outputs])
    else:
        graph.output("scores", value, [n_outputs])
    return graph


def _onnx_classes(classes: NDArray) -> NDArray:
    """Return classes as an array that ONNX has a type for: text as Python strings."""
    if classes.dtype.kind in "US" or all(isinstance(each, str) for each in classes):
        return classes.astype(str).astype(object)
    if classes.dtype.kind not in "biuf":
        raise InputError(f"ONNX has no type for classes such as {classes[0]!r}: fit the classifier to numbers or text")
    return classes


class _Graph:
    """An ONNX graph under construction; values are known by their names."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, name: str, n_columns: int) -> str:
        """Add the input (N, n_columns)."""
        self.inputs.append(_typed(name, ["N", n_columns], self.dtype))
        return name

    def output(self, name: str, value: str, columns: list[int], dtype: Any = None) -> None:
        """Add an output (N, *columns) with this value."""
        self.node("Identity", value, name=name)
        self.outputs.append(_typed(name, ["N", *columns], dtype or self.dtype))

    def constant(self, array: NDArray) -> str:
        """Add a constant."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator: str, *values: str, name: str | None = None, **attributes: Any) -> str:
        """Add an operator, and return the name of its result."""
        from onnx import helper

        name = name or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, values, [name], **attributes))
        return name

    def shift_and_scale(self, scaling: Scaling) -> tuple[str, str]:
        """Add the constants of a scaling."""
        return self.constant(scaling.shift.astype(self.dtype)), self.constant(scaling.scale.astype(self.dtype))

    def scaled(self, value: str, scaling: Scaling) -> str:
        """Add (value - shift) / scale."""
        shift, scale = self.shift_and_scale(scaling)
        return self.node("Div", self.node("Sub", value, shift), scale)

    def network(self, network: Network, value: str, n_inputs: int) -> str:
        """Add the layers of a network, with W R of each folded into one matrix."""
        for layer, plan in zip(network.layers, network.plans, strict=True):
            M = network.backend.to_host(layer.folded())
            if plan.patches is not None:
                value = self._convolution(plan.patches, M, value)
            else:
                value = self.node("MatMul", value, self.constant(M[:, :n_inputs].T))
                if M.shape[1] > n_inputs:  # the constant unit of a bias
                    value = self.node("Add", value, self.constant(M[:, n_inputs]))
            value = self._activation(layer.activation, value)
            if plan.pooling is not None:
                sides = [plan.pooling.size] * 2
                value = self.node("AveragePool", value, kernel_shape=sides, strides=sides)
            if plan.patches is not None:
                value = self.node("Flatten", value, axis=1)
            n_inputs = plan.size_out
        return value

    def _convolution(self, patches: Patches, M: NDArray, value: str) -> str:
        """Add a convolution of flat images with the kernel M (F, C k^2), and its biases in a last column, if any."""
        image = self.node("Reshape", value, self.constant(np.array([0, *patches.shape])))  # 0: as many as there are
        kernel = M[:, : patches.n_values].reshape(-1, patches.shape[0], patches.kernel, patches.kernel)
        weights = [self.constant(part) for part in (kernel, *M[:, patches.n_values :].T)]
        return self.node(
            "Conv",
            image,
            *weights,
            strides=[patches.stride] * 2,
            pads=[patches.padding] * 4,
            kernel_shape=kernel.shape[2:],
        )

    def _activation(self, activation: Activation, a: str) -> str:
        """Add y = f(a). The leaky ReLU is max(a, leak a): its own operator exists for float32 only."""
        if activation != ACTIVATIONS.get(activation.name):
            raise InputError(
                f"ONNX has no operator for activation {label(activation)}, which is your own: "
                f"export_safetensors writes the weights, or use one of {list_names(ACTIVATIONS)}"
            )
        if activation.name == "leaky_relu":
            return self.node("Max", a, self.node("Mul", a, self.constant(np.array(LEAK, self.dtype))))
        return self.node({"relu": "Relu", "tanh": "Tanh", "linear": "Identity"}[activation.name], a)

    def content(self) -> bytes:
        """Return the bytes of the file, checked."""
        from onnx import checker, helper

        graph = helper.make_graph(self.nodes, "copi_np", self.inputs, self.outputs, self.constants)
        model = helper.make_model(
            graph, producer_name="copi_np", producer_version=__version__, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        model.ir_version = 8  # as old as the operators, so that runtimes of that age read the file
        checker.check_model(model)
        return bytes(model.SerializeToString())


def _typed(name: str, shape: list[Any], dtype: Any) -> Any:
    """Describe an input or output of the graph."""
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def _missing(package: str) -> InputError:
    return InputError(f"this export needs {package}: pip install 'copi-np[export]'")
