"""The pages keep their word: links work, numbers are those on record, named tests exist, and the English is English."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fuzz.targets import TARGETS

from copi_np import _checks as checks
from copi_np.datasets import cifar, fetch
from copi_np.experiments import preset_files
from copi_np.storage import npz as archives
from copi_np.storage import untrusted as reading

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "tutorials" / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("results/**/*.md")),
]
THEORY, CLAIMS, RESULTS, RELIABILITY = (
    (ROOT / name).read_text()
    for name in ("docs/theory.md", "docs/claims.md", "results/README.md", "docs/reliability.md")
)
MIB = 2**20
RECORD = json.loads((ROOT / "docs" / "figures" / "theory.json").read_text())
THEOREMS = sorted((ROOT / "tests" / "mathematics" / "theorems").glob("test_*.py"))


def heading_anchors(text):
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """To a file, or to a heading of a page."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in heading_anchors(file.read_text()), target


@pytest.mark.parametrize("path", THEOREMS, ids=lambda path: path.stem)
def test_every_theorem_is_in_its_file_and_on_the_page(path):
    """Its number, its statement and its proof in the docstring; a section with the test's path."""
    number = int(path.stem.split("_")[1])
    text = path.read_text()
    assert text.startswith(f'"""Theorem {number}. ')
    assert "Proof" in text.split('"""')[1]
    section = re.search(rf"^## {number}\. .*?(?=^## |\Z)", THEORY, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert f"(../tests/mathematics/theorems/{path.name})" in section[0]


def test_every_figure_is_shown():
    shown = set(re.findall(r"figures/([\w-]+)\.png", THEORY))
    assert shown == {path.stem for path in (ROOT / "docs" / "figures").glob("*.png")} == set(RECORD) - {"versions"}


def on_record(*keys):
    value = RECORD
    for key in keys:
        value = value[key]
    return value


@pytest.mark.parametrize(
    ("written", "value", "digits"),
    [
        ("of order {} in", on_record("02-cancellation", "COPI, matrix form", "order of the residual"), ".2f"),
        ("by {} % of its\nsize under", on_record("02-cancellation", "COPI, matrix form", "drift in per cent"), ".3f"),
        ("by {} % with the local form", on_record("02-cancellation", "COPI, local form", "drift in per cent"), ".1f"),
        ("by {} % under SGD", on_record("02-cancellation", "SGD, matrix form", "drift in per cent"), ".0f"),
        ("at {} in the median", on_record("03-symmetry", "median"), ".3f"),
        ("at {} at most", on_record("03-symmetry", "max"), ".2f"),
        ("value, in {} for the local", on_record("04-convergence", "local form", "a variance rose by 0.1 %"), "d"),
        ("in {} for the\nmatrix form", on_record("04-convergence", "matrix form", "a variance rose by 0.1 %"), "d"),
        ("step in {}, for either form", on_record("04-convergence", "matrix form", "defect fell throughout"), "d"),
        ("step in {}, for either form", on_record("04-convergence", "local form", "defect fell throughout"), "d"),
        ("to {}. As it grows", on_record("05-step-size", "largest covariance above the bound"), ".2f"),
        ("({} pixels", on_record("06-zca", "pixels"), "d"),
        ("is {} in the median", on_record("06-zca", "COPI", "median"), ".3f"),
        ("and {} at\nleast", on_record("06-zca", "COPI", "min"), ".3f"),
        ("Raw pixels reach {} in the median", on_record("06-zca", "raw", "median"), ".2f"),
        ("whitening {}", on_record("06-zca", "Cholesky", "median"), ".2f"),
        ("ends {} % of", 100 * on_record("08-fixed-point", "correlated", "relative error of the fixed point"), ".0f"),
        ("fall to {}° and", on_record("11-alignment", "fa", "after 10 epochs", 0), ".0f"),
        ("and {}° for FA", on_record("11-alignment", "fa", "after 10 epochs", 1), ".0f"),
        ("to {}° and", on_record("11-alignment", "dfa", "after 10 epochs", 0), ".0f"),
        ("and {}° for DFA", on_record("11-alignment", "dfa", "after 10 epochs", 1), ".0f"),
        ("fall to {}° and\n70", on_record("11-alignment", "dtp", "after 2 epochs", 0), ".0f"),
        ("{}° within two", on_record("11-alignment", "dtp", "after 2 epochs", 1), ".0f"),
        ("again, to {}° by", on_record("11-alignment", "dtp", "after 10 epochs", 1), ".0f"),
        ("falls from {} to", on_record("14-normalised", "COPI, at half its bound", "at first"), ".1f"),
        ("to {} in 50 steps of Eq. 4", on_record("14-normalised", "COPI, at half its bound", "after 50 steps"), ".1f"),
        ("rises from {} to", on_record("15-natural-gradient", "COPI", "at first", 0), ".2f"),
        ("0.06 to {}. Gradient", on_record("15-natural-gradient", "COPI", "at last", 0), ".2f"),
        ("descent ends at {},", on_record("15-natural-gradient", "gradient descent", "at last", 0), ".2f"),
        ("inputs at {}:", on_record("15-natural-gradient", "with decorrelation", "at last", 0), ".2f"),
        ("a cosine of {} (node)", on_record("16-perturbations", "node", "1", 0), ".2f"),
        ("and {} (activity)", on_record("16-perturbations", "activity", "1", 0), ".2f"),
        ("256 noises give {} and", on_record("16-perturbations", "node", "256", 0), ".2f"),
        ("give 0.75 and {}.", on_record("16-perturbations", "activity", "256", 0), ".2f"),
        ("closer, {} with 4,096", on_record("16-perturbations", "node", "4096", 0), ".2f"),
        ("stays at {}:", on_record("16-perturbations", "activity", "4096", 0), ".2f"),
        ("the {} live pixels", on_record("14-costs", "pixels"), "d"),
        ("product of the two | {} |", on_record("14-costs", "flop of a step", "rule") / 1e9, ".3f"),
        ("x = y$ | {} |", on_record("14-costs", "flop of a step", "Foldiak") / 1e9, ".3f"),
        ("$6 n^3$ | {} |", on_record("14-costs", "flop of a step", "Newton-Schulz") / 1e9, ".3f"),
        ("$11 n^3$ | {} |", on_record("14-costs", "flop of a step", "eigh") / 1e9, ".3f"),
        ("error with {} billion", on_record("14-costs", "eigh", "flop") / 1e9, ".1f"),
        ("one epoch ({} billion)", 80 * on_record("14-costs", "flop of a step", "rule") / 1e9, ".1f"),
        ("epochs {} % of the natural", 100 * on_record("15-generalisation", "epoch 2", "natural"), ".0f"),
        ("of 0.01, {} % with 0.001", 100 * on_record("15-generalisation", "epoch 2", "undamped"), ".0f"),
        ("and {} % of COPI's", 100 * on_record("15-generalisation", "epoch 2", "COPI"), ".0f"),
        ("falls from {}° to", on_record("19-learned-feedback", "kp", "at first"), ".0f"),
        ("86° to {}° within 800", on_record("19-learned-feedback", "kp", "at last"), ".0f"),
        ("feedback reaches {}°.", on_record("19-learned-feedback", "fa", "at last"), ".0f"),
        ("alone give {}°:", on_record("19-learned-feedback", "ss", "at last"), ".0f"),
    ],
)
def test_numbers_of_the_theory_are_those_on_record(written, value, digits):
    """Wherever lines are broken."""
    flat = " ".join(THEORY.split())
    assert " ".join(written.split()).format(format(value, digits)) in flat


def script(name, monkeypatch):
    """Load a script of the folder docs."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_record_can_be_made_again(monkeypatch):
    """The quick figures, drawn again, measure what is on record."""
    figures = script("theory_figures", monkeypatch).FIGURES
    for name in ("01-copi-versus-sgd", "02-cancellation", "05-step-size", "13-kappa-and-gain", "14-normalised"):
        figure, measured = figures[name]()
        assert figure.axes
        assert measured.keys() == RECORD[name].keys()
        for key, value in measured.items():
            assert value == pytest.approx(RECORD[name][key], rel=1e-2)


class Counting(np.ndarray):
    """An array that counts the operations of its matrix products: 2 I J K for (I, J) times (J, K)."""

    flop = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        plain = [np.asarray(each) for each in inputs]
        options |= {"out": tuple(map(np.asarray, options["out"]))} if "out" in options else {}
        if ufunc is np.matmul:
            Counting.flop += 2 * plain[0].size * plain[1].shape[1]
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(Counting) if isinstance(result, np.ndarray) else result


def counted(work):
    Counting.flop = 0
    work()
    return Counting.flop


def test_operations_are_counted_as_by_hand(monkeypatch):
    """For 3 inputs and 2 samples; and as arrays count them that do so themselves."""
    costs = script("cost_figures", monkeypatch)
    assert costs.moments_flop(2, 3) == 2 * 2 * 9
    assert costs.eigh_flop(3) == 9 * 27 + 2 * 27
    assert costs.newton_schulz_flop(3) == 3 * 2 * 27
    assert costs.rule_flop(2, 3) == 3 * 2 * 2 * 9
    assert costs.foldiak_flop(2, 3) == 2 * 27 / 3 + 2 * 2 * 9 + 2 * 2 * 9
    R, y = np.eye(3).view(Counting), np.random.default_rng(0).normal(size=(2, 3)).view(Counting)
    assert counted(lambda: y.T @ y) == costs.moments_flop(2, 3)
    for rule, _ in costs.RULES.values():
        assert counted(lambda rule=rule: rule(R, y @ R.T)) == costs.rule_flop(2, 3)
    path = costs.newton_schulz((y.T @ y + R).view(Counting))
    next(path)
    assert counted(lambda: next(path)) == costs.newton_schulz_flop(3)


def test_what_carries_over_by_hand(monkeypatch):
    """(2 + 12) / (1 + 8), of a step (1, 4) and gradients (1, 2) and (2, 3)."""
    step, seen, unseen = (np.array([values]) for values in ((1.0, 4.0), (1.0, 2.0), (2.0, 3.0)))
    assert script("family_figures", monkeypatch).carried_over(step, seen, unseen) == pytest.approx(14 / 9)


def test_costs_are_compared_as_the_page_says():
    """The ratio of steps, and of what two rules leave."""
    steps = RECORD["14-costs"]["flop of a step"]
    assert steps["eigh"] / steps["rule"] == pytest.approx(20, abs=0.5)
    assert RECORD["14-costs"]["COPI"]["correlation"] > 3 * RECORD["14-costs"]["normalised"]["correlation"]


def test_newton_schulz_whitens(monkeypatch):
    """To rounding, and without the growing errors of the form with a cube."""
    sigma = np.diag([1.0, 1e-3, 1e-5]) + 1e-6
    matrices = list(islice(script("cost_figures", monkeypatch).newton_schulz(sigma), 60))
    assert np.max(np.abs(matrices[-1] @ sigma @ matrices[-1].T - np.eye(3))) < 1e-9


def test_numbers_of_the_claims_are_those_on_record():
    """Those that come from the theory."""
    drifts = [on_record("02-cancellation", f"{name}, matrix form", "drift in per cent") for name in ("COPI", "SGD")]
    zca = [on_record("06-zca", "COPI", name) for name in ("median", "min")]
    assert "drift of the layer's map {:.3f} % against {:.0f} %".format(*drifts) in CLAIMS
    assert "{:.3f} (median), {:.3f} (least)".format(*zca) in CLAIMS
    assert "{median:.3f} (median), {max:.2f} (max) of {trials} random".format(**RECORD["03-symmetry"]) in CLAIMS


TURNS = re.compile(
    r"\b(comes? to the same|came out|came of it|goe?s? on from|that are none|stands? in|put off|shall|[Ww]hoever"
    r"|told of|in hand|a row an?|lets? us know|one hears|hands out|is gone|gives? the command|for ever|anew|beside"
    r"|an? \w+ an? (?:layer|seed|method|epoch|line|row)|behind R)\b"
)
"""Turns of phrase that are not English, or mean something else in it."""


PROSE = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md", "data/README.md")),
    *sorted(ROOT.glob("docs/*.md")),
]


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_turn_of_phrase_is_one_that_nobody_would_say(page):
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert [match[0] for match in TURNS.finditer(text)] == []


def test_such_a_turn_would_be_found():
    assert TURNS.search("one error signal a layer stands in a list, a row an epoch")
    assert not TURNS.search("the paper in one hand, one row per epoch")


CLAIM_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in CLAIMS.splitlines() if re.match(r"\| C\d+", line)
]


def test_claims_are_numbered_and_judged():
    """C1, C2, .. without a gap; each with a verdict, and a way to see it unless nobody has tested it."""
    assert [row[0] for row in CLAIM_ROWS] == [f"C{n}" for n in range(1, len(CLAIM_ROWS) + 1)]
    verdicts = ("holds", "does not hold", "not tested")
    for row in CLAIM_ROWS:
        assert len(row) == 5, row
        assert row[2].startswith(verdicts), row
        assert row[2].startswith("not tested") or row[3], row


def test_the_tests_that_claims_name_exist():
    source = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", CLAIMS)
    assert len(named) > 10
    assert all(f"def {name}(" in source for name in named)
    numbers = {int(number) for number in re.findall(r"\bT(\d+)\b", CLAIMS)}
    assert numbers <= {int(path.stem.split("_")[1]) for path in THEOREMS}


def accuracies(folder, epoch):
    """Train / test accuracy of a run on record after an epoch, in per cent; -1 for the last."""
    history = [json.loads(line) for line in (ROOT / "results" / folder / "history.jsonl").read_text().splitlines()]
    record = history[epoch - 1 if epoch > 0 else epoch]
    return "{:.2f} / {:.2f}".format(*(100 * record[f"{split}_accuracy"] for split in ("train", "test")))


def test_tables_of_results_are_the_records():
    """Every row, in every epoch that it shows."""
    rows = re.findall(r"^\| ([\w-]+) \| (mnist[\w-]*) \| (.*?) \| (.*?) \| \d+: (.*?) \|", RESULTS, re.MULTILINE)
    assert {f"{method}_{preset}" for method, preset, *_ in rows} == {
        path.name for path in (ROOT / "results" / "surveys" / "mnist-methods").iterdir()
    }
    for method, preset, *shown in rows:
        assert shown == [accuracies(f"surveys/mnist-methods/{method}_{preset}", epoch) for epoch in (2, 5, -1)]
    rows = re.findall(r"^\| ([\w-]+) \| (\d\S* / \S+) \| (\S+ / \S+) \| (\S+ / \S+) \|$", RESULTS, re.MULTILINE)
    assert len(rows) == 4
    for method, *shown in rows:
        assert shown == [accuracies(f"surveys/cifar10-methods/{method}_cifar10", epoch) for epoch in (1, 2, 5)]


def test_accuracies_of_claims_are_in_the_results():
    """Every pair of train / test accuracies is in a table of results."""
    pairs = re.findall(r"\d\d\.\d\d / \d\d\.\d\d", CLAIMS)
    assert len(pairs) > 8
    assert [pair for pair in pairs if pair not in RESULTS] == []


def test_the_table_of_mutants_is_the_record():
    """One row per module, and their sum."""
    summary = json.loads((ROOT / "results" / "quality" / "mutants" / "summary.json").read_text())
    rows = re.findall(r"^\| ([\w-]+) \| (\d+) \| (\d+)(?: \([\d.]+ %\))? \| (\d+) \|$", RESULTS, re.MULTILINE)
    table = {name: tuple(map(int, numbers)) for name, *numbers in rows}
    counts = {name: (n["mutants"], n["killed"], n["mutants"] - n["killed"]) for name, n in summary["modules"].items()}
    assert table == counts | {"all": tuple(map(sum, zip(*counts.values(), strict=True)))}
    assert f"({100 * summary['score']:.1f} %)" in RESULTS


def test_the_table_of_mutants_outside_the_mathematics_is_the_record():
    """One row per module, and their sum; each survivor has a reason."""
    record = tomllib.loads((ROOT / "results" / "quality" / "mutants" / "other-modules.toml").read_text())
    rows = re.findall(r"^\| (?:\w+\.)(\w+) \| (\d+) \| (\d+) \| (\d+) \|$", RESULTS, re.MULTILINE)
    counts = {module: (n, n - alive, alive) for module, (n, alive) in record["modules"].items()}
    assert {name: tuple(map(int, numbers)) for name, *numbers in rows} == counts
    n, killed, alive = map(sum, zip(*counts.values(), strict=True))
    assert f"| all six | {n} | {killed} ({100 * killed / n:.1f} %) | {alive} |" in RESULTS
    explained = Counter(function.partition(".")[0] for group in record["group"] for function, *_ in group["mutants"])
    assert explained == {module: alive for module, (_, alive) in record["modules"].items() if alive}


def test_the_table_of_fuzzed_inputs_is_the_record():
    """A row for each reader that is fuzzed: inputs, rounds, branches and memory over all rounds, no seed twice."""
    rounds = json.loads((ROOT / "results" / "quality" / "fuzz" / "record.json").read_text())
    rows = re.findall(r"^\| `([\w.]+)` \| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \|$", RELIABILITY, re.MULTILINE)
    table = {name: [inputs.replace(",", ""), *others] for name, inputs, *others in rows}
    assert table == {
        name: [
            str(sum(each["inputs"] for each in found)),
            str(len(found)),
            str(max(each["branches"] for each in found)),
            str(max(each["peak_mb"] for each in found)),
        ]
        for name, found in rounds.items()
    }
    assert set(table) == set(TARGETS)
    for found in rounds.values():
        seeds = [each["seed"] for each in found]
        assert seeds == sorted(set(seeds))
    versions = {
        f"{each[name]}" for found in rounds.values() for each in found for name in ("atheris", "python", "numpy")
    }
    assert [version for version in versions if version not in RELIABILITY] == []


def test_the_limits_on_the_page_are_those_of_the_code():
    assert f"{archives.MAX_RATIO} times the file, or {archives.SMALL // MIB} MiB" in RELIABILITY
    assert f"its six batches and {cifar.OTHER_BYTES // MIB} MiB" in RELIABILITY
    assert f"| records in JSON | {reading.MAX_TEXT // MIB} MiB per file |" in RELIABILITY
    assert f"| preset in TOML | {preset_files.MAX_PRESET // MIB} MiB |" in RELIABILITY
    assert checks.MAX_COUNT == 2**128 - 1
    assert f"the time that it takes at {fetch.SLOWEST // 1000} kB/s plus {fetch.TIMEOUT:.0f} s" in RELIABILITY
