/* io_jobs_steps.h -- the steps of a job, one file each, and its ends. Private
 * to io_jobs*.c. */

#ifndef LOA_CONTENT_IO_JOBS_STEPS_H
#define LOA_CONTENT_IO_JOBS_STEPS_H

#include "content-ingest/io_jobs.h"

#define JOBS_PREFIX "job-"      /* Of our files in the work directory. */
#define JOBS_STOPPED "stopped-" /* And the upload: see io_jobs.c. */
#define JOBS_PAGE_LEN_MAX ((size_t)UPLOAD_PAGE_PARTS * UPLOAD_PART_LEN_MAX)
/* An array of packets, each with its length, behind its header. */
#define JOBS_SLICE_LEN_MAX \
    (JOB_SLICE_PACKETS * (LOA_PACKET_BYTES_MAX + 4) + (size_t)20)
/* Of the progress that senders see, the encoder has the first part. */
#define JOBS_ENCODER_PERMILLE 900

/* Each step ends in the next one or in an end of the job. */

/* io_jobs_source.c: the parts of the upload into a file. */
void job_source(struct job *j);
/* io_jobs_encode.c: the worker. */
void job_encode(struct job *j);
/* io_jobs_store.c: signed packets, and the content. */
void job_store(struct job *j);

/* Prepare the statements, and leave to the sweeper what killed jobs stored. */
LOA_MUST_CHECK int job_store_open(struct pg *pg);
/* The job has failed: leave to the sweeper what it stored, if anything. */
void job_store_abandon(struct job *j);

/* io_jobs.c: ends. Nothing of *j may be used afterwards. */
void job_end(struct job *j, enum ingest_event_type event);
void job_fail(struct job *j, enum refusal r);
void job_fail_as(struct job *j, const struct refusal_text *why);
/* The database refused: a full disk is worth waiting for, a bug is not. */
void job_fail_db(struct job *j, int status);
/* Free everything but the slot itself. */
void job_clean(struct job *j);

#endif /* LOA_CONTENT_IO_JOBS_STEPS_H */
