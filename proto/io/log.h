/* log.h -- one line per fact, to stderr: when, level, event name, key=value.
 *
 *   at=2025-11-21T08:04:05.123Z level=info event=service.ready name=scheduler
 *
 * A value that is empty or holds a blank, a quote, an equals sign or a control
 * byte is written "quoted" with \" \\ \n \xHH escapes, so a line stays a line
 * and nobody can forge a key. UTF-8 stays readable. */

#ifndef LOA_PROTO_IO_LOG_H
#define LOA_PROTO_IO_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include "proto/err.h"

#define LOG_LINE_LEN_MAX                                 \
    2048 /* Longer lines are cut, and say so with "...". \
          */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines below this level are dropped; config_load() sets it (log-level). */
extern enum log_level log_level;

/* "error", "warn", "info" or "debug"; LOA_EINVAL and *level untouched if it is
 * none of them. */
LOA_MUST_CHECK int log_level_parse(const char *text, enum log_level *level);

/* event is a fixed dotted name ("pg.lost"). fmt gives key=value pairs parted by
 * single blanks; "text=" goes last and takes the rest of fmt, blanks included.
 * Conversions: %s %.*s %c %d %i %u %x %X %o %ld %lu %lld %llu %zu %zd %hhu %hhx
 * %jd %ju %f %g %e %p %% with flags, width and precision. Keeps errno. */
void log_line(enum log_level level, const char *event, const char *fmt, ...)
    LOA_PRINTF(3, 4);

/* The pairs of log_line() without time, level and event: pure, for tests.
 * Always terminates buf; returns its length. cap is at least 8. */
size_t log_format(char *buf, size_t cap, const char *fmt, va_list ap);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif /* LOA_PROTO_IO_LOG_H */
