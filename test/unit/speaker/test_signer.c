/* The signer of what is held is judged again with every list of revocations. */

#include "story.h"

static struct person thief;

static void steal(void)
{
    person_make(&thief, &town.province, 15, LOA_ROLE_SERVICE, "scheduler_old",
                "vn/08", "scheduler", LOA_POWER_SCHEDULE | LOA_POWER_TIME);
}

static void publish_by(const struct person *by,
                       uint64_t version,
                       struct town_bulletin *b)
{
    struct twist t = {.by = by};

    town_programme(&town, NULL, version, b, 1, &t, world_at_ms(&w), &l);
    world_give(&w, "programme", NULL, false, &l, true);
}

static void revoke_thief(uint64_t number)
{
    town_trust(&town, number, &thief, world_at_ms(&w), &l);
    world_give(&w, "trust", "vn/08", false, &l, true);
}

/* Its last programme stayed until it expired, and its version, a day ahead,
 * held back honest ones as long. */
static void test_revoked_scheduler_keeps_its_programme(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct town_bulletin honest = {2, 0, &other, {T0 + MINUTE}, NULL, false};

    ready(&b, 1, NULL);
    world_push(&w, &other, 0);
    publish_by(&thief, (uint64_t)(T0 + 20 * HOUR), &b);
    CHECK_INT("believed", w.s.programmes.held[0]->version, T0 + 20 * HOUR);
    publish(T0 + 2, &honest, 1);
    CHECK_INT("held back", w.s.programmes.held[0]->version, T0 + 20 * HOUR);
    revoke_thief(1);
    CHECK_INT("dropped", w.s.programmes.held_n, 0);
    publish(T0 - 1, &honest, 1);
    CHECK_INT("what was older before still is", w.s.programmes.held_n, 0);
    publish(T0 + 2, &honest, 1);
    CHECK_INT("replaced", w.s.programmes.held[0]->version, T0 + 2);
    world_push(&w, &other, 0);
    world_run(&w, T0 + 2 * MINUTE);
    CHECK_INT("only the honest one", w.plays_n, world_plays(&w, 2));
    CHECK_INT("sounds", w.plays_n, 1);
    publish_by(&thief, (uint64_t)(T0 + 21 * HOUR), &b);
    CHECK_INT("not again", w.s.programmes.held[0]->version, T0 + 2);
}

static void test_revoked_scheduler_is_cut(void)
{
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};

    /* Long before, nobody is told: it is in no programme any more. */
    for (size_t i = 1; i < MOMENTS_N; i++) {
        ready(&b, 1, NULL);
        publish_by(&thief, (uint64_t)T0 + 1, &b);
        world_run(&w, moments[i].at_ms);
        revoke_thief(1);
        check_revoked(&moments[i]);
    }
}

/* The power failed between the list and the number, and once the programme had
 * expired before the list came: then it is the file that tells whose it was. */
static void test_revoked_scheduler_on_disk(void)
{
    static struct world_file memo;
    struct town_bulletin b = {1, 0, &speech, {T0 + 10 * SECOND}, NULL, false};
    struct twist brief = {.by = &thief, .valid_ms = MINUTE};

    for (int expired = 0; expired < 2; expired++) {
        world_init(&w, &town);
        world_boot(&w, NULL);
        world_connect(&w);
        town_programme(&town, NULL, (uint64_t)(T0 + 20 * HOUR), &b, 1, &brief,
                       T0, &l);
        world_give(&w, "programme", NULL, false, &l, true);
        memo = w.slots[SPEAKER_FILE_MEMO];
        if (!expired)
            revoke_thief(1);
        world_run(&w, T0 + (expired ? 2 * MINUTE : SECOND));
        world_kill(&w);
        w.slots[SPEAKER_FILE_MEMO] = memo;
        world_boot(&w, NULL);
        world_connect(&w);
        if (expired)
            revoke_thief(1);
        publish((uint64_t)T0 + 1, &b, 1);
        CHECK_INT("welcome", w.s.programmes.held_n, 1);
    }
}

int main(void)
{
    if (story_init() < 0)
        return 1;
    steal();
    test_revoked_scheduler_keeps_its_programme();
    test_revoked_scheduler_is_cut();
    test_revoked_scheduler_on_disk();
    return CHECK_DONE();
}
