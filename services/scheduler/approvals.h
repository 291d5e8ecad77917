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

/* The certificates that lead from somebody to the root: rows. */
struct approvals_chain {
    uint32_t rows[LOA_CERTIFICATES_MAX];
    uint32_t n;
};

/* Packed, as a column: each certificate after its length, two bytes, the high
 * one first. */
#define APPROVALS_CHAIN_BYTES_MAX \
    (LOA_CERTIFICATES_MAX * (LOA_CERTIFICATE_BYTES_MAX + 2))

struct approval {
    uint8_t id[LOA_HASH_BYTES]; /* Hash of the envelope as handed in. */
    uint8_t content_hash[LOA_HASH_BYTES];
    uint32_t duration_ms;
    char title[APPROVAL_TITLE_CAP];
    char area[LOA_AREA_CAP]; /* What it was approved for. */
    char approver[LOA_PRINCIPAL_CAP];
    uint8_t key[LOA_KEY_BYTES]; /* The approver's. */
    int64_t issued_at_ms;
    int64_t expires_at_ms; /* Of envelope or certificate, the earlier. */
    size_t len;
    uint8_t bytes[APPROVAL_BYTES_MAX];
    struct approvals_chain chain; /* Certificates up from the approver. */
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

/* Hold those of certificates[] that lead up from key. LOA_EBUSY: no room. */
LOA_MUST_CHECK int approvals_take_chain(struct approvals *a,
                                        const uint8_t key[LOA_KEY_BYTES],
                                        const struct loa_bytes certificates[],
                                        size_t certificates_n,
                                        struct approvals_chain *chain);
void approvals_drop_chain(struct approvals *a, struct approvals_chain *chain);

/* The length of what was packed into buf. */
size_t approvals_pack_chain(const struct approvals *a,
                            const struct approvals_chain *chain,
                            uint8_t buf[APPROVALS_CHAIN_BYTES_MAX]);

/* Hold what was packed. LOA_EINVAL: it was not; LOA_EBUSY: no room. */
LOA_MUST_CHECK int approvals_restore_chain(struct approvals *a,
                                           struct loa_bytes packed,
                                           struct approvals_chain *chain);

/* Is a link of the chain of that certificate (issuer, serial) revoked, so that
 * no way leads up from it any more? Dates are not judged. */
bool approvals_chain_revoked(struct approvals *a,
                             const struct approvals_chain *chain,
                             const uint8_t issuer[LOA_KEY_BYTES],
                             uint64_t serial);

#endif /* LOA_SCHEDULER_APPROVALS_H */
