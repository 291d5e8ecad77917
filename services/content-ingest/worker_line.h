/* worker_line.h -- what loa-encode says on its standard output. Pure. */

#ifndef LOA_CONTENT_WORKER_LINE_H
#define LOA_CONTENT_WORKER_LINE_H

#include <stdint.h>

enum worker_line_type {
    WORKER_LINE_OTHER, /* A note, or something newer: ignored. */
    WORKER_LINE_PROGRESS,
    WORKER_LINE_DONE,
};

struct worker_line {
    enum worker_line_type type;
    unsigned permille;                      /* PROGRESS */
    uint32_t duration_ms;                   /* DONE */
    int32_t lufs_x100, true_peak_dbtp_x100; /* DONE; -7000 where silent. */
};

#define WORKER_SILENCE_X100 (-7000)

/* line is 0-terminated, without its newline. Never fails: the worker reads
 * files of strangers and may say anything. */
void worker_line_parse(const char *line, struct worker_line *out);

#endif /* LOA_CONTENT_WORKER_LINE_H */
