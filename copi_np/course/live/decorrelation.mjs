// Decorrelation of two inputs: drag their correlation while R learns.

import { lay_out, Player, Readout, Slider } from "./controls.mjs";
import { Plot, rounded, short } from "./drawing.mjs";
import {
  add,
  cholesky,
  cloud_with,
  decorrelate,
  decorrelation_update,
  eye,
  hadamard_defect,
  second_moment,
} from "./rules.mjs";

const VARIANCES = [1.5, 0.75];
const LIMIT = 3 * Math.sqrt(VARIANCES[0]);
const BLOWN_UP = 100; // weights that survive stay below 4

/** Return 80 samples of two inputs with this correlation, (80, 2). */
export function two_inputs(rho) {
  const covariance = rho * Math.sqrt(VARIANCES[0] * VARIANCES[1]);
  return cloud_with(
    [
      [VARIANCES[0], covariance],
      [covariance, VARIANCES[1]],
    ],
    80,
  );
}

/** Return R after one more step on the inputs y. */
export const next = (R, y, eta_R) => add(R, decorrelation_update(R, decorrelate(R, y)), eta_R);

export const has_blown_up = (R) => !(Math.max(...R.flat().map(Math.abs)) < BLOWN_UP);

/** Return C_12 / sqrt(C_11 C_22). */
export const correlation = (C) => C[0][1] / Math.sqrt(C[0][0] * C[1][1]);

/** Return the points of the ellipse of second moments C, at two standard deviations. */
function ellipse(C) {
  const L = cholesky(C);
  return Array.from({ length: 73 }, (_, k) => {
    const [cos, sin] = [2 * Math.cos((k * Math.PI) / 36), 2 * Math.sin((k * Math.PI) / 36)];
    return [L[0][0] * cos, L[1][0] * cos + L[1][1] * sin];
  });
}

export function mount(root) {
  let y, path, defects; // inputs; R and the Hadamard defect at every step

  const measure = () => second_moment(decorrelate(path.at(-1), y));
  const rho = new Slider({
    label: "Correlation of y₁ and y₂",
    min: -0.98,
    max: 0.98,
    step: 0.02,
    value: 0.9,
    change: drag,
  });
  const eta = new Slider({
    label: "Step size η",
    min: 0.01,
    max: 3,
    step: 0.05,
    value: 0.1,
    log: true,
    show: rounded,
    change: show,
  });

  const cloud = new Plot({
    title: "The cloud of inputs before R, in grey, and after R. Arrows are the columns of R.",
    x: { label: "first input", from: -LIMIT, to: LIMIT },
    y: { label: "second input", from: -LIMIT, to: LIMIT },
    width: 330,
    height: 322,
  });
  const curve = new Plot({
    title: "The Hadamard defect at every step",
    x: { label: "step", from: 0, to: 30 },
    y: { label: "Hadamard defect H(C)", from: 1e-6, to: 10, log: true },
    height: 322,
  });
  // the ellipse of y touches the line y1 = 2 standard deviations at this height
  const [reach, height] = VARIANCES.map((variance) => 2 * Math.sqrt(variance));
  cloud.handle({
    name: "Correlation of the inputs: drag up or down",
    at: () => [reach, rho.value * height],
    move: (_, up) => {
      rho.value = up / height;
      drag();
    },
    step: 0.02 * height,
    look: "grey",
    along: "y",
  });

  const player = new Player({ step, back, reset, drawn: show });
  const readout = new Readout({
    step: "Step",
    R: "R",
    C: "C",
    correlation: "Correlation of x₁ and x₂",
    defect: "Hadamard defect",
  });
  const say = lay_out(root, {
    controls: [rho, eta].map((slider) => slider.node),
    panels: [cloud.node, curve.node],
    readout,
    player,
  });

  function reset() {
    path = [eye(2)];
    y = two_inputs(rho.value);
    defects = [hadamard_defect(measure())];
  }

  function step() {
    if (has_blown_up(path.at(-1))) return false;
    path.push(next(path.at(-1), y, eta.value));
    defects.push(hadamard_defect(measure()));
    return !has_blown_up(path.at(-1));
  }

  function back() {
    if (path.length === 1) return;
    path.pop();
    defects.pop();
  }

  /** R stays, while the inputs follow the pointer. */
  function drag() {
    y = two_inputs(rho.value);
    defects[defects.length - 1] = hadamard_defect(measure());
    show();
  }

  function show() {
    const R = path.at(-1);
    const C = measure();
    const x = decorrelate(R, y);
    const exploded = has_blown_up(R);
    cloud.draw(
      cloud.dots(y, "grey"),
      cloud.line(ellipse(second_moment(y)), "grey thin"),
      ...(exploded ? [] : [cloud.dots(x, "copi"), cloud.line(ellipse(C), "copi")]),
      ...(exploded ? [] : [0, 1].map((j) => cloud.arrow([R[0][j], R[1][j]], "lateral"))),
      cloud.text([-LIMIT, LIMIT], "grey", "y, before R", 6, 14),
      cloud.text([-LIMIT, LIMIT], "copi", "x = R y", 6, 30),
    );
    curve.x.to = Math.max(30, defects.length - 1);
    curve.frame();
    curve.draw(
      curve.line(
        defects.map((defect, k) => [k, defect]),
        "copi",
      ),
      curve.dots([[defects.length - 1, defects.at(-1)]], "copi", 4),
    );
    const found = { step: path.length - 1, R, C, correlation: correlation(C), defect: defects.at(-1) };
    readout.set(found);
    say(
      exploded
        ? `R has blown up at step ${found.step}. Make η smaller, and press Reset.`
        : `Step ${found.step}: correlation ${short(found.correlation)}, Hadamard defect ${short(found.defect)}.`,
    );
  }

  reset();
  show();
}
