# %% [markdown]
# # 09 · The same code on two devices
#
# Every equation of this package is written once, and runs on a CPU with NumPy and on a
# GPU with CuPy. This notebook shows how that works, what goes wrong if you forget which
# device an array is on, and how we test all this on machines without a GPU. Then you
# put a rule of your own into a network. You do not need a GPU.
#
# **What you will be able to do**
#
# - write a function that runs unchanged with any array library;
# - move arrays between host and device on purpose, and understand the error message if
#   you forget;
# - time a computation on a GPU without fooling yourself;
# - explain what can be tested without a GPU, and what cannot;
# - put a rule, an activation and an error signal of your own into a network, and save
#   it.
#
# **Time:** 60 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** notebook 00, and the COPI rule of notebook 01. There is hardly any
# mathematics.
#
# **In the paper:** nothing; this notebook is about programming. (Appendix D says that
# the authors used GPUs.)

# %%
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory

import numpy as np
from array_api_compat import array_namespace

from copi_np import Activation, Backend, BackendError
from copi_np import ErrorSignal, InputError, Network, Step
from copi_np import get_backend, load_network, rules
from copi_np import save_network
from copi_np.cli.doctor import describe, examine
from copi_np.course import check
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.training import Schedule, fit

# %%
BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
print(backend)

# %% tags=["hide-input"]
import matplotlib.pyplot as plt

from copi_np.plotting import COLOURS, STYLE

plt.rcParams.update(STYLE)

# %% [markdown]
# ## 1. Two memories
#
# A GPU is a second computer with its own memory. Your Python program runs on the
# **host**. It can ask the **device** to compute, but only with arrays that are in the
# device's memory. Copying between the two is slow, compared with what each does on its
# own. So the first rule is: *copy rarely, and on purpose.*

# %% tags=["hide-input"]
figure, axes = plt.subplots(
    figsize=(9, 2.8), layout="constrained"
)
for x, name, library in [
    (0, "host", "NumPy arrays"),
    (6, "device", "CuPy arrays"),
]:
    axes.add_patch(
        plt.Rectangle(
            (x, 0), 3, 2, fill=False, edgecolor="gray", lw=2
        )
    )
    axes.text(
        x + 1.5, 1.4, name, ha="center", weight="bold"
    )
    axes.text(x + 1.5, 0.6, library, ha="center")
arrow = {"arrowstyle": "-|>", "lw": 2, "color": COLOURS[0]}
for start, end, height, text in [
    (3, 6, 1.45, "asarray"),
    (6, 3, 0.55, "to_host, scalar"),
]:
    axes.annotate(
        "", (end, height), (start, height), arrowprops=arrow
    )
    axes.text(
        4.5,
        height + 0.12,
        text,
        ha="center",
        family="monospace",
    )
axes.set(xlim=(-0.2, 9.2), ylim=(-0.1, 2.1))
_ = axes.axis("off")

# %% [markdown]
# A `Backend` is this picture as an object: an array library (`xp`), a device, and the
# functions that copy between host and device. You choose it once and pass it
# explicitly: `Network(..., backend="cupy")`. There is no global switch. If there were,
# one part of a program could change it while another relied on it, and arrays of two
# libraries would get mixed.
#
# **Question.** What should `get_backend("cupy")` do on a machine without a GPU: fall
# back to NumPy, or refuse?

# %%
for name in ("numpy", "auto", "cupy", "gpu"):
    try:
        print(f"{name!r}: {get_backend(name)}")
    except (BackendError, InputError) as error:
        print(f"{name!r}: {type(error).__name__}: {error}")

# %% [markdown]
# **Answer.** It should refuse. If you ask for "cupy", you mean it, and you would notice
# a silent fallback only hours later, because it is slow. So `get_backend` refuses, says
# what is missing, and tells you how to install it. If you do not mind, ask for "auto":
# CuPy if a GPU *works*, otherwise NumPy. To find out, it computes a small product on
# the device, since `import cupy` alone also succeeds on machines without a GPU.
#
# In a terminal, `copi-np doctor` reports the same, and lists all versions and data
# sets. Here are two of its lines:

# %%
for line in describe(examine()).splitlines():
    if line.startswith(("GPU", "backend")):
        print(line)

# %% [markdown]
# ## 2. There and back
#
# `asarray` copies from the host to the device, `to_host` copies back. Both make a
# *copy*, even with NumPy, where it is not necessary. So a program behaves the same
# everywhere.

# %%
host = np.arange(6.0).reshape(2, 3)
there = backend.asarray(host, "float32")  # dtype: optional
host[0, 0] = 100  # the copy does not change
back = backend.to_host(there)
assert back[0, 0] == 0
print(type(there).__name__, there.dtype, end=" -> ")
print(type(back).__name__, back.dtype)

# %% [markdown]
# ## 3. Find the library from the data
#
# How can one function work with two libraries? Take the mean square of every input,
# $\langle x_j^2\rangle$, from the decay of the COPI rule. First we write a loop, then
# we use NumPy's functions:

# %%
x_host = np.random.default_rng(0).normal(size=(50, 4))

by_loop = np.zeros(4)
for sample in x_host:
    for j in range(4):
        by_loop[j] += sample[j] ** 2 / len(x_host)

by_numpy = np.mean(x_host * x_host, axis=0)
assert np.allclose(by_loop, by_numpy)

# %% [markdown]
# The second form names NumPy, so it works only with NumPy. But NumPy, CuPy and other
# libraries agree on a common set of functions with the same names and meanings: the
# [array API standard](https://data-apis.org/array-api/latest/). So we ask the *array*
# for its library, and call that `xp`:


# %%
def mean_square(x):
    xp = array_namespace(x)  # numpy, cupy or another
    return xp.mean(x * x, axis=0)


assert np.allclose(mean_square(x_host), by_loop)
x = backend.asarray(x_host)
for function in (mean_square, rules.mean_square):
    found = backend.to_host(function(x))
    assert np.allclose(found, by_loop)
print(array_namespace(x).__name__)

# %% [markdown]
# That is all you need: operators (`+`, `*`, `@`, `x.T`) belong to the arrays
# themselves, and functions come from `xp`. All of `rules.py` is written this way.
#
# ### A second device for everyone
#
# You may not have a GPU. But there is a library for this purpose:
# [array-api-strict](https://data-apis.org/array-api-strict/) offers what is in the
# standard and *nothing else*. It has several simulated devices, and refuses to mix
# them. NumPy does the work underneath, so it is not faster, only stricter. To use it we
# need a backend, which takes a few lines: `Backend` works with any library that follows
# the standard.

# %%
HAVE_STRICT = find_spec("array_api_strict") is not None
if HAVE_STRICT:
    import array_api_strict as library

    HERE = library.Device("CPU_DEVICE")
    THERE = library.Device("device1")
else:
    print("without array-api-strict, nothing below is")
    print("refused: install it and restart")


# %%
class StrictBackend(Backend):
    """array-api-strict, on its second device."""

    def __init__(self):
        super().__init__("strict", library, THERE)

    def to_host(self, array):
        return np.array(library.asarray(array, device=HERE))


strict = get_backend("numpy")
if HAVE_STRICT:
    strict = StrictBackend()
print(strict)

# %% [markdown]
# **Question.** The COPI rule was not written for this library. Will `rules.copi_update`
# run on it? Will it give the same numbers?

# %%
rng = np.random.default_rng(1)
W, z = rng.normal(size=(3, 4)), rng.normal(size=(50, 3))
expected = z.T @ x_host / 50 - W * by_loop

for there in (get_backend("numpy"), backend, strict):
    arrays = (
        there.asarray(array) for array in (W, x_host, z)
    )
    dW = rules.copi_update(*arrays)
    assert there.owns(dW)  # it stays on that device
    assert np.allclose(there.to_host(dW), expected)
    kind = type(dW)
    print(
        f"{there.name:7} {kind.__module__}.{kind.__name__}"
    )

# %% [markdown]
# **Answer.** It runs, the numbers agree, and the result is on the device of the
# arguments. (The second line is the same as the first, unless you have changed
# `BACKEND`.)

# %% [markdown]
# ## 4. Break it: mix arrays of two devices
#
# Here are four mistakes that everyone makes. `x` and `z_there` are on the strict
# device; `x_host`, `W` and `order`, an array of indices, are on the host.
#
# 1. `np.mean(x)`
# 2. `x - x_host`
# 3. `x[order]`
# 4. `rules.copi_update(W, x, z_there)`
#
# **Question.** Which of the four would work without an error if all of these were NumPy
# arrays?


# %%
def attempt(action):
    """Return the name of the error that it raises."""
    try:
        action()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return type(error).__name__
    print("accepted")
    return None


# %%
x, W_there, z_there = (
    strict.asarray(array) for array in (x_host, W, z)
)
order = np.array([3, 1, 2])

raised = [
    # a NumPy function, an array of another library
    attempt(lambda: np.mean(x)),
    # one operand is still on the host
    attempt(lambda: x - x_host),
    # so is the index
    attempt(lambda: x[order]),
    # so is W
    attempt(lambda: rules.copi_update(W, x, z_there)),
]
assert all(raised) == HAVE_STRICT

# %% [markdown]
# **Answer.** All four. That is why a test with NumPy is not enough: NumPy accepts
# things that a GPU does not. How to read the messages:
#
# 1. *Can't convert array .. to a NumPy array*: a function of `np` got an array on the
#    device. Write `xp` instead.
# 2. *Expected Array or Python scalar, got ndarray*: one operand is a NumPy array. Find
#    where it is created, and add `backend.asarray`.
# 3. *Index arrays .. must be*: indices are data too. Copy them to the device (as `fit`
#    does with the order of the samples, once per epoch), or use a slice.
# 4. *need arrays of one library*: this message is ours. Each function of `rules.py`
#    begins with a line such as `common_namespace("OI BI BO", W, x, z)`, which compares
#    libraries, devices, dtypes and shapes before anything is computed.
#
# CuPy words its messages differently. For the second mistake it says `Unsupported type
# <class 'numpy.ndarray'>`, and `np.asarray` of a CuPy array gives `Implicit conversion
# to a NumPy array is not allowed`. The cause is the same, and so is the fix.
#
# ### A mistake without an error
#
# We train in float32, which needs half the memory of float64.
#
# **Question.** `x32` is a float32 array. What is the dtype of `np.float64(0.5) * x32`,
# and of `0.5 * x32`?

# %%
x32 = backend.asarray(x_host, "float32")
# a NumPy array: its items are np.float64
step_sizes = np.logspace(-3, -1, 3)
wide = step_sizes[0] * x32
narrow = float(step_sizes[0]) * x32
print("float:     ", (0.5 * x32).dtype)
print("np.float64:", wide.dtype)
assert wide.dtype == backend.xp.float64
assert narrow.dtype == backend.xp.float32

# %% [markdown]
# **Answer.** A Python float adapts to the array. A NumPy scalar has a dtype of its own,
# and the wider dtype wins: from here on everything is float64 and takes twice the
# memory, and nothing tells you. So `Network.step` converts its step sizes to Python
# floats, and the rules refuse mixed dtypes:

# %%
W64 = backend.asarray(W, "float64")
z32 = backend.asarray(z, "float32")
message = attempt(lambda: rules.copi_update(W64, x32, z32))
assert message == "InputError"

# %% [markdown]
# ## 5. What the standard lacks: a fused product
#
# A learning step adds a product to the weights, in place: $W \leftarrow W +
# \frac{\eta}{B}\, z^\top x$ (samples are rows). The plain form, `W += eta / B * z.T @
# x`, first computes the product, an array as large as $W$, and then adds it, which is
# one more pass over memory. cuBLAS, the library for matrix products on NVIDIA's GPUs,
# can add while it multiplies. The standard has no function for this, so the backend has
# one: `matmul_add`.

# %%
W_loop, eta = W.copy(), 0.1 / 50
for b in range(50):
    for i in range(3):
        for j in range(4):
            W_loop[i, j] += eta * z[b, i] * x_host[b, j]

W_moved, z_moved = backend.asarray(W), backend.asarray(z)
x_moved = backend.asarray(x_host)
backend.matmul_add(W_moved, z_moved.T, x_moved, eta)
assert np.allclose(W_loop, W + eta * z.T @ x_host)
assert np.allclose(backend.to_host(W_moved), W_loop)

# %% [markdown]
# So a backend is small: `asarray`, `to_host` and `scalar` move values, `owns` tells
# whether an array lives there, `synchronize` and `seconds` are for timing (see below),
# and `matmul_add` is the fused product. Anything that you can write with `xp` does not
# belong there.

# %% [markdown]
# ## 6. The device runs in the background
#
# When Python asks a GPU for a product, it does not wait for the answer. It puts the
# request into a queue and continues. It waits only when the host needs a *value*. We
# can model this with a second thread that works through a queue, one product after the
# other:

# %%
matrix = np.random.default_rng(0).normal(size=(1000, 1000))
product = partial(np.matmul, matrix, matrix)
queue = ThreadPoolExecutor(max_workers=1)  # our device

start = time.perf_counter()
products = [queue.submit(product) for _ in range(5)]
asked = time.perf_counter() - start
last = products[-1].result()  # waits for the value
finished = time.perf_counter() - start
queue.shutdown()

# %% [markdown]
# **Question.** If you stop the clock after the line with `submit`, what does it show?

# %%
print(f"asked after {1000 * asked:.1f} ms,", end=" ")
print(f"finished after {1000 * finished:.0f} ms")
assert asked < finished / 5

# %% [markdown]
# **Answer.** Almost nothing: only the time it takes to *ask*. If you time a GPU like
# this, you measure Python, and your GPU looks impossibly fast. To time it properly,
# wait for the device with `synchronize` before you stop the clock. And call the
# function once before you start, since the first call on a GPU may compile it.


# %%
def seconds(backend, action, repeats=10):
    """Return the time of an action on an idle device."""
    action()  # the first call may compile
    backend.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        action()
    backend.synchronize()
    return (time.perf_counter() - start) / repeats


arrays = [
    backend.asarray(array) for array in (W, x_host, z)
]
update = partial(rules.copi_update, *arrays)
assert seconds(backend, update) > 0

# %% [markdown]
# With NumPy, `synchronize` has nothing to wait for and does nothing. (`backend.seconds`
# does the same, except for the first call.)
#
# ### Each value that you read makes you wait
#
# On a GPU, a reduction such as `xp.mean` does not return a number, but an array without
# axes that stays on the device. If you call `float` or `print` on it, or use it in an
# `if`, Python waits until the queue is empty, and only then asks for more.

# %%
net = Network(
    [4, 3],
    rng=np.random.default_rng(0),
    backend=strict,
    dtype="float64",
)
batch = strict.asarray(x_host), strict.asarray(z)
loss = net.step(*batch, eta_W=0.01)
value = strict.scalar(loss)
print(type(loss).__name__, loss.shape, end=" -> ")
print(type(value).__name__)
assert loss.shape == ()

# %% [markdown]
# Suppose that for each batch the host needs 3 ms to ask and the device needs 4 ms to
# compute. (These numbers are made up; this is a sketch, not a measurement.)
#
# **Question.** How long do five batches take if the host reads the loss after every
# batch? And if it reads all losses at the end?


# %%
def timeline(reads_every_loss, batches=5, ask=3, compute=4):
    """Return (start, length) of requests and of work."""
    host_free, device_free, host, device = 0, 0, [], []
    for _ in range(batches):
        host.append((host_free, ask))
        host_free += ask
        start = max(host_free, device_free)
        device.append((start, compute))
        device_free = start + compute
        if reads_every_loss:
            host_free = device_free
    return host, device


ends = {r: sum(timeline(r)[1][-1]) for r in (True, False)}
assert ends == {True: 35, False: 23}

# %% tags=["hide-input"]
figure, rows = plt.subplots(
    2,
    1,
    figsize=(9, 3.4),
    sharex=True,
    layout="constrained",
)
for axes, reads in zip(rows, (True, False), strict=True):
    for height, bars in enumerate(timeline(reads)):
        axes.broken_barh(
            bars,
            (height - 0.35, 0.7),
            facecolor=COLOURS[height],
            edgecolor="white",
        )
    when = "immediately" if reads else "at the end"
    axes.set(title=f"losses are read {when}")
    axes.set(yticks=[0, 1], yticklabels=["host", "device"])
_ = rows[1].set(xlabel="time (ms)")

# %% [markdown]
# **Answer.** If the host reads every loss, host and device take turns, and each is idle
# while the other works: 35 ms. If the losses stay on the device, it never has to wait:
# 23 ms. So `Network.step` returns the loss as an array on the device, and `fit`
# collects the losses of an epoch and copies them together.
#
# This is easy to check. Here is a backend that uses NumPy, but counts how often
# `scalar` and `to_host` are asked for a value. (A plain `float(array)` waits too, but
# is not counted here. The package's tests count that as well, and find none between
# batches.)


# %%
class CountingBackend(Backend):
    """NumPy as a device that counts requests for values."""

    def __init__(self):
        numpy = get_backend("numpy")
        super().__init__("counting", numpy.xp)
        self.asked = 0

    def scalar(self, array):
        self.asked += 1
        return super().scalar(array)

    def to_host(self, array):
        self.asked += 1
        return super().to_host(array)


# %%
def count_asked(n_epochs, sizes, batch_size):
    """Return how often `fit` asks for values."""
    labels = np.arange(18) % 3
    whole = Split(np.eye(3)[labels], labels)
    train, test = np.arange(12), np.arange(12, 18)
    parts = whole.take(train), whole.take(test)
    data = Dataset("tiny", *parts, n_classes=3)
    counting = CountingBackend()
    rng = np.random.default_rng(0)
    net = Network(sizes, rng=rng, backend=counting)
    settings = {"batch_size": batch_size, "rng": rng}
    settings |= {"schedule": Schedule(0.01, 0.01)}
    fit(net, data, epochs=n_epochs, **settings)
    return counting.asked


asked = count_asked(1, [3, 4, 3], batch_size=4)
print("one epoch, two layers, 3 batches:", asked)

# %% [markdown]
# ## 7. The same start on every device
#
# Random numbers could make every comparison meaningless: each library draws its own,
# and the standard has none. So this package draws *everything* on the host, from one
# explicit `numpy.random.Generator`, and then copies it to the device: weights,
# feedback, the order of the samples.
#
# **Question.** Train two networks with the same seed, one with NumPy and one on another
# device. After two epochs on the digits, how much will their weights differ?

# %%
DATA = "mnist-5k"

data = load_dataset(DATA)
SIZES = [data.n_inputs, 50, data.n_classes]
rates = {"eta_W": 1e-3, "eta_R": 1e-3, "delta_scale": 500}
# R alone in the first epoch
first = {"first_epochs": 1, "first_eta_R": 1e-3}
schedule = Schedule(**rates, **first)


def train(epochs, **settings):
    """Return a network, and its last test accuracy."""
    net = Network(
        SIZES, rng=np.random.default_rng(0), **settings
    )
    rng = np.random.default_rng(1)
    settings = {"epochs": epochs, "schedule": schedule}
    history = fit(net, data, rng=rng, **settings)
    return net, history[-1].test_accuracy


# %%
def weights(net):
    layer, there = net.layers[0], net.backend
    return there.to_host(layer.W), there.to_host(layer.R)


on_numpy, right = train(2, backend="numpy")
for there in (backend, strict):
    net, accuracy = train(2, backend=there)
    pairs = zip(
        weights(net), weights(on_numpy), strict=True
    )
    most = max(
        np.abs(one - other).max() for one, other in pairs
    )
    print(
        f"{there.name:7} test accuracy {accuracy:.1%},",
        end=" ",
    )
    print(f"differs by {most:.1g}")
    assert most < 0.01
    assert abs(accuracy - right) < 0.02

# %% [markdown]
# **Answer.** On the strict device, only in the last digit: NumPy does the work
# underneath, but without the fused product of section 5, so a few sums are rounded
# differently. A GPU adds in yet another order, and float32 keeps about seven digits. So
# on a GPU the weights agree to a few digits, and to fewer as training continues.

# %% [markdown]
# ## 8. How to test without a GPU
#
# The machines on which this package was written and is tested have no GPU. **None of it
# has run on a real GPU so far.** What can we do instead, and what does each check find?
#
# - **A strict library.** Every public function, and whole training steps, run with
#   array-api-strict, on a device that is not its default device. This finds functions
#   outside the standard, host data mixed with device data, arrays created on the wrong
#   device, and mixed dtypes. It does not find functions of the standard that CuPy
#   lacks.
# - **A list of what CuPy offers**: the names of its functions and of their parameters,
#   in a file ([`cupy_surface.json`](../tests/support/cupy_surface.json)). A test
#   compares it with the source code of the package
#   ([`test_cupy.py`](../tests/backend/test_cupy.py)). This finds functions and keywords
#   that CuPy does not have. It does not test what the functions do.
# - **A mock of CuPy** ([`cupy_mock.py`](../tests/support/cupy_mock.py)): it has the
#   functions of that list and no others, refuses host arrays, and computes with NumPy.
#   The whole package runs on it, including its CuPy code. This finds accidental copies
#   to the host. It does not find wrong results of the real CuPy, and tells us nothing
#   about speed or waiting.
# - **The tests marked `gpu`** do the same with the real CuPy. They are skipped if there
#   is no working GPU: so far, everywhere.
#
# The mock has already found a bug: for a singular matrix NumPy raises an error, but
# CuPy continues with NaN. `inference_update` now checks for that.
#
# **Question.** Someone writes `xp.sum(x, axis=0, where=alive)`. NumPy has the parameter
# `where`. Which of the first two checks catch this?

# %%
if HAVE_STRICT:
    attempt(lambda: library.sum(x, axis=0, where=True))

# %% [markdown]
# **Answer.** Both. In the standard, `sum` has no `where`, so the strict library refuses
# it. And in the list of what CuPy offers, `sum` has no `where` either.
#
# If you have a GPU, you can test what we could not:
#
#     pip install '.[test,gpu12]'     # or gpu13, for CUDA 13
#     copi-np doctor
#     python -m pytest -m gpu
#
# Please tell us about the results.

# %% [markdown]
# ## 9. What to write, and what not to write
#
# | write | not | because |
# |---|---|---|
# | `xp = array_namespace(x)` | `np.` in the function | the array knows its library |
# | `x.T @ x`, `x * x` | `np.einsum`, `np.dot` | operators work in every library |
# | `xp.mean(x, axis=0)` | `x.mean(axis=0)` | the standard has few methods |
# | `x.shape[0]` | `len(x)` | not every array has a length |
# | `xp.eye(n, dtype=.., device=..)` | `xp.eye(n)` | the defaults may be wrong |
# | `xp.where(a > 0, a, 0.1 * a)` | `if a[0] > 0:` | an `if` on a value makes the host wait |
# | `C * (1 - xp.eye(..))` | `np.fill_diagonal(C, 0)` | only NumPy has it, and it works in place |
# | `rng.normal(..)`, then `asarray` | `xp.random` | not in the standard, and other numbers |
# | one `to_host` at the end | `float(loss)` every batch | each one makes the host wait |
# | `asarray(v, "float32")` | float64 among float32 | mixed dtypes are refused, or become float64 |
#
# For a new array, use `dtype=x.dtype, device=device(x)`, where `device` comes from
# `array_api_compat`. In short: write arithmetic in the array API standard. Only
# `copi_np.backend` mentions NumPy and CuPy by name.

# %% [markdown]
# ## 10. Your own rule
#
# Now that you can write a function for any device, you can try an idea of your own.
# Wherever the package takes a name, such as `rule="copi"`, it also takes a function or
# an object. The page [Extend](../docs/extend.md) is the reference for this section.


# %%
def trained_with(**parts):
    """Train with these parts, and print the accuracy."""
    net, accuracy = train(3, backend=backend, **parts)
    print(f"test accuracy {accuracy:.1%}")
    return net


# %% [markdown]
# ### A rule in five lines
#
# A rule is a function. The names of its parameters say what it needs, for example `W`,
# the input `x` and the target state `z` of a layer. It returns the update, which the
# layer then multiplies by the step size. Here is the COPI rule:


# %%
def my_copi(W, x, z):
    xp = array_namespace(W, x, z)
    correlations = z.T @ x / x.shape[0]  # <z x^T>
    decay = W * xp.mean(x * x, axis=0)  # W diag<x^2>
    return correlations - decay


# %% [markdown]
# **Question.** The package has the same rule, but computes it in place, with the fused
# product of section 5. After three epochs, will two networks, one with each form of the
# rule, have the same weights?

# %%
mine = trained_with(rule=my_copi)
built_in = trained_with(rule="copi")
difference = weights(mine)[0] - weights(built_in)[0]
most = np.abs(difference).max()
print(f"the weights differ by {most:.0e} at most")
assert most < 1e-4

# %% [markdown]
# **Answer.** Yes, up to rounding: the two forms add in a different order.
#
# Now an idea. COPI does not normalise the variances of its inputs, so a layer learns
# slowly from inputs with a small mean square, or *power*. What if we divide each column
# of the update by the power of its input? We add a number to the power, `damping`, so
# as not to divide by zero. A parameter with a default is yours: the layer leaves it
# alone.


# %%
def normalised(W, x, z, damping=1.0):
    power = rules.mean_square(x)
    return rules.copi_update(W, x, z) / (power + damping)


# %% [markdown]
# **Question.** The mean square of a pixel is well below 1, so `damping=1.0` changes
# little. Will `damping=0.1` be better?

# %%
net = trained_with(rule=normalised)
undamped = partial(normalised, damping=0.1)
message = attempt(lambda: trained_with(rule=undamped))
assert message == "DivergenceError"

# %% [markdown]
# **Answer.** With this step size it diverges: the weights of an input with almost no
# power now take steps that are ten times as large. So the idea needs a smaller `eta_W`,
# and a fair comparison needs the best step size for each rule. It takes five minutes to
# write a rule. To show that it is better, you need the methods of notebook 10.
#
# If you ask for something that a layer does not have, the message lists what it has:


# %%
def guess(W, gradient):
    return gradient


message = attempt(lambda: trained_with(rule=guess))
assert message == "InputError"

# %% [markdown]
# ### A decorrelation rule
#
# The lateral weights work the same way: `decorrelation=` takes a function of `R`, `x`
# and `y`. This one decorrelates, and also pulls every mean square towards 1. Since it
# is a pure function, we can try it on a single batch first, without any network:


# %%
def whitening(R, x):
    push = (1 - rules.mean_square(x))[:, None] * R
    return rules.decorrelation_update(R, x) + push


y = x_host @ (np.eye(4) + 0.5)  # correlated inputs
for rule in (rules.decorrelation_update, whitening):
    R = np.eye(4)
    for _ in range(2000):
        R = R + 0.02 * rule(R, y @ R.T)
    power = rules.mean_square(y @ R.T)
    print(f"{rule.__name__}: mean squares", power.round(2))
assert np.allclose(power, 1, atol=0.01)

# %%
net = trained_with(decorrelation=whitening)

# %% [markdown]
# ### An activation and an error signal
#
# An `Activation` is a name, a function and its derivative. Softplus is a smooth ReLU:


# %%
def softplus(a):
    xp = array_namespace(a)
    return xp.log1p(xp.exp(a))


def sigmoid(a):
    return 1 / (1 + array_namespace(a).exp(-a))


smooth = Activation("softplus", softplus, sigmoid)
net = trained_with(activation=smooth)

# %% [markdown]
# An error signal returns one array (B, O) for each layer. Backpropagation sends
# $\delta$ back through the matrix $W R$ of the layer above. Our own signal knows only
# the *signs* of its entries, and their mean size.
#
# **Question.** How much accuracy will it lose: none, one point, or ten?


# %%
def sign_symmetry(layers, trace, delta_L):
    xp, deltas = array_namespace(delta_L), [delta_L]
    for k in reversed(range(len(layers) - 1)):
        M = layers[k + 1].W @ layers[k + 1].R
        back = deltas[0] @ xp.sign(M) * xp.mean(xp.abs(M))
        slope = layers[k].activation.df(trace.a[k])
        deltas.insert(0, slope * back)
    return deltas


signs = ErrorSignal("signs", sign_symmetry)
net = trained_with(error_signal=signs)

# %% [markdown]
# **Answer.** About one point, from 91.3 % to 90.5 % (one seed, and only one hidden
# layer). The hidden layer needs to know in which direction to move, and hardly how far.
#
# ### A rule with a memory
#
# Some rules remember earlier steps. Such a rule is a small class, derived from `Step`:
# `start` prepares for the weights of a layer, `step` changes them in place. This is
# COPI with momentum:


# %%
class Momentum(Step):
    """COPI with momentum."""

    def start(self, weights, backend):
        super().start(weights, backend)
        self.velocity = backend.xp.zeros_like(weights)

    def step(self, weights, states, eta):
        x, z = states.x, states.z
        update = rules.copi_update(weights, x, z)
        self.velocity = 0.5 * self.velocity + 0.5 * update
        weights += eta * self.velocity


momentum = trained_with(rule=Momentum())

# %% [markdown]
# ### Save and load
#
# A file holds arrays and names, but no code.
#
# **Question.** We save this network, and load it with `load_network(path)`. What should
# happen: will it load, load with the COPI rule instead, or be refused?

# %%
folder = TemporaryDirectory()
path = f"{folder.name}/momentum.npz"
save_network(path, momentum)
attempt(lambda: load_network(path))
loaded, _ = load_network(path, backend, rule=Momentum())
print(loaded.config["rule"])

# %% [markdown]
# **Answer.** It is refused, and the message says what to do: pass the rule again.
# Anything else would silently train with another rule.
#
# **Question.** We train the original and the loaded network for one more epoch, on the
# same batches. Will they stay the same?


# %%
def gap_after_an_epoch(*networks):
    """Train both further; return how far they differ."""
    further = Schedule(**rates)
    for net in networks:
        rng = np.random.default_rng(2)
        fit(net, data, epochs=1, schedule=further, rng=rng)
    one, other = (weights(net)[0] for net in networks)
    return np.abs(one - other).max()


gap = gap_after_an_epoch(momentum, loaded)
print(f"the weights differ by up to {gap:.0e}")
assert gap > 0

# %% [markdown]
# **Answer.** No. The file has the weights, but not the velocity, so the loaded network
# starts again from zero. Nothing raised an error: only the rule knows that it has a
# memory. So it must say so, with two more methods:


# %%
class SavedMomentum(Momentum):
    """Momentum that is saved with the network."""

    def state(self):
        return {"velocity": self.velocity}

    def restore(self, state):
        self.velocity = state["velocity"]


# %%
momentum = trained_with(rule=SavedMomentum())
save_network(path, momentum)
saved = SavedMomentum()
loaded, _ = load_network(path, backend, rule=saved)
assert gap_after_an_epoch(momentum, loaded) == 0
print("one more epoch: the same weights to the last bit")
folder.cleanup()

# %% [markdown]
# ## Exercises
#
# ### Exercise 09.1 · Predict
#
# `x` is on a GPU; `labels` and `weights` are NumPy arrays on the host. Which is the
# first line that *waits* for the device, and which is the first that *raises* an error?
#
#     A    n = x.shape[0]
#     B    C = x.T @ x / n
#     C    weights = np.where(labels == 3, 1.0, 0.5)
#     D    largest = xp.max(xp.abs(C))
#     E    print("large" if largest > 10 else "small")
#     F    C = C / largest
#     G    x = x * weights[:, None]
#
# Give the two letters as one string.

# %%
answer = ...  # such as "AB": A waits, B raises
check("09.1", answer)

# %% [markdown]
# ### Exercise 09.2 · Make it portable
#
# The function below works with NumPy. Rewrite it so that it works with any array
# library and on any device, and returns an array without axes that *stays* on the
# device. (The check uses array-api-strict if it is installed.)


# %%
def mean_covariance_of_numpy(x):
    """Return the mean |<x_i x_j>| over pairs i != j."""
    C = np.einsum("bi,bj->ij", x, x) / len(x)
    n = C.shape[0]
    np.fill_diagonal(C, 0)
    return float(np.abs(C).sum() / (n * (n - 1)))


def mean_covariance(x):
    # your code
    ...


check("09.2", mean_covariance)

# %% [markdown]
# ### Exercise 09.3 · How often does `fit` read values?
#
# Experiment with `count_asked` from section 6. Vary the number of epochs, of layers
# (`sizes`) and of batches (`batch_size`; there are 12 samples). Find the formula, and
# write it as a function.


# %%
def values_asked(n_epochs, n_layers, n_batches):
    # your code
    ...


check("09.3", values_asked)

# %% [markdown]
# Solutions: [solutions/09_two_devices.ipynb](solutions/09_two_devices.ipynb).
#
# ## What you have seen
#
# - A function finds its library from its data (`array_namespace`), so each equation is
#   written once. A `Backend` copies between host and device, and is passed explicitly.
# - Mixing host and device raises an error, and the message tells you what you forgot.
#   An `np.float64` among float32 arrays raises none.
# - A device works while the host continues. Reading a value makes the host wait; to
#   time a device, call `synchronize`.
# - A strict library and a mock of CuPy find many bugs without a GPU, but they do not
#   replace one. [`test_backends.py`](../tests/backend/test_backends.py) tests that all
#   libraries give the same results.
# - A rule of your own is a function whose parameters say what it needs; a rule with a
#   memory is a `Step`. A file records its name, and you pass it again to load it.
#
# **Next:** [10 · Reproducing the paper](10_reproducing_the_paper.ipynb) asks which of
# the paper's results hold, and how you can tell.
