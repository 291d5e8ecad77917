/* cmd_schedule.c -- what is said where and when: add, list, change, cancel. */

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loactl/pages.h"
#include "loactl/schedule.h"
#include "proto/io/clock.h"

static int ask(struct ctl *c, const Loa__V1__SchedulerRequest *q)
{
    ProtobufCMessage *m;
    int rc = link_ask(c, LINK_SCHEDULER, &q->base, &m);

    if (m != NULL) {
        schedule_print(c, (Loa__V1__SchedulerAnswer *)m, rc, NULL);
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

static int parse_add(struct ctl *c,
                     Loa__V1__ScheduleAdd *add,
                     Loa__V1__Recurrence *r,
                     char areas[][LOA_AREA_CAP],
                     char **names)
{
    int64_t now_ms = clock_wall_ms();
    const char *at = ctl_option(c, "at"), *until = ctl_option(c, "until");
    const char *title = ctl_option(c, "title");

    if (at == NULL)
        return ctl_fail(c, CTL_USAGE, "cần --at THỜI ĐIỂM",
                        "--at TIME is needed");
    if (!when_parse(c, at, now_ms, &add->start_at_ms) ||
        !parse_recurrence(c, r) || !parse_class(c, &add->class_))
        return CTL_USAGE;
    if (until != NULL && !when_parse_end(c, until, now_ms, &r->until_ms))
        return CTL_USAGE;
    if (r->frequency != 0 && until == NULL)
        return ctl_fail(c, CTL_USAGE, "--repeat cần --until",
                        "--repeat needs --until");
    add->n_areas = (size_t)c->positionals_n - 1;
    for (size_t i = 0; i < add->n_areas; i++) {
        int rc = link_area(c, c->positionals[i + 1], areas[i]);
        if (rc != CTL_OK)
            return rc;
        names[i] = areas[i];
    }
    add->areas = names;
    add->recurrence = r;
    add->title = (char *)(title != NULL ? title : "");
    add->dry_run = ctl_option(c, "dry-run") != NULL;
    return CTL_OK;
}

/* Send it, and show what came, with who will hear it. */
static int send_add(struct ctl *c, Loa__V1__ScheduleAdd *add)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    json_t *audience = audience_find(c, add->areas, add->n_areas);
    ProtobufCMessage *m;
    int rc;

    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_ADD;
    q.add = add;
    rc = link_ask(c, LINK_SCHEDULER, &q.base, &m);
    if (m != NULL) {
        Loa__V1__SchedulerAnswer *a = (Loa__V1__SchedulerAnswer *)m;
        for (size_t i = 0; add->dry_run && i < a->n_entries; i++)
            a->entries[i]->bulletin_id.len = 0; /* It will never exist. */
        schedule_print(c, a, rc, audience);
        if (rc == CTL_OK && !c->json && a->n_entries > 0)
            audience_print(c, audience, add->start_at_ms,
                           a->entries[0]->duration_ms);
        if (rc == CTL_OK && !c->json && add->dry_run)
            printf(c->english ? "tried only: nothing was scheduled\n"
                              : "chỉ thử: chưa lên lịch gì\n");
        protobuf_c_message_free_unpacked(m, NULL);
    }
    json_decref(audience);
    return rc;
}

static uint32_t duration_of(const Loa__V1__Content *k)
{
    Loa__V1__ContentManifest *m = loa__v1__content_manifest__unpack(
        NULL, k->manifest.len, k->manifest.data);
    uint32_t duration_ms = m != NULL ? m->duration_ms : 0;

    if (m != NULL)
        loa__v1__content_manifest__free_unpacked(m, NULL);
    return duration_ms;
}

static int refuse_unapproved(struct ctl *c)
{
    return ctl_fail(c, CTL_REFUSED,
                    "nội dung này chưa được duyệt cho các địa bàn đó",
                    "this content is not approved for these areas");
}

static int run_add(struct ctl *c)
{
    static char areas[CTL_POSITIONALS_MAX][LOA_AREA_CAP];
    Loa__V1__ScheduleAdd add = LOA__V1__SCHEDULE_ADD__INIT;
    Loa__V1__Recurrence r = LOA__V1__RECURRENCE__INIT;
    Loa__V1__ContentAnswer *found = NULL;
    const ProtobufCBinaryData *approval = NULL;
    char *names[CTL_POSITIONALS_MAX];
    uint8_t id[LOA_ID_BYTES];
    int rc = parse_add(c, &add, &r, areas, names);

    if (rc == CTL_OK)
        rc = link_content(c, c->positionals[0], &found);
    if (rc == CTL_OK)
        approval = choose_approval(found->contents[0], areas, (int)add.n_areas);
    if (rc == CTL_OK && approval == NULL)
        rc = refuse_unapproved(c);
    if (rc == CTL_OK)
        rc = night_judge(c, add.start_at_ms, duration_of(found->contents[0]));
    if (rc == CTL_OK) {
        randombytes_buf(id, sizeof id);
        add.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
        add.approval = *approval;
        rc = send_add(c, &add);
    }
    if (found != NULL)
        loa__v1__content_answer__free_unpacked(found, NULL);
    return rc;
}

/* --- change, cancel, list
 * -------------------------------------------------------- */

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
    int rc, areas_n = 0;

    if (at == NULL && content == NULL)
        return ctl_fail(c, CTL_USAGE, "cần --at, --content hoặc cả hai",
                        "--at, --content or both are needed");
    if (at != NULL && !when_parse(c, at, clock_wall_ms(), &change.start_at_ms))
        return CTL_USAGE;
    rc = night_judge(c, change.start_at_ms, 0);
    if (rc == CTL_OK)
        rc = link_bulletin(c, c->positionals[0], id);
    if (rc == CTL_OK && content != NULL) {
        rc = entry_areas(c, id, areas, &areas_n);
        if (rc == CTL_OK)
            rc = link_content(c, content, &found);
        const ProtobufCBinaryData *a =
            rc == CTL_OK ? choose_approval(found->contents[0], areas, areas_n)
                         : NULL;
        if (a != NULL)
            change.approval = *a;
        else if (rc == CTL_OK)
            rc = refuse_unapproved(c);
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
    int rc = link_bulletin(c, c->positionals[0], id);

    if (rc != CTL_OK)
        return rc;
    cancel.bulletin_id = (ProtobufCBinaryData){sizeof id, id};
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_CANCEL;
    q.cancel = &cancel;
    return ask(c, &q);
}

/* People get each page as it comes: an entry is more than a line. */
static void show_entries(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__SchedulerAnswer *a = (const Loa__V1__SchedulerAnswer *)m;
    struct pages_list *l = data;
    bool all = l->c->json || ctl_option(l->c, "all") != NULL;

    for (size_t i = 0; i < a->n_entries; i++) {
        if (a->entries[i]->cancelled && !all)
            continue;
        json_array_append_new(l->rows, entry_json(l->c, a->entries[i]));
        if (!l->c->json)
            entry_text(l->c, a->entries[i]);
    }
}

static int run_ls(struct ctl *c)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
    struct pages_list l = {.c = c, .rows = json_array()};
    char under[LOA_AREA_CAP];
    struct pages p = {.service = LINK_SCHEDULER,
                      .request = &q.base,
                      .each = show_entries,
                      .data = &l};
    int64_t now_ms = clock_wall_ms();
    const char *from = ctl_option(c, "from"), *until = ctl_option(c, "until");
    int rc = link_area_given(c, under);

    if (rc == CTL_OK &&
        ((from != NULL && !when_parse(c, from, now_ms, &find.from_ms)) ||
         (until != NULL && !when_parse_end(c, until, now_ms, &find.until_ms))))
        rc = CTL_USAGE;
    find.under = under;
    find.limit = 100;
    find.after = p.after;
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    q.find = &find;
    if (rc == CTL_OK)
        rc = pages_ask(c, &p);
    return pages_print(&l, rc, "không có bản tin nào trong thời gian này",
                       "no bulletin in this time");
}

static const struct option_def add_options[] = {
    {"at", "TIME", "2026-12-01T17:00, 17:00 or +1h30m (Viet Nam time)"},
    {"class", "CLASS", "normal or priority (normal)"},
    {"repeat", "RULE", "daily or weekly:mon,thu"},
    {"until", "TIME", "last moment of a repetition"},
    {"title", "TEXT", "for lists (the content's title)"},
    {"dry-run", NULL, "show what would happen; change nothing"},
    {"yes", NULL, "even between 22:00 and 05:00"},
    {NULL, NULL, NULL},
};

static const struct option_def change_options[] = {
    {"at", "TIME", "the new time"},
    {"content", "ID", "the new content"},
    {"dry-run", NULL, "show what would happen; change nothing"},
    {"yes", NULL, "even between 22:00 and 05:00"},
    {NULL, NULL, NULL},
};

static const struct option_def ls_options[] = {
    {"from", "TIME", "from when (now)"},
    {"until", "TIME", "until when (a week later)"},
    {"all", NULL, "those that were cancelled too (--json has them always)"},
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
