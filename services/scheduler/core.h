/* core.h -- what the files of the core share with each other, and nobody else
 * needs. */

#ifndef LOA_SCHEDULER_CORE_H
#define LOA_SCHEDULER_CORE_H

#include "scheduler/scheduler.h"

/* Handlers of requests. They fill s->answer and *up. */
typedef void (*core_request_fn)(struct scheduler *s,
                                const struct scheduler_event *ev,
                                struct scheduler_update *up);
void core_add(struct scheduler *s,
              const struct scheduler_event *ev,
              struct scheduler_update *up);
void core_change(struct scheduler *s,
                 const struct scheduler_event *ev,
                 struct scheduler_update *up);
void core_cancel(struct scheduler *s,
                 const struct scheduler_event *ev,
                 struct scheduler_update *up);
void core_find(struct scheduler *s,
               const struct scheduler_event *ev,
               struct scheduler_update *up);

void core_release(struct scheduler *s,
                  const struct scheduler_event *ev,
                  struct scheduler_update *up);

/* Make the programme of an area anew and hand it out. */
void core_make(struct scheduler *s,
               uint32_t area,
               int64_t at_ms,
               struct scheduler_update *up);

/* The bulletin at row is about to change: programmes that list it are stale. */
void core_touch(struct scheduler *s, uint32_t row);

/* It has changed, or was added: a new revision, and a row to be written. */
void core_changed(struct scheduler *s,
                  uint32_t row,
                  struct scheduler_update *up);

/* Make the programmes of its areas anew that are stale or due. */
void core_remake(struct scheduler *s,
                 uint32_t row,
                 int64_t at_ms,
                 struct scheduler_update *up);

/* At most so many bytes is the entry of a bulletin in s->answer. */
size_t core_entry_bytes(const struct scheduler *s, uint32_t row);

/* Passes over whole tables: begin one again from the start; do a piece. */
void core_begin(struct scheduler *s, enum scheduler_pass pass);
void core_work(struct scheduler *s, int64_t at_ms, struct scheduler_update *up);

#endif /* LOA_SCHEDULER_CORE_H */
