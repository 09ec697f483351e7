// Plots in SVG, and pictures of pixels. Colours are in live.css.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 12, top: 10, bottom: 40 };

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const html = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);

export const svg = (name, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, name), attributes, children);

/** Return a number in at most `digits` significant digits, as short as possible. */
export function short(value, digits = 3) {
  if (!Number.isFinite(value)) return "∞";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e4)) {
    const [mantissa, exponent] = value.toExponential(1).split("e");
    return `${mantissa.replace("-", "−")}·10${superscript(Number(exponent))}`;
  }
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

export const rounded = (value) => short(value, 2);

const superscript = (n) => [...String(n)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit] ?? "⁻").join("");

function ticks({ from, to, log }) {
  if (log) {
    const [low, high] = [Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9)];
    const every = Math.ceil((high - low + 1) / 6);
    return Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, k) => 10 ** (low + k * every));
  }
  const rough = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

const tick_label = (value, { log }) => {
  const exponent = Math.log10(value);
  return log && Math.abs(exponent) > 1.5 ? `10${superscript(Math.round(exponent))}` : short(value);
};

/** A plot: axes, marks that are drawn again at every change, and points that can be dragged. */
export class Plot {
  /** An axis is { label, from, to } in units of the data, and { log: true } for a logarithmic one. */
  constructor({ title, x, y, width = 380, height = 300 }) {
    Object.assign(this, { x, y, width, height });
    this.axes = svg("g", { "aria-hidden": true });
    const { left, right, top, bottom } = MARGIN;
    const inner = { x: left, y: top, width: width - left - right, height: height - top - bottom };
    this.marks = svg("svg", { ...inner, "aria-hidden": true, viewBox: Object.values(inner).join(" ") });
    this.points = svg("g");
    this.handles = [];
    const content = [this.axes, this.marks, this.points];
    this.node = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title }, ...content);
    this.node.style.flex = `${width} 1 ${0.8 * width}px`; // one scale for plots side by side
    this.node.style.maxWidth = `${1.35 * width}px`;
    this.frame();
  }

  /** Return where a point of the data is drawn. */
  at([x, y]) {
    const { left, right, top, bottom } = MARGIN;
    return [
      left + this.#share(x, this.x) * (this.width - left - right),
      this.height - bottom - this.#share(y, this.y) * (this.height - top - bottom),
    ];
  }

  #share(value, { from, to, log }) {
    if (!log) return (value - from) / (to - from);
    return Math.log(Math.max(value, from / 10) / from) / Math.log(to / from);
  }

  #value(share, { from, to, log }) {
    return log ? from * (to / from) ** share : from + share * (to - from);
  }

  /** Return the point of the data at a place on the screen. */
  under(event) {
    const { left, right, top, bottom } = MARGIN;
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.node.getScreenCTM().inverse());
    return [
      this.#value((place.x - left) / (this.width - left - right), this.x),
      this.#value((this.height - bottom - place.y) / (this.height - top - bottom), this.y),
    ];
  }

  /** Draw the axes; again after a change of their limits. */
  frame() {
    const { left, right, top, bottom } = MARGIN;
    const [width, height] = [this.width, this.height];
    const parts = ticks(this.x).map((value) => {
      const [x] = this.at([value, this.y.from]);
      const line = svg("line", { class: "grid", x1: x, x2: x, y1: top, y2: height - bottom });
      return [line, svg("text", { x, y: height - bottom + 15, class: "middle" }, tick_label(value, this.x))];
    });
    parts.push(
      ...ticks(this.y).map((value) => {
        const [, y] = this.at([this.x.from, value]);
        const line = svg("line", { class: "grid", x1: left, x2: width - right, y1: y, y2: y });
        return [line, svg("text", { x: left - 5, y: y + 4, class: "end" }, tick_label(value, this.y))];
      }),
    );
    const middle = (height - bottom + top) / 2;
    const turned = { x: 11, y: middle, class: "middle label", transform: `rotate(-90 11 ${middle})` };
    parts.push(svg("text", { x: (left + width - right) / 2, y: height - 6, class: "middle label" }, this.x.label));
    parts.push(svg("text", turned, this.y.label));
    this.axes.replaceChildren(...parts.flat());
  }

  /** Replace all marks, and move the points that can be dragged. */
  draw(...marks) {
    this.marks.replaceChildren(...marks);
    for (const handle of this.handles) handle();
  }

  line(points, look) {
    return svg("polyline", { class: `line ${look}`, points: points.map((point) => this.at(point).join()).join(" ") });
  }

  dots(points, look, r = 1.8) {
    const circles = points.map((point) => {
      const [cx, cy] = this.at(point);
      return svg("circle", { cx, cy, r });
    });
    return svg("g", { class: `dots ${look}` }, ...circles);
  }

  arrow(to, look) {
    const [[x1, y1], [x2, y2]] = [this.at([0, 0]), this.at(to)];
    const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI;
    const head = svg("path", { d: "M 0 0 L -9 4.5 L -9 -4.5 Z", transform: `translate(${x2} ${y2}) rotate(${angle})` });
    return svg("g", { class: `arrow ${look}` }, svg("line", { x1, y1, x2, y2 }), head);
  }

  text(point, look, words, dx = 0, dy = 0) {
    const [x, y] = this.at(point);
    return svg("text", { x: x + dx, y: y + dy, class: look }, words);
  }

  /** Add a point to drag, or to move with the arrow keys: `at()` says where it is, `move(x, y)` where it should go. */
  handle({ name, at, move, step, look = "", along = "xy" }) {
    const dot = svg("circle", { r: 8, class: look });
    const node = svg("g", { class: "handle", tabindex: 0, role: "slider", "aria-label": name });
    node.append(svg("circle", { r: 20, class: "reach" }), dot);
    node.addEventListener("pointerdown", (event) => {
      node.setPointerCapture(event.pointerId);
      event.preventDefault(); // do not select text
      node.focus();
    });
    node.addEventListener("pointermove", (event) => {
      if (node.hasPointerCapture(event.pointerId)) move(...this.under(event));
    });
    const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    node.addEventListener("keydown", (event) => {
      if (!(event.key in keys)) return;
      event.preventDefault(); // do not scroll
      const [x, y] = at();
      const [right, up] = keys[event.key];
      move(this.x.log ? x * step ** right : x + step * right, y + step * up);
    });
    this.handles.push(() => {
      const [x, y] = at();
      node.setAttribute("transform", `translate(${this.at([x, y])})`);
      node.setAttribute("aria-valuenow", along === "y" ? y : x);
      node.setAttribute("aria-valuetext", along === "xy" ? `${short(x)}, ${short(y)}` : short(along === "y" ? y : x));
    });
    this.points.append(node);
    return node;
  }
}

/** Return a canvas with a square picture of bytes, each 0 (black) to 255 (white). Decoration needs no description. */
export function picture(bytes, description) {
  const side = Math.sqrt(bytes.length);
  const named = description ? { role: "img", "aria-label": description } : { "aria-hidden": true };
  const canvas = html("canvas", { width: side, height: side, ...named });
  const image = new ImageData(side, side);
  bytes.forEach((value, k) => image.data.set([value, value, value, 255], 4 * k));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
