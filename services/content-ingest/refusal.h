/* refusal.h -- every reason for which a request or a job is refused: the code
 * that programs act on, and one sentence in Vietnamese and in English that says
 * what is wrong and what to do. */

#ifndef LOA_CONTENT_REFUSAL_H
#define LOA_CONTENT_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

/* The values are those of loa.v1.Status.Code. */
enum refusal_code {
    REFUSAL_INVALID = 1,
    REFUSAL_NOT_ALLOWED = 2,
    REFUSAL_NOT_FOUND = 3,
    REFUSAL_CONFLICT = 4,
    REFUSAL_TOO_LARGE = 8,
    REFUSAL_BUSY = 9,
    REFUSAL_FAILED = 10,
    REFUSAL_EXPIRED = 11,
    REFUSAL_REVOKED = 12,
    REFUSAL_IN_USE = 13,
};

enum refusal {
    REFUSE_NOTHING,
    REFUSE_REQUEST,
    REFUSE_ROLE,
    REFUSE_UPLOAD_ID,
    REFUSE_MEDIA,
    REFUSE_TITLE,
    REFUSE_LANGUAGE,
    REFUSE_FILE_NAME,
    REFUSE_AREA,
    REFUSE_AREA_OUTSIDE,
    REFUSE_EMPTY,
    REFUSE_AUDIO_SIZE,
    REFUSE_TEXT_SIZE,
    REFUSE_UPLOADS_FULL,
    REFUSE_UPLOADS_MINE,
    REFUSE_QUOTA_MINE,
    REFUSE_QUOTA_ALL,
    REFUSE_SPACE,
    REFUSE_DATABASE_FULL,
    REFUSE_DATABASE_BUSY,
    REFUSE_DATABASE,
    REFUSE_UPLOAD_UNKNOWN,
    REFUSE_UPLOAD_OTHER,
    REFUSE_UPLOAD_DIFFERENT,
    REFUSE_UPLOAD_BEGINNING,
    REFUSE_PART_SIZE,
    REFUSE_PART_BEYOND,
    REFUSE_PART_SCATTERED,
    REFUSE_HASH,
    REFUSE_CONTENT_UNKNOWN,
    REFUSE_APPROVAL_MALFORMED,
    REFUSE_APPROVAL_POWER,
    REFUSE_APPROVAL_AREA,
    REFUSE_APPROVAL_EXPIRED,
    REFUSE_APPROVAL_REVOKED,
    REFUSE_APPROVAL_SIGNATURE,
    REFUSE_APPROVAL_DIFFERENT,
    REFUSE_APPROVALS_FULL,
    REFUSE_DELETE_POWER,
    REFUSE_IN_USE,
    REFUSE_SCHEDULER_SILENT,
    REFUSE_EXPORT_OFFSET,
    REFUSE_EXPORT_BUSY,
    REFUSE_EXPORT_FAILED,
    REFUSE_CURSOR,
    REFUSE_TEXT_NUL,
    REFUSE_GAVE_UP,
    REFUSE_ENCODER_MISSING,
    REFUSE_ENCODER_TIME,
    REFUSE_ENCODER_DIED,
    REFUSE_ENCODER_OUTPUT,
    REFUSE_WORK_DIR,
    REFUSALS_N,
};

struct refusal_text {
    enum refusal_code code;
    const char *vi, *en;
};

/* Static. r is not REFUSE_NOTHING. */
const struct refusal_text *refusal_text(enum refusal r);

#define REFUSAL_WORKER_LEN_MAX 1024 /* With the terminating 0. */

/* What the sender is told when loa-encode has refused a file. */
struct refusal_worker {
    enum refusal_code code;
    const char *vi; /* Static. */
    char en[REFUSAL_WORKER_LEN_MAX];
    bool again; /* Not the file's fault: try once more, later. */
};

/* exit_code is the worker's; said is what it wrote to standard error (its last
 * line counts, without "loa-encode: <path>: " in front). */
void refusal_worker(int exit_code,
                    const char *said,
                    struct refusal_worker *out);

#endif /* LOA_CONTENT_REFUSAL_H */
