/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policy wins on a session, as a table; the rank of a set; and the pace that fan-outs and
 * policies share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libh2sess/src/fanout.h"
#include "libh2sess/src/memory.h"
#include "libh2sess/src/policy.h"

/* ---- decisions ------------------------------------------------------------------------------- */

#define A                                      \
	{                                      \
		.by_frame = true, .value = "a" \
	}
#define B                                      \
	{                                      \
		.by_frame = true, .value = "b" \
	}
#define NO(member, v)                                               \
	{                                                           \
		.by_frame = true, .value = (v), .refusal = (member) \
	}
#define UNKNOWN(v)                                              \
	{                                                       \
		.by_frame = true, .value = (v), .unknown = true \
	}
#define PAUSED(v)                                              \
	{                                                      \
		.by_frame = true, .value = (v), .paused = true \
	}
#define GONE(v)                                                    \
	{                                                          \
		.by_frame = true, .value = (v), .retracting = true \
	}
#define RETURNS(v)                                                                  \
	{                                                                           \
		.by_frame = true, .value = (v), .retracting = true, .returns = true \
	}
#define EXPIRED(v)                                              \
	{                                                       \
		.by_frame = true, .value = (v), .expired = true \
	}
#define HEADER(v)            \
	{                    \
		.value = (v) \
	}
#define NONE 99

static const struct {
	const char *what;
	struct policy_case cases[2];
	size_t n;
	const char *held;
	size_t held_by;
	enum policy_action action;
	size_t winner, cleared_by; /* NONE */
	const char *whys[2];
} rows[] = {
	{"the first one is sent", {A, B}, 2, NULL, NONE, POLICY_SEND, 0, NONE, {"", "priority"}},
	{"not twice", {A, B}, 2, "a", 0, POLICY_NOTHING, 0, NONE, {"", "priority"}},
	{"not twice, whoever gave it",
	 {A, B},
	 2,
	 "a",
	 1,
	 POLICY_NOTHING,
	 0,
	 NONE,
	 {"", "priority"}},
	{"another one is replaced", {A, B}, 2, "b", 1, POLICY_SEND, 0, NONE, {"", "priority"}},
	{"who is not meant goes to the next",
	 {NO("sni", "a"), B},
	 2,
	 NULL,
	 NONE,
	 POLICY_SEND,
	 1,
	 NONE,
	 {"sni", ""}},
	{"nobody is meant",
	 {NO("sni", "a"), NO("percent", "b")},
	 2,
	 NULL,
	 NONE,
	 POLICY_NOTHING,
	 NONE,
	 NONE,
	 {"sni", "percent"}},
	{"not meant any more: clear",
	 {NO("label", "a")},
	 1,
	 "a",
	 0,
	 POLICY_CLEAR,
	 NONE,
	 0,
	 {"label"}},
	{"forgotten: nothing",
	 {NO("label", "b")},
	 1,
	 "a",
	 NONE,
	 POLICY_NOTHING,
	 NONE,
	 NONE,
	 {"label"}},
	{"paused: nothing", {PAUSED("a")}, 1, NULL, NONE, POLICY_NOTHING, 0, NONE, {"paused"}},
	{"paused: what was sent stays",
	 {PAUSED("a"), B},
	 2,
	 "a",
	 0,
	 POLICY_NOTHING,
	 0,
	 NONE,
	 {"", "priority"}},
	{"removed: clear", {GONE("a")}, 1, "a", 0, POLICY_CLEAR, NONE, 0, {"retracting"}},
	{"removed: the next one's",
	 {GONE("a"), B},
	 2,
	 "a",
	 0,
	 POLICY_SEND,
	 1,
	 NONE,
	 {"retracting", ""}},
	{"removed: who never had it",
	 {GONE("a")},
	 1,
	 NULL,
	 NONE,
	 POLICY_NOTHING,
	 NONE,
	 NONE,
	 {"retracting"}},
	{"removed: who returns",
	 {RETURNS("a")},
	 1,
	 NULL,
	 NONE,
	 POLICY_CLEAR,
	 NONE,
	 0,
	 {"retracting"}},
	{"cleared once", {RETURNS("a")}, 1, "clear", 0, POLICY_NOTHING, NONE, NONE, {"retracting"}},
	{"expired: clear", {EXPIRED("a")}, 1, "a", 0, POLICY_CLEAR, NONE, 0, {"expired"}},
	{"expired: the next one's",
	 {EXPIRED("a"), B},
	 2,
	 "a",
	 0,
	 POLICY_SEND,
	 1,
	 NONE,
	 {"expired", ""}},
	{"the user-agent decides first",
	 {UNKNOWN("a"), B},
	 2,
	 NULL,
	 NONE,
	 POLICY_WAIT,
	 NONE,
	 NONE,
	 {"userAgent", "priority"}},
	{"one behind the winner does not",
	 {A, UNKNOWN("b")},
	 2,
	 NULL,
	 NONE,
	 POLICY_SEND,
	 0,
	 NONE,
	 {"", "priority"}},
	{"by header alone: no frame", {HEADER("a")}, 1, NULL, NONE, POLICY_NOTHING, 0, NONE, {""}},
};

static size_t place(size_t index, size_t n)
{
	return index == NONE ? n : index;
}

static void decisions(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *whys[2] = {NULL, NULL};
		struct policy_decision d = policy_decide(rows[i].cases, rows[i].n, rows[i].held,
							 place(rows[i].held_by, rows[i].n), whys);

		if (d.action != rows[i].action || d.winner != place(rows[i].winner, rows[i].n) ||
		    (d.action == POLICY_CLEAR && d.cleared_by != rows[i].cleared_by))
			fail_msg("%s: action %d, winner %zu, cleared by %zu", rows[i].what,
				 (int)d.action, d.winner, d.cleared_by);
		for (k = 0; k < rows[i].n; k++) {
			if (strcmp(whys[k], rows[i].whys[k]) != 0)
				fail_msg("%s: %zu is %s", rows[i].what, k, whys[k]);
		}
	}
}

/* ---- sets ------------------------------------------------------------------------------------ */

static struct policy *make(const char *name, int64_t priority, const char *origin)
{
	const struct h2sess_push push = {
		.size = sizeof(push), .kind = H2SESS_PUSH_ALTSVC, .alt = "clear", .origin = origin};
	struct policy *policy = mem_calloc(1, sizeof(*policy));
	char field[H2SESS_FIELD_MAX];

	assert_non_null(policy);
	policy->references = 1;
	strcpy(policy->name, name);
	policy->priority = priority;
	policy->expires_ms = POLICY_NEVER;
	assert_int_equal(push_value_new(&push, &policy->value), 0);
	assert_int_equal(h2sess_selector_new("{\"all\":true}", 12, &policy->selector, field), 0);
	return policy;
}

static void the_rank_is_priority_then_name(void **state)
{
	struct policy *made[4] = {make("b", 1, "https://one.org"), make("a", 1, "https://two.org"),
				  make("z", 9, "https://one.org"), make("B", 1, "https://one.org")};
	static const char *const order[] = {"z", "B", "a", "b"};
	static const uint16_t first_of[] = {0, 0, 2, 0};
	struct policy_set *set = policy_set_new(made, 4, "w1");
	size_t i;

	(void)state;
	assert_non_null(set);
	for (i = 0; i < 4; i++) {
		assert_string_equal(set->policies[i]->name, order[i]);
		assert_int_equal(set->first_of[i], first_of[i]);
	}
	made[0]->expires_ms = 50;
	made[2]->expires_ms = 70;
	assert_int_equal(policy_set_next_end(set, 10), 50);
	assert_int_equal(policy_set_next_end(set, 50), 70);
	assert_int_equal(policy_set_next_end(set, 70), POLICY_NEVER);
	assert_int_equal(policy_set_expired(set, 49), 0);
	assert_int_equal(policy_set_expired(set, 50), 1);
	assert_int_equal(policy_set_expired(set, 70), 2);
	policy_set_unref(set);
	for (i = 0; i < 4; i++)
		policy_unref(made[i]);
}

/* ---- the pace -------------------------------------------------------------------------------- */

#define MS UINT64_C(1000000)

static void a_pace_lets_one_through_each_interval(void **state)
{
	atomic_uint_fast64_t next = 1000 * MS;
	uint64_t due = 0;
	int n = 0;

	(void)state;
	for (uint64_t now = 1000 * MS; now < 2000 * MS; now += MS / 4)
		n += fanout_pace(&next, 10 * MS, now, &due);
	assert_int_equal(n, 100);
	assert_false(fanout_pace(&next, 10 * MS, 1999 * MS, &due));
	assert_int_equal(due, 2000 * MS);
	assert_true(fanout_pace(&next, 0, 0, &due)); /* no pace */
}

static void a_delay_is_caught_up_a_little(void **state)
{
	atomic_uint_fast64_t next = 0;
	uint64_t due = 0;
	int n = 0;

	(void)state;
	while (fanout_pace(&next, 10 * MS, 60000 * MS, &due))
		n++;
	assert_int_equal(n, FANOUT_BURST_NS / (10 * MS) + 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(the_rank_is_priority_then_name),
		cmocka_unit_test(a_pace_lets_one_through_each_interval),
		cmocka_unit_test(a_delay_is_caught_up_a_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
