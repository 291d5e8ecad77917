/* io_sync.h -- keeps the copy of the area tree: asks the registry page by page,
 * stores each page, and tells the core what is durable.
 *
 * While the registry is away the scheduler works on the copy it has. */

#ifndef LOA_SCHEDULER_IO_SYNC_H
#define LOA_SCHEDULER_IO_SYNC_H

#include "common/service.h"
#include "scheduler/io_pg.h"

/* Without an answer the question is asked again after so long, then twice that
 * and so on: services start in any order. */
#define SYNC_ANSWER_MS_MIN 500
#define SYNC_ANSWER_MS_MAX 10000
#define SYNC_RETRY_MS 15000 /* After a refusal. */

/* The page is durable. complete: it was the last. */
typedef void (*sync_page_cb)(void *data,
                             const struct sync_page *page,
                             bool complete);

struct sync {
    struct service *service;
    sync_page_cb on_page;
    void *data;
    uv_timer_t timer;
    uint64_t since; /* The copy is complete up to this version. */
    char after[SYNC_CURSOR_CAP];
    bool asking, storing, again;
    uint64_t answer_ms; /* How long to wait this time. */
    uint8_t message_id[LOA_ID_BYTES];
    struct sync_page page;
    struct loa_arena arena;
    uint8_t *memory;
};

/* LOA_ENOMEM. */
LOA_MUST_CHECK int sync_open(struct sync *y,
                             struct service *service,
                             uint64_t since,
                             sync_page_cb on_page,
                             void *data);

/* The topic on which answers come. */
void sync_filter(const struct service *service, char out[LOA_TOPIC_CAP]);

/* Look for changes: at start, and when a trust list names a newer tree. */
void sync_start(struct sync *y);

/* Feed a message that came on sync_filter()'s topic. */
void sync_message(struct sync *y, const struct mqtt_msg *m);

void sync_close(struct sync *y);

#endif /* LOA_SCHEDULER_IO_SYNC_H */
