"""The same code on every array library and device available: NumPy, array-api-strict on a non-default device, CuPy.

Each public function is run on each of them and compared with its result on NumPy in float64, which other tests compare
with independent oracles. array-api-strict offers only what the standard does, and keeps its devices apart; the mock of
CuPy (`cupy_mock`) offers only what CuPy does, under the package's own `CuPyBackend`. On any machine, they reveal what
would break, or fall back to the host, on a GPU.
"""

from __future__ import annotations

import pickle
from collections import Counter
from contextlib import contextmanager, nullcontext, suppress
from copy import deepcopy
from dataclasses import replace

import array_api_strict
import cupy_mock
import numpy as np
import pytest
from array_api_compat import array_namespace, device
from oracles import assert_equal_to, oracle_of
from strategies import FAMILY_AXES, RULE_AXES, family_function

from copi_np import (
    Backend,
    BackendError,
    Callback,
    Dataset,
    DivergenceError,
    InputError,
    Network,
    Schedule,
    Split,
    family,
    fit,
    get_backend,
    load_network,
    rules,
    save_network,
    whitening,
)
from copi_np.activations import ACTIVATIONS, Activation
from copi_np.analysis import (
    alignment_angles,
    compress,
    decorrelation_path,
    least_squares_map,
    receptive_fields,
    stack_map,
)
from copi_np.arrays import common_namespace, weigh
from copi_np.backend import why_no_gpu
from copi_np.diagnostics import diagnose
from copi_np.error_signals import ErrorSignal, backpropagation, feedback_alignment, reconstruction_update
from copi_np.losses import LOSSES, Loss, log_softmax
from copi_np.steps import Step
from copi_np.training import to_device, train_epoch

HOST, DEVICE = array_api_strict.Device("CPU_DEVICE"), array_api_strict.Device("device1")


class StrictBackend(Backend):
    """array-api-strict on a device that is not its default; values reach the host only on request."""

    def __init__(self) -> None:
        super().__init__("strict", array_api_strict, DEVICE)

    def to_host(self, array):
        return np.array(array_api_strict.asarray(array, device=HOST))


DEVICES = ["strict", "cupy-mock", pytest.param("cupy", marks=pytest.mark.gpu)]
PRECISION = {"float32": 1e-5, "float64": 1e-12}


@contextmanager
def opened(name):
    """Open the backend of that name for the length of a test."""
    with cupy_mock.installed() if name == "cupy-mock" else nullcontext():
        yield StrictBackend() if name == "strict" else get_backend(name.removesuffix("-mock"))


@pytest.fixture(params=["numpy", *DEVICES])
def backend(request):
    with opened(request.param) as backend:
        yield backend


@pytest.fixture(params=DEVICES)
def device_backend(request):
    """A backend whose arrays are not NumPy's."""
    with opened(request.param) as backend:
        yield backend


dtypes = pytest.mark.parametrize("dtype", PRECISION)

# ---------------------------------------------------------------- pure functions

LENGTH_OF = {"B": 7, "I": 3, "O": 4, "M": 2, "N": 5, "K": 4}
FUNCTIONS = {
    **{f"rules.{name}": (getattr(rules, name), words) for name, words in RULE_AXES.items()},
    **{f"family.{name}": (family_function(name), words) for name, words in FAMILY_AXES.items()},
    **{f"{name}.f": (activation.f, "BO") for name, activation in ACTIVATIONS.items()},
    **{f"{name}.df": (activation.df, "BO") for name, activation in ACTIVATIONS.items()},
    **{f"{name}.values": (loss.values, "BK BK") for name, loss in LOSSES.items()},
    **{f"{name}.mean": (loss.mean, "BK BK") for name, loss in LOSSES.items()},
    **{f"{name}.gradient": (loss.gradient, "BK BK") for name, loss in LOSSES.items()},
    **{f"{name}.mean, weighted": (loss.mean, "BK BK B") for name, loss in LOSSES.items()},
    "log_softmax": (log_softmax, "BK"),
    "weigh": (weigh, "BN B"),
    "reconstruction_update": (
        lambda B, above, y: reconstruction_update(B, ACTIVATIONS["leaky_relu"], above, y),
        "ON BN BO",
    ),
    "second_moment": (whitening.second_moment, "BI"),
    "off_diagonal": (whitening.off_diagonal, "II"),
    "feature_correlation": (whitening.feature_correlation, "BI BI"),
}
MEASURES = ["decorrelation_loss", "mean_absolute_correlation", "hadamard_defect", "asymmetry"]
TRANSFORMS = ["zca", "pca", "cholesky"]


def example_arrays(words, seed=0):
    rng = np.random.default_rng(seed)
    examples = [rng.normal(size=[LENGTH_OF[letter] for letter in word]) for word in words.split()]
    return [np.abs(example) if example.ndim == 1 else example for example in examples]  # weights of samples


@pytest.mark.parametrize("module", [rules, family], ids=["rules", "family"])
def test_every_public_rule_is_compared(module):
    own = {name for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__}
    kind = module.__name__.removeprefix("copi_np.")
    assert {f"{kind}.{name}" for name in own if not name.startswith("_")} <= set(FUNCTIONS)


@dtypes
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_agree_on_every_backend(name, backend, dtype):
    """Same numbers, library, device and dtype; arguments stay unchanged."""
    function, words = FUNCTIONS[name]
    values = example_arrays(words)
    arguments = [backend.asarray(value, dtype) for value in values]
    result = function(*arguments)
    assert backend.owns(result) or np.ndim(backend.to_host(result)) == 0
    assert result.dtype == arguments[0].dtype
    assert_equal_to(PRECISION[dtype], backend.to_host(result), function(*values))
    for argument, value in zip(arguments, values, strict=True):
        np.testing.assert_array_equal(backend.to_host(argument), value.astype(dtype))


@dtypes
@pytest.mark.parametrize("name", TRANSFORMS)
def test_whitening_agrees_on_every_backend(name, backend, dtype):
    """Up to the signs of the axes of PCA."""
    x = np.random.default_rng(0).normal(size=(20, 3))
    transform, sigma = getattr(whitening, name), x.T @ x / 20
    M = transform(backend.asarray(sigma, dtype), 0.1)
    assert backend.owns(M)
    expected = transform(sigma, 0.1)
    if name == "pca":
        M, expected = backend.xp.abs(M), np.abs(expected)
    assert_equal_to(PRECISION[dtype], backend.to_host(M), expected)
    with pytest.raises(InputError, match="cannot whiten"):
        transform(backend.asarray(np.zeros((3, 3)), dtype))


@dtypes
@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_floats_on_every_backend(name, backend, dtype):
    x = np.random.default_rng(0).normal(size=(20, 3))
    measure, C = getattr(whitening, name), x.T @ x / 20
    value = measure(backend.asarray(C, dtype))
    assert type(value) is float
    assert value == pytest.approx(measure(C), abs=PRECISION[dtype])


@dtypes
@pytest.mark.parametrize("update", [rules.decorrelation_update, rules.local_decorrelation_update])
def test_paths_agree_on_every_backend(update, backend, dtype):
    y = np.random.default_rng(0).normal(size=(6, 3))
    *_, R = decorrelation_path(backend.asarray(y, dtype), 0.1, 5, update)
    *_, expected = decorrelation_path(y, 0.1, 5, update)
    assert backend.owns(R)
    assert_equal_to(PRECISION[dtype], backend.to_host(R), expected)


# ---------------------------------------------------------------- what must not mix

# sample weights are optional; the reconstruction uses B and the activity above before the other arguments
OTHERS = {"reconstruction_update", "weigh"} | {f"{name}.mean, weighted" for name in LOSSES}
SEVERAL = {name: entry for name, entry in FUNCTIONS.items() if " " in entry[1] and name not in OTHERS}
POSITIONS = [(name, k) for name, (_, words) in SEVERAL.items() for k in range(len(words.split()))]


@pytest.mark.parametrize(("name", "k"), POSITIONS)
def test_host_data_among_device_arrays_are_refused(name, k, device_backend):
    """Neither a NumPy array nor a list is moved silently, at any position."""
    function, words = SEVERAL[name]
    values = example_arrays(words)
    for foreign in (values[k], values[k].tolist()):
        arguments = [device_backend.asarray(value) for value in values]
        arguments[k] = foreign
        with pytest.raises(InputError, match=r"need arrays of one library.*asarray"):
            function(*arguments)


@pytest.mark.parametrize(("name", "k"), POSITIONS)
def test_numbers_and_none_among_arrays_are_refused(name, k):
    """A scalar has no shape to check: it is an error of the package, not an AttributeError."""
    function, words = SEVERAL[name]
    for foreign in (2.0, None):
        arguments = example_arrays(words)
        arguments[k] = foreign
        with pytest.raises(InputError):
            function(*arguments)


@pytest.mark.parametrize(("name", "k"), POSITIONS)
def test_mixed_dtypes_are_refused(name, k, backend):
    function, words = SEVERAL[name]
    arguments = [backend.asarray(value, "float64") for value in example_arrays(words)]
    arguments[k] = backend.xp.astype(arguments[k], backend.xp.float32)
    with pytest.raises(InputError, match="mixed dtypes"):
        function(*arguments)


@pytest.mark.parametrize(("name", "k"), POSITIONS)
def test_mixed_devices_are_refused(name, k):
    function, words = SEVERAL[name]
    backend = StrictBackend()
    values = example_arrays(words)
    arguments = [backend.asarray(value) for value in values]
    arguments[k] = array_api_strict.asarray(values[k], device=HOST)
    with pytest.raises(InputError, match="mixed devices"):
        function(*arguments)


def test_the_namespace_comes_from_the_arguments(device_backend):
    x = device_backend.asarray(np.ones((2, 3)))
    y = common_namespace("BI BI", x, x).ones_like(x)
    assert device_backend.owns(y)


def test_lists_alone_are_refused():
    with pytest.raises(InputError, match=r"need arrays of one library, got builtins\.list"):
        rules.mean_square([[1.0, 2.0]])


# ---------------------------------------------------------------- networks

OPTIONS = [
    {"rule": rule, "error_signal": kind, "decorrelation": form}
    for rule in ("copi", "sgd", "momentum", "adam")
    for kind, form in (("bp", "matrix"), ("fa", "local"), ("dfa", None), ("tp", "matrix"), ("dtp", "local"))
]

OF_THE_FAMILY = [
    {"rule": rule, "error_signal": kind, "decorrelation": form}
    for rule, kind, form in (
        ("copi", "node", "matrix"),
        ("sgd", "activity", None),
        ("copi", "kp", "matrix"),
        ("copi", "ss", "local"),
        ("kappa", "bp", "kappa"),
        ("normalised", "fa", "normalised"),
        ("copi", "bp", "gain"),
        ("foof", "bp", None),
    )
]
BIASED = [options | {"bias": True} for options in OPTIONS[:5]]


def name_of(options):
    return "-".join(str(value) for value in options.values())


def make_network(backend, dtype="float64", sizes=(5, 4, 3), **options):
    return Network(list(sizes), rng=np.random.default_rng(0), backend=backend, dtype=dtype, **options)


def host_batch():
    rng = np.random.default_rng(1)
    return rng.normal(size=(6, 5)), np.eye(3)[rng.integers(0, 3, 6)]


# ---------------------------------------------------------------- parts of one's own, written for any library


def own_rule(W, R, x, y, a, z, delta, y_out):
    xp = array_namespace(W)
    shift = xp.mean(y @ R.T - x, axis=0) + xp.mean(z - a - delta, axis=0)[:, None]
    return xp.sign(rules.copi_update(W, x, z)) + shift + rules.sgd_update(x, xp.tanh(y_out)) / W.shape[0]


def own_decorrelation(R, x, y, eta_R):
    xp = array_namespace(R)
    C = x.T @ x / y.shape[0]
    return -(C - xp.eye(C.shape[0], dtype=C.dtype, device=device(C))) @ R * (1 - eta_R)


def weighted_rule(x, delta, sample_weight):
    return rules.sgd_update(x, delta if sample_weight is None else sample_weight[:, None] * delta)


def weighted_decorrelation(R, x, sample_weight):
    return rules.decorrelation_update(R, weigh(x, sample_weight))


def softplus(a):
    xp = array_namespace(a)
    return xp.log1p(xp.exp(a))


def logistic(a):
    return 1 / (1 + array_namespace(a).exp(-a))


def absolute(y, targets):
    xp = array_namespace(y, targets)
    return xp.sum(xp.abs(y - targets), axis=1)


def absolute_gradient(y, targets):
    return array_namespace(y, targets).sign(y - targets)


def noisy(layers, trace, delta_L, targets, loss, rng):
    """Backpropagation, and noise that is drawn on the host and grows with the loss."""
    xp = array_namespace(targets)
    size = xp.mean(loss.values(trace.y[-1], targets)) / 100
    deltas = backpropagation(layers, trace, (), delta_L)
    return [d + size * xp.asarray(rng.normal(size=d.shape), dtype=d.dtype, device=device(d)) for d in deltas]


def hebbian_feedback(trace, feedback, deltas, eta_W, sample_weight):
    """Each matrix learns like the forward weights above it, but the other way round (Kolen and Pollack 1994)."""
    return [
        None if B is None else eta_W * rules.mean_outer(weigh(y, sample_weight), weigh(delta, sample_weight)) - 0.01 * B
        for B, y, delta in zip(feedback, trace.y, [*deltas[1:], None], strict=True)
    ]


class Momentum(Step):
    """Gradient descent with a running mean that lives where the weights do."""

    def start(self, weights, backend):
        super().start(weights, backend)
        self.mean = backend.xp.zeros_like(weights)

    def step(self, weights, states, eta):
        self.mean *= 0.9
        self.backend.matmul_add(self.mean, states.delta.T, states.x, 1 / states.x.shape[0])
        weights += eta * self.mean

    def state(self):
        return {"mean": self.mean}

    def restore(self, state):
        self.mean = state["mean"]


class Centring(Step):
    """The matrix form of decorrelation, with a product that comes with backpropagation."""

    uses_x_R = True

    def step(self, weights, states, eta):
        x_R = states.x @ weights if states.x_R is None else states.x_R
        weights += eta * (states.power[:, None] * weights - states.x.T @ x_R / states.x.shape[0])


OWN = {
    "rules": {"rule": own_rule, "decorrelation": own_decorrelation},
    "rules of samples": {"rule": weighted_rule, "decorrelation": weighted_decorrelation},
    "rules of the paper": {"rule": rules.copi_update, "decorrelation": rules.local_decorrelation_update},
    "steps": {"rule": Momentum(), "decorrelation": Centring()},
    "functions": {
        "activation": Activation("softplus", softplus, logistic),
        "loss": Loss("absolute", absolute, absolute_gradient),
    },
    "noise": {"error_signal": ErrorSignal("noisy", noisy)},
    "feedback": {"error_signal": ErrorSignal("kp", feedback_alignment, "above", hebbian_feedback)},
}


@pytest.mark.parametrize("weighted", [False, True])
@dtypes
@pytest.mark.parametrize("options", OWN.values(), ids=OWN)
def test_parts_of_ones_own_agree_on_every_backend(options, dtype, weighted, backend):
    """Functions of the array API standard need no line for CuPy: same weights and feedback, all on the device."""
    network, on_host = make_network(backend, dtype, **options), make_network("numpy", **options)
    weights = np.array([1.0, 0.5, 0.0, 2.0, 1.5, 1.0]) if weighted else None
    y0, targets = host_batch()
    for _ in range(3):
        moved = [None if values is None else backend.asarray(values, dtype) for values in (y0, targets, weights)]
        loss = network.step(*moved[:2], eta_W=0.01, eta_R=0.02, sample_weight=moved[2])
        expected = on_host.step(y0, targets, eta_W=0.01, eta_R=0.02, sample_weight=weights)
        assert backend.scalar(loss) == pytest.approx(float(expected), rel=PRECISION[dtype])
    for one, other in zip(network.layers, on_host.layers, strict=True):
        for name in ("W", "R"):
            assert backend.owns(getattr(one, name))
            assert_equal_to(PRECISION[dtype], backend.to_host(getattr(one, name)), getattr(other, name))
    for B, other in zip(network.feedback, on_host.feedback, strict=True):
        if other is not None:
            assert_equal_to(PRECISION[dtype], backend.to_host(B), other)
    assert backend.owns(network.predict(moved[0]))


@dtypes
@pytest.mark.parametrize("rule", ["adam", Momentum()], ids=["adam", "own"])
def test_memories_go_to_a_file_and_back_on_every_backend(rule, dtype, backend, tmp_path):
    """And into copies; a network that was saved on a device continues on the host."""
    network = make_network(backend, dtype, rule=rule)
    y0, targets = host_batch()
    network.step(*(backend.asarray(values, dtype) for values in (y0, targets)), eta_W=0.01)
    save_network(tmp_path / "net.npz", network)
    given = {} if rule == "adam" else {"rule": rule}
    networks = [load_network(tmp_path / "net.npz", there, **given)[0] for there in (backend, "numpy")]
    for each in (network, *networks, copied := deepcopy(networks[0])):
        each.step(*(each.backend.asarray(values, dtype) for values in (y0, targets)), eta_W=0.01)
    for layer, *others in zip(*(each.layers for each in (network, *networks, copied)), strict=True):
        assert backend.owns(others[0].forward_step.mean)
        for other in others:
            here = other.backend.to_host(other.W)
            assert_equal_to(10 * PRECISION[dtype], here, backend.to_host(layer.W))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": lambda W: np.zeros(W.shape)}, r"rule .* returned numpy\.ndarray, where .*\.\w+ is needed"),
        ({"decorrelation": lambda R: 0.0}, r"decorrelation .* returned builtins\.float, where"),
        ({"rule": lambda W: array_namespace(W).astype(W, array_namespace(W).float32)}, r"dtype .*float32, where .*64"),
        ({"rule": lambda W: W[0, :]}, r"an array of shape \(5,\), where \(4, 5\) is needed"),
        ({"error_signal": ErrorSignal("host", lambda trace: [np.ones(a.shape) for a in trace.a])},
         r"error signal host returned for layer 0 numpy\.ndarray, where"),
    ],
)  # fmt: skip
def test_what_parts_of_ones_own_return_stays_on_the_device(options, message, device_backend):
    network = make_network(device_backend, **options)
    with pytest.raises(InputError, match=message):
        network.step(*map(device_backend.asarray, host_batch()), eta_W=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": Activation("f", lambda a: np.ones(a.shape), logistic)}, "f of activation f returned numpy"),
        ({"loss": Loss("l", lambda y, targets: np.ones(2), absolute_gradient)}, "values of loss l returned numpy"),
    ],
)  # fmt: skip
def test_functions_of_the_host_are_refused_before_the_first_step(options, message, device_backend):
    with pytest.raises(InputError, match=message):
        make_network(device_backend, **options)


def test_what_a_rule_returns_on_another_device_is_refused():
    def elsewhere(W):
        return array_api_strict.zeros(W.shape, dtype=W.dtype, device=HOST)

    backend = StrictBackend()
    network = make_network(backend, rule=elsewhere)
    with pytest.raises(InputError, match=r"returned an array of device .*CPU_DEVICE.*, where .*device1.* is needed"):
        network.step(*map(backend.asarray, host_batch()), eta_W=0.1)


@dtypes
@pytest.mark.parametrize("options", OPTIONS, ids=name_of)
def test_whole_steps_agree_with_algorithm_1_on_every_backend(options, backend, dtype):
    """Five training steps: loss, W, R, feedback and the predictions afterwards, all on the device."""
    network = make_network(backend, dtype, **options)
    oracle = oracle_of(make_network("numpy", "float64", **options))
    y0, targets = host_batch()
    relative = 1e-5 if dtype == "float32" else 1e-10
    for _ in range(5):
        arguments = [backend.asarray(values, dtype) for values in (y0, targets)]
        loss = network.step(*arguments, eta_W=0.01, eta_R=0.02, delta_scale=2.0)
        true_loss, _ = oracle.step(y0, targets, 0.01, 0.02, 2.0)
        assert backend.scalar(loss) == pytest.approx(true_loss, rel=10 * relative)
    for k, layer in enumerate(network.layers):
        assert backend.owns(layer.W)
        assert backend.owns(layer.R)
        assert_equal_to(relative, backend.to_host(layer.W), oracle.W[k])
        assert_equal_to(relative, backend.to_host(layer.R), oracle.R[k])
        if oracle.B[k] is not None:
            assert backend.owns(network.feedback[k])
            assert_equal_to(relative, backend.to_host(network.feedback[k]), oracle.B[k])
    predicted = network.predict(backend.asarray(y0, dtype), batch_size=4)
    assert backend.owns(predicted)
    assert predicted.dtype == getattr(backend.xp, dtype)
    assert_equal_to(relative, backend.to_host(predicted), [oracle.forward(sample)[2][-1] for sample in y0])


@pytest.mark.parametrize("kind", ["bp", "fa", "dfa", "tp", "dtp"])
def test_error_signals_agree_on_every_backend(kind, backend):
    network, reference = make_network(backend, error_signal=kind), make_network("numpy", error_signal=kind)
    y0, targets = host_batch()
    oracle = oracle_of(reference)
    expected = [oracle.signals(*sample) for sample in zip(y0, targets, strict=True)]
    deltas = network.error_signals(network.forward(backend.asarray(y0)), backend.asarray(targets))
    for k, delta in enumerate(deltas):
        assert backend.owns(delta)
        assert_equal_to(1e-12, backend.to_host(delta), [sample[k] for sample in expected])


@pytest.mark.parametrize("kind", ["bp", "fa", "dfa", "tp", "dtp"])
def test_alignment_angles_agree_on_every_backend(kind, backend):
    """They are floats, and 0 for backpropagation itself."""
    angles = [
        alignment_angles(make_network(there, error_signal=kind), *map(there.asarray, host_batch()))
        for there in (backend, get_backend("numpy"))
    ]
    assert type(angles[0][0]) is float
    assert angles[0] == pytest.approx(angles[1], abs=1e-5)
    assert kind != "bp" or angles[0] == pytest.approx([0], abs=1e-5)


@pytest.mark.parametrize("options", [{"error_signal": "fa"}, {"decorrelation": None}])
def test_diagnostics_agree_on_every_backend(backend, options):
    """They are plain values; nothing stays on the device."""
    found, expected = (
        [layer.as_dict() for layer in diagnose(make_network(there, **options), *map(there.asarray, host_batch()))]
        for there in (backend, get_backend("numpy"))
    )
    for layer, other in zip(found, expected, strict=True):
        assert layer.keys() == other.keys()
        for name, value in layer.items():
            assert type(value) in (float, list, type(None)), name
            assert value is None if other[name] is None else value == pytest.approx(other[name], rel=1e-6, abs=1e-6)


@dtypes
def test_fields_and_compression_agree_on_every_backend(backend, dtype):
    """In three chunks, the last one smaller, with one input that is always zero."""
    y0 = host_batch()[0] * (np.arange(5) != 2)
    host, network = make_network("numpy", sizes=(5, 4, 4, 3)), make_network(backend, dtype, sizes=(5, 4, 4, 3))
    moved = backend.asarray(y0, dtype)
    for standardized in (False, True):
        fields = receptive_fields(network, moved, 1, standardized=standardized, batch_size=4)
        assert backend.owns(fields)
        assert fields.dtype == moved.dtype
        expected = receptive_fields(host, y0, 1, standardized=standardized)
        assert_equal_to(10 * PRECISION[dtype], backend.to_host(fields), expected)
    for linear_map in (stack_map, least_squares_map):
        small = compress(network, moved, 2, linear_map=linear_map, batch_size=4)
        assert backend.owns(small.layers[1].W)
        expected = compress(host, y0, 2, linear_map=linear_map).predict(y0)
        assert_equal_to(10 * PRECISION[dtype], backend.to_host(small.predict(moved)), expected)


@dtypes
def test_read_only_batches_work(dtype):
    """A memory-mapped data set cannot be written to, and need not be."""
    y0, targets = (values.astype(dtype) for values in host_batch())
    for options in OPTIONS:
        writeable, read_only = make_network("numpy", dtype, **options), make_network("numpy", dtype, **options)
        frozen = y0.copy(), targets.copy()
        for values in frozen:
            values.flags.writeable = False
        for _ in range(2):
            writeable.step(y0, targets, eta_W=0.01)
            read_only.step(*frozen, eta_W=0.01)
        np.testing.assert_array_equal(read_only.predict(frozen[0]), writeable.predict(y0))
        np.testing.assert_array_equal(y0, frozen[0])


@pytest.mark.parametrize(("eta_W", "delta_scale"), [(np.float64(0.01), 1.0), (0.01, np.float64(2.0))])
def test_step_sizes_from_numpy_do_not_change_the_dtype(backend, eta_W, delta_scale):
    """`np.logspace(-4, -1, 4)` gives np.float64, which is a float: float32 stays float32, on any library."""
    network, plain = make_network(backend, "float32"), make_network(backend, "float32")
    y0, targets = (backend.asarray(values, "float32") for values in host_batch())
    assert {delta.dtype for delta in network.error_signals(network.forward(y0), targets, delta_scale)} == {y0.dtype}
    network.step(y0, targets, eta_W=eta_W, delta_scale=delta_scale)
    plain.step(y0, targets, eta_W=float(eta_W), delta_scale=float(delta_scale))
    for one, other in zip(network.layers, plain.layers, strict=True):
        np.testing.assert_array_equal(backend.to_host(one.W), backend.to_host(other.W))


@pytest.mark.parametrize("options", [*OPTIONS, *OF_THE_FAMILY, *BIASED], ids=name_of)
def test_weighted_samples_count_the_same_on_every_backend(options, backend):
    network, on_host = make_network(backend, **options), make_network("numpy", **options)
    y0, targets, sample_weight = *host_batch(), np.array([1.0, 0.5, 0.0, 2.0, 1.5, 1.0])
    for _ in range(3):
        *batch, weights = (backend.asarray(values) for values in (y0, targets, sample_weight))
        loss = network.step(*batch, eta_W=0.01, sample_weight=weights)
        expected = on_host.step(y0, targets, eta_W=0.01, sample_weight=sample_weight)
        assert backend.scalar(loss) == pytest.approx(float(expected), rel=1e-9)
    for one, other in zip(network.layers, on_host.layers, strict=True):
        assert_equal_to(1e-9, backend.to_host(one.W), other.W)
        assert_equal_to(1e-9, backend.to_host(one.R), other.R)


def test_host_batches_are_refused_by_a_network_on_a_device(device_backend):
    network = make_network(device_backend)
    y0, targets = host_batch()
    moved = device_backend.asarray(y0), device_backend.asarray(targets)
    uses = [network.forward, network.predict, lambda y0: network.step(y0, moved[1], eta_W=0.1)]
    for use in (*uses, lambda y0: receptive_fields(network, y0, 0)):
        with pytest.raises(InputError, match=r"inputs must be an array of backend '.*', got ndarray: convert with"):
            use(y0)
    with pytest.raises(InputError, match=r"targets must be an array of backend '.*', got ndarray: convert with"):
        network.step(moved[0], targets, eta_W=0.1)
    with pytest.raises(InputError, match=r"W must be an array of backend '.*', got ndarray: convert it with"):
        network.layers[0].W = np.ones((4, 5))


def test_arrays_of_a_device_are_refused_by_a_network_on_the_host(device_backend):
    y0 = device_backend.asarray(host_batch()[0])
    with pytest.raises(InputError, match="inputs must be an array of backend 'numpy', got"):
        make_network("numpy").forward(y0)


def test_arrays_of_another_device_are_refused():
    backend = StrictBackend()
    network = make_network(backend, error_signal="fa")
    y0 = array_api_strict.asarray(host_batch()[0], device=HOST)
    with pytest.raises(InputError, match="inputs must be an array of backend 'strict'"):
        network.forward(y0)
    with pytest.raises(InputError, match="R must be an array of backend 'strict'"):
        network.layers[0].R = array_api_strict.eye(5, dtype=array_api_strict.float64, device=HOST)
    network.feedback[0] = array_api_strict.ones((4, 3), dtype=array_api_strict.float64, device=HOST)
    with pytest.raises(InputError, match="mixed devices"):
        network.step(*(backend.asarray(values) for values in host_batch()), eta_W=0.1)


@pytest.mark.parametrize(("given_dtype", "dtype"), [("float32", "float64"), ("float64", "float32")])
def test_batches_of_another_dtype_are_refused(backend, given_dtype, dtype):
    network = make_network(backend, dtype)
    y0, targets = (backend.asarray(values, given_dtype) for values in host_batch())
    with pytest.raises(InputError, match=f"inputs must be {dtype} like the weights"):
        network.step(y0, targets, eta_W=0.1)
    with pytest.raises(InputError, match=f"targets must be {dtype} like the weights"):
        network.step(backend.asarray(host_batch()[0], dtype), targets, eta_W=0.1)


# ---------------------------------------------------------------- whole runs


def tiny_data():
    """Three classes, one input each, a little noise."""
    rng = np.random.default_rng(3)
    labels = np.arange(22) % 3
    inputs = np.eye(3, 5)[labels] + rng.normal(0, 0.1, (22, 5))
    return Dataset("tiny", Split(inputs[:14], labels[:14]), Split(inputs[14:], labels[14:]), 3)


def train_tiny(backend, schedule):
    network = Network([5, 4, 3], rng=np.random.default_rng(0), backend=backend, dtype="float64")
    return fit(network, tiny_data(), epochs=3, schedule=schedule, rng=np.random.default_rng(1), batch_size=4)


def test_a_run_on_a_device_equals_a_run_on_the_host(device_backend):
    schedule = Schedule(0.1, 0.1, first_epochs=1, first_eta_W=0.0, first_eta_R=0.1)
    for here, there in zip(train_tiny("numpy", schedule), train_tiny(device_backend, schedule), strict=True):
        for name, value in replace(here, seconds=there.seconds).as_dict().items():
            assert getattr(there, name) == pytest.approx(value, rel=1e-9)


READS = ("__bool__", "__complex__", "__float__", "__index__", "__int__", "get", "item", "tolist")
"""Array methods that copy values to the host, and so wait for the device; no library has them all."""


def record_reads(backend, monkeypatch):
    """Return a growing list of the calls, of the backend or of its arrays, that copy values to the host."""
    asked, arrays = [], type(backend.xp.empty(0))
    owners = [(backend, "to_host"), (backend, "scalar"), *((arrays, name) for name in READS if hasattr(arrays, name))]
    for owner, name in owners:
        ask = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, name=name, ask=ask: asked.append(name) or ask(*args))
    return asked


@pytest.mark.parametrize("ask", [float, bool, int, lambda array: [10, 20][array], lambda array: 1 if array < 1 else 2])
def test_values_read_by_the_host_are_counted(ask, device_backend, monkeypatch):
    """Implicit reads too: ``if loss < limit`` waits for the device just like ``float(loss)``."""
    array = device_backend.asarray(np.ones((), int))
    asked = record_reads(device_backend, monkeypatch)
    with suppress(TypeError):  # CuPy's arrays cannot be indices
        ask(array)
        assert asked


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        *OPTIONS,
        *OF_THE_FAMILY,
        *BIASED,
        {"loss": "cross_entropy"},
        *({"activation": name} for name in ACTIVATIONS),
        *OWN.values(),
    ],
    ids=[*map(name_of, [*OPTIONS, *OF_THE_FAMILY, *BIASED]), "cross_entropy", *ACTIVATIONS, *OWN],
)
def test_no_value_is_read_from_a_device_within_an_epoch(options, weighted, device_backend, monkeypatch):
    """Host and device would wait for each other at every read.

    Sample weights are checked before the first batch, and divergence after the last one.
    """
    network = make_network(device_backend, **options)
    train = to_device(network, tiny_data().train, 3)
    weights = device_backend.asarray(np.linspace(0, 2, 14)) if weighted else None
    asked, counts = record_reads(device_backend, monkeypatch), []

    class Counting(Callback):
        def on_batch(self, batch, n_batches):
            counts.append(len(asked))

    rates, rng = Schedule(0.1, 0.1).rates(1), np.random.default_rng(1)
    train_epoch(network, train, rates=rates, rng=rng, batch_size=4, sample_weight=weights, callbacks=[Counting()])
    assert counts == [int(weighted)] * 4
    assert len(asked) > counts[-1]


def test_the_number_of_values_read_does_not_depend_on_the_number_of_batches(device_backend, monkeypatch):
    asked, counts = record_reads(device_backend, monkeypatch), []
    for batch_size in (2, 7):
        network = Network([5, 4, 3], rng=np.random.default_rng(0), backend=device_backend, dtype="float64")
        asked.clear()
        rng = np.random.default_rng(1)
        fit(network, tiny_data(), epochs=1, schedule=Schedule(0.1, 0.1), rng=rng, batch_size=batch_size)
        counts.append(len(asked))
    assert counts[0] == counts[1] > 0


def test_each_additional_layer_reads_four_values_per_epoch(monkeypatch):
    """As lesson 09 says: two through the backend, to check whether W or R exploded, and two for the decorrelation."""
    backend, counts = StrictBackend(), []
    asked = record_reads(backend, monkeypatch)
    for sizes in ([5, 4, 3], [5, 4, 4, 3]):
        network = Network(sizes, rng=np.random.default_rng(0), backend=backend, dtype="float64")
        asked.clear()
        fit(network, tiny_data(), epochs=1, schedule=Schedule(0.1, 0.1), rng=np.random.default_rng(1))
        counts.append(Counter(asked))
    assert counts[1] - counts[0] == {"scalar": 2, "__float__": 4}  # `scalar` calls float


def test_divergence_on_a_device_stops_the_run_after_the_epoch(device_backend):
    with pytest.raises(DivergenceError, match=r"epoch 1, batch [1-4]: training diverged: weights .* lower eta_"):
        train_tiny(device_backend, Schedule(1e4, 1e4))


# ---------------------------------------------------------------- the boundary itself


def test_moving_there_and_back(backend):
    """Both ways copy: no memory is shared, values and dtype stay the same."""
    for dtype in PRECISION:
        values = np.arange(6, dtype=dtype).reshape(2, 3)
        moved = backend.asarray(values)
        values += 1
        back = backend.to_host(moved)
        assert backend.owns(moved)
        assert type(back) is np.ndarray
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, values - 1)
        back += 5
        np.testing.assert_array_equal(backend.to_host(moved), values - 1)
    assert backend.asarray([[1, 2]], "float32").dtype == backend.xp.float32
    backend.synchronize()


@pytest.mark.parametrize("values", [["a"], [b"a"], [None], np.zeros(1, "M8[s]")])
def test_values_that_are_not_numbers_are_refused(values, backend):
    with pytest.raises(InputError, match=r"^an array cannot hold values of dtype .*: convert them to numbers first$"):
        backend.asarray(values)


def test_a_pickled_backend_is_whole(backend):
    """By its name; array libraries cannot be pickled."""
    if backend.name == "strict":
        pytest.skip("no backend of the package")
    twin = pickle.loads(pickle.dumps(backend))
    assert type(twin) is type(backend)
    assert twin.owns(twin.asarray([1.0]))
    assert vars(twin).keys() == vars(backend).keys()


@dtypes
def test_the_fused_product(backend, dtype):
    """out += alpha A B, also for transposed operands; A and B stay unchanged."""
    rng = np.random.default_rng(0)
    out, A, B = rng.normal(size=(4, 3)), rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    there = [backend.asarray(values, dtype) for values in (out, A, B)]
    backend.matmul_add(there[0], there[1].T, there[2], -0.25)
    assert_equal_to(PRECISION[dtype], backend.to_host(there[0]), out - 0.25 * A.T @ B)
    np.testing.assert_array_equal(backend.to_host(there[1]), A.astype(dtype))
    np.testing.assert_array_equal(backend.to_host(there[2]), B.astype(dtype))


def test_a_scalar_is_a_float(backend):
    value = backend.scalar(backend.xp.sum(backend.asarray(np.ones((2, 3)))))
    assert type(value) is float
    assert value == 6


def test_backends_are_chosen_by_name():
    assert get_backend("numpy").name == "numpy"
    assert get_backend("auto").name == ("numpy" if why_no_gpu() else "cupy")
    strict = StrictBackend()
    assert get_backend(strict) is strict
    assert repr(get_backend("numpy")) == "<Backend numpy: cpu>"
    with pytest.raises(InputError, match="unknown backend 'nunpy': did you mean 'numpy'"):
        get_backend("nunpy")


def test_cupy_without_a_gpu_is_refused_with_the_reason():
    reason = why_no_gpu()
    if reason is None:
        pytest.skip("a GPU works here")
    with pytest.raises(BackendError, match="backend 'cupy' does not work here: ") as error:
        get_backend("cupy")
    assert reason in str(error.value)
    assert "\n" not in reason


@pytest.mark.gpu
@dtypes
@pytest.mark.parametrize("options", [*OPTIONS, *BIASED], ids=name_of)
def test_a_larger_network_learns_on_the_gpu_as_on_the_host(options, dtype):
    """Sizes that fill the device's tiles: twenty steps from the same seed."""
    rng = np.random.default_rng(0)
    y0, targets = rng.normal(size=(50, 100)) / 10, np.eye(10)[rng.integers(0, 10, 50)]
    predicted = []
    for backend in (get_backend("cupy"), get_backend("numpy")):
        network = make_network(backend, dtype, (100, 80, 60, 10), **options)
        batch = backend.asarray(y0, dtype), backend.asarray(targets, dtype)
        for _ in range(20):
            network.step(*batch, eta_W=1e-3, eta_R=1e-2)
        predicted.append(backend.to_host(network.predict(batch[0])))
    assert_equal_to(1e-3 if dtype == "float32" else 1e-9, predicted[0], predicted[1])
