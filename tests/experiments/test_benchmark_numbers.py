"""The numbers of copi-np bench: what is timed, how often, and every line and key of the result, by hand."""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pytest

from copi_np import InputError, Network, get_backend
from copi_np.backend.devices import NumPyBackend
from copi_np.experiments import benchmark
from copi_np.experiments.benchmark import Product, bench, bench_table, candidates, measure, prepared, ratio
from copi_np.experiments.environment import blas, versions
from copi_np.experiments.methods import METHODS

TIMES = {
    "floor": [0.001, 0.002, 0.004],
    "step": [0.002, 0.003, 0.004],
    "forward": [0.0005, 0.001, 0.0015],
    "evaluation": [0.01, 0.02, 0.03],
    "evaluation, unfolded": [0.02, 0.05, 0.03],
    "equations": [0.003, 0.003, 0.016],
}


@pytest.fixture
def measured(monkeypatch):
    """Times as above, of what `candidates` was asked for, which is noted."""
    asked = []

    def noted(*arguments, **options):
        asked.append(inspect.signature(candidates).bind(*arguments, **options).arguments)
        names = [name for name in TIMES if name != "equations" or asked[-1]["method"] == METHODS["copi-bp"]]
        return dict.fromkeys(names, lambda: None)

    monkeypatch.setattr(benchmark, "candidates", noted)
    monkeypatch.setattr(benchmark, "measure", lambda timed, *rest: asked.append(rest) or {n: TIMES[n] for n in timed})
    return asked


# ------------------------------------------------------------------------------------------------------- results


def test_every_key_of_the_result(measured):
    result = bench("4-3-2", 5, "copi-bp", "numpy", "float64", 3)
    backend = get_backend("numpy")
    assert result == {
        "sizes": [4, 3, 2],
        "image_shape": None,
        "batch_size": 5,
        "method": "copi-bp",
        "dtype": "float64",
        "decorrelation_samples": None,
        "rest_R": False,
        # y R^T, x W^T and z^T x of both layers; x^T x and its product with R of the first, which takes less than x R;
        # x R, x^T (x R) of the second, and delta W, multiplied by R with x
        "gflop": pytest.approx(2e-9 * (5 * (2 * 4 * 4 + 2 * 4 * 3 + 4 * 3 * 3 + 3 * 3 * 2) + 4 * 4 * 4)),
        "backend": "numpy",
        "device": backend.describe(),
        "blas": blas(),
        "versions": versions(),
        "rounds": 3,
        "milliseconds": {
            "floor": 2.0, "step": 3.0, "forward": 1.0, "evaluation": 20.0, "evaluation, unfolded": 30.0,
            "equations": 3.0,
        },
        "step_over_floor": 1.5,
        "unfolded_over_folded": 2.0,
        "equations_over_floor": 3.0,
        "ratios": {
            "step_over_floor": [2.0, 1.5, 1.0],
            "unfolded_over_folded": [2.0, 2.5, 1.0],
            "equations_over_floor": [3.0, 1.5, 4.0],
        },
    }  # fmt: skip
    assert measured[1][0].name == "numpy"
    assert measured[1][1:] == (3, benchmark.SHORTEST)


def test_what_is_asked_for_is_timed_and_counted(measured):
    result = bench([4, 3, 2], 5, "bp-decor", "numpy", "float32", 1, 2, rest_r=False)
    asked = measured[0]
    assert (asked["sizes"], asked["batch_size"], asked["method"]) == ((4, 3, 2), 5, METHODS["bp-decor"])
    assert (asked["backend"].name, asked["dtype"]) == ("numpy", "float32")
    assert (asked["samples"], asked["rest_R"]) == (2, False)
    assert (result["decorrelation_samples"], result["rest_R"]) == (2, False)
    few = result["gflop"]
    rest = bench([4, 3, 2], 5, "bp-decor", "numpy", "float32", 1, rest_r=True)
    assert measured[2]["rest_R"] is True
    # x R and x^T (x R) of two of five samples, or none; at rest the first layer's y R^T is done
    assert few - rest["gflop"] == pytest.approx(2e-9 * (5 * 4 * 4 + 2 * 2 * (4 * 4 + 3 * 3)))
    assert "equations_over_floor" not in rest


def test_defaults_are_those_of_the_command():
    defaults = {name: each.default for name, each in inspect.signature(bench).parameters.items()}
    assert defaults == {
        "network": "mnist", "batch_size": 50, "method": "copi-bp", "backend": "auto", "dtype": "float32", "rounds": 9,
        "decorrelation_samples": None, "rest_r": False, "image_shape": None,
    }  # fmt: skip


def test_without_arguments_it_times_copi_on_mnist(measured):
    result = bench()
    assert (result["sizes"], result["batch_size"], result["method"]) == ([784, 500, 500, 500, 10], 50, "copi-bp")
    assert (result["dtype"], result["rounds"], result["backend"]) == ("float32", 9, get_backend("auto").name)
    assert (result["decorrelation_samples"], result["rest_R"]) == (None, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"method": "copy-bp"}, "unknown method 'copy-bp'"),
        ({"decorrelation_samples": 0}, "decorrelation_samples must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_named(options, message):
    with pytest.raises(InputError, match=message):
        bench("4-3-2", backend="numpy", **options)


def test_convolutions_need_a_shape_and_other_layers_have_none():
    with pytest.raises(InputError, match=r"^convolutions need the shape of the images: add --image-shape 1x28x28, f"):
        bench("conv16k3,pool2,10", backend="numpy")
    with pytest.raises(InputError, match=r"^only convolutions need the shape of images: leave out --image-shape$"):
        bench("4-3-2", backend="numpy", image_shape=(1, 2, 2))


def test_every_line_of_the_table():
    result = {
        "method": "copi-bp", "sizes": [784, 500, 10], "batch_size": 50, "dtype": "float32", "device": "CPU",
        "decorrelation_samples": None, "rest_R": False, "gflop": 0.7123, "rounds": 9,
        "milliseconds": {"floor": 2.0, "step": 3.0, "evaluation": 40.0, "evaluation, unfolded": 60.0},
        "step_over_floor": 1.5004, "unfolded_over_folded": 1.51,
    }  # fmt: skip
    lines = [
        "copi-bp, 784-500-10, batches of 50, float32, CPU",
        "0.712 GFLOP per step; medians of 9 rounds",
        "",
        "floor                      2.000 ms     1.00 x floor",
        "step                       3.000 ms     1.50 x floor",
        "evaluation                40.000 ms",
        "evaluation, unfolded      60.000 ms",
        "",
        "step / floor: 1.500",
        "evaluation is 1.51 times as fast with W R folded into one matrix",
    ]
    assert bench_table(result).split("\n") == lines
    some = "R learns from 5 samples of each batch"
    assert bench_table(result | {"decorrelation_samples": 5}).split("\n") == [lines[0], some, *lines[1:]]
    for samples in (None, 5):
        at_rest = bench_table(result | {"rest_R": True, "decorrelation_samples": samples})
        assert at_rest.split("\n") == [lines[0], "R frozen", *lines[1:]]


# ------------------------------------------------------------------------------------------------- what is timed


def test_the_products_of_a_step_one_by_one():
    """On 4-3-2 with batches of 5: sizes, layout, and whether the product is added to what is there."""
    forward = [Product(5, 4, 4, right_transposed=True), Product(5, 4, 3, right_transposed=True)]
    forward_1 = [Product(5, 3, 3, right_transposed=True), Product(5, 3, 2, right_transposed=True)]
    update, update_1 = (Product(n, 5, m, left_transposed=True, accumulated=True) for n, m in ((3, 4), (2, 3)))
    back = Product(5, 2, 3)
    square = Product(4, 5, 4, left_transposed=True, of_transpose=True)  # x^T x, since 5 samples are more than 4 units
    lateral = [square, Product(4, 4, 4, accumulated=True)]
    lateral_1 = [Product(10, 3, 3), Product(3, 5, 3, left_transposed=True, accumulated=True)]  # delta W and x times R

    def products(name, *options, **more):
        return benchmark.products_of_step([4, 3, 2], 5, METHODS[name], *options, **more)

    assert products("copi-bp") == [*forward, update, *lateral, *forward_1, back, update_1, *lateral_1]
    assert products("bp-decor") == products("copi-bp", 5) == products("copi-bp", 50) == products("copi-bp")
    by_feedback = [square._replace(m=3, n=3), Product(3, 3, 3, accumulated=True)]
    fed_back = back._replace(right_transposed=True)
    assert products("copi-fa") == [*forward, update, *lateral, *forward_1, fed_back, update_1, *by_feedback]
    of_two = [Product(2, 4, 4), Product(4, 2, 4, left_transposed=True, accumulated=True)]
    of_two_1 = [Product(7, 3, 3), Product(3, 2, 3, left_transposed=True, accumulated=True)]
    assert products("copi-bp", 2) == [*forward, update, *of_two, *forward_1, back, update_1, *of_two_1]
    at_rest = [forward[1], update, *forward_1, back, update_1, Product(5, 3, 3)]
    assert products("copi-bp", rest_R=True) == products("copi-bp", 2, rest_R=True) == at_rest
    assert products("bp") == [forward[1], update, forward_1[1], back, update_1]
    assigned = [each._replace(accumulated=False) for each in (update, update_1)]  # Adam needs the gradient itself
    assert products("bp-adam") == [forward[1], assigned[0], forward_1[1], back, assigned[1]]
    assert Product(5, 4, 3).gflop == pytest.approx(120e-9)


def test_the_products_of_a_convolution_one_by_one():
    """Batches of 5 images of 4 x 4 pixels: 9 patches of 4 values for 2 filters; then 4 patches of 8 for 3, and 3-2."""
    shape, sizes = (1, 4, 4), ["conv2k2", "conv3k2", 2]

    def products(name, *options, **more):
        return benchmark.products_of_step(sizes, 5, METHODS[name], *options, image_shape=shape, **more)

    def forward(rows, n_inputs, n_outputs):
        return [
            Product(rows, n, n_inputs, right_transposed=True)._replace(k=n_inputs, n=n) for n in (n_inputs, n_outputs)
        ]

    def learned(rows, n):
        square = Product(n, rows, n, left_transposed=True, of_transpose=True)
        return [square, Product(n, n, n, accumulated=True)]

    update, update_1, update_2 = (
        Product(f, rows, n, left_transposed=True, accumulated=True)
        for f, rows, n in ((2, 45, 4), (3, 20, 8), (2, 5, 12))
    )
    folded, back, back_2 = Product(3, 8, 8), Product(20, 3, 8), Product(5, 2, 12)
    dense = [Product(10, 12, 12), Product(12, 5, 12, left_transposed=True, accumulated=True)]
    assert products("copi-bp") == [
        *forward(45, 4, 2), update, *learned(45, 4),
        *forward(20, 8, 3), folded, back, update_1, *learned(20, 8),
        *forward(5, 12, 2), back_2, update_2, *dense,
    ]  # fmt: skip
    by_feedback = [each._replace(right_transposed=True) for each in (back, back_2)]
    of_some = [Product(5, 12, 12), dense[1]]
    assert products("copi-fa") == [
        *forward(45, 4, 2), update, *learned(45, 4),
        *forward(20, 8, 3), by_feedback[0], update_1, *learned(20, 8),
        *forward(5, 12, 2), by_feedback[1], update_2, *of_some,
    ]  # fmt: skip
    few = [Product(4, 8, 8), Product(8, 4, 8, left_transposed=True, accumulated=True)]  # 4 patches of one sample
    assert products("copi-bp", 1)[10:12] == few
    at_rest = products("copi-bp", rest_R=True)
    assert at_rest == [
        *forward(45, 4, 2), update, *forward(20, 8, 3), folded, back, update_1,
        *forward(5, 12, 2), back_2, update_2, Product(5, 12, 12),
    ]  # fmt: skip
    assert products("bp") == [
        forward(45, 4, 2)[1], update, forward(20, 8, 3)[1], back, update_1, forward(5, 12, 2)[1], back_2, update_2
    ]  # fmt: skip


def test_products_of_other_error_signals_are_not_counted():
    with pytest.raises(InputError, match=r"^cannot count the products of .*: choose a method with BP or FA$"):
        benchmark.products_of_step([4, 3, 2], 5, METHODS["copi-kp"])


@pytest.mark.parametrize(("name", "decorrelation"), [("copi-bp", "matrix"), ("bp-decor", "matrix"), ("bp", None)])
@pytest.mark.parametrize(("samples", "rest_R"), [(None, False), (2, False), (None, True)])
def test_the_network_and_its_rates(monkeypatch, name, decorrelation, samples, rest_R):
    """The seed is fixed; R rests at eta_R = 0, with the inputs of the first layer decorrelated already."""
    built, steps = [], []
    monkeypatch.setattr(benchmark, "Network", lambda *args, **kw: built.append(kw) or Network(*args, **kw))
    asked = []
    monkeypatch.setattr(benchmark, "prepared", lambda *args: asked.append(args) or list)
    monkeypatch.setattr(Network, "step", lambda self, y0, targets, **rates: steps.append((y0, targets, rates)))
    timed = candidates((4, 3, 2), 5, METHODS[name], get_backend("numpy"), "float64", samples, rest_R=rest_R)
    timed["step"]()
    counted = benchmark.products_of_step((4, 3, 2), 5, METHODS[name], samples, rest_R=rest_R)
    assert [product for _, product, *_ in asked] == counted
    assert timed["floor"]() == [[]] * len(counted)
    (options,), ((y0, targets, rates),) = built, steps
    again = candidates((4, 3, 2), 5, METHODS[name], get_backend("numpy"), "float64", samples, rest_R=rest_R)
    again["step"]()
    np.testing.assert_array_equal(steps[1][0], y0)
    assert (options["rule"], options["error_signal"]) == METHODS[name][1:3]
    assert (options["decorrelation"], options["decorrelation_samples"]) == (decorrelation, samples)
    assert (options["backend"].name, options["dtype"]) == ("numpy", "float64")
    assert (y0.shape, y0.dtype, targets.dtype) == ((5, 4), np.dtype("float64"), np.dtype("float64"))
    assert targets.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]]
    assert (rates["eta_W"], rates["eta_R"]) == (benchmark.ETA, 0 if rest_R else benchmark.ETA)
    assert (rates["x0"] is y0) == (rest_R and decorrelation is not None)


def test_each_candidate_computes_what_its_name_says():
    backend = get_backend("numpy")
    timed = candidates((4, 3, 2), 5, METHODS["copi-bp"], backend, "float32")
    assert list(timed) == ["floor", "step", "forward", "evaluation", "evaluation, unfolded", "equations"]
    assert len(timed["floor"]()) == 11  # five of a layer, and delta W of the second
    assert {product.dtype for product in timed["floor"]() if product is not None} == {np.dtype("float32")}
    trace = timed["forward"]()
    assert [y.shape for y in trace.y] == [(5, 3), (5, 2)]
    deep = candidates((4, 3, 3, 2), 5, METHODS["copi-bp"], backend, "float32")
    outputs = deep["evaluation, unfolded"]()
    assert [chunk.shape for chunk in outputs] == [(1000, 2), (1000, 2)]
    np.testing.assert_allclose(np.concatenate(outputs), deep["evaluation"](), rtol=1e-5, atol=1e-6)
    assert float(timed["step"]()) > 0


def test_the_equations_begin_at_the_network_s_own_weights(monkeypatch):
    """W and R are copies, so that the timed step does not move them; with the activation of each layer."""
    given = []

    def train_batch(layers, *args, **options):
        given.append((layers[:], options))
        return layers

    monkeypatch.setattr(benchmark, "train_batch", train_batch)
    networks = []
    monkeypatch.setattr(benchmark, "Network", lambda *args, **kw: networks.append(Network(*args, **kw)) or networks[-1])
    candidates((4, 3, 2), 5, METHODS["copi-bp"], get_backend("numpy"), "float64")["equations"]()
    ((layers, options),) = given
    assert options == {"eta_W": benchmark.ETA, "eta_R": benchmark.ETA}
    for one, layer in zip(layers, networks[0].layers, strict=True):
        np.testing.assert_array_equal(one.W, layer.W)
        np.testing.assert_array_equal(one.R, layer.R)
        assert one.W is not layer.W
        assert one.activation == layer.activation


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("accumulated", [False, True])
def test_a_product_has_its_shape_layout_and_dtype(monkeypatch, dtype, left, right, accumulated):
    """Transposed ones are views of the other layout, as in a step; the result goes into memory that is there."""
    backend, calls = get_backend("numpy"), []
    monkeypatch.setattr(NumPyBackend, "matmul_add", lambda self, out, A, B, alpha: calls.append((out, A, B, alpha)))
    monkeypatch.setattr(np, "matmul", lambda A, B, out: calls.append((out, A, B, None)))
    run = prepared(backend, Product(2, 3, 4, left, right, accumulated), dtype, np.random.default_rng(0))
    run()
    run()
    out, A, B, alpha = calls[0]
    assert (A.shape, B.shape, out.shape) == ((2, 3), (3, 4), (2, 4))
    assert {A.dtype, B.dtype, out.dtype} == {np.dtype(dtype)}
    assert (A.flags.f_contiguous, B.flags.f_contiguous) == (left, right)
    assert alpha == (benchmark.ETA if accumulated else None)
    assert calls[1][0] is out


# ------------------------------------------------------------------------------------------------ how it is timed


class Clock:
    """A backend whose functions take known times, and that notes what was called how often."""

    def __init__(self, seconds):
        self.taken, self.calls = seconds, []

    def seconds(self, function, repeats=1):
        name = function()
        self.calls.append((name, repeats))
        return self.taken[name] * repeats


def test_each_is_repeated_until_it_takes_long_enough_and_turns_change():
    clock = Clock({"fast": 0.01, "slow": 0.3, "none": 0.0})
    timed = {name: partial(str, name) for name in clock.taken}
    times = measure(timed, clock, 2, 0.2)
    assert times == {"fast": pytest.approx([0.01] * 2), "slow": pytest.approx([0.3] * 2), "none": [0.0] * 2}
    assert clock.calls == [
        ("fast", 1), ("slow", 1), ("none", 1),
        ("fast", 20), ("slow", 1), ("none", 200_000),
        ("slow", 1), ("none", 200_000), ("fast", 20),
    ]  # fmt: skip


def test_ratios_need_as_many_rounds_of_both():
    assert ratio([1.0, 3.0], [2.0, 4.0]) == [0.5, 0.75]
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])
