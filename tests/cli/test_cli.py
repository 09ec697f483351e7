"""The copi-np command: results on stdout, progress on stderr, every bad input one line and exit code 2."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner
from commands import call

from copi_np import __version__
from copi_np.backend import why_no_gpu
from copi_np.checkpoint import load_network
from copi_np.cli import main
from copi_np.datasets import DATASETS
from copi_np.errors import StoppedError

NO_NETWORK = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder to work in, with tiny data; a cache of its own, no data folder, and no network."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("COPI_NP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    rng = np.random.default_rng(0)
    labels = {"y_train": np.arange(21) % 3, "y_test": np.arange(9) % 3}
    save("tiny.npz", **{f"x_{key[2:]}": rng.normal(size=(len(y), 6)) for key, y in labels.items()}, **labels)
    return work


def save(path, **arrays):
    if path != "tiny.npz":
        with np.load("tiny.npz") as tiny:
            arrays = {**tiny, **arrays}
    np.savez(path, **arrays)


def train(*arguments, data="tiny.npz", out="run"):
    return call("train", "--dataset", data, "--layers", "6,4,3", "--backend", "numpy", "--out", out, *arguments)


def tree(folder):
    """All that lies in a folder, with contents."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


WHAT_TO_DO = re.compile(
    r"did you mean|known: |must be|see 'copi-np [\w ]*--help'|"
    r"\b(change|check|choose|correct|convert|copy|delete|give|hold|install|leave out|make|move|number|"
    r"raise|remove|save|say|scale|store|write)\b"
)


def assert_one_line(stderr):
    assert stderr.startswith("Error: ")
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1
    assert "\r" not in stderr
    assert WHAT_TO_DO.search(stderr)


def assert_refused(result, *words):
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert_one_line(result.stderr)
    for word in words:
        assert word in result.stderr


# ---------------------------------------------------------------- what works


def test_training_prints_the_result_and_shows_progress_apart(place):
    result = train("--epochs", 2, "--method", "bp-decor", "--batch-size", 5)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (place / "run").iterdir()) == [
        ".lock",
        "checkpoint.npz",
        "checkpoint.previous.npz",
        "history.jsonl",
        "run.json",
    ]
    last = json.loads((place / "run" / "history.jsonl").read_text().splitlines()[-1])
    assert result.stdout.splitlines()[1:] == ["Records in run"]
    for word in ("bp-decor", "tiny.npz", "epoch 2", f"train {100 * last['train_accuracy']:.2f} %"):
        assert word in result.stdout
    assert f"test {100 * last['test_accuracy']:.2f} %" in result.stdout
    assert "BP + decorrelation" in result.stderr
    assert re.search(r"1/2\b.*train .*2/2\b.*train [\d.]+.*test [\d.]+", result.stderr, re.DOTALL)


@pytest.mark.parametrize("option", ["--dataset", "--preset"])
def test_the_small_digits_train_with_their_preset(place, option):
    result = CliRunner().invoke(main, ["train", option, "digits-8x8", "--epochs", "3", "--out", "small", "-q"])
    assert result.exit_code == 0, result.output
    config = json.loads((place / "small" / "run.json").read_text())["config"]
    assert (config["dataset"], config["layers"]) == ("digits-8x8", [64, 200, 200, 10])
    last = json.loads((place / "small" / "history.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] > 0.9


def test_options_reach_the_record(place):
    options = {
        "--method": "copi-dfa",
        "--preset": "mnist",
        "--epochs": 3,
        "--seed": 12,
        "--eta-w": 0.011,
        "--eta-r": 0.012,
        "--delta-scale": 1.5,
        "--r-only-epochs": 1,
        "--batch-size": 4,
        "--decorrelation": "local",
        "--dtype": "float64",
        "--val-fraction": 0.25,
        "--patience": 2,
    }
    assert train(*(word for option in options.items() for word in option)).exit_code == 0
    config = json.loads((place / "run" / "run.json").read_text())["config"]
    assert config == {
        "method": "copi-dfa",
        "dataset": "tiny.npz",
        "layers": [6, 4, 3],
        "epochs": 3,
        "seed": 12,
        "eta_W": 0.011,
        "eta_R": 0.012,
        "delta_scale": 1.5,
        "first_epochs": 1,
        "first_eta_W": 0.0,
        "first_eta_R": 0.012,
        "batch_size": 4,
        "decorrelation": "local",
        "dtype": "float64",
        "val_fraction": 0.25,
        "patience": 2,
    }


def test_a_validation_split_keeps_the_best_network_and_may_end_the_run(place):
    result = train("--epochs", 30, "--val-fraction", 0.3, "--patience", 2)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (place / "run" / "history.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["val_accuracy"])
    assert len(lines) == max(best["epoch"], 1) + 2 < 30
    assert re.search(
        rf"best on validation, epoch {best['epoch']}: val {100 * best['val_accuracy']:.2f} %, "
        rf"test {100 * best['test_accuracy']:.2f} %\nNetwork in run/best.npz\n",
        result.stdout,
    )
    assert load_network(place / "run" / "best.npz")[1] == best
    assert call("train", "--resume", "run").stdout == result.stdout  # it has come to its end
    assert call("train", "--resume", "run", "--patience", 4).exit_code == 0
    assert (place / "run" / "history.jsonl").read_text().count("\n") > len(lines)


def test_a_validation_split_that_makes_no_sense_is_refused():
    assert_refused(train("--patience", 2), "patience needs validation samples", "--val-fraction")
    assert_refused(train("--val-fraction", 1), "--val-fraction", "0<=x<1")
    assert_refused(train("--val-fraction", 0.001), "less than one sample: raise it")


@pytest.mark.parametrize("command", [[], ["train"], ["demo"], ["doctor"]])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_every_command(command, flag):
    result = call(*command, flag)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("Usage:")
    expected = {
        "train": [
            *("--dataset", "--method", "--epochs", "--seed", "--layers", "--eta-w", "--eta-r", "--delta-scale"),
            *("--r-only-epochs", "--batch-size", "--backend", "--data-dir", "--preset", "--out"),
        ],
        "demo": ["--out", "--epochs"],
        "doctor": ["--data-dir"],
    }
    for word in expected[command[0]] if command else expected:
        assert word in result.stdout


def test_version():
    assert call("--version").stdout == f"copi-np, version {__version__}\n"


def test_doctor_reports_the_machine_and_the_data(place):
    folder = place / "data" / "mnist"
    folder.mkdir(parents=True)
    for file in DATASETS["mnist"].files:
        (folder / file.name).write_bytes(b"")
    result = call("doctor", "--data-dir", place / "data")
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()

    def line(start):
        (found,) = [line for line in lines if line.startswith(start + " ")]
        return found[len(start) :].strip()

    assert line("copi-np") == __version__
    assert line("numpy") == np.__version__
    assert "thread" in line("BLAS")
    assert line("GPU").startswith("works" if why_no_gpu() is None else "no: ")
    assert "copi_np" in line("cache")
    assert line("data mnist-5k").startswith("present")
    assert str(folder) in line("data mnist")
    assert line("data fashion-mnist").startswith("not here")
    assert "(cifar-10-binary.tar.gz)" in result.stdout
    assert not (place.parent / "cache").exists()  # looking leaves nothing behind


# ---------------------------------------------------------------- bad input


BAD_OPTIONS = [
    (["--method", "copi-pb"], ["unknown method 'copi-pb'", "did you mean", "bp-adam"]),
    (["--preset", "mnits"], ["unknown preset 'mnits'", "did you mean 'mnist'"]),
    (["--backend", "nunpy"], ["unknown backend 'nunpy'", "did you mean 'numpy'"]),
    (["--dtype", "float46"], ["unknown dtype", "did you mean 'float64'"]),
    (["--decorrelation", "matrx"], ["unknown decorrelation", "did you mean 'matrix'"]),
    (["--layers", "784,abc"], ["layers must be", "'784,abc'"]),
    (["--layers", "6"], ["layers must be"]),
    (["--layers", "6,0,3"], ["layers must be"]),
    (["--layers", "7,4,3"], ["7 inputs", "6 features"]),
    (["--layers", "6,4,5"], ["5 outputs", "3 classes"]),
    (["--batch-size", "0"], ["--batch-size", "0 is not in the range x>=1"]),
    (["--batch-size", "2.5"], ["--batch-size", "2.5"]),
    (["--epochs", "0"], ["--epochs", "0 is not in the range x>=1"]),
    (["--epochs", "many"], ["--epochs", "many"]),
    (["--eta-w", "-0.1"], ["--eta-w", "-0.1 is not in the range x>=0"]),
    (["--eta-w", "nan"], ["eta_W", "nan"]),
    (["--eta-r", "inf"], ["eta_R", "inf"]),
    (["--eta-r", "fast"], ["--eta-r", "fast"]),
    (["--delta-scale", "-1"], ["--delta-scale", "-1.0 is not in the range x>=0"]),
    (["--r-only-epochs", "-1"], ["-1"]),
    (["--seed", "-1"], ["seed", "-1"]),
    (["--data-dir", "nowhere"], ["nowhere"]),
    (["--data-dir", "tiny.npz"], ["tiny.npz"]),
    (["--out", ""], ["--out"]),
    (["--out", "tiny.npz"], ["tiny.npz"]),
    (["--out", "tiny.npz/run"], ["tiny.npz/run"]),
    (["--dataset", "mnits"], ["unknown data set 'mnits'", "did you mean 'mnist'", ".npz"]),
    (["--dataset", "gone.npz"], ["no file gone.npz"]),
    (["--dataset", ""], ["data set"]),
    (["--method", "bp", "--eta-r", "0.1"], ["'bp' does not decorrelate", "leave out --eta-r"]),
    (["--layers", "6,99999999,3"], ["layers must be", "at most 1000000"]),
    pytest.param(["--layers", "6," + "9" * 5000], ["layers must be"], id="a number of 5000 digits"),
    pytest.param(["--dataset", "x" * 300 + ".npz"], ["File name too long"], id="a long data set"),
    pytest.param(["--out", "x" * 300], ["File name too long"], id="a long folder"),
    (["--no-such-option"], ["--no-such-option"]),
    (["stray"], ["stray"]),
]


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS, ids=lambda value: " ".join(value))
def test_a_bad_option_is_one_line_and_leaves_nothing(place, options, words):
    before = tree(place)
    assert_refused(train("--epochs", 1, *options), *words)
    assert tree(place) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["unknown command 'trian'", "did you mean 'train'"]),
        (["train"], ["--dataset"]),
        (["train", "--out", "run"], ["--dataset"]),
        (["demo", "--epochs", "0"], ["--epochs"]),
        (["demo", "--epochs", "1", "--backend", "nunpy"], ["unknown backend 'nunpy'", "did you mean 'numpy'"]),
        (["demo", "--epochs", "1", "--out", "tiny.npz"], ["tiny.npz"]),
        (["train", "--epochs"], ["'--epochs' requires an argument", "copi-np train --help"]),
        (["train", "--resume", "nowhere"], ["no run in nowhere", "give a folder that holds run.json"]),
        (["train", "--resume", "tiny.npz"], ["no run in tiny.npz"]),
        (["train", "--resume", "nowhere", "--seed", "1"], ["leave out --seed"]),
        (["train", "--dataset", "tiny.npz", "--preset", "gone.toml"], ["no preset gone.toml: correct the path"]),
        (["train", "--preset", "own-data"], ["give it with --dataset FILE.npz"]),
        (["demo", "--out", "tiny.npz"], ["tiny.npz is a file: choose a folder"]),
        (["demo", "--out", "."], ["does not hold an earlier demo: choose another folder with --out"]),
        (["demo", "extra"], ["extra argument (extra)", "copi-np demo --help"]),
        (["reproduce"], ["Missing argument", "fig2, fig3"]),
        (["reproduce", "fig2", "--out", "tiny.npz"], ["tiny.npz is a file: choose a folder"]),
        (
            ["reproduce", "fig2", "--preset", "mnist-5k", "--methods", ","],
            ["unknown method ''", "known: copi-bp, copi-fa"],
        ),
        (["reproduce", "fig2", "--seeds", "0"], ["--seeds", "x>=1"]),
        (["sweep", "--vary", "x=1"], ["unknown hyper-parameter 'x': known: layers, eta_W, eta_R, batch_size"]),
        (["sweep", "--vary", "seed=1"], ["--vary cannot set 'seed': give it with --seeds"]),
        (["sweep", "--preset", "mnist-5k", "--vary", "eta_W=-1"], ["eta_W must be", "at least 0, got -1.0"]),
        (["sweep", "--workers", "0"], ["--workers", "x>=1"]),
        (["report"], ["Missing argument 'FOLDER'", "copi-np report --help"]),
        (["report", "tiny.npz"], ["tiny.npz", "is a file"]),
        (["report", "."], ["no runs in .: make some with copi-np reproduce"]),
        (["report", ".", "--format", "xml"], ["'csv', 'markdown', 'latex', 'json'"]),
        (["bench", "--method", "copi-tp"], ["choose a method with BP or FA"]),
        (["bench", "--network", "mnits"], ["did you mean 'mnist'"]),
        (["bench", "--network", "7"], ["784,500,10"]),
        (["doctor", "--data-dir", "nowhere"], ["nowhere"]),
        (["--no-such-option"], ["--no-such-option"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_bad_command_is_one_line_and_leaves_nothing(place, arguments, words):
    before = tree(place)
    assert_refused(call(*arguments), *words)
    assert tree(place) == before


@pytest.mark.skipif(why_no_gpu() is None, reason="a GPU works here")
@pytest.mark.parametrize("command", ["train", "demo"])
def test_without_a_gpu_the_message_says_what_is_missing_and_how_to_install_it(place, command):
    before = tree(place)
    arguments = ["--dataset", "tiny.npz"] if command == "train" else []
    result = call(command, *arguments, "--epochs", 1, "--backend", "cupy", "--out", "run")
    assert_refused(result, "CuPy", "cupy-cuda12x[ctk]", "cupy-cuda13x[ctk]")
    assert tree(place) == before


def replaced(value):
    pixels = np.zeros((21, 6))
    pixels[4, 2] = value
    return {"x_train": pixels}


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        (replaced(np.nan), "NaN"),
        (replaced(np.inf), "infinite"),
        ({"y_train": np.arange(21) % 3 - 1}, "-1"),
        ({"y_train": np.arange(21) % 3 + 0.5}, "integer"),
        ({"y_train": (np.arange(21) % 3).astype(float)}, "integer"),
        ({"y_train": np.full(21, "three")}, "store both in the same way"),
        ({"y_train": np.eye(3, dtype=int)[np.arange(21) % 3]}, "(21, 3)"),
        ({"y_train": np.arange(20) % 3}, "20 labels"),
        ({"x_train": np.zeros((0, 6)), "y_train": np.zeros(0, int)}, "empty"),
        ({"x_test": np.zeros((0, 6)), "y_test": np.zeros(0, int)}, "empty"),
        ({"x_test": np.zeros((9, 7))}, "x_test"),
        ({"x_train": np.full((21, 6), None)}, "Python objects"),
        ({"x_train": np.zeros((21, 6), int)}, "int64"),
    ],
)
def test_bad_data_are_one_line_and_leave_nothing(place, arrays, word):
    save("bad.npz", **arrays)
    before = tree(place)
    assert_refused(train(data="bad.npz"), "bad.npz", word)
    assert tree(place) == before


def test_numbers_too_large_for_the_dtype_are_one_line_and_leave_nothing(place):
    save("bad.npz", **replaced(1e39))
    before = tree(place)
    assert_refused(train("--epochs", 1, data="bad.npz"))
    assert tree(place) == before


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "flipped", "folder"])
def test_a_damaged_file_is_one_line_and_leaves_nothing(place, damage):
    content = bytearray((place / "tiny.npz").read_bytes())
    if damage == "folder":
        (place / "bad.npz").mkdir()
    else:
        flipped = content.copy()
        flipped[200] ^= 255
        contents = {"empty": b"", "truncated": content[: len(content) // 2], "text": b"hello", "flipped": flipped}
        (place / "bad.npz").write_bytes(contents[damage])
    before = tree(place)
    assert_refused(train(data="bad.npz"), "bad.npz")
    assert tree(place) == before


def test_a_wrong_file_of_a_named_data_set_is_one_line_and_leaves_nothing(place):
    folder = place / "data" / "mnist"
    folder.mkdir(parents=True)
    for file in DATASETS["mnist"].files:
        (folder / file.name).write_bytes(gzip.compress(b"not the digits"))
    before = tree(place)
    result = call("train", "--dataset", "mnist", "--data-dir", "data", "--out", "run")
    assert_refused(result, "mnist")
    assert tree(place) == before


def test_without_a_folder_each_run_gets_one_of_its_own(place):
    for _ in range(2):
        result = call("train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--epochs", 1, "--seed", 3)
        assert result.exit_code == 0
    assert sorted(path.name for path in (place / "runs").iterdir()) == [
        "copi-bp_tiny_seed3",
        "copi-bp_tiny_seed3_2",
    ]
    assert "Records in runs/copi-bp_tiny_seed3_2\n" in result.stdout


def test_the_folder_of_another_run_is_refused_and_untouched(place):
    assert train("--epochs", 1).exit_code == 0
    before = tree(place)
    assert_refused(train("--epochs", 1, "--seed", 2), "run", "another")
    assert tree(place) == before


def test_divergence_exits_with_2_and_keeps_the_epochs_before(place):
    rates = ["--preset", "mnist", "--method", "bp-decor", "--eta-r", 1e-3, "--eta-w", 1e5, "--r-only-epochs", 2]
    result = train("--epochs", 5, "--batch-size", 3, *rates)
    assert result.exit_code == 2
    assert result.stdout == ""
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.stderr.endswith(error + "\n")
    for word in ("epoch 3", "batch", "layer", "eta_W (now 100000)"):
        assert word in error
    lines = (place / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


# ---------------------------------------------------------------- real processes


COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'copi-np'; from copi_np.cli import main; main()"]


def process(*arguments):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)


def test_a_process_separates_results_from_progress(place):
    result = process("train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--epochs", "1", "--out", "run")
    assert result.returncode == 0
    assert result.stdout.startswith("epoch 1: train ")
    assert result.stdout.count("\n") == 2
    assert "COPI (BP)" in result.stderr
    assert "Warning" not in result.stderr


def test_a_process_with_bad_input_exits_with_2_and_one_line(place):
    before = tree(place)
    result = process("train", "--dataset", "tiny.npz", "--layers", "9,4,3", "--out", "run")
    assert (result.returncode, result.stdout) == (2, "")
    assert_one_line(result.stderr)
    assert tree(place) == before


def test_without_a_network_one_error_says_what_to_do(place):
    before = tree(place)
    result = process("train", "--dataset", "fashion-mnist", "--out", "run")
    assert (result.returncode, result.stdout) == (2, "")
    *progress, error = result.stderr.splitlines()
    assert error.startswith("Error: ")
    assert all(line.startswith("Downloading") for line in progress)
    for file in DATASETS["fashion-mnist"].files:
        assert file.name in error
    assert file.mirrors[0] in error
    assert tree(place) == before


def test_how_to_go_on_is_said_with_where_the_data_were(place, monkeypatch):
    def stopped(folder, *_, **__):
        folder.mkdir()
        (folder / "run.json").touch()
        raise StoppedError(2)

    monkeypatch.setattr("copi_np.cli.single.train_into", stopped)
    (place / "my data").mkdir()
    result = train("--data-dir", "my data", "--out", "a run", "--epochs", 1)
    assert result.stderr.endswith("; resume with copi-np train --resume 'a run' --data-dir 'my data'\n")


def test_a_command_may_run_in_any_thread(place):
    """As in a web server; only the main one handles signals."""
    results = []
    thread = threading.Thread(target=lambda: results.append(CliRunner().invoke(main, ["doctor"])))
    thread.start()
    thread.join()
    assert results[0].exit_code == 0, results[0].exception


def test_an_interrupt_of_another_library_is_one_line_too(place, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt("stop please")

    monkeypatch.setattr("copi_np.cli.single.train_into", interrupted)
    result = train("--layers", "6,3", "--epochs", 1)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1].startswith("Error: stopped by SIGINT")


def test_more_threads_than_cores_are_warned_of(place, monkeypatch):
    monkeypatch.setattr("copi_np.cli.options.n_cores", lambda: 2)
    warning = "Warning: --threads 3 exceeds the number of cores and is slower than --threads 2\n"
    assert warning in train("--threads", 3, "--layers", "6,3", "--epochs", 1).stderr
    assert "Warning" not in train("--threads", 2, "--layers", "6,3", "--epochs", 1).stderr


def test_where_the_result_cannot_be_kept_nothing_is_computed(place):
    result = CliRunner().invoke(main, ["bench", "--json", "nowhere/bench.json"])
    assert_refused(result, "there is no folder nowhere for --json: create it, or choose another")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("name", "exit_code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_process_keeps_its_epochs_and_shows_no_traceback(place, name, exit_code):
    arguments = ["train", "--dataset", "tiny.npz", "--layers", "6,4,3", "--epochs", "100000", "--out", "run"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        history = place / "run" / "history.jsonl"
        deadline = time.monotonic() + 30
        while not (history.exists() and history.read_text().count("\n") > 2) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(getattr(signal, name))
        _, stderr = running.communicate(timeout=30)
    assert running.returncode == exit_code
    assert "Traceback" not in stderr
    what_to_do = "resume with copi-np train --resume run"
    assert stderr.endswith(f"\nError: stopped by {name}: everything finished so far is recorded; {what_to_do}\n")
    lines = history.read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) > 2
    assert load_network(place / "run" / "checkpoint.npz")[1]["epoch"] == len(lines)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("name", "exit_code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("command", ["bench", "train"])
def test_a_signal_that_acts_at_once_is_one_line_too(monkeypatch, command, name, exit_code):
    """The second one of a training; the first where nothing waits for the end of a batch."""

    def work(*arguments, **options):
        for _ in range({"bench": 1, "train": 2}[command]):
            signal.raise_signal(getattr(signal, name))
        pytest.fail("the signal is not heard")

    module, function = {"bench": ("bench", "carry_out"), "train": ("single", "train_into")}[command]
    monkeypatch.setattr(sys.modules[f"copi_np.cli.{module}"], function, work)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = call("bench") if command == "bench" else train()
    advice = {"bench": "", "train": "; nothing has been recorded yet: run the same command again"}[command]
    assert result.stderr == f"Error: stopped by {name}{advice}\n"
    assert result.exit_code == exit_code
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
