// Hebb, Oja and COPI for one unit with two inputs: the weights are an arrow to drag.

import { lay_out, menu, Player, Readout, Slider } from "./controls.mjs";
import { Plot, rounded, short } from "./drawing.mjs";
import { cloud_with, dot } from "./rules.mjs";

const VARIANCES = [1.5, 0.7];
const LIMIT = 3;
const EXPLODED = 1e3; // weights longer than this have exploded

/** The rules of Appendix C: functions of what one synapse knows. */
export const RULES = {
  hebb: (w, pre, post) => post * pre,
  oja: (w, pre, post) => post * pre - w * post ** 2,
  copi: (w, pre, post) => post * pre - w * pre ** 2,
};
const NAMES = { hebb: "Hebb", oja: "Oja", copi: "COPI" };

/** Return 80 samples of two inputs with this correlation, (80, 2). */
export function inputs(rho) {
  const covariance = rho * Math.sqrt(VARIANCES[0] * VARIANCES[1]);
  return cloud_with(
    [
      [VARIANCES[0], covariance],
      [covariance, VARIANCES[1]],
    ],
    80,
  );
}

/** Return the weights w (2) after a step of the mean update; d (2) are the desired weights, null for no target. */
export function next(w, x, { rule, eta, d }) {
  const update = w.map((weight, j) => {
    const changes = x.map((sample) => RULES[rule](weight, sample[j], dot(d ?? w, sample)));
    return changes.reduce((sum, change) => sum + change, 0) / x.length;
  });
  return w.map((weight, j) => weight + eta * update[j]);
}

export function mount(root) {
  let start = [0.4, -0.8];
  let target = [1.6, 0.6];
  let has_target = false;
  let paths; // per rule, the weights at every step

  const rho = new Slider({
    label: "Correlation of the inputs",
    min: -0.95,
    max: 0.95,
    step: 0.05,
    value: 0,
    change: restart,
  });
  const eta = new Slider({
    label: "Step size η",
    min: 0.01,
    max: 0.3,
    step: 0.05,
    value: 0.05,
    log: true,
    show: rounded,
    change: restart,
  });
  const controls = [
    menu({
      label: "The unit has",
      options: { none: "no error, z = a", target: "a target, z = d·x" },
      value: "none",
      change: (value) => {
        has_target = value === "target";
        desired.toggleAttribute("hidden", !has_target);
        restart();
      },
    }),
    rho.node,
    eta.node,
  ];
  const plane = new Plot({
    title: "The weights of the unit, as three rules move them",
    x: { label: "weight of input 1", from: -LIMIT, to: LIMIT },
    y: { label: "weight of input 2", from: -LIMIT, to: LIMIT },
    width: 330,
    height: 322,
  });
  const lengths = new Plot({
    title: "Length of the weights at every step",
    x: { label: "step", from: 0, to: 100 },
    y: { label: "length of w", from: 0.1, to: 10, log: true },
    height: 322,
  });
  const within = (value) => Math.min(Math.max(value, -LIMIT), LIMIT);
  plane.handle({
    name: "Weights at the start",
    at: () => start,
    move: (x, y) => {
      start = [within(x), within(y)];
      restart();
    },
    step: 0.1,
  });
  const desired = plane.handle({
    name: "Desired weights d",
    at: () => target,
    move: (x, y) => {
      target = [within(x), within(y)];
      restart();
    },
    step: 0.1,
    look: "target",
  });
  const player = new Player({ step, back, reset, drawn: show });
  const readout = new Readout({ step: "Step", hebb: "w, Hebb", oja: "w, Oja", copi: "w, COPI" });
  const say = lay_out(root, { controls, panels: [plane.node, lengths.node], readout, player });
  desired.toggleAttribute("hidden", true);

  function reset() {
    paths = { hebb: [start], oja: [start], copi: [start] };
  }

  function restart() {
    player.pause();
    reset();
    show();
  }

  function step() {
    const x = inputs(rho.value);
    for (const [rule, path] of Object.entries(paths)) {
      const w = path.at(-1);
      const exploded = !(Math.hypot(...w) < EXPLODED);
      path.push(exploded ? w : next(w, x, { rule, eta: eta.value, d: has_target ? target : null }));
    }
    return paths.copi.length < 1000;
  }

  function back() {
    if (paths.copi.length > 1) for (const path of Object.values(paths)) path.pop();
  }

  function show() {
    const circle = Array.from({ length: 73 }, (_, k) => [Math.cos((k * Math.PI) / 36), Math.sin((k * Math.PI) / 36)]);
    const rules = Object.entries(paths);
    plane.draw(
      plane.dots(inputs(rho.value), "grey"),
      plane.line(circle, "grey thin"),
      plane.text([0, 1], "grey middle", "length 1", 0, -5),
      ...rules.flatMap(([rule, path]) => [plane.line(path, rule), plane.arrow(path.at(-1), rule)]),
      ...(has_target ? [plane.text(target, "", "d", 12, 4)] : []),
    );
    lengths.x.to = Math.max(100, paths.copi.length - 1);
    lengths.frame();
    lengths.draw(
      ...rules.flatMap(([rule, path], k) => [
        lengths.line(
          path.map((w, step) => [step, Math.hypot(...w)]),
          rule,
        ),
        lengths.text([0, lengths.y.to], rule, NAMES[rule], 8 + 48 * k, 14),
      ]),
    );
    const ends = Object.fromEntries(rules.map(([rule, path]) => [rule, [path.at(-1)]]));
    readout.set({ step: paths.copi.length - 1, ...ends });
    const told = rules.map(([rule, path]) => `${NAMES[rule]} ${short(Math.hypot(...path.at(-1)))}`).join(", ");
    say(`Step ${paths.copi.length - 1}: length of the weights: ${told}.`);
  }

  reset();
  show();
}
