// Sliders, choices and buttons, the numbers below a figure, and the sentence that a screen reader hears.

import { html, short } from "./drawing.mjs";

/** A labelled slider; `log` for one whose steps are factors. `change` is called with its value. */
export class Slider {
  constructor({ label, min, max, step, value, log = false, show = short, change }) {
    Object.assign(this, { log, show });
    const range = log ? { min: Math.log10(min), max: Math.log10(max), step } : { min, max, step };
    this.input = html("input", { type: "range", ...range });
    this.shown = html("b", { "aria-hidden": true }); // the slider itself says its value
    this.node = html("label", {}, html("span", {}, label, " ", this.shown), this.input);
    this.value = value;
    this.input.addEventListener("input", () => {
      this.#tell();
      change(this.value);
    });
  }

  get value() {
    return this.log ? 10 ** Number(this.input.value) : Number(this.input.value);
  }

  set value(value) {
    this.input.value = this.log ? Math.log10(value) : value;
    this.#tell();
  }

  #tell() {
    this.shown.textContent = this.show(this.value);
    this.input.setAttribute("aria-valuetext", this.shown.textContent);
  }
}

/** Return a labelled menu; `options` maps values to names. */
export function menu({ label, options, value, change }) {
  const items = Object.entries(options).map(([key, name]) => html("option", { value: key }, name));
  const select = html("select", {}, ...items);
  select.value = value;
  select.addEventListener("change", () => change(select.value));
  return html("label", {}, html("span", {}, label), select);
}

/** Return a button. */
export function button(name, press) {
  const node = html("button", { type: "button" }, name);
  node.addEventListener("click", press);
  return node;
}

/**
 * Buttons to step, play, pause and reset. `step()` returns whether there is more to come. Nothing moves by itself: for
 * readers who prefer less motion, Play takes all of its steps at once.
 */
export class Player {
  static INTERVAL = 120; // milliseconds
  static AT_ONCE = 50; // steps

  constructor({ step, back, reset, drawn }) {
    Object.assign(this, { step, drawn, timer: 0 });
    this.play = button("Play", () => (this.timer ? this.pause() : this.start()));
    const once = (action) => () => {
      this.pause();
      action();
      drawn();
    };
    const buttons = [this.play, button("Step", once(step)), button("Reset", once(reset))];
    if (back) buttons.splice(1, 0, button("Step back", once(back)));
    this.node = html("div", { class: "buttons", role: "group", "aria-label": "Steps" }, ...buttons);
  }

  get playing() {
    return this.timer !== 0;
  }

  start() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      for (let k = 0; k < Player.AT_ONCE && this.step(); k++);
      return this.drawn();
    }
    this.play.textContent = "Pause";
    this.timer = setInterval(() => {
      const more = this.step();
      this.drawn();
      if (!more) this.pause();
    }, Player.INTERVAL);
  }

  pause() {
    if (!this.playing) return;
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = "Play";
    this.drawn(); // say the result
  }
}

/** Numbers with names, such as { defect: "Hadamard defect" }; the exact values are in the `value` of their elements. */
export class Readout {
  constructor(labels) {
    this.data = Object.fromEntries(Object.keys(labels).map((name) => [name, html("data", { "data-name": name })]));
    const rows = Object.entries(labels).map(([name, label]) =>
      html("div", {}, html("dt", {}, label), html("dd", {}, this.data[name])),
    );
    this.node = html("dl", {}, ...rows);
  }

  /** Show numbers, or matrices as arrays of rows. */
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      this.data[name].value = JSON.stringify(value);
      this.data[name].textContent = Array.isArray(value)
        ? value.map((row) => row.map((entry) => entry.toFixed(2).replace("-", "−").padStart(5)).join(" ")).join("\n")
        : short(value);
    }
  }
}

/** Put a figure into the page: controls, panels, numbers, and a sentence about the result. */
export function lay_out(root, { controls, panels, readout, player }) {
  const status = html("p", { role: "status" });
  const parts = [
    html("div", { class: "controls" }, ...controls),
    html("div", { class: "panels" }, ...panels),
    readout.node,
    status,
  ];
  root.replaceChildren(...(player ? [player.node, ...parts] : parts));
  /** Say something, but not at every step of an animation: a screen reader could not follow. */
  return (text) => {
    if (!player?.playing) status.textContent = text;
  };
}
