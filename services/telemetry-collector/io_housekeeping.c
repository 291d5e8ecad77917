/* io_housekeeping.c -- what the collector does by the clock: rows of devices,
 * months that come and go, retained states, complaints. */

#include "proto/io/clock.h"
#include "proto/io/log.h"
#include "telemetry-collector/collector.h"

#define SAVE_INTERVAL_MS 500
#define COMPLAIN_INTERVAL_MS 60000 /* At most so often. */

/* --- rows of devices
 * ------------------------------------------------------------ */

static void on_saved(void *data, int status)
{
    struct collector *c = data;
    const char *state = pg_sqlstate(&c->service.pg);
    /* Class 22 is bad data, 23 a broken constraint: it is a row's fault. */
    bool bad = status == LOA_EDB && state[0] == '2' &&
               (state[1] == '2' || state[1] == '3');
    const struct device *d = save_end(&c->save, status == LOA_OK ? SAVE_DONE
                                                : bad            ? SAVE_REFUSED
                                                                 : SAVE_FAILED);

    if (d != NULL) {
        c->unsaved_n++;
        log_warn("device.refused", "device=%s sqlstate=%s", d->id, state);
    } else if (status != LOA_OK) {
        log_warn("device.unsaved", "rows=%zu text=%s", c->save.rows_n,
                 loa_strerror(status));
    }
}

/* Rows of devices that changed, in one batch; what does not fit waits. */
static void on_save(uv_timer_t *t)
{
    struct collector *c = t->data;
    struct pg *pg = &c->service.pg;
    size_t n;
    int rv = LOA_OK;

    if (!pg_has_room(pg, SAVE_ROWS_MAX + 1))
        return;
    n = save_take(&c->save);
    if (n == 0)
        return;
    for (size_t i = 0; rv == LOA_OK && i < n; i++)
        rv = io_pg_device(pg, c->save.rows[i]);
    if (rv == LOA_OK)
        rv = pg_commit(pg, on_saved, c);
    if (rv == LOA_OK)
        return;
    pg_abort(pg);
    on_saved(c, rv);
}

/* --- months
 * --------------------------------------------------------------------- */

static void on_housekept(void *data, int status)
{
    struct collector *c = data;

    if (status == LOA_OK)
        c->housekept_n++;
    else
        log_warn("partitions.undropped", "text=%s; tried again later",
                 loa_strerror(status));
}

static void on_housekeeping(uv_timer_t *t)
{
    struct collector *c = t->data;
    int rv = io_pg_partitions(&c->service.pg, clock_wall_ms(),
                              c->conf.keep_receipts_days,
                              c->conf.keep_health_days, on_housekept, c);

    if (rv != LOA_OK)
        on_housekept(c, rv);
}

/* --- retained states
 * ------------------------------------------------------------ */

/* On a new connection, of all devices that are known: what they said while we
 * were away. Later only of those whose word we never had. */
static void list_states(void *data, struct retained_plan *plan)
{
    struct collector *c = data;

    for (size_t i = 0; i < c->presence.n; i++) {
        struct device *d = &c->presence.devices[i];
        if ((!c->known_asked || (!d->asked && d->said == PRESENCE_UNKNOWN)) &&
            retained_plan_add(plan, d->area) == LOA_OK)
            d->asked = true;
    }
    c->known_asked = true;
}

void io_housekeeping_states(struct collector *c)
{
    if (!c->unknown || retained_busy(&c->retained))
        return;
    c->unknown = false;
    retained_ask(&c->retained, false);
}

/* --- complaints
 * ----------------------------------------------------------------- */

bool io_housekeeping_may_say(struct collector *c, const char *id)
{
    struct device *d = presence_find(&c->presence, id);
    struct budget *b = d != NULL ? &d->budget : &c->strangers;

    if (budget_take(b, BUDGET_LINES, 1, clock_mono_ms()))
        return true;
    c->unsaid_n++;
    return false;
}

void io_housekeeping_turned_away(struct collector *c)
{
    uint64_t now_ms = clock_mono_ms(), n = c->presence.turned_away_n;

    if (c->complained_ms != 0 &&
        now_ms < c->complained_ms + COMPLAIN_INTERVAL_MS)
        return;
    log_warn("device.turned_away",
             "messages=%llu devices_max=%u text=there are more devices than "
             "devices-max; the new ones are not heard",
             (unsigned long long)(n - c->complained_n), c->conf.devices_max);
    c->complained_n = n;
    c->complained_ms = now_ms;
}

/* --- start and stop
 * ------------------------------------------------------------- */

static void start_timer(struct collector *c,
                        uv_timer_t *t,
                        uv_timer_cb cb,
                        uint64_t first_ms,
                        uint64_t every_ms)
{
    uv_timer_init(&c->service.loop, t);
    t->data = c;
    uv_timer_start(t, cb, first_ms, every_ms);
}

int io_housekeeping_start(struct collector *c)
{
    const struct retained_conf states = {
        .loop = &c->service.loop,
        .mqtt = &c->service.mqtt,
        .plane = LOA_PLANE_UP,
        .kind = "state",
        .own_area = c->service.identity.leaf.area,
        .messages_max = c->conf.devices_max,
        .list = list_states,
        .data = c,
    };

    save_init(&c->save, &c->presence);
    start_timer(c, &c->save_timer, on_save, SAVE_INTERVAL_MS, SAVE_INTERVAL_MS);
    start_timer(c, &c->housekeeping, on_housekeeping, 0,
                c->conf.housekeeping_interval_ms);
    return retained_open(&c->retained, &states);
}

void io_housekeeping_stop(struct collector *c)
{
    uv_close((uv_handle_t *)&c->save_timer, NULL);
    uv_close((uv_handle_t *)&c->housekeeping, NULL);
    retained_close(&c->retained);
}
