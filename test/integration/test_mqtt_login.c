/* The MQTT client against a real Mosquitto: who is let in, and over what. */

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "mqtt_client.h"
#include "proto/io/mqtt_conn.h"

static pthread_t loop_thread;
static atomic_int asked_on_loop, asked_elsewhere;

/* In front of the C library's: in whose thread is a name asked for? */
int getaddrinfo(const char *restrict name,
                const char *restrict service,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict out)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);
    bool numeric = strspn(name, "0123456789.") == strlen(name);

    if (!numeric && pthread_equal(pthread_self(), loop_thread))
        asked_on_loop++;
    else if (!numeric)
        asked_elsewhere++;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, out);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    fputs(text, f);
    fclose(f);
}

/* Mosquitto's own plugin refuses what is not listed, with MQTT 5's reasons. */
static void test_refused(void)
{
    static const char rules[] =
        "{\"defaultACLAccess\":{\"publishClientSend\":false,"
        "\"publishClientReceive\":true,\"subscribe\":false,"
        "\"unsubscribe\":true},\"clients\":[],\"groups\":[{\"groupname\":"
        "\"all\",\"roles\":[{\"rolename\":\"r\"}]}],\"roles\":[{\"rolename\":"
        "\"r\",\"acls\":["
        "{\"acltype\":\"subscribePattern\",\"topic\":\"t/+\",\"allow\":true},"
        "{\"acltype\":\"publishClientSend\",\"topic\":\"t/+\",\"allow\":true}"
        "]}],\"anonymousGroup\":\"all\"}";
    char path[300], conf[1024];
    struct broker b = {0};
    static struct client c;

    snprintf(path, sizeof path, "%s/rules.json", getenv("TEST_DIR"));
    write_file(path, rules);
    snprintf(conf, sizeof conf,
             "allow_anonymous true\nplugin /usr/lib/x86_64-linux-gnu/"
             "mosquitto_dynamic_security.so\nplugin_opt_config_file %s\n",
             path);
    b.conf = conf;
    broker_start(&b);
    client_init(&c, &b, MQTT_EXIT); /* u/# is not allowed. */
    client_open(&c);
    CHECK_INT("refused filter", loop_await(&loop, &c.losses, 1), 1);
    CHECK_INT("refused filter", c.connects, 0);
    client_end(&c);
    client_init(&c, &b, MQTT_EXIT);
    c.conf.filters_n = 1;
    client_connect(&c);
    CHECK_INT("refused topic", publish(&c, "w", 1), LOA_OK);
    CHECK_INT("ack", loop_await(&loop, &c.acks, 1), 1);
    CHECK_INT("refused topic", c.ack_status, LOA_EACCES);
    CHECK_INT("refused topic", c.ack_reason, 0x87);
    CHECK_INT("granted topic", publish(&c, "t/a", 1), LOA_OK);
    CHECK_INT("ack", loop_await(&loop, &c.acks, 2), 1);
    CHECK_INT("granted topic", c.ack_status, LOA_OK);
    CHECK_INT("later filter", mqtt_subscribe(&c.mqtt, "w", 1), LOA_OK);
    CHECK_INT("refused later", loop_await(&loop, &c.losses, 1), 1);
    client_end(&c);
    broker_stop(&b, SIGTERM);
}

static void test_password(void)
{
    char conf[400], command[700];
    struct broker b = {0};
    static struct client c;

    snprintf(command, sizeof command,
             "rm -f %s/pw; mosquitto_passwd -c -b %s/pw u secret",
             getenv("TEST_DIR"), getenv("TEST_DIR"));
    CHECK_INT("mosquitto_passwd", system(command), 0);
    snprintf(conf, sizeof conf, "allow_anonymous false\npassword_file %s/pw\n",
             getenv("TEST_DIR"));
    b.conf = conf;
    broker_start(&b);
    for (int i = 0; i < 3; i++) {
        client_init(&c, &b, MQTT_EXIT);
        c.conf.username = "u";
        c.conf.password = on_password;
        c.password = i == 0 ? "secret" : i == 1 ? "wrong" : NULL;
        client_open(&c);
        CHECK_INT("password",
                  loop_await(&loop, i == 0 ? &c.connects : &c.losses, 1), 1);
        client_end(&c);
    }
    CHECK_INT("never connected", c.connects, 0);
    broker_stop(&b, SIGTERM);
}

static void test_tls(void)
{
    char conf[1200], command[2000], ca[300], other[300];
    const char *d = getenv("TEST_DIR");
    struct broker b = {0};
    static struct client c;

    snprintf(ca, sizeof ca, "%s/ca.pem", d);
    snprintf(other, sizeof other, "%s/other.pem", d);
    snprintf(
        command, sizeof command,
        "cd %s; for n in ca other; do openssl req -x509 -newkey ec -pkeyopt "
        "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$n -keyout $n.key "
        "-out $n.pem 2>/dev/null; done; openssl req -newkey ec -pkeyopt "
        "ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout srv.key "
        "-out srv.csr 2>/dev/null; printf "
        "'subjectAltName=DNS:localhost,IP:127.0.0.1' >ext; openssl x509 -req "
        "-in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "
        "ext -out srv.pem 2>/dev/null",
        d);
    CHECK_INT("certificates", system(command), 0);
    snprintf(conf, sizeof conf,
             "allow_anonymous true\ncertfile %s/srv.pem\nkeyfile %s/srv.key\n",
             d, d);
    b.conf = conf;
    broker_start(&b);
    for (int i = 0; i < 3; i++) {
        client_init(&c, &b, MQTT_EXIT);
        c.conf.ca_file = i == 2 ? other : ca;
        c.conf.host = i == 1 ? "localhost" : "127.0.0.1";
        client_open(&c);
        CHECK_INT("TLS", loop_await(&loop, i < 2 ? &c.connects : &c.losses, 1),
                  1);
        for (int k = 0; i < 2 && k < 500; k++)
            CHECK_INT("publish", publish(&c, "t/a", 1), LOA_OK);
        if (i < 2)
            CHECK_INT("messages", loop_await(&loop, &c.messages, 500), 1);
        client_end(&c);
    }
    CHECK_INT("a foreign CA", c.connects, 0);
    CHECK_INT("no name is resolved on the loop", asked_on_loop, 0);
    CHECK_INT("but in a worker", asked_elsewhere, 2);
    client_init(&c, &b, MQTT_EXIT);
    c.conf.ca_file = "/nonexistent";
    CHECK_INT("no such file", mqtt_open(&c.mqtt, &loop, &c.conf), LOA_EINVAL);
    broker_stop(&b, SIGTERM);
}

/* Closed in the moment in which a worker has the connection. */
static void test_closed_while_connecting(void)
{
    struct broker b = {0};
    static struct client c;
    char ca[300];

    snprintf(ca, sizeof ca, "%s/ca.pem", getenv("TEST_DIR"));
    b.conf = "allow_anonymous true\n";
    broker_start(&b);
    client_init(&c, &b, MQTT_RETRY);
    c.conf.ca_file = ca;
    c.conf.host = "localhost";
    client_open(&c);
    while (c.mqtt.conn == NULL)
        uv_run(&loop, UV_RUN_ONCE);
    CHECK_INT("a worker has it", c.mqtt.conn->working, true);
    client_end(&c);
    broker_stop(&b, SIGTERM);
}

int main(void)
{
    loop_thread = pthread_self();
    CHECK_INT("loop", uv_loop_init(&loop), 0);
    test_refused();
    test_password();
    test_tls();
    test_closed_while_connecting();
    CHECK_INT("loop closes", uv_loop_close(&loop), 0);
    return CHECK_DONE();
}
