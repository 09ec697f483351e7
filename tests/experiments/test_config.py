"""Configurations: the presets hold the numbers of the paper, and options change what they name and nothing else."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from copi_np import DataError, InputError
from copi_np.backend import get_backend
from copi_np.datasets import Dataset, Split
from copi_np.experiments.config import RunConfig
from copi_np.experiments.methods import METHODS, Method
from copi_np.experiments.options import config_from_options, parse_layers, parse_variation
from copi_np.experiments.preset_files import load_preset, preset_names
from copi_np.history import EpochRecord

FIVE = (784, 500, 500, 500, 10)
JOURNAL = {"first": (0, 1e-3), "later": (1e-3, 1e-3), "delta_scale": 500}
# spec.md, section 5: layers, (eta_W, eta_R) in epoch 1, and from then on
PRESETS = {
    "mnist": {"dataset": "mnist", "layers": FIVE, "first": (1e-2, 1e-2), "later": (1e-1, 1e-1), "delta_scale": 1},
    "cifar10": {
        "dataset": "cifar10",
        "layers": (3072, 1000, 1000, 10),
        "first": (1e-3, 1e-3),
        "later": (1e-2, 1e-2),
        "delta_scale": 1,
    },
    "cifar10-deep": {"dataset": "cifar10", "layers": (3072, 1000, 1000, 1000, 1000, 10), **JOURNAL},
    "mnist-deep": {"dataset": "mnist", "layers": (784, *[500] * 6, 10), **JOURNAL},
    "mnist-journal": {"dataset": "mnist", "layers": FIVE, **JOURNAL},
    "mnist-5k": {"dataset": "mnist-5k", "layers": FIVE, **JOURNAL},
}


def preset(name, method="copi-bp"):
    return RunConfig(**{"dataset": "own.npz"} | load_preset(name, method))


def rates(config, epoch):
    values = config.schedule.rates(epoch)
    return values["eta_W"], values["eta_R"]


# ---------------------------------------------------------------- presets


def test_the_presets_of_the_specification_are_all_there():
    assert set(preset_names()) >= set(PRESETS)


@pytest.mark.parametrize("method", ["copi-bp", "bp-decor"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_holds_the_published_numbers(name, method):
    config, published = preset(name, method), PRESETS[name]
    assert config.dataset == published["dataset"]
    assert config.layers == published["layers"]
    assert config.batch_size == 50
    assert rates(config, 1) == published["first"]
    assert rates(config, 2) == rates(config, config.epochs) == published["later"]
    assert config.schedule.rates(2)["delta_scale"] == published["delta_scale"]
    assert (config.decorrelation, config.dtype) == ("matrix", "float32")


def test_presets_are_read_in_any_locale():
    """Their comments are not all in ASCII."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    program = "from copi_np.experiments.preset_files import load_preset, preset_names\n"
    program += "for name in preset_names():\n    load_preset(name, 'copi-bp')"
    subprocess.run([sys.executable, "-c", program], env=os.environ | locale, check=True)


@pytest.mark.parametrize("name", PRESETS)
def test_adam_runs_at_the_rate_of_the_paper_from_the_start(name):
    config = preset(name, "bp-adam")
    assert rates(config, 1)[0] == rates(config, 2)[0] == 1e-4
    assert config.delta_scale == 1
    assert config.layers == PRESETS[name]["layers"]


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
@pytest.mark.parametrize("method", ["copi-fa", "copi-dfa"])
def test_feedback_alignment_runs_at_the_rates_of_figure_2(name, method):
    assert (rates(preset(name, method), 1), rates(preset(name, method), 2)) == (
        PRESETS[name]["first"],
        PRESETS[name]["later"],
    )


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("method", METHODS)
def test_every_preset_serves_every_method(name, method):
    config = preset(name, method)
    assert config.method == method
    assert 1 <= config.epochs <= 100
    # what a method does not override is the preset's
    assert (config.layers, config.dataset) == (preset(name).layers, preset(name).dataset)


@pytest.mark.parametrize("name", ["mnist-conv", "cifar10-conv"])
@pytest.mark.parametrize("method", METHODS)
def test_presets_with_convolutions_serve_all_methods_but_target_propagation(name, method):
    """Their networks are built; the others are refused before they train."""
    config = preset(name, method)
    shape = {"mnist-conv": (28, 28), "cifar10-conv": (3, 32, 32)}[name]
    split = Split(np.zeros((10, math.prod(shape))), np.arange(10))
    data = Dataset(config.dataset, split, split, 10, shape)
    if method in ("copi-tp", "copi-dtp"):
        with pytest.raises(InputError, match="works with dense layers only: choose another method for convolutions, s"):
            config.for_data(data)
        return
    network = config.for_data(data).build_network(np.random.default_rng(0), "numpy")
    assert (network.has_convolutions, network.n_inputs, network.n_outputs) == (True, math.prod(shape), 10)
    flat = config.for_data(Dataset("flat", split, split, 10))
    assert flat.image_shape == config.image_shape == (1, *shape)[-3:]


def test_methods_are_what_their_names_say():
    parts = {name: (method.rule, method.error_signal, method.decorrelates) for name, method in METHODS.items()}
    assert parts == {
        "copi-bp": ("copi", "bp", True),
        "copi-fa": ("copi", "fa", True),
        "copi-dfa": ("copi", "dfa", True),
        "copi-tp": ("copi", "tp", True),
        "copi-dtp": ("copi", "dtp", True),
        "copi-node": ("copi", "node", True),
        "copi-activity": ("copi", "activity", True),
        "copi-kp": ("copi", "kp", True),
        "bp-decor": ("sgd", "bp", True),
        "fa-decor": ("sgd", "fa", True),
        "activity-decor": ("sgd", "activity", True),
        "activity": ("sgd", "activity", False),
        "bp-adam": ("adam", "bp", False),
        "bp-momentum": ("momentum", "bp", False),
        "bp": ("sgd", "bp", False),
    }


@pytest.mark.parametrize("method", METHODS)
def test_the_network_is_that_of_the_method(method):
    config = RunConfig(method, "x", (6, 5, 3), 1, 0.1, 0.1, decorrelation="local", dtype="float64")
    network = config.build_network(np.random.default_rng(0), "numpy")
    expected = METHODS[method]
    assert network.config["rule"] == expected.rule
    assert network.config["error_signal"] == expected.error_signal
    assert network.config["decorrelation"] == ("local" if expected.decorrelates else None)
    assert (network.config["sizes"], network.config["dtype"]) == ([6, 5, 3], "float64")


SOUND = 'dataset = "mnist"\nlayers = [4, 2]\nepochs = 1\neta_W = 1.0\neta_R = 1.0\n'


def test_a_preset_may_be_a_file_of_the_users(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SOUND + "[methods.bp]\neta_W = 0.5")
    assert preset(str(path)) == RunConfig("copi-bp", "mnist", (4, 2), 1, 1.0, 1.0)
    assert preset(str(path), "bp").eta_W == 0.5


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("etaW = 1", "unknown key 'etaW': did you mean 'eta_W'"),
        ("[methods.bp]\neta_w = 1", "unknown key 'eta_w': did you mean 'eta_W'"),
        (
            "[methods.bp]\nlayers = [1, 2]\n[methods.copi-fa]\nspeed = 2",
            "unknown key 'speed': known: activation, batch_size, ",
        ),
        ("[methods.copi-pb]\neta_W = 1", "unknown method 'copi-pb': did you mean 'copi-bp'"),
        ('method = "bp"', "unknown key 'method'"),
        ("seed = 3", "unknown key 'seed'"),
        ('[methods.bp]\ndataset = "mnist"', "dataset is the same for all methods: set it above"),
        ("methods = 3", "methods are tables"),
        ("methods.bp = 3", "methods are tables"),
        ("epochs = ", "cannot be read (Invalid value ("),
        ("\x00", "cannot be read (Invalid statement ("),
        ("x = " + 3000 * "[", "cannot be read (nested too deep): correct the file"),
        ("eta = 1.0", "mine.toml': eta sets both eta_W and eta_R"),
    ],
)
def test_a_preset_that_cannot_be_used_is_refused(tmp_path, text, word):
    path = tmp_path / "mine.toml"
    path.write_text(SOUND + text)
    with pytest.raises(DataError, match=r"preset '.*mine\.toml'") as error:
        load_preset(str(path), "copi-bp")
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_a_preset_that_lacks_something_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 1\neta_R = 2")
    with pytest.raises(DataError, match="lacks layers, eta_W: add them"):
        load_preset(str(path), "copi-bp")
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"mine\.toml is damaged \(byte 0 is not UTF-8 text\): correct the file"):
        load_preset(str(path), "copi-bp")
    with pytest.raises(InputError, match=r"there is no preset .*none\.toml"):
        load_preset(str(tmp_path / "none.toml"), "copi-bp")
    for layers in ("5", '"784,10"', "[784, -1]", "[5]"):
        path.write_text(f"layers = {layers}\nepochs = 1\neta_W = 1\neta_R = 1\ndataset = 'x.npz'")
        with pytest.raises(DataError, match=r"mine\.toml': layers must be two or more positive integers"):
            preset(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eta_W=1e-3,0.1", ("eta_W", [1e-3, 0.1])),
        ("delta_scale=12.3456789,1e-12", ("delta_scale", [12.3456789, 1e-12])),
        ("batch_size=20, 50", ("batch_size", [20, 50])),
        ("decorrelation=matrix,local", ("decorrelation", ["matrix", "local"])),
        ("layers=784-500-10,784-10", ("layers", [(784, 500, 10), (784, 10)])),
    ],
)
def test_a_variation_is_read_as_its_field(text, expected):
    assert parse_variation(text) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("eta_W", "give values such as eta_W="),
        ("eta_W=fast", "give values such as eta_W="),
        ("batch_size=2.5", "give values such as batch_size="),
        ("layers=784", "give values such as layers="),
        ("eta_w=1", "did you mean 'eta_W'"),
        ("seed=1", "give it with --seeds"),
        ("method=bp", "give it with --methods"),
        ("", "unknown hyper-parameter"),
    ],
)
def test_a_variation_that_cannot_be_read_is_refused(text, word):
    with pytest.raises(InputError) as error:
        parse_variation(text)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(InputError, match=r"unknown preset 'mnist-jurnal': did you mean 'mnist-journal'\?"):
        load_preset("mnist-jurnal", "bp")
    with pytest.raises(InputError, match=r"unknown method 'bp-decorr': did you mean 'bp-decor'\?"):
        load_preset("mnist", "bp-decorr")


# ---------------------------------------------------------------- options


def small_data(name, n_inputs=6, n_classes=3):
    split = Split(np.zeros((4, n_inputs)), np.arange(4) % n_classes)
    return Dataset(name, split, split, n_classes)


def from_options(load=small_data, **options):
    return config_from_options({"method": "copi-bp", "seed": 0, **options}, load)[0]


def digits(name):
    return small_data(name, 784, 10)


def test_options_left_open_come_from_the_preset():
    assert from_options(digits, preset="mnist", epochs=None, layers=None, eta_w=None) == preset("mnist")


def test_options_change_what_they_name_and_nothing_else():
    changed = {
        "epochs": 3,
        "batch_size": 7,
        "delta_scale": 2.5,
        "decorrelation": "local",
        "dtype": "float64",
        "seed": 9,
    }
    config = from_options(digits, preset="mnist", **changed)
    before, after = preset("mnist").as_dict(), config.as_dict()
    assert {name for name in after if after[name] != before[name]} == set(changed)
    assert {name: after[name] for name in changed} == changed


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("mnist-5k", "mnist-5k"), ("mnist", "mnist"), ("fashion-mnist", "mnist")],
)
def test_a_data_set_has_a_preset_of_its_own(dataset, name):
    config = from_options(digits, dataset=dataset)
    assert config.dataset == dataset
    assert (config.schedule, config.layers) == (preset(name).schedule, preset(name).layers)


def test_a_preset_may_be_used_with_another_data_set():
    config = from_options(digits, dataset="mnist-5k", preset="mnist")
    assert (config.dataset, config.schedule) == ("mnist-5k", preset("mnist").schedule)


def test_layers_fit_data_of_the_users_own():
    assert from_options(dataset="my.npz").layers == (6, 500, 500, 500, 3)
    assert from_options(dataset="my.npz", preset="cifar10").layers == (6, 1000, 1000, 3)
    assert from_options(dataset="my.npz", preset="own-data") == from_options(dataset="my.npz")
    with pytest.raises(InputError, match="'own-data' is for your own data: give it with --dataset"):
        from_options(preset="own-data")
    assert from_options(dataset="my.npz", layers="6,4,3").layers == (6, 4, 3)
    assert from_options(digits, preset="mnist", layers="784, 20, 10").layers == (784, 20, 10)


def test_the_data_set_is_loaded_by_its_name():
    asked = []

    def load(name):
        asked.append(name)
        return digits(name)

    config, data = config_from_options({"method": "bp", "preset": "mnist-deep"}, load)
    assert asked == [data.name] == [config.dataset] == ["mnist"]


def test_something_to_train_on_must_be_named():
    with pytest.raises(InputError, match="--dataset NAME, or --preset NAME"):
        from_options()


# ---------------------------------------------------------------- step sizes from the command line


def test_step_sizes_hold_in_every_epoch():
    config = from_options(digits, preset="mnist", eta_w=0.03, eta_r=0.04)
    assert [rates(config, epoch) for epoch in (1, 2, 25)] == [(0.03, 0.04)] * 3


def test_one_step_size_leaves_the_other():
    config = from_options(digits, preset="mnist", eta_w=0.03)
    assert [rates(config, epoch) for epoch in (1, 2)] == [(0.03, 1e-2), (0.03, 1e-1)]
    config = from_options(digits, preset="mnist", eta_r=0.04)
    assert [rates(config, epoch) for epoch in (1, 2)] == [(1e-2, 0.04), (1e-1, 0.04)]


def test_a_step_size_leaves_the_epoch_of_decorrelation_alone():
    config = from_options(digits, preset="mnist-journal", eta_w=0.03, eta_r=0.04)
    assert [rates(config, epoch) for epoch in (1, 2, 3)] == [(0, 0.04), (0.03, 0.04), (0.03, 0.04)]


def test_step_sizes_of_zero_are_taken_at_their_word():
    config = from_options(digits, preset="mnist", eta_w=0.0, eta_r=0.0)
    assert [rates(config, epoch) for epoch in (1, 2)] == [(0, 0), (0, 0)]


@pytest.mark.parametrize("name", ["mnist", "mnist-journal", "mnist-5k"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_lateral_weights_learn_alone_for_as_long_as_asked(name, n):
    config = from_options(digits, preset=name, r_only_epochs=n)
    for epoch in range(1, n + 1):
        assert rates(config, epoch)[0] == 0
        assert rates(config, epoch)[1] > 0
    assert rates(config, n + 1) == rates(config, n + 2) == PRESETS[name]["later"]


def test_a_step_size_of_zero_is_one_too():
    config = from_options(digits, preset="mnist-5k", r_only_epochs=1, eta_r=0.0)
    assert (config.first_eta_R, config.eta_R) == (0, 0)


def test_no_epoch_of_decorrelation_alone_if_none_is_asked_for():
    config = from_options(digits, preset="mnist-journal", r_only_epochs=0)
    assert rates(config, 1) == rates(config, 2) == (1e-3, 1e-3)


def test_lateral_weights_alone_at_a_step_size_of_the_users():
    config = from_options(digits, preset="mnist", r_only_epochs=2, eta_w=0.03, eta_r=0.04)
    assert [rates(config, epoch) for epoch in (1, 2, 3)] == [(0, 0.04), (0, 0.04), (0.03, 0.04)]


def test_lateral_weights_alone_by_a_preset_without_first_epochs(tmp_path):
    """They learn at the preset's later step size, or at the one given."""
    (tmp_path / "mine.toml").write_text(SOUND.replace("eta_R = 1.0", "eta_R = 0.25"))
    options = {"preset": str(tmp_path / "mine.toml"), "r_only_epochs": 2}
    for eta_r, expected in ((None, 0.25), (0.125, 0.125)):
        config = from_options(**options, eta_r=eta_r)
        assert [rates(config, epoch) for epoch in (1, 2, 3)] == [(0, expected), (0, expected), (1.0, expected)]


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(("text", "layers"), [("784,500,10", (784, 500, 10)), (" 2 , 1 ", (2, 1))])
def test_layers_are_read(text, layers):
    assert parse_layers(text) == layers


@pytest.mark.parametrize(
    "text", ["784,abc", "784", "", "784,,10", "784,0,10", "784,-5,10", "7.5,10", "784;10", "1e3,10"]
)
def test_layers_that_are_none_are_refused(text):
    with pytest.raises(InputError, match=r"layers must be two or more positive integers .*784,500,10"):
        parse_layers(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": -5}, "batch_size must be at least 1, got -5"),
        ({"eta_W": -1e-3}, "eta_W must be .* got -0.001"),
        ({"eta_R": math.nan}, "eta_R must be .* got nan"),
        ({"first_eta_W": math.inf}, "first_eta_W must be .* got inf"),
        ({"first_eta_R": -1.0}, "first_eta_R must be"),
        ({"delta_scale": -math.inf}, "delta_scale must be"),
        ({"first_epochs": -1}, "first_epochs must be"),
        ({"seed": -1}, "seed must be"),
        ({"method": "copi-pb"}, "unknown method 'copi-pb': did you mean"),
        ({"decorrelation": "martix"}, "unknown decorrelation 'martix': did you mean 'matrix'"),
        ({"dtype": "float16"}, "unknown dtype 'float16'.*float32"),
    ],
)
def test_values_that_cannot_be_used_are_refused_by_name(changes, message):
    sound = {"method": "bp", "dataset": "x", "layers": (6, 3), "epochs": 1, "eta_W": 0.1, "eta_R": 0.1}
    RunConfig(**sound)
    with pytest.raises(InputError, match=message):
        RunConfig(**{**sound, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "standart"}, "unknown scale 'standart': did you mean 'standardize'? known: none, standardize, unit"),
        ({"dataset": 3}, "dataset must be a name or the path of an .npz file, got 3"),
        ({"dataset": "a\nb"}, "dataset must be a name or the path of an .npz file, got 'a\\nb'"),
        ({"bias": "yes"}, "bias must be True or False, got 'yes'"),
        ({"val_fraction": 1}, "val_fraction must be below 1, e.g. 0.1, got 1"),
        ({"val_fraction": 1.5}, "val_fraction must be below 1, e.g. 0.1, got 1.5"),
        (
            {"patience": 1},
            "patience needs validation samples: hold some out, e.g. val_fraction=0.1 (--val-fraction 0.1)",
        ),
    ],
)
def test_what_a_refusal_says_word_by_word(changes, message):
    with pytest.raises(InputError) as caught:
        RunConfig(
            **{"method": "bp", "dataset": "x", "layers": (6, 3), "epochs": 1, "eta_W": 0.1, "eta_R": 0.1} | changes
        )
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["rule", "loss", "activation", "code_sha256", "source_sha256"])
def test_a_record_whose_parts_are_not_text_is_refused(name):
    values = {"method": "bp", "dataset": "x", "layers": [6, 3], "epochs": 1, "eta_W": 0.1, "eta_R": 0.1, name: 3}
    with pytest.raises(TypeError, match=r"^parts and checksums must be text$"):
        RunConfig.from_dict(values)


def test_a_method_of_the_users_comes_back_from_its_record():
    mine = Method("Mine", "sgd", "fa", decorrelates=False)
    config = RunConfig(mine, "x", (6, 3), 1, 0.1, 0.1)
    assert RunConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize(
    ("accuracies", "patience", "first_epochs", "over"),
    [
        ([0.5], 1, 0, False),
        ([0.5, 0.4], 1, 0, True),
        ([0.5, 0.4], 2, 0, False),
        ([0.5, 0.4], 1, 2, False),
        ([0.5, 0.4, 0.3], 1, 2, True),
        ([0.5, 0.4, 0.3], 0, 0, False),
        ([0.1, 0.2, 0.3, 0.4], 0, 0, True),
    ],
)
def test_a_run_ends_with_its_epochs_or_its_patience(accuracies, patience, first_epochs, over):
    """Here after four epochs."""
    history = [EpochRecord(k, 0.5, 0.5, 1, 1, [], 1, a, 1) for k, a in enumerate(accuracies, start=1)]
    others = {"val_fraction": 0.5, "patience": patience, "first_epochs": first_epochs}
    assert RunConfig("bp", "x", (6, 3), 4, 0.1, 0.1, **others).is_over(history) is over


def test_the_network_has_the_backend_and_the_bias_of_the_run():
    config = RunConfig("copi-bp", "x", (6, 3), 1, 0.1, 0.1, bias=np.True_)
    assert config.bias is True
    network = config.build_network(np.random.default_rng(0), backend := get_backend("numpy"))
    assert network.backend is backend
    assert network.layers[0].W.shape == (3, 7)


def test_whole_numbers_are_recorded_as_whole_numbers():
    config = RunConfig("copi-bp", "x", (6, 3), 1, 1, 0.25, delta_scale=500)
    assert [repr(config.as_dict()[name]) for name in ("eta_W", "eta_R", "delta_scale")] == ["1", "0.25", "500"]


def test_a_configuration_survives_json():
    config = from_options(digits, preset="mnist", eta_w=0.1 + 0.2)
    values = json.loads(json.dumps(config.as_dict()))
    assert RunConfig(**{**values, "layers": tuple(values["layers"])}) == config


def test_numbers_of_numpy_are_numbers():
    """Such as those of a grid that NumPy has spaced."""
    plain = RunConfig("copi-bp", "x", (6, 5, 3), 2, 0.5, 0.25, batch_size=4, seed=3, first_epochs=1, delta_scale=2)
    values = {
        name: np.asarray(value)[()] if isinstance(value, (int, float)) else value
        for name, value in plain.as_dict().items()
    }
    config = RunConfig(**values | {"layers": np.array([6, 5, 3]), "eta_R": np.float32(0.25)})
    assert config == plain
    assert json.loads(json.dumps(config.as_dict())) == json.loads(json.dumps(plain.as_dict()))
    config.build_network(np.random.default_rng(0), "numpy")
