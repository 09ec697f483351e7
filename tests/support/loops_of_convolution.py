"""An independent oracle: one step of a network with convolutions, as loops over samples, positions and filters.

In float64, in the paper's columns; nothing here is copied from the package or calls it. Images are (C, H, W) arrays,
and a layer is a dictionary: W, R, and for a convolution kernel, stride, padding and, if pooled, pool. With biases, the
last column of W and the last row and column of R belong to the constant unit.
"""

from __future__ import annotations

import numpy as np
from oracles import DF, LOSS_GRADIENT, F, copi, decorrelation_local, decorrelation_matrix, sgd


def patches_of(layer, image):
    """Return the patches of one image by position (row, column), each a vector in the order channel, row, column."""
    k, s, p = layer["kernel"], layer["stride"], layer["padding"]
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 2 * p, width + 2 * p))
    padded[:, p : p + height, p : p + width] = image
    found = {}
    for row in range((height + 2 * p - k) // s + 1):
        for column in range((width + 2 * p - k) // s + 1):
            found[row, column] = padded[:, row * s : row * s + k, column * s : column * s + k].ravel()
    return found


def forward(layer, y, f, noise=0.0):
    """Return the vectors x and a of every position, and the output, of one sample; a dense layer has one position.

    Noise, (filters, rows, columns), is added to the pre-activations.
    """
    if "kernel" not in layer:
        x = layer["R"] @ y.ravel()
        a = layer["W"] @ x + np.ravel(noise)
        return {(0, 0): x}, {(0, 0): a}, f(a)
    xs = {at: layer["R"] @ patch for at, patch in patches_of(layer, y).items()}
    rows, columns = max(at[0] for at in xs) + 1, max(at[1] for at in xs) + 1
    noise = noise + np.zeros((len(layer["W"]), rows, columns))
    activations = {at: layer["W"] @ x + noise[:, at[0], at[1]] for at, x in xs.items()}
    image = np.zeros((len(layer["W"]), rows, columns))
    for (row, column), a in activations.items():
        image[:, row, column] = f(a)
    size = layer.get("pool", 1)
    pooled = np.zeros((len(image), rows // size, columns // size))
    for c, row, column in np.ndindex(pooled.shape):
        pooled[c, row, column] = np.mean(image[c, row * size : (row + 1) * size, column * size : (column + 1) * size])
    return xs, activations, pooled


def back_to_inputs(layer, delta, matrix, shape):
    """Send the signals of all positions through a matrix (inputs, filters), to where each patch was cut."""
    if "kernel" not in layer:
        return (matrix @ delta[0, 0]).reshape(shape)
    k, s, p = layer["kernel"], layer["stride"], layer["padding"]
    channels, height, width = shape
    total = np.zeros((channels, height + 2 * p, width + 2 * p))
    for (row, column), value in delta.items():
        patch = (matrix @ value).reshape(channels, k, k)
        total[:, row * s : row * s + k, column * s : column * s + k] += patch
    return total[:, p : p + height, p : p + width]


def at_positions(layer, signal, activations, df):
    """Return the signal of every position from that of the layer's output: each pixel of a mean gets its share."""
    if "kernel" not in layer:
        return {(0, 0): df(activations[0, 0]) * signal.ravel()}
    size = layer.get("pool", 1)
    return {
        (row, column): df(a) * signal[:, row // size, column // size] / size**2
        for (row, column), a in activations.items()
    }


def step(layers, y0, targets, eta_W, eta_R, *, rule="copi", decorrelation="matrix", signal="bp", feedback=(), f="tanh"):
    """Train on images y0 (B, C, H, W) or vectors; return each layer's new W, R, and each sample's outputs.

    With the signal "kp", a layer's new feedback to the layer below comes third.
    """
    function, derivative = F[f], DF[f]
    rows = [{"x": [], "a": [], "delta": []} for _ in layers]
    outputs = []
    for image, target in zip(np.asarray(y0, np.float64), targets, strict=True):
        y, passes, shapes = image, [], []
        for layer in layers:
            shapes.append(y.shape)
            xs, activations, y = forward(layer, y, function)
            passes.append((xs, activations))
        outputs.append(y.ravel())
        last = passes[-1][1][0, 0]
        delta = {(0, 0): -derivative(last) * LOSS_GRADIENT["quadratic"](function(last), target)}
        delta_L = delta[0, 0]
        for k in reversed(range(len(layers))):
            xs, activations = passes[k]
            for at, x in xs.items():
                rows[k]["x"].append(x)
                rows[k]["a"].append(activations[at])
                rows[k]["delta"].append(len(xs) * delta[at])
            if k == 0:
                break
            below, above = layers[k - 1], layers[k]
            if signal == "dfa":
                at_units = feedback[k - 1] @ delta_L  # one row of the matrix for each filter and position
                n_columns = max(at[1] for at in passes[k - 1][1]) + 1
                n_positions = len(passes[k - 1][1])
                delta = {
                    (r, c): derivative(a)
                    * np.array([at_units[i * n_positions + r * n_columns + c] for i in range(len(a))])
                    for (r, c), a in passes[k - 1][1].items()
                }
            else:
                matrix = feedback[k - 1] if signal in ("fa", "kp") else above["W"].T
                matrix = matrix if signal == "fa" else above["R"].T @ matrix
                sent = back_to_inputs(above, delta, matrix, shapes[k])
                delta = at_positions(below, sent, passes[k - 1][1], derivative)
    new = []
    for k, (layer, found) in enumerate(zip(layers, rows, strict=True)):
        x, a, delta = (np.array(found[name]) for name in ("x", "a", "delta"))
        dW = copi(layer["W"], x, a + delta) if rule == "copi" else sgd(x, delta)
        dR = {"matrix": decorrelation_matrix, "local": decorrelation_local}[decorrelation](layer["R"], x)
        new.append([layer["W"] + eta_W * dW, layer["R"] + eta_R * dR])
        if signal == "kp" and k > 0:
            new[-1].append(feedback[k - 1] + eta_W * copi(feedback[k - 1].T, x, a + delta).T)
    return new, np.array(outputs)
