/* io_contents.h -- finding, approving and deleting contents, for askers. */

#ifndef LOA_CONTENT_IO_CONTENTS_H
#define LOA_CONTENT_IO_CONTENTS_H

#include "common/pg.h"
#include "common/rpc.h"
#include "content-ingest/io_release.h"
#include "content-ingest/stats.h"
#include "content-ingest/wire.h"

#define CONTENT_APPROVALS_MAX 8 /* Valid ones that an answer shows. */
/* Looked at; more are not kept, although approvers may have been revoked. */
#define CONTENT_APPROVALS_KEPT_MAX 64
#define CONTENT_NEEDED_MAX 16 /* Areas that an answer names. */
/* A manifest and eight certificates; so many of them fit into an answer. */
#define CONTENT_APPROVAL_LEN_MAX 6900

struct contents {
    struct pg *pg;
    struct trustlist *trust;
    struct stats *stats;
    struct release *release;
    struct loa_arena *arena;  /* For one envelope at a time. */
    uint64_t delete_grace_ms; /* For what people are told. */
    /* What a call of the same index waits with for the database. */
    struct contents_slot {
        struct contents *contents;
        struct rpc_call *call;
        struct wire_find find;
        uint8_t hash[LOA_HASH_BYTES];
        uint8_t approval_id[LOA_HASH_BYTES];
        uint8_t manifest[WIRE_MANIFEST_LEN_MAX]; /* As approved. */
        size_t manifest_len;
        uint8_t envelope[CONTENT_APPROVAL_LEN_MAX];
        size_t envelope_len;
        char area[LOA_AREA_CAP];
        char approver[LOA_PRINCIPAL_CAP];
        int64_t expires_at_ms;
        enum refusal refusal;
        bool needed; /* A programme lists it. */
    } slots[RPC_CALLS_MAX];
};

/* Prepare the statements: blocking. */
LOA_MUST_CHECK int contents_open(struct contents *s);

/* Requests; each ends in an answer. Arguments are lent for the call. */
void contents_find(struct contents *s,
                   struct rpc_call *call,
                   const struct wire_find *find);
void contents_approve(struct contents *s,
                      struct rpc_call *call,
                      struct loa_bytes envelope);
void contents_delete(struct contents *s,
                     struct rpc_call *call,
                     const uint8_t hash[LOA_HASH_BYTES]);

#endif /* LOA_CONTENT_IO_CONTENTS_H */
