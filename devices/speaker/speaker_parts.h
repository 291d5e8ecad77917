/* speaker_parts.h -- what the parts of the core need of each other.
 *
 *     speaker.c          start, events
 *     speaker_ops.c      operations and their outcomes, the disk's health
 *     speaker_hear.c     messages: what is believed and what follows
 *     speaker_command.c  commands: what is obeyed
 *     speaker_turns.c    occurrences: what sounds, what does not, and why
 *     speaker_tell.c     what is reported: receipts, state, health, wants */

#ifndef LOA_SPEAKER_SPEAKER_PARTS_H
#define LOA_SPEAKER_SPEAKER_PARTS_H

#include "speaker/speaker.h"

/* One line for the log; dropped when there are too many in one step. */
void speaker_note(struct speaker *s,
                  enum speaker_level level,
                  const char *event,
                  const char *fmt,
                  ...) LOA_PRINTF(4, 5);

/* Wall time of this event in ms; a guess unless s->time.trusted. */
int64_t speaker_at_ms(const struct speaker *s);

struct judge speaker_judge(struct speaker *s);

/* What only our own bug could break. */
bool speaker_sane(const struct speaker *s);

/* --- speaker_ops.c -------------------------------------------------------- */

/* Is something believed that the disk refused? A restart will not know it. */
bool ops_unkept(const struct speaker *s);
/* Call often: such things are asked for again, ever more rarely. */
void ops_keep(struct speaker *s);

/* --- speaker_hear.c ------------------------------------------------------- */

void hear_refuse(struct speaker *s, const char *kind, const char *why);
struct loa_expect hear_expect(const struct speaker *s, enum loa_type type);
/* Verified, and about the area in whose topic it came. Of a command s->late
 * tells whether only our clock says that it came too late. */
bool hear_believe(struct speaker *s,
                  const struct loa_topic *topic,
                  struct loa_arena *arena,
                  struct loa_bytes body,
                  enum loa_type type,
                  struct loa_envelope *e,
                  struct loa_identity_claim *who);
void hear_message(struct speaker *s, const struct speaker_event *ev);
void hear_from_disk(struct speaker *s, struct loa_bytes body);
LOA_MUST_CHECK int hear_trust_from_disk(struct speaker *s,
                                        struct loa_bytes body);
/* The disk's answers: status LOA_OK is durable. */
void hear_programme_saved(struct speaker *s, int status);
void hear_trust_saved(struct speaker *s, int status);
void hear_forget_future(struct speaker *s);

/* Call when time may have become known, or moved. */
void speaker_watch_time(struct speaker *s);

/* --- speaker_command.c ---------------------------------------------------- */

void hear_command(struct speaker *s,
                  const struct loa_topic *topic,
                  struct loa_arena *arena,
                  struct loa_bytes body);
void hear_replay_saved(struct speaker *s, int status);

/* --- speaker_turns.c ------------------------------------------------------ */

/* Decide the occurrences that are due. */
void turns_decide(struct speaker *s);
/* Plans, revocations or approvals have changed: is what sounds still right? */
void turns_recheck(struct speaker *s);
void turns_period(struct speaker *s, const struct player_period *period);
void turns_played(struct speaker *s, const uint64_t concealed_n[PLAYER_VOICES]);
void turns_marked(struct speaker *s, int status);
void turns_opened(struct speaker *s, int status);
/* Does something sound, or is it about to, that is meant? id NULL: whatever it
 * is; planned by a programme that was signed before before_ms. */
bool turns_meant(const struct speaker *s, const uint8_t *id, int64_t before_ms);
/* Silence of that now. False: there was nothing to stop. */
bool turns_stop(struct speaker *s,
                const uint8_t *id,
                int64_t before_ms,
                const char *reason);

/* --- speaker_tell.c ------------------------------------------------------- */

void tell_turn(struct speaker *s,
               const struct turn *t,
               enum receipt_event event,
               const char *reason);
void tell_occurrence(struct speaker *s,
                     const struct occurrence *o,
                     const char *reason);
void tell_command(struct speaker *s, const char *reason);
/* What a restart cut. */
void tell_restarted(struct speaker *s);
/* RECEIVED for what is new; VERIFIED, and who needs what. */
void tell_reckon(struct speaker *s);
/* Call when receipts are durable: what was told is not told again. */
void tell_noted(struct speaker *s);
/* p was read from the disk: what of it is not told as RECEIVED yet? The power
 * may have failed behind it. */
void tell_resume(struct speaker *s, struct programme *p);
void tell_complete(struct speaker *s, const uint8_t hash[LOA_HASH_BYTES]);

void tell_will(struct speaker *s);
bool tell_take(struct speaker *s, struct speaker_op *op);
void tell_sent(struct speaker *s, const struct speaker_op *op, int status);
int64_t tell_deadline_us(const struct speaker *s);

#endif /* LOA_SPEAKER_SPEAKER_PARTS_H */
