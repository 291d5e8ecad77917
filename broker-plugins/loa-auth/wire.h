/* wire.h -- the bodies that the plugin reads: Login, State, TrustList. */

#ifndef LOA_AUTH_WIRE_H
#define LOA_AUTH_WIRE_H

#include <stdbool.h>

#include "proto/arena.h"
#include "proto/key.h"
#include "proto/topic.h"

#define WIRE_BROKER_CAP 65

struct wire_login {
    char broker[WIRE_BROKER_CAP];
    char client_id[LOA_CLIENT_CAP];
};

/* LOA_EINVAL: malformed, or a text is too long. LOA_ENOSPC: arena full. */
LOA_MUST_CHECK int wire_login_parse(struct loa_arena *arena,
                                    struct loa_bytes p,
                                    struct wire_login *login);

/* Is p a State that says LOST? */
bool wire_state_is_lost(struct loa_arena *arena, struct loa_bytes p);

/* The number of a TrustList; 0: malformed. */
uint64_t wire_trust_number(struct loa_arena *arena, struct loa_bytes p);

#endif /* LOA_AUTH_WIRE_H */
