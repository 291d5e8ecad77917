/* Memory runs out in the broker's plugin while somebody logs in: refused, and
 * without a session. With memory again he gets in. */

#include "gate_rig.h"
#include "test/oom/oom.h"

static char password[LOA_PASSWORD_CAP];

static void run_login(bool may_fail)
{
    struct login_request r = {&clients[0], "lan", "lan", password, NOW};
    const struct loa_bytes none = {NULL, 0};
    const char *why;
    bool was = oom_pause();

    gate_gone(g, &clients[0]);
    memset(g->seen.sets, 0, sizeof g->seen.sets);
    oom_resume(was);
    why = gate_login(g, &r);
    assert(why == NULL || may_fail);
    assert((session_find(&g->sessions, &clients[0]) != NULL) == (why == NULL));
    was = oom_pause();
    memset(g->seen.sets, 0, sizeof g->seen.sets);
    CHECK_INT("afterwards", login(&clients[1], &lan, 0) == NULL, 1);
    CHECK_INT("writes", write_to(&clients[2], PROGRAMME, none, true) == GATE_OK,
              0);
    oom_resume(was);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    if (sodium_init() < 0)
        return 1;
    people();
    setup();
    person_login(&lan, &(struct login_twist){0}, 1, password);
    oom_case("log in", run_login);
    oom_report("loa-auth");
    return CHECK_DONE();
}
