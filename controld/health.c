/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index, the contract, and whether the daemon is well: calls that need no worker and never
 * wait.
 *
 * /healthz says that the loop turns. /readyz says 503 before the listeners are open and while the
 * daemon stops. /openapi.yaml is the file of that name, put into the binary by the assembler.
 */
#include "controld.h"
#include "handlers.h"
#include "request.h"
#include "route.h"

__asm__(".pushsection .rodata\n"
	"controld_openapi_begin:\n"
	".incbin \"api/openapi.yaml\"\n"
	"controld_openapi_end:\n"
	".byte 0\n"
	".popsection\n");

extern const char controld_openapi_begin[];
extern const char controld_openapi_end[];

void handle_openapi(struct request *request)
{
	request_reply_static(request, 200, "application/yaml", controld_openapi_begin,
			     (size_t)(controld_openapi_end - controld_openapi_begin));
}

/* Where to start, and every call with the role that it takes. */
void handle_index(struct request *request)
{
	json_t *links = json_object(), *calls = json_array();

	for (const struct route *route = routes; route->path; route++) {
		if (route->link)
			json_object_set_new(links, route->link, json_string(route->path));
		json_array_append_new(calls,
				      json_pack("{s:s, s:s, s:s}", "method", route->method, "path",
						route->path, "role", role_name(route->role)));
	}
	request_reply_json(request, 200,
			   json_pack("{s:s, s:s, s:o, s:o}", "name", "h2sess-controld", "api", "v1",
				     "links", links, "calls", calls));
}

void handle_healthz(struct request *request)
{
	request_reply_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

void handle_readyz(struct request *request)
{
	const struct controld *controld = request->controld;
	bool ready = controld->ready && !controld->stopping;

	request_reply_json(
		request, ready ? 200 : 503,
		json_pack("{s:b, s:i}", "ready", ready, "workers", (int)controld->workers.count));
}
