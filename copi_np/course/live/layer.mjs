// COPI next to SGD on one linear layer, while R moves and while it is held still.

import { lay_out, menu, Player, Readout, Slider } from "./controls.mjs";
import { Plot, rounded, short } from "./drawing.mjs";
import {
  add,
  copi_update,
  decorrelate,
  decorrelation_update,
  eye,
  mean_outer,
  norm,
  normal_numbers,
  scaled,
  sgd_update,
  times,
  times_transposed,
  transform,
} from "./rules.mjs";

const [N_SAMPLES, N_INPUTS, N_OUTPUTS] = [200, 6, 3];
const PER_STEP = 5; // batches between two pictures
const SHOWN = 400; // batches

/** Return inputs y and their targets z, a linear map of y; forward weights W; and an R that decorrelates y. */
export function problem(seed) {
  const normal = normal_numbers(seed);
  const matrix = (rows, columns) => Array.from({ length: rows }, () => Array.from({ length: columns }, normal));
  const unit = (A) => scaled(A, Math.sqrt(A.length * A[0].length) / norm(A)); // root mean square 1
  const mixing = add(scaled(eye(N_INPUTS), 0.5), matrix(N_INPUTS, N_INPUTS), 1 / Math.sqrt(N_INPUTS));
  const y = unit(times_transposed(matrix(N_SAMPLES, N_INPUTS), mixing));
  const z = unit(times_transposed(y, matrix(N_OUTPUTS, N_INPUTS)));
  const W = scaled(matrix(N_OUTPUTS, N_INPUTS), Math.sqrt(2 / (N_INPUTS + N_OUTPUTS)));
  let R = eye(N_INPUTS);
  for (let k = 0; k < 500; k++) R = add(R, decorrelation_update(R, decorrelate(R, y)), 0.2);
  return { y, z, W, R };
}

/** Return the layer { W, R } after one batch. */
export function learn({ W, R }, y, z, { rule, eta, R_moves }) {
  const x = decorrelate(R, y);
  const dW = rule === "copi" ? copi_update(W, x, z) : sgd_update(x, add(z, transform(W, x), -1));
  return { W: add(W, dW, eta), R: R_moves ? add(R, decorrelation_update(R, x), eta) : R };
}

/** Return how much that batch changed W R, apart from the step of learning eta G R, relative to the size of W R. */
export function unwanted(before, after, y, z, eta) {
  const x = decorrelate(before.R, y);
  const G = mean_outer(add(z, transform(before.W, x), -1), x);
  const M = times(before.W, before.R);
  const change = add(times(after.W, after.R), M, -1);
  return norm(add(change, times(G, before.R), -eta)) / norm(M);
}

/** Return the mean square of the error z - W R y. */
export const error = ({ W, R }, y, z) =>
  norm(add(z, transform(W, decorrelate(R, y)), -1)) ** 2 / (z.length * z[0].length);

export function mount(root) {
  const settings = { R: "moves", start: "decorrelated" };
  let y, z; // all samples
  let state; // per rule: the layer, errors and unwanted changes at every batch

  const choose = (name) => (value) => {
    settings[name] = value;
    restart();
  };
  const eta = new Slider({
    label: "Step size η of W and R",
    min: 0.01,
    max: 0.5,
    step: 0.05,
    value: 0.2,
    log: true,
    show: rounded,
    change: restart,
  });
  const batch = new Slider({ label: "Samples per batch", min: 5, max: N_SAMPLES, step: 5, value: 10, change: restart });
  const seed = new Slider({ label: "Data and weights, seed", min: 1, max: 9, step: 1, value: 1, change: restart });
  const controls = [
    menu({
      label: "While W learns, R",
      options: { moves: "moves", rests: "is held still" },
      value: "moves",
      change: choose("R"),
    }),
    menu({
      label: "At the start, inputs are",
      value: "decorrelated",
      change: choose("start"),
      options: { decorrelated: "decorrelated", raw: "raw, R = I" },
    }),
    eta.node,
    batch.node,
    seed.node,
  ];
  const errors = new Plot({
    title: "Error of COPI and SGD at every batch",
    x: { label: "batch", from: 0, to: SHOWN },
    y: { label: "mean square error", from: 1e-6, to: 10, log: true },
  });
  const changes = new Plot({
    title: "How much each batch changes W R, apart from learning",
    x: { label: "batch", from: 0, to: SHOWN },
    y: { label: "change of W R, not learning", from: 1e-7, to: 1, log: true },
  });
  const player = new Player({ step: () => several(PER_STEP), reset, drawn: show });
  const readout = new Readout({
    step: "Batches",
    copi: "Error of COPI",
    sgd: "Error of SGD",
    copi_change: "Unwanted change, COPI",
    sgd_change: "Unwanted change, SGD",
  });
  const say = lay_out(root, { controls, panels: [errors.node, changes.node], readout, player });

  function reset() {
    const drawn = problem(seed.value);
    ({ y, z } = drawn);
    const layer = { W: drawn.W, R: settings.start === "raw" ? eye(N_INPUTS) : drawn.R };
    const run = () => ({ layer, errors: [error(layer, y, z)], changes: [] });
    state = { copi: run(), sgd: run() };
  }

  function restart() {
    player.pause();
    reset();
    show();
  }

  function step() {
    const from = state.copi.changes.length * batch.value;
    const rows = Array.from({ length: batch.value }, (_, k) => (from + k) % N_SAMPLES);
    const [inputs, targets] = [y, z].map((samples) => rows.map((row) => samples[row]));
    for (const [rule, run] of Object.entries(state)) {
      const after = learn(run.layer, inputs, targets, { rule, eta: eta.value, R_moves: settings.R === "moves" });
      run.changes.push(unwanted(run.layer, after, inputs, targets, eta.value));
      run.layer = after;
      run.errors.push(error(after, y, z));
    }
    return Object.values(state).every((run) => run.errors.at(-1) < 1e6);
  }

  function several(n) {
    for (let k = 0; k < n; k++) if (!step()) return false;
    return true;
  }

  function show() {
    const n_steps = state.copi.changes.length;
    for (const [plot, name] of [
      [errors, "errors"],
      [changes, "changes"],
    ]) {
      plot.x.to = Math.max(SHOWN, n_steps);
      plot.frame();
      const marks = Object.entries(state).flatMap(([rule, run], k) => [
        plot.line(
          run[name].map((value, step) => [step, value]),
          rule,
        ),
        plot.text([plot.x.to, plot.y.to], `${rule} end`, rule === "copi" ? "COPI" : "SGD", -4 - 44 * k, 14),
      ]);
      plot.draw(...marks);
    }
    const [copi, sgd] = [state.copi, state.sgd];
    readout.set({
      step: n_steps,
      copi: copi.errors.at(-1),
      sgd: sgd.errors.at(-1),
      copi_change: copi.changes.at(-1) ?? 0,
      sgd_change: sgd.changes.at(-1) ?? 0,
    });
    const error_of = (rule) => short(state[rule].errors.at(-1));
    const ahead = copi.errors.at(-1) < sgd.errors.at(-1) ? "COPI" : "SGD";
    say(
      n_steps === 0
        ? `Press Play, or Step for ${PER_STEP} batches.`
        : `After ${n_steps} batches ${ahead} is ahead. Error of COPI ${error_of("copi")}, of SGD ${error_of("sgd")}.`,
    );
  }

  reset();
  show();
}
