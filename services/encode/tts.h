/* tts.h -- a voice: text in, samples out. Engines stand behind this.
 *
 * io_espeak.c is the one that is always there. Another engine is another such
 * struct; it runs in a child process (io_speech.c), so it may be as large and
 * as careless with memory as engines are. */

#ifndef LOA_ENCODE_TTS_H
#define LOA_ENCODE_TTS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

/* Takes n mono samples; anything but 0 stops the speech. */
typedef int (*tts_pcm_cb)(const int16_t *samples, size_t n, void *data);

struct tts {
    /* Load a voice: language is one of vi, vi-central, vi-south, en.
     * LOA_ENOENT: no such language, or its data is not installed. LOA_ESYS:
     * the engine failed. */
    int (*open)(struct tts *t,
                const char *language,
                unsigned rate_wpm,
                unsigned *rate_hz);
    /* Say NFC UTF-8 text, which ends in NUL; the callback runs inside the call.
     * LOA_ESYS: the engine failed, or the callback stopped it. */
    int (*speak)(struct tts *t, const char *text, tts_pcm_cb cb, void *data);
    void (*close)(struct tts *t);
};

/* espeak-ng, in this process. One at a time: the library is global. */
struct tts *tts_espeak(void);

#endif /* LOA_ENCODE_TTS_H */
