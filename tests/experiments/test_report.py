"""Reports: what the records say, no more and no less; from records alone."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from copi_np import DataError, InputError, plotting
from copi_np.callbacks import EpochRecord
from copi_np.cli import main
from copi_np.errors import CopiWarning
from copi_np.experiments.config import RunConfig
from copi_np.experiments.records import find_runs, load_history, read_run
from copi_np.experiments.report import read_results, text_table, write_report
from copi_np.experiments.summary import Statistic, compare, epochs_to_peak, group_runs, statistic
from copi_np.experiments.tables import FORMATS, HISTORY_FORMATS, plus_minus
from copi_np.storage.atomic import replace_text
from copi_np.storage.jsonl import append_line, read_lines, write_lines

CONFIG = RunConfig("copi-bp", "somewhere/tiny.npz", (6, 5, 3), 3, 0.1, 0.1)
ENVIRONMENT = {"device": "cpu", "cores": 2, "blas": "abacus", "versions": {"copi-np": "0.1.0", "numpy": "2.9"}}
# test accuracies by epoch, of two seeds; the training set is 0.1 ahead, losses are 1 - accuracy
TEST = {
    "copi-bp": [[0.5, 0.7, 0.8], [0.4, 0.8, 0.6]],
    "bp-decor": [[0.4, 0.6, 0.7], [0.5, 0.6, 0.7]],
    "bp-adam": [[0.3, 0.3, 0.5], [0.3, 0.3, 0.7]],
}


def history(accuracies):
    return [EpochRecord(e, a + 0.1, a, 0.9 - a, 1 - a, [0.0, 0.0], 2.0 * e) for e, a in enumerate(accuracies, start=1)]


def write_run(root, config, accuracies, **description):
    folder = root / f"{config.method}_{config.seed}"
    while folder.exists():
        folder = folder.with_name(f"{folder.name}b")
    folder.mkdir(parents=True)
    head = {"name": folder.name, "config": config.as_dict(), "data_sha256": "ab", **ENVIRONMENT, **description}
    (folder / "run.json").write_text(json.dumps(head))
    write_lines(folder / "history.jsonl", [record.as_dict() for record in history(accuracies)])
    return folder


@pytest.fixture
def root(tmp_path):
    for method, seeds in TEST.items():
        for seed, accuracies in enumerate(seeds):
            write_run(tmp_path / "runs", replace(CONFIG, method=method, seed=seed), accuracies)
    return tmp_path


# ---------------------------------------------------------------------------------------------------- numbers


def test_statistics_of_seeds():
    assert statistic([1.0, 3.0]) == Statistic(2.0, pytest.approx(2**0.5))
    assert statistic([5.0]) == Statistic(5.0, None)


def test_epochs_to_99_per_cent_of_the_peak():
    """The first epoch that reaches it, also where the peak comes later or the accuracy falls again."""
    assert epochs_to_peak(history([0.1, 0.79, 0.8, 0.5])) == 3  # of 0.9: 0.891 is more than 0.89
    assert epochs_to_peak(history([0.1, 0.792, 0.8, 0.5])) == 2
    assert epochs_to_peak(history([0.8])) == 1


def test_groups_are_seeds_of_one_configuration(root):
    groups = group_runs(find_runs(root)[0])
    assert [group.label for group in groups] == ["COPI (BP)", "BP + decorrelation", "BP (Adam)"]
    copi = groups[0]
    assert [run.config.seed for run in copi.runs] == [0, 1]
    assert copi.n_epochs == 3
    assert copi.statistic("test_accuracy") == pytest.approx((0.7, np.sqrt(0.02)))
    assert copi.statistic("train_accuracy").mean == pytest.approx(0.8)
    assert copi.statistic("peak_test_accuracy") == pytest.approx((0.8, 0))
    assert copi.statistic("peak_train_accuracy").mean == pytest.approx(0.9)
    assert copi.statistic("test_loss").mean == pytest.approx(0.3)
    assert copi.statistic("train_loss").mean == pytest.approx(0.2)
    assert copi.statistic("epochs_to_peak") == pytest.approx((2.5, 0.5**0.5))
    assert copi.statistic("seconds_per_epoch").mean == 4


def test_comparisons_are_seed_by_seed(root):
    copi, decor, _ = group_runs(find_runs(root)[0])
    comparison = compare(copi, decor)
    assert comparison.difference == pytest.approx((0.0, 0.1 * 2**0.5))
    assert (comparison.epoch, comparison.n_ahead, comparison.n_seeds) == (3, 1, 2)


def test_comparisons_are_at_the_last_common_epoch_of_common_seeds(tmp_path):
    for seed, accuracies in ((0, [0.5, 0.6, 0.9]), (2, [0.5, 0.8, 0.9])):
        write_run(tmp_path, replace(CONFIG, seed=seed), accuracies)
    for seed in (1, 2):
        write_run(tmp_path, replace(CONFIG, method="bp", seed=seed, epochs=2), [0.1, 0.2])
    copi, bp = group_runs(find_runs(tmp_path)[0])
    assert compare(copi, bp).difference == (pytest.approx(0.6), None)
    assert compare(copi, bp)[2:] == (2, compare(copi, bp).difference, 1, 1)
    only_2 = replace(bp, runs=bp.runs[:1])
    assert compare(copi, only_2) is None


def test_groups_are_told_apart_by_what_differs(tmp_path):
    for eta_W in (0.1, 0.01):
        write_run(tmp_path, replace(CONFIG, eta_W=eta_W), [0.5])
    write_run(tmp_path, replace(CONFIG, layers=(6, 4, 3)), [0.5])
    write_run(tmp_path, replace(CONFIG, method="bp"), [0.5])
    labels = {group.label for group in group_runs(find_runs(tmp_path)[0])}
    assert labels == {
        "COPI (BP), layers=6-5-3, eta_W=0.1", "COPI (BP), layers=6-5-3, eta_W=0.01",
        "COPI (BP), layers=6-4-3, eta_W=0.1", "BP (SGD)",
    }  # fmt: skip


def test_other_data_are_another_group(tmp_path):
    write_run(tmp_path, CONFIG, [0.5])
    write_run(tmp_path, replace(CONFIG, dataset="other.npz"), [0.5], data_sha256="cd")
    assert [group.label for group in group_runs(find_runs(tmp_path)[0])] == [
        "COPI (BP), dataset=other", "COPI (BP), dataset=tiny",
    ]  # fmt: skip


def test_the_same_data_in_two_places_are_one_group(tmp_path):
    write_run(tmp_path, CONFIG, [0.5])
    write_run(tmp_path, replace(CONFIG, seed=1, dataset="../tiny.npz"), [0.5])
    (group,) = group_runs(find_runs(tmp_path)[0])
    assert len(group.runs) == 2


# ------------------------------------------------------------------------------------------------------ report


def test_a_report_is_table_summary_and_figure(root):
    results, files = write_report(root)
    table = text_table(results)
    assert [path.name for path in files] == ["table.md", "summary.json", "fig2.png"]
    lines = table.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == [
        "COPI", "(BP)", "2x3", "80.00", "±", "14.14", "70.00", "±", "14.14", "80.00", "±", "0.00", "2.5", "±", "0.7",
    ]  # fmt: skip
    text = (root / "table.md").read_text(encoding="utf-8")
    assert text.startswith("# tiny, 6-5-3\n")
    assert "| BP + decorrelation | 2x3 | 80.00 ± 0.00 | 70.00 ± 0.00 | 70.00 ± 0.00 | 3.0 ± 0.0 |" in text
    assert "| BP + decorrelation | 3 | +0.00 ± 14.14 | 1 of 2 |" in text
    assert "Ran on cpu, 2 cores, abacus; copi-np 0.1.0, numpy 2.9." in text
    assert imread(root / "fig2.png").std() > 0.01


def test_the_summary_holds_every_number_by_seed(root):
    write_report(root)
    copi, *_ = json.loads((root / "summary.json").read_text())
    assert copi["seeds"] == [0, 1]
    assert copi["epochs"] == 3
    assert copi["config"]["layers"] == [6, 5, 3]
    assert copi["test_accuracy"]["by_seed"] == [0.8, 0.6]
    assert copi["test_accuracy"]["mean"] == pytest.approx(0.7)


def test_the_same_records_give_the_same_report(root):
    write_report(root, "One")
    before = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    write_report(root, "One")
    assert {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()} == before
    assert before["table.md"].startswith(b"# One\n")


def test_what_is_missing_is_said_and_left_out(root):
    write_run(root / "runs", replace(CONFIG, seed=2), [0.1])
    failed = write_run(root / "runs", replace(CONFIG, method="bp-decor", seed=2), [0.1, 0.2])
    replace_text(failed / "failure.txt", "epoch 3, batch 1: boom\n")
    write_run(root / "runs", replace(CONFIG, method="bp-adam", seed=2, epochs=1), [0.1])
    write_run(root / "runs", replace(CONFIG, method="bp", seed=0), [])
    write_run(root / "runs", replace(CONFIG, method="copi-fa", seed=0), [0.2])
    table = text_table(write_report(root)[0])
    remarks = [
        "COPI (BP), seed 2 (copi-bp_2): 1 of 3 epochs, not finished, left out",
        "COPI (FA), seed 0 (copi-fa_0): 1 of 3 epochs, not finished",
        "BP + decorrelation, seed 2 (bp-decor_2): 2 of 3 epochs, failed (epoch 3, batch 1: boom), left out",
        "BP (Adam), seed 2 (bp-adam_2): 1 of 1 epochs, shorter than others, left out",
        "BP (SGD), seed 0 (bp_0): 0 of 3 epochs, not finished, left out",
    ]
    assert sorted(table.splitlines()[-5:]) == sorted(remarks)
    text = (root / "table.md").read_text(encoding="utf-8")
    assert all(remark in text for remark in remarks)
    assert "| COPI (BP) | 2x3 |" in text


@pytest.mark.parametrize("form", ["csv", "markdown", "latex", "json"])
def test_the_history_of_every_run_is_a_table(root, form):
    results = read_results(root)
    text = HISTORY_FORMATS[form](results.groups)
    n_epochs = sum(len(run.history) for group in results.groups for run in group.runs)
    if form == "json":
        assert sum(len(run["history"]) for run in json.loads(text)) == n_epochs
        return
    rows = list(csv.DictReader(StringIO(text))) if form == "csv" else text.strip().splitlines()
    assert len(rows) == n_epochs + {"csv": 0, "markdown": 2, "latex": 6}[form]
    first = results.groups[0].runs[0].history[0]
    if form == "csv":
        assert rows[0]["method"] == "COPI (BP)"
        assert {name: float(rows[0][name]) for name in ("epoch", "test_accuracy", "decorrelation_loss_1")} == {
            "epoch": 1, "test_accuracy": first.test_accuracy, "decorrelation_loss_1": first.decorrelation_loss[1],
        }  # fmt: skip
    else:
        assert f"{100 * first.test_accuracy:.2f}" in text


def test_formats_tell_of_the_epochs_that_a_validation_split_selects(tmp_path):
    folder = write_run(tmp_path, replace(CONFIG, val_fraction=0.1), [])
    records = [
        replace(each, val_accuracy=val, val_loss=0.1) for each, val in zip(history([0.5, 0.6]), (0.3, 0.2), strict=True)
    ]
    write_lines(folder / "history.jsonl", [record.as_dict() for record in records])
    groups = read_results(tmp_path).groups
    for form in ("markdown", "latex"):
        table = FORMATS[form](groups)
        assert "val" in table
        assert "30.00" in table


def test_what_diverged_is_named_by_its_settings_and_has_no_row(tmp_path):
    """Its last epoch is no result, not even where it has as many as others, or is all there is of its kind."""
    message = "epoch 2, batch 1: training diverged: " + "a long story " * 12 + "lower eta_W (now 0.3)"
    write_run(tmp_path, replace(CONFIG, epochs=2, eta_W=0.1), [0.5, 0.6])
    failed = write_run(tmp_path, replace(CONFIG, epochs=2, eta_W=0.3), [0.1])
    replace_text(failed / "failure.txt", f"{message}\n")
    results, _ = write_report(tmp_path)
    assert [group.label for group in results.groups] == ["COPI (BP), eta_W=0.1"]
    (remark,) = results.remarks
    assert remark == f"COPI (BP), eta_W=0.3, seed 0 ({failed.name}): 1 of 2 epochs, failed ({message}), left out"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("failure.txt", r"failed \(boom\), left out\. Run"),
        ("run.json", r"run\.json is damaged.*\(and 1 more\)\. Run"),
    ],
)
def test_where_nothing_came_to_a_result_the_reason_is_told(tmp_path, content, message):
    write_run(tmp_path, CONFIG, [])
    folder = write_run(tmp_path, replace(CONFIG, method="bp"), [0.1, 0.2, 0.3])
    replace_text(folder / content, "boom")
    if content == "failure.txt":
        (tmp_path / "copi-bp_0" / "run.json").unlink()
    with pytest.raises(DataError, match=f"no run in .* has a result: .*{message} the command that made them again"):
        read_results(tmp_path)


def test_a_long_label_stands_on_a_line_of_its_own(tmp_path):
    """So that columns stay columns, in 80 columns."""
    for eta_W in (0.1, 0.2):
        config = replace(CONFIG, epochs=2, eta_W=eta_W, batch_size=round(100 * eta_W))
        write_run(tmp_path, config, [0.5, 0.6])
    header, *lines, _ = text_table(read_results(tmp_path)).splitlines()
    assert lines[::2] == [f"COPI (BP), eta_W={eta_W}, batch_size={round(100 * eta_W)}" for eta_W in (0.1, 0.2)]
    assert {len(line) for line in (header, *lines[1::2])} == {79}
    assert all(line[:20] == " " * 20 for line in lines[1::2])


def test_of_many_groups_the_best_are_drawn(tmp_path, monkeypatch):
    for k in range(10):
        write_run(tmp_path, replace(CONFIG, epochs=2, eta_W=0.1 * (k + 1)), [0.5, 0.5 + 0.01 * k])
    drawn = []
    real = plotting.learning_curves
    monkeypatch.setattr(plotting, "learning_curves", lambda *arguments: drawn.append(arguments) or real(*arguments))
    results, _ = write_report(tmp_path, "Ten")
    assert len(results.groups) == 10
    ((histories, title),) = drawn
    assert title == "Ten (the best 8 of 10)"
    assert sorted(runs[0][-1].test_accuracy for runs in histories.values()) == pytest.approx(np.arange(0.52, 0.6, 0.01))


def test_copies_of_a_run_are_no_more_seeds(root):
    """Such as a backup, or a shorter state of it: the longest counts."""
    whole = next(root.rglob("bp-adam_1"))
    shutil.copytree(whole, root / "backup" / "bp-adam_1")
    history = root / "backup" / "bp-adam_1" / "history.jsonl"
    history.write_text("".join(history.read_text().splitlines(keepends=True)[:2]))
    runs, (line,) = find_runs(root)
    assert [run.folder.name for run in runs] == [f"{method}_{seed}" for method in sorted(TEST) for seed in (0, 1)]
    assert all("backup" not in run.folder.parts for run in runs)
    assert re.fullmatch(r".*backup.bp-adam_1: left out, since .*runs.bp-adam_1 holds the same run", line)
    assert line in text_table(write_report(root)[0])


def test_two_files_of_the_same_name_are_two_curves(tmp_path):
    for k, sha in enumerate(("ab" * 32, "cd" * 32)):
        write_run(tmp_path, replace(CONFIG, dataset=f"{k}/tiny.npz"), [0.5 + k / 10], data_sha256=sha)
    groups = group_runs(find_runs(tmp_path)[0])
    assert [group.label for group in groups] == ["COPI (BP), data=abababab", "COPI (BP), data=cdcdcdcd"]


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "figure3.json", "pictures.npz", "diagnostics.jsonl"])
def test_a_damaged_record_is_said_and_the_others_are_reported(root, name):
    folder = next(root.rglob("bp-decor_0"))
    (folder / name).write_text("nonsense\n")
    table = text_table(write_report(root)[0])
    assert "BP + decorrelation" in table
    (line,) = [line for line in table.splitlines() if line.startswith("bp-decor_0")]
    assert re.match(r"bp-decor_0: left out( of some figures)?, since .*" + re.escape(str(folder)), line)
    assert ("2x3" if "some" in line else "1x3") in next(row for row in table.splitlines() if row.startswith("BP + dec"))
    assert line in (root / "table.md").read_text(encoding="utf-8")


def test_a_record_without_versions_is_reported(tmp_path):
    folder = write_run(tmp_path, CONFIG, [0.5])
    description = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({"config": description["config"]}))
    write_report(tmp_path)
    assert "Ran on ?, ? cores, ?" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_figures_that_the_records_do_not_allow_any_more_are_removed(root):
    """But no picture of the user's."""
    run = "copi-bp_seed0_0123456789"
    old = ["fig3a.png", f"fig3c-{run}.png", f"diagnostics-{run}.png", "diagnostics-bp_tiny_seed0_2.png"]
    own = ["figure.png", "fig3a_my_own_drawing.png", "diagnostics-of-my_seed.png", f"fig3a-{run}_annotated.png"]
    write_report(root)
    for name in (*old, *own):
        (root / name).write_bytes(b"old")
    write_report(root)
    assert sorted(path.name for path in root.glob("*.png")) == sorted(["fig2.png", *own])


@pytest.mark.parametrize("name", ["table.md", "summary.json", "fig2.png", "fig3a.png"])
def test_files_of_the_users_are_not_replaced(root, name):
    (root / name).write_text('{"label": "mine"}')
    before = sorted(root.rglob("*"))
    with pytest.raises(InputError, match=f"holds {name}, not from a report, which would be replaced: move them"):
        write_report(root)
    assert sorted(root.rglob("*")) == before
    assert (root / name).read_text() == '{"label": "mine"}'


def test_a_report_that_was_interrupted_is_made_anew(root, monkeypatch):
    for function in ("json_of", "markdown", "draw"):
        with monkeypatch.context() as patch:
            patch.setattr(f"copi_np.experiments.report.{function}", None)
            with pytest.raises(TypeError):
                write_report(root)
    assert [path.name for path in write_report(root)[1]] == ["table.md", "summary.json", "fig2.png"]


def report(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_tables_come_in_formats_that_other_tools_read(root):
    """And nothing is written."""
    before = sorted(path for path in root.rglob("*"))
    rows = list(csv.DictReader(report(root, "--format", "csv").stdout.splitlines()))
    assert [row["method"] for row in rows] == ["COPI (BP)", "BP + decorrelation", "BP (Adam)"]
    assert (rows[0]["seeds"], rows[0]["epochs"]) == ("2", "3")
    assert float(rows[0]["test_accuracy"]) == pytest.approx(0.7)
    assert float(rows[0]["test_accuracy_std"]) == pytest.approx(np.sqrt(0.02))
    groups = json.loads(report(root, "--format", "json").stdout)
    assert groups[0]["test_accuracy"]["by_seed"] == [0.8, 0.6]
    markdown = report(root, "--format", "markdown").stdout
    assert sorted(path for path in root.rglob("*")) == before
    write_report(root)
    assert markdown in (root / "table.md").read_text(encoding="utf-8")
    assert (root / "summary.json").read_text(encoding="utf-8") == report(root, "--format", "json").stdout


def test_a_table_for_latex_is_escaped_and_whole(root):
    write_run(root / "runs", replace(CONFIG, method="bp", seed=0, dataset="my_data.npz"), [0.5], data_sha256="cd")
    write_run(root / "runs", replace(CONFIG, method="bp", seed=0), [0.5])
    text = report(root, "--format", "latex").stdout
    assert text.startswith("\\begin{tabular}{lrrrrrrr}\n\\toprule\nmethod & seeds x epochs & train \\% &")
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")
    assert "dataset=my\\_data & 1x1 & 60.00 &" in text
    assert "70.00 $\\pm$ 14.14" in text
    assert {line.count("&") for line in text.splitlines() if "&" in line} == {7}


def test_a_single_seed_has_no_deviation_in_a_table(tmp_path):
    write_run(tmp_path, CONFIG, [0.5])
    (row,) = csv.DictReader(report(tmp_path, "--format", "csv").stdout.splitlines())
    assert row["test_accuracy_std"] == ""


def test_remarks_stay_out_of_the_table(root):
    (next(root.rglob("bp-adam_1")) / "run.json").write_text("{")
    result = report(root, "--format", "csv")
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.startswith("bp-adam_1: left out, since")


def test_a_history_is_a_list_or_a_frame(root, monkeypatch):
    folder = next(root.rglob("copi-bp_0"))
    history = load_history(folder, as_frame=False)
    assert [record.test_accuracy for record in history] == TEST["copi-bp"][0]
    pandas = pytest.importorskip("pandas")
    frame = load_history(folder)
    assert isinstance(frame, pandas.DataFrame)
    assert frame["test_accuracy"].to_dict() == {1: 0.5, 2: 0.7, 3: 0.8}
    assert frame.loc[2, "decorrelation_loss"] == [0.0, 0.0]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert load_history(folder) == history
    with pytest.raises(InputError, match="a DataFrame needs pandas: pip install pandas"):
        load_history(folder, as_frame=True)


def test_a_reader_that_goes_away_is_no_error(root):
    code = f"from copi_np.cli import main; main(['report', {str(root)!r}, '--format', 'json'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait()


def test_numbers_are_shown_with_their_deviation():
    assert plus_minus(Statistic(1.234, 0.056), 2) == "1.23 ± 0.06"
    assert plus_minus(Statistic(1.234, None), 1, sign=True) == "+1.2"
    assert plus_minus(Statistic(-1.234, None), 1, sign=True) == "-1.2"


@pytest.mark.parametrize("what", ["nothing", "an empty run"])
def test_a_folder_without_epochs_is_an_error(tmp_path, what):
    if what == "an empty run":
        write_run(tmp_path, CONFIG, [])
    with pytest.raises(DataError, match=r"no runs in|no run in .* has a result"):
        write_report(tmp_path)
    assert not (tmp_path / "table.md").exists()


# ----------------------------------------------------------------------------------------------------- records


def test_half_a_last_line_is_left_out_and_another_is_an_error(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert read_lines(path, "move it away") == []
    append_line(path, {"a": 1})
    append_line(path, {"a": 2})
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        half = cut > 0 and whole[cut - 1 : cut] != b"\n"
        with pytest.warns(CopiWarning, match=r"lines\.jsonl ends in an incomplete line") if half else nullcontext():
            assert read_lines(path, "move it away") == [{"a": 1}, {"a": 2}][: whole[:cut].count(b"\n")]
    path.write_bytes(b'{"a": \n' + whole)
    with pytest.raises(DataError, match=r"lines\.jsonl is damaged"):
        read_lines(path, "move it away")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", "{}"),
        ("run.json", '{"config": {"method": "copi-bp"}}'),
        ("run.json", '{"config": {"method": "nonsense"}}'),
        ("run.json", b"\xff\xfe"),
        ("history.jsonl", '{"epoch": 1}\n'),
        ("history.jsonl", "3\n"),
        ("history.jsonl", "\n"),
        ("history.jsonl", json.dumps(history([0.5, 0.6])[1].as_dict()) + "\n"),
    ],
)
def test_damaged_records_are_one_clear_line(tmp_path, name, content):
    folder = write_run(tmp_path, CONFIG, [0.5])
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as error:
        read_run(folder)
    assert "\n" not in str(error.value)
    assert "move that folder away" in str(error.value)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "text"
    replace_text(path, "one")
    replace_text(path, "two")
    assert path.read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["text"]
    with pytest.raises(DataError, match="cannot write"):
        replace_text(tmp_path / "missing" / "text", "three")


def test_the_history_from_the_command_line(root):
    result = CliRunner().invoke(main, ["report", str(root), "--format", "csv", "--by-epoch"])
    assert result.exit_code == 0
    assert result.stdout == HISTORY_FORMATS["csv"](read_results(root).groups)
    refused = CliRunner().invoke(main, ["report", str(root), "--by-epoch"])
    assert refused.exit_code == 2
    assert refused.stderr == "Error: --by-epoch needs a format: give --format csv, markdown, latex, json\n"
    assert not (root / "table.md").exists()
