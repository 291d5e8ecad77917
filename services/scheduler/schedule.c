/* Requests that change the plan: add, change, cancel. */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/asking.h"

static struct asking asking_of(struct scheduler *s,
                               const struct scheduler_event *ev)
{
    memset(&s->candidate, 0, sizeof s->candidate);
    return (struct asking){
        .s = s,
        .r = ev->request,
        .who = ev->who,
        .certificates = ev->certificates,
        .certificates_n = ev->certificates_n,
        .at_ms = ev->at_ms,
        .say = &s->answer.say,
        .b = &s->candidate,
        .areas = s->candidate_areas,
        .skip = BULLETIN_NONE,
    };
}

/* What was asked for beyond the approval's end is taken as asked, but not said:
 * who asks is told at once, and ScheduleFind shows it. */
static void say_uncovered(struct asking *k, uint32_t row)
{
    const struct bulletin *b =
        row == BULLETIN_NONE ? k->b : &k->s->plan.bulletins[row];
    int64_t at_ms = plan_uncovered(b, k->at_ms);
    size_t vi = strlen(k->say->vi), en = strlen(k->say->en);
    char text[SAY_TIME_CAP];

    if (at_ms == SLOTS_NONE)
        return;
    say_time(at_ms, text);
    snprintf(
        k->say->vi + vi, SAY_CAP - vi,
        " Phê duyệt hết hạn trước: từ %s không phát; hãy xin duyệt lại rồi "
        "đổi nội dung của lịch.",
        text);
    snprintf(k->say->en + en, SAY_CAP - en,
             " The approval ends before: from %s on nothing is said; have it "
             "approved again and change the content of the schedule.",
             text);
}

/* What the answer shows: the bulletin, and what sounds at the same time. */
static void done(struct asking *k, uint32_t row, const char *vi, const char *en)
{
    struct scheduler_answer *a = &k->s->answer;
    unsigned n = a->interrupts_n;

    a->entries[a->entries_n++] = row;
    k->say->code = SAY_OK;
    if (n == 0) {
        snprintf(k->say->vi, SAY_CAP, "%s", vi);
        snprintf(k->say->en, SAY_CAP, "%s", en);
        say_uncovered(k, row);
        return;
    }
    snprintf(k->say->vi, SAY_CAP,
             "%s Cùng lúc có %u bản tin loại khác: loại ưu tiên sẽ ngắt loại "
             "thường.",
             vi, n);
    snprintf(k->say->en, SAY_CAP,
             "%s %u bulletins of another class sound at the same time: "
             "priority interrupts normal.",
             en, n);
    say_uncovered(k, row);
}

/* A dry run ends here: the approval is let go when its answer has been sent. */
static void done_dry(struct asking *k)
{
    approvals_drop_chain(&k->s->plan.approvals, &k->b->requester_chain);
    k->s->spare_approval = k->b->approval;
    done(k, BULLETIN_NONE, "Thử lịch: xếp được, chưa thay đổi gì.",
         "Dry run: this can be scheduled; nothing was changed.");
}

static void sign_for(struct asking *k)
{
    struct bulletin *b = k->b;

    memcpy(b->requested_by, k->who->principal, sizeof b->requested_by);
    memcpy(b->requester_area, k->who->area, sizeof b->requester_area);
    memcpy(b->requester_issuer, k->who->issuer, sizeof b->requester_issuer);
    b->requester_serial = k->who->serial;
    b->requested_at_ms = k->at_ms;
}

/* From now on k->b->requester_chain holds references. */
static bool hold_chain(struct asking *k)
{
    struct bulletin *b = k->b;

    if (approvals_take_chain(&k->s->plan.approvals, k->who->subject,
                             k->certificates, k->certificates_n,
                             &b->requester_chain) != LOA_OK) {
        say(k->say, SAY_BUSY,
            "Bộ lập lịch không còn chỗ cho chứng thư mới; hãy báo người quản "
            "trị.",
            "The scheduler has no room for more certificates; tell its "
            "administrator.");
        return false;
    }
    return true;
}

/* Nothing comes of it: what it held is let go. */
static void let_go(struct asking *k)
{
    struct approvals *a = &k->s->plan.approvals;

    approvals_drop(a, k->b->approval);
    approvals_drop_chain(a, &k->b->requester_chain);
}

/* --- add ------------------------------------------------------------------ */

static bool read_wish(struct asking *k)
{
    const struct scheduler_request *r = k->r;
    struct bulletin *b = k->b;

    if (r->class != BULLETIN_NORMAL && r->class != BULLETIN_PRIORITY) {
        say(k->say, SAY_INVALID,
            "Loại bản tin phải là thường (normal) hoặc ưu tiên (priority).",
            "The class of a bulletin is normal or priority.");
        return false;
    }
    if (r->frequency > SLOTS_WEEKLY || r->weekdays > 127) {
        say(k->say, SAY_INVALID,
            "Lịch lặp phải là một lần, hằng ngày hoặc hằng tuần.",
            "A recurrence is once, daily or weekly.");
        return false;
    }
    memcpy(b->id, r->bulletin_id, LOA_ID_BYTES);
    memcpy(b->title, r->title, sizeof b->title);
    b->class = (enum bulletin_class)r->class;
    b->rule.frequency = (enum slots_frequency)r->frequency;
    b->rule.first_ms = r->start_at_ms;
    b->until_ms = r->frequency == SLOTS_ONCE ? r->start_at_ms : r->until_ms;
    if (r->frequency == SLOTS_WEEKLY)
        b->rule.weekdays = r->weekdays != 0
                               ? r->weekdays
                               : 1u << slots_weekday(r->start_at_ms);
    return true;
}

static bool same_wish(const struct asking *k, uint32_t row)
{
    const struct bulletin *b = &k->s->plan.bulletins[row], *c = k->b;
    uint32_t areas[BULLETIN_AREAS_MAX];
    uint32_t areas_n = plan_areas(&k->s->plan, row, areas);
    uint8_t id[LOA_HASH_BYTES];

    loa_hash(k->r->approval, id);
    return b->class == c->class && strcmp(b->title, c->title) == 0 &&
           b->rule.first_ms == c->rule.first_ms &&
           b->rule.frequency == c->rule.frequency &&
           b->rule.weekdays == c->rule.weekdays && b->until_ms == c->until_ms &&
           areas_n == k->s->candidate_areas_n &&
           memcmp(areas, k->areas, areas_n * sizeof areas[0]) == 0 &&
           memcmp(k->s->plan.approvals.rows[b->approval].id, id, sizeof id) ==
               0;
}

/* The id is taken: by the same bulletin, asked for again, or by another. */
static void answer_known(struct asking *k, uint32_t row)
{
    const struct bulletin *b = &k->s->plan.bulletins[row];
    struct scheduler_answer *a = &k->s->answer;

    if (b->why == BULLETIN_STANDS && same_wish(k, row)) {
        done(k, row, "Đã xếp lịch.", "Scheduled.");
        return;
    }
    a->entries[a->entries_n++] = row;
    if (b->why == BULLETIN_STANDS)
        say(k->say, SAY_EXISTS,
            "Mã bản tin này đã dùng cho một bản tin khác; hãy dùng mã mới.",
            "This bulletin id belongs to another bulletin; take a new id.");
    else
        say(k->say, SAY_EXISTS,
            "Bản tin mang mã này đã bị huỷ; hãy xếp lại với mã mới.",
            "The bulletin of this id was cancelled; schedule it with a new "
            "id.");
}

/* Asked before a time is proposed, or a dry run ends well. */
static bool has_place(struct asking *k)
{
    struct scheduler *s = k->s;

    if (plan_has_room(&s->plan, s->candidate_areas_n))
        return true;
    say(k->say, SAY_BUSY,
        "Bộ lập lịch đã đầy (%u bản tin); hãy báo người quản trị.",
        "The scheduler is full (%u bulletins); tell its administrator.",
        s->conf.limits.bulletins);
    return false;
}

void core_add(struct scheduler *s,
              const struct scheduler_event *ev,
              struct scheduler_update *up)
{
    struct asking k = asking_of(s, ev);
    uint32_t row;
    int rv;

    if (!asking_may_schedule(&k) || !read_wish(&k) || !asking_find_areas(&k))
        return;
    row = plan_find(&s->plan, k.r->bulletin_id);
    if (row != BULLETIN_NONE) {
        answer_known(&k, row);
        return;
    }
    if (!asking_repeats_sensibly(&k) || !asking_starts_in_time(&k) ||
        !has_place(&k) || !asking_take_approval(&k))
        return;
    if (!hold_chain(&k) || !asking_fits(&k)) {
        let_go(&k);
        return;
    }
    sign_for(&k);
    if (k.r->dry_run) {
        done_dry(&k);
        return;
    }
    rv = plan_add(&s->plan, k.b, k.areas, s->candidate_areas_n, &row);
    assert(rv == LOA_OK);
    up->approval = k.r->approval;
    up->approval_row = k.b->approval;
    core_changed(s, row, up);
    core_remake(s, row, k.at_ms, up);
    done(&k, row, "Đã xếp lịch.", "Scheduled.");
}

/* --- change, cancel ------------------------------------------------------- */

/* The bulletin that is to be changed or cancelled, and the right to. */
static bool find_own(struct asking *k, uint32_t *row)
{
    struct scheduler *s = k->s;

    *row = plan_find(&s->plan, k->r->bulletin_id);
    if (*row == BULLETIN_NONE) {
        say(k->say, SAY_NOT_FOUND,
            "Không có bản tin mang mã này; hãy xem lại mã bằng: loactl "
            "schedule ls.",
            "There is no bulletin of this id; look it up with: loactl schedule "
            "ls.");
        return false;
    }
    s->candidate_areas_n = plan_areas(&s->plan, *row, k->areas);
    for (uint32_t i = 0; i < s->candidate_areas_n; i++)
        if (!asking_may_speak_in(k, s->plan.areas.rows[k->areas[i]].path))
            return false;
    return true;
}

static bool not_over(struct asking *k, const struct bulletin *b)
{
    char end[SAY_TIME_CAP];

    if (b->end_ms > k->at_ms || plan_uncovered(b, k->at_ms) != SLOTS_NONE)
        return true;
    say(k->say, SAY_PAST, "Bản tin này đã phát xong lúc %s.",
        "This bulletin ended at %s.", say_time(b->end_ms, end));
    return false;
}

static bool changeable(struct asking *k, const struct bulletin *b)
{
    if (b->why != BULLETIN_STANDS) {
        say(k->say, SAY_NOT_FOUND,
            "Bản tin này đã bị huỷ; hãy xếp một bản tin mới.",
            "This bulletin was cancelled; schedule a new one.");
        return false;
    }
    if (k->r->start_at_ms == 0 && k->r->approval.len == 0) {
        say(k->say, SAY_INVALID,
            "Hãy cho biết giờ bắt đầu mới, nội dung mới, hoặc cả hai.",
            "Say a new start, a new content, or both.");
        return false;
    }
    return not_over(k, b);
}

/* The rule from now on: moved, or what is still to come of the old one. */
static bool change_rule(struct asking *k)
{
    struct slots_rule *rule = &k->b->rule;
    unsigned weekday = slots_weekday(rule->first_ms);
    int64_t next_ms;

    if (k->r->start_at_ms != 0) {
        rule->first_ms = k->r->start_at_ms;
        if (rule->frequency == SLOTS_ONCE)
            k->b->until_ms = rule->first_ms;
        /* What was on one day of the week follows to another. */
        if (rule->weekdays == 1u << weekday)
            rule->weekdays = 1u << slots_weekday(rule->first_ms);
        return asking_repeats_sensibly(k) && asking_starts_in_time(k);
    }
    rule->until_ms = k->b->until_ms;
    next_ms = slots_next(rule, k->at_ms + k->s->conf.min_lead_ms);
    if (next_ms == SLOTS_NONE)
        return asking_starts_in_time(k);
    rule->first_ms = next_ms;
    return true;
}

void core_change(struct scheduler *s,
                 const struct scheduler_event *ev,
                 struct scheduler_update *up)
{
    struct asking k = asking_of(s, ev);
    struct bulletin *b;
    uint32_t row;

    if (!asking_may_schedule(&k) || !find_own(&k, &row))
        return;
    b = &s->plan.bulletins[row];
    *k.b = *b;
    k.skip = row;
    if (!changeable(&k, b) || !change_rule(&k))
        return;
    if (k.r->approval.len == 0)
        approvals_hold(&s->plan.approvals, b->approval);
    else if (!asking_take_approval(&k))
        return;
    if (!hold_chain(&k) || !asking_fits(&k)) {
        let_go(&k);
        return;
    }
    sign_for(&k);
    if (k.r->dry_run) {
        done_dry(&k);
        return;
    }
    core_touch(s, row);
    approvals_drop(&s->plan.approvals, b->approval);
    approvals_drop_chain(&s->plan.approvals, &b->requester_chain);
    *b = *k.b;
    up->approval = k.r->approval;
    up->approval_row = b->approval;
    core_changed(s, row, up);
    core_remake(s, row, k.at_ms, up);
    done(&k, row, "Đã đổi lịch.", "Changed.");
}

void core_cancel(struct scheduler *s,
                 const struct scheduler_event *ev,
                 struct scheduler_update *up)
{
    struct asking k = asking_of(s, ev);
    struct bulletin *b;
    uint32_t row;

    if (!asking_may_schedule(&k) || !find_own(&k, &row))
        return;
    b = &s->plan.bulletins[row];
    if (b->why == BULLETIN_STANDS) {
        if (!not_over(&k, b))
            return;
        core_touch(s, row);
        b->why = BULLETIN_ASKED;
        b->cancelled_at_ms = k.at_ms;
        memcpy(b->cancelled_by, k.who->principal, sizeof b->cancelled_by);
        core_changed(s, row, up);
        core_remake(s, row, k.at_ms, up);
    }
    done(&k, row, "Đã huỷ lịch.", "Cancelled.");
}
