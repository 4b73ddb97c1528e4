/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NULL where a host forgot something: each call says so, and nothing crashes.
 */
#include "support/cmocka_all.h"
#include "support/shared.h"

#include <string.h>

struct results {
	int n;
	int result[16];
};

static void note(struct results *r, int result)
{
	r->result[r->n++] = result;
}

static void forget_everything(struct h2sess_session *s, void *user)
{
	struct h2sess_stream *st = h2sess_session_stream(s, 1);
	struct results *r = user;

	note(r, h2sess_session_peer(s, NULL));
	note(r, h2sess_session_state(s, NULL));
	note(r, h2sess_session_local_settings(s, NULL));
	note(r, h2sess_session_remote_settings(s, NULL));
	note(r, h2sess_session_settings(s, NULL, NULL, NULL));
	note(r, h2sess_session_push(s, NULL, NULL));
	note(r, h2sess_session_ping(s, NULL, 0, NULL, NULL));
	note(r, h2sess_session_set_label(s, NULL, NULL));
	note(r, h2sess_stream_state(st, NULL));
	note(r, h2sess_stream_respond(st, NULL, 1, 0));
	note(r, h2sess_stream_additional_headers(st, NULL, 1));
	note(r, h2sess_stream_respond_with_source(st, NULL, 0, 0, NULL, NULL, NULL));
	note(r, h2sess_stream_write(st, NULL, 1)); /* responds */
	note(r, h2sess_on(NULL, "close", NULL, NULL, NULL));
	note(r, h2sess_stream_header(st, NULL) != NULL);
	h2sess_stream_end(st, NULL, 0);
}

static void of_sessions_and_streams(void **state)
{
	static const int expected[] = {
		H2SESS_EINVAL,	 H2SESS_EINVAL,	  H2SESS_EINVAL,   H2SESS_EINVAL,   H2SESS_ESETTING,
		H2SESS_EARGTYPE, H2SESS_EARGTYPE, H2SESS_EINVAL,   H2SESS_EINVAL,   H2SESS_EARGTYPE,
		H2SESS_EARGTYPE, H2SESS_EARGTYPE, H2SESS_EARGTYPE, H2SESS_EARGTYPE, 0,
	};
	char id[H2SESS_SESSION_ID_MAX];
	struct client *c = test_server_ready(server, NULL, id);
	struct results r = {0};
	int i;

	(void)state;
	client_get(c, "/hold");
	test_server_await(server, "stream", 's', id, 1);
	assert_true(test_server_run(server, id, forget_everything, &r));
	assert_int_equal(r.n, sizeof(expected) / sizeof(expected[0]));
	for (i = 0; i < r.n; i++) {
		if (r.result[i] != expected[i])
			fail_msg("call %d: %s", i, h2sess_errname(r.result[i]));
	}
	client_check_get(c, "/", 200);
	client_free(c);
}

static void of_servers(void **state)
{
	const char *field = NULL;

	(void)state;
	assert_int_equal(h2sess_server_new(NULL, NULL, &field), H2SESS_EINVAL);
	assert_int_equal(h2sess_server_stats(server->server, NULL), H2SESS_EINVAL);
	assert_true(h2sess_server_limit_count(server->server, NULL) == UINT64_MAX);
	assert_int_equal(h2sess_server_listen(server->server, NULL, 0), H2SESS_EADDRESS);
	assert_int_equal(h2sess_server_update_settings(server->server, NULL), H2SESS_ESETTING);
	h2sess_server_free(NULL);
	h2sess_emitter_free(NULL);
	h2sess_control_stop(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_sessions_and_streams),
		cmocka_unit_test(of_servers),
	};

	return cmocka_run_group_tests_name("null_arguments", tests, shared_start, shared_stop);
}
