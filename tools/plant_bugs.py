"""Plant bugs that mutmut cannot make, one at a time in a copy of this folder, and check that the tests find each.

    python tools/plant_bugs.py [WORD ..]

With WORDs, plant only the bugs whose description contains one of them; without, record the test that found each bug in
results/quality/mutants/planted.txt. mutmut changes one expression inside a function at a time. It skips module
constants and tables, all properties, products (@) and transposes; and three tests that list the functions of a module
cannot run together with mutmut's copies of them. The bugs below are of these kinds, or take more than one change, and
are easily made when implementing the paper's equations. The text of each occurs once in its file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "results" / "quality" / "mutants" / "planted.txt"
N_PROCESSES = os.cpu_count() or 2


class Bug(NamedTuple):
    """The fault, the file in `copi_np`, the text there, and its replacement."""

    fault: str
    file: str
    text: str
    planted: str


# ---------------------------------------------------------------- where to plant

COPI = "mean_outer(z, x) - W * mean_square(x)"
COPI_DECAY = "weights *= 1 - eta * states.power"
MATRIX_FORM = "-(mean_outer(x, x @ R) - mean_square(x)[:, None] * R)"
LOCAL_FORM = "-(mean_outer(q, x) - R * mean_square(x))"
X_R = "        x_R = x @ weights if states.x_R is None else states.x_R\n"
MATRIX_DECAY = "        weights *= (1 + eta * states.power)[:, None]\n"
LOCAL_DECAY = "        weights *= 1 + eta * states.power\n"
Q = "        q = x @ weights.T\n"
SECOND_MOMENT = "u.T @ v / u.shape[0]"
SQUARE = "xp.mean(x * x, axis=0)"
QUADRATIC = "xp.sum((y - targets) ** 2, axis=1)"
W_MOVES = "step.step(self._W, states if step.takes_sample_weight else weighted, eta_W)"
R_MOVES = "step.step(self._R, states if step.takes_sample_weight else weighted, eta_R)"
MEAN_MOVES = "mean *= self.beta1\n        mean += (1 - self.beta1) * dW"
MEAN_CORRECTED = "direction *= correction / (1 - self.beta1**self.count)"
SQUARE_CORRECTED = "correction = (1 - self.beta2**self.count) ** 0.5"
OUTPUT_SIGNAL = "-activation.df(a) * loss.gradient(y, targets)"
EYE = "xp.eye(C.shape[0], dtype=xp.bool, device=C.device), xp.zeros_like(C), C"
SIGNALS = "            deltas, x_R = self._error_signals(trace, targets, rates, self.noise_rng)  # 10 to 12\n"
FEEDBACK_LEARNS = "            self._update_feedback(trace, deltas, targets, sample_weight, rates)\n"
LAYER_STEP = 'layer.step(states, rates["eta_W"], rates["eta_R"])'
UPDATES = f"""            rows = zip(self.layers, trace.y_in, trace.x, trace.a, trace.y, deltas, x_R, strict=True)
            for layer, y, x, a, y_out, delta, x_R_k in rows:  # 13
                states = States(layer, y, x, a, y_out, delta, rates["eta_R"], x_R_k, sample_weight)
                {LAYER_STEP}  # 14, 15
"""
SCALED_DELTAS = 'return [rates["delta_scale"] * delta for delta in deltas], x_R'
HALVES = "both[:batch_size, :], both[batch_size:, :]"
FOLDED = "self._W @ self._R"
Y_IN = "return [self.y0, *self.y[:-1]]"
GETTER_OF_R = "        if self._R is not None:\n            return self._R\n"
SETTER_OF_W = 'self._checked("W", values, (self.n_outputs, self.n_inputs))'
SETTER_OF_R = 'self._checked("R", values, (self.n_inputs, self.n_inputs))'

# ---------------------------------------------------------------- what to plant where it takes several lines

SIGNALS_WHILE_UPDATING = """            for k in reversed(range(len(self.layers))):
                if rates["eta_W"] != 0:
                    deltas, x_R = self._error_signals(trace, targets, rates, self.noise_rng)
                layer, y, x, a, y_out = self.layers[k], trace.y_in[k], trace.x[k], trace.a[k], trace.y[k]
                states = States(layer, y, x, a, y_out, deltas[k], rates["eta_R"], None, sample_weight)
                layer.step(states, rates["eta_W"], rates["eta_R"])
"""


def moves_in_turn(first: tuple[str, str], second: tuple[str, str]) -> str:
    """Two loops over the layers, each with its step sizes of W and R, and a forward pass between them."""
    loop = """            for layer, y, x, a, y_out, delta in zip(
                self.layers, trace.y_in, trace.x, trace.a, trace.y, deltas, strict=True
            ):
                states = States(layer, y, x, a, y_out, delta, rates["eta_R"], None, sample_weight)
                layer.step(states, {}, {})
"""
    return loop.format(*first) + "            trace = self._forward(y0)\n" + loop.format(*second)


R_BEFORE_W = moves_in_turn(("0.0", 'rates["eta_R"]'), ('rates["eta_W"]', "0.0"))
W_BEFORE_R = moves_in_turn(('rates["eta_W"]', "0.0"), ("0.0", 'rates["eta_R"]'))
A_RULE_WITHOUT_TESTS = """def power(x: Array) -> Array:
    return mean_square(x)


def decorrelate("""
A_MEASURE_WITHOUT_TESTS = """def power(x: Array) -> Array:
    return second_moment(x)


def off_diagonal("""


def where_square(matrix: str, wrong: str, right: str) -> str:
    """Return `wrong` wherever its shapes fit, so that no error about shapes reveals it."""
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
        "states.z.T, states.x, eta",
        "states.delta.T, states.x, eta",
    ),
    Bug("COPI in place: sign of the decay", "steps/forward.py", COPI_DECAY, "weights *= 1 + eta * states.power"),
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
    # means and second moments
    Bug("mean over the wrong axis: sum over units", "rules.py", SECOND_MOMENT, "u.T @ v / u.shape[1]"),
    Bug(
        "mean over the wrong axis: of the squares",
        "rules.py",
        SQUARE,
        where_square("x", "xp.mean(x * x, axis=1)", SQUARE),
    ),
    Bug("sum for mean", "rules.py", SECOND_MOMENT, "u.T @ v"),
    Bug("moments centred", "rules.py", SECOND_MOMENT, "(u - u.mean(0)).T @ v / u.shape[0]"),
    Bug("squares centred", "rules.py", SQUARE, "xp.var(x, axis=0)"),
    Bug(
        "mean over the wrong axis: quadratic loss",
        "losses.py",
        QUADRATIC,
        QUADRATIC.replace("sum", "mean"),
    ),
    # passes
    Bug("forward: transposed R", "rules.py", "return y @ R.T", "return y @ R"),
    Bug("forward: transposed W", "rules.py", "return x @ W.T", "return x @ " + where_square("W", "W", "W.T")),
    Bug("backward: transposed R", "layer.py", "axis=0) @ self._R", "axis=0) @ self._R.T"),
    Bug("backward: transposed R, local", "layer.py", "carried @ self._R, None", "carried @ self._R.T, None"),
    Bug("backward: R left out", "layer.py", HALVES, "carried, both[batch_size:, :]"),
    Bug("backward: R left out, local", "layer.py", "carried @ self._R, None", "carried, None"),
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
    Bug("predict: transposed", "network.py", "y @ M.T", "y @ " + where_square("M", "M", "M.T")),
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
        MATRIX_DECAY,
    ),
    Bug(
        "decorrelation in place, local: R moved before R x",
        "steps/lateral.py",
        Q + LOCAL_DECAY,
        LOCAL_DECAY + Q,
    ),
    # Algorithm 1 as pure functions, and parts of one's own
    Bug("algorithm: R left out", "algorithm.py", "x = decorrelate(layer.R, y)", "x = y"),
    Bug("algorithm: output before f", "algorithm.py", "trace.y.append(y)", "trace.y.append(a)"),
    Bug("algorithm: sign of the move of R", "algorithm.py", "layer.R + eta_R", "layer.R - eta_R"),
    Bug("algorithm: delta_scale left out", "algorithm.py", "delta_scale * delta, eta_R", "delta, eta_R"),
    Bug("algorithm: transposed R on the way back", "error_signals.py", "@ above.W @ above.R", "@ above.W @ above.R.T"),
    Bug("own rule: step size left out", "steps/base.py", "weights += eta * update", "weights += update"),
    Bug(
        "own rule: weights of samples count twice",
        "steps/base.py",
        'self.takes_sample_weight = "sample_weight" in self.arguments',
        "self.takes_sample_weight = False",
    ),
    Bug(
        "own rule: z from the output",
        "steps/base.py",
        "target_state(self.a, self.delta)",
        "target_state(self.y_out, self.delta)",
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
    Bug("Adam: the first block alone", "steps/adam.py", "slices(n_outputs, n_rows)", "[slice(0, n_rows)]"),
    # error signals
    Bug("output signal: sign", "error_signals.py", OUTPUT_SIGNAL, OUTPUT_SIGNAL[1:]),
    Bug("output signal: no derivative", "error_signals.py", OUTPUT_SIGNAL, "-loss.gradient(y, targets)"),
    Bug("output signal: divided by the batch", "error_signals.py", OUTPUT_SIGNAL, OUTPUT_SIGNAL + " / y.shape[0]"),
    Bug("quadratic loss: factor 2", "losses.py", "return 2 * (y - targets)", "return y - targets"),
    Bug("quadratic loss: half of it", "losses.py", "return " + QUADRATIC, "return 0.5 * " + QUADRATIC),
    Bug(
        "feedback transposed",
        "error_signals.py",
        "return signal @ matrix.T",
        "return signal @ " + where_square("matrix", "matrix", "matrix.T"),
    ),
    Bug(
        "backpropagation: derivative at y for a",
        "error_signals.py",
        "layers[k].activation.df(trace.a[k]) * carried",
        "layers[k].activation.df(trace.y[k]) * carried",
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
    # order and step sizes of a step
    Bug("order: updates while signals are sent down", "network.py", UPDATES, SIGNALS_WHILE_UPDATING),
    Bug("order: R moves before W sees its input", "network.py", UPDATES, R_BEFORE_W),
    Bug("order: W moves before R sees its input", "network.py", UPDATES, W_BEFORE_R),
    Bug(
        "order: inverses learn before the signals",
        "network.py",
        SIGNALS + FEEDBACK_LEARNS,
        FEEDBACK_LEARNS.replace("deltas", "[]") + SIGNALS,
    ),
    Bug("step sizes: eta_R for eta_W", "layer.py", W_MOVES, W_MOVES.replace("eta_W", "eta_R")),
    Bug("step sizes: eta_W for eta_R", "layer.py", R_MOVES, R_MOVES.replace("eta_R", "eta_W")),
    Bug(
        "step sizes: the two swapped",
        "network.py",
        LAYER_STEP,
        'layer.step(states, rates["eta_R"], rates["eta_W"])',
    ),
    Bug(
        "step sizes: scale in the step",
        "network.py",
        SCALED_DELTAS,
        'rates["eta_W"] *= rates["delta_scale"]\n        return list(deltas), x_R',
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
    Bug("off-diagonal: the one above", "whitening.py", EYE, EYE.replace("C.shape[0], ", "C.shape[0], k=1, ")),
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
        SETTER_OF_W.replace("outputs, self.n_inputs", "inputs, self.n_outputs"),
    ),
    Bug("property: R is not checked", "layer.py", SETTER_OF_R, "self.backend.xp.asarray(values, copy=True)"),
    Bug("property: R is not copied", "layer.py", SETTER_OF_R, f"values if {SETTER_OF_R} is not None else values"),
    Bug("property: R of the outputs", "layer.py", SETTER_OF_R, SETTER_OF_R.replace("inputs", "outputs")),
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
        GETTER_OF_R,
        "",
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
    Bug("property: y_in is y", "error_signals.py", Y_IN, "return self.y"),
    Bug(
        "property: y_in of the layer after",
        "error_signals.py",
        Y_IN,
        "return [self.y0, *self.y[1:]]",
    ),
    # what the tests find that cannot run under mutmut
    Bug("untested: a new rule", "rules.py", "def decorrelate(", A_RULE_WITHOUT_TESTS),
    Bug("untested: a new measure", "whitening.py", "def off_diagonal(", A_MEASURE_WITHOUT_TESTS),
]


# ---------------------------------------------------------------- planting


def copy_of_the_tree(folder: Path) -> Path:
    """Copy the package, its data and its tests."""
    for name in ("copi_np", "data", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run_tests(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests that mutmut runs too, up to the first failure."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    tests = config["mutmut"]["pytest_add_cli_args_test_selection"].split()
    # "-m" puts the working folder first, so the copy is found before an installed package
    pytest = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-pno:cacheprovider", "--hypothesis-profile=mutants"]
    return subprocess.run([*pytest, *tests], cwd=tree, capture_output=True, text=True)


def plant(bug: Bug, tree: Path) -> str:
    """Plant a bug, run the tests, remove it. Return what failed first and why, or "" if nothing did."""
    path = tree / "copi_np" / bug.file
    healthy = path.read_text(encoding="utf-8")
    if healthy.count(bug.text) != 1:
        sys.exit(f"{bug.fault}: its text must occur once in {bug.file}, and occurs {healthy.count(bug.text)} times")
    path.write_text(healthy.replace(bug.text, bug.planted), encoding="utf-8")
    try:
        result = run_tests(tree)
    finally:
        path.write_text(healthy, encoding="utf-8")
    if result.returncode > 1:
        sys.exit(f"{bug.fault}: the tests did not even start\n{result.stdout}{result.stderr}")
    failed = [line for line in result.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].partition(" ")[2] if failed else ""


def main() -> None:
    """Plant all bugs, or those asked for; exit with 1 if one is not found."""
    words = sys.argv[1:]
    bugs = [bug for bug in BUGS if not words or any(word in bug.fault for word in words)]
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "COLUMNS": "160"}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(N_PROCESSES) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for k in range(N_PROCESSES):
            (Path(folder) / str(k)).mkdir()
            trees.put(copy_of_the_tree(Path(folder) / str(k)))

        tree = trees.get()
        healthy = run_tests(tree)
        trees.put(tree)
        if healthy.returncode != 0:
            sys.exit(f"tests fail without any bug\n{healthy.stdout}")

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
