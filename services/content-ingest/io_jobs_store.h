/* io_jobs_store.h -- the transactions that make a content of a frames file. */

#ifndef LOA_CONTENT_IO_JOBS_STORE_H
#define LOA_CONTENT_IO_JOBS_STORE_H

#include "content-ingest/io_jobs.h"

/* Each packet with its length; the array's header. */
#define JOBS_SLICE_LEN_MAX \
    (JOB_SLICE_PACKETS * (LOA_PACKET_BYTES_MAX + 4) + (size_t)20)

/* Prepare the statements, and leave to the sweeper what killed jobs stored. */
LOA_MUST_CHECK int jobs_store_open(struct pg *pg);

/* Each is a batch; done as in pg_commit(). */

/* Announce the stream, so that its packets are found if we die. */
LOA_MUST_CHECK int jobs_store_begin(struct job *j, pg_done_cb done);

/* Sign and store the next JOB_SLICE_PACKETS packets. *more false: there were
 * none left, and done is not called. LOA_EINVAL: the frames file is malformed.
 */
LOA_MUST_CHECK int jobs_store_slice(struct job *j, pg_done_cb done, bool *more);

/* The content, unless it is there already; who submitted it; the upload's end.
 * Sets j->content_hash at once, stream_key and packets_n before done. */
LOA_MUST_CHECK int jobs_store_content(struct job *j, pg_done_cb done);

/* The job has failed: leave to the sweeper what it stored, if anything. */
void jobs_store_abandon(struct job *j);

#endif /* LOA_CONTENT_IO_JOBS_STORE_H */
