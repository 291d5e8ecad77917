#include "scheduler/asking.h"

#include <string.h>

/* --- who, where ----------------------------------------------------------- */

bool asking_may_schedule(struct asking *k)
{
    if ((k->who->powers & LOA_POWER_SCHEDULE) != 0)
        return true;
    say(k->say, SAY_NOT_ALLOWED,
        "Chứng thư của %s không có quyền xếp lịch (SCHEDULE); hãy nhờ người có "
        "quyền này.",
        "The certificate of %s lacks the power SCHEDULE; ask somebody who has "
        "it.",
        k->who->principal);
    return false;
}

bool asking_may_speak_in(struct asking *k, const char *path)
{
    if (!loa_area_within(path, k->s->conf.area)) {
        say(k->say, SAY_NOT_ALLOWED,
            "Khu vực %s nằm ngoài %s, nơi bộ lập lịch này phục vụ.",
            "Area %s lies outside %s, which is all this scheduler serves.",
            path, k->s->conf.area);
        return false;
    }
    if (!loa_area_within(path, k->who->area)) {
        say(k->say, SAY_NOT_ALLOWED,
            "Khu vực %s nằm ngoài %s, khu vực trong chứng thư của bạn.",
            "Area %s lies outside %s, the area of your certificate.", path,
            k->who->area);
        return false;
    }
    return true;
}

static bool find_area(struct asking *k, const char *path, uint32_t *row)
{
    const struct areas *areas = &k->s->plan.areas;

    if (!loa_area_valid(path)) {
        say(k->say, SAY_INVALID,
            "Đường dẫn khu vực không đúng; ví dụ đúng: vn/08/070.",
            "An area is not well formed; it looks like vn/08/070.");
        return false;
    }
    *row = areas_find(areas, path);
    if (*row != AREA_NONE && areas_exists(areas, *row, k->at_ms))
        return asking_may_speak_in(k, path);
    if (!k->s->areas_known)
        say(k->say, SAY_BUSY,
            "Bộ lập lịch chưa nhận được danh sách khu vực từ registry; hãy thử "
            "lại sau ít phút.",
            "The scheduler has not got the areas from the registry yet; ask "
            "again in a few minutes.");
    else
        say(k->say, SAY_NOT_FOUND,
            "Không có khu vực %s; hãy tra bằng: loactl area find.",
            "There is no area %s; look it up with: loactl area find.", path);
    return false;
}

bool asking_find_areas(struct asking *k)
{
    const struct scheduler_request *r = k->r;

    if (r->areas_n < 1 || r->areas_n > BULLETIN_AREAS_MAX) {
        say(k->say, SAY_INVALID,
            "Một bản tin cần từ 1 đến %d khu vực, ở đây có %u.",
            "A bulletin names 1 to %d areas, this one %u.", BULLETIN_AREAS_MAX,
            (unsigned)r->areas_n);
        return false;
    }
    for (uint32_t i = 0; i < r->areas_n; i++)
        if (!find_area(k, r->areas[i], &k->areas[i]))
            return false;
    for (uint32_t i = 0; i < r->areas_n; i++)
        for (uint32_t j = 0; j < r->areas_n; j++)
            if (i != j && loa_area_within(r->areas[i], r->areas[j])) {
                say(k->say, SAY_INVALID,
                    "Khu vực %s đã nằm trong %s; hãy bỏ một trong hai.",
                    "Area %s already lies in %s; leave one of them out.",
                    r->areas[i], r->areas[j]);
                return false;
            }
    k->s->candidate_areas_n = r->areas_n;
    return true;
}

/* --- when ----------------------------------------------------------------- */

bool asking_starts_in_time(struct asking *k)
{
    char start[SAY_TIME_CAP], now[SAY_TIME_CAP];
    int64_t start_ms = k->b->rule.first_ms;

    if (start_ms - k->at_ms > SCHEDULER_AHEAD_MS) {
        say(k->say, SAY_INVALID,
            "Giờ bắt đầu %s còn hơn 366 ngày nữa; hãy chọn giờ sớm hơn.",
            "The start at %s is more than 366 days away; choose an earlier "
            "one.",
            say_time(start_ms, start));
        return false;
    }
    if (start_ms >= k->at_ms + k->s->conf.min_lead_ms)
        return true;
    say(k->say, SAY_PAST,
        "Giờ bắt đầu %s đã qua hoặc quá gần (bây giờ là %s, cần trước ít nhất "
        "%lld giây); hãy chọn giờ muộn hơn.",
        "The start at %s has passed or is too near (it is %s, and %lld s are "
        "needed); choose a later one.",
        say_time(start_ms, start), say_time(k->at_ms, now),
        (long long)(k->s->conf.min_lead_ms + 999) / 1000);
    return false;
}

bool asking_repeats_sensibly(struct asking *k)
{
    struct bulletin *b = k->b;
    unsigned weekday = slots_weekday(b->rule.first_ms);
    char first[SAY_TIME_CAP], until[SAY_TIME_CAP];

    if (b->rule.frequency == SLOTS_ONCE)
        return true;
    if (b->until_ms < b->rule.first_ms ||
        b->until_ms - b->rule.first_ms > SCHEDULER_AHEAD_MS) {
        say(k->say, SAY_INVALID,
            "Lịch lặp bắt đầu %s phải có hạn cuối sau đó, không quá 366 ngày; "
            "hạn cuối ở đây là %s.",
            "A recurrence from %s must end after it and within 366 days; this "
            "one ends %s.",
            say_time(b->rule.first_ms, first), say_time(b->until_ms, until));
        return false;
    }
    if (b->rule.frequency == SLOTS_WEEKLY &&
        (b->rule.weekdays >> weekday & 1) == 0) {
        static const char *const vi[] = {"thứ Hai", "thứ Ba",  "thứ Tư",
                                         "thứ Năm", "thứ Sáu", "thứ Bảy",
                                         "Chủ nhật"};
        static const char *const en[] = {"Monday",   "Tuesday", "Wednesday",
                                         "Thursday", "Friday",  "Saturday",
                                         "Sunday"};

        say(k->say, SAY_INVALID,
            "Giờ bắt đầu %s là %s (%s), không thuộc các ngày trong tuần đã "
            "chọn; hãy bắt đầu vào một ngày đã chọn.",
            "The start at %s is a %s (%s), not one of the weekdays asked for; "
            "start on one of them.",
            say_time(b->rule.first_ms, first), vi[weekday], en[weekday]);
        return false;
    }
    return true;
}

/* --- what ----------------------------------------------------------------- */

static void say_verdict(struct say *to, enum loa_verdict verdict)
{
    switch (verdict) {
        case LOA_VERDICT_REVOKED:
            say(to, SAY_REVOKED,
                "Chứng thư của người duyệt đã bị thu hồi; nội dung cần người "
                "khác "
                "duyệt.",
                "The approver's certificate is revoked; somebody else must "
                "approve "
                "the content.");
            return;
        case LOA_VERDICT_EXPIRED:
        case LOA_VERDICT_EXPIRED_CERTIFICATE:
            say(to, SAY_EXPIRED,
                "Phê duyệt nội dung này đã hết hạn; hãy xin duyệt lại.",
                "The approval of this content has expired; have it approved "
                "again.");
            return;
        default:
            say(to, SAY_NOT_APPROVED,
                "Phê duyệt không được chấp nhận (%s); nội dung cần được người "
                "có "
                "quyền CONTENT_APPROVE duyệt.",
                "The approval is refused (%s); somebody with CONTENT_APPROVE "
                "must "
                "approve the content.",
                loa_verdict_name(verdict));
    }
}

/* Take the approval that was handed in: k->b->approval, with a reference. */
bool asking_take_approval(struct asking *k)
{
    enum loa_verdict verdict;

    switch (approvals_take(&k->s->plan.approvals, k->r->approval, k->at_ms,
                           &verdict, &k->b->approval)) {
        case LOA_OK:
            return true;
        case LOA_EACCES:
            say_verdict(k->say, verdict);
            return false;
        case LOA_EBUSY:
            say(k->say, SAY_BUSY,
                "Bộ lập lịch không còn chỗ cho phê duyệt mới; hãy báo người "
                "quản "
                "trị.",
                "The scheduler has no room for another approval; tell its "
                "administrator.");
            return false;
        default:
            say(k->say, SAY_INVALID,
                "Phê duyệt không chứa mô tả nội dung hợp lệ, hoặc nội dung dài "
                "hơn "
                "24 giờ; hãy nạp lại nội dung.",
                "The approval holds no sound manifest, or the content is "
                "longer "
                "than 24 hours; hand the content in again.");
            return false;
    }
}

/* Two locks, and the approval must reach as far as the bulletin. */
static bool approval_reaches(struct asking *k)
{
    const struct approval *v = &k->s->plan.approvals.rows[k->b->approval];

    if (strcmp(v->approver, k->who->principal) == 0 ||
        memcmp(v->key, k->who->subject, LOA_KEY_BYTES) == 0) {
        say(k->say, SAY_NOT_ALLOWED,
            "%s đã duyệt nội dung này nên không được tự xếp lịch; hãy nhờ "
            "người khác.",
            "%s approved this content and so may not schedule it; ask somebody "
            "else.",
            v->approver);
        return false;
    }
    for (uint32_t i = 0; i < k->s->candidate_areas_n; i++) {
        const char *path = k->s->plan.areas.rows[k->areas[i]].path;

        if (loa_area_within(path, v->area))
            continue;
        say(k->say, SAY_NOT_APPROVED,
            "Nội dung chỉ được duyệt cho %s, không cho %s; hãy xin duyệt cho "
            "khu vực này.",
            "The content is approved for %s, not for %s; have it approved for "
            "that area.",
            v->area, path);
        return false;
    }
    return true;
}

/* The content may be gone, or going: it must have been approved since. */
static bool content_is_held(struct asking *k)
{
    const struct approval *v = &k->s->plan.approvals.rows[k->b->approval];
    char until[SAY_TIME_CAP];

    for (uint32_t i = 0; i < k->s->candidate_areas_n; i++) {
        const char *path = k->s->plan.areas.rows[k->areas[i]].path;
        int64_t until_ms =
            released_until(&k->s->released, v->content_hash, path);

        if (v->issued_at_ms >= until_ms && k->at_ms >= until_ms)
            continue;
        say(k->say, SAY_NOT_APPROVED,
            "Nội dung này đã được xoá sau khi duyệt; hãy nạp lại, rồi xin "
            "duyệt "
            "lại sau %s.",
            "This content was deleted after it had been approved; hand it in "
            "again and have it approved again after %s.",
            say_time(until_ms, until));
        return false;
    }
    return true;
}

static bool approval_lasts(struct asking *k)
{
    const struct approval *v = &k->s->plan.approvals.rows[k->b->approval];
    char expires[SAY_TIME_CAP];

    if (conflict_covered(&k->query, k->query.first_ms))
        return true;
    say(k->say, SAY_EXPIRED,
        "Phê duyệt (hoặc chứng thư của %s) hết hạn lúc %s, trước khi bản tin "
        "phát xong; hãy xin duyệt lại hoặc phát sớm hơn.",
        "The approval (or the certificate of %s) expires at %s, before the "
        "bulletin has been said; have it approved again or start earlier.",
        v->approver, say_time(v->expires_at_ms, expires));
    return false;
}

/* --- is there room -------------------------------------------------------- */

static void prepare_query(struct asking *k)
{
    const struct bulletin *b = k->b;
    const struct approval *v = &k->s->plan.approvals.rows[b->approval];

    k->query = (struct conflict_query){
        .class = b->class,
        .frequency = b->rule.frequency,
        .weekdays = b->rule.weekdays,
        .first_ms = b->rule.first_ms,
        .until_ms = b->until_ms,
        .covered_ms = v->expires_at_ms - v->duration_ms,
        .duration_ms = v->duration_ms,
        .skip = k->skip,
        .earliest_ms = k->at_ms + k->s->conf.min_lead_ms,
        .latest_ms = k->at_ms + SCHEDULER_AHEAD_MS,
        .window_end_ms = k->s->window_end_ms,
    };
}

/* The first area whose programme would grow too large, or NULL. */
static const char *overfull(struct asking *k, const struct bulletin *b)
{
    struct scheduler *s = k->s;

    for (uint32_t i = 0; i < s->candidate_areas_n; i++)
        if (!programme_fits(&s->plan, k->areas[i], b, k->skip, k->at_ms,
                            s->conf.horizon_days, s->maker.body_max))
            return s->plan.areas.rows[k->areas[i]].path;
    return NULL;
}

static void propose(struct asking *k, struct scheduler_answer *a)
{
    struct bulletin moved = *k->b;
    char start[SAY_TIME_CAP], free[SAY_TIME_CAP];
    int64_t at_ms = conflict_propose(&k->s->plan, &k->query);

    if (at_ms != 0) {
        moved.rule = conflict_rule(&k->query, at_ms);
        moved.end_ms = slots_end(&moved.rule);
        if (overfull(k, &moved) != NULL)
            at_ms = 0;
    }
    a->proposed_start_at_ms = at_ms;
    say_time(k->query.first_ms, start);
    if (at_ms == 0)
        say(k->say, SAY_CONFLICT,
            "Lúc %s đã có %u bản tin cùng loại và không tìm được giờ trống gần "
            "đó; hãy chọn ngày khác.",
            "%s is taken (bulletins of the same class: %u), and no free time "
            "near it was found; choose another day.",
            start, (unsigned)a->conflicts_n);
    else
        say(k->say, SAY_CONFLICT,
            "Lúc %s đã có %u bản tin cùng loại; giờ trống gần nhất là %s.",
            "%s is taken (bulletins of the same class: %u); the nearest free "
            "time is %s.",
            start, (unsigned)a->conflicts_n, say_time(at_ms, free));
}

/* How many of the rows an answer has room for, beside its own entry. */
static uint32_t what_fits(const struct scheduler *s,
                          const uint32_t rows[],
                          uint32_t rows_n)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < rows_n; i++) {
        bytes += core_entry_bytes(s, rows[i]);
        if (i > 0 && bytes > SCHEDULER_ENTRIES_BYTES / 2)
            return i;
    }
    return rows_n;
}

static bool has_room(struct asking *k)
{
    struct scheduler *s = k->s;
    struct scheduler_answer *a = &s->answer;
    const char *area;

    plan_audible(&s->plan, k->areas, s->candidate_areas_n, k->at_ms);
    a->conflicts_n =
        what_fits(s, a->conflicts,
                  conflict_list(&s->plan, &k->query, true, a->conflicts));
    if (a->conflicts_n > 0) {
        propose(k, a);
        return false;
    }
    a->interrupts_n =
        what_fits(s, a->interrupts,
                  conflict_list(&s->plan, &k->query, false, a->interrupts));
    area = overfull(k, k->b);
    if (area == NULL)
        return true;
    a->interrupts_n = 0;
    say(k->say, SAY_TOO_LARGE,
        "Chương trình của %s đã đầy (tối đa %d bản tin, %d byte); hãy chọn "
        "ngày khác hoặc bỏ bớt bản tin.",
        "The programme of %s is full (at most %d bulletins, %d bytes); choose "
        "another day or cancel some.",
        area, PROGRAMME_BULLETINS_MAX, LOA_ENVELOPE_BYTES_MAX);
    return false;
}

/* All that add and change have in common once k->b says what is wanted and
 * holds its approval. */
bool asking_fits(struct asking *k)
{
    prepare_query(k);
    plan_settle(&k->s->plan, k->b);
    return approval_reaches(k) && content_is_held(k) && approval_lasts(k) &&
           has_room(k);
}
