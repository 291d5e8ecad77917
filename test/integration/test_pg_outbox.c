/* outbox.c and inbox.c between a real PostgreSQL and a real Mosquitto: what the
 * table says is what the broker gets, whoever is killed when. */

#include <stdbool.h>

#include "broker.h"
#include "check.h"
#include "common/inbox.h"
#include "common/outbox.h"
#include "common/pg_copy.h"
#include "loop.h"

#define TOPICS_N 300

static const char *const setup[] = {
    "DROP SCHEMA IF EXISTS boxes CASCADE",
    "CREATE SCHEMA boxes",
    "CREATE TABLE outbox (topic text PRIMARY KEY, body bytea NOT NULL,"
    " changed_at timestamptz NOT NULL DEFAULT now())",
    "CREATE TABLE inbox (message_id bytea PRIMARY KEY, answer bytea NOT NULL,"
    " at timestamptz NOT NULL DEFAULT now())",
    "CREATE TABLE work (k int PRIMARY KEY)",
};

static const struct pg_stmt stmts[] = {
    {"work", "INSERT INTO work VALUES ($1)", 1, PG_NONE, false},
    {"all", "SELECT topic, body FROM outbox", 0, PG_ROWS, true},
};

static const struct pg_conf pg_conf = {"", "test_outbox", "boxes"};
static struct broker broker = {.conf =
                                   "allow_anonymous true\n"
                                   "max_queued_messages 10000\n"};
static uv_loop_t loop;
static struct pg pg;
static struct mqtt mqtt;
static struct outbox outbox;
static struct inbox inbox;
static int dones, last_status, lost_n, connects;

static void on_done(void *data, int status)
{
    (void)data;
    dones++;
    last_status = status;
}

static void on_lost(void *data)
{
    (void)data;
    lost_n++;
    outbox_disconnected(&outbox);
}

static void on_pg_lost(void *data)
{
    (void)data;
    CHECK_INT("the database is not to be lost", 0, 1);
}

static void on_connected(void *data)
{
    (void)data;
    connects++;
    outbox_connected(&outbox);
}

static void open_all(void)
{
    struct mqtt_conf conf = {.host = "127.0.0.1",
                             .port = broker.port,
                             .policy = MQTT_RETRY,
                             .retry_ms_min = 20,
                             .retry_ms_max = 100,
                             .on_connected = on_connected,
                             .on_lost = on_lost};

    CHECK_INT("pg", pg_open(&pg, &loop, &pg_conf, on_pg_lost, NULL), LOA_OK);
    CHECK_INT("pg", pg_prepare(&pg, stmts, 2), LOA_OK);
    CHECK_INT("outbox", outbox_open(&outbox, &loop, &pg, &mqtt), LOA_OK);
    CHECK_INT("inbox", inbox_open(&inbox, &loop, &pg), LOA_OK);
    CHECK_INT("mqtt", mqtt_open(&mqtt, &loop, &conf), LOA_OK);
}

static void close_all(void)
{
    inbox_close(&inbox);
    outbox_close(&outbox);
    mqtt_close(&mqtt);
    pg_close(&pg);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static bool settle(void)
{
    uint64_t limit_ms = uv_hrtime() / 1000000 + AWAIT_MS_MAX;

    while (!outbox_settled(&outbox) && uv_hrtime() / 1000000 < limit_ms)
        uv_run(&loop, UV_RUN_ONCE);
    return outbox_settled(&outbox);
}

static struct {
    char body[TOPICS_N][32];
    int n, marks;
} retained;

static int topic_number(const char *topic)
{
    int k = -1;

    return sscanf(topic, "doc/%d", &k) == 1 && k < TOPICS_N ? k : -1;
}

static void on_retained(void *data, const struct mqtt_msg *m)
{
    int k = topic_number(m->topic);

    (void)data;
    retained.marks += strcmp(m->topic, "doc/mark") == 0;
    if (k < 0 || !m->retain)
        return;
    retained.n++;
    snprintf(retained.body[k], sizeof retained.body[k], "%.*s", (int)m->len,
             (const char *)m->payload);
}

static void on_probe(void *data)
{
    ++*(int *)data;
}

static void on_marked(void *data, int status, unsigned reason)
{
    (void)reason;
    CHECK_INT("mark", status, LOA_OK);
    ++*(int *)data;
}

/* Ask the broker as a stranger: retained messages come in one go, before the
 * answer to a message that is sent after the subscription was granted. */
static void look(void)
{
    static const struct mqtt_filter filter = {"doc/#", 1};
    static struct mqtt watcher;
    struct mqtt_msg mark = {.topic = "doc/mark", .qos = 1};
    int there = 0, acks = 0;
    struct mqtt_conf conf = {.host = "127.0.0.1",
                             .port = broker.port,
                             .filters = &filter,
                             .filters_n = 1,
                             .policy = MQTT_RETRY,
                             .on_connected = on_probe,
                             .on_message = on_retained,
                             .data = &there};

    memset(&retained, 0, sizeof retained);
    CHECK_INT("watcher", mqtt_open(&watcher, &loop, &conf), LOA_OK);
    CHECK_INT("watcher", loop_await(&loop, &there, 1), 1);
    CHECK_INT("mark", mqtt_publish(&watcher, &mark, on_marked, &acks), LOA_OK);
    CHECK_INT("mark", loop_await(&loop, &acks, 1), 1);
    CHECK_INT("mark", loop_await(&loop, &retained.marks, 1), 1);
    mqtt_close(&watcher);
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

struct compare {
    int rows, tombstones, wrong;
};

static void on_all(void *data, int status, const PGresult *res)
{
    struct compare *c = data;

    CHECK_INT("all", status, LOA_OK);
    for (int i = 0; res != NULL && i < PQntuples(res); i++) {
        size_t len;
        const char *body = pg_get_bytes(res, i, 1, &len);
        int k = topic_number(pg_get_text(res, i, 0, NULL));
        c->rows++;
        c->tombstones += len == 0;
        c->wrong += strlen(retained.body[k]) != len ||
                    memcmp(retained.body[k], body, len) != 0;
    }
}

/* The broker holds the table, no more and no less. */
static void compare(const char *name, int rows, int tombstones)
{
    struct compare c = {0};
    int before = dones;

    CHECK_INT(name, settle(), 1);
    look();
    CHECK_INT(name, pg_query(&pg, &stmts[1], NULL, on_all, &c), LOA_OK);
    CHECK_INT(name, pg_commit(&pg, on_done, NULL), LOA_OK);
    CHECK_INT(name, loop_await(&loop, &dones, before + 1), 1);
    CHECK_INT(name, c.wrong, 0);
    CHECK_INT(name, retained.n, c.rows - c.tombstones);
    if (rows >= 0) {
        CHECK_INT(name, c.rows, rows);
        CHECK_INT(name, c.tombstones, tombstones);
    }
}

static void put(int k, int version)
{
    char topic[32], body[32];

    snprintf(topic, sizeof topic, "doc/%d", k);
    snprintf(body, sizeof body, "%d of %d", version, k);
    CHECK_INT("put", outbox_put(&outbox, topic, body, strlen(body)), LOA_OK);
}

static void commit(int want)
{
    int before = dones;

    CHECK_INT("commit", pg_commit(&pg, on_done, NULL), LOA_OK);
    CHECK_INT("commit", loop_await(&loop, &dones, before + 1), 1);
    CHECK_INT("commit", last_status, want);
}

static void work(int k)
{
    uint8_t buf[4];
    struct pg_value value = pg_i32(k, buf);

    CHECK_INT("work", pg_query(&pg, &stmts[0], &value, NULL, NULL), LOA_OK);
}

static void test_outbox(void)
{
    char too_long[OUTBOX_TOPIC_LEN_MAX + 1];

    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    CHECK_INT("too long", outbox_put(&outbox, too_long, "x", 1), LOA_EINVAL);
    CHECK_INT("empty", outbox_put(&outbox, "", "x", 1), LOA_EINVAL);

    put(0, 1), put(1, 1), put(2, 1), work(1), commit(LOA_OK);
    compare("three", 3, 0);
    put(0, 2), put(3, 1), work(1), commit(LOA_EDB);
    compare("rolled back", 3, 0);
    CHECK_STR("not ahead of the commit", retained.body[0], "1 of 0");
    CHECK_INT("remove", outbox_remove(&outbox, "doc/1"), LOA_OK);
    commit(LOA_OK);
    compare("removed", 3, 1);
    CHECK_INT("gone", retained.body[1][0], 0);
    for (int i = 2; i < 200; i++) { /* Many versions, several in one batch. */
        put(2, i);
        if (i % 3 == 0)
            CHECK_INT("commit", pg_commit(&pg, NULL, NULL), LOA_OK);
    }
    commit(LOA_OK);
    compare("the newest", 3, 1);
    CHECK_STR("the newest", retained.body[2], "199 of 2");
}

/* More than there is room to remember, in batches that are on their way at the
 * same time. */
static void test_overflow(void)
{
    for (int k = 0; k < TOPICS_N; k++) {
        put(k, 5);
        if (k % 50 == 49)
            CHECK_INT("commit", pg_commit(&pg, NULL, NULL), LOA_OK);
    }
    commit(LOA_OK);
    compare("overflow", TOPICS_N, 0);
    for (int round = 0; round < 3; round++) { /* Again, while it publishes. */
        for (int k = 0; k < TOPICS_N; k++) {
            put(k, 10 + round);
            if (k % 100 == 99)
                commit(LOA_OK);
        }
    }
    compare("overflow again", TOPICS_N, 0);
}

/* The broker forgets everything, also in the middle of a sweep. */
static void test_broker_killed(void)
{
    CHECK_INT("remove", outbox_remove(&outbox, "doc/7"), LOA_OK);
    commit(LOA_OK);
    for (int i = 1; i <= 6; i++) {
        broker_stop(&broker, SIGKILL);
        CHECK_INT("lost", loop_await(&loop, &lost_n, i), 1);
        put(8, 20 + i), commit(LOA_OK); /* While it is away. */
        broker_start(&broker);
        CHECK_INT("back", loop_await(&loop, &connects, i + 1), 1);
        if (i % 2 == 0)
            compare("after the broker", TOPICS_N, 1);
        else
            for (int k = 0; k < 3 * i; k++)
                uv_run(&loop, UV_RUN_ONCE);
    }
    CHECK_STR("put while it was away", retained.body[8], "26 of 8");
}

/* A process that puts and removes for ever, as fast as it can. */
static void write_for_ever(void)
{
    unsigned seed = (unsigned)getpid();

    open_all();
    for (;;) {
        for (int i = 0; i < 5; i++) {
            int k = rand_r(&seed) % TOPICS_N;
            char topic[32];
            snprintf(topic, sizeof topic, "doc/%d", k);
            if (rand_r(&seed) % 8 == 0)
                CHECK_INT("remove", outbox_remove(&outbox, topic), LOA_OK);
            else
                put(k, rand_r(&seed) % 1000000);
        }
        commit(LOA_OK);
    }
}

static void run_writer(const char *self, const char *failpoint, int kill_ms)
{
    char port[16];
    pid_t pid;
    int status = 0;

    snprintf(port, sizeof port, "%u", broker.port);
    pid = fork();
    if (pid == 0) {
        if (failpoint != NULL)
            setenv("LOA_FAILPOINT", failpoint, 1);
        execl(self, self, port, (char *)NULL);
        _exit(127);
    }
    if (kill_ms > 0) {
        usleep((useconds_t)kill_ms * 1000);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    CHECK_INT("it was killed",
              WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, 1);
}

/* After each death: a new one that only publishes what the table says. */
static void test_writer_killed(const char *self)
{
    static const int kill_ms[] = {40, 80, 150, 60, 110, 300};

    for (size_t i = 0; i < sizeof kill_ms / sizeof kill_ms[0]; i++) {
        run_writer(self, NULL, kill_ms[i]);
        open_all();
        CHECK_INT("connected", loop_await(&loop, &connects, 1), 1);
        compare("after kill -9", -1, 0);
        close_all();
        connects = 0;
    }
#ifdef LOA_FAILPOINTS
    static const char *const points[] = {
        "pg.commit:9:abort",
        "pg.committed:17:abort",
        "mqtt.publish:23:abort",
        "outbox.publish:31:abort",
    };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        run_writer(self, points[i], 0);
        open_all();
        CHECK_INT("connected", loop_await(&loop, &connects, 1), 1);
        compare(points[i], -1, 0);
        close_all();
        connects = 0;
    }
#endif
}

static int finds, find_status;
static char found[64];

static void on_found(void *data, int status, const void *answer, size_t len)
{
    (void)data;
    finds++;
    find_status = status;
    snprintf(found, sizeof found, "%.*s", (int)len,
             answer == NULL ? "" : (const char *)answer);
}

static int find(const char *id)
{
    int before = finds;
    int rv = inbox_find(&inbox, id, strlen(id), on_found, NULL);

    if (rv != LOA_OK)
        return rv;
    CHECK_INT("find", loop_await(&loop, &finds, before + 1), 1);
    return find_status;
}

static void test_inbox(void)
{
    CHECK_INT("no id", find(""), LOA_EINVAL);
    CHECK_INT("new", find("id-1"), LOA_ENOENT);
    CHECK_INT("in flight", find("id-1"), LOA_ESTALE);
    work(100);
    CHECK_INT("put", inbox_put(&inbox, "id-1", 4, "done", 4), LOA_OK);
    commit(LOA_OK);
    CHECK_INT("another", find("id-2"), LOA_ENOENT);
}

static void test_inbox_again(void)
{
    char id[16];
    int n = 0, rv;

    CHECK_INT("stored", find("id-1"), LOA_OK);
    CHECK_STR("stored", found, "done");
    CHECK_INT("stored, again", find("id-1"), LOA_OK);
    inbox_drop(&inbox, "id-2", 4);
    inbox_drop(&inbox, "unknown", 7);
    CHECK_INT("dropped", find("id-2"), LOA_ENOENT);
    /* The batch fails: neither state nor answer, and it may be tried again. */
    work(100);
    CHECK_INT("put", inbox_put(&inbox, "id-2", 4, "no", 2), LOA_OK);
    commit(LOA_EDB);
    CHECK_INT("as if new", find("id-2"), LOA_ENOENT);
    work(101);
    CHECK_INT("put", inbox_put(&inbox, "id-2", 4, "", 0), LOA_OK);
    commit(LOA_OK);
    CHECK_INT("an empty answer", find("id-2"), LOA_OK);
    CHECK_STR("an empty answer", found, "");
    CHECK_INT("nothing in flight", inbox.inflight_n, 0);
    do {
        snprintf(id, sizeof id, "many-%d", n++);
        rv = find(id);
    } while (rv == LOA_ENOENT);
    CHECK_INT("full", rv, LOA_EBUSY);
    CHECK_INT("full", n - 1, INBOX_INFLIGHT_MAX);
}

int main(int argc, char *argv[])
{
    static struct pg_copy ddl;

    CHECK_INT("loop", uv_loop_init(&loop), 0);
    if (argc == 2) {
        broker.port = (unsigned)atoi(argv[1]);
        write_for_ever();
    }
    CHECK_INT("ddl",
              pg_copy_open(&ddl, &loop, &pg_conf, setup, 5, on_pg_lost, NULL),
              LOA_OK);
    pg_copy_close(&ddl);
    broker_start(&broker);
    open_all();
    CHECK_INT("connected", loop_await(&loop, &connects, 1), 1);
    test_outbox();
    test_overflow();
    test_broker_killed();
    test_inbox();
    test_inbox_again();
    close_all();
    connects = 0;
    test_writer_killed(argv[0]);
    broker_stop(&broker, SIGTERM);
    CHECK_INT("loop closes", uv_loop_close(&loop), 0);
    return CHECK_DONE();
}
