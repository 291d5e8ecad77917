/* io_list.h -- rows of contents and their approvals become one answer. */

#ifndef LOA_CONTENT_IO_LIST_H
#define LOA_CONTENT_IO_LIST_H

#include "content-ingest/io_contents.h"

/* Was the approval's signer revoked since, or whoever certified the signer?
 * What cannot be read counts as revoked. principal: the signer, "" of what
 * cannot be read or has no chain. */
bool list_revoked(struct contents *s,
                  struct loa_bytes approval,
                  char principal[LOA_PRINCIPAL_CAP]);

/* Answer with at most limit contents, and with as many as fit into an answer;
 * what is left follows behind the answer's `next`. res: content_hash, manifest,
 * area, submitted_by, submitted_at, deleting, created_us, needing areas (parted
 * by blanks), approval or NULL; the rows of a content stand together. Approvals
 * of who was revoked are left out, their names are told. */
void list_answer(struct contents *s,
                 struct rpc_call *call,
                 const PGresult *res,
                 unsigned limit);

#endif /* LOA_CONTENT_IO_LIST_H */
