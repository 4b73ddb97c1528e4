// SPDX-License-Identifier: Apache-2.0
//
// The ABI: which symbols there are, that a program of its first day runs with today's library, and that nothing of
// its types has changed that such a program would notice: open structs may grow at their end, functions, constants
// and values may be added, and nothing else.
//
// tests/abi/0 is the header as it was, tests/abi/libh2sess.abi is what abidw made of the library. Both change with
// the ABI's number alone; `make abi-baseline` writes them anew.
import assert from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { build, root } from '../interop/worker_support.mjs';

const library = join(build, 'lib/libh2sess.so.0');
const dir = mkdtempSync(join(tmpdir(), 'abi-'));
after(() => rmSync(dir, { recursive: true, force: true }));

// Functions of a header, by name.
function functions(header) {
  const text = readFileSync(join(root, header), 'utf8').replace(/\/\*[^]*?\*\//g, '');
  return [...text.matchAll(/H2SESS_API\s+[^;()]*?(h2sess_\w+)\(/g)].map((m) => m[1]).sort();
}

test('the exported symbols are the functions of the header', () => {
  const lines = execFileSync('nm', ['-D', '--defined-only', library], { encoding: 'utf8' }).trim().split('\n');
  const symbols = lines.map((line) => line.split(' ').at(-1)).filter((name) => name !== 'H2SESS_0');
  for (const name of symbols) assert.match(name, /^h2sess_\w+@@H2SESS_0$/);
  assert.deepEqual(symbols.map((name) => name.split('@')[0]).sort(), functions('libh2sess/include/h2sess/h2sess.h'));
});

test('no function of this ABI is gone', () => {
  const now = new Set(functions('libh2sess/include/h2sess/h2sess.h'));
  const then = functions('tests/abi/0/h2sess/h2sess.h');
  assert.ok(then.length > 100);
  assert.deepEqual(then.filter((name) => !now.has(name)), []);
});

// C that prints where each member of each struct is, and what the constants are, as a header has them.
function facts(folder, defs) {
  const header = readFileSync(join(root, folder, 'h2sess.h'), 'utf8').replace(/\/\*[^]*?\*\//g, '');
  const table = (name) => [...readFileSync(join(root, defs, `${name}.def`), 'utf8').matchAll(/^X\((\w+),/gm)]
    .map((m) => m[1]);
  const lines = [];
  for (const [, name, body] of header.matchAll(/^struct (h2sess_\w+) \{\n([^]*?)^\};/gm)) {
    const members = body.replace(/^#.*$/gm, '').split(';').map((text) => text.trim()).filter(Boolean)
      .flatMap((text) => /\(\*(\w+)\)\(/.exec(text)?.[1] ?? text.split(',').map((m) => /(\w+)(\[\w+\])?$/.exec(m.trim())[1]));
    if (name === 'h2sess_limits') members.push(...table('limits'));
    for (const member of members) {
      lines.push(`printf("${name}.${member} %zu %zu\\n", offsetof(struct ${name}, ${member}), `
        + `sizeof(((struct ${name} *)0)->${member}));`);
    }
    if (members[0] !== 'size') lines.push(`printf("${name} %zu\\n", sizeof(struct ${name}));`);
  }
  const constants = [...[...header.matchAll(/^#define (H2SESS_\w+) (?:\d|0x)/gm)].map((m) => m[1]),
    ...table('errors').map((n) => `H2SESS_${n}`), ...table('codes').map((n) => `H2SESS_${n}`),
    ...table('outcomes').map((n) => `H2SESS_OUTCOME_${n}`), ...table('reasons').map((n) => `H2SESS_REASON_${n}`),
    ...table('lint').map((n) => `H2SESS_LINT_${n}`)];
  for (const name of constants) lines.push(`printf("${name} %lld\\n", (long long)${name});`);
  return `#include <h2sess/app.h>\n#include <stdio.h>\nint main(void) {\n${lines.join('\n')}\nreturn 0;\n}\n`;
}

function told(name, source, ...includes) {
  const program = join(dir, name);
  execFileSync('cc', ['-std=c11', '-Wall', '-Werror', '-o', program, ...includes.flatMap((i) => ['-I', join(root, i)]),
    '-x', 'c', '-'], { input: source });
  return execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
}

test('members, array elements and constants are where they were', () => {
  const then = told('then', facts('tests/abi/0/h2sess', 'tests/abi/0/h2sess'), 'tests/abi/0');
  const now = new Set(told('now', facts('libh2sess/include/h2sess', 'api/h2sess'), 'libh2sess/include', 'api'));
  assert.ok(then.length > 200);
  assert.deepEqual(then.filter((line) => !now.has(line)), []);
});

test('a program that was compiled against the first header runs', () => {
  const program = join(dir, 'client');
  execFileSync('cc', ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', program,
    '-I', join(root, 'tests/abi/0'), join(root, 'tests/abi/client.c'), library, `-Wl,-rpath,${join(build, 'lib')}`]);
  const run = spawnSync(program, { encoding: 'utf8', timeout: 60000 });
  assert.equal(run.stdout, '');
  assert.equal(run.status, 0);
});

// Its bits: 1 and 2 are errors of its own, 4 is a change (a struct that grew is one), 8 an incompatible one.
test('abidiff finds no incompatible change',
  { skip: spawnSync('abidiff', ['--version']).error && 'abidiff is not here' }, () => {
    const run = spawnSync('abidiff', ['--no-added-syms', '--headers-dir2', join(root, 'libh2sess/include'),
      join(root, 'tests/abi/libh2sess.abi'), library], { encoding: 'utf8' });
    assert.equal(run.stderr, '');
    assert.ok(run.status === 0 || run.status === 4, `${run.status}\n${run.stdout}`);
  });
