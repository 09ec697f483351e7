"""The exercises of 10, Reproducing the paper: right answers pass, typical wrong ones get the hint that fits."""

import numpy as np

from copi_np import load_dataset
from copi_np.course.lesson_10 import a_colleagues_run
from copi_np.experiments.config import RunConfig
from copi_np.experiments.runner import train


def standard_error(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


def by_loop(values):
    mean = sum(values) / len(values)
    return (sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)) ** 0.5


def sorting_in_place(values):
    values.sort()
    return standard_error(values)


def unfair(run_a, run_b):
    a, b = run_a["config"], run_b["config"]
    return sorted(
        name for name in (set(a) | set(b)) - {"method"} if (name in a, a.get(name)) != (name in b, b.get(name))
    )


def of_the_first(run_a, run_b):
    a, b = run_a["config"], run_b["config"]
    return [name for name in a if name != "method" and a[name] != b.get(name)]


def of_the_second(run_a, run_b):
    return of_the_first(run_b, run_a)


def of_the_first_strictly(run_a, run_b):
    a, b = run_a["config"], run_b["config"]
    return [name for name in a if name != "method" and a[name] != b[name]]


def of_both(run_a, run_b):
    a, b = run_a["config"], run_b["config"]
    return [name for name in a if a[name] != b.get(name)]


def at_the_top(run_a, run_b):
    return [name for name in run_a if run_a[name] != run_b[name]]


def taking_out(run_a, run_b):
    run_a["config"].pop("method")
    run_b["config"].pop("method")
    return unfair(run_a, run_b)


WRONG = [
    ("10.1", ..., "not done yet"),
    ("10.1", lambda v: ..., "not done yet"),
    ("10.1", lambda v: np.std(v, ddof=1), "This is the standard deviation"),
    ("10.1", lambda v: np.std(v) / np.sqrt(len(v)), "ddof=1"),
    ("10.1", lambda v: np.std(v), "still missing"),
    ("10.1", lambda v: np.std(v, ddof=1) / len(v), "not by n: four times"),
    ("10.1", lambda v: np.var(v, ddof=1) / len(v), "square of the standard error"),
    ("10.1", lambda v: np.var(v, ddof=1), "This is the variance"),
    ("10.1", lambda v: v.mean(), "the mean itself"),
    ("10.1", lambda v: np.ptp(v), "should be s / sqrt(n)"),
    ("10.1", lambda v: v / 5, "Expected a number"),
    ("10.1", lambda v: np.nan, "NaN"),
    ("10.1", lambda v: standard_error(v[:5]), "For 12 values"),
    ("10.1", sorting_in_place, "in place"),
    ("10.1", 0.7, "asks for a function"),
    ("10.2", ..., "not done yet"),
    ("10.2", lambda a, b: ..., "not done yet"),
    ("10.2", of_both, "leave out 'method'"),
    ("10.2", at_the_top, "Look inside run['config']"),
    ("10.2", lambda a, b: [], "'eta_W' as well"),
    ("10.2", lambda a, b: ["eta_W"], "The configurations agree in 'eta_W'"),
    ("10.2", lambda a, b: unfair(a, b)[:1], "'layers' as well"),
    ("10.2", lambda a, b: unfair(a, b) * 2, "twice"),
    ("10.2", of_the_first, "go through the names of both"),
    ("10.2", of_the_second, "go through the names of both"),
    ("10.2", of_the_first_strictly, "go through the names of both"),
    ("10.2", taking_out, "changes a record"),
    ("10.2", lambda a, b: "eta_W", "Return a list of names"),
    ("10.2", lambda a, b: True, "Return a list of names"),
    ("10.2", lambda a, b: [(name, 1) for name in unfair(a, b)] or [0], "as strings"),
    ("10.2", lambda a: [], "raised TypeError"),
    ("10.2", ["eta_W"], "asks for a function"),
    ("10.3", ..., "not done yet"),
    ("10.3", "b", "Another seed"),
    ("10.3", "c", "Without shuffling"),
    ("10.3", "d", "Half the error signal"),
    ("10.3", "E", "look at the test column"),
    ("10.3", "f", "one of the letters a, b, c, d, e"),
    ("10.3", 1, "one of the letters"),
]
RIGHT = [
    ("10.1", standard_error),
    ("10.1", by_loop),
    ("10.1", lambda v: float(standard_error(v))),
    ("10.2", unfair),
    ("10.2", lambda a, b: set(unfair(a, b))),
    ("10.2", lambda a, b: tuple(reversed(unfair(a, b)))),
    ("10.3", "a"),
    ("10.3", " A "),
]


def test_the_colleagues_run_is_as_the_solution_says():
    """Trained as it is recorded, and tested on what it was trained on."""
    sent = a_colleagues_run()
    _, history = train(RunConfig(**sent["config"]), load_dataset("mnist-5k"), "numpy")
    for theirs, ours in zip(sent["history"], history, strict=True):
        for name in ("train_accuracy", "train_loss", "decorrelation_loss"):
            assert theirs[name] == getattr(ours, name)
        assert abs(theirs["test_accuracy"] - theirs["train_accuracy"]) < 0.01
    assert sent["history"][-1]["test_accuracy"] > history[-1].test_accuracy + 0.04
