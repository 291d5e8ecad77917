/* io_signers.h -- the table of signers, kept like the database. */

#ifndef LOA_CONTENT_IO_SIGNERS_H
#define LOA_CONTENT_IO_SIGNERS_H

#include "common/pg.h"
#include "content-ingest/signers.h"

/* Prepare statements and load who signed the programmes that are kept; what
 * those have signed who were revoked while we were away is deleted. Blocking,
 * before programmes are loaded. */
LOA_MUST_CHECK int signers_io_open(struct pg *pg,
                                   struct signers *signers,
                                   struct loa_trust *trust);

/* Add to the batch: the signer's row, before a programme's row names it. */
LOA_MUST_CHECK int signers_io_save(struct pg *pg, const struct signer *r);

#endif /* LOA_CONTENT_IO_SIGNERS_H */
