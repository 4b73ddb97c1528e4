/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2sess-worker: serves HTTP/2 with an app plugin, and lets h2sess-controld push to its live
 * sessions.
 *
 * Exit status: 0 after a drain, --check, --help, --version; 2 when it is refused to start.
 */
#include "options.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

#define EXIT_REFUSED 2

int main(int argc, char **argv)
{
	struct options options;
	int status = EXIT_SUCCESS;

	options_init(&options);
	if (options_parse(&options, argc, argv) < 0)
		status = EXIT_REFUSED;
	else if (options.help)
		options_print_help();
	else if (options.version)
		printf("h2sess-worker %s\n", h2sess_version());
	else
		status = worker_run(&options, argc, argv);
	options_done(&options);
	return status;
}
