/* config.h -- the command line of loa-encode: one table of options. */

#ifndef LOA_ENCODE_CONFIG_H
#define LOA_ENCODE_CONFIG_H

#include <stdbool.h>

#include "encode/verdict.h"

enum command {
    COMMAND_AUDIO = 1,
    COMMAND_TEXT = 2,
    COMMAND_EXPORT = 4,
    COMMAND_SHOW = 8,
    COMMAND_HELP = 16,
};

struct config {
    enum command command;
    const char *in, *out; /* out: NULL for show. */
    unsigned bitrate;     /* bit/s */
    double lufs, true_peak_dbtp;
    unsigned duration_s_max;
    bool accept_truncated;
    const char *language;   /* "" or one of voices. */
    const char *dictionary; /* "": none. */
    unsigned rate_wpm;
    unsigned text_len_max;             /* Bytes. */
    const char *title, *artist, *date; /* "": no such tag. */
    bool json;
};

/* Read the arguments, which are lent. 0 or ENCODE_USAGE. */
int config_load(struct config *c, int argc, char **argv, struct verdict *v);

void config_help(void);

#endif /* LOA_ENCODE_CONFIG_H */
