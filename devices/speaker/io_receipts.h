/* io_receipts.h -- the receipts' log on disk: records of fixed size behind a
 * head, appended and made durable; trimmed by writing the rest anew. */

#ifndef LOA_SPEAKER_IO_RECEIPTS_H
#define LOA_SPEAKER_IO_RECEIPTS_H

#include "speaker/io_disk.h"
#include "speaker/receipts.h"

struct receipt_log {
    struct disk *disk;
    int fd;
    uint8_t log_id[LOA_ID_BYTES];
    uint64_t first, next;
    bool named; /* The file's name is durable. */
};

struct receipt_log_ids {
    const uint8_t *fresh; /* For a log that has none. */
    const uint8_t *known; /* What the log was called last; NULL: unknown. */
};

typedef void (*receipt_log_cb)(void *data, const struct receipt *r);

/* Open the log, or begin a new one. Each good record is shown to cb. A torn
 * tail (a power cut while it was written, so nothing of it was ever sent) is
 * cut off. A damaged record is left out and keeps its number. A damaged head is
 * made anew from ids->known and the records; without them a new numbering
 * begins, which keeps what is readable. LOA_ENOSPC, LOA_ESYS. */
LOA_MUST_CHECK int receipt_log_open(struct receipt_log *l,
                                    struct disk *d,
                                    const struct receipt_log_ids *ids,
                                    receipt_log_cb cb,
                                    void *data);
void receipt_log_close(struct receipt_log *l);

/* rows[0].sequence is l->next. Durable when it returns LOA_OK. */
LOA_MUST_CHECK int receipt_log_append(struct receipt_log *l,
                                      const struct receipt *rows,
                                      size_t rows_n);
/* Up to n records from number first on, without a gap between them; what is
 * unreadable before them is skipped. Returns how many. */
size_t receipt_log_read(struct receipt_log *l,
                        uint64_t first,
                        struct receipt *rows,
                        size_t n);
/* Forget the first n. */
LOA_MUST_CHECK int receipt_log_trim(struct receipt_log *l, uint64_t n);

#endif /* LOA_SPEAKER_IO_RECEIPTS_H */
