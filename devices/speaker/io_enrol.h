/* io_enrol.h -- first boot: a key is made here, and asked a certificate for. */

#ifndef LOA_SPEAKER_IO_ENROL_H
#define LOA_SPEAKER_IO_ENROL_H

#include "proto/io/identity_file.h"
#include "proto/io/mqtt.h"
#include "speaker/config.h"
#include "speaker/enrol.h"

struct enroller {
    const struct config *conf;
    struct loa_identity *identity;
    const char *identity_path;
    struct enrol enrol;
    struct mqtt mqtt;
    struct mqtt_filter filter;
    uv_timer_t retry;
    uint64_t pause_ms;
    bool asked; /* And nobody has refused it yet. */
    unsigned refused_n;
    bool closed;
    void (*done)(void *data);
    void *data;
    struct loa_trust trust;
    _Alignas(16) uint8_t scratch[256 * 1024];
};

/* Ask until it is granted; then identity and its file are complete and done()
 * is called, in a loop turn of its own. LOA_EINVAL: the settings do not do;
 * logged. */
LOA_MUST_CHECK int enroller_open(struct enroller *e,
                                 uv_loop_t *loop,
                                 const struct config *conf,
                                 struct loa_identity *identity,
                                 const char *identity_path,
                                 void (*done)(void *data),
                                 void *data);
void enroller_close(struct enroller *e);

#endif /* LOA_SPEAKER_IO_ENROL_H */
