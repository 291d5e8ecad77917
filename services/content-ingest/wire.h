/* wire.h -- bytes to plain structs: requests, programmes, wants, manifests.
 *
 * Every length and range of what a peer sent is checked here, once; the
 * sentence for what is wrong comes along. Pointers lie in the arena or in the
 * bytes given. */

#ifndef LOA_CONTENT_WIRE_H
#define LOA_CONTENT_WIRE_H

#include "content-ingest/ingest.h"
#include "content-ingest/needs.h"
#include "content-ingest/want.h"
#include "proto/arena.h"
#include "proto/trust.h"

#define WIRE_PROGRAMME_BULLETINS_MAX 128
#define WIRE_PROGRAMME_APPROVALS_MAX 128
#define WIRE_STARTS_MAX 64
#define WIRE_MANIFEST_LEN_MAX 1024
#define WIRE_CURSOR_CAP 96
#define FIND_LIMIT_MAX 50
#define FIND_LIMIT_DEFAULT 20

enum wire_request_type {
    WIRE_UPLOAD_BEGIN,
    WIRE_UPLOAD_PART,
    WIRE_FIND,
    WIRE_APPROVE,
    WIRE_DELETE,
    WIRE_EXPORT,
};

struct wire_find {
    bool by_hash, by_upload; /* Neither: a list. */
    uint8_t content_hash[LOA_HASH_BYTES];
    uint8_t upload_id[LOA_ID_BYTES];
    char under[LOA_AREA_CAP]; /* "" is the asker's own area. */
    /* The list goes on behind this one: newest first, then by hash. */
    int64_t after_us; /* INT64_MAX: from the start. */
    uint8_t after_hash[LOA_HASH_BYTES];
    unsigned limit; /* 1..FIND_LIMIT_MAX */
};

struct wire_request {
    enum wire_request_type type;
    struct upload_plan plan;      /* UPLOAD_BEGIN; principal is the caller's,
                                     area "" the asker's own. */
    uint8_t id[LOA_ID_BYTES];     /* UPLOAD_PART */
    struct range range;           /* UPLOAD_PART */
    struct loa_bytes data;        /* UPLOAD_PART, APPROVE (the envelope) */
    struct wire_find find;        /* FIND */
    uint8_t hash[LOA_HASH_BYTES]; /* DELETE, EXPORT */
    uint64_t offset;              /* EXPORT */
};

/* Take a ContentRequest apart; REFUSE_NOTHING or what is wrong with it. The
 * arena needs 2 * len + 4,096 bytes. */
enum refusal wire_request(struct loa_arena *arena,
                          struct loa_bytes p,
                          struct wire_request *r);

/* "<microseconds>-<hash>", the cursor of lists. */
void wire_cursor(int64_t at_us,
                 const uint8_t hash[LOA_HASH_BYTES],
                 char out[WIRE_CURSOR_CAP]);

/* A Want. LOA_EINVAL: malformed. device and area are the caller's. */
LOA_MUST_CHECK int wire_want(struct loa_arena *arena,
                             struct loa_bytes p,
                             struct want_message *m);

struct wire_programme {
    uint64_t version;
    size_t items_n;
    struct need_item items[NEED_PROGRAMME_MAX];
    /* In the arena; approved.h says which contents they are good for. */
    size_t approvals_n, certificates_n;
    struct loa_bytes approvals[WIRE_PROGRAMME_APPROVALS_MAX];
    struct loa_bytes certificates[LOA_CERTIFICATES_EXTRA_MAX];
};

/* The body of a PROGRAMME envelope: which contents are still needed at now.
 * expires_at_ms is the envelope's. LOA_EINVAL: malformed. */
LOA_MUST_CHECK int wire_programme(struct loa_arena *arena,
                                  struct loa_bytes p,
                                  int64_t now_at_ms,
                                  int64_t expires_at_ms,
                                  struct wire_programme *out);

/* What a content is: the fields of ContentManifest. */
struct wire_manifest {
    uint8_t content_hash[LOA_HASH_BYTES];
    enum media media;
    const char *title, *language;
    uint8_t stream_key[LOA_KEY_BYTES];
    uint32_t packets_n, frames_n, duration_ms, pre_skip;
    uint64_t bytes;
    int32_t loudness_lufs_x100, true_peak_dbtp_x100;
    uint8_t source_hash[LOA_HASH_BYTES];
};

/* Write an encoded ContentManifest. */
void wire_manifest(const struct wire_manifest *m,
                   uint8_t buf[WIRE_MANIFEST_LEN_MAX],
                   size_t *len);

/* The content hash of an encoded manifest; LOA_EINVAL: malformed. */
LOA_MUST_CHECK int wire_manifest_hash(struct loa_arena *arena,
                                      struct loa_bytes p,
                                      uint8_t hash[LOA_HASH_BYTES]);

#endif /* LOA_CONTENT_WIRE_H */
