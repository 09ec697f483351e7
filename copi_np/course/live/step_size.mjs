// The step size of decorrelation: drag it across the bounds of Theorems 4 and 5.

import { lay_out, Readout, Slider } from "./controls.mjs";
import { has_blown_up, next } from "./decorrelation.mjs";
import { Plot, rounded, short } from "./drawing.mjs";
import {
  cholesky,
  decorrelate,
  eigenvalues,
  eye,
  norm,
  off_diagonal,
  scaled,
  second_moment,
  transpose,
} from "./rules.mjs";

export const N_STEPS = 50;
const SMALLEST = 1e-8;
const DIVERGED = 1e3; // where the curve of a run that blew up is drawn

/** Return second moments of n inputs with variances from 0.5 to 1.5 and one correlation. */
export function moments(n, rho) {
  const sd = Array.from({ length: n }, (_, i) => Math.sqrt(0.5 + i / (n - 1)));
  return sd.map((one, i) => sd.map((other, j) => (i === j ? 1 : rho) * one * other));
}

/** Return the bounds on eta_R: 2 / lambda, and 2 / (the sum of the two largest variances). */
export function bounds(sigma) {
  const [largest, second] = sigma.map((row, i) => row[i]).sort((a, b) => b - a);
  return { global: 2 / Math.max(...eigenvalues(sigma)), local: 2 / (largest + second) };
}

/** Return ||off(C)|| at every step from R = I, until R blows up. */
export function covariances(sigma, eta_R) {
  const y = scaled(transpose(cholesky(sigma)), Math.sqrt(sigma.length)); // as few samples as have these moments
  const sizes = [];
  for (let R = eye(sigma.length); sizes.length <= N_STEPS && !has_blown_up(R); R = next(R, y, eta_R))
    sizes.push(norm(off_diagonal(second_moment(decorrelate(R, y)))));
  return sizes;
}

export function mount(root) {
  const n = new Slider({ label: "Inputs", min: 2, max: 10, step: 1, value: 6, change: sweep });
  const rho = new Slider({ label: "Correlation", min: 0, max: 0.95, step: 0.05, value: 0.8, change: sweep });
  const eta = new Slider({
    label: "Step size η",
    min: 0.01,
    max: 3,
    step: 0.01,
    value: 0.1,
    log: true,
    show: rounded,
    change: show,
  });

  const covariance = { from: SMALLEST, to: 2 * DIVERGED, log: true };
  const run = new Plot({
    title: "Size of off(C) at every step, for the chosen step size",
    x: { label: "step", from: 0, to: N_STEPS },
    y: { ...covariance, label: "‖off(C)‖" },
  });
  const after = new Plot({
    title: "Size of off(C) at the end, for every step size",
    x: { label: "step size η", from: 0.01, to: 3, log: true },
    y: { ...covariance, label: `‖off(C)‖ after ${N_STEPS} steps` },
  });
  after.handle({
    name: "Step size: drag left or right",
    at: () => [eta.value, end(eta.value)],
    move: (x) => {
      eta.value = Math.min(Math.max(x, 0.01), 3);
      show();
    },
    step: 1.05,
    look: "copi",
    along: "x",
  });

  const readout = new Readout({
    eta: "Step size η",
    global: "2 / λ",
    local: "Local bound",
    end: "‖off(C)‖ at the end",
    steps: "Steps taken",
  });
  const controls = [n, rho, eta].map((slider) => slider.node);
  const say = lay_out(root, { controls, panels: [run.node, after.node], readout });
  let sigma, ends;

  function end(eta_R) {
    const sizes = covariances(sigma, eta_R);
    return sizes.length > N_STEPS ? Math.max(sizes.at(-1), SMALLEST) : DIVERGED;
  }

  function sweep() {
    sigma = moments(n.value, rho.value);
    ends = Array.from({ length: 100 }, (_, k) => 0.01 * 300 ** (k / 99)).map((eta_R) => [eta_R, end(eta_R)]);
    show();
  }

  function show() {
    const limits = bounds(sigma);
    const sizes = covariances(sigma, eta.value);
    const survives = sizes.length > N_STEPS;
    const points = sizes.map((size, k) => [k, Math.max(size, SMALLEST)]);
    run.draw(run.line(points, "copi"), run.dots([points.at(-1)], "copi", 4));
    after.draw(
      after.line(
        [
          [limits.global, SMALLEST],
          [limits.global, 2 * DIVERGED],
        ],
        "limit",
      ),
      after.line(
        [
          [limits.local, SMALLEST],
          [limits.local, 2 * DIVERGED],
        ],
        "limit",
      ),
      after.text([limits.global, SMALLEST], "lateral end", "2/λ", -4, -30),
      after.text([limits.local, SMALLEST], "lateral", "local bound", 4, -10),
      after.text([0.01, DIVERGED], "grey", "blows up", 6, 4),
      after.line(ends, "grey"),
    );
    readout.set({ eta: eta.value, ...limits, end: sizes.at(-1), steps: sizes.length - 1 });
    const place = eta.value <= limits.global ? "below" : "above";
    say(
      survives
        ? `η is ${place} 2/λ = ${short(limits.global)}. After ${N_STEPS} steps ‖off(C)‖ is ${short(sizes.at(-1))}.`
        : `η is ${place} 2/λ = ${short(limits.global)}. R blows up at step ${sizes.length}.`,
    );
  }

  sweep();
}
