/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP, on the main thread.
 *
 *   1. the command line and its file are read again
 *   2. apps are started beside those that serve
 *   3. the server gets its new certificates, ticket keys, limits and origins
 *   4. the new apps get what comes from now on
 *
 * Failures: whatever would refuse a start. What was made until then is undone; the line that says
 * why is logged, and is lastReload's error. What a running worker cannot change is named, and waits
 * for a start or a take-over.
 */
#include "reload.h"

#include "dispatch.h"
#include "host.h"
#include "log.h"
#include "options.h"

#include <notify.h>
#include <syslog.h>

/* With a generation that is to serve, but does not yet. */
static int use(struct generation *next, struct h2sess_server *server, struct dispatch *dispatch)
{
	if (!dispatch_suits(dispatch, next))
		return log_refuse("--app", NULL, "listens to `timeout`, which needs a new start");
	if (host_reload_server(&next->options, server) < 0)
		return -1;
	dispatch_use(dispatch, next);
	return 0;
}

static int read_again(const struct reload *reload, struct options *ret)
{
	options_init(ret);
	return options_parse(ret, reload->argc, reload->argv);
}

static int run(const struct reload *reload, struct h2sess_server *server, struct dispatch *dispatch)
{
	struct generation *next = NULL;
	struct options options;
	int r;

	r = read_again(reload, &options);
	if (r == 0)
		r = generation_new(&options, server, &next);
	options_done(&options);
	if (r == 0)
		r = use(next, server, dispatch);
	if (r < 0)
		generation_free(next);
	return r;
}

static void warn_of_fixed(const struct options *before, const struct options *after)
{
	const char *name = options_fixed_difference(before, after);

	if (name)
		log_line(LOG_WARNING, "reload: --%s is as it was until the next start, or SIGUSR2",
			 name);
}

void reload_run(const struct reload *reload, struct h2sess_server *server,
		struct dispatch *dispatch)
{
	struct generation *before = dispatch->newest;
	int r;

	notify_reloading();
	r = run(reload, server, dispatch);
	if (r < 0) {
		log_line(LOG_ERR, "reload: refused, everything stays as it was");
	} else {
		log_set_json(dispatch->newest->options.log_format == LOG_FORMAT_JSON);
		log_line(LOG_NOTICE, "reload: certificates, limits and apps were read again");
		warn_of_fixed(&before->options, &dispatch->newest->options);
	}
	if (reload->control)
		h2sess_control_set_reload(reload->control, r < 0 ? log_last_refusal() : NULL);
	notify_service_manager("READY=1");
}
