// The arithmetic of the live figures. Equations have the names of copi_np.rules and copi_np.whitening, and the same
// notation: one sample per row, and updates that are to be added. A matrix is an array of rows.

// ------------------------------------------------------------------------------------------------ matrices

export const eye = (n) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));

export const transpose = (A) => A[0].map((_, j) => A.map((row) => row[j]));

export function dot(u, v) {
  let sum = 0;
  for (let k = 0; k < u.length; k++) sum += u[k] * v[k];
  return sum;
}

/** Return A B^T: the rows of A times the rows of B. */
export const times_transposed = (A, B) => A.map((row) => B.map((other) => dot(row, other)));

export const times = (A, B) => times_transposed(A, transpose(B));

/** Return A + factor B. */
export const add = (A, B, factor = 1) => A.map((row, i) => row.map((value, j) => value + factor * B[i][j]));

export const scaled = (A, factor) => A.map((row) => row.map((value) => factor * value));

/** Return the Frobenius norm. */
export const norm = (A) => Math.sqrt(A.reduce((sum, row) => sum + dot(row, row), 0));

/** Return the lower triangular L with L L^T = A, for a positive definite A. */
export function cholesky(A) {
  const L = scaled(A, 0);
  for (let i = 0; i < A.length; i++)
    for (let j = 0; j <= i; j++) {
      const rest = A[i][j] - dot(L[i].slice(0, j), L[j].slice(0, j));
      L[i][j] = i === j ? Math.sqrt(rest) : rest / L[j][j];
    }
  return L;
}

/** Return the eigenvalues of a symmetric matrix, by Jacobi's rotations. */
export function eigenvalues(A) {
  let D = A;
  for (let sweep = 0; sweep < 20; sweep++)
    for (let p = 0; p < A.length; p++)
      for (let q = p + 1; q < A.length; q++) {
        const angle = 0.5 * Math.atan2(2 * D[p][q], D[q][q] - D[p][p]);
        const J = eye(A.length);
        J[p][p] = J[q][q] = Math.cos(angle);
        J[p][q] = -Math.sin(angle);
        J[q][p] = Math.sin(angle);
        D = times_transposed(times(J, D), J);
      }
  return D.map((row, i) => row[i]);
}

// ------------------------------------------------------------------------------------------------ statistics

/** <u v^T> */
export const mean_outer = (u, v) => scaled(times(transpose(u), v), 1 / u.length);

/** <x^2>, one value per unit */
export const mean_square = (x) => transpose(x).map((unit) => dot(unit, unit) / x.length);

/** C = <x x^T>, not centred */
export const second_moment = (x) => mean_outer(x, x);

/** off(C) */
export const off_diagonal = (C) => C.map((row, i) => row.map((value, j) => (i === j ? 0 : value)));

/** sum(log C_ii) - log det C */
export const hadamard_defect = (C) =>
  cholesky(C).reduce((sum, row, i) => sum + Math.log(C[i][i]) - 2 * Math.log(row[i]), 0);

// ------------------------------------------------------------------------------------------------ one layer

/** x = R y */
export const decorrelate = (R, y) => times_transposed(y, R);

/** a = W x */
export const transform = (W, x) => times_transposed(x, W);

export const leaky_relu = (a) => a.map((row) => row.map((value) => (value > 0 ? value : 0.1 * value)));

/** Eq. 3: dW = <z x^T> - W diag<x^2> */
export function copi_update(W, x, z) {
  const power = mean_square(x);
  return add(
    mean_outer(z, x),
    W.map((row) => row.map((value, j) => value * power[j])),
    -1,
  );
}

/** Section 2.7: dW = <delta x^T> */
export const sgd_update = (x, delta) => mean_outer(delta, x);

/** Eq. 4, first line: dR = -(<x x^T> - diag<x^2>) R */
export const decorrelation_update = (R, x) => scaled(times(off_diagonal(second_moment(x)), R), -1);

// ------------------------------------------------------------------------------------------------ inputs to try

/** Return samples of two inputs (n_samples, 2) with second moments of exactly sigma: a spiral that looks Gaussian. */
export function cloud_with(sigma, n_samples) {
  const points = Array.from({ length: n_samples }, (_, k) => {
    const radius = Math.sqrt(-2 * Math.log((k + 0.5) / n_samples));
    const angle = 2.399963229728653 * k; // the golden angle
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  const L = cholesky(second_moment(points));
  const white = points.map(([first, second]) => [first / L[0][0], (second - (L[1][0] * first) / L[0][0]) / L[1][1]]);
  return times_transposed(white, cholesky(sigma));
}

/** Return a function that draws standard normal numbers, the same sequence for the same seed. */
export function normal_numbers(seed) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // a linear congruential generator
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
