"""The benchmark counts and times what it says; targets of speed are no tests, since the machine may be busy."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from copi_np import Dataset, InputError, Network, Schedule, Split, algorithm, fit, get_backend
from copi_np.cli import main
from copi_np.experiments.benchmark import bench, candidates, prepared
from copi_np.experiments.config import CHEAPER
from copi_np.experiments.methods import METHODS
from copi_np.experiments.options import NETWORKS, parse_layers
from copi_np.experiments.products import Product, products_of_step

ROOT = Path(__file__).parents[2]


class Counting:
    """Counts the operations of all matrix products that arrays of a network take part in."""

    def __init__(self, monkeypatch):
        self.flop = 0
        backend = get_backend("numpy")
        monkeypatch.setattr(type(backend), "matmul_add", self.added)

    def added(self, out, A, B, alpha):
        self.flop += 2 * A.shape[0] * A.shape[1] * B.shape[1]
        out += alpha * (plain(A) @ plain(B))

    def of(self, array):
        counting = self

        class Counted(np.ndarray):
            def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
                if ufunc is np.matmul:
                    counting.flop += 2 * inputs[0].shape[0] * inputs[0].shape[1] * inputs[1].shape[1]
                options |= {"out": tuple(map(plain, out))} if out else {}
                result = getattr(ufunc, method)(*map(plain, inputs), **options)
                return out[0] if out else np.asarray(result).view(Counted)

        return array.view(Counted)


def plain(value):
    return value.view(np.ndarray) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", ["copi-bp", "copi-fa", "bp-decor", "bp-adam", "bp-momentum", "bp"])
@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((7, 5), None),
        ((7, 6, 5, 3), None),
        ((3, 2, 5), None),
        (["conv2k2", "conv3k2p1", "pool2", "conv4k2", 3], (2, 4, 4)),
        (["conv9k3", "conv3k1", 2], (1, 3, 5)),
    ],
    ids=lambda value: "-".join(map(str, value or ())),
)
@pytest.mark.parametrize(("samples", "rest_R"), [(None, False), (3, False), (9, False), (3, True)])
def test_the_products_that_are_counted_are_those_of_a_step(monkeypatch, name, sizes, shape, samples, rest_R):
    method, counting = METHODS[name], Counting(monkeypatch)
    network = Network(
        sizes, rng=np.random.default_rng(0), rule=method.rule, error_signal=method.error_signal,
        decorrelation="matrix" if method.decorrelates else None, decorrelation_samples=samples, input_shape=shape,
    )  # fmt: skip
    for layer in network.layers:
        layer._W = counting.of(layer._W)
        if layer._R is not None:
            layer._R = counting.of(layer._R)
    network.feedback = [None if B is None else counting.of(B) for B in network.feedback]
    y0, targets = counting.of(np.ones((4, network.n_inputs), "float32")), np.eye(4, sizes[-1], dtype="float32")
    network.step(y0, targets, eta_W=0.01, eta_R=0 if rest_R else 0.01, x0=y0 if rest_R and shape is None else None)
    counted = products_of_step(sizes, 4, method, samples, rest_R=rest_R, image_shape=shape)
    assert counting.flop == round(1e9 * sum(product.gflop for product in counted))


DEEP = (3072, 1000, 1000, 1000, 1000, 10)


@pytest.mark.parametrize(
    ("sizes", "now", "some_samples", "at_rest", "sgd"),
    [
        (NETWORKS["mnist"], 0.71, 0.47, 0.38, 0.23),
        (NETWORKS["cifar10"], 4.55, 2.49, 1.32, 0.92),
        (DEEP, 5.95, 3.53, 2.32, 1.52),
    ],
)
def test_the_networks_of_the_paper_cost_what_is_known(sizes, now, some_samples, at_rest, sgd):
    def gflop(method, *args, **options):
        products = products_of_step(sizes, 50, METHODS[method], *args, **options)
        return round(sum(product.gflop for product in products), 2)

    assert gflop("copi-bp") == now
    assert gflop("copi-bp", 5) == some_samples
    assert gflop("copi-bp", rest_R=True) == at_rest
    assert gflop("bp") == sgd


def test_a_product_of_a_matrix_and_its_transpose_is_timed_as_that():
    """BLAS may take half of the operations, as it does in the step."""
    product = Product(3, 5, 3, left_transposed=True, of_transpose=True)
    run = prepared(get_backend("numpy"), product, "float64", np.random.default_rng(0))
    moment = run()
    np.testing.assert_array_equal(moment, moment.T)
    assert np.all(np.linalg.eigvalsh(moment) > 0)


def test_a_network_with_convolutions_is_timed_on_images():
    timed = candidates(
        ["conv3k2", "pool3", 4], 5, METHODS["copi-bp"], get_backend("numpy"), "float64", image_shape=(1, 4, 4)
    )
    assert list(timed) == ["floor", "step", "forward", "evaluation", "evaluation, unfolded"]
    assert timed["forward"]().y[-1].shape == (5, 4)
    assert len(timed["evaluation, unfolded"]()) == 20  # 2000 images, 100 at a time
    np.testing.assert_allclose(timed["evaluation"](), np.concatenate(timed["evaluation, unfolded"]()), rtol=1e-10)
    assert float(timed["step"]()) > 0
    at_rest = candidates(
        ["conv3k2", 4], 5, METHODS["copi-bp"], get_backend("numpy"), "float64", rest_R=True, image_shape=(1, 4, 4)
    )
    assert float(at_rest["step"]()) > 0


def test_error_signals_that_are_not_counted_are_refused():
    with pytest.raises(InputError, match=r"cannot count the products of COPI \(DTP\): choose a method with BP or FA"):
        products_of_step((7, 5), 4, METHODS["copi-dtp"])


@pytest.mark.parametrize("network", [5, None, (784,), (784, "10")])
def test_a_network_that_is_none_is_refused(network):
    with pytest.raises(InputError, match="network must be two or more positive integers such as 784,500,10"):
        bench(network)


def test_the_equations_that_are_timed_are_algorithm_1(monkeypatch):
    """Once per call, from where the last call ended; tests of `algorithm` hold it equal to the step."""
    calls = []

    def train_batch(layers, *args, **options):
        calls.append(layers[0].W)
        return algorithm.train_batch(layers, *args, **options)

    monkeypatch.setattr("copi_np.experiments.benchmark.train_batch", train_batch)
    timed = candidates((7, 6, 3), 5, METHODS["copi-bp"], get_backend("numpy"), "float64")
    for _ in range(3):
        timed["equations"]()
    assert len(calls) == 3
    assert np.abs(calls[2] - calls[1]).max() > 1e-9
    assert "equations" not in candidates((7, 6, 3), 5, METHODS["bp"], get_backend("numpy"), "float64")


def test_evaluation_is_compared_with_the_same_outputs():
    backend = get_backend("numpy")
    timed = candidates((7, 6, 3), 5, METHODS["copi-bp"], backend, "float64")
    unfolded = np.concatenate(timed["evaluation, unfolded"]())
    np.testing.assert_allclose(timed["evaluation"](), unfolded, rtol=1e-12)


def test_results_are_plain_and_their_ratio_is_that_of_the_rounds(monkeypatch):
    monkeypatch.setattr("copi_np.experiments.benchmark.SHORTEST", 0.001)
    results = bench("6-5-3", 4, backend="numpy", rounds=3)
    assert json.loads(json.dumps(results)) == results
    ratios = results["ratios"]["step_over_floor"]
    assert len(ratios) == 3
    assert results["step_over_floor"] == sorted(ratios)[1]
    assert min(results["milliseconds"].values()) > 0


def test_the_command_prints_a_table_and_keeps_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr("copi_np.experiments.benchmark.SHORTEST", 0.001)
    arguments = ["--network", "6-5-3", "--rounds", "2", "--backend", "numpy", "--json", str(tmp_path / "bench.json")]
    result = CliRunner().invoke(main, ["bench", *arguments])
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    record = json.loads((tmp_path / "bench.json").read_text())
    assert f"step / floor: {record['step_over_floor']:.3f}" in result.stdout
    assert record["sizes"] == [6, 5, 3]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--network", "mnits"], "unknown network 'mnits': did you mean 'mnist'"),
        (["--network", "784"], "layers must be"),
        (["--network", "conv4k3-10"], "add --image-shape 1x28x28, for example"),
        (["--network", "conv4k3-10", "--image-shape", "28"], r"must be \(channels, height, width\), such as"),
        (
            ["--network", "conv4k3-10", "--image-shape", "28,28"],
            "cannot read the shape of images '28,28': write 3x32x32",
        ),
        (["--network", "conv4k3-10", "--image-shape", "2x2"], "a kernel of 3 x 3 does not fit into 2 x 2 pixels"),
        (["--network", "4-3", "--image-shape", "2x2"], "leave out --image-shape"),
        (["--method", "copi-tp"], "choose a method with BP or FA"),
        (["--dtype", "float16"], "unknown dtype 'float16'"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, word):
    result = CliRunner().invoke(main, ["bench", "--backend", "numpy", *arguments])
    assert result.exit_code == 2
    assert re.search(word, result.stderr)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("method", ["copi-bp", "copi-fa"])
def test_training_needs_little_more_memory_than_what_it_works_on(method):
    """At most 1.5 times parameters, data and the activations of a batch."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (24_000, 400), dtype=np.uint8), np.arange(24_000) % 10
    split = Split(pixels, labels)
    data = Dataset("pixels", split, Split(pixels[:1000], labels[:1000]), 10)
    parts = METHODS[method]
    network = Network([400, 300, 300, 10], rng=rng, rule=parts.rule, error_signal=parts.error_signal)
    arrays = [array for layer in network.layers for array in (layer.W, layer.R)]
    arrays += [B for B in network.feedback if B is not None]
    n_units = sum(2 * layer.n_inputs + 2 * layer.n_outputs for layer in network.layers)
    least = sum(array.nbytes for array in arrays) + 25_000 * (400 + 10) * 4 + 50 * n_units * 4
    tracemalloc.start()
    try:
        fit(network, data, epochs=1, schedule=Schedule(0.001, 0.001), rng=rng)
        peak = tracemalloc.get_traced_memory()[1] + sum(array.nbytes for array in arrays)
    finally:
        tracemalloc.stop()
    assert peak <= 1.5 * least


@pytest.mark.parametrize(
    ("text", "shape"), [("12-6-4", None), ("conv6k3s2p1-conv5k2-pool3-7-4", (2, 7, 7))], ids=["dense", "images"]
)
@pytest.mark.parametrize("kind", ["Straight", "Tuned"])
def test_the_steps_in_pytorch_are_those_of_the_package(monkeypatch, text, shape, kind):
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = importlib.import_module("pytorch")
    monkeypatch.setattr(script, "ETA", 0.01)
    rng, layers = np.random.default_rng(0), script.read_layers(text, shape)
    own = Network(parse_layers(text), input_shape=shape, rng=rng, dtype="float64")
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        theirs = script.Straight(layers) if kind == "Straight" else script.Tuned(layers, 5)
        theirs.Ws = [torch.tensor(layer.W * 1) for layer in own.layers]
        for _ in range(3):
            y0, targets = rng.normal(size=(5, own.n_inputs)), rng.normal(size=(5, 4))
            own.step(y0, targets, eta_W=0.01)
            theirs.step(torch.tensor(y0), torch.tensor(targets))
    finally:
        torch.set_default_dtype(dtype)
    for layer, W, R in zip(own.layers, theirs.Ws, theirs.Rs, strict=True):
        np.testing.assert_allclose(W.numpy(), layer.W, rtol=0, atol=1e-13)
        np.testing.assert_allclose(R.numpy(), layer.R, rtol=0, atol=1e-13)


def test_the_scripts_of_the_benchmarks_run(tmp_path):
    """PyTorch is not asked for: its script is run where there is one, by hand."""
    script = ROOT / "benchmarks" / "own.py"
    command = [sys.executable, str(script), "--network", "6-5-3", "--batch-size", "4", "--seconds", "0.001"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["milliseconds"] > 0


def test_the_benchmark_of_cheaper_steps_trains_every_variant_to_the_end(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = importlib.import_module("cheaper")
    figure = tmp_path / "seconds.png"
    command = ["--dataset", "digits-8x8", "--epochs", "2", "--seeds", "2", "--figure", str(figure)]
    result = CliRunner().invoke(script.main, command, catch_exceptions=False)
    runs = json.loads(result.stdout)["runs"]
    assert [run["label"] for run in runs] == [label for label in script.VARIANTS for _ in range(2)]
    assert [run["config"]["seed"] for run in runs] == [0, 1] * len(script.VARIANTS)
    assert all(len(run["by_epoch"]["seconds"]) == 2 for run in runs)
    settings = [{name: run["config"].get(name) for name in CHEAPER if name in run["config"]} for run in runs[::2]]
    cheap = [{"decorrelation_samples": 5}, {"decorrelation_every": 10}, {"rest_R_after": 4}]
    assert settings == [{}, *cheap, {}, {}]
    assert figure.stat().st_size > 0


def test_tables_of_speed_are_what_the_records_say(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tables = importlib.import_module("tables")
    assert (ROOT / "results" / "speed" / "tables.md").read_text(encoding="utf-8") == tables.all_tables()


def test_the_table_of_times_to_accuracy_by_hand(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tables = importlib.import_module("tables")
    monkeypatch.setattr(tables, "SPEED", tmp_path)

    def run(label, seed, epochs, seconds, *accuracies):
        config = {"eta_W": 0.002, "seed": seed, "epochs": 9}
        return {
            "label": label,
            "config": config,
            "epochs": epochs,
            "seconds": seconds,
            "by_epoch": {"accuracy": accuracies},
        }

    runs = [run("COPI (BP)", 0, 2, 10.0), run("COPI (BP)", 1, 3, 20.0), run("BP (Adam)", 0, 1, 5.0)]
    runs += [run("BP (Adam)", 1, 4, 40.0), run("BP (SGD)", 0, None, None, 0.25, 0.5), run("BP (SGD)", 1, 9, 30.0)]
    never = [run(label, 0, None, None, 0.25, 0.125) for label in ("COPI (BP)", "BP (Adam)", "BP (SGD)")]
    never[1] |= {"epochs": 5, "seconds": 7.25}
    (tmp_path / "to-accuracy").mkdir()
    for split, accuracy, found in (("validation", 0.975, runs), ("train", 0.9, never)):
        file = tmp_path / "to-accuracy" / f"net-{split}.json"
        file.write_text(json.dumps({"accuracy": accuracy, "runs": found}))
    assert tables.to_accuracy("net").splitlines()[2:] == [
        "| COPI (BP) | 0.002 | 2.5 ± 0.7 | 15.0 ± 7.1 | 1.00 ± 0.00 | not in 9: 25.0 % at best |  |  |",
        "| BP (Adam) | 0.002 | 2.5 ± 2.1 | 22.5 ± 24.7 | 1.25 ± 1.06 | 5.0 | 7.2 |  |",
        "| BP (SGD) | 0.002 | 9.0 (1 of 2) | 30.0 | 1.50 | not in 9: 25.0 % at best |  |  |",
    ]
    for seed, seconds in ((0, 2.0), (1, 4.0)):
        file = tmp_path / "to-accuracy" / f"pytorch-net-train-seed{seed}.json"
        file.write_text(json.dumps({"epochs": 3, "seconds": seconds, "config": {"seed": seed}}))
    head, _, *rows = tables.to_accuracy("net").splitlines()
    assert rows[-1] == "| BP (Adam) in PyTorch | 0.002 |  |  |  | 3.0 ± 0.0 | 3.0 ± 1.4 |  |"
    assert "| 97.5 % of the validation samples: epochs |" in head
    assert "| 90 % of the training samples: epochs |" in head


def test_numbers_in_the_text_of_the_page_are_on_record():
    text = " ".join((ROOT / "docs" / "performance.md").read_text(encoding="utf-8").split())
    scaling = json.loads((ROOT / "results" / "speed" / "scaling.json").read_text())
    times = scaling["leaky ReLU"]
    assert f"takes {times['maximum']:.0f} microseconds" in text
    assert f"takes {times['where']:.0f}: the signs" in text
    pairs = list(zip(scaling["steps"][::2], scaling["steps"][1::2], strict=True))
    ratios = [copi["step"] / bp["step"] for copi, bp in pairs if copi["batch"] > 1]
    assert f"measured here, {min(ratios):.1f} to {max(ratios):.1f} times" in text
    (single,) = (copi["step"] / bp["step"] for copi, bp in pairs if copi["batch"] == 1)
    assert f"With single samples the ratio is {single:.1f};" in text
    middle = {"width": 512, "batch": 50, "depth": 3}
    thrice = [copi["step"] / bp["step"] for copi, bp in pairs if middle.items() <= copi.items()]
    assert len(thrice) == 3
    assert f"in all three tables, with ratios from {min(thrice):.2f} to {max(thrice):.2f}" in text
    monkey = importlib.util.spec_from_file_location("estimate", ROOT / "benchmarks" / "estimate.py")
    estimate = importlib.util.module_from_spec(monkey)
    sys.modules["estimate"] = estimate
    monkey.loader.exec_module(estimate)
    assert f"R alone fills 80 GB at {estimate.widest():,} inputs" in text
