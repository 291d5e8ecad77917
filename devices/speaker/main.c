/* loa-speaker -- the agent on the pole.
 *
 * Wires: settings, key, disk, loop and signals. A device without certificates
 * enrols first (io_enrol.c); then the agent runs (io_agent.c) until it is told
 * to stop. It never ends for want of a network. */

#include <assert.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/io/identity_file.h"
#include "proto/io/log.h"
#include "speaker/io_agent.h"
#include "speaker/io_enrol.h"

#define MEMORY_BYTES_MAX (64u << 20) /* Of data; 9 MB are in use. */

static struct program {
    struct config conf;
    uv_loop_t loop;
    uv_signal_t sigint, sigterm;
    struct disk disk;
    struct loa_identity identity;
    char identity_path[4096];
    struct enroller enroller;
    struct agent agent;
    bool enrolling, running;
    int exit_code;
} program;

static void close_signals(struct program *p)
{
    uv_close((uv_handle_t *)&p->sigint, NULL);
    uv_close((uv_handle_t *)&p->sigterm, NULL);
}

static void stop(struct program *p, int exit_code)
{
    p->exit_code = exit_code;
    if (p->enrolling)
        enroller_close(&p->enroller);
    if (p->running)
        agent_close(&p->agent);
    if (!uv_is_closing((uv_handle_t *)&p->sigint))
        close_signals(p);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    stop(handle->data, EXIT_SUCCESS);
}

/* --- who we are ----------------------------------------------------------- */

static int make_key(struct program *p, char why[IDENTITY_WHY_CAP])
{
    struct loa_identity *id = &p->identity;
    size_t len;

    memset(id, 0, sizeof *id);
    randombytes_buf(id->seed, sizeof id->seed);
    loa_key_from_seed(&id->key, id->seed);
    if (p->conf.root[0] != '\0')
        id->root_known = loa_unbase64(p->conf.root, id->root, sizeof id->root,
                                      &len) == LOA_OK;
    return identity_file_write(p->identity_path, id, why);
}

/* The key of this device, made at the first start. */
static int take_identity(struct program *p)
{
    const char *path = p->conf.identity;
    char why[IDENTITY_WHY_CAP];
    int rv;

    if (path[0] != '\0')
        snprintf(p->identity_path, sizeof p->identity_path, "%s", path);
    else
        snprintf(p->identity_path, sizeof p->identity_path, "%s/identity",
                 p->conf.data_dir);
    rv = identity_file_read(p->identity_path, &p->identity, why);
    if (rv == LOA_ENOENT)
        rv = make_key(p, why);
    if (rv != LOA_OK)
        log_error("identity.bad", "path=%s text=%s", p->identity_path, why);
    return rv;
}

/* For people and scripts: is this device enrolled, and as what? */
static void mark_enrolled(struct program *p)
{
    char line[LOA_PRINCIPAL_CAP + LOA_AREA_CAP + 2];
    int n = snprintf(line, sizeof line, "%s %s\n", p->identity.leaf.principal,
                     p->identity.leaf.area);

    if (disk_file_write(&p->disk, "enrolled",
                        (struct loa_bytes){(uint8_t *)line, (size_t)n}) !=
        LOA_OK)
        log_warn("enrol.unmarked", "path=%s", p->conf.data_dir);
}

/* --- life ----------------------------------------------------------------- */

static int run_agent(struct program *p)
{
    int rv = agent_open(&p->agent, &p->loop, &p->conf, &p->identity, &p->disk);

    p->running = rv == LOA_OK;
    return rv;
}

static void on_enrolled(void *data)
{
    struct program *p = data;

    p->enrolling = false;
    enroller_close(&p->enroller);
    mark_enrolled(p);
    if (run_agent(p) != LOA_OK)
        exit(EXIT_FAILURE); /* It said why; what is durable stays so. */
}

static int open_loop(struct program *p)
{
    if (uv_loop_init(&p->loop) == 0 &&
        uv_signal_init(&p->loop, &p->sigint) == 0 &&
        uv_signal_init(&p->loop, &p->sigterm) == 0 &&
        uv_signal_start(&p->sigint, on_signal, SIGINT) == 0 &&
        uv_signal_start(&p->sigterm, on_signal, SIGTERM) == 0)
        return LOA_OK;
    log_error("loop.open", "text=the system has no memory or no descriptor");
    return LOA_ESYS;
}

static int start(struct program *p)
{
    p->sigint.data = p->sigterm.data = p;
    if (p->identity.certificates_n > 0)
        return run_agent(p);
    p->enrolling = true;
    return enroller_open(&p->enroller, &p->loop, &p->conf, &p->identity,
                         p->identity_path, on_enrolled, p);
}

/* The MQTT library takes memory for as much as a packet says that it has, up to
 * 256 MB: a broker could have the system kill us. With a limit its attempt
 * fails, the connection ends, and what is planned still sounds. Sanitizers
 * reserve more than any limit. */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit l = {MEMORY_BYTES_MAX, MEMORY_BYTES_MAX};

    if (setrlimit(RLIMIT_DATA, &l) != 0)
        log_warn("memory.unlimited", "text=setrlimit failed");
#endif
}

/* libuv aborts without a word where it cannot go on without memory. */
static void *sure(void *p)
{
    if (p != NULL)
        return p;
    log_error("memory.none", "text=the system has none left: ending");
    _exit(EXIT_FAILURE); /* What is durable stays so. */
}

static void *sure_malloc(size_t len)
{
    return sure(malloc(len));
}

static void *sure_realloc(void *p, size_t len)
{
    return sure(realloc(p, len));
}

static void *sure_calloc(size_t n, size_t len)
{
    return sure(calloc(n, len));
}

int main(int argc, char *argv[])
{
    struct program *p = &program;

    if (!speaker_config(&p->conf, argc, argv, &p->exit_code))
        return p->exit_code;
    if (sodium_init() < 0 || uv_replace_allocator(sure_malloc, sure_realloc,
                                                  sure_calloc, free) != 0) {
        log_error("speaker.start", "text=a library does not start");
        return EXIT_FAILURE;
    }
    limit_memory();
    signal(SIGPIPE, SIG_IGN);
    mosquitto_lib_init();
    if (disk_open(&p->disk, p->conf.data_dir) != LOA_OK ||
        take_identity(p) != LOA_OK || open_loop(p) != LOA_OK ||
        start(p) != LOA_OK) {
        log_error("speaker.start", "text=it cannot start");
        return EXIT_FAILURE;
    }
    uv_run(&p->loop, UV_RUN_DEFAULT);

    if (uv_loop_close(&p->loop) != 0)
        log_warn("loop.leak", "text=a handle was left open");
    disk_close(&p->disk);
    mosquitto_lib_cleanup();
    return p->exit_code;
}
