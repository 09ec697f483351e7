"""CuPy without a GPU: the package uses only what the record of the real CuPy lists, and the mock is strict.

`test_backends.py` tests that every public function, every step and whole runs work on the mock, along with the other
backends.
"""

from __future__ import annotations

import ast
import copy
import operator
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import array_api_compat
import cupy_mock
import numpy as np
import pytest
from cupy_mock import COMPAT, SURFACE, signature_of
from test_backends import OPTIONS, host_batch, make_network, name_of, tiny_data

import copi_np
from copi_np import InputError, get_backend, load_network, rules, save_network
from copi_np.backend import CuPyBackend, why_no_gpu
from copi_np.cli.doctor import describe, examine
from copi_np.experiments.config import RunConfig
from copi_np.experiments.methods import METHODS
from copi_np.experiments.runner import train_into

# ---------------------------------------------------------------- what the source uses

GIVES_NAMESPACE = {"array_namespace", "common_namespace"}
GIVES_INSTANCE = {"cupy.cuda.get_current_stream": "cupy.cuda.Stream", "cupy.cuda.Device": "cupy.cuda.Device"}


class Use(NamedTuple):
    """A name of CuPy in the source, with its arguments if it is called."""

    line: int
    path: str
    call: ast.Call | None


class Collector(ast.NodeVisitor):
    """Finds everything a module uses of CuPy: through ``xp``, ``cupy``, or any other name it gives them."""

    def __init__(self, source):
        self.names = {"xp": COMPAT}
        for _ in range(2):  # the first pass learns the names, in whatever order they appear
            self.uses = []
            self.visit(ast.parse(source))

    def path_of(self, node):
        """Return what an expression refers to, such as "cupy.cuda.Device", or None if it is not CuPy's."""
        match node:
            case ast.Name(name):
                return self.names.get(name)
            case ast.Attribute(owner, name):
                path = self.path_of(owner)
                return self.names.get(name) if path is None else f"{path}.{name}"
            case ast.Call(ast.Name(name) | ast.Attribute(_, name)) if name in GIVES_NAMESPACE:
                return COMPAT
            case ast.Call(function):
                return GIVES_INSTANCE.get(self.path_of(function))

    def learn(self, name, path):
        if path is not None and f"{path}.".startswith(("cupy.", f"{COMPAT}.")):
            self.names[name] = path

    def visit_Import(self, node):
        for alias in node.names:
            self.learn(alias.asname or alias.name, alias.name)

    def visit_ImportFrom(self, node):
        for alias in node.names:
            self.learn(alias.asname or alias.name, f"{node.module}.{alias.name}")

    def visit_Assign(self, node):
        pairs = [(target, node.value) for target in node.targets]
        for target, value in pairs:
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs.extend(zip(target.elts, value.elts, strict=True))
            elif isinstance(target, ast.Name | ast.Attribute):
                self.learn(getattr(target, "id", None) or target.attr, self.path_of(value))
        self.generic_visit(node)

    def visit_Attribute(self, node, call=None):
        path = self.path_of(node)
        if path is not None:
            self.uses.append(Use(node.lineno, path, call))
        self.visit(node.value)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute):
            self.visit_Attribute(node.func, node)
        elif path := self.path_of(node.func):
            self.uses.append(Use(node.lineno, path, node))
        for argument in [*node.args, *node.keywords]:
            self.visit(argument)


def recorded(path):
    """Return the record of a name, or None; array-api-compat passes on all names of CuPy that it does not wrap."""
    if path in SURFACE:
        return "data"
    owner, _, name = path.rpartition(".")
    passed_on = SURFACE.get(owner.replace(COMPAT, "cupy"), {})
    return (passed_on | SURFACE.get(owner, {})).get(name)


def misfits(source):
    """Return what a module uses that CuPy does not offer, one line each."""
    found = []
    for line, path, call in Collector(source).uses:
        offered = recorded(path)
        if offered is None and recorded(path.rpartition(".")[0]) is not None:
            found.append(f"line {line}: there is no {path}")
        elif call is not None and offered is not None and offered.startswith("("):
            found.extend(f"line {line}: {path}{offered}: {error}" for error in refusal(offered, call))
    return found


def refusal(offered, call):
    """Yield the reason why a call does not fit the recorded parameters, if it does not."""
    signature = signature_of(offered)
    positional = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
    keywords = {keyword.arg: None for keyword in call.keywords if keyword.arg is not None}
    is_whole = len(positional) + len(keywords) == len(call.args) + len(call.keywords)
    try:
        (signature.bind if is_whole else signature.bind_partial)(*positional, **keywords)
    except TypeError as error:
        yield error


MODULES = sorted(Path(copi_np.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: "-".join(path.parts[-2:]))
def test_the_package_uses_only_what_cupy_offers(path):
    assert misfits(path.read_text()) == []


def test_the_package_uses_cupy():
    """So the test above is not empty."""
    uses = [use for path in MODULES for use in Collector(path.read_text()).uses]
    names = {"mean", "where", "linalg.eigh", "linalg.solve", "isdtype", "take", "concat", "eye", "tanh", "finfo"}
    devices = {"cuda.Device", "cuda.runtime.getDeviceProperties", "cuda.Stream.synchronize", "cublas.gemm", "asnumpy"}
    assert {f"{COMPAT}.{name}" for name in names} | {f"cupy.{name}" for name in devices} <= {use.path for use in uses}
    keywords = {keyword.arg for use in uses if use.call for keyword in use.call.keywords}
    assert {"axis", "keepdims", "dtype", "device", "copy", "alpha", "beta", "out"} <= keywords


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("xp.einsum_path(a)", "there is no array_api_compat.cupy.einsum_path"),
        ("xp.linalg.eig2(a)", "there is no array_api_compat.cupy.linalg.eig2"),
        ("f(xp.no_such_constant)", "there is no array_api_compat.cupy.no_such_constant"),
        ("xp.random.Generator.normal(0, 1)", "there is no array_api_compat.cupy.random.Generator"),
        ("xp.mean(x, where=alive)", "unexpected keyword argument 'where'"),
        ("xp.mean(a, 0, None, None, False, alive)", "too many positional arguments"),
        ("xp.mean()", "missing a required argument"),
        ("xp.asarray(a, np.float32)", "too many positional arguments"),
        ("y = xp.exp(xp.sum(a, keepdim=True))", "unexpected keyword argument 'keepdim'"),
        ("xp.sum(*arrays, axes=0)", "unexpected keyword argument 'axes'"),
        ("array_namespace(a).foo(a)", "there is no array_api_compat.cupy.foo"),
        ("namespace = common_namespace('BI', a)\nnamespace.foo(a)", "line 2: there is no array_api_compat.cupy.foo"),
        ("network.backend.xp.foo", "there is no array_api_compat.cupy.foo"),
        ("b, lib = a, layer.backend.xp\nlib.foo(a)", "there is no array_api_compat.cupy.foo"),
        ("mean = xp.mean\nmean(a, where=b)", "unexpected keyword argument 'where'"),
        ("from array_api_compat import cupy as lib\nlib.foo", "there is no array_api_compat.cupy.foo"),
        ("import cupy\ncupy.foo()", "there is no cupy.foo"),
        ("import cupy as cp\ncp.asnumpy(a, dtype=None)", "unexpected keyword argument 'dtype'"),
        ("import cupy\nself._cupy = cupy\nself._cupy.cuda.foo()", "there is no cupy.cuda.foo"),
        ("from cupy import cublas\ncublas.gemm('N', 'N', A, B, gamma=1)", "unexpected keyword argument 'gamma'"),
        ("import cupy\ncupy.cuda.get_current_stream().wait()", "there is no cupy.cuda.Stream.wait"),
    ],
)
def test_what_cupy_lacks_is_found(source, message):
    (found,) = misfits(source)
    assert message in found


@pytest.mark.parametrize("call", ["xp.mean(*arrays, axis=0)", "xp.std(x, **options)", "numpy.foo()", "a.foo(where=1)"])
def test_what_may_fit_or_is_not_cupy_passes(call):
    assert misfits(call) == []


def test_the_record_is_of_the_versions_that_the_package_requires():
    assert int(SURFACE["versions"]["cupy"].split(".")[0]) >= 14
    assert list(SURFACE) == sorted(SURFACE)


# ---------------------------------------------------------------- the mock


@pytest.fixture
def cupy():
    with cupy_mock.installed() as module:
        yield module


@pytest.fixture
def array(cupy):
    return cupy.asarray([[1.0, 2.0], [3.0, 4.0]])


HOST = np.ones((2, 2))


@pytest.mark.parametrize(
    "convert",
    [np.asarray, np.array, np.mean, np.sqrt, np.isfinite, np.stack, lambda a: np.add(HOST, a), lambda a: HOST.dot(a)],
)
def test_no_array_reaches_the_host_unasked(array, convert):
    with pytest.raises(TypeError):
        convert(array)


OPERATORS = [getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "matmul", "pow", "gt", "eq", "iadd")]


@pytest.mark.parametrize("operation", OPERATORS)
@pytest.mark.parametrize("foreign", [HOST, [[1.0, 2.0], [3.0, 4.0]], None], ids=["array", "list", "None"])
def test_operators_refuse_what_is_not_on_the_device(array, operation, foreign):
    with pytest.raises(TypeError, match=r"Unsupported type|unsupported operand"):
        operation(array, foreign)


@pytest.mark.parametrize("operation", OPERATORS)
def test_operators_refuse_host_arrays_on_the_left_too(array, operation):
    with pytest.raises(TypeError, match=r"Unsupported type|does not support ufuncs"):
        operation(HOST.copy(), array)


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, a: xp.where(a > 0, a, HOST),
        lambda xp, a: xp.concatenate([a, HOST]),
        lambda xp, a: xp.sqrt(HOST),
        lambda xp, a: xp.mean([1.0, 2.0]),
        lambda xp, a: xp.linalg.solve(a, HOST),
        lambda xp, a: xp.take(a, np.array([0, 1]), axis=0),
        lambda xp, a: a.dot(HOST),
        lambda xp, a: a[np.array([0, 1])],
        lambda xp, a: a[[0, 1]],
        lambda xp, a: operator.setitem(a, slice(None), HOST),
    ],
)
def test_functions_methods_and_indices_refuse_host_arrays(cupy, array, call):
    with pytest.raises(TypeError, match="Unsupported type"):
        call(cupy, array)


@pytest.mark.parametrize("name", ["einsum_path", "random", "foo", "linalg.eig2", "cuda.foo", "ndarray.__imatmul__"])
def test_names_that_cupy_lacks_are_missing(cupy, name):
    with pytest.raises(AttributeError):
        operator.attrgetter(name)(cupy)


@pytest.mark.parametrize("name", ["__array_interface__", "__imatmul__", "data", "flags", "foo", "to_device"])
def test_attributes_that_cupy_lacks_or_that_leak_are_missing(array, name):
    assert not hasattr(array, name)


def test_keywords_that_cupy_lacks_are_refused(cupy, array):
    for call in (cupy.mean, cupy.sum, cupy.max, cupy_mock.ndarray.sum):
        with pytest.raises(TypeError, match="unexpected keyword argument 'where'"):
            call(array, where=array > 0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'device'"):
        cupy.eye(3, device=None)


def test_the_mock_has_no_names_that_cupy_lacks(cupy):
    """What is written by hand is in the record as well."""
    modules = {"linalg": cupy.linalg, "cuda": cupy.cuda, "cublas": cupy.cublas, "cuda.runtime": cupy.cuda.runtime}
    instances = {"cuda.Device": cupy.cuda.Device(), "cuda.Stream": cupy.cuda.get_current_stream()}
    parts = {f"cupy.{name}": part for name, part in (modules | instances | {"ndarray": cupy.ndarray}).items()}
    for path, part in (parts | {"cupy": cupy}).items():
        own = {name for name in dir(part) if not name.startswith("_")} - set(modules)
        assert own
        assert own <= set(SURFACE[path])


def test_arrays_combine_with_numbers_and_keep_their_dtype(array):
    single = array.astype(np.float32)
    for number in (2, 2.0, True, np.float32(2)):
        assert (number * single).dtype == (single + number).dtype == np.float32
    assert (np.float64(2) * single).dtype == np.float64
    assert type(np.float64(2) * single) is type(array)


def test_every_result_is_a_device_array(cupy, array):
    results = [array.sum(), cupy.mean(array), array[0, 0], array.T, *array, *cupy.linalg.eigh(array), cupy.ones(2)]
    assert {type(result) for result in results} == {cupy.ndarray}
    assert array.sum().shape == ()


def test_values_reach_the_host_on_request(cupy, array):
    assert float(array.sum()) == array.sum().item() == 10
    assert int(array[1, 1]) == 4
    assert bool(cupy.all(array > 0))
    for host in (cupy.asnumpy(array), array.get()):
        assert type(host) is np.ndarray
        host += 1
    assert float(array.sum()) == 10
    with pytest.raises(ValueError, match="ambiguous"):
        bool(array > 0)


def test_host_data_are_copied(cupy):
    host = np.ones(3)
    there = cupy.asarray(host)
    host += 1
    assert float(there.sum()) == 3


def test_in_place_is_in_place(cupy, array):
    same, view = array, array.T
    array += 1
    cupy.cublas.gemm("N", "N", array.T, array, out=array, alpha=0.0, beta=2.0)
    assert same is array
    np.testing.assert_array_equal(view.get(), [[4, 8], [6, 10]])


def test_a_singular_matrix_raises_no_error(cupy):
    assert bool(cupy.isnan(cupy.linalg.inv(cupy.zeros((2, 2)))).all())


def test_the_mock_leaves_no_trace():
    def known():
        return [name for name in sys.modules if name.split(".")[0] == "cupy" or name.startswith(COMPAT)]

    before, reason, had = known(), why_no_gpu(), hasattr(array_api_compat, "cupy")
    with cupy_mock.installed() as cupy:
        left_over = cupy.ones(2)
        assert array_api_compat.array_namespace(left_over).__name__ == COMPAT
        assert why_no_gpu() is None
    assert (known(), why_no_gpu(), hasattr(array_api_compat, "cupy")) == (before, reason, had)
    with pytest.raises(TypeError, match="not a supported array type"):
        array_api_compat.array_namespace(left_over)


# ---------------------------------------------------------------- the package on it


def test_the_backend_and_the_report_are_the_real_ones(cupy):
    backend = get_backend("auto")
    assert type(backend) is CuPyBackend
    assert backend.xp.__name__ == COMPAT
    assert "works: mock of CuPy" in describe(examine())
    with pytest.raises(InputError, match="need arrays of one library"):
        rules.mean_outer(backend.asarray(HOST), HOST)


def test_why_no_gpu_names_what_fails(cupy, monkeypatch):
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    assert "finds no CUDA device" in why_no_gpu()
    monkeypatch.undo()
    monkeypatch.setattr(cupy_mock.ndarray, "sum", lambda self: self.foo)
    assert "its GPU does not work (AttributeError" in why_no_gpu()


@pytest.mark.parametrize("options", OPTIONS[:5], ids=name_of)
def test_networks_are_saved_loaded_and_copied(cupy, options, tmp_path):
    """From the device to a file, and back to the device or the host."""
    network = make_network("cupy", "float32", **options)
    y0, targets = (network.backend.asarray(values, "float32") for values in host_batch())
    network.step(y0, targets, eta_W=0.01, eta_R=0.02)
    save_network(tmp_path / "network.npz", network, {"epochs": 1})
    expected = network.predict(y0).get()
    for name in ("cupy", "numpy"):
        loaded, metadata = load_network(tmp_path / "network.npz", backend=name)
        predicted = loaded.backend.to_host(loaded.predict(loaded.backend.asarray(host_batch()[0], "float32")))
        np.testing.assert_array_equal(predicted, expected)
        assert metadata == {"epochs": 1}
    twin = copy.deepcopy(network)
    twin.step(y0, targets, eta_W=0.01)
    np.testing.assert_array_equal(network.predict(y0).get(), expected)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_on_the_device_as_on_the_host(cupy, method, tmp_path):
    """The recorded histories are equal, up to rounding and seconds."""
    config = RunConfig(
        method, "tiny", (5, 4, 3), 2, 0.05, 0.05, batch_size=4, seed=3, dtype="float64", val_fraction=0.3
    )
    histories = [train_into(tmp_path / name, config, tiny_data(), name) for name in ("cupy", "numpy")]
    for there, here in zip(*histories, strict=True):
        for name, value in replace(here, seconds=there.seconds).as_dict().items():
            assert getattr(there, name) == pytest.approx(value, rel=1e-9)
    assert "mock of CuPy" in (tmp_path / "cupy" / "run.json").read_text()


def test_a_singular_moment_is_refused(cupy):
    backend = get_backend("cupy")
    x = backend.asarray(np.ones((6, 3)))
    with pytest.raises(InputError, match="cannot be inverted"):
        rules.inference_update(backend.asarray(np.ones((2, 3))), x, backend.asarray(np.ones((6, 2))))
