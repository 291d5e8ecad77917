/* encode.h -- the two passes from a source to frames.
 *
 * Pass 1 measures loudness; pass 2 applies gain, limits, encodes, and measures
 * again what a listener would hear. When the codec has raised a peak over the
 * ceiling or the limiter has eaten loudness, pass 2 is repeated corrected, at
 * most ENCODE_PASSES_MAX times. Files and processes are behind the source and
 * the sink. */

#ifndef LOA_ENCODE_ENCODE_H
#define LOA_ENCODE_ENCODE_H

#include <stdbool.h>

#include "encode/codec.h"
#include "encode/source.h"

#define ENCODE_PASSES_MAX 4
/* What is measured this much off the target is corrected once more. */
#define ENCODE_LUFS_TOLERANCE 0.2
#define ENCODE_PEAK_TOLERANCE_DB 0.05
/* The limiter stays so much under the ceiling for the codec's own peaks. */
#define ENCODE_CODEC_MARGIN_DB 0.5
/* More would turn the hiss of a nearly silent recording into a bulletin. */
#define ENCODE_GAIN_DB_MAX 30.0
#define ENCODE_GAIN_DB_MIN (-120.0)

struct encode_params {
    unsigned bitrate; /* bit/s */
    double lufs;
    double true_peak_dbtp;
    unsigned duration_s_max;
};

/* Where frames go. Each returns 0 or the verdict's code. */
struct encode_sink {
    /* Begin again with an empty file. */
    int (*begin)(struct encode_sink *s, struct verdict *v);
    int (*frame)(struct encode_sink *s,
                 const uint8_t *frame,
                 size_t frame_len,
                 struct verdict *v);
    /* 0..1000, never falling. */
    void (*progress)(struct encode_sink *s, unsigned permille);
};

/* Things that are not errors and that the sender should be told. */
enum encode_note {
    ENCODE_NOTE_UNMEASURED = 1,  /* Silent or under 0.4 s: gain is 0 dB. */
    ENCODE_NOTE_GAIN_CAPPED = 2, /* So quiet that it stays under the target. */
    ENCODE_NOTE_LIMITED = 4,     /* So peaky that it stays off the target. */
};

struct encode_result {
    struct frames_header header;
    struct loudness loudness; /* Of the decoded frames. */
    double gain_db;
    unsigned passes_n; /* Of pass 2. */
    unsigned notes;    /* Of enum encode_note. */
    uint8_t hash[LOA_HASH_BYTES];
};

/* Run all passes. The source is started afresh for each and left open. 0 or
 * the verdict's code. */
int encode_run(const struct encode_params *params,
               struct source *source,
               struct encode_sink *sink,
               struct encode_result *result,
               struct verdict *v);

#endif /* LOA_ENCODE_ENCODE_H */
