# %% [markdown]
# # 09 · Solutions
#
# The exercises of [09, one code, two devices](../09_two_devices.ipynb), with what goes
# wrong most often.

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
# A shape is known on the host. B, D and F are requests: Python asks, and goes on. C
# computes on the host. E is an `if` in disguise: it needs to know whether the largest
# value is above 10, so Python waits until the device has worked through B and D. G
# multiplies an array of the device by one of the host.
#
# The usual mistake is to say that D waits, since it "gives a number". It gives an array
# without axes. Another one is to think that E raises: a single value may be asked for.

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
    off = C * (1 - xp.eye(n, dtype=x.dtype, device=device(x)))
    return xp.sum(xp.abs(off)) / (n * (n - 1))


check("09.2", mean_covariance)

# %% [markdown]
# `@` takes the place of `einsum`, `x.shape[0]` of `len`, a product with a mask that of
# `fill_diagonal`, and functions of `xp` that of methods. The result is not turned into a
# `float`, so that nobody waits.
#
# Usual mistakes: `xp.eye(n)` without `dtype` and `device` makes a float64 matrix on the
# default device, which meets `x` where it should not; `xp.mean` over the whole matrix
# divides by $n^2$, not by $n (n - 1)$; one `np.` is left over, and works on NumPy.

# %% [markdown]
# ## Exercise 09.3 · How often does `fit` look?
#
# The number of values that `fit` asks the backend for, by epochs, layers and batches.


# %%
def values_asked(n_epochs, n_layers, n_batches):
    return n_epochs * (7 + 2 * n_layers)


check("09.3", values_asked)

# %% [markdown]
# Change one number at a time. Twice the epochs, twice the values; one layer more, two
# values more in every epoch; more batches, no change. So the law is
# $\text{epochs} \times (7 + 2 \times \text{layers})$: the losses of all batches (moved
# together), accuracy and loss on both splits, two limits above which a loss counts as
# exploded, and the largest weight of $W$ and of $R$ in each layer.
#
# That the number of batches is not in it is the point. The usual mistakes are to expect
# it there, and to count the layers once instead of in every epoch. (`count_asked` sees
# `scalar` and `to_host` alone. The measure of decorrelation passes by it: two values more
# for each layer and epoch, by `float(array)`, so that in truth it is four a layer.)
