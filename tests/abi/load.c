/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load LIBRARY: what dlopen() of the library changes in a process. Nothing may: no thread, no
 * descriptor, no signal's disposition or mask, no variable of the environment. Says what did.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIGNALS 64

struct process {
	int threads, descriptors, variables;
	void (*handlers[SIGNALS + 1])(int);
	sigset_t mask;
};

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void look(struct process *p)
{
	struct sigaction action;
	int i;

	memset(p, 0, sizeof(*p));
	p->threads = entries("/proc/self/task");
	p->descriptors = entries("/proc/self/fd");
	while (environ[p->variables])
		p->variables++;
	for (i = 1; i <= SIGNALS; i++) {
		if (sigaction(i, NULL, &action) == 0)
			p->handlers[i] = action.sa_handler;
	}
	sigprocmask(SIG_SETMASK, NULL, &p->mask);
}

static int check(const char *what, int same)
{
	if (!same)
		printf("%s changed\n", what);
	return !same;
}

int main(int argc, char **argv)
{
	struct process before, after;
	void *handle;
	int r = 0;

	look(&before);
	handle = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!handle) {
		printf("%s\n", argc == 2 ? dlerror() : "load LIBRARY");
		return 2;
	}
	look(&after);
	r |= check("threads", before.threads == after.threads);
	r |= check("descriptors", before.descriptors == after.descriptors);
	r |= check("environment", before.variables == after.variables);
	r |= check("signal handlers",
		   memcmp(before.handlers, after.handlers, sizeof(before.handlers)) == 0);
	r |= check("signal mask", memcmp(&before.mask, &after.mask, sizeof(before.mask)) == 0);
	return r;
}
