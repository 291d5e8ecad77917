/* report.h -- what keeps log lines few and whole.
 *
 * Whoever is refused can ask a thousand times a second, with any text. */

#ifndef LOA_AUTH_REPORT_H
#define LOA_AUTH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#define REPORT_LINES_PER_S 10
#define REPORT_TEXT_CAP 129

/* All zero is a fresh one. */
struct report {
    int64_t second;
    unsigned lines_n;   /* In this second. */
    unsigned dropped_n; /* Since somebody was told. */
};

/* May one more line be written now? If not, it is counted. */
bool report_allow(struct report *r, int64_t now_ms);

/* How many lines were dropped in seconds that are over; then 0 again. */
unsigned report_dropped(struct report *r, int64_t now_ms);

/* text as one word for a log line: everything but visible ASCII becomes "?",
 * the end is cut. NULL and "" become "-". */
const char *report_word(const char *text, char out[REPORT_TEXT_CAP]);

#endif /* LOA_AUTH_REPORT_H */
