/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes into the RPC reader, whole and cut: the first byte says where. Both ways must give the
 * same messages and the same answer, and what was read as a message must come out as a line again.
 * The lines of the cut ones are looked at first: what looks like a result must be read as that one.
 */
#include <rpc.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int write_back(const struct rpc_message *m, size_t *ret_len)
{
	char *line = NULL;

	switch (m->kind) {
	case RPC_REQUEST:
	case RPC_NOTIFICATION:
		if (m->method == RPC_METHODS)
			return 0;
		line = rpc_request(m->id ? m->id : 1, m->method, json_incref(m->params), ret_len);
		break;
	case RPC_RESULT:
		line = rpc_result(m->id, json_incref(m->result), ret_len);
		break;
	case RPC_ERROR:
		line = rpc_error(m->id, m->error, NULL, NULL, m->error_message, ret_len);
		break;
	}
	if (!line || line[*ret_len - 1] != '\n' || memchr(line, '\n', *ret_len - 1))
		abort();
	free(line);
	return 0;
}

static int count(const struct rpc_message *m, void *user)
{
	size_t len = 0;

	++*(size_t *)user;
	return write_back(m, &len);
}

static int expect_result(const struct rpc_message *m, void *user)
{
	if (m->kind != RPC_RESULT || m->id != *(const uint64_t *)user)
		abort();
	return 0;
}

static int look_and_count(const char *line, size_t len, void *user)
{
	struct json_span result;
	uint64_t id;

	if (rpc_line_result(line, len, &id, &result) &&
	    rpc_line_read(line, len, expect_result, &id) < 0)
		abort();
	return rpc_line_read(line, len, count, user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole_count = 0, cut_count = 0, cut;
	struct rpc_reader whole, pieces;
	int r, cut_r;

	if (size == 0)
		return 0;
	cut = data[0] % size;
	data++;
	size--;
	rpc_reader_init(&whole);
	r = rpc_reader_feed(&whole, data, size, count, &whole_count);
	rpc_reader_done(&whole);
	rpc_reader_init(&pieces);
	cut_r = rpc_reader_feed_lines(&pieces, data, cut, look_and_count, &cut_count);
	if (cut_r == 0)
		cut_r = rpc_reader_feed_lines(&pieces, data + cut, size - cut, look_and_count,
					      &cut_count);
	rpc_reader_done(&pieces);
	if (r != cut_r || whole_count != cut_count)
		abort();
	return 0;
}
