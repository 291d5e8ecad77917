#include "left.h"

#include <string.h>

void left_add(struct left *l, const char *name, int64_t now_ms)
{
    struct left_holder *h = &l->holders[0];

    for (size_t i = 0; i < LEFT_HOLDERS_MAX; i++) {
        struct left_holder *at = &l->holders[i];

        if (strcmp(at->name, name) == 0) {
            h = at;
            break;
        }
        if (at->last_ms < h->last_ms)
            h = at;
    }
    if (strcmp(h->name, name) != 0) {
        memset(h, 0, sizeof *h);
        strcpy(h->name, name);
    }
    h->last_ms = h->at_ms[h->next] = now_ms;
    h->next = (h->next + 1) % LEFT_MAX;
}

bool left_many(const struct left *l, const char *name, int64_t now_ms)
{
    for (size_t i = 0; i < LEFT_HOLDERS_MAX; i++) {
        const struct left_holder *h = &l->holders[i];
        int64_t oldest_ms = h->at_ms[h->next];

        /* A clock that was set back must not keep anybody out. */
        if (strcmp(h->name, name) == 0)
            return oldest_ms != 0 && oldest_ms <= now_ms &&
                   now_ms - oldest_ms < LEFT_KEEP_MS;
    }
    return false;
}
