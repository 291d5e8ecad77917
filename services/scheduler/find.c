/* Requests that only look. */

#include <string.h>

#include "scheduler/core.h"

#define LIMIT_DEFAULT 100
#define SPAN_DEFAULT_MS (7 * LOA_DAY_MS)

struct looking {
    struct scheduler *s;
    const struct scheduler_request *r;
    const char *under;
    uint32_t limit;
    /* When the entries of the answer start, in its order. */
    int64_t starts[SCHEDULER_ENTRIES_MAX];
    bool more;
};

/* The occurrence by which a bulletin is listed: the first that has not ended
 * at from_ms and starts before until_ms; or SLOTS_NONE. One that is not said
 * because the approval has ended counts: staff are to see what is missing. */
static int64_t listed_by(const struct looking *l, const struct bulletin *b)
{
    const struct scheduler_answer *a = &l->s->answer;
    int64_t at_ms = slots_next(&b->rule, a->from_ms - b->rule.duration_ms + 1);

    if (at_ms == SLOTS_NONE)
        at_ms = plan_uncovered(b, a->from_ms);
    return at_ms < a->until_ms ? at_ms : SLOTS_NONE;
}

static bool is_seen(const struct looking *l, uint32_t row)
{
    const struct plan *p = &l->s->plan;
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(p, row, areas);

    for (uint32_t i = 0; i < areas_n; i++) {
        const char *path = p->areas.rows[areas[i]].path;

        if (scheduler_sees(l->s->answer.viewer, path) &&
            scheduler_sees(l->under, path))
            return true;
    }
    return false;
}

/* Does (a_ms, a) come before (b_ms, b) in the order of lists? */
static bool precedes(int64_t a_ms,
                     const uint8_t *a,
                     int64_t b_ms,
                     const uint8_t *b)
{
    return a_ms != b_ms ? a_ms < b_ms : memcmp(a, b, LOA_ID_BYTES) < 0;
}

/* Keep the first `limit` in order; the rest makes `more`. */
static void insert(struct looking *l, uint32_t row, int64_t at_ms)
{
    struct scheduler_answer *a = &l->s->answer;
    const struct bulletin *rows = l->s->plan.bulletins;
    uint32_t to = a->entries_n;

    while (to > 0 && precedes(at_ms, rows[row].id, l->starts[to - 1],
                              rows[a->entries[to - 1]].id))
        to--;
    if (a->entries_n == l->limit) {
        l->more = true;
        if (to == l->limit)
            return;
        a->entries_n--;
    }
    memmove(&a->entries[to + 1], &a->entries[to],
            (a->entries_n - to) * sizeof a->entries[0]);
    memmove(&l->starts[to + 1], &l->starts[to],
            (a->entries_n - to) * sizeof l->starts[0]);
    a->entries[to] = row;
    l->starts[to] = at_ms;
    a->entries_n++;
}

/* An answer is one message: what does not fit is asked for again. */
static void cut(struct looking *l)
{
    struct scheduler_answer *a = &l->s->answer;
    size_t bytes = 0;

    for (uint32_t i = 0; i < a->entries_n; i++) {
        bytes += core_entry_bytes(l->s, a->entries[i]);
        if (i > 0 && bytes > SCHEDULER_ENTRIES_BYTES) {
            a->entries_n = i;
            l->more = true;
        }
    }
    if (a->entries_n > 0)
        a->last_start_ms = l->starts[a->entries_n - 1];
    a->more = l->more;
}

static void find_one(struct looking *l)
{
    struct scheduler_answer *a = &l->s->answer;
    uint32_t row = plan_find(&l->s->plan, l->r->bulletin_id);

    if (row != BULLETIN_NONE && is_seen(l, row)) {
        a->entries[a->entries_n++] = row;
        say(&a->say, SAY_OK, "Đã tìm thấy.", "Found.");
        return;
    }
    say(&a->say, SAY_NOT_FOUND,
        "Không có bản tin mang mã này trong khu vực của bạn.",
        "There is no bulletin of this id that concerns your area.");
}

static void find_all(struct looking *l)
{
    struct scheduler_answer *a = &l->s->answer;
    const struct plan *p = &l->s->plan;

    for (uint32_t row = 0; row < p->index.touched_n; row++) {
        const struct bulletin *b = &p->bulletins[row];
        int64_t at_ms;

        if (!b->used)
            continue;
        at_ms = listed_by(l, b);
        if (at_ms == SLOTS_NONE ||
            (l->r->resume &&
             !precedes(l->r->after_start_ms, l->r->after_id, at_ms, b->id)))
            continue;
        if (is_seen(l, row))
            insert(l, row, at_ms);
    }
    cut(l);
    say(&a->say, SAY_OK, "Có %u bản tin.", "Bulletins: %u.",
        (unsigned)a->entries_n);
}

void core_find(struct scheduler *s,
               const struct scheduler_event *ev,
               struct scheduler_update *up)
{
    const struct scheduler_request *r = ev->request;
    struct scheduler_answer *a = &s->answer;
    struct looking l = {
        .s = s,
        .r = r,
        .under = r->under[0] != '\0' ? r->under : ev->who->area,
        .limit = r->limit != 0 ? r->limit : LIMIT_DEFAULT,
    };

    (void)up;
    if (ev->who->role == LOA_ROLE_DEVICE) {
        say(&a->say, SAY_NOT_ALLOWED, "Thiết bị không được xem lịch.",
            "Devices may not look at schedules.");
        return;
    }
    if (!loa_area_valid(l.under) || !scheduler_sees(ev->who->area, l.under)) {
        say(&a->say, SAY_NOT_ALLOWED,
            "Bạn chỉ xem được lịch của %s, các khu vực bên trong và các cấp "
            "trên.",
            "You see the schedules of %s, of what lies in it and of the areas "
            "above.",
            ev->who->area);
        return;
    }
    if (l.limit > SCHEDULER_ENTRIES_MAX)
        l.limit = SCHEDULER_ENTRIES_MAX;
    if (r->by_id) {
        find_one(&l);
        return;
    }
    if (r->from_ms != 0)
        a->from_ms = r->from_ms;
    a->until_ms = r->until_ms != 0 ? r->until_ms : a->from_ms + SPAN_DEFAULT_MS;
    find_all(&l);
}
