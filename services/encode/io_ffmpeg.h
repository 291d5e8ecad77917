/* io_ffmpeg.h -- what libsndfile does not know, through ffmpeg in a pipe.
 *
 * ffmpeg may open nothing but this one file: only local protocols and only
 * formats that hold their own sound, no playlists that name other files. */

#ifndef LOA_ENCODE_IO_FFMPEG_H
#define LOA_ENCODE_IO_FFMPEG_H

#include <stdbool.h>

#include "encode/io_child.h"
#include "encode/source.h"

struct ffmpeg {
    struct source source;
    const char *path;
    const char *why; /* What libsndfile said before. */
    bool accept_truncated, truncated;
    unsigned duration_s_max;
    struct child child;
    uint64_t read_n; /* Samples since start(). */
};

/* path and why are lent. */
void ffmpeg_init(struct ffmpeg *f,
                 const char *path,
                 const char *why,
                 bool accept_truncated,
                 unsigned duration_s_max);

#endif /* LOA_ENCODE_IO_FFMPEG_H */
