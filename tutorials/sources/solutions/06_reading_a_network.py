# %% [markdown]
# # 06 · Solutions
#
# Solutions to the exercises of [06 · Reading a trained network](../06_reading_a_network.ipynb). Try each exercise
# yourself first: the hints from `check` should get you there.

# %%
import numpy as np

from copi_np.course import check
from copi_np.rules import linear_map

# %% [markdown]
# ## Exercise 06.1 · A field without a division by zero
#
# The standardized fields $\langle y_i x_j\rangle / \sqrt{\langle x_j^2\rangle}$ of all units, (O, I), and 0 for inputs
# that are always zero.


# %%
def my_fields(x, y):
    rms = np.sqrt(np.mean(x**2, axis=0))
    return y.T @ x / len(x) / np.where(rms > 0, rms, 1)


check("06.1", my_fields)

# %% [markdown]
# **Why.** `y.T @ x / len(x)` is $\langle y x^\top\rangle$, with one row per unit. NumPy divides it column by column by
# the array `rms` of shape (I,). If an input is always zero, so is its column of $\langle y x^\top\rangle$, and the
# denominator may be any number except 0: 0 / 1 is 0, without a warning.
#
# **Common mistakes.** Replacing the NaN afterwards: this works, but it hides any other NaN as well. Using `np.std`
# instead of the root mean square: nothing is centred here. Adding a small number to all mean squares: this changes
# every field, most of all at pixels that are rarely lit.
#
# ## Exercise 06.2 · More data than memory
#
# The fields of all samples in a list of chunks `(x, y)`, without joining the chunks.


# %%
def my_fields_in_chunks(chunks):
    products = sum(y.T @ x for x, y in chunks)
    squares = sum(np.sum(x**2, axis=0) for x, _ in chunks)
    return products / np.where(squares > 0, squares, 1)


check("06.2", my_fields_in_chunks)

# %% [markdown]
# **Why.** Numerator and denominator are means over all samples, and the number of samples cancels, so two sums are
# enough. Every sample counts the same, whichever chunk it is in.
#
# **Common mistakes.** Averaging the fields of the chunks: a ratio of sums is not a mean of ratios. Adding up the means
# of the chunks: then the smaller chunk at the end counts too much. Looking for dead inputs in each chunk: a pixel may
# be zero in one chunk and not in the next.
#
# ## Exercise 06.3 · The same pixel twice
#
# The input contains $x_1$ twice, and $y = w x_1$. Which weights does the formula give to the two copies?

# %%
rng = np.random.default_rng(0)
x1, x2 = rng.normal(size=(2, 1000))
x = np.stack([x1, x1, x2], axis=1)
y = 3 * x1[:, None]  # w = 3
least_squares = np.linalg.lstsq(x, y, rcond=None)[0].T
print("formula      ", linear_map(x, y).round(2))
print("least squares", least_squares.round(2))
answer = "b"
check("06.3", answer)

# %% [markdown]
# **Why.** $\langle y x_1\rangle / \langle x_1^2\rangle = w$, for both copies. The formula looks at each input
# separately. Together they give $2 w x_1$, twice the output. (`numpy.linalg.lstsq` finds one of the many pairs that add
# up to $w$: the one with the smallest weights.)
#
# **Common mistakes.** Expecting the formula to split the weight, as least squares does. This is the smallest example of
# the difference that correlations make.
