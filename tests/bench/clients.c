/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients tls|h2c PORT...: many HTTP/2 clients in one thread, without an HTTP/2 library.
 *
 * They say what a client must (preface, SETTINGS, the acknowledgements of SETTINGS and PING) and
 * note when ALTSVC frames come. With several ports they are spread over them in turn. Lines on
 * stdin say what to do, and each is answered by one line on stdout:
 *
 *   open N        N more sessions, until each has the server's SETTINGS   -> "opened ALL"
 *   churn N       N sessions, one after the other's goodbye, 64 at once   -> "churned N"
 *   expect        the next ALTSVC frame of each session will be timed     -> "expecting ALL"
 *   await         until all of them have come -> "received FIRST P50 P99 LAST", in us of the clock
 *   request       one request on each session, until all are answered     -> "answered ALL"
 *   ask MS        requests on the first session, MS apart, and nothing else there -> "asking"
 *   told          -> "told N P50 P99 MAX": the latencies of these, in us; and no more of them
 *   ping HZ       PING frames on the first session (0: no more)              -> "pinging HZ"
 *
 * The end of stdin ends it. A session that the server ends, and any error, is exit status 1.
 */
#include "support/bench.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SESSIONS_MAX 20000
#define SAMPLES_MAX 1000000
#define OPENING_MAX 64 /* sessions that are being opened at once */
#define PORTS_MAX 8
#define ASKED_MAX 4096 /* requests of `ask` that are under way, or may be */
#define EVENTS 256

enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, GOAWAY = 7, ALTSVC = 10 };
enum { ACK = 1, END_STREAM = 1 };

struct client {
	int fd;
	SSL *ssl;
	bool ready;
	uint8_t head[17]; /* of the frame that is coming: with the payload of a PING */
	uint8_t have;	  /* octets of it */
	uint32_t skip;	  /* octets of payload still to come */
	uint32_t next_stream;
	uint64_t received_us;
};

static struct client clients[SESSIONS_MAX];
static unsigned n_clients, wanted, n_ready, n_churned, churn_left;
static unsigned n_answered, n_received;
static bool churning, expecting, awaiting, asking, requesting;
static uint64_t asked_us[ASKED_MAX]; /* by stream */
static uint32_t *latencies;
static unsigned n_latencies;
static int epoll_fd, ask_timer, ping_timer;
static SSL_CTX *ctx;
static uint16_t ports[PORTS_MAX];
static unsigned n_ports;

static struct client stdin_mark, ask_mark, ping_mark; /* what else epoll watches */

/* ---- what clients say ------------------------------------------------------------------------ */

/* The preface, SETTINGS, and as large a window as there can be. */
static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				 "\0\0\0\4\0\0\0\0\0"
				 "\0\0\4\10\0\0\0\0\0\x7f\xff\0\0";
static const uint8_t settings_ack[] = {0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0};

static void transmit(struct client *c, const void *data, size_t len)
{
	ssize_t n =
		c->ssl ? SSL_write(c->ssl, data, (int)len) : send(c->fd, data, len, MSG_NOSIGNAL);

	if (n != (ssize_t)len)
		die("write");
}

/* GET /, with indexed fields but for :authority. */
static void request(struct client *c)
{
	uint8_t frame[] = "\0\0\x0e\1\5\0\0\0\0\x82\x84\x86\x01\x09localhost";

	frame[7] = (uint8_t)(c->next_stream >> 8);
	frame[8] = (uint8_t)c->next_stream;
	frame[6] = (uint8_t)(c->next_stream >> 16);
	frame[5] = (uint8_t)(c->next_stream >> 24);
	frame[11] = ctx ? 0x87 : 0x86;
	c->next_stream += 2;
	transmit(c, frame, sizeof(frame) - 1);
}

static void ping(struct client *c)
{
	static const uint8_t frame[] = "\0\0\x08\6\0\0\0\0\0benching";

	transmit(c, frame, sizeof(frame) - 1);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void watch(int fd, struct client *mark, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.ptr = mark};

	if (epoll_ctl(epoll_fd, op, fd, &event) < 0)
		die("epoll_ctl");
}

static void open_client(struct client *c)
{
	unsigned index = (unsigned)(c - clients);

	memset(c, 0, sizeof(*c));
	c->next_stream = 1;
	c->fd = connect_from(index, ports[index % n_ports]);
	if (ctx) {
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_tlsext_host_name(c->ssl, "localhost");
		SSL_set_connect_state(c->ssl);
	}
	watch(c->fd, c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void close_client(struct client *c)
{
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	close(c->fd);
	c->ready = false;
}

static void open_more(void)
{
	while (n_clients < wanted && n_clients - n_ready < OPENING_MAX)
		open_client(&clients[n_clients++]);
}

static void churn(struct client *c)
{
	close_client(c);
	n_churned++;
	if (churn_left) {
		churn_left--;
		open_client(c);
		return;
	}
	n_ready++;
	if (n_ready < n_clients)
		return;
	printf("churned %u\n", n_churned);
	churning = false;
	n_clients = n_ready = wanted = n_churned = 0;
}

static void on_ready(struct client *c)
{
	c->ready = true;
	transmit(c, settings_ack, sizeof(settings_ack));
	if (churning) {
		churn(c);
		return;
	}
	n_ready++;
	open_more();
	if (n_ready == wanted)
		printf("opened %u\n", n_ready);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void say_received(void)
{
	static uint64_t times[SESSIONS_MAX];

	for (unsigned i = 0; i < n_clients; i++)
		times[i] = clients[i].received_us;
	qsort(times, n_clients, sizeof(*times), compare_u64);
	printf("received %llu %llu %llu %llu\n", (unsigned long long)times[0],
	       (unsigned long long)times[n_clients / 2],
	       (unsigned long long)times[n_clients * 99ull / 100],
	       (unsigned long long)times[n_clients - 1]);
	expecting = awaiting = false;
}

static void on_altsvc(struct client *c)
{
	if (!expecting || c->received_us)
		return;
	c->received_us = now_us();
	if (++n_received == n_clients && awaiting)
		say_received();
}

static void set_timer(int fd, uint64_t first_ns, uint64_t interval_ns)
{
	struct itimerspec spec = {
		.it_value = {(time_t)(first_ns / 1000000000), (long)(first_ns % 1000000000)},
		.it_interval = {(time_t)(interval_ns / 1000000000),
				(long)(interval_ns % 1000000000)}};

	if (timerfd_settime(fd, 0, &spec, NULL) < 0)
		die("timerfd_settime");
}

static uint64_t *asked_at(uint32_t stream)
{
	return &asked_us[stream / 2 % ASKED_MAX];
}

static void ask(void)
{
	*asked_at(clients->next_stream) = now_us();
	request(clients);
}

static void on_answer(struct client *c)
{
	uint32_t stream = (uint32_t)c->head[6] << 16 | (uint32_t)c->head[7] << 8 | c->head[8];

	if (asking && c == clients) {
		if (n_latencies < SAMPLES_MAX)
			latencies[n_latencies++] = (uint32_t)(now_us() - *asked_at(stream));
		return;
	}
	if (++n_answered == n_clients && requesting) {
		requesting = false;
		printf("answered %u\n", n_answered);
	}
}

static void on_frame(struct client *c)
{
	uint8_t type = c->head[3], flags = c->head[4];

	if (type == SETTINGS && !(flags & ACK) && !c->ready) {
		on_ready(c);
	} else if (type == PING && !(flags & ACK)) {
		c->head[4] = ACK;
		transmit(c, c->head, 17);
	} else if (type == ALTSVC) {
		on_altsvc(c);
	} else if ((type == DATA || type == HEADERS) && flags & END_STREAM) {
		on_answer(c);
	} else if (type == GOAWAY) {
		die("the server says GOAWAY");
	}
}

/* Length of what is collected of a frame: its head, and a PING's payload. */
static unsigned head_len(const struct client *c)
{
	return c->have >= 9 && c->head[3] == PING ? 17 : 9;
}

/* A frame counts when its head has come; what follows of it is skipped. */
static void parse(struct client *c, const uint8_t *data, size_t len)
{
	while (len) {
		size_t n = c->skip < len ? c->skip : len;

		c->skip -= (uint32_t)n;
		data += n;
		len -= n;
		while (len && c->have < head_len(c)) {
			c->head[c->have++] = *data++;
			len--;
		}
		if (c->have < head_len(c))
			return;
		c->skip = (uint32_t)c->head[0] << 16 | (uint32_t)c->head[1] << 8 | c->head[2];
		c->skip -= c->have - 9u;
		c->have = 0;
		on_frame(c);
		if (!c->ready)
			return; /* churned: it is another one by now */
	}
}

static void read_all(struct client *c)
{
	static uint8_t buf[65536];
	int fd = c->fd;
	ssize_t n;

	do {
		n = c->ssl ? SSL_read(c->ssl, buf, sizeof(buf)) : recv(c->fd, buf, sizeof(buf), 0);
		if (n > 0)
			parse(c, buf, (size_t)n);
		if (c->fd != fd || !c->ready)
			return;
	} while (n > 0 && c->ssl);
	if (n == 0 || (n < 0 && (c->ssl ? SSL_get_error(c->ssl, (int)n) != SSL_ERROR_WANT_READ
					: errno != EAGAIN)))
		die("the server has left");
}

static void on_client(struct client *c, uint32_t events)
{
	int r = c->ssl && !SSL_is_init_finished(c->ssl) ? SSL_do_handshake(c->ssl) : 2;

	if (r == 2 && !(events & EPOLLOUT)) {
		read_all(c);
		return;
	}
	if (r > 0) {
		transmit(c, preface, sizeof(preface) - 1);
		watch(c->fd, c, EPOLLIN, EPOLL_CTL_MOD);
		return;
	}
	if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ)
		die("handshake");
	if (events & EPOLLOUT)
		watch(c->fd, c, EPOLLIN, EPOLL_CTL_MOD);
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static void do_open(unsigned n)
{
	wanted += n;
	if (wanted > SESSIONS_MAX)
		die("open: too many sessions");
	open_more();
}

static void do_churn(unsigned n)
{
	if (n_clients)
		die("churn: sessions are open");
	wanted = n < OPENING_MAX ? n : OPENING_MAX;
	churn_left = n - wanted;
	churning = true;
	open_more();
}

static void do_expect(unsigned n)
{
	(void)n;
	for (unsigned i = 0; i < n_clients; i++)
		clients[i].received_us = 0;
	n_received = 0;
	expecting = true;
	printf("expecting %u\n", n_clients);
}

static void do_await(unsigned n)
{
	(void)n;
	awaiting = true;
	if (n_received == n_clients)
		say_received();
}

static void do_request(unsigned n)
{
	(void)n;
	n_answered = 0;
	requesting = true;
	for (unsigned i = 0; i < n_clients; i++)
		request(&clients[i]);
}

static void do_ask(unsigned ms)
{
	n_latencies = 0;
	asking = true;
	set_timer(ask_timer, ms * 1000000ull, ms * 1000000ull);
	printf("asking\n");
}

static void do_told(unsigned n)
{
	(void)n;
	asking = false;
	set_timer(ask_timer, 0, 0);
	tell_latencies(latencies, n_latencies);
}

static void do_ping(unsigned hz)
{
	uint64_t ns = hz ? 1000000000ull / hz : 0;

	set_timer(ping_timer, ns, ns);
	printf("pinging %u\n", hz);
}

static void obey(const char *line)
{
	static const struct {
		const char *name;
		void (*act)(unsigned n);
	} verbs[] = {{"open", do_open},	  {"churn", do_churn},	   {"expect", do_expect},
		     {"await", do_await}, {"request", do_request}, {"ask", do_ask},
		     {"told", do_told},	  {"ping", do_ping}};
	char verb[16];
	unsigned n = 0;

	if (sscanf(line, "%15s %u", verb, &n) < 1)
		die("an empty line");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verb, verbs[i].name) == 0) {
			verbs[i].act(n);
			return;
		}
	}
	die(verb);
}

static void on_stdin(void)
{
	static char line[256];
	static size_t len;
	ssize_t n = read(0, line + len, sizeof(line) - len - 1);
	char *end;

	if (n <= 0)
		exit(n < 0);
	len += (size_t)n;
	line[len] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		obey(line);
		len -= (size_t)(end + 1 - line);
		memmove(line, end + 1, len + 1);
	}
}

static void on_event(struct client *c, uint32_t events)
{
	uint64_t expirations;

	if (c == &stdin_mark) {
		on_stdin();
	} else if (c == &ask_mark) {
		if (read(ask_timer, &expirations, sizeof(expirations)) > 0)
			ask();
	} else if (c == &ping_mark) {
		if (read(ping_timer, &expirations, sizeof(expirations)) > 0) {
			while (expirations--)
				ping(clients);
		}
	} else {
		on_client(c, events);
	}
}

static void set_up(int argc, char **argv)
{
	if (argc < 3 || argc > 2 + PORTS_MAX)
		die("usage: clients tls|h2c PORT...");
	ctx = strcmp(argv[1], "tls") == 0 ? tls_client() : NULL;
	for (int i = 2; i < argc; i++)
		ports[n_ports++] = (uint16_t)strtoul(argv[i], NULL, 10);
	latencies = malloc(SAMPLES_MAX * sizeof(*latencies));
	if (!latencies)
		die("malloc");
	raise_descriptor_limit();
	setvbuf(stdout, NULL, _IOLBF, 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ask_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ping_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	watch(0, &stdin_mark, EPOLLIN, EPOLL_CTL_ADD);
	watch(ask_timer, &ask_mark, EPOLLIN, EPOLL_CTL_ADD);
	watch(ping_timer, &ping_mark, EPOLLIN, EPOLL_CTL_ADD);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];

	set_up(argc, argv);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
	}
}
