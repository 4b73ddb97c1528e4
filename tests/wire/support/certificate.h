/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throw-away certificates, made once a program in a directory that is removed at its end.
 */
#ifndef WIRE_CERTIFICATE_H
#define WIRE_CERTIFICATE_H

struct certificate {
	char cert_file[128];
	char key_file[128];
};

/* localhost, example.org, *.wild.example and 127.0.0.1. */
const struct certificate *certificate_default(void);

/* `names` is OpenSSL's subjectAltName syntax: "DNS:a.example,IP:127.0.0.1". */
void certificate_make(struct certificate *ret, const char *file_stem, const char *names);

/* The directory of the program's temporary files. */
const char *temporary_directory(void);

#endif
