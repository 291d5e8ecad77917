/* trust_ops -- what verifying and signing costs, in one process.
 *
 *     trust_ops cold|cached|sign|packet N
 *
 * Does N of the operation and prints CPU nanoseconds for one. The envelope is
 * as devices get it: 340 bytes of body, a chain of three links. cold: no link
 * was seen before; cached: all were; packet: one content packet of ten frames,
 * signed by a stream key. */

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/trust.h"
#include "proto/world.h"

#define BODY_BYTES 340
#define PACKET_BYTES 640 /* 200 ms at 24 kbit/s, and its heads. */

static struct world world;
static struct letter letter;
static struct loa_trust trust;
static uint8_t body[BODY_BYTES];

static struct loa_header header(void)
{
    struct loa_header h = world_header(LOA_TYPE_COMMAND, "vn/08/070");

    h.body = (struct loa_bytes){body, sizeof body};
    return h;
}

static void verify(void)
{
    struct loa_expect want = {.type = LOA_TYPE_COMMAND,
                              .area = "vn/08/070/02215",
                              .now_ms = WORLD_NOW_MS,
                              .time_trusted = true};

    letter_parse(&letter); /* Part of taking a message. */
    if (loa_trust_verify(&trust, &letter.e, &want, NULL) != LOA_VERDICT_OK)
        abort();
}

static void verify_cold(void)
{
    trust.cache.n = trust.cache.next = 0;
    verify();
}

static void sign(void)
{
    struct loa_header h = header();
    struct loa_bytes chain[] = {world.signer.cert, world.commune.cert,
                                world.province.cert};
    struct loa_signer s = {&world.signer.key, chain, 3};

    if (loa_envelope_seal(&h, &s, letter.bytes, sizeof letter.bytes,
                          &letter.len) != LOA_OK)
        abort();
}

static void packet(void)
{
    static uint8_t data[PACKET_BYTES], signature[LOA_SIGNATURE_BYTES];
    static bool made;

    if (!made)
        loa_sign(&world.signer.key, "packet",
                 (struct loa_bytes){data, sizeof data}, signature);
    made = true;
    if (!loa_sign_verify(world.signer.key.public_key, "packet",
                         (struct loa_bytes){data, sizeof data}, signature))
        abort();
}

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        void (*op)(void);
    } ops[] = {{"cold", verify_cold},
               {"cached", verify},
               {"sign", sign},
               {"packet", packet}};
    struct loa_header h = header();
    long n = argc == 3 ? atol(argv[2]) : 0;

    if (n < 1 || sodium_init() < 0) {
        fprintf(stderr, "usage: trust_ops cold|cached|sign|packet N\n");
        return 2;
    }
    world_init(&world);
    world_seal(&world, &h, &letter);
    loa_trust_init(&trust, world.root.public_key);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        double since;

        if (strcmp(argv[1], ops[i].name) != 0)
            continue;
        ops[i].op(); /* Fills the cache. */
        since = cpu_ns();
        for (long k = 0; k < n; k++)
            ops[i].op();
        printf("%.0f\n", (cpu_ns() - since) / (double)n);
        return 0;
    }
    fprintf(stderr, "trust_ops: no such operation: %s\n", argv[1]);
    return 2;
}
