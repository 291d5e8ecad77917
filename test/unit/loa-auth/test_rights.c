/* The table, row by row, as the design has it. */

#include <string.h>

#include "broker-plugins/loa-auth/rights.h"
#include "check.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct rights_holder holder(enum loa_role role,
                                   const char *service,
                                   uint32_t powers,
                                   const char *area,
                                   const char *principal)
{
    struct rights_holder h = {.role = role, .powers = powers};

    strcpy(h.service, service);
    strcpy(h.area, area);
    strcpy(h.principal, principal);
    rights_grant(&h);
    return h;
}

/* --- by hand -------------------------------------------------------------- */

#define DEVICE LOA_ROLE_DEVICE, "", 0
#define STAFF LOA_ROLE_STAFF, "", 0
#define CHIEF LOA_ROLE_STAFF, "", LOA_POWER_COMMAND
#define SERVICE(name) LOA_ROLE_SERVICE, name, 0
#define NEW RIGHTS_ROLE_ENROLLING, "", 0
#define SUB 's' /* May subscribe to the filter. */
#define PUB 'p' /* May publish, not retained. */
#define RET 'r' /* May publish retained. */

/* clang-format off */
static const struct row {
    enum loa_role role; const char *service; uint32_t powers;
    const char *area, *principal;
    char what;
    const char *topic;
    bool want;
} rows[] = {
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/programme/vn/08/070/02215", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/rpc/reply/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/#", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/02215/#", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/02215/@pole2", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/09", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/down/+/vn/08/070/0221", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/up/state/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", SUB, "loa/1/rpc/+/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", RET, "loa/1/up/state/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/health/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", RET, "loa/1/up/health/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/receipt/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/want/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/feedback/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/state/vn/08/070/02215/@other", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/state/vn/08/070/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/up/state/vn/08/070/02215", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/rpc/scheduler/vn/08/070/02215/@pole", true},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/rpc/registry/vn/08/070/02215/@pole", false},
    {DEVICE, "vn/08/070/02215", "pole", PUB, "loa/1/down/programme/vn/08/070/02215", false},

    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/+/vn/08/070/#", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/state/vn/08/070/02215/@pole", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/pub/summary/vn/08/070", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/down/+/vn/08/070/#", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/down/trust/vn/08", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/down/programme/vn/08", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/+/vn/08/071/#", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/up/+/vn/08/0701/#", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/rpc/+/vn/08/070/#", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/rpc/reply/vn/08/070/@lan", true},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/rpc/reply/vn/08/070/@minh", false},
    {STAFF, "vn/08/070", "lan", SUB, "loa/1/link/+/vn/08/070/#", false},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/rpc/scheduler/vn/08/070/@lan", true},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/rpc/reply/vn/08/070/@lan", false},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/rpc/scheduler/vn/08/070/02215/@lan", false},
    {STAFF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/070", false},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/070", true},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/070/02215/@pole", true},
    {CHIEF, "vn/08/070", "lan", RET, "loa/1/down/command/vn/08/070", false},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/command/vn/08/071", false},
    {CHIEF, "vn/08/070", "lan", PUB, "loa/1/down/programme/vn/08/070", false},

    {SERVICE("registry"), "vn/08", "reg", SUB, "loa/1/rpc/registry/vn/08/#", true},
    {SERVICE("registry"), "vn/08", "reg", SUB, "loa/1/rpc/registry/enrol/#", true},
    {SERVICE("registry"), "vn/08", "reg", SUB, "loa/1/rpc/scheduler/vn/08/#", false},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/rpc/reply/vn/08/070/@lan", true},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/rpc/reply/enrol/@enrol_1", true},
    {SERVICE("registry"), "vn/08", "reg", RET, "loa/1/down/trust/vn/08", true},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/down/trust/vn/08/070", false},
    {SERVICE("registry"), "vn/08", "reg", PUB, "loa/1/down/trust/vn", false},
    {SERVICE("registry"), "vn/08", "reg", RET, "loa/1/down/programme/vn/08", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/scheduler/vn/08/#", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/registry/enrol/#", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/programme/vn/08/#", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/head/vn/08/#", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/+/vn/08/#", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/down/trust/vn", true},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/programme/vn/08/070/02215", true},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/head/vn/08", true},
    {SERVICE("scheduler"), "vn/08", "sch", PUB, "loa/1/down/head/vn/08/070/@pole", true},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/head/vn/08/070/@pole", false},
    {SERVICE("scheduler"), "vn/08", "sch", RET, "loa/1/down/programme/vn/09", false},
    {SERVICE("scheduler"), "vn/08", "sch", PUB, "loa/1/rpc/registry/vn/08/@sch", true},
    {SERVICE("scheduler"), "vn/08", "sch", PUB, "loa/1/rpc/scheduler/vn/08/@sch", false},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/reply/vn/08/@sch", true},
    {SERVICE("scheduler"), "vn/08", "sch", SUB, "loa/1/rpc/reply/vn/08/#", false},
    {SERVICE("content-ingest"), "vn/08", "con", SUB, "loa/1/up/want/vn/08/#", true},
    {SERVICE("content-ingest"), "vn/08", "con", SUB, "loa/1/down/programme/vn/08/#", true},
    {SERVICE("content-ingest"), "vn/08", "con", PUB, "loa/1/down/content/vn/08/070", true},
    {SERVICE("content-ingest"), "vn/08", "con", RET, "loa/1/down/content/vn/08/070", false},
    {SERVICE("content-ingest"), "vn/08", "con", PUB, "loa/1/down/content/vn/08/070/@pole", false},
    {SERVICE("telemetry-collector"), "vn/08", "tel", SUB, "loa/1/up/state/vn/08/#", true},
    {SERVICE("telemetry-collector"), "vn/08", "tel", SUB, "loa/1/up/receipt/vn/08/#", true},
    {SERVICE("telemetry-collector"), "vn/08", "tel", SUB, "loa/1/up/+/vn/08/#", false},
    {SERVICE("telemetry-collector"), "vn/08", "tel", PUB, "loa/1/down/ack/vn/08/070/@pole", true},
    {SERVICE("telemetry-collector"), "vn/08", "tel", PUB, "loa/1/down/ack/vn/08/070", false},
    {SERVICE("telemetry-collector"), "vn/08", "tel", RET, "loa/1/pub/summary/vn/08/070", true},
    {SERVICE("reply"), "vn/08", "rep", SUB, "loa/1/rpc/reply/vn/08/#", false},

    {NEW, "enrol", "enrol_1", PUB, "loa/1/rpc/registry/enrol/@enrol_1", true},
    {NEW, "enrol", "enrol_1", RET, "loa/1/rpc/registry/enrol/@enrol_1", false},
    {NEW, "enrol", "enrol_1", PUB, "loa/1/rpc/registry/enrol/@enrol_2", false},
    {NEW, "enrol", "enrol_1", PUB, "loa/1/rpc/scheduler/enrol/@enrol_1", false},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/rpc/reply/enrol/@enrol_1", true},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/rpc/reply/enrol/@enrol_2", false},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/rpc/reply/enrol/#", false},
    {NEW, "enrol", "enrol_1", SUB, "loa/1/down/+/enrol", false},

    {LOA_ROLE_AUTHORITY, "", LOA_POWERS_ALL, "vn", "vn", SUB, "loa/1/up/+/vn/#", false},
    {LOA_ROLE_BRIDGE, "", LOA_POWERS_ALL, "vn", "vn", SUB, "loa/1/up/+/vn/#", false},
};
/* clang-format on */

static bool may(const struct rights_holder *h, char what, const char *topic)
{
    struct rights_topic t = {.text = ""};
    struct loa_filter f;
    unsigned flags;

    if (what == SUB)
        return loa_filter_parse(topic, &f) == LOA_OK &&
               rights_cover_filter(h, &f);
    rights_topic_set(&t, topic);
    return rights_cover_topic(h, RIGHTS_WRITE, &t, &flags) &&
           (what == PUB || (flags & RIGHTS_RETAIN));
}

static void test_rows(void)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct rights_holder h =
            holder(r->role, r->service, r->powers, r->area, r->principal);

        CHECK_INT(r->topic, may(&h, r->what, r->topic), r->want);
    }
}

static void test_limited_device_only_listens_and_asks_the_time(void)
{
    struct rights_holder h = holder(DEVICE, "vn/08", "pole");

    CHECK_INT("with a clock", rights_have_will(&h), true);
    h.limited = true;
    rights_grant(&h);
    CHECK_INT("will", rights_have_will(&h), false);
    CHECK_INT("down", may(&h, SUB, "loa/1/down/+/vn"), true);
    CHECK_INT("own", may(&h, SUB, "loa/1/down/+/vn/08/@pole"), true);
    CHECK_INT("time", may(&h, PUB, "loa/1/rpc/scheduler/vn/08/@pole"), true);
    CHECK_INT("reply", may(&h, SUB, "loa/1/rpc/reply/vn/08/@pole"), true);
    CHECK_INT("state", may(&h, PUB, "loa/1/up/state/vn/08/@pole"), false);
    CHECK_INT("want", may(&h, PUB, "loa/1/up/want/vn/08/@pole"), false);
}

static void test_topic_is_taken_apart_once(void)
{
    struct rights_topic t = {.text = ""};
    char longer[2 * LOA_TOPIC_CAP];

    rights_topic_set(&t, "loa/1/up/state/vn/@a");
    CHECK_INT("ours", t.ours, true);
    t.at.area[0] = 'x'; /* Would be mended if it were parsed again. */
    rights_topic_set(&t, "loa/1/up/state/vn/@a");
    CHECK_INT("the same", t.at.area[0], 'x');
    rights_topic_set(&t, "loa/1/up/state/vn/@b");
    CHECK_INT("another", t.at.area[0], 'v');
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    rights_topic_set(&t, longer);
    CHECK_INT("too long", t.ours, false);
    rights_topic_set(&t, "$SYS/broker/uptime");
    CHECK_INT("foreign", t.ours, false);
    rights_topic_set(&t, "");
    CHECK_INT("empty", t.ours, false);
}

int main(void)
{
    test_rows();
    test_limited_device_only_listens_and_asks_the_time();
    test_topic_is_taken_apart_once();
    return CHECK_DONE();
}
