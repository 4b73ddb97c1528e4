/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_STORE_FILE_H
#define CONTROLD_STORE_FILE_H

#include "store.h"

#include <sqlite3.h>

/* The SQLite file. Whoever holds it is alone with it: the loop until the writer begins, then that.
 */
struct store_file {
	sqlite3 *db;
	sqlite3_stmt *insert_event;
	sqlite3_stmt *put[STORE_TABLES];
	sqlite3_stmt *remove[STORE_TABLES];
	bool durable;	     /* commits wait for the platter */
	unsigned since_trim; /* events since the last look at what is too old */
	uint64_t kept_from;  /* events before it have no data any more: the log has dropped them */
};

/* Returns 0, or -1 with one line in why; store_file_close() in both cases. */
int store_file_open(struct store_file *file, const char *path, char *why);
void store_file_close(struct store_file *file);
int store_file_complain(const struct store_file *file, const char *path, char *why); /* -1 */

/* One transaction. Each returns 0 or -1; after a -1, roll back. */
int store_file_begin(struct store_file *file, bool durable);
int store_file_commit(struct store_file *file);
void store_file_roll_back(struct store_file *file);

/* changes: STORE_EVENT_CHANGES of them. */
int store_file_put_event(struct store_file *file, uint64_t seq, const struct store_change *changes,
			 uint64_t keep_from);
int store_file_change(struct store_file *file, const struct store_change *change);

/* Single values, in a transaction of their own that waits for the platter. */
int store_file_set_meta(struct store_file *file, const char *key, const char *value);
bool store_file_meta(const struct store_file *file, const char *key, char *ret, size_t room);

/* Walks; -1: the file is damaged. */
typedef void store_event_fn(void *user, uint64_t seq, const char *type, const char *json,
			    const char *about);
/* Those before file->kept_from too, without their data where nobody learns from that. */
int store_file_each_event(struct store_file *file, store_event_fn *fn, void *user);
int store_file_each_row(struct store_file *file, enum store_table table, store_row_fn *fn,
			void *user);

#endif
