#include "topics.h"

#include <string.h>

/* FNV-1a. Topics that crowd one place cost their own publisher's deliveries
 * what every delivery would cost without this table. */
static size_t place(const char *topic)
{
    uint64_t x = UINT64_C(0xcbf29ce484222325);

    for (; *topic != '\0'; topic++)
        x = (x ^ (uint8_t)*topic) * UINT64_C(0x100000001b3);
    return (size_t)(x >> 32) & (TOPICS_MAX - 1);
}

static bool is(const struct topics_entry *e, const char *topic)
{
    return e->number != 0 && e->topic.text[0] != '\0' &&
           strcmp(e->topic.text, topic) == 0;
}

const struct topics_entry *topics_find(struct topics *t, const char *topic)
{
    struct topics_entry *e = t->last;

    if (e != NULL && is(e, topic))
        return e;
    e = &t->entries[place(topic)];
    if (!is(e, topic)) {
        rights_topic_set(&e->topic, topic);
        e->number = ++t->last_number;
    }
    t->last = e;
    return e;
}

void topics_renumber(struct topics *t)
{
    for (size_t i = 0; i < TOPICS_MAX; i++)
        t->entries[i].number = 0;
}
