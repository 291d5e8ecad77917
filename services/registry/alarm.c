#include "registry/alarm.h"

#include <limits.h>
#include <string.h>

#define DAY_MS 86400000ll

static int days_of(int64_t left_ms)
{
    if (left_ms <= 0)
        return -1;
    return left_ms / DAY_MS < INT_MAX ? (int)(left_ms / DAY_MS) : INT_MAX;
}

/* 0: far away; 1..4 from 90, 30, 7 and 1 days; 5: ended. */
static uint8_t level(int days)
{
    static const int limits[] = {90, 30, 7, 1, -1};
    uint8_t l = 0;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (days <= limits[i])
            l = (uint8_t)(i + 1);
    return l;
}

/* One certificate; *told is its level when it was told of last. */
static void look(struct alarms *a,
                 struct alarm one,
                 int64_t left_ms,
                 uint8_t *told,
                 int64_t *first_ms)
{
    uint8_t now;

    one.days = days_of(left_ms);
    now = level(one.days);
    if (left_ms < *first_ms)
        *first_ms = left_ms;
    if (now > *told && a->due_n < ALARM_LINES_MAX)
        a->due[a->due_n++] = one;
    else if (now > *told)
        a->more_n++;
    *told = now;
}

void alarms_look(struct registry *r, int64_t now_ms, struct alarms *a)
{
    const struct loa_certificate *me = &r->conf.identity->leaf;

    memset(a, 0, sizeof *a);
    a->own_ms = a->principal_ms = a->device_ms = INT64_MAX;
    look(a, (struct alarm){"registry", me->principal, me->area, 0},
         me->not_after_ms - now_ms, &r->own_alarm, &a->own_ms);
    for (size_t i = 0; i < r->principals.principals_n; i++) {
        struct principal *p = &r->principals.principals[i];

        if (!p->revoked)
            look(a, (struct alarm){"principal", p->id, p->area, 0},
                 p->not_after_ms - now_ms, &p->alarm, &a->principal_ms);
    }
    for (size_t i = 0; i < r->devices.devices_n; i++) {
        struct device *d = &r->devices.devices[i];

        if (d->enrolled_at_ms != 0 && !d->revoked)
            look(a, (struct alarm){"device", d->id, d->area, 0},
                 d->not_after_ms - now_ms, &d->alarm, &a->device_ms);
    }
}
