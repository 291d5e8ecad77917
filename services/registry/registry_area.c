/* registry_area.c -- imports: from the first piece to the plan. */

#include <string.h>

#include "registry/registry.h"

/* An import may announce, but not for ever; and areas did not exist before
 * computers counted time. */
#define VALID_FROM_AHEAD_MS (3653 * 86400000ll)

static void drop_parts(struct registry_update *up, const uint8_t *import_id)
{
    memcpy(up->drop[up->drop_n++], import_id, LOA_ID_BYTES);
    up->flags |= REGISTRY_WRITE | REGISTRY_DROP_PARTS;
}

static int judge(const struct registry *r,
                 const struct registry_event *ev,
                 struct refusal *why)
{
    const struct part *p = &ev->request->part;

    if (!(ev->who->powers & LOA_POWER_DELEGATE))
        return refuse(why, REFUSAL_NOT_ALLOWED,
                      "Nhập danh mục khu vực cần quyền delegate.",
                      "Importing areas needs the power delegate.");
    if (p->valid_from_ms < 0 ||
        p->valid_from_ms > ev->now_ms + VALID_FROM_AHEAD_MS)
        return refuse(why, REFUSAL_INVALID,
                      "Ngày hiệu lực phải từ năm 1970 đến 10 năm sau hôm nay.",
                      "The date from which it is valid must lie between 1970 "
                      "and ten years from now.");
    if (r->importing)
        return refuse(why, REFUSAL_BUSY,
                      "Một tệp khác đang được ghi; hãy thử lại sau giây lát.",
                      "Another file is being written; try again in a moment.");
    return LOA_OK;
}

/* All pieces are there: read them as one file and plan. */
static int plan(struct registry *r,
                const struct registry_event *ev,
                const struct parts_import *import,
                struct refusal *why)
{
    static struct area_csv csv;
    static struct area_csv_row rows[AREA_CSV_ROWS_MAX];
    struct area_order order = {.rows = rows,
                               .now_ms = ev->now_ms,
                               .valid_from_ms = import->valid_from_ms,
                               .asker_area = ev->who->area};
    int rv = LOA_OK;

    area_csv_begin(&csv, rows);
    for (uint32_t i = 0; rv == LOA_OK && i < import->parts_n; i++) {
        struct loa_bytes text = parts_text(import, i);
        rv = area_csv_feed(&csv, text.data, text.len, why);
    }
    if (rv == LOA_OK)
        rv = area_csv_end(&csv, why);
    if (rv != LOA_OK)
        return rv;
    order.rows_n = csv.rows_n;
    if (order.valid_from_ms == 0)
        order.valid_from_ms = ev->now_ms;
    return area_plan(&r->plan, &r->areas, &order, why);
}

/* Does the tree with its history stay within what the asker's area may have? */
static int judge_room(const struct registry *r,
                      const struct registry_event *ev,
                      struct refusal *why)
{
    const struct share s = share_of(r->conf.identity->leaf.area, ev->who->area);
    const struct areas *a = &r->areas;
    size_t areas_n = r->plan.added_n, states_n = r->plan.steps_n;
    bool fits;

    for (uint32_t i = 0; i < a->areas_n; i++)
        areas_n += loa_area_within(areas_newest(a, i)->path, s.area);
    for (size_t i = 0; i < a->states_n; i++)
        states_n += loa_area_within(a->states[i].path, s.area);
    fits = share_allows(&s, AREAS_MAX, a->areas_n + r->plan.added_n, areas_n) &&
           share_allows(&s, AREA_STATES_MAX, a->states_n + r->plan.steps_n,
                        states_n);
    if (r->plan.steps_n == 0 || fits)
        return LOA_OK;
    return refuse(why, REFUSAL_TOO_LARGE,
                  "Sổ đăng ký đã đầy cho khu vực của bạn (%d khu vực cho tất "
                  "cả, và lịch sử của chúng); hãy nhờ cấp trên.",
                  "The registry is full for your area (%d areas for all, and "
                  "their history); ask the level above.",
                  AREAS_MAX);
}

/* Say what the plan does, and have it done if it does something. */
static void carry_out(struct registry *r,
                      const struct registry_event *ev,
                      struct registry_update *up)
{
    const struct area_plan *p = &r->plan;
    struct registry_answer *a = &up->answer;

    a->version = p->version;
    a->added_n = (uint32_t)p->added_n;
    a->changed_n = (uint32_t)(p->changed_n + p->closed_n);
    a->unchanged_n = (uint32_t)p->unchanged_n;
    refuse(&a->status, REFUSAL_NONE,
           "%zu khu vực được thêm, %zu thay đổi, %zu đóng, %zu chuyển theo cấp "
           "trên, %zu giữ nguyên.",
           "%zu areas added, %zu changed, %zu closed, %zu moved with their "
           "parent, %zu as they were.",
           p->added_n, p->changed_n, p->closed_n, p->moved_n, p->unchanged_n);
    if (p->steps_n == 0)
        return;
    r->importing = true;
    r->areas_version = p->version;
    up->plan = p;
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_PLAN;
    registry_sign_list(r, ev->now_ms, up);
}

void registry_area_import(struct registry *r,
                          const struct registry_event *ev,
                          struct registry_update *up)
{
    const struct part *p = &ev->request->part;
    struct refusal *why = &up->answer.status;
    struct parts_import *import;
    const uint8_t *dropped;

    if (judge(r, ev, why) != LOA_OK ||
        parts_take(&r->parts, p, ev->who->principal, ev->now_ms, &import,
                   &dropped, why) != LOA_OK)
        return;
    if (dropped != NULL)
        drop_parts(up, dropped);
    if (!parts_whole(import)) {
        up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_PART;
        refuse(why, REFUSAL_NONE, "Đã nhận phần %u trên %u.",
               "Part %u of %u has been received.", p->part + 1, p->parts_n);
        return;
    }
    drop_parts(up, import->id);
    if (plan(r, ev, import, why) == LOA_OK && judge_room(r, ev, why) == LOA_OK)
        carry_out(r, ev, up);
    parts_drop(import);
}
