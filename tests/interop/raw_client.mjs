// SPDX-License-Identifier: Apache-2.0
//
// An HTTP/2 client that writes its frames by hand, over TLS. It acknowledges SETTINGS, and no PING until
// it is told to.

import { once } from 'node:events';
import tls from 'node:tls';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
	const head = Buffer.alloc(9);
	head.writeUIntBE(payload.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(stream, 5);
	return Buffer.concat([head, payload]);
}

export class RawClient {
	static async connect(port) {
		const socket = tls.connect({
			host: '127.0.0.1', port, servername: 'localhost', ALPNProtocols: ['h2'],
			rejectUnauthorized: false,
		});
		await once(socket, 'secureConnect');
		return new RawClient(socket);
	}

	constructor(socket) {
		this.socket = socket;
		this.frames = []; // {type, flags, stream, payload}
		this.held = [];
		this.rest = Buffer.alloc(0);
		socket.on('error', () => {});
		socket.on('data', (piece) => this.take(piece));
		socket.write(Buffer.concat([Buffer.from(PREFACE), frame(4, 0, 0)]));
	}

	take(piece) {
		this.rest = Buffer.concat([this.rest, piece]);
		while (this.rest.length >= 9 && this.rest.length >= 9 + this.rest.readUIntBE(0, 3)) {
			const end = 9 + this.rest.readUIntBE(0, 3);
			this.keep({
				type: this.rest[3], flags: this.rest[4], stream: this.rest.readUInt32BE(5),
				payload: this.rest.subarray(9, end),
			});
			this.rest = this.rest.subarray(end);
		}
	}

	keep(f) {
		this.frames.push(f);
		if (f.type === 4 && !(f.flags & 1)) this.socket.write(frame(4, 1, 0));
		if (f.type === 6 && !(f.flags & 1)) {
			if (this.answering) this.socket.write(frame(6, 1, 0, f.payload));
			else this.held.push(f.payload);
		}
	}

	acknowledgePings() {
		this.answering = true;
		for (const payload of this.held) this.socket.write(frame(6, 1, 0, payload));
		this.held = [];
	}

	destroy() {
		this.socket.destroy();
	}
}
