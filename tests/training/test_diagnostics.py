"""Diagnostics: they equal plain NumPy, are recorded once per epoch even if a run is interrupted, and change nothing."""

from __future__ import annotations

import json
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from tiny import write_tiny

from copi_np import DataError, InputError, Network, Schedule, fit, load_network
from copi_np.activations import Activation
from copi_np.analysis import natural_cosines
from copi_np.callbacks import Callback
from copi_np.datasets import load_dataset
from copi_np.diagnostics import RANKS, SHARES, LayerDiagnostics, diagnose
from copi_np.error_signals import ErrorSignal
from copi_np.errors import CopiWarning, StoppedError
from copi_np.experiments.campaign import perform
from copi_np.experiments.config import RunConfig
from copi_np.experiments.diagnostics import DIAGNOSTICS_FILE, DiagnosticsRecorder, read_diagnostics
from copi_np.experiments.records import CHECKPOINT_FILE
from copi_np.experiments.runner import first_state, train_into
from copi_np.losses import Loss
from copi_np.plotting import diagnostic_curves
from copi_np.training import to_device


def make_network(**options):
    """Train a little, so that no R is symmetric, on inputs of which the third is always zero."""
    rng = np.random.default_rng(0)
    network = Network([6, 5, 4, 3], rng=rng, dtype="float64", **options)
    y0, targets = rng.normal(size=(40, 6)) * (np.arange(6) != 2), np.eye(3)[np.arange(40) % 3]
    y0[:, 1] += 0.8 * y0[:, 0]
    for _ in range(30):
        network.step(y0, targets, eta_W=0.02, eta_R=0.05)
    return network, y0, targets


def correlation(x):
    """Mean absolute correlation over pairs of live inputs."""
    x = x[:, (x**2).sum(axis=0) > 0]
    unit = x / np.sqrt((x**2).sum(axis=0))
    pairs = [abs(unit[:, i] @ unit[:, j]) for i in range(x.shape[1]) for j in range(x.shape[1]) if i != j]
    return np.mean(pairs)


def loss(x):
    """Mean squared second moment over pairs of different inputs."""
    n = x.shape[1]
    return np.mean([np.mean(x[:, i] * x[:, j]) ** 2 for i in range(n) for j in range(n) if i != j])


@pytest.mark.parametrize("error_signal", ["bp", "fa", "dfa"])
def test_every_number_equals_plain_numpy(error_signal):
    network, y0, targets = make_network(error_signal=error_signal)
    found = diagnose(network, y0, targets)
    trace = network.forward(y0)
    own = network.error_signals(trace, targets)
    exact = own[-1]
    for k in (2, 1, 0):
        layer, numbers = network.layers[k], found[k]
        if k < 2:
            above = network.layers[k + 1]
            slope = np.where(trace.a[k] > 0, 1.0, 0.1)
            exact = slope * (exact @ above.W @ above.R)
            cosine = np.sum(own[k] * exact) / np.sqrt(np.sum(own[k] ** 2) * np.sum(exact**2))
            assert numbers.angle == pytest.approx(np.degrees(np.arccos(min(cosine, 1))), abs=1e-5)
            assert (numbers.angle < 1e-5) == (error_signal == "bp")
        y, x = ([y0, *trace.y][k], trace.x[k])
        assert numbers.correlation_before == pytest.approx(correlation(y))
        assert numbers.correlation == pytest.approx(correlation(x))
        assert numbers.decorrelation_loss == pytest.approx(loss(x))
        assert numbers.power_before == pytest.approx([np.quantile((y**2).mean(axis=0), share) for share in SHARES])
        assert numbers.power == pytest.approx([np.quantile((x**2).mean(axis=0), share) for share in SHARES])
        values = np.sqrt(np.linalg.eigvalsh(layer.R.T @ layer.R))[::-1]
        assert numbers.spectrum == pytest.approx([values[round(rank * (len(values) - 1))] for rank in RANKS])
        assert (numbers.spectrum[0], numbers.spectrum[-1]) == pytest.approx((values[0], values[-1]))
        assert numbers.log_volume == pytest.approx(np.linalg.slogdet(layer.R)[1] / len(values))
        assert numbers.asymmetry == pytest.approx(np.linalg.norm(layer.R - layer.R.T) / np.linalg.norm(layer.R))
        assert numbers.asymmetry > 1e-4
        assert numbers.natural_cosine is None
    assert found[2].angle is None
    assert json.loads(json.dumps(found[1].as_dict())) == found[1].as_dict()


def test_the_step_is_measured_with_the_step_sizes_given():
    """And has no cosine where it is zero."""
    network, y0, targets = make_network()
    rates = {"eta_W": 0.1, "eta_R": 0.02}
    cosines = [numbers.natural_cosine for numbers in diagnose(network, y0, targets, rates)]
    assert cosines == pytest.approx(natural_cosines(network, y0, targets, **rates))
    assert len(set(cosines)) == 3
    still = diagnose(network, y0, targets, {"eta_W": 0, "eta_R": 0})
    assert [numbers.natural_cosine for numbers in still] == [None, None, None]


def test_ranks_cover_the_whole_spectrum_and_are_denser_at_its_ends():
    """For singular values 1 to 201, which are their own ranks, in any order in R."""
    network = Network([201, 2], rng=np.random.default_rng(0), dtype="float64")
    network.layers[0].R = np.diag(np.random.default_rng(0).permutation(201) + 1.0)
    spectrum = np.array(diagnose(network, np.eye(2, 201), np.eye(2))[0].spectrum)
    assert (spectrum[0], spectrum[10], spectrum[-1]) == pytest.approx((201, 101, 1))
    assert spectrum == pytest.approx(201 - np.round(200 * np.array(RANKS)))
    steps = -np.diff(spectrum)
    assert max(steps[0], steps[-1]) < 3 < 15 < min(steps[9], steps[10])


def stretch(R, x):
    """A lateral rule of your own, which grows R without decorrelating."""
    return np.diag(np.arange(1.0, len(R) + 1)) @ R


def blurred(trace, delta_L, rng):
    """Error signals of your own, random in hidden layers."""
    return [rng.normal(size=a.shape) for a in trace.a[:-1]] + [delta_L]


def hinge(y, targets):
    return np.sum(np.maximum(0, 1 - (2 * targets - 1) * y), axis=1)


def hinge_gradient(y, targets):
    signs = 2 * targets - 1
    return np.where(signs * y < 1, -signs, 0.0)


OWN = {
    "rule": lambda W, x, delta: delta.T @ x / len(x) - 0.01 * W,
    "decorrelation": stretch,
    "error_signal": ErrorSignal("blurred", blurred),
    "activation": Activation("sine", np.sin, np.cos),
    "loss": Loss("hinge", hinge, hinge_gradient),
}


def test_networks_of_own_parts_are_measured():
    """And nothing is changed by it, not even the noise that the next step draws."""
    network, y0, targets = make_network(**OWN)
    twin = deepcopy(network)
    found = diagnose(network, y0, targets)
    trace = network.forward(y0)
    exact = -np.cos(trace.a[2]) * hinge_gradient(trace.y[2], targets)
    noise = deepcopy(network.noise_rng)
    own = [noise.normal(size=a.shape) for a in trace.a[:-1]]
    for k in (1, 0):
        above = network.layers[k + 1]
        exact = np.cos(trace.a[k]) * (exact @ above.W @ above.R)
        cosine = np.sum(own[k] * exact) / np.sqrt(np.sum(own[k] ** 2) * np.sum(exact**2))
        assert found[k].angle == pytest.approx(np.degrees(np.arccos(cosine)))
    for k, numbers in enumerate(found):
        growth = [(1 + 0.05 * i) ** 30 for i in range(1, network.layers[k].n_inputs + 1)]
        assert (numbers.spectrum[0], numbers.spectrum[-1]) == pytest.approx((growth[-1], growth[0]))
        assert numbers.log_volume == pytest.approx(np.mean(np.log(growth)))
    for each in (network, twin):
        each.step(y0, targets, eta_W=0.02)
    assert np.array_equal(network.layers[0].W, twin.layers[0].W)


def test_without_lateral_weights_their_measures_are_none():
    network, y0, targets = make_network(decorrelation=None)
    for numbers in diagnose(network, y0, targets):
        assert (numbers.spectrum, numbers.log_volume, numbers.asymmetry) == (None, None, None)
        assert numbers.correlation == numbers.correlation_before


def test_signals_without_direction_have_no_angle():
    network, y0, _ = make_network()
    outputs = network.forward(y0).y[-1]
    assert [numbers.angle for numbers in diagnose(network, y0, outputs)] == [None, None, None]


def test_a_singular_R_has_no_volume():
    network, y0, targets = make_network()
    network.layers[0].R = np.zeros((6, 6)) + np.diag([1.0, 1, 1, 1, 1, 0])
    first = diagnose(network, y0, targets)[0]
    assert first.log_volume is None
    assert first.spectrum[-1] == 0


def test_a_batch_that_does_not_fit_is_refused():
    network, y0, targets = make_network()
    with pytest.raises(InputError):
        diagnose(network, y0[:, :5], targets)


# ----------------------------------------------------------------------------------------------------- recorded


@pytest.fixture
def data(tmp_path):
    return load_dataset(write_tiny(tmp_path))


@pytest.fixture
def config(data):
    return RunConfig("copi-fa", data.name, (6, 5, 3), 4, 0.05, 0.05, batch_size=4, seed=3)


def without_seconds(folder):
    lines = (folder / "history.jsonl").read_text().splitlines()
    return [json.loads(line) | {"seconds": 0} for line in lines]


def saved(folder):
    """All weights, to the byte, and the state of the generator that shuffles."""
    network, metadata = load_network(folder / CHECKPOINT_FILE, "numpy")
    weights = [array.tobytes() for layer in network.layers for array in (layer.W, layer.R)]
    return weights, [B.tobytes() for B in network.feedback[:-1]], metadata["shuffling"]


def test_measuring_changes_nothing(tmp_path, config, data):
    train_into(tmp_path / "with", config, data, "numpy", diagnostics=True)
    train_into(tmp_path / "without", config, data, "numpy")
    assert saved(tmp_path / "with") == saved(tmp_path / "without")
    assert without_seconds(tmp_path / "with") == without_seconds(tmp_path / "without")
    assert not (tmp_path / "without" / DIAGNOSTICS_FILE).exists()
    assert read_diagnostics(tmp_path / "without") == []


def test_every_epoch_is_measured_and_the_untrained_network_too(tmp_path, config, data):
    train_into(tmp_path / "run", config, data, "numpy", diagnostics=True)
    found = read_diagnostics(tmp_path / "run")
    assert [snapshot.epoch for snapshot in found] == [0, 1, 2, 3, 4]
    assert found[0].layers[0].spectrum == [1.0] * len(RANKS)
    assert found[1].layers[0].spectrum[0] > 1
    # measured on the training set, as the history's number is
    history = without_seconds(tmp_path / "run")
    for snapshot, line in zip(found[1:], history, strict=True):
        losses = [layer.decorrelation_loss for layer in snapshot.layers]
        assert losses == pytest.approx(line["decorrelation_loss"])


def test_the_first_training_samples_are_measured(tmp_path, config, data, monkeypatch):
    monkeypatch.setattr("copi_np.experiments.diagnostics.N_MONITORED", 7)
    train_into(tmp_path / "run", config, data, "numpy", diagnostics=True)
    first = read_diagnostics(tmp_path / "run")[0].layers[0]
    assert first.power_before[-1] == pytest.approx((data.train.inputs[:7] ** 2).mean(axis=0).max())


def test_the_step_that_is_recorded_is_that_of_the_epoch(tmp_path, config, data):
    """Before training, that of the first epoch, in which only R learns here; then that of the epoch that has ended."""
    config = replace(config, first_epochs=1, first_eta_W=0.0, first_eta_R=0.05)
    train_into(tmp_path / "run", config, data, "numpy", diagnostics=True)
    found = read_diagnostics(tmp_path / "run")
    network, _ = load_network(tmp_path / "run" / CHECKPOINT_FILE, "numpy")
    batch = to_device(network, data.train, data.n_classes)
    expected = natural_cosines(network, *batch, **config.schedule.rates(4))
    assert [layer.natural_cosine for layer in found[-1].layers] == pytest.approx(expected)
    untrained, _ = first_state(config, "numpy")
    expected = natural_cosines(untrained, *batch, **config.schedule.rates(1))
    assert [layer.natural_cosine for layer in found[0].layers] == pytest.approx(expected)
    assert found[1].layers[0].natural_cosine != found[0].layers[0].natural_cosine


def test_the_step_sizes_are_those_of_the_epoch_that_has_ended(tmp_path, data):
    asked = []

    def schedule(epoch):
        asked.append(epoch)
        return {"eta_W": 0.1}

    network = Network([6, 5, 3], rng=np.random.default_rng(0))
    recorder = DiagnosticsRecorder(tmp_path, data, schedule)
    fit(network, data, epochs=3, schedule=Schedule(0.1), rng=np.random.default_rng(1), callbacks=[recorder])
    assert asked == [1, 1, 2, 3]


class Kill(Callback):
    """Stops in the middle of an epoch, counted from where the run resumes."""

    def __init__(self, epoch):
        self.left = epoch

    def on_batch(self, batch, n_batches):
        self.left -= batch == 1
        if self.left == 0 and batch == 3:
            raise StoppedError(2)


def test_an_interrupted_run_leaves_the_same_diagnostics(tmp_path, config, data):
    whole = perform(tmp_path / "whole", config, data, "numpy", diagnostics=True).folder
    for epoch in (1, 2, 2):
        with pytest.raises(StoppedError):
            perform(tmp_path / "parts", config, data, "numpy", [Kill(epoch)], diagnostics=True)
    parts = perform(tmp_path / "parts", config, data, "numpy", diagnostics=True).folder
    assert (parts / DIAGNOSTICS_FILE).read_bytes() == (whole / DIAGNOSTICS_FILE).read_bytes()


@pytest.mark.parametrize("damage", ["one line more", "one line less", "half a line"])
def test_lines_that_do_not_match_the_checkpoint_are_repaired(tmp_path, config, data, damage):
    """A process may be killed between any two of its writes."""
    whole = perform(tmp_path / "whole", config, data, "numpy", diagnostics=True).folder
    parts = perform(tmp_path / "parts", replace(config, epochs=2), data, "numpy", diagnostics=True).folder
    lines = (parts / DIAGNOSTICS_FILE).read_text().splitlines(keepends=True)
    texts = {
        "one line more": [*lines, lines[2].replace('"epoch": 2', '"epoch": 3')],
        "one line less": lines[:2],
        "half a line": [*lines[:2], lines[2][:50]],
    }
    (parts / DIAGNOSTICS_FILE).write_text("".join(texts[damage]))
    with pytest.warns(CopiWarning, match="an incomplete line") if damage == "half a line" else nullcontext():
        perform(tmp_path / "parts", config, data, "numpy", diagnostics=True)
    assert (parts / DIAGNOSTICS_FILE).read_bytes() == (whole / DIAGNOSTICS_FILE).read_bytes()


def test_diagnostics_may_start_when_a_run_resumes(tmp_path, config, data):
    perform(tmp_path, replace(config, epochs=2), data, "numpy")
    folder = perform(tmp_path, config, data, "numpy", diagnostics=True).folder
    assert [snapshot.epoch for snapshot in read_diagnostics(folder)] == [2, 3, 4]


DAMAGED = ['{"epoch": 1}', '{"epoch": 1, "layers": [{"angle": 3}]}', '{"epoch": "x", "layers": []}', "[]", "{"]


@pytest.mark.parametrize("line", DAMAGED)
def test_damaged_diagnostics_are_an_error(tmp_path, config, data, line):
    """When they are read, and when a run would resume from them: it fails with one line, and nothing is lost."""
    folder = perform(tmp_path, replace(config, epochs=1), data, "numpy", diagnostics=True).folder
    whole = (folder / DIAGNOSTICS_FILE).read_text()
    (folder / DIAGNOSTICS_FILE).write_text(f"{line}\n")
    with pytest.raises(DataError, match=r"diagnostics\.jsonl is damaged") as error:
        read_diagnostics(folder)
    outcome = perform(tmp_path, config, data, "numpy", diagnostics=True)
    assert outcome.failure == str(error.value)
    assert "\n" not in outcome.failure
    (folder / DIAGNOSTICS_FILE).write_text(whole)
    assert perform(tmp_path, config, data, "numpy", diagnostics=True).failure is None


def test_half_a_last_line_is_not_read(tmp_path, config, data):
    folder = perform(tmp_path, config, data, "numpy", diagnostics=True).folder
    found, text = read_diagnostics(folder), (folder / DIAGNOSTICS_FILE).read_text()
    (folder / DIAGNOSTICS_FILE).write_text(text[:-100])
    with pytest.warns(CopiWarning, match=r"diagnostics\.jsonl ends in an incomplete line, which is skipped"):
        assert read_diagnostics(folder) == found[:-1]


# -------------------------------------------------------------------------------------------------------- drawn


def snapshots(*angles, n_epochs=3, spectrum=None):
    """Make up diagnostics: one layer per list of angles, which has one per epoch; all quantities change a lot."""
    spectrum = list(np.linspace(2, 0.5, len(RANKS))) if spectrum is None else spectrum
    made = []
    for e in range(n_epochs):
        power = [10.0 ** (n + 2 * e) for n in range(len(SHARES))]
        layers = [
            LayerDiagnostics(
                angle and angle[e], 0.1**e, 0.4 - 0.1 * e, 0.3 - 0.1 * e, power, power, spectrum, 0, e / 10
            )
            for angle in angles
        ]
        made.append(layers)
    return made


def lines(axes, style="-"):
    """Return the data of the curves, without the thin edges of bands and entries of the legend."""
    curves = [line for line in axes.get_lines() if line.get_linestyle() == style and len(line.get_xdata())]
    return [line.get_ydata() for line in curves if line.get_linewidth() > 1]


@pytest.mark.parametrize("method", ["copi-fa", "bp-adam"])
def test_every_quantity_is_drawn_for_every_layer(tmp_path, config, data, method):
    train_into(tmp_path / "run", replace(config, method=method), data, "numpy", diagnostics=True)
    found = read_diagnostics(tmp_path / "run")
    figure = diagnostic_curves([m.epoch for m in found], [m.layers for m in found], "title")
    assert isinstance(figure, Figure)
    assert figure.get_suptitle() == "title"
    lateral = method == "copi-fa"
    names = ["angle", "natural_cosine", "correlation", "decorrelation_loss", "power", "asymmetry", "spectrum"]
    drawn = dict(zip(names, map(lines, figure.axes), strict=True))
    assert [len(drawn[name]) for name in names] == [1, 2, 2, 2, 2, 2 * lateral, 2 * lateral]
    for k in range(2):
        layer = [m.layers[k] for m in found]
        assert drawn["correlation"][k].tolist() == [each.correlation for each in layer]
        assert lines(figure.axes[2], ":")[k].tolist() == [each.correlation_before for each in layer]
        assert drawn["decorrelation_loss"][k].tolist() == [each.decorrelation_loss for each in layer]
        cosines = [np.nan if each.natural_cosine is None else each.natural_cosine for each in layer]
        assert np.array_equal(drawn["natural_cosine"][k], cosines, equal_nan=True)
        assert np.isfinite(cosines).any()
        assert drawn["power"][k].tolist() == [each.power[SHARES.index(0.5)] for each in layer]
        if lateral:
            assert drawn["asymmetry"][k].tolist() == [each.asymmetry for each in layer]
            assert drawn["spectrum"][k].tolist() == layer[-1].spectrum
    assert drawn["angle"][0].tolist() == [m.layers[0].angle for m in found]
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said == ([] if lateral else ["no lateral weights"] * 2)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["layer 1", "layer 2", "before R"][: 2 + lateral]
    figure.savefig(tmp_path / "figure.png")


def test_everything_drawn_is_visible():
    """Curves lie inside their panels and fill them; titles and labels lie inside the figure."""
    figure = diagnostic_curves(range(3), snapshots([90, 60, 30], [89, 80, 70]))
    figure.draw_without_rendering()
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "linear", "log", "log", "linear", "log"]
    for axes in figure.axes:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for line in axes.get_lines():
            if len(line.get_xdata()):
                assert left <= min(line.get_xdata()) <= max(line.get_xdata()) <= right
                assert low <= min(line.get_ydata()) <= max(line.get_ydata()) <= high
        heights = [line.get_window_extent().height for line in axes.get_lines() if len(line.get_xdata()) > 1]
        assert max(heights) > 0.3 * axes.bbox.height, axes.get_title()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(one.x1 < other.x0 for one, other in [boxes[:2], boxes[1:3], boxes[3:5], boxes[4:6]])
    assert max(box.x1 for box in boxes) <= figure.bbox.x1
    assert figure.axes[5].get_lines()[0].get_xdata().tolist() == list(RANKS)


def test_angles_have_gaps_and_a_line_at_a_right_angle():
    """A signal may point away from backpropagation's, and is not cut off."""
    (axes, *_) = diagnostic_curves(range(3), snapshots([120, None, 60], None)).axes
    (angle,) = lines(axes)
    assert np.array_equal(angle, [120, np.nan, 60], equal_nan=True)
    (right,) = (line for line in axes.get_lines() if line.get_linestyle() == "--")
    assert set(right.get_ydata()) == {90}
    assert axes.get_ylim()[1] > 120
    small = diagnostic_curves(range(3), snapshots([10, 9, 8])).axes[0]
    assert small.get_ylim()[0] < 0 < 90 < small.get_ylim()[1] < 100


def test_mean_squares_are_a_median_with_a_band():
    axes = diagnostic_curves(range(3), snapshots([90, 60, 30])).axes[3]
    (band,) = axes.collections
    vertices = band.get_paths()[0].vertices
    low, high = (10 ** SHARES.index(share) for share in (0.25, 0.75))
    for e in range(3):
        heights = vertices[vertices[:, 0] == e, 1]
        assert (heights.min(), heights.max()) == pytest.approx((low * 100**e, high * 100**e))


@pytest.mark.parametrize(
    "found",
    [
        snapshots(None, n_epochs=1, spectrum=[1.0] * len(RANKS)),
        snapshots([None] * 3, None, spectrum=[1.0] * (len(RANKS) - 1) + [0.0]),
        snapshots(*[[90, 80, 70]] * 12),
    ],
    ids=["an untrained layer", "a singular R and no angle", "more layers than colours"],
)
def test_extremes_can_be_drawn(tmp_path, found):
    diagnostic_curves(range(len(found)), found).savefig(tmp_path / "figure.png")
