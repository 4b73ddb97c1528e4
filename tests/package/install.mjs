// SPDX-License-Identifier: Apache-2.0
//
// `make install`: what it puts where, that a program can be made with it, that the installed worker finds the
// installed apps, and that what systemd is given is sound: units, users, directories.
import assert from 'node:assert';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { build, connect, ending, kill, request, root, until } from '../interop/worker_support.mjs';

const env = { ...process.env, MAKEFLAGS: '', MAKELEVEL: '' };
const dir = mkdtempSync(join(tmpdir(), 'install-'));
const prefix = join(dir, 'usr');
after(() => rmSync(dir, { recursive: true, force: true }));

function install(...variables) {
  execFileSync('make', ['-s', '-C', root, 'install', `BUILD=${build}`, ...variables], { env });
}

before(() => install(`PREFIX=${prefix}`));

const sources = (folder) => readdirSync(join(root, 'packaging/common', folder));

test('every file has its place', () => {
  const files = ['bin/h2sess-worker', 'bin/h2sess-controld', 'lib/h2sess/apps/echo.so', 'lib/h2sess/apps/static.so',
    'include/h2sess/h2sess.h', 'include/h2sess/app.h', 'include/h2sess/errors.def', 'lib/pkgconfig/h2sess.pc',
    'share/bash-completion/completions/h2sess-worker', 'share/bash-completion/completions/h2sess-controld',
    'share/zsh/site-functions/_h2sess-worker', 'share/zsh/site-functions/_h2sess-controld', 'share/doc/h2sess/rpc.md', 'share/doc/h2sess/openapi.yaml',
    'etc/h2sess/controld.conf', 'etc/h2sess/worker/default.conf', 'etc/h2sess/tls',
    'etc/needrestart/conf.d/h2sess.conf', 'etc/logrotate.d/h2sess',
    ...sources('systemd').map((name) => `lib/systemd/system/${name}`),
    ...sources('sysusers').map((name) => `lib/sysusers.d/${name}`),
    ...sources('tmpfiles').map((name) => `lib/tmpfiles.d/${name}`),
    ...sources('man').map((name) => `share/man/man${name.at(-1)}/${name}`)];
  for (const file of files) assert.ok(existsSync(join(prefix, file)), file);
  assert.equal(readlinkSync(join(prefix, 'lib/libh2sess.so')), 'libh2sess.so.0');
});

test('DESTDIR with PREFIX=/usr has its configuration in /etc', () => {
  const dest = join(dir, 'dest');
  install('PREFIX=/usr', `DESTDIR=${dest}`);
  assert.ok(existsSync(join(dest, 'etc/h2sess/controld.conf')));
  const unit = readFileSync(join(dest, 'usr/lib/systemd/system/h2sess-worker@.service'), 'utf8');
  assert.match(unit, /^ExecStart=\/usr\/bin\/h2sess-worker .* \/etc\/h2sess\/worker\/%i\.conf$/m);
});

test('a second installation keeps the configuration', () => {
  const file = join(prefix, 'etc/h2sess/worker/default.conf');
  const before = readFileSync(file);
  writeFileSync(file, 'app = echo\n');
  install(`PREFIX=${prefix}`);
  assert.equal(readFileSync(file, 'utf8'), 'app = echo\n');
  writeFileSync(file, before);
});

test('the installed worker finds the installed apps', () => {
  const worker = join(prefix, 'bin/h2sess-worker');
  execFileSync(worker, ['--check', '--listen-h2c', '127.0.0.1:0', '--app', 'echo']);
  const elsewhere = join(dir, 'moved-worker'); // no ../lib beside it: LIBDIR it is
  execFileSync('cp', [worker, elsewhere]);
  execFileSync(elsewhere, ['--check', '--listen-h2c', '127.0.0.1:0', '--app', `static:${dir}`]);
});

test('a program can be made with it', () => {
  writeFileSync(join(dir, 'host.c'), '#include <h2sess/h2sess.h>\n#include <stdio.h>\n' +
    'int main(void) { puts(h2sess_version()); return h2sess_abi() != H2SESS_ABI; }\n');
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'h2sess'],
    { encoding: 'utf8', env: { ...env, PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') } }).trim().split(/\s+/);
  execFileSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-o', join(dir, 'host'), join(dir, 'host.c'), ...flags,
    `-Wl,-rpath,${join(prefix, 'lib')}`]);
  assert.match(execFileSync(join(dir, 'host'), { encoding: 'utf8' }), /^\d+\.\d+\.\d+\n$/);
});

// An app from the example's text, with one line of it changed.
function makeApp(name, from, to) {
  const text = readFileSync(join(root, 'libh2sess/examples/hello_app.c'), 'utf8');
  assert.ok(text.includes(from));
  writeFileSync(join(dir, `${name}.c`), text.replace(from, to));
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'h2sess'],
    { encoding: 'utf8', env: { ...env, PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') } }).trim().split(/\s+/);
  execFileSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o', join(dir, `${name}.so`),
    join(dir, `${name}.c`), ...flags]);
  return join(dir, `${name}.so`);
}

const worker = (...args) => spawnSync(join(prefix, 'bin/h2sess-worker'), ['--listen-h2c', '127.0.0.1:0', ...args],
  { encoding: 'utf8', timeout: 20000 });

test('an app can be made with it, and serves', async (t) => {
  const app = makeApp('hello', '"hello"', '"hello"');
  const ready = join(dir, 'ready');
  const child = spawn(join(prefix, 'bin/h2sess-worker'), ['--listen-h2c', '127.0.0.1:0', '--app', `${app}:world`,
    '--ready-file', ready], { stdio: 'ignore' });
  ending(t, () => kill(child));
  await until('a worker', () => existsSync(ready));
  const { listen } = JSON.parse(readFileSync(ready, 'utf8'));
  const { body } = await request(connect(t, listen[0].port, { plain: true }), { ':path': '/' });
  assert.equal(body.toString(), 'hello, world\n');
});

test('an app of another ABI, or whose init fails, is refused in one line', () => {
  const rows = [
    [`${makeApp('abi', '.abi = H2SESS_APP_ABI', '.abi = 99')}:x`, /: made for app ABI 99, this worker has \d+\n$/],
    [`${makeApp('short', '.size = sizeof(struct h2sess_app)', '.size = 8')}:x`, /: its descriptor is too short or has no init\n$/],
    [makeApp('named', '"hello"', '"hello"'), /: needs a name to greet\n$/],
    [`${makeApp('nameless', 'h2sess_app;\nconst struct h2sess_app h2sess_app', 'other_app;\nconst struct h2sess_app other_app')}:x`,
      /: no app plugin: it has no symbol h2sess_app\n$/],
    [`${makeApp('server', 'h2sess_on(context->emitter', 'h2sess_on(h2sess_server_emitter(context->server)')}:x`,
      /: it registers on the server; an app's emitter is the context's\n$/],
  ];
  for (const [app, rule] of rows) {
    const { status, stderr } = worker('--app', app);
    assert.equal(status, 2, stderr);
    assert.match(stderr, rule);
    assert.equal(stderr.split('\n').length, 2, stderr);
  }
});

// The shipped configuration is refused for the certificate that it has to be given, and for nothing else.
test('the shipped configurations are right', () => {
  const config = join(prefix, 'etc/h2sess/worker/default.conf');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-keyout', join(prefix, 'etc/h2sess/tls/default.key'), '-out', join(prefix, 'etc/h2sess/tls/default.pem'),
    '-subj', '/CN=localhost'], { stdio: 'ignore' });
  execFileSync(join(prefix, 'bin/h2sess-worker'), ['--config', config, '--check']);
  const daemon = spawnSync(join(prefix, 'bin/h2sess-controld'),
    ['--config', join(prefix, 'etc/h2sess/controld.conf'), '--rpc', '/nowhere/at/all', '--no-state'], { encoding: 'utf8' });
  assert.equal(daemon.status, 1, daemon.stderr); // 2 would be a refused configuration
  assert.match(daemon.stderr, /\/nowhere/);
});

const systemd = spawnSync('systemd-analyze', ['--version']).status === 0;
const needs = { skip: !systemd && 'systemd-analyze is not here (package systemd)' };

test('systemd takes the units', needs, () => {
  for (const name of sources('systemd')) {
    const instance = name.replace('@.', '@x.');
    const file = join(prefix, 'lib/systemd/system', name);
    const run = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=one',
      instance === name ? file : `${file}:${instance}`], { encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stderr, '');
  }
});

test('the units stay hardened', needs, () => {
  const limits = { 'h2sess-worker@.service': 12, 'h2sess-controld.service': 6 }; // tenths
  for (const [name, threshold] of Object.entries(limits)) {
    const run = spawnSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', `--threshold=${threshold}`,
      join(root, 'packaging/common/systemd', name)], { encoding: 'utf8' });
    assert.equal(run.status, 0, run.stdout + run.stderr);
  }
});

const sysusers = spawnSync('systemd-sysusers', ['--version']).status === 0;
test('users and directories are made in an empty root',
  { skip: (!sysusers || process.getuid() !== 0) && 'needs systemd-sysusers, systemd-tmpfiles and root' }, () => {
    const empty = join(dir, 'root');
    install('PREFIX=/usr', `DESTDIR=${empty}`);
    execFileSync('systemd-sysusers', [`--root=${empty}`]);
    execFileSync('systemd-tmpfiles', [`--root=${empty}`, '--create', '--prefix=/run/h2sess', '--prefix=/run/h2sess-rpc',
      '--prefix=/var/lib/h2sess', '--prefix=/etc/h2sess/tls'], { stdio: 'pipe' });
    const passwd = readFileSync(join(empty, 'etc/passwd'), 'utf8');
    const group = readFileSync(join(empty, 'etc/group'), 'utf8');
    for (const user of ['_h2sess-controld', '_h2sess-worker']) assert.match(passwd, new RegExp(`^${user}:`, 'm'));
    assert.match(group, /^h2sess:x:\d+:_h2sess-controld$/m);
    assert.match(group, /^h2sess-rpc:x:\d+:.*_h2sess-worker/m);
    const mode = (path) => execFileSync('stat', ['-c', '%a', join(empty, path)], { encoding: 'utf8' }).trim();
    assert.equal(mode('run/h2sess'), '750');
    assert.equal(mode('run/h2sess-rpc'), '750');
    assert.equal(mode('var/lib/h2sess'), '750');
    assert.equal(mode('etc/h2sess/tls'), '2750');
  });
