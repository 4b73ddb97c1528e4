/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that brings the library in at run time, and can do without it: dlopen LIBRARY
 * ADDRESS:PORT. It is compiled against the header, and linked with dlopen() alone.
 *
 * It serves cleartext HTTP/2 (prior knowledge) until its standard input ends, and tells each client
 * that its origin is also served on port 8443.
 */
#include <h2sess/h2sess.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The functions that are used, each a pointer of its own type. */
#define FUNCTIONS(X)             \
	X(h2sess_abi)            \
	X(h2sess_strerror)       \
	X(h2sess_server_new)     \
	X(h2sess_server_emitter) \
	X(h2sess_server_listen)  \
	X(h2sess_server_free)    \
	X(h2sess_session_altsvc) \
	X(h2sess_on)             \
	X(h2sess_stream_end)

static struct {
#define MEMBER(name) __typeof__(name) *name;
	FUNCTIONS(MEMBER)
} lib;

static int find_function(void *handle, const char *name, void *ret)
{
	void *symbol = dlsym(handle, name);

	if (!symbol)
		return -1;
	memcpy(ret, &symbol, sizeof(symbol)); /* C has no cast from data to function */
	return 0;
}

static int find_functions(void *handle)
{
	int r = 0;

#define FIND(name) r |= find_function(handle, #name, &lib.name);
	FUNCTIONS(FIND)
	return r;
}

static void on_session(const struct h2sess_event *ev, void *user)
{
	(void)user;
	lib.h2sess_session_altsvc(ev->session, "h2=\":8443\"; ma=60", "https://example.org");
}

static void on_stream(const struct h2sess_event *ev, void *user)
{
	(void)user;
	lib.h2sess_stream_end(ev->stream, "loaded\n", 7);
}

static int serve(const char *address)
{
	struct h2sess_server *server = NULL;
	char byte;
	int r = lib.h2sess_server_new(NULL, &server, NULL);

	if (r == 0)
		r = lib.h2sess_on(lib.h2sess_server_emitter(server), "session", on_session, NULL,
				  NULL);
	if (r == 0)
		r = lib.h2sess_on(lib.h2sess_server_emitter(server), "stream", on_stream, NULL,
				  NULL);
	if (r == 0)
		r = lib.h2sess_server_listen(server, address, 0);
	fprintf(stderr, "%s, port %d\n", lib.h2sess_strerror(r < 0 ? r : 0), r);
	while (r > 0 && read(STDIN_FILENO, &byte, 1) > 0)
		;
	lib.h2sess_server_free(server);
	return r < 0;
}

int main(int argc, char **argv)
{
	void *handle = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int r;

	if (!handle) {
		fprintf(stderr, "%s\n", argc == 3 ? dlerror() : "dlopen LIBRARY ADDRESS:PORT");
		return 2;
	}
	if (find_functions(handle) < 0 || lib.h2sess_abi() != H2SESS_ABI) {
		fprintf(stderr, "not the library that this was made for\n");
		return 2;
	}
	r = serve(argv[2]);
	dlclose(handle);
	return r;
}
