"""Compare COPIClassifier with scikit-learn's MLPClassifier on its digits: accuracy and time by seed.

    OPENBLAS_NUM_THREADS=1 python tools/compare_digits.py    # a minute or two; writes results/surveys/digits
    python tools/compare_digits.py --table                   # prints the table of the recorded results

A seed determines the split, with a quarter to test on, and the model's random numbers. Times are processor times, which
other work on the machine changes little. Needs ``pip install 'copi-np[sklearn]'``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from copi_np.estimators import COPIClassifier
from copi_np.experiments.environment import blas, versions

RECORD: Final = Path(__file__).parents[1] / "results" / "surveys" / "digits" / "digits.json"
SEEDS: Final = range(5)


def mlp(**options: Any) -> Any:
    """Return scikit-learn's classifier on standardised features, as COPI's."""
    return make_pipeline(StandardScaler(), MLPClassifier(**options))


MODELS: Final[dict[str, Callable[[int], Any]]] = {
    "COPIClassifier()": lambda seed: COPIClassifier(random_state=seed),
    'COPIClassifier(loss="quadratic")': lambda seed: COPIClassifier(loss="quadratic", random_state=seed),
    'COPIClassifier(error_signal="fa")': lambda seed: COPIClassifier(error_signal="fa", random_state=seed),
    "MLPClassifier()": lambda seed: mlp(random_state=seed),
    "MLPClassifier(batch_size=50)": lambda seed: mlp(batch_size=50, random_state=seed),
}


def measured(model: Any, seed: int) -> dict[str, Any]:
    """Train a model on the split of a seed, and score it on the rest."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    start = time.process_time()
    model.fit(X_train, y_train)
    seconds = time.process_time() - start
    network = model[-1] if hasattr(model, "steps") else model
    scores = {"train": model.score(X_train, y_train), "test": model.score(X_test, y_test)}
    return {"seed": seed, **scores, "epochs": network.n_iter_, "seconds": round(seconds, 3)}


def table(record: dict[str, Any]) -> str:
    """Return means and standard deviations over seeds as a Markdown table."""
    lines = ["| model | train % | test % | epochs | seconds | ms per epoch |", "|---|---|---|---|---|---|"]
    for name, runs in record["models"].items():
        train, test, epochs, seconds = (
            np.array([run[key] for run in runs]) for key in ("train", "test", "epochs", "seconds")
        )
        lines.append(
            f"| `{name}` | {spread(100 * train, 2)} | {spread(100 * test, 2)} | {epochs.mean():.0f} "
            f"| {spread(seconds, 2)} | {1000 * seconds.sum() / epochs.sum():.1f} |"
        )
    return "\n".join(lines)


def spread(values: Any, digits: int) -> str:
    """Format the mean and standard deviation over seeds."""
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def main() -> None:
    """Measure, record and print, or only print."""
    if "--table" not in sys.argv[1:]:
        runs = {name: [measured(make(seed), seed) for seed in SEEDS] for name, make in MODELS.items()}
        environment = {"versions": versions() | {"scikit-learn": sklearn.__version__}, "blas": blas()}
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps({**environment, "models": runs}, indent=1) + "\n", encoding="utf-8")
    print(table(json.loads(RECORD.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
