"""The conformance kit on implementations that are right, that have a known fault, and that have another one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from own_adapter import OWN, fast_path
from ports import CARRIED, COPI, FAULTS, MATRIX, SIGNAL, W_NEW, Fault, load_port

from copi_np import InputError
from copi_np.conformance import THEOREMS, check_equations, check_theorems, known_answers, load_adapter, verify
from copi_np.conformance.adapter import DEFAULTS, Adapter
from copi_np.conformance.diagnosis import Sample, distance, matches
from copi_np.conformance.faults import FAULTS as DICTIONARY
from copi_np.conformance.learner import PARTS, SIGNAL_OF, Learner
from copi_np.conformance.reference import REFERENCE
from copi_np.conformance.terms import in_terms, lateral_terms

STEPS = ("step", "train")
FEW = 10
"""Random inputs per theorem, where one is enough to see that it does not hold."""


def named(faults):
    return pytest.mark.parametrize("fault", faults, ids=[f"{k}-{fault.cause}" for k, fault in enumerate(faults)])


def causes(adapter):
    return [finding.cause for finding in check_equations(adapter)[0] if not finding.agrees]


def alone(port, name):
    return {key: getattr(port, key) for key in (name, "asarray", "to_numpy")}


# ------------------------------------------------------------------------------------------------ what is right


@pytest.mark.parametrize("name", ["numpy_port"])
def test_a_right_port_conforms(name):
    port = load_port(name)
    assert verify(port).conforms
    assert causes(port.by_adam) == []


def test_the_fast_path_of_the_package_conforms():
    report = verify(OWN)
    assert report.conforms, str(report)
    assert {finding.name for finding in report.theorems} == {theorem.name for theorem in THEOREMS}
    assert report.missing == []
    assert str(report).startswith("conforms: all ")


@pytest.mark.parametrize("form", ["local", "none"])
def test_steps_by_other_settings_are_held_to_fewer_theorems(form):
    report = verify(fast_path({"decorrelation": form, "rule": "sgd" if form == "none" else "copi"}), examples=FEW)
    assert report.conforms, str(report)
    assert not any("Theorem 2" in finding.name for finding in report.theorems)


def test_a_trainer_alone_is_a_step_too():
    assert [finding.name for finding in check_equations(alone(load_port("numpy_port"), "train"))[0]] == [
        "step",
        "train",
    ]


def test_float32_conforms_within_its_precision():
    port = load_port("numpy_port")
    given = {name: getattr(port, name) for name in REFERENCE.keys() & vars(port).keys()} | {"step": port.step}
    report = verify(given | {"asarray": lambda array: np.array(array, np.float32)}, examples=FEW)
    assert report.conforms, str(report)
    assert max(finding.error for finding in report.equations) > 1e-9


def test_rounding_to_float32_on_the_way_is_named():
    """In the product alone, so that the result is float64 still."""

    def copi_update(W, x, z):
        return np.float64(np.float32(z.T @ x / len(x))) - W * (x * x).mean(0)

    assert causes({"copi_update": copi_update}) == ["single precision: results are rounded to float32 on the way"]


def test_distances_are_in_units_of_the_largest_number_or_of_1():
    """As the format page defines agreement."""
    assert distance(np.array([0.25, 0.0]), np.array([0.125, 0.0])) == 0.125
    assert distance(np.array([5.0, 0.0]), np.array([4.0, 1.0])) == 0.25
    assert distance([np.zeros(2), np.ones(2)], [np.zeros(2), np.zeros(2)]) == 1.0
    assert distance(np.zeros(2), np.zeros(3)) == distance([np.zeros(2)], np.zeros(2)) == np.inf
    assert distance(np.array([np.nan]), np.zeros(1)) == np.inf


def test_float32_may_be_off_by_1e7_tolerances_and_no_more():
    def off_by(error):
        return {
            "sgd_update": lambda x, delta: delta.T @ x / np.float32(len(x)) * np.float32(1 + error),
            "asarray": lambda array: np.array(array, np.float32),
        }

    assert causes(off_by(5e-6)) == []
    assert len(causes(off_by(5e-5))) == 1


def test_nothing_matches_where_there_is_no_result():
    sample = Sample("sgd_update/none", [np.ones((1, 1))] * 2, {}, None, np.ones((1, 1)))
    assert not matches(REFERENCE["sgd_update"], [sample], 1e-7)


def test_few_numbers_are_no_sum_of_many_terms():
    """Any numbers would be."""
    few, many = (lateral_terms(np.eye(n), np.arange(1.0, n + 1)[None]) for n in (2, 4))
    assert in_terms([(few, few["off(C) R"] - few["R"])], 1e-7) == ""
    assert in_terms([(many, many["off(C) R"] - many["R"])], 1e-7) != ""


# ------------------------------------------------------------------------------------------------ known faults


@named(FAULTS)
def test_a_planted_fault_is_diagnosed_by_name(fault):
    port = load_port("numpy_port", fault)
    assert any(fault.cause in cause for cause in causes(port.by_adam if fault.adam else port))


@named([fault for fault in FAULTS if fault.is_in_a_step])
@pytest.mark.parametrize("name", ["step", "train"])
def test_it_is_diagnosed_in_a_step_or_a_trainer_alone(fault, name):
    """Where none of the functions inside can be called."""
    found = causes(alone(load_port("numpy_port", fault), name))
    assert any(fault.cause in cause for cause in found), found


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name, faults in DICTIONARY.items() if name in REFERENCE for fault in faults],
)
def test_every_fault_of_the_dictionary_is_found_in_the_function(name, fault):
    assert causes({name: DICTIONARY[name][fault]}) == [fault]


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        (part, fault)
        for part, faults in DICTIONARY.items()
        if part in PARTS and part != "backpropagation"  # by its parts
        for fault in faults
    ],
)
def test_every_fault_of_the_dictionary_is_found_in_a_trainer(part, fault):
    signals = {name: kind for kind, name in SIGNAL_OF.items()} | {"reconstruction_update": "dtp"}
    rule = {"sgd_update": "sgd", "adam_update": "adam", "momentum_update": "momentum"}.get(part, "copi")
    form = "local" if part.startswith("local") else "matrix" if rule in ("copi", "sgd") else "none"
    settings = DEFAULTS | {"rule": rule, "decorrelation": form, "error_signal": signals.get(part, "bp")}
    parts = {**PARTS, part: DICTIONARY[part][fault]}
    given = {
        name: lambda *args, n=name, **rates: getattr(Learner(settings, parts), n)(*args, **rates) for name in STEPS
    }
    assert fault in causes(given | {"settings": settings})


# ------------------------------------------------------------------------------------- faults that nobody has listed

UNLISTED = {
    "decay of 0.9": (Fault(COPI, COPI.replace("- W", "- 0.9 * W"), "+0.1 W diag<x^2>"), "copi_update"),
    "damped": (
        Fault(COPI, COPI.replace("mean_square(x)", "(mean_square(x) + 1e-3)"), "-0.001 W,"),
        "copi_update",
    ),
    "rest of R": (
        Fault(MATRIX, MATRIX.replace("mean_square(x)", "(mean_square(x) + 1e-4)"), "+0.0001 R,"),
        "decorrelation_update",
    ),
    "leak of 0.2": (Fault("a, 0.1 * a)", "a, 0.2 * a)", "+0.2 a where a < 0"), "leaky_relu"),
    "clipped": (Fault(SIGNAL, SIGNAL.replace("return ", "return np.clip(") + ", -1, 1)", "no sum of"), "output_signal"),
    "half a hidden signal": (
        Fault("leaky_relu_derivative(a[k]) * carried", "leaky_relu_derivative(a[k]) * carried / 3", "+0.3333 f'(a)"),
        "backpropagation",
    ),
}


@pytest.mark.parametrize(("fault", "function"), UNLISTED.values(), ids=UNLISTED)
def test_an_unlisted_fault_is_traced_to_its_function(fault, function):
    """Its terms are shown, what was ruled out is named, and the step's fault is said to be that of the function."""
    findings = {finding.name: finding for finding in check_equations(load_port("numpy_port", fault))[0]}
    assert not findings[function].agrees
    assert fault.cause in findings[function].cause
    assert any("ruled out" in line for line in findings[function].details)
    assert any("smallest" in line for line in findings[function].details)
    assert findings["step"].cause == f"that of {function}: {findings[function].cause}"
    assert not [name for name in findings.keys() - {function, "step", "train"} if not findings[name].agrees]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            UNLISTED["damped"][0],
            ["wrong: W1, W2, W3 (of 3 layers)", "forward rule (line 14) is wrong", "-0.001 W, where"],
        ),
        (
            UNLISTED["rest of R"][0],
            ["wrong: R1, R2, R3", "so the decorrelation (Eq. 4) is wrong", "+0.0001 R, where -1 off(C) R"],
        ),
        (UNLISTED["half a hidden signal"][0], ["wrong: W1, W2 (of 3 layers)", "goes back into layer 2"]),
    ],
    ids=["W", "R", "signals"],
)
def test_an_unlisted_fault_of_a_step_alone_is_narrowed_down(fault, words):
    (found,) = causes(alone(load_port("numpy_port", fault), "step"))
    for word in words:
        assert word in found


LATER = {
    "eta": (
        ("eta_W, eta_R)\n    return", "eta_W / (2 if start else 1), eta_R)\n    return"),
        "a factor 1/2 (forward rule)",
    ),
    "R": (("eta_W, eta_R)\n    return", "eta_W, 0 if start else eta_R)\n    return"), "eta_R never arrives: R stays"),
    "decay": (
        (
            "eta_W, eta_R)\n    return",
            "eta_W, eta_R)\n        W = [W_k * (1 if start == 0 else 0.99) for W_k in W]\n    return",
        ),
        "none of the known faults; wrong: W1, W2, W3",
    ),
}


@pytest.mark.parametrize(("change", "cause"), LATER.values(), ids=LATER)
def test_a_trainer_that_goes_wrong_later_is_taken_apart_there(change, cause):
    (found,) = causes(load_port("numpy_port", Fault(*change, "")))
    assert found.startswith(f"right until batch 2, and there: {cause}")


def test_a_fault_in_some_cases_is_named_with_them():
    planted = CARRIED.replace("W[k + 1]", "(W[k + 1] if len(set(W[k + 1].shape)) > 1 else W[k + 1].T)")
    found = causes(load_port("numpy_port", Fault(CARRIED, planted, "")))
    assert found == [
        "transposed W on the way back, but only in: square",
        "that of backpropagation: transposed W on the way back, but only in: square",
        "that of the step",
    ]


def test_where_a_forward_pass_goes_wrong_is_told():
    (found,) = causes(alone(load_port("numpy_port", UNLISTED["leak of 0.2"][0]), "step"))
    assert "wrong: R2, R3, W1, W2, W3 (of 3 layers); so a = W x or the activation function or" in found


def test_writing_into_arguments_is_told():
    def sgd_update(x, delta):
        delta -= delta.mean(0)
        return delta.T @ x / len(x)

    (finding,) = check_equations({"sgd_update": sgd_update})[0]
    assert finding.cause == "x is centred"  # which gives the same
    assert "it writes into its arguments: delta" in finding.details


def test_a_step_may_write_into_weights_but_not_into_the_batch():
    port = load_port("numpy_port")

    def step(W, R, y0, targets, **rates):
        new = port.step(W, R, y0, targets, **rates)
        y0 *= 2
        return new

    def in_place(W, R, y0, targets, **rates):
        for of_name, new in zip((W, R), port.step(W, R, y0, targets, **rates), strict=True):
            for k, array in enumerate(new):
                of_name[k][...] = array
        return W, R

    assert list(theorems_that_fail({"step": step})) == ["step: the batch is left as it is"]
    assert theorems_that_fail({"step": in_place}) == {}
    assert causes({"step": in_place}) == []


def test_the_same_fault_in_two_parts_is_named_once():
    """Of the output layer and of hidden ones."""
    port = load_port("numpy_port", Fault("a > 0, 1.0, ", "a >= 0, 1.0, ", ""))
    assert causes(alone(port, "step")) == ["the derivative at 0 from the right"]


def test_every_function_with_known_answers_has_faults():
    names = {case.name for case in known_answers()} - set(STEPS)
    assert names == set(REFERENCE) & names
    assert names <= set(DICTIONARY)


def test_two_faults_at_once_are_both_named():
    port = load_port("numpy_port", Fault(COPI, COPI.replace(" - W", " + W"), ""))
    port.decorrelate = lambda R, y: y @ R
    (found,) = causes(alone(port, "step"))
    assert found == "transposed R: x = R^T y; and the sign of the decay of W"


# ------------------------------------------------------------------------------------------------- counterexamples


def theorems_that_fail(given):
    return {finding.name: finding for finding in check_theorems(given, FEW) if not finding.agrees}


def test_the_smallest_counterexample_is_shown():
    fault = Fault(COPI, COPI.replace("mean_square(x)", "mean_square(x).mean()"), "")
    failed = theorems_that_fail({"copi_update": load_port("numpy_port", fault).copi_update})
    details = failed["COPI is local: column j sees input j alone"].details
    assert details[0].endswith("the smallest input found:")
    assert details[1:] == ["    W = [[0.25, 0.0]]", "    x = [[0.0, 0.0]]", "    z = [[0.0]]"]


@pytest.mark.parametrize(
    ("name", "function", "theorem"),
    [
        ("copi_update", lambda W, x, z: np.subtract(z.T @ x / len(x), W * (x * x).mean(0), out=W), "left as they are"),
        ("sgd_update", lambda x, delta: delta.T @ x / len(x) * np.arange(1, len(x) + 1).sum(), "counted twice"),
        ("sgd_update", lambda x, delta: delta[:1].T @ x[:1], "order of the samples"),
        ("decorrelation_update", lambda R, x: -(x.T @ x @ R) / len(x), "keeps |det R|"),
        ("decorrelation_update", lambda R, x: -(x.T @ x - np.diag((x * x).sum(0))) @ R / len(x) ** 2, "counted twice"),
        ("decorrelation_update", lambda R, x: 1 / 0, "rests where C is diagonal"),
    ],
)
def test_a_theorem_reveals(name, function, theorem):
    assert [found for found in theorems_that_fail({name: function}) if theorem in found]


STEP_FAULTS = {
    "the same step twice": "W_k + eta_W * np.random.rand() *",
    "own step size": "W_k + eta_W * (1 + eta_R) *",
    "change nothing": "W_k + (eta_W + 1e-3) *",
    "follows the gradient": "W_k + 2 * eta_W *",
}


@pytest.mark.parametrize(("theorem", "planted"), STEP_FAULTS.items(), ids=STEP_FAULTS)
def test_a_theorem_about_steps_reveals(theorem, planted):
    port = load_port("numpy_port", Fault(W_NEW, f"W_new = [{planted}", ""))
    assert [found for found in theorems_that_fail(alone(port, "step")) if theorem in found]


def test_local_decorrelation_does_not_cancel():
    fault = Fault(MATRIX, "return local_decorrelation_update(R, x)", "")
    assert [name for name in theorems_that_fail(alone(load_port("numpy_port", fault), "step")) if "Theorem 2" in name]


# ---------------------------------------------------------------------------------------------- what cannot be run


def test_errors_are_findings_and_not_raised():
    """In one line, and without theorems, which would fail as well."""
    report = verify({"copi_update": lambda W, x: W})
    (finding,) = report.findings
    assert finding.cause.startswith("it fails in every case: TypeError: ")
    assert finding.details == []


def test_an_error_in_some_cases_is_told_from_wrong_numbers():
    def picky(W, x, z):
        return z.T @ x / len(x) - W * (x * x).mean(0) if len(x) > 1 else 1 / 0

    (found,) = causes({"copi_update": picky})
    assert found.startswith("right wherever it returns finite numbers")


NO_RESULTS = {
    "None": (lambda W, x, z: None, "it fails in every case: it returns None, not arrays of real numbers"),
    "text": (lambda W, x, z: "text", "it fails in every case: it returns <U4, not arrays of real numbers"),
    "complex": (lambda W, x, z: W + 0j, "it fails in every case: it returns complex128, not arrays of real numbers"),
    "NaN": (lambda W, x, z: W * np.nan, "it returns NaN or infinity in every case"),
    "exit": (lambda W, x, z: sys.exit(0), "it fails in every case: RuntimeError: it exits with 0"),
    "number": (lambda W, x, z: 0.5, "it returns (), where (2, 3) is right"),
    "list": (lambda W, x, z: [W], "it returns [(2, 3)], where (2, 3) is right"),
}


@pytest.mark.parametrize(("function", "cause"), NO_RESULTS.values(), ids=NO_RESULTS)
def test_what_is_no_update_is_named(function, cause):
    assert causes({"copi_update": function}) == [cause]


FORMS = {
    "swapped": (lambda W, R, new: new[::-1], "it returns (R, W), where (W, R) is right"),
    "moves": (
        lambda W, R, new: [[a - b for a, b in zip(*pair, strict=True)] for pair in zip(new, (W, R), strict=True)],
        "it returns what is to be added to W and R, and not the new W and R",
    ),
    **{
        name: (result, "it does not return (W, R), lists of one array per layer, in the shapes of its arguments")
        for name, result in {
            "an array": lambda W, R, new: np.ones(3),
            "one list": lambda W, R, new: [*new[0], *new[1]],
            "with a loss": lambda W, R, new: (*new, 0.5),
            "transposed": lambda W, R, new: ([W_k.T for W_k in new[0]], new[1]),
        }.items()
    },
}


@pytest.mark.parametrize(("result", "cause"), FORMS.values(), ids=FORMS)
def test_a_step_of_another_form_is_named(result, cause):
    port = load_port("numpy_port")

    def step(W, R, y0, targets, **rates):
        return result(W, R, port.step(W, R, y0, targets, **rates))

    (finding,) = [finding for finding in check_equations({"step": step})[0] if not finding.agrees]
    assert finding.cause == cause


def test_nothing_to_check_is_refused():
    with pytest.raises(InputError, match=r"nothing to check: give one of these functions: .*copi_update"):
        verify({})


def test_unknown_settings_are_refused():
    with pytest.raises(InputError, match="unknown settings rul: known: rule, error_signal, decorrelation"):
        Adapter({"settings": {"rul": "sgd"}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rule": "copy"}, r"no known answers of a step by copy bp matrix: .* may be copi bp matrix, copi bp local, "),
        ("copi", "settings must be a dict, such as"),
    ],
)
def test_settings_without_known_answers_are_refused(settings, words):
    with pytest.raises(InputError, match=words):
        verify({"settings": settings, "step": lambda *arrays, **rates: arrays[:2]})


def test_arrays_that_cannot_be_turned_into_theirs_are_refused():
    with pytest.raises(InputError, match=r"^asarray and to_numpy do not return a NumPy array \(ZeroDivisionError"):
        verify({"asarray": lambda array: 1 / 0})


@pytest.mark.parametrize("text", ["no_such_module:x", "json:no_such_name", "nowhere.py:x"])
def test_what_cannot_be_loaded_is_refused_in_one_line(text):
    with pytest.raises(InputError, match=r"^cannot load .*: give my_module:adapter or my_file.py:adapter$"):
        load_adapter(text)


def test_adapters_are_loaded_from_modules_and_files(tmp_path):
    assert load_adapter("copi_np.rules").__name__ == "copi_np.rules"
    (tmp_path / "mine.py").write_text("class adapter:\n    pass\n")
    assert load_adapter(f"{tmp_path / 'mine.py'}:adapter").__name__ == "adapter"


def test_a_report_is_plain_values_and_text():
    report = verify(load_port("numpy_port", FAULTS[10]), examples=FEW)
    values = report.as_dict()
    assert not values["conforms"]
    assert values["equations"][0].keys() >= {"name", "equation", "agrees", "error", "cause", "details"}
    text = str(report)
    assert text.startswith("does not conform: ")
    assert "likely cause: rows for columns" in text
    assert "DOES NOT HOLD" in text
    assert "not checked: " in text
