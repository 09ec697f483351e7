"""The known answers are those of the oracles, and the package, in pure functions and in place, gives them."""

from __future__ import annotations

import json
from collections import Counter

import make_vectors
import numpy as np
import pytest
from own_adapter import OWN, by_settings, fast_path

from copi_np import family, rules
from copi_np.activations import ACTIVATIONS
from copi_np.conformance import check_equations, copy_vectors, known_answers
from copi_np.error_signals import ERROR_SIGNALS
from copi_np.losses import LOSSES
from copi_np.more_signals import ALL_SIGNALS

FILES = {path.stem: path for path in make_vectors.FOLDER.glob("*.json")}


def assert_same(one, other):
    """Equal, numbers to 14 digits: the last ones depend on the machine's exp and products."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_same(*pair)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-14, abs=1e-15)
    else:
        assert one == other


def test_every_file_is_made_and_none_is_left_over():
    assert set(FILES) == set(make_vectors.FILES)


@pytest.mark.parametrize("name", make_vectors.FILES)
def test_files_are_what_the_oracles_say(name):
    text = make_vectors.text_of(name)
    stored = FILES[name].read_text(encoding="utf-8")
    if stored != text:
        assert_same(json.loads(stored), json.loads(text))


@pytest.mark.parametrize("name", make_vectors.FILES)
def test_entries_have_finite_numbers_of_the_shapes_that_they_state(name):
    for entry in json.loads(FILES[name].read_text(encoding="utf-8"))["cases"]:
        arrays = entry["inputs"] | entry["outputs"]
        assert entry["shapes"].keys() == arrays.keys()
        for key, values in arrays.items():
            assert list(np.shape(values)) == entry["shapes"][key], (entry["id"], key)
            assert np.all(np.isfinite(values)), (entry["id"], key)


def test_every_equation_and_every_error_signal_has_known_answers():
    public = {
        name
        for module in (rules, family)
        for name, f in vars(module).items()
        if getattr(f, "__module__", "") == module.__name__ and callable(f) and name[0] != "_"
    }
    signals = {signal.deltas.__name__ for signal in (ALL_SIGNALS | ERROR_SIGNALS).values()}
    found = Counter(case.name for case in known_answers())
    assert public | signals | set(ACTIVATIONS) | set(LOSSES) <= set(found)
    assert len({case.id for case in known_answers()}) == sum(found.values())


def test_edge_cases_are_what_they_are_called():
    inputs = {case.id: case.inputs for case in known_answers()}
    assert np.all(inputs["copi_update/dead input"]["x"][:, 0] == 0)
    assert np.linalg.matrix_rank(inputs["copi_update/rank one"]["x"]) == 1
    assert inputs["copi_update/one sample"]["x"].shape[0] == 1
    assert inputs["copi_update/one unit"]["W"].shape == (1, 1)
    first = inputs["step/copi-bp-matrix/ties at 0"]
    assert np.all(first["y0"] @ first["R"][0].T @ first["W"][0][0] == 0)
    assert 0.0 in inputs["leaky_relu_derivative/ties at 0"]["a"]


def test_the_pure_functions_and_the_fast_steps_give_the_known_answers():
    findings, missing = check_equations(OWN)
    assert missing == []
    assert [str(finding) for finding in findings if not finding.agrees] == []


@pytest.mark.parametrize("settings", by_settings(), ids=lambda settings: "-".join(settings.values()))
def test_steps_by_every_rule_and_signal_give_the_known_answers(settings):
    """`Network.step`, one batch and ten, in place."""
    findings, _ = check_equations(fast_path(settings))
    assert [finding.name for finding in findings] == ["step", "train"]
    assert [str(finding) for finding in findings if not finding.agrees] == []


def test_the_files_are_copied(tmp_path):
    copies = copy_vectors(tmp_path / "new" / "folder")
    assert {path.stem for path in copies} == set(FILES)
    for path in copies:
        assert path.read_bytes() == FILES[path.stem].read_bytes()
