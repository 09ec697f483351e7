"""The arithmetic of the live figures, in a browser and in node, gives the numbers of the package."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode

import numpy as np
import pytest
from javascript import FOLDER, Browser, Node

from copi_np import Network, load_dataset, rules, whitening
from copi_np.activations import ACTIVATIONS
from copi_np.analysis import decorrelation_path
from copi_np.datasets import as_float

pytestmark = pytest.mark.xdist_group("live")
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module", params=["node", "chromium"])
def run(request):
    """Evaluate an expression of JavaScript in a module of the figures."""
    if request.param == "chromium":
        tab = request.getfixturevalue("browser").new_page()
        yield Browser(tab)
        tab.close()
    elif (program := shutil.which("node")) is None:
        pytest.skip("no node on this machine: apt-get install nodejs")
    else:
        yield Node(program)


def random_layer(seed):
    """Return W (3, 4), R (4, 4), y (10, 4) and delta (10, 3) of a layer."""
    rng = np.random.default_rng(seed)
    R = np.eye(4) + 0.3 * rng.normal(size=(4, 4))
    return rng.normal(size=(3, 4)), R, rng.normal(size=(10, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(10, 3))


# ------------------------------------------------------------------------------------------------ rules.mjs

EQUATIONS = {
    "mean_outer(z, x)": lambda W, R, x, z, C: rules.mean_outer(z, x),
    "mean_square(x)": lambda W, R, x, z, C: rules.mean_square(x),
    "decorrelate(R, x)": lambda W, R, x, z, C: rules.decorrelate(R, x),
    "transform(W, x)": lambda W, R, x, z, C: rules.transform(W, x),
    "leaky_relu(z)": lambda W, R, x, z, C: ACTIVATIONS["leaky_relu"].f(z),
    "copi_update(W, x, z)": lambda W, R, x, z, C: rules.copi_update(W, x, z),
    "sgd_update(x, z)": lambda W, R, x, z, C: rules.sgd_update(x, z),
    "decorrelation_update(R, x)": lambda W, R, x, z, C: rules.decorrelation_update(R, x),
    "second_moment(x)": lambda W, R, x, z, C: whitening.second_moment(x),
    "off_diagonal(C)": lambda W, R, x, z, C: whitening.off_diagonal(C),
    "hadamard_defect(C)": lambda W, R, x, z, C: whitening.hadamard_defect(C),
    "cholesky(C)": lambda W, R, x, z, C: np.linalg.cholesky(C),
    "eigenvalues(C).sort((a, b) => a - b)": lambda W, R, x, z, C: np.linalg.eigvalsh(C),
    "times(W, R)": lambda W, R, x, z, C: W @ R,
    "norm(W)": lambda W, R, x, z, C: np.linalg.norm(W),
}


@pytest.mark.parametrize("code", EQUATIONS)
def test_equations(run, code):
    for seed in range(3):
        W, R, x, delta = random_layer(seed)
        values = {"W": W, "R": R, "x": x, "z": x @ W.T + delta, "C": x.T @ x / len(x)}
        np.testing.assert_allclose(run("rules", code, **values), EQUATIONS[code](**values), **CLOSE)


def test_the_cloud_has_the_given_second_moments(run):
    sigma = np.array([[1.5, -0.4], [-0.4, 0.75]])
    y = np.array(run("rules", "cloud_with(sigma, 80)", sigma=sigma))
    assert y.shape == (80, 2)
    np.testing.assert_allclose(y.T @ y / 80, sigma, **CLOSE)
    assert np.unique(y.round(3), axis=0).shape == (80, 2)


def test_normal_numbers(run):
    code = "(() => { const normal = normal_numbers(seed); return Array.from({ length: 4000 }, () => normal()); })()"
    numbers, others = (np.array(run("rules", code, seed=seed)) for seed in (1, 2))
    assert abs(numbers.mean()) < 0.05
    assert abs(numbers.std() - 1) < 0.05
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.05
    assert not np.any(numbers == others)


# ------------------------------------------------------------------------------------------------ decorrelation


@pytest.mark.parametrize(("rho", "eta_R"), [(0.9, 0.1), (-0.5, 0.02)])
def test_decorrelation(run, rho, eta_R):
    """R at every step, and what is shown of it."""
    y = np.array(run("decorrelation", "two_inputs(rho)", rho=rho))
    covariance = rho * np.sqrt(1.5 * 0.75)
    np.testing.assert_allclose(y.T @ y / len(y), [[1.5, covariance], [covariance, 0.75]], **CLOSE)
    path = list(decorrelation_path(y, eta_R, 30))
    code = "Array.from({ length: 30 }).reduce((path) => [...path, next(path.at(-1), y, eta_R)], [[[1, 0], [0, 1]]])"
    np.testing.assert_allclose(run("decorrelation", code, y=y, eta_R=eta_R), path, **CLOSE)
    C = np.cov((y @ path[-1].T).T, bias=True) + np.outer(*[(y @ path[-1].T).mean(axis=0)] * 2)
    expected = C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])
    assert run("decorrelation", "correlation(C)", C=C) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "rho"), [(2, 0.8), (6, 0.8), (10, 0.95)])
def test_step_size(run, n, rho):
    """The bounds, and off(C) at every step until R blows up."""
    variances = np.linspace(0.5, 1.5, n)
    sigma = np.where(np.eye(n, dtype=bool), 1, rho) * np.sqrt(np.outer(variances, variances))
    np.testing.assert_allclose(run("step_size", "moments(n, rho)", n=n, rho=rho), sigma, **CLOSE)
    bounds = run("step_size", "bounds(sigma)", sigma=sigma)
    assert bounds["global"] == pytest.approx(2 / np.linalg.eigvalsh(sigma)[-1], abs=1e-9)
    assert bounds["local"] == pytest.approx(2 / (variances[-1] + variances[-2]), abs=1e-9)
    y = np.sqrt(n) * np.linalg.cholesky(sigma).T
    ends = []
    for eta_R in (0.5 * bounds["global"], 3 * bounds["global"]):
        sizes = []
        for R in decorrelation_path(y, eta_R, 50):
            if np.max(np.abs(R)) >= 100:
                break
            sizes.append(np.linalg.norm(whitening.off_diagonal(R @ sigma @ R.T)))
        found = run("step_size", "covariances(sigma, eta_R)", sigma=sigma, eta_R=eta_R)
        np.testing.assert_allclose(found, sizes, rtol=1e-6, atol=1e-9)
        ends.append(len(sizes))
    assert ends[0] == 51
    assert ends[1] < 51


# ------------------------------------------------------------------------------------------------ one layer


def batches(y, z, n, size=10):
    """Return `n` batches of inputs and targets, in order, from the start again after the last sample."""
    rows = np.arange(n * size).reshape(n, size) % len(y)
    return y[rows], z[rows]


def train(start, rule, R_moves, n):
    """Return the layers, {"W": .., "R": ..}, before and after each of `n` batches, as the package trains them."""
    network = Network([6, 3], rng=np.random.default_rng(0), rule=rule, activation="linear", dtype="float64")
    layer = network.layers[0]
    layer.W, layer.R = np.array(start["W"]), np.array(start["R"])
    path = [{"W": layer.W.tolist(), "R": layer.R.tolist()}]
    for y, z in zip(*batches(np.array(start["y"]), np.array(start["z"]), n), strict=True):
        # the error signal of the quadratic loss is twice the error; halved, the target state z is the target
        network.step(y, z, eta_W=0.2, eta_R=0.2 * R_moves, delta_scale=0.5)
        path.append({"W": layer.W.tolist(), "R": layer.R.tolist()})
    return path


@pytest.mark.parametrize("R_moves", [True, False])
@pytest.mark.parametrize("rule", ["copi", "sgd"])
def test_one_layer(run, rule, R_moves):
    """Weights after every batch; then the error on all samples, and the change of W R apart from learning."""
    start = run("layer", "problem(3)")
    y, z = np.array(start["y"]), np.array(start["z"])
    path = train(start, rule, R_moves, 40)
    options = {"rule": rule, "eta": 0.2, "R_moves": R_moves}
    y_batches, z_batches = batches(y, z, 40)
    values = {"start": path[0], "ys": y_batches, "zs": z_batches, "options": options}
    found = run(
        "layer", "ys.reduce((path, y, k) => [...path, learn(path.at(-1), y, zs[k], options)], [start])", **values
    )
    for name in ("W", "R"):
        np.testing.assert_allclose([layer[name] for layer in found], [layer[name] for layer in path], **CLOSE)

    (W, R), (new_W, new_R) = ([np.array(layer[name]) for name in ("W", "R")] for layer in path[-2:])
    error = np.mean((y @ (new_W @ new_R).T - z) ** 2)
    assert run("layer", "error(after, y, z)", after=path[-1], y=y, z=z) == pytest.approx(error, abs=1e-9)
    x = y_batches[-1] @ R.T
    learning = 0.2 * (z_batches[-1] - x @ W.T).T @ x / len(x) @ R
    unwanted = np.linalg.norm(new_W @ new_R - W @ R - learning) / np.linalg.norm(W @ R)
    values = {"before": path[-2], "after": path[-1], "y": y_batches[-1], "z": z_batches[-1]}
    assert run("layer", "unwanted(before, after, y, z, 0.2)", **values) == pytest.approx(unwanted, abs=1e-9)


def test_the_layer_starts_decorrelated_and_can_learn_its_targets(run):
    start = {name: np.array(value) for name, value in run("layer", "problem(1)").items()}
    y, z = start["y"], start["z"]
    assert [np.mean(y**2), np.mean(z**2)] == pytest.approx([1, 1])
    assert np.linalg.norm(z - y @ np.linalg.lstsq(y, z)[0]) < 1e-9
    C = whitening.second_moment(y @ start["R"].T)
    assert whitening.mean_absolute_correlation(C) < 0.01 < 0.1 < whitening.mean_absolute_correlation(y.T @ y)


RACES = """seeds.map((seed) => {
  const { y, z, W, R } = problem(seed);
  return [true, false].map((R_moves) => ["copi", "sgd"].map((rule) => {
    let layer = { W, R };
    for (let first = 0; first < 4000; first += 10) {
      const batch = [y, z].map((all) => all.slice(first % 200, (first % 200) + 10));
      layer = learn(layer, ...batch, { rule, eta: 0.2, R_moves });
    }
    return error(layer, y, z);
  }));
})"""


def test_copi_is_ahead_while_R_moves_and_sgd_while_R_rests(run):
    """After 400 batches, for every seed that the figure offers: docs/live.md says so."""
    for (copi_moving, sgd_moving), (copi_resting, sgd_resting) in run("layer", RACES, seeds=list(range(1, 10))):
        assert copi_moving < sgd_moving
        assert sgd_resting < copi_resting


# ------------------------------------------------------------------------------------------------ one unit


@pytest.mark.parametrize("d", [None, [[1.6, 0.6]]])
def test_one_unit(run, d):
    """A step of each rule, without an error and with a target."""
    x = np.array(run("synapse", "inputs(rho)", rho=0.6))
    W = np.array([[0.4, -0.8]])
    post = x @ (W if d is None else np.array(d)).T
    updates = {
        "hebb": rules.mean_outer(post, x),
        "oja": rules.mean_outer(post, x) - W * rules.mean_square(post),
        "copi": rules.copi_update(W, x, post),
    }
    if d is None:
        np.testing.assert_allclose(updates["oja"], rules.oja_update(W, x), **CLOSE)
    for rule, update in updates.items():
        options = {"rule": rule, "eta": 0.05, "d": d and d[0]}
        found = run("synapse", "next(w, x, options)", w=W[0], x=x, options=options)
        np.testing.assert_allclose([found], W + 0.05 * update, **CLOSE)


# ------------------------------------------------------------------------------------------------ the network


@pytest.fixture(scope="module")
def stored():
    """What weights.mjs holds."""
    text = (FOLDER / "weights.mjs").read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r"//[^\n]*\nexport const WEIGHTS = (.*);\n", text)[1])


@pytest.fixture(scope="module")
def digits():
    return load_dataset("mnist-5k").test


def outputs(matrices, maps, y, n_replaced):
    """Return the outputs of every layer; one linear map replaces `n_replaced` layers, from the second on."""
    f = ACTIVATIONS["leaky_relu"].f
    found = [f(y @ matrices[0].T)]
    if n_replaced:
        found.append(found[-1] @ maps[n_replaced - 1].T)
    for M in matrices[1 + n_replaced :]:
        found.append(f(found[-1] @ M.T))
    return found


def test_the_network(run, stored, digits):
    """Its digits are the first of the test set; the outputs of all layers, and with layers replaced."""
    y = as_float(digits.inputs[:60], "float64")
    assert run("network", "labels") == digits.labels[:60].tolist()
    np.testing.assert_allclose(run("network", "inputs"), y, **CLOSE)
    matrices, maps = ([np.array(M) for M in run("network", name)] for name in ("layers", "maps"))
    for M, record in zip(matrices + maps, stored["layers"] + stored["maps"], strict=True):
        data = np.frombuffer(b64decode(record["data"]), dtype=np.int8).reshape(record["shape"])
        np.testing.assert_allclose(M, np.diag(record["scale"]) @ data, **CLOSE)
    for found, expected in zip(run("network", "outputs_of_layers(inputs)"), outputs(matrices, maps, y, 0), strict=True):
        np.testing.assert_allclose(found, expected, **CLOSE)
    for n_replaced in range(5):
        found = run("network", "outputs_without(inputs, n)", n=n_replaced)
        np.testing.assert_allclose(found, outputs(matrices, maps, y, n_replaced)[-1], **CLOSE)


def test_the_recorded_accuracies(run, stored, digits):
    """With the weights as stored, on all 1,000 test digits."""
    matrices, maps = ([np.array(M) for M in run("network", name)] for name in ("layers", "maps"))
    y = as_float(digits.inputs, "float64")
    answers = [np.argmax(outputs(matrices, maps, y, n)[-1], axis=1) for n in range(5)]
    accuracies = [float(np.mean(answer == digits.labels)) for answer in answers]
    assert accuracies == stored["test_accuracy"]
    assert accuracies[0] > 0.9
    assert len(maps) == 4


def test_pictures_of_fields(run):
    """Zero is mid-grey, the largest magnitude black or white."""
    assert run("fields", "grey_levels([0, -2, 1, 0.5])") == [128, 0, 191, 159]
    assert run("fields", "grey_levels([0, 0])") == [128, 128]
    assert run("fields", "strongest([0.1, 3, -1, 2], 2)") == [1, 3]
    fields = run("network", "fields")
    assert [np.shape(layer) for layer in fields] == [(48, 784)] * 4 + [(10, 784)]
