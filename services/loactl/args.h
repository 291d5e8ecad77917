/* args.h -- the command line and the environment, read into struct ctl. Bools
 * are false after a sentence on stderr, unless it says otherwise. */

#ifndef LOA_LOACTL_ARGS_H
#define LOA_LOACTL_ARGS_H

#include "loactl/ctl.h"

/* LOA_HOST and the others, and what holds if they are not there. */
bool args_environment(struct ctl *c);

/* Sets c->command, NULL: there is none of that name. Its words come first among
 * the words that are no options; both are in words as far as there are. */
void args_command(struct ctl *c, int argc, char *argv[], const char *words[2]);

/* Options and positionals; after args_command(). */
bool args_parse(struct ctl *c, int argc, char *argv[]);

/* "vi" or "en". */
bool args_language(struct ctl *c, const char *text);

/* Is one of the two there? No sentence. */
bool args_want(const char *what, const char *brief, int argc, char *argv[]);

#endif /* LOA_LOACTL_ARGS_H */
