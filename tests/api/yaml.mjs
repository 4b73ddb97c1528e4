// SPDX-License-Identifier: Apache-2.0
//
// Reads the YAML that api/openapi.yaml and packaging/common/*.yml are written in: block and flow collections, plain
// and quoted scalars, | and >-, anchors. What it does not know is an error with its line, not a guess.

const fail = (line, what) => {
	throw new Error(`YAML, line ${line}: ${what}`);
};

function scalar(text, line) {
	if (text.startsWith("'"))
		return /^'(?:[^']|'')*'$/.test(text) ? text.slice(1, -1).replaceAll("''", "'") : fail(line, `quotes: ${text}`);
	if (text.startsWith('"'))
		return JSON.parse(text);
	if (/^[&*!|>%@`]/.test(text) || /: |:$| #/.test(text))
		fail(line, `not a plain scalar: ${text}`);
	if (text === 'null' || text === '~' || text === '')
		return null;
	if (text === 'true' || text === 'false')
		return text === 'true';
	if (/^(on|off|yes|no)$/i.test(text))
		fail(line, `${text} means different things to different readers: quote it`);
	return /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) ? Number(text) : text;
}

// {a: b, c: [d]} from text[at]; returns [value, end].
function flow(text, at, line) {
	const skip = () => {
		while (/\s/.test(text[at] ?? ''))
			at++;
	};
	const word = (ends) => {
		const begin = at;
		if (text[at] === "'")
			for (at++; at < text.length && (text[at] !== "'" || text[at + 1] === "'"); at++)
				at += text[at] === "'";
		if (text[begin] === "'")
			at++;
		else
			while (at < text.length && !ends.includes(text[at]) && !(text[at] === ':' && /[\s,}\]]/.test(text[at + 1])))
				at++;
		return text.slice(begin, at).trim();
	};
	const value = () => {
		skip();
		if (text[at] === '{') {
			const map = {};
			for (at++, skip(); text[at] !== '}'; skip()) {
				const key = scalar(word(',}'), line);
				if (text[at] !== ':' || key in map)
					fail(line, `at ${key} in ${text}`);
				at++;
				map[key] = value();
				skip();
				if (text[at] === ',')
					at++;
				else if (text[at] !== '}')
					fail(line, text);
			}
			at++;
			return map;
		}
		if (text[at] === '[') {
			const list = [];
			for (at++, skip(); text[at] !== ']'; skip()) {
				list.push(value());
				skip();
				if (text[at] === ',')
					at++;
				else if (text[at] !== ']')
					fail(line, text);
			}
			at++;
			return list;
		}
		return scalar(word(',}]'), line);
	};
	return [value(), at];
}

export function parseYaml(source) {
	const lines = source.split('\n').map((text, i) => ({ number: i + 1, indent: text.search(/\S/), text: text.trim() }));
	const anchors = {};
	let at = 0;
	const peek = () => {
		while (at < lines.length && (lines[at].indent < 0 || lines[at].text.startsWith('#')))
			at++;
		return lines[at];
	};

	function blockScalar(style, indent) {
		const taken = [];
		let own;
		while (at < lines.length && (lines[at].indent < 0 || lines[at].indent > indent)) {
			own ??= lines[at].indent < 0 ? undefined : lines[at].indent;
			taken.push(lines[at].indent < 0 ? '' : ' '.repeat(lines[at].indent - own) + lines[at].text);
			at++;
		}
		while (taken.at(-1) === '')
			taken.pop();
		const end = style.endsWith('-') ? '' : '\n';
		return (style[0] === '|' ? taken.join('\n') : taken.join('\n').replace(/([^\n])\n([^\n])/g, '$1 $2')) + end;
	}

	// What stands behind "key:" or "- ", or in the lines below.
	function value(text, indent, number) {
		const anchor = /^&(\w+) ?(.*)$/.exec(text);
		if (anchor)
			return (anchors[anchor[1]] = value(anchor[2], indent, number));
		if (text.startsWith('*'))
			return anchors[text.slice(1)] ?? fail(number, `no anchor ${text}`);
		if (/^[|>]-?$/.test(text))
			return blockScalar(text, indent);
		if (text.startsWith('{') || text.startsWith('[')) {
			while (at < lines.length && lines[at].indent > indent)
				text += ` ${lines[at++].text}`;
			const [result, end] = flow(text, 0, number);
			return text.slice(end).trim() ? fail(number, `behind the end: ${text}`) : result;
		}
		if (text)
			return scalar(text, number);
		const next = peek();
		const nested = next && (next.indent > indent || (next.indent === indent && next.text.startsWith('- ')));
		return nested ? block(next.indent) : null;
	}

	function block(indent) {
		const list = lines[at].text.startsWith('- ');
		const result = list ? [] : {};
		for (let line = peek(); line && line.indent === indent && line.text.startsWith('- ') === list; line = peek()) {
			if (list) {
				const inner = line.text.slice(2);
				if (/^('[^']*'|[^\s'"{[][^:]*):( |$)/.test(inner)) { // a map that begins behind the dash
					lines[at] = { ...line, indent: indent + 2, text: inner };
					result.push(block(indent + 2));
				} else {
					at++;
					result.push(value(inner, indent, line.number));
				}
				continue;
			}
			const [, key, rest] = /^('(?:[^']|'')*'|[^:]+?|\/[^ ]*):(?: +(.*))?$/.exec(line.text) ?? fail(line.number, `no key: ${line.text}`);
			const name = key.startsWith("'") ? scalar(key, line.number) : key;
			if (name in result)
				fail(line.number, `${name} stands twice`);
			at++;
			result[name] = value(rest ?? '', indent, line.number);
		}
		if (peek() && peek().indent > indent)
			fail(peek().number, 'indented too far');
		return result;
	}

	const result = block(peek().indent);
	return peek() ? fail(peek().number, 'behind the end') : result;
}
