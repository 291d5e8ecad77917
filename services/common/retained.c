#include "common/retained.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"

#define LOOK_MS 50        /* Is the piece complete? */
#define QUIET_MS 150      /* It is, when nothing has come for so long; ... */
#define PIECE_MS_MAX 5000 /* ... or something always comes. */

static void drop_piece(struct retained *r)
{
    if (r->filter[0] != '\0')
        mqtt_unsubscribe(r->conf.mqtt, r->filter);
    r->filter[0] = '\0';
}

/* What is known is listed only when the whole has come: it knows of more. */
static bool next_piece(struct retained *r, char piece[LOA_AREA_CAP])
{
    if (!r->listed) {
        retained_plan_init(&r->plan, r->areas, r->conf.messages_max,
                           r->conf.own_area);
        r->conf.list(r->conf.data, &r->plan);
        retained_plan_begin(&r->plan, r->whole);
        r->listed = true;
    }
    return retained_plan_next(&r->plan, piece);
}

static void on_timer(uv_timer_t *timer)
{
    struct retained *r = timer->data;
    uint64_t now_ms = clock_mono_ms();
    char piece[LOA_AREA_CAP];

    if (now_ms < r->heard_ms + QUIET_MS && now_ms < r->asked_ms + PIECE_MS_MAX)
        return;
    drop_piece(r);
    if (!next_piece(r, piece)) {
        uv_timer_stop(&r->timer);
        if (r->pieces_n > 0)
            log_info("retained.asked", "kind=%s pieces=%zu messages=%llu",
                     r->conf.kind, r->pieces_n,
                     (unsigned long long)r->plan.messages_n);
        return;
    }
    snprintf(r->filter, sizeof r->filter, "loa/1/%s/%s/%s/#",
             loa_plane_name(r->conf.plane), r->conf.kind, piece);
    r->asked_ms = r->heard_ms = now_ms;
    r->pieces_n++;
    if (mqtt_subscribe(r->conf.mqtt, r->filter, 1) != LOA_OK)
        r->filter[0] = '\0';
}

int retained_open(struct retained *r, const struct retained_conf *conf)
{
    memset(r, 0, sizeof *r);
    r->conf = *conf;
    r->areas = malloc(conf->messages_max * sizeof r->areas[0]);
    if (r->areas == NULL)
        return LOA_ENOMEM;
    uv_timer_init(conf->loop, &r->timer);
    r->timer.data = r;
    r->open = true;
    return LOA_OK;
}

void retained_ask(struct retained *r, bool whole)
{
    drop_piece(r);
    r->whole = whole;
    r->listed = false;
    r->pieces_n = 0;
    r->heard_ms = r->asked_ms = clock_mono_ms();
    uv_timer_start(&r->timer, on_timer, LOOK_MS, LOOK_MS);
}

bool retained_busy(const struct retained *r)
{
    return uv_is_active((const uv_handle_t *)&r->timer) != 0;
}

void retained_heard(struct retained *r)
{
    r->heard_ms = clock_mono_ms();
}

void retained_close(struct retained *r)
{
    if (!r->open)
        return;
    r->open = false;
    free(r->areas);
    uv_close((uv_handle_t *)&r->timer, NULL);
}
