/* io_upload_rows.h -- the rows of uploads and their parts. */

#ifndef LOA_CONTENT_IO_UPLOAD_ROWS_H
#define LOA_CONTENT_IO_UPLOAD_ROWS_H

#include "common/pg.h"
#include "content-ingest/ingest.h"

/* Prepare the statements and put the unfinished uploads into the core:
 * blocking, before the loop runs. stopped says of an upload whether its last
 * attempt, which its row counts, does not count. */
LOA_MUST_CHECK int upload_rows_open(
    struct pg *pg,
    struct ingest *n,
    bool (*stopped)(void *data, const uint8_t id[LOA_ID_BYTES]),
    void *data);

/* Ask for an upload: submitted_by, state, size, content_hash, failure_code,
 * failure_vi, failure_en, whether it lies within area. On LOA_OK rows is told.
 */
LOA_MUST_CHECK int upload_rows_get(struct pg *pg,
                                   const uint8_t id[LOA_ID_BYTES],
                                   const char *area,
                                   pg_rows_cb rows,
                                   void *data);

/* Batches of their own; done as pg_commit(). */
LOA_MUST_CHECK int upload_rows_insert(struct pg *pg,
                                      const struct upload_plan *p,
                                      pg_done_cb done,
                                      void *data);
LOA_MUST_CHECK int upload_rows_part(struct pg *pg,
                                    const uint8_t id[LOA_ID_BYTES],
                                    uint64_t at_byte,
                                    struct loa_bytes part,
                                    pg_done_cb done,
                                    void *data);
LOA_MUST_CHECK int upload_rows_waiting(struct pg *pg,
                                       const uint8_t id[LOA_ID_BYTES]);
LOA_MUST_CHECK int upload_rows_encoding(struct pg *pg,
                                        const uint8_t id[LOA_ID_BYTES],
                                        unsigned attempts_n,
                                        pg_done_cb done,
                                        void *data);
LOA_MUST_CHECK int upload_rows_failed(struct pg *pg,
                                      const uint8_t id[LOA_ID_BYTES],
                                      const struct refusal_text *why,
                                      pg_done_cb done,
                                      void *data);
LOA_MUST_CHECK int upload_rows_dropped(struct pg *pg,
                                       const uint8_t id[LOA_ID_BYTES]);

/* Add to the current batch: the upload has become that content. */
LOA_MUST_CHECK int upload_rows_done(struct pg *pg,
                                    const uint8_t id[LOA_ID_BYTES],
                                    const uint8_t hash[LOA_HASH_BYTES]);

/* The next parts behind the one at after_byte, at most UPLOAD_PAGE_PARTS:
 * columns at_byte, data. On LOA_OK rows is told. */
#define UPLOAD_PAGE_PARTS 8
LOA_MUST_CHECK int upload_rows_read(struct pg *pg,
                                    const uint8_t id[LOA_ID_BYTES],
                                    int64_t after_byte,
                                    pg_rows_cb rows,
                                    void *data);

#endif /* LOA_CONTENT_IO_UPLOAD_ROWS_H */
