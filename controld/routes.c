/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call of the API: its path, who may make it, what its query and its body may hold.
 *
 * route.c finds the row of a request, GET /v1 lists them all, and a test holds openapi.yaml against
 * that list. What stands in no row is refused.
 */
#include "handlers.h"
#include "route.h"

#define SELECTOR                                                                            \
	"ids*", "worker", "label*", "sni", "peer", "encrypted", "alpn", "origin", "minAge", \
		"idleFor", "openStreams", "userAgent", "push", "sample", "sampleBy", "all"

#define POLICY                                                                                 \
	"select", "alt", "origin", "origins", "priority", "rollout", "via", "lint", "expires", \
		"paused", "dryRun"

#define LIST(...)                 \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
#define NOTHING LIST(NULL)
#define NO_BODY NULL

/* A call; one that the index links to; one that the --metrics listener has too. */
#define CALL(method, path, role, handler, query, body)                       \
	{                                                                    \
		method, path, ROLE_##role, handler, query, body, false, NULL \
	}
#define START(link, path, handler, query)                                 \
	{                                                                 \
		"GET", path, ROLE_READ, handler, query, NULL, false, link \
	}
#define PUBLIC(link, path, handler)                                        \
	{                                                                  \
		"GET", path, ROLE_READ, handler, NOTHING, NULL, true, link \
	}

const struct route routes[] = {
	START("self", "/v1", handle_index, NOTHING),
	START("workers", "/v1/workers", handle_workers, NOTHING),
	CALL("GET", "/v1/workers/{worker}", READ, handle_worker, NOTHING, NO_BODY),

	START("sessions", "/v1/sessions", handle_sessions, LIST(SELECTOR, "limit", "cursor")),
	CALL("GET", "/v1/sessions/{id}", READ, handle_session, NOTHING, NO_BODY),
	CALL("GET", "/v1/sessions/{id}/streams", READ, handle_session_streams, NOTHING, NO_BODY),

	CALL("POST", "/v1/sessions/{id}/altsvc", PUSH, handle_push_one, LIST("wait", "timeout"),
	     LIST("alt", "origin", "stream", "lint", "wait", "timeout", "deadline", "receipt")),
	CALL("POST", "/v1/sessions/{id}/origin", PUSH, handle_push_one, LIST("wait", "timeout"),
	     LIST("origins", "lint", "wait", "timeout", "deadline", "receipt")),

	CALL("POST", "/v1/sessions/{id}/goaway", ADMIN, handle_verb, NOTHING,
	     LIST("code", "lastStreamID", "opaqueData")),
	CALL("POST", "/v1/sessions/{id}/ping", PUSH, handle_verb, LIST("timeout"), LIST("payload")),
	CALL("POST", "/v1/sessions/{id}/settings", ADMIN, handle_verb, LIST("timeout"),
	     LIST("settings", "headerTableSize", "enablePush", "initialWindowSize", "maxFrameSize",
		  "maxConcurrentStreams", "maxHeaderListSize", "maxHeaderSize",
		  "enableConnectProtocol", "customSettings")),
	CALL("POST", "/v1/sessions/{id}/close", ADMIN, handle_verb, NOTHING, NOTHING),
	CALL("POST", "/v1/sessions/{id}/destroy", ADMIN, handle_verb, NOTHING, LIST("code")),
	CALL("POST", "/v1/sessions/{id}/timeout", ADMIN, handle_verb, NOTHING, LIST("msecs")),
	CALL("POST", "/v1/sessions/{id}/window", ADMIN, handle_verb, NOTHING, LIST("windowSize")),
	CALL("POST", "/v1/sessions/{id}/emit", ADMIN, handle_verb, NOTHING, LIST("event", "data")),
	CALL("PATCH", "/v1/sessions/{id}/labels", ADMIN, handle_verb, NOTHING,
	     LIST(BODY_ANY_MEMBER)),

	CALL("POST", "/v1/altsvc", PUSH, handle_push_many, LIST("wait", "timeout"),
	     LIST("select", "alt", "origin", "dryRun", "perSecond", "lint", "wait", "timeout",
		  "deadline", "receipt")),
	CALL("POST", "/v1/origin", PUSH, handle_push_many, LIST("wait", "timeout"),
	     LIST("select", "origins", "dryRun", "perSecond", "lint", "wait", "timeout", "deadline",
		  "receipt")),
	CALL("POST", "/v1/goaway", ADMIN, handle_push_many, LIST("wait", "timeout"),
	     LIST("select", "code", "lastStreamID", "opaqueData", "dryRun", "perSecond", "wait",
		  "timeout", "deadline", "receipt")),
	CALL("POST", "/v1/drain", ADMIN, handle_push_many, LIST("wait", "timeout"),
	     LIST("select", "alt", "origin", "dryRun", "perSecond", "deadline", "stopAccepting",
		  "lint", "wait", "timeout")),

	START("pushes", "/v1/pushes", handle_pushes, LIST("session", "limit", "cursor")),
	CALL("GET", "/v1/pushes/{id}", READ, handle_push, LIST("wait", "timeout"), NO_BODY),
	CALL("DELETE", "/v1/pushes/{id}", PUSH, handle_push_cancel, NOTHING, NO_BODY),
	CALL("GET", "/v1/pushes/{id}/sessions", READ, handle_push_sessions, LIST("limit", "cursor"),
	     NO_BODY),

	START("policies", "/v1/policies", handle_policies, NOTHING),
	CALL("GET", "/v1/policies/{name}", READ, handle_policy, NOTHING, NO_BODY),
	CALL("PUT", "/v1/policies/{name}", ADMIN, handle_policy_change, NOTHING, LIST(POLICY)),
	CALL("PATCH", "/v1/policies/{name}", ADMIN, handle_policy_change, NOTHING, LIST(POLICY)),
	CALL("DELETE", "/v1/policies/{name}", ADMIN, handle_policy_change, NOTHING, NO_BODY),

	START("events", "/v1/events", handle_events,
	      LIST("type*", SELECTOR, "since", "once", "limit", "snapshot", "wait")),

	CALL("GET", "/v1/audit", ADMIN, handle_audit, LIST("limit", "cursor"), NO_BODY),

	PUBLIC("metrics", "/metrics", handle_metrics),
	PUBLIC("health", "/healthz", handle_healthz),
	START("ready", "/readyz", handle_readyz, NOTHING),
	START("openapi", "/openapi.yaml", handle_openapi, NOTHING),
	{0},
};
