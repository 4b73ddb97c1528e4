// SPDX-License-Identifier: Apache-2.0
//
// The apps echo and static, seen by Node's client.
import assert from 'node:assert';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, openSync, closeSync, ftruncateSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { certificate, connect, ending, kill, request, sanitized, temporary, worker } from './worker_support.mjs';

test('echo answers with what it received', async (t) => {
  const dir = temporary(t);
  const { ready } = await worker(t, dir, ['--listen-h2c', '127.0.0.1:0', '--app', 'echo']);
  const session = connect(t, ready.listen[0].port, { plain: true });

  await t.test('a request without a body: as JSON', async () => {
    const { headers, body } = await request(session,
      { ':path': '/a?b=c', ':authority': 'example.org', 'x-one': '1', 'x-latin': 'caf\xe9' });
    assert.equal(headers[':status'], 200);
    assert.equal(headers['x-echo-method'], 'GET');
    assert.equal(headers['x-echo-path'], '/a?b=c');
    assert.equal(headers['x-echo-x-one'], '1');
    assert.equal(headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(body), { method: 'GET', path: '/a?b=c', authority: 'example.org',
      headers: [['x-one', '1'], ['x-latin', 'caf\xe9']] });
  });

  await t.test('HEAD: no body', async () => {
    const { headers, body } = await request(session, { ':method': 'HEAD', ':path': '/' });
    assert.equal(headers['x-echo-method'], 'HEAD');
    assert.equal(body.length, 0);
  });

  await t.test('a body comes back, with its type', async () => {
    const { headers, body } = await request(session,
      { ':method': 'POST', ':path': '/', 'content-type': 'text/x-test' }, 'hello');
    assert.equal(headers['content-type'], 'text/x-test');
    assert.equal(body.toString(), 'hello');
  });

  await t.test('an empty body comes back as one', async () => {
    const { headers, body } = await request(session, { ':method': 'POST', ':path': '/' }, '');
    assert.equal(headers[':status'], 200);
    assert.equal(body.length, 0);
  });

  await t.test('8 MiB come back, byte by byte', async () => {
    const sent = randomBytes(8 << 20);
    const { body } = await request(session, { ':method': 'PUT', ':path': '/' }, sent);
    assert.ok(body.equals(sent));
  });

  await t.test('a client that does not read is stopped, and goes on later', async () => {
    const stream = session.request({ ':method': 'POST', ':path': '/' });
    stream.on('error', () => {});
    const sent = randomBytes(4 << 20);
    stream.end(sent);
    await new Promise((done) => stream.once('response', done));
    await new Promise((done) => setTimeout(done, 300));
    assert.ok(stream.writableLength > 0, 'everything was taken from a client that reads nothing');
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.ok(Buffer.concat(chunks).equals(sent));
  });

  await t.test('trailers come back as trailers', async () => {
    const stream = session.request({ ':method': 'POST', ':path': '/', te: 'trailers' },
      { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
    const trailers = new Promise((done) => stream.on('trailers', done));
    stream.resume().end('body');
    assert.equal((await trailers)['x-sum'], '42');
  });

  await t.test('many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) =>
      request(session, { ':method': 'POST', ':path': `/${i}` }, `body ${i}`)));
    answers.forEach(({ headers, body }, i) => {
      assert.equal(headers['x-echo-path'], `/${i}`);
      assert.equal(body.toString(), `body ${i}`);
    });
  });
});

test('static serves the files below its directory', async (t) => {
  const dir = temporary(t);
  const www = join(dir, 'www');
  mkdirSync(join(www, 'sub'), { recursive: true });
  writeFileSync(join(dir, 'secret'), 'secret');
  writeFileSync(join(www, 'index.html'), '<p>index');
  writeFileSync(join(www, 'a b.txt'), '0123456789');
  writeFileSync(join(www, 'empty.css'), '');
  writeFileSync(join(www, 'sub/index.html'), '<p>sub');
  writeFileSync(join(www, 'big.bin'), randomBytes(3 << 20));
  symlinkSync('../secret', join(www, 'out'));
  symlinkSync('/etc/passwd', join(www, 'absolute'));
  symlinkSync('sub/index.html', join(www, 'in.html'));
  execFileSync('mkfifo', [join(www, 'fifo')]);
  const sparse = openSync(join(www, 'sparse'), 'w');
  ftruncateSync(sparse, 10 * 2 ** 30);
  closeSync(sparse);

  const { child, ready } = await worker(t, dir,
    ['--listen', '127.0.0.1:0', ...certificate(dir), '--app', `static:${www}`]);
  const session = connect(t, ready.listen[0].port);
  const get = (path, headers) => request(session, { ':path': path, ...headers });

  await t.test('files, with type and length', async () => {
    const { headers, body } = await get('/a%20b.txt?x');
    assert.equal(headers[':status'], 200);
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(headers['content-length'], '10');
    assert.ok(headers.etag && headers['last-modified'] && headers.date);
    assert.equal(body.toString(), '0123456789');
    assert.equal((await get('/big.bin')).body.length, 3 << 20);
    assert.equal((await get('/empty.css')).headers['content-length'], '0');
    assert.equal((await get('/in.html')).body.toString(), '<p>sub');
  });

  await t.test('index files, and the slash that a directory needs', async () => {
    assert.equal((await get('/')).body.toString(), '<p>index');
    assert.equal((await get('/sub/')).body.toString(), '<p>sub');
    const { headers } = await get('/sub');
    assert.equal(headers[':status'], 301);
    assert.equal(headers.location, '/sub/');
    assert.equal((await get('//sub')).headers.location, '/sub/');
  });

  await t.test('HEAD', async () => {
    const { headers, body } = await get('/a%20b.txt', { ':method': 'HEAD' });
    assert.equal(headers['content-length'], '10');
    assert.equal(body.length, 0);
    assert.equal((await get('/nothing', { ':method': 'HEAD' })).headers[':status'], 404);
  });

  await t.test('other methods are 405', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { headers } = await request(session, { ':method': method, ':path': '/' });
      assert.equal(headers[':status'], 405);
      assert.equal(headers.allow, 'GET, HEAD');
    }
  });

  await t.test('no way out', async () => {
    for (const path of ['/nothing', '/../secret', '/sub/../../secret', '/%2e%2e/secret', '/.%2E/secret',
      '/..%2fsecret', '/sub/..%2f..%2fsecret', '/%2e%2e%2fsecret', '/out', '/absolute', '/fifo', '/in.html/',
      '/sub/nothing', '//etc/passwd', '/..\\secret']) {
      const { headers, body } = await get(path);
      assert.equal(headers[':status'], 404, path);
      assert.ok(!body.includes('secret'), path);
    }
    for (const path of ['/%00', '/a%00.txt', '/%', '/%zz', '/a%2'])
      assert.equal((await get(path)).headers[':status'], 400, path);
  });

  await t.test('conditions and ranges', async () => {
    const { headers: first } = await get('/a%20b.txt');
    const unchanged = await get('/a%20b.txt', { 'if-none-match': first.etag });
    assert.equal(unchanged.headers[':status'], 304);
    assert.equal(unchanged.body.length, 0);
    assert.equal((await get('/a%20b.txt', { 'if-modified-since': first['last-modified'] })).headers[':status'],
      304);
    const part = await get('/a%20b.txt', { range: 'bytes=2-4', 'if-range': first.etag });
    assert.equal(part.headers[':status'], 206);
    assert.equal(part.headers['content-range'], 'bytes 2-4/10');
    assert.equal(part.body.toString(), '234');
    assert.equal((await get('/a%20b.txt', { range: 'bytes=-3' })).body.toString(), '789');
    const beyond = await get('/a%20b.txt', { range: 'bytes=10-' });
    assert.equal(beyond.headers[':status'], 416);
    assert.equal(beyond.headers['content-range'], 'bytes */10');
  });

  await t.test('conditions that must hold', async () => {
    const { headers: first } = await get('/a%20b.txt');
    const status = async (headers) => (await get('/a%20b.txt', headers)).headers[':status'];
    assert.equal(await status({ 'if-match': first.etag }), 200);
    assert.equal(await status({ 'if-match': '"another"' }), 412);
    assert.equal(await status({ 'if-unmodified-since': first['last-modified'] }), 200);
    assert.equal(await status({ 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }), 412);
    assert.equal(await status({ range: 'bytes=0-1', 'if-range': '"another"' }), 200);
  });

  await t.test('compressed files beside the file', async () => {
    const text = 'x'.repeat(1000);
    writeFileSync(join(www, 'app.js'), text);
    writeFileSync(join(www, 'app.js.gz'), gzipSync(text));
    writeFileSync(join(www, 'app.js.br'), brotliCompressSync(text));
    writeFileSync(join(www, 'only.css'), text);
    writeFileSync(join(www, 'only.css.gz'), gzipSync(text));
    const accept = (value) => (value === undefined ? {} : { 'accept-encoding': value });
    for (const [value, encoding, open] of [[undefined, undefined, (b) => b], ['gzip', 'gzip', gunzipSync],
      ['gzip, deflate, br', 'br', brotliDecompressSync], ['br;q=0.1, gzip', 'gzip', gunzipSync],
      ['br;q=0', undefined, (b) => b]]) {
      const { headers, body } = await get('/app.js', accept(value));
      assert.equal(headers['content-encoding'], encoding, String(value));
      assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
      assert.equal(headers.vary, 'accept-encoding');
      assert.equal(open(body).toString(), text);
    }
    assert.equal((await get('/only.css', accept('br, gzip'))).headers['content-encoding'], 'gzip');
    const { headers } = await get('/app.js', accept('br'));
    const again = await get('/app.js', { ...accept('br'), 'if-none-match': headers.etag });
    assert.equal(again.headers[':status'], 304);
    assert.equal(again.headers.vary, 'accept-encoding');
    const plain = await get('/app.js', { 'if-none-match': headers.etag });
    assert.equal(plain.headers[':status'], 200); // another representation, another tag
    const { headers: part, body } = await get('/app.js', { ...accept('gzip'), range: 'bytes=0-1' });
    assert.equal(part['content-encoding'], 'gzip');
    assert.equal(body.toString('hex'), '1f8b');
    assert.equal((await get('/big.bin', accept('gzip'))).headers['content-encoding'], undefined);
  });

  await t.test('a 10 GiB file: its end, without reading the rest', async () => {
    const { headers, body } = await get('/sparse', { range: 'bytes=-5' });
    assert.equal(headers['content-range'], 'bytes 10737418235-10737418239/10737418240');
    assert.equal(body.length, 5);
    const stream = session.request({ ':path': '/sparse' });
    stream.on('error', () => {});
    const length = await new Promise((done) => stream.on('response', (h) => done(h['content-length'])));
    assert.equal(length, '10737418240');
    stream.close();
  });

  await t.test('a 10 GiB file to a slow reader: under a MiB of memory', async () => {
    const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
    await get('/big.bin'); // what is taken once is there
    const before = memory();
    // curl's windows are of 32 MiB, so that it is TCP that says wait.
    const curl = spawn('curl', ['-sk', '--http2', '--limit-rate', '400K', '-o', '/dev/null', '-w', '%{size_download}',
      `https://127.0.0.1:${ready.listen[0].port}/sparse`]);
    ending(t, () => kill(curl));
    let most = 0;
    for (let i = 0; i < 20; i++) {
      await new Promise((done) => setTimeout(done, 100));
      most = Math.max(most, memory() - before);
    }
    assert.equal(curl.exitCode, null, 'it ended early');
    assert.ok(most < (sanitized ? 65536 : 1024), `${most} KiB more`);
  });
});

test('static:FILE.ini, below a path of its own', async (t) => {
  const dir = temporary(t);
  const www = join(dir, 'www');
  mkdirSync(join(www, 'sub'), { recursive: true });
  writeFileSync(join(www, 'home.htm'), 'home');
  writeFileSync(join(www, 'sub/second.htm'), 'second');
  writeFileSync(join(www, 'a.txt'), 'text');
  writeFileSync(join(www, 'a.txt.gz'), 'gz');
  writeFileSync(join(dir, 'site.ini'), `root = ${www}\nindex = home.htm second.htm\nprecompressed = no\n` +
    'cache-control = max-age=60\n[types]\nhtm = text/x-home\n');
  const { ready } = await worker(t, dir, ['--listen-h2c', '127.0.0.1:0', '--app', `/files=static:${dir}/site.ini`]);
  const session = connect(t, ready.listen[0].port, { plain: true });
  const get = (path, headers) => request(session, { ':path': path, ...headers });
  const home = await get('/files/');
  assert.equal(home.body.toString(), 'home');
  assert.equal(home.headers['content-type'], 'text/x-home');
  assert.equal(home.headers['cache-control'], 'max-age=60');
  assert.equal((await get('/files/sub/')).body.toString(), 'second');
  assert.equal((await get('/files')).headers.location, '/files/');
  assert.equal((await get('/files/sub')).headers.location, '/files/sub/');
  const { headers, body } = await get('/files/a.txt', { 'accept-encoding': 'gzip' });
  assert.equal(headers['content-encoding'], undefined);
  assert.equal(headers.vary, undefined);
  assert.equal(body.toString(), 'text');
  assert.equal((await get('/filesystem')).headers[':status'], 404);
  assert.equal((await get('/')).headers[':status'], 404);
});
