// SPDX-License-Identifier: Apache-2.0
//
// Node's ServerHttp2Session was asked 56 questions; each answer is a row, and each row is shown by a test that has
// its number in its name: "row 07: ..." in a table, or a function row_07_...() that is registered.
import assert from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { root } from './worker_support.mjs';

function* rows() {
  for (const folder of ['wire', 'interop']) {
    for (const file of readdirSync(join(root, 'tests', folder)).filter((name) => /\.(c|mjs)$/.test(name))) {
      const text = readFileSync(join(root, 'tests', folder, file), 'utf8').replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
      for (const [, number] of text.matchAll(/(?:["']row |cmocka_unit_test\(row_)(\d\d)(?!\d)/g)) yield Number(number);
    }
  }
}

test('every row is shown by a test', () => {
  const shown = new Set(rows());
  const missing = Array.from({ length: 56 }, (_, i) => i + 1).filter((number) => !shown.has(number));
  assert.deepEqual(missing, []);
});
