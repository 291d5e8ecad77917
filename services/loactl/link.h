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

#define LINK_NAME_CAP 160
#define LINK_WINDOW 16 /* Requests in flight. */

struct Loa__V1__Device;

enum link_service {
    LINK_REGISTRY,
    LINK_CONTENT,
    LINK_SCHEDULER,
    LINK_TELEMETRY,
};

/* Connect, or say why not: CTL_OK, CTL_USAGE (no usable identity),
 * CTL_UNREACHABLE, CTL_FAILED. Does nothing when connected. */
int link_open(struct ctl *c);

/* Ask and wait. The answer is unpacked with `as` and is the caller's to free
 * (protobuf_c_message_free_unpacked). CTL_OK: the Status of the answer is OK.
 * CTL_REFUSED: it is not; its sentence went to stderr and *answer is set.
 * Others: nothing came; a sentence went to stderr, *answer is NULL. */
int link_ask(struct ctl *c,
             enum link_service service,
             const ProtobufCMessage *request,
             ProtobufCMessage **answer);

/* Ask what we can do without: at most within_ms once connected, and no sentence
 * about the answer. CTL_OK, CTL_REFUSED with *answer set; CTL_UNREACHABLE: no
 * answer in time, *answer is NULL. A registry that was silent once is not asked
 * again. */
#define LINK_TRY_MS 2500
int link_try(struct ctl *c,
             enum link_service service,
             const ProtobufCMessage *request,
             uint64_t within_ms,
             ProtobufCMessage **answer);

/* The same as link_ask() in two halves, to have several in flight. link_start()
 * waits while the window is full. A slot is freed by link_wait(). */
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

/* --- things that several commands ask ------------------------------------- */

/* The area that a person means: a path, a code or a name; own area for NULL.
 * CTL_USAGE, CTL_REFUSED after a sentence (none, or several: they are listed).
 * A path is taken as it stands, with a warning, while the registry is silent.
 */
int link_area(struct ctl *c, const char *text, char out[LOA_AREA_CAP]);

/* The same of the command's first word. */
int link_area_given(struct ctl *c, char out[LOA_AREA_CAP]);

/* Whether the registry knows a path. name may be NULL; else it gets the name,
 * "" if it is not known. */
enum link_known { LINK_KNOWN, LINK_NO_SUCH, LINK_SILENT, LINK_NOT_TOLD };
enum link_known link_area_known(struct ctl *c,
                                const char *path,
                                char name[LINK_NAME_CAP]);

/* The same of a device that hangs in or below an area, which becomes the one
 * where it hangs. */
enum link_known link_device_known(struct ctl *c,
                                  const char *id,
                                  char area[LOA_AREA_CAP]);

/* Every device of the registry below an area. LINK_SILENT: it did not answer;
 * LINK_NOT_TOLD: it does not let us see them. Some may have been told. */
enum link_known link_devices(struct ctl *c,
                             const char *under,
                             void (*each)(void *data,
                                          const struct Loa__V1__Device *d),
                             void *data);

/* The bulletin that a person means: 32 hexadecimal digits as they stand, or
 * their beginning (8 or more), which the scheduler completes. CTL_USAGE,
 * CTL_REFUSED after a sentence (none, or several: they are listed). */
int link_bulletin(struct ctl *c, const char *text, uint8_t id[LOA_ID_BYTES]);

/* The content that a person means: 64 hexadecimal digits, or their beginning
 * (8 or more). *found is the caller's to free. */
int link_content(struct ctl *c,
                 const char *text,
                 struct Loa__V1__ContentAnswer **found);

#endif /* LOA_LOACTL_LINK_H */
