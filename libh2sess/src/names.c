/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What things are called: errors, codes, outcomes, reasons, versions; and this process's boot id.
 */
#include <h2sess/h2sess.h>

#include <openssl/rand.h>
#include <unistd.h>
#include <uv.h>

#define BOOT_ID_LEN 12

const char *h2sess_strerror(int err)
{
	switch (err) {
	case 0:
		return "Success";
#define X(name, value, wire, http, text) \
	case value:                      \
		return text;
#include <h2sess/errors.def>
#undef X
	default:
		return "Unknown error";
	}
}

const char *h2sess_errname(int err)
{
	switch (err) {
#define X(name, value, wire, http, text) \
	case value:                      \
		return wire;
#include <h2sess/errors.def>
#undef X
	default:
		return err ? "ERR_UNKNOWN" : "";
	}
}

const char *h2sess_codename(uint32_t code)
{
	switch (code) {
#define X(name, value) \
	case value:    \
		return #name;
#include <h2sess/codes.def>
#undef X
	default:
		return NULL;
	}
}

const char *h2sess_outcome_name(int outcome)
{
	switch (outcome) {
#define X(name, value, wire, final, text) \
	case value:                       \
		return wire;
#include <h2sess/outcomes.def>
#undef X
	default:
		return NULL;
	}
}

const char *h2sess_reason_name(int reason)
{
	switch (reason) {
#define X(name, value, wire, text) \
	case value:                \
		return wire;
#include <h2sess/reasons.def>
#undef X
#define X(name, value, wire, severity, error, text) \
	case H2SESS_REASON_LINT + value:            \
		return wire;
#include <h2sess/lint.def>
#undef X
	default:
		return NULL;
	}
}

const char *h2sess_version(void)
{
	return H2SESS_VERSION;
}

int h2sess_abi(void)
{
	return H2SESS_ABI;
}

static char boot_id[BOOT_ID_LEN + 1];

/* 12 of 36 signs: 62 bits, so that two starts of a process do not meet. */
static void draw_boot_id(void)
{
	static const char signs[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char bytes[BOOT_ID_LEN];
	int i;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		uv_random(NULL, NULL, bytes, sizeof(bytes), 0, NULL);
	for (i = 0; i < BOOT_ID_LEN; i++)
		boot_id[i] = signs[bytes[i] % (sizeof(signs) - 1)];
}

const char *h2sess_boot_id(void)
{
	static uv_once_t once = UV_ONCE_INIT;

	uv_once(&once, draw_boot_id);
	return boot_id;
}
