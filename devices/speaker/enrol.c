#include "speaker/enrol.h"

#include <stdio.h>
#include <string.h>

#include "proto/enrol.h"
#include "speaker/wire.h"

#define PRINCIPAL_KEY_BYTES 12

int enrol_init(struct enrol *e,
               const struct loa_identity *id,
               const char *code,
               const char *device,
               const char *serial,
               const char *model,
               char why[ENROL_WHY_CAP])
{
    char hex[2 * PRINCIPAL_KEY_BYTES + 1];

    e->device = device;
    e->serial = serial;
    e->model = model;
    if (loa_enrol_key(code, e->code_key) != LOA_OK) {
        snprintf(why, ENROL_WHY_CAP,
                 "the code is not one: want XXXX-XXXX-XXXX-XXXX, as the "
                 "registry gave it");
        return LOA_EINVAL;
    }
    loa_hex(id->key.public_key, PRINCIPAL_KEY_BYTES, hex);
    snprintf(e->principal, sizeof e->principal, LOA_ENROL_PREFIX "%s", hex);
    if (loa_topic_build(e->request_topic, sizeof e->request_topic,
                        LOA_PLANE_RPC, "registry", LOA_ENROL_AREA,
                        e->principal) != LOA_OK ||
        loa_topic_build(e->answer_topic, sizeof e->answer_topic, LOA_PLANE_RPC,
                        "reply", LOA_ENROL_AREA, e->principal) != LOA_OK)
        return LOA_EINVAL;
    return LOA_OK;
}

int enrol_request(const struct enrol *e,
                  const struct loa_identity *id,
                  const uint8_t message_id[LOA_ID_BYTES],
                  int64_t at_ms,
                  uint8_t *buf,
                  size_t cap,
                  size_t *len)
{
    uint8_t body[512];
    struct wire_out out = {body, sizeof body, 0};
    struct wire_enrol_request r = {
        .device = e->device, .serial = e->serial, .model = e->model};
    struct loa_header h = {.type = LOA_TYPE_ENROL, .area = LOA_ENROL_AREA};
    struct loa_signer signer = {.key = &id->key};
    int rv;

    memcpy(r.key, id->key.public_key, sizeof r.key);
    rv = loa_enrol_proof(e->code_key, e->device, e->serial, r.key, r.proof);
    if (rv != LOA_OK)
        return rv;
    rv = wire_enrol_request(&r, &out);
    if (rv != LOA_OK)
        return rv;
    memcpy(h.message_id, message_id, sizeof h.message_id);
    h.issued_at_ms = at_ms;
    h.expires_at_ms = at_ms + ENROL_VALID_MS;
    h.body = (struct loa_bytes){body, out.len};
    return loa_envelope_seal(&h, &signer, buf, cap, len);
}

static int refused(char why[ENROL_WHY_CAP], const char *sentence)
{
    snprintf(why, ENROL_WHY_CAP, "%s", sentence);
    return LOA_EACCES;
}

/* The chain is for this key, this device and the root that was vouched for. */
static int take_chain(const struct enrol *e,
                      struct loa_identity *id,
                      struct loa_trust *trust,
                      const struct wire_enrolment *w,
                      int64_t at_ms,
                      char why[ENROL_WHY_CAP])
{
    enum loa_verdict v =
        loa_trust_chain(trust, id->key.public_key, w->certificates,
                        w->certificates_n, at_ms, true, &id->leaf);

    if (v != LOA_VERDICT_OK) {
        snprintf(why, ENROL_WHY_CAP, "the certificate is no good: %s",
                 loa_verdict_name(v));
        return LOA_EACCES;
    }
    if (id->leaf.role != LOA_ROLE_DEVICE ||
        strcmp(id->leaf.principal, e->device) != 0)
        return refused(why, "the certificate is for another device");
    for (size_t i = 0; i < w->certificates_n; i++) {
        memcpy(id->store[i], w->certificates[i].data, w->certificates[i].len);
        id->certificates[i] =
            (struct loa_bytes){id->store[i], w->certificates[i].len};
    }
    id->certificates_n = w->certificates_n;
    memcpy(id->root, w->root, sizeof id->root);
    id->root_known = true;
    return LOA_OK;
}

int enrol_answer(const struct enrol *e,
                 struct loa_identity *id,
                 struct loa_arena *arena,
                 struct loa_trust *trust,
                 struct loa_bytes answer,
                 int64_t at_ms,
                 bool time_trusted,
                 char why[ENROL_WHY_CAP])
{
    struct loa_expect want = {.type = LOA_TYPE_REGISTRY_ANSWER};
    struct wire_enrolment w;
    struct loa_envelope env;
    uint8_t proof[LOA_HASH_BYTES];
    enum loa_verdict v;

    if (loa_envelope_parse(arena, answer, &env) != LOA_OK ||
        env.header.type != LOA_TYPE_REGISTRY_ANSWER ||
        wire_enrolment(arena, env.header.body, &w) != LOA_OK)
        return refused(why, "the registry's answer is malformed");
    if (!w.granted) /* Not proven to be the registry's word: only logged. */
        return refused(why, w.why);
    loa_enrolled_proof(e->code_key, id->key.public_key, w.root, proof);
    if (!loa_proof_equal(proof, w.proof))
        return refused(why, "the answer does not know the code");
    if (id->root_known && memcmp(id->root, w.root, sizeof w.root) != 0)
        return refused(why,
                       "the answer names another root than the pinned one");
    loa_trust_init(trust, w.root);
    /* Without a clock: the key was made just now, so the answer is no older,
     * and the time that it names is good enough to judge its own chain. */
    if (!time_trusted)
        at_ms = env.header.issued_at_ms;
    want.now_ms = at_ms;
    want.time_trusted = true;
    v = loa_trust_verify(trust, &env, &want, NULL);
    if (v != LOA_VERDICT_OK) {
        snprintf(why, ENROL_WHY_CAP, "the answer is not the registry's: %s",
                 loa_verdict_name(v));
        return LOA_EACCES;
    }
    return take_chain(e, id, trust, &w, at_ms, why);
}
