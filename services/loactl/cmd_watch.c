/* cmd_watch.c -- what happens, as it happens. */

#include <stdio.h>
#include <string.h>

#include "loactl/link.h"
#include "loactl/report.h"
#include "loactl/words.h"
#include "proto/envelope.h"
#include "proto/io/clock.h"

/* What was shown of each loudspeaker and area last. */
struct watch {
    struct ctl *c;
    json_t *shown;
};

static void line(const struct ctl *c, json_t *j, const char *text)
{
    char at[32];

    if (c->json)
        out_json(json_incref(j));
    else
        printf("%s  %s\n", out_time(clock_wall_ms(), at), text);
    fflush(stdout);
    json_decref(j);
}

/* Is this what was shown last of `of`? A person reads changes; a script gets
 * everything. */
static bool is_repeated(const struct watch *w, const char *of, const char *text)
{
    const char *last = json_string_value(json_object_get(w->shown, of));
    bool same = last != NULL && strcmp(last, text) == 0;

    json_object_set_new(w->shown, of, json_string(text));
    return same && !w->c->json;
}

static void watch_state(const struct watch *w,
                        const struct loa_topic *t,
                        const struct mqtt_msg *m)
{
    Loa__V1__State *s = loa__v1__state__unpack(NULL, m->len, m->payload);
    char text[160];

    if (s == NULL)
        return;
    snprintf(text, sizeof text, "%s  %s", t->principal,
             word_presence(w->c->english, s->presence));
    if (!is_repeated(w, t->principal, text))
        line(w->c,
             json_pack("{s:s,s:s,s:s}", "device", t->principal, "area", t->area,
                       "presence", word_presence(true, s->presence)),
             text);
    loa__v1__state__free_unpacked(s, NULL);
}

static void watch_receipts(const struct ctl *c,
                           const struct loa_topic *t,
                           const struct mqtt_msg *m)
{
    static uint8_t memory[5 * LOA_ENVELOPE_BYTES_MAX];
    struct loa_bytes p = {m->payload, m->len};
    struct loa_arena arena;
    struct loa_envelope e;
    Loa__V1__ReceiptBatch *b;
    char text[200], id[2 * LOA_ID_BYTES + 1];

    loa_arena_init(&arena, memory, sizeof memory);
    if (m->len > LOA_ENVELOPE_BYTES_MAX ||
        loa_envelope_parse(&arena, p, &e) != LOA_OK)
        return;
    b = loa__v1__receipt_batch__unpack(NULL, e.header.body.len,
                                       e.header.body.data);
    for (size_t i = 0; b != NULL && i < b->n_receipts; i++) {
        const Loa__V1__Receipt *r = b->receipts[i];
        id[0] = '\0';
        if (r->bulletin_id.len == LOA_ID_BYTES)
            loa_hex(r->bulletin_id.data, LOA_ID_BYTES, id);
        snprintf(text, sizeof text, "%s  %s  %s%s%s", t->principal,
                 word_event(c->english, r->event), id,
                 r->reason[0] != '\0' ? "  " : "",
                 word_reason(c->english, r->reason));
        line(c, receipt_json(t->principal, t->area, r), text);
    }
    if (b != NULL)
        loa__v1__receipt_batch__free_unpacked(b, NULL);
}

/* What plays is told by the receipts: the summary is behind them. */
static void watch_summary(const struct watch *w, const struct mqtt_msg *m)
{
    const struct ctl *c = w->c;
    Loa__V1__Summary *s = loa__v1__summary__unpack(NULL, m->len, m->payload);
    char text[200];

    if (s == NULL)
        return;
    snprintf(text, sizeof text,
             c->english ? "%s: %u online, %u lost"
                        : "%s: %u trực tuyến, %u mất liên lạc",
             s->area, s->online_n, s->lost_n);
    if (!is_repeated(w, s->area, text))
        line(c,
             json_pack("{s:s,s:i,s:i,s:i,s:i}", "area", s->area, "online",
                       (int)s->online_n, "lost", (int)s->lost_n,
                       "started_today", (int)s->started_today_n,
                       "finished_today", (int)s->finished_today_n),
             text);
    loa__v1__summary__free_unpacked(s, NULL);
}

static bool on_message(void *data, const struct mqtt_msg *m)
{
    const struct watch *w = data;
    struct loa_topic t;

    if (loa_topic_parse(m->topic, &t) != LOA_OK)
        return true;
    if (strcmp(t.kind, "state") == 0)
        watch_state(w, &t, m);
    else if (strcmp(t.kind, "receipt") == 0)
        watch_receipts(w->c, &t, m);
    else if (strcmp(t.kind, "summary") == 0)
        watch_summary(w, m);
    return true;
}

/* The broker ends the connection of who subscribes elsewhere, again and again.
 */
static int check_own(struct ctl *c, const char *under)
{
    const char *own = ctl_identity(c)->leaf.area;

    if (loa_area_within(under, own))
        return CTL_OK;
    return ctl_fail(c, CTL_REFUSED,
                    "%s không thuộc quyền xem của bạn: chỉ xem được %s và bên "
                    "dưới",
                    "%s is not within your area: you may watch %s and below",
                    under, own);
}

static int run_watch(struct ctl *c)
{
    static char filters[3][LOA_TOPIC_CAP];
    const char *const list[] = {filters[0], filters[1], filters[2]};
    struct watch w = {c, json_object()};
    char under[LOA_AREA_CAP];
    int rc = link_area_given(c, under);

    snprintf(filters[0], LOA_TOPIC_CAP, "loa/1/up/state/%s/#", under);
    snprintf(filters[1], LOA_TOPIC_CAP, "loa/1/up/receipt/%s/#", under);
    snprintf(filters[2], LOA_TOPIC_CAP, "loa/1/pub/summary/%s", under);
    if (rc == CTL_OK)
        rc = check_own(c, under);
    if (rc == CTL_OK)
        rc = link_listen(c, list, 3, on_message, &w);
    json_decref(w.shown);
    return rc;
}

const struct command commands_watch[] = {
    {"watch", "", "[AREA]", "what happens, as it happens; Ctrl-C ends it",
     "loactl watch vn/08/070", NULL, 0, 1, run_watch},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
