/* verdict.h -- how loa-encode ends: exit codes and the sentence that goes with
 * them. They are the contract with content-ingest, which tells the sender. */

#ifndef LOA_ENCODE_VERDICT_H
#define LOA_ENCODE_VERDICT_H

#include "proto/err.h"

/* Exit codes. A worker that is killed by a signal (a library fell over a
 * hostile file) has none; its OUT does not exist either. */
enum verdict_code {
    ENCODE_OK = 0,
    ENCODE_FAILED = 1,      /* A library or the system failed; see text. */
    ENCODE_USAGE = 2,       /* Wrong command line. */
    ENCODE_UNREADABLE = 10, /* IN is not there, not a file, not ours to read */
    ENCODE_EMPTY = 11,      /* IN has 0 bytes. */
    ENCODE_NOT_AUDIO = 12,  /* No decoder knows it. */
    ENCODE_TRUNCATED = 13,  /* Cut off or damaged; see --accept-truncated. */
    ENCODE_NO_SOUND = 14,   /* Sound of 0 s. */
    ENCODE_TOO_LONG = 15,   /* Over --duration-max-s. */
    ENCODE_TEXT_BAD = 16,   /* Not UTF-8; the text says at which byte. */
    ENCODE_TEXT_EMPTY = 17, /* No letter and no digit in it. */
    ENCODE_TEXT_LONG = 18,  /* Over --text-max-bytes. */
    ENCODE_DICTIONARY = 19, /* The dictionary is unreadable or malformed. */
    ENCODE_NO_ROOM = 20,    /* OUT: disk full, quota, or file size limit. */
    ENCODE_NO_MEMORY = 21,  /* Out of memory, or over the worker's limit. */
    ENCODE_CPU_LIMIT = 22,  /* Took more CPU time than any honest file does. */
    ENCODE_NOT_FRAMES = 23, /* export, show: IN is not a .loaframes file. */
    ENCODE_UNWRITABLE = 24, /* OUT cannot be created there. */
    ENCODE_NO_VOICE = 25,   /* The speech engine lacks language or data. */
};

#define VERDICT_TEXT_MAX 512

struct verdict {
    enum verdict_code code;
    char text[VERDICT_TEXT_MAX]; /* One sentence or two; empty when OK. */
};

/* Set code and text; returns the code, for `return refuse(v, ...)`. */
int refuse(struct verdict *v, enum verdict_code code, const char *fmt, ...)
    LOA_PRINTF(3, 4);

#endif /* LOA_ENCODE_VERDICT_H */
