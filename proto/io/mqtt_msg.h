/* mqtt_msg.h -- struct mqtt_msg to and from libmosquitto's property lists; for
 * mqtt.c alone. */

#ifndef LOA_PROTO_IO_MQTT_MSG_H
#define LOA_PROTO_IO_MQTT_MSG_H

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "proto/io/mqtt.h"

/* *props becomes a new list (or NULL) for mosquitto_property_free_all(). An
 * MOSQ_ERR_* on failure, and then *props is NULL. */
LOA_MUST_CHECK int mqtt_msg_props(const struct mqtt_msg *msg,
                                  mosquitto_property **props);

/* Fill *msg; ends with mqtt_msg_release(). */
void mqtt_msg_take(struct mqtt_msg *msg,
                   const struct mosquitto_message *from,
                   const mosquitto_property *props);

/* Free the copies the library made. */
void mqtt_msg_release(struct mqtt_msg *msg);

/* A broker's reason code (0x80 and above) or MOSQ_ERR_* in words. */
const char *mqtt_reason(int rc);

#endif /* LOA_PROTO_IO_MQTT_MSG_H */
