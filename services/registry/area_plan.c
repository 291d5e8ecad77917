#include "registry/area_plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "registry/hash.h"

#define ROW_SLOTS_N (4 * AREA_CSV_ROWS_MAX)
#define ID_TRIES_MAX 999

/* One run of area_plan(): what every step of it needs. */
struct planning {
    struct area_plan *p;
    const struct areas *a;
    const struct area_order *o;
    struct refusal *why;
};

/* The day of a moment, in UTC, as people write it to a computer. */
static const char *day(int64_t at_ms, char out[16])
{
    time_t s = (time_t)(at_ms / 1000);
    struct tm tm;

    /* A year that is no int, or too long to show, leaves it empty. */
    out[0] = '\0';
    if (gmtime_r(&s, &tm) != NULL)
        (void)strftime(out, 16, "%Y-%m-%d", &tm);
    return out;
}

/* The draft of the file's row with this code; AREA_NONE. */
static uint32_t in_file(const struct area_plan *p, const char *code)
{
    uint32_t slot = hash_text(code) % ROW_SLOTS_N;

    for (; p->by_code[slot] != 0; slot = (slot + 1) % ROW_SLOTS_N)
        if (strcmp(p->drafts[p->by_code[slot] - 1].row->code, code) == 0)
            return p->by_code[slot] - 1;
    return AREA_NONE;
}

static void file_add(struct area_plan *p, const char *code, uint32_t draft)
{
    uint32_t slot = hash_text(code) % ROW_SLOTS_N;

    while (p->by_code[slot] != 0)
        slot = (slot + 1) % ROW_SLOTS_N;
    p->by_code[slot] = draft + 1;
}

/* --- new ids -------------------------------------------------------------- */

static bool new_id_taken(const struct planning *g, const char *id)
{
    const struct area_plan *p = g->p;
    uint32_t slot = hash_text(id) % ROW_SLOTS_N;

    if (areas_by_id(g->a, id) != AREA_NONE)
        return true;
    for (; p->by_new_id[slot] != 0; slot = (slot + 1) % ROW_SLOTS_N)
        if (strcmp(p->drafts[p->by_new_id[slot] - 1].id, id) == 0)
            return true;
    return false;
}

/* The code, or with a number behind it where the code was somebody's id
 * before: an id never comes back with another meaning. */
static int choose_id(const struct planning *g, uint32_t draft)
{
    struct area_draft *d = &g->p->drafts[draft];
    char id[AREA_ID_CAP + 16];
    uint32_t slot;

    snprintf(id, sizeof id, "%s", d->row->code);
    for (int n = 2; new_id_taken(g, id) && n <= ID_TRIES_MAX; n++)
        snprintf(id, sizeof id, "%s_%d", d->row->code, n);
    if (strlen(id) >= AREA_ID_CAP || new_id_taken(g, id))
        return refuse_line(
            g->why, REFUSAL_INVALID, d->row->line,
            "Dòng %u: mã %s đã từng dùng và quá dài để thêm số thứ tự.",
            "Line %u: code %s was used before and is too long for a number "
            "behind it.",
            d->row->line, d->row->code);
    memcpy(d->id, id, strlen(id) + 1);
    slot = hash_text(id) % ROW_SLOTS_N;
    while (g->p->by_new_id[slot] != 0)
        slot = (slot + 1) % ROW_SLOTS_N;
    g->p->by_new_id[slot] = draft + 1;
    return LOA_OK;
}

/* --- drafts --------------------------------------------------------------- */

static void draft_tree(const struct planning *g)
{
    for (uint32_t i = 0; i < g->a->areas_n; i++) {
        const struct area_state *s = areas_newest(g->a, i);
        struct area_draft *d = &g->p->drafts[i];

        *d = (struct area_draft){.now = s,
                                 .code = s->code,
                                 .name = s->name,
                                 .tier = s->tier,
                                 .open = s->valid_until_ms == 0};
        d->parent =
            s->parent[0] != '\0' ? areas_by_id(g->a, s->parent) : AREA_NONE;
        memcpy(d->id, g->a->areas[i].id, sizeof d->id);
    }
    g->p->drafts_n = g->a->areas_n;
}

static int draft_new(const struct planning *g,
                     const struct area_csv_row *row,
                     const struct area_state *last,
                     uint32_t *draft)
{
    char until[16];

    if (row->tier == AREA_CLOSED)
        return refuse_line(g->why, REFUSAL_NOT_FOUND, row->line,
                           "Dòng %u: không có khu vực nào đang dùng mã %s để "
                           "đóng.",
                           "Line %u: no open area has code %s, so there is "
                           "nothing to close.",
                           row->line, row->code);
    if (last != NULL && last->valid_until_ms > g->o->valid_from_ms)
        return refuse_line(
            g->why, REFUSAL_CONFLICT, row->line,
            "Dòng %u: mã %s còn được dùng đến ngày %s; hãy chọn ngày hiệu lực "
            "từ đó trở đi.",
            "Line %u: code %s is in use until %s; choose that day or a later "
            "one.",
            row->line, row->code, day(last->valid_until_ms, until));
    *draft = (uint32_t)g->p->drafts_n++;
    g->p->drafts[*draft] = (struct area_draft){.row = row};
    return choose_id(g, *draft);
}

/* Find or make the draft that a row is about. */
static int draft_row(const struct planning *g, size_t i)
{
    const struct area_csv_row *row = &g->o->rows[i];
    uint32_t twin = in_file(g->p, row->code);
    uint32_t draft = areas_by_code(g->a, row->code);
    struct area_draft *d;
    int rv;

    if (twin != AREA_NONE)
        return refuse_line(g->why, REFUSAL_INVALID, row->line,
                           "Dòng %u: mã %s đã có ở dòng %u.",
                           "Line %u: code %s is in line %u already.", row->line,
                           row->code, g->p->drafts[twin].row->line);
    if (draft == AREA_NONE || !g->p->drafts[draft].open) {
        rv = draft_new(g, row,
                       draft != AREA_NONE ? g->p->drafts[draft].now : NULL,
                       &draft);
        if (rv != LOA_OK)
            return rv;
    }
    d = &g->p->drafts[draft];
    d->row = row;
    d->open = row->tier != AREA_CLOSED;
    if (d->open) {
        d->code = row->code;
        d->name = row->name;
        d->tier = row->tier;
    }
    g->p->row_draft[i] = draft;
    file_add(g->p, row->code, draft);
    return LOA_OK;
}

static int set_parent(const struct planning *g, size_t i)
{
    const struct area_csv_row *row = &g->o->rows[i];
    struct area_draft *d = &g->p->drafts[g->p->row_draft[i]];
    uint32_t parent;

    if (row->tier == AREA_CLOSED)
        return LOA_OK;
    if (row->parent[0] == '\0') {
        d->parent = AREA_NONE;
        return LOA_OK;
    }
    parent = in_file(g->p, row->parent);
    if (parent == AREA_NONE)
        parent = areas_by_code(g->a, row->parent);
    if (parent == AREA_NONE || !g->p->drafts[parent].open)
        return refuse_line(g->why, REFUSAL_NOT_FOUND, row->line,
                           "Dòng %u: không có khu vực cấp trên mang mã %s, cả "
                           "trong tệp lẫn trong cây.",
                           "Line %u: parent %s is neither in the file nor an "
                           "open area of the tree.",
                           row->line, row->parent);
    d->parent = parent;
    return LOA_OK;
}

/* --- judging -------------------------------------------------------------- */

/* The line to blame for what is wrong with d: its own, or its parent's. */
static uint32_t line_of(const struct area_plan *p, const struct area_draft *d)
{
    for (unsigned up = 0; up < LOA_AREA_DEPTH_MAX; up++) {
        if (d->row != NULL)
            return d->row->line;
        if (d->parent == AREA_NONE)
            break;
        d = &p->drafts[d->parent];
    }
    return 0;
}

static int judge_root(const struct planning *g,
                      const struct area_draft *d,
                      const struct area_draft **root)
{
    uint32_t line = line_of(g->p, d);

    if (d->tier != AREA_CENTRAL)
        return refuse_line(g->why, REFUSAL_INVALID, line,
                           "Dòng %u: %s thiếu mã cấp trên; chỉ cấp central "
                           "không có cấp trên.",
                           "Line %u: %s has no parent; only tier central has "
                           "none.",
                           line, d->code);
    if (strcmp(d->id, LOA_ENROL_AREA) == 0)
        return refuse_line(g->why, REFUSAL_INVALID, line,
                           "Dòng %u: gốc không được mang mã %s.",
                           "Line %u: the root must not have code %s.", line,
                           d->code);
    if (*root != NULL) {
        if (line == 0)
            line = line_of(g->p, *root);
        return refuse_line(g->why, REFUSAL_CONFLICT, line,
                           "Dòng %u: cây chỉ có một gốc, nay có cả %s và %s.",
                           "Line %u: a tree has one root, and here are %s and "
                           "%s.",
                           line, (*root)->code, d->code);
    }
    *root = d;
    return LOA_OK;
}

static int judge_child(const struct planning *g, const struct area_draft *d)
{
    const struct area_draft *parent = &g->p->drafts[d->parent];
    uint32_t line = line_of(g->p, d);

    if (parent == d)
        return refuse_line(g->why, REFUSAL_INVALID, line,
                           "Dòng %u: %s không thể là cấp trên của chính nó.",
                           "Line %u: %s cannot be its own parent.", line,
                           d->code);
    if (!parent->open)
        return refuse_line(g->why, REFUSAL_IN_USE, line,
                           "Dòng %u: không thể đóng %s khi %s còn trực thuộc.",
                           "Line %u: %s cannot be closed while %s is below it.",
                           line, parent->code, d->code);
    if (parent->tier >= d->tier)
        return refuse_line(g->why, REFUSAL_INVALID, line,
                           "Dòng %u: %s (%s) không thể trực thuộc %s (%s).",
                           "Line %u: %s (%s) cannot be below %s (%s).", line,
                           d->code, area_tier_name(d->tier), parent->code,
                           area_tier_name(parent->tier));
    return LOA_OK;
}

static int judge_tree(const struct planning *g)
{
    const struct area_draft *root = NULL;

    for (size_t i = 0; i < g->p->drafts_n; i++) {
        const struct area_draft *d = &g->p->drafts[i];
        int rv = LOA_OK;

        if (d->open)
            rv = d->parent == AREA_NONE ? judge_root(g, d, &root)
                                        : judge_child(g, d);
        if (rv != LOA_OK)
            return rv;
    }
    return LOA_OK;
}

/* Tiers fall from parent to child, so the way up ends within five steps, and a
 * path of five segments always fits. */
static void set_path(struct area_plan *p, struct area_draft *d)
{
    int len;

    if (d->path[0] != '\0')
        return;
    if (d->parent == AREA_NONE) {
        memcpy(d->path, d->id, strlen(d->id) + 1);
        return;
    }
    set_path(p, &p->drafts[d->parent]);
    len = snprintf(d->path, sizeof d->path, "%s/%s", p->drafts[d->parent].path,
                   d->id);
    assert(len > 0 && (size_t)len < sizeof d->path);
}

/* --- steps ---------------------------------------------------------------- */

static const char *parent_id(const struct area_plan *p,
                             const struct area_draft *d)
{
    return d->parent == AREA_NONE ? "" : p->drafts[d->parent].id;
}

static bool differs(const struct area_plan *p, const struct area_draft *d)
{
    const struct area_state *s = d->now;

    return strcmp(s->code, d->code) != 0 || strcmp(s->name, d->name) != 0 ||
           s->tier != d->tier || strcmp(s->parent, parent_id(p, d)) != 0 ||
           strcmp(s->path, d->path) != 0;
}

/* Nothing is below an area at a time when that was not there. */
static int judge_parent_date(const struct planning *g,
                             const struct area_draft *d)
{
    const struct area_draft *parent = &g->p->drafts[d->parent];
    uint32_t line = line_of(g->p, d);
    char from[16];

    if (parent->now == NULL ||
        parent->now->valid_from_ms <= g->o->valid_from_ms)
        return LOA_OK;
    return refuse_line(
        g->why, REFUSAL_CONFLICT, line,
        "Dòng %u: cấp trên %s có hiệu lực từ ngày %s; hãy chọn ngày hiệu lực "
        "từ đó trở đi.",
        "Line %u: parent %s is valid from %s; choose that day or a later one.",
        line, parent->code, day(parent->now->valid_from_ms, from));
}

/* May this change be made, by this asker, at this date? */
static int judge_step(const struct planning *g, const struct area_draft *d)
{
    const struct area_order *o = g->o;
    uint32_t line = line_of(g->p, d);
    char from[16];

    if ((d->open && !loa_area_within(d->path, o->asker_area)) ||
        (d->now != NULL && !loa_area_within(d->now->path, o->asker_area)))
        return refuse_line(g->why, REFUSAL_NOT_ALLOWED, line,
                           "Dòng %u: %s nằm ngoài khu vực %s của bạn.",
                           "Line %u: %s is outside your area %s.", line,
                           d->code != NULL ? d->code : d->id, o->asker_area);
    if (d->open && d->parent != AREA_NONE && judge_parent_date(g, d) != LOA_OK)
        return LOA_EINVAL;
    if (d->now == NULL || d->now->valid_from_ms < o->valid_from_ms)
        return LOA_OK;
    /* What was announced and is not in force yet may be corrected. */
    if (d->open && d->now->valid_from_ms == o->valid_from_ms &&
        o->valid_from_ms > o->now_ms)
        return LOA_OK;
    return refuse_line(
        g->why, REFUSAL_CONFLICT, line,
        "Dòng %u: %s đã thay đổi từ ngày %s; hãy chọn ngày hiệu lực muộn hơn.",
        "Line %u: %s has changed on %s already; choose a later date.", line,
        d->code, day(d->now->valid_from_ms, from));
}

static int add_step(const struct planning *g, const struct area_draft *d)
{
    struct area_plan *p = g->p;
    struct area_step *step = &p->steps[p->steps_n];
    int rv = judge_step(g, d);

    if (rv != LOA_OK)
        return rv;
    if (p->steps_n == AREA_CSV_ROWS_MAX || p->text_len > AREA_PLAN_TEXT_MAX ||
        g->a->states_n + p->steps_n == AREA_STATES_MAX ||
        g->a->areas_n + p->added_n == AREAS_MAX)
        return refuse(g->why, REFUSAL_TOO_LARGE,
                      "Cây đã đầy: tối đa %d khu vực và %d trạng thái.",
                      "The tree is full: at most %d areas and %d states.",
                      AREAS_MAX, AREA_STATES_MAX);
    memset(step, 0, sizeof *step);
    memcpy(step->id, d->id, sizeof step->id);
    p->steps_n++;
    if (!d->open) {
        step->what = AREA_STEP_CLOSE;
        p->closed_n++;
        return LOA_OK;
    }
    step->what = d->now == NULL ? AREA_STEP_ADD : AREA_STEP_CHANGE;
    p->added_n += d->now == NULL;
    p->changed_n += d->now != NULL && d->row != NULL;
    p->moved_n += d->now != NULL && d->row == NULL;
    snprintf(step->state.code, sizeof step->state.code, "%s", d->code);
    snprintf(step->state.parent, sizeof step->state.parent, "%s",
             parent_id(p, d));
    snprintf(step->state.name, sizeof step->state.name, "%s", d->name);
    p->text_len += 3 * AREA_ID_CAP + strlen(d->name) + strlen(d->path) +
                   2 * strlen(d->name) + 8;
    rv = name_fold(d->name, strlen(d->name), step->state.folded,
                   sizeof step->state.folded);
    assert(rv == LOA_OK); /* area_csv has tried. */
    memcpy(step->state.path, d->path, sizeof d->path);
    step->state.tier = d->tier;
    step->state.valid_from_ms = g->o->valid_from_ms;
    return LOA_OK;
}

static int add_steps(const struct planning *g)
{
    struct area_plan *p = g->p;

    for (size_t i = 0; i < p->drafts_n; i++)
        if (p->drafts[i].open)
            set_path(p, &p->drafts[i]);
    for (size_t i = 0; i < p->drafts_n; i++) {
        const struct area_draft *d = &p->drafts[i];
        bool closing = !d->open && d->row != NULL;
        int rv;

        if (!closing && (!d->open || (d->now != NULL && !differs(p, d)))) {
            p->unchanged_n += d->row != NULL;
            continue;
        }
        rv = add_step(g, d);
        if (rv != LOA_OK)
            return rv;
    }
    return LOA_OK;
}

int area_plan(struct area_plan *p,
              const struct areas *a,
              const struct area_order *o,
              struct refusal *why)
{
    struct planning g = {p, a, o, why};
    int rv = LOA_OK;

    p->steps_n = p->added_n = p->changed_n = 0;
    p->closed_n = p->moved_n = p->unchanged_n = p->text_len = 0;
    memset(p->by_code, 0, sizeof p->by_code);
    memset(p->by_new_id, 0, sizeof p->by_new_id);
    draft_tree(&g);
    for (size_t i = 0; rv == LOA_OK && i < o->rows_n; i++)
        rv = draft_row(&g, i);
    for (size_t i = 0; rv == LOA_OK && i < o->rows_n; i++)
        rv = set_parent(&g, i);
    if (rv == LOA_OK)
        rv = judge_tree(&g);
    if (rv == LOA_OK)
        rv = add_steps(&g);
    if (rv != LOA_OK)
        return rv;
    p->valid_from_ms = o->valid_from_ms;
    p->version = a->version + (p->steps_n > 0);
    for (size_t i = 0; i < p->steps_n; i++)
        p->steps[i].state.version = p->version;
    return LOA_OK;
}

void area_plan_apply(const struct area_plan *p, struct areas *a)
{
    for (size_t i = 0; i < p->steps_n; i++) {
        const struct area_step *step = &p->steps[i];
        int rv = LOA_OK;

        if (step->what == AREA_STEP_CLOSE)
            areas_end(a, areas_by_id(a, step->id), p->valid_from_ms,
                      p->version);
        else
            rv = areas_put(a, step->id, &step->state);
        assert(rv == LOA_OK);
    }
    areas_settle(a, p->version);
}
