/* mqtt_load -- many MQTT subscribers, one publisher, one process, for
 * measuring a broker. A raw MQTT 5 codec: one socket per client and no library
 * between, so that two thousand clients cost less than the broker does.
 *
 *     mqtt_load PORT PID TOPIC PAYLOAD_LEN SECONDS < clients
 *
 * Each line of stdin is a client: client-id user password filter; the last one,
 * whose filter is "-", publishes TOPIC (QoS 0) in a closed loop: a few messages
 * are always on their way. PID is the broker's: its CPU time is read from
 * /proc. Prints one line of JSON. */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 20000
#define LINE_CAP 4096
#define PACKET_CAP 8192
#define OPENING_MAX 64   /* Connections being set up: the backlog is 100. */
#define ON_THEIR_WAY_N 4 /* Messages sent and not yet at every subscriber. */
#define EVENTS_N 512
#define LIMIT_S 120

enum { CONNACK = 2, PUBLISH = 3, SUBACK = 9, DISCONNECT = 14 };

struct client {
    int fd;
    char *line; /* What its login needs; then NULL. */
    char *filter;
    /* The packet that is coming in. */
    uint8_t head[8];
    size_t head_len;
    uint32_t body_left;
    uint8_t second, third; /* Of its body, from 0; see body_take(). */
    uint32_t body_at;
};

static struct {
    struct client clients[CLIENTS_MAX];
    size_t clients_n, opened_n, ready_n;
    int epoll;
    unsigned port;
    uint64_t delivered_n;
} load;

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "mqtt_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds of user and of system time that the process has used. */
static void cpu_s(long pid, double *user, double *sys)
{
    char path[64], text[1024];
    unsigned long u, s;
    const char *p;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    f = fopen(path, "r");
    if (f == NULL || fgets(text, sizeof text, f) == NULL)
        die(path);
    fclose(f);
    p = strrchr(text, ')');
    if (p == NULL ||
        sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &u, &s) != 2)
        die(path);
    *user = (double)u / (double)sysconf(_SC_CLK_TCK);
    *sys = (double)s / (double)sysconf(_SC_CLK_TCK);
}

/* --- packets out ---------------------------------------------------------- */

static size_t put_text(uint8_t *p, const char *s)
{
    size_t len = strlen(s);

    p[0] = (uint8_t)(len >> 8);
    p[1] = (uint8_t)len;
    memcpy(p + 2, s, len);
    return len + 2;
}

/* Sends body[0..len) as a packet; body has 5 bytes of room before it. */
static void send_packet(int fd, uint8_t type, uint8_t *body, size_t len)
{
    uint8_t size[4], *p = body;
    size_t n = 0, left = len;

    do {
        size[n] = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
        left >>= 7;
        n++;
    } while (left > 0);
    p -= n;
    memcpy(p, size, n);
    *--p = type;
    for (len += n + 1; len > 0;) {
        ssize_t sent = send(fd, p, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN)
            continue;
        if (sent < 0)
            die("send");
        p += sent;
        len -= (size_t)sent;
    }
}

static void send_connect(struct client *c)
{
    static uint8_t packet[PACKET_CAP];
    uint8_t *body = packet + 5, *p = body;
    char *id = strtok(c->line, " "), *user = strtok(NULL, " ");
    char *password = strtok(NULL, " ");

    c->filter = strtok(NULL, " \n");
    if (c->filter == NULL)
        die("a line of stdin");
    p += put_text(p, "MQTT");
    memcpy(p, "\5\xc2\0\0\0", 5); /* Version, flags, keepalive, properties. */
    p += 5;
    p += put_text(p, id);
    p += put_text(p, user);
    p += put_text(p, password);
    send_packet(c->fd, 0x10, body, (size_t)(p - body));
}

static void send_subscribe(const struct client *c)
{
    static uint8_t packet[PACKET_CAP];
    uint8_t *body = packet + 5, *p = body;

    memcpy(p, "\0\1\0", 3); /* Packet id, properties. */
    p += 3;
    p += put_text(p, c->filter);
    *p++ = 0;
    send_packet(c->fd, 0x82, body, (size_t)(p - body));
}

static void send_publish(int fd, const char *topic, size_t payload_len)
{
    static uint8_t packet[5 + 512 + 65536];
    uint8_t *body = packet + 5, *p = body;

    p += put_text(p, topic);
    *p++ = 0;
    send_packet(fd, 0x30, body, (size_t)(p - body) + payload_len);
}

/* --- packets in ----------------------------------------------------------- */

static void open_next(void)
{
    struct client *c = &load.clients[load.opened_n++];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)load.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        die("epoll_ctl");
    send_connect(c);
}

static void client_ready(void)
{
    load.ready_n++;
    if (load.opened_n < load.clients_n)
        open_next();
}

static void packet_done(struct client *c, uint8_t type)
{
    switch (type) {
        case CONNACK:
            if (c->second != 0) {
                fprintf(stderr, "mqtt_load: CONNACK %#x\n", c->second);
                exit(1);
            }
            if (strcmp(c->filter, "-") == 0)
                client_ready();
            else
                send_subscribe(c);
            break;
        case SUBACK:
            if (c->third > 2) {
                fprintf(stderr, "mqtt_load: SUBACK %#x\n", c->third);
                exit(1);
            }
            client_ready();
            break;
        case PUBLISH:
            load.delivered_n++;
            break;
        case DISCONNECT:
            die("the broker ended a connection");
    }
}

/* Type and length; true when they are complete. */
static bool head_take(struct client *c, uint8_t byte)
{
    uint32_t len = 0;

    c->head[c->head_len++] = byte;
    if (c->head_len < 2 || (byte & 128) != 0)
        return false;
    for (size_t i = 1; i < c->head_len; i++)
        len |= (uint32_t)(c->head[i] & 127) << (7 * (i - 1));
    c->body_left = len;
    c->body_at = 0;
    return true;
}

static void body_take(struct client *c, const uint8_t *data, uint32_t len)
{
    /* CONNACK: flags, reason. SUBACK: id, property length 0, reason. */
    for (uint32_t i = 0; i < len && c->body_at + i < 4; i++) {
        if (c->body_at + i == 1)
            c->second = data[i];
        if (c->body_at + i == 3)
            c->third = data[i];
    }
    c->body_at += len;
    c->body_left -= len;
}

static void take(struct client *c, const uint8_t *data, size_t len)
{
    bool complete = c->body_left > 0;

    while (len > 0) {
        if (!complete) {
            complete = head_take(c, *data++);
            len--;
        }
        if (complete) {
            uint32_t n = (uint32_t)(len < c->body_left ? len : c->body_left);

            body_take(c, data, n);
            data += n;
            len -= n;
            if (c->body_left == 0) {
                complete = false;
                c->head_len = 0;
                packet_done(c, c->head[0] >> 4);
            }
        }
    }
}

static void turn(void)
{
    static struct epoll_event events[EVENTS_N];
    static uint8_t buf[1 << 16];
    int n = epoll_wait(load.epoll, events, EVENTS_N, 1000);

    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        ssize_t len = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT);

        if (len == 0 || (len < 0 && errno != EAGAIN))
            die("a connection has ended");
        if (len > 0)
            take(c, buf, (size_t)len);
    }
}

/* --- the run -------------------------------------------------------------- */

static void read_clients(void)
{
    static char line[LINE_CAP];

    while (fgets(line, sizeof line, stdin) != NULL) {
        if (load.clients_n == CLIENTS_MAX)
            die("too many clients");
        load.clients[load.clients_n++].line = strdup(line);
    }
    if (load.clients_n < 2)
        die("stdin");
}

static void connect_all(void)
{
    double limit_s = now_s() + LIMIT_S;

    while (load.opened_n < load.clients_n && load.opened_n < OPENING_MAX)
        open_next();
    while (load.ready_n < load.clients_n) {
        turn();
        if (now_s() > limit_s)
            die("not all clients are in");
    }
}

static uint64_t publish_for(const char *topic, size_t payload_len, double s)
{
    int fd = load.clients[load.clients_n - 1].fd;
    uint64_t subscribers_n = load.clients_n - 1, sent_n = 0;
    double end_s = now_s() + s, limit_s = now_s() + LIMIT_S;

    load.delivered_n = 0;
    while (now_s() < end_s || load.delivered_n < sent_n * subscribers_n) {
        while (now_s() < end_s &&
               sent_n < load.delivered_n / subscribers_n + ON_THEIR_WAY_N) {
            send_publish(fd, topic, payload_len);
            sent_n++;
        }
        turn();
        if (now_s() > limit_s)
            die("deliveries are missing");
    }
    return sent_n;
}

int main(int argc, char *argv[])
{
    struct rlimit files = {CLIENTS_MAX + 100, CLIENTS_MAX + 100};
    double t[3], user[3], sys[3];
    uint64_t sent_n;
    long pid;

    if (argc != 6) {
        fprintf(stderr,
                "usage: mqtt_load PORT PID TOPIC PAYLOAD_LEN SECONDS "
                "< clients\n");
        return 2;
    }
    load.port = (unsigned)atoi(argv[1]);
    pid = atol(argv[2]);
    setrlimit(RLIMIT_NOFILE, &files);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    read_clients();

    t[0] = now_s();
    cpu_s(pid, &user[0], &sys[0]);
    connect_all();
    t[1] = now_s();
    cpu_s(pid, &user[1], &sys[1]);
    sent_n = publish_for(argv[3], (size_t)atol(argv[4]), atof(argv[5]));
    t[2] = now_s();
    cpu_s(pid, &user[2], &sys[2]);

    printf(
        "{\"clients\":%zu,\"login_s\":%.3f,\"login_user_s\":%.2f,"
        "\"login_sys_s\":%.2f,\"sent\":%llu,\"delivered\":%llu,"
        "\"seconds\":%.3f,\"user_s\":%.2f,\"sys_s\":%.2f}\n",
        load.clients_n, t[1] - t[0], user[1] - user[0], sys[1] - sys[0],
        (unsigned long long)sent_n, (unsigned long long)load.delivered_n,
        t[2] - t[1], user[2] - user[1], sys[2] - sys[1]);
    return 0;
}
