"""Where a result cannot be written, nothing is computed first."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from privileges import without_privileges

import copi_np.experiments.sweep  # noqa: F401  before privileges are dropped
from copi_np import DataError, InputError, Network, Schedule, fit
from copi_np.callbacks import BestCheckpoint, Callback, CSVLog
from copi_np.cli import main
from copi_np.datasets import Dataset, Split
from copi_np.experiments import demo, figure3, report, runner
from copi_np.experiments.config import RunConfig
from copi_np.export import export_onnx, export_safetensors
from copi_np.storage.atomic import check_writable

WHY = {
    "no folder": r"\(No such file or directory\)",
    "below a file": r"\(Not a directory\)",
    "locked": r"\(Permission denied\)",
}
each_place = pytest.mark.parametrize("place", WHY)


@pytest.fixture
def locked():
    """Yield a folder that can be read but not written without privileges."""
    with tempfile.TemporaryDirectory() as parent:  # tmp_path is in a folder that cannot be entered without them
        Path(parent).chmod(0o755)
        folder = Path(parent) / "locked"
        folder.mkdir(mode=0o555)
        yield folder


def folder_of(place, tmp_path, locked):
    (tmp_path / "file").touch()
    return {"no folder": tmp_path / "none", "below a file": tmp_path / "file", "locked": locked}[place]


def in_place(place):
    """Drop privileges where a folder is locked."""
    return without_privileges() if place == "locked" else nullcontext()


def network():
    return Network([2, 3, 2], rng=np.random.default_rng(0))


def data():
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    split = Split(x, np.arange(20) % 2)
    return Dataset("own", split, split, 2, validation=split)


class Watching(Callback):
    """Says that a batch was trained."""

    def on_batch(self, batch, n_batches):
        pytest.fail("a batch was trained")


WRITERS = {
    "checkpoint": lambda path: {"checkpoint": path},
    "checkpoint to resume": lambda path: {"checkpoint": path, "resume": True},
    "best": lambda path: {"callbacks": [BestCheckpoint(path)]},
    "csv": lambda path: {"callbacks": [CSVLog(path)]},
}


@each_place
@pytest.mark.parametrize("writer", WRITERS)
def test_training_does_not_begin(writer, place, tmp_path, locked):
    path = folder_of(place, tmp_path, locked) / "file.npz"
    options = WRITERS[writer](path)
    options["callbacks"] = [*options.get("callbacks", []), Watching()]
    net = network()  # before privileges are dropped, since modules are imported here
    with in_place(place), pytest.raises(DataError, match=rf"^cannot \w+ .*file\.npz {WHY[place]}: check the "):
        fit(net, data(), epochs=1, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(0), **options)


@pytest.mark.parametrize("writer", ["best", "csv"])
def test_training_does_not_resume(writer, tmp_path, locked):
    """An epoch was done before, and its file was moved away."""
    history = fit(network(), data(), epochs=1, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(0))
    options = WRITERS[writer](locked / "file")
    options["callbacks"].append(Watching())
    rest = {"epochs": 2, "schedule": Schedule(0.01, 0.01), "rng": np.random.default_rng(0), "history": history}
    with without_privileges(), pytest.raises(DataError, match="Permission denied"):
        fit(network(), data(), **rest, **options)


@pytest.mark.parametrize("writer", ["checkpoint", "best", "csv"])
def test_a_folder_is_not_taken_for_a_file(writer, tmp_path):
    options = WRITERS[writer](tmp_path)
    with pytest.raises((DataError, InputError), match=r"already exists|Is a directory"):
        fit(network(), data(), epochs=1, schedule=Schedule(0.01, 0.01), rng=np.random.default_rng(0), **options)


@each_place
@pytest.mark.parametrize("export", [export_onnx, export_safetensors])
def test_exports_look_first(export, place, tmp_path, locked, monkeypatch):
    monkeypatch.setattr("copi_np.layer.Layer.folded", lambda layer: pytest.fail("something was computed"))
    monkeypatch.setattr("copi_np.export.network_arrays", lambda network: pytest.fail("something was computed"))
    net, path = network(), folder_of(place, tmp_path, locked) / "net"
    with in_place(place), pytest.raises(DataError, match=WHY[place]):
        export(path, net)


def test_looking_changes_nothing(tmp_path):
    (tmp_path / "kept").write_text("text")
    for name in ("new", "kept"):
        check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_text() == "text"
    check_writable(Path("/dev/null"))
    (tmp_path / "link").symlink_to(tmp_path / "none" / "file")
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "link", "No such file")):
        with pytest.raises(DataError, match=why):
            check_writable(path)
    for name in ("", "a\0b"):
        with pytest.raises(InputError, match="cannot be the name of a file"):
            check_writable(Path(name))


# ---------------------------------------------------------------- commands


def refused(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    return result.stderr


def never(*arguments, **options):
    pytest.fail("something was computed")


def test_bench_looks_for_its_json_file(tmp_path, locked, monkeypatch):
    monkeypatch.setattr(sys.modules["copi_np.cli.bench"], "carry_out", never)
    assert "there is no folder" in refused("bench", "--json", tmp_path / "none" / "x.json")
    with without_privileges():
        assert "Permission denied" in refused("bench", "--json", locked / "x.json")


@pytest.mark.parametrize("name", ["learning-curves.png", "digits.png"])
def test_demo_looks_for_its_figures(name, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "train", never)
    (tmp_path / "demo.json").touch()
    (tmp_path / name).mkdir()
    assert f"{name} (Is a directory)" in refused("demo", "--out", tmp_path)


@pytest.mark.parametrize("command", [["reproduce", "fig2"], ["sweep"]])
def test_campaigns_look_for_their_report(command, tmp_path, locked, monkeypatch):
    monkeypatch.setattr("copi_np.cli.campaigns.load_dataset", never)  # both commands load the data first of all
    with without_privileges():
        assert "summary.json (Permission denied)" in refused(*command, "--preset", "mnist-5k", "--out", locked)


def test_figure_3_looks_for_its_records(locked, monkeypatch):
    config = RunConfig(dataset="own", method="copi-bp", layers=(2, 3, 2), eta_W=0.01, eta_R=0.01, epochs=1, seed=0)
    locked.chmod(0o755)
    runner.train_into(locked, config, data(), "numpy")
    for path in locked.iterdir():
        path.chmod(0o644)
    locked.chmod(0o555)
    monkeypatch.setattr(figure3, "measure_figure3", never)
    with without_privileges(), pytest.raises(DataError, match=r"figure3.*Permission denied"):
        figure3.record_figure3(locked, data(), "numpy")


def test_the_report_of_an_earlier_campaign_is_written_again(tmp_path):
    (tmp_path / "summary.json").write_text(report.JSON_HEAD + json.dumps([])[1:])
    assert [path.name for path in report.earlier_report(tmp_path)] == ["summary.json"]
