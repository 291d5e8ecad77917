/* io_limits.h -- the worker puts itself on a leash before it opens anything.
 *
 * Decoders of other people's formats are where hostile files strike: no new
 * privileges, no core dump, bounded memory, CPU time and file size. Limits are
 * only ever lowered. Children (ffmpeg, the voice) inherit them. */

#ifndef LOA_ENCODE_IO_LIMITS_H
#define LOA_ENCODE_IO_LIMITS_H

#include <stdint.h>

#include "encode/verdict.h"

#define LIMITS_MEMORY_MAX (1024ull << 20) /* Bytes. */
#define LIMITS_CPU_S_MIN 60
#define LIMITS_FILE_LEN_MIN (1ull << 20) /* Bytes. */

/* What the job at hand may need beside those: CPU seconds, at worst the sound's
 * own length, and bytes of output. */
struct limits {
    unsigned cpu_s;
    uint64_t file_len;
};

/* Call first. in_path is named by the sentence that a signal leaves behind. */
int limits_set(const char *in_path, struct limits more, struct verdict *v);

/* Ends the worker with one sentence and ENCODE_NO_MEMORY. */
_Noreturn void limits_no_memory(void);

#endif /* LOA_ENCODE_IO_LIMITS_H */
