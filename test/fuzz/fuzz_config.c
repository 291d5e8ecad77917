/* link: proto/io/config.c proto/io/config_parse.c proto/io/log.c
 * devices/speaker/config.c */

/* The settings of the loudspeaker from a file, the environment and the command
 * line, as main() loads them. The input is the file, a NUL, then texts that end
 * with NUL: `NAME=value` goes into the environment, others are words of the
 * command line.
 *
 * Properties: what is taken is within the limits of its option; what is not is
 * said; a refusal is exit code 2. */

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/io/config.h"
#include "proto/io/log.h"
#include "speaker/config.h"

#define WORDS_MAX 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int file;
static char path[64];
static FILE *said;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    file = memfd_create("settings", 0);
    assert(file >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    /* libFuzzer keeps the streams that it writes to. */
    said = tmpfile();
    assert(said != NULL);
    stderr = said;
    stdout = fopen("/dev/null", "w");
    return 0;
}

static void write_file(const uint8_t *data, size_t len)
{
    if (ftruncate(file, 0) != 0 || pwrite(file, data, len, 0) != (ssize_t)len)
        abort();
}

/* The words after the file; they are in `copy`, which is lent. */
static int words(char *copy, size_t len, char *argv[])
{
    int argc = 1;

    clearenv();
    setenv("LOA_CONFIG", path, 1);
    for (char *p = copy; p < copy + len && argc <= WORDS_MAX;
         p += strlen(p) + 1) {
        char *is = strchr(p, '=');

        if (strncmp(p, "LOA_", 4) == 0 && is != NULL &&
            strncmp(p, "LOA_CONFIG", 10) != 0) {
            *is = '\0';
            setenv(p, is + 1, 1);
            *is = '=';
        } else if (strncmp(p, "--config", 8) != 0) {
            argv[argc++] = p;
        }
    }
    argv[argc] = NULL;
    return argc;
}

static void check(const struct config *c)
{
    assert(c->mqtt_port >= 1 && c->mqtt_port <= 65535);
    assert(c->volume <= 100);
    assert(c->mqtt_host != NULL && c->mqtt_host[0] != '\0');
    assert(c->data_dir != NULL && c->identity != NULL && c->output != NULL);
    assert(c->clock == WALLTIME_SYSTEM || c->clock == WALLTIME_NONE);
    assert(c->place_offset_ms > -100000 && c->place_offset_ms < 100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = memchr(data, 0, len);
    size_t file_len = nul != NULL ? (size_t)(nul - data) : len;
    size_t rest = nul != NULL ? len - file_len - 1 : 0;
    char *copy = malloc(rest + 1), *argv[WORDS_MAX + 2] = {"loa-speaker"};
    struct config c = {0};
    int code = -1;

    assert(copy != NULL);
    memcpy(copy, data + len - rest, rest);
    copy[rest] = '\0';
    write_file(data, file_len);
    rewind(said);
    if (speaker_config(&c, words(copy, rest, argv), argv, &code)) {
        assert(code == 0);
        check(&c);
    } else {
        assert(code == 0 || (code == 2 && ftell(said) > 0));
    }
    free(copy);
    return 0;
}
