// SPDX-License-Identifier: Apache-2.0
//
// `make install`: what it puts where, that a program can be made with it, and that the installed worker
// finds the installed apps. Of the plain build only.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { build, root, temporary } from './worker_support.mjs';

const sanitized = /san$/.test(build);

test('make install', { skip: sanitized && 'the plain build only' }, (t) => {
  const dir = temporary(t);
  const prefix = join(dir, 'usr');
  const env = { ...process.env, MAKEFLAGS: '', MAKELEVEL: '' };
  execFileSync('make', ['-s', '-C', root, 'install', `BUILD=${build}`, `PREFIX=${prefix}`], { env });
  for (const file of ['bin/h2sess-worker', 'bin/h2sess-controld', 'lib/h2sess/apps/echo.so',
    'lib/h2sess/apps/static.so', 'include/h2sess/h2sess.h', 'include/h2sess/app.h',
    'include/h2sess/errors.def', 'lib/pkgconfig/h2sess.pc'])
    assert.ok(existsSync(join(prefix, file)), file);
  assert.equal(readlinkSync(join(prefix, 'lib/libh2sess.so')), 'libh2sess.so.0');

  const worker = join(prefix, 'bin/h2sess-worker');
  execFileSync(worker, ['--check', '--listen-h2c', '127.0.0.1:0', '--app', 'echo']);
  const elsewhere = join(dir, 'moved-worker'); // no ../lib beside it: LIBDIR it is
  execFileSync('cp', [worker, elsewhere]);
  execFileSync(elsewhere, ['--check', '--listen-h2c', '127.0.0.1:0', '--app', `static:${dir}`]);

  writeFileSync(join(dir, 'host.c'), '#include <h2sess/h2sess.h>\n#include <stdio.h>\n' +
    'int main(void) { puts(h2sess_version()); return h2sess_abi() != H2SESS_ABI; }\n');
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'h2sess'],
    { encoding: 'utf8', env: { ...env, PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') } }).trim().split(/\s+/);
  execFileSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-o', join(dir, 'host'), join(dir, 'host.c'), ...flags,
    `-Wl,-rpath,${join(prefix, 'lib')}`]);
  assert.match(execFileSync(join(dir, 'host'), { encoding: 'utf8' }), /^\d+\.\d+\.\d+\n$/);
});
