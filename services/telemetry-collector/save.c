#include "telemetry-collector/save.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void save_init(struct save *s, struct presence *presence)
{
    *s = (struct save){.presence = presence, .rows_max = SAVE_ROWS_MAX};
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct device *const *)a)->id,
                  (*(struct device *const *)b)->id);
}

size_t save_take(struct save *s)
{
    size_t n = s->presence->n;

    if (s->on_way)
        return 0;
    s->rows_n = 0;
    for (size_t i = 0; i < n && s->rows_n < s->rows_max; i++) {
        size_t at = (s->at + i) % n;
        struct device *d = &s->presence->devices[at];
        if (!d->dirty)
            continue;
        d->dirty = false;
        if (s->rows_n == 0)
            s->first = at;
        s->rows[s->rows_n++] = d;
        if (s->rows_n == s->rows_max)
            s->at = (at + 1) % n;
    }
    qsort(s->rows, s->rows_n, sizeof s->rows[0], by_id);
    s->on_way = s->rows_n > 0;
    return s->rows_n;
}

const struct device *save_end(struct save *s, enum save_outcome outcome)
{
    assert(s->on_way && s->rows_n > 0);
    s->on_way = false;
    if (outcome == SAVE_DONE) {
        s->rows_max *= 2;
        if (s->rows_max > SAVE_ROWS_MAX)
            s->rows_max = SAVE_ROWS_MAX;
        return NULL;
    }
    if (outcome == SAVE_REFUSED && s->rows_n == 1)
        return s->rows[0];
    for (size_t i = 0; i < s->rows_n; i++)
        s->rows[i]->dirty = true;
    if (outcome == SAVE_REFUSED) {
        s->rows_max = s->rows_n / 2;
        s->at = s->first;
    }
    return NULL;
}
