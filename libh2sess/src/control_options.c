/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host says about its control link: checked, then copied, since the host's strings are
 * borrowed. Owns nothing; h2sess_control_start() calls it. What the daemon would refuse in a hello
 * is refused here.
 */
#include "control.h"
#include "memory.h"

#include <string.h>
#include <unistd.h>

bool control_name_ok(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	size_t len = strspn(name, allowed);

	return len >= 1 && len <= CONTROL_NAME_MAX && name[len] == '\0';
}

static bool is_boot_id(const char *boot)
{
	size_t len = strspn(boot, "abcdefghijklmnopqrstuvwxyz0123456789");

	return len >= 8 && len <= 32 && boot[len] == '\0';
}

/* "HOST-PID", without what a name may not hold. */
static void default_name(char name[CONTROL_NAME_MAX + 1])
{
	char host[CONTROL_NAME_MAX - 20] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(name, CONTROL_NAME_MAX + 1, "%s-%ld", host[0] ? host : "worker", (long)getpid());
	for (char *at = name; *at; at++) {
		char one[2] = {*at, '\0'};

		if (!control_name_ok(one))
			*at = '-';
	}
}

bool control_options_ok(const struct h2sess_control_options *o)
{
	size_t path_len;

	if (o->n_labels > CONTROL_LABELS_MAX || (o->n_labels && !o->labels))
		return false;
	path_len = o->path ? strnlen(o->path, CONTROL_PATH_MAX + 1) : 0;
	if (path_len < 1 || path_len > CONTROL_PATH_MAX)
		return false;
	return (!o->name || control_name_ok(o->name)) && (!o->succeeds || is_boot_id(o->succeeds));
}

static bool label_ok(const struct h2sess_control_label *label)
{
	size_t key_len = label->key ? strnlen(label->key, CONTROL_LABEL_KEY_MAX + 1) : 0;

	return key_len >= 1 && key_len <= CONTROL_LABEL_KEY_MAX && label->value &&
	       strnlen(label->value, CONTROL_LABEL_VALUE_MAX + 1) <= CONTROL_LABEL_VALUE_MAX;
}

/* Returns 0, H2SESS_EINVAL (a label that is not one, or not UTF-8), H2SESS_ENOMEM. */
static int copy_labels(struct h2sess_control *control, const struct h2sess_control_options *o)
{
	control->labels = json_object();
	if (!control->labels)
		return H2SESS_ENOMEM;
	for (size_t i = 0; i < o->n_labels; i++) {
		const struct h2sess_control_label *label = &o->labels[i];

		if (!label_ok(label) ||
		    json_object_set_new(control->labels, label->key, json_string(label->value)) < 0)
			return H2SESS_EINVAL;
	}
	return 0;
}

int control_options_copy(struct h2sess_control *control, const struct h2sess_control_options *o)
{
	control->path = mem_strdup(o->path);
	if (o->succeeds)
		control->succeeds = mem_strdup(o->succeeds);
	if (!control->path || (o->succeeds && !control->succeeds))
		return H2SESS_ENOMEM;
	if (o->name)
		strcpy(control->name, o->name); /* control_name_ok() has measured it */
	else
		default_name(control->name);
	return copy_labels(control, o);
}
