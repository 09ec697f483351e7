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
# - put a rule, an activation and an error signal of your own into a network, and save it.
#
# **Time:** 55 minutes to read and run, 30 minutes for the exercises.
#
# **Before this:** notebook 00, and the COPI rule of notebook 01. There is hardly any
# mathematics.
#
# **In the paper:** nothing; this notebook is about programming. (Appendix D says that
# the authors used GPUs.)

# %%
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
from array_api_compat import array_namespace

from copi_np import Backend, BackendError, InputError, Network, get_backend, rules
from copi_np.course import check
from copi_np.datasets import Dataset, Split, load_dataset
from copi_np.plotting import COLOURS, STYLE
from copi_np.training import Schedule, fit

# %%
BACKEND = "numpy"  # or "cupy" on a machine with a GPU
backend = get_backend(BACKEND)
plt.rcParams.update(STYLE)
print(backend)

# %% [markdown]
# ## 1. Two memories
#
# A GPU is a second computer with its own memory. Your Python program runs on the
# **host**. It can ask the **device** to compute, but only with arrays that are in the
# device's memory. Copying between the two is slow, compared with what each does on its
# own. So the first rule is: *copy rarely, and on purpose.*

# %%
figure, axes = plt.subplots(figsize=(7, 2.2))
for x, name, library in [(0, "host", "NumPy arrays"), (6, "device", "CuPy arrays")]:
    axes.add_patch(plt.Rectangle((x, 0), 3, 2, fill=False, edgecolor="gray", lw=2))
    axes.text(x + 1.5, 1.4, name, ha="center", weight="bold")
    axes.text(x + 1.5, 0.6, library, ha="center")
arrow = {"arrowstyle": "-|>", "lw": 2, "color": COLOURS[0]}
roads = [(3, 6, 1.45, "asarray"), (6, 3, 0.55, "to_host, scalar")]
for start, end, height, text in roads:
    axes.annotate("", (end, height), (start, height), arrowprops=arrow)
    axes.text(4.5, height + 0.12, text, ha="center", family="monospace", size=9)
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
from copi_np.cli.doctor import describe, examine

wanted = ("GPU", "backend")
lines = describe(examine()).splitlines()
print(*(line for line in lines if line.startswith(wanted)), sep="\n")

# %% [markdown]
# ## 2. There and back
#
# `asarray` copies from the host to the device, `to_host` copies back. Both make a
# *copy*, even with NumPy, where it is not necessary. So a program behaves the same
# everywhere.

# %%
host = np.arange(6.0).reshape(2, 3)
there = backend.asarray(host, "float32")  # the dtype is optional
host[0, 0] = 100  # the copy does not change
back = backend.to_host(there)
assert back[0, 0] == 0
print(type(there).__name__, there.dtype, "->", type(back).__name__, back.dtype)

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
    xp = array_namespace(x)  # numpy for a NumPy array, cupy for a CuPy array
    return xp.mean(x * x, axis=0)


assert np.allclose(mean_square(x_host), by_loop)
x = backend.asarray(x_host)
assert np.allclose(backend.to_host(mean_square(x)), by_loop)
assert np.allclose(backend.to_host(rules.mean_square(x)), by_loop)
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

    HERE, THERE = library.Device("CPU_DEVICE"), library.Device("device1")
else:
    print("without array-api-strict, nothing below is refused: install it and restart")


# %%
class StrictBackend(Backend):
    """array-api-strict, on a device that is not its default device."""

    def __init__(self):
        super().__init__("strict", library, THERE)

    def to_host(self, array):
        return np.array(library.asarray(array, device=HERE))


strict = StrictBackend() if HAVE_STRICT else get_backend("numpy")
print(strict)

# %% [markdown]
# **Question.** The COPI rule was not written for this library. Will `rules.copi_update`
# run on it? Will it give the same numbers?

# %%
rng = np.random.default_rng(1)
W, z = rng.normal(size=(3, 4)), rng.normal(size=(50, 3))
expected = z.T @ x_host / 50 - W * by_loop

for there in (get_backend("numpy"), backend, strict):
    dW = rules.copi_update(*(there.asarray(array) for array in (W, x_host, z)))
    assert there.owns(dW)  # the result stays on the device of the arguments
    assert np.allclose(there.to_host(dW), expected)
    print(f"{there.name:7} {type(dW).__module__}.{type(dW).__name__}")

# %% [markdown]
# **Answer.** It runs, the numbers agree, and the result is on the device of the arguments. (The second line is the same
# as the first, unless you have changed `BACKEND`.)

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
    """Call `action`; print and return the name of the error that it raises, or None."""
    try:
        action()
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        return type(error).__name__
    print("accepted")
    return None


# %%
x, W_there, z_there = (strict.asarray(array) for array in (x_host, W, z))
order = np.array([3, 1, 2])

raised = [
    attempt(lambda: np.mean(x)),  # a NumPy function, an array of another library
    attempt(lambda: x - x_host),  # one operand is still on the host
    attempt(lambda: x[order]),  # so is the index
    attempt(lambda: rules.copi_update(W, x, z_there)),  # so is W
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
step_sizes = np.logspace(-3, -1, 3)  # a NumPy array: its items are np.float64
print("float:     ", (0.5 * x32).dtype)
print("np.float64:", (step_sizes[0] * x32).dtype)
assert (step_sizes[0] * x32).dtype == backend.xp.float64
assert (float(step_sizes[0]) * x32).dtype == backend.xp.float32

# %% [markdown]
# **Answer.** A Python float adapts to the array. A NumPy scalar has a dtype of its own,
# and the wider dtype wins: from here on everything is float64 and takes twice the
# memory, and nothing tells you. So `Network.step` converts its step sizes to Python
# floats, and the rules refuse mixed dtypes:

# %%
W64 = backend.asarray(W, "float64")
message = attempt(lambda: rules.copi_update(W64, x32, backend.asarray(z, "float32")))
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
W_loop, eta = W.copy(), 0.1
for b in range(50):
    for i in range(3):
        for j in range(4):
            W_loop[i, j] += eta / 50 * z[b, i] * x_host[b, j]

W_moved = backend.asarray(W)
z_moved, x_moved = backend.asarray(z), backend.asarray(x_host)
backend.matmul_add(W_moved, z_moved.T, x_moved, eta / 50)
assert np.allclose(W_loop, W + eta / 50 * z.T @ x_host)
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
A = np.random.default_rng(0).normal(size=(1000, 1000))
queue = ThreadPoolExecutor(max_workers=1)  # our model of a device

start = time.perf_counter()
products = [queue.submit(np.matmul, A, A) for _ in range(5)]
asked = time.perf_counter() - start
last = products[-1].result()  # waits for the value
finished = time.perf_counter() - start
queue.shutdown()

# %% [markdown]
# **Question.** If you stop the clock after the line with `submit`, what does it show?

# %%
print(f"asked after {1000 * asked:.1f} ms, finished after {1000 * finished:.0f} ms")
assert asked < finished / 5

# %% [markdown]
# **Answer.** Almost nothing: only the time it takes to *ask*. If you time a GPU like
# this, you measure Python, and your GPU looks impossibly fast. To time it properly,
# wait for the device with `synchronize` before you stop the clock. And call the
# function once before you start, since the first call on a GPU may compile it.


# %%
def seconds(backend, action, repeats=10):
    """Return the time that an action takes; the device is idle before and after."""
    action()  # the first call may compile
    backend.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        action()
    backend.synchronize()
    return (time.perf_counter() - start) / repeats


arguments = [backend.asarray(array) for array in (W, x_host, z)]
assert seconds(backend, lambda: rules.copi_update(*arguments)) > 0

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
net = Network([4, 3], rng=np.random.default_rng(0), backend=strict, dtype="float64")
loss = net.step(strict.asarray(x_host), strict.asarray(np.ones((50, 3))), eta_W=0.01)
print(type(loss).__name__, loss.shape, "->", type(strict.scalar(loss)).__name__)
assert loss.shape == ()

# %% [markdown]
# Suppose that for each batch the host needs 3 ms to ask and the device needs 4 ms to
# compute. (These numbers are made up; this is a sketch, not a measurement.)
#
# **Question.** How long do five batches take if the host reads the loss after every
# batch? And if it reads all losses at the end?


# %%
def timeline(reads_every_loss, batches=5, ask=3, compute=4):
    """Return the intervals (start, length) of the host's requests and the device's work."""
    host_free, device_free, host, device = 0, 0, [], []
    for _ in range(batches):
        host.append((host_free, ask))
        host_free += ask
        device.append((max(host_free, device_free), compute))
        device_free = sum(device[-1])
        host_free = device_free if reads_every_loss else host_free
    return host, device


# %%
figure, rows = plt.subplots(2, 1, figsize=(7, 2.8), sharex=True, layout="constrained")
for axes, reads in zip(rows, (True, False), strict=True):
    for height, bars in enumerate(timeline(reads)):
        at, colour = (height - 0.35, 0.7), COLOURS[height]
        axes.broken_barh(bars, at, facecolor=colour, edgecolor="white")
    title = "each loss is read immediately" if reads else "losses are read at the end"
    axes.set(yticks=[0, 1], yticklabels=["host", "device"], title=title)
rows[1].set(xlabel="time (ms)")
assert [sum(timeline(reads)[1][-1]) for reads in (True, False)] == [35, 23]

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
    """NumPy as if it were a device; counts how often it is asked for values."""

    def __init__(self):
        super().__init__("counting", get_backend("numpy").xp)
        self.asked = 0

    def scalar(self, array):
        self.asked += 1
        return super().scalar(array)

    def to_host(self, array):
        self.asked += 1
        return super().to_host(array)


# %%
def count_asked(n_epochs, sizes, batch_size):
    """Return how often `fit` asks the backend for values, with 12 training samples."""
    labels = np.arange(18) % 3
    split = Split(np.eye(3)[labels[:12]], labels[:12])
    data = Dataset("tiny", split, Split(np.eye(3)[labels[12:]], labels[12:]), 3)
    counting, rng = CountingBackend(), np.random.default_rng(0)
    net = Network(sizes, rng=rng, backend=counting)
    options = {"schedule": Schedule(0.01, 0.01), "rng": rng, "batch_size": batch_size}
    fit(net, data, epochs=n_epochs, **options)
    return counting.asked


print("one epoch, two layers, 3 batches:", count_asked(1, [3, 4, 3], batch_size=4))

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
data = load_dataset("mnist-5k")
schedule = Schedule(
    eta_W=1e-3,
    eta_R=1e-3,
    first_epochs=1,  # R alone in the first epoch
    first_eta_R=1e-3,
    delta_scale=500,
)


def trained(there):
    net = Network([784, 50, 10], rng=np.random.default_rng(0), backend=there)
    history = fit(net, data, epochs=2, schedule=schedule, rng=np.random.default_rng(1))
    W, R = net.layers[0].W, net.layers[0].R
    return history[-1].test_accuracy, there.to_host(W), there.to_host(R)


# %%
on_numpy = trained(get_backend("numpy"))
for there in (backend, strict):
    accuracy, W_after, R_after = trained(there)
    weights = zip((W_after, R_after), on_numpy[1:], strict=True)
    most = max(np.abs(one - other).max() for one, other in weights)
    print(f"{there.name:7} test accuracy {100 * accuracy:.1f} %, differs by {most:.1g}")
    assert most < 0.01
    assert abs(accuracy - on_numpy[0]) < 0.02

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
from copi_np import Activation, ErrorSignal, Step, load_network, save_network


def trained_with(**parts):
    """Train a network with these parts for three epochs, and print its accuracy."""
    rng = np.random.default_rng(0)
    net = Network([784, 50, 10], rng=rng, backend=backend, **parts)
    rng = np.random.default_rng(1)
    history = fit(net, data, epochs=3, schedule=schedule, rng=rng)
    print(f"test accuracy {100 * history[-1].test_accuracy:.1f} %")
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
mine, built_in = trained_with(rule=my_copi), trained_with(rule="copi")
difference = backend.to_host(mine.layers[0].W - built_in.layers[0].W)
print(f"the weights differ by {np.abs(difference).max():.0e} at most")
assert np.abs(difference).max() < 1e-4

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
from functools import partial

net = trained_with(rule=normalised)
message = attempt(lambda: trained_with(rule=partial(normalised, damping=0.1)))
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
# and `y`. This one decorrelates, and also pulls every mean square towards 1. Since it is
# a pure function, we can try it on a single batch first, without any network:


# %%
def whitening(R, x):
    push = (1 - rules.mean_square(x))[:, None] * R
    return rules.decorrelation_update(R, x) + push


y = x_host @ (np.eye(4) + 0.5)  # correlated inputs
powers = {}
for rule in (rules.decorrelation_update, whitening):
    R = np.eye(4)
    for _ in range(2000):
        R = R + 0.02 * rule(R, y @ R.T)
    powers[rule.__name__] = rules.mean_square(y @ R.T)
    print(f"{rule.__name__}: mean squares {powers[rule.__name__].round(2)}")
assert np.allclose(powers["whitening"], 1, atol=0.01)

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


net = trained_with(activation=Activation("softplus", softplus, sigmoid))

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
        deltas.insert(0, layers[k].activation.df(trace.a[k]) * back)
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
# `start` prepares for the weights of a layer, `step` changes them in place. This is COPI
# with momentum:


# %%
class Momentum(Step):
    """COPI with momentum: half of each update is what remains of earlier ones."""

    def start(self, weights, backend):
        super().start(weights, backend)
        self.velocity = backend.xp.zeros_like(weights)

    def step(self, weights, states, eta):
        update = rules.copi_update(weights, states.x, states.z)
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
from tempfile import TemporaryDirectory

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
    """Train each network for one more epoch; return how far their weights differ."""
    rates = Schedule(eta_W=1e-3, eta_R=1e-3, delta_scale=500)
    for net in networks:
        fit(net, data, epochs=1, schedule=rates, rng=np.random.default_rng(2))
    one, other = (backend.to_host(net.layers[0].W) for net in networks)
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
loaded, _ = load_network(path, backend, rule=SavedMomentum())
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
    """Return the mean absolute value of <x_i x_j> over all pairs i != j, for x (B, I)."""
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
