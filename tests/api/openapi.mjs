// SPDX-License-Identifier: Apache-2.0
//
// api/openapi.yaml is what the daemon does: its structure, its tables against the .def files, its paths against the
// daemon's own list, and every example of it against a real daemon and a real worker.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { House, until } from '../interop/support.mjs';
import { validator } from './schema.mjs';
import { parseYaml } from './yaml.mjs';

const source = fs.readFileSync('api/openapi.yaml', 'utf8');
const document = parseYaml(source);
const check = validator(document);
const methods = ['put', 'get', 'post', 'patch', 'delete']; // what is put is there to be got
const deref = (object) => (object?.$ref ? check.resolve(object.$ref) : object);

// Every operation: {method, path, operation, parameters}.
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
	methods.filter((method) => item[method]).map((method) => ({
		method: method.toUpperCase(), path, operation: item[method],
		parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(deref),
	})));

function* walk(value, where = '#') {
	yield [where, value];
	if (value && typeof value === 'object')
		for (const [name, one] of Object.entries(value))
			yield* walk(one, `${where}/${name}`);
}

const rows = (file, pattern) => [...fs.readFileSync(`api/h2sess/${file}`, 'utf8').matchAll(pattern)];

test('structure: what OpenAPI 3.1 wants, and no member that it does not know', () => {
	assert.match(document.openapi, /^3\.1\.\d+$/);
	assert.deepEqual(Object.keys(document).sort(), ['components', 'info', 'openapi', 'paths', 'security', 'servers', 'tags']);
	const known = {
		item: ['parameters', ...methods],
		operation: ['operationId', 'tags', 'summary', 'description', 'parameters', 'requestBody', 'responses'],
		parameter: ['name', 'in', 'required', 'description', 'schema', 'example', 'explode'],
		response: ['description', 'headers', 'content'],
	};
	const only = (object, kind, where) => {
		for (const name of Object.keys(object))
			assert.ok(known[kind].includes(name), `${where}: ${name}`);
	};
	const tags = document.tags.map(({ name }) => name);
	for (const [path, item] of Object.entries(document.paths))
		only(item, 'item', path);
	for (const { method, path, operation, parameters } of operations) {
		const where = `${method} ${path}`;
		only(operation, 'operation', where);
		assert.ok(operation.summary && operation.tags.every((tag) => tags.includes(tag)), where);
		const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
		assert.deepEqual(parameters.filter((one) => one.in === 'path').map(({ name }) => name), names, where);
		for (const parameter of parameters) {
			only(parameter, 'parameter', where);
			assert.ok(parameter.schema && (parameter.in !== 'path' || parameter.required), `${where} ${parameter.name}`);
		}
		assert.equal(new Set(parameters.map((one) => one.in + one.name)).size, parameters.length, where);
		assert.ok(operation.responses.default && Object.keys(operation.responses).some((status) => /^2\d\d$/.test(status)), where);
		for (const response of Object.values(operation.responses).map(deref)) {
			only(response, 'response', where);
			assert.ok(response.description, where);
		}
	}
	const ids = operations.map(({ operation }) => operation.operationId);
	assert.equal(new Set(ids).size, ids.length);
});

test('every reference leads somewhere, and every component is referred to', () => {
	const used = new Set();
	for (const [where, value] of walk(document))
		if (value?.$ref !== undefined) {
			check.resolve(value.$ref);
			assert.deepEqual(Object.keys(value), ['$ref'], where);
			used.add(value.$ref);
		}
	for (const kind of ['parameters', 'headers', 'responses', 'schemas'])
		for (const name of Object.keys(document.components[kind]))
			assert.ok(used.has(`#/components/${kind}/${name}`), `${kind}/${name} is for nobody`);
});

test('errors, rules, outcomes, reasons and event types are those of the tables', () => {
	const { schemas } = document.components;
	const codes = ['errors.def', 'problems.def'].flatMap((file) => rows(file, /^X\(\w+, -?\d+, "(\w+)"/gm).map(([, code]) => code));
	assert.deepEqual([...schemas.ErrorCode.enum].sort(), [...new Set(codes)].sort());
	const lint = rows('lint.def', /^X\(\w+, \d+, "([\w-]+)", (\w+)/gm);
	assert.deepEqual([...schemas.Rule.enum].sort(), lint.map(([, rule]) => rule).sort());
	const daemon = fs.readdirSync('controld').map((file) => fs.readFileSync(`controld/${file}`, 'utf8')).join('');
	const words = [...daemon.matchAll(/push_warn(?:_of_worker)?\(\w+,\s*"([\w-]+)"|"rule",\s*"([\w-]+)"/g)].map(([, a, b]) => a ?? b);
	assert.deepEqual([...schemas.DaemonWarning.enum].sort(), [...new Set(words)].sort());
	assert.deepEqual(schemas.Outcome.enum, rows('outcomes.def', /^X\(\w+, \d+, "(\w+)"/gm).map(([, name]) => name));
	const reasons = rows('reasons.def', /^X\(\w+, \d+, "(\w*)"/gm).map(([, name]) => name);
	const errors = lint.filter(([, , severity]) => severity === 'ERROR').map(([, rule]) => rule);
	assert.deepEqual([...schemas.Reason.enum].sort(), [...reasons, ...errors].sort());
	const told = rows('events.def', /^X\(\w+, "(\w+)", [\w |]+, (ALWAYS|DEMAND),/gm).map(([, name]) => name);
	const own = ['worker.up', 'worker.down', 'push.progress', 'push.done', 'policy.changed', 'gap', 'bookmark', 'session', 'snapshot'];
	assert.deepEqual([...schemas.EventType.enum].sort(), [...told, ...own].sort());
});

test('what members.def says of a member is of one that is there, and has the range of the schema', () => {
	const ranges = new Map(); // name -> its schemas that have one
	const names = new Set();
	for (const [, value] of walk(document)) {
		for (const [name, schema] of Object.entries(value?.properties ?? {})) {
			names.add(name);
			if (schema.minimum !== undefined && schema.maximum !== undefined)
				ranges.set(name, [...(ranges.get(name) ?? []), schema]);
		}
		if (value?.in === 'query')
			names.add(value.name);
	}
	for (const [, name, rule] of rows('members.def', /^X\("(\w+)", "([^"]*)"/gm)) {
		assert.ok(names.has(name), `${name} is no member`);
		const [, from, to] = /integer from (-?\d+) to (\d+)/.exec(rule) ?? [];
		for (const { minimum, maximum } of from === undefined ? [] : ranges.get(name) ?? [])
			assert.deepEqual([minimum, maximum], [Number(from), Number(to)], name);
	}
});

test('examples are what their schemas say', () => {
	let count = 0;
	for (const [where, value] of walk(document.paths))
		for (const example of Object.values((value?.schema && value.examples) || {})) {
			assert.deepEqual(check(example.value, value.schema), [], where);
			count++;
		}
	for (const [name, parameter] of Object.entries(document.components.parameters))
		if ('example' in parameter && parameter.schema.type !== 'array')
			assert.deepEqual(check(parameter.example, parameter.schema), [], name);
	assert.ok(count >= 15);
});

// ---- against the programs ----------------------------------------------------------------------

let house, worker, capabilities;

before(async () => {
	house = new House();
	await house.startDaemon();
	worker = await house.worker();
	({ capabilities } = (await house.get('/v1/workers/edge1')).body);
});

after(() => house.close());

// A live session with an open stream; its id.
async function freshSession() {
	const known = new Set((await house.sessions()).map(({ id }) => id));
	const client = await house.client(worker);
	const stream = client.request({ ':path': '/', ':method': 'POST' }, { endStream: false });
	stream.on('error', () => {});
	return until('a session with a stream', async () =>
		(await house.sessions('?openStreams=1')).find(({ id }) => !known.has(id))?.id);
}

async function freshPush() {
	const id = await freshSession();
	return (await house.post(`/v1/sessions/${id}/altsvc`, { alt: 'clear', origin: 'https://example.org' })).body.push.id;
}

// The values of what stands in a path.
async function target(path) {
	const id = path.startsWith('/v1/sessions/{id}') ? await freshSession()
		: path.startsWith('/v1/pushes/{id}') ? await freshPush() : undefined;
	return path.replace('{id}', id).replace('{worker}', 'edge1').replace('{name}', document.components.parameters.PolicyName.example);
}

function validate(operation, { status, headers, body }, where) {
	const response = deref(operation.responses[status] ?? operation.responses.default);
	const type = headers['content-type']?.split(';')[0];
	const media = response.content?.[type];
	assert.ok(media, `${where}: ${status} has no ${type}`);
	const json = /json$/.test(type) && !/ndjson/.test(type);
	assert.deepEqual(json ? check(body, media.schema) : [], [], `${where}: ${JSON.stringify(body)}`);
	for (const name of Object.keys(response.headers ?? {}))
		if (status < 300 && body.dryRun !== true && body.state !== 'removed' && body.state !== 'retracting')
			assert.ok(headers[name.toLowerCase()], `${where}: no ${name}`);
	return response;
}

const lacks = (where, { status, body }) => status === 501 && body.code === 'ERR_UNSUPPORTED' && where;

test('the paths are those of the daemon, and so are roles and query parameters', async () => {
	const { body } = await house.get('/v1');
	assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(),
		body.calls.map(({ method, path }) => `${method} ${path}`).sort());
	for (const { method, path, operation } of operations) {
		const { role } = body.calls.find((call) => call.method === method && call.path === path);
		assert.equal(/Role (\w+)/.exec(operation.description ?? '')?.[1] ?? 'read', role, `${method} ${path}`);
	}
	for (const { method, path, operation, parameters } of operations) { // a parameter that is not known is told apart
		if (method !== 'GET' || path.includes('{'))
			continue;
		for (const { name } of parameters.filter((one) => one.in === 'query')) {
			const { status, body: problem } = await house.get(`${path}?${name}=%01&nonsense=1`);
			assert.deepEqual([status, problem.field], [400, 'nonsense'], `${operation.operationId} ${name}`);
		}
	}
});

test('the document is served as it is', async () => {
	const { status, headers, body } = await house.get('/openapi.yaml');
	assert.deepEqual([status, headers['content-type']], [200, 'application/yaml']);
	assert.equal(body, source);
});

for (const { method, path, operation, parameters } of operations) {
	const contents = Object.entries(operation.requestBody?.content ?? {});
	const bodies = contents.flatMap(([type, { examples }]) => Object.entries(examples).map(([name, { value }]) => [type, name, value]));
	const query = parameters.filter((one) => one.in === 'query' && 'example' in one)
		.map(({ name, example }) => `${name}=${encodeURIComponent(example)}`).join('&');

	for (const [type, name, value] of bodies.length ? bodies : [[undefined, 'no body']])
		for (const suffix of query ? ['', `?${query}`] : [''])
			test(`${operation.operationId}: ${name}${suffix && ', with a query'}`, async () => {
				if (path === '/v1/events' && !suffix)
					return; // without an end
				const where = (await target(path)) + (value && 'wait' in value ? '' : suffix);
				const headers = type ? { 'content-type': type } : {};
				if (method === 'PUT')
					headers['if-match'] = '*';
				if (method === 'PUT' && (await house.get(where)).status === 404)
					delete headers['if-match'];
				if (method === 'DELETE' && path.startsWith('/v1/policies'))
					await house.request('PUT', where, policyBody(), { 'if-none-match': '*' });
				const answer = await house.request(method, where, value, headers);
				if (lacks(where, answer)) {
					assert.ok(!capabilities.includes('fanout'), where);
					return;
				}
				assert.ok(answer.status < 300, `${where}: ${answer.status} ${JSON.stringify(answer.body)}`);
				assert.ok(String(answer.status) in operation.responses, `${where}: ${answer.status} is not told`);
				validate(operation, answer, where);
			});
}

const policyBody = () => document.paths['/v1/policies/{name}'].put.requestBody.content['application/json'].examples.canary.value;

test('what is refused is a problem of the contract, for every path', async () => {
	for (const { method, path, operation } of operations) {
		const where = path.replace(/\{\w+\}/g, 'none-1');
		const answer = await house.request(method, `${where}?nonsense=1`, undefined);
		assert.deepEqual([answer.status, answer.body.code, answer.body.field], [400, 'ERR_UNKNOWN_PARAMETER', 'nonsense'], where);
		validate(operation, answer, where);
		if (operation.requestBody) {
			const typed = await house.request(method, where, '{}', { 'content-type': 'text/plain' });
			assert.equal(typed.status, 415, where);
			validate(operation, typed, where);
		}
		if (path.includes('{id}') && !path.endsWith('/labels')) {
			const body = operation.requestBody && Object.values(Object.values(operation.requestBody.content)[0].examples)[0].value;
			const missing = await house.request(method, where, body);
			assert.equal(missing.status, 404, where);
			validate(operation, missing, where);
		}
	}
});

test('a session that has ended: 410, and when and why', async () => {
	const id = await freshSession();
	await house.post(`/v1/sessions/${id}/destroy`, {});
	const answer = await until('the end', async () => {
		const got = await house.get(`/v1/sessions/${id}`);
		return got.status === 410 && got;
	});
	const { operation } = operations.find((one) => one.operation.operationId === 'getSession');
	const response = validate(operation, answer, id);
	assert.deepEqual(Object.keys(answer.body).sort(), Object.keys(response.content['application/problem+json'].example).sort());
});

test('events are what the contract says, each of them', async () => {
	const stream = await house.events('?snapshot=1', { accept: 'application/x-ndjson' });
	const id = await freshSession();
	await house.post(`/v1/sessions/${id}/altsvc`, { alt: 'clear', origin: 'https://example.org', wait: 'received' });
	await house.post(`/v1/sessions/${id}/destroy`, {});
	await stream.find('the end of the session', (event) => event.type === 'close' && event.session === id);
	for (const event of stream.list)
		assert.deepEqual(check(event, document.components.schemas.Event), [], JSON.stringify(event));
	assert.ok(['snapshot', 'connect', 'push.done', 'close'].every((type) => stream.list.some((event) => event.type === type)));
});
