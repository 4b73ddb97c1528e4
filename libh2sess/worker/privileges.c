/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See privileges.h. The order is groups, group, user: after the last of them there is no way back,
 * which is looked at.
 *
 * Failures: no such user or group, not root (one line each).
 */
#include "privileges.h"

#include "log.h"
#include "options.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

struct identity {
	const char *name; /* of the user: for its other groups */
	uid_t uid;
	gid_t gid;
};

static bool find(const struct options *o, struct identity *ret)
{
	const struct passwd *user = getpwnam(o->user);
	const struct group *group;

	if (!user) {
		log_refuse("--user", o->user, "no such user");
		return false;
	}
	*ret = (struct identity){o->user, user->pw_uid, user->pw_gid};
	if (!o->group)
		return true;
	group = getgrnam(o->group);
	if (!group) {
		log_refuse("--group", o->group, "no such group");
		return false;
	}
	ret->gid = group->gr_gid;
	return true;
}

static bool is_already(const struct identity *who)
{
	return geteuid() == who->uid && getegid() == who->gid;
}

int privileges_check(const struct options *o)
{
	struct identity who;

	if (!o->user)
		return 0;
	if (!find(o, &who))
		return -1;
	if (geteuid() != 0 && !is_already(&who))
		return log_refuse("--user", o->user, "only root can become another user");
	return 0;
}

static int become(const struct identity *who)
{
	if (initgroups(who->name, who->gid) < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
	    setresuid(who->uid, who->uid, who->uid) < 0)
		return log_refuse("--user", who->name, strerror(errno));
	if (who->uid != 0 && setuid(0) == 0)
		return log_refuse("--user", who->name, "the way back is open");
	return 0;
}

static void warn_unreadable(const char *flag, const char *file)
{
	if (file && access(file, R_OK) < 0)
		log_line(LOG_WARNING, "%s %s: %s as this user: a reload will fail", flag, file,
			 strerror(errno));
}

int privileges_drop(const struct options *o)
{
	struct identity who;

	if (!o->user)
		return 0;
	if (!find(o, &who) || (!is_already(&who) && become(&who) < 0))
		return -1;
	for (size_t i = 0; i < o->cert.n; i++)
		warn_unreadable("--cert", o->cert.items[i]);
	for (size_t i = 0; i < o->key.n; i++)
		warn_unreadable("--key", o->key.items[i]);
	warn_unreadable("--ticket-keys", o->ticket_keys);
	warn_unreadable("--config", o->config);
	return 0;
}
