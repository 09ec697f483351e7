"""Plant bugs that mutmut cannot make, one at a time in a copy of this folder, and see that the tests find each.

    python tools/plant_bugs.py [WORD ..]

With WORDs, only the bugs whose description has one of them; without, what found each is recorded in
results/quality/mutants/planted.txt. mutmut changes one expression inside a function at a time. It skips the constants
and tables of a module, all properties, products (@) and transposes, and three tests that list the functions of a module
cannot run beside its copies of them. The bugs below are of these kinds, or take more than one change, and are easily
made by somebody who writes the paper's equations down. The text of each occurs once in its file.
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
    """What is wrong, the file in `copi_np`, the text there, and what takes its place."""

    fault: str
    file: str
    text: str
    planted: str


# ---------------------------------------------------------------- where to plant

COPI = "mean_outer(z, x) - W * mean_square(x)"
COPI_DECAY = "W *= 1 - eta_W * power"
MATRIX_FORM = "-(mean_outer(x, x @ R) - mean_square(x)[:, None] * R)"
LOCAL_FORM = "-(mean_outer(q, x) - R * mean_square(x))"
X_R = "    if x_R is None:\n        x_R = R.rows_times(x)\n"
MATRIX_DECAY = "    R.scale_rows(1 + eta_R * power)\n"
LOCAL_DECAY = "    R.scale_columns(1 + eta_R * power)\n"
MOMENT = "u.T @ v / u.shape[0]"
SQUARE = "xp.mean(x * x, axis=0)"
W_MOVES = "self.forward_step.step(self.backend, self._W, x, a, delta, power, eta_W)"
R_MOVES = "self.lateral_step(self._R, x, power, eta_R, x_R)"
MEAN_MOVES = "mean *= self.beta1\n        mean += (1 - self.beta1) * dW"
MEAN_CORRECTED = "direction *= correction / (1 - self.beta1**self.count)"
SQUARE_CORRECTED = "correction = (1 - self.beta2**self.count) ** 0.5"
OUTPUT_SIGNAL = "-activation.df(a) * loss.gradient(y, targets)"
EYE = "xp.eye(C.shape[0], dtype=xp.bool, device=C.device), xp.zeros_like(C), C"
INVERSE_LEARNS = """        if self.error_signal.learns_inverse:
            self._learn_inverse(trace, sample_weight)
"""
SIGNALS = """        if eta_W != 0:
            deltas = self.error_signals(trace, targets, delta_scale)
"""
UPDATES = """        for layer, *states in zip(self.layers, trace.x, trace.a, deltas, trace.x_R, strict=True):
            x, a, delta, x_R = (weigh(state, sample_weight) for state in states)
            layer.step(x, a, delta, eta_W, eta_R, x_R)
"""
HALVES = "both[:batch_size, :], both[batch_size:, :]"
FOLDED = "self._R.rows_times(self._W)"
GETTER_OF_R = """            R = self._R.array()
            # from now on R is what is returned, so that writing into it counts; another thread may still read the old
            self._R = self._scaled(R)
"""
SETTER_OF_W = 'self._checked("W", values, (self.n_outputs, self.n_inputs))'
SETTER_OF_R = 'self._checked("R", values, (self.n_inputs, self.n_inputs))'

# ---------------------------------------------------------------- what to plant where it takes several lines

SIGNALS_WHILE_UPDATING = """        for k in reversed(range(len(self.layers))):
            if eta_W != 0:
                deltas = self.error_signals(trace, targets, delta_scale)
            self.layers[k].step(trace.x[k], trace.a[k], deltas[k], eta_W, eta_R)
"""
R_BEFORE_W = """        for layer, x, a in zip(self.layers, trace.x, trace.a, strict=True):
            layer.step(x, a, None, 0.0, eta_R)
        trace = self.forward(y0)
        for layer, x, a, delta in zip(self.layers, trace.x, trace.a, deltas, strict=True):
            layer.step(x, a, delta, eta_W, 0.0)
"""
W_BEFORE_R = """        for layer, x, a, delta in zip(self.layers, trace.x, trace.a, deltas, strict=True):
            layer.step(x, a, delta, eta_W, 0.0)
        trace = self.forward(y0)
        for layer, x, a in zip(self.layers, trace.x, trace.a, strict=True):
            layer.step(x, a, None, 0.0, eta_R)
"""
A_RULE_WITHOUT_TESTS = """def power(x: Array) -> Array:
    return mean_square(x)


def decorrelate("""
A_MEASURE_WITHOUT_TESTS = """def power(x: Array) -> Array:
    return second_moment(x)


def off_diagonal("""


def where_square(matrix: str, wrong: str, right: str) -> str:
    """`wrong` wherever its shapes fit, so that no shape gives it away."""
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
        "steps/__init__.py",
        "matmul_add(W, (a + delta).T, x",
        "matmul_add(W, (delta).T, x",
    ),
    Bug("COPI in place: sign of the decay", "steps/__init__.py", COPI_DECAY, "W *= 1 + eta_W * power"),
    Bug(
        "COPI in place: decay along the wrong axis",
        "steps/__init__.py",
        COPI_DECAY,
        "W *= 1 - eta_W * " + where_square("W", "power[:, None]", "power"),
    ),
    Bug(
        "COPI in place: post-synaptic square",
        "steps/__init__.py",
        COPI_DECAY,
        "W *= 1 - eta_W * backend.xp.mean((a + delta) ** 2, axis=0)[:, None]",
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
        "sample_weight) ** 2) / y.shape[0]",
        "sample_weight) ** 2) / y.size",
    ),
    # passes
    Bug("forward: transposed R", "rules.py", "return y @ R.T", "return y @ R"),
    Bug("forward: transposed W", "rules.py", "return x @ W.T", "return x @ " + where_square("W", "W", "W.T")),
    Bug("backward: transposed R", "layer.py", "both = self._R.rows_times", "both = self._R.times_rows"),
    Bug("backward: transposed R, local", "layer.py", "self._R.rows_times(carried)", "self._R.times_rows(carried)"),
    Bug("backward: R left out", "layer.py", HALVES, "carried, both[batch_size:, :]"),
    Bug("backward: R left out, local", "layer.py", "return self._R.rows_times(carried), None", "return carried, None"),
    Bug("backward: the halves swapped", "layer.py", HALVES, "both[batch_size:, :], both[:batch_size, :]"),
    Bug("backward: the signal for x R", "layer.py", HALVES, "both[:batch_size, :], both[:batch_size, :]"),
    Bug("backward: x R of another layer", "error_signals.py", "trace.x_R[k + 1] = layers", "trace.x_R[k] = layers"),
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
        where_square("self._W", "self._R.array() @ self._W", FOLDED),
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
    Bug("decorrelation in place: axis", "steps/__init__.py", MATRIX_DECAY, LOCAL_DECAY),
    Bug("decorrelation in place: no diagonal", "steps/__init__.py", MATRIX_DECAY, ""),
    Bug(
        "decorrelation in place: R moved before x R",
        "steps/__init__.py",
        X_R + MATRIX_DECAY,
        MATRIX_DECAY + X_R,
    ),
    Bug(
        "decorrelation in place, local: axis",
        "steps/__init__.py",
        LOCAL_DECAY,
        LOCAL_DECAY.replace("1 + eta_R * power", "(1 + eta_R * power)[:, None]"),
    ),
    Bug(
        "decorrelation in place, local: R moved before R x",
        "steps/__init__.py",
        "    q = R.times_rows(x)\n" + LOCAL_DECAY,
        LOCAL_DECAY + "    q = R.times_rows(x)\n",
    ),
    # rows with a factor that is put off
    Bug("scale: left out of x R", "scaled.py", "(x if self._scale is None else x * self._scale) @", "x @"),
    Bug("scale: left out of R y", "scaled.py", "product if self._scale is None else product * self._scale", "product"),
    Bug("scale: on what is added", "scaled.py", "            x = x / self._scale\n", "            pass\n"),
    Bug(
        "scale: only the last factor",
        "scaled.py",
        "factors if self._scale is None else self._scale * factors",
        "factors",
    ),
    Bug("scale: multiplied in again", "scaled.py", "self._scale, self._n_factors = None, 0", "self._n_factors = 0"),
    # Adam
    Bug("Adam: no bias correction of the mean", "steps/__init__.py", MEAN_CORRECTED, "direction *= correction"),
    Bug("Adam: no bias correction of the square", "steps/__init__.py", SQUARE_CORRECTED, "correction = 1.0"),
    Bug(
        "Adam: bias corrected by the first step's factor",
        "steps/__init__.py",
        SQUARE_CORRECTED,
        "correction = (1 - self.beta2) ** 0.5",
    ),
    Bug(
        "Adam: epsilon under the root",
        "steps/__init__.py",
        "size = backend.xp.sqrt(square)\n        size += self.epsilon * correction",
        "size = backend.xp.sqrt(square + self.epsilon)",
    ),
    Bug("Adam: variance for square", "steps/__init__.py", "dW *= dW\n", "dW = (dW - mean) ** 2\n"),
    Bug("Adam: the betas swapped", "steps/__init__.py", MEAN_MOVES, MEAN_MOVES.replace("beta1", "beta2")),
    Bug("Adam: the first block alone", "steps/__init__.py", "range(0, n_outputs, n_rows)", "range(0, 1)"),
    # error signals
    Bug("output signal: sign", "error_signals.py", OUTPUT_SIGNAL, OUTPUT_SIGNAL[1:]),
    Bug("output signal: no derivative", "error_signals.py", OUTPUT_SIGNAL, "-loss.gradient(y, targets)"),
    Bug("output signal: divided by the batch", "error_signals.py", OUTPUT_SIGNAL, OUTPUT_SIGNAL + " / y.shape[0]"),
    Bug("quadratic loss: factor 2", "losses.py", "return 2 * (y - targets)", "return y - targets"),
    Bug("quadratic loss: half of it", "losses.py", "return xp.sum(weigh(y", "return 0.5 * xp.sum(weigh(y"),
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
    Bug("order: inverses learn before the signals", "network.py", SIGNALS + INVERSE_LEARNS, INVERSE_LEARNS + SIGNALS),
    Bug("step sizes: eta_R for eta_W", "layer.py", W_MOVES, W_MOVES.replace("eta_W", "eta_R")),
    Bug("step sizes: eta_W for eta_R", "layer.py", R_MOVES, R_MOVES.replace("eta_R", "eta_W")),
    Bug(
        "step sizes: the two swapped",
        "network.py",
        "layer.step(x, a, delta, eta_W, eta_R, x_R)",
        "layer.step(x, a, delta, eta_R, eta_W, x_R)",
    ),
    Bug(
        "step sizes: scale in the step",
        "network.py",
        "trace, targets, delta_scale)\n        if",
        "trace, targets)\n            eta_W *= delta_scale\n        if",
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
    Bug("constant: ETA_INVERSE", "network.py", "ETA_INVERSE: Final = 0.1", "ETA_INVERSE: Final = 0.2"),
    # tables
    Bug("table: sgd for copi", "steps/__init__.py", '"copi": CopiStep', '"copi": SgdStep'),
    Bug("table: copi for sgd", "steps/__init__.py", '"sgd": SgdStep', '"sgd": CopiStep'),
    Bug("table: sgd for adam", "steps/__init__.py", '"adam": AdamStep', '"adam": SgdStep'),
    Bug("table: local for matrix", "steps/__init__.py", '"matrix": matrix_', '"matrix": local_'),
    Bug("table: matrix for local", "steps/__init__.py", '"local": local_', '"local": matrix_'),
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
    Bug("table: bp has feedback", "error_signals.py", "backpropagation, None)", 'backpropagation, "above")'),
    Bug("table: tp is dtp", "error_signals.py", '"tp", target_propagation', '"tp", difference_target_propagation'),
    Bug(
        "table: tp learns no inverse",
        "error_signals.py",
        '"tp", target_propagation, "above", learns_inverse=True',
        '"tp", target_propagation, "above"',
    ),
    Bug(
        "table: fa learns an inverse", "error_signals.py", "learns_inverse: bool = False", "learns_inverse: bool = True"
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
        f"        if self._R is not None:\n{GETTER_OF_R}            return R\n",
        "",
    ),
    Bug("property: has_lateral_weights", "layer.py", "return self._R is not None", "return self._R is None"),
    Bug("property: feedback is a copy", "network.py", "return self._feedback\n", "return list(self._feedback)\n"),
    Bug("property: feedback of any length", "network.py", "if len(matrices) != len(self.layers):", "if False:"),
    Bug(
        "property: feedback kept as it is given",
        "network.py",
        "self._feedback = list(matrices)",
        "self._feedback = matrices",
    ),
    Bug("property: y_in is y", "layer.py", "return [self.y0, *self.y[:-1]]", "return self.y"),
    Bug(
        "property: y_in of the layer after",
        "layer.py",
        "return [self.y0, *self.y[:-1]]",
        "return [self.y0, *self.y[1:]]",
    ),
    # what the tests that cannot run under mutmut are for
    Bug("untested: a new rule", "rules.py", "def decorrelate(", A_RULE_WITHOUT_TESTS),
    Bug("untested: a new measure", "whitening.py", "def off_diagonal(", A_MEASURE_WITHOUT_TESTS),
]


# ---------------------------------------------------------------- planting


def copy_of_the_tree(folder: Path) -> Path:
    """The package, its data and its tests."""
    for name in ("copi_np", "data", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run_tests(tree: Path) -> subprocess.CompletedProcess[str]:
    """The tests that mutmut runs too, up to the first failure."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    tests = config["mutmut"]["pytest_add_cli_args_test_selection"].split()
    # the copy comes before an installation of the package, since "-m" puts the working folder first
    pytest = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-pno:cacheprovider", "--hypothesis-profile=mutants"]
    return subprocess.run([*pytest, *tests], cwd=tree, capture_output=True, text=True)


def plant(bug: Bug, tree: Path) -> str:
    """Plant a bug, run the tests, take it out again. Returns what failed first and why, or "" if nothing did."""
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
    """Plant all, or those that are asked for; exit with 1 if one is not found."""
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
