"""The commands that use a trained network: predict and export."""

from __future__ import annotations

from pathlib import Path

import click

from copi_np.cli.options import backend_option, data_dir_option, given_parts, one_of, part_options
from copi_np.cli.output import STANDARD_OUTPUT, Output, check_output, output_options, written
from copi_np.datasets import DATASETS
from copi_np.errors import InputError, list_names
from copi_np.experiments.prediction import Prediction, check_can_predict, named, prediction_csv
from copi_np.experiments.prediction import predict as carry_out
from copi_np.experiments.samples import LABEL, looks_like_pixels, read_samples
from copi_np.experiments.trained import Trained, load_trained
from copi_np.export import export_onnx, export_safetensors
from copi_np.storage.atomic import replace_text

EXPORTS = {".onnx": export_onnx, ".safetensors": export_safetensors}
"""How each kind of file is written."""

network_argument = click.argument("run_or_network", type=click.Path(exists=True, path_type=Path))


@click.command(short_help="Predict classes with a trained network.")
@network_argument
@click.argument("data", shell_complete=one_of(DATASETS, or_file=True))
@click.option(
    "--split",
    type=click.Choice(["test", "train", "validation"]),
    default="test",
    show_default=True,
    help="Which samples of a data set to use.",
)
@click.option("--probabilities", is_flag=True, help="Add the probability of each class; needs the cross-entropy.")
@click.option("--pixels", is_flag=True, help="Inputs are 0 to 255: divide them by 255, as in training on pixels.")
@click.option("--label-column", default=LABEL, show_default=True, help="The column of a .csv file that holds labels.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="CSV file.  [default: standard output]")
@part_options
@data_dir_option
@backend_option
@output_options()
def predict(
    run_or_network: Path,
    data: str,
    split: str,
    probabilities: bool,
    pixels: bool,
    label_column: str,
    out: Path | None,
    data_dir: Path | None,
    backend: str,
    output: Output,
    **parts: str | None,
) -> None:
    """Predict the classes of samples with the network of a run or of a file.

    RUN_OR_NETWORK is a folder that copi-np train wrote, or an .npz file with a network. If the run has a validation
    split, the network that is best on it is used.

    DATA is a data set (a name, or an .npz file as for copi-np train), or a file with samples: .npz with x and perhaps
    y, .npy, or .csv with one row per sample. If labels are known, the accuracy is given too.
    """
    if out is not None:
        check_output(out, "--out")
        if out.exists() and Path(data).exists() and out.samefile(data):
            raise InputError(f"--out would replace the samples in {out}: choose another file")
    trained = load_trained(run_or_network, backend, given_parts(parts))
    check_can_predict(trained, probabilities=probabilities)
    samples = read_samples(data, trained, split, data_dir, pixels=pixels, label_column=label_column)
    scaling = trained.network.scaling
    of_pixels = scaling is None or bool((scaling.scale <= 1).all())  # measured on 0 to 1 if on pixels
    if not pixels and of_pixels and looks_like_pixels(samples.inputs):
        output.note(f"{data} holds whole numbers up to {samples.inputs.max():g}: if they are pixels, give --pixels")
    prediction = carry_out(trained, samples, probabilities=probabilities)
    table, summary = prediction_csv(prediction, trained.class_names), describe(trained, prediction)
    if out is None and output.json_to != STANDARD_OUTPUT:
        output.note(summary)
        click.echo(table, nl=False)
        return
    files = [] if out is None else [out]
    if out is not None:
        replace_text(out, table)
    values = {
        "network": str(trained.path),
        "epoch": trained.epoch,
        "accuracy": prediction.accuracy,
        "labels": named(prediction, trained.class_names),
        "written": list(map(str, files)),
    }
    if prediction.probabilities is not None:
        values["probabilities"] = prediction.probabilities.tolist()
    output.result(f"{summary}\n{written(files)}", values)


def describe(trained: Trained, prediction: Prediction) -> str:
    """Say which network predicted how many samples, and how well."""
    epoch = "" if trained.epoch is None else f", epoch {trained.epoch}"
    accuracy = "" if prediction.accuracy is None else f", accuracy {100 * prediction.accuracy:.2f} %"
    return f"{len(prediction.labels)} samples{accuracy} ({trained.path}{epoch})"


@click.command(short_help="Export a trained network as ONNX or safetensors.")
@network_argument
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@part_options
@output_options()
def export(run_or_network: Path, out: Path, output: Output, **parts: str | None) -> None:
    """Write the network of a run or of a file to OUT, for other tools.

    OUT ends in .onnx, for a file that computes the outputs, or in .safetensors, for the weights alone.
    """
    if out.suffix not in EXPORTS:
        raise InputError(f"cannot tell how to write {out}: choose a name that ends in {list_names(EXPORTS)}")
    check_output(out, "OUT")
    trained = load_trained(run_or_network, "numpy", given_parts(parts))
    EXPORTS[out.suffix](out, trained.network)
    sizes = trained.network.parts["sizes"]
    values = {"network": str(trained.path), "epoch": trained.epoch, "sizes": sizes, "dtype": trained.network.dtype}
    epoch = "" if trained.epoch is None else f", epoch {trained.epoch}"
    network = trained.network
    head = f"{trained.path}{epoch}: {network.n_inputs} inputs in {network.dtype}, {network.n_outputs} outputs"
    output.result(f"{head}\n{written([out])}", {**values, "written": [str(out)]})
