// SPDX-License-Identifier: Apache-2.0
//
// What the programs say of themselves (--help), held against man pages and completions, and facts that stand in
// several files held against each other: versions, dependencies, symbols.
import assert from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { build, root } from '../interop/worker_support.mjs';

const common = join(root, 'packaging/common');
const text = (file) => readFileSync(join(root, file), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'doc-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const programs = { 'h2sess-worker': 'h2sess-worker.conf.5', 'h2sess-controld': 'h2sess-controld.conf.5' };
const notKeys = new Set(['config', 'check', 'help', 'version', 'new-token']);

function help(program) {
  return execFileSync(join(build, 'bin', program), ['--help'], { encoding: 'utf8' });
}

// [name, argument or undefined] of every flag.
function flags(program) {
  return [...help(program).matchAll(/^ +--([a-z0-9-]+)(?: (\S+))?/gm)].map((m) => [m[1], m[2]]);
}

// ---- man pages ----

test('mandoc finds nothing to say about the man pages',
  { skip: spawnSync('mandoc', ['-l', '/dev/null']).error && 'mandoc is not here' }, () => {
    for (const page of readdirSync(join(common, 'man'))) {
      const run = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page],
        { cwd: join(common, 'man'), encoding: 'utf8' });
      assert.equal(run.stdout + run.stderr, '', page);
    }
  });

for (const [program, config] of Object.entries(programs)) {
  test(`${program}(8) and its configuration have every flag`, () => {
    const page = text(`packaging/common/man/${program}.8`);
    const keys = text(`packaging/common/man/${config}`);
    assert.ok(flags(program).length > 10);
    for (const [flag] of flags(program)) {
      assert.match(page, new RegExp(`Fl -${flag}\\b(?!-)`), `${program}.8: --${flag}`);
      if (!notKeys.has(flag)) assert.match(keys, new RegExp(`(Cm|,) ${flag}( ,|$)`, 'm'), `${config}: ${flag}`);
    }
  });

  test(`${program}(8) has no flag that is not there`, () => {
    const known = new Set(flags(program).map(([flag]) => flag));
    const page = text(`packaging/common/man/${program}.8`);
    for (const [, flag] of page.matchAll(/^\.It Fl -([a-z0-9-]+)/gm)) assert.ok(known.has(flag), flag);
  });
}

test('h2sess-worker.conf(5) has every limit with its default', () => {
  const page = text('packaging/common/man/h2sess-worker.conf.5');
  const limits = [...help('h2sess-worker').matchAll(/^ {2}([a-z_]+_[a-z_]+) +(\d+|off) /gm)];
  assert.ok(limits.length > 20);
  for (const [, name, value] of limits)
    assert.match(page, new RegExp(`Cm ${name} No ${value}\\b`), `${name} ${value}`);
});

test('man pages refer to pages that are there', () => {
  const ours = new Set(readdirSync(join(common, 'man')));
  for (const page of ours) {
    for (const [, name, section] of text(`packaging/common/man/${page}`).matchAll(/^\.Xr (h2sess\S*) (\d)/gm)) {
      if (name === 'h2sess' && section === '3' && !ours.has('h2sess.3')) continue;
      assert.ok(ours.has(`${name}.${section}`), `${page}: ${name}(${section})`);
    }
  }
});

// ---- completions ----

// What bash offers for each line of words; one shell for all of them.
function complete(program, ...lines) {
  const script = `source ${join(common, 'completions/h2sess.bash')}
    compopt() { :; }
    while IFS= read -r -d '' line; do
      IFS=$'\\t' read -r -a COMP_WORDS <<<"$1"$'\\t'"$line"; [[ $line == *$'\\t' ]] && COMP_WORDS+=('')
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _h2sess "$1"; echo "\${COMPREPLY[*]}"
    done`;
  return execFileSync('bash', ['-c', script, 'bash', join(build, 'bin', program)],
    { cwd: dir, encoding: 'utf8', input: lines.map((words) => `${words.join('\t')}\0`).join('') })
    .split('\n').slice(0, -1).map((line) => line.split(' '));
}

for (const program of Object.keys(programs)) {
  test(`bash completes every flag of ${program}`, () => {
    assert.deepEqual(complete(program, ['--']), [flags(program).map(([flag]) => `--${flag}`)]);
  });

  test(`bash completes what the flags of ${program} take`, () => {
    writeFileSync(join(dir, 'a-file'), '');
    const all = flags(program);
    const offers = complete(program, ...all.map(([flag]) => [`--${flag}`, '']));
    assert.equal(offers.length, all.length);
    all.forEach(([flag, argument], i) => {
      if (argument === undefined) assert.ok(offers[i].includes('--help'), flag);
      else if (argument === 'FILE') assert.deepEqual(offers[i], ['a-file'], flag);
      else assert.ok(!offers[i].includes('--help'), flag);
    });
  });
}

test('bash completes limits, roles and versions', () => {
  assert.deepEqual(complete('h2sess-worker', ['--limit', 'max_sessions'], ['--tls-min-version', '']),
    [['max_sessions=', 'max_sessions_per_peer='], ['1.2', '1.3']]);
  assert.deepEqual(complete('h2sess-controld', ['--new-token', 'p']), [['push']]);
});

test('zsh takes its completion', { skip: !existsSync('/usr/bin/zsh') && !existsSync('/bin/zsh') && 'zsh is not here' }, () => {
  const file = join(common, 'completions/_h2sess');
  execFileSync('zsh', ['-n', file]);
  // The functions that the shell's line editor would bring are replaced by what shows their arguments.
  const script = `_arguments() { print -l -- "$@" }; _call_program() { shift; "$@" }; compadd() { print -l -- $limits }
    words=(${join(build, 'bin/h2sess-worker')}); source ${file}; _h2sess_limits`;
  const lines = execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8' }).split('\n');
  for (const [flag, argument] of flags('h2sess-worker')) {
    const spec = lines.find((line) => line.startsWith(`*--${flag}[`) || line.startsWith(`*--${flag}:`));
    assert.ok(spec, flag);
    assert.equal(/^[^[:]*(\[[^\]]*\])?:/.test(spec), argument !== undefined, spec);
  }
  assert.ok(lines.includes('max_sessions'));
});

// ---- facts in several files ----

test('packages have the version of the header', () => {
  const version = text('libh2sess/include/h2sess/h2sess.h').match(/^#define H2SESS_VERSION "(.*)"/m)[1];
  assert.equal(text('packaging/debian/changelog').match(/^h2sess \((.*)-\d+\)/)[1], version);
});

// Rows of packaging/common/dependencies: [role, Debian, Fedora].
const dependencies = text('packaging/common/dependencies').split('\n')
  .filter((line) => /^[a-z]/.test(line)).map((line) => line.split(/\s+/));

test('Debian builds with what the list of dependencies names', () => {
  const control = text('packaging/debian/control').match(/^Build-Depends:(.*\n(?:[ \t].*\n)*)/m)[1];
  const given = ['gcc', 'libc6-dev', 'make']; // build-essential
  for (const [role, debian] of dependencies)
    if (role === 'build' && !given.includes(debian))
      assert.match(control, new RegExp(`[\\s,]${debian.split('>=')[0].replace('+', '\\+')}\\b`), debian);
});

test('the symbols file has every symbol of the library', () => {
  const symbols = execFileSync('nm', ['-D', '--defined-only', join(build, 'lib/libh2sess.so.0')], { encoding: 'utf8' });
  const listed = new Set([...text('packaging/debian/libh2sess0.symbols').matchAll(/^ (h2sess_\w+)@H2SESS_0 /gm)].map((m) => m[1]));
  for (const [, name] of symbols.matchAll(/ T (h2sess_\w+)/g)) {
    assert.ok(listed.delete(name), `${name}: not in packaging/debian/libh2sess0.symbols (make symbols)`);
  }
  assert.deepEqual([...listed], [], 'symbols that are gone');
});
