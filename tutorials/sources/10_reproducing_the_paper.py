# %% [markdown]
# # 10 · Reproducing the paper: records, seeds, and what agreed
#
# **What you will be able to do**
#
# - read the record of a run, and reproduce its numbers to the last digit;
# - compute a mean over several seeds with its standard error, and say what one seed cannot tell you;
# - compare two methods in pairs, and tell a real difference from noise;
# - explain which statements of the paper agree with our measurements, and which do not;
# - break a reproduction in a way that nobody notices, and find out how to notice it.
#
# **Time:** 45 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** [00](00_tour.ipynb) for the two equations, and [05](05_copi_and_backpropagation.ipynb) for the
# methods that we compare; means and standard deviations.
#
# **In the paper:** Section 3.1 and Figure 2; Algorithm 1 (Appendix A) for the loss.

# %%
import json
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from copi_np import Callback, EpochRecord
from copi_np import load_dataset, load_network
from copi_np.course import check
from copi_np.course.lesson_10 import a_colleagues_run
from copi_np.datasets import as_float
from copi_np.experiments import runner
from copi_np.experiments.config import RunConfig
from copi_np.experiments.preset_files import load_preset
from copi_np.experiments.preset_files import preset_names
from copi_np.experiments.report import read_results
from copi_np.experiments.summary import compare
from copi_np.plotting import learning_curves

# %%
DATA = "mnist-5k"

data = load_dataset(DATA)
test_images = as_float(data.test.inputs, "float32")
n_test = len(test_images)
RESULTS = Path("../results")
CLAIMS = Path("../docs/claims.md")
if not RESULTS.is_dir():
    print("Without the repository around it, this notebook")
    print("shows no records.")

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. What a run leaves behind
#
# On the command line a run is
#
#     copi-np train --dataset mnist-5k --method copi-bp --preset mnist-5k --seed 0 --out my-run
#
# and from Python it is `runner.train_into(folder, config, data)`. A *preset* fills in the numbers, and a `RunConfig`
# holds all of them. To save time, this notebook trains a 784-100-100-10 network for a few epochs; everything else is as
# in the preset.

# %%
EPOCHS = 5  # fast: 3


def small(preset, method, seed, **changes):
    values = load_preset(preset, method)
    layers = (data.n_inputs, 100, 100, data.n_classes)
    values |= {"dataset": DATA, "layers": layers}
    values |= {"epochs": EPOCHS, "seed": seed}
    return RunConfig(**values | changes)


scratch = TemporaryDirectory()
folder = Path(scratch.name) / "my-run"
config = small("mnist-5k", "copi-bp", seed=0)
history = runner.train_into(folder, config, data)
print(sorted(path.name for path in folder.iterdir()))

# %% [markdown]
# There are five files, and three of them make up the record. (`.lock` keeps a second process from training in the same
# folder. `checkpoint.previous.npz` is the network one epoch earlier, in case the latest file is damaged.) `run.json`
# says what was run, and on which machine.

# %%
run = json.loads((folder / "run.json").read_text())
for name, value in run["config"].items():
    print(f"{name:14} {value}")

# %%
for name in ("backend", "device", "blas", "cores"):
    print(f"{name:8} {run[name]}")
for name in ("copi-np", "python", "numpy"):
    print(f"{name:8} {run['versions'][name]}")

# %% [markdown]
# `run["config"]` has everything that determines *what* is computed. The rest (device, matrix library and its threads,
# versions) affects only how the last digits are rounded, and how long it takes. `history.jsonl` has one line per epoch:

# %%
shown = ("train_accuracy", "test_accuracy", "test_loss")
lines = (folder / "history.jsonl").read_text().splitlines()
for line in lines:
    record = json.loads(line)
    print(f"epoch {record['epoch']}:", end=" ")
    print(*(record[name] for name in shown))
print("all entries:", ", ".join(record))
assert EpochRecord(**record) == history[-1]

# %% [markdown]
# `checkpoint.npz` is the network after the last finished epoch.
#
# **Question.** Which numbers in the record can you recompute from `checkpoint.npz` and the test digits alone?

# %%
network, notes = load_network(folder / "checkpoint.npz")
guesses = network.predict(test_images).argmax(axis=1)
accuracy = np.mean(guesses == data.test.labels)
print("from the checkpoint", accuracy)
print("in the record      ", history[-1].test_accuracy)
print("notes in the checkpoint:", ", ".join(notes))
assert accuracy == history[-1].test_accuracy

# %% [markdown]
# **Answer.** The test accuracy and test loss of the last epoch (and, with the training digits, the training accuracy
# and loss too). A record that you can check this way is worth more than a number in a table.

# %% [markdown]
# ## 2. Presets: where the numbers come from
#
# A preset is a TOML file in `copi_np/experiments/presets`. It has all the numbers, and comments that say where they
# come from. In the first epoch the step sizes are `first_eta_W` and `first_eta_R`, and after that `eta_W` and `eta_R`.

# %%
print("preset           first eta_W, eta_R  then   scale")
for name in preset_names():
    p = load_preset(name, "copi-bp")
    print(f"{name:16} {p['first_eta_W']:<11g}", end=" ")
    print(
        f"{p['first_eta_R']:<7g} {p['eta_W']:<6g}", end=" "
    )
    print(p.get("delta_scale", 1))
    print("   ", "-".join(map(str, p["layers"])))

# %% [markdown]
# `mnist` and `cifar10` have the paper's own schedule (Section 3.1): a small step size in the first epoch and ten times
# as much after that, the same for $W$ and $R$. The others follow the journal version of the paper: only $R$ learns in
# the first epoch, the step sizes are smaller, and the error signals are scaled up.
#
# The paper gives the sizes of the networks, the batch size 50, leaky ReLU, the quadratic loss, these step sizes and
# the parameters of Adam. Its text does **not** say how the forward weights are drawn, what the slope of the leaky
# ReLU is, whether the output layer has one too, or how many epochs to train. Where the paper leaves something open,
# you have to choose, and write down what you chose. Here the choices are in the docstrings and in `run.json`.

# %% [markdown]
# ## 3. The same seed, the same history
#
# A seed determines everything random: the initial forward weights, and the order of the digits in each epoch. Each of
# the two has its own random generator, so two *methods* with the same seed start from the same weights and see the
# same batches.
#
# **Question.** We run the same configuration again. Will the losses agree exactly, or only to a few digits?

# %%
_, again = runner.train(config, data)
same = [
    replace(one, seconds=0) == replace(other, seconds=0)
    for one, other in zip(history, again, strict=True)
]
print("seconds aside, the same to the last digit:", end=" ")
print(sum(same), "of", len(same), "epochs")
assert all(same)

# %% [markdown]
# **Answer.** Exactly. So a second run reveals a common mistake: if you shuffle without a seed, for example with the
# global `np.random`, every number changes. (`fit` refuses to run without a generator.)
#
# This is true on one machine, with a fixed number of threads. With two threads a sum is split in two and rounded
# differently. Here are two recorded runs of MNIST, with one and with two threads:

# %%
for name in ("one-idle", "two-idle"):
    path = RESULTS / "speed" / "threads" / name
    if path.is_dir():
        lines = (path / "history.jsonl").read_text()
        record = json.loads(lines)
        correct = round(60_000 * record["train_accuracy"])
        print(f"{name}: {correct} of 60000,", end=" ")
        print(f"train loss {record['train_loss']:.7f}")

# %% [markdown]
# After one epoch the number of correct training digits differs by two out of 60,000, and the loss differs in its fifth
# decimal place. So "the same" means to the last digit with the same number of threads, and to about four digits
# otherwise. Never compare two runs from different machines with `==`.

# %% [markdown]
# ## 4. What one seed can tell you
#
# The paper's Section 3.1 says that COPI is more successful than backpropagation *in the presence of decorrelation*, at
# the same step sizes: `copi-bp` against `bp-decor`, the SGD rule on the same decorrelated inputs. We train both with
# the paper's schedule and several seeds. After each epoch, a callback records which of the 1,000 test digits were
# classified correctly.


# %%
class Keep(Callback):
    def on_start(self, network, history):
        self.right = []

    def on_epoch(self, network, record):
        outputs = network.predict(test_images)
        guesses = outputs.argmax(axis=1)
        self.right.append(guesses == data.test.labels)


# %%
SEEDS = range(5)  # fast: range(0, 3, 2)


def train_seeds(preset, method, **changes):
    """Return which digits are right, (seeds, epochs, N)."""
    right = []
    for seed in SEEDS:
        keep = Keep()
        config = small(preset, method, seed, **changes)
        runner.train(config, data, callbacks=[keep])
        right.append(keep.right)
    return np.array(right)


# %%
paper = {}
for method in ("copi-bp", "bp-decor"):
    paper[method] = train_seeds("mnist", method)
    of_seed_0 = paper[method][0, -1].mean()
    print(
        f"{method}, seed 0: {of_seed_0:.1%} of the digits"
    )

# %% [markdown]
# **Question.** With seed 0, COPI is ahead by 5 to 6 percentage points. Before you look at the other seeds: would you
# believe a difference of 5 points? Of 0.5?


# %%
def last(right):
    """Return each seed's last accuracy, in per cent."""
    return 100 * right[:, -1].mean(axis=1)


for method, right in paper.items():
    print(f"{method:9}", last(right).round(1))

# %% [markdown]
# Take the mean over the $n$ seeds, and ask how far the individual seeds are from it. With $v_k$ for the accuracy of
# seed $k$,
#
# $$\bar v = \frac1n \sum_k v_k, \qquad
# \mathrm{SD} = \sqrt{\frac{1}{n - 1} \sum_k (v_k - \bar v)^2}, \qquad
# \mathrm{SE} = \frac{\mathrm{SD}}{\sqrt n} .$$
#
# The *standard deviation* (SD) says how much single runs vary. (We divide by $n - 1$, since the mean was computed from
# the same $n$ numbers.) The *standard error* says how well we know the mean. First as a loop, then with NumPy:

# %%
values = last(paper["copi-bp"])
n = len(values)
mean = sum(values) / n
squares = 0.0
for value in values:
    squares += (value - mean) ** 2
deviation = (squares / (n - 1)) ** 0.5
assert np.isclose(deviation, np.std(values, ddof=1))

for method, right in paper.items():
    mean = last(right).mean()
    deviation = np.std(last(right), ddof=1)
    error = deviation / n**0.5
    print(
        f"{method:9} mean {mean:.1f}, SD {deviation:.1f},"
    )
    print(f"{'':9} standard error {error:.1f}")

# %% [markdown]
# The two methods vary by very different amounts. For the difference of two independent means, the squares of the
# standard errors add up.


# %%
def lead_of_copi(runs):
    """Return COPI's lead and its standard error."""
    a, b = last(runs["copi-bp"]), last(runs["bp-decor"])
    of_a, of_b = np.var(a, ddof=1), np.var(b, ddof=1)
    error = np.sqrt((of_a + of_b) / len(a))
    lead = a.mean() - b.mean()
    print(f"COPI is ahead by {lead:.2f}", end=" ")
    print(f"with a standard error of {error:.2f} points")
    return lead, error


lead, error = lead_of_copi(paper)
assert lead > 3 * error

# %% [markdown]
# **Answer.** With the paper's schedule the difference is more than three standard errors, and the accuracies of the
# two methods do not even overlap. (As a rule of thumb, a difference of twice its standard error is worth a second
# look. With only five seeds, ask for two and a half.) So this part of the paper's statement holds in our small
# experiment. A difference of 0.5 would be lost in the scatter of COPI's seeds. One seed can show an effect that is
# much larger than the SD, if you know it, but nothing smaller.

# %% [markdown]
# ## 5. Pairs
#
# Now we train the same two methods with the schedule of the journal version (preset `mnist-5k`).
#
# **Question.** Both reach more than 90 %. What is the smallest difference that five seeds could show?

# %%
journal = {}
for method in paper:
    right = train_seeds("mnist-5k", method)
    journal[method] = right
    mean = last(right).mean()
    deviation = last(right).std(ddof=1)
    print(f"{method:9}", last(right).round(1), end=" ")
    print(f"mean {mean:.1f}, SD {deviation:.2f}")
lead, error = lead_of_copi(journal)
assert abs(lead) < 1

# %% [markdown]
# **Answer.** Two to two and a half times the standard error of 0.30, so 0.60 to 0.75. Our 0.46 is smaller (and with
# code and processors that round differently it was 0.60 and 0.70), so these two means alone do not tell us which
# method is ahead. But look at the columns. In each column both methods have the *same* seed, so they have the same
# initial weights and the same batches, and a lucky start helps both. So take the difference for each seed first, and
# then the mean of the differences. What the pairs have in common drops out.

# %%
pairs = last(journal["copi-bp"]) - last(journal["bp-decor"])
paired_error = np.std(pairs, ddof=1) / np.sqrt(len(pairs))
print("differences by seed:", pairs.round(1))
print(f"mean {pairs.mean():+.2f},", end=" ")
print(
    f"standard error {paired_error:.2f} (was {error:.2f})"
)
assert paired_error < error

# %% tags=["hide-input"]
figure, panels = plt.subplots(
    1, 2, figsize=(9, 3.8), layout="constrained"
)
schedules = {"paper": paper, "journal": journal}
for axes, (name, runs) in zip(
    panels, schedules.items(), strict=True
):
    both = np.array(
        [last(right) for right in runs.values()]
    )
    axes.plot(
        [0, 1], both, "o-", color=COLOURS[7], lw=1, ms=5
    )
    axes.errorbar(
        [0, 1],
        both.mean(axis=1),
        both.std(axis=1, ddof=1),
        fmt="s",
        color=COLOURS[2],
        capsize=5,
    )
    axes.set(title=f"schedule of the {name}")
    axes.set(ylabel="test accuracy (%)", xlim=(-0.4, 1.4))
    axes.set(xticks=[0, 1], xticklabels=runs)
plt.show()

# %% [markdown]
# The individual seeds are grey, joined in pairs; mean and standard deviation are orange. Note the different scales:
# on the left the difference is about 5 points, on the right about 0.5. COPI is slightly ahead in each of these five
# pairs. How far ahead depends on the step sizes.
#
# There is another source of noise that does not get smaller with more seeds: all runs are tested on the *same* 1,000
# digits. If a network gets a share $p$ of all digits in the world right, then on $N$ of them it gets $p \pm \sqrt{p
# (1 - p) / N}$ right.

# %%
for p, N in ((0.92, 1000), (0.98, 10_000)):
    error = np.sqrt(p * (1 - p) / N)
    print(f"p = {p}, N = {N}: {p:.0%} +- {100 * error:.2f}")

# %% [markdown]
# With 1,000 digits that is nearly one point, and even with MNIST's 10,000 it is 0.14. If you compare on the same
# digits, much of this noise drops out, as with pairs, but not all. Here are the records for full MNIST with the
# journal's schedule.


# %%
def groups_of(name):
    """Return the recorded runs, by method."""
    folder = RESULTS / "paper" / name
    if not folder.is_dir():
        return {}
    groups = read_results(folder).groups
    return {group.config.method: group for group in groups}


# %%
full, correct = groups_of("mnist-journal"), {}
for method, group in full.items():
    final = (history[-1] for history in group.histories)
    right = [10_000 * each.test_accuracy for each in final]
    correct[method] = np.round(right).astype(int)
    print(
        f"{method:9} {correct[method]} of 10,000", end=" "
    )
    print(f"after {group.n_epochs} epochs,", end=" ")
    print(f"mean {np.mean(right) / 100:.2f} %")
if full:
    lead = correct["copi-bp"] - correct["bp-decor"]
    print("lead of COPI:", lead)
    assert list(lead) == [23, 31, 31, 24, 32]
    behind = correct["bp-adam"] - correct["copi-bp"]
    assert list(behind) == [42, 20, 31, 13, 15]

# %% [markdown]
# COPI is ahead of backpropagation with decorrelation with all five seeds, by 23 to 32 digits out of 10,000 (claim C19
# of [claims.md](../docs/claims.md)). If the two methods were equally good, five seeds would all favour COPI one time in
# 32. So the lead is small, but hardly chance. Adam is ahead of COPI with all five seeds too, by 13 to 42 digits. And
# look at the scatter: COPI's seeds differ by up to 23 digits, as much as the lead. Without pairs it would be hard to
# see.

# %% [markdown]
# ## 6. Figure 2, with five seeds
#
# The records of this project are in [results/](../results/README.md). Those in `results/paper/mnist` are for the
# paper's Figure 2A: four methods with five seeds each, from `copi-np reproduce fig2 --preset mnist --seeds 5`. For the
# other figures, see [reproduction.md](../docs/reproduction.md). `read_results` groups the seeds of each method.


# %%
def figure_2(runs, highest=None):
    if not all(runs.values()):
        return "no records here"
    figure = learning_curves(runs)
    figure.axes[0].set_ylim(top=highest)
    return figure


# %%
mnist = groups_of("mnist")
runs = {
    each.label: each.histories for each in mnist.values()
}
figure_2(runs or {"no runs": None}, highest=100.5)

# %% [markdown]
# This is MNIST with the paper's schedule. Training curves are dashed, and test curves are solid; the envelope is the
# standard deviation between seeds (mostly too narrow to see). Which curve is on top? Adam, from the start. Then come
# COPI, COPI with feedback alignment, and backpropagation on decorrelated inputs.
#
# What does the paper report? Its text gives **no accuracies at all**; you can only read them off Figure 2. So we
# compare statements, not heights, and we certainly do not tune until our curves look like that figure. These are the
# statements of Section 3.1 that we can test with these records:
#
# 1. "COPI is more successful as a learning rule compared to BP in the presence of decorrelation".
# 2. "BP with momentum does converge faster".
# 3. "test performance of COPI is on par with BP".
#
# **Question.** Which of the three do you expect to hold, after 25 epochs and with five seeds?


# %%
def compared(a, b):
    """Print a's lead over b; return in how many seeds."""
    found = compare(mnist[a], mnist[b])
    mean, deviation = (100 * v for v in found.difference)
    print(
        f"{a} - {b}: {mean:+.2f} +- {deviation:.2f}",
        end=" ",
    )
    print(f"points after epoch {found.epoch},", end=" ")
    print(f"ahead in {found.n_ahead} of {found.n_seeds}")
    for method in (a, b):
        peak = (
            mnist[method].statistic("epochs_to_peak").mean
        )
        print(f"    {method}: 99 % of its best", end=" ")
        print(f"training accuracy at epoch {peak:.1f}")
    return found.n_ahead


# %%
if mnist:  # statement 1, then statements 2 and 3
    assert compared("copi-bp", "bp-decor") == 5
    assert compared("bp-adam", "copi-bp") == 5

# %% [markdown]
# **Answer.** Statements 1 and 2 hold, with every seed. (We take Adam as "BP with momentum"; for plain momentum, see
# claim C23.) Statement 3 does not hold: with the paper's schedule COPI ends 0.8 points behind Adam on the test set,
# with every seed, and takes longer to reach 99 % of its best training accuracy. With the journal's schedule it is still
# behind with every seed, but only by 0.2 points, and it reaches the 99 % sooner:
# [reproduction.md](../docs/reproduction.md) has those numbers.
#
# A fourth statement is about feedback alignment, "with a continuing benefit of the use of the COPI algorithm". We have
# a record with one seed: after five epochs of MNIST, COPI reaches 95.51 %, and the SGD rule on the same inputs reaches
# 87.86 %.
#
# Now CIFAR-10, Figure 2B, again with five seeds:


# %%
cifar = groups_of("cifar10-jpeg")
runs = {
    each.label: each.histories for each in cifar.values()
}
figure_2(runs or {"no runs": None})

# %%
for group in cifar.values():
    dataset = group.config.dataset
    print(f"{group.config.method:9} {dataset}")
    assert dataset == "cifar10-jpeg.npz"

# %% [markdown]
# The name matters. The original archive was not available, so these are the 60,000 images re-encoded as JPEG with
# quality 75: **CIFAR-10 (JPEG q75)**. JPEG drops fine detail, and leaves small errors in every pixel. The labels and
# the split are the same, and all four methods saw the same pixels, so it is fair to compare the methods with each
# other. But you cannot compare these accuracies with the paper's Figure 2B; we have not measured how far off they are.
# So do not call this "CIFAR-10".
#
# Here, too, COPI is ahead of backpropagation with decorrelation. COPI with feedback alignment starts last, and
# overtakes backpropagation with decorrelation on the test set between the third and the ninth epoch. Adam is ahead of
# all others from the fourth epoch on, with every seed, although nobody tuned its step size.

# %% [markdown]
# ## 7. Claims
#
# [claims.md](../docs/claims.md) lists every testable statement of the paper, with a verdict, the number behind it, and
# the test or the command that shows it. Read each row from right to left: how was it tested, what was the result, and
# what follows from that?

# %%
text = CLAIMS.read_text() if CLAIMS.exists() else ""
row = re.compile(
    r"^\| (C\d+) \| .*? \| (.*?) \|", re.MULTILINE
)
kinds = ["holds approximately", "holds"]
kinds += ["does not hold", "not tested"]
verdicts = {}
for number, verdict in row.findall(text):
    kind = next(k for k in kinds if verdict.startswith(k))
    verdicts.setdefault(kind, []).append(number)
for kind, numbers in verdicts.items():
    print(f"{kind} ({len(numbers)}):")
    print("   ", *numbers)

# %% [markdown]
# This sorts by the first words of each verdict; many continue with "but" or "under". The most important ones:
#
# - **These hold.** COPI's update is local (C1, for its local form); backpropagation passes through $R$ (C13);
#   decorrelated digits resemble ZCA's (C31); COPI's fixed point is the least-squares map (C36).
# - **These do not.** $R$ does not stay symmetric (C7), so the two lines of Eq. 4 are different updates (C8); Eq. 3
#   rescales columns, not rows (C6); target propagation as printed sends a signal even without an error (C14); and the
#   *reason* given for COPI's lead is not the one we find (C21, notebook 05).
# - **This helps.** Raising the learning rate after the first epoch (C30): if you do not, COPI ends one point lower.

# %%
if verdicts:
    assert "not tested" not in verdicts
    wrong = {"C6", "C7", "C8", "C14", "C21"}
    assert wrong <= set(verdicts["does not hold"])

# %% [markdown]
# ## Break it: a factor of two
#
# A colleague reimplements COPI, with the loss $\tfrac12 \lVert y - y^*\rVert^2$ that many textbooks use, and with the
# step sizes of the paper. The error signal of the output layer is then $(y^* - y) \circ f'(a)$, half of ours.
# Everything runs, and nothing diverges. The `bp-decor` in the comparison is someone else's code and has the right
# factor.
#
# **Question.** What will the colleague conclude?

# %%
half = train_seeds("mnist", "copi-bp", delta_scale=0.5)
rows = {"their copi-bp": half}
rows |= {
    name: paper[name] for name in ("bp-decor", "copi-bp")
}
for name, right in rows.items():
    print(f"{name:13}", last(right).round(1), end=" ")
    print(f"mean {last(right).mean():.1f}")
means = [last(right).mean() for right in rows.values()]
assert means == sorted(means)
_ = lead_of_copi(paper | {"copi-bp": half})

# %% [markdown]
# **Answer.** The opposite of the paper: COPI is *worse* than backpropagation with decorrelation, with four seeds out of
# five, and by more than two standard errors. Seeds protect against chance, but not against a mistake that they all
# share.
#
# How can you find it? Compare with something that does not depend on the code in question. An error signal is the
# negative derivative of the loss, and you can measure a derivative: change one pre-activation $a$ of the output layer a
# little in both directions, and see how the loss of Algorithm 1, $\lVert y - y^*\rVert^2$, changes.

# %%
config = small("mnist", "copi-bp", seed=0, dtype="float64")
rng = np.random.default_rng(0)
network = config.build_network(rng, "numpy")
image = test_images[:1].astype("float64")
one_hot = np.eye(data.n_classes)
wanted = one_hot[data.test.labels[:1]]
trace = network.forward(image)
theirs = network.error_signals(
    trace, wanted, delta_scale=0.5
)
f, a = network.layers[-1].activation.f, trace.a[-1]
for k in range(4):
    move = 1e-6 * one_hot[k]
    up = np.sum((f(a + move) - wanted) ** 2)
    down = np.sum((f(a - move) - wanted) ** 2)
    measured, used = -(up - down) / 2e-6, theirs[-1][0, k]
    print(f"output {k}: measured {measured:+.4f},", end=" ")
    print(
        f"theirs {used:+.4f}, ratio {measured / used:.3f}"
    )
    assert np.isclose(measured, 2 * used)

# %% [markdown]
# The measured signal is exactly twice the coded one, for every output. So this is a matter of convention, not a wrong
# sum. The fix is either the factor of two, or a note that the loss is a different one. Neither loss is wrong, but
# step sizes belong to a loss. This is why the presets say 500 where the journal version multiplies by 1000, and why
# `run.json` records `delta_scale`.

# %% [markdown]
# ## Break it: the best epoch, on the test set
#
# Nobody wants to report a bad epoch. So people report the best one: the best of five epochs, or the best of all epochs
# of all seeds. They choose it on the test set, since that is the accuracy that counts.
#
# **Question.** How many points does a method gain this way, without being any better?
#
# To measure this, split the 1,000 test digits into two random halves. Choose the best on the first half, as if it were
# the test set, and then test the same network on the second half, which played no part in the choice. The mean gap,
# over many random splits, is pure luck.


# %%
def optimism(right, rng, n_cuts=300):
    """Return accuracy on chosen minus on fresh digits."""
    gaps = []
    for _ in range(n_cuts):
        order = rng.permutation(right.shape[-1])
        chosen, fresh = np.split(order, 2)
        here = right[..., chosen].mean(axis=-1).ravel()
        there = right[..., fresh].mean(axis=-1).ravel()
        best = here.argmax()
        gaps.append(100 * (here[best] - there[best]))
    return np.mean(gaps)


# %%
rng = np.random.default_rng(0)
for method, right in journal.items():
    learned = right[:, 1:]  # W learns from epoch 2 on
    of_a_run = np.mean(
        [optimism(run, rng) for run in learned]
    )
    of_all = optimism(learned, rng)
    print(
        f"{method:9} best epoch of a run {of_a_run:+.2f},"
    )
    print(f"{'':9} best of all {of_all:+.2f}")
    assert of_all > 0

# %% [markdown]
# **Answer.** Choosing the epoch adds about 0.3 points, and choosing seed and epoch adds about one point. The whole
# difference between the two methods in section 5 was about 0.5 points! (Each half has 500 digits. With all 1,000 the
# gain would be smaller by a factor of about $\sqrt 2$.) Worse, if you try more settings for one method than for the
# other, that method gets the larger bonus.
#
# To find this mistake, ask for each number in a table which data were used to choose it. To avoid it, choose the
# epoch in advance, or choose on a third set of digits. The table in [results/](../results/README.md) does have a
# column "best test". It is optimistic in just this way, so compare epochs 2 and 5, which are the same for all
# methods.

# %% [markdown]
# ## Exercises
#
# ### Exercise 10.1 · How well is a mean known?
#
# Write a function that takes an array with the accuracies of several seeds, and returns the standard error of their
# mean.


# %%
def standard_error(values):
    return ...  # your code


check("10.1", standard_error)

# %% [markdown]
# ### Exercise 10.2 · Is it a fair comparison?
#
# You want to compare two methods "with the same settings". Write a function that takes the contents of two `run.json`
# files (as dictionaries, such as `run` above) and returns a list with the names of the configuration entries that
# differ. Leave out `"method"`, which is meant to differ. An entry that only one of the two has counts as different.


# %%
def unfair(run_a, run_b):
    return ...  # your code


check("10.2", unfair)

# %% [markdown]
# ### Exercise 10.3 · What is wrong with this run?
#
# A colleague is proud of reaching nearly 98 % on mnist-5k after four epochs, with 50 hidden units, and sends you the
# record below. Something is wrong with it. Run the configuration again, with `runner.train(RunConfig(**sent["config"]),
# data, "numpy")`, and compare the two histories column by column. Then answer with a letter:
#
# - **a** The "test" digits were digits that the network was trained on.
# - **b** The seed was not the one in the record.
# - **c** The digits were not shuffled.
# - **d** The error signal lacked its factor of two.
# - **e** Nothing is wrong: the small network is that good.

# %%
sent = a_colleagues_run()
for name in ("method", "dataset", "layers", "seed"):
    print(f"{name:8} {sent['config'][name]}")
for record in sent["history"]:
    print(f"epoch {record['epoch']}:", end=" ")
    print(
        f"train {100 * record['train_accuracy']:.2f} %",
        end=" ",
    )
    print(f"test {100 * record['test_accuracy']:.2f} %")

# %%
answer = ...  # a letter, such as "a"

check("10.3", answer)

# %% [markdown]
# Solutions: [solutions/10_reproducing_the_paper.ipynb](solutions/10_reproducing_the_paper.ipynb).
#
# ## What you have seen
#
# - A run that is worth quoting leaves a configuration, versions and a history. With the same seed and number of threads
#   you can reproduce it to the last digit.
# - One seed shows only effects that are much larger than the scatter of seeds. Pairs with the same seed show smaller
#   ones.
# - With the paper's schedule COPI is clearly ahead of backpropagation with decorrelation. With the journal's schedule
#   its lead is so small that choosing the best of all seeds and epochs for the other method could hide it. On MNIST
#   with the paper's schedule, COPI is not on par with Adam: it is 0.8 points behind after 25 epochs, and behind with
#   each of five seeds.
# - More seeds do not reveal a mistake that they share; a measured derivative does. [Theorem
#   7](../docs/theory.md#7-backpropagation-is-the-negative-gradient) is checked this way for all error signals, in
#   `tests/mathematics/theorems/test_07_gradient.py`.
#
# This was the last notebook on the paper. For open questions, see the verdicts in [claims.md](../docs/claims.md).
#
# **Next:** [11 · One family](11_one_family.ipynb) puts COPI's decorrelation next to its relatives.
