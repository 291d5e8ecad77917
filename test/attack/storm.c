/* A storm on a broker's port, from 127.0.0.0/8.
 *
 *     storm PORT hold N           N connections that say nothing, or half of a
 *                                 CONNECT; held until standard input ends
 *     storm PORT rubbish N SEED   N malformed packets, each on a connection of
 *                                 its own, SLOTS_N at a time
 *
 * Rubbish is a genuine packet of any type with some bytes wrong, cut, or with
 * something behind it. A connection ends when the broker closes it, answers,
 * or says nothing for WAIT_MS. The last line says how each ended. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_N 64
#define WAIT_MS 50
#define PACKET_MAX 512

static uint16_t port;
static uint64_t state;

static uint64_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return (size_t)(draw() % n);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* From one of many addresses, so that no address runs out of ports. */
static int dial(uint32_t from)
{
    struct sockaddr_in a = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(0x7f000002u + from % 250);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
                    connect(fd, (struct sockaddr *)&to, sizeof to) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* --- connections that stay ------------------------------------------------ */

static int hold(size_t n)
{
    static const char half[] = "\x10\xff\xff\x03\x00\x04MQ";
    size_t open_n = 0;
    char c;

    for (size_t i = 0; i < n; i++) {
        int fd = dial((uint32_t)i);

        if (fd < 0)
            break;
        /* Faster than it accepts, a hundred wait, and the next for a second. */
        usleep(150);
        open_n++;
        if (i % 2 == 1 && write(fd, half, sizeof half - 1) < 0)
            open_n--;
    }
    printf("held=%zu\n", open_n);
    fflush(stdout);
    while (read(0, &c, 1) > 0) {
    }
    return 0;
}

/* --- rubbish -------------------------------------------------------------- */

#define PACKET(bytes)             \
    {                             \
        bytes, sizeof(bytes) - 1, \
    }
static const struct {
    const char *bytes;
    size_t len;
} genuine[] = {
    PACKET("\x10\x19\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x05thief\x00\x01"
           "a\x00\x01"
           "b"),
    PACKET("\x10\x18\x00\x04MQTT\x04\xc2\x00\x3c\x00\x05thief\x00\x01"
           "a\x00\x01"
           "b"),
    PACKET("\x10\x1a\x00\x06MQIsdp\x03\xc2\x00\x3c\x00\x05thief\x00\x01"
           "a\x00\x01"
           "b"),
    /* CONNECT with a will, properties of all kinds. */
    PACKET("\x10\x33\x00\x04MQTT\x05\xee\x00\x3c\x05\x11\x00\x00\x00\x0a"
           "\x00\x02id\x05\x18\x00\x00\x00\x01\x00\x05loa/1\x00\x03xyz"
           "\x00\x02me\x00\x02pw\x00\x00\x00"),
    PACKET("\x30\x0c\x00\x05loa/1\x00hello"),
    PACKET("\x32\x13\x00\x05loa/1\x00\x01\x06\x23\x00\x01\x0b\x00\x00hello"),
    PACKET("\x34\x0e\x00\x05loa/1\x00\x02\x00hello"),
    PACKET("\x82\x0b\x00\x01\x00\x00\x05loa/#\x01"),
    PACKET("\xa2\x0a\x00\x02\x00\x00\x05loa/#"),
    PACKET("\x40\x04\x00\x01\x10\x00"),
    PACKET("\x62\x04\x00\x01\x92\x00"),
    PACKET("\xc0\x00"),
    PACKET("\xe0\x02\x04\x00"),
    PACKET("\xf0\x09\x18\x07\x15\x00\x04plain"),
    PACKET("\x20\x03\x00\x00\x00"),
};

static size_t rubbish(uint8_t out[PACKET_MAX])
{
    size_t which = below(sizeof genuine / sizeof genuine[0]);
    size_t len = genuine[which].len, wrong_n = below(5);

    memcpy(out, genuine[which].bytes, len);
    for (size_t i = 0; i < wrong_n; i++)
        out[below(len)] = (uint8_t)draw();
    switch (below(6)) {
        case 0: /* Any remaining length, also one of too many bytes. */
            for (size_t i = 1; i < len && i < 1 + below(6); i++)
                out[i] |= 0x80;
            break;
        case 1:
            len = 1 + below(len);
            break;
        case 2:
            while (len < PACKET_MAX && below(64) != 0)
                out[len++] = (uint8_t)draw();
            break;
        case 3:
            memset(out + len / 2, below(2) ? 0xff : 0x00, len - len / 2);
            break;
    }
    return len;
}

static uint64_t closed_n, answered_n, quiet_n, failed_n;

struct slot {
    struct pollfd *poll;
    int64_t until_ms;
};

static void begin(struct slot *s, uint64_t i)
{
    uint8_t packet[PACKET_MAX];
    size_t len = rubbish(packet);

    s->poll->fd = dial((uint32_t)i);
    s->poll->events = POLLIN;
    s->until_ms = now_ms() + WAIT_MS;
    if (s->poll->fd < 0) {
        failed_n++;
        return;
    }
    /* If that fails it has hung up already: poll() says so. */
    (void)!send(s->poll->fd, packet, len, MSG_NOSIGNAL);
}

static void end(struct slot *s)
{
    struct linger now = {1, 0};

    setsockopt(s->poll->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(s->poll->fd);
    s->poll->fd = -1;
}

static void look(struct slot *s, int64_t at_ms)
{
    char c[64];

    if (s->poll->fd < 0)
        return;
    if (s->poll->revents != 0) {
        if (recv(s->poll->fd, c, sizeof c, MSG_DONTWAIT) > 0)
            answered_n++;
        else
            closed_n++;
        end(s);
    } else if (at_ms >= s->until_ms) {
        quiet_n++;
        end(s);
    }
}

static int storm(uint64_t n, uint64_t seed)
{
    struct pollfd polls[SLOTS_N];
    struct slot slots[SLOTS_N];
    uint64_t sent_n = 0;
    size_t busy_n;

    state = seed;
    for (size_t i = 0; i < SLOTS_N; i++) {
        slots[i].poll = &polls[i];
        polls[i].fd = -1;
    }
    do {
        busy_n = 0;
        for (size_t i = 0; i < SLOTS_N; i++) {
            if (polls[i].fd < 0 && sent_n < n)
                begin(&slots[i], sent_n++);
            busy_n += polls[i].fd >= 0;
        }
        poll(polls, SLOTS_N, 10);
        for (size_t i = 0; i < SLOTS_N; i++)
            look(&slots[i], now_ms());
    } while (busy_n > 0 || sent_n < n);
    printf("malformed=%" PRIu64 " seed=%" PRIu64 " closed=%" PRIu64
           " answered=%" PRIu64 " quiet=%" PRIu64 " failed=%" PRIu64 "\n",
           sent_n, seed, closed_n, answered_n, quiet_n, failed_n);
    return failed_n > n / 100;
}

int main(int argc, char *argv[])
{
    struct rlimit files;
    uint64_t n = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

    if (n == 0 || (strcmp(argv[2], "hold") != 0 && argc != 5)) {
        fprintf(stderr, "usage: storm PORT hold N | PORT rubbish N SEED\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return strcmp(argv[2], "hold") == 0 ? hold((size_t)n)
                                        : storm(n, strtoull(argv[4], NULL, 10));
}
