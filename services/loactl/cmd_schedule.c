/* cmd_schedule.c -- what is said where and when: add, list, change, cancel. */

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loactl/link.h"
#include "proto/io/clock.h"

static const char *class_name(const struct ctl *c, Loa__V1__BulletinClass k)
{
    if (k == LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_PRIORITY)
        return c->english || c->json ? "priority" : "ưu tiên";
    return c->english || c->json ? "normal" : "thường";
}

static json_t *entry_json(const struct ctl *c, const Loa__V1__ScheduleEntry *e)
{
    json_t *areas = json_array(), *starts = json_array();

    for (size_t i = 0; i < e->n_areas; i++)
        json_array_append_new(areas, json_string(e->areas[i]));
    for (size_t i = 0; i < e->n_starts_at_ms; i++)
        json_array_append_new(starts, json_integer(e->starts_at_ms[i]));
    return json_pack("{s:o,s:o,s:s,s:o,s:s,s:i,s:o,s:s,s:b}", "bulletin",
                     json_hex(e->bulletin_id.data, e->bulletin_id.len), "areas",
                     areas, "class", class_name(c, e->class_), "content",
                     json_hex(e->content_hash.data, e->content_hash.len),
                     "title", e->title, "duration_ms", (int)e->duration_ms,
                     "starts_at_ms", starts, "requested_by", e->requested_by,
                     "cancelled", (int)e->cancelled);
}

static void entry_text(const struct ctl *c, const Loa__V1__ScheduleEntry *e)
{
    char id[2 * LOA_ID_BYTES + 1] = "-", at[32];

    if (e->bulletin_id.len == LOA_ID_BYTES)
        loa_hex(e->bulletin_id.data, LOA_ID_BYTES, id);
    printf("%s  %s  %.1f s  %s  %s%s\n  ->", id,
           out_time(e->n_starts_at_ms > 0 ? e->starts_at_ms[0] : 0, at),
           e->duration_ms / 1000.0, class_name(c, e->class_), e->title,
           e->cancelled ? (c->english ? "  (cancelled)" : "  (đã huỷ)") : "");
    for (size_t i = 0; i < e->n_areas; i++)
        printf(" %s", e->areas[i]);
    if (e->n_starts_at_ms > 1)
        printf(c->english ? "  (+%zu more times)" : "  (+%zu lần nữa)",
               e->n_starts_at_ms - 1);
    putchar('\n');
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

/* What became of a change: the entry, what it interrupts, with what it
 * collides and where it would fit. */
static void print_answer(const struct ctl *c, const Loa__V1__SchedulerAnswer *a)
{
    char at[32];

    if (c->json) {
        out_json(json_pack(
            "{s:o,s:o,s:o,s:I}", "entries",
            entries_json(c, a->entries, a->n_entries), "interrupts",
            entries_json(c, a->interrupts, a->n_interrupts), "conflicts",
            entries_json(c, a->conflicts, a->n_conflicts),
            "proposed_start_at_ms", (json_int_t)a->proposed_start_at_ms));
        return;
    }
    for (size_t i = 0; i < a->n_entries; i++)
        entry_text(c, a->entries[i]);
    for (size_t i = 0; i < a->n_interrupts; i++) {
        printf(c->english ? "interrupts: " : "sẽ cắt ngang: ");
        entry_text(c, a->interrupts[i]);
    }
    for (size_t i = 0; i < a->n_conflicts; i++) {
        printf(c->english ? "collides with: " : "trùng với: ");
        entry_text(c, a->conflicts[i]);
    }
    if (a->proposed_start_at_ms != 0)
        printf(c->english ? "free: %s\n" : "giờ trống gần nhất: %s\n",
               out_time(a->proposed_start_at_ms, at));
}

static int ask(struct ctl *c, const Loa__V1__SchedulerRequest *q)
{
    ProtobufCMessage *m;
    int rc = link_ask(c, LINK_SCHEDULER, &q->base, &m);

    if (m != NULL) {
        print_answer(c, (Loa__V1__SchedulerAnswer *)m);
        protobuf_c_message_free_unpacked(m, NULL);
    }
    return rc;
}

/* --- add
 * ---------------------------------------------------------------------- */

/* "daily", "weekly:mon,thu" */
static bool parse_recurrence(const struct ctl *c, Loa__V1__Recurrence *r)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu",
                                       "fri", "sat", "sun"};
    const char *text = ctl_option(c, "repeat");

    if (text == NULL)
        return true;
    if (strcmp(text, "daily") == 0) {
        r->frequency = LOA__V1__RECURRENCE__FREQUENCY__FREQUENCY_DAILY;
        return true;
    }
    r->frequency = LOA__V1__RECURRENCE__FREQUENCY__FREQUENCY_WEEKLY;
    for (const char *p = strncmp(text, "weekly:", 7) == 0 ? text + 7 : "";
         *p != '\0'; p += p[3] == ',' ? 4 : 3) {
        int d = 0;
        while (d < 7 && strncmp(p, days[d], 3) != 0)
            d++;
        if (d == 7 || (p[3] != ',' && p[3] != '\0')) {
            r->weekdays = 0;
            break;
        }
        r->weekdays |= 1u << d;
    }
    if (r->weekdays != 0)
        return true;
    ctl_fail(c, 0, "--repeat %s: hãy viết daily hoặc weekly:mon,thu",
             "--repeat %s: write daily or weekly:mon,thu", text);
    return false;
}

/* The approval that holds longest of those that cover every area. It is of the
 * manifest that was checked, whatever else the service put beside it. */
static const ProtobufCBinaryData *choose_approval(const Loa__V1__Content *k,
                                                  char areas[][LOA_AREA_CAP],
                                                  int areas_n)
{
    static uint8_t memory[LOA_ENVELOPE_BYTES_MAX];
    const ProtobufCBinaryData *best = NULL;
    int64_t best_until_ms = 0;

    for (size_t i = 0; i < k->n_approvals; i++) {
        struct loa_arena arena;
        struct loa_envelope e;
        bool covers = true;
        loa_arena_init(&arena, memory, sizeof memory);
        if (loa_envelope_parse(
                &arena,
                (struct loa_bytes){k->approvals[i].data, k->approvals[i].len},
                &e) != LOA_OK ||
            e.header.body.len != k->manifest.len ||
            memcmp(e.header.body.data, k->manifest.data, k->manifest.len) != 0)
            continue;
        for (int n = 0; n < areas_n; n++)
            covers = covers && loa_area_within(areas[n], e.header.area);
        if (covers && e.header.expires_at_ms > best_until_ms) {
            best = &k->approvals[i];
            best_until_ms = e.header.expires_at_ms;
        }
    }
    return best;
}

static bool parse_class(const struct ctl *c, Loa__V1__BulletinClass *k)
{
    const char *text = ctl_option(c, "class");

    *k = LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_NORMAL;
    if (text == NULL || strcmp(text, "normal") == 0)
        return true;
    *k = LOA__V1__BULLETIN_CLASS__BULLETIN_CLASS_PRIORITY;
    if (strcmp(text, "priority") == 0)
        return true;
    ctl_fail(c, 0, "--class %s: normal hoặc priority",
             "--class %s: want normal or priority", text);
    return false;
}

static bool parse_add(struct ctl *c,
                      Loa__V1__ScheduleAdd *add,
                      Loa__V1__Recurrence *r,
                      char areas[][LOA_AREA_CAP],
                      char **names)
{
    int64_t now_ms = clock_wall_ms();
    const char *at = ctl_option(c, "at"), *until = ctl_option(c, "until");
    const char *title = ctl_option(c, "title");

    if (at == NULL)
        return ctl_fail(c, 0, "cần --at THỜI ĐIỂM", "--at TIME is needed");
    if (!when_parse(c, at, now_ms, &add->start_at_ms) ||
        !parse_recurrence(c, r) || !parse_class(c, &add->class_))
        return false;
    if (until != NULL && !when_parse(c, until, now_ms, &r->until_ms))
        return false;
    if (r->frequency != 0 && until == NULL)
        return ctl_fail(c, 0, "--repeat cần --until", "--repeat needs --until");
    add->n_areas = (size_t)c->positionals_n - 1;
    for (size_t i = 0; i < add->n_areas; i++) {
        if (!link_area(c, c->positionals[i + 1], areas[i]))
            return false;
        names[i] = areas[i];
    }
    add->areas = names;
    add->recurrence = r;
    add->title = (char *)(title != NULL ? title : "");
    add->dry_run = ctl_option(c, "dry-run") != NULL;
    return true;
}

static int run_add(struct ctl *c)
{
    static char areas[CTL_POSITIONALS_MAX][LOA_AREA_CAP];
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleAdd add = LOA__V1__SCHEDULE_ADD__INIT;
    Loa__V1__Recurrence r = LOA__V1__RECURRENCE__INIT;
    Loa__V1__ContentAnswer *found = NULL;
    const ProtobufCBinaryData *approval;
    char *names[CTL_POSITIONALS_MAX];
    uint8_t id[LOA_ID_BYTES];
    int rc;

    if (!parse_add(c, &add, &r, areas, names))
        return CTL_USAGE;
    rc = link_content(c, c->positionals[0], &found);
    if (rc == CTL_OK) {
        approval = choose_approval(found->contents[0], areas, (int)add.n_areas);
        if (approval == NULL) {
            rc = ctl_fail(c, CTL_REFUSED,
                          "nội dung này chưa được duyệt cho các địa bàn đó",
                          "this content is not approved for these areas");
        } else {
            randombytes_buf(id, sizeof id);
            add.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
            add.approval = *approval;
            q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_ADD;
            q.add = &add;
            rc = ask(c, &q);
        }
    }
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

/* --- change, cancel, list
 * -------------------------------------------------------- */

static bool parse_id(const struct ctl *c,
                     const char *text,
                     uint8_t id[LOA_ID_BYTES])
{
    if (loa_unhex(text, id, LOA_ID_BYTES) == LOA_OK)
        return true;
    ctl_fail(c, 0, "%s: mã bản tin có 32 chữ số mười sáu",
             "%s: a bulletin's id is 32 hexadecimal digits", text);
    return false;
}

/* The areas of a bulletin, to choose an approval that covers them. */
static int entry_areas(struct ctl *c,
                       const uint8_t id[LOA_ID_BYTES],
                       char areas[][LOA_AREA_CAP],
                       int *areas_n)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
    ProtobufCMessage *m;
    int rc;

    find.bulletin_id = (ProtobufCBinaryData){LOA_ID_BYTES, (uint8_t *)id};
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    q.find = &find;
    rc = link_ask(c, LINK_SCHEDULER, &q.base, &m);
    Loa__V1__SchedulerAnswer *a = (Loa__V1__SchedulerAnswer *)m;
    if (rc == CTL_OK && a->n_entries == 0)
        rc = ctl_fail(c, CTL_REFUSED, "không có bản tin này",
                      "there is no such bulletin");
    for (size_t i = 0;
         rc == CTL_OK && i < a->entries[0]->n_areas && i < CTL_POSITIONALS_MAX;
         i++)
        snprintf(areas[(*areas_n)++], LOA_AREA_CAP, "%s",
                 a->entries[0]->areas[i]);
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, NULL);
    return rc;
}

static int run_change(struct ctl *c)
{
    static char areas[CTL_POSITIONALS_MAX][LOA_AREA_CAP];
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleChange change = LOA__V1__SCHEDULE_CHANGE__INIT;
    const char *at = ctl_option(c, "at"), *content = ctl_option(c, "content");
    Loa__V1__ContentAnswer *found = NULL;
    uint8_t id[LOA_ID_BYTES];
    int rc = CTL_OK, areas_n = 0;

    if (!parse_id(c, c->positionals[0], id))
        return CTL_USAGE;
    if (at == NULL && content == NULL)
        return ctl_fail(c, CTL_USAGE, "cần --at, --content hoặc cả hai",
                        "--at, --content or both are needed");
    if (at != NULL && !when_parse(c, at, clock_wall_ms(), &change.start_at_ms))
        return CTL_USAGE;
    if (content != NULL) {
        rc = entry_areas(c, id, areas, &areas_n);
        if (rc == CTL_OK)
            rc = link_content(c, content, &found);
        const ProtobufCBinaryData *a =
            rc == CTL_OK ? choose_approval(found->contents[0], areas, areas_n)
                         : NULL;
        if (a != NULL)
            change.approval = *a;
        else if (rc == CTL_OK)
            rc = ctl_fail(c, CTL_REFUSED,
                          "nội dung này chưa được duyệt cho các địa bàn đó",
                          "this content is not approved for these areas");
    }
    change.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    change.dry_run = ctl_option(c, "dry-run") != NULL;
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_CHANGE;
    q.change = &change;
    if (rc == CTL_OK)
        rc = ask(c, &q);
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

static int run_cancel(struct ctl *c)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleCancel cancel = LOA__V1__SCHEDULE_CANCEL__INIT;
    uint8_t id[LOA_ID_BYTES];

    if (!parse_id(c, c->positionals[0], id))
        return CTL_USAGE;
    cancel.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_CANCEL;
    q.cancel = &cancel;
    return ask(c, &q);
}

static int run_ls(struct ctl *c)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
    json_t *list = json_array();
    char under[LOA_AREA_CAP], after[256] = "";
    int64_t now_ms = clock_wall_ms();
    const char *from = ctl_option(c, "from"), *until = ctl_option(c, "until");
    int rc;

    if (!link_area(c, c->positionals_n > 0 ? c->positionals[0] : NULL, under) ||
        (from != NULL && !when_parse(c, from, now_ms, &find.from_ms)) ||
        (until != NULL && !when_parse(c, until, now_ms, &find.until_ms)))
        return CTL_USAGE;
    find.under = under;
    find.limit = 100;
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    q.find = &find;
    do {
        ProtobufCMessage *m;
        find.after = after;
        rc = link_ask(c, LINK_SCHEDULER, &q.base, &m);
        if (rc == CTL_OK) {
            Loa__V1__SchedulerAnswer *a = (Loa__V1__SchedulerAnswer *)m;
            for (size_t i = 0; i < a->n_entries; i++)
                if (c->json)
                    json_array_append_new(list, entry_json(c, a->entries[i]));
                else
                    entry_text(c, a->entries[i]);
            snprintf(after, sizeof after, "%s", a->next);
        }
        if (m != NULL)
            protobuf_c_message_free_unpacked(m, NULL);
    } while (rc == CTL_OK && after[0] != '\0');
    if (rc == CTL_OK && c->json)
        out_json(json_incref(list));
    json_decref(list);
    return rc;
}

static const struct option_def add_options[] = {
    {"at", "TIME", "2026-12-01T17:00, 17:00 or +5m (Vietnam time)"},
    {"class", "CLASS", "normal or priority (normal)"},
    {"repeat", "RULE", "daily or weekly:mon,thu"},
    {"until", "TIME", "last moment of a repetition"},
    {"title", "TEXT", "for lists (the content's title)"},
    {"dry-run", NULL, "show what would happen; change nothing"},
    {NULL, NULL, NULL},
};

static const struct option_def change_options[] = {
    {"at", "TIME", "the new time"},
    {"content", "ID", "the new content"},
    {"dry-run", NULL, "show what would happen; change nothing"},
    {NULL, NULL, NULL},
};

static const struct option_def ls_options[] = {
    {"from", "TIME", "from when (now)"},
    {"until", "TIME", "until when (a week later)"},
    {NULL, NULL, NULL},
};

const struct command commands_schedule[] = {
    {"schedule", "add", "CONTENT AREA...", "say a content in areas at a time",
     "loactl schedule add 3f2a91c0 vn/08/070 --at 17:00", add_options, 2,
     CTL_POSITIONALS_MAX, run_add},
    {"schedule", "ls", "[AREA]", "what an area will hear",
     "loactl schedule ls vn/08/070/02215", ls_options, 0, 1, run_ls},
    {"schedule", "change", "BULLETIN", "another time, another content",
     "loactl schedule change 5c0e... --at +30m", change_options, 1, 1,
     run_change},
    {"schedule", "cancel", "BULLETIN", "not at all; cut if it has begun",
     "loactl schedule cancel 5c0e...", NULL, 1, 1, run_cancel},
    {NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL},
};
