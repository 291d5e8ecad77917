/* io_list.h -- rows of contents and their approvals become one answer. */

#ifndef LOA_CONTENT_IO_LIST_H
#define LOA_CONTENT_IO_LIST_H

#include "common/pg.h"
#include "common/rpc.h"

/* Answer with at most limit contents, and with as many as fit into an answer;
 * what is left follows behind the answer's `next`. res: content_hash, manifest,
 * area, submitted_by, submitted_at, deleting, created_us, needing areas (parted
 * by blanks), approval or NULL; the rows of a content stand together. */
void list_answer(struct rpc_call *call, const PGresult *res, unsigned limit);

#endif /* LOA_CONTENT_IO_LIST_H */
