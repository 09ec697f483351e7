# %% [markdown]
# # 10 · Solutions
#
# Try each exercise before you read on. The hints of `check` are meant to be enough.

# %%
import json
from pathlib import Path

import numpy as np

from copi_np import load_dataset
from copi_np.course import check
from copi_np.course.lesson_10 import a_colleagues_run
from copi_np.experiments import runner
from copi_np.experiments.config import RunConfig

data = load_dataset("mnist-5k")

# %% [markdown]
# ## Exercise 10.1 · How well is a mean known?
#
# The standard error of the mean of several seeds.


# %%
def standard_error(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


print(f"{standard_error(np.array([86.9, 88.6, 86.5, 86.3, 84.2])):.2f}")

check("10.1", standard_error)

# %% [markdown]
# The mean of $n$ independent values has a variance of $1/n$ of theirs, hence the root of $n$. NumPy's `np.std`
# divides by $n$ unless told otherwise; `ddof=1` makes that $n - 1$.
#
# *Usual mistakes.* Leaving out `ddof=1`: with five seeds the error comes out 11 % too small. Giving the standard
# deviation and calling it the error of the mean, or the other way round: a band in a figure must say which one it is.
# The envelopes of the paper's Figure 2 are standard deviations.

# %% [markdown]
# ## Exercise 10.2 · Is it a fair comparison?
#
# The names of the entries in which two configurations differ, apart from the method.


# %%
def unfair(run_a, run_b):
    a, b = run_a["config"], run_b["config"]
    equal = {name for name in set(a) & set(b) if a[name] == b[name]}
    return sorted((set(a) | set(b)) - equal - {"method"})


check("10.2", unfair)

# %% [markdown]
# And on the records of this project, where the repository is there:

# %%
RECORDS = Path("../../results/surveys/mnist-methods")
if RECORDS.is_dir():
    runs = {
        name: json.loads((RECORDS / f"{name}_mnist" / "run.json").read_text())
        for name in ("copi-bp", "bp-decor", "bp-adam")
    }
    for other in ("bp-decor", "bp-adam"):
        print("copi-bp and", other, "differ in", unfair(runs["copi-bp"], runs[other]))
    assert unfair(runs["copi-bp"], runs["bp-decor"]) == []

# %% [markdown]
# COPI and `bp-decor` differ in the method alone: "despite having equivalent learning rates", as the paper says. Adam
# has a step size and a schedule of its own, so that comparison is between two whole recipes. (It also ran for more
# epochs.)
#
# *Usual mistakes.* Comparing the whole records: versions and cores differ between machines, and do not decide what is
# computed. Looking only at the names of the first: an entry that the second has in addition goes unnoticed.

# %% [markdown]
# ## Exercise 10.3 · What is wrong with this run?

# %%
sent = a_colleagues_run()
_, history = runner.train(RunConfig(**sent["config"]), data, "numpy")
names = ("train_accuracy", "train_loss", "test_accuracy", "test_loss")
for theirs, ours in zip(sent["history"], history, strict=True):
    same = {name: theirs[name] == getattr(ours, name) for name in names}
    test = f"{100 * theirs['test_accuracy']:.1f} % and {100 * ours.test_accuracy:.1f} %"
    print(f"epoch {ours.epoch}: equal {same}, test {test}")
    assert list(same.values()) == [True, True, False, False]

answer = "a"

check("10.3", answer)

# %% [markdown]
# Both training columns agree to the last digit: weights, batches and updates were those of the configuration, so b, c
# and d are out. Only the test columns differ. Run again, the network reads about 91 % of the test digits. The
# colleague's "test" accuracy stays within one point of the training accuracy in every epoch, as it does for digits
# that were trained on. `run.json` could not show it: it names the data set, and the fault was in what was taken from
# it.
#
# *Usual mistakes.* To judge by the height alone. To find out *what* differs, change one thing at a time, and look at
# the columns that should not have changed.
