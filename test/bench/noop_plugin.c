/* noop_plugin -- a Mosquitto plugin that allows everything: what the mere
 * existence of an ACL callback costs. */

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

static mosquitto_plugin_id_t *plugin_id;

static int allow(int event, void *event_data, void *userdata)
{
    (void)event;
    (void)event_data;
    (void)userdata;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int versions_n, const int *versions)
{
    (void)versions_n;
    (void)versions;
    return 5;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id,
                          void **userdata,
                          struct mosquitto_opt *options,
                          int options_n)
{
    (void)userdata;
    (void)options;
    (void)options_n;
    plugin_id = id;
    if (mosquitto_callback_register(id, MOSQ_EVT_BASIC_AUTH, allow, NULL,
                                    NULL) != MOSQ_ERR_SUCCESS)
        return MOSQ_ERR_UNKNOWN;
    return mosquitto_callback_register(id, MOSQ_EVT_ACL_CHECK, allow, NULL,
                                       NULL);
}

int mosquitto_plugin_cleanup(void *userdata,
                             struct mosquitto_opt *options,
                             int options_n)
{
    (void)userdata;
    (void)options;
    (void)options_n;
    return MOSQ_ERR_SUCCESS;
}
