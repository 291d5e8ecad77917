/* schedule.c -- how the answers of the scheduler are shown. */

#include "loactl/schedule.h"

#include <stdio.h>

#include "proto/civil.h"
#include "proto/io/clock.h"

static const char *class_name(const struct ctl *c, Loa__V1__BulletinClass k)
{
    if (k == LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_PRIORITY)
        return c->english || c->json ? "priority" : "ưu tiên";
    return c->english || c->json ? "normal" : "thường";
}

/* Where it stands. A list that begins in the past has starts of the past. */
static const char *stage_name(const struct ctl *c,
                              const Loa__V1__ScheduleEntry *e)
{
    bool en = c->english || c->json, coming = false;
    int64_t now_ms = clock_wall_ms();

    if (e->cancelled)
        return en ? "cancelled" : "đã huỷ";
    for (size_t i = 0; i < e->n_starts_at_ms; i++) {
        int64_t at_ms = e->starts_at_ms[i];
        if (at_ms <= now_ms && now_ms < at_ms + e->duration_ms)
            return c->json ? "on air" : en ? "its time is now" : "đến giờ phát";
        coming = coming || at_ms > now_ms;
    }
    if (e->n_starts_at_ms == 0 && e->uncovered_start_at_ms != 0)
        return en ? "approval ended" : "hết hạn phê duyệt";
    if (coming)
        return en ? "coming" : "sắp tới";
    return en ? "over" : "đã qua";
}

/* Is one of its occurrences due to sound now? Whether it does, only the
 * loudspeakers know: a stop leaves the schedule as it is. */
static bool is_now(const Loa__V1__ScheduleEntry *e)
{
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; !e->cancelled && i < e->n_starts_at_ms; i++)
        if (e->starts_at_ms[i] <= now_ms &&
            now_ms < e->starts_at_ms[i] + e->duration_ms)
            return true;
    return false;
}

/* "31/12/2026", or "2026-12-31". */
static const char *out_day(const struct ctl *c, int64_t at_ms, char buf[32])
{
    struct loa_civil t;

    if (loa_civil_from_ms(at_ms, &t) != LOA_OK)
        return "-";
    if (c->english)
        snprintf(buf, 32, "%04d-%02d-%02d", t.year, t.month, t.day);
    else
        snprintf(buf, 32, "%02d/%02d/%04d", t.day, t.month, t.year);
    return buf;
}

/* "; lần tới 23/11 05:30" */
static void next_text(const struct ctl *c, const Loa__V1__ScheduleEntry *e)
{
    int64_t now_ms = clock_wall_ms();
    struct loa_civil t;
    size_t i = 0;

    while (i < e->n_starts_at_ms && e->starts_at_ms[i] <= now_ms)
        i++;
    if (e->cancelled || i == e->n_starts_at_ms ||
        loa_civil_from_ms(e->starts_at_ms[i], &t) != LOA_OK)
        return;
    if (c->english)
        printf("; next %04d-%02d-%02d %02d:%02d", t.year, t.month, t.day,
               t.hour, t.minute);
    else
        printf("; lần tới %02d/%02d %02d:%02d", t.day, t.month, t.hour,
               t.minute);
}

json_t *entry_json(const struct ctl *c, const Loa__V1__ScheduleEntry *e)
{
    json_t *areas = json_array(), *starts = json_array();

    for (size_t i = 0; i < e->n_areas; i++)
        json_array_append_new(areas, json_string(e->areas[i]));
    for (size_t i = 0; i < e->n_starts_at_ms; i++)
        json_array_append_new(starts, json_integer(e->starts_at_ms[i]));
    return json_pack(
        "{s:o,s:o,s:s,s:o,s:s,s:i,s:o,s:s,s:b,s:s,s:o}", "bulletin",
        json_hex(e->bulletin_id.data, e->bulletin_id.len), "areas", areas,
        "class", class_name(c, e->class_), "content",
        json_hex(e->content_hash.data, e->content_hash.len), "title", e->title,
        "duration_ms", (int)e->duration_ms, "starts_at_ms", starts,
        "requested_by", e->requested_by, "cancelled", (int)e->cancelled,
        "stage", stage_name(c, e), "uncovered_start_at_ms",
        json_time(e->uncovered_start_at_ms));
}

/* "thứ hai, thứ năm hằng tuần đến 31/12/2026; lần tới 23/11 05:30" */
static void repetition_text(const struct ctl *c,
                            const Loa__V1__ScheduleEntry *e)
{
    static const char *const vi[] = {"thứ hai", "thứ ba",  "thứ tư",  "thứ năm",
                                     "thứ sáu", "thứ bảy", "chủ nhật"};
    static const char *const en[] = {"Monday",   "Tuesday", "Wednesday",
                                     "Thursday", "Friday",  "Saturday",
                                     "Sunday"};
    const Loa__V1__Recurrence *r = e->recurrence;
    const char *comma = "";
    char day[32];

    if (r == NULL || r->frequency == 0)
        return;
    printf(c->english ? "  every " : "  ");
    if (r->frequency == LOA__V1__RECURRENCE__FREQUENCY__FREQUENCY_DAILY)
        printf(c->english ? "day" : "hằng ngày");
    for (unsigned d = 0;
         r->frequency == LOA__V1__RECURRENCE__FREQUENCY__FREQUENCY_WEEKLY &&
         d < 7;
         d++)
        if ((r->weekdays >> d & 1) != 0) {
            printf("%s%s", comma, c->english ? en[d] : vi[d]);
            comma = ", ";
        }
    if (r->frequency == LOA__V1__RECURRENCE__FREQUENCY__FREQUENCY_WEEKLY &&
        !c->english)
        printf(" hằng tuần");
    if (r->until_ms != 0)
        printf(c->english ? " until %s" : " đến %s",
               out_day(c, r->until_ms, day));
    next_text(c, e);
    putchar('\n');
}

void entry_text(const struct ctl *c, const Loa__V1__ScheduleEntry *e)
{
    char id[2 * LOA_ID_BYTES + 1] = "-", at[32];

    if (e->bulletin_id.len == LOA_ID_BYTES)
        loa_hex(e->bulletin_id.data, LOA_ID_BYTES, id);
    printf("%s  %s  %.1f s  %s  %s  (%s)\n", id,
           out_time(e->n_starts_at_ms > 0 ? e->starts_at_ms[0]
                                          : e->uncovered_start_at_ms,
                    at),
           e->duration_ms / 1000.0, class_name(c, e->class_), e->title,
           stage_name(c, e));
    repetition_text(c, e);
    if (is_now(e))
        printf(c->english ? "  what the loudspeakers do: loactl report %.8s\n"
                          : "  loa đang làm gì: loactl report %.8s\n",
               id);
    printf("  ->");
    for (size_t i = 0; i < e->n_areas; i++)
        printf(" %s", e->areas[i]);
    putchar('\n');
    if (e->uncovered_start_at_ms != 0)
        printf(
            c->english
                ? "  ! from %s on it is not said: the approval has ended "
                  "then. Have it approved again and: loactl schedule "
                  "change %.8s --content ID\n"
                : "  ! từ %s không phát: phê duyệt đã hết hạn. Hãy xin duyệt "
                  "lại rồi: loactl schedule change %.8s --content MÃ\n",
            out_time(e->uncovered_start_at_ms, at), id);
}

static json_t *entries_json(const struct ctl *c,
                            Loa__V1__ScheduleEntry **entries,
                            size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, entry_json(c, entries[i]));
    return list;
}

static json_t *answer_json(const struct ctl *c,
                           const Loa__V1__SchedulerAnswer *a)
{
    return json_pack("{s:o,s:o,s:o,s:I}", "entries",
                     entries_json(c, a->entries, a->n_entries), "interrupts",
                     entries_json(c, a->interrupts, a->n_interrupts),
                     "conflicts", entries_json(c, a->conflicts, a->n_conflicts),
                     "proposed_start_at_ms",
                     (json_int_t)a->proposed_start_at_ms);
}

static void labelled(const struct ctl *c,
                     const char *label,
                     Loa__V1__ScheduleEntry **entries,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf("%s: ", label);
        entry_text(c, entries[i]);
    }
}

static void answer_text(const struct ctl *c, const Loa__V1__SchedulerAnswer *a)
{
    char at[32];

    for (size_t i = 0; i < a->n_entries; i++)
        entry_text(c, a->entries[i]);
    labelled(c, c->english ? "interrupts" : "sẽ cắt ngang", a->interrupts,
             a->n_interrupts);
    labelled(c, c->english ? "collides with" : "trùng với", a->conflicts,
             a->n_conflicts);
    if (a->proposed_start_at_ms != 0)
        printf(c->english ? "free: --at %s\n" : "giờ trống gần nhất: --at %s\n",
               out_time_exact(a->proposed_start_at_ms, at));
}

void schedule_print(const struct ctl *c,
                    const Loa__V1__SchedulerAnswer *a,
                    int rc,
                    json_t *audience)
{
    json_t *j;

    if (!c->json) {
        answer_text(c, a);
        return;
    }
    j = answer_json(c, a);
    if (audience != NULL)
        json_object_set(j, "audience", audience);
    if (rc != CTL_OK)
        json_object_set_new(j, "error", ctl_error_json(c, rc));
    out_json(j);
}
