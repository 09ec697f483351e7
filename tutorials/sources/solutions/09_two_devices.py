# %% [markdown]
# # 09 · Solutions
#
# Solutions to the exercises of [09 · The same code on two
# devices](../09_two_devices.ipynb). Try each exercise yourself first: the hints from
# `check` should get you there.

# %%
from array_api_compat import array_namespace, device

from copi_np.course import check

# %% [markdown]
# ## Exercise 09.1 · Predict
#
# Which line waits for the device first, and which raises an error first?
#
#     A    n = x.shape[0]
#     B    C = x.T @ x / n
#     C    weights = np.where(labels == 3, 1.0, 0.5)
#     D    largest = xp.max(xp.abs(C))
#     E    print("large" if largest > 10 else "small")
#     F    C = C / largest
#     G    x = x * weights[:, None]

# %%
answer = "EG"
check("09.1", answer)

# %% [markdown]
# **Why.** A shape is known on the host. B, D and F are requests: Python asks and
# continues. C computes on the host. E contains an `if`: it needs to know whether the
# largest value is above 10, so Python waits until the device has finished B and D. G
# multiplies an array on the device by one on the host.
#
# **Common mistakes.** Saying that D waits, since it "returns a number": it returns an
# array without axes. Thinking that E raises an error: Python may ask for a single
# value.

# %% [markdown]
# ## Exercise 09.2 · Make it portable
#
# The mean absolute value of $\langle x_i x_j\rangle$ over all pairs $i \ne j$, for any
# library and device.


# %%
def mean_covariance(x):
    xp = array_namespace(x)
    C = x.T @ x / x.shape[0]
    n = C.shape[0]
    eye = xp.eye(n, dtype=x.dtype, device=device(x))
    return xp.sum(xp.abs(C * (1 - eye))) / (n * (n - 1))


check("09.2", mean_covariance)

# %% [markdown]
# **Why.** `@` replaces `einsum`, `x.shape[0]` replaces `len`, a product with a mask
# replaces `fill_diagonal`, and functions of `xp` replace methods. The result is not
# converted to a `float`, so Python does not wait.
#
# **Common mistakes.** Calling `xp.eye(n)` without `dtype` and `device`: this creates a
# float64 matrix on the default device, which does not match `x`. Taking `xp.mean` over
# the whole matrix: this divides by $n^2$, not by $n (n - 1)$. Leaving in one `np.`,
# which only works with NumPy.

# %% [markdown]
# ## Exercise 09.3 · How often does `fit` read values?
#
# How many values `fit` asks the backend for, as a function of epochs, layers and
# batches.


# %%
def values_asked(n_epochs, n_layers, n_batches):
    return n_epochs * (7 + 2 * n_layers)


check("09.3", values_asked)

# %% [markdown]
# **Why.** Change one number at a time, and you find that twice the epochs need twice
# the values, one more layer needs two more values per epoch, and more batches change
# nothing. So the formula is $\text{epochs} \times (7 + 2 \times \text{layers})$. The 7
# are the losses of all batches (copied together), accuracy and loss on both splits, and
# two limits above which a loss counts as exploded. The 2 are the largest weights of $W$
# and of $R$ in each layer.
#
# The point is that the number of batches does not matter. (`count_asked` only sees
# `scalar` and `to_host`. The measure of decorrelation reads two more values per layer
# and epoch with `float(array)`, so in fact there are four per layer.)
#
# **Common mistakes.** Expecting the number of batches to matter. Counting the layers
# once, instead of in every epoch.
