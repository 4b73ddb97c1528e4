// SPDX-License-Identifier: Apache-2.0
//
// Runs every curl line of the README's ```sh blocks as it stands, against real programs and with a Node client
// connected. The line `#=> STATUS, TEXT and TEXT or TEXT` below a command says what its answer must hold; a command
// with -N is a stream, which is read until it has all of it. `NAME=...` lines set a variable for those after
// them (`#=> NAME`: it is not empty).
import assert from 'node:assert';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { build, ending, event, kill, root, temporary, until } from '../common.mjs';

const bin = join(build, 'bin');
const execFileAsync = promisify(execFile);

// Commands of the README's sh blocks: { command, expected }.
function commands() {
  const list = [];
  for (const [, block] of readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```sh\n(.*?)^```/gms)) {
    for (const line of block.replaceAll('\\\n', '').split('\n').filter(Boolean)) {
      if (line.startsWith('#=> ')) list.at(-1).expected = line.slice(4);
      else list.push({ command: line });
    }
  }
  return list;
}

function start(t, name, args) {
  const child = spawn(join(bin, name), args, { stdio: 'ignore' });
  ending(t, () => kill(child));
}

async function ready(file) {
  await until(file, () => existsSync(file));
  return JSON.parse(readFileSync(file, 'utf8'));
}

function certificate(dir) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-days', '2', '-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem'), '-subj', '/CN=readme',
    '-addext', 'subjectAltName=DNS:example.org,DNS:www.example.org,DNS:example.com'], { stdio: 'ignore' });
}

function connect(dir, port) {
  const session = http2.connect(`https://127.0.0.1:${port}`,
    { servername: 'example.org', ca: readFileSync(join(dir, 'cert.pem')) });
  session.on('error', () => {});
  return session;
}

// The environment of the README's lines. curl shows the response's head, for its status.
async function environment(t, dir) {
  certificate(dir);
  mkdirSync(join(dir, 'www'));
  writeFileSync(join(dir, 'www/index.html'), 'hello\n');
  writeFileSync(join(dir, '.curlrc'), 'include\n');
  const [token, line] = execFileSync(join(bin, 'h2sess-controld'), ['--new-token', 'admin', 'readme'],
    { encoding: 'utf8' }).split('\n');
  writeFileSync(join(dir, 'tokens'), line + '\n', { mode: 0o600 });
  const api = join(dir, 'api.sock');
  start(t, 'h2sess-controld', ['--rpc', join(dir, 'rpc.sock'), '--api', `unix:${api},role=admin`,
    '--api', '127.0.0.1:0', '--token-file', join(dir, 'tokens'), '--no-state',
    '--ready-file', join(dir, 'controld.json')]);
  const controld = await ready(join(dir, 'controld.json'));
  start(t, 'h2sess-worker', ['--listen', '127.0.0.1:0', '--cert', join(dir, 'cert.pem'),
    '--key', join(dir, 'key.pem'), '--app', `static:${join(dir, 'www')}`, '--name', 'readme',
    '--control', join(dir, 'rpc.sock'), '--ready-file', join(dir, 'worker.json')]);
  const worker = await ready(join(dir, 'worker.json'));
  const port = controld.api.find((listener) => listener.port).port;
  return {
    port: worker.listen[0].port,
    env: { ...process.env, CURL_HOME: dir, API: api, TOKEN: token, PORT: String(port) },
  };
}

// The client lives in this process, and has to be heard meanwhile.
async function shell(command, env) {
  return (await execFileAsync('bash', ['-c', command], { encoding: 'utf8', env, timeout: 40000 })).stdout;
}

function check(output, expected) {
  const [status, texts] = expected.split(/, (.*)/s);
  assert.match(output, new RegExp(`^HTTP/1\\.1 ${status} `));
  for (const text of texts ? texts.split(' and ') : [])
    assert.ok(text.split(' or ').some((one) => output.includes(one)), `no ${text} in:\n${output}`);
}

// Read a stream while clients connect and go, until it has what is expected.
async function checkStream(command, expected, env, visit) {
  const curl = spawn('bash', ['-c', `exec ${command}`], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  curl.stdout.setEncoding('utf8').on('data', (text) => { output += text; });
  try {
    await until(command, async () => {
      await visit();
      try {
        check(output, expected);
        return true;
      } catch {
        return false;
      }
    });
  } finally {
    curl.kill('SIGKILL');
  }
  check(output, expected);
}

test('the README, line by line', async (t) => {
  const dir = temporary(t);
  const { env, port } = await environment(t, dir);
  const client = connect(dir, port);
  ending(t, () => client.destroy());
  const visit = async () => {
    const session = connect(dir, port);
    await event(session, 'connect');
    session.destroy();
  };
  client.request({ ':path': '/' }, { endStream: false }).on('error', () => {}).resume();
  await until('a session with a stream', async () =>
    /"openStreams":1/.test(await shell('curl -s --unix-socket $API http://localhost/v1/sessions', env)));

  const list = commands();
  assert.ok(list.length >= 15, `only ${list.length} commands in the README`);
  for (const { command, expected } of list) {
    await t.test(command.slice(0, 100), async () => {
      assert.ok(expected, 'the README says nothing of what this answers');
      const variable = /^([A-Z]+)=/.exec(command)?.[1];
      if (variable) {
        env[variable] = await shell(`${command}; printf %s "$${variable}"`, env);
        assert.ok(env[variable]);
      } else if (/ -s?N /.test(command)) {
        await checkStream(command, expected, env, visit);
      } else {
        check(await shell(command, env), expected);
      }
    });
  }
});
