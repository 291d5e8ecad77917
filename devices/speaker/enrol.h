/* enrol.h -- how a device that knows only a one-time code becomes itself.
 *
 * It has made its key, asks the registry with a proof that it knows the code,
 * and believes the answer only if that proves the same, for the root that is
 * pinned from then on. See proto/enrol.h. */

#ifndef LOA_SPEAKER_ENROL_H
#define LOA_SPEAKER_ENROL_H

#include "proto/identity.h"
#include "proto/topic.h"

#define ENROL_VALID_MS 120000
#define ENROL_WHY_CAP 192

struct enrol {
    const char *device, *serial, *model;
    uint8_t code_key[LOA_HASH_BYTES];
    char principal[LOA_PRINCIPAL_CAP]; /* enrol_<24 hex digits of the key> */
    char request_topic[LOA_TOPIC_CAP];
    char answer_topic[LOA_TOPIC_CAP];
};

/* LOA_EINVAL: the code is not one; why says so. id has a key and no
 * certificates. Texts are lent. */
LOA_MUST_CHECK int enrol_init(struct enrol *e,
                              const struct loa_identity *id,
                              const char *code,
                              const char *device,
                              const char *serial,
                              const char *model,
                              char why[ENROL_WHY_CAP]);

/* The request, sealed into buf[cap]. */
LOA_MUST_CHECK int enrol_request(const struct enrol *e,
                                 const struct loa_identity *id,
                                 const uint8_t message_id[LOA_ID_BYTES],
                                 int64_t at_ms,
                                 uint8_t *buf,
                                 size_t cap,
                                 size_t *len);

/* Judge an answer; on LOA_OK *id has the root and the certificates. arena needs
 * 256 KB, trust is scratch. LOA_EACCES: the registry refused, or the answer
 * proves nothing; why is one sentence. */
LOA_MUST_CHECK int enrol_answer(const struct enrol *e,
                                struct loa_identity *id,
                                struct loa_arena *arena,
                                struct loa_trust *trust,
                                struct loa_bytes answer,
                                int64_t at_ms,
                                bool time_trusted,
                                char why[ENROL_WHY_CAP]);

#endif /* LOA_SPEAKER_ENROL_H */
