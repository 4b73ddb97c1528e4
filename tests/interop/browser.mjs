// SPDX-License-Identifier: Apache-2.0
//
// Browsers open a page of a directory that the worker serves, and stay: ORIGIN and ALTSVC pushed to their session
// through the daemon are received. Each browser that is not installed is skipped.
//
// H2SESS_SCREENSHOTS=DIR keeps a picture of what each one showed.
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ending, event, has, temporary, until, within } from '../common.mjs';
import { House, jsonLines } from './support.mjs';

const screenshots = process.env.H2SESS_SCREENSHOTS;
const first = (...names) => names.find(has);

function makeSite(dir) {
  const www = join(dir, 'www');
  mkdirSync(www);
  writeFileSync(join(www, 'index.html'), '<!doctype html><title>h2sess</title><link rel=stylesheet href=style.css>' +
    '<h1>Served over HTTP/2</h1><p id=protocol>no script</p><img src=box.svg alt=box><script src=app.js></script>');
  writeFileSync(join(www, 'style.css'), 'body { font-family: sans-serif; background: #e8f4e8 } h1 { color: #064 }');
  writeFileSync(join(www, 'box.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="60">' +
    '<rect width="120" height="60" fill="#08c"/></svg>');
  // The page says by which protocol it came, and asks for a name that holds it.
  writeFileSync(join(www, 'app.js'), 'const p = performance.getEntriesByType("navigation")[0].nextHopProtocol;' +
    'document.getElementById("protocol").textContent = `by ${p}`; fetch(`/ran-${p}`);');
  return www;
}

// A browser with a profile of its own; argsFor(its directory) gives the arguments. Resolves to that directory.
function start(t, command, argsFor) {
  const dir = temporary(t);
  const child = spawn(command, argsFor(dir), { stdio: 'ignore', detached: true, env: { ...process.env, HOME: tmpdir() } });
  const ended = once(child, 'exit');
  ending(t, () => {
    try { process.kill(-child.pid, 'SIGKILL'); } catch { /* it is gone */ }
    return within(ended, `the end of ${command}`);
  });
  return dir;
}

// ---- the two browsers: open(url) shows it and stays ----

function openChromium(t, command, url) {
  start(t, command, (dir) => ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run',
    '--ignore-certificate-errors', `--user-data-dir=${dir}`, '--remote-debugging-port=0', url]);
}

// Marionette, Firefox's own remote protocol: "LENGTH:[0, id, command, parameters]" each way.
class Marionette {
  constructor(socket) {
    this.socket = socket;
    this.buffer = Buffer.alloc(0);
    this.answers = new Map();
    this.id = 0;
    socket.on('data', (data) => this.take(data));
  }

  take(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const colon = this.buffer.indexOf(':');
      const length = Number(this.buffer.subarray(0, colon));
      if (colon < 0 || this.buffer.length < colon + 1 + length) return;
      const message = JSON.parse(this.buffer.subarray(colon + 1, colon + 1 + length));
      this.buffer = this.buffer.subarray(colon + 1 + length);
      if (Array.isArray(message)) this.answers.get(message[1])?.(message);
    }
  }

  async ask(command, parameters) {
    const id = ++this.id;
    const text = JSON.stringify([0, id, command, parameters]);
    const answer = new Promise((done) => this.answers.set(id, done));
    this.socket.write(`${Buffer.byteLength(text)}:${text}`);
    const [, , error, result] = await within(answer, `the answer to ${command}`);
    assert.equal(error, null, JSON.stringify(error));
    return result;
  }
}

async function openFirefox(t, command, url) {
  const profile = start(t, command, (dir) => {
    writeFileSync(join(dir, 'user.js'), 'user_pref("marionette.port", 0);\n' +
      'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n');
    return ['--headless', '--marionette', '--profile', dir];
  });
  const file = join(profile, 'MarionetteActivePort'); // it picks a port, and says which when it listens
  const port = await until('Marionette', () => existsSync(file) && Number(readFileSync(file, 'utf8')));
  const socket = net.connect(port, '127.0.0.1');
  ending(t, () => socket.destroy());
  await event(socket, 'connect');
  const marionette = new Marionette(socket);
  await marionette.ask('WebDriver:NewSession', { acceptInsecureCerts: true });
  await marionette.ask('WebDriver:Navigate', { url });
  if (!screenshots) return;
  const { value } = await marionette.ask('WebDriver:TakeScreenshot', { full: false });
  writeFileSync(join(screenshots, 'firefox.png'), Buffer.from(value, 'base64'));
}

const browsers = [
  ['Chromium', first('chromium', 'chromium-browser', 'google-chrome'), openChromium],
  ['Firefox', first('firefox', 'firefox-esr'), openFirefox],
];

for (const [name, command, open] of browsers) {
  test(`${name} opens a page over HTTP/2, and receives what is pushed`, { skip: !command && `${name} is not installed` },
    async (t) => {
      const house = await House.open(t);
      const log = join(house.dir, 'access.log');
      const w = await house.worker({ app: `static:${makeSite(house.dir)}`, args: ['--access-log', log] });
      const port = w.port;
      await open(t, command, `https://127.0.0.1:${port}/`);
      const asked = await until('the script to have run', () => {
        const all = jsonLines(log);
        return all.some(({ path }) => path.startsWith('/ran-')) && all;
      });
      const status = (path) => asked.find((one) => one.path === path)?.status;
      for (const path of ['/', '/style.css', '/box.svg', '/app.js']) assert.equal(status(path), 200, path);
      assert.ok(asked.some(({ path }) => path === '/ran-h2'), 'the page came by another protocol');
      const { sessions } = (await house.get('/v1/sessions')).body;
      assert.ok(sessions.length >= 1);
      const { id } = sessions.find((s) => s.streams >= 4 || sessions.length === 1) ?? sessions[0];
      const push = (verb, body) => house.post(`/v1/sessions/${id}/${verb}`, { ...body, wait: 'received' });
      const origin = await push('origin', { origins: ['https://example.org', 'https://example.com'] });
      assert.equal(origin.body.outcome, 'received', JSON.stringify(origin.body));
      const altsvc = await push('altsvc', { alt: `h2="127.0.0.1:${port}"; ma=60`, origin: `https://127.0.0.1:${port}` });
      assert.equal(altsvc.body.outcome, 'received', JSON.stringify(altsvc.body));
    });
}
