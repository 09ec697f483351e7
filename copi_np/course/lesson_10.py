"""Judge the exercises of 10, Reproducing the paper; and make the record of a run in which something is wrong."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from copi_np.course.exercises import Hint, call, exercise, expect, expect_choice
from copi_np.datasets import Split, load_dataset
from copi_np.experiments.config import RunConfig
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.runner import train


def a_colleagues_run() -> dict[str, Any]:
    """Train the run for exercise 10.3, and return its record. Do the exercise before you read the code."""
    config = RunConfig(**load_preset("mnist-5k", "copi-bp") | {"layers": (784, 50, 10), "epochs": 4, "seed": 3})
    data = load_dataset(config.dataset)
    seen = Split(data.train.inputs[:1000], data.train.labels[:1000])
    _, history = train(config, replace(data, test=seen), "numpy")
    record = {"config": config.as_dict(), "history": [epoch.as_dict() for epoch in history]}
    return dict(json.loads(json.dumps(record)))  # as if read from files


@exercise("10.1", "Take the standard deviation of the values, with n - 1, and divide it by the root of n.")
def standard_error_of_the_mean(answer: Any) -> str:
    """Judge the standard error of the mean over seeds."""
    rng = np.random.default_rng(10)
    for n in (5, 3, 12):
        values = rng.normal(90, 2, n)
        s, population = np.std(values, ddof=1), np.std(values)
        mistakes = {
            "This is the standard deviation: how much single runs vary. We know the mean better than that.": s,
            "The mean comes from the same numbers: divide the squares by n - 1 (ddof=1).": population / np.sqrt(n),
            "This divides the squares by n, not by n - 1, and the root of n is still missing.": population,
            "Divide by the root of n, not by n: four times as many seeds only halve the error.": s / n,
            "This is the square of the standard error: take the root.": s**2 / n,
            "This is the variance: take the root, and divide by the root of n.": s**2,
            "This is the mean itself; the exercise asks how well we know it.": np.mean(values),
        }
        expect(
            call(answer, values),
            np.asarray(s / np.sqrt(n)),
            {hint: np.asarray(wrong) for hint, wrong in mistakes.items()},
            f"For {n} values it should be s / sqrt(n), with s from section 4 of the notebook.",
        )
    return (
        "The mean of n runs is sqrt(n) times more precise than a single run. Five seeds, as in the paper, give the "
        "mean to within 0.45 s. For differences much smaller than that you need more seeds, or pairs."
    )


def records() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the contents of two run.json files that differ in the method, the cores and the versions."""
    run = {
        "config": {"method": "copi-bp", "layers": [784, 100, 10], "epochs": 5, "eta_W": 0.1, "eta_R": 0.1, "seed": 1},
        "backend": "numpy",
        "device": "cpu",
        "cores": 2,
        "versions": {"copi-np": "0.1.0", "numpy": "2.4.6"},
    }
    other = deepcopy(run)
    other |= {"config": run["config"] | {"method": "bp-decor"}, "cores": 8, "versions": {"copi-np": "0.1.0"}}  # type: ignore[operator]
    return run, other


@exercise("10.2", 'Compare run_a["config"][name] with run_b["config"][name] for every name but "method".')
def what_makes_it_unfair(answer: Any) -> str:
    """Judge the names of the settings in which two runs differ."""

    def names(run_a: dict[str, Any], run_b: dict[str, Any]) -> list[str]:
        """Return the names that the answer gives for two records, or raise a `Hint` if they are not a list."""
        given = deepcopy(run_a), deepcopy(run_b)
        result = call(answer, run_a, run_b)
        if (run_a, run_b) != given:
            raise Hint("Your function changes a record: work on a copy.")
        if isinstance(result, str) or not isinstance(result, (list, tuple, set, frozenset)):
            raise Hint(f"Return a list of names, such as ['eta_W']; you returned {type(result).__name__}.")
        return list(result)

    for changes in ({}, {"eta_W": 0.03}, {"layers": [784, 50, 10], "epochs": 7}, {"seed": 2}, {"seed": None}):
        run_a, run_b = records()
        run_b["config"].update(changes)
        _judge_names(names(run_a, run_b), set(changes))
    for a_has_it in (True, False):
        run_a, run_b = records()
        (run_a if a_has_it else run_b)["config"]["delta_scale"] = 500
        try:
            found = names(run_a, run_b)
        except Hint as hint:
            if "KeyError" not in str(hint):
                raise
            found = []
        if set(found) != {"delta_scale"}:
            raise Hint("One of the two may have an entry that the other does not have: go through the names of both.")
    return (
        "An empty list is what 'with the same settings' means. For the records of copi-bp and bp-adam it is not empty: "
        "step size and schedule differ, so comparing them compares two settings, not only two rules."
    )


def _judge_names(found: list[Any], right: set[str]) -> None:
    """Raise a `Hint` unless the names are the right ones, each once, in any order."""
    if any(not isinstance(name, str) for name in found):
        raise Hint("The list should contain only names, as strings.")
    if "method" in found:
        raise Hint("The methods are meant to differ: leave out 'method'.")
    if {"config", "versions", "cores", "device", "backend"} & set(found):
        raise Hint("Look inside run['config']: the machine and the versions do not determine what is computed.")
    if missing := right - set(found):
        raise Hint(f"The configurations differ in {sorted(missing)[0]!r} as well, but it is not in your list.")
    if wrong := set(found) - right:
        raise Hint(f"The configurations agree in {sorted(wrong)[0]!r}, but it is in your list.")
    if len(found) != len(right):
        raise Hint("A name is in your list twice.")


@exercise("10.3", "Which columns of the two histories agree, and which do not?")
def what_is_wrong(answer: Any) -> str:
    """Judge a letter: the mistake in a colleague's record."""
    expect_choice(
        answer,
        "a",
        {
            "b": "Another seed gives different weights and batches, so the training columns would differ too. Do they?",
            "c": "Without shuffling, the training columns would differ from the first epoch on. Do they?",
            "d": "Half the error signal would slow down learning and change the training columns. Do they differ?",
            "e": "Run it again, and look at the test column: do you get nearly 98 %?",
        },
    )
    return (
        "The training columns agree to the last digit, so the training was as recorded: only the 'test' digits were "
        "something else. Their accuracy follows the training accuracy closely, as it would for training digits."
    )
