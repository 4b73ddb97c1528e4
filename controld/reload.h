/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLD_RELOAD_H
#define CONTROLD_RELOAD_H

struct controld;

/* Read the command line, the configuration file and the token file again. */
void reload(struct controld *controld, int argc, char **argv);

#endif
