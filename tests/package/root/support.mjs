// SPDX-License-Identifier: Apache-2.0
//
// Root directories to install packages into: a bare Debian 12 that debootstrap made once (BUILD/package-root/base),
// copies of it, commands in them, and their systemd booted in namespaces (tests/package/boot). Needs root.
//
// Nothing is mounted outside of a namespace of its own, so a copy can be removed at any time.
import assert from 'node:assert';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, root as source } from '../../interop/worker_support.mjs';

export { build, source };
const place = join(build, 'package-root');
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function until(what, condition) {
  for (let i = 0; i < 300; i++) {
    const value = await condition();
    if (value) return value;
    await sleep(200);
  }
  throw new Error(`not within 60 s: ${what}`);
}

// A shell that runs SCRIPT in ROOT, with /proc and /dev, and a network of its own unless it needs the world's.
function entering(root, script, { network = false } = {}) {
  const inside = `mount --make-rprivate / && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    { ip link set lo up || :; } && exec chroot "$1" /bin/sh -ec "$2"`;
  return ['unshare', ['--mount', '--pid', '--fork', '--kill-child', ...network ? [] : ['--net'],
    'sh', '-c', inside, 'sh', root, script]];
}

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };

export function run(root, script, options) {
  const [command, args] = entering(root, script, options);
  const result = spawnSync(command, args, { encoding: 'utf8', env, maxBuffer: 1 << 26 });
  assert.equal(result.status, 0, `${script}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

export function start(root, script) {
  const [command, args] = entering(root, script);
  return spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
}

// The mirrors that this machine uses for Debian 12, and how it reaches them.
function writeSources(root) {
  const targets = execFileSync('apt-get', ['indextargets', '--format', '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)'],
    { encoding: 'utf8' }).split('\n').filter((line) => /^Debian\|.* bookworm\S* main$/.test(line));
  writeFileSync(join(root, 'etc/apt/sources.list'), [...new Set(targets)].map((line) => line.split('|')[1]).join('\n') + '\n');
  for (const name of readdirSync('/etc/apt/apt.conf.d')) {
    const text = readFileSync(join('/etc/apt/apt.conf.d', name), 'utf8');
    if (/^Acquire::/m.test(text)) writeFileSync(join(root, 'etc/apt/apt.conf.d', name), text);
  }
  appendFileSync(join(root, 'etc/apt/apt.conf.d/90test'), 'APT::Get::Assume-Yes "true";\n');
}

function base() {
  const dir = join(place, 'base');
  if (existsSync(join(dir, '.made'))) return dir;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  execFileSync('debootstrap', ['--variant=minbase', 'bookworm', dir], { stdio: ['ignore', 'ignore', 'inherit'] });
  writeSources(dir);
  if (existsSync('/etc/resolv.conf')) cpSync('/etc/resolv.conf', join(dir, 'etc/resolv.conf'), { dereference: true });
  run(dir, 'apt-get -q update', { network: true });
  writeFileSync(join(dir, '.made'), '');
  return dir;
}

const booted = new Map(); // root: the process that its systemd runs below

// A copy of the bare root, removed after the test.
export function bare(t, name) {
  const dir = join(place, name);
  rmSync(dir, { recursive: true, force: true });
  execFileSync('cp', ['-a', base(), dir]);
  t.after(async () => {
    const child = booted.get(dir);
    if (child?.kill('SIGKILL')) await new Promise((done) => child.on('exit', done));
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  });
  return dir;
}

// Boot it: { run(script), start(script) } there.
export async function boot(root) {
  const pidfile = `${root}.pid`;
  rmSync(pidfile, { force: true });
  const child = spawn(join(source, 'tests/package/boot'), [root, pidfile], { stdio: ['ignore', 'inherit', 'inherit'] });
  booted.set(root, child);
  const pid = await until('the pid of systemd', () => existsSync(pidfile) && readFileSync(pidfile, 'utf8').trim());
  const enter = (script) => ['-t', pid, '-a', '-r', '-w', 'sh', '-ec', script];
  const machine = {
    run(script) {
      const result = spawnSync('nsenter', enter(script), { encoding: 'utf8', env, timeout: 120000 });
      assert.equal(result.status, 0, `${script}\n${result.stdout}\n${result.stderr}`);
      return result.stdout;
    },
    start: (script) => spawn('nsenter', enter(script), { env, stdio: ['ignore', 'pipe', 'inherit'] }),
  };
  await until('a booted systemd', () => /running|degraded/.test(
    spawnSync('nsenter', enter('systemctl is-system-running || :'), { encoding: 'utf8', timeout: 10000 }).stdout));
  return machine;
}

// The indented blocks of the README's section, in order: what its reader pastes.
export function readme() {
  const section = readFileSync(join(source, 'README.md'), 'utf8').match(/^## From packages\n(.*?)^## /ms)[1];
  const blocks = section.split(/^(?! {4}|\n)[^\n]*\n/m).map((block) => block.trimEnd()).filter((block) => /^ {4}/m.test(block));
  const [install, configure, byHand, client, push] = blocks.map((block) => block.replace(/^ {4}/gm, '').trim());
  assert.match(push, /altsvc/);
  return { install, configure, byHand, client, push };
}

// The ids of the sessions that are open.
function sessions(machine) {
  const answer = machine.run('curl -s --unix-socket /run/h2sess/api.sock http://localhost/v1/sessions');
  return answer.match(/"id":"[^"]+/g) ?? [];
}

// The README's client in a machine, and all that it printed.
export async function connect(t, machine) {
  await until('a worker that the daemon sees', () => /"state":"running"/.test(machine.run(
    'curl -s --unix-socket /run/h2sess/api.sock http://localhost/v1/workers || :')));
  const before = sessions(machine);
  const child = machine.start(readme().client);
  const client = { child, text: '', ended: false };
  child.stdout.setEncoding('utf8').on('data', (text) => { client.text += text; });
  child.on('exit', () => { client.ended = true; });
  t.after(() => child.kill('SIGKILL'));
  await until('its session', () => sessions(machine).some((id) => !before.includes(id)));
  return client;
}

// The README's pushes: curl says received, the client prints both.
export async function push(machine, client) {
  const before = client.text.length;
  const answers = machine.run(readme().push);
  assert.equal(answers.match(/"outcome":"received"/g)?.length, 2, answers);
  await until('both pushes at the client', () => /altsvc h2=":8000"; ma=60 https:\/\/example\.org\n[^]*origin https:\/\/www\.example\.org\n/
    .test(client.text.slice(before)));
}
