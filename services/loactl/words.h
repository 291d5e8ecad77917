/* words.h -- what devices report, in words of people.
 *
 * The fixed words of the protocol stay as they are in JSON and in English; who
 * reads Vietnamese reads Vietnamese. Pure: no I/O. */

#ifndef LOA_LOACTL_WORDS_H
#define LOA_LOACTL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "loa/v1/device.pb-c.h"

/* "finished", or "phát xong". "?" for an event of another version. */
const char *word_event(bool english, Loa__V1__ReceiptEvent e);

/* "online", or "trực tuyến". "?" likewise. */
const char *word_presence(bool english, Loa__V1__Presence p);

/* "stopped", or "có lệnh dừng". A word that is not known stays as it is, since
 * devices may be newer than we are. Lent. */
const char *word_reason(bool english, const char *reason);

/* The words of an errno value; in Vietnamese those that people meet, and the
 * system's own for the rest. */
const char *word_errno(bool english, int number);

/* A title for a text that was given none: its first words, on one line, with
 * "…" if there are more. "" if it has none. */
#define WORD_TITLE_CAP 120
void word_title(const char *text, size_t len, char title[WORD_TITLE_CAP]);

/* At most `columns` characters of a text; "…" is the last if some are left out.
 */
void word_cut(const char *text, size_t columns, char *buf, size_t cap);

#endif /* LOA_LOACTL_WORDS_H */
