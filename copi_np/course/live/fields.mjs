// Receptive fields: what the units of each layer respond to.

import { lay_out, menu, Readout, Slider } from "./controls.mjs";
import { html, picture } from "./drawing.mjs";
import { digits, fields, inputs, labels, outputs_of_layers } from "./network.mjs";

const N_SHOWN = 6;

/** Return the bytes of a field: zero is mid-grey. */
export function grey_levels(field) {
  const size = Math.max(...field.map(Math.abs)) || 1;
  return field.map((value) => Math.round(127.5 * (1 + value / size)));
}

/** Return the positions of the largest values, the largest first. */
export const strongest = (values, n) =>
  [...values.keys()].sort((one, other) => values[other] - values[one]).slice(0, n);

export function mount(root) {
  const outputs = outputs_of_layers(inputs);
  let layer = 0;

  const unit = new Slider({
    label: "Unit",
    min: 1,
    max: fields[0].length,
    step: 1,
    value: 1,
    show: String,
    change: show,
  });
  const names = fields.map((_, k) => (k === fields.length - 1 ? `${k + 1}, the outputs` : String(k + 1)));
  const layers = menu({
    label: "Layer",
    options: { ...names },
    value: 0,
    change: (value) => {
      layer = Number(value);
      unit.input.max = fields[layer].length;
      unit.value = Math.min(unit.value, fields[layer].length);
      overview();
      show();
    },
  });
  const all = html("div", { class: "fields" });
  const field = html("div", { class: "field" });
  const readout = new Readout({ layer: "Layer", unit: "Unit", output: "Largest output" });
  const say = lay_out(root, { controls: [layers, unit.node], panels: [all, field], readout });

  function overview() {
    const tiles = fields[layer].map((values, k) => {
      const tile = html("button", { type: "button", "aria-label": `Unit ${k + 1}` }, picture(grey_levels(values), ""));
      tile.addEventListener("click", () => {
        unit.value = k + 1;
        show();
      });
      return tile;
    });
    all.replaceChildren(...tiles);
  }

  function show() {
    const k = unit.value - 1;
    [...all.children].forEach((tile, n) => tile.setAttribute("aria-pressed", n === k));
    const of_unit = outputs[layer].map((row) => row[k]);
    const best = strongest(of_unit, N_SHOWN);
    const shown = best.map((n) => labels[n]).join(", ");
    field.replaceChildren(
      picture(grey_levels(fields[layer][k]), `Receptive field of unit ${k + 1} in layer ${layer + 1}`),
      html("p", {}, "It responds most strongly to"),
      html("div", { class: "best" }, ...best.map((n) => picture(digits[n], `a ${labels[n]}`))),
    );
    readout.set({ layer: layer + 1, unit: k + 1, output: of_unit[best[0]] });
    say(`Layer ${layer + 1}, unit ${k + 1}: of ${digits.length} digits, it responds most strongly to ${shown}.`);
  }

  overview();
  show();
}
