// SPDX-License-Identifier: Apache-2.0
//
// Interleaved rounds, medians, and verdicts.
//
// A machine's speed drifts by half within minutes, so a figure alone says nothing: the contestants of a row are
// measured in turn within each round, a ratio is taken within its round, and the median of the rounds counts.

export const quick = Boolean(process.env.BENCH_QUICK);
const ROUNDS = Number(process.env.BENCH_ROUNDS) || (quick ? 2 : 5);

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Each contestant's values, round by round. The first round warms up and does not count.
export async function interleave(contestants, rounds = ROUNDS) {
  const values = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, measure] of Object.entries(contestants)) {
      const value = await measure();
      if (round >= 0) values[name].push(value);
    }
  }
  return values;
}

// The median over the rounds of a / b.
export function ratio(a, b) {
  return median(a.map((value, i) => value / b[i]));
}

// CPU seconds that a server needs for what happens meanwhile.
export async function cpuOf(server, happen) {
  const before = server.cpu();
  await happen();
  return server.cpu() - before;
}

const digits = (value) => value >= 100 ? value.toFixed(0) : value.toPrecision(3);

// A line of the table: value is compared with target, at most or at least.
export function result(what, value, { atMost, atLeast, unit = "", note = "" }) {
  const target = atMost ?? atLeast;
  const ok = target === undefined || (atMost !== undefined ? value <= target : value >= target);
  const goal = target === undefined ? "" : `${atMost !== undefined ? "<=" : ">="} ${target}${unit}`;
  return { what, value: `${digits(value)}${unit}`, goal, verdict: target === undefined ? "" : ok ? "ok" : "over", ok, note };
}

// "0.123 s" per server, for the note beside a ratio.
export function medians(values, unit) {
  return Object.entries(values).map(([name, list]) => `${name} ${digits(median(list))}${unit}`).join(", ");
}
