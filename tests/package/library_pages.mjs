// SPDX-License-Identifier: Apache-2.0
//
// The library's man pages, held against its header and the tables: each public function stands in the SYNOPSIS of
// exactly one page, as it is declared; each error, outcome, reason, event, limit and lint rule has its row.
import assert from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { root } from '../interop/worker_support.mjs';

const man = join(root, 'packaging/common/man');
const pages = Object.fromEntries(readdirSync(man).filter((name) => name.endsWith('.3'))
  .map((name) => [name, readFileSync(join(man, name), 'utf8')]));
const read = (file) => readFileSync(join(root, file), 'utf8').replace(/\/\*[^]*?\*\//g, '');
const header = read('libh2sess/include/h2sess/h2sess.h');
const spaces = (text) => text.replace(/\s+/g, ' ').trim();

// Declarations of the header: name -> "type name(arguments)".
const declared = new Map([...header.matchAll(/H2SESS_API\s+([^;()]*?)(h2sess_\w+)\(([^;]*)\);/g)]
  .map(([, type, name, list]) => [name, spaces(`${type}${name}(${list})`)]));

// The same of a page's SYNOPSIS.
function synopsis(page) {
  const text = /\.Sh SYNOPSIS\n([^]*?)\.Sh /.exec(page)[1].replace(/\.Fo (\S+)\n([^]*?)\.Fc/g,
    (_, name, list) => `.Fn ${name} ${[...list.matchAll(/\.Fa (.*)/g)].map((m) => m[1]).join(' ')}`);
  return [...text.matchAll(/\.Ft (.*)\n\.Fn (\S+) (.*)/g)].map(([, type, name, list]) => [name,
    spaces(`${type.replaceAll('"', '')} ${name}(${list.replace(/" "/g, ', ').replaceAll('"', '')})`)]);
}

const plain = (text) => text.replace(/\* /g, '*');

test('each public function is in one page, as it is declared', () => {
  const seen = new Map();
  for (const [name, page] of Object.entries(pages)) {
    for (const [fn, prototype] of synopsis(page)) {
      assert.ok(!seen.has(fn), `${fn} is in ${seen.get(fn)} and in ${name}`);
      seen.set(fn, name);
      assert.equal(plain(prototype), plain(declared.get(fn) ?? ''), name);
    }
  }
  assert.ok(declared.size > 100);
  assert.deepEqual([...declared.keys()].filter((fn) => !seen.has(fn)), []);
});

// The first arguments of each X() of a table.
const rows = (table) => [...read(`api/h2sess/${table}.def`).matchAll(/^X\((\w+), ([^,]+), ("[^"]*")?/gm)];

for (const [table, page, term] of [
  ['errors', 'h2sess_errors.3', (row) => `.It Dv H2SESS_${row[1]} Pq ${row[2]} , ${row[3].replaceAll('"', '')}`],
  ['outcomes', 'h2sess_errors.3', (row) => `.It Dv H2SESS_OUTCOME_${row[1]} , ${row[3].replaceAll('"', '')}`],
  ['reasons', 'h2sess_errors.3', (row) => `.It Dv H2SESS_REASON_${row[1]}`],
  ['events', 'h2sess_events.3', (row) => `.It Dv H2SESS_EVENT_${row[1]} , Qq ${row[2].replaceAll('"', '')}`],
  ['lint', 'h2sess_push.3', (row) => `.It ${row[3].replaceAll('"', '')} Ta`],
]) {
  test(`${page} has each row of ${table}.def`, () => {
    assert.ok(rows(table).length > 4);
    for (const row of rows(table)) assert.ok(pages[page].includes(term(row)), term(row));
  });
}

test('h2sess_limits.3 has each limit with its default and its counter', () => {
  const limits = [...read('api/h2sess/limits.def').matchAll(/^X\((\w+), (\w+), (\w+), "(\w+)"/gm)];
  assert.ok(limits.length > 20);
  for (const [, field, value, unit, counter] of limits) {
    const units = { MS: ' ms', COUNT: '', BYTES: ' bytes', PER_SECOND: ' a second' };
    const never = unit === 'MS' ? 'off' : 'none';
    const fallback = value === 'UINT32_MAX' ? never : value + units[unit];
    assert.ok(pages['h2sess_limits.3'].includes(`.It Va ${field} Pq ${fallback} , counter ${counter}\n`), field);
  }
});

test('each page that another one names is there', () => {
  const all = new Set(readdirSync(man));
  for (const [name, page] of Object.entries(pages)) {
    for (const [, other, section] of page.matchAll(/^\.Xr (h2sess\S*) (\d)/gm))
      assert.ok(all.has(`${other}.${section}`), `${name}: ${other}(${section})`);
  }
});
