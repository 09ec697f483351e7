# %% [markdown]
# # 03 · Solutions
#
# Solutions to the exercises of [03 · Error signals](../03_error_signals.ipynb). Try
# each exercise yourself first: the hints from `check` should get you there.

# %%
import numpy as np

from copi_np import Network
from copi_np.course import check
from copi_np.course.lesson_03 import suspects

# %% [markdown]
# ## Exercise 03.1 · Another loss
#
# Derive $\delta_L$ for the cross-entropy of a softmax after a linear output layer.


# %%
def output_signal(y, targets):
    growth = np.exp(y)
    p = growth / growth.sum(axis=1, keepdims=True)
    return targets - p


check("03.1", output_signal)

# %% [markdown]
# **Why.** With $\log p_i = y_i - \log\sum_j e^{y_j}$ the loss is $\ell = -\sum_i y^*_i
# y_i + \log\sum_j e^{y_j}$, since the targets sum to 1. Its slope in $y_k$ is $-y^*_k +
# p_k$, and the signal is minus that: $\delta_L = y^* - p$. The output layer is linear,
# so $a_L = y_L$ and $f' = 1$.
#
# **Common mistakes.** The gradient instead of its negative. Dividing by the number of
# samples, which belongs to the mean in the update. A softmax that sums over the samples
# (`axis=0`). `sum` without `keepdims=True`, so that the shapes do not fit. For large
# logits, subtract the largest one in each row first, so that `exp` cannot overflow: see
# `copi_np.losses.log_softmax`.

# %% [markdown]
# ## Exercise 03.2 · Direct feedback alignment
#
# Compute all signals, from the first layer to the output, from `a`, `F` and `delta_L`.


# %%
def df(a):
    return np.where(a > 0, 1.0, 0.1)


def direct_feedback(a, F, delta_L):
    hidden = [
        df(a_k) * (delta_L @ F_k.T)
        for a_k, F_k in zip(a[:-1], F, strict=True)
    ]
    return [*hidden, delta_L]


check("03.2", direct_feedback)

# %% [markdown]
# **Why.** With samples as rows, $F \delta_L$ is `delta_L @ F.T`. Each hidden unit
# multiplies this by its own slope. `delta_L` already includes the slope of the output
# units.
#
# **Common mistakes.** Passing the signal on from layer to layer, which is feedback
# alignment. Forgetting $f'$, or multiplying by $f$. Leaving out the output layer.
# Forgetting the transpose: if the layers have equal widths, this raises no error.

# %% [markdown]
# ## Exercise 03.3 · Four suspects
#
# One backward pass is right, one forgets $R$, one leaves out $f'$, one does not
# transpose $W R$. Each experiment makes one of the bugs harmless.

# %%
rng = np.random.default_rng(0)
y0 = rng.normal(size=(8, 5)) @ rng.normal(size=(5, 5))
targets = np.eye(3)[rng.integers(0, 3, 8)]


# %%
def line_up(prepare=lambda net: None, **options):
    rng = np.random.default_rng(1)
    settings = {"rng": rng, "dtype": "float64"} | options
    net = Network([5, 4, 4, 3], **settings)
    for _ in range(100):
        net.step(y0, targets, eta_W=0.0, eta_R=0.02)
    prepare(net)
    trace = net.forward(y0)
    right = net.error_signals(trace, targets)
    for name, send in suspects.items():
        found = send(
            net.layers, trace, net.feedback, right[2]
        )
        print(name, end=" ")
        for k in range(3):
            error = np.abs(found[k] - right[k]).max()
            print(f"{error:.1e}", end=" ")
        print()


# %%
def symmetric_middle(net):
    net.layers[1].W = net.layers[1].W + net.layers[1].W.T


print("as given")
line_up()
print("R is the identity")
line_up(decorrelation=None)
print("f' is one")
line_up(activation="linear")
print("R is the identity, and the middle W symmetric")
line_up(symmetric_middle, decorrelation=None)

# %%
answer = "CDBA"
check("03.3", answer)

# %% [markdown]
# **Why.** C is right from the start. With $R = I$, D becomes right: it forgot $R$. With
# linear units, B becomes right: it left out $f'$. With a symmetric $W R$ in the middle
# layer, A becomes right (and so does D, since $R = I$ there too): it did not transpose.
#
# Another clue: even in the first line-up, A is right in the layer below the output.
# There the widths are 4 and 3, so $W R$ does not fit without the transpose.
#
# **Common mistakes.** Changing two things at once, so that you do not know which of
# them mattered.
