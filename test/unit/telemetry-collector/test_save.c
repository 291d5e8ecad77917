/* Rows of devices into the table: none is forgotten, none blocks the others. */

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "telemetry-collector/save.h"

#define MANY 1200

static struct device table[MANY];
static uint32_t slots[4096];
static struct presence p;
static struct save s;
static int written[MANY];

static void reset(int n)
{
    char id[16];

    memset(table, 0, sizeof table);
    memset(slots, 0, sizeof slots);
    memset(written, 0, sizeof written);
    presence_init(&p, table, MANY, slots, 4096);
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "d%d", i * 7919 % n);
        presence_touch(&p, id, "vn", 1);
    }
    save_init(&s, &p);
}

/* One batch against a database that refuses any with `bad` in it. */
static const struct device *batch(const struct device *bad)
{
    enum save_outcome outcome = SAVE_DONE;
    size_t n = save_take(&s);

    for (size_t i = 1; i < n; i++)
        CHECK_INT("in order", strcmp(s.rows[i - 1]->id, s.rows[i]->id) < 0, 1);
    for (size_t i = 0; i < n; i++)
        if (s.rows[i] == bad)
            outcome = SAVE_REFUSED;
    for (size_t i = 0; i < n && outcome == SAVE_DONE; i++)
        written[s.rows[i] - table]++;
    return n > 0 ? save_end(&s, outcome) : NULL;
}

static int written_n(void)
{
    int n = 0;

    for (int i = 0; i < MANY; i++)
        n += written[i] > 0;
    return n;
}

/* A failed batch lost the dirty marks of its rows. */
static void test_failed_batch_is_written_by_the_next(void)
{
    reset(3);
    CHECK_INT("taken", save_take(&s), 3);
    CHECK_INT("one at a time", save_take(&s), 0);
    CHECK_INT("nobody is given up", save_end(&s, SAVE_FAILED) == NULL, 1);
    CHECK_INT("all again", save_take(&s), 3);
    presence_touch(&p, "d1", "vn", 2); /* It speaks while it is written. */
    CHECK_INT("done", save_end(&s, SAVE_DONE) == NULL, 1);
    CHECK_INT("once more", save_take(&s), 1);
    CHECK_STR("it", s.rows[0]->id, "d1");
    save_end(&s, SAVE_DONE);
    CHECK_INT("nothing left", save_take(&s), 0);
}

static void test_everybody_has_a_turn(void)
{
    reset(MANY);
    for (int turn = 0; turn < 3; turn++) {
        batch(NULL);
        /* The first ones speak all the time. */
        for (int i = 0; i < SAVE_ROWS_MAX; i++)
            table[i].dirty = true;
    }
    CHECK_INT("all", written_n(), MANY);
}

static void test_refused_row_is_found(void)
{
    const struct device *bad = &table[777], *given_up = NULL;
    int batches = 0;

    reset(MANY);
    while (batches < 60 && written_n() < MANY - 1) {
        const struct device *d = batch(bad);
        if (d != NULL)
            given_up = d;
        batches++;
    }
    CHECK_INT("all others", written_n(), MANY - 1);
    CHECK_INT("given up", given_up == bad, 1);
    CHECK_INT("soon", batches < 40, 1);
    CHECK_INT("until it speaks", save_take(&s), 0);
    presence_touch(&p, bad->id, "vn", 2);
    CHECK_INT("again", save_take(&s), 1);
}

int main(void)
{
    test_failed_batch_is_written_by_the_next();
    test_everybody_has_a_turn();
    test_refused_row_is_found();
    return CHECK_DONE();
}
