/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See proxy_read.h. Behind the header comes what TLS or HTTP/2 must see, so the bytes are looked at
 * first (MSG_PEEK), and then as many are taken as belong to the header: what has come of it so far
 * is taken too, since poll would announce it again and again.
 */
#include "proxy_read.h"

#include "memory.h"

#include <errno.h>
#include <h2sess/h2sess.h>

struct proxy_read {
	size_t len;
	size_t max;
	uint8_t bytes[];
};

int proxy_read_new(size_t max, struct proxy_read **ret)
{
	struct proxy_read *read = mem_alloc(sizeof(*read) + max);

	if (!read)
		return H2SESS_ENOMEM;
	read->len = 0;
	read->max = max;
	*ret = read;
	return 0;
}

void proxy_read_free(struct proxy_read *read)
{
	mem_free(read);
}

static ssize_t receive(int fd, void *buf, size_t len, int flags)
{
	ssize_t n;

	do {
		n = recv(fd, buf, len, flags | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* len bytes that were looked at already. */
static bool take(struct proxy_read *read, int fd, size_t len)
{
	ssize_t n = len ? receive(fd, read->bytes + read->len, len, 0) : 0;

	if (n < 0 || (size_t)n != len)
		return false;
	read->len += len;
	return true;
}

int proxy_read_more(struct proxy_read *read, int fd, struct proxy_addresses *ret)
{
	size_t header = 0;
	enum proxy_result result;
	ssize_t n = receive(fd, read->bytes + read->len, read->max - read->len, MSG_PEEK);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return H2SESS_EPEER;
	result = proxy_header_parse(read->bytes, read->len + (size_t)n, &header, ret);
	if (result == PROXY_MORE)
		header = read->len + (size_t)n;
	if (result == PROXY_BAD || (result == PROXY_MORE && header == read->max))
		return H2SESS_EPROTOCOL;
	if (!take(read, fd, header - read->len))
		return H2SESS_EPEER;
	return result == PROXY_DONE;
}
