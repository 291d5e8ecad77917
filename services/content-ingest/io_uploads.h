/* io_uploads.h -- the core of uploads meets the database and the askers. */

#ifndef LOA_CONTENT_IO_UPLOADS_H
#define LOA_CONTENT_IO_UPLOADS_H

#include "common/pg.h"
#include "common/rpc.h"
#include "content-ingest/ingest.h"
#include "content-ingest/stats.h"
#include "content-ingest/wire.h"

struct uploads {
    struct pg *pg;
    struct ingest *ingest;
    struct stats *stats;
    /* Something may have become due: the owner steps INGEST_NEXT. */
    void (*poke)(void *data);
    void *data;
    /* What a call of the same index waits with for the database. */
    struct uploads_slot {
        struct uploads *uploads;
        struct rpc_call *call;
        struct upload_plan plan; /* Begin; else only the id. */
        struct range piece;      /* Part. */
    } slots[RPC_CALLS_MAX];
};

/* Prepare the statements and put the unfinished uploads into the core:
 * blocking, before the loop runs. pg, ingest and stats are lent for ever. */
LOA_MUST_CHECK int uploads_open(struct uploads *s);

/* Requests; each ends in an answer. plan and r are lent for the call. */
void uploads_begin(struct uploads *s,
                   struct rpc_call *call,
                   const struct upload_plan *plan);
void uploads_part(struct uploads *s,
                  struct rpc_call *call,
                  const struct wire_request *r);
/* How far is it, for whoever may see the upload's area? */
void uploads_find(struct uploads *s,
                  struct rpc_call *call,
                  const uint8_t id[LOA_ID_BYTES]);

/* Notes in the upload's row, in a batch of their own; done as pg_commit(). */
LOA_MUST_CHECK int uploads_note_encoding(struct uploads *s,
                                         const uint8_t id[LOA_ID_BYTES],
                                         unsigned attempts_n,
                                         pg_done_cb done,
                                         void *data);
LOA_MUST_CHECK int uploads_note_failed(struct uploads *s,
                                       const uint8_t id[LOA_ID_BYTES],
                                       int code,
                                       const char *vi,
                                       const char *en,
                                       pg_done_cb done,
                                       void *data);
LOA_MUST_CHECK int uploads_note_dropped(struct uploads *s,
                                        const uint8_t id[LOA_ID_BYTES]);

/* Add to the current batch: the upload has become that content. */
LOA_MUST_CHECK int uploads_done(struct uploads *s,
                                const uint8_t id[LOA_ID_BYTES],
                                const uint8_t hash[LOA_HASH_BYTES]);

/* The next parts from at_byte on, at most UPLOADS_PAGE_PARTS: columns at_byte,
 * data. A batch of its own. */
#define UPLOADS_PAGE_PARTS 8
LOA_MUST_CHECK int uploads_read(struct uploads *s,
                                const uint8_t id[LOA_ID_BYTES],
                                int64_t after_byte,
                                pg_rows_cb rows,
                                void *data);

/* What to tell somebody whose batch failed: the disk is full, the database is
 * busy, or it refused. */
enum refusal uploads_refusal(const struct pg *pg, int status);

#endif /* LOA_CONTENT_IO_UPLOADS_H */
