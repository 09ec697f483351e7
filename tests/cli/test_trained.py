"""copi-np predict and export: a trained network is used from the command line, without Python."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call, done
from tiny import write_tiny

from copi_np import InputError, Network, load_dataset, load_network, save_network
from copi_np.callbacks import best_epoch
from copi_np.experiments.config import RunConfig
from copi_np.experiments.prediction import predict as predict_classes
from copi_np.experiments.records import read_run
from copi_np.experiments.runner import train_into, with_validation
from copi_np.experiments.samples import read_samples
from copi_np.experiments.trained import load_trained

CODE = """
import numpy as np
from copi_np.activations import Activation

softplus = Activation("softplus", lambda a: np.log1p(np.exp(a)), lambda a: 1 / (1 + np.exp(-a)))
"""
CONFIG = RunConfig("copi-bp", "tiny.npz", (6, 4, 3), epochs=3, eta_W=0.05, eta_R=0.05, batch_size=5)


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A small data set, in a folder that is the current one; "run" is a run on it, with the cross-entropy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    data = load_dataset(str(write_tiny(tmp_path)))
    train_into("run", replace(CONFIG, loss="cross_entropy"), data, "numpy")
    return data


def refused(*arguments):
    """The one line with which a command is refused; nothing is written."""
    before = sorted(Path().rglob("*"))
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert (result.stderr[:7], result.stderr.count("\n")) == ("Error: ", 1)
    assert sorted(Path().rglob("*")) == before
    return result.stderr


def outputs_of(path, inputs):
    """The outputs of the network in a file, by loops over samples and layers, in float64."""
    with np.load(path) as file:
        weights = [(file[f"W_{k}"].astype(float), file[f"R_{k}"].astype(float)) for k in range(2)]
    rows = []
    for y in np.asarray(inputs, float):
        for k, (W, R) in enumerate(weights):
            a = W @ (R @ y)
            y = np.where(a > 0, a, 0.1 * a) if k == 0 else a  # logits
        rows.append(y)
    return np.array(rows)


def labels_in(text):
    head, *rows = csv.reader(text.splitlines())
    return head, np.array([int(row[0]) for row in rows]), np.array([[float(cell) for cell in row[1:]] for row in rows])


# ----------------------------------------------------------------------------------------------------------- predict


def test_labels_probabilities_and_accuracy_are_those_of_the_network(data):
    result = done("predict", "run", "tiny.npz", "--probabilities")
    head, labels, shares = labels_in(result.stdout)
    outputs = outputs_of("run/checkpoint.npz", data.test.inputs)
    assert head == ["label", "p_0", "p_1", "p_2"]
    np.testing.assert_array_equal(labels, outputs.argmax(axis=1))
    expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected, rtol=1e-5)
    n_right = sum(int(label == truth) for label, truth in zip(labels, data.test.labels, strict=True))
    assert result.stderr == f"9 samples, accuracy {100 * n_right / 9:.2f} % (run/checkpoint.npz, epoch 3)\n"
    assert n_right / 9 == read_run("run").history[-1].test_accuracy


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_is_chosen(data, split):
    result = done("predict", "run", "tiny.npz", "--split", split)
    _, labels, _ = labels_in(result.stdout)
    np.testing.assert_array_equal(labels, outputs_of("run/checkpoint.npz", data.splits[split].inputs).argmax(axis=1))
    accuracy = getattr(read_run("run").history[-1], f"{split}_accuracy")
    assert f"accuracy {100 * accuracy:.2f} %" in result.stderr


def test_of_a_validated_run_it_is_the_best_network_and_the_split_is_the_runs(data):
    config = replace(CONFIG, val_fraction=0.3, epochs=6, eta_W=0.3)
    history = train_into("validated", config, data, "numpy")
    best = history[best_epoch(history) - 1]
    result = done("predict", "validated", "tiny.npz", "--split", "validation")
    n_held_out = len(with_validation(config, data).validation.labels)
    assert result.stderr == (
        f"{n_held_out} samples, accuracy {100 * best.val_accuracy:.2f} % (validated/best.npz, epoch {best.epoch})\n"
    )
    _, labels, _ = labels_in(done("predict", "validated", "tiny.npz", "--split", "train").stdout)
    assert len(labels) == len(data.train.labels) - n_held_out
    latest = done("predict", "validated/checkpoint.npz", "tiny.npz")
    assert f"accuracy {100 * history[-1].test_accuracy:.2f} % (validated/checkpoint.npz, epoch 6)" in latest.stderr
    Path("validated/best.npz").unlink()
    assert "validated/checkpoint.npz" in done("predict", "validated", "tiny.npz").stderr


def write_samples(kind, inputs, labels):
    """Write samples with the labels a file of this kind can hold; return its name."""
    if kind == "npz":
        np.savez("samples.npz", x=inputs, y=labels)
    elif kind == "images":
        np.savez("samples.npz", x=inputs.reshape(-1, 2, 3), y=labels)
        return "samples.npz"
    elif kind == "npy":
        np.save("samples.npy", inputs)
    else:
        columns = [inputs[:, :2], labels[:, None], inputs[:, 2:]] if kind == "csv" else [inputs]
        names = "a,b,label,c,d,e,f\n" if kind == "csv" else "a,b,c,d,e,f\n" if kind == "csv of inputs" else ""
        rows = "\n".join(",".join(map(repr, row)) for row in np.hstack(columns).tolist())
        Path("samples.csv").write_text(names + rows + "\n")
        return "samples.csv"
    return f"samples.{kind}"


@pytest.mark.parametrize("kind", ["npz", "images", "npy", "csv", "csv of inputs", "csv without names"])
def test_samples_are_read_from_each_kind_of_file(data, kind):
    name = write_samples(kind, *data.test)
    result = done("predict", "run", name)
    assert result.stdout == done("predict", "run", "tiny.npz").stdout
    knows_labels = kind in ("npz", "images", "csv")
    assert ("accuracy" in result.stderr) == knows_labels
    values = json.loads(done("predict", "run", name, "--json").stdout)
    assert values["labels"] == labels_in(result.stdout)[1].tolist()
    expected = read_run("run").history[-1].test_accuracy if knows_labels else None
    assert values["accuracy"] == expected
    assert (values["network"], values["epoch"], values["written"]) == ("run/checkpoint.npz", 3, [])


@pytest.mark.parametrize("names", [["cat", "dog", "emu"], ["-1", "0", "1"]])
def test_classes_that_have_names_are_predicted_by_name(data, names):
    """Numbers are names too, if that is what they were in training."""
    y_train, y_test = (np.array(names)[split.labels] for split in (data.train, data.test))
    np.savez("named.npz", x_train=data.train.inputs, y_train=y_train, x_test=data.test.inputs, y_test=y_test)
    done("train", "--dataset", "named.npz", "--epochs", 3, "--loss", "cross_entropy", "--out", "named")
    result = done("predict", "named", "named.npz", "--probabilities")
    head, *rows = csv.reader(result.stdout.splitlines())
    assert head == ["label", *(f"p_{name}" for name in names)]
    largest = [str(names[int(np.argmax(np.array(row[1:], float)))]) for row in rows]
    assert [row[0] for row in rows] == largest
    right = np.mean(np.array(largest) == y_test.astype(str))
    assert f"9 samples, accuracy {100 * right:.2f} %" in result.stderr
    np.savez("samples.npz", x=data.test.inputs, y=y_test)
    table = np.column_stack([data.test.inputs.astype(str), y_test.astype(str)])
    Path("samples.csv").write_text("a,b,c,d,e,f,label\n" + "\n".join(map(",".join, table)) + "\n")
    for samples in ("samples.npz", "samples.csv"):
        values = json.loads(done("predict", "named", samples, "--json").stdout)
        assert (values["labels"], values["accuracy"]) == (largest, right)
    Path("samples.csv").write_text(f"a,b,c,d,e,f,label\n1,2,3,4,5,6,{names[0]}\n1,2,3,4,5,6,cow\n")
    assert f"labels must be of {', '.join(map(str, names))}, got 'cow'" in refused("predict", "named", "samples.csv")


def test_a_column_of_labels_may_have_another_name(data):
    name = write_samples("csv", *data.test)
    Path(name).write_text(Path(name).read_text().replace("label", "digit"))
    assert "accuracy" in done("predict", "run", name, "--label-column", "digit").stderr
    assert "has 7 features per sample, but the network in run/checkpoint.npz takes 6" in refused("predict", "run", name)
    assert "has no column 'cat'" in refused("predict", "run", name, "--label-column", "cat")


def test_pixels_are_scaled_as_in_training():
    """As uint8 by themselves; as other numbers with --pixels, without which a note asks."""
    pixels = np.random.default_rng(3).integers(0, 256, (9, 6))
    np.save("bytes.npy", pixels.astype(np.uint8))
    np.save("floats.npy", pixels.astype(float))
    np.savetxt("table.csv", pixels, fmt="%d", delimiter=",")
    expected = outputs_of("run/checkpoint.npz", pixels / 255)
    for arguments in (["bytes.npy"], ["bytes.npy", "--pixels"], ["floats.npy", "--pixels"], ["table.csv", "--pixels"]):
        result = done("predict", "run", *arguments, "--probabilities")
        shares = labels_in(result.stdout)[2]
        np.testing.assert_allclose(shares, np.exp(expected) / np.exp(expected).sum(1, keepdims=True), rtol=1e-4)
        assert "give --pixels" not in result.stderr
    result = done("predict", "run", "table.csv")
    assert f"table.csv holds whole numbers up to {pixels.max()}: if they are pixels, give --pixels" in result.stderr
    np.save("wide.npy", pixels - 3.5)
    assert "leave out --pixels" in refused("predict", "run", "wide.npy", "--pixels")


def test_a_csv_file_is_written_and_the_summary_printed(data):
    table = done("predict", "run", "tiny.npz", "--probabilities").stdout
    result = done("predict", "run", "tiny.npz", "--probabilities", "--out", "labels.csv")
    assert Path("labels.csv").read_text() == table
    assert result.stdout.splitlines()[1:] == ["Written:", "  labels.csv"]
    assert result.stdout.startswith("9 samples, accuracy ")
    values = json.loads(done("predict", "run", "tiny.npz", "--probabilities", "--out", "b.csv", "--json").stdout)
    assert values["written"] == ["b.csv"]
    assert Path("b.csv").read_text() == table
    np.testing.assert_allclose(values["probabilities"], labels_in(table)[2], rtol=1e-5)


def test_a_network_from_python_is_used_too(data):
    network = Network([6, 3], rng=np.random.default_rng(0))
    save_network("mine.npz", network)
    _, labels, _ = labels_in(done("predict", "mine.npz", "tiny.npz").stdout)
    expected = network.predict(data.test.inputs.astype("float32")).argmax(axis=1)
    np.testing.assert_array_equal(labels, expected)
    predicted = predict_classes(load_trained("mine.npz"), read_samples("tiny.npz", load_trained("mine.npz")))
    assert predicted.accuracy == np.mean(expected == data.test.labels)


def test_own_parts_are_found_where_they_are_now(data):
    Path("parts.py").write_text(CODE)
    train_into("own", replace(CONFIG, activation="parts.py:softplus"), data, "numpy")
    expected = done("predict", "own", "tiny.npz").stdout
    Path("own/checkpoint.npz").rename("alone.npz")
    line = refused("predict", "alone.npz", "tiny.npz")
    assert "saved with your own activation softplus" in line
    assert "on the command line, as --activation FILE.py:NAME" in line
    assert done("predict", "alone.npz", "tiny.npz", "--activation", "parts.py:softplus").stdout == expected
    Path("alone.npz").rename("own/checkpoint.npz")
    Path("elsewhere").mkdir()
    Path("parts.py").rename("elsewhere/parts.py")
    assert "say where it is now, with --activation FILE.py:softplus" in refused("predict", "own", "tiny.npz")
    arguments = ["--activation", "elsewhere/parts.py:softplus"]
    assert done("predict", "own", "tiny.npz", *arguments).stdout == expected
    done("export", "own", "w.safetensors", *arguments)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            {"x": np.ones((4, 5))},
            "samples.npz has 5 features per sample, but the network in run/checkpoint.npz takes 6",
        ),
        ({"x": np.ones((4, 7, 7))}, "has 49 features per sample"),
        (
            {"x": np.ones((4, 6)), "y": np.arange(4)},
            "samples.npz has labels up to 3, but the network in run/checkpoint.npz has the classes 0 .. 2",
        ),
        ({"x": np.ones((4, 6)), "y": np.zeros(3, int)}, "4 samples but 3 labels"),
        ({"x": np.ones((4, 6)), "y": np.full(4, "a")}, "labels must be class numbers 0, 1, .., got 'a'"),
        ({"x": np.full((4, 6), np.nan)}, "NaN"),
        ({"x": np.ones((0, 6))}, "empty"),
        ({"x": np.array(["a"])}, "reshape them"),
        ({"x_test": np.ones((4, 6))}, "lacks x_train, y_train, y_test"),
    ],
)
def test_samples_that_do_not_fit_are_refused(samples, message):
    np.savez("samples.npz", **samples)
    assert message in refused("predict", "run", "samples.npz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b,c,d,e,f\n", "has no samples"),
        ("1,2,3,4,5,6\n1,2,3\n", "is not a table of numbers"),
        ("1,2,3,4,5,6\n1,2,3,4,5,x\n", "could not convert string 'x'"),
        ("a,b,c,d,e\n1,2,3,4,5,6\n", "names 5 columns, but has 6"),
        ("a,b,c,d,e,f,label\n1,2,3,4,5,6,0.5\n", "samples.csv: labels must be class numbers 0, 1, .., got '0.5'"),
        ("a,b,c,d,e,f,label\n1,2,3,4,5,6,cat\n", "labels must be class numbers 0, 1, .., got 'cat'"),
        ("a,b,c,d,e,f,label\n1,2,3,4,5,6,1e30\n", "label"),
        ("1,2,3,4,5,nan\n", "NaN"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(text, message):
    Path("samples.csv").write_text(text)
    assert message in refused("predict", "run", "samples.csv")


def test_other_bad_input_is_one_line_too(data):
    Path("cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.save("objects.npy", np.array([{}]))
    for name in ("cut.npy", "objects.npy"):
        assert f"{name} is damaged, or not an .npy file" in refused("predict", "run", name)
    assert "there is no file missing.csv" in refused("predict", "run", "missing.csv")
    assert "did you mean 'mnist-5k'? known: mnist-5k" in refused("predict", "run", "mnist5k")
    assert "does not exist" in refused("predict", "nowhere", "tiny.npz")
    Path("empty").mkdir()
    assert "there is no run in empty" in refused("predict", "empty", "tiny.npz")
    assert "no validation split" in refused("predict", "run", "tiny.npz", "--split", "validation")
    assert "there is no folder no for --out" in refused("predict", "run", "tiny.npz", "--out", "no/labels.csv")
    write_samples("csv", *data.test)
    assert "would replace the samples" in refused("predict", "run", "samples.csv", "--out", "./samples.csv")
    train_into("quadratic", CONFIG, data, "numpy")
    line = refused("predict", "quadratic", "tiny.npz", "--probabilities")
    assert "loss quadratic, whose outputs are not probabilities" in line
    save_network("one.npz", Network([6, 1], rng=np.random.default_rng(0)))
    assert "one.npz has one output" in refused("predict", "one.npz", "tiny.npz")
    Path("quadratic/checkpoint.npz").unlink()
    assert "there is no quadratic/checkpoint.npz: train the run first" in refused("predict", "quadratic", "tiny.npz")


# ------------------------------------------------------------------------------------------------------------ export


def test_the_onnx_file_computes_what_the_network_does(data):
    onnxruntime = pytest.importorskip("onnxruntime")
    result = done("export", "run", "network.onnx")
    assert result.stdout == ("run/checkpoint.npz, epoch 3: 6 inputs in float32, 3 outputs\nWritten:\n  network.onnx\n")
    session = onnxruntime.InferenceSession("network.onnx", providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"inputs": data.test.inputs.astype("float32")})
    np.testing.assert_allclose(outputs, outputs_of("run/checkpoint.npz", data.test.inputs), atol=1e-5)


def test_the_safetensors_file_holds_the_weights():
    numpy = pytest.importorskip("safetensors.numpy")
    values = json.loads(done("export", "run/checkpoint.npz", "network.safetensors", "--json").stdout)
    assert (values["sizes"], values["dtype"], values["written"]) == ([6, 4, 3], "float32", ["network.safetensors"])
    network, _ = load_network("run/checkpoint.npz")
    np.testing.assert_array_equal(numpy.load_file("network.safetensors")["R_1"], network.layers[1].R)


def test_what_cannot_be_exported_is_refused(data):
    assert "choose a name that ends in .onnx, .safetensors" in refused("export", "run", "network.pt")
    assert "there is no folder no for OUT" in refused("export", "run", "no/network.onnx")
    Path("parts.py").write_text(CODE)
    train_into("own", replace(CONFIG, activation="parts.py:softplus"), data, "numpy")
    assert "ONNX has no operator for activation softplus" in refused("export", "own", "network.onnx")


def test_from_python_errors_are_input_errors():
    with pytest.raises(InputError, match="unknown data set '5'"):
        read_samples("5", load_trained("run"))
