#include "proto/io/mqtt_msg.h"

#include <stdlib.h>

int mqtt_msg_props(const struct mqtt_msg *msg, mosquitto_property **props)
{
    int rc = MOSQ_ERR_SUCCESS;

    *props = NULL;
    if (msg->correlation_len > UINT16_MAX)
        return MOSQ_ERR_INVAL;
    if (msg->response_topic != NULL)
        rc = mosquitto_property_add_string(props, MQTT_PROP_RESPONSE_TOPIC,
                                           msg->response_topic);
    if (rc == MOSQ_ERR_SUCCESS && msg->correlation_len > 0)
        rc = mosquitto_property_add_binary(props, MQTT_PROP_CORRELATION_DATA,
                                           msg->correlation,
                                           (uint16_t)msg->correlation_len);
    if (rc == MOSQ_ERR_SUCCESS && msg->content_type != NULL)
        rc = mosquitto_property_add_string(props, MQTT_PROP_CONTENT_TYPE,
                                           msg->content_type);
    if (rc == MOSQ_ERR_SUCCESS && msg->expiry_s > 0)
        rc = mosquitto_property_add_int32(
            props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, msg->expiry_s);
    if (rc != MOSQ_ERR_SUCCESS) {
        mosquitto_property_free_all(props);
        *props = NULL;
    }
    return rc;
}

void mqtt_msg_take(struct mqtt_msg *msg,
                   const struct mosquitto_message *from,
                   const mosquitto_property *props)
{
    char *response_topic = NULL, *content_type = NULL;
    void *correlation = NULL;
    uint16_t correlation_len = 0;
    uint32_t expiry_s = 0;

    mosquitto_property_read_string(props, MQTT_PROP_RESPONSE_TOPIC,
                                   &response_topic, false);
    mosquitto_property_read_binary(props, MQTT_PROP_CORRELATION_DATA,
                                   &correlation, &correlation_len, false);
    mosquitto_property_read_string(props, MQTT_PROP_CONTENT_TYPE, &content_type,
                                   false);
    mosquitto_property_read_int32(props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
                                  &expiry_s, false);
    *msg = (struct mqtt_msg){.topic = from->topic,
                             .payload = from->payload,
                             .len = (size_t)from->payloadlen,
                             .qos = from->qos,
                             .retain = from->retain,
                             .response_topic = response_topic,
                             .correlation = correlation,
                             .correlation_len = correlation_len,
                             .content_type = content_type,
                             .expiry_s = expiry_s};
}

void mqtt_msg_release(struct mqtt_msg *msg)
{
    free((void *)(uintptr_t)msg->response_topic);
    free((void *)(uintptr_t)msg->correlation);
    free((void *)(uintptr_t)msg->content_type);
}

const char *mqtt_reason(int rc)
{
    if (rc == MOSQ_ERR_TLS) /* The library says no more than this. */
        return "TLS failed: the broker's certificate is not for this name or "
               "not by our authority, or it has no TLS";
    return rc >= 0x80 ? mosquitto_reason_string(rc) : mosquitto_strerror(rc);
}
