/* SPDX-License-Identifier: Apache-2.0 */
/* App plugins: found, checked, started, ended (h2sess/app.h). */
#ifndef WORKER_PLUGIN_H
#define WORKER_PLUGIN_H

#include <h2sess/app.h>

struct plugin {
	char *name;   /* owned; what stood before the colon */
	char *config; /* owned */
	char *path;   /* owned */
	void *handle; /* dlopen()'s */
	const struct h2sess_app *app;
	struct h2sess_app_context context;
	void *state; /* of app's init */
	bool started;
};

/* Where an app is put. */
struct plugin_place {
	struct h2sess_server *server;
	struct h2sess_emitter *emitter; /* whose `stream` events are its own */
	const char *path;		/* "/a" that it answers below, or ""; copied */
};

/*
 * Load what "NAME[:CONFIG]" means and start it there.
 *
 *   dir  where NAME.so is looked for; NULL: beside the program (../lib/h2sess/apps), else LIBDIR's
 *
 * A NAME with a slash is a path. Refusals are logged. Returns 0, or -1; plugin_stop() is right
 * after both.
 */
int plugin_start(struct plugin *plugin, const char *spec, const char *dir,
		 const struct plugin_place *place);

/* After the last session is gone, before the server is freed. */
void plugin_stop(struct plugin *plugin);

#endif
