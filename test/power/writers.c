/* writers identity|state DIR SEED -- writes one file of a program again and
 * again by that program's own code, for record.so; each that is durable by its
 * word is marked. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loa-auth/io_state.h"
#include "proto/io/identity_file.h"
#include "test/power/dice.h"
#include "test/power/mark.h"

void power_mark(const void *data, size_t len) __attribute__((weak));

static void mark_file(const char *path, const char *name)
{
    static uint8_t body[MARK_BYTES_MAX], buf[MARK_BYTES_MAX + 100];
    struct mark m = {.what = 'd'};
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(body, 1, sizeof body, f) : 0;

    if (f != NULL)
        fclose(f);
    strcpy(m.text, name);
    if (power_mark != NULL)
        power_mark(buf, mark_put(buf, &m, (struct loa_bytes){body, n}));
}

static int write_identities(const char *folder)
{
    static struct loa_identity id;
    char path[4096], why[IDENTITY_WHY_CAP];

    snprintf(path, sizeof path, "%s/identity", folder);
    for (int i = 0; i < 20; i++) {
        for (size_t k = 0; k < sizeof id.seed; k++)
            id.seed[k] = (uint8_t)below(256);
        loa_key_from_seed(&id.key, id.seed);
        if (identity_file_write(path, &id, why) != LOA_OK)
            return 1;
        mark_file(path, "identity");
    }
    return 0;
}

static int write_states(const char *folder)
{
    static uint8_t bytes[IO_STATE_BYTES_MAX];
    struct io_state *s;
    char path[4096];

    snprintf(path, sizeof path, "%s/state", folder);
    for (int i = 0; i < 20; i++) {
        size_t n = 1 + (size_t)below(sizeof bytes);

        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)below(256);
        if (io_state_open(&s, path) != LOA_OK)
            return 1;
        io_state_put(s, bytes, n);
        io_state_close(s); /* Writes what waits. */
        mark_file(path, "state");
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
