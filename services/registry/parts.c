#include "registry/parts.h"

#include <stdio.h>
#include <string.h>

static int judge(const struct part *p, struct refusal *why)
{
    if (p->parts_n < 1 || p->parts_n > PARTS_N_MAX || p->part >= p->parts_n)
        return refuse(why, REFUSAL_INVALID,
                      "Phần %u trên %u không hợp lệ: một tệp có 1 đến %d phần.",
                      "Part %u of %u is not valid: a file has 1 to %d parts.",
                      p->part, p->parts_n, PARTS_N_MAX);
    if (p->csv.len == 0 || p->csv.len > PART_LEN_MAX)
        return refuse(why, REFUSAL_TOO_LARGE,
                      "Phần %u có %zu byte; mỗi phần có 1 đến %d byte.",
                      "Part %u has %zu bytes; a part has 1 to %d bytes.",
                      p->part, p->csv.len, PART_LEN_MAX);
    return LOA_OK;
}

static struct parts_import *find(struct parts *s,
                                 const uint8_t id[LOA_ID_BYTES])
{
    for (size_t i = 0; i < IMPORTS_MAX; i++)
        if (s->imports[i].used &&
            memcmp(s->imports[i].id, id, LOA_ID_BYTES) == 0)
            return &s->imports[i];
    return NULL;
}

/* The place of the owner's import before (a client that gave up begins again),
 * a free one, or that of the import that has been idle longest. */
static struct parts_import *make_room(struct parts *s,
                                      const char *owner,
                                      int64_t now_ms)
{
    struct parts_import *free_one = NULL, *oldest = &s->imports[0];

    for (size_t i = 0; i < IMPORTS_MAX; i++) {
        struct parts_import *p = &s->imports[i];

        if (p->used && strcmp(p->owner, owner) == 0)
            return p;
        if (!p->used)
            free_one = p;
        if (p->touched_at_ms < oldest->touched_at_ms)
            oldest = p;
    }
    if (free_one != NULL)
        return free_one;
    return now_ms - oldest->touched_at_ms >= IMPORT_IDLE_MS ? oldest : NULL;
}

static struct parts_import *begin(struct parts *s,
                                  const struct part *p,
                                  const char *owner,
                                  int64_t now_ms,
                                  const uint8_t **dropped)
{
    static uint8_t dropped_id[LOA_ID_BYTES];
    struct parts_import *i = make_room(s, owner, now_ms);

    if (i == NULL)
        return NULL;
    if (i->used) {
        memcpy(dropped_id, i->id, sizeof dropped_id);
        *dropped = dropped_id;
    }
    parts_drop(i);
    i->used = true;
    memcpy(i->id, p->import_id, sizeof i->id);
    i->parts_n = p->parts_n;
    i->valid_from_ms = p->valid_from_ms;
    snprintf(i->owner, sizeof i->owner, "%s", owner);
    return i;
}

int parts_take(struct parts *s,
               const struct part *p,
               const char *owner,
               int64_t now_ms,
               struct parts_import **import,
               const uint8_t **dropped,
               struct refusal *why)
{
    struct parts_import *i = find(s, p->import_id);

    *dropped = NULL;
    if (judge(p, why) != LOA_OK)
        return LOA_EINVAL;
    if (i != NULL &&
        (strcmp(i->owner, owner) != 0 || i->parts_n != p->parts_n ||
         i->valid_from_ms != p->valid_from_ms))
        return refuse(why, REFUSAL_CONFLICT,
                      "Phần này không khớp với các phần trước; hãy nhập lại "
                      "tệp từ đầu.",
                      "This part does not fit the parts before it; import the "
                      "file again.");
    if (i == NULL)
        i = begin(s, p, owner, now_ms, dropped);
    if (i == NULL)
        return refuse(why, REFUSAL_BUSY,
                      "Đang có %d tệp khác được nhập; hãy thử lại sau.",
                      "%d other files are being imported; try again later.",
                      IMPORTS_MAX);
    i->touched_at_ms = now_ms;
    if (!i->have[p->part]) {
        memcpy(i->text + (size_t)p->part * PART_LEN_MAX, p->csv.data,
               p->csv.len);
        i->lens[p->part] = (uint32_t)p->csv.len;
        i->have[p->part] = true;
        i->have_n++;
    }
    *import = i;
    return LOA_OK;
}

bool parts_whole(const struct parts_import *i)
{
    return i->have_n == i->parts_n;
}

struct loa_bytes parts_text(const struct parts_import *i, uint32_t part)
{
    return (struct loa_bytes){i->text + (size_t)part * PART_LEN_MAX,
                              i->lens[part]};
}

void parts_drop(struct parts_import *i)
{
    i->used = false;
    i->have_n = 0;
    memset(i->have, 0, sizeof i->have);
}
