/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See generation.h. Its apps are loaded and started in the order of the options, each with an
 * emitter that freezes once they are all there, since every loop thread will emit on it.
 *
 * Failures: an app that does not start, an access log that cannot be opened (one line each; those
 * that were started are ended again).
 */
#include "generation.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

static int start_app(struct served *app, const struct app_route *route, const char *dir,
		     struct h2sess_server *server)
{
	struct plugin_place place = {
		.server = server,
		.path = route->path,
	};
	int r = h2sess_emitter_new(&app->emitter);

	if (r < 0)
		return log_refuse("--app", route->spec, h2sess_strerror(r));
	place.emitter = app->emitter;
	if (plugin_start(&app->plugin, route->spec, dir, &place) < 0)
		return -1;
	h2sess_emitter_freeze(app->emitter);
	app->hears_sessions = h2sess_listener_count(app->emitter, H2SESS_EVENT_SESSION) > 0;
	return 0;
}

static int start_apps(struct generation *g, const struct options *o, struct h2sess_server *server)
{
	g->apps = calloc(o->apps.n, sizeof(*g->apps));
	if (!g->apps)
		return log_refuse("--app", NULL, h2sess_strerror(H2SESS_ENOMEM));
	for (; g->n_apps < o->apps.n; g->n_apps++) {
		struct served *app = &g->apps[g->n_apps];

		if (start_app(app, &o->apps.items[g->n_apps], o->app_dir, server) < 0) {
			g->n_apps++; /* half of it is there */
			return -1;
		}
	}
	return 0;
}

int generation_new(struct options *options, struct h2sess_server *server, struct generation **ret)
{
	struct generation *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return log_refuse("configuration", NULL, h2sess_strerror(H2SESS_ENOMEM));
	r = start_apps(g, options, server);
	if (r == 0 && options->access_log)
		r = access_log_open(options->access_log, &g->log);
	if (r < 0) {
		generation_free(g);
		return -1;
	}
	g->options = *options;
	memset(options, 0, sizeof(*options)); /* the generation owns what was in them */
	*ret = g;
	return 0;
}

void generation_end(struct generation *g)
{
	while (g->n_apps) {
		struct served *app = &g->apps[--g->n_apps];

		plugin_stop(&app->plugin);
		h2sess_emitter_free(app->emitter);
	}
	free(g->apps);
	g->apps = NULL;
	access_log_close(g->log);
	g->log = NULL;
	g->ended = true;
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	generation_end(g);
	options_done(&g->options);
	free(g);
}

bool generation_hears(const struct generation *g, const char *event)
{
	for (size_t i = 0; i < g->n_apps; i++) {
		if (h2sess_listener_count(g->apps[i].emitter, event))
			return true;
	}
	return false;
}
