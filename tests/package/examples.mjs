// SPDX-License-Identifier: Apache-2.0
//
// The programs of libh2sess/examples, compiled with the installed headers, library and pkg-config file, and asked
// by real clients; and that bringing the library in by dlopen() changes nothing in a process.
import assert from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { ending, kill, within } from '../common.mjs';
import { build, certificate, request, root } from '../interop/worker_support.mjs';

const env = { ...process.env, MAKEFLAGS: '', MAKELEVEL: '' };
const dir = mkdtempSync(join(tmpdir(), 'examples-'));
const prefix = join(dir, 'usr');
const library = join(prefix, 'lib/libh2sess.so.0');
const [, cert, , key] = certificate(dir);
after(() => rmSync(dir, { recursive: true, force: true }));
before(() => execFileSync('make', ['-s', '-C', root, 'install', `BUILD=${build}`, `PREFIX=${prefix}`], { env }));

function flags(...names) {
  return execFileSync('pkg-config', ['--cflags', '--libs', ...names],
    { encoding: 'utf8', env: { ...env, PKG_CONFIG_PATH: join(prefix, 'lib/pkgconfig') } }).trim().split(/\s+/);
}

function compile(source, ...more) {
  const program = join(dir, source.replace(/\W/g, '_'));
  execFileSync('cc', ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', program,
    join(root, source), ...more]);
  return program;
}

const linked = (...names) => [...flags('h2sess', ...names), `-Wl,-rpath,${join(prefix, 'lib')}`];

// The port that it says on stderr; it is ended with the test.
function start(t, program, args) {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  ending(t, () => kill(child));
  child.ended = new Promise((done) => child.on('exit', (code, signal) => done(signal ?? code)));
  return within(new Promise((done, fail) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const port = /port (\d+)\D/.exec(said);
      if (port) done({ child, port: Number(port[1]) });
    });
    child.on('exit', (code) => fail(new Error(`${program} ended with ${code}: ${said}`)));
  }), `the port of ${program}`);
}

const curl = (...args) => execFileSync('curl', ['-sk', '--max-time', '20', '-w', '%{http_version}', ...args],
  { encoding: 'utf8' });

function connect(t, port) {
  const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  ending(t, () => session.destroy());
  return session;
}

test('a complete TLS server in under 40 lines', async (t) => {
  const source = 'libh2sess/examples/hello.c';
  assert.ok(readFileSync(join(root, source), 'utf8').split('\n').length - 1 < 40);
  const { child, port } = await start(t, compile(source, ...linked()), [cert, key, '127.0.0.1:0']);
  assert.equal(curl('--http2', `https://127.0.0.1:${port}/`), 'hello\n2');
  const answer = await request(connect(t, port), { ':path': '/' });
  assert.equal(answer.headers[':status'], 200);
  assert.equal(answer.headers['content-type'], 'text/plain');
  assert.equal(answer.body.toString(), 'hello\n');
  assert.match(execFileSync('nghttp', ['-n', '-v', `https://127.0.0.1:${port}/`], { encoding: 'utf8' }),
    /:status: 200/);
  child.kill('SIGTERM');
  assert.equal(await child.ended, 0); // it drained
});

test('the man page shows that program as it is', () => {
  const page = readFileSync(join(root, 'packaging/common/man/h2sess.3'), 'utf8');
  const shown = /\.Bd -literal\n(\/\* SPDX[^]*?)\.Ed\n/.exec(page)[1].replace(/\\e/g, '\\');
  assert.equal(shown, readFileSync(join(root, 'libh2sess/examples/hello.c'), 'utf8'));
});

test('a host with its own accept loop, TLS and HTTP/1.1 hands HTTP/2 over', async (t) => {
  const program = compile('libh2sess/examples/adopt.c', ...linked('openssl'));
  const { port } = await start(t, program, [cert, key, '0']);
  assert.equal(curl('--http1.1', `https://127.0.0.1:${port}/`), 'HTTP/1.1\n1.1');
  assert.equal(curl('--http2', `https://127.0.0.1:${port}/`), 'HTTP/2, adopted\n2');
  const session = connect(t, port);
  for (let i = 0; i < 3; i++)
    assert.equal((await request(session, { ':path': '/' })).body.toString(), 'HTTP/2, adopted\n');
  assert.equal(curl('--http1.1', `https://127.0.0.1:${port}/`), 'HTTP/1.1\n1.1');
});

test('a program brings the library in by dlopen()', async (t) => {
  const program = compile('libh2sess/examples/dlopen.c', ...flags('h2sess').filter((f) => f.startsWith('-I')), '-ldl');
  const needed = execFileSync('readelf', ['-d', program], { encoding: 'utf8' });
  assert.doesNotMatch(needed, /NEEDED.*h2sess/);
  const { child, port } = await start(t, program, [library, '127.0.0.1:0']);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  ending(t, () => session.destroy());
  const told = new Promise((done) => session.on('altsvc', (...args) => done(args)));
  assert.equal((await request(session, { ':path': '/' })).body.toString(), 'loaded\n');
  assert.deepEqual(await told, ['h2=":8443"; ma=60', 'https://example.org', 0]);
  child.stdin.end();
  assert.equal(await child.ended, 0); // after dlclose()
});

test('dlopen() has no effects of its own', () => {
  const program = compile('tests/abi/load.c', '-ldl');
  assert.equal(execFileSync(program, [library], { encoding: 'utf8' }), '');
});

test('the header is C++ as well', () => {
  const include = flags('h2sess').filter((f) => f.startsWith('-I'));
  execFileSync('clang', ['-x', 'c++', '-std=c++20', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', ...include, '-'],
    { input: '#include <h2sess/app.h>\nstatic h2sess_options options = H2SESS_OPTIONS_INIT;\n'
      + 'int main() { return options.size == 0; }\n' });
});
