/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One app plugin.
 *
 *   1. plugin_start() splits NAME[:CONFIG], finds NAME.so, dlopen()s it
 *   2. checks its descriptor: there, of our ABI, with an init
 *   3. calls init, which registers listeners on its emitter
 *   4. plugin_stop() calls fini and unloads
 *
 * Failures, one line each: no such file or not loadable (dlerror() says why), no descriptor,
 * another ABI, init's own error.
 */
#include "plugin.h"

#include "log.h"

#include <ctype.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef APP_DIR
#error "APP_DIR: LIBDIR/h2sess/apps, from the Makefile"
#endif

#define BESIDE "/../lib/h2sess/apps"

static int refuse(const char *spec, const char *rule)
{
	return log_refuse("--app", spec, rule);
}

/* The directory of the build tree, or of an installation that was moved; empty when it is not
 * there. */
static void find_beside(char dir[PATH_MAX])
{
	struct stat status;
	ssize_t len = readlink("/proc/self/exe", dir, PATH_MAX - sizeof(BESIDE));
	char *slash;

	if (len < 0)
		len = 0;
	dir[len] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	memcpy(slash, BESIDE, sizeof(BESIDE));
	if (stat(dir, &status) < 0 || !S_ISDIR(status.st_mode))
		dir[0] = '\0';
}

static bool is_plain_name(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_')
			return false;
	}
	return true;
}

static bool find_file(const char *name, const char *dir, char path[PATH_MAX])
{
	char beside[PATH_MAX];
	int len;

	if (strchr(name, '/')) {
		len = snprintf(path, PATH_MAX, "%s", name);
		return len < PATH_MAX;
	}
	if (!is_plain_name(name))
		return false;
	if (!dir) {
		find_beside(beside);
		dir = *beside ? beside : APP_DIR;
	}
	len = snprintf(path, PATH_MAX, "%s/%s.so", dir, name);
	return len < PATH_MAX;
}

static const char *judge(const struct h2sess_app *app)
{
	static char rule[96];

	if (!app)
		return "no app plugin: it has no symbol " H2SESS_APP_SYMBOL;
	if (app->abi != H2SESS_APP_ABI) { /* first: another ABI may mean another struct */
		snprintf(rule, sizeof(rule), "made for app ABI %u, this worker has %d", app->abi,
			 H2SESS_APP_ABI);
		return rule;
	}
	if (app->size < sizeof(*app) || !app->init)
		return "its descriptor is too short or has no init";
	return NULL;
}

static int load(struct plugin *plugin, const char *spec, const char *path)
{
	const char *rule;

	plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin->handle) {
		rule = dlerror();
		return refuse(spec, rule ? rule : "cannot be loaded");
	}
	plugin->app = dlsym(plugin->handle, H2SESS_APP_SYMBOL);
	rule = judge(plugin->app);
	return rule ? refuse(spec, rule) : 0;
}

/* How many listeners there are, of whatever event. */
static size_t count_listeners(struct h2sess_emitter *emitter)
{
	const char *names[16];
	size_t n = h2sess_event_names(emitter, names, 16), count = 0;

	for (size_t i = 0; i < n && i < 16; i++)
		count += h2sess_listener_count(emitter, names[i]);
	return count;
}

static int start(struct plugin *plugin, const char *spec, const struct plugin_place *place)
{
	char error[256] = "";
	size_t before;
	int r;

	plugin->context = (struct h2sess_app_context){
		.size = sizeof(plugin->context),
		.server = place->server,
		.emitter = place->emitter,
		.config = plugin->config,
		.path = plugin->path,
	};
	before = count_listeners(h2sess_server_emitter(place->server));
	r = plugin->app->init(&plugin->context, &plugin->state, error, sizeof(error));
	if (r < 0)
		return refuse(spec, *error ? error : h2sess_strerror(r));
	plugin->started = true;
	/* Those of the server outlive the app, which a reload may end. */
	if (count_listeners(h2sess_server_emitter(place->server)) != before)
		return refuse(spec,
			      "it registers on the server; an app's emitter is the context's");
	return 0;
}

int plugin_start(struct plugin *plugin, const char *spec, const char *dir,
		 const struct plugin_place *place)
{
	const char *colon = strchr(spec, ':');
	char path[PATH_MAX];

	memset(plugin, 0, sizeof(*plugin));
	plugin->name = strndup(spec, colon ? (size_t)(colon - spec) : strlen(spec));
	plugin->config = strdup(colon ? colon + 1 : "");
	plugin->path = strdup(place->path);
	if (!plugin->name || !plugin->config || !plugin->path)
		return refuse(spec, "out of memory");
	if (!find_file(plugin->name, dir, path))
		return refuse(spec, "neither a name (A-Z a-z 0-9 - _) nor a path");
	if (load(plugin, spec, path) < 0)
		return -1;
	return start(plugin, spec, place);
}

void plugin_stop(struct plugin *plugin)
{
	if (plugin->started && plugin->app->fini)
		plugin->app->fini(plugin->state);
	if (plugin->handle)
		dlclose(plugin->handle);
	free(plugin->name);
	free(plugin->config);
	free(plugin->path);
	memset(plugin, 0, sizeof(*plugin));
}
