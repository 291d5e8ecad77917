/* io_retained.h -- all retained programmes, however many there are.
 *
 * A broker keeps no more than max_queued_messages for a client: of ten thousand
 * retained programmes that a new subscription brings, it drops all but the
 * first thousand. So, when many areas are known, they are asked for a second
 * time piece by piece, each piece one area below the own. Versions make it
 * harmless that most of them come twice. */

#ifndef LOA_CONTENT_IO_RETAINED_H
#define LOA_CONTENT_IO_RETAINED_H

#include <uv.h>

#include "content-ingest/needs.h"
#include "proto/io/mqtt.h"

#define RETAINED_FEW 500 /* So many areas surely came with the first. */
#define RETAINED_PIECES_MAX 1024

struct retained {
    uv_loop_t *loop;
    struct mqtt *mqtt;
    const struct needs *needs;
    const char *own_area;
    uv_timer_t timer;
    char filter[LOA_TOPIC_CAP]; /* Of the piece that is subscribed; "". */
    uint64_t heard_ms;          /* When the last programme came. */
    uint64_t asked_ms;
    uint32_t next; /* Area to look at. */
    size_t pieces_n;
    char pieces[RETAINED_PIECES_MAX][LOA_AREA_CAP]; /* Asked for already. */
};

/* Fields up to own_area are set. */
void retained_open(struct retained *r);

/* The broker is there. */
void retained_connected(struct retained *r);

/* A programme came. */
void retained_heard(struct retained *r);

void retained_close(struct retained *r);

#endif /* LOA_CONTENT_IO_RETAINED_H */
