"""Decorrelated inputs inside of models built from torch.nn.

Run by `make test-tracing`; skipped where PyTorch is missing (extra ``tracing``).
"""

from __future__ import annotations

import copy
import io
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="install the extra 'tracing'")
nn = torch.nn

from copi_np import DivergenceError, InputError, rules  # noqa: E402
from copi_np.family import gain_controlled_update  # noqa: E402
from copi_np.torch import Lateral, decorrelate_, fold_, rows_of  # noqa: E402
from copi_np.whitening import mean_absolute_correlation, second_moment  # noqa: E402


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.LeakyReLU(0.1), nn.Linear(5, 3))


def cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2), nn.Flatten(), nn.Linear(27, 3)
    )


def inputs(*shape):
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(*shape, generator=generator)
    return y + 0.5 * y.flip(1)  # correlated


MODELS = {"mlp": (mlp, (20, 6)), "cnn": (cnn, (20, 2, 8, 8))}
models = pytest.mark.parametrize(("build", "shape"), MODELS.values(), ids=MODELS)


def laterals(model):
    return [module for module in model.modules() if isinstance(module, Lateral)]


def train(model, y, steps=20):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    labels = torch.arange(len(y)) % 3
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(y), labels).backward()
        optimizer.step()


@models
def test_nothing_changes_at_first(build, shape):
    model, y = build(), inputs(*shape)
    before = model(y)
    names = decorrelate_(model)
    assert len(names) == len(laterals(model)) == sum(isinstance(each, nn.Linear | nn.Conv2d) for each in model)
    torch.testing.assert_close(model.eval()(y), before)


@models
def test_folding_leaves_the_outputs_and_an_ordinary_model(build, shape):
    """Equal to 1e-5, with the parameters and modules that it had."""
    model, y = build(), inputs(*shape)
    plain = set(model.state_dict())
    decorrelate_(model, 1e-2)
    train(model, y)
    assert all(float((lateral.R - torch.eye(len(lateral.R))).abs().max()) > 1e-3 for lateral in laterals(model))
    before = model.eval()(y)
    assert fold_(model) == [name for name, each in model.named_children() if hasattr(each, "weight")]
    assert float((model(y) - before).detach().abs().max()) <= 1e-5
    assert set(model.state_dict()) == plain
    assert not laterals(model)
    train(model.train(), y, steps=1)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_linear_layer_learns_as_the_rules_say():
    """R and the gradient of W, by the pure functions in NumPy."""
    layer, y = nn.Linear(4, 3, bias=False).double(), inputs(7, 4).double()
    decorrelate_(layer, 0.05)
    R, W = np.eye(4), layer.weight.detach().numpy()
    for _ in range(5):
        layer.zero_grad()
        out = layer(y)
        (out**2).sum().backward()
        x = y.numpy() @ R.T
        np.testing.assert_allclose(out.detach().numpy(), x @ W.T, rtol=1e-12)
        gradient = layer.parametrizations.weight.original.grad.numpy()
        np.testing.assert_allclose(gradient, 2 * out.detach().numpy().T @ x, rtol=1e-10, atol=1e-12)
        R = R + 0.05 * rules.decorrelation_update(R, x)
    np.testing.assert_allclose(laterals(layer)[0].R.numpy(), R, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 2, "stride": 2},
        {"padding": "same", "dilation": 2},
        {"padding": "valid"},
        {"padding": (1, 2), "padding_mode": "reflect"},
        {"padding": 1, "padding_mode": "circular", "kernel_size": (2, 3)},
    ],
    ids=str,
)
def test_rows_of_a_convolution_are_its_patches(options):
    """The kernel times the patches is what PyTorch computes."""
    layer = nn.Conv2d(2, 4, **{"kernel_size": 3} | options)
    y = inputs(3, 2, 7, 9)
    expected = layer(y).permute(0, 2, 3, 1).reshape(-1, 4)
    torch.testing.assert_close(rows_of(layer, y) @ layer.weight.flatten(1).T + layer.bias, expected)


@models
def test_inputs_become_decorrelated(build, shape):
    """Of the first layer, whose inputs stay the same."""
    model, y = build(), inputs(*shape)
    decorrelate_(model, 0.02)
    for _ in range(300):
        model(y)
    rows, R = rows_of(model[0], y).double(), laterals(model)[0].R.double()
    before, after = (mean_absolute_correlation(second_moment(x)) for x in (rows, rows @ R.T))
    assert after < before / 4


def test_evaluation_and_a_step_size_of_0_leave_R_alone():
    model = mlp()
    decorrelate_(model)
    model.eval()(inputs(8, 6))
    model.train()
    for lateral in laterals(model):
        lateral.eta = 0.0
    model(inputs(8, 6))
    assert all(torch.equal(lateral.R, torch.eye(len(lateral.R))) for lateral in laterals(model))


def test_other_rules_are_taken_by_the_names_of_their_arguments():
    model = mlp()
    decorrelate_(model, 0.01, gain_controlled_update)
    model(inputs(8, 6))
    y = inputs(8, 6)
    expected = torch.eye(6) + 0.01 * gain_controlled_update(torch.eye(6), y, y, 0.01)
    torch.testing.assert_close(laterals(model)[0].R, expected)


def test_copies_and_saved_models_keep_their_own_R():
    model, y = mlp(), inputs(8, 6)
    decorrelate_(model, 0.05)
    model(y)
    twin = copy.deepcopy(model)
    stored = io.BytesIO()
    torch.save(model.state_dict(), stored)
    twin(y)
    assert not torch.equal(laterals(twin)[0].R, laterals(model)[0].R)
    other = mlp()
    decorrelate_(other)
    other.load_state_dict(torch.load(io.BytesIO(stored.getvalue())))
    torch.testing.assert_close(other.eval()(y), model.eval()(y))
    fold_(twin)
    torch.testing.assert_close(fold_(model) and model(y), other(y))
    assert twin[0]._forward_hooks == {}


def test_an_optimizer_that_exists_already_keeps_its_parameters():
    model, y = mlp(), inputs(12, 6)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    decorrelate_(model)
    before = model[0].parametrizations.weight.original.detach().clone()
    model(y).sum().backward()
    optimizer.step()
    assert not torch.equal(model[0].parametrizations.weight.original, before)


def test_nested_modules_sequences_and_grouped_convolutions():
    """Inputs of any number of axes; convolutions in groups are left alone."""
    model = nn.ModuleDict({"a": nn.Sequential(nn.Linear(4, 4)), "b": nn.Conv2d(4, 4, 1, groups=2)})
    assert decorrelate_(model) == ["a.0"]
    assert model["a"](inputs(2, 5, 4)).shape == (2, 5, 4)
    with pytest.raises(InputError, match="no Linear and no Conv2d"):
        decorrelate_(nn.ReLU())


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"dilation": 2}, {"padding": 1, "padding_mode": "circular"}], ids=str
)
def test_folding_a_convolution_of_other_geometry(options):
    """In float64, without a bias, and in a layer that is used twice."""
    torch.manual_seed(0)
    shared = nn.Conv2d(3, 3, 3, bias=False, **options)
    model, y = nn.Sequential(shared, nn.Tanh(), nn.Sequential(shared)).double(), inputs(5, 3, 13, 12).double()
    assert decorrelate_(model, 1e-2) == ["0"]
    for _ in range(5):
        model(y)
    before = model.eval()(y)
    fold_(model)
    torch.testing.assert_close(model(y), before, rtol=1e-12, atol=1e-12)


def test_weights_of_two_layers_are_left_alone():
    """Folding would multiply R of one into the other, which is silent and wrong."""
    embedding, out = nn.Embedding(7, 6), nn.Linear(6, 7, bias=False)
    out.weight = embedding.weight
    model = nn.Sequential(embedding, nn.Linear(6, 6), nn.Tanh(), out)
    assert decorrelate_(model, 1e-2) == ["1"]
    words = torch.arange(14).reshape(2, 7) % 7
    for _ in range(5):
        model(words)
    before = model.eval()(words)
    fold_(model)
    assert float((model(words) - before).detach().abs().max()) <= 1e-5


def test_lazy_layers_are_refused_until_they_have_weights():
    model = nn.Sequential(nn.LazyLinear(5), nn.Linear(5, 3))
    with pytest.raises(InputError, match=r"^layer 0 has no weights yet: pass a batch through the module first$"):
        decorrelate_(model)
    model(inputs(8, 6))
    assert decorrelate_(model) == ["0", "1"]


def test_batches_without_samples_and_inference_mode_do_no_harm():
    model = mlp()
    decorrelate_(model, 1e-2)
    assert model(torch.zeros(0, 6)).shape == (0, 3)
    assert all(torch.equal(lateral.R, torch.eye(len(lateral.R))) for lateral in laterals(model))
    with torch.inference_mode():
        model(inputs(8, 6))
    assert not any(torch.equal(lateral.R, torch.eye(len(lateral.R))) for lateral in laterals(model))
    train(model, inputs(8, 6), steps=1)


def test_it_is_refused_to_fold_what_has_diverged():
    model = mlp()
    decorrelate_(model, 1e3)
    for _ in range(30):
        model(inputs(8, 6))
    with pytest.raises(DivergenceError, match="lateral weights of 0 are not finite: lower eta"):
        fold_(model)


def test_it_is_light_to_import():
    """Beside PyTorch itself."""
    code = "import torch, sys; before = set(sys.modules); import copi_np.torch; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in loaded} & {
        "matplotlib",
        "click",
        "requests",
        "scipy",
        "sklearn",
    } == set()
