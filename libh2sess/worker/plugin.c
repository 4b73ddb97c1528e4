/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One app plugin.
 *
 *   1. plugin_start() splits NAME[:CONFIG], finds NAME.so, dlopen()s it
 *   2. checks its descriptor: there, of our ABI, with an init
 *   3. calls init, which registers listeners on the server
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
	char thing[512];

	snprintf(thing, sizeof(thing), "--app %s", spec);
	log_refusal(thing, rule);
	return -1;
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
	if (app->abi != H2SESS_APP_ABI) {
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

static int start(struct plugin *plugin, const char *spec, struct h2sess_server *server)
{
	char error[256] = "";
	int r;

	plugin->context = (struct h2sess_app_context){
		.size = sizeof(plugin->context),
		.server = server,
		.emitter = h2sess_server_emitter(server), /* the only app gets every request */
		.config = plugin->config,
	};
	r = plugin->app->init(&plugin->context, &plugin->state, error, sizeof(error));
	if (r < 0)
		return refuse(spec, *error ? error : h2sess_strerror(r));
	plugin->started = true;
	return 0;
}

int plugin_start(struct plugin *plugin, const char *spec, const char *dir,
		 struct h2sess_server *server)
{
	const char *colon = strchr(spec, ':');
	char path[PATH_MAX];

	memset(plugin, 0, sizeof(*plugin));
	plugin->name = strndup(spec, colon ? (size_t)(colon - spec) : strlen(spec));
	plugin->config = strdup(colon ? colon + 1 : "");
	if (!plugin->name || !plugin->config)
		return refuse(spec, "out of memory");
	if (!find_file(plugin->name, dir, path))
		return refuse(spec, "neither a name (A-Z a-z 0-9 - _) nor a path");
	if (load(plugin, spec, path) < 0)
		return -1;
	return start(plugin, spec, server);
}

void plugin_stop(struct plugin *plugin)
{
	if (plugin->started && plugin->app->fini)
		plugin->app->fini(plugin->state);
	if (plugin->handle)
		dlclose(plugin->handle);
	free(plugin->name);
	free(plugin->config);
	memset(plugin, 0, sizeof(*plugin));
}
