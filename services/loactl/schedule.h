/* schedule.h -- how the answers of the scheduler are shown, and who will hear a
 * bulletin. */

#ifndef LOA_LOACTL_SCHEDULE_H
#define LOA_LOACTL_SCHEDULE_H

#include "loa/v1/services.pb-c.h"
#include "loactl/ctl.h"

json_t *entry_json(const struct ctl *c, const Loa__V1__ScheduleEntry *e);
void entry_text(const struct ctl *c, const Loa__V1__ScheduleEntry *e);

/* What became of a change: the entry, what it interrupts, with what it collides
 * and where it would fit. rc is the command's; audience may be NULL. */
void schedule_print(const struct ctl *c,
                    const Loa__V1__SchedulerAnswer *a,
                    int rc,
                    json_t *audience);

/* [{"area", "name", "loudspeakers"}]: names and enrolled loudspeakers below, as
 * the registry knows them; null where it is silent. Warns about an area where
 * nobody will hear it. The caller's to free. */
json_t *audience_find(struct ctl *c, char *const areas[], size_t areas_n);

/* The same for people, with the time from start to end. */
void audience_print(const struct ctl *c,
                    const json_t *audience,
                    int64_t start_at_ms,
                    uint32_t duration_ms);

/* People sleep from 22:00 to 05:00. CTL_OK if nothing is heard then, or if
 * --yes or --dry-run was given, after a warning; else CTL_REFUSED after a
 * sentence. The command has both options. */
int night_judge(struct ctl *c, int64_t start_at_ms, uint32_t duration_ms);

#endif /* LOA_LOACTL_SCHEDULE_H */
