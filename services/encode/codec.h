/* codec.h -- samples to Opus frames, and back for measuring.
 *
 * Decoding what was just encoded shows loudness and true peak as listeners get
 * them: the codec adds peaks of its own that no measurement before it sees. */

#ifndef LOA_ENCODE_CODEC_H
#define LOA_ENCODE_CODEC_H

#include <ebur128.h>
#include <opus/opus.h>
#include <stdbool.h>

#include "encode/frames.h"
#include "encode/verdict.h"

/* What was measured; -HUGE_VAL where there is nothing to measure. */
struct loudness {
    double lufs;      /* Integrated, gated (EBU R 128). */
    double peak_dbtp; /* True peak (ITU-R BS.1770, four-fold). */
};

struct codec {
    OpusEncoder *encoder;
    OpusDecoder *decoder;
    ebur128_state *meter;
    uint16_t pre_skip;
    uint32_t decoded_n; /* Samples decoded, pre_skip included. */
};

int codec_open(struct codec *c, unsigned bitrate, struct verdict *v);
void codec_close(struct codec *c);

/* Encode LOA_FRAME_SAMPLES samples into frame, LOA_FRAME_BYTES_MAX bytes.
 * samples_n is the length of all sound so far, as in the header: beyond it a
 * decoded sample is padding and not measured. */
int codec_frame(struct codec *c,
                const float *samples,
                uint32_t samples_n,
                uint8_t *frame,
                size_t *frame_len,
                struct verdict *v);

/* Make a meter for mono at 48 kHz, of loudness alone or of true peaks, which
 * are dear, too; NULL: out of memory. */
ebur128_state *loudness_meter(bool peaks);
struct loudness loudness_read(ebur128_state *meter);

#endif /* LOA_ENCODE_CODEC_H */
