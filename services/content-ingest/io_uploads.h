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
    /* As upload_rows_open() asks. */
    bool (*stopped)(void *data, const uint8_t id[LOA_ID_BYTES]);
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
 * blocking, before the loop runs. What the fields above slots point to is lent
 * for the life of *s. */
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

#endif /* LOA_CONTENT_IO_UPLOADS_H */
