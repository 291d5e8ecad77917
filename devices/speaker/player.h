/* player.h -- which samples leave, to the sample. Decides nothing else.
 *
 * At most two turns: the one that sounds and the one that is about to. The
 * shell asks for a plan of each period before it hands the period to the
 * output, fills it, and says so (player_played). Once a turn has begun, wall
 * time has no more influence on it: a clock that jumps neither skips nor
 * repeats a sample. */

#ifndef LOA_SPEAKER_PLAYER_H
#define LOA_SPEAKER_PLAYER_H

#include "speaker/agenda.h"
#include "speaker/walltime.h"

#define PLAYER_VOICES 2
#define PLAYER_SEGMENTS_MAX 4

struct turn {
    bool used;
    bool marked; /* The ledger says so, durably. */
    bool ready;  /* The voice is open. */
    int voice;   /* 0 or 1. */
    struct occurrence occ;
    int64_t expires_at_ms; /* Programme or approval, the earlier. */
    int64_t planned_at_ms; /* Signed time: its programme's. */
    uint32_t pre_skip;     /* Samples of the decoder to drop first. */
    uint64_t samples_n;    /* In all. */
    uint64_t done_n;       /* Handed over. */
    uint64_t concealed_n;  /* Of which concealment. */
    bool begun;
    int64_t first_at_us; /* Wall time at which the first sample left. */
};

struct player {
    struct turn cur, next;
};

struct player_plan {
    size_t segments_n;
    struct player_segment {
        int voice; /* -1: silence. */
        size_t samples_n;
    } segments[PLAYER_SEGMENTS_MAX];
    bool begins;   /* next begins in this period, ... */
    bool preempts; /* ... cutting cur, which had more to say. */
    bool finishes; /* cur (the old one) says its last sample. */
};

/* One period that is about to be handed over. */
struct player_period {
    int64_t now_us;  /* Monotonic. */
    int64_t next_us; /* Monotonic: when its first sample is heard. */
    size_t samples_n;
};

/* Does next begin within this period? */
bool player_begins(const struct player *p,
                   const struct walltime *w,
                   const struct player_period *period);

/* What to fill the period with. begin: let next begin if its time has come. */
void player_plan(const struct player *p,
                 const struct walltime *w,
                 const struct player_period *period,
                 bool begin,
                 struct player_plan *plan);

/* Time until the end of cur. */
int64_t player_left_us(const struct player *p);

/* When next will begin by what is known now; INT64_MAX: there is none. */
int64_t player_next_us(const struct player *p, const struct walltime *w);

uint32_t player_ms(uint64_t samples);

#endif /* LOA_SPEAKER_PLAYER_H */
