"""The notation and the summary sheet agree with the code, and each prints on one page."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from copi_np import Network, algorithm, rules, whitening
from copi_np.course.lesson_00 import draw_layer
from copi_np.error_signals import SIGNAL_ARGUMENTS
from copi_np.losses import LOSSES
from copi_np.steps import FORWARD_ARGUMENTS, LATERAL_ARGUMENTS

ROOT = Path(__file__).parents[2]
NOTATION, SUMMARY = ((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("notation", "summary"))
SIZES = {"B": 11, "I": 7, "O": 5, "K": 3}
WORDS = {"layers", "trace", "rng", "sample_weight", "u", "v", "y0", "delta_L"}
"""Arguments that need no symbol: lists and generators, the factors of a product, and x of one layer."""


def rows(text):
    """Return the cells of the rows of tables, without their headings."""
    found = [re.split(r"\s*\|\s*", line)[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [row for row in found if row[0] not in ("symbol", "line", "")]


def codes(cell):
    return re.findall(r"`(\w+)`", cell)


# ------------------------------------------------------------------------------------------------------- notation


@pytest.fixture(scope="module")
def values():
    """What the names on the notation sheet stand for, in the hidden layer of a network that sees one batch."""
    rng = np.random.default_rng(0)
    network = Network([4, SIZES["I"], SIZES["O"], SIZES["K"]], rng=rng, error_signal="fa", dtype="float64")
    y0, targets = rng.normal(size=(SIZES["B"], 4)), rng.normal(size=(SIZES["B"], SIZES["K"]))
    trace = algorithm.forward(network.layers, y0)
    deltas = algorithm.error_signals(network.layers, trace, targets)
    W, R, y = network.layers[1].W, network.layers[1].R, trace.y[0]
    x, a, delta, sigma = rules.decorrelate(R, y), trace.a[1], deltas[1], whitening.second_moment(y)
    C = whitening.second_moment(x)
    return {
        "y": y, "x": x, "a": a, "y_out": trace.y[1], "delta": delta, "z": rules.target_state(a, delta),
        "q": rules.decorrelate(R, x), "targets": targets, "loss": LOSSES["quadratic"].mean(trace.y[-1], targets),
        "R": R, "W": W, "feedback": network.feedback[0], "eta_W": 0.1, "eta_R": 0.1, "delta_scale": 1.0,
        "D": rules.linear_map(x, a), "C": C, "sigma": sigma, "V": np.diag(rules.mean_square(x)),
        "E": whitening.off_diagonal(C), "G": rules.sgd_update(x, delta), "M": W @ R, "P": whitening.zca(sigma),
        "hadamard_defect": whitening.hadamard_defect(C), "rho": C[0, 1] / np.sqrt(C[0, 0] * C[1, 1]),
    }  # fmt: skip


def test_every_symbol_and_every_name_has_one_meaning():
    symbols = [symbol for row in rows(NOTATION) for symbol in re.split(r",\\ ", row[0].strip("$"))]
    names = [name for row in rows(NOTATION) for name in codes(row[1])]
    meanings = [row[2] for row in rows(NOTATION)]
    for kind in (symbols, names, meanings):
        assert len(kind) == len(set(kind)) > 25


def test_shapes_are_those_of_a_network(values):
    """Every row with a shape, and no other value."""
    seen = set()
    for _, code, _, shape, _ in rows(NOTATION):
        for name in codes(code) if shape else ():
            letters = re.findall("[A-Z]", shape)
            assert shape == ("scalar" if not letters else f"`({', '.join(letters)})`")
            assert np.shape(values[name]) == tuple(SIZES[letter] for letter in letters), name
            seen.add(name)
    assert seen == set(values)


def test_the_definitions_hold(values):
    """Of the symbols that others define."""
    x, delta, C = values["x"], values["delta"], values["C"]
    np.testing.assert_allclose(C, values["V"] + values["E"])
    np.testing.assert_allclose(C, x.T @ x / SIZES["B"])
    np.testing.assert_allclose(values["G"], delta.T @ x / SIZES["B"])
    np.testing.assert_allclose(values["a"], values["y"] @ values["M"].T)
    np.testing.assert_allclose(values["hadamard_defect"], np.sum(np.log(np.diag(C))) - np.log(np.linalg.det(C)))


def test_the_arguments_of_every_rule_are_on_the_sheet():
    """Of the equations, of Algorithm 1, and those that a rule of one's own may ask for."""
    names = {name for row in rows(NOTATION) for name in codes(row[1])}
    functions = [f for _, f in inspect.getmembers(rules, inspect.isfunction) if f.__module__ == rules.__name__]
    functions.append(algorithm.train_batch)
    arguments = {name for function in functions for name in inspect.signature(function).parameters}
    arguments |= {*SIGNAL_ARGUMENTS, *FORWARD_ARGUMENTS, *LATERAL_ARGUMENTS}
    assert arguments - names <= WORDS | {"rule", "decorrelation", "options"}


# -------------------------------------------------------------------------------------------------------- summary


def test_every_line_of_algorithm_1_is_in_the_code():
    """The line of the code ends with the number in a comment, and reads as on the sheet, where .. is left out."""
    source = inspect.getsource(algorithm)
    lines = [row for row in rows(SUMMARY) if row[0].isdecimal()]
    assert [row[0] for row in lines] == ["4", "5", "6", "7", "9", "10", "13", "14", "15"]
    for number, _, code in lines:
        commented = re.search(rf"^.*  # {number}\b", source, re.MULTILINE)[0]
        assert re.match(r"\s*" + re.escape(code.strip("`")).replace(r"\.\.", ".*"), commented), number


def test_the_rules_on_the_sheet_compute_what_they_say():
    """Eqs. 1 to 6, written out with NumPy."""
    rng = np.random.default_rng(1)
    W, R, D = rng.normal(size=(5, 7)), rng.normal(size=(7, 7)), rng.normal(size=(5, 7))
    x, z = rng.normal(size=(11, 7)), rng.normal(size=(11, 5))
    C, zx, q = x.T @ x / 11, z.T @ x / 11, x[:1] @ R.T
    off_C = C - np.diag(np.diag(C))
    expected = {
        "Eq. 1": (D - W, rules.decay_towards(W, D)),
        "Eq. 2": (zx @ np.linalg.inv(C) - W, rules.inference_update(W, x, z)),
        "Eq. 3": (zx - W @ np.diag(np.diag(C)), rules.copi_update(W, x, z)),
        "Eq. 4": (-off_C @ R, rules.decorrelation_update(R, x)),
        "Eq. 5": (z[:1].T * x[0] - W * x[0] ** 2, rules.copi_update(W, x[:1], z[:1])),
        "Eq. 6": (-(q.T * x[0] - R * x[0] ** 2), rules.local_decorrelation_update(R, x[:1])),
    }
    assert [row[0] for row in rows(SUMMARY) if row[0].startswith("Eq")] == list(expected)
    for by_hand, by_rule in expected.values():
        np.testing.assert_allclose(by_rule, by_hand, atol=1e-12)
    np.testing.assert_allclose(rules.local_decorrelation_update(R, x), -R @ off_C, atol=1e-12)


def test_the_picture_is_that_of_the_course(tmp_path):
    """In an SVG by matplotlib, text is drawn as outlines, and repeated in comments."""

    def texts(path):
        return re.findall(r"<!-- (.*?) -->", path.read_text())

    draw_layer().savefig(tmp_path / "layer.svg")
    assert texts(ROOT / "docs" / "figures" / "layer.svg") == texts(tmp_path / "layer.svg") != []


# ---------------------------------------------------------------------------------------------------------- paper


@pytest.mark.xdist_group("site")
@pytest.mark.parametrize("sheet", ["notation", "summary"])
def test_a_sheet_is_one_page(sheet, site, browser):
    """On both sizes of paper, in points; the page links to both."""
    page = (site / "docs" / f"{sheet}.html").read_text(encoding="utf-8")
    for paper, size in {"a4": (595, 842), "letter": (612, 792)}.items():
        assert f'href="{sheet}-{paper}.pdf"' in page
        pdf = (site / "docs" / f"{sheet}-{paper}.pdf").read_bytes()
        assert re.findall(rb"/Count (\d+)", pdf) == [b"1"]
        width, height = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf).groups()
        np.testing.assert_allclose([float(width), float(height)], size, atol=1)
