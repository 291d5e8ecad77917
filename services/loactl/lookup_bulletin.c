/* lookup_bulletin.c -- the beginning of a bulletin's id to the bulletin. */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "loactl/pages.h"
#include "proto/civil.h"
#include "proto/io/clock.h"

#define ID_DIGITS (2 * LOA_ID_BYTES)
#define PREFIX_MIN 8
/* The scheduler keeps bulletins for some weeks, and plans a year ahead. */
#define BACK_MS (40 * LOA_DAY_MS)
#define AHEAD_MS (800 * LOA_DAY_MS)
#define LISTED_MAX 10

struct matches {
    const char *prefix;
    uint8_t id[LOA_ID_BYTES];
    int n;
    char list[LISTED_MAX][160];
};

static void match(struct matches *found, const Loa__V1__ScheduleEntry *e)
{
    char digits[ID_DIGITS + 1], at[32];

    if (e->bulletin_id.len != LOA_ID_BYTES)
        return;
    loa_hex(e->bulletin_id.data, LOA_ID_BYTES, digits);
    if (strncmp(digits, found->prefix, strlen(found->prefix)) != 0)
        return;
    memcpy(found->id, e->bulletin_id.data, LOA_ID_BYTES);
    if (found->n < LISTED_MAX)
        snprintf(found->list[found->n], sizeof found->list[0], "%s  %s  %.90s",
                 digits,
                 out_time(e->n_starts_at_ms > 0 ? e->starts_at_ms[0] : 0, at),
                 e->title);
    found->n++;
}

static void match_all(void *data, const ProtobufCMessage *m)
{
    const Loa__V1__SchedulerAnswer *a = (const Loa__V1__SchedulerAnswer *)m;

    for (size_t i = 0; i < a->n_entries; i++)
        match(data, a->entries[i]);
}

static int look(struct ctl *c, struct matches *found)
{
    Loa__V1__SchedulerRequest q = LOA__V1__SCHEDULER_REQUEST__INIT;
    Loa__V1__ScheduleFind find = LOA__V1__SCHEDULE_FIND__INIT;
    struct pages p = {.service = LINK_SCHEDULER,
                      .request = &q.base,
                      .each = match_all,
                      .data = found};

    find.from_ms = clock_wall_ms() - BACK_MS;
    find.until_ms = clock_wall_ms() + AHEAD_MS;
    find.limit = 200;
    find.after = p.after;
    q.what_case = LOA__V1__SCHEDULER_REQUEST__WHAT_FIND;
    q.find = &find;
    return pages_ask(c, &p);
}

static int choose(struct ctl *c, const struct matches *found)
{
    if (found->n == 1)
        return CTL_OK;
    if (found->n == 0)
        return ctl_fail(c, CTL_REFUSED,
                        "%s: không có bản tin nào bắt đầu như vậy (mã lệnh thì "
                        "viết đủ %d chữ số)",
                        "%s: no bulletin begins so (of a command give all %d "
                        "digits)",
                        found->prefix, ID_DIGITS);
    ctl_fail(c, 0, "%s: có %d bản tin, hãy viết dài hơn:",
             "%s: %d bulletins begin so, give more digits:", found->prefix,
             found->n);
    for (int i = 0; i < found->n && i < LISTED_MAX; i++)
        fprintf(stderr, "  %s\n", found->list[i]);
    return CTL_REFUSED;
}

int link_bulletin(struct ctl *c, const char *text, uint8_t id[LOA_ID_BYTES])
{
    static struct matches found;
    char prefix[ID_DIGITS + 1];
    size_t len = strlen(text);
    int rc;

    if (len < PREFIX_MIN || len > ID_DIGITS ||
        strspn(text, "0123456789abcdefABCDEF") != len)
        return ctl_fail(c, CTL_USAGE,
                        "%s: mã bản tin có %d chữ số mười sáu, hoặc ít nhất %d "
                        "chữ số đầu",
                        "%s: a bulletin's id is %d hexadecimal digits, or the "
                        "first %d or more of them",
                        text, ID_DIGITS, PREFIX_MIN);
    for (size_t i = 0; i <= len; i++)
        prefix[i] = (char)tolower((unsigned char)text[i]);
    if (len == ID_DIGITS && loa_unhex(prefix, id, LOA_ID_BYTES) == LOA_OK)
        return CTL_OK;
    memset(&found, 0, sizeof found);
    found.prefix = prefix;
    rc = look(c, &found);
    if (rc == CTL_OK)
        rc = choose(c, &found);
    memcpy(id, found.id, LOA_ID_BYTES);
    return rc;
}
