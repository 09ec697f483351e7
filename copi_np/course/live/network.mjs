// The small network behind two figures, with R folded into W, and the test digits it is shown.

import { leaky_relu, transform } from "./rules.mjs";
import { WEIGHTS } from "./weights.mjs";

const bytes = (text, Type) => Type.from(atob(text), (character) => character.charCodeAt(0));

/** Return a stored matrix: every row is its bytes times its scale. */
export function matrix({ shape: [n_rows, n_columns], scale, data }) {
  const values = bytes(data, Int8Array);
  return Array.from({ length: n_rows }, (_, i) =>
    Array.from(values.subarray(i * n_columns, (i + 1) * n_columns), (value) => scale[i] * value),
  );
}

export const layers = WEIGHTS.layers.map(matrix);
/** For 1, 2, .. layers: the matrix that replaces them, from the second layer on. */
export const maps = WEIGHTS.maps.map(matrix);
export const fields = WEIGHTS.fields.map(matrix);
export const labels = WEIGHTS.labels;

const pixels = bytes(WEIGHTS.digits, Uint8Array);
const n_pixels = pixels.length / labels.length;
/** The digits as bytes, and as inputs y of the network, from 0 to 1. */
export const digits = labels.map((_, k) => Array.from(pixels.subarray(k * n_pixels, (k + 1) * n_pixels)));
export const inputs = digits.map((digit) => digit.map((value) => value / 255));

/** Return the outputs of every layer. */
export function outputs_of_layers(y0) {
  const outputs = [];
  for (const M of layers) outputs.push(leaky_relu(transform(M, outputs.at(-1) ?? y0)));
  return outputs;
}

/** Return the network's outputs where one linear map replaces `n_replaced` layers, from the second on. */
export function outputs_without(y0, n_replaced) {
  let y = leaky_relu(transform(layers[0], y0));
  if (n_replaced) y = transform(maps[n_replaced - 1], y);
  for (const M of layers.slice(1 + n_replaced)) y = leaky_relu(transform(M, y));
  return y;
}

export const largest = (row) => row.indexOf(Math.max(...row));
