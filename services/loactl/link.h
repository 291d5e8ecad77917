/* link.h -- requests to services, one answer each.
 *
 * A request is signed once and sent again with the same message id until its
 * answer comes or the time is up, so a lost answer never doubles anything. An
 * answer counts only if a service's key signed it, with a chain to the root of
 * the identity, for this very request. */

#ifndef LOA_LOACTL_LINK_H
#define LOA_LOACTL_LINK_H

#include <protobuf-c/protobuf-c.h>

#include "loa/v1/services.pb-c.h"
#include "loactl/ctl.h"
#include "proto/io/mqtt.h"

#define LINK_WINDOW 16 /* Requests in flight. */

enum link_service {
    LINK_REGISTRY,
    LINK_CONTENT,
    LINK_SCHEDULER,
    LINK_TELEMETRY,
};

/* Ask and wait. The answer is unpacked with `as` and is the caller's to free
 * (protobuf_c_message_free_unpacked). CTL_OK: the Status of the answer is OK.
 * CTL_REFUSED: it is not; its sentence went to stderr and *answer is set.
 * Others: nothing came; a sentence went to stderr, *answer is NULL. */
int link_ask(struct ctl *c,
             enum link_service service,
             const ProtobufCMessage *request,
             ProtobufCMessage **answer);

/* The same in two halves, to have several in flight. link_start() waits while
 * the window is full. A slot is freed by link_wait(). */
int link_start(struct ctl *c,
               enum link_service service,
               const ProtobufCMessage *request,
               int *slot);
int link_wait(struct ctl *c, int slot, ProtobufCMessage **answer);

/* Listen: every message on the filters goes to on_message until SIGINT, or
 * until on_message returns false. */
int link_listen(struct ctl *c,
                const char *const filters[],
                size_t filters_n,
                bool (*on_message)(void *data, const struct mqtt_msg *m),
                void *data);

/* Sign and publish an envelope that is no request (COMMAND). CTL_OK: the broker
 * took it. */
int link_publish(struct ctl *c,
                 const char *topic,
                 const uint8_t *payload,
                 size_t len);

void link_close(struct ctl *c);

/* --- things that several commands ask ----------------------------------------
 */

/* The area that a person means: a path, a code or a name. False after a
 * sentence (none, or several: they are listed). Own area for NULL. */
bool link_area(struct ctl *c, const char *text, char out[LOA_AREA_CAP]);

/* The content that a person means: 64 hexadecimal digits, or their beginning
 * (8 or more). *found is the caller's to free. */
int link_content(struct ctl *c,
                 const char *text,
                 struct Loa__V1__ContentAnswer **found);

#endif /* LOA_LOACTL_LINK_H */
