/* topics.h -- the topics of the last publications, taken apart and numbered.
 *
 * A publication has as many deliveries as subscribers, and the next one is
 * often on a topic that was there a moment ago. A number stands for one text
 * and is given once: who was allowed to read number 7 need not be judged again
 * for it, and numbers that were given out can all be made worthless at once. */

#ifndef LOA_AUTH_TOPICS_H
#define LOA_AUTH_TOPICS_H

#include "rights.h"

#define TOPICS_MAX 256 /* Remembered; a power of two. */

struct topics_entry {
    uint64_t number; /* 0: none yet. */
    struct rights_topic topic;
};

/* All zero is empty. */
struct topics {
    uint64_t last_number;
    struct topics_entry *last;
    struct topics_entry entries[TOPICS_MAX]; /* By hash; one each. */
};

/* The entry of this topic; its number is not 0, and stays the same until
 * topics_renumber() or until another topic has taken its place. */
const struct topics_entry *topics_find(struct topics *t, const char *topic);

/* No number that was given so far comes back. */
void topics_renumber(struct topics *t);

#endif /* LOA_AUTH_TOPICS_H */
