/* loa-encode -- a recording or a text becomes the frames that are broadcast.
 *
 * A program of its own, run by content-ingest for each file: what a hostile
 * file can bring down is this worker and nothing else. On standard output it
 * tells the parent how far it is,
 *
 *   progress <0..1000>
 *   note code=<word> text=<sentence>
 *   done frames=<n> duration_ms=<n> lufs=<x.x> peak_dbtp=<x.x> pre_skip=<n>
 *        bytes=<n> gain_db=<x.x> passes=<n> truncated=<0|1> hash=<64 hex>
 *
 * (one line each); a refusal is one sentence on standard error and one of the
 * exit codes of verdict.h. lufs and peak_dbtp are those of the decoded frames,
 * `-inf` where there is nothing to measure. */

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode/config.h"
#include "encode/encode.h"
#include "encode/io_ffmpeg.h"
#include "encode/io_limits.h"
#include "encode/io_ogg.h"
#include "encode/io_output.h"
#include "encode/io_show.h"
#include "encode/io_sound.h"
#include "encode/io_speech.h"

struct file_sink {
    struct encode_sink sink;
    struct output output;
};

static int on_begin(struct encode_sink *sink, struct verdict *v)
{
    static const uint8_t later[FRAMES_HEADER_LEN];
    struct output *o = &((struct file_sink *)sink)->output;
    int code = output_rewind(o, v);

    return code != ENCODE_OK ? code : output_append(o, later, sizeof later, v);
}

static int on_frame(struct encode_sink *sink,
                    const uint8_t *frame,
                    size_t frame_len,
                    struct verdict *v)
{
    struct output *o = &((struct file_sink *)sink)->output;
    uint8_t len[FRAMES_LEN_LEN];
    int code;

    frames_len_put(len, frame_len);
    code = output_append(o, len, sizeof len, v);
    return code != ENCODE_OK ? code : output_append(o, frame, frame_len, v);
}

static void on_progress(struct encode_sink *sink, unsigned permille)
{
    (void)sink;
    printf("progress %u\n", permille);
    fflush(stdout);
}

static void tell(const struct encode_result *r, uint64_t bytes, bool truncated)
{
    char hash[2 * LOA_HASH_BYTES + 1];

    if (truncated)
        printf(
            "note code=truncated text=the file was cut off or damaged; "
            "only its beginning was taken\n");
    if (r->notes & ENCODE_NOTE_UNMEASURED)
        printf(
            "note code=unmeasured text=too short or too silent to measure "
            "its loudness; it was left as loud as it is\n");
    if (r->notes & ENCODE_NOTE_GAIN_CAPPED)
        printf(
            "note code=gain_capped text=so quiet that it stays below the "
            "wanted loudness even %.0f dB louder\n",
            ENCODE_GAIN_DB_MAX);
    if (r->notes & ENCODE_NOTE_LIMITED)
        printf(
            "note code=limited text=its peaks keep it off the wanted "
            "loudness\n");
    sodium_bin2hex(hash, sizeof hash, r->hash, sizeof r->hash);
    printf("done frames=%" PRIu32 " duration_ms=%" PRIu64
           " lufs=%.1f peak_dbtp=%.1f pre_skip=%u bytes=%" PRIu64
           " gain_db=%.1f passes=%u truncated=%d hash=%s\n",
           r->header.frames_n,
           (uint64_t)r->header.duration_samples * 1000 / LOA_RATE_HZ,
           r->loudness.lufs, r->loudness.peak_dbtp, r->header.pre_skip, bytes,
           r->gain_db, r->passes_n, truncated, hash);
}

/* Source to OUT. *truncated is read after the source has been. */
static int encode(const struct config *c,
                  const struct input *in,
                  struct source *source,
                  const bool *truncated,
                  struct verdict *v)
{
    const struct encode_params params = {c->bitrate, c->lufs, c->true_peak_dbtp,
                                         c->duration_s_max};
    struct file_sink s = {.sink = {on_begin, on_frame, on_progress}};
    uint8_t header[FRAMES_HEADER_LEN];
    struct encode_result result;
    int code = output_open(&s.output, c->out, in, v);

    if (code != ENCODE_OK)
        return code;
    code = encode_run(&params, source, &s.sink, &result, v);
    source->close(source);
    if (code == ENCODE_OK) {
        frames_header_put(header, &result.header);
        code = output_head(&s.output, header, sizeof header, v);
    }
    if (code == ENCODE_OK)
        code = output_commit(&s.output, v);
    else
        output_abort(&s.output);
    if (code == ENCODE_OK)
        tell(&result, s.output.len, *truncated);
    return code;
}

static int check_whole(const struct config *c,
                       const struct input *in,
                       bool *truncated,
                       struct verdict *v)
{
    uint64_t want;

    *truncated = input_truncated(in, &want);
    if (!*truncated || c->accept_truncated)
        return ENCODE_OK;
    if (want == 0)
        return refuse(v, ENCODE_TRUNCATED,
                      "it is cut off: its last page is missing after %" PRIu64
                      " bytes; copy it again, or take what is there with "
                      "--accept-truncated",
                      in->size);
    return refuse(v, ENCODE_TRUNCATED,
                  "it is cut off: its header promises %" PRIu64
                  " bytes, %" PRIu64
                  " are there; copy it again, or take what is there with "
                  "--accept-truncated",
                  want, in->size);
}

static int audio_from(const struct config *c,
                      const struct input *in,
                      struct verdict *v)
{
    static struct sound sound;
    static struct ffmpeg ffmpeg;
    const char *why;
    bool truncated;
    int code = check_whole(c, in, &truncated, v);

    if (code != ENCODE_OK)
        return code;
    if (sound_probe(in, &why)) {
        sound_init(&sound, in, c->accept_truncated, c->duration_s_max);
        sound.truncated = truncated;
        return encode(c, in, &sound.source, &sound.truncated, v);
    }
    ffmpeg_init(&ffmpeg, c->in, why, c->accept_truncated, c->duration_s_max);
    ffmpeg.truncated = truncated;
    return encode(c, in, &ffmpeg.source, &ffmpeg.truncated, v);
}

static int audio(const struct config *c, struct verdict *v)
{
    struct input in;
    int code = input_open(&in, c->in, v);

    if (code != ENCODE_OK)
        return code;
    code = audio_from(c, &in, v);
    input_close(&in);
    return code;
}

static int text(const struct config *c, struct verdict *v)
{
    static const bool truncated = false;
    static struct speech speech;
    struct input in;
    int code = input_open(&in, c->in, v);

    if (code != ENCODE_OK)
        return code;
    code = speech_init(&speech, c, v);
    if (code == ENCODE_OK) {
        code = encode(c, &in, &speech.source, &truncated, v);
        speech_free(&speech);
    }
    input_close(&in);
    return code;
}

static struct limits limits(const struct config *c)
{
    if (c->command == COMMAND_EXPORT || c->command == COMMAND_SHOW)
        return (struct limits){0, (uint64_t)FRAMES_N_MAX * LOA_FRAME_BYTES_MAX};
    /* Constrained VBR keeps near its mean; twice that is no honest file. */
    return (struct limits){c->duration_s_max,
                           (uint64_t)c->duration_s_max * c->bitrate / 8 * 2};
}

static int run(const struct config *c, struct verdict *v)
{
    int code = limits_set(c->in, limits(c), v);

    if (code != ENCODE_OK)
        return code;
    if (sodium_init() < 0)
        return refuse(v, ENCODE_FAILED, "libsodium does not start");
    switch (c->command) {
        case COMMAND_AUDIO:
            return audio(c, v);
        case COMMAND_TEXT:
            return text(c, v);
        case COMMAND_EXPORT:
            return ogg_export(c, v);
        default:
            return show_run(c->in, c->json, v);
    }
}

int main(int argc, char **argv)
{
    struct verdict v = {ENCODE_OK, ""};
    struct config c;
    int code = config_load(&c, argc, argv, &v);

    if (code == ENCODE_OK && c.command == COMMAND_HELP) {
        config_help();
        return EXIT_SUCCESS;
    }
    if (code == ENCODE_OK)
        code = run(&c, &v);
    if (code == ENCODE_OK)
        return EXIT_SUCCESS;
    if (c.in != NULL)
        fprintf(stderr, "loa-encode: %s: %s\n", c.in, v.text);
    else
        fprintf(stderr, "loa-encode: %s\n", v.text);
    return code;
}
