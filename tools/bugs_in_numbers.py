"""Bugs to plant outside the mathematics: in the numbers, figures and options that users see. See plant_bugs.py.

Each is planted in turn and must be found by the tests it stands under: the arguments that pytest gets.
"""

from __future__ import annotations

REPORT = "tests/experiments/test_report_numbers.py"
WORKERS = "tests/experiments/test_measured_numbers.py -k workers"
MEASURED = "tests/experiments/test_measured_numbers.py -k 'not workers'"
FIGURE3 = "tests/experiments/test_figure3.py " + MEASURED
CONFIG = "tests/experiments/test_config.py " + REPORT
SELECTED = "tests/training/test_selected_numbers.py"
ESTIMATORS = "tests/training/test_estimator_numbers.py"
DATA = "tests/storage/test_data_numbers.py tests/storage/test_datasets.py"
COURSE = "tests/course/test_slider_numbers.py tests/course/test_animation.py"
DIAGNOSTICS = "tests/training/test_diagnostics.py " + MEASURED
NATURAL = (
    "tests/mathematics/test_analysis.py tests/training/test_diagnostics.py "
    "-k 'natural or foof or cosine or step_that or step_sizes'"
)
PICTURES = "tests/experiments/test_plotting.py -k 'not pages and not legible'"
OPTIONS = "tests/cli/test_every_option.py -k "

RECORDS = "tests/experiments/test_report.py -k 'copies or damaged or frame or missing or records'"
TASKS = "tests/experiments/test_sweep.py -k 'task or nobody_checked'"

DEFAULTS = "tests/experiments/test_default_numbers.py"
CAMPAIGN = "tests/experiments/test_campaign.py -k 'diverged or forgotten'"
TIMES = "tests/experiments/test_to_accuracy.py"
CHEAP = "tests/training/test_cheap_decorrelation.py"
BIASES = "tests/mathematics/test_bias.py tests/storage/test_bias_checkpoint.py"
STEPS = "tests/mathematics/test_layer.py tests/mathematics/test_network.py"
FAMILY = "tests/mathematics/test_family.py " + " ".join(
    f"tests/mathematics/theorems/test_{name}.py"
    for name in ("13_kappa_and_gain", "14_normalised", "15_natural_gradient")
)
SIGNALS = "tests/mathematics/theorems/test_16_perturbations.py tests/mathematics/theorems/test_19_learned_feedback.py"
OTHER_RULES = "tests/training/test_decorrelator_family.py"

NUMBERS: dict[str, list[tuple[str, str, str, str]]] = {
    REPORT: [
        # summary
        ("summary: n for n - 1", "experiments/summary.py", "array.std(ddof=1)", "array.std()"),
        ("summary: median over seeds", "experiments/summary.py", "float(array.mean())", "float(np.median(array))"),
        ("summary: 95 % of the peak", "experiments/summary.py", "Final = 0.99", "Final = 0.95"),
        (
            "summary: peak of the test accuracy for epochs to the peak",
            "experiments/summary.py",
            "    peak = max(record.train_accuracy for record in history)",
            "    peak = max(record.test_accuracy for record in history)",
        ),
        (
            "summary: mean time of an epoch",
            "experiments/summary.py",
            "float(np.median([record.seconds",
            "float(np.mean([record.seconds",
        ),
        (
            "summary: last test accuracy for the selected one",
            "experiments/summary.py",
            '"selected_test_accuracy": lambda history: history[best_epoch(history) - 1]',
            '"selected_test_accuracy": lambda history: history[-1]',
        ),
        (
            "summary: selected by the loss",
            "experiments/summary.py",
            '"selected_epoch": best_epoch,',
            '"selected_epoch": lambda history: best_epoch(history, "val_loss"),',
        ),
        (
            "summary: selected validation accuracy one epoch late",
            "experiments/summary.py",
            "cast(float, history[best_epoch(history) - 1].val_accuracy)",
            "cast(float, history[min(best_epoch(history), len(history) - 1)].val_accuracy)",
        ),
        (
            "summary: best test accuracy at the best training accuracy",
            "experiments/summary.py",
            '"peak_test_accuracy": lambda history: max(record.test_accuracy for record in history)',
            '"peak_test_accuracy": lambda history: max(history, key=lambda r: r.train_accuracy).test_accuracy',
        ),
        ("summary: epochs of the longest run", "experiments/summary.py", "min(map(len", "max(map(len"),
        (
            "summary: groups of any dtype",
            "experiments/summary.py",
            "seed=0, epochs=1,",
            "seed=0, dtype='float32', epochs=1,",
        ),
        (
            "summary: groups of any first epochs",
            "experiments/summary.py",
            "seed=0, epochs=1,",
            "seed=0, first_epochs=0, epochs=1,",
        ),
        (
            "summary: groups of any scale of the error signal",
            "experiments/summary.py",
            "seed=0, epochs=1,",
            "seed=0, delta_scale=1.0, epochs=1,",
        ),
        ("summary: groups of one patience", "experiments/summary.py", "epochs=1, patience=0,", "epochs=1,"),
        (
            "summary: compared at the last epoch of the first",
            "experiments/summary.py",
            "epoch = min(group.n_epochs, other.n_epochs)",
            "epoch = other.n_epochs",
        ),
        (
            "summary: compared by the training accuracy",
            "experiments/summary.py",
            "theirs = {run.config.seed: run.history[epoch - 1].test_accuracy",
            "theirs = {run.config.seed: run.history[epoch - 1].train_accuracy",
        ),
        (
            "summary: equal is ahead",
            "experiments/summary.py",
            "sum(difference > 0 for",
            "sum(difference >= 0 for",
        ),
        (
            "summary: seeds in the order of folders",
            "experiments/summary.py",
            "sorted(families[key], key=lambda run: run.config.seed)",
            "sorted(families[key], key=lambda run: -run.config.seed)",
        ),
        # tables
        (
            "tables: last test accuracy in the column of the selected one",
            "experiments/tables.py",
            'percent(group.statistic("selected_test_accuracy"))',
            'percent(group.statistic("test_accuracy"))',
        ),
        (
            "tables: deviation not in per cent",
            "experiments/tables.py",
            "None if value.deviation is None else 100 * value.deviation",
            "value.deviation",
        ),
        (
            "tables: training and test columns swapped",
            "experiments/tables.py",
            'Final = ("train_accuracy", "test_accuracy", "peak_test',
            'Final = ("test_accuracy", "train_accuracy", "peak_test',
        ),
        (
            "tables: losses swapped",
            "experiments/tables.py",
            '"epochs_to_peak", "train_loss", "test_loss")',
            '"epochs_to_peak", "test_loss", "train_loss")',
        ),
        ("tables: losses with two digits", "experiments/tables.py", '4 if "loss" in name', '2 if "loss" in name'),
        ("tables: number of all runs", "experiments/tables.py", 'f"{len(group.runs)}x', 'f"{group.config.epochs}x'),
        (
            "tables: deviation before the mean",
            "experiments/tables.py",
            'for suffix in ("", "_std")]',
            'for suffix in ("_std", "")]',
        ),
        ("tables: numbers of six digits", "experiments/tables.py", "repr(value) for value", "f'{value:.6g}' for value"),
        (
            "tables: selected rows of all groups",
            "experiments/tables.py",
            "        if group.config.val_fraction\n",
            "        if group.config.val_fraction < 0.2\n",
        ),
        (
            "tables: epochs as configured",
            "experiments/tables.py",
            "len(group.runs), group.n_epochs, *cells",
            "len(group.runs), group.config.epochs, *cells",
        ),
        (
            "tables: history of the first run only",
            "experiments/tables.py",
            "        for run in group.runs\n        for record in run.history\n",
            "        for run in group.runs[:1]\n        for record in run.history\n",
        ),
        (
            "tables: validation and test swapped by epoch",
            "experiments/tables.py",
            "(record.train_accuracy, record.val_accuracy, record.test_accuracy)",
            "(record.train_accuracy, record.test_accuracy, record.val_accuracy)",
        ),
        (
            "tables: index for the epoch",
            "experiments/tables.py",
            "str(run.config.seed), str(record.epoch)",
            "str(run.config.seed), str(record.epoch - 1)",
        ),
        (
            "tables: index for the seed",
            "experiments/tables.py",
            '{**group.head, "seed": run.config.seed, "history"',
            '{**group.head, "seed": group.runs.index(run), "history"',
        ),
        # report
        (
            "report: compared with the last group",
            "experiments/report.py",
            "compare(groups[0], other) for other in groups[1:]",
            "compare(groups[-1], other) for other in groups[:-1]",
        ),
        (
            "report: difference of the other sign",
            "experiments/report.py",
            "compare(groups[0], other) for",
            "compare(other, groups[0]) for",
        ),
        (
            "report: seeds for those ahead",
            "experiments/report.py",
            'f"{c.n_ahead} of {c.n_seeds}"',
            'f"{c.n_seeds - c.n_ahead} of {c.n_seeds}"',
        ),
        (
            "report: without the sign",
            "experiments/report.py",
            "percent(c.difference, sign=True)",
            "percent(c.difference)",
        ),
        (
            "report: columns of the terminal shifted",
            "experiments/report.py",
            '("method", "runs", *HEADER[2:6])',
            '("method", *HEADER[1:6])',
        ),
        (
            "report: too few columns in the terminal",
            "experiments/report.py",
            "Final = (20, 6, 14, 14, 14, 11)",
            "Final = (20, 6, 14, 14, 14)",
        ),
        (
            "report: no title in the figure",
            "experiments/report.py",
            "results.title + choice)",
            "default_title(groups) + choice)",
        ),
        (
            "report: one seed in the figure",
            "experiments/report.py",
            "{group.label: group.histories for",
            "{group.label: group.histories[:1] for",
        ),
        (
            "report: the main table has no selected epochs",
            "experiments/report.py",
            "if selected := selected_rows(groups):\n            lines +=",
            "if selected := []:\n            lines +=",
        ),
        (
            "report: groups in another order",
            "experiments/report.py",
            "groups = [group for group in everything if group.runs]",
            "groups = [group for group in reversed(everything) if group.runs]",
        ),
        # records
        (
            "records: one epoch is missing",
            "experiments/records.py",
            "for line in lines]\n    except",
            "for line in lines[: 5]]\n    except",
        ),
        (
            "records: frames indexed from 0",
            "experiments/records.py",
            '.set_index("epoch")',
            "",
        ),
        (
            "records: frames of the rounded numbers",
            "experiments/records.py",
            'for record in runs[0].history]).set_index("epoch")',
            'for record in runs[0].history]).set_index("epoch").round(2)',
        ),
        (
            "records: ended early at any number of epochs",
            "experiments/records.py",
            "self.finished and len(self.history) < self.config.epochs",
            "len(self.history) < self.config.epochs - 2",
        ),
        (
            "records: ended early by the first epochs",
            "experiments/records.py",
            "return self.finished and",
            "return not self.finished and",
        ),
        # survived all tests at first
        (
            "report: machines of the first start alone",
            "experiments/report.py",
            'for part in (run.description, *run.description.get("continued", []))',
            "for part in (run.description,)",
        ),
        (
            "report: drawn are the best on the training set",
            "experiments/report.py",
            '-group.statistic("test_accuracy").mean',
            '-group.statistic("train_accuracy").mean',
        ),
        (
            "report: epochs of the group in a remark",
            "experiments/report.py",
            'done = f"{len(run.history)} of {run.config.epochs} epochs"',
            'done = f"{len(run.history)} of {group.config.epochs} epochs"',
        ),
        (
            "report: title of the first group",
            "experiments/report.py",
            'return "; ".join(dict.fromkeys(names))',
            "return next(names)",
        ),
        (
            "summary: runs that lack an epoch are averaged too",
            "experiments/summary.py",
            "if len(run.history) == longest or",
            "if len(run.history) >= longest - 1 or",
        ),
        (
            "summary: epochs as configured",
            "experiments/summary.py",
            '"epochs": self.n_epochs, **quantities}',
            '"epochs": self.config.epochs, **quantities}',
        ),
        (
            "tables: columns of the first group",
            "experiments/tables.py",
            "for group in groups for name in group.quantities)",
            "for group in groups[:1] for name in group.quantities)",
        ),
        # curves
        (
            "curves: validation from the test split",
            "plotting/curves.py",
            'f"{split}_accuracy", 100',
            'f"{split}_accuracy".replace("val", "test"), 100',
        ),
        (
            "curves: loss of validation from the test split",
            "plotting/curves.py",
            'f"{split}_loss", 1',
            'f"{split}_loss".replace("val", "test"), 1',
        ),
        ("curves: n for n - 1", "plotting/curves.py", "values.std(axis=0, ddof=1)", "values.std(axis=0)"),
        (
            "curves: envelope of minimum and maximum",
            "plotting/curves.py",
            "mean - deviation, mean + deviation, color",
            "values.min(axis=0), values.max(axis=0), color",
        ),
        (
            "curves: one-sided envelope",
            "plotting/curves.py",
            "mean - deviation, mean + deviation, color",
            "mean, mean + deviation, color",
        ),
        (
            "curves: epochs from 0",
            "plotting/curves.py",
            "np.arange(1, values.shape[1] + 1)",
            "np.arange(values.shape[1])",
        ),
        ("curves: median over seeds", "plotting/curves.py", "values.mean(axis=0)", "np.median(values, axis=0)"),
        (
            "curves: styles of training and test swapped",
            "plotting/curves.py",
            '{"train": "--", "val": ":", "test": "-"}',
            '{"train": "-", "val": ":", "test": "--"}',
        ),
        (
            "curves: validation where one has it",
            "plotting/curves.py",
            "if any(record.val_accuracy is None",
            "if all(record.val_accuracy is None",
        ),
        (
            "curves: validation named test",
            "plotting/curves.py",
            'label="validation" if split == "val" else split',
            "label=split",
        ),
        (
            "curves: the label at the training curve",
            "plotting/curves.py",
            'if split == "test" else',
            'if split == "train" else',
        ),
        (
            "curves: seeds cut to the longest",
            "plotting/curves.py",
            "[run[:n_epochs] for run in runs]",
            "[run[-n_epochs:] for run in runs]",
        ),
        ("curves: labels at the first points", "plotting/labels.py", "points[-1]", "points[0]"),
        ("curves: labels overlap", "plotting/labels.py", "for rank in np.argsort(order)]", "for rank in order]"),
        (
            "curves: labels of half a line",
            "plotting/labels.py",
            "LINE_HEIGHT: Final = 1.25",
            "LINE_HEIGHT: Final = 0.6",
        ),
        ("curves: markers that coincide", "plotting/style.py", "(i % every, every)", "(0, every)"),
    ],
    CONFIG: [
        (
            "config: names round numbers",
            "experiments/config.py",
            "value.is_integer() else value",
            "value.is_integer() else round(value, 6) if isinstance(value, float) else value",
        ),
        (
            "config: names of six digits",
            "experiments/config.py",
            "value.is_integer() else value",
            "value.is_integer() else float(f'{value:g}') if isinstance(value, float) else value",
        ),
        (
            "config: all rates are the first",
            "experiments/config.py",
            "Schedule(**{name: getattr(self, name) for name in names})",
            "Schedule(self.eta_W, self.eta_R, delta_scale=self.delta_scale)",
        ),
        (
            "config: overrides for methods ignored",
            "experiments/preset_files.py",
            "| with_both_rates(overrides.get(method, {}))",
            "",
        ),
        ("config: dtype of networks", "experiments/config.py", "dtype=self.dtype,", 'dtype="float32",'),
        (
            "options: the step size of the preset while R learns alone",
            "experiments/options.py",
            'sizes.get("eta_R", values["eta_R"])',
            'values["eta_R"]',
        ),
        (
            "options: a step size not in the first epochs",
            "experiments/options.py",
            '                sizes[f"first_{name}"] = given[option]\n',
            "                pass\n",
        ),
        (
            "options: layers of the preset for other data",
            "experiments/config.py",
            "(data.n_inputs, *self.layers[1:-1], data.n_classes)",
            "(data.n_inputs, *self.layers[1:])",
        ),
        (
            "options: whole numbers of a variation",
            "experiments/options.py",
            '"float": float,',
            '"float": lambda text: float(f"{float(text):.1g}"),',
        ),
    ],
    MEASURED: [
        (
            "runner: diagnostics of what is held out too",
            "experiments/runner.py",
            "DiagnosticsRecorder(folder, splits, config.schedule)",
            "DiagnosticsRecorder(folder, data, config.schedule)",
        ),
        (
            "runner: trained on what is held out too",
            "experiments/runner.py",
            "_fit(network, rng, config, splits,",
            "_fit(network, rng, config, replace(splits, train=data.train),",
        ),
        ("runner: batches of 50", "experiments/runner.py", "            batch_size=config.batch_size,\n", ""),
        (
            "config: ended by patience in the first epochs",
            "experiments/config.py",
            "has_waited(history, self.patience, self.first_epochs)",
            "has_waited(history, self.patience)",
        ),
        (
            "runner: patience from the start",
            "experiments/runner.py",
            "EarlyStopping(config.patience, first_epochs=config.first_epochs)",
            "EarlyStopping(config.patience)",
        ),
        (
            "training: time of training alone",
            "training.py",
            "seconds = round(time.perf_counter() - start, 3)",
            "seconds = 14.0",
        ),
        (
            "training: time of the whole training",
            "training.py",
            "        start = time.perf_counter()\n        rates",
            "        start = start if epoch > 1 else time.perf_counter()\n        rates",
        ),
        (
            "training: validation evaluated on the test split",
            "training.py",
            'results.get("validation", (None, None))',
            'results["test"] if "validation" in results else (None, None)',
        ),
        (
            "training: mean of all losses of the test split",
            "training.py",
            "(train_accuracy, train_loss), (test_accuracy, test_loss) =",
            "(train_accuracy, test_loss), (test_accuracy, train_loss) =",
        ),
        (
            "benchmark: times of all repeats",
            "experiments/benchmark.py",
            "repeats[name]) / repeats[name])",
            "repeats[name]))",
        ),
        (
            "benchmark: floor for batches of one",
            "experiments/benchmark.py",
            "products_of_step(sizes, batch_size, method, samples",
            "products_of_step(sizes, 1, method, samples",
        ),
        (
            "benchmark: operations of a batch of one",
            "experiments/benchmark.py",
            "products_of_step(sizes, batch_size, parts, ",
            "products_of_step(sizes, 1, parts, ",
        ),
        (
            "benchmark: always the same order",
            "experiments/benchmark.py",
            "names[k % len(names) :] + names[: k % len(names)]",
            "names",
        ),
        (
            "benchmark: mean of rounds",
            "experiments/benchmark.py",
            "1e3 * median(values)",
            "1e3 * sum(values) / len(values)",
        ),
        ("benchmark: seconds for milliseconds", "experiments/benchmark.py", "1e3 * median(values)", "median(values)"),
        (
            "benchmark: unfolded and folded swapped",
            "experiments/benchmark.py",
            'ratio(times["evaluation, unfolded"], times["evaluation"])',
            'ratio(times["evaluation"], times["evaluation, unfolded"])',
        ),
        (
            "benchmark: forward for the step",
            "experiments/benchmark.py",
            'ratio(times["step"], times["floor"])',
            'ratio(times["forward"], times["floor"])',
        ),
        (
            "benchmark: a patch of every image",
            "experiments/products.py",
            "rows, n_inputs, n_outputs = batch_size * plan.n_positions",
            "rows, n_inputs, n_outputs = batch_size",
        ),
        (
            "benchmark: R learns from a patch of every image",
            "experiments/products.py",
            "learned * plan.n_positions",
            "learned",
        ),
        (
            "benchmark: C of other inputs",
            "experiments/benchmark.py",
            "B.T if product.of_transpose else",
            "B.T if not product.k else",
        ),
        (
            "benchmark: half of the operations",
            "experiments/products.py",
            "return 2e-9 * self.m",
            "return 1e-9 * self.m",
        ),
        (
            "benchmark: ratio to the step",
            "experiments/benchmark.py",
            'floor = results["milliseconds"]["floor"]',
            'floor = results["milliseconds"]["step"]',
        ),
        (
            "benchmark: one call of short functions",
            "experiments/benchmark.py",
            "max(1, int(shortest / max(clock.seconds(function), 1e-6)))",
            "1",
        ),
        (
            "benchmark: half of the samples unfolded",
            "experiments/benchmark.py",
            "for rows in slices(N_EVALUATED, chunk",
            "for rows in slices(N_EVALUATED // 2, chunk",
        ),
        (
            "demo: seconds of the last epoch",
            "experiments/demo.py",
            "{sum(record.seconds for record in result.history):10.1f}",
            "{result.history[-1].seconds:10.1f}",
        ),
        (
            "demo: accuracies swapped",
            "experiments/demo.py",
            "{100 * result.history[-1].train_accuracy:7.1f} %{100 * result.history[-1].test_accuracy:7.1f} %",
            "{100 * result.history[-1].test_accuracy:7.1f} %{100 * result.history[-1].train_accuracy:7.1f} %",
        ),
        (
            "demo: correlation after and before",
            "experiments/demo.py",
            "{result.correlation_before:.3f} -> {result.correlation_after:.3f}",
            "{result.correlation_after:.3f} -> {result.correlation_before:.3f}",
        ),
        (
            "campaign: epochs left of runs that have ended",
            "experiments/campaign.py",
            "return 0 if record.failure or config.is_over(record.history) else config.epochs - len(record.history)",
            "return config.epochs - len(record.history)",
        ),
        (
            "campaign: all epochs are left",
            "experiments/campaign.py",
            "else config.epochs - len(record.history)",
            "else config.epochs",
        ),
        (
            "cli: first epoch for the last in the line of a run",
            "cli/campaigns.py",
            "last = outcome.history[-1]",
            "last = outcome.history[0]",
        ),
        (
            "cli: training accuracy for the test accuracy in the line of a run",
            "cli/campaigns.py",
            "test {100 * last.test_accuracy:.1f} %",
            "test {100 * last.train_accuracy:.1f} %",
        ),
        (
            "cli: no values of what varies in the line of a run",
            "cli/campaigns.py",
            "[run_label(config), *described(config, varied)]",
            "[run_label(config)]",
        ),
        (
            "report: diagnostics of the last seed",
            "experiments/report.py",
            "diagnostics.setdefault(group.label, (run, by_epoch))",
            "diagnostics[group.label] = (run, by_epoch)",
        ),
        (
            "report: diagnostics from epoch 1",
            "experiments/report.py",
            "[snapshot.epoch for snapshot in by_epoch]",
            "[snapshot.epoch + 1 for snapshot in by_epoch]",
        ),
        (
            "report: diagnostics without their seed",
            "experiments/report.py",
            "{label}, seed {run.config.seed}",
            "{label}, seed 0",
        ),
        (
            "figure 3: loss of the training split",
            "experiments/figure3_report.py",
            "plus_minus(row.test_loss, 4)",
            "plus_minus(row.train_loss, 4)",
        ),
        (
            "figure 3: accuracies swapped in the table",
            "experiments/figure3_report.py",
            "(row.train_accuracy, row.test_accuracy)),",
            "(row.test_accuracy, row.train_accuracy)),",
        ),
        (
            "figure 3: likeness for correlation",
            "experiments/figure3_report.py",
            "plus_minus(row.correlation, 4)",
            "plus_minus(row.likeness, 4)",
        ),
        (
            "figure 3: share not in per cent",
            "experiments/figure3_report.py",
            "percent(row.against)",
            "plus_minus(row.against, 2)",
        ),
        (
            "figure 3: one layer too many replaced",
            "experiments/figure3_report.py",
            "            str(row.replaced),\n",
            "            str(row.replaced + 1),\n",
        ),
        (
            "figure 3: layers counted from 0",
            "experiments/figure3_report.py",
            "LayerRow(k + 1,",
            "LayerRow(k,",
        ),
        (
            "figure 3: matrices swapped",
            "experiments/figure3_report.py",
            "row.linear_map if row.replaced else",
            '"formula" if row.linear_map != "formula" else "least squares" if row.replaced else',
        ),
        (
            "figure 3: training for test in the figure",
            "experiments/figure3_report.py",
            '"compression_curves", test, train, loss',
            '"compression_curves", train, test, loss',
        ),
        (
            "figure 3: n for n - 1 in the figure",
            "plotting/representations.py",
            "deviation = values.std(axis=0, ddof=1)",
            "deviation = values.std(axis=0)",
        ),
    ],
    FIGURE3: [
        (
            "figure 3: another share of opposites",
            "experiments/figure3.py",
            "float(np.mean(values < 0))",
            "float(np.mean(values > 0))",
        ),
        (
            "figure 3: mean likeness",
            "experiments/figure3.py",
            "float(np.median(np.abs(values)))",
            "float(np.mean(np.abs(values)))",
        ),
        (
            "figure 3: likeness with its sign",
            "experiments/figure3.py",
            "float(np.median(np.abs(values)))",
            "float(np.median(values))",
        ),
        ("figure 3: templates not centred", "experiments/figure3.py", "means - means.mean(axis=0)", "means"),
        (
            "figure 3: the most similar class alone",
            "experiments/figure3.py",
            "np.argmax(np.abs(cosines), axis=1)",
            "np.argmax(cosines, axis=1)",
        ),
        (
            "figure 3: class templates of sums",
            "experiments/figure3.py",
            "to_host(sums) / np.where(counts > 0, counts, 1)",
            "to_host(sums) / n_samples",
        ),
        (
            "figure 3: the last chunk left out",
            "experiments/figure3.py",
            "for start in range(0, n_samples, CHUNK):",
            "for start in range(0, max(n_samples - CHUNK, 1), CHUNK):",
        ),
        (
            "figure 3: training and test swapped",
            "experiments/figure3.py",
            "for split in (train, test)] for each",
            "for split in (test, train)] for each",
        ),
        (
            "figure 3: maps swapped",
            "experiments/figure3.py",
            '{"formula": stack_map, "least squares": least_squares_map}',
            '{"formula": least_squares_map, "least squares": stack_map}',
        ),
        (
            "figure 3: pictures of training samples",
            "experiments/figure3.py",
            "data.test.inputs[samples])",
            "data.train.inputs[samples])",
        ),
        (
            "figure 3: whitened by the moments of the samples",
            "experiments/figure3.py",
            "    train = data.train.inputs\n    chunks",
            "    train = inputs\n    chunks",
        ),
        (
            "figure 3: fields of the first units",
            "experiments/figure3.py",
            "np.sort(rng.permutation(len(fields))[:N_UNITS])",
            "np.arange(min(len(fields), N_UNITS))",
        ),
        (
            "figure 3: fields not divided by their largest weight",
            "experiments/figure3.py",
            "(fields[units] / np.where(largest > 0, largest, 1))",
            "(fields[units])",
        ),
        (
            "figure 3: fields not standardised",
            "experiments/figure3.py",
            "inputs, k, standardized=True))\n        units",
            "inputs, k, standardized=False))\n        units",
        ),
        (
            "figure 3: another seed for every picture",
            "experiments/figure3.py",
            "np.random.default_rng(run.config.seed).spawn(3)[2]",
            "np.random.default_rng(0).spawn(3)[2]",
        ),
        (
            "figure 3: whitened and decorrelated rows swapped",
            "experiments/figure3.py",
            'Final = ("raw", "COPI", "ZCA")',
            'Final = ("raw", "ZCA", "COPI")',
        ),
    ],
    SELECTED: [
        (
            "callbacks: stopping by the accuracy whatever is watched",
            "callbacks/selection.py",
            "self.first_epochs, self.monitor)",
            "self.first_epochs)",
        ),
        (
            "callbacks: keeping by the accuracy whatever is watched",
            "callbacks/selection.py",
            "if best_epoch(self.history, self.monitor) == len",
            "if best_epoch(self.history) == len",
        ),
        (
            "callbacks: the largest loss is best",
            "callbacks/selection.py",
            "else -record.val_loss",
            "else record.val_loss",
        ),
        (
            "callbacks: the last of equal ones",
            "callbacks/selection.py",
            "0 if score > best + tol",
            "0 if score >= best + tol",
        ),
        (
            "callbacks: patience one epoch short",
            "callbacks/selection.py",
            ", first_epochs) >= patience",
            ", first_epochs) > patience",
        ),
        (
            "callbacks: first epochs on top",
            "callbacks/selection.py",
            "max(best_epoch(history, monitor), first_epochs)",
            "(best_epoch(history, monitor) + first_epochs)",
        ),
        (
            "callbacks: only the first epochs",
            "callbacks/selection.py",
            "max(best_epoch(history, monitor), first_epochs)",
            "best_epoch(history, monitor)",
        ),
        (
            "callbacks: best epoch of the accuracy in patience",
            "callbacks/selection.py",
            "max(best_epoch(history, monitor), first_epochs)",
            "max(best_epoch(history), first_epochs)",
        ),
        (
            "callbacks: record of the first epoch beside the best network",
            "callbacks/selection.py",
            "network, self.history[-1].as_dict()",
            "network, self.history[0].as_dict()",
        ),
        (
            "callbacks: resumed without what came before",
            "callbacks/selection.py",
            "        self.history = list(history)\n        self._count()",
            "        self._count()",
        ),
        (
            "callbacks: tolerance from the last best",
            "callbacks/selection.py",
            "best = max(best, score)",
            "best = score if waited == 0 else best",
        ),
        (
            "callbacks: steps of TensorBoard from 0",
            "callbacks/logs.py",
            "value, record.epoch)",
            "value, record.epoch - 1)",
        ),
        (
            "callbacks: layers of TensorBoard from 1",
            "callbacks/logs.py",
            'return f"{head}/layer_{tail}"',
            'return f"{head}/layer_{int(tail) + 1}"',
        ),
        (
            "callbacks: splits and quantities swapped in TensorBoard",
            "callbacks/logs.py",
            'f"{tail}/{head}" if head else name',
            'f"{head}/{tail}" if head else name',
        ),
        (
            "callbacks: the first layer for all in a log",
            "callbacks/logs.py",
            '": value for k, value in enumerate(by_layer)',
            '": by_layer[0] for k, value in enumerate(by_layer)',
        ),
        ("callbacks: a header in every row", "callbacks/logs.py", "header=record.epoch == 1)", "header=True)"),
        (
            "callbacks: rounded losses in a log",
            "callbacks/logs.py",
            "    writer.writerows(records)\n",
            "    writer.writerows({k: round(v, 6) for k, v in record.items()} for record in records)\n",
        ),
        (
            "callbacks: records lose their validation loss",
            "history.py",
            "if value is not None}",
            'if value is not None and name != "val_loss"}',
        ),
    ],
    ESTIMATORS: [
        (
            "estimators: mean of the batches for the mean of the samples",
            "training.py",
            "np.average(values, weights=[part.stop - part.start for part in batches])",
            "np.average(values)",
        ),
        (
            "estimators: loss of the last batch",
            "training.py",
            "np.average(values, weights=[part.stop - part.start for part in batches])",
            "values[-1]",
        ),
        (
            "estimators: sample weights left out of the score",
            "estimators/classifier.py",
            "targets.argmax(axis=1), weights=weights)",
            "targets.argmax(axis=1))",
        ),
        (
            "estimators: sample weights left out of R^2",
            "estimators/regressor.py",
            "r2_score(targets, outputs, sample_weight=weights)",
            "r2_score(targets, outputs)",
        ),
        (
            "estimators: R^2 of outputs and targets swapped",
            "estimators/regressor.py",
            "r2_score(targets, outputs,",
            "r2_score(outputs, targets,",
        ),
        (
            "estimators: validation on training samples",
            "estimators/base.py",
            "self._inputs(held_out.X), self._targets(held_out.y), held_out.weights",
            "self._inputs(train.X), self._targets(train.y), train.weights",
        ),
        (
            "estimators: training on validation samples",
            "estimators/base.py",
            "samples, held_out = map(samples.take, rows)",
            "held_out, samples = map(samples.take, rows)",
        ),
        (
            "estimators: split not stratified",
            "estimators/classifier.py",
            "    def _strata(self, y: NDArray) -> NDArray:\n        return y",
            "    def _strata(self, y: NDArray) -> NDArray:\n        return None",
        ),
        (
            "estimators: a tenth is always held out",
            "estimators/base.py",
            '{"test_size": self.validation_fraction,',
            '{"test_size": 0.1,',
        ),
        (
            "estimators: rates in another order",
            "estimators/base.py",
            "self.first_epochs, self.first_eta_W, first_eta_R, self.delta_scale",
            "self.first_epochs, first_eta_R, self.first_eta_W, self.delta_scale",
        ),
        ("estimators: rates one epoch late", "estimators/base.py", "rates(self.n_iter_ + 1)", "rates(self.n_iter_)"),
        ("estimators: batches of 50", "estimators/base.py", '"batch_size": self.batch_size}', '"batch_size": 50}'),
        (
            "estimators: weights not scaled to a mean of one",
            "estimators/base.py",
            "asarray(weights / np.mean(weights), dtype)",
            "asarray(weights, dtype)",
        ),
        (
            "estimators: scales without weights",
            "estimators/base.py",
            "StandardScaler().fit(X, sample_weight=samples.weights)",
            "StandardScaler().fit(X)",
        ),
        (
            "estimators: scales of y without weights",
            "estimators/regressor.py",
            "scaler.fit(y.reshape(len(y), -1), sample_weight=weights)",
            "scaler.fit(y.reshape(len(y), -1))",
        ),
        (
            "estimators: predictions in units of the network",
            "estimators/regressor.py",
            "outputs = self.target_scaler_.inverse_transform(outputs)",
            "pass",
        ),
        (
            "estimators: the second largest output",
            "estimators/classifier.py",
            "np.argmax(self._outputs(X), axis=1)",
            "np.argsort(self._outputs(X), axis=1)[:, -2]",
        ),
        (
            "estimators: logarithms of probabilities",
            "estimators/classifier.py",
            "np.exp(log_softmax(self._outputs(X).astype(np.float64)))",
            "log_softmax(self._outputs(X).astype(np.float64))",
        ),
        (
            "estimators: first epochs count as stale",
            "estimators/base.py",
            "if self.n_iter_ <= self.first_epochs:",
            "if self.n_iter_ < self.first_epochs:",
        ),
        (
            "estimators: one epoch more of patience",
            "estimators/base.py",
            ">= self.n_iter_no_change:",
            "> self.n_iter_no_change:",
        ),
        (
            "decorrelator: shares of old and new moments swapped",
            "estimators/decorrelator.py",
            "C = (1 - share) * self.second_moment_ + share * C",
            "C = share * self.second_moment_ + (1 - share) * C",
        ),
        (
            "decorrelator: samples of the last batch",
            "estimators/decorrelator.py",
            "n_samples + self.n_samples_seen_, n_steps",
            "n_samples, n_steps",
        ),
        (
            "decorrelator: step size by the last batch",
            "estimators/decorrelator.py",
            "(R, X - mean, self._step_size(C))",
            "(R, X - mean, self._step_size(self._moment(X)))",
        ),
        (
            "decorrelator: step size by the mean power",
            "estimators/decorrelator.py",
            "return self.eta_R / power if",
            "return self.eta_R / power * len(C) if",
        ),
        (
            "decorrelator: tolerance of the largest correlation",
            "estimators/decorrelator.py",
            "if correlation <= self.tol:",
            "if correlation <= self.tol / 2:",
        ),
        (
            "decorrelator: no epsilon",
            "estimators/decorrelator.py",
            "WHITENINGS[self.method](C, self.epsilon)",
            "WHITENINGS[self.method](C, 0.0)",
        ),
        (
            "decorrelator: steps from 1",
            "estimators/decorrelator.py",
            "for n_steps, R in enumerate(path):",
            "for n_steps, R in enumerate(path, start=1):",
        ),
        (
            "decorrelator: inverse of the transpose",
            "estimators/decorrelator.py",
            "np.linalg.solve(self.components_, X.T).T",
            "np.linalg.solve(self.components_.T + 1e-3, X.T).T",
        ),
    ],
    DATA: [
        (
            "data: images transposed",
            "datasets/idx.py",
            "train = Split(x_train.reshape(len(x_train), -1)",
            "train = Split(x_train.swapaxes(1, 2).reshape(len(x_train), -1)",
        ),
        (
            "data: test images transposed",
            "datasets/idx.py",
            "test = Split(x_test.reshape(len(x_test), -1)",
            "test = Split(x_test.swapaxes(1, 2).reshape(len(x_test), -1)",
        ),
        (
            "data: images upside down",
            "datasets/idx.py",
            "train = Split(x_train.reshape(len(x_train), -1)",
            "train = Split(x_train[:, ::-1].reshape(len(x_train), -1)",
        ),
        (
            "data: height and width swapped",
            "datasets/idx.py",
            "image_shape=x_train.shape[1:])",
            "image_shape=x_train.shape[:0:-1])",
        ),
        (
            "data: labels of the test split to train on",
            "datasets/idx.py",
            "x_train, y_train, x_test, y_test = (read_idx",
            "x_train, y_test, x_test, y_train = (read_idx",
        ),
        (
            "data: header counted as pixels",
            "datasets/idx.py",
            "np.frombuffer(content, np.uint8, offset=start)",
            "np.frombuffer(content[:-1] and content[start - 1 : -1], np.uint8)",
        ),
        ("data: last pixel for the label", "datasets/cifar.py", "(slice(1, None), 0))", "(slice(0, -1), -1))"),
        (
            "data: batches in any order",
            "datasets/cifar.py",
            "(*(batches[batch] for batch in part)) for part in (TRAIN, (TEST,))",
            "(*(b for n, b in batches.items() if n in part)) for part in (TRAIN, (TEST,))",
        ),
        (
            "data: four training batches",
            "datasets/cifar.py",
            "for number in range(1, 6))",
            "for number in range(1, 5))",
        ),
        ("data: colours last", "datasets/cifar.py", "IMAGE_SHAPE = (3, 32, 32)", "IMAGE_SHAPE = (32, 32, 3)"),
        (
            "data: images of an .npz by column",
            "datasets/npz.py",
            "rows = inputs.reshape(len(inputs), -1) if",
            'rows = inputs.reshape(len(inputs), -1, order="F") if',
        ),
        (
            "data: shape of an .npz reversed",
            "datasets/npz.py",
            "x_train.shape[1:] if x_train.ndim > 2",
            "x_train.shape[:0:-1] if x_train.ndim > 2",
        ),
        (
            "data: classes of the training split",
            "datasets/npz.py",
            "n_classes = _count_classes(name, y_train, y_test)",
            "n_classes = _count_classes(name, y_train)",
        ),
        (
            "data: divided by 256",
            "datasets/scaling.py",
            "np.divide(inputs, 255, dtype=dtype)",
            "np.divide(inputs, 256, dtype=dtype)",
        ),
        (
            "data: one-hot labels transposed",
            "datasets/dataset.py",
            "targets[np.arange(len(labels)), labels] = 1",
            "targets[np.arange(len(labels)), -labels] = 1",
        ),
        (
            "data: fingerprint of the inputs",
            "datasets/dataset.py",
            "for split in self.splits.values() for array in split)",
            "for split in self.splits.values() for array in split[:1])",
        ),
        (
            "data: fingerprint without the validation split",
            "datasets/dataset.py",
            "for array in (array for split in self.splits.values()",
            "for array in (array for split in (self.train, self.test)",
        ),
        (
            "data: the cache first",
            "datasets/fetch.py",
            "roots.append(cache_dir())",
            "roots.insert(0, cache_dir())",
        ),
        (
            "data: the variable before the option",
            "datasets/fetch.py",
            "    if data_dir is None:\n        data_dir =",
            "    if data_dir is None or DATA_VARIABLE in os.environ:\n        data_dir =",
        ),
        (
            "data: found files are missing",
            "datasets/__init__.py",
            "for file in files if file not in paths)",
            "for file in files if file in paths)",
        ),
    ],
    COURSE: [
        (
            "sliders: bound of the decorrelated inputs",
            "course/sliders.py",
            "np.linalg.eigvalsh(moments[0])[-1]",
            "np.linalg.eigvalsh(moments[-1])[-1]",
        ),
        (
            "sliders: bound by the smallest eigenvalue",
            "course/sliders.py",
            "np.linalg.eigvalsh(moments[0])[-1]",
            "np.linalg.eigvalsh(moments[0])[0]",
        ),
        ("sliders: bound of 1", "course/sliders.py", "bound = 2 / np", "bound = 1 / np"),
        (
            "sliders: curves of other moments",
            "course/sliders.py",
            "zip(((0, 0), (1, 1), (0, 1)), COLOURS",
            "zip(((1, 1), (0, 0), (0, 1)), COLOURS",
        ),
        (
            "sliders: the cloud of the first step",
            "course/sliders.py",
            "draw_cloud(axes, decorrelate(path[-1], y), extent(y))",
            "draw_cloud(axes, decorrelate(path[1], y), extent(y))",
        ),
        (
            "sliders: one step less",
            "course/sliders.py",
            "for step in range(n_steps + 1):",
            "for step in range(n_steps):",
        ),
        (
            "sliders: correlation of the raw inputs",
            "course/sliders.py",
            "        x = decorrelate(network.layers[0].R, y)\n",
            "        x = y\n",
        ),
        (
            "sliders: the whole error signal",
            "course/sliders.py",
            "eta_R=eta_R, delta_scale=0.5)",
            "eta_R=eta_R, delta_scale=1.0)",
        ),
        (
            "sliders: rates swapped",
            "course/sliders.py",
            "eta_W=eta_W, eta_R=eta_R, delta",
            "eta_W=eta_R, eta_R=eta_W, delta",
        ),
        (
            "sliders: the loss of the first step",
            "course/sliders.py",
            'f"loss {run.losses[-1]:.2g}"',
            'f"loss {run.losses[0]:.2g}"',
        ),
        (
            "sliders: loss and correlation swapped",
            "course/sliders.py",
            "inputs.plot(run.correlations,",
            "inputs.plot(run.losses,",
        ),
        (
            "sliders: one rate in all panels",
            "course/sliders.py",
            'run = learn(eta_W, eta_R, correlation, "copi", n_steps)\n                axes',
            'run = learn(eta_W, rates_R[0], correlation, "copi", n_steps)\n                axes',
        ),
        (
            "sliders: one correlation in all rows",
            "course/sliders.py",
            "            y = two_inputs(correlation)\n            for axes",
            "            y = two_inputs(correlations[0])\n            for axes",
        ),
        (
            "sliders: moments of a sum",
            "course/sliders.py",
            "np.sqrt(n_samples) * orthogonal",
            "np.sqrt(n_samples - 1) * orthogonal",
        ),
        (
            "animation: correlation not divided",
            "course/animation.py",
            "C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])",
            "C[0, 1] / C[0, 0]",
        ),
        (
            "animation: arrows of the rows",
            "course/animation.py",
            "zeros, zeros, *R, angles",
            "zeros, zeros, *R.T, angles",
        ),
        ("animation: two deviations", "course/animation.py", "return 3 * float(", "return 2 * float("),
        (
            "animation: the first cloud at all steps",
            "course/animation.py",
            "x = decorrelate(path[step], y)",
            "x = decorrelate(path[0], y)",
        ),
        (
            "animation: described from the first step",
            "course/animation.py",
            "from {correlations[steps[0]]:.2f}",
            "from {correlations[0]:.2f}",
        ),
        (
            "animation: an ellipse of variances",
            "course/animation.py",
            "vectors * np.sqrt(np.maximum(values, 0))",
            "vectors * np.maximum(values, 0)",
        ),
        ("animation: a circle of radius 1", "course/animation.py", "circle = 2 * np.array", "circle = np.array"),
    ],
    DIAGNOSTICS: [
        (
            "diagnostics: the band of 5 to 95 %",
            "plotting/diagnostics.py",
            "for share in (0.25, 0.5, 0.75))",
            "for share in (0.05, 0.5, 0.95))",
        ),
        (
            "diagnostics: the spectrum of the first epoch",
            "plotting/diagnostics.py",
            ".plot(RANKS, path[-1].spectrum,",
            ".plot(RANKS, path[0].spectrum,",
        ),
        (
            "diagnostics: correlation before for after",
            "plotting/diagnostics.py",
            "[each.correlation for each in path]",
            "[each.correlation_before for each in path]",
        ),
        (
            "diagnostics: power before",
            "plotting/diagnostics.py",
            "np.array([each.power for each in path])",
            "np.array([each.power_before for each in path])",
        ),
        (
            "diagnostics: volume for asymmetry",
            "plotting/diagnostics.py",
            "[each.asymmetry for each in path]",
            "[each.log_volume for each in path]",
        ),
        (
            "diagnostics: another cosine",
            "plotting/diagnostics.py",
            "[each.natural_cosine for each in path]",
            "[each.correlation for each in path]",
        ),
        ("diagnostics: layers from 0", "plotting/diagnostics.py", 'label=f"layer {k + 1}"', 'label=f"layer {k}"'),
        (
            "diagnostics: the first layer for all",
            "plotting/diagnostics.py",
            "[snapshot[k] for snapshot in layers]",
            "[snapshot[0] for snapshot in layers]",
        ),
        (
            "diagnostics: gaps of an angle are 0",
            "plotting/diagnostics.py",
            "np.nan if value is None",
            "0.0 if value is None",
        ),
        (
            "diagnostics: radians",
            "diagnostics.py",
            "(_measured(alignment_angle, pair) for",
            "(_measured(lambda *both: float(np.radians(alignment_angle(*both))), pair) for",
        ),
        (
            "diagnostics: moments of y and x swapped",
            "diagnostics.py",
            "mean_absolute_correlation(second_moment(y)),\n        mean_absolute_correlation(C),",
            "mean_absolute_correlation(C),\n        mean_absolute_correlation(second_moment(y)),",
        ),
        (
            "diagnostics: volume not per input",
            "diagnostics.py",
            "float(np.mean(np.log(values)))",
            "float(np.sum(np.log(values)))",
        ),
        (
            "diagnostics: eigenvalues of R",
            "diagnostics.py",
            "np.round(np.array(RANKS) * (len(values) - 1))",
            "np.round(np.array(RANKS) ** 2 * (len(values) - 1))",
        ),
        (
            "diagnostics: measured before the epoch",
            "experiments/diagnostics.py",
            "self._measure(network, record.epoch)",
            "self._measure(network, record.epoch - 1)",
        ),
        ("diagnostics: a line at 45 degrees", "plotting/diagnostics.py", "axes.axhline(90,", "axes.axhline(45,"),
    ],
    NATURAL: [
        ("cosine: of one length only", "analysis/alignment.py", "_direction(u) * _direction(v)", "_direction(u) * v"),
        ("cosine: no sign", "analysis/alignment.py", "xp.sum(_direction(u)", "xp.sum(abs(_direction(u))"),
        ("natural cosine: no damping", "analysis/alignment.py", "second_moment(y), DAMPING)", "second_moment(y), 0.0)"),
        (
            "natural cosine: the step backwards",
            "analysis/alignment.py",
            "moved.folded() - layer.folded()",
            "layer.folded() - moved.folded()",
        ),
        ("natural cosine: of W alone", "analysis/alignment.py", "moved.folded() - layer.folded()", "moved.W - layer.W"),
        (
            "natural cosine: signals after the step",
            "analysis/alignment.py",
            "network.error_signals(trace, targets), strict=True)\n    deltas",
            "after.error_signals(trace, targets), strict=True)\n    deltas",
        ),
        (
            "natural cosine: decorrelated inputs",
            "analysis/alignment.py",
            "zip(network.layers, trace.y_in, strict=True)]\n    layers",
            "zip(network.layers, trace.x, strict=True)]\n    layers",
        ),
        ("natural cosine: no constant unit", "analysis/alignment.py", "inputs = [layer.rows(y)", "inputs = [y"),
        ("natural cosine: the network learns", "analysis/alignment.py", "after = deepcopy(network)", "after = network"),
        (
            "natural cosine: no step sizes",
            "analysis/alignment.py",
            "after.step(trace.y0, targets, **rates)",
            "after.step(trace.y0, targets, eta_W=0.01)",
        ),
        ("diagnostics: step sizes of the next epoch", "experiments/diagnostics.py", "max(epoch, 1)", "epoch + 1"),
    ],
    PICTURES: [
        ("pictures: rows share one scale", "plotting/representations.py", "high = float(_scale(images))", "high = 1.0"),
        (
            "pictures: black is the smallest value",
            "plotting/representations.py",
            "low = -high if images.min() < 0 else 0.0",
            "low = float(images.min())",
        ),
        (
            "pictures: fields by columns",
            "plotting/representations.py",
            "top, left = k // n_columns * height, k % n_columns * width",
            "top, left = k % n_rows * height, k // n_rows * width",
        ),
        (
            "pictures: fields on one scale",
            "plotting/representations.py",
            "_scale(fields, axis=1)[:, None]",
            "_scale(fields)",
        ),
        (
            "pictures: the largest value sets the scale",
            "plotting/representations.py",
            "SCALE_QUANTILE: Final = 0.995",
            "SCALE_QUANTILE: Final = 1.0",
        ),
        ("pictures: inverted", "plotting/representations.py", "0.5 + 0.5 * fields", "0.5 - 0.5 * fields"),
        (
            "pictures: planes stay first",
            "plotting/representations.py",
            "picture = np.moveaxis(picture, 0, -1)",
            "picture = picture.reshape(*picture.shape[1:], -1)",
        ),
        (
            "pictures: compression from 1",
            "plotting/representations.py",
            "np.arange(values.shape[1]), values.mean(axis=0)",
            "np.arange(1, values.shape[1] + 1), values.mean(axis=0)",
        ),
        (
            "pictures: accuracies of compression as shares",
            "plotting/representations.py",
            '("accuracy (%)", 100,',
            '("accuracy (%)", 1,',
        ),
        (
            "pictures: median of compression",
            "plotting/representations.py",
            "values.mean(axis=0), deviation",
            "np.median(values, axis=0) * 0.99, deviation",
        ),
        (
            "pictures: training curves solid",
            "plotting/representations.py",
            '{"-": test, "--": train or {}}',
            '{"--": test, "-": train or {}}',
        ),
        ("curves: the axis starts at 0", "plotting/curves.py", "ylim=(lowest - 2, highest)", "ylim=(-2, highest)"),
        (
            "curves: the first epoch is never shown",
            "plotting/curves.py",
            "mean[1:] if len(mean) > SHORT else mean",
            "mean[1:]",
        ),
        (
            "curves: colours of the legend",
            "plotting/style.py",
            '"color": COLOURS[i % len(COLOURS)]',
            '"color": COLOURS[i // 2 % len(COLOURS)]',
        ),
    ],
    OPTIONS + "reproduce-threads": [
        (
            "options: threads of reproduce",
            "cli/campaigns.py",
            "        blas_threads(threads),\n        CampaignBar",
            "        blas_threads(1),\n        CampaignBar",
        )
    ],
    OPTIONS + "reproduce-diagnostics": [
        (
            "options: diagnostics of reproduce",
            "cli/campaigns.py",
            "[bar, stop], diagnostics=diagnostics))",
            "[bar, stop]))",
        )
    ],
    OPTIONS + "reproduce-backend": [
        (
            "options: backend of reproduce",
            "cli/campaigns.py",
            "chosen_backend = get_backend(backend)",
            'chosen_backend = get_backend("auto")',
        )
    ],
    OPTIONS + "reproduce-methods": [
        (
            "options: methods of reproduce",
            "cli/campaigns.py",
            "FIGURES[figure] if methods is None else methods",
            "FIGURES[figure]",
        )
    ],
    OPTIONS + "reproduce-title": [
        (
            "options: title of reproduce",
            "cli/campaigns.py",
            "    show(out, title, outcomes, output, diagnostics=diagnostics, data_dir=data_dir)\n\n\ndef with_figure3",
            "    show(out, None, outcomes, output, diagnostics=diagnostics, data_dir=data_dir)\n\n\ndef with_figure3",
        )
    ],
    OPTIONS + "reproduce-figure": [
        ("options: figure 3 of figure 2", "cli/campaigns.py", 'if figure == "fig3":', "if False:")
    ],
    OPTIONS + "reproduce-seeds": [
        (
            "options: seeds of reproduce from 1",
            "cli/campaigns.py",
            "        range(seeds),\n        lambda name: load_dataset(name, data_dir),\n    )\n    if figure ==",
            "        range(1, seeds + 1),\n        lambda name: load_dataset(name, data_dir),\n    )\n    if figure ==",
        )
    ],
    OPTIONS + "reproduce-data_dir": [
        (
            "options: data folder of reproduce",
            "cli/campaigns.py",
            "        lambda name: load_dataset(name, data_dir),\n    )\n    if figure ==",
            "        load_dataset,\n    )\n    if figure ==",
        )
    ],
    OPTIONS + "reproduce-quiet": [
        (
            "options: --quiet does not hide bars",
            "cli/output.py",
            "with no_bars() if quiet else nullcontext():",
            "with nullcontext():",
        )
    ],
    OPTIONS + "train-quiet": [
        (
            "options: --quiet does not hide notes",
            "cli/output.py",
            "return command(output=Output(quiet, json_to), **options)",
            "return command(output=Output(False, json_to), **options)",
        )
    ],
    OPTIONS + "reproduce-out": [
        (
            "options: --out of reproduce",
            "cli/campaigns.py",
            'out = out or default_folder("reproduce"',
            'out = default_folder("reproduce"',
        )
    ],
    OPTIONS + "sweep-data_dir": [
        ("options: data folder of the workers of a sweep", "cli/campaigns.py", "            data_dir=data_dir,\n", "")
    ],
    OPTIONS + "sweep-backend": [
        (
            "options: backend of a sweep",
            "cli/campaigns.py",
            "            backend=backend,\n            diagnostics",
            '            backend="numpy",\n            diagnostics',
        )
    ],
    OPTIONS + "sweep-diagnostics": [
        (
            "options: diagnostics of a sweep",
            "cli/campaigns.py",
            "            diagnostics=diagnostics,\n            scheduler",
            "            diagnostics=False,\n            scheduler",
        )
    ],
    OPTIONS + "sweep-scheduler": [
        (
            "options: scheduler of a sweep",
            "cli/campaigns.py",
            "            scheduler=scheduler,\n",
            "            scheduler=None,\n",
        )
    ],
    OPTIONS + "sweep-workers": [
        ("options: workers of a sweep", "cli/campaigns.py", "n_workers=workers,", "n_workers=None,")
    ],
    OPTIONS + "sweep-vary": [
        (
            "options: variations of a sweep",
            "cli/campaigns.py",
            "load_dataset(name, data_dir),\n        variations,\n",
            "load_dataset(name, data_dir),\n        dict(list(variations.items())[:1]),\n",
        )
    ],
    OPTIONS + "sweep-title": [
        (
            "options: title of a sweep",
            "cli/campaigns.py",
            "    show(out, title, outcomes, output, diagnostics=diagnostics, data_dir=data_dir)\n    if len",
            "    show(out, None, outcomes, output, diagnostics=diagnostics, data_dir=data_dir)\n    if len",
        )
    ],
    OPTIONS + "sweep-rule": [
        (
            "options: the preset's rule",
            "experiments/options.py",
            "if name not in STEP_SIZE_OPTIONS}",
            'if name not in (*STEP_SIZE_OPTIONS, "rule")}',
        )
    ],
    OPTIONS + "train-threads": [
        (
            "options: threads of train",
            "cli/single.py",
            "        blas_threads(threads),\n        ProgressBar",
            "        blas_threads(1),\n        ProgressBar",
        )
    ],
    OPTIONS + "train-backend": [
        (
            "options: backend of train",
            "cli/single.py",
            "chosen_backend = get_backend(backend)",
            'chosen_backend = get_backend("auto")',
        )
    ],
    OPTIONS + "train-data_dir": [
        (
            "options: data folder of train",
            "cli/single.py",
            "lambda name: load_dataset(name, data_dir))",
            "load_dataset)",
        )
    ],
    OPTIONS + "train-json_to": [
        ("options: --json is text", "cli/output.py", "if self.json_to == STANDARD_OUTPUT:", "if False:")
    ],
    OPTIONS + "train-seed": [
        (
            "options: seed of train",
            "experiments/options.py",
            "given) | others | without_shape)",
            'given) | others | without_shape | {"seed": 0})',
        )
    ],
    OPTIONS + "train-resume": [
        (
            "options: epochs of a resumed run",
            "cli/single.py",
            'for name in ("epochs", "patience", "dataset") if',
            'for name in ("patience", "dataset") if',
        )
    ],
    OPTIONS + "demo-threads": [
        (
            "options: threads of demo",
            "cli/single.py",
            "with blas_threads(threads), StopOnSignal() as stop:\n        results",
            "with blas_threads(1), StopOnSignal() as stop:\n        results",
        )
    ],
    OPTIONS + "demo-epochs": [
        (
            "options: epochs of demo",
            "experiments/demo.py",
            "replace(config, epochs=epochs) for",
            "replace(config, epochs=1) for",
        )
    ],
    OPTIONS + "demo-backend": [
        (
            "options: backend of demo",
            "cli/single.py",
            "run_demo(out, epochs, ProgressBar, backend, [stop])",
            'run_demo(out, epochs, ProgressBar, "auto", [stop])',
        )
    ],
    OPTIONS + "bench-threads": [
        ("options: threads of bench", "cli/bench.py", "with blas_threads(threads):", "with blas_threads(1):")
    ],
    OPTIONS + "bench-dtype": [
        (
            "options: dtype of bench",
            "experiments/benchmark.py",
            "candidates(sizes, batch_size, parts, backend, dtype, dec",
            'candidates(sizes, batch_size, parts, backend, "float32", dec',
        )
    ],
    OPTIONS + "report-title": [
        (
            "options: title of report",
            "cli/campaigns.py",
            "        make_report(folder, title, output)",
            "        make_report(folder, None, output)",
        )
    ],
    OPTIONS + "report-by_epoch": [
        (
            "options: --by-epoch of report",
            "cli/campaigns.py",
            "HISTORY_FORMATS[form](results.groups) if by_epoch else FORMATS",
            "FORMATS",
        )
    ],
    OPTIONS + "doctor-data_dir": [
        (
            "options: data folder of doctor",
            "cli/doctor.py",
            "find_dataset(name, data_dir) for",
            "find_dataset(name) for",
        )
    ],
    OPTIONS + "bench-rounds": [
        (
            "options: rounds of bench",
            "experiments/benchmark.py",
            "times = measure(timed, backend, rounds, SHORTEST)",
            "times = measure(timed, backend, 9, SHORTEST)",
        )
    ],
    OPTIONS + "bench-json_to": [
        (
            "options: a file of --json",
            "cli/output.py",
            "if self.json_to is not None:  # first",
            "if self.json_to is None:  # first",
        )
    ],
    RECORDS: [
        ("records: the shortest copy of a run", "experiments/records.py", "-len(each.history)", "len(each.history)"),
        (
            "records: failures unread",
            "experiments/records.py",
            "MAX_FAILURE) if exists(failure) else None",
            "MAX_FAILURE) if False else None",
        ),
        (
            "records: epochs in any order",
            "experiments/records.py",
            "!= list(range(1, len(history) + 1)):",
            "!= sorted(record.epoch for record in history):",
        ),
        (
            "records: finished by any epoch",
            "experiments/records.py",
            "return self.config.is_over(self.history)",
            "return bool(self.history)",
        ),
        (
            "records: the other copy is named",
            "experiments/records.py",
            'f"{other.folder}: left out',
            'f"{run.folder}: left out',
        ),
        ("records: lists for frames", "experiments/records.py", "if as_frame is False:", "if not as_frame:"),
        (
            "records: damaged ones not named",
            "experiments/records.py",
            '            left_out.append(f"{folder.name}: left out, since {error}")\n',
            "",
        ),
    ],
    TASKS: [
        (
            "sweep: two threads per worker",
            "experiments/sweep.py",
            "threadpool_limits(1, user_api",
            "threadpool_limits(2, user_api",
        ),
        (
            "sweep: any data of that name",
            "experiments/sweep.py",
            "if data.fingerprint != source.fingerprint:",
            "if False:",
        ),
        ("sweep: workers that see no folder", "experiments/sweep.py", "if not Path(root).is_dir():", "if False:"),
        ("sweep: no wait for a run in use", "experiments/sweep.py", "if not outcome.in_use or", "if True or"),
        (
            "sweep: waits without an end",
            "experiments/sweep.py",
            "deadline = time.monotonic() + PATIENCE",
            "deadline = time.monotonic() - PATIENCE",
        ),
    ],
    WORKERS: [
        (
            "sweep: workers without diagnostics",
            "experiments/sweep.py",
            "task = partial(run_task, str(root), source, backend, diagnostics)",
            "task = partial(run_task, str(root), source, backend, False)",
        ),
        (
            "sweep: workers on any backend",
            "experiments/sweep.py",
            "task = partial(run_task, str(root), source, backend, diagnostics)",
            'task = partial(run_task, str(root), source, "auto", diagnostics)',
        ),
        (
            "sweep: workers do not know the folder of the data",
            "experiments/sweep.py",
            "_absolute(data_dir), data.fingerprint",
            "None, data.fingerprint",
        ),
        (
            "sweep: workers look in a relative folder",
            "experiments/sweep.py",
            "str(Path(data_dir).absolute())",
            "str(Path(data_dir))",
        ),
        (
            "campaign: diagnostics not recorded",
            "experiments/campaign.py",
            "callbacks, resume=True, diagnostics=diagnostics)",
            "callbacks, resume=True)",
        ),
        ("sweep: always as many workers as cores", "experiments/sweep.py", "n_workers or n_cores()", "n_cores()"),
        (
            "sweep: tasks without diagnostics",
            "experiments/sweep.py",
            "[StopWhenCancelled()], diagnostics=diagnostics)",
            "[StopWhenCancelled()])",
        ),
        (
            "sweep: tasks on NumPy",
            "experiments/sweep.py",
            "perform(root, config, data, backend, [Stop",
            'perform(root, config, data, "numpy", [Stop',
        ),
        ("sweep: two threads for each worker", "experiments/sweep.py", "threads_per_worker=1", "threads_per_worker=2"),
        ("sweep: a limit of memory", "experiments/sweep.py", "memory_limit=None", 'memory_limit="4GB"'),
    ],
    DEFAULTS: [
        (
            "defaults: step size of plain gradient descent",
            "experiments/presets/mnist.toml",
            "eta_W = 0.03",
            "eta_W = 0.3",
        ),
        ("defaults: epochs on CIFAR-10", "experiments/presets/cifar10.toml", "epochs = 100", "epochs = 10"),
        (
            "defaults: scale of feedback alignment",
            "experiments/presets/mnist-5k.toml",
            "[methods.copi-fa]\ndelta_scale = 250",
            "[methods.copi-fa]\ndelta_scale = 500",
        ),
        ("defaults: preset of CIFAR-10", "experiments/options.py", '"cifar10": "cifar10",', '"cifar10": "mnist",'),
        (
            "defaults: preset of the small digits",
            "experiments/options.py",
            '"digits-8x8": "digits-8x8",',
            '"digits-8x8": "mnist-5k",',
        ),
        (
            "defaults: four seeds",
            "cli/campaigns.py",
            "type=click.IntRange(min=1), default=5",
            "type=click.IntRange(min=1), default=4",
        ),
        (
            "defaults: methods of Figure 2",
            "cli/campaigns.py",
            '"copi-bp,copi-fa,bp-decor,bp-adam"',
            '"copi-bp,copi-fa,bp-decor"',
        ),
        (
            "defaults: the demo measures all samples",
            "experiments/demo.py",
            "Split(data.train.inputs[:N_MONITORED], data.train.labels[:N_MONITORED])",
            "data.train",
        ),
        ("defaults: doctor counts all cores", "cli/doctor.py", '"cores": n_cores(),', '"cores": os.cpu_count(),'),
        (
            "defaults: a clock of one call",
            "backend/devices.py",
            "        for _ in range(repeats):\n            function()\n        self.synchronize()",
            "        function()\n        self.synchronize()",
        ),
        (
            "defaults: the axis begins below the test curve",
            "plotting/curves.py",
            "                lowest = min([lowest,",
            "                lowest = lowest if split != 'test' else min([lowest,",
        ),
    ],
    CAMPAIGN: [
        (
            "campaign: runs that diverged have epochs left",
            "experiments/campaign.py",
            "return 0 if record.failure or config",
            "return 0 if config",
        ),
        (
            "campaign: runs that diverged are repeated",
            "experiments/campaign.py",
            "if record is not None and record.failure and",
            "if False and",
        ),
    ],
    TIMES: [
        (
            "times: interrupted ones are lost",
            "cli/bench.py",
            "if_interrupted(list(begun.values()))",
            "pass",
        ),
        (
            "times: interrupted ones look complete",
            "experiments/to_accuracy.py",
            '"interrupted": not all(',
            '"interrupted": False and not all(',
        ),
        (
            "times: reached only above",
            "experiments/to_accuracy.py",
            "if value >= accuracy), None)",
            "if value > accuracy), None)",
        ),
        (
            "times: epochs counted from 0",
            "experiments/to_accuracy.py",
            "enumerate(self.accuracies, start=1)",
            "enumerate(self.accuracies)",
        ),
        (
            "times: seconds of all epochs",
            "experiments/to_accuracy.py",
            "sum(self.seconds[:epochs])",
            "sum(self.seconds)",
        ),
        (
            "times: seconds of the last epoch",
            "experiments/to_accuracy.py",
            "sum(self.seconds[:epochs])",
            "self.seconds[epochs - 1]",
        ),
        (
            "times: ratio upside down",
            "experiments/to_accuracy.py",
            "[one / other for one, other in pairs if",
            "[other / one for one, other in pairs if",
        ),
        (
            "times: evaluation timed too",
            "experiments/to_accuracy.py",
            "seconds = network.backend.seconds(epoch)",
            "seconds = network.backend.seconds(lambda: (epoch(), evaluate(network, *self.splits[split])))",
        ),
        (
            "times: rates of the epoch before",
            "experiments/to_accuracy.py",
            "rates_of(run.config.schedule, len(run.seconds) + 1)",
            "rates_of(run.config.schedule, max(1, len(run.seconds)))",
        ),
        (
            "times: always the test split",
            "experiments/to_accuracy.py",
            "accuracy, loss = evaluate(network, *self.splits[split])",
            "accuracy, loss = evaluate(network, *self.splits['test'])",
        ),
        (
            "times: loss for accuracy",
            "experiments/to_accuracy.py",
            "run.accuracies.append(accuracy)",
            "run.accuracies.append(loss)",
        ),
        (
            "times: a network that diverged counts",
            "experiments/to_accuracy.py",
            "check_losses(network, train, rates, [loss])",
            "check_losses(network, train, rates, [])",
        ),
        (
            "times: ratios by place, not by seed",
            "experiments/to_accuracy.py",
            "{other.config.seed: other.seconds_to(accuracy) for other in others}",
            "{k: other.seconds_to(accuracy) for k, other in enumerate(others)}",
        ),
        (
            "times: one epoch too many",
            "experiments/to_accuracy.py",
            "len(run.seconds) >= run.config.epochs or",
            "len(run.seconds) > run.config.epochs or",
        ),
        ("times: batches of 50", "experiments/to_accuracy.py", "batch_size=run.config.batch_size, x0=x0)", "x0=x0)"),
        (
            "times: no turns",
            "experiments/to_accuracy.py",
            "trainees = trainees[1:] + trainees[:1]",
            "trainees = trainees[:]",
        ),
        (
            "times: seeds share their samples",
            "experiments/to_accuracy.py",
            "alike.setdefault((run.config.seed, run.config",
            "alike.setdefault((0, run.config",
        ),
        (
            "times: best accuracy is the last",
            "experiments/to_accuracy.py",
            "best, epochs = 100 * max(run.accuracies), ",
            "best, epochs = 100 * run.accuracies[-1], ",
        ),
        (
            "times: ratios to the last method",
            "experiments/to_accuracy.py",
            "first = next((each for each in groups.values() if",
            "first = next((each for each in reversed(groups.values()) if",
        ),
        (
            "times: ratios to a method that did not get there",
            "experiments/to_accuracy.py",
            "for each in groups.values() if any(run.epochs_to(accuracy) for run in each)), [])",
            "for each in groups.values()), [])",
        ),
        (
            "times: curve over seconds of an epoch",
            "plotting/seconds.py",
            "axes.plot(list(accumulate(seconds)), values",
            "axes.plot(seconds, values",
        ),
        ("times: goal as a share", "plotting/seconds.py", "axes.axhline(100 * goal", "axes.axhline(goal"),
        ("times: axis from the first epoch", "plotting/seconds.py", "*(values[1:] or values)", "*values"),
    ],
    CHEAP: [
        (
            "bias: local biases of all samples",
            "bias.py",
            "states, eta_R = self.lateral_step.learns_from(states, eta_R)",
            "pass",
        ),
        (
            "cheap: estimators save nothing",
            "estimators/base.py",
            'options["x0"] = resting.inputs(self.network_, train.inputs, rates["eta_R"])',
            "resting.inputs(self.network_, train.inputs, rates['eta_R'])",
        ),
        (
            "cheap: no check of large steps",
            "_cheap_decorrelation.py",
            "if every > 1 and every * eta_R >",
            "if every < 1 and every * eta_R >",
        ),
        (
            "cheap: the largest eigenvalue of all second moments limits steps",
            "_cheap_decorrelation.py",
            "E = off_diagonal(second_moment(x.astype(np.float64)))",
            "E = second_moment(x.astype(np.float64))",
        ),
        (
            "cheap: sample weights do not limit steps",
            "_cheap_decorrelation.py",
            "rows = x if weights is None else",
            "rows = x if True else",
        ),
        (
            "cheap: the limit of the first samples alone",
            "_cheap_decorrelation.py",
            "every_nth = slice(0, n_rows, -(-n_rows // chunk_size(network.plans)))",
            "every_nth = slice(0, chunk_size(network.plans))",
        ),
        (
            "cheap: short memory goes unnoticed",
            "_cheap_decorrelation.py",
            "                warnings.warn(",
            "                (lambda *args, **options: None)(",
        ),
        (
            "cheap: epochs in which nothing learns",
            "schedule.py",
            "self.rest_R_after < self.first_epochs and",
            "False and",
        ),
        (
            "cheap: frozen R is to learn faster",
            "_divergence.py",
            "is_frozen = eta_R == 0 and",
            "is_frozen = False and",
        ),
        (
            "cheap: R that changed at rest",
            "_cheap_decorrelation.py",
            "elif self._R is None or not bool(xp.all(self._R == layer.R)):",
            "elif self._R is None:",
        ),
    ],
    BIASES: [
        ("bias: the constant's row learns", "bias.py", "self._R[-1, :-1], self._R[-1, -1] = 0, 1", "pass"),
        ("bias: a with its biases", "bias.py", "a=states.a - self._W[:, -1])", "a=states.a)"),
        (
            "bias: biases decay",
            "bias.py",
            "with self._local_biases(states, eta_R), _set_aside(self._W[:, -1]):",
            "with self._local_biases(states, eta_R):",
        ),
        (
            "bias: local biases the wrong way",
            "bias.py",
            "biases[...] = -eta_R * mean_outer(",
            "biases[...] = eta_R * mean_outer(",
        ),
        (
            "bias: local biases at rest",
            "bias.py",
            "biases[...] = -eta_R * mean_outer(x[:, :-1], x[:, -1:])[:, 0]",
            "pass",
        ),
        ("bias: not added again", "bias.py", "        biases += before", "        pass"),
        (
            "bias: any last row of R",
            "bias.py",
            'if name == "R" and not bool(',
            'if name == "R" and False and not bool(',
        ),
        ("bias: a constant of 2", "bias.py", "xp.ones((y.shape[0], 1)", "2 * xp.ones((y.shape[0], 1)"),
        ("bias: biases of one", "bias.py", "backend.xp.zeros_like(W[:, :1])", "backend.xp.ones_like(W[:, :1])"),
    ],
    STEPS: [
        ("momentum: no decay", "steps/momentum.py", "self.velocity *= self.beta", "pass"),
        (
            "momentum: velocity of the step size",
            "steps/momentum.py",
            "states.x, 1 / states.x.shape[0])",
            "states.x, eta / states.x.shape[0])",
        ),
        ("momentum: sum for mean", "steps/momentum.py", "states.x, 1 / states.x.shape[0])", "states.x, 1.0)"),
        (
            "momentum: a mean of updates",
            "steps/momentum.py",
            "states.x, 1 / states.x.shape[0])",
            "states.x, (1 - self.beta) / states.x.shape[0])",
        ),
        ("momentum: starts again each step", "steps/momentum.py", "if self.velocity is None:", "if True:"),
    ],
    FAMILY: [
        ("family: kappa for 1 - kappa", "family.py", "((1 - kappa) * off_C_R +", "(kappa * off_C_R +"),
        (
            "family: D without I",
            "family.py",
            "kappa * (mean_square(x) - 1)[:, None] * R)",
            "kappa * mean_square(x)[:, None] * R)",
        ),
        (
            "family: variances scale columns",
            "family.py",
            "(mean_square(x) - 1)[:, None] * R)",
            "(mean_square(x) - 1) * R)",
        ),
        (
            "family: partner with COPI's decay",
            "family.py",
            "W * ((1 - 2 * kappa) * mean_square(x) + kappa)",
            "W * ((1 - kappa) * mean_square(x) + kappa)",
        ),
        (
            "family: partner of the whole a",
            "family.py",
            "mean_outer(delta + (1 - kappa) * a, x)",
            "mean_outer(delta + a, x)",
        ),
        (
            "family: gain upside down",
            "family.py",
            "xp.sqrt(xp.mean(y * y) / xp.mean(x * x))",
            "xp.sqrt(xp.mean(x * x) / xp.mean(y * y))",
        ),
        (
            "family: gain squared",
            "family.py",
            "gain = xp.sqrt(xp.mean(y * y) / xp.mean(x * x))",
            "gain = xp.mean(y * y) / xp.mean(x * x)",
        ),
        (
            "family: C before the gain for R C after it",
            "family.py",
            "- gain * mean_outer(x @ R.T, x)",
            "- mean_outer(x @ R.T, x)",
        ),
        ("family: C R for R C", "family.py", "gain * mean_outer(x @ R.T, x)", "gain * mean_outer(x, x @ R)"),
        (
            "family: normalised from the left",
            "family.py",
            "return -(mean_outer(x, (x * scale) @ R) - (mean_square(x) * scale)[:, None] * R)",
            "return -scale[:, None] * (mean_outer(x, x @ R) - mean_square(x)[:, None] * R)",
        ),
        (
            "family: damping left out",
            "family.py",
            "scale = 1 / (mean_square(x) + damping)",
            "scale = 1 / (mean_square(x) + 1e-12)",
        ),
        (
            "family: normalised by rows",
            "family.py",
            "(mean_outer(z, x) - W * mean_square(x)) / (mean_square(x) + damping)",
            "mean_outer(z, x) / (mean_square(x) + damping) - W * mean_square(x)",
        ),
        (
            "family: natural step transposed",
            "family.py",
            "xp.linalg.solve(damped, mean_outer(x, delta)).T",
            "mean_outer(delta, x) @ damped",
        ),
        (
            "family: centred moves the constant",
            "family.py",
            "xp.concat([dR[:-1, :], xp.zeros_like(dR[-1:, :])], axis=0)",
            "dR",
        ),
        ("family: inhibition excites", "family.py", "L + xp.eye(", "-L + xp.eye("),
        (
            "family: units inhibit themselves",
            "family.py",
            "return off_diagonal(mean_outer(x, x))",
            "return mean_outer(x, x)",
        ),
        ("foof: inverse at every step", "steps/natural.py", "if self.count % self.every == 0:", "if True:"),
        (
            "foof: running mean the wrong way",
            "steps/natural.py",
            "self.beta * self.C + (1 - self.beta) * C",
            "(1 - self.beta) * self.C + self.beta * C",
        ),
        (
            "foof: forgets its inverse",
            "steps/natural.py",
            'self.C, self.inverse, self.count = state["C"], state["inverse"], int(state["count"])',
            'self.C, self.inverse, self.count = state["C"], state["inverse"], 0',
        ),
    ],
    SIGNALS: [
        (
            "signals: noise with the loss",
            "more_signals.py",
            "signals.append([-dL / variance * s for s in noise])",
            "signals.append([dL / variance * s for s in noise])",
        ),
        ("signals: variance of one of two", "more_signals.py", "sigma**2 * (2 if two_noisy else 1)", "sigma**2"),
        ("signals: deviation for variance", "more_signals.py", "variance = sigma**2", "variance = sigma"),
        ("signals: N for its root", "more_signals.py", "-(n_units**0.5) * dL", "-n_units * dL"),
        (
            "signals: units of the first layer",
            "more_signals.py",
            "sum(int(a.shape[1]) for a in trace.a)",
            "int(trace.a[0].shape[1])",
        ),
        (
            "signals: normalised by layer",
            "more_signals.py",
            "-(n_units**0.5) * dL / square * da_k for da_k in da",
            "-(n_units**0.5) * dL / xp.sum(da_k * da_k, axis=1, keepdims=True) * da_k for da_k in da",
        ),
        (
            "signals: noise in the first layer alone",
            "more_signals.py",
            "layer.R, layer.W) + s)",
            "layer.R, layer.W))",
        ),
        (
            "signals: noise around R",
            "more_signals.py",
            "y - trace.y[k - 1], layer.R, layer.W",
            "y - trace.y[k - 1], layer.W",
        ),
        ("signals: sum over noises", "more_signals.py", "sum(of_layer) / len(signals)", "sum(of_layer)"),
        (
            "signals: the same noise twice",
            "more_signals.py",
            "noise_other = draw_noise(trace, sigma, rng)",
            "noise_other = [0.5 * s for s in noise]",
        ),
        (
            "signals: learned feedback without R",
            "more_signals.py",
            "feedback_into(feedback, k - 1).T, layers[k].R)",
            "feedback_into(feedback, k - 1).T)",
        ),
        (
            "signals: feedback without decay",
            "more_signals.py",
            "updates[k] = eta_W * dW.T",
            "updates[k] = eta_W * (dW + feedback_into(feedback, k).T).T",
        ),
        (
            "signals: feedback of the layer below",
            "more_signals.py",
            "x, W = trace.x[k + 1], layers[k + 1].W",
            "x, W = trace.x[k], layers[k].W",
        ),
        (
            "signals: weights count twice",
            "more_signals.py",
            "weigh(x, weight), weigh(z, weight)",
            "weigh(x, weight), weigh(weigh(z, weight), weight)",
        ),
        ("signals: signs without a size", "more_signals.py", "xp.sqrt(xp.mean(M * M)) * xp.sign(M)", "xp.sign(M)"),
        (
            "signals: signs of W alone",
            "more_signals.py",
            "M = layers[k].W @ layers[k].R",
            "M = layers[k].W",
        ),
    ],
    OTHER_RULES: [
        ("decorrelator: mean of the last batch", "estimators/decorrelator.py", "self.mean_ + share * shift", "mean"),
        (
            "decorrelator: means of batches ignored",
            "estimators/decorrelator.py",
            "C + share * (1 - share) * np.outer(shift, shift)",
            "C",
        ),
        ("decorrelator: mean not added again", "estimators/decorrelator.py", "X.T).T + self.mean_", "X.T).T"),
        (
            "decorrelator: normalised in units of power",
            "estimators/decorrelator.py",
            'self.method == "normalised"',
            'self.method == "normal"',
        ),
        ("decorrelator: kappa in small units", "estimators/decorrelator.py", "power = max(power, 1.0)", "pass"),
        (
            "decorrelator: inhibition with the wrong sign",
            "estimators/decorrelator.py",
            "+ L + eta_R * foldiak_update(L, x)",
            "+ L - eta_R * foldiak_update(L, x)",
        ),
    ],
}
