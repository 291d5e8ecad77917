/* wills.h -- whose will was refused, so that its author can be told.
 *
 * The broker shows a will to nobody before it fires, and then its client is
 * gone: there is no answer left that could carry a reason. So the principal is
 * noted, and the next login of the principal is refused once. */

#ifndef LOA_AUTH_WILLS_H
#define LOA_AUTH_WILLS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/topic.h"

#define WILLS_MAX 256        /* Noted at once; then the oldest gives way. */
#define WILLS_KEEP_MS 600000 /* Afterwards it is forgotten. */
#define WILLS_TOPIC_CAP 128  /* Of a topic that is any text, its beginning. */

struct wills_note {
    int64_t until_ms; /* 0: free. */
    char principal[LOA_PRINCIPAL_CAP];
    char topic[WILLS_TOPIC_CAP];
};

/* All zero is empty. */
struct wills {
    struct wills_note notes[WILLS_MAX];
};

/* The principal of a client id: what stands before its "-". */
void wills_principal(const char *client_id, char out[LOA_PRINCIPAL_CAP]);

/* Of one principal the last will is noted. */
void wills_add(struct wills *w,
               const char *principal,
               const char *topic,
               int64_t now_ms);

/* Has this one something to be told? Then *topic has the topic, and it is
 * forgotten: the next time there is nothing. */
bool wills_take(struct wills *w,
                const char *principal,
                int64_t now_ms,
                char topic[WILLS_TOPIC_CAP]);

#endif /* LOA_AUTH_WILLS_H */
