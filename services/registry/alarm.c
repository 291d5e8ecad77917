#include "registry/alarm.h"

#include <limits.h>
#include <string.h>

#define DAY_MS 86400000ll

static int days_left(int64_t not_after_ms, int64_t now_ms)
{
    if (not_after_ms <= now_ms)
        return -1;
    return (int)((not_after_ms - now_ms) / DAY_MS < INT_MAX
                     ? (not_after_ms - now_ms) / DAY_MS
                     : INT_MAX);
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
                 const struct alarm *one,
                 uint8_t *told,
                 int *first_days)
{
    uint8_t now = level(one->days);

    if (one->days < *first_days)
        *first_days = one->days;
    if (now > *told && a->due_n < ALARM_LINES_MAX)
        a->due[a->due_n++] = *one;
    else if (now > *told)
        a->more_n++;
    *told = now;
}

void alarms_look(struct registry *r, int64_t now_ms, struct alarms *a)
{
    const struct loa_certificate *me = &r->conf.identity->leaf;
    struct alarm one = {"registry", me->principal, me->area,
                        days_left(me->not_after_ms, now_ms)};

    memset(a, 0, sizeof *a);
    a->own_days = a->principal_days = a->device_days = INT_MAX;
    look(a, &one, &r->own_alarm, &a->own_days);
    for (size_t i = 0; i < r->principals.principals_n; i++) {
        struct principal *p = &r->principals.principals[i];

        one = (struct alarm){"principal", p->id, p->area,
                             days_left(p->not_after_ms, now_ms)};
        if (!p->revoked)
            look(a, &one, &p->alarm, &a->principal_days);
    }
    for (size_t i = 0; i < r->devices.devices_n; i++) {
        struct device *d = &r->devices.devices[i];

        one = (struct alarm){"device", d->id, d->area,
                             days_left(d->not_after_ms, now_ms)};
        if (d->enrolled_at_ms != 0 && !d->revoked)
            look(a, &one, &d->alarm, &a->device_days);
    }
}
