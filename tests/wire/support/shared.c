/* SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"

#include "routes.h"

struct test_server *server;

int shared_start(void **state)
{
	(void)state;
	server = test_server_start(NULL, NULL);
	return 0;
}

int shared_stop(void **state)
{
	(void)state;
	test_server_free(server);
	server = NULL;
	return 0;
}

int shared_connect(void **state)
{
	numbers_clear();
	*state = client_open(server->port, NULL);
	return 0;
}

int shared_disconnect(void **state)
{
	client_free(*state);
	return 0;
}
