#include "wills.h"

#include <string.h>

static void copy(char *out, size_t cap, const char *text, size_t len)
{
    if (len >= cap)
        len = cap - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

void wills_principal(const char *client_id, char out[LOA_PRINCIPAL_CAP])
{
    copy(out, LOA_PRINCIPAL_CAP, client_id, strcspn(client_id, "-"));
}

void wills_add(struct wills *w,
               const char *principal,
               const char *topic,
               int64_t now_ms)
{
    struct wills_note *n = &w->notes[0];

    for (size_t i = 0; i < WILLS_MAX; i++) {
        struct wills_note *at = &w->notes[i];

        if (at->until_ms != 0 && strcmp(at->principal, principal) == 0) {
            n = at;
            break;
        }
        if (at->until_ms < n->until_ms)
            n = at;
    }
    n->until_ms = now_ms + WILLS_KEEP_MS;
    copy(n->principal, sizeof n->principal, principal, strlen(principal));
    copy(n->topic, sizeof n->topic, topic, strlen(topic));
}

bool wills_take(struct wills *w,
                const char *principal,
                int64_t now_ms,
                char topic[WILLS_TOPIC_CAP])
{
    for (size_t i = 0; i < WILLS_MAX; i++) {
        struct wills_note *n = &w->notes[i];
        bool told = n->until_ms > now_ms;

        if (n->until_ms == 0 || strcmp(n->principal, principal) != 0)
            continue;
        memcpy(topic, n->topic, sizeof n->topic);
        memset(n, 0, sizeof *n);
        return told;
    }
    return false;
}
