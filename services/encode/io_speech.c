#include "encode/io_speech.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode/dictionary.h"
#include "encode/io_input.h"
#include "encode/text.h"

/* A dictionary may make a text longer, not without bounds. */
#define GROWTH_MAX 8
#define EXIT_NO_VOICE 3
#define EXIT_NO_SPEECH 4
/* To guess the length: a byte of Vietnamese takes about so long to say. */
#define BYTE_MS 60
#define BLOCK 1024 /* Samples. */

/* --- in the child --------------------------------------------------------- */

static int write_all(const void *bytes, size_t n)
{
    size_t at = 0;

    while (at < n) {
        ssize_t done = write(STDOUT_FILENO, (const char *)bytes + at, n - at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        at += (size_t)done;
    }
    return 0;
}

static int on_samples(const int16_t *samples, size_t n, void *data)
{
    (void)data;
    return write_all(samples, n * sizeof *samples);
}

static int write_pause(unsigned ms, unsigned rate_hz)
{
    static const int16_t silence[BLOCK];
    size_t left = (size_t)ms * rate_hz / 1000;

    while (left > 0) {
        size_t n = left < BLOCK ? left : BLOCK;

        if (write_all(silence, n * sizeof silence[0]) != 0)
            return -1;
        left -= n;
    }
    return 0;
}

/* Say everything into the pipe: the sample rate first, then samples. */
static int speak_all(void *data)
{
    struct speech *s = data;
    unsigned rate_hz = 0, pause_ms;
    const char *piece;
    size_t at = 0;
    int rv = s->tts->open(s->tts, s->config->language, s->config->rate_wpm,
                          &rate_hz);

    if (rv != LOA_OK)
        return rv == LOA_ENOENT ? EXIT_NO_VOICE : EXIT_NO_SPEECH;
    if (write_all(&rate_hz, sizeof rate_hz) != 0)
        return EXIT_NO_SPEECH;
    while (text_next(s->text, s->len, &at, &piece, &pause_ms)) {
        if (s->tts->speak(s->tts, piece, on_samples, NULL) != LOA_OK ||
            write_pause(pause_ms, rate_hz) != 0)
            return EXIT_NO_SPEECH;
    }
    s->tts->close(s->tts);
    return 0;
}

/* --- in the worker -------------------------------------------------------- */

static int check_end(struct speech *s, struct verdict *v)
{
    int code = child_wait(&s->child);

    if (code == 0)
        return ENCODE_OK;
    if (code == EXIT_NO_VOICE)
        return refuse(v, ENCODE_NO_VOICE,
                      "there is no voice for language %s; choose vi, "
                      "vi-central, vi-south or en, and see that espeak-ng-data "
                      "is installed",
                      s->config->language);
    if (code == ENCODE_NO_MEMORY)
        return refuse(v, ENCODE_NO_MEMORY, "out of memory while speaking");
    return refuse(
        v, ENCODE_FAILED,
        "the speech engine failed (%s %d) after %.1f s of speech",
        code >= 256 ? "signal" : "exit", code & 255,
        s->source.rate_hz == 0 ? 0.0 : (double)s->read_n / s->source.rate_hz);
}

static void stop(struct source *source)
{
    child_stop(&((struct speech *)source)->child);
}

static int start(struct source *source, struct verdict *v)
{
    struct speech *s = (struct speech *)source;
    unsigned rate_hz = 0;

    stop(source);
    s->read_n = 0;
    if (child_start(&s->child, speak_all, s) != 0)
        return refuse(v, ENCODE_FAILED, "the speech engine does not start: %s",
                      strerror(errno));
    if (child_read(&s->child, &rate_hz, sizeof rate_hz) !=
        (ssize_t)sizeof rate_hz)
        rate_hz = 0;
    if (rate_hz < SOURCE_RATE_HZ_MIN || rate_hz > SOURCE_RATE_HZ_MAX) {
        int code = check_end(s, v);

        return code != ENCODE_OK
                   ? code
                   : refuse(v, ENCODE_FAILED, "the speech engine said nothing");
    }
    source->rate_hz = rate_hz;
    source->samples_hint = (uint64_t)s->len * BYTE_MS * rate_hz / 1000;
    return ENCODE_OK;
}

static int read_mono(struct source *source,
                     float *mono,
                     size_t n,
                     size_t *got,
                     struct verdict *v)
{
    struct speech *s = (struct speech *)source;
    int16_t block[BLOCK];

    *got = 0;
    while (*got < n) {
        size_t want = n - *got < BLOCK ? n - *got : BLOCK;
        ssize_t len = child_read(&s->child, block, want * sizeof block[0]);

        if (len < 0)
            return refuse(v, ENCODE_FAILED, "the speech cannot be read: %s",
                          strerror(errno));
        for (size_t i = 0; i < (size_t)len / sizeof block[0]; i++)
            mono[(*got)++] = (float)block[i] / 32768.0f;
        s->read_n += (size_t)len / sizeof block[0];
        if ((size_t)len < want * sizeof block[0])
            return check_end(s, v);
    }
    return ENCODE_OK;
}

/* --- preparing the text --------------------------------------------------- */

/* A file as NFC text; the caller frees it. */
static int load(const char *path,
                size_t len_max,
                char **text,
                size_t *len,
                struct verdict *v)
{
    struct input in;
    char *bytes;
    size_t bytes_len, at;
    int rv, code = input_open(&in, path, v);

    if (code != ENCODE_OK)
        return code;
    code = input_read(&in, len_max, &bytes, &bytes_len, v);
    input_close(&in);
    if (code != ENCODE_OK)
        return code;
    if (text_check_utf8(bytes, bytes_len, &at) != LOA_OK) {
        code = refuse(v, ENCODE_TEXT_BAD,
                      "it is not UTF-8 text: see byte %zu (0x%02x); save it "
                      "as UTF-8",
                      at, (unsigned char)bytes[at]);
    } else {
        rv = text_normalise(bytes, bytes_len, text, len);
        if (rv != LOA_OK)
            code = refuse(v, ENCODE_NO_MEMORY, "out of memory for its text");
    }
    free(bytes);
    return code;
}

static int apply(struct speech *s,
                 const struct dictionary *d,
                 struct verdict *v)
{
    size_t size = s->len * GROWTH_MAX + DICTIONARY_SPOKEN_LEN_MAX;
    char *out = malloc(size);
    size_t len;

    if (out == NULL)
        return refuse(v, ENCODE_NO_MEMORY, "out of memory for its text");
    if (dictionary_apply(d, s->text, s->len, out, size, &len) != LOA_OK) {
        free(out);
        return refuse(v, ENCODE_TEXT_LONG,
                      "with its abbreviations spoken out it is over %d times "
                      "as long; shorten it",
                      GROWTH_MAX);
    }
    free(s->text);
    s->text = out;
    s->len = len;
    return ENCODE_OK;
}

static int replace(struct speech *s, struct verdict *v)
{
    const char *path = s->config->dictionary;
    struct dictionary *d;
    unsigned line;
    char *text;
    size_t len;
    int rv;

    if (load(path, DICTIONARY_FILE_LEN_MAX, &text, &len, v) != ENCODE_OK) {
        struct verdict why = *v;

        return refuse(v, ENCODE_DICTIONARY, "the dictionary %.200s: %.250s",
                      path, why.text);
    }
    d = malloc(sizeof *d);
    if (d == NULL) {
        free(text);
        return refuse(v, ENCODE_NO_MEMORY, "out of memory for the dictionary");
    }
    rv = dictionary_parse(d, text, len, &line);
    if (rv != LOA_OK)
        rv = refuse(v, ENCODE_DICTIONARY,
                    rv == LOA_ENOSPC
                        ? "the dictionary %.200s has too many entries, see "
                          "line %u"
                        : "the dictionary %.200s, line %u: it is no "
                          "abbreviation, tab and spoken words, or a second "
                          "entry for the same",
                    path, line);
    else
        rv = apply(s, d, v);
    free(d);
    free(text);
    return rv;
}

int speech_init(struct speech *s, const struct config *c, struct verdict *v)
{
    int code;

    memset(s, 0, sizeof *s);
    s->source.start = start;
    s->source.read = read_mono;
    s->source.close = stop;
    s->config = c;
    s->tts = tts_espeak();
    code = load(c->in, c->text_len_max, &s->text, &s->len, v);
    if (code != ENCODE_OK)
        return code;
    if (!text_speakable(s->text, s->len)) {
        code = refuse(v, ENCODE_TEXT_EMPTY,
                      "there is nothing to say in it: no letter, no digit");
    } else {
        s->len = text_lay_out(s->text, s->len);
        if (c->dictionary[0] != '\0')
            code = replace(s, v);
    }
    if (code != ENCODE_OK)
        speech_free(s);
    return code;
}

void speech_free(struct speech *s)
{
    free(s->text);
    s->text = NULL;
}
