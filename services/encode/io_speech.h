/* io_speech.h -- text as a source: prepared here, spoken in a child. */

#ifndef LOA_ENCODE_IO_SPEECH_H
#define LOA_ENCODE_IO_SPEECH_H

#include "encode/config.h"
#include "encode/io_child.h"
#include "encode/source.h"
#include "encode/tts.h"

struct speech {
    struct source source;
    const struct config *config;
    struct tts *tts;
    char *text; /* Laid out, abbreviations replaced. */
    size_t len;
    struct child child;
    uint64_t read_n; /* Samples since start(). */
};

/* Read and prepare the text of c->in; everything is lent until speech_free(),
 * which is due only after success. 0 or the verdict's code. */
int speech_init(struct speech *s, const struct config *c, struct verdict *v);
void speech_free(struct speech *s);

#endif /* LOA_ENCODE_IO_SPEECH_H */
