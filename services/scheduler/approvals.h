/* approvals.h -- the approvals that scheduled contents rest on.
 *
 * Each approval and each certificate is kept once, however many bulletins need
 * it, in the form in which programmes carry them: the envelope without
 * certificates, and the certificates of its chain beside it. */

#ifndef LOA_SCHEDULER_APPROVALS_H
#define LOA_SCHEDULER_APPROVALS_H

#include "proto/trust.h"
#include "scheduler/rows.h"

#define APPROVAL_NONE ROW_NONE
#define APPROVAL_ENVELOPE_MAX 8192 /* As handed in. */
#define APPROVAL_BYTES_MAX 2048    /* Without certificates. */
#define APPROVAL_MANIFEST_MAX 1024
#define APPROVAL_TITLE_CAP 201

struct approval {
    uint8_t id[LOA_HASH_BYTES]; /* Hash of the envelope as handed in. */
    uint8_t content_hash[LOA_HASH_BYTES];
    uint32_t duration_ms;
    char title[APPROVAL_TITLE_CAP];
    char area[LOA_AREA_CAP]; /* What it was approved for. */
    char approver[LOA_PRINCIPAL_CAP];
    uint8_t key[LOA_KEY_BYTES]; /* The approver's. */
    int64_t expires_at_ms;      /* Of envelope or certificate, the earlier. */
    size_t len;
    uint8_t bytes[APPROVAL_BYTES_MAX];
    uint32_t certificates[LOA_CERTIFICATES_MAX]; /* Rows. */
    uint32_t certificates_n;
    uint32_t refs_n;
    uint32_t stamp;       /* The caller's, to count each once. */
    uint32_t judged_pass; /* The caller's: when verdict was found. */
    enum loa_verdict verdict;
};

struct certificate_row {
    size_t len;
    uint8_t bytes[LOA_CERTIFICATE_BYTES_MAX];
    uint32_t refs_n;
    uint32_t stamp;
};

#define APPROVALS_SCRATCH (4 * APPROVAL_ENVELOPE_MAX + 32768)

struct approvals {
    struct rows index, certificate_index;
    struct approval *rows;
    struct certificate_row *certificates;
    struct loa_trust *trust; /* Lent. */
    struct loa_arena arena;
    uint8_t *scratch;
};

/* LOA_ENOMEM. approvals_close() is harmless after a failure, and twice. */
LOA_MUST_CHECK int approvals_init(struct approvals *a,
                                  struct loa_trust *trust,
                                  uint32_t approvals_max,
                                  uint32_t certificates_max);
void approvals_close(struct approvals *a);

/* Believe an APPROVAL envelope and hold it: *row has one more reference, which
 * approvals_drop() gives back. *verdict says what trust thinks of it.
 * LOA_EACCES: not believed. LOA_EINVAL: believed, but no manifest that could
 * be scheduled. LOA_EBUSY: no room. */
LOA_MUST_CHECK int approvals_take(struct approvals *a,
                                  struct loa_bytes envelope,
                                  int64_t now_ms,
                                  enum loa_verdict *verdict,
                                  uint32_t *row);

/* As approvals_take() for what was believed once and stored: without asking
 * trust, since certificates may have expired after the last occurrence. */
LOA_MUST_CHECK int approvals_restore(struct approvals *a,
                                     struct loa_bytes envelope,
                                     uint32_t *row);

void approvals_hold(struct approvals *a, uint32_t row);
void approvals_drop(struct approvals *a, uint32_t row);

/* Is it still to be believed? */
enum loa_verdict approvals_judge(struct approvals *a,
                                 uint32_t row,
                                 int64_t now_ms);

#endif /* LOA_SCHEDULER_APPROVALS_H */
