/* SPDX-License-Identifier: Apache-2.0 */
#ifndef H2SESS_SESSION_JSON_H
#define H2SESS_SESSION_JSON_H

#include <h2sess/h2sess.h>
#include <jansson.h>

#define SESSION_JSON_TEXT_MAX 2048 /* bytes of a header field or a name that is shown */
#define SESSION_JSON_STREAMS_MAX (1024u * 1024) /* bytes that a list of streams may weigh */

/*
 * What was pushed remembers who asked and by which push, in the one text that the library keeps for
 * its caller: "BY\nPUSH". The control link writes it so; a host's own text has no newline.
 */
#define SESSION_JSON_BY_SEPARATOR '\n'

/* The session object of rpc.md. The session's thread. NULL when out of memory. */
json_t *session_json(struct h2sess_session *s, const char *worker);
/* Its open streams: the result of session.streams. */
json_t *session_json_streams(struct h2sess_session *s);
/* Settings in force, all of them, by Node's names. */
json_t *session_json_local_settings(const struct h2sess_session *s);
json_t *session_json_remote_settings(const struct h2sess_session *s);
json_t *session_json_peer(struct h2sess_session *s);
/* The origin set, of a session that has ended too; [] on cleartext. */
json_t *session_json_origins(const struct h2sess_session *s);
json_t *session_json_labels(const struct h2sess_session *s);
/*
 * Settings by Node's names into an empty set. ret_field: on an error the member that is wrong,
 * borrowed from json. Returns 0, H2SESS_EARGTYPE, H2SESS_EINVAL (no such setting), H2SESS_ESETTING.
 */
int session_json_read_settings(const json_t *json, struct h2sess_settings *set,
			       const char **ret_field);

#endif
