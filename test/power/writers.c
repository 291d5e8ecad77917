/* writers identity|state DIR SEED -- writes one file of a program again and
 * again by that program's own code, for record.so; each that is durable by its
 * word is marked. */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loa-auth/io_state.h"
#include "proto/io/identity_file.h"
#include "test/power/dice.h"
#include "test/power/mark.h"

#define WRITES 12

void power_mark(const void *data, size_t len) __attribute__((weak));
unsigned long power_calls(const char *kind) __attribute__((weak));

/* 'b': from now on it may be this; 'd': it is, durably. */
static void mark(char what, const char *name, struct loa_bytes body)
{
    static uint8_t buf[MARK_BYTES_MAX + 100];
    struct mark m = {.what = (uint8_t)what};

    strcpy(m.text, name);
    if (power_mark != NULL)
        power_mark(buf, mark_put(buf, &m, body));
}

static int write_identities(const char *folder)
{
    static struct loa_identity id;
    char path[4096], why[IDENTITY_WHY_CAP], text[LOA_IDENTITY_BYTES_MAX];

    snprintf(path, sizeof path, "%s/identity", folder);
    for (int i = 0; i < WRITES; i++) {
        struct loa_bytes body = {(uint8_t *)text, 0};

        for (size_t k = 0; k < sizeof id.seed; k++)
            id.seed[k] = (uint8_t)chance_of(256);
        loa_key_from_seed(&id.key, id.seed);
        if (loa_identity_format(&id, text, sizeof text) != LOA_OK)
            return 1;
        body.len = strlen(text);
        mark('b', "identity", body);
        if (identity_file_write(path, &id, why) == LOA_OK)
            mark('d', "identity", body);
        else
            fprintf(stderr, "%s\n", why);
    }
    return 0;
}

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

/* The thread says what failed, and is silent when all is well: it is done when
 * file and folder have had their fsync. */
static int state_outcome(struct io_state *s, unsigned long syncs_n)
{
    for (int i = 0; i < 1000; i++) {
        bool over = power_calls != NULL && power_calls("sync") >= syncs_n + 2;
        int error;

        wait_ms(over ? 10 : 2);
        error = io_state_poll(s);
        if (error != 0 || over)
            return error;
    }
    return EIO;
}

static int write_states(const char *folder)
{
    static uint8_t bytes[IO_STATE_BYTES_MAX];
    struct io_state *s;
    char path[4096];

    snprintf(path, sizeof path, "%s/state", folder);
    for (int i = 0; i < WRITES; i++) {
        struct loa_bytes body = {bytes, 1 + (size_t)chance_of(sizeof bytes)};
        unsigned long before_n;
        int error;

        for (size_t k = 0; k < body.len; k++)
            bytes[k] = (uint8_t)chance_of(256);
        mark('b', "state", body);
        if (io_state_open(&s, path) != LOA_OK) {
            perror(path);
            continue;
        }
        before_n = power_calls != NULL ? power_calls("sync") : 0;
        io_state_put(s, bytes, body.len);
        error = state_outcome(s, before_n);
        if (error != 0)
            fprintf(stderr, "%s: %s\n", path, strerror(error));
        io_state_close(s); /* Writes what waits, once. */
        if (error == 0)
            mark('d', "state", body);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc != 4)
        return 2;
    seed_with(strtoul(argv[3], NULL, 10));
    return strcmp(argv[1], "identity") == 0 ? write_identities(argv[2])
                                            : write_states(argv[2]);
}
