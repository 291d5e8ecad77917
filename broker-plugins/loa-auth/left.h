/* left.h -- whose sessions outlive their connections.
 *
 * Nothing of Loa needs that, and each costs the broker its will besides: 65 KB,
 * for an hour, or with a delayed will until the delay is over, 136 years. A
 * device can have one, as it has one client id; people and services make up
 * theirs, and devices that want to be enrolled have as many as they make keys.
 * So it is counted how many a holder left behind within an hour. */

#ifndef LOA_AUTH_LEFT_H
#define LOA_AUTH_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/topic.h"

#define LEFT_MAX 32             /* Of one holder. */
#define LEFT_KEEP_MS 3600000    /* Then one is forgotten. */
#define LEFT_HOLDERS_MAX 256    /* Then the one that was quiet longest. */
#define LEFT_ENROLLING "@enrol" /* One holder: all who want to be enrolled. */

/* All zero is empty. */
struct left {
    struct left_holder {
        char name[LOA_PRINCIPAL_CAP]; /* "": free. */
        unsigned next;                /* Oldest of at_ms. */
        int64_t last_ms;
        int64_t at_ms[LEFT_MAX]; /* Wall time. */
    } holders[LEFT_HOLDERS_MAX];
};

/* One more of this holder. */
void left_add(struct left *l, const char *name, int64_t now_ms);

/* Has this holder left so many that it may not make up another client id? */
bool left_many(const struct left *l, const char *name, int64_t now_ms);

#endif /* LOA_AUTH_LEFT_H */
