/* agenda.h -- which occurrences of the held programmes are due. */

#ifndef LOA_SPEAKER_AGENDA_H
#define LOA_SPEAKER_AGENDA_H

#include "speaker/ledger.h"
#include "speaker/programmes.h"

#define AGENDA_ARM_MS 1000      /* How long ahead a start is prepared. */
#define AGENDA_LATE_MS 2000     /* Later than this it does not begin. */
#define AGENDA_TELL_MS 86400000 /* Later than this nobody is told. */
#define AGENDA_DUE_MAX 16       /* Looked at in one go. */

struct occurrence {
    uint8_t id[LOA_ID_BYTES];
    uint8_t hash[LOA_HASH_BYTES];
    int64_t start_at_ms; /* As signed. */
    int64_t due_at_ms;   /* With the offset of this place. */
    int64_t end_at_ms;   /* As signed: start and duration. */
    enum bulletin_class class;
    size_t depth; /* Of the programme's area. */
    /* Lent until the next programme is adopted: */
    const struct programme *programme;
    const struct bulletin *bulletin;
};

/* Unmarked occurrences that are due within AGENDA_ARM_MS or were due in the
 * last AGENDA_TELL_MS, in the order in which they are to be decided: too late
 * ones first, then the stronger class, the earlier, the nearer area, the lower
 * id -- the same on every device. Returns how many; *next_at_ms is when to look
 * again for others (INT64_MAX: nothing more is planned). */
size_t agenda_due(struct programmes *ps,
                  const struct ledger *l,
                  int64_t at_ms,
                  int64_t offset_ms,
                  struct occurrence out[AGENDA_DUE_MAX],
                  int64_t *next_at_ms);

/* Is the occurrence a too late one? */
bool agenda_late(const struct occurrence *o, int64_t at_ms);

#endif /* LOA_SPEAKER_AGENDA_H */
