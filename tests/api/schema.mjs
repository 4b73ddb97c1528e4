// SPDX-License-Identifier: Apache-2.0
//
// The part of JSON Schema 2020-12 that api/openapi.yaml uses. A keyword that is not known here is an error, so that no
// rule of the contract goes unchecked.

const annotations = ['description', 'default', 'example', 'contentEncoding', 'title'];
const typeOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
const isType = (value, type) => typeOf(value) === type || (type === 'integer' && Number.isInteger(value));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

const keywords = {
	$ref: (value, ref, check) => check(value, check.resolve(ref)),
	type: (value, types) => [types].flat().some((type) => isType(value, type)) || `is ${typeOf(value)}, not ${types}`,
	enum: (value, all) => all.some((one) => same(one, value)) || `${JSON.stringify(value)} is none of them`,
	const: (value, one) => same(one, value) || `is not ${JSON.stringify(one)}`,
	pattern: (value, text) => typeof value !== 'string' || new RegExp(text).test(value) || `${value} does not match ${text}`,
	minimum: (value, min) => typeof value !== 'number' || value >= min || `${value} < ${min}`,
	maximum: (value, max) => typeof value !== 'number' || value <= max || `${value} > ${max}`,
	exclusiveMinimum: (value, min) => typeof value !== 'number' || value > min || `${value} <= ${min}`,
	minLength: (value, min) => typeof value !== 'string' || value.length >= min || 'is too short',
	maxLength: (value, max) => typeof value !== 'string' || value.length <= max || 'is too long',
	minProperties: (value, min) => typeOf(value) !== 'object' || Object.keys(value).length >= min || 'has too few members',
	required: (value, names) => typeOf(value) !== 'object' || names.every((name) => name in value) ||
		`lacks ${names.filter((name) => !(name in value))}`,
	items: (value, schema, check) => typeOf(value) !== 'array' || value.flatMap((one, i) => check(one, schema, `[${i}]`)),
	properties: (value, properties, check) => typeOf(value) !== 'object' ||
		Object.keys(properties).filter((name) => name in value)
			.flatMap((name) => check(value[name], properties[name], `.${name}`)),
	additionalProperties: (value, schema, check, { properties = {} }) => typeOf(value) !== 'object' ||
		Object.keys(value).filter((name) => !(name in properties)).flatMap((name) =>
			(schema === false ? [`has an unknown member ${name}`] : check(value[name], schema, `.${name}`))),
	anyOf: (value, schemas, check) => {
		const each = schemas.map((schema) => check(value, schema));
		return each.some((errors) => errors.length === 0) || each.flat();
	},
};

// A function of a value and a schema: a list of what is wrong.
export function validator(document) {
	const resolve = (ref) => {
		const found = ref.startsWith('#/') ? ref.slice(2).split('/').reduce((at, name) => at?.[name], document) : undefined;
		if (found === undefined)
			throw new Error(`no such reference: ${ref}`);
		return found;
	};
	const check = (value, schema, where = '') => Object.entries(schema === true ? {} : schema).flatMap(([keyword, rule]) => {
		if (annotations.includes(keyword))
			return [];
		if (!(keyword in keywords))
			throw new Error(`schemas: unknown keyword ${keyword}`);
		const result = keywords[keyword](value, rule, check, schema);
		return result === true ? [] : [result].flat().map((error) => `${where}${/^[.[]/.test(error) ? '' : ' '}${error}`);
	});
	check.resolve = resolve;
	return check;
}
