"""Measured results: tables match the records, pages show those tables, and nothing large is kept."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import mean

import pytest
from matplotlib.figure import Figure

from copi_np.experiments.diagnostics import read_diagnostics
from copi_np.experiments.records import find_runs
from copi_np.experiments.report import write_report

ROOT = Path(__file__).parents[2]
CAMPAIGNS = sorted(path.parent for path in (ROOT / "results").glob("*/*/table.md"))


@pytest.mark.parametrize("folder", CAMPAIGNS, ids=lambda folder: folder.name)
def test_tables_are_what_the_records_say(folder, tmp_path, monkeypatch):
    """Figures are drawn, but not rendered, which would take most of the time: test_plotting.py looks at them."""
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **look: file.write(b"figure"))
    shutil.copytree(folder / "runs", tmp_path / "runs")
    title = (folder / "table.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    _, files = write_report(tmp_path, title)
    for name in ("table.md", "summary.json"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (folder / name).read_text(encoding="utf-8")
    assert {path.name for path in files} == {path.name for path in folder.iterdir() if path.is_file()}


def test_the_commands_on_the_page_lead_to_these_tables():
    """Their titles and the largest number of seeds, for every folder; one of a single run has its own block."""
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    commands = re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1].replace("\\\n", "")
    written = {}
    for words in filter(None, map(shlex.split, commands.splitlines())):
        folder, title, seeds = (words[words.index(option) + 1] for option in ("--out", "--title", "--seeds"))
        written.setdefault(folder, {})[title] = max(int(seeds), written.get(folder, {}).get(title, 0))
    found = {}
    for folder in CAMPAIGNS:
        title = (folder / "table.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        if folder.name == "convolution":
            assert f'copi-np report surveys/convolution --title "{title}"' in page
            continue
        groups = json.loads((folder / "summary.json").read_text())
        found[folder.relative_to(ROOT / "results").as_posix()] = {title: max(len(group["seeds"]) for group in groups)}
    assert written == found


@pytest.mark.parametrize("folder", CAMPAIGNS, ids=lambda folder: folder.name)
def test_runs_are_whole_and_named_after_their_configuration(folder):
    for run in find_runs(folder)[0]:
        assert run.failure is None or "training diverged" in run.failure  # the end of a grid
        assert run.folder.name == run.description["name"]
        assert run.description["versions"]["copi-np"]
        assert not Path(run.config.dataset).is_absolute()


def test_no_weights_and_nothing_large_is_kept():
    tracked = [path for folder in CAMPAIGNS for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in tracked if path.name not in ("checkpoint.npz", ".lock")]  # which git ignores
    assert max(path.stat().st_size for path in kept) < 2_000_000
    assert {path.suffix for path in kept} <= {".json", ".jsonl", ".md", ".png", ".npz", ".toml", ".txt"}


def test_pages_show_the_tables_of_the_results():
    command = [sys.executable, str(ROOT / "tools" / "embed_tables.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# -------------------------------------------------------------------------------- numbers in the text of pages

TABLES = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "results").glob("*/*/table.md")))


@pytest.mark.parametrize("page", ["README.md", "docs/reproduction.md", "docs/claims.md"])
def test_means_and_deviations_are_in_a_table(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.findall(r"\d+\.\d+ ± \d+\.\d+", text)
    assert len(shown) > 5
    assert [value for value in shown if value not in TABLES] == []


COPI, FA, DECOR, ADAM = "COPI (BP)", "COPI (FA)", "BP + decorrelation", "BP (Adam)"
MOMENTUM, SGD = "BP (momentum)", "BP (SGD)"
TUNED = (COPI, ADAM, MOMENTUM, SGD)
METHODS = (COPI, DECOR, ADAM, FA)
MNIST = ("paper/mnist", "paper/mnist-5k")
BEST = ("train_accuracy", "peak_test_accuracy")


def summary(folder, label):
    groups = json.loads((ROOT / "results" / folder / "summary.json").read_text())
    return next(group for group in groups if group["label"] == label)


def likenesses(name, unit, form):
    """Return a measure of Figure 3 by layer, the mean of all seeds on MNIST."""
    paths = sorted((ROOT / "results" / "paper" / "mnist" / "runs").glob("copi-bp_*/figure3.json"))
    records = [json.loads(path.read_text())[name] for path in paths]
    return [format(unit * sum(values) / len(values), form) for values in zip(*records, strict=True)]


def peaks(folder, method):
    """Return the first and the last of the epochs at which the seeds of a method have their best test accuracy."""
    runs = [run for run in find_runs(ROOT / "results" / folder)[0] if run.config.method == method]
    epochs = [max(run.history, key=lambda epoch: epoch.test_accuracy).epoch for run in runs]
    return min(epochs), max(epochs)


def rises(folder, method, **settings):
    """Return by how many per cent the test loss ends above its lowest value, the least and the most of all seeds."""
    wanted = {"method": method, **settings}.items()
    runs = [run for run in find_runs(ROOT / "results" / folder)[0] if wanted <= run.config.as_dict().items()]
    losses = [[epoch.test_loss for epoch in run.history] for run in runs]
    percent = [100 * (loss[-1] / min(loss) - 1) for loss in losses]
    return [f"{value:.1f}" for value in (min(percent), max(percent))]


def compressed(folder, replaced):
    """Return the test accuracy with this many layers replaced by the formula, the mean of all seeds."""
    records = [json.loads(path.read_text()) for path in (ROOT / "results" / folder / "runs").glob("*/figure3.json")]
    return [f"{100 * sum(record['formula']['test_accuracy'][replaced] for record in records) / len(records):.2f}"]


def last_layers(method):
    """Return the diagnostics of the last epoch on mnist-5k, a list of layers for each seed."""
    folders = sorted((ROOT / "results" / "paper" / "mnist-5k" / "runs").glob(f"{method}_*"))
    return [read_diagnostics(folder)[-1].layers for folder in folders]


def last_angles(method):
    angles = [[layer.angle for layer in layers[:-1]] for layers in last_layers(method)]
    return [f"{sum(values) / len(values):.0f}" for values in zip(*angles, strict=True)]


def extremes_of_R(method):
    spectra = [layers[0].spectrum for layers in last_layers(method)]
    return [f"{sum(spectrum[end] for spectrum in spectra) / len(spectra):.2f}" for end in (0, -1)]


def lateral():
    """Return all layers with lateral weights."""
    return [layer for layers in last_layers("*") for layer in layers if layer.spectrum is not None]


def on_record(folder, label, quantity, digits=2):
    value = summary(folder, label)[quantity]["mean"]
    return f"{value * (100 if 'accuracy' in quantity else 1):.{digits}f}"


def chosen(survey, label):
    """Return the group with the best mean accuracy on validation samples among those of a method with all seeds."""
    groups = json.loads((ROOT / "results" / "surveys" / survey / "summary.json").read_text())
    groups = [group for group in groups if group["label"].split(", eta")[0].split(", delta")[0] == label]
    seeds = max(len(group["seeds"]) for group in groups)
    complete = [group for group in groups if len(group["seeds"]) == seeds]
    return max(complete, key=lambda group: group["selected_val_accuracy"]["mean"])


def accuracies(survey, label, *quantities):
    return [f"{100 * chosen(survey, label)[quantity]['mean']:.2f}" for quantity in quantities]


def whitened(decorrelation):
    groups = json.loads((ROOT / "results" / "surveys" / "whitening" / "summary.json").read_text())
    groups = [x for x in groups if x["config"]["decorrelation"].endswith(decorrelation) and len(x["seeds"]) == 3]
    best = max(groups, key=lambda group: group["selected_val_accuracy"]["mean"])
    return f"{100 * best['selected_test_accuracy']['mean']:.2f}"


def frozen(epoch, quantity="selected_test_accuracy"):
    """Return an accuracy with R frozen after an epoch, at the step size that is best on validation samples."""
    groups = json.loads((ROOT / "results" / "surveys" / "early" / "summary.json").read_text())
    groups = [x for x in groups if x["settings"]["rest_R_after"] == epoch and len(x["seeds"]) == 5]
    best = max(groups, key=lambda group: group["selected_val_accuracy"]["mean"])
    return f"{100 * best[quantity]['mean']:.2f}"


def to_accuracy(name, quantity, *labels):
    """Return the mean of what methods took until they reached an accuracy, for seeds that reached it; or a dash."""
    runs = speed(f"to-accuracy/{name}")["runs"]
    seconds = {(run["label"], run["config"]["seed"]): run["seconds"] for run in runs}
    found = []
    for label in labels:
        reached = [run for run in runs if run["label"] == label and run["epochs"] is not None]
        if quantity == "ratio":
            values = [run["seconds"] / seconds[COPI, run["config"]["seed"]] for run in reached]
        else:
            values = [run[quantity] for run in reached]
        found.append(f"{mean(values):.{2 if quantity == 'ratio' else 1}f}" if values else "-")
    return found


def cheap(quantity, form, method=COPI, samples="none", every=1, rest="none", survey="cheap-decorrelation"):
    """Return mean and deviation of a quantity in a survey of cheaper decorrelation."""
    settings = f"decorrelation_samples={samples}, " if method == COPI else ""
    settings += f"decorrelation_every={every}, " if method == COPI and every is not None else ""
    found = summary(f"surveys/{survey}", f"{method}, {settings}rest_R_after={rest}")[quantity]
    factor = 100 if "accuracy" in quantity else 1
    return [format(factor * found[name], form) for name in ("mean", "deviation")]


def speed(name):
    return json.loads((ROOT / "results" / "speed" / f"{name}.json").read_text())


def adam_on_the_deeper_network():
    """Return its training accuracy after ten epochs, and its best."""
    (run,) = (run for run in speed("to-accuracy/cifar10-deep-train")["runs"] if run["label"] == ADAM)
    return [f"{100 * accuracy:.1f}" for accuracy in (run["by_epoch"]["accuracy"][9], max(run["by_epoch"]["accuracy"]))]


def share_of_the_step(network, variant):
    """Return the time of a cheaper step, divided by that of the paper's."""
    return f"{speed(f'{network}-{variant}')['milliseconds']['step'] / speed(network)['milliseconds']['step']:.2f}"


def products_ms(name):
    return f"{speed(name)['milliseconds']['floor']:.1f}"


def best_with_frozen_R(data):
    """Return the best test accuracy of each seed of COPI with R frozen after epoch 4, which diverges later."""
    runs = find_runs(ROOT / "results" / "surveys" / f"cheap-decorrelation-{data}")[0]
    chosen = [run for run in runs if run.config.method == "copi-bp" and run.config.rest_R_after == 4]
    return [f"{100 * max(record.test_accuracy for record in run.history):.2f}" for run in chosen]


def seconds_of_cheaper(*labels):
    """Return the seconds of all epochs of each variant, divided by COPI's with the same seed, the mean over seeds."""
    runs = json.loads((ROOT / "results" / "speed" / "cheaper-mnist-5k.json").read_text())["runs"]
    seconds = {(run["label"], run["config"]["seed"]): sum(run["by_epoch"]["seconds"]) for run in runs}
    return [f"{mean(seconds[label, seed] / seconds['COPI', seed] for seed in range(3)):.2f}" for label in labels]


NATURAL = {
    "COPI": COPI,
    "normalised, $\\gamma = 1$": "COPI (BP), rule normalised_W_1, decorrelation normalised_R_1",
    "normalised, $\\gamma = 0.01$": "COPI (BP), rule normalised",
    "FOOF, $\\gamma = 0.01$": "BP (SGD), rule foof",
    "gradient descent": "BP (SGD)",
}
"""The methods of the table about generalisation, with their labels."""
LAST_AND_SELECTED = ("train_accuracy", "selected_test_accuracy")
ACTIVITY, ACTIVITY_DECOR = "Activity perturbation", "Activity perturbation + decorrelation"


def test_decorrelation_helps_activity_perturbation_with_every_seed():
    """Each at the rate and the epochs that are best on validation samples."""

    def of_each_seed(label):
        group, found = chosen("perturbation", label), {}
        for run in find_runs(ROOT / "results" / "surveys" / "perturbation")[0]:
            if run.config.method == group["config"]["method"] and run.config.eta_W == group["config"]["eta_W"]:
                found[run.config.seed] = max(run.history, key=lambda epoch: epoch.val_accuracy).test_accuracy
        return found

    without, with_R = of_each_seed(ACTIVITY), of_each_seed(ACTIVITY_DECOR)
    assert without.keys() == with_R.keys() == {0, 1, 2, 3, 4}
    assert all(with_R[seed] > without[seed] + 0.1 for seed in without)


@pytest.mark.parametrize(
    ("page", "written", "numbers"),
    [
        (
            "docs/claims.md",
            (
                "COPI {}, `bp-decor` {}, Adam {}; journal's: COPI and `bp-decor` {}, Adam {}, on mnist-5k COPI {}, "
                "`bp-decor` {}, Adam {}; CIFAR-10 (JPEG q75): COPI {}, `bp-decor` {}, both still rising; deeper "
                "network, COPI and `bp-decor` {}, training"
            ),
            [
                *(on_record("paper/mnist", label, "epochs_to_peak", 1) for label in (COPI, DECOR, ADAM)),
                *(on_record("paper/mnist-journal", label, "epochs_to_peak", 1) for label in (DECOR, ADAM)),
                *(on_record("paper/mnist-5k", label, "epochs_to_peak", 1) for label in (COPI, DECOR, ADAM)),
                *(on_record("paper/cifar10-jpeg", label, "epochs_to_peak", 1) for label in (COPI, DECOR)),
                on_record("paper/cifar10-deep-jpeg", DECOR, "epochs_to_peak", 1),
            ],
        ),
        (
            "docs/claims.md",
            "COPI and `bp-decor` {}, Adam 3.8, on mnist-5k",
            [on_record("paper/mnist-journal", COPI, "epochs_to_peak", 1)],
        ),
        (
            "docs/claims.md",
            "deeper network, COPI and `bp-decor` {}, training",
            [on_record("paper/cifar10-deep-jpeg", COPI, "epochs_to_peak", 1)],
        ),
        (
            "docs/claims.md",
            (
                "`bp-decor` {} to {} % on mnist-5k and {} to {} % on MNIST (five seeds each); Adam {} to {} % on "
                "CIFAR-10 (JPEG q75) and {} to {} % on MNIST in 25 epochs; COPI with convolutions {} to {} %, "
                "with feedback alignment in the deeper network {} to {} %, in the dense networks "
                "of the paper's figures at most {} %; tuned for MNIST, {} to {} % in"
            ),
            [
                *rises("paper/mnist-5k", "bp-decor"),
                *rises("paper/mnist-journal", "bp-decor"),
                *rises("paper/cifar10-jpeg", "bp-adam"),
                *rises("paper/mnist", "bp-adam"),
                *rises("surveys/convolution-cifar10", "copi-bp"),
                *rises("paper/cifar10-deep-jpeg", "copi-fa"),
                max(
                    (
                        rises(f"paper/{name}", "copi-bp")[1]
                        for name in (
                            "mnist",
                            "mnist-journal",
                            "mnist-5k",
                            "mnist-deep",
                            "cifar10-jpeg",
                            "cifar10-deep-jpeg",
                        )
                    ),
                    key=float,
                ),
                *rises("surveys/tuned-mnist", "copi-bp", eta_W=0.002),
            ],
        ),
        (
            "docs/reproduction.md",
            (
                "| MNIST {}, {}, {}, {}, journal's schedule {}, {}, {}, {}; mnist-5k, journal's schedule, {}, {}, {}, "
                "{}; the journal's network on CIFAR-10 (JPEG q75), ten epochs, {}, {}, -, - |"
            ),
            [
                *(
                    on_record(folder, x, "epochs_to_peak", 1)
                    for folder in ("paper/mnist", "paper/mnist-journal", "paper/mnist-5k")
                    for x in METHODS
                ),
                *(on_record("paper/cifar10-deep-jpeg", x, "epochs_to_peak", 1) for x in (COPI, DECOR)),
            ],
        ),
        ("docs/reproduction.md", "likeness {}, {}, {}, {} in layers 1 to 4", likenesses("likeness", 1, ".2f")),
        (
            "docs/reproduction.md",
            "(here {} and {}), backpropagation",
            [on_record(MNIST[0], COPI, q) for q in BEST],
        ),
        ("docs/reproduction.md", "99.89 and 96.3 ({} and {})", [on_record("paper/mnist", DECOR, q) for q in BEST]),
        (
            "docs/reproduction.md",
            "With feedback alignment COPI reaches {} % on the test set",
            [on_record("paper/mnist", FA, "test_accuracy")],
        ),
        ("docs/reproduction.md", "still classify {} %", compressed("paper/mnist-deep", 6)),
        (
            "docs/claims.md",
            "99 % of the best training accuracy at epoch {} and {} |",
            [on_record(folder, COPI, "epochs_to_peak", 1) for folder in ("paper/mnist", "surveys/mnist-constant")],
        ),
        (
            "docs/reproduction.md",
            "Adam classifies {} ± 2.00 % of the training set correctly, COPI {} ± 0.02 %",
            [on_record("paper/cifar10-deep-jpeg", label, "train_accuracy") for label in (ADAM, COPI)],
        ),
        (
            "docs/reproduction.md",
            "it classifies {} % of the other nine tenths correctly after ten epochs, and at most {} % within 25",
            adam_on_the_deeper_network(),
        ),
        (
            "docs/claims.md",
            "after ten epochs 99.72 ± 0.02, Adam {} ± 2.00;",
            [on_record("paper/cifar10-deep-jpeg", ADAM, "train_accuracy")],
        ),
        ("docs/reproduction.md", "to {}, {} and {}° in layers 1 to 3", last_angles("copi-fa")),
        ("docs/reproduction.md", "largest is {} and the smallest {};", extremes_of_R("copi-fa")),
        ("docs/reproduction.md", "it moves by {} at most", [f"{max(abs(x.log_volume) for x in lateral()):.5f}"]),
        (
            "docs/reproduction.md",
            "but not quite ([Theorem 3](theory.md#3-r-does-not-stay-symmetric)): {} % at most",
            [f"{100 * max(x.asymmetry for x in lateral()):.1f}"],
        ),
        (
            "docs/claims.md",
            (
                "five seeds: {} against {}, ahead in 5 of 5; with COPI's rule {}, and {} with node perturbation (three "
                "seeds); `bp-decor` reaches {}, gradient descent {}"
            ),
            [
                *accuracies("perturbation", ACTIVITY_DECOR, "selected_test_accuracy"),
                *accuracies("perturbation", ACTIVITY, "selected_test_accuracy"),
                *accuracies("perturbation", "COPI (activity perturbation)", "selected_test_accuracy"),
                *accuracies("perturbation", "COPI (node perturbation)", "selected_test_accuracy"),
                *accuracies("perturbation", DECOR, "selected_test_accuracy"),
                *accuracies("perturbation", SGD, "selected_test_accuracy"),
            ],
        ),
        (
            "docs/claims.md",
            "three seeds: normalised rule {} (damped by 1, {}), FOOF {}, COPI {}, gradient descent {} |",
            [
                *accuracies("natural", NATURAL["normalised, $\\gamma = 0.01$"], "selected_test_accuracy"),
                *accuracies("natural", NATURAL["normalised, $\\gamma = 1$"], "selected_test_accuracy"),
                *accuracies("natural", NATURAL["FOOF, $\\gamma = 0.01$"], "selected_test_accuracy"),
                *accuracies("natural", COPI, "selected_test_accuracy"),
                *accuracies("natural", SGD, "selected_test_accuracy"),
            ],
        ),
        (
            "docs/convolution.md",
            (
                "COPI classifies {} ± {} % of the test images correctly (three seeds). With one seed each, "
                "backpropagation with decorrelation reaches {} %, Adam {} %, and COPI with feedback alignment {} %"
            ),
            [
                on_record("surveys/convolution-cifar10", COPI, "test_accuracy"),
                f"{100 * summary('surveys/convolution-cifar10', COPI)['test_accuracy']['deviation']:.2f}",
                *(on_record("surveys/convolution-cifar10", x, "test_accuracy") for x in (DECOR, ADAM, FA)),
            ],
        ),
        (
            "docs/claims.md",
            (
                "five seeds, R learns alone in epoch 1: {} with R frozen after epoch 2 or 4, {} with R learning "
                "throughout; frozen after epoch 1, {} at the best epochs and {} after eight"
            ),
            [
                frozen(2),
                frozen(None),
                frozen(1),
                frozen(1, "test_accuracy"),
            ],
        ),
        (
            "docs/performance.md",
            (
                "COPI classifies {} ± {} % of the test set correctly, Adam {} ± {} %, momentum {} ± {} %, and gradient "
                "descent {} ± {} %."
            ),
            [
                f"{100 * chosen('tuned-fashion-mnist', label)['selected_test_accuracy'][part]:.2f}"
                for label in (COPI, ADAM, MOMENTUM, SGD)
                for part in ("mean", "deviation")
            ],
        ),
        *(
            ("docs/claims.md", f"{goal}) {{}}, {{}}, {{}}, {{}}", to_accuracy(name, "epochs", *TUNED))
            for name, goal in {
                "mnist-train": "MNIST (99.9 %",
                "fashion-train": "Fashion-MNIST (95 %",
                "cifar10-train": "CIFAR-10 (JPEG q75; 95 %",
                "mnist-validation": "MNIST (97.5 %",
                "fashion-validation": "Fashion-MNIST (90 %",
                "cifar10-validation": "CIFAR-10 (50 %",
            }.items()
        ),
        (
            "docs/claims.md",
            "deeper network {}, {}, {}, {}; on samples held out",
            to_accuracy("cifar10-deep-train", "epochs", *TUNED),
        ),
        (
            "docs/claims.md",
            "deeper network {}, {}, {}, {} (a dash",
            to_accuracy("cifar10-deep-validation", "epochs", *TUNED),
        ),
        (
            "docs/claims.md",
            "after five epochs of MNIST: {} ± 0.01 (two seeds), {}, {} (one);",
            [
                on_record("surveys/tuned-mnist", label, "test_accuracy")
                for label in (f"{COPI}, eta=0.002", f"{ADAM}, eta=0.0003", f"{MOMENTUM}, eta=0.03")
            ],
        ),
        (
            "docs/claims.md",
            (
                "Fashion-MNIST (two seeds) {} ± 0.08, {} ± 0.08, {} ± 0.27, CIFAR-10 (JPEG q75; one seed) {}, {}, {}, "
                "deeper network {}, {}, {} |"
            ),
            [
                accuracies(survey, label, "selected_test_accuracy")[0]
                for survey in ("tuned-fashion-mnist", "tuned-cifar10", "tuned-cifar10-deep")
                for label in (COPI, ADAM, MOMENTUM)
            ],
        ),
        (
            "docs/claims.md",
            (
                "as a share of COPI's: MNIST {}, {}, {}; Fashion-MNIST {}, {}, {}; CIFAR-10 (JPEG q75) {}, {}, {}, "
                "deeper network {}, {}, {};"
            ),
            [
                share
                for name in ("mnist", "fashion", "cifar10", "cifar10-deep")
                for share in to_accuracy(f"{name}-validation", "ratio", *TUNED[1:])
            ],
        ),
        (
            "docs/claims.md",
            (
                "highest test accuracy on MNIST: Adam at epochs {} to {} of 25, COPI at {} to {}; journal's, {} to {} "
                "of 15, {} to {} |"
            ),
            [
                epoch
                for folder in ("paper/mnist", "paper/mnist-journal")
                for method in ("bp-adam", "copi-bp")
                for epoch in peaks(folder, method)
            ],
        ),
        (
            "docs/claims.md",
            "twelve epochs: {} frozen after epoch 2, {} after epoch 4, {} throughout; `bp-decor` {}, {} and {}. MNIST",
            [
                cheap("test_accuracy", ".2f", method, rest=epoch)[0]
                for method in (COPI, DECOR)
                for epoch in (2, 4, "none")
            ],
        ),
        (
            "docs/performance.md",
            "| all samples (the paper's step) | 1.00, 1.00 | {} ± {} | {} ± {} | {} ± {} |",
            [
                *cheap("test_accuracy", ".2f"),
                *cheap("test_accuracy", ".2f", survey="cheap-decorrelation-mnist"),
                *cheap("test_accuracy", ".2f", every=None, survey="cheap-decorrelation-cifar10"),
            ],
        ),
        (
            "docs/performance.md",
            "| 5 of 50 samples | {}, {} | {} ± {} | {} ± {} | {} ± {} |",
            [
                *(share_of_the_step(name, "samples5") for name in ("mnist", "deep")),
                *cheap("test_accuracy", ".2f", samples=5),
                *cheap("test_accuracy", ".2f", samples=5, survey="cheap-decorrelation-mnist"),
                *cheap("test_accuracy", ".2f", samples=5, every=None, survey="cheap-decorrelation-cifar10"),
            ],
        ),
        (
            "docs/performance.md",
            "| every tenth batch | not timed | {} ± {} | {} ± {} | refused |",
            [
                *cheap("test_accuracy", ".2f", every=10),
                *cheap("test_accuracy", ".2f", every=10, survey="cheap-decorrelation-mnist"),
            ],
        ),
        (
            "docs/performance.md",
            "| all samples, in epochs 1 to 4 | then {}, {} | {} ± {} | diverges | diverges |",
            [
                *(share_of_the_step(name, "rest") for name in ("mnist", "deep")),
                *cheap("test_accuracy", ".2f", rest=4),
            ],
        ),
        (
            "docs/performance.md",
            "; W by gradient descent | not timed | {} ± {} | {} ± {} | {} ± {} |",
            [
                *cheap("test_accuracy", ".2f", DECOR, rest=4),
                *cheap("test_accuracy", ".2f", DECOR, rest=4, survey="cheap-decorrelation-mnist"),
                *cheap("test_accuracy", ".2f", DECOR, rest=4, survey="cheap-decorrelation-cifar10"),
            ],
        ),
        (
            "docs/performance.md",
            "they take {} instead of {} ms, and {} instead of {}. The",
            [products_ms(name) for name in ("cifar10-samples5", "cifar10", "deep-samples5", "deep")],
        ),
        ("docs/performance.md", "even the best epochs have only {} and {} %.", best_with_frozen_R("cifar10")),
        *(
            (
                page,
                "{} ± {}" + unit + " instead of {} ± {}",
                [
                    *cheap("test_accuracy", ".2f", DECOR, rest=4, survey=f"cheap-decorrelation-{data}"),
                    *cheap("test_accuracy", ".2f", DECOR, survey=f"cheap-decorrelation-{data}"),
                ],
            )
            for page, unit in (("docs/performance.md", " %"), ("docs/claims.md", ""))
            for data in ("mnist", "cifar10")
        ),
        (
            "docs/performance.md",
            "2, COPI reaches {} % at its best epochs (chosen on the test set; {} % if R learns throughout)",
            [cheap("peak_test_accuracy", ".2f", rest=epoch)[0] for epoch in (2, "none")],
        ),
        (
            "docs/performance.md",
            (
                "take {} of the time if R learns from every tenth batch, {} if it is frozen after epoch 4, {} if it "
                "learns from five samples; gradient descent takes {}, Adam {}."
            ),
            seconds_of_cheaper(
                "COPI, R learns from every 10th batch",
                "COPI, R frozen after epoch 4",
                "COPI, R learns from 5 samples",
                "gradient descent",
                "Adam",
            ),
        ),
        *(
            (
                "docs/performance.md",
                f"| {name} | {{}} ± {{}} | {{}} ± {{}} | {{}} ± {{}} | {{}} ± {{}} |",
                [
                    *cheap("test_accuracy", ".2f", COPI, rest=rest),
                    *cheap("train_loss", ".3f", COPI, rest=rest),
                    *cheap("test_accuracy", ".2f", DECOR, rest=rest),
                    *cheap("train_loss", ".3f", DECOR, rest=rest),
                ],
            )
            for name, rest in {"in all epochs": "none", "in epochs 1 to 4": 4, "in epochs 1 and 2": 2}.items()
        ),
        (
            "docs/claims.md",
            "three seeds: {}, {} and {} with $\\kappa = 0.2$, $0.5$ and $0.8$, {} without whitening",
            [whitened(name) for name in ("kappa_02", "kappa", "kappa_08", "matrix")],
        ),
        *(
            ("docs/theory.md", f"| {name} | {{}} | {{}} |", accuracies("natural", label, *LAST_AND_SELECTED))
            for name, label in NATURAL.items()
        ),
        ("docs/claims.md", "in layers 1 to 4: {}, {}, {}, {}; units", likenesses("likeness", 1, ".2f")),
        ("docs/claims.md", "against their digit: {}, {}, {}, {} % (five", likenesses("against", 100, ".0f")),
    ],
)
def test_other_numbers_are_on_record(page, written, numbers):
    """Wherever lines are broken."""
    flat = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert written.format(*numbers) in flat


@pytest.mark.parametrize(("data", "seeds", "epoch"), [("mnist", [0, 1, 2], 12), ("cifar10", [0, 1], 10)])
def test_with_R_frozen_copi_diverges_in_an_epoch_that_the_pages_name(data, seeds, epoch):
    runs = find_runs(ROOT / "results" / "surveys" / f"cheap-decorrelation-{data}")[0]
    frozen_runs = [run for run in runs if run.config.method == "copi-bp" and run.config.rest_R_after == 4]
    assert [run.config.seed for run in frozen_runs] == seeds
    assert all(run.failure.startswith(f"epoch {epoch}, ") for run in frozen_runs)


def test_no_record_names_a_folder_of_a_machine():
    files = [file for file in (ROOT / "results").rglob("*") if file.suffix in {".json", ".jsonl", ".toml", ".txt"}]
    assert len(files) > 1000
    folders = re.compile(r'"/[a-z]|/tmp/|/home/|/root/')
    assert [str(file) for file in files if folders.search(file.read_text(encoding="utf-8"))] == []


def test_every_bug_that_is_planted_has_its_place(monkeypatch):
    """The text that it replaces is in its file, exactly once: a quick check, where `make mutants` takes long."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    bugs = importlib.import_module("plant_bugs").BUGS
    assert len(bugs) > 100
    texts = {bug.file: (ROOT / "copi_np" / bug.file).read_text(encoding="utf-8") for bug in bugs}
    assert [bug.fault for bug in bugs if texts[bug.file].count(bug.text) != 1] == []
