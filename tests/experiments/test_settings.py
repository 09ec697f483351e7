"""What was varied: a column in tables and frames, an axis of a figure; grids in one folder are kept apart."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from io import StringIO
from statistics import mean, stdev

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import write_tiny

from copi_np import DataError, Dataset, InputError, Split
from copi_np.cli import main
from copi_np.errors import CopiWarning
from copi_np.experiments.campaign import grid
from copi_np.experiments.config import RunConfig
from copi_np.experiments.grids import GRIDS_FILE, Grid, axis_of, lines_over, read_grids, record_grid
from copi_np.experiments.methods import Method
from copi_np.experiments.records import find_runs, load_history
from copi_np.experiments.report import markdown, read_results, text_table, write_report
from copi_np.experiments.settings import setting, varied
from copi_np.experiments.summary import group_runs
from copi_np.experiments.tables import csv_of, history_csv, history_json, latex_of, markdown_of
from copi_np.history import EpochRecord
from copi_np.plotting import setting_curves
from copi_np.storage.jsonl import append_line, write_lines

CONFIG = RunConfig("copi-bp", "somewhere/tiny.v2.npz", (6, 5, 3), 2, 0.1, 0.1)


def history(accuracies, ahead=0.125):
    return [EpochRecord(e, a + ahead, a, 1 - a, 1 - a, [0.0], 2.0) for e, a in enumerate(accuracies, start=1)]


def write_run(root, accuracies, config=CONFIG, **changes):
    """Record a run with these test accuracies, and return its name; training accuracies are 0.125 higher."""
    config = replace(config, **changes)
    name = f"{config.method}_{len(list(root.rglob('run.json')))}_seed{config.seed}"
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    head = {"name": name, "config": config.as_dict(), "data_sha256": "ab"}
    (folder / "run.json").write_text(json.dumps(head))
    write_lines(folder / "history.jsonl", [record.as_dict() for record in history(accuracies)])
    return name


def groups_of(root):
    return group_runs(find_runs(root)[0])


# ---------------------------------------------------------------------------------------------------- settings


def test_settings_are_those_in_which_runs_of_one_method_differ():
    """Whatever is of a method, as its preset says, is not varied; nor are seed and length."""
    copi = [replace(CONFIG, eta_W=eta, eta_R=eta, seed=seed) for eta in (0.1, 0.2) for seed in (0, 1)]
    adam = [replace(CONFIG, method="bp-adam", eta_W=1e-4, epochs=9, delta_scale=5)]
    assert varied([]) == varied(adam) == varied([copi[0], *adam]) == []
    assert varied([*copi, *adam]) == ["eta"]
    assert varied([*copi, replace(CONFIG, eta_W=0.2)]) == ["eta_W", "eta_R"]
    assert varied([CONFIG, replace(CONFIG, layers=(6, 4, 3), dtype="float64")]) == ["layers", "dtype"]
    assert varied([CONFIG, replace(CONFIG, first_eta_W=1, first_eta_R=1)]) == ["first_eta"]
    assert varied([CONFIG, replace(CONFIG, dataset="elsewhere/tiny.v2.npz")]) == []
    assert varied([CONFIG, replace(CONFIG, dataset="other.npz")]) == ["dataset"]


def test_without_lateral_weights_their_settings_have_no_value():
    bp = replace(CONFIG, method="bp", eta_W=0.3)
    assert (setting(bp, "eta_R"), setting(bp, "decorrelation"), setting(bp, "eta")) == (None, None, 0.3)
    assert (setting(CONFIG, "eta_R"), setting(CONFIG, "decorrelation"), setting(CONFIG, "eta")) == (0.1, "matrix", 0.1)
    own = replace(CONFIG, method=Method("mine", "copi", "bp", False))
    assert setting(own, "eta_R") is None
    assert varied([bp, replace(bp, eta_R=0.2)]) == []
    # and the pairs of the others are still one step size
    assert varied([CONFIG, replace(CONFIG, eta_W=1, eta_R=1), bp, replace(bp, eta_W=0.4)]) == ["eta"]


def test_cheaper_decorrelation_is_a_setting_of_methods_that_decorrelate(tmp_path):
    for method in ("copi-bp", "bp"):
        for every in (1, 10):
            write_run(tmp_path, [every / 100], method=method, decorrelation_every=every)
    rows = list(csv.DictReader(StringIO(csv_of(groups_of(tmp_path)))))
    assert [(row["method"], row["decorrelation_every"], row["test_accuracy"]) for row in rows[:2]] == [
        ("COPI (BP), decorrelation_every=1", "1", "0.01"), ("COPI (BP), decorrelation_every=10", "10", "0.1"),
    ]  # fmt: skip
    assert [row["decorrelation_every"] for row in rows[2:]] == ["", ""]
    options = {"preset": "mnist", "dataset": "made up", "layers": "6,5,3"}
    data = Dataset("made up", Split(np.eye(6), np.arange(6) % 3), Split(np.eye(6), np.arange(6) % 3), 3)
    configs, _ = grid(options, ["copi-bp", "bp"], [0], lambda _: data, {"decorrelation_every": [1, 10]})
    assert [(config.method, config.decorrelation_every) for config in configs] == [
        ("copi-bp", 1), ("bp", 1), ("copi-bp", 10),
    ]  # fmt: skip


def test_settings_are_plain_values(tmp_path):
    (tmp_path / "mine.py").write_text("def kappa(R, x):\n    return -R\n")
    own = replace(CONFIG, decorrelation=f"{tmp_path}/mine.py:kappa")
    assert setting(own, "decorrelation") == "mine.py:kappa"
    assert setting(CONFIG, "layers") == "6-5-3"
    assert setting(CONFIG, "dataset") == "tiny.v2"
    assert setting(CONFIG, "rule") is None


# ------------------------------------------------------------------------------------------------------ tables


@pytest.fixture
def root(tmp_path):
    """Two methods at two step sizes; accuracies after the last epoch differ from all others."""
    for eta, last in ((0.1, (0.5, 0.75)), (0.01, (0.25, 0.375))):
        for seed, accuracy in enumerate(last):
            write_run(tmp_path, [0.8, accuracy], eta_W=eta, eta_R=eta, seed=seed)
    for eta, accuracy in ((0.1, 0.125), (0.01, 0.0)):
        write_run(tmp_path, [0.9, accuracy], method="bp", eta_W=eta, eta_R=7.0)
    return tmp_path


def test_a_table_has_a_column_for_each_setting_that_varies(root):
    rows = list(csv.DictReader(StringIO(csv_of(groups_of(root)))))
    assert [(row["method"], row["eta"], row["seeds"], row["test_accuracy"]) for row in rows] == [
        ("COPI (BP), eta=0.01", "0.01", "2", "0.3125"),
        ("COPI (BP), eta=0.1", "0.1", "2", "0.625"),
        ("BP (SGD), eta=0.01", "0.01", "1", "0.0"),
        ("BP (SGD), eta=0.1", "0.1", "1", "0.125"),
    ]
    assert float(rows[0]["test_accuracy_std"]) == pytest.approx(stdev([0.25, 0.375]))
    assert list(rows[0])[:4] == ["method", "eta", "seeds", "epochs"]
    by_epoch = list(csv.DictReader(StringIO(history_csv(groups_of(root)))))
    assert [(row["eta"], row["seed"], row["epoch"], row["test_accuracy"]) for row in by_epoch[:4]] == [
        ("0.01", "0", "1", "0.8"), ("0.01", "0", "2", "0.25"), ("0.01", "1", "1", "0.8"), ("0.01", "1", "2", "0.375"),
    ]  # fmt: skip


def test_the_summary_holds_the_settings_of_each_group(root):
    write_report(root)
    groups = json.loads((root / "summary.json").read_text())
    assert [group["settings"] for group in groups] == [{"eta": 0.01}, {"eta": 0.1}] * 2
    runs = json.loads(history_json(groups_of(root)))
    assert [run["settings"] for run in runs] == [{"eta": 0.01}] * 2 + [{"eta": 0.1}] * 2 + [{"eta": 0.01}, {"eta": 0.1}]


def test_a_table_without_anything_varied_is_as_before(tmp_path):
    write_run(tmp_path, [0.5])
    write_run(tmp_path, [0.5], method="bp", eta_W=3)
    assert csv_of(groups_of(tmp_path)).startswith("method,seeds,epochs,train_accuracy,")
    assert "settings" not in groups_of(tmp_path)[0].as_dict()
    assert [path.name for path in write_report(tmp_path)[1]] == ["table.md", "summary.json", "fig2.png"]


# ------------------------------------------------------------------------------------------------------ frames


def test_the_runs_of_a_folder_are_one_frame(root):
    pandas = pytest.importorskip("pandas")
    frame = load_history(root)
    assert list(frame.columns[:6]) == ["run", "method", "eta", "seed", "epoch", "train_accuracy"]
    assert len(frame) == 12
    last = frame[frame.epoch == 2].groupby(["method", "eta"]).test_accuracy.agg(["mean", "std", "count"])
    assert last.loc[("copi-bp", 0.1)].tolist() == [0.625, pytest.approx(stdev([0.5, 0.75])), 2]
    assert last.loc[("copi-bp", 0.01)].tolist() == [0.3125, pytest.approx(stdev([0.25, 0.375])), 2]
    assert last.loc[("bp", 0.1)].tolist() == [0.125, pytest.approx(np.nan, nan_ok=True), 1]
    assert set(frame.run) == {run.description["name"] for run in find_runs(root)[0]}
    assert frame.groupby("run").seed.nunique().max() == 1
    one = load_history(root / "runs" / frame.run[0])
    assert one.index.name == "epoch"
    pandas.testing.assert_series_equal(
        one.test_accuracy.reset_index(drop=True), frame.test_accuracy[:2].reset_index(drop=True)
    )


def test_without_a_frame_histories_are_lists_by_run(root, monkeypatch):
    histories = load_history(root, as_frame=False)
    assert {name: [record.test_accuracy for record in each] for name, each in histories.items()}["copi-bp_1_seed1"] == [
        0.8,
        0.75,
    ]
    assert len(histories) == 6
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert load_history(root) == histories
    with pytest.raises(InputError, match="needs pandas"):
        load_history(root, as_frame=True)


def test_a_frame_leaves_damaged_runs_out_with_a_warning(root):
    (root / "runs" / "bp_4_seed0" / "run.json").write_text("{")
    with pytest.warns(CopiWarning, match="bp_4_seed0: left out"):
        assert len(load_history(root)) == 10
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="there are no runs in"):
        load_history(root / "empty")


def test_where_no_run_can_be_read_the_error_says_why(tmp_path):
    write_run(tmp_path, [0.5])
    (tmp_path / "runs" / "copi-bp_0_seed0" / "run.json").write_text("{")
    with (
        pytest.warns(CopiWarning),
        pytest.raises(DataError, match=r"no run in .* can be read: copi-bp_0_seed0: left out"),
    ):
        load_history(tmp_path)


# ------------------------------------------------------------------------------------------------------- grids


@pytest.fixture
def two_grids(tmp_path):
    """A run in both, and one in neither."""
    shared = write_run(tmp_path, [0.5], eta_W=0.1, eta_R=0.1)
    eta = write_run(tmp_path, [0.75], eta_W=0.2, eta_R=0.2)
    batch = write_run(tmp_path, [0.25], batch_size=20)
    write_run(tmp_path, [0.0], method="bp")
    record_grid(tmp_path, Grid(["eta"], {"preset": "mnist"}, [shared, eta]))
    record_grid(tmp_path, Grid(["batch_size"], {"preset": "mnist"}, [shared, batch]))
    return tmp_path


NAMES = ["Grid 1: eta (preset mnist)", "Grid 2: batch_size (preset mnist)", "Other runs"]


def test_grids_in_one_folder_are_kept_apart(two_grids):
    results = read_results(two_grids)
    assert [(group.grid, group.label, group.settings) for group in results.grids] == [
        (NAMES[0], "COPI (BP), eta=0.1", {"eta": 0.1}),
        (NAMES[0], "COPI (BP), eta=0.2", {"eta": 0.2}),
        (NAMES[1], "COPI (BP), batch_size=20", {"batch_size": 20}),
        (NAMES[1], "COPI (BP), batch_size=50", {"batch_size": 50}),
        (NAMES[2], "BP (SGD)", {}),
    ]
    assert [group.label for group in results.groups] == [
        "COPI (BP), eta=0.1, batch_size=20", "COPI (BP), eta=0.1, batch_size=50", "COPI (BP), eta=0.2, batch_size=50",
        "BP (SGD)",
    ]  # fmt: skip
    rows = list(csv.DictReader(StringIO(csv_of(results.grids))))
    assert [(row["grid"], row["eta"], row["batch_size"], row["test_accuracy"]) for row in rows] == [
        (NAMES[0], "0.1", "", "0.5"), (NAMES[0], "0.2", "", "0.75"),
        (NAMES[1], "", "20", "0.25"), (NAMES[1], "", "50", "0.5"), (NAMES[2], "", "", "0.0"),
    ]  # fmt: skip


def test_each_grid_has_its_own_tables_and_figure(two_grids):
    results, files = write_report(two_grids)
    names = ["table.md", "summary.json", "fig2.png", "settings.png", "settings-2.png"]
    assert [path.name for path in files] == names
    table = text_table(results)
    assert [line for line in table.splitlines() if line in NAMES] == NAMES
    text = (two_grids / "table.md").read_text(encoding="utf-8")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == NAMES
    assert "of COPI (BP), eta=0.1 minus" in text
    assert "| COPI (BP), eta=0.2 | 1 | -25.00 | 0 of 1 |" in text  # compared with the first of its grid, not beyond
    assert "| BP (SGD) | 1 |" not in text
    assert markdown_of(results.grids).count("## Grid") == 2
    assert latex_of(results.grids).count("% Grid") == 2
    groups = json.loads((two_grids / "summary.json").read_text())
    assert [group["grid"] for group in groups] == [NAMES[0]] * 2 + [NAMES[1]] * 2 + [NAMES[2]]
    # figures of grids that are gone are removed
    (two_grids / GRIDS_FILE).unlink()
    assert "settings-2.png" not in [path.name for path in write_report(two_grids)[1]]
    assert not (two_grids / "settings-2.png").exists()


def test_a_grid_that_is_extended_stays_one(tmp_path):
    first, other = Grid(["eta"], {"preset": "mnist"}, ["a", "b"]), Grid(["eta"], {"preset": "cifar10"}, ["a"])
    for each in (first, other, Grid(["eta"], {"preset": "mnist"}, ["b", "c"]), first, other):
        record_grid(tmp_path, each)
    assert read_grids(tmp_path) == [Grid(["eta"], {"preset": "mnist"}, ["a", "b", "c"]), other]
    assert len((tmp_path / GRIDS_FILE).read_text().splitlines()) == 3


def test_a_single_grid_needs_no_heading(tmp_path):
    names = [write_run(tmp_path, [0.5], eta_W=eta, eta_R=eta) for eta in (0.1, 0.2)]
    without = markdown(read_results(tmp_path)), csv_of(read_results(tmp_path).grids)
    record_grid(tmp_path, Grid(["eta"], {}, names))
    assert (markdown(read_results(tmp_path)), csv_of(read_results(tmp_path).grids)) == without


@pytest.mark.parametrize(
    "line", [{"varied": "eta", "options": {}, "runs": []}, {"runs": [1], "varied": [], "options": {}}, {"x": 1}, 7]
)
def test_a_damaged_list_of_grids_costs_no_result(root, line):
    append_line(root / GRIDS_FILE, line)
    with pytest.raises(DataError, match=r"grids\.jsonl is damaged: move it away"):
        read_grids(root)
    results, files = write_report(root)
    assert "grids.jsonl is damaged: move it away" in text_table(results)
    assert len(results.grids) == len(results.groups) == 4
    assert "settings.png" in [path.name for path in files]


def test_a_sweep_records_its_grid(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    common = [
        "sweep",
        "--preset",
        "own-data",
        "--dataset",
        "tiny.npz",
        "--epochs",
        "1",
        "--seeds",
        "1",
        "--workers",
        "1",
    ]
    assert CliRunner().invoke(main, [*common, "--vary", "layers=6-5-3", "--vary", "eta=1e-4,1e-3"]).exit_code == 0
    result = CliRunner().invoke(main, [*common, "--vary", "layers=6-4-3,6-5-3"])
    assert result.exit_code == 0
    assert "\nGrid 2: layers (preset own-data, dataset tiny.npz)\n" in result.stdout
    one, two = read_grids(tmp_path / "sweep" / "own-data_tiny")
    assert (one.varied, one.options) == (["layers", "eta"], {"preset": "own-data", "dataset": "tiny.npz"})
    assert (two.varied, len(one.runs), len(two.runs)) == (["layers"], 2, 2)
    assert len(set(one.runs) & set(two.runs)) == 1  # at the preset's step size, with five units
    assert "seed 0, layers=6-5-3, eta=0.0001: epoch 1" in CliRunner().invoke(
        main, [*common, "--out", "again", "--vary", "layers=6-5-3", "--vary", "eta=1e-4"]
    ).stderr.replace("\n ", "")


# ------------------------------------------------------------------------------------------------------ figure


def drawn(figure):
    """Return the lines of a figure as {(label or colour, style): (x, y)}, and its envelopes."""
    axes = figure.axes[0]
    lines = {
        (line.get_color(), line.get_linestyle()): line.get_xydata() for line in axes.lines if len(line.get_xdata())
    }
    return axes, lines, [path.get_paths()[0].vertices for path in axes.collections]


def test_accuracy_is_drawn_over_what_varied(root):
    groups = groups_of(root)
    assert axis_of(groups) == "eta"
    lines = lines_over("eta", groups, 8)
    assert {label: list(line) for label, line in lines.items()} == {"COPI (BP)": [0.01, 0.1], "BP (SGD)": [0.01, 0.1]}
    axes, curves, envelopes = drawn(setting_curves(lines, "eta"))
    blue, green = "#0072B2", "#009E73"
    assert curves[blue, "-"].tolist() == [[0.01, 31.25], [0.1, 62.5]]
    assert curves[blue, "--"].tolist() == [[0.01, 43.75], [0.1, 75]]
    assert curves[green, "-"].tolist() == [[0.01, 0], [0.1, 12.5]]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "eta"
    assert axes.get_ylim()[1] <= 100.5
    test_of_copi = envelopes[1]  # training comes first
    at_first = sorted({round(float(y), 9) for x, y in test_of_copi if x == 0.01})
    half = 100 * stdev([0.25, 0.375])
    assert at_first == [pytest.approx(31.25 - half), pytest.approx(31.25 + half)]
    assert mean(at_first) == pytest.approx(31.25)


def with_validation(accuracies):
    return [replace(record, val_accuracy=record.test_accuracy / 2) for record in history(accuracies)]


def test_the_axis_suits_what_varied():
    at = lambda *values: {"a": {value: [with_validation([0.5])] for value in values}}  # noqa: E731
    axes, curves, _ = drawn(setting_curves(at(0.0, 1e-3, 1e-2), "eta_R"))
    assert axes.get_xscale() == "symlog"
    assert sorted(line[0, 1] for line in curves.values()) == [25, 50, 62.5]  # validation, test, train
    assert drawn(setting_curves(at(1e-3, 1e-2), "first_eta_W"))[0].get_xscale() == "log"
    assert drawn(setting_curves(at(5, 500), "delta_scale"))[0].get_xscale() == "log"
    assert drawn(setting_curves(at(20, 50), "batch_size"))[0].get_xscale() == "linear"
    ticks = drawn(setting_curves(at(2, 4), "rest_R_after"))[0].get_xticks()
    assert [tick for tick in ticks if 2 <= tick <= 4] == [2, 3, 4]
    axes, curves, _ = drawn(setting_curves(at("6-5-3", "6-4-3"), "layers"))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["6-4-3", "6-5-3"]
    assert all(line[:, 0].tolist() == [0, 1] for line in curves.values())
    with pytest.raises(InputError, match="at least one value of eta"):
        setting_curves({"a": {None: [history([0.5])]}}, "eta")


def test_a_method_that_a_setting_does_not_concern_is_a_horizontal_line():
    curves = {"a": {0.1: [history([0.5])], 0.2: [history([0.6])]}, "b": {None: [history([0.25]), history([0.75])]}}
    _, lines, envelopes = drawn(setting_curves(curves, "eta_R"))
    assert lines["#009E73", "-"].tolist() == [[0.1, 50], [0.2, 50]]
    half = 100 * stdev([0.25, 0.75])
    assert envelopes[3][:, 1].min() == pytest.approx(50 - half)


def test_of_settings_with_as_many_values_the_one_with_more_lines_makes_the_axis(tmp_path):
    write_run(tmp_path, [0.1])
    write_run(tmp_path, [0.2], decorrelation_every=10)
    for method in ("copi-bp", "bp-decor"):
        for epoch in (2, 4):
            write_run(tmp_path, [0.3], method=method, rest_R_after=epoch)
    groups = groups_of(tmp_path)
    lines = lines_over("decorrelation_every", groups, 8).values()
    assert sorted(map(len, lines)) == [1, 1, 1, 1, 2]
    assert axis_of(groups) == "rest_R_after"


def test_numbers_with_most_values_make_the_axis_and_the_rest_is_in_the_label(tmp_path):
    for batch_size in (10, 20, 30):
        for decorrelation in ("matrix", "local"):
            for eta in (0.1, 0.2):
                write_run(tmp_path, [eta], batch_size=batch_size, decorrelation=decorrelation, eta_R=eta)
    groups = groups_of(tmp_path)
    assert axis_of(groups) == "batch_size"
    lines = lines_over("batch_size", groups, 8)
    assert sorted(lines) == [
        f"COPI (BP), eta_R={eta}, decorrelation={form}" for eta in (0.1, 0.2) for form in ("local", "matrix")
    ]
    assert all(list(line) == [10, 20, 30] for line in lines.values())
    # of many lines, those that reach the highest test accuracy
    assert [label.split(", ")[1] for label in lines_over("batch_size", groups, 2)] == ["eta_R=0.2"] * 2
