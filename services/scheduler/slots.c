#include "scheduler/slots.h"

#include <assert.h>

#define WEEKDAY_OF_DAY_0 3 /* 1970-01-01 was a Thursday. */

int64_t slots_day(int64_t at_ms)
{
    int64_t local_ms = at_ms + LOA_CIVIL_OFFSET_MS;
    int64_t day = local_ms / LOA_DAY_MS;

    return local_ms % LOA_DAY_MS < 0 ? day - 1 : day;
}

unsigned slots_weekday(int64_t at_ms)
{
    int64_t n = (slots_day(at_ms) + WEEKDAY_OF_DAY_0) % 7;

    return (unsigned)(n < 0 ? n + 7 : n);
}

int64_t slots_midnight(int64_t at_ms)
{
    return slots_day(at_ms) * LOA_DAY_MS - LOA_CIVIL_OFFSET_MS;
}

/* Days from weekday `from` on until one of the mask: 0..6. */
static int64_t days_until(unsigned weekdays, unsigned from)
{
    unsigned n = 0;

    assert(weekdays >= 1 && weekdays <= 127);
    while ((weekdays >> (from + n) % 7 & 1) == 0)
        n++;
    return n;
}

int64_t slots_next(const struct slots_rule *r, int64_t from_ms)
{
    int64_t at_ms = r->first_ms;

    if (from_ms > at_ms) {
        if (r->frequency == SLOTS_ONCE || from_ms > r->until_ms)
            return SLOTS_NONE;
        at_ms += (from_ms - at_ms + LOA_DAY_MS - 1) / LOA_DAY_MS * LOA_DAY_MS;
    }
    if (r->frequency == SLOTS_WEEKLY)
        at_ms += days_until(r->weekdays, slots_weekday(at_ms)) * LOA_DAY_MS;
    return at_ms <= r->until_ms ? at_ms : SLOTS_NONE;
}

int64_t slots_last(const struct slots_rule *r)
{
    int64_t at_ms, next_ms;

    if (r->first_ms > r->until_ms)
        return SLOTS_NONE;
    if (r->frequency == SLOTS_ONCE)
        return r->first_ms;
    at_ms = slots_next(r, r->until_ms - 7 * LOA_DAY_MS + 1);
    while (at_ms != SLOTS_NONE &&
           (next_ms = slots_next(r, at_ms + 1)) != SLOTS_NONE)
        at_ms = next_ms;
    return at_ms;
}

int64_t slots_end(const struct slots_rule *r)
{
    int64_t last_ms = slots_last(r);

    return last_ms == SLOTS_NONE ? INT64_MIN : last_ms + r->duration_ms;
}

bool slots_overlap(const struct slots_rule *a,
                   const struct slots_rule *b,
                   int64_t from_ms,
                   int64_t *a_start_ms,
                   int64_t *b_start_ms,
                   uint64_t *looks_n)
{
    int64_t at_ms = slots_next(a, from_ms);

    while (at_ms != SLOTS_NONE) {
        int64_t other_ms = slots_next(b, at_ms - b->duration_ms + 1);

        *looks_n += 1;
        if (other_ms == SLOTS_NONE)
            return false;
        if (other_ms < at_ms + a->duration_ms) {
            *a_start_ms = at_ms;
            *b_start_ms = other_ms;
            return true;
        }
        /* Nothing of a that ends before other_ms can meet anything of b. */
        at_ms = slots_next(a, other_ms - a->duration_ms + 1);
    }
    return false;
}
