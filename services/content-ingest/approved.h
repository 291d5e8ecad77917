/* approved.h -- which contents of a programme an approver has signed for.
 *
 * Whoever holds a scheduler's key can name any content; only what somebody with
 * CONTENT_APPROVE signed gets a place in needs.h. Devices judge the same, so
 * nothing is lost that could sound. */

#ifndef LOA_CONTENT_APPROVED_H
#define LOA_CONTENT_APPROVED_H

#include "content-ingest/wire.h"

/* Take out of *p, the programme of the area, every content that none of its
 * approvals is good for. What the area is known to need already was judged when
 * it came. Judged once, so an approver's clock that is ahead must not count
 * twice: at now, or at issued_at_ms, when the scheduler signed it and judged
 * the approvals too, if that is later. arena is the one in which *p lies; what
 * it holds stays. Returns how many went. */
size_t approved_keep(const struct needs *n,
                     const char *area,
                     struct loa_trust *trust,
                     struct loa_arena *arena,
                     int64_t now_at_ms,
                     int64_t issued_at_ms,
                     struct wire_programme *p);

#endif /* LOA_CONTENT_APPROVED_H */
