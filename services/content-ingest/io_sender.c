#include "content-ingest/io_sender.h"

#include <stdlib.h>
#include <string.h>

#include "content-ingest/io_batch.h"
#include "proto/io/clock.h"
#include "proto/io/failpoint.h"
#include "proto/io/log.h"
#include "proto/topic.h"

static const struct pg_stmt stmts[] = {
    {"packet_block",
     "SELECT sequence, body FROM packet WHERE stream_key = $1"
     " AND sequence >= $2::int AND sequence < $3::int ORDER BY sequence",
     3, PG_ROWS, true},
};

#define RETRY_MS 1000 /* After the database refused to read a block. */

static void on_timer(uv_timer_t *timer);

static uint32_t ahead(const void *data, const char *area, uint32_t content)
{
    return push_ahead(data, area, content);
}

/* --- the next order --------------------------------------------------------
 */

static bool next_push(struct sender_lane *l)
{
    struct sender *s = l->sender;
    struct push_update up;

    push_step(s->push, &up);
    if (up.ended) {
        stats_add(s->stats, STATS_PUSHES, 1);
        log_info("push.ended", "area=%s packets=%u", up.area, up.packets_n);
        s->pushed(s->data);
    }
    l->order = up.order;
    return up.send;
}

static bool next_repair(struct sender_lane *l, uint64_t *deadline_ms)
{
    struct sender *s = l->sender;
    struct want_event ev = {.type = WANT_ROOM,
                            .now_ms = clock_mono_ms(),
                            .ahead = ahead,
                            .data = s->push};
    struct want_update up;

    want_step(s->want, &ev, &up);
    *deadline_ms = up.deadline_ms;
    l->order = up.order;
    return up.send;
}

/* Take an order, if there is one. False: nothing to do before *deadline_ms. */
static bool take_order(struct sender_lane *l, uint64_t *deadline_ms)
{
    *deadline_ms = UINT64_MAX;
    l->busy = l->kind == LANE_PUSH ? next_push(l) : next_repair(l, deadline_ms);
    if (l->busy && loa_topic_build(l->topic, sizeof l->topic, LOA_PLANE_DOWN,
                                   "content", l->order.area, NULL) != LOA_OK) {
        log_error("sender.topic", "area=%s text=malformed", l->order.area);
        l->busy = false;
    }
    return l->busy;
}

/* --- blocks ----------------------------------------------------------------
 */

static void on_block(void *data, int status, const PGresult *res)
{
    struct sender_lane *l = data;
    struct sender *s = l->sender;
    struct loa_bytes p;
    int rv = LOA_OK;

    l->fetching = false;
    if (s->closed)
        return;
    if (status != LOA_OK) {
        uv_timer_start(&s->timer, on_timer, RETRY_MS, 0);
        return;
    }
    if (PQntuples(res) == 0) {
        l->busy = false; /* The content was deleted under the order. */
    } else {
        cache_begin(&s->cache, l->order.stream_key, l->order.block);
        for (int i = 0; i < PQntuples(res) && rv == LOA_OK; i++) {
            p.data = pg_get_bytes(res, i, 1, &p.len);
            rv = cache_add(&s->cache, p);
        }
        cache_end(&s->cache);
    }
    sender_wake(s);
}

static void fetch(struct sender_lane *l)
{
    struct pg *pg = l->sender->pg;
    uint32_t first = l->order.block * BLOCK_PACKETS;
    uint8_t from[4], to[4];
    struct pg_value values[] = {pg_bytes(l->order.stream_key, LOA_KEY_BYTES),
                                pg_i32((int32_t)first, from),
                                pg_i32((int32_t)(first + BLOCK_PACKETS), to)};

    l->fetching = batch_ask(pg, &stmts[0], values, on_block, l) == LOA_OK;
}

/* --- packets ---------------------------------------------------------------
 */

static void refill(struct sender_lane *l)
{
    uint64_t now_ms = clock_mono_ms();
    double most = (double)l->packets_per_s * SENDER_BURST_MS / 1000;

    l->tokens += (double)(now_ms - l->filled_ms) * l->packets_per_s / 1000;
    l->filled_ms = now_ms;
    if (l->tokens > most)
        l->tokens = most < 1 ? 1 : most;
}

/* Publish what the rate allows. True: the order is carried out. */
static bool publish(struct sender_lane *l, const struct cache_block *b)
{
    struct sender *s = l->sender;
    struct mqtt_msg m = {.topic = l->topic, .qos = 0};

    while (l->order.mask != 0 && l->tokens >= 1) {
        unsigned i = (unsigned)__builtin_ctzll(l->order.mask);
        struct loa_bytes p = cache_packet(&s->cache, b, i);

        m.payload = p.data;
        m.len = p.len;
        /* A full socket: the same packet is tried again at the next tick. */
        if (p.data != NULL && mqtt_publish(s->mqtt, &m, NULL, NULL) != LOA_OK)
            return false;
        l->order.mask &= l->order.mask - 1;
        l->tokens -= 1;
        stats_add(s->stats,
                  l->kind == LANE_PUSH ? STATS_PACKETS_PUSHED
                                       : STATS_PACKETS_REPAIRED,
                  p.data != NULL);
    }
    return l->order.mask == 0;
}

/* Do what can be done now. Returns when to come again. */
static uint64_t run(struct sender_lane *l)
{
    struct sender *s = l->sender;
    const struct cache_block *b;
    uint64_t deadline_ms;

    refill(l);
    while (l->tokens >= 1 && !l->fetching) {
        if (!l->busy && !take_order(l, &deadline_ms))
            return deadline_ms;
        b = cache_find(&s->cache, l->order.stream_key, l->order.block);
        if (b == NULL) {
            fetch(l);
            break;
        }
        (void)FAILPOINT("sender.block");
        if (!publish(l, b))
            break;
        l->busy = false;
    }
    return l->fetching ? UINT64_MAX : clock_mono_ms() + SENDER_TICK_MS;
}

void sender_wake(struct sender *s)
{
    uint64_t now_ms = clock_mono_ms(), at_ms, deadline_ms;

    if (s->closed || !s->online)
        return;
    at_ms = run(&s->lanes[LANE_PUSH]);
    deadline_ms = run(&s->lanes[LANE_REPAIR]);
    if (deadline_ms < at_ms)
        at_ms = deadline_ms;
    uv_timer_stop(&s->timer);
    if (at_ms != UINT64_MAX)
        uv_timer_start(&s->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 1,
                       0);
}

static void on_timer(uv_timer_t *timer)
{
    sender_wake(timer->data);
}

void sender_connected(struct sender *s)
{
    s->online = true;
    sender_wake(s);
}

int sender_open(struct sender *s, const struct sender_conf *c)
{
    s->ring = malloc(c->cache_len);
    if (s->ring == NULL)
        return LOA_ENOMEM;
    cache_init(&s->cache, s->ring, c->cache_len);
    for (int i = 0; i < 2; i++)
        s->lanes[i] = (struct sender_lane){
            .sender = s, .kind = i, .filled_ms = clock_mono_ms()};
    s->lanes[LANE_PUSH].packets_per_s = c->push_packets_per_s;
    s->lanes[LANE_REPAIR].packets_per_s = c->repair_packets_per_s;
    uv_timer_init(s->loop, &s->timer);
    s->timer.data = s;
    return pg_prepare(s->pg, stmts, sizeof stmts / sizeof stmts[0]);
}

void sender_close(struct sender *s)
{
    s->closed = true;
    if (s->timer.data != NULL) /* It was opened. */
        uv_close((uv_handle_t *)&s->timer, NULL);
    free(s->ring);
    s->ring = NULL;
}
