# %% [markdown]
# # 10 · Solutions
#
# Solutions to the exercises of [10 · Reproducing the paper: records, seeds, and what
# agreed](../10_reproducing_the_paper.ipynb). Try each exercise yourself first: the hints from `check` should get you
# there.

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
# The standard error of the mean over several seeds.


# %%
def standard_error(values):
    return np.std(values, ddof=1) / np.sqrt(len(values))


values = np.array([86.9, 88.6, 86.5, 86.3, 84.2])
print(f"{standard_error(values):.2f}")

check("10.1", standard_error)

# %% [markdown]
# **Why.** The variance of the mean of $n$ independent values is $1/n$ of their variance, hence the root of $n$. By
# default, `np.std` divides by $n$; with `ddof=1` it divides by $n - 1$.
#
# **Common mistakes.** Leaving out `ddof=1`: with five seeds the error is then 11 % too small. Giving the standard
# deviation and calling it the error of the mean, or the other way round: for a band in a figure, say which one it is.
# The envelopes in the paper's Figure 2 are standard deviations.

# %% [markdown]
# ## Exercise 10.2 · Is it a fair comparison?
#
# The names of the entries that differ between two configurations, apart from the method.


# %%
def unfair(run_a, run_b):
    a, b = run_a["config"], run_b["config"]
    shared = set(a) & set(b)
    equal = {name for name in shared if a[name] == b[name]}
    return sorted((set(a) | set(b)) - equal - {"method"})


check("10.2", unfair)

# %% [markdown]
# Here are the records of this project, if you have the repository:


# %%
def recorded(method):
    path = RECORDS / f"{method}_mnist" / "run.json"
    return json.loads(path.read_text())


RECORDS = Path("../../results/surveys/mnist-methods")
if RECORDS.is_dir():
    copi, decor = recorded("copi-bp"), recorded("bp-decor")
    print("copi-bp and bp-decor:", unfair(copi, decor))
    adam = recorded("bp-adam")
    print("copi-bp and bp-adam: ", unfair(copi, adam))
    assert unfair(copi, decor) == []

# %% [markdown]
# **Why.** COPI and `bp-decor` differ only in the method: "despite having equivalent learning rates", as the paper
# says. Adam has its own step size and schedule, so that comparison is between two whole recipes. (Adam also ran for
# more epochs.)
#
# **Common mistakes.** Comparing the whole records: versions and cores differ between machines, but do not determine
# what is computed. Looking only at the names in the first record: you miss an entry that only the second one has.

# %% [markdown]
# ## Exercise 10.3 · What is wrong with this run?

# %%
sent = a_colleagues_run()
config = RunConfig(**sent["config"])
_, history = runner.train(config, data, "numpy")
names = ["train_accuracy", "train_loss"]
names += ["test_accuracy", "test_loss"]
for theirs, ours in zip(
    sent["history"], history, strict=True
):
    same = [theirs[k] == getattr(ours, k) for k in names]
    print(
        f"epoch {ours.epoch}: equal {same}, test", end=" "
    )
    print(f"{theirs['test_accuracy']:.1%} and", end=" ")
    print(f"{ours.test_accuracy:.1%}")
    assert same == [True, True, False, False]

answer = "a"

check("10.3", answer)

# %% [markdown]
# **Why.** Both training columns agree to the last digit. So the weights, batches and updates were those of the
# configuration, which rules out b, c and d. Only the test columns differ. If we run it again, the network gets about
# 91 % of the test digits right. The colleague's "test" accuracy is within one point of the training accuracy in every
# epoch, as it would be for training digits. `run.json` could not show this: it names the data set, but the mistake
# was in which part of it was used.
#
# **Common mistakes.** Judging by the accuracy alone. To find out *what* differs, change one thing at a time, and look
# at the columns that should not have changed.
