"""Every option of every command acts: one case for each, and none may be missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import cupy_mock
import numpy as np
import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_info
from tiny import write_tiny

import copi_np
from copi_np import Network, plotting
from copi_np.backend import Backend, CuPyBackend
from copi_np.cli import main
from copi_np.datasets import DATASETS
from copi_np.experiments import sweep as sweeping
from copi_np.experiments.campaign import perform
from copi_np.experiments.environment import blas_threads

PRESET = """
layers = [6, 4, 3]
epochs = 1
eta_W = 0.01
eta_R = 0.02
first_epochs = 1
first_eta_W = 0.0
first_eta_R = 0.03
batch_size = 5
[methods.bp-adam]
eta_W = 0.001
"""
RULES = """
from copi_np.rules import copi_update, decorrelation_update

def mine(W, x, z):
    return copi_update(W, x, z)

def kappa(R, x):
    return decorrelation_update(R, x)
"""
CASES: dict[tuple[str, str], Callable[[Any], None]] = {}


def case(commands: str, *names: str):
    """Register a function that tests these options of these commands: it gets a `place`, whose `command` is one."""

    def register(function):
        for command in commands.split() or [""]:
            for name in names:
                assert (command, name) not in CASES
                CASES[command, name] = function
        return function

    return register


def parameters():
    """All arguments and options, of the program and of its commands, but for --help."""
    context = click.Context(main, **main.context_settings)  # click keeps the help option that is made here
    for name, command in {"": main, **main.commands}.items():
        for parameter in command.get_params(context):
            if "--help" not in parameter.opts:
                yield name, parameter.name


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with tiny data, a preset and a file of rules; `call` runs a command there, small unless told otherwise.

    Sweeps run in this process, and `place.swept` holds what `copi_np.experiments.sweep.sweep` was called with.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COPI_NP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("copi_np.experiments.demo.DEMO_METHODS", ("copi-bp",))
    monkeypatch.setattr("copi_np.experiments.demo.PRESET", "demo.toml")
    monkeypatch.setattr("copi_np.experiments.benchmark.SHORTEST", 1e-4)
    write_tiny(tmp_path)
    (tmp_path / "tiny.toml").write_text(PRESET)
    (tmp_path / "demo.toml").write_text('dataset = "tiny.npz"' + PRESET)
    (tmp_path / "my_rules.py").write_text(RULES)
    (tmp_path / "own_copi.py").write_text("from copi_np.rules import copi_update")
    swept: dict[str, Any] = {}

    def in_this_process(root, configs, data, **options):
        swept.update(options)
        outcomes = []
        for config in configs:
            outcomes.append(perform(root, config, data, options["backend"], diagnostics=options["diagnostics"]))
            options["on_tick"](len(configs) - len(outcomes))
            options["on_outcome"](outcomes[-1])
        return outcomes

    monkeypatch.setattr(sweeping, "sweep", in_this_process)
    small = {
        "train": ["--dataset", "tiny.npz", "--preset", "tiny.toml", "--out", "run"],
        "reproduce": ["fig2", "--dataset", "tiny.npz", "--preset", "tiny.toml", "--methods", "copi-bp", "--out", "out"],
        "sweep": ["--dataset", "tiny.npz", "--preset", "tiny.toml", "--out", "out"],
        "demo": ["--epochs", "1"],
        "bench": ["--network", "6-4-3", "--rounds", "1"],
        "report": ["out"],
        "verify": ["own_copi.py", "--examples", "0"],
    }
    once = {"reproduce": ["--seeds", "1"], "sweep": ["--seeds", "1"]}

    def call(*arguments, command="", backend=True, refused=False):
        command = command or here.command
        words = [command, *small.get(command, []), *once.get(command, [])]
        words += (
            ["--backend", "numpy"] if backend and command in ("train", "reproduce", "sweep", "demo", "bench") else []
        )
        result = CliRunner().invoke(main, [*words, *map(str, arguments)])
        assert (result.exit_code != 0) == refused, result.output
        return result

    here = SimpleNamespace(
        folder=tmp_path, swept=swept, small=small, once=once, call=call, monkeypatch=monkeypatch, command=""
    )
    here.configs = lambda: configs_in(tmp_path)
    return here


def configs_in(folder):
    """The configurations of all runs, by folder."""
    return [json.loads(path.read_text())["config"] for path in sorted(folder.rglob("run.json"))]


@pytest.mark.parametrize(("command", "name"), list(parameters()), ids=lambda value: value or "copi-np")
def test_the_value_arrives_where_it_acts(place, command, name):
    assert (command, name) in CASES, f"give option {name!r} of {command!r} a case here"
    place.command = command
    CASES[command, name](place)


def test_no_case_is_of_an_option_that_is_gone():
    assert CASES.keys() <= set(parameters())


# ------------------------------------------------------------------------------------------------ hyper-parameters

SETTINGS = {
    "epochs": ("--epochs", "3", {"epochs": 3}),
    "seed": ("--seed", "7", {"seed": 7}),
    "layers": ("--layers", "6,5,4,3", {"layers": [6, 5, 4, 3]}),
    "eta_w": ("--eta-w", "0.0625", {"eta_W": 0.0625}),
    "eta_r": ("--eta-r", "0.0625", {"eta_R": 0.0625, "first_eta_R": 0.0625}),
    "delta_scale": ("--delta-scale", "2.5", {"delta_scale": 2.5}),
    "r_only_epochs": ("--r-only-epochs", "2", {"first_epochs": 2}),
    "batch_size": ("--batch-size", "9", {"batch_size": 9}),
    "dtype": ("--dtype", "float64", {"dtype": "float64"}),
    "val_fraction": ("--val-fraction", "0.25", {"val_fraction": 0.25}),
    "rule": ("--rule", "sgd", {"rule": "sgd"}),
    "error_signal": ("--error-signal", "fa", {"error_signal": "fa"}),
    "decorrelation": ("--decorrelation", "local", {"decorrelation": "local"}),
    "decorrelation_samples": ("--decorrelation-samples", "3", {"decorrelation_samples": 3}),
    "decorrelation_every": ("--decorrelation-every", "2", {"decorrelation_every": 2}),
    "scale": ("--scale", "unit", {"scale": "unit"}),
    "rest_r_after": ("--rest-r-after", "1", {"rest_R_after": 1}),
    "eta": ("--eta", "0.0625", {"eta_W": 0.0625, "eta_R": 0.0625, "first_eta_R": 0.0625}),
    "loss": ("--loss", "cross_entropy", {"loss": "cross_entropy"}),
    "activation": ("--activation", "tanh", {"activation": "tanh"}),
    "output_activation": ("--output-activation", "linear", {"output_activation": "linear"}),
}
"""Options that set fields of a run's configuration."""


def check_settings(name):
    def check(place):
        place.call()
        (before,) = place.configs()
        for path in place.folder.rglob("run.json"):
            path.unlink()
            for other in path.parent.iterdir():
                other.unlink()
        option, value, changes = SETTINGS[name]
        place.call(option, value)
        after = next(config for config in place.configs())
        assert before | changes == after
        assert before != after

    return check


for _name in SETTINGS:
    case("train", _name)(check_settings(_name))
for _name in ("epochs", "rule", "error_signal", "decorrelation", "loss", "activation", "output_activation"):
    case("reproduce sweep", _name)(check_settings(_name))


@case("train", "method")
def _(place):
    place.call("--method", "bp-adam")
    (config,) = place.configs()
    assert (config["method"], config["eta_W"]) == ("bp-adam", 0.001)


@case("train", "patience")
def _(place):
    """Three epochs without learning after the first are enough."""
    place.call("--epochs", "50", "--val-fraction", "0.3", "--patience", "3", "--eta-w", "0", "--eta-r", "0")
    (config,) = place.configs()
    assert config["patience"] == 3
    history = (place.folder / "run" / "history.jsonl").read_text().splitlines()
    assert len(history) == 4


@case("train reproduce sweep", "preset")
def _(place):
    (place.folder / "other.toml").write_text(PRESET.replace("batch_size = 5", "batch_size = 7"))
    place.call("--preset", "other.toml")
    assert [config["batch_size"] for config in place.configs()] == [7]


@case("train reproduce sweep", "dataset")
def _(place):
    (place.folder / "elsewhere").mkdir()
    write_tiny(place.folder / "elsewhere", n_train=31)
    place.call("--dataset", "elsewhere/tiny.npz")
    assert [config["dataset"] for config in place.configs()] == ["elsewhere/tiny.npz"]
    (path,) = place.folder.rglob("run.json")
    assert json.loads(path.read_text())["data_sha256"] == copi_np.load_dataset("elsewhere/tiny.npz").fingerprint


@case("reproduce sweep", "methods")
def _(place):
    place.call("--methods", "bp-adam, copi-fa")
    assert sorted(config["method"] for config in place.configs()) == ["bp-adam", "copi-fa"]


@case("reproduce sweep", "seeds")
def _(place):
    place.once.clear()
    place.call("--seeds", "3")
    assert sorted(config["seed"] for config in place.configs()) == [0, 1, 2]


@case("sweep", "vary")
def _(place):
    place.call("--vary", "eta_W=0.125,0.25", "--vary", "batch_size=3,4")
    found = sorted((config["eta_W"], config["batch_size"]) for config in place.configs())
    assert found == [(0.125, 3), (0.125, 4), (0.25, 3), (0.25, 4)]


@case("reproduce", "figure")
def _(place):
    for figure in ("fig2", "fig3"):
        place.small["reproduce"][0] = figure
        place.call()
        assert len(list(place.folder.rglob("figure3.json"))) == (figure == "fig3")


# ------------------------------------------------------------------------------------------------------ the machine


@case("train reproduce sweep demo bench", "backend")
def _(place):
    """On a machine with a GPU; NumPy and CuPy are told apart by what is recorded."""
    place.monkeypatch.setattr(CuPyBackend, "seconds", Backend.seconds)  # the mock has no clock
    for name in ("numpy", "cupy"):
        with cupy_mock.installed():
            result = place.call("--backend", name, "--json", backend=False)
        if place.command == "bench":
            assert json.loads(result.stdout)["backend"] == name
        elif place.command == "demo":
            assert ("mock" in json.loads(result.stdout)["device"].lower()) == (name == "cupy")
        else:
            (path,) = place.folder.rglob("run.json")
            assert json.loads(path.read_text())["backend"] == name
            for file in path.parent.iterdir():
                file.unlink()
    if place.command == "sweep":
        assert place.swept["backend"] == "cupy"


@case("train reproduce demo bench", "threads")
def _(place):
    """BLAS has as many threads as asked for, in every step, and one by default."""
    place.monkeypatch.setattr("copi_np.cli.options.n_cores", lambda: 8)
    with blas_threads(2):
        able = threads_of_blas()
    if able != {2}:
        pytest.skip("the BLAS of this NumPy cannot be told how many threads to use")
    seen, step = [], Network.step
    place.monkeypatch.setattr(Network, "step", lambda *args, **kw: seen.append(threads_of_blas()) or step(*args, **kw))
    place.call()
    place.folder.joinpath("run").rename(place.folder / "before") if place.command == "train" else None
    place.call("--epochs", "2") if place.command == "reproduce" else None
    default, n_before = seen[:], len(seen)
    assert n_before
    assert all(threads == {1} for threads in default)
    more = ["--epochs", "3"] if place.command == "reproduce" else []
    place.call("--threads", "2", *more)
    assert seen[n_before:]
    assert all(threads == {2} for threads in seen[n_before:])


def threads_of_blas():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@case("sweep", "workers")
def _(place):
    place.call("--workers", "3")
    assert place.swept["n_workers"] == 3


@case("sweep", "scheduler")
def _(place):
    place.call("--scheduler", "tcp://127.0.0.1:1")
    assert place.swept["scheduler"] == "tcp://127.0.0.1:1"


def put_nonsense(folder):
    """Write files with the names of a data set into a folder: the error about them tells that they were found."""
    folder.mkdir(parents=True)
    for file in DATASETS["fashion-mnist"].files:
        (folder / file.name).write_bytes(b"nonsense")


@case("train reproduce sweep doctor", "data_dir")
def _(place):
    """Files are looked for there first, and these are not the original ones."""
    put_nonsense(place.folder / "data" / "fashion-mnist")
    if place.command == "doctor":
        result = place.call("--data-dir", "data")
        assert re.search(r"^data fashion-mnist +present in data.fashion-mnist$", result.stdout, re.MULTILINE)
        return
    result = place.call("--dataset", "fashion-mnist", "--data-dir", "data", refused=True)
    assert str(Path("data", "fashion-mnist", DATASETS["fashion-mnist"].files[0].name)) in result.stderr
    if place.command == "sweep":  # and the workers are told
        place.call("--data-dir", "data")
        assert place.swept["data_dir"] == Path("data")


# ---------------------------------------------------------------------------------------------------------- bench


@case("bench", "network", "batch_size", "method", "dtype", "rounds")
def _(place):
    options = ["--network", "7-5-3", "--batch-size", 11, "--method", "bp-adam", "--dtype", "float64", "--rounds", 2]
    seen, step = set(), Network.step
    place.monkeypatch.setattr(
        Network, "step", lambda net, y, *args, **kw: seen.add(str(y.dtype)) or step(net, y, *args, **kw)
    )
    record = json.loads(place.call(*options, "--json").stdout)
    found = [record[name] for name in ("sizes", "batch_size", "method", "dtype", "rounds")]
    assert found == [[7, 5, 3], 11, "bp-adam", "float64", 2]
    assert seen == {"float64"}
    # products z^T x and x W^T of both layers, and delta W of the second
    assert record["gflop"] == pytest.approx(2e-9 * 11 * (2 * 7 * 5 + 3 * 5 * 3))
    assert len(record["ratios"]["step_over_floor"]) == 2


# --------------------------------------------------------------------------------------------- results and reports


@case("train reproduce sweep demo", "out")
def _(place):
    place.call("--out", "some/where")
    name = {"train": "run.json", "demo": "demo.json"}.get(place.command, "table.md")
    assert (place.folder / "some" / "where" / name).is_file()
    assert [path.parent for path in place.folder.rglob(name)] == [place.folder / "some" / "where"]


@case("demo", "epochs")
def _(place):
    record = json.loads(place.call("--epochs", "2", "--json").stdout)
    assert [len(run["history"]) for run in record["runs"]] == [2]


@case("train", "resume")
def _(place):
    place.call("--epochs", "1")
    place.small["train"] = []
    place.call("--resume", "run", "--epochs", "3", backend=False)
    assert len((place.folder / "run" / "history.jsonl").read_text().splitlines()) == 3


@case("reproduce sweep report", "title")
def _(place):
    figures = {}
    place.monkeypatch.setattr(plotting, "save_figure", lambda figure, path: figures.update({path.name: figure}) or path)
    if place.command == "report":
        place.call(command="reproduce")
    place.call("--title", "Seven samurai")
    assert (place.folder / "out" / "table.md").read_text(encoding="utf-8").startswith("# Seven samurai\n")
    assert figures["fig2.png"].get_suptitle() == "Seven samurai"


@case("reproduce sweep", "diagnostics")
def _(place):
    place.call("--diagnostics")
    (path,) = place.folder.rglob("diagnostics.jsonl")
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [0, 1]
    if place.command == "sweep":
        assert place.swept["diagnostics"] is True


@case("report", "folder", "form", "by_epoch")
def _(place):
    place.call(command="reproduce")
    (place.folder / "out").rename(place.folder / "elsewhere")
    place.small["report"] = ["elsewhere"]
    starts = {"csv": "method,seed", "markdown": "| method |", "latex": "\\begin{tabular}", "json": '[\n {\n  "label"'}
    for form, start in starts.items():
        assert place.call("--format", form).stdout.startswith(start)
    for form, start in starts.items():
        assert place.call("--format", form, "--by-epoch").stdout.startswith(start)
    header = place.call("--format", "csv", "--by-epoch").stdout.splitlines()[0].split(",")
    assert "epoch" in header
    assert "epochs" in place.call("--format", "csv").stdout.splitlines()[0].split(",")


@case("vectors verify", "json_to", "quiet")
def _(place):
    assert isinstance(json.loads(place.call("--json", "--quiet").stdout), dict)


@case("vectors", "out")
def _(place):
    place.call("--out", "elsewhere")
    assert json.loads((place.folder / "elsewhere" / "rules.json").read_text())["topic"] == "rules"


@case("verify", "adapter", "examples")
def _(place):
    """The rules in the file are right, so it conforms; theorems are left out for 0 examples."""
    values = json.loads(place.call("--json").stdout)
    assert values["conforms"]
    assert [len(values["equations"]), values["theorems"]] == [1, []]
    del place.small["verify"][1:]
    assert len(json.loads(place.call("--examples", "2", "--json").stdout)["theorems"]) > 3


@case("train reproduce sweep demo report bench doctor", "json_to")
def _(place):
    if place.command == "report":
        place.call(command="reproduce")
    result = place.call("--json")
    assert isinstance(json.loads(result.stdout), dict)
    if place.command == "bench":
        text = place.call("--json", "kept.json").stdout
        assert text.startswith("copi-bp, 6-4-3")
        assert json.loads(Path("kept.json").read_text())["sizes"] == [6, 4, 3]


@case("train reproduce sweep demo report bench doctor", "quiet")
def _(place):
    """Not a word on standard error, and the result as it is; commands that train do say something without it."""
    if place.command == "report":
        place.call(command="reproduce")
    loud = place.call()
    for path in place.folder.rglob("run.json"):
        for file in path.parent.iterdir():
            file.unlink()
    if place.command == "report":
        place.call(command="reproduce")
    quiet = place.call("--quiet")
    assert quiet.stderr == ""
    assert bool(loud.stderr) == (place.command in ("train", "reproduce", "sweep", "demo"))
    numbers = re.compile(r"[\d.]+")  # of times
    assert numbers.sub("", quiet.stdout).split() == numbers.sub("", loud.stdout).split()


def test_the_best_epoch_is_told_in_text_and_values(place):
    """Of the validation split, with the accuracies of that epoch."""
    place.command = "train"
    options = ["--epochs", "12", "--val-fraction", "0.3", "--eta-w", "0.05", "--eta-r", "0.02", "--seed", "3"]
    values = json.loads(place.call(*options, "--json").stdout)
    lines = [json.loads(line) for line in Path("run", "history.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["val_accuracy"])
    assert values["best"] == best
    assert {name: values[name] for name in lines[-1]} == lines[-1]
    assert best["test_accuracy"] != lines[-1]["test_accuracy"]  # or the last would do as well
    place.small["train"] = []
    text = place.call("--resume", "run", backend=False).stdout
    assert f"epoch 12: train {100 * lines[-1]['train_accuracy']:.2f} %" in text
    assert f"epoch {best['epoch']}: val {100 * best['val_accuracy']:.2f} %" in text
    assert f"test {100 * best['test_accuracy']:.2f} %\nNetwork" in text


@case("", "version")
def _(place):
    result = CliRunner().invoke(main, ["--version"])
    assert result.stdout == f"copi-np, version {copi_np.__version__}\n"


def test_parts_of_files_arrive(place):
    """An own rule, error signal or decorrelation is that of the network that trains."""
    for command in ("train", "reproduce", "sweep"):
        place.command = command
        for option, name in (("--rule", "mine"), ("--decorrelation", "kappa")):
            place.call(option, f"my_rules.py:{name}", *(["--out", f"{command}-{name}"]))
            (config,) = configs_in(place.folder / f"{command}-{name}")
            assert config[option.removeprefix("--")] == f"my_rules.py:{name}"
            assert re.fullmatch("[0-9a-f]{64}", config["code_sha256"])
    assert np.isfinite(config["eta_W"])


# ----------------------------------------------------------------------------- scaling, biases, estimates, bench again

for _name in ("scale", "val_fraction"):
    case("reproduce sweep", _name)(check_settings(_name))


@case("reproduce sweep", "patience")
def _(place):
    place.call("--val-fraction", "0.3", "--patience", "3")
    assert {config["patience"] for config in place.configs()} == {3}


@case("train", "bias")
def _(place):
    place.call("--bias")
    (config,) = place.configs()
    assert config["bias"] is True
    network, _ = copi_np.load_network(place.folder / "run" / "checkpoint.npz")
    assert network.layers[0].W.shape == (4, 7)


@case("train", "dry_run")
def _(place):
    estimated = json.loads(place.call("--dry-run", "--json").stdout)
    assert not (place.folder / "run").exists()
    assert all(isinstance(value, (int, float)) for value in estimated.values())


@case("bench", "image_shape")
def _(place):
    record = json.loads(place.call("--network", "conv3k2-2", "--image-shape", "1x2x3", "--json").stdout)
    assert (record["sizes"], record["image_shape"]) == (["conv3k2", 2], [1, 2, 3])


@case("bench", "decorrelation_samples", "rest_r")
def _(place):
    """Layers 6-4-3, batches of 50: see `test_benchmark` for the products; the first layer's are x^T x and (x^T x) R."""
    few = json.loads(place.call("--decorrelation-samples", "5", "--json").stdout)
    rest = json.loads(place.call("--rest-r", "--json").stdout)
    full = json.loads(place.call("--json").stdout)
    assert (few["decorrelation_samples"], rest["rest_R"]) == (5, True)
    assert full["gflop"] - few["gflop"] == pytest.approx(
        2e-9 * (45 * 2 * 4 * 4 + 50 * 6 * 6 + 6 * 6 * 6 - 5 * 2 * 6 * 6)
    )
    assert full["gflop"] - rest["gflop"] == pytest.approx(2e-9 * (50 * 2 * (6 * 6 + 4 * 4) + 6 * 6 * 6))


def raced(place, *arguments):
    """Run bench --to-accuracy on the tiny data, for an epoch unless told otherwise, and return its record."""
    fixed = ["bench", "--to-accuracy", "1", "--preset", "tiny.toml", "--dataset", "tiny.npz", "--backend", "numpy"]
    result = CliRunner().invoke(main, [*fixed, "--json", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@case("bench", "to_accuracy", "split", "val_fraction")
def _(place):
    record = raced(place, "--to-accuracy", 0.01, "--split", "validation", "--val-fraction", 0.3)
    assert (record["accuracy"], record["split"]) == (0.01, "validation")
    assert {run["config"]["val_fraction"] for run in record["runs"]} == {0.3}
    train, test = (raced(place, "--split", split)["runs"][0]["by_epoch"]["accuracy"] for split in ("train", "test"))
    assert (len(train), len(test)) == (1, 1)
    assert 23 * train[0] == pytest.approx(round(23 * train[0]))
    assert 9 * test[0] == pytest.approx(round(9 * test[0]))


@case("bench", "dataset", "preset", "methods", "seeds", "epochs", "vary")
def _(place):
    """The preset has the layers and rates; the data give its first and last layer their sizes."""
    record = raced(place, "--methods", "copi-fa, bp", "--seeds", 2, "--epochs", 3, "--vary", "batch_size=5,7")
    configs = [run["config"] for run in record["runs"]]
    found = [(config["seed"], config["batch_size"], config["method"]) for config in configs]
    assert found == [(seed, size, method) for seed in (0, 1) for size in (5, 7) for method in ("copi-fa", "bp")]
    assert {(config["dataset"], *config["layers"]) for config in configs} == {("tiny.npz", 6, 4, 3)}
    assert {config["epochs"] for config in configs} == {3}
    assert record["dataset"] == "tiny.npz"
    place.folder.joinpath("tiny.toml").write_text(PRESET.replace("eta_W = 0.01", "eta_W = 0.0625"))
    assert raced(place, "--methods", "bp")["runs"][0]["config"]["eta_W"] == 0.0625


@case("bench", "figure")
def _(place):
    raced(place, "--figure", "times.svg")
    assert "<svg" in (place.folder / "times.svg").read_text()


@case("bench", "data_dir")
def _(place):
    put_nonsense(place.folder / "data" / "fashion-mnist")
    arguments = ["bench", "--to-accuracy", "0.5", "--dataset", "fashion-mnist", "--data-dir", "data"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert str(Path("data", "fashion-mnist", DATASETS["fashion-mnist"].files[0].name)) in result.stderr


@case("", "quiet")
def _(place):
    result = CliRunner().invoke(main, ["--quiet", "train", *place.small["train"], "--backend", "numpy"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("epoch 1: train")


# ------------------------------------------------------------------------------------------------ predict and export

PARTS = """
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.error_signals import ErrorSignal, backpropagation
from copi_np.losses import LOSSES, Loss

tanh = Activation("mine", ACTIVATIONS["tanh"].f, ACTIVATIONS["tanh"].df)
half = ErrorSignal("half", lambda layers, trace, feedback, delta_L: backpropagation(layers, trace, feedback, delta_L))
square = Loss("square", LOSSES["quadratic"].values, LOSSES["quadratic"].gradient)
"""
OWN = {
    "rule": "mine", "decorrelation": "kappa", "error_signal": "half", "loss": "square", "activation": "tanh",
    "output_activation": "tanh",
}  # fmt: skip


def trained(place, *options):
    """Train on the tiny data, and return the network."""
    place.small |= {"predict": ["run", "tiny.npz"], "export": ["run", "net.onnx"]}
    place.call(*options, command="train")
    return copi_np.load_network(place.folder / "run" / "checkpoint.npz")[0]


def inputs_of(split):
    return np.load("tiny.npz")[f"x_{split}"].astype("float32")


def classes(network, inputs):
    return network.predict(inputs).argmax(axis=1).tolist()


@case("predict", "run_or_network", "data", "split")
def _(place):
    network = trained(place)
    for split in ("test", "train"):
        found = json.loads(place.call("--split", split, "--json").stdout)
        assert found["labels"] == classes(network, inputs_of(split))
        assert found["accuracy"] == np.mean(np.equal(found["labels"], np.load("tiny.npz")[f"y_{split}"]))
    np.save("some.npy", inputs_of("train")[:4])
    place.small["predict"] = ["run/checkpoint.npz", "some.npy"]
    assert json.loads(place.call("--json").stdout)["labels"] == classes(network, inputs_of("train")[:4])


@case("predict", "probabilities")
def _(place):
    network = trained(place, "--loss", "cross_entropy")
    outputs = np.exp(network.predict(inputs_of("test")).astype(float))
    found = json.loads(place.call("--probabilities", "--json").stdout)["probabilities"]
    np.testing.assert_allclose(found, outputs / outputs.sum(axis=1, keepdims=True), rtol=1e-5)


@case("predict", "pixels")
def _(place):
    network = trained(place)
    pixels = np.random.default_rng(0).integers(256, size=(40, 6)).astype("float32")
    np.save("pixels.npy", pixels)
    place.small["predict"][1] = "pixels.npy"
    assert json.loads(place.call("--pixels", "--json").stdout)["labels"] == classes(
        network, (pixels / 255).astype("f4")
    )


@case("predict", "label_column")
def _(place):
    network = trained(place)
    rows = [",".join(map(str, [*row, 0])) for row in inputs_of("test")]
    Path("some.csv").write_text("\n".join(["a,b,c,d,e,f,kind", *rows]) + "\n")
    place.small["predict"][1] = "some.csv"
    found = json.loads(place.call("--label-column", "kind", "--json").stdout)
    assert found["accuracy"] == np.mean(np.equal(classes(network, inputs_of("test")), 0))


@case("predict", "out")
def _(place):
    trained(place)
    to_screen = place.call().stdout
    place.call("--out", "classes.csv")
    assert Path("classes.csv").read_text().splitlines() == to_screen.splitlines()


@case("export", "run_or_network", "out")
def _(place):
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file

    network = trained(place)
    place.small["export"] = ["run", "weights.safetensors"]
    place.call()
    np.testing.assert_array_equal(load_file("weights.safetensors")["W_0"], network.layers[0].W)


def check_part(kind):
    def check(place):
        """The part is in a file that has moved since."""
        (place.folder / "my_rules.py").write_text(RULES + PARTS)
        option = f"--{kind.replace('_', '-')}"
        trained_with = ["--method", "copi-bp", option, f"my_rules.py:{OWN[kind]}"]
        place.small |= {"predict": ["run", "tiny.npz"], "export": ["run", "weights.safetensors"]}
        place.call(*trained_with, command="train")
        (place.folder / "my_rules.py").rename(place.folder / "moved.py")
        assert option in place.call(refused=True).stderr
        place.call(option, f"moved.py:{OWN[kind]}")

    return check


for _name in OWN:
    case("predict export", _name)(check_part(_name))


@case("predict", "backend")
def _(place):
    place.monkeypatch.setattr(CuPyBackend, "seconds", Backend.seconds)
    trained(place)
    seen = []
    predict = Network.predict
    place.monkeypatch.setattr(Network, "predict", lambda net, y: seen.append(net.backend.name) or predict(net, y))
    for name in ("numpy", "cupy"):
        with cupy_mock.installed():
            place.call("--backend", name)
    assert seen == ["numpy", "cupy"]


@case("predict", "data_dir")
def _(place):
    trained(place)
    put_nonsense(place.folder / "data" / "fashion-mnist")
    place.small["predict"][1] = "fashion-mnist"
    result = place.call("--data-dir", "data", refused=True)
    assert str(Path("data", "fashion-mnist", DATASETS["fashion-mnist"].files[0].name)) in result.stderr


@case("predict export", "json_to")
def _(place):
    trained(place)
    place.small["export"] = ["run", "weights.safetensors"]
    assert isinstance(json.loads(place.call("--json").stdout), dict)


@case("predict export", "quiet")
def _(place):
    trained(place)
    place.small["export"] = ["run", "weights.safetensors"]
    assert place.call("--quiet").stderr == ""
