/* audience.c -- who will hear a bulletin, and whether at night. */

#include <inttypes.h>
#include <stdio.h>

#include "loa/v1/registry.pb-c.h"
#include "loactl/link.h"
#include "loactl/schedule.h"
#include "proto/civil.h"

#define NIGHT_BEGINS_H 22
#define NIGHT_ENDS_H 5

static void count_enrolled(void *data, const Loa__V1__Device *d)
{
    if (d->enrolled_at_ms != 0 && !d->revoked)
        ++*(json_int_t *)data;
}

static json_t *audience_of(struct ctl *c, const char *area)
{
    char name[LINK_NAME_CAP];
    json_int_t n = 0;
    enum link_known known;
    bool counted;

    link_area_known(c, area, name);
    known = link_devices(c, area, count_enrolled, &n);
    counted = known == LINK_KNOWN;
    if (counted && n == 0)
        ctl_warn(c, "%s %s: chưa có loa nào ghi danh ở đó",
                 "%s %s: no loudspeaker is enrolled there", area, name);
    /* Whoever may not see them is told so by the scheduler, of the matter. */
    if (known == LINK_SILENT)
        ctl_warn(c, "%s: không đếm được loa (sổ đăng ký không trả lời)",
                 "%s: loudspeakers were not counted (no answer from the "
                 "registry)",
                 area);
    return json_pack("{s:s,s:s,s:o}", "area", area, "name", name,
                     "loudspeakers", counted ? json_integer(n) : json_null());
}

json_t *audience_find(struct ctl *c, char *const areas[], size_t areas_n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < areas_n; i++)
        json_array_append_new(list, audience_of(c, areas[i]));
    return list;
}

void audience_print(const struct ctl *c,
                    const json_t *audience,
                    int64_t start_at_ms,
                    uint32_t duration_ms)
{
    char from[32], until[32];
    const json_t *row;
    size_t i;

    printf(c->english ? "from %s until %s:\n" : "từ %s đến %s:\n",
           out_time(start_at_ms, from),
           out_time(start_at_ms + duration_ms, until));
    json_array_foreach(audience, i, row)
    {
        const json_t *n = json_object_get(row, "loudspeakers");
        json_int_t count = json_integer_value(n);
        printf("  %s  %s: ", json_string_value(json_object_get(row, "area")),
               json_string_value(json_object_get(row, "name")));
        if (!json_is_integer(n))
            printf("?");
        else
            printf("%" JSON_INTEGER_FORMAT, count);
        printf(c->english ? " loudspeaker%s\n" : " loa%s\n",
               c->english && count != 1 ? "s" : "");
    }
}

static bool is_night(int64_t at_ms)
{
    int64_t hour = (at_ms - loa_civil_day_start(at_ms)) / 3600000;

    return hour >= NIGHT_BEGINS_H || hour < NIGHT_ENDS_H;
}

int night_judge(struct ctl *c, int64_t start_at_ms, uint32_t duration_ms)
{
    int64_t end_ms = start_at_ms + (duration_ms > 0 ? duration_ms - 1 : 0);
    char at[32];

    if (start_at_ms <= 0 || (!is_night(start_at_ms) && !is_night(end_ms)))
        return CTL_OK;
    out_time(start_at_ms, at);
    if (ctl_option(c, "yes") == NULL && ctl_option(c, "dry-run") == NULL)
        return ctl_fail(c, CTL_REFUSED,
                        "%s: bà con đang ngủ (22:00-05:00); nếu thật sự muốn, "
                        "hãy thêm --yes",
                        "%s: people sleep from 22:00 to 05:00; if you mean it, "
                        "add --yes",
                        at);
    ctl_warn(c, "%s: bà con đang ngủ (22:00-05:00)",
             "%s: people sleep from 22:00 to 05:00", at);
    return CTL_OK;
}
