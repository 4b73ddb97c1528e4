// SPDX-License-Identifier: Apache-2.0
//
// The table. Rows are chosen by BENCH (names or beginnings of names, separated by commas); BENCH_QUICK measures less
// of everything; BENCH_GATE makes a target that is missed exit status 1. Exit status 2: it could not be measured.

import { makeCertificate } from "./programs.mjs";
import { rows as api } from "./api.mjs";
import { rows as fanout } from "./fanout.mjs";
import { rows as files } from "./files.mjs";
import { rows as requests } from "./requests.mjs";
import { rows as sessions } from "./sessions.mjs";

const rows = [...requests, ...files, ...sessions, ...fanout, ...api];
const wanted = (process.env.BENCH ?? "").split(",").filter(Boolean);
const chosen = rows.filter(({ name }) => !wanted.length || wanted.some((prefix) => name.startsWith(prefix)));

function print({ what, value, goal, verdict, note }) {
  console.log(`  ${what.padEnd(52)} ${value.padStart(9)}  ${goal.padEnd(10)} ${verdict.padEnd(5)} ${note}`.trimEnd());
}

async function main() {
  let missed = 0;
  if (!chosen.length) throw new Error(`BENCH: the rows are ${rows.map(({ name }) => name).join(", ")}`);
  makeCertificate();
  for (const row of chosen) {
    const begin = Date.now();
    const results = await row.measure();
    console.log(`${row.name} (${((Date.now() - begin) / 1000).toFixed(0)} s)`);
    results.forEach(print);
    missed += results.filter(({ ok }) => !ok).length;
  }
  console.log(missed ? `${missed} over their targets` : "all within their targets");
  return missed && process.env.BENCH_GATE ? 1 : 0;
}

main().then((status) => process.exit(status), (error) => {
  console.error(`bench: ${error.message}`);
  process.exit(2);
});
