"""Output to places that are no plain files: symbolic links, devices, pipes and the process's own output."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import write_tiny

from copi_np import Dataset, Network, Schedule, Split, fit, load_network, save_network
from copi_np.callbacks import BestCheckpoint, CSVLog
from copi_np.checkpoint import load_progress, previous_path
from copi_np.cli import main
from copi_np.datasets import hold_out
from copi_np.errors import CopiWarning, DataError, InputError
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.records import find_runs
from copi_np.plotting import learning_curves, save_figure
from copi_np.storage.atomic import append_text, check_free, replace_file, replace_text
from copi_np.storage.jsonl import append_line, read_lines, write_lines
from copi_np.storage.npz import read_npz, write_npz

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes as POSIX has them")


def data(validation=True):
    rng = np.random.default_rng(3)
    labels = np.arange(30) % 3
    split = Split(np.eye(3, 6)[labels] + rng.normal(0, 0.3, (30, 6)), labels)
    dataset = Dataset("own", split, split, 3)
    return hold_out(dataset, 0.2, rng) if validation else dataset


def learn(epochs=2, **options):
    """Train a small network; return it with its history."""
    network = Network([6, 4, 3], rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    return network, fit(network, data(), epochs=epochs, schedule=Schedule(0.02, 0.02), rng=rng, **options)


NETWORK, HISTORY = learn()


def log(path):
    """Write a history to a CSV file, epoch by epoch."""
    writer = CSVLog(path)
    writer.on_start(NETWORK, [])
    for record in HISTORY:
        writer.on_epoch(NETWORK, record)


WRITERS = {
    "text": lambda path: replace_text(path, "text"),
    "appended": lambda path: append_text(path, "text"),
    "arrays": lambda path: write_npz(path, {"a": np.arange(3)}),
    "lines": lambda path: write_lines(path, [{"a": 1}, {"a": 2}]),
    "a line": lambda path: append_line(path, {"a": 1}),
    "network": lambda path: save_network(path, NETWORK),
    "PNG": lambda path: save_figure(learning_curves({"a": HISTORY}), path.with_suffix(".png")),
    "SVG": lambda path: save_figure(learning_curves({"a": HISTORY}), path.with_suffix(".svg")),
    "CSV": log,
}
"""Every way in which the package writes a file."""
SUFFIXES = {"PNG": ".png", "SVG": ".svg"}


def content(write, folder):
    """Return what a writer writes to a plain file."""
    path = folder / "plain"
    write(path)
    return next(folder.glob("plain*")).read_bytes()


def comparable(name, found):
    """Return bytes without what differs from one time to the next: random names in SVG, times in zip files."""
    if name == "SVG":
        return found[:300], len(found) > 10_000
    if name in ("arrays", "network"):
        with np.load(io.BytesIO(found)) as arrays:
            return {each: arrays[each].tolist() for each in arrays.files}
    return found


# ------------------------------------------------------------------------------------------------- symbolic links


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_followed_and_stays(name, dangling, tmp_path):
    suffix = SUFFIXES.get(name, "")
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    target, link = tmp_path / "far" / f"target{suffix}", tmp_path / "near" / f"link{suffix}"
    if not dangling and name != "CSV":  # which refuses to overwrite
        target.write_bytes(b"")
    link.symlink_to(Path("..") / "far" / target.name)
    WRITERS[name](link)
    assert link.is_symlink()
    assert [path.name for path in link.parent.iterdir()] == [link.name]
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert comparable(name, target.read_bytes()) == comparable(name, content(WRITERS[name], tmp_path))


def test_what_a_link_leads_to_is_replaced_and_not_written_into(tmp_path):
    """A reader who has the old file open keeps it whole; if writing fails, the old one stays."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with target.open() as reader:
        replace_text(link, "new")
        assert (reader.read(), target.read_text()) == ("old", "new")

    def fail(file):
        file.write(b"half")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # its own
        replace_file(link, fail)
    assert target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


def test_links_in_a_circle_are_named(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(DataError, match=r"cannot write .*/a \(Too many levels of symbolic links\): check"):
        replace_text(tmp_path / "a", "text")
    assert (tmp_path / "a").is_symlink()


def test_a_linked_checkpoint_keeps_its_predecessor_and_resumes(tmp_path):
    (tmp_path / "far").mkdir()
    path = tmp_path / "checkpoint.npz"
    path.symlink_to(Path("far") / "real.npz")
    _, history = learn(2, checkpoint=path)
    latest, before = (load_progress(each).history for each in (path, previous_path(path)))
    assert (len(latest), len(before)) == (2, 1)
    assert path.is_symlink()
    leftover = tmp_path / "far" / ".real.npz.1.copi-np-tmp"
    leftover.touch()
    _, resumed = learn(3, checkpoint=path, resume=True)
    assert not leftover.exists()
    accuracies = [[record.train_loss for record in each[:2]] for each in (history, resumed)]
    assert accuracies[0] == accuracies[1]

    (tmp_path / "far" / "real.npz").write_bytes(b"damaged")
    with pytest.warns(CopiWarning, match=r"keeping the damaged one as real.damaged.npz"):
        learn(4, checkpoint=path, resume=True)
    assert path.is_symlink()
    assert len(load_progress(path).history) == 4
    assert (tmp_path / "far" / "real.damaged.npz").read_bytes() == b"damaged"


def test_a_linked_best_network_is_kept_up(tmp_path):
    path = tmp_path / "best.npz"
    path.symlink_to("real.npz")
    learn(2, callbacks=[BestCheckpoint(path)])
    assert path.is_symlink()
    assert load_network(tmp_path / "real.npz")[1] == load_network(path)[1]


# ----------------------------------------------------------------------------------------------- folders of runs


@pytest.fixture
def preset(tmp_path):
    """Write a small preset for a small data set; return its path."""
    write_tiny(tmp_path)
    values = load_preset("own-data", "copi-bp") | {"layers": [6, 4, 3], "dataset": str(tmp_path / "tiny.npz")}
    plain = {name: value for name, value in values.items() if isinstance(value, int | float | list | str)}
    text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in plain.items() if name not in ("method", "seed"))
    (tmp_path / "small.toml").write_text(text)
    return str(tmp_path / "small.toml")


def invoke(*arguments):
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("linked", ["out", "out/runs"])
def test_reproduce_sweep_and_report_work_through_a_link(tmp_path, preset, linked):
    """To a folder that is not there yet, as on a disk that has just been cleaned up."""
    out = tmp_path / "out"
    if linked == "out/runs":
        out.mkdir()
    (tmp_path / linked).symlink_to(tmp_path / "far")
    options = ["--preset", preset, "--seeds", "1", "--epochs", "2", "--out", out]
    assert "COPI (BP)              1x2" in invoke("reproduce", "fig3", "--methods", "copi-bp", *options)
    if linked == "out/runs":  # once, since starting workers takes seconds
        assert "BP (Adam)              1x2" in invoke("sweep", "--workers", "1", "--methods", "bp-adam", *options)
    assert "COPI (BP)              1x2" in invoke("report", out)
    assert (tmp_path / linked).is_symlink()
    assert (out / "fig3c.png").is_file()


def test_train_works_through_a_link(tmp_path):
    (tmp_path / "run").symlink_to(Path("far") / "away")
    options = ["--out", tmp_path / "run", "--epochs", "1", "--layers", "6,4,3"]
    invoke("train", "--dataset", write_tiny(tmp_path), *options)
    invoke("train", "--resume", tmp_path / "run", "--epochs", "2")
    assert len(find_runs(tmp_path / "run")[0][0].history) == 2


def test_runs_are_found_once_and_links_that_lead_back_do_no_harm(tmp_path):
    (tmp_path / "out" / "runs").mkdir(parents=True)
    options = ["--out", tmp_path / "elsewhere", "--epochs", "1", "--layers", "6,4,3"]
    invoke("train", "--dataset", write_tiny(tmp_path), *options)
    (tmp_path / "out" / "runs" / "first").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "runs" / "second").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "runs" / "up").symlink_to(tmp_path / "out")
    runs, left_out = find_runs(tmp_path / "out")
    assert ([run.folder.name for run in runs], left_out) == (["first"], [])


# ------------------------------------------------------------------------------------------------ devices and pipes


def read_pipe(path, write):
    """Return what arrives in a new pipe at `path` while `write` writes to it."""
    os.mkfifo(path)
    received = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    write(path)
    reader.join(30)
    assert stat.S_ISFIFO(path.stat().st_mode)
    return received[0]


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "CSV"])  # a row at a time
def test_a_pipe_receives_what_a_file_would(name, tmp_path):
    (tmp_path / "plain").mkdir()
    expected = content(WRITERS[name], tmp_path / "plain")
    found = read_pipe(tmp_path / f"pipe{SUFFIXES.get(name, '')}", WRITERS[name])
    assert comparable(name, found) == comparable(name, expected)


@pytest.mark.parametrize("name", WRITERS)
def test_a_device_is_written_to_and_never_replaced(name, tmp_path):
    """Through a link, so that a bug cannot replace the real device."""
    link = tmp_path / f"null{SUFFIXES.get(name, '')}"
    link.symlink_to("/dev/null")
    before = Path("/dev/null").stat()
    WRITERS[name](link)
    assert link.is_symlink()
    after = Path("/dev/null").stat()
    assert (stat.S_ISCHR(after.st_mode), after.st_ino) == (True, before.st_ino)


def test_a_full_device_is_named(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    for write in (replace_text, append_text):
        with pytest.raises(DataError, match=r"cannot write .*full \(No space left on device\)"):
            write(tmp_path / "full", "text")


def test_callbacks_train_on_with_a_device(tmp_path):
    """On resuming too, where a file would have to hold the earlier epochs."""
    null = tmp_path / "null"
    null.symlink_to("/dev/null")
    callbacks = [CSVLog(null), BestCheckpoint(null)]
    learn(1, callbacks=callbacks, checkpoint=tmp_path / "checkpoint.npz")
    _, history = learn(2, callbacks=callbacks, checkpoint=tmp_path / "checkpoint.npz", resume=True)
    assert len(history) == 2


def test_only_streams_may_be_there_already(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    check_free(tmp_path / "pipe")
    check_free(tmp_path / "nothing")
    check_free(Path(os.devnull))
    for taken in (tmp_path / "file", tmp_path):
        with pytest.raises(InputError, match="already exists"):
            check_free(taken)


CODE = """
import sys
from pathlib import Path
from copi_np.storage.atomic import append_text, replace_text
print("first", flush=True)
replace_text(Path(sys.argv[1]), "second\\n")
append_text(Path(sys.argv[1]), "third\\n")
print("fourth")
"""


@pytest.fixture(params=["/dev/stdout", "/dev/fd/1", "output"])
def own_output(request, tmp_path):
    """Return a link to the standard output of whoever opens it, so that a bug cannot replace the real device."""
    (tmp_path / "link").symlink_to(request.param)
    return tmp_path / "link"


def test_a_file_that_is_the_own_output_is_written_to_in_its_place(own_output, tmp_path):
    """Replacing it would lose what else is printed."""
    with (tmp_path / "output").open("wb") as file:
        subprocess.run([sys.executable, "-c", CODE, own_output], stdout=file, check=True)
    assert (tmp_path / "output").read_text().split() == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize("own_output", ["/dev/stdout", "/dev/fd/1"], indirect=True)
def test_the_own_output_may_be_a_pipe(own_output):
    command = [sys.executable, "-c", CODE, own_output]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    assert found.split() == ["first", "second", "third", "fourth"]


def test_json_may_go_to_a_pipe_and_comes_whole(tmp_path):
    def bench(path):
        invoke("bench", "--network", "6-4-3", "--rounds", "1", "--json", path)

    assert "step" in json.dumps(json.loads(read_pipe(tmp_path / "pipe", bench)))


def test_a_csv_file_is_the_same_as_before(tmp_path):
    log(tmp_path / "log.csv")
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train_loss"]) for row in rows] == [record.train_loss for record in HISTORY]
    append_line(tmp_path / "lines", {"a": "ü"})
    append_line(tmp_path / "lines", {"b": 1})
    assert read_lines(tmp_path / "lines", "") == [{"a": "ü"}, {"b": 1}]
    write_npz(tmp_path / "a.npz", {"a": np.arange(3)})
    assert read_npz(tmp_path / "a.npz", "")["a"].tolist() == [0, 1, 2]
