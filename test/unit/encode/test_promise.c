/* Files that were cut off are known by their header or by their end. */

#include <string.h>

#include "check.h"
#include "encode/promise.h"

struct bytes {
    const uint8_t *at;
    size_t len;
};

static size_t at(void *data, uint64_t offset, uint8_t *buf, size_t n)
{
    const struct bytes *b = data;

    if (offset >= b->len)
        return 0;
    if (n > b->len - offset)
        n = (size_t)(b->len - offset);
    memcpy(buf, b->at + offset, n);
    return n;
}

#define ROW(name, text, rv, want)              \
    {                                          \
        name, text, sizeof(text) - 1, rv, want \
    }
#define FMT "fmt \4\0\0\0abcd"
#define DS64         \
    "ds64\x10\0\0\0" \
    "\0\0\0\0\0\0\0\0"
#define EBML "\x1a\x45\xdf\xa3\x81.\x18\x53\x80\x67"
#define PAGE(flags, body) \
    "OggS\0" flags "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\4" body

static const struct {
    const char *name, *text;
    size_t len;
    int rv;
    uint64_t want;
} rows[] = {
    ROW("nothing", "", LOA_OK, 0),
    ROW("something else", "fLaC............", LOA_OK, 0),
    ROW("WAV", "RIFF....WAVE" FMT "data\4\0\0\0....", LOA_OK, 0),
    ROW("WAV with more behind",
        "RIFF....WAVE" FMT "data\2\0\0\0..LIST",
        LOA_OK,
        0),
    ROW("WAV cut", "RIFF....WAVE" FMT "data\5\0\0\0....", LOA_ESTALE, 37),
    ROW("WAV cut behind its header",
        "RIFF....WAVE" FMT "data\4\0\0\0",
        LOA_ESTALE,
        36),
    ROW("WAV of unknown length",
        "RIFF....WAVEdata\xff\xff\xff\xff....",
        LOA_OK,
        0),
    ROW("WAV from a pipe", "RIFF....WAVEdata\x00\xf0\xff\x7f....", LOA_OK, 0),
    ROW("WAV without sound", "RIFF....WAVE" FMT, LOA_OK, 0),
    ROW("odd chunk before",
        "RIFF....WAVELIST\3\0\0\0abc\0data\4\0\0\0..",
        LOA_ESTALE,
        36),
    ROW("big-endian WAV", "RIFX....WAVEdata\0\0\0\5....", LOA_ESTALE, 25),
    ROW("RF64",
        "RF64\xff\xff\xff\xffWAVE" DS64
        "\4\0\0\0\0\0\0\0data\xff\xff\xff\xff....",
        LOA_OK,
        0),
    ROW("RF64 cut",
        "RF64\xff\xff\xff\xffWAVE" DS64
        "\0\0\0\0\1\0\0\0data\xff\xff\xff\xff....",
        LOA_ESTALE,
        (1ull << 32) + 44),
    ROW("RF64 beyond all numbers",
        "RF64\xff\xff\xff\xffWAVE" DS64 "\xff\xff\xff\xff\xff\xff\xff\xff"
        "data\xff\xff\xff\xff....",
        LOA_ESTALE,
        UINT64_MAX),
    ROW("AIFF", "FORM....AIFFSSND\0\0\0\4....", LOA_OK, 0),
    ROW("AIFC cut", "FORM....AIFCSSND\0\0\1\0....", LOA_ESTALE, 276),
    ROW("AU", ".snd\0\0\0\x18\0\0\0\4................", LOA_OK, 0),
    ROW("AU cut", ".snd\0\0\0\x18\0\0\0\5................", LOA_ESTALE, 29),
    ROW("AU of unknown length",
        ".snd\0\0\0\x18\xff\xff\xff\xff........",
        LOA_OK,
        0),
    ROW("AU the other way round",
        "dns.\x18\0\0\0\5\0\0\0................",
        LOA_ESTALE,
        29),
    ROW("Ogg", PAGE("\2", "abcd") PAGE("\4", "abcd"), LOA_OK, 0),
    ROW("Ogg, one page", PAGE("\6", "abcd"), LOA_OK, 0),
    ROW("Ogg without its last page",
        PAGE("\2", "abcd") PAGE("\0", "abcd"),
        LOA_ESTALE,
        0),
    ROW("Ogg cut in a page",
        PAGE("\2", "abcd") PAGE("\4", "abc"),
        LOA_ESTALE,
        0),
    ROW("Ogg cut in a header", PAGE("\2", "abcd") "OggS\0\4", LOA_ESTALE, 0),
    ROW("WebM", EBML "\x84....", LOA_OK, 0),
    ROW("WebM cut", EBML "\x40\x05....", LOA_ESTALE, 17),
    ROW("WebM, live", EBML "\x01\xff\xff\xff\xff\xff\xff\xff..", LOA_OK, 0),
    ROW("WebM, no size", EBML "\0.....", LOA_OK, 0),
    ROW("WebM cut in its size", EBML "\x01.....", LOA_OK, 0),
    ROW("EBML of something else", "\x1a\x45\xdf\xa3\x81.abcdefgh", LOA_OK, 0),
    ROW("EBML cut",
        "\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe",
        LOA_OK,
        0),
    ROW("Ogg with padding", PAGE("\6", "abcd") "....", LOA_OK, 0),
};

int main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes b = {(const uint8_t *)rows[i].text, rows[i].len};
        struct promise_file f = {at, &b, rows[i].len};
        uint64_t want = 77;

        CHECK_INT(rows[i].name, promise_check(&f, &want), rows[i].rv);
        CHECK_INT(rows[i].name, want, rows[i].want);
    }
    return CHECK_DONE();
}
