/* store.h -- a device's folder for tests, in memory: files that are kept, put
 * back and damaged, a counter in a slot, receipts, one content. */

#ifndef LOA_TEST_STORE_H
#define LOA_TEST_STORE_H

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "proto/io/log.h"
#include "speaker/io_content.h"
#include "speaker/io_disk.h"
#include "speaker/io_receipts.h"

#define UNUSED __attribute__((unused))

/* In memory: durability is not what is tried here, and it takes its time. */
static char folder[] = "/dev/shm/loa-test-disk-XXXXXX";
static struct disk disk;
static const uint8_t id_a[LOA_ID_BYTES] = {0xa}, id_b[LOA_ID_BYTES] = {0xb};

/* --- a file's bytes ------------------------------------------------------- */

static uint8_t image[65536];

UNUSED static size_t keep(const char *name)
{
    int fd = openat(disk.dir, name, O_RDONLY);
    ssize_t n = read(fd, image, sizeof image);

    close(fd);
    return n > 0 ? (size_t)n : 0;
}

UNUSED static void put_back(const char *name,
                            size_t len,
                            size_t flip_at,
                            int bits)
{
    int fd = openat(disk.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (bits != 0)
        image[flip_at] ^= (uint8_t)bits;
    CHECK_INT("put back", write(fd, image, len), len);
    if (bits != 0)
        image[flip_at] ^= (uint8_t)bits;
    close(fd);
}

/* --- slots -------------------------------------------------------------------
 */

UNUSED static uint64_t read_counter(void)
{
    struct loa_bytes body;
    uint64_t v = 0;

    if (disk_slot_read(&disk, "memo", &body) == LOA_OK && body.len == 8)
        memcpy(&v, body.data, 8);
    return v;
}

UNUSED static void write_counter(uint64_t v)
{
    CHECK_INT(
        "write",
        disk_slot_write(&disk, "memo", (struct loa_bytes){(uint8_t *)&v, 8}),
        LOA_OK);
}

/* --- receipts ------------------------------------------------------------ */

static uint64_t recalled_n, recalled_last;

UNUSED static void on_recall(void *data, const struct receipt *r)
{
    (void)data;
    recalled_n++;
    CHECK_INT("rising", r->sequence > recalled_last || recalled_n == 1, 1);
    recalled_last = r->sequence;
}

static const uint8_t *known_id; /* What the memo says; NULL: nothing. */

UNUSED static void open_log(struct receipt_log *l, const uint8_t *fresh)
{
    struct receipt_log_ids ids = {.fresh = fresh, .known = known_id};

    recalled_n = recalled_last = 0;
    CHECK_INT("open", receipt_log_open(l, &disk, &ids, on_recall, NULL),
              LOA_OK);
}

UNUSED static void append(struct receipt_log *l, uint64_t n)
{
    struct receipt rows[8];

    for (uint64_t i = 0; i < n; i++) {
        memset(&rows[i], 0, sizeof rows[i]);
        rows[i].sequence = l->next + i;
        rows[i].event = RECEIPT_STARTED;
        rows[i].bulletin_id[0] = (uint8_t)(l->next + i);
        strcpy(rows[i].reason, "thử");
    }
    CHECK_INT("append", receipt_log_append(l, rows, (size_t)n), LOA_OK);
}

/* Numbers go on from where they are, in the log that is there now. */
UNUSED static void use(struct receipt_log *l)
{
    struct receipt r;
    uint64_t next = l->next;

    append(l, 1);
    CHECK_INT("next", l->next, next + 1);
    CHECK_INT("read", receipt_log_read(l, next, &r, 1), 1);
    CHECK_INT("number", r.sequence, next);
}

/* --- contents ------------------------------------------------------------ */

#define PACKETS 6

static struct content_store store;
static uv_loop_t loop;
static uint8_t frames[PACKETS][LOA_PACKET_FRAMES][8], hash[LOA_HASH_BYTES];
static char part_name[CONTENT_NAME_CAP], whole_name[CONTENT_NAME_CAP];
static int job_status;
static size_t found_n;

UNUSED static void on_found(void *data,
                            const uint8_t h[LOA_HASH_BYTES],
                            bool complete,
                            uint64_t bytes)
{
    (void)data;
    (void)complete;
    (void)bytes;
    found_n += memcmp(h, hash, LOA_HASH_BYTES) == 0;
}

UNUSED static void on_job(void *data, int status, uint64_t bytes)
{
    (void)data;
    (void)bytes;
    job_status = status;
}

UNUSED static void make_content(void)
{
    struct loa_content_hash h;
    char hex[2 * LOA_HASH_BYTES + 1];

    loa_content_hash_init(&h);
    for (int i = 0; i < PACKETS * LOA_PACKET_FRAMES; i++) {
        uint8_t *f = frames[i / LOA_PACKET_FRAMES][i % LOA_PACKET_FRAMES];

        f[0] = (uint8_t)i;
        loa_content_hash_frame(&h, f, 8);
    }
    loa_content_hash_final(&h, hash);
    loa_hex(hash, LOA_HASH_BYTES, hex);
    snprintf(part_name, sizeof part_name, "%s.part", hex);
    snprintf(whole_name, sizeof whole_name, "%s", hex);
}

UNUSED static uint32_t open_part(void)
{
    const uint32_t *have;
    uint32_t n = 0;

    CHECK_INT("part", content_store_part_open(&store, 0, hash, PACKETS, &have),
              LOA_OK);
    for (uint32_t i = 0; i < PACKETS; i++)
        n += have[i] != 0;
    return n;
}

UNUSED static void put(uint32_t sequence)
{
    struct loa_packet k = {.sequence = sequence, .frames_n = LOA_PACKET_FRAMES};

    for (int i = 0; i < LOA_PACKET_FRAMES; i++)
        k.frames[i] = (struct loa_bytes){frames[sequence][i], 8};
    CHECK_INT("put", content_store_put(&store, 0, &k), LOA_OK);
}

UNUSED static int seal(void)
{
    job_status = -1;
    content_store_seal(&store, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    return job_status;
}

UNUSED static int check(void)
{
    job_status = -1;
    content_store_check(&store, hash);
    uv_run(&loop, UV_RUN_DEFAULT);
    return job_status;
}

/* In content/, as keep() and put_back() do it in the data directory. */
UNUSED static size_t keep_content(const char *name)
{
    char path[CONTENT_NAME_CAP + 16];

    snprintf(path, sizeof path, "content/%s", name);
    return keep(path);
}

UNUSED static void put_content(const char *name,
                               size_t len,
                               size_t at,
                               int bits)
{
    char path[CONTENT_NAME_CAP + 16];

    snprintf(path, sizeof path, "content/%s", name);
    put_back(path, len, at, bits);
}

/* --- around the tests ----------------------------------------------------- */

UNUSED static void store_begin(void)
{
    uv_loop_init(&loop);
    make_content();
    content_store_open(&store, &disk, &loop, on_found, on_job, NULL);
}

UNUSED static void store_end(void)
{
    content_store_close(&store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static bool folder_make(void)
{
    return mkdtemp(folder) != NULL && disk_open(&disk, folder) == LOA_OK;
}

static bool folder_remove(void)
{
    char command[64];

    disk_close(&disk);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0;
}

#endif /* LOA_TEST_STORE_H */
