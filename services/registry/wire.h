/* wire.h -- protobuf messages to the core's plain structs and back. */

#ifndef LOA_REGISTRY_WIRE_H
#define LOA_REGISTRY_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "proto/arena.h"
#include "registry/registry.h"

#define WIRE_TRUST_LIST_MAX 56000

/* An encoded RegistryRequest. Texts and bytes lie in the arena, which needs 4 *
 * len + 8,192 bytes. LOA_EINVAL: *why; LOA_ENOSPC: the arena is full. */
LOA_MUST_CHECK int wire_request(struct loa_arena *arena,
                                struct loa_bytes p,
                                struct registry_request *q,
                                struct refusal *why);

/* An encoded EnrolRequest; signed_by_key is left to the caller. LOA_EINVAL,
 * LOA_ENOSPC. */
LOA_MUST_CHECK int wire_enrol(struct loa_arena *arena,
                              struct loa_bytes p,
                              struct registry_enrol *e);

/* The RegistryAnswer of an update. certificate, if not NULL, is the device's,
 * for an update with ENROLLED. Valid until the next call. */
const ProtobufCMessage *wire_answer(const struct registry *r,
                                    const struct registry_update *up,
                                    const struct loa_bytes *certificate);

/* The encoded TrustList as it is now. buf has WIRE_TRUST_LIST_MAX bytes. */
size_t wire_trust_list(const struct registry *r, uint8_t *buf);

#endif /* LOA_REGISTRY_WIRE_H */
