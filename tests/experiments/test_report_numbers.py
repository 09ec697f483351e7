"""Every number of a report, a table and a summary, recomputed by pandas from the raw records."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import fields, replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from copi_np import Dataset, Split, plotting
from copi_np.experiments.config import NOT_FROM_TEXT, RunConfig, run_name
from copi_np.experiments.records import load_history, read_run
from copi_np.experiments.report import read_results, text_table, write_report
from copi_np.experiments.summary import compare, group_runs
from copi_np.experiments.tables import FORMATS, HISTORY_FORMATS
from copi_np.history import EpochRecord

CONFIG = RunConfig("copi-bp", "tiny.npz", (6, 5, 3), 6, 0.1, 0.1)
SPLITS = ("train", "test", "val")
# validation accuracies by seed, in per cent; the best one is neither the last nor the best on the test set, and two tie
COPI = {0: [20, 50, 70, 60, 65, 64], 1: [30, 40, 35, 80, 60, 70], 2: [10, 75, 40, 60, 75, 50]}
# of runs that end two epochs after their best one
DECOR = {0: [40, 60, 30, 50], 1: [20, 30, 70, 65, 60], 3: [10, 20, 30, 40, 50, 45]}
BP = (1, 2, 3)
NAMES = {"copi-bp": "COPI (BP)", "bp-decor": "BP + decorrelation", "bp": "BP (SGD)"}


def made_up(rng, n_epochs, val=None):
    """Make up a history without any order: no two columns share their best epoch by construction, times are skewed."""
    return [
        EpochRecord(
            k,
            train_accuracy=round(rng.uniform(0.5, 0.99), 3),
            test_accuracy=round(rng.uniform(0.4, 0.9), 3),
            train_loss=rng.lognormal(),
            test_loss=rng.lognormal(),
            decorrelation_loss=rng.uniform(0, 1, 2).tolist(),
            seconds=round(rng.lognormal(0, 1.5), 3),
            val_accuracy=None if val is None else val[k - 1] / 100,
            val_loss=None if val is None else rng.lognormal(),
        )
        for k in range(1, n_epochs + 1)
    ]


def write_run(root, config, history):
    folder = root / f"{config.method}_{config.seed}"
    folder.mkdir(parents=True)
    head = {"name": str(folder), "config": config.as_dict(), "data_sha256": "ab"}
    (folder / "run.json").write_text(json.dumps(head))
    (folder / "history.jsonl").write_text("".join(json.dumps(record.as_dict()) + "\n" for record in history))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("campaign"), np.random.default_rng(7)
    for method, by_seed, patience in (("copi-bp", COPI, 0), ("bp-decor", DECOR, 2)):
        for seed, val in by_seed.items():
            config = replace(CONFIG, method=method, seed=seed, val_fraction=0.25, patience=patience)
            write_run(root, config, made_up(rng, len(val), val))
    for seed in BP:
        write_run(root, replace(CONFIG, method="bp", seed=seed, epochs=3), made_up(rng, 3))
    return root


def raw_records(path):
    return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])


def frames_of(root, method):
    """The raw records of a method's runs, by seed."""
    return {
        int(path.parent.name.rpartition("_")[2]): raw_records(path)
        for path in sorted(root.glob(f"{method}_*/history.jsonl"))
    }


def summarised(frame):
    """The quantities of one run, by pandas."""
    last = frame.iloc[-1]
    found = {name: last[name] for name in ("train_accuracy", "test_accuracy", "train_loss", "test_loss")}
    found |= {f"peak_{split}_accuracy": frame[f"{split}_accuracy"].max() for split in ("train", "test")}
    reached = frame["train_accuracy"] >= 0.99 * frame["train_accuracy"].max()
    found["epochs_to_peak"] = frame["epoch"][reached].min()
    found["seconds_per_epoch"] = frame["seconds"].quantile(0.5)
    if "val_accuracy" in frame:
        best = frame.loc[frame["val_accuracy"].idxmax()]  # the first of equal ones
        found |= {f"selected_{name}": best[name] for name in ("epoch", "val_accuracy", "test_accuracy")}
    return found


def oracle(root, method):
    """One row per seed and one column per quantity."""
    return pd.DataFrame({seed: summarised(frame) for seed, frame in frames_of(root, method).items()}).T


@pytest.fixture(scope="module")
def groups(root):
    return read_results(root).groups


def test_the_made_up_records_tell_columns_apart(root):
    """Or the tests below could not: last, best and selected epochs, medians and means, seeds and columns all differ."""
    for method in ("copi-bp", "bp-decor"):
        found = oracle(root, method)
        tests = found[["test_accuracy", "peak_test_accuracy", "selected_test_accuracy"]].mean()
        assert tests.round(4).nunique() == 3
        assert found["train_accuracy"].mean() != pytest.approx(found["peak_train_accuracy"].mean(), abs=1e-3)
        for frame in frames_of(root, method).values():
            assert frame["seconds"].median() != pytest.approx(frame["seconds"].mean(), rel=0.01)
    copi = frames_of(root, "copi-bp")
    assert any(frame["val_loss"].idxmin() != frame["val_accuracy"].idxmax() for frame in copi.values())
    assert (copi[2]["val_accuracy"] == copi[2]["val_accuracy"].max()).sum() == 2


@pytest.mark.parametrize("method", NAMES)
def test_the_table_for_other_programs_holds_means_and_deviations(root, groups, method):
    table = pd.read_csv(StringIO(FORMATS["csv"](groups)), index_col="method")
    row, expected = table.loc[NAMES[method]], oracle(root, method)
    assert row["seeds"] == len(expected)
    assert row["epochs"] == min(map(len, frames_of(root, method).values()))
    for name in expected:
        assert row[name] == pytest.approx(expected[name].mean(), rel=1e-12), name
        assert row[f"{name}_std"] == pytest.approx(expected[name].std(), rel=1e-12, abs=1e-15), name  # n - 1
    missing = [name for name in table if name.startswith("selected") and name.removesuffix("_std") not in expected]
    assert len(missing) == (6 if method == "bp" else 0)
    assert row[missing].isna().all()


@pytest.mark.parametrize("method", NAMES)
def test_the_summary_holds_every_number_by_seed(root, groups, method):
    (summary,) = (one for one in json.loads(FORMATS["json"](groups)) if one["label"] == NAMES[method])
    expected = oracle(root, method)
    assert summary["seeds"] == list(expected.index)
    assert summary["epochs"] == min(map(len, frames_of(root, method).values()))
    for name in expected:
        assert summary[name]["by_seed"] == pytest.approx(expected[name].tolist(), rel=1e-12), name
        assert summary[name]["mean"] == pytest.approx(expected[name].mean(), rel=1e-12), name
        assert summary[name]["deviation"] == pytest.approx(expected[name].std(), rel=1e-12, abs=1e-15), name
    assert ("selected_epoch" in summary) == (method != "bp")
    assert (summary["config"]["eta_W"], summary["config"]["batch_size"]) == (0.1, 50)


def cell(column, unit=1.0, digits=2):
    return f"{unit * column.mean():.{digits}f} ± {unit * column.std():.{digits}f}"


def main_row(root, method):
    """The cells of the main table, in its order."""
    found = oracle(root, method)
    n_epochs = min(map(len, frames_of(root, method).values()))
    accuracies = (cell(found[name], 100) for name in ("train_accuracy", "test_accuracy", "peak_test_accuracy"))
    losses = (cell(found[name], digits=4) for name in ("train_loss", "test_loss"))
    return [f"{len(found)}x{n_epochs}", *accuracies, cell(found["epochs_to_peak"], digits=1), *losses]


def selected_row(root, method):
    found = oracle(root, method)
    accuracies = (cell(found[f"selected_{split}_accuracy"], 100) for split in ("val", "test"))
    return [str(len(found)), *accuracies, cell(found["selected_epoch"], digits=1)]


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_tables_for_documents_hold_the_same_numbers(root, groups, form):
    text = FORMATS[form](groups).replace(r"$\pm$", "±").replace(r"\%", "%")
    start, between, end = {"markdown": ("| ", " | ", " |"), "latex": ("", " & ", r" \\")}[form]
    lines = [line for line in text.splitlines() if between in line and "---" not in line]
    columns = ["seeds x epochs", "train %", "test %", "best test %", "99 % at", "train loss", "test loss"]
    rows = [["method", *columns], *([label, *main_row(root, method)] for method, label in NAMES.items())]
    rows += [["method", "runs", "val %", "test %", "epoch"]]
    rows += [[NAMES[method], *selected_row(root, method)] for method in ("copi-bp", "bp-decor")]
    assert lines == [start + between.join(row) + end for row in rows]


def test_the_table_of_a_terminal_holds_the_same_numbers(root):
    lines = text_table(read_results(root)).splitlines()
    assert re.split(r"\s{2,}", lines[0]) == ["method", "runs", "train %", "test %", "best test %", "99 % at"]
    for method, label in NAMES.items():
        main, *selected = (line.removeprefix(label).split() for line in lines if line.startswith(f"{label} "))
        assert main == " ".join(main_row(root, method)[:5]).split()
        assert selected == ([" ".join(selected_row(root, method)).split()] if method != "bp" else [])


def test_comparisons_pair_seeds_at_the_last_epoch_of_both(root, tmp_path):
    write_report(copy_of(root, tmp_path, *NAMES))
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    copi = frames_of(root, "copi-bp")
    for method, label in list(NAMES.items())[1:]:
        other = frames_of(root, method)
        epoch = min(len(frame) for frame in [*copi.values(), *other.values()])
        common = sorted(copi.keys() & other.keys())
        assert epoch == {"bp-decor": 4, "bp": 3}[method]
        assert len(common) == 2
        pairs = pd.Series(
            [
                copi[seed].set_index("epoch")["test_accuracy"][epoch]
                - other[seed].set_index("epoch")["test_accuracy"][epoch]
                for seed in common
            ]
        )
        row = f"| {label} | {epoch} | {100 * pairs.mean():+.2f} ± {100 * pairs.std():.2f} | {sum(pairs > 0)} of 2 |"
        assert row in text


@pytest.mark.parametrize(("test_accuracy", "difference"), [(0.75, "+25.00"), (0.25, "-25.00"), (0.5, "+0.00")])
def test_differences_have_a_sign(tmp_path, test_accuracy, difference):
    for method, accuracy in (("copi-bp", test_accuracy), ("bp", 0.5)):
        record = EpochRecord(1, 0.9, accuracy, 1.0, 1.0, [0.1], 1.0)
        write_run(tmp_path, replace(CONFIG, method=method, epochs=1), [record])
    write_report(tmp_path)
    row = f"| BP (SGD) | 1 | {difference} | {int(test_accuracy > 0.5)} of 1 |"
    assert row in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_every_pair_of_groups_is_compared_at_its_last_common_epoch(root, groups):
    """Whichever of the two is longer; over the seeds that both have."""
    for method, group in zip(NAMES, groups, strict=True):
        for against, other in zip(NAMES, groups, strict=True):
            one, two = frames_of(root, method), frames_of(root, against)
            epoch = min(map(len, [*one.values(), *two.values()]))
            seeds = sorted(one.keys() & two.keys())
            differences = pd.Series(
                [one[seed]["test_accuracy"][epoch - 1] - two[seed]["test_accuracy"][epoch - 1] for seed in seeds]
            )
            found = compare(group, other)
            assert found[:3] == (NAMES[method], NAMES[against], epoch)
            assert found.difference == pytest.approx((differences.mean(), differences.std()), abs=1e-15)
            assert found[4:] == (sum(differences > 0), len(seeds))


def test_equal_accuracies_are_not_ahead(tmp_path):
    for method, accuracy in (("copi-bp", 0.5), ("bp", 0.5)):
        record = EpochRecord(1, 0.5, accuracy, 1.0, 1.0, [0.1], 1.0)
        write_run(tmp_path, replace(CONFIG, method=method, epochs=1), [record])
    copi, bp = read_results(tmp_path).groups
    assert compare(copi, bp)[2:] == (1, (0.0, None), 0, 1)


# ------------------------------------------------------------------------------------------- all epochs of all runs


def history_frame(root):
    """All raw records as one frame, in the order of the report."""
    frames = [
        frame.assign(method=label, seed=seed)
        for method, label in NAMES.items()
        for seed, frame in frames_of(root, method).items()
    ]
    found = pd.concat(frames, ignore_index=True)
    by_layer = found.pop("decorrelation_loss").tolist()
    return found.assign(**{f"decorrelation_loss_{k}": [values[k] for values in by_layer] for k in (0, 1)})


def test_the_history_for_other_programs_holds_every_recorded_number(root, groups):
    rows, raw = list(csv.DictReader(StringIO(HISTORY_FORMATS["csv"](groups)))), history_frame(root)
    for row, (_, record) in zip(rows, raw.iterrows(), strict=True):
        for name, value in record.items():
            if name == "method":
                assert row[name] == value
            else:  # every digit
                assert row[name] == "" if pd.isna(value) else float(row[name]) == value, name


def test_the_history_as_json_is_that_of_the_records(root, groups):
    found = json.loads(HISTORY_FORMATS["json"](groups))
    labels = {label: method for method, label in NAMES.items()}
    assert [(run["label"], run["seed"]) for run in found] == list(
        history_frame(root)[["method", "seed"]].drop_duplicates().itertuples(index=False, name=None)
    )
    for run in found:
        folder = root / f"{labels[run['label']]}_{run['seed']}"
        assert run["history"] == [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_the_history_for_documents_holds_accuracies_and_losses_of_every_epoch(root, groups, form):
    between = {"markdown": " | ", "latex": " & "}[form]
    header, *rows = (
        line.removeprefix("| ").removesuffix(" |").removesuffix(r" \\").replace(r"\%", "%").split(between)
        for line in HISTORY_FORMATS[form](groups).splitlines()
        if between in line and "---" not in line
    )
    raw = history_frame(root)
    assert len(rows) == len(raw)
    names = {
        "train %": "train_accuracy",
        "test %": "test_accuracy",
        "val %": "val_accuracy",
        "train loss": "train_loss",
    }
    names |= {"test loss": "test_loss", "method": "method", "seed": "seed", "epoch": "epoch"}
    assert set(header) >= set(names)
    for row, (_, record) in zip(rows, raw.iterrows(), strict=True):
        for title, name in names.items():
            value = row[header.index(title)]
            digits = {"%": 2, "loss": 4}.get(title.split()[-1])
            unit = 100 if title.endswith("%") else 1
            number = "" if pd.isna(record[name]) else record[name]
            expected = str(number) if digits is None or number == "" else f"{unit * number:.{digits}f}"
            assert value == expected, title


def test_a_history_as_a_frame_is_the_file(root):
    folder = root / "copi-bp_1"
    raw = raw_records(folder / "history.jsonl").set_index("epoch")
    pd.testing.assert_frame_equal(load_history(folder, as_frame=True), raw, check_exact=True)


# ------------------------------------------------------------------------------------------------- learning curves


def drawn_by(root, monkeypatch):
    """Draw a report; return the figure of learning curves and its title."""
    figures = {}
    monkeypatch.setattr(plotting, "save_figure", lambda figure, path: figures.update({path.name: figure}) or path)
    write_report(root, "A title")
    return figures["fig2.png"]


def copy_of(root, folder, *methods):
    for path in root.iterdir():
        if path.name.rpartition("_")[0] in methods:
            shutil.copytree(path, folder / path.name)
    return folder


@pytest.mark.parametrize("methods", [("copi-bp", "bp-decor"), ("copi-bp", "bp")])
def test_learning_curves_are_means_with_envelopes_of_the_records(root, tmp_path, monkeypatch, methods):
    """Validation is drawn, dotted, where all groups have it; in both panels and at every epoch."""
    figure = drawn_by(copy_of(root, tmp_path, *methods), monkeypatch)
    assert figure.get_suptitle() == "A title"
    styles = {"train": "--", "test": "-"} | ({"val": ":"} if "bp" not in methods else {})
    for axes, unit, quantity in zip(figure.axes, (100, 1), ("accuracy", "loss"), strict=True):
        lines = [line for line in axes.get_lines() if len(line.get_xdata())]
        envelopes = list(axes.collections)
        assert len(lines) == len(envelopes) == len(methods) * len(styles)
        for method in methods:
            frames = frames_of(root, method)
            n_epochs = min(map(len, frames.values()))
            for split, style in styles.items():
                table = pd.DataFrame({seed: frame[f"{split}_{quantity}"][:n_epochs] for seed, frame in frames.items()})
                mean, deviation = unit * table.mean(axis=1), unit * table.std(axis=1)
                (line,) = (
                    line
                    for line in lines
                    if len(line.get_ydata()) == n_epochs and np.allclose(line.get_ydata(), mean, rtol=1e-9)
                )
                assert line.get_linestyle() == style
                assert line.get_xdata().tolist() == list(range(1, n_epochs + 1))
                edges = [bounds(envelope) for envelope in envelopes]
                low, high = mean - deviation, mean + deviation
                assert any(close(edge, low, high) for edge in edges), (method, split, quantity)
    (legend,) = figure.legends
    shown = {text.get_text(): line.get_linestyle() for text, line in zip(legend.texts, legend.get_lines(), strict=True)}
    assert shown == {{"val": "validation"}.get(split, split): style for split, style in styles.items()}
    assert [text.get_text() for text in figure.axes[0].texts] == [NAMES[method] for method in methods]
    for method, text in zip(methods, figure.axes[0].texts, strict=True):
        (own,) = (
            each for each in figure.axes[0].get_lines() if len(each.get_xdata()) and each.get_label() == NAMES[method]
        )
        assert own.get_color() == text.get_color()
        table = pd.DataFrame({seed: frame["test_accuracy"] for seed, frame in frames_of(root, method).items()})
        assert own.get_ydata()[0] == pytest.approx(100 * table.iloc[0].mean())


def test_the_best_groups_on_the_test_set_are_drawn(tmp_path, monkeypatch):
    """In the order of their settings, however good they are on the training set."""
    for k in range(10):
        record = EpochRecord(1, 0.9 - 0.01 * k, 0.5 + 0.01 * k, 1.0, 1.0, [0.1], 1.0)
        write_run(tmp_path / str(k), replace(CONFIG, epochs=1, eta_W=0.1 + 0.01 * k), [record])
    accuracy, _ = drawn_by(tmp_path, monkeypatch).axes
    drawn = [
        line.get_ydata()[0] for line in accuracy.get_lines() if len(line.get_xdata()) and line.get_linestyle() == "-"
    ]
    assert drawn == pytest.approx([52, 53, 54, 55, 56, 57, 58, 59])


def test_columns_of_all_groups_are_in_the_table(tmp_path):
    """Also where the first group has no validation split."""
    record = EpochRecord(1, 0.9, 0.5, 1.0, 1.0, [0.1], 1.0)
    write_run(tmp_path, replace(CONFIG, epochs=1), [record])
    config = replace(CONFIG, method="bp", epochs=1, val_fraction=0.1)
    write_run(tmp_path, config, [replace(record, val_accuracy=0.25, val_loss=1.0)])
    first, second = csv.DictReader(StringIO(FORMATS["csv"](read_results(tmp_path).groups)))
    assert (first["selected_val_accuracy"], second["selected_val_accuracy"]) == ("", "0.25")
    rows = list(csv.DictReader(StringIO(HISTORY_FORMATS["csv"](read_results(tmp_path).groups))))
    assert [row["val_accuracy"] for row in rows] == ["", "0.25"]


def test_every_machine_of_a_run_is_named_once(tmp_path):
    """Also those on which it was continued."""
    record = EpochRecord(1, 0.9, 0.5, 1.0, 1.0, [0.1], 1.0)
    for seed in (0, 1):
        folder = write_run(tmp_path, replace(CONFIG, epochs=1, seed=seed), [record])
        here = {"device": "cpu", "cores": 2, "blas": "abacus", "versions": {"numpy": "2.9"}}
        there = {"after_epoch": 1, "device": "gpu", "cores": 8, "blas": "abacus", "versions": {"numpy": "3.0"}}
        head = json.loads((folder / "run.json").read_text()) | here | {"continued": [there]}
        (folder / "run.json").write_text(json.dumps(head))
    write_report(tmp_path)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text.endswith("Ran on cpu, 2 cores, abacus; numpy 2.9.\n\nRan on gpu, 8 cores, abacus; numpy 3.0.\n")


def test_remarks_count_the_epochs_of_each_run(tmp_path):
    record = EpochRecord(1, 0.9, 0.5, 1.0, 1.0, [0.1], 1.0)
    three = [replace(record, epoch=k) for k in (1, 2, 3)]
    write_run(tmp_path, replace(CONFIG, epochs=3), three)
    write_run(tmp_path, replace(CONFIG, epochs=5, seed=1), three)
    write_run(tmp_path, replace(CONFIG, epochs=4, seed=2), three[:2])
    results = read_results(tmp_path)
    assert results.remarks == [
        "COPI (BP), seed 1 (copi-bp_1): 3 of 5 epochs, not finished",
        "COPI (BP), seed 2 (copi-bp_2): 2 of 4 epochs, not finished, left out",
    ]
    (group,) = results.groups
    assert [len(run.history) for run in group.runs] == [3, 3]
    assert group.as_dict()["epochs"] == 3


def test_the_title_names_every_data_set_and_network_once(tmp_path):
    record = EpochRecord(1, 0.9, 0.5, 1.0, 1.0, [0.1], 1.0)
    for k, layers in enumerate([(6, 5, 3), (6, 4, 3), (6, 5, 3)]):
        write_run(tmp_path / str(k), replace(CONFIG, layers=layers, epochs=1, eta_W=0.1 * (k + 1)), [record])
    assert sorted(read_results(tmp_path).title.split("; ")) == ["tiny, 6-4-3", "tiny, 6-5-3"]


def bounds(envelope):
    """The lower and upper edge of an envelope, by epoch."""
    vertices = envelope.get_paths()[0].vertices
    epochs = sorted(set(vertices[:, 0]))
    return [[pick(vertices[vertices[:, 0] == epoch, 1]) for epoch in epochs] for pick in (min, max)]


def close(edges, low, high):
    return len(edges[0]) == len(low) and np.allclose(edges[0], low) and np.allclose(edges[1], high)


# ----------------------------------------------------------------------------------- what tells runs and groups apart

OTHER = {
    "method": "bp-decor", "dataset": "other.npz", "layers": (6, 4, 3), "eta_W": 0.2, "eta_R": 0.2, "batch_size": 20,
    "seed": 1, "first_epochs": 1, "first_eta_W": 0.01, "first_eta_R": 0.01, "delta_scale": 2.0,
    "decorrelation": "local", "dtype": "float64", "val_fraction": 0.1, "rule": "sgd", "error_signal": "fa",
    "loss": "cross_entropy", "activation": "tanh", "output_activation": "linear", "bias": True, "scale": "unit",
    "image_shape": (1, 3, 2),
    "decorrelation_samples": 5, "decorrelation_every": 2, "rest_R_after": 3,
}  # fmt: skip
"""Another value of every field of a configuration that changes the result of a run."""
TOGETHER = {"epochs": 7, "patience": 2}
"""Of those that only say when it ends."""


def test_every_field_has_another_value_here():
    assert {field.name for field in fields(RunConfig)} == {*OTHER, *TOGETHER, *NOT_FROM_TEXT}


@pytest.mark.parametrize("name", OTHER)
def test_runs_that_differ_in_one_field_are_not_averaged(tmp_path, name):
    record = EpochRecord(1, 0.5, 0.5, 1.0, 1.0, [0.1], 1.0, 0.5, 1.0)
    other = replace(CONFIG, epochs=1, **{name: OTHER[name]})
    for folder, config in (("one", replace(CONFIG, epochs=1)), ("other", other)):
        write_run(tmp_path / folder, config, [record])
    runs = [read_run(path.parent) for path in sorted(tmp_path.rglob("run.json"))]
    assert len(group_runs(runs)) == (1 if name == "seed" else 2)
    if name != "seed":
        labels = [group.label for group in group_runs(runs)]
        assert len(set(labels)) == 2


@pytest.mark.parametrize("name", TOGETHER)
def test_runs_that_only_end_elsewhere_are_one_group(tmp_path, name):
    record = EpochRecord(1, 0.5, 0.5, 1.0, 1.0, [0.1], 1.0, 0.5, 1.0)
    base = replace(CONFIG, val_fraction=0.1)
    for folder, config in (("one", base), ("other", replace(base, seed=1, **{name: TOGETHER[name]}))):
        write_run(tmp_path / folder, config, [record])
    (group,) = group_runs(read_run(path.parent) for path in sorted(tmp_path.rglob("run.json")))
    assert len(group.runs) == 2


@pytest.mark.parametrize("name", ["eta_W", "eta_R", "first_eta_W", "first_eta_R", "delta_scale", "val_fraction"])
def test_a_tiny_change_of_a_number_is_another_run(name):
    """The last digit counts, for large and for small numbers."""
    split = Split(np.zeros((4, 6)), np.arange(4) % 3)
    data = Dataset("tiny.npz", split, split, 3)
    values = [0.1, np.nextafter(0.1, 1), 1e-7, 2e-7, 1e-12, 3e-12]
    names = {run_name(replace(CONFIG, **{name: float(value)}), data) for value in values}
    assert len(names) == len(values)
