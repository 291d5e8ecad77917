/* story.h -- a device that is connected, and what it is told: the beginning of
 * every story in the tests of the whole core.
 */

#ifndef LOA_TEST_STORY_H
#define LOA_TEST_STORY_H

#include "check.h"
#include "world.h"

static struct town town;
static struct world w;
static struct town_content speech, other, jingle;
static struct letter l;

/* A device that is connected, with the speech planned and complete. */
UNUSED static void ready(struct town_bulletin *b,
                         size_t n,
                         const struct twist *twist)
{
    world_init(&w, &town);
    world_boot(&w, NULL);
    world_connect(&w);
    town_programme(&town, NULL, (uint64_t)T0, b, n, twist, T0, &l);
    world_give(&w, "programme", NULL, false, &l, true);
    for (size_t i = 0; i < n; i++)
        world_push(&w, b[i].content, 0);
    world_run(&w, T0 + 1 * SECOND);
}

UNUSED static void publish(uint64_t version, struct town_bulletin *b, size_t n)
{
    town_programme(&town, NULL, version, b, n, NULL, world_at_ms(&w), &l);
    world_give(&w, "programme", NULL, false, &l, true);
}

UNUSED static void command(int percent,
                           uint8_t bulletin,
                           const char *device,
                           const struct twist *t)
{
    town_command(&town, percent, bulletin, device, t, world_at_ms(&w), &l);
    world_give(&w, "command", t != NULL ? t->area : NULL, false, &l, false);
}

/* When what is planned for T0 + 10 s is taken away, and what then is told. */
static const struct moment {
    const char *name;
    int64_t at_ms;
    enum receipt_event event;
} moments[] = {
    {"long before", T0 + 3000, RECEIPT_REFUSED},
    {"while it is prepared", T0 + 9500, RECEIPT_REFUSED},
    {"while it plays", T0 + 11000, RECEIPT_INTERRUPTED},
};
#define MOMENTS_N (sizeof moments / sizeof moments[0])

/* It was revoked just now. */
UNUSED static void check_revoked(const struct moment *m)
{
    CHECK_INT(m->name, speaker_sounding(&w.s), 0);
    world_run(&w, T0 + MINUTE);
    CHECK_INT(m->name, world_receipts(&w, 1, m->event, "revoked"), 1);
}

/* 0, or the libraries do not work. */
static int story_init(void)
{
    if (sodium_init() < 0)
        return -1;
    town_init(&town);
    town_content(&speech, 1, 150);
    town_content(&other, 2, 100);
    town_content(&jingle, 3, 30);
    return 0;
}

#endif /* LOA_TEST_STORY_H */
