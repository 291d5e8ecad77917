/* gate_ops -- what the broker plugin's decision about one delivery costs.
 *
 *     gate_ops same|areas|shuffled|among CLIENTS N
 *
 * CLIENTS loudspeakers are logged in; a message to their area is delivered to
 * all of them in the order in which they came, as Mosquitto does it, until N
 * deliveries are decided. Prints CPU nanoseconds for one.
 *
 *     same      the same topic again and again: sound, in packets
 *     areas     sixteen topics of sixteen communes in turns
 *     shuffled  as `same`, but delivered in an order that is not theirs
 *     among     as `same`, with 32 KB of other memory read before each
 * decision, as the broker's own work and the kernel's do; the reading itself is
 * measured too and taken off */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker-plugins/loa-auth/gate.h"

#define AREAS_N 16
#define CLIENTS_MAX 60000
#define CLIENT_BYTES 1184 /* Of the broker's own record of a client. */
#define OTHER_BYTES (32 * 1024)

static struct gate *gate;
static char *clients[CLIENTS_MAX];
static size_t clients_n;
static char topics[AREAS_N][64];
static unsigned char other[64 * OTHER_BYTES];
static volatile unsigned sink;

static void login(size_t i, size_t area)
{
    struct session s = {.not_after_ms = INT64_MAX};

    clients[i] = calloc(1, CLIENT_BYTES);
    if (clients[i] == NULL)
        abort();
    s.client = clients[i];
    s.who.role = LOA_ROLE_DEVICE;
    snprintf(s.who.area, sizeof s.who.area, "vn/08/070/%05zu", area);
    snprintf(s.who.principal, sizeof s.who.principal, "pole_%zu", i);
    memcpy(s.client_id, s.who.principal, sizeof s.who.principal);
    rights_grant(&s.who);
    if (session_add(&gate->sessions, &s) != LOA_OK)
        abort();
}

static void decide(size_t client, size_t topic)
{
    if (gate_read(gate, clients[client], topics[topic]) != GATE_OK)
        abort();
}

static void read_other(size_t round)
{
    const unsigned char *p = other + round % 64 * OTHER_BYTES;
    unsigned sum = 0;

    for (size_t i = 0; i < OTHER_BYTES; i += 64)
        sum += p[i];
    sink = sum;
}

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double run(const char *how, size_t n, bool decisions)
{
    bool areas = strcmp(how, "areas") == 0, among = strcmp(how, "among") == 0;
    double since = cpu_ns();

    for (size_t done = 0, publish = 0; done < n; publish++) {
        size_t topic = areas ? publish % AREAS_N : 0;

        for (size_t i = topic; i < clients_n && done < n; done++) {
            if (among)
                read_other(done);
            if (decisions)
                decide(i, topic);
            i += areas ? AREAS_N : 1;
        }
    }
    return (cpu_ns() - since) / (double)n;
}

static void shuffle(void)
{
    srand(1);
    for (size_t i = clients_n - 1; i > 0; i--) {
        size_t k = (size_t)rand() % (i + 1);
        char *p = clients[i];

        clients[i] = clients[k];
        clients[k] = p;
    }
}

int main(int argc, char *argv[])
{
    static const struct login_rules rules = {"loa", 120000};
    static const uint8_t root[LOA_KEY_BYTES] = {1};
    const char *how = argc == 4 ? argv[1] : "";
    size_t n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    double ns;

    clients_n = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (clients_n < AREAS_N || clients_n > CLIENTS_MAX || n < 1 ||
        strstr(" same areas shuffled among ", how) == NULL) {
        fprintf(stderr,
                "usage: gate_ops same|areas|shuffled|among CLIENTS N\n");
        return 2;
    }
    gate = calloc(1, sizeof *gate);
    if (gate == NULL)
        return 1;
    gate_init(gate, &rules, root);
    gate->now_ms = INT64_C(1790000000000);
    for (size_t i = 0; i < AREAS_N; i++)
        snprintf(topics[i], sizeof topics[i],
                 "loa/1/down/content/vn/08/070/%05zu", i);
    for (size_t i = 0; i < clients_n; i++)
        login(i, strcmp(how, "areas") == 0 ? i % AREAS_N : 0);
    if (strcmp(how, "shuffled") == 0)
        shuffle();
    memset(other, 1, sizeof other);
    run(how, clients_n, true); /* Once round, to settle. */
    ns = run(how, n, true);
    if (strcmp(how, "among") == 0)
        ns -= run(how, n, false);
    printf("%.1f\n", ns);
    return 0;
}
