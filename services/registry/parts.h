/* parts.h -- the pieces of imports that are still coming in.
 *
 * Each piece is durable (registry.import_part) before it is acknowledged, and
 * kept here until its import is whole. Pure; memory is one block per import,
 * given at start. */

#ifndef LOA_REGISTRY_PARTS_H
#define LOA_REGISTRY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/key.h"
#include "proto/topic.h"
#include "registry/refusal.h"

#define PARTS_N_MAX 64
#define PART_LEN_MAX 48000
#define IMPORTS_MAX 4                 /* At the same time; one a principal. */
#define IMPORT_IDLE_MS (10 * 60000ll) /* Then its place may be taken. */

struct part {
    uint8_t import_id[LOA_ID_BYTES];
    uint32_t part, parts_n;
    int64_t valid_from_ms; /* 0: when it is complete. */
    struct loa_bytes csv;
};

struct parts_import {
    bool used;
    uint8_t id[LOA_ID_BYTES];
    uint32_t parts_n, have_n;
    int64_t valid_from_ms;
    int64_t touched_at_ms;         /* When its last piece came. */
    char owner[LOA_PRINCIPAL_CAP]; /* Nobody else may add. */
    uint32_t lens[PARTS_N_MAX];
    bool have[PARTS_N_MAX];
    uint8_t text[PARTS_N_MAX * PART_LEN_MAX];
};

struct parts {
    struct parts_import imports[IMPORTS_MAX];
};

/* Take a piece. *import is set to where it belongs; *dropped to the id of an
 * import that made room (its owner's own before, or an idle one; its stored
 * pieces can go), or is NULL. A piece
 * that is there already is harmless. LOA_EINVAL: *why; nothing changed. */
LOA_MUST_CHECK int parts_take(struct parts *s,
                              const struct part *p,
                              const char *owner,
                              int64_t now_ms,
                              struct parts_import **import,
                              const uint8_t **dropped,
                              struct refusal *why);

bool parts_whole(const struct parts_import *i);

/* The text of one piece. */
struct loa_bytes parts_text(const struct parts_import *i, uint32_t part);

/* Forget an import that was done or refused. */
void parts_drop(struct parts_import *i);

#endif /* LOA_REGISTRY_PARTS_H */
