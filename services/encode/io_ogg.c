#include "encode/io_ogg.h"

#include <ogg/ogg.h>
#include <opus/opus.h>
#include <stdio.h>
#include <string.h>

#include "encode/frames.h"
#include "encode/io_input.h"
#include "encode/io_output.h"
#include "encode/text.h"

#define HEAD_LEN 19
#define TAG_LEN_MAX 1024
#define TAGS_LEN_MAX 8192
/* A page a second lets players seek well and costs 1 % or so. */
#define PAGE_FRAMES (1000 / LOA_FRAME_MS)

static void put_le(uint8_t *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static int pages_write(ogg_stream_state *s,
                       int (*take)(ogg_stream_state *, ogg_page *),
                       struct output *o,
                       struct verdict *v)
{
    ogg_page page;

    while (take(s, &page) != 0) {
        int code = output_append(o, page.header, (size_t)page.header_len, v);

        if (code == ENCODE_OK)
            code = output_append(o, page.body, (size_t)page.body_len, v);
        if (code != ENCODE_OK)
            return code;
    }
    return ENCODE_OK;
}

static int packet_in(ogg_stream_state *s, ogg_packet *p, struct verdict *v)
{
    if (ogg_stream_packetin(s, p) != 0)
        return refuse(v, ENCODE_NO_MEMORY, "out of memory for an Ogg page");
    p->packetno++;
    return ENCODE_OK;
}

/* OpusHead: version 1, channels, pre-skip, rate of the original (48 kHz: ours
 * has been resampled), output gain 0, mapping family 0. */
static int head_write(ogg_stream_state *s,
                      const struct frames_header *h,
                      struct output *o,
                      struct verdict *v)
{
    uint8_t head[HEAD_LEN] = "OpusHead\1\1";
    ogg_packet p = {.packet = head, .bytes = HEAD_LEN, .b_o_s = 1};
    int code;

    head[9] = FRAMES_CHANNELS;
    put_le(head + 10, h->pre_skip, 2);
    put_le(head + 12, LOA_RATE_HZ, 4);
    code = packet_in(s, &p, v);
    return code != ENCODE_OK ? code : pages_write(s, ogg_stream_flush, o, v);
}

static size_t put_string(uint8_t *at, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);

    put_le(at, (uint32_t)(name_len + value_len), 4);
    memcpy(at + 4, name, name_len);
    memcpy(at + 4 + name_len, value, value_len);
    return 4 + name_len + value_len;
}

static int tags_write(ogg_stream_state *s,
                      const struct config *c,
                      struct output *o,
                      struct verdict *v)
{
    const struct {
        const char *name, *value;
    } tags[] = {{"TITLE=", c->title},
                {"ARTIST=", c->artist},
                {"DATE=", c->date},
                {"ENCODER=", "loa-encode"}};
    uint8_t buf[TAGS_LEN_MAX] = "OpusTags";
    size_t len = 8, count_at;
    ogg_packet p = {.packet = buf, .packetno = 1};
    uint32_t n = 0;
    int code;

    len += put_string(buf + len, "", opus_get_version_string());
    count_at = len;
    len += 4;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (tags[i].value[0] == '\0')
            continue;
        len += put_string(buf + len, tags[i].name, tags[i].value);
        n++;
    }
    put_le(buf + count_at, n, 4);
    p.bytes = (long)len;
    code = packet_in(s, &p, v);
    return code != ENCODE_OK ? code : pages_write(s, ogg_stream_flush, o, v);
}

/* A granule position counts the samples up to the end of a page, pre-skip
 * included; that of the last page says where the sound really ends. */
static int frames_write(ogg_stream_state *s,
                        struct frames_reader *r,
                        struct output *o,
                        struct verdict *v)
{
    ogg_packet p = {.packetno = 2};
    const uint8_t *frame;
    size_t len;
    int rv, code = ENCODE_OK;

    while ((rv = frames_next(r, &frame, &len)) == LOA_OK) {
        p.packet = (unsigned char *)frame; /* libogg copies it. */
        p.bytes = (long)len;
        p.granulepos += LOA_FRAME_SAMPLES;
        p.e_o_s = r->frames_left == 0;
        if (p.e_o_s)
            p.granulepos =
                (ogg_int64_t)r->header.duration_samples + r->header.pre_skip;
        code = packet_in(s, &p, v);
        if (code == ENCODE_OK)
            code = pages_write(s,
                               p.e_o_s || p.packetno % PAGE_FRAMES == 0
                                   ? ogg_stream_flush
                                   : ogg_stream_pageout,
                               o, v);
        if (code != ENCODE_OK)
            return code;
    }
    if (rv != LOA_ENOENT)
        return refuse(v, ENCODE_NOT_FRAMES,
                      "it is damaged: %u of %u frames can be read",
                      r->header.frames_n - r->frames_left, r->header.frames_n);
    return ENCODE_OK;
}

/* The same content always becomes the same file: its hash is the serial. */
static int serial(struct frames_reader r)
{
    uint8_t hash[LOA_HASH_BYTES];
    struct loa_content_hash state;
    const uint8_t *frame;
    size_t len;

    loa_content_hash_init(&state);
    while (frames_next(&r, &frame, &len) == LOA_OK)
        loa_content_hash_frame(&state, frame, len);
    loa_content_hash_final(&state, hash);
    return (int)(hash[0] << 16 | hash[1] << 8 | hash[2]);
}

static int file_write(const struct config *c,
                      const struct input *in,
                      struct frames_reader *r,
                      struct verdict *v)
{
    ogg_stream_state stream;
    struct output o;
    int code = output_open(&o, c->out, in, v);

    if (code != ENCODE_OK)
        return code;
    if (ogg_stream_init(&stream, serial(*r)) != 0) {
        output_abort(&o);
        return refuse(v, ENCODE_NO_MEMORY, "out of memory for an Ogg stream");
    }
    code = head_write(&stream, &r->header, &o, v);
    if (code == ENCODE_OK)
        code = tags_write(&stream, c, &o, v);
    if (code == ENCODE_OK)
        code = frames_write(&stream, r, &o, v);
    ogg_stream_clear(&stream);
    if (code == ENCODE_OK)
        return output_commit(&o, v);
    output_abort(&o);
    return code;
}

static int tags_check(const struct config *c, struct verdict *v)
{
    const char *tags[] = {c->title, c->artist, c->date};

    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        size_t at, len = strlen(tags[i]);

        if (len > TAG_LEN_MAX)
            return refuse(v, ENCODE_USAGE, "a tag is over %d bytes long",
                          TAG_LEN_MAX);
        if (text_check_utf8(tags[i], len, &at) != LOA_OK)
            return refuse(v, ENCODE_USAGE,
                          "a tag is not UTF-8: see its byte %zu", at);
    }
    return ENCODE_OK;
}

int ogg_export(const struct config *c, struct verdict *v)
{
    struct frames_reader reader;
    const uint8_t *bytes;
    struct input in;
    int code = tags_check(c, v);

    if (code == ENCODE_OK)
        code = input_open(&in, c->in, v);
    if (code != ENCODE_OK)
        return code;
    code = input_map(&in, &bytes, v);
    if (code == ENCODE_OK) {
        if (frames_open(&reader, bytes, in.size) != LOA_OK)
            code = refuse(v, ENCODE_NOT_FRAMES,
                          "it is no frames file of version %d", FRAMES_VERSION);
        else
            code = file_write(c, &in, &reader, v);
        input_unmap(&in, bytes);
    }
    input_close(&in);
    return code;
}
