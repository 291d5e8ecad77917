#include "content-ingest/io_retained.h"

#include <stdio.h>
#include <string.h>

#include "proto/io/clock.h"
#include "proto/io/log.h"

#define LOOK_MS 50        /* Is the piece complete? */
#define QUIET_MS 150      /* It is, when nothing has come for so long; ... */
#define PIECE_MS_MAX 5000 /* ... or something always comes. */

static bool asked_for(const struct retained *r, const char *piece)
{
    for (size_t i = 0; i < r->pieces_n; i++)
        if (strcmp(r->pieces[i], piece) == 0)
            return true;
    return false;
}

/* The next area one below the own that was not asked for yet, of those that
 * some known area lies in. */
static const char *next_piece(struct retained *r)
{
    size_t depth = loa_area_depth(r->own_area) + 1;
    char *piece;

    if (r->pieces_n == RETAINED_PIECES_MAX)
        return NULL;
    piece = r->pieces[r->pieces_n];
    for (; r->next < r->needs->areas_n; r->next++) {
        const char *path = r->needs->areas[r->next].path;

        if (loa_area_depth(path) < depth)
            continue;
        loa_area_prefix(path, depth, piece);
        if (!asked_for(r, piece)) {
            r->pieces_n++;
            return piece;
        }
    }
    return NULL;
}

static void drop_piece(struct retained *r)
{
    if (r->filter[0] != '\0')
        mqtt_unsubscribe(r->mqtt, r->filter);
    r->filter[0] = '\0';
}

static void on_timer(uv_timer_t *timer)
{
    struct retained *r = timer->data;
    uint64_t now_ms = clock_mono_ms();
    const char *piece;

    if (now_ms < r->heard_ms + QUIET_MS && now_ms < r->asked_ms + PIECE_MS_MAX)
        return;
    drop_piece(r);
    piece = r->needs->areas_n < RETAINED_FEW ? NULL : next_piece(r);
    if (piece == NULL) {
        uv_timer_stop(&r->timer);
        if (r->pieces_n > 0)
            log_info("programmes.asked", "pieces=%zu areas=%u", r->pieces_n,
                     r->needs->areas_n);
        return;
    }
    snprintf(r->filter, sizeof r->filter, "loa/1/down/programme/%s/#", piece);
    r->asked_ms = r->heard_ms = now_ms;
    if (mqtt_subscribe(r->mqtt, r->filter, 1) != LOA_OK)
        r->filter[0] = '\0';
}

void retained_open(struct retained *r)
{
    uv_timer_init(r->loop, &r->timer);
    r->timer.data = r;
}

void retained_connected(struct retained *r)
{
    r->next = 0;
    r->pieces_n = 0;
    r->filter[0] = '\0';
    r->heard_ms = r->asked_ms = clock_mono_ms();
    uv_timer_start(&r->timer, on_timer, LOOK_MS, LOOK_MS);
}

void retained_heard(struct retained *r)
{
    r->heard_ms = clock_mono_ms();
}

void retained_close(struct retained *r)
{
    if (r->timer.data != NULL) /* It was opened. */
        uv_close((uv_handle_t *)&r->timer, NULL);
}
