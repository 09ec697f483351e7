"""Plant bugs, one at a time in a copy of this folder, and check that the tests find each.

    python tools/plant_bugs.py [WORD ..]

With WORDs, only the bugs whose description contains one of them; without, the test that found each is recorded in
results/quality/mutants/planted.txt. mutmut changes one expression inside a function at a time. It skips constants and
tables of a module, all properties, products (@) and transposes, and cannot run three tests, which list the functions of
a module and would find its copies of them. The bugs below are of these kinds, or take more than one change, and are
easily made by someone who writes down the paper's equations. The text of each occurs once in its file.
bugs_in_numbers.py lists others: in the numbers, figures and options that users see, each with the tests to find it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from bugs_in_numbers import NUMBERS

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "results" / "quality" / "mutants" / "planted.txt"
N_PROCESSES = os.cpu_count() or 2


class Bug(NamedTuple):
    """What is wrong, the file in `copi_np`, the text there, the text that replaces it, and the tests to run.

    The tests are arguments of pytest; by default, the files that mutmut runs.
    """

    fault: str
    file: str
    text: str
    planted: str
    tests: str = ""


# ---------------------------------------------------------------- where to plant

COPI = "mean_outer(z, x) - W * mean_square(x)"
COPI_DECAY = "weights *= 1 - eta * states.power"
MATRIX_FORM = "-(mean_outer(x, x @ R) - mean_square(x)[:, None] * R)"
LOCAL_FORM = "-(mean_outer(q, x) - R * mean_square(x))"
X_R = """        if states.x_R is None and x.shape[0] > x.shape[1]:  # (x^T x) R takes fewer operations than x^T (x R)
            left, right = x.T @ x, weights * 1
        else:
            left, right = x.T, x @ weights if states.x_R is None else states.x_R
"""
Q = "        q = x @ weights.T\n"
MATRIX_DECAY = "        weights *= (1 + eta * states.power)[:, None]\n"
LOCAL_DECAY = "        weights *= 1 + eta * states.power\n"
MOMENT = "u.T @ v / u.shape[0]"
SQUARE = "xp.mean(x * x, axis=0)"
W_MOVES = "self._W, states, weighted, eta_W)"
R_MOVES = "self._R, states, weighted, eta_R)"
MEAN_MOVES = "mean *= self.beta1\n        mean += (1 - self.beta1) * dW"
MEAN_CORRECTED = "direction *= correction / (1 - self.beta1**self.count)"
SQUARE_CORRECTED = "correction = (1 - self.beta2**self.count) ** 0.5"
OUTPUT_SIGNAL = "-activation.df(a) * loss.gradient(y, targets)"
EYE = "xp.eye(C.shape[0], dtype=xp.bool, device=device(C)), xp.zeros_like(C), C"
SIGNALS = "            deltas, x_R = self._error_signals(trace, targets, rates, self.noise_rng)  # 10 to 12\n"
FEEDBACK_LEARNS = "            self._update_feedback(trace, deltas, targets, sample_weight, rates)\n"
UPDATES = """            rows = zip(self.layers, trace.y_in, trace.x, trace.a, trace.y, deltas, x_R, strict=True)
            for layer, y, x, a, y_out, delta, x_R_k in rows:  # 13
                states = States(layer, y, x, a, y_out, delta, rates["eta_R"], x_R_k, sample_weight)
                layer.step(states, rates["eta_W"], rates["eta_R"])  # 14, 15
"""
LAYER_MOVES_W = """        if states.delta is not None:
            _move("rule", self.forward_step, self._W, states, weighted, eta_W)
"""
LAYER_MOVES_R = """        if self.lateral_step is not None and eta_R != 0:
            _move("decorrelation", self.lateral_step, self._R, states, weighted, eta_R)
"""
PURE_W = "        W = layer.W + eta_W * dW(states)  # 14\n"
PURE_R = "        R = layer.R if dR is None else layer.R + eta_R * dR(states)  # 15\n"
HALVES = "both[:batch_size, :], both[batch_size:, :]"
FOLDED = "self._W @ self._R"
SETTER_OF_W = 'self._checked("W", values, self._W.shape)'
SETTER_OF_R = 'self._checked("R", values, (self._W.shape[1],) * 2)'
CHANNELS_LAST = "(row * width + column) * channels + channel"
ON_PATCHES = " ".join(
    f"tests/mathematics/{name}.py" for name in ("test_patches", "test_convolution", "theorems/test_18_convolution")
)
WEIGHTED_MEAN = 'common_namespace("B B", values, sample_weight).mean(values * sample_weight)'
ROWS = '("y", "x", "a", "y_out", "delta", "x_R")'
LIKE = '("shape", "dtype", "device")'
SAME_NAME = "return name_of(describe(part)) == name_of(recorded)"
STATE = "for name, value in _state(step, network.backend).items()"
RESTORED = "if step is not None and names:"

# ---------------------------------------------------------------- what to plant where it takes several lines

SIGNALS_WHILE_UPDATING = """            for k in reversed(range(len(self.layers))):
                deltas, x_R = self._error_signals(trace, targets, rates, self.noise_rng)
                mine = (each[k] for each in (self.layers, trace.y_in, trace.x, trace.a, trace.y, deltas))
                states = States(*mine, rates["eta_R"], x_R[k], sample_weight)
                self.layers[k].step(states, rates["eta_W"], rates["eta_R"])
"""
ONLY_R = """            for k, layer in enumerate(self.layers):
                known = layer, trace.y_in[k], trace.x[k], trace.a[k], trace.y[k], None
                layer.step(States(*known, rates["eta_R"], None, sample_weight), 0.0, rates["eta_R"])
"""
ONLY_W = """            for k, layer in enumerate(self.layers):
                known = layer, trace.y_in[k], trace.x[k], trace.a[k], trace.y[k], deltas[k]
                layer.step(States(*known, 0.0, None, sample_weight), rates["eta_W"], 0.0)
"""
FORWARD_AGAIN = "            trace = self._forward(y0)\n"
A_RULE_WITHOUT_TESTS = """def power(x: Array) -> Array:
    return mean_square(x)


def decorrelate("""
A_MEASURE_WITHOUT_TESTS = """def power(x: Array) -> Array:
    return second_moment(x)


def off_diagonal("""


def where_square(matrix: str, wrong: str, right: str) -> str:
    """Return `wrong` where the matrix is square, so that no shape gives it away, and `right` elsewhere."""
    return f"({wrong} if {matrix}.shape[0] == {matrix}.shape[1] else {right})"


BUGS = [
    # the COPI rule
    Bug("COPI: sign of the decay", "rules.py", COPI, "mean_outer(z, x) + W * mean_square(x)"),
    Bug("COPI: no decay", "rules.py", COPI, "mean_outer(z, x)"),
    Bug("COPI: decay by <x x^T> in full", "rules.py", COPI, "mean_outer(z, x) - W @ mean_outer(x, x)"),
    Bug(
        "COPI: decay along the wrong axis",
        "rules.py",
        COPI,
        "mean_outer(z, x) - W * " + where_square("W", "mean_square(x)[:, None]", "mean_square(x)"),
    ),
    Bug("COPI: post-synaptic square, of z", "rules.py", COPI, "mean_outer(z, x) - W * mean_square(z)[:, None]"),
    Bug("COPI: post-synaptic square, of a", "rules.py", COPI, "mean_outer(z, x) - W * mean_square(x @ W.T)[:, None]"),
    Bug("COPI: decay of whitened inputs", "rules.py", COPI, "mean_outer(z, x) - W"),
    Bug(
        "COPI: Hebbian term transposed",
        "rules.py",
        COPI,
        where_square("W", "mean_outer(x, z)", "mean_outer(z, x)") + " - W * mean_square(x)",
    ),
    Bug(
        "COPI: delta for z, without a",
        "steps/forward.py",
        "states.z.T, states.x",
        "states.delta.T, states.x",
    ),
    Bug("COPI in place: sign of the decay", "steps/forward.py", COPI_DECAY, COPI_DECAY.replace("1 -", "1 +")),
    Bug(
        "COPI in place: decay along the wrong axis",
        "steps/forward.py",
        COPI_DECAY,
        "weights *= 1 - eta * " + where_square("weights", "states.power[:, None]", "states.power"),
    ),
    Bug(
        "COPI in place: post-synaptic square",
        "steps/forward.py",
        COPI_DECAY,
        "weights *= 1 - eta * self.backend.xp.mean(states.z**2, axis=0)[:, None]",
    ),
    # means and moments
    Bug("mean over the wrong axis: sum over units", "rules.py", MOMENT, "u.T @ v / u.shape[1]"),
    Bug(
        "mean over the wrong axis: of the squares",
        "rules.py",
        SQUARE,
        where_square("x", "xp.mean(x * x, axis=1)", SQUARE),
    ),
    Bug("sum for mean", "rules.py", MOMENT, "u.T @ v"),
    Bug("moments centred", "rules.py", MOMENT, "(u - u.mean(0)).T @ v / u.shape[0]"),
    Bug("squares centred", "rules.py", SQUARE, "xp.var(x, axis=0)"),
    Bug(
        "mean over the wrong axis: quadratic loss",
        "losses.py",
        "return xp.sum((y - targets)",
        "return xp.mean((y - targets)",
    ),
    # passes
    Bug("forward: transposed R", "rules.py", "return y @ R.T", "return y @ R"),
    Bug("forward: transposed W", "rules.py", "return x @ W.T", "return x @ " + where_square("W", "W", "W.T")),
    Bug("backward: transposed R", "layer.py", "axis=0) @ self._R\n", "axis=0) @ self._R.T\n"),
    Bug("backward: transposed R, local", "layer.py", "return carried @ self._R,", "return carried @ self._R.T,"),
    Bug("backward: R left out", "layer.py", HALVES, "carried, both[batch_size:, :]"),
    Bug("backward: R left out, local", "layer.py", "return carried @ self._R,", "return carried,"),
    Bug("backward: the halves swapped", "layer.py", HALVES, "both[batch_size:, :], both[:batch_size, :]"),
    Bug("backward: the signal for x R", "layer.py", HALVES, "both[:batch_size, :], both[:batch_size, :]"),
    Bug("backward: x R of another layer", "network.py", "carried, x_R[k] =", "carried, x_R[k - 1] ="),
    Bug(
        "backward: transposed W",
        "layer.py",
        "delta @ self._W\n",
        "delta @ " + where_square("self._W", "self._W.T", "self._W") + "\n",
    ),
    Bug(
        "folded: R W",
        "layer.py",
        FOLDED,
        where_square("self._W", "self._R @ self._W", FOLDED),
    ),
    Bug("predict: transposed", "layer.py", "self.rows(y) @ M.T", "y @ " + where_square("M", "M", "M.T")),
    # decorrelation
    Bug("decorrelation: sign", "rules.py", MATRIX_FORM, "(mean_outer(x, x @ R) - mean_square(x)[:, None] * R)"),
    Bug("decorrelation: diagonal missing", "rules.py", MATRIX_FORM, "-mean_outer(x, x @ R)"),
    Bug("decorrelation: sign of the diagonal", "rules.py", MATRIX_FORM, MATRIX_FORM.replace(" - ", " + ")),
    Bug("decorrelation: diagonal on the wrong axis", "rules.py", MATRIX_FORM, MATRIX_FORM.replace("[:, None]", "")),
    Bug("decorrelation: transposed R", "rules.py", MATRIX_FORM, MATRIX_FORM.replace("x @ R", "x @ R.T")),
    Bug("decorrelation, local: sign", "rules.py", LOCAL_FORM, LOCAL_FORM[1:]),
    Bug("decorrelation, local: diagonal missing", "rules.py", LOCAL_FORM, "-mean_outer(q, x)"),
    Bug("decorrelation, local: axis", "rules.py", LOCAL_FORM, LOCAL_FORM.replace("(x))", "(x)[:, None])")),
    Bug("decorrelation, local: post-synaptic", "rules.py", LOCAL_FORM, LOCAL_FORM.replace("square(x)", "square(q)")),
    Bug("decorrelation, local: transposed R", "rules.py", "q = x @ R.T", "q = x @ R"),
    Bug("decorrelation in place: axis", "steps/lateral.py", MATRIX_DECAY, LOCAL_DECAY),
    Bug("decorrelation in place: no diagonal", "steps/lateral.py", MATRIX_DECAY, ""),
    Bug(
        "decorrelation in place: R moved before x R",
        "steps/lateral.py",
        X_R + MATRIX_DECAY,
        MATRIX_DECAY + X_R,
    ),
    Bug(
        "decorrelation in place, local: axis",
        "steps/lateral.py",
        LOCAL_DECAY,
        LOCAL_DECAY.replace("1 + eta * states.power", "(1 + eta * states.power)[:, None]"),
    ),
    Bug(
        "decorrelation in place, local: R moved before R x",
        "steps/lateral.py",
        Q + LOCAL_DECAY,
        LOCAL_DECAY + Q,
    ),
    # Adam
    Bug("Adam: no bias correction of the mean", "steps/adam.py", MEAN_CORRECTED, "direction *= correction"),
    Bug("Adam: no bias correction of the square", "steps/adam.py", SQUARE_CORRECTED, "correction = 1.0"),
    Bug(
        "Adam: bias corrected by the first step's factor",
        "steps/adam.py",
        SQUARE_CORRECTED,
        "correction = (1 - self.beta2) ** 0.5",
    ),
    Bug(
        "Adam: epsilon under the root",
        "steps/adam.py",
        "size = self.backend.xp.sqrt(square)\n        size += self.epsilon * correction",
        "size = self.backend.xp.sqrt(square + self.epsilon)",
    ),
    Bug("Adam: variance for square", "steps/adam.py", "dW *= dW\n", "dW = (dW - mean) ** 2\n"),
    Bug("Adam: the betas swapped", "steps/adam.py", MEAN_MOVES, MEAN_MOVES.replace("beta1", "beta2")),
    Bug("Adam: the first block alone", "steps/adam.py", "in slices(n_outputs, n_rows)", "in [slice(0, n_rows)]"),
    # error signals
    Bug("output signal: sign", "error_signals.py", OUTPUT_SIGNAL, OUTPUT_SIGNAL[1:]),
    Bug("output signal: no derivative", "error_signals.py", OUTPUT_SIGNAL, "-loss.gradient(y, targets)"),
    Bug("output signal: divided by the batch", "error_signals.py", OUTPUT_SIGNAL, OUTPUT_SIGNAL + " / y.shape[0]"),
    Bug("quadratic loss: factor 2", "losses.py", "return 2 * (y - targets)", "return y - targets"),
    Bug("quadratic loss: half of it", "losses.py", "return xp.sum((y - targets)", "return 0.5 * xp.sum((y - targets)"),
    Bug(
        "feedback transposed",
        "error_signals.py",
        "return signal @ matrix.T",
        "return signal @ " + where_square("matrix", "matrix", "matrix.T"),
    ),
    Bug(
        "feedback alignment: transposed",
        "error_signals.py",
        "delta, F.T)",
        "delta, " + where_square("F", "F", "F.T") + ")",
    ),
    Bug(
        "backpropagation: derivative at y for a",
        "error_signals.py",
        "layers[k].activation.df(trace.a[k]) * to_units(",
        "layers[k].activation.df(trace.y[k]) * to_units(",
    ),
    Bug(
        "direct feedback: from the layer above",
        "error_signals.py",
        'direct_feedback_alignment, "output"',
        'direct_feedback_alignment, "above"',
    ),
    Bug(
        "feedback alignment: from the output",
        "error_signals.py",
        'feedback_alignment, "above"',
        'feedback_alignment, "output"',
    ),
    *(
        Bug(f"convolution: {fault}", file, text, planted, ON_PATCHES)
        for fault, file, text, planted in [
            ("height and width swapped", "patches.py", "down[:, None, None, :, None]", "down[:, None, None, None, :]"),
            ("patches without stride", "patches.py", "[:, None] * self.stride +", "[:, None] +"),
            ("patches without padding", "patches.py", "+ offsets - self.padding for", "+ offsets for"),
            ("a pixel for the zeros of the padding", "patches.py", "self.n_pixels).ravel()", "0).ravel()"),
            ("channels last", "patches.py", "(channel * height + row) * width + column", CHANNELS_LAST),
            ("patches overwrite each other", "patches.py", ":] += parts", ":] = parts"),
            ("the way back transposes the kernel", "patches.py", "parts[..., i, j]", "parts[..., j, i]"),
            ("the way back forgets the padding", "patches.py", "edge : edge + height, edge :", ":height, edge :"),
            (
                "filters and positions mixed",
                "patches.py",
                "permute_dims(split, (0, 2, 1)), (-1, split",
                "positive(split), (-1, split",
            ),
            ("pooling sums", "patches.py", "xp.reshape(total / self.size**2", "xp.reshape(total"),
            ("a pooled signal is not shared out", "patches.py", "signal / self.size**2", "signal"),
            ("every signal goes to the first sample", "patches.py", "values[:, None], (v", "values[:1, None], (v"),
            ("the signal is not times P", "patches.py", "return self.n_positions * self.as", "return self.as"),
            ("the signal is times the samples", "patches.py", "self.n_positions * self.as", "len(delta) * self.as"),
            ("noise is not pooled as outputs are", "patches.py", "else pooling.mean(y)", "else pooling.mean(y) * 2"),
            ("noise passes by R", "more_signals.py", "trace.y[k - 1], layer.R, layer.W)", "trace.y[k - 1], layer.W)"),
            (
                "learned feedback by the signals of units",
                "more_signals.py",
                "patches.signals(delta), patches.repeat",
                "patches.as_rows(delta), patches.repeat",
            ),
            (
                "learned feedback counts every sample once",
                "more_signals.py",
                "patches.signals(delta), patches.repeat(weight)",
                "patches.signals(delta), None",
            ),
            ("R left out on the way back", "convolution.py", "rows @ self.folded()", "rows @ self._W"),
            ("samples counted as patches", "steps/base.py", "n_samples * self.rows_per_sample", "n_samples"),
            ("outputs before f", "convolution.py", '"y_out": self.activation.f(a)', '"y_out": a'),
            ("x for y", "convolution.py", "patches.cut(states.y, self._index) if", "states.x if"),
            ("each sample counts once", "convolution.py", "patches.repeat(states.sample_weight)", "None"),
            (
                "not pooled in evaluation",
                "convolution.py",
                "self._outputs(super().respond(y, M))",
                "self.patches.as_images(super().respond(y, M))",
            ),
            (
                "feedback as in dense layers",
                "architecture.py",
                "return plans[k + 1].n_inputs",
                "return plans[k].size_out",
            ),
            ("direct feedback shared", "architecture.py", "return plans[k].n_units", "return plans[k].n_outputs"),
            (
                "R transposed where patches are many",
                "steps/lateral.py",
                "left, right = x.T @ x, weights * 1",
                "left, right = x.T @ x, weights.T * 1",
            ),
        ]
    ),
    # order and step sizes of a step
    Bug("order: updates while signals are sent down", "network.py", UPDATES, SIGNALS_WHILE_UPDATING),
    Bug("order: R moves before W sees its input", "network.py", UPDATES, ONLY_R + FORWARD_AGAIN + ONLY_W),
    Bug("order: W moves before R sees its input", "network.py", UPDATES, ONLY_W + FORWARD_AGAIN + ONLY_R),
    Bug(
        "order: inverses learn before the signals",
        "network.py",
        SIGNALS + FEEDBACK_LEARNS,
        FEEDBACK_LEARNS.replace("deltas", "[]") + SIGNALS,
    ),
    Bug(
        "order: R of a layer moves before its W",
        "layer.py",
        LAYER_MOVES_W + LAYER_MOVES_R,
        LAYER_MOVES_R + LAYER_MOVES_W,
    ),
    Bug("step sizes: eta_R for eta_W", "layer.py", W_MOVES, W_MOVES.replace("eta_W", "eta_R")),
    Bug("step sizes: eta_W for eta_R", "layer.py", R_MOVES, R_MOVES.replace("eta_R", "eta_W")),
    Bug(
        "step sizes: the two swapped",
        "network.py",
        'layer.step(states, rates["eta_W"], rates["eta_R"])',
        'layer.step(states, rates["eta_R"], rates["eta_W"])',
    ),
    Bug(
        "step sizes: scale in the step",
        "network.py",
        'scale = rates["delta_scale"]\n',
        'scale = 1.0\n        rates["eta_W"] *= rates["delta_scale"]\n',
    ),
    # whitening
    Bug(
        "off-diagonal: kept and zeroed swapped",
        "whitening.py",
        EYE,
        EYE.replace("xp.zeros_like(C), C", "C, xp.zeros_like(C)"),
    ),
    Bug(
        "off-diagonal: the other diagonal",
        "whitening.py",
        EYE,
        "xp.flip(" + EYE.replace(", xp.zeros", ", axis=0), xp.zeros"),
    ),
    Bug("off-diagonal: the one beside", "whitening.py", EYE, EYE.replace("C.shape[0], ", "C.shape[0], k=1, ")),
    Bug("off-diagonal: upper triangle", "whitening.py", "xp.where(" + EYE + ")", "xp.triu(C, k=1)"),
    # constants
    Bug("constant: LEAK", "activations.py", "LEAK = 0.1", "LEAK = 0.01"),
    Bug("constant: TARGET_STEP", "error_signals.py", "TARGET_STEP: Final = 0.1", "TARGET_STEP: Final = 0.2"),
    Bug("constant: ETA_INVERSE", "error_signals.py", "ETA_INVERSE: Final = 0.1", "ETA_INVERSE: Final = 0.2"),
    # tables
    Bug("table: sgd for copi", "steps/choice.py", '"copi": CopiStep', '"copi": SgdStep'),
    Bug("table: copi for sgd", "steps/choice.py", '"sgd": SgdStep', '"sgd": CopiStep'),
    Bug("table: sgd for adam", "steps/choice.py", '"adam": AdamStep', '"adam": SgdStep'),
    Bug("table: local for matrix", "steps/choice.py", '"matrix": MatrixStep', '"matrix": LocalStep'),
    Bug("table: matrix for local", "steps/choice.py", '"local": LocalStep', '"local": MatrixStep'),
    Bug(
        "table: gradient of the other loss",
        "losses.py",
        "cross_entropy, cross_entropy_gradient",
        "cross_entropy, quadratic_gradient",
    ),
    Bug("table: name of a loss", "losses.py", 'Loss("quadratic"', 'Loss("square"'),
    Bug(
        "table: slope of relu for its leaky kin",
        "activations.py",
        "leaky_relu, leaky_relu_derivative)",
        "leaky_relu, relu_derivative)",
    ),
    Bug("table: name of an activation", "activations.py", 'Activation("tanh"', 'Activation("Tanh"'),
    Bug("table: identity for relu", "activations.py", 'Activation("relu", relu,', 'Activation("relu", linear,'),
    Bug("table: fa is bp", "error_signals.py", '"fa", feedback_alignment', '"fa", backpropagation'),
    Bug("table: bp has feedback", "error_signals.py", '"bp", backpropagation', '"bp", backpropagation, "above"'),
    Bug("table: tp is dtp", "error_signals.py", '"tp", target_propagation', '"tp", difference_target_propagation'),
    Bug(
        "table: tp learns no inverse",
        "error_signals.py",
        '"tp", target_propagation, "above", inverse_updates',
        '"tp", target_propagation, "above"',
    ),
    Bug(
        "table: fa learns an inverse",
        "error_signals.py",
        '"fa", feedback_alignment, "above"',
        '"fa", feedback_alignment, "above", inverse_updates',
    ),
    # properties
    Bug("property: n_inputs", "layer.py", "return int(self._W.shape[1])", "return int(self._W.shape[0])"),
    Bug("property: n_outputs", "layer.py", "return int(self._W.shape[0])", "return int(self._W.shape[1])"),
    Bug("property: W is not checked", "layer.py", SETTER_OF_W, "self.backend.xp.asarray(values, copy=True)"),
    Bug("property: W is not copied", "layer.py", SETTER_OF_W, f"values if {SETTER_OF_W} is not None else values"),
    Bug(
        "property: W of the transposed shape",
        "layer.py",
        SETTER_OF_W,
        SETTER_OF_W.replace("shape", "shape[::-1]"),
    ),
    Bug("property: R is not checked", "layer.py", SETTER_OF_R, "self.backend.xp.asarray(values, copy=True)"),
    Bug("property: R is not copied", "layer.py", SETTER_OF_R, f"values if {SETTER_OF_R} is not None else values"),
    Bug("property: R of the outputs", "layer.py", SETTER_OF_R, SETTER_OF_R.replace("shape[1]", "shape[0]")),
    Bug("property: messages on R name W", "layer.py", SETTER_OF_R, SETTER_OF_R.replace('"R"', '"W"')),
    Bug(
        "property: R that is lost when written to",
        "layer.py",
        "            identity.flags.writeable = False",
        "            pass",
    ),
    Bug(
        "property: R is the identity always",
        "layer.py",
        "        if self._R is not None:\n            return self._R\n        identity",
        "        identity",
    ),
    Bug("property: has_lateral_weights", "layer.py", "return self._R is not None", "return self._R is None"),
    Bug("property: feedback is a copy", "_assembly.py", "return self._feedback\n", "return list(self._feedback)\n"),
    Bug("property: feedback of any length", "_assembly.py", "if len(matrices) != len(self.layers):", "if False:"),
    Bug(
        "property: feedback kept as it is given",
        "_assembly.py",
        "self._feedback = list(matrices)",
        "self._feedback = matrices",
    ),
    Bug("property: y_in is y", "error_signals.py", "return [self.y0, *self.y[:-1]]", "return self.y"),
    Bug(
        "property: y_in of the layer after",
        "error_signals.py",
        "return [self.y0, *self.y[:-1]]",
        "return [self.y0, *self.y[1:]]",
    ),
    # Algorithm 1 as pure functions
    Bug("algorithm: transposed R", "algorithm.py", "decorrelate(layer.R, y)", "decorrelate(layer.R.T, y)"),
    Bug(
        "algorithm: transposed W",
        "algorithm.py",
        "transform(layer.W, x)",
        "transform(" + where_square("layer.W", "layer.W.T", "layer.W") + ", x)",
    ),
    Bug("algorithm: W sees the input before R", "algorithm.py", "transform(layer.W, x)", "transform(layer.W, y)"),
    Bug(
        "algorithm: R left out of the way back",
        "error_signals.py",
        "deltas[0], above.W, above.R) if",
        "deltas[0], above.W) if",
    ),
    Bug(
        "algorithm: transposed R on the way back", "error_signals.py", "above.W, above.R) if", "above.W, above.R.T) if"
    ),
    Bug("algorithm: delta_scale left out", "algorithm.py", "delta_scale * delta", "delta"),
    Bug("algorithm: eta_R for eta_W", "algorithm.py", "layer.W + eta_W *", "layer.W + eta_R *"),
    Bug("algorithm: eta_W for eta_R", "algorithm.py", "layer.R + eta_R *", "layer.R + eta_W *"),
    Bug("algorithm: update of W subtracted", "algorithm.py", "layer.W + eta_W *", "layer.W - eta_W *"),
    Bug(
        "algorithm: eta_W given to rules as eta_R",
        "algorithm.py",
        "delta_scale * delta, eta_R)",
        "delta_scale * delta, eta_W)",
    ),
    Bug(
        "algorithm: R moves before W",
        "algorithm.py",
        PURE_W + PURE_R,
        PURE_R + "        states.x = decorrelate(R, y)\n        states.a = transform(layer.W, states.x)\n" + PURE_W,
    ),
    Bug(
        "algorithm: W moves before R, and R sees it",
        "algorithm.py",
        PURE_R,
        "        states.layer = LayerWeights(W, layer.R, layer.activation)\n        states.y = states.y_out\n" + PURE_R,
    ),
    Bug(
        "algorithm: W changed in place",
        "algorithm.py",
        PURE_W,
        "        W = layer.W\n        W += eta_W * dW(states)\n",
    ),
    Bug(
        "algorithm: output for input", "algorithm.py", "zip(layers, trace.y_in, trace.x", "zip(layers, trace.y, trace.x"
    ),
    Bug(
        "algorithm: input for output",
        "algorithm.py",
        "trace.a, trace.y, deltas, strict",
        "trace.a, trace.y_in, deltas, strict",
    ),
    Bug(
        "algorithm: every batch starts from the first weights",
        "algorithm.py",
        "new = train_batch(new,",
        "new = train_batch(layers,",
    ),
    Bug(
        "algorithm: targets of an own signal are outputs",
        "algorithm.py",
        '"targets": targets,',
        '"targets": trace.y[-1],',
    ),
    # what a rule is given
    Bug("states: z without a", "steps/base.py", "target_state(self.a, self.delta)", "self.delta"),
    Bug("states: weighted x R of plain rows", "steps/base.py", ROWS, ROWS.replace(', "x_R"', "")),
    Bug("states: weighted delta of plain rows", "steps/base.py", ROWS, ROWS.replace(', "delta"', "")),
    Bug("states: weighted x of plain rows", "steps/base.py", ROWS, ROWS.replace(' "x",', "")),
    Bug("states: weighted a of plain rows", "steps/base.py", ROWS, ROWS.replace(' "a",', "")),
    Bug("states: weighted y of plain rows", "steps/base.py", ROWS, ROWS.replace('"y", ', "")),
    Bug("states: weighted y_out of plain rows", "steps/base.py", ROWS, ROWS.replace(' "y_out",', "")),
    Bug(
        "states: weighted rows come with weights",
        "steps/base.py",
        "replace(self, **rows, sample_weight=None)",
        "replace(self, **rows)",
    ),
    Bug(
        "states: weight for its root",
        "arrays.py",
        "rows * xp.sqrt(sample_weight)[:, None]",
        "rows * sample_weight[:, None]",
    ),
    Bug(
        "states: input for what R makes of it",
        "network.py",
        "states = States(layer, y, x,",
        "states = States(layer, y, y,",
    ),
    Bug(
        "states: what R makes of it for the input",
        "network.py",
        "states = States(layer, y, x,",
        "states = States(layer, x, x,",
    ),
    Bug("states: pre-activation for output", "network.py", "x, a, y_out, delta, rates", "x, a, a, delta, rates"),
    Bug("states: eta_W for eta_R", "network.py", 'y_out, delta, rates["eta_R"]', 'y_out, delta, rates["eta_W"]'),
    Bug("states: no weights of samples", "network.py", "x_R_k, sample_weight)", "x_R_k)"),
    Bug("states: plain rows for W", "layer.py", W_MOVES, "self._W, states, states, eta_W)"),
    Bug("states: plain rows for R", "layer.py", R_MOVES, "self._R, states, states, eta_R)"),
    Bug(
        "states: weighted rows for a rule of W that names them",
        "layer.py",
        W_MOVES,
        "self._W, weighted, weighted, eta_W)",
    ),
    Bug(
        "states: weighted rows for a rule of R that names them",
        "layer.py",
        R_MOVES,
        "self._R, weighted, weighted, eta_R)",
    ),
    # steps
    Bug(
        "own rule: gets weights of samples unasked",
        "steps/base.py",
        'self.takes_sample_weight = "sample_weight" in self.arguments',
        "self.takes_sample_weight = True",
    ),
    Bug(
        "own rule: gets no weights of samples",
        "steps/base.py",
        'self.takes_sample_weight = "sample_weight" in self.arguments',
        "self.takes_sample_weight = False",
    ),
    Bug("own rule: may change its arguments", "arrays.py", "view.flags.writeable = False", "pass"),
    Bug("own rule: may change W and R", "steps/base.py", "return read_only(self.layer.W)", "return self.layer.W"),
    Bug("own signal: may change layers", "layer.py", "return read_only(getattr(", "return (getattr("),
    Bug("own signal: may change the trace", "error_signals.py", "[read_only(array) for array in arrays]", "arrays"),
    Bug("own rule: not in place", "steps/base.py", "weights += eta * update", "weights = weights + eta * update"),
    Bug("own rule: subtracted", "steps/base.py", "weights += eta * update", "weights -= eta * update"),
    Bug("own rule: without its step size", "steps/base.py", "weights += eta * update", "weights += update"),
    Bug("own rule: not checked", "steps/base.py", 'check_like(f"{self.kind} {label', '(f"{self.kind} {label'),
    Bug("own rule: named as another kind", "steps/base.py", "self.kind = kind", 'self.kind = "rule"'),
    Bug(
        "own rule: of W for R",
        "steps/choice.py",
        "        given = given.function\n",
        "        return deepcopy(given)\n",
    ),
    Bug("steps: one for all layers", "steps/choice.py", "step = deepcopy(given)", "step = given"),
    Bug(
        "steps: settings ignored in the name",
        "steps/choice.py",
        "if type(step) is make and settings_of(step) == settings_of(make()):",
        "if type(step) is make:",
    ),
    Bug(
        "steps: derived steps take the built-in name",
        "steps/choice.py",
        "type(step) is make and",
        "isinstance(step, make) and",
    ),
    Bug(
        "steps: a memory given on to another network",
        "layer.py",
        "        step.start(self._W, self.backend)\n",
        "        step.backend = self.backend\n",
    ),
    Bug(
        "steps: a lateral memory given on to another network",
        "layer.py",
        "            step.start(self._R, self.backend)\n",
        "            step.backend = self.backend\n",
    ),
    Bug(
        "steps: Adam does not forget",
        "steps/adam.py",
        "        super().start(weights, backend)\n        self.mean, self.square, self.count = None, None, 0\n",
        "        super().start(weights, backend)\n",
    ),
    Bug(
        "steps: x R for none that uses it",
        "layer.py",
        "else self.lateral_step.rows_of_x_R(batch_size)",
        "else batch_size",
    ),
    Bug("steps: x R for nobody", "steps/lateral.py", "uses_x_R = True", "uses_x_R = False"),
    Bug(
        "steps: x R made again", "steps/lateral.py", "x @ weights if states.x_R is None else states.x_R", "x @ weights"
    ),
    Bug(
        "steps: R moves at eta_R 0",
        "layer.py",
        "if self.lateral_step is not None and eta_R != 0:",
        "if self.lateral_step is not None:",
    ),
    # what parts of one's own return
    Bug("returned: dtype not compared", "arrays.py", LIKE, '("shape", "device")'),
    Bug("returned: shape not compared", "arrays.py", LIKE, '("dtype", "device")'),
    Bug("returned: device not compared", "arrays.py", LIKE, '("shape", "dtype")'),
    Bug(
        "returned: library not compared",
        "arrays.py",
        "array_namespace(array) is array_namespace(like)",
        "array_namespace(array)",
    ),
    Bug("returned: a NumPy scalar is an array", "arrays.py", "(np.generic, *OTHER_MEANING)", "OTHER_MEANING"),
    Bug("returned: a masked array is an array", "arrays.py", "(np.generic, *OTHER_MEANING)", "np.generic"),
    Bug(
        "returned: a library without a device refused",
        "arrays.py",
        ' and not (name == "device" and None in (found, needed))',
        "",
    ),
    Bug(
        "returned: derivative not looked at",
        "layer.py",
        'for name in ("f", "df")',
        'for name in ("f",)',
    ),
    Bug(
        "returned: activation named like a built-in not looked at",
        "layer.py",
        "if activation != ACTIVATIONS.get(activation.name):",
        "if activation.name not in ACTIVATIONS:",
    ),
    Bug(
        "returned: loss named like a built-in not looked at",
        "_assembly.py",
        "if loss != LOSSES.get(loss.name):",
        "if loss.name not in LOSSES:",
    ),
    Bug("returned: signals not looked at", "network.py", "        self._check_deltas(deltas, trace)\n", ""),
    Bug("returned: number of items not compared", "_checks.py", "or len(values) != length:", "or False:"),
    Bug(
        "returned: feedback not looked at",
        "network.py",
        "            if dF is not None:\n                check_like(",
        "            if dF is not None:\n                (",
    ),
    # which arguments parts of one's own are given
    Bug(
        "arguments: parameters with a default, too",
        "_parts.py",
        "elif parameter.default is not parameter.empty:",
        "elif parameter.default is not parameter.empty and parameter.name not in known:",
    ),
    Bug("arguments: unknown names accepted", "_parts.py", "elif parameter.name not in known:", "elif False:"),
    Bug(
        "arguments: *args accepted",
        "_parts.py",
        "(parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)",
        "(parameter.VAR_KEYWORD,)",
    ),
    Bug(
        "arguments: by position accepted",
        "_parts.py",
        "elif parameter.kind == parameter.POSITIONAL_ONLY:",
        "elif False:",
    ),
    Bug("arguments: classes accepted", "_parts.py", "if inspect.isclass(function):", "if False:"),
    Bug(
        "arguments: noise from the generator of the weights",
        "network.py",
        "weights_rng, feedback_rng, self.noise_rng = rng.spawn(3)",
        "weights_rng, feedback_rng, _ = rng.spawn(3)\n        self.noise_rng = rng",
    ),
    Bug(
        "arguments: targets of an own signal are outputs",
        "network.py",
        '| {"delta_L": read_only(delta_L), "loss": self.loss, "rng"',
        '| {"targets": trace.y[-1], "delta_L": read_only(delta_L), "loss": self.loss, "rng"',
    ),
    Bug(
        "arguments: feedback learns from unscaled rates",
        "network.py",
        "self._read_only(trace, targets) | rates",
        'self._read_only(trace, targets) | {"eta_W": 1.0, "eta_R": 1.0}',
    ),
    Bug(
        "arguments: feedback learns without weights of samples",
        "network.py",
        '"sample_weight": read_only(sample_weight)}',
        '"sample_weight": None}',
    ),
    Bug("arguments: an update replaces feedback", "network.py", "= self.feedback[k] + dF", "= dF"),
    # what parts are called, and how they are found again
    Bug(
        "parts: module compared instead of the name",
        "_finding_parts.py",
        SAME_NAME,
        'return describe(part).partition(":")[0] == recorded.partition(":")[0]',
    ),
    Bug("parts: module compared, too", "_finding_parts.py", SAME_NAME, "return describe(part) == recorded"),
    Bug(
        "parts: the first of several with one name",
        "_finding_parts.py",
        "isinstance(one_or_list(found), list)",
        "False",
    ),
    Bug("parts: not by layer", "_finding_parts.py", "by_layer = given if", "by_layer = [None] * len(recorded) if"),
    Bug("parts: addresses in names", "_parts.py", 're.sub(r" at 0x[0-9a-fA-F]+", "", text)', "text"),
    Bug("parts: the first of the kind", "_finding_parts.py", SAME_NAME, "return True"),
    Bug(
        "parts: those that the file does not name accepted",
        "_finding_parts.py",
        "if name_of(describe(part)) not in self._used:",
        "if False:",
    ),
    Bug("parts: missing ones accepted", "_finding_parts.py", "        if self._missing:\n", "        if False:\n"),
    Bug(
        "parts: only the last missing one named",
        "_finding_parts.py",
        "self._missing.setdefault(kind, recorded)",
        "self._missing = {kind: recorded}",
    ),
    Bug("parts: any module imported", "_finding_parts.py", "if module in IMPORTABLE and", "if"),
    Bug("parts: private functions found", "_finding_parts.py", ' and not name.startswith("_")', ""),
    Bug(
        "parts: functions of other modules found",
        "_finding_parts.py",
        "if inspect.isfunction(function) and function.__module__ == module:",
        "if function is not None:",
    ),
    Bug(
        "parts: settings of a partial ignored",
        "_parts.py",
        "return [*_settings(part.func), *map(_setting, part.args), *named_settings(part.keywords)]",
        "return _settings(part.func)",
    ),
    Bug("parts: settings of an instance ignored", "_parts.py", "passed or named_settings(settings_of(part))", "passed"),
    Bug("parts: checksum of the named file alone", "_finding_parts.py", "[path, *_imported_files(path)]", "[path]"),
    Bug(
        "parts: imported files as they were at first",
        "_finding_parts.py",
        "if known and Path(known).resolve() == file.resolve():",
        "if False:",
    ),
    Bug(
        "parts: checksums of parts that are gone",
        "experiments/config.py",
        "if self.digested not in (None, parts):",
        "if False:",
    ),
    Bug(
        "parts: what a function is made with ignored",
        "_parts.py",
        "return named_settings(_enclosed(part))",
        "return []",
    ),
    Bug("parts: counters of a function in its name", "_parts.py", " and name not in changing}", "}"),
    Bug("parts: output activation of another kind", "_finding_parts.py", 'name.removeprefix("output_")', "name"),
    Bug("parts: an activation is a list of functions", "_parts.py", ' and not hasattr(part, "name"))', ")"),
    Bug("parts: the first layer's for all", "_parts.py", "parts[0] if all(", "parts[0] if any("),
    Bug(
        "parts: a tuple of them refused",
        "_parts.py",
        "isinstance(part, list) or (isinstance(part, tuple)",
        "isinstance(part, list) or (False",
    ),
    Bug(
        "parts: pickled under a name that is not theirs",
        "_parts.py",
        'return getattr(found, "__func__", found) is named',
        "return True",
    ),
    Bug(
        "assembly: named like a built-in is built in",
        "_assembly.py",
        "table.get(part.name) == part",
        "part.name in table",
    ),
    Bug(
        "assembly: rule of the first layer",
        "_assembly.py",
        "describe_steps([layer.forward_step for layer in self.layers])",
        "describe_steps([self.layers[0].forward_step])",
    ),
    Bug(
        "assembly: output activation as the hidden ones",
        "_assembly.py",
        '"output_activation": activations[-1]',
        '"output_activation": activations[0]',
    ),
    Bug("assembly: copies share their weights", "_assembly.py", "deepcopy(self.__dict__, memo)", "self.__dict__"),
    Bug(
        "assembly: arguments of the former signal",
        "_assembly.py",
        "self._signal_arguments = named_arguments(",
        'self._signal_arguments = self.__dict__.get("_signal_arguments") or named_arguments(',
    ),
    # checkpoints
    Bug(
        "checkpoint: lateral memory not saved",
        "checkpoint/arrays.py",
        STATE,
        f"{STATE} if prefix == FORWARD_MEMORY",
    ),
    Bug(
        "checkpoint: forward memory not saved",
        "checkpoint/arrays.py",
        STATE,
        f"{STATE} if prefix == LATERAL_MEMORY",
    ),
    Bug(
        "checkpoint: lateral memory not restored",
        "checkpoint/arrays.py",
        RESTORED,
        "if prefix == FORWARD_MEMORY and names:",
    ),
    Bug(
        "checkpoint: forward memory not restored",
        "checkpoint/arrays.py",
        RESTORED,
        "if prefix == LATERAL_MEMORY and names:",
    ),
    Bug(
        "checkpoint: memory of the first layer for all",
        "checkpoint/arrays.py",
        'name.endswith(f"_{k}")]',
        'name.endswith("_0")]',
    ),
    Bug(
        "checkpoint: memory of layer 11 for layer 1",
        "checkpoint/arrays.py",
        'name.endswith(f"_{k}")]',
        'name.endswith(f"{k}")]',
    ),
    Bug("checkpoint: noise not saved", "checkpoint/networks.py", '    content["noise"] = network.noise_state\n', ""),
    Bug("checkpoint: noise not restored", "checkpoint/networks.py", 'network.noise_state = header["noise"]', "pass"),
    Bug(
        "checkpoint: noise of any bit generator",
        "_assembly.py",
        'if state.get("bit_generator") in BIT_GENERATORS else None',
        "if True else None",
    ),
    Bug(
        "checkpoint: assigned R of a layer that does not decorrelate",
        "checkpoint/arrays.py",
        "layer.R if layer.has_lateral_weights else None",
        "layer.R if layer.lateral_step else None",
    ),
    Bug(
        "checkpoint: parts that are given ignored by resuming",
        "checkpoint/networks.py",
        "return load_with(path, network.backend, network.parts)",
        "return load_with(path, network.backend, {})",
    ),
    # losses, and helpers
    Bug(
        "mean loss: divided by the sum of the weights",
        "losses.py",
        WEIGHTED_MEAN,
        "(values * sample_weight).sum() / sample_weight.sum()",
    ),
    Bug("mean loss: weights left out", "losses.py", WEIGHTED_MEAN, WEIGHTED_MEAN.replace(" * sample_weight)", ")")),
    Bug(
        "mean loss: weights squared",
        "losses.py",
        WEIGHTED_MEAN,
        WEIGHTED_MEAN.replace(" * sample_weight)", " * sample_weight**2)"),
    ),
    Bug("mean loss: weights left out by a step", "network.py", "targets, sample_weight)  # 9", "targets)  # 9"),
    Bug("slices: the last one left out", "arrays.py", "in range(0, n, size)", "in range(0, n - size + 1, size)"),
    Bug("slices: the last one too long", "arrays.py", "min(start + size, n)", "start + size"),
    Bug("slices: overlapping", "arrays.py", "min(start + size, n)", "min(start + size + 1, n)"),
    Bug("safe divisor: 0 stays", "arrays.py", "values > 0, values, xp.ones_like", "values >= 0, values, xp.ones_like"),
    Bug(
        "safe divisor: small ones are 1, too",
        "arrays.py",
        "values > 0, values, xp.ones_like",
        "values > 1e-6, values, xp.ones_like",
    ),
    Bug(
        "safe divisor: 1 added to all", "arrays.py", "xp.where(values > 0, values, xp.ones_like(values))", "values + 1"
    ),
    # for the tests that cannot run under mutmut
    Bug("untested: a new rule", "rules.py", "def decorrelate(", A_RULE_WITHOUT_TESTS),
    Bug("untested: a new measure", "whitening.py", "def off_diagonal(", A_MEASURE_WITHOUT_TESTS),
    # outside the mathematics
    *(Bug(*bug, tests) for tests, bugs in NUMBERS.items() for bug in bugs),
]


# ---------------------------------------------------------------- planting


def copy_of_the_tree(folder: Path) -> Path:
    """Copy the package, its data and its tests into a folder."""
    for name in ("copi_np", "data", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run_tests(tree: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run these tests, or those that mutmut runs, up to the first failure."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    tests = tests or config["mutmut"]["pytest_add_cli_args_test_selection"]
    # the copy comes before an installation of the package, since "-m" puts the working folder first
    pytest = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-pno:cacheprovider", "--hypothesis-profile=mutants"]
    return subprocess.run([*pytest, *shlex.split(tests)], cwd=tree, capture_output=True, text=True)


def plant(bug: Bug, tree: Path) -> str:
    """Plant a bug, run the tests, and take it out again. Return what failed first and why, or "" if nothing did."""
    path = tree / "copi_np" / bug.file
    healthy = path.read_text(encoding="utf-8")
    if healthy.count(bug.text) != 1:
        sys.exit(f"{bug.fault}: its text must occur once in {bug.file}, and occurs {healthy.count(bug.text)} times")
    path.write_text(healthy.replace(bug.text, bug.planted), encoding="utf-8")
    try:
        result = run_tests(tree, bug.tests)
    finally:
        path.write_text(healthy, encoding="utf-8")
    if result.returncode > 1:
        sys.exit(f"{bug.fault}: the tests did not even start\n{result.stdout}{result.stderr}")
    failed = [line for line in result.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].partition(" ")[2] if failed else ""


def main() -> None:
    """Plant all bugs, or those that are asked for; exit with 1 if one is not found."""
    words = sys.argv[1:]
    bugs = [bug for bug in BUGS if not words or any(word in bug.fault for word in words)]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "160"}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(N_PROCESSES) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for k in range(N_PROCESSES):
            (Path(folder) / str(k)).mkdir()
            trees.put(copy_of_the_tree(Path(folder) / str(k)))

        tree = trees.get()
        for tests in {bug.tests for bug in bugs}:
            healthy = run_tests(tree, tests)
            if healthy.returncode != 0:
                sys.exit(f"tests fail without any bug\n{healthy.stdout}")
        trees.put(tree)

        def find(bug: Bug) -> str:
            tree = trees.get()
            try:
                return plant(bug, tree)
            finally:
                trees.put(tree)

        lines = []
        n_found = 0
        for bug, failed in zip(bugs, pool.map(find, bugs), strict=True):
            test, _, reason = failed.partition(" - ")
            lines.append(f"{bug.fault:55} {test or 'NOT FOUND'}")
            print(lines[-1], f"({reason})" if reason else "", flush=True)
            n_found += bool(failed)
    lines.append(f"{n_found} of {len(bugs)} planted bugs were found")
    print(lines[-1])
    if not words:
        RECORD.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(n_found < len(bugs))


if __name__ == "__main__":
    main()
