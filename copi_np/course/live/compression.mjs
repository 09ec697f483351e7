// Compression: replace layers of a trained network by one matrix, and see which digits it still reads.

import { lay_out, Readout, Slider } from "./controls.mjs";
import { html, picture, short } from "./drawing.mjs";
import { digits, inputs, labels, largest, layers, maps, outputs_without } from "./network.mjs";
import { WEIGHTS } from "./weights.mjs";

const CLASSES = Array.from({ length: 10 }, (_, k) => k);

export function mount(root) {
  const all = [0, ...maps.keys()].map((_, n_replaced) => outputs_without(inputs, n_replaced));
  let chosen = 0;

  const slider = new Slider({
    label: "Layers replaced by one matrix",
    min: 0,
    max: maps.length,
    step: 1,
    value: 0,
    show: String,
    change: show,
  });
  const tiles = digits.map((digit, k) => {
    const tile = html("button", { type: "button", class: "digit" }, picture(digit, ""));
    tile.addEventListener("click", () => {
      chosen = k;
      show();
    });
    return tile;
  });
  const bars = CLASSES.map((digit) => {
    const [before, now] = [html("i", { class: "before" }), html("i", { class: "now" })];
    return { before, now, node: html("div", {}, html("b", {}, String(digit)), html("span", {}, before, now)) };
  });
  const caption = html("b");
  const legend = html("p", {}, "Bars: outputs now. Lines: as trained.");
  const details = html("div", { class: "outputs" }, caption, ...bars.map((bar) => bar.node), legend);
  const readout = new Readout({
    replaced: "Layers replaced",
    shown: `Correct, of these ${digits.length}`,
    test: "Test accuracy, 1,000 digits (%)",
  });
  const panels = [html("div", { class: "digits" }, ...tiles), details];
  const say = lay_out(root, { controls: [slider.node], panels, readout });

  function show() {
    const n_replaced = slider.value;
    const [before, now] = [all[0], all[n_replaced]];
    const right = now.filter((outputs, k) => largest(outputs) === labels[k]).length;
    tiles.forEach((tile, k) => {
      const answer = largest(now[k]);
      tile.classList.toggle("wrong", answer !== labels[k]);
      tile.setAttribute("aria-pressed", k === chosen);
      tile.setAttribute("aria-label", `Digit ${labels[k]}, read as ${answer}`);
    });
    bars.forEach((bar, k) => {
      bar.before.style.width = `${(100 * Math.min(Math.max(before[chosen][k], 0), 1.2)) / 1.2}%`;
      bar.now.style.width = `${(100 * Math.min(Math.max(now[chosen][k], 0), 1.2)) / 1.2}%`;
      bar.now.classList.toggle("chosen", k === largest(now[chosen]));
      bar.node.title = `output ${k}: ${short(now[chosen][k])}, as trained ${short(before[chosen][k])}`;
    });
    caption.textContent = `A ${labels[chosen]}, read as ${largest(now[chosen])}`;
    const kept = layers.length - n_replaced + Number(n_replaced > 0);
    const network = n_replaced === 0 ? `${layers.length} layers, as trained` : `${kept} layers, the second is linear`;
    readout.set({ replaced: n_replaced, shown: right, test: 100 * WEIGHTS.test_accuracy[n_replaced] });
    say(`${network}: ${right} of ${digits.length} digits correct. ${caption.textContent}.`);
  }

  show();
}
