#include "encode/promise.h"

#include <stdbool.h>
#include <string.h>

#define OGG_PAGE_MAX 65307
#define OGG_PAGE_HEADER 27
#define OGG_SEGMENTS_MAX 255
#define OGG_LAST_PAGE 4
/* Writers to a pipe cannot know the length and put the largest number, or one a
 * header's length below it; nothing this large is a promise. */
#define LENGTH_UNKNOWN_MIN 0x7ffff000u

static bool read_at(const struct promise_file *f,
                    uint64_t offset,
                    uint8_t *buf,
                    size_t n)
{
    return f->at(f->data, offset, buf, n) == n;
}

static uint64_t number(const uint8_t *p, size_t n, bool little)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[little ? n - 1 - i : i];
    return v;
}

static int judge(const struct promise_file *f,
                 uint64_t start,
                 uint64_t len,
                 uint64_t *want)
{
    /* Compare before adding: the length of RF64 is any 64-bit number. */
    if (start <= f->size && len <= f->size - start)
        return LOA_OK;
    *want = len <= UINT64_MAX - start ? start + len : UINT64_MAX;
    return LOA_ESTALE;
}

/* WAV, RF64 and AIFF: chunks of id, u32 length, bytes, padded to even. */
static int check_chunks(const struct promise_file *f,
                        bool little,
                        const char *sound_id,
                        uint64_t *want)
{
    uint64_t offset = 12, sound_64 = 0;

    for (int i = 0; i < PROMISE_CHUNKS_MAX; i++) {
        uint8_t head[8], ds64[16];
        uint64_t len;

        if (!read_at(f, offset, head, sizeof head))
            return LOA_OK; /* No sound chunk: for the decoder to judge. */
        len = number(head + 4, 4, little);
        if (memcmp(head, "ds64", 4) == 0 &&
            read_at(f, offset + 8, ds64, sizeof ds64))
            sound_64 = number(ds64 + 8, 8, true);
        if (memcmp(head, sound_id, 4) == 0) {
            if (sound_64 != 0)
                return judge(f, offset + 8, sound_64, want);
            if (len >= LENGTH_UNKNOWN_MIN)
                return LOA_OK;
            return judge(f, offset + 8, len, want);
        }
        offset += 8 + len + (len & 1);
    }
    return LOA_OK;
}

/* Sun AU: u32 offset and u32 length of the sound, of either byte order. */
static int check_au(const struct promise_file *f,
                    const uint8_t *head,
                    bool little,
                    uint64_t *want)
{
    uint64_t len = number(head + 8, 4, little);

    if (len >= LENGTH_UNKNOWN_MIN)
        return LOA_OK;
    return judge(f, number(head + 4, 4, little), len, want);
}

/* Ogg: the file must end with a whole page that says it is the last. */
static int check_ogg(const struct promise_file *f, uint64_t *want)
{
    static const uint8_t capture[5] = {'O', 'g', 'g', 'S', 0};
    uint8_t tail[OGG_PAGE_MAX];
    size_t n = f->size < sizeof tail ? (size_t)f->size : sizeof tail;

    *want = 0;
    if (!read_at(f, f->size - n, tail, n))
        return LOA_ESTALE;
    for (size_t i = n; i-- > 0;) {
        size_t left = n - i, page_len = OGG_PAGE_HEADER;

        if (left < OGG_PAGE_HEADER || memcmp(tail + i, capture, 5) != 0)
            continue;
        page_len += tail[i + 26];
        if (left < page_len)
            return LOA_ESTALE;
        for (size_t k = 0; k < tail[i + 26]; k++)
            page_len += tail[i + OGG_PAGE_HEADER + k];
        if (left < page_len || !(tail[i + 5] & OGG_LAST_PAGE))
            return LOA_ESTALE;
        return LOA_OK;
    }
    return LOA_ESTALE;
}

/* An EBML number: as many bytes as the first one has leading zero bits, and
 * one; all bits set means unknown. False: unknown, cut off or no number. */
static bool ebml_size(const struct promise_file *f,
                      uint64_t *offset,
                      uint64_t *size)
{
    uint8_t bytes[8];
    size_t n = 1;

    if (!read_at(f, *offset, bytes, 1) || bytes[0] == 0)
        return false;
    while (!(bytes[0] & 0x80 >> (n - 1)))
        n++;
    if (!read_at(f, *offset, bytes, n))
        return false;
    *size = number(bytes, n, false) & ((1ull << 7 * n) - 1);
    *offset += n;
    return *size != (1ull << 7 * n) - 1;
}

/* Matroska and WebM: an EBML header, then one segment with everything. */
static int check_matroska(const struct promise_file *f, uint64_t *want)
{
    static const uint8_t segment[4] = {0x18, 0x53, 0x80, 0x67};
    uint64_t offset = 4, size;
    uint8_t id[4];

    if (!ebml_size(f, &offset, &size) || size > f->size)
        return LOA_OK;
    offset += size;
    if (!read_at(f, offset, id, sizeof id) || memcmp(id, segment, 4) != 0)
        return LOA_OK;
    offset += sizeof id;
    return ebml_size(f, &offset, &size) ? judge(f, offset, size, want) : LOA_OK;
}

int promise_check(const struct promise_file *f, uint64_t *want)
{
    static const uint8_t ebml[4] = {0x1a, 0x45, 0xdf, 0xa3};
    uint8_t head[12];

    *want = 0;
    if (!read_at(f, 0, head, sizeof head))
        return LOA_OK;
    if (memcmp(head + 8, "WAVE", 4) == 0 &&
        (memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RF64", 4) == 0))
        return check_chunks(f, true, "data", want);
    if (memcmp(head, "RIFX", 4) == 0 && memcmp(head + 8, "WAVE", 4) == 0)
        return check_chunks(f, false, "data", want);
    if (memcmp(head, "FORM", 4) == 0 && memcmp(head + 8, "AIF", 3) == 0)
        return check_chunks(f, false, "SSND", want);
    if (memcmp(head, ".snd", 4) == 0)
        return check_au(f, head, false, want);
    if (memcmp(head, "dns.", 4) == 0)
        return check_au(f, head, true, want);
    if (memcmp(head, "OggS", 4) == 0)
        return check_ogg(f, want);
    if (memcmp(head, ebml, sizeof ebml) == 0)
        return check_matroska(f, want);
    return LOA_OK;
}
