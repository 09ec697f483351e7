"""A port of COPI to three libraries, and the faults that are planted in them to try the conformance kit."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import NamedTuple


class Fault(NamedTuple):
    """A text of a port, what replaces it, and a part of the name that the kit must give as the cause."""

    text: str
    planted: str
    cause: str
    adam: bool = False
    """Whether it is looked for in training by Adam."""

    @property
    def is_in_a_step(self) -> bool:
        """Whether a step by the matrix form makes use of it."""
        return not self.adam and self.text not in (LOCAL, Q)


COPI = "return z.T @ x / len(x) - W * mean_square(x)"
MATRIX = "return -(x.T @ (x @ R) / len(x) - mean_square(x)[:, None] * R)"
LOCAL = "return -(q.T @ x / len(x) - R * mean_square(x))"
Q = "q = x @ R.T"
CARRIED = "carried = deltas[0] @ W[k + 1] @ R[k + 1]"
W_NEW = "W_new = [W_k + eta_W *"
R_NEW = "R_new = [R_k + eta_R *"
SIGNAL = "return -leaky_relu_derivative(a) * quadratic_gradient(y, targets)"
HIDDEN = "leaky_relu_derivative(a[k]) * carried"
CORRECTED = "direction = mean / (1 - 0.9**t)"
SIZE = "return direction / ((square / (1 - 0.99**t)) ** 0.5 + 1e-8), mean, square"

FAULTS = [
    Fault(COPI, "return z.T @ x / len(x) - W * mean_square(x)[:, None]", "rows for columns: W decays by rows"),
    Fault(COPI, COPI.replace(" - W", " + W"), "the sign of the decay"),
    Fault(COPI, "return z.T @ x / len(x)", "no decay of W"),
    Fault(COPI, "return z.T @ x / len(x) - W", "decay of whitened inputs"),
    Fault(COPI, "return z.T @ x / len(x) - W * mean_square(z)[:, None]", "postsynaptic decay: <z^2>"),
    Fault(COPI, "return (z.T @ x - W * (x * x).sum(0))", "sum for mean: a factor B"),
    Fault(COPI, "return z.T @ x - W * mean_square(x)", "sum for mean in the Hebbian term"),
    Fault(COPI, "return 2 * (z.T @ x / len(x) - W * mean_square(x))", "a factor 2"),
    Fault(COPI, "return z.T @ x / len(x) - W @ (x.T @ x) / len(x)", "<x x^T> in full: plain gradient descent"),
    Fault("return y @ R.T", "return y @ R", "transposed R"),
    Fault(MATRIX, "return -(x.T @ (x @ R) / len(x) - mean_square(x) * R)", "rows for columns"),
    Fault(MATRIX, MATRIX.replace("-(", "("), "the sign"),
    Fault(MATRIX, "return -(x.T @ (x @ R) / len(x))", "no diagonal"),
    Fault(MATRIX, "return local_decorrelation_update(R, x)", "matrix and local form swapped"),
    Fault(MATRIX, "return -(x.T @ (x @ R) / len(x) - R)", "whitening"),
    Fault(MATRIX, MATRIX.replace("x @ R)", "x @ R.T)"), "R transposed in the product"),
    Fault(LOCAL, "return decorrelation_update(R, x)", "matrix and local form swapped"),
    Fault(Q, "q = x @ R", "R transposed"),
    Fault(CARRIED, "carried = deltas[0] @ W[k + 1]", "R left out on the way back"),
    Fault(CARRIED, CARRIED + ".T", "transposed R on the way back"),
    Fault(HIDDEN, "carried", "no derivative in hidden layers"),
    Fault("return 2 * (y - targets)", "return y - targets", "no factor 2"),
    Fault(SIGNAL, SIGNAL + " / len(y)", "delta divided by the batch size"),
    Fault(SIGNAL, SIGNAL.replace("-leaky", "leaky"), "the sign of delta"),
    Fault("a > 0, 1.0, ", "a >= 0, 1.0, ", "derivative at 0 from the right"),
    Fault(W_NEW, W_NEW.replace("eta_W", "eta_R"), "eta_R for both"),
    Fault(R_NEW, R_NEW.replace("eta_R", "0 * eta_R"), "eta_R never arrives"),
    Fault("copi_update(W_k, x, a_k + delta)", "copi_update(W_k, x, delta)", "delta for z"),
    Fault(CORRECTED, "direction = mean", "biased Adam: no bias correction of the mean", adam=True),
    Fault(SIZE, "return direction / (square**0.5 + 1e-8), mean, square", "no bias correction of the square", adam=True),
]


NUMPY = {
    "library": "import numpy as np",
    "asarray": "return np.array(array)",
    "to_numpy": "return array\n",
    "leaky_relu": "return np.where(a > 0, a, 0.1 * a)",
    "derivative": "return np.where(a > 0, 1.0, 0.1)",
}
OTHERS = {
    "numpy_port": {},
    "torch_port": {
        "library": "import torch",
        "asarray": "return torch.tensor(array)",
        "to_numpy": "return array.numpy()\n",
        "leaky_relu": "return torch.where(a > 0, a, 0.1 * a)",
        "derivative": "return torch.where(a > 0, 1.0, torch.full_like(a, 0.1))",
    },
    "jax_port": {
        "library": "import jax.numpy as jnp\nimport numpy as np",
        "asarray": "return jnp.asarray(array)",
        "to_numpy": "return np.asarray(array)\n",
        "leaky_relu": "return jnp.where(a > 0, a, 0.1 * a)",
        "derivative": "return jnp.where(a > 0, 1.0, 0.1)",
    },
}
"""The lines of a port that name its library."""


def load_port(name: str, fault: Fault | None = None) -> ModuleType:
    """Return the port to a library as a new module, with a fault planted in it."""
    path = Path(__file__).parent / "port.py"
    code = path.read_text(encoding="utf-8")
    for line, text in OTHERS[name].items():
        code = _replaced(code, NUMPY[line], text)
    if fault is not None:
        code = _replaced(code, fault.text, fault.planted)
    module = ModuleType(name)
    exec(compile(code, str(path), "exec"), vars(module))
    return module


def _replaced(code: str, text: str, by: str) -> str:
    assert code.count(text) == 1, f"{text!r} must occur once"
    return code.replace(text, by)
