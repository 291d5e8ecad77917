/* The device's files, damaged at every byte: what is read is right or refused,
 * no number goes back, and work goes on. In a private directory. */

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "proto/io/log.h"
#include "speaker/io_content.h"
#include "speaker/io_disk.h"
#include "speaker/io_receipts.h"

/* In memory: durability is not what is tried here, and it takes its time. */
static char folder[] = "/dev/shm/loa-test-disk-XXXXXX";
static struct disk disk;
static const uint8_t id_a[LOA_ID_BYTES] = {0xa}, id_b[LOA_ID_BYTES] = {0xb};

/* --- a file's bytes ------------------------------------------------------- */

static uint8_t image[65536];

static size_t keep(const char *name)
{
    int fd = openat(disk.dir, name, O_RDONLY);
    ssize_t n = read(fd, image, sizeof image);

    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void put_back(const char *name, size_t len, size_t flip_at, int bits)
{
    int fd = openat(disk.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (bits != 0)
        image[flip_at] ^= (uint8_t)bits;
    CHECK_INT("put back", write(fd, image, len), len);
    if (bits != 0)
        image[flip_at] ^= (uint8_t)bits;
    close(fd);
}

/* --- slots ---------------------------------------------------------------- */

static uint64_t read_counter(void)
{
    struct loa_bytes body;
    uint64_t v = 0;

    if (disk_slot_read(&disk, "memo", &body) == LOA_OK && body.len == 8)
        memcpy(&v, body.data, 8);
    return v;
}

static void write_counter(uint64_t v)
{
    CHECK_INT(
        "write",
        disk_slot_write(&disk, "memo", (struct loa_bytes){(uint8_t *)&v, 8}),
        LOA_OK);
}

static void test_slots(void)
{
    static const char *const files[] = {"memo.a", "memo.b"};

    CHECK_INT("none yet", read_counter(), 0);
    for (uint64_t v = 1; v < 5; v++)
        write_counter(v);
    CHECK_INT("newest", read_counter(), 4);
    for (size_t f = 0; f < 2; f++) {
        size_t len = keep(files[f]);

        for (size_t i = 0; i < len; i++) {
            put_back(files[f], i, 0, 0);
            CHECK_INT("truncated", read_counter(), 4);
            put_back(files[f], len, i, 1 << (i % 8));
            CHECK_INT("flipped", read_counter(), 4);
        }
        unlinkat(disk.dir, files[f], 0);
        CHECK_INT("gone", read_counter(), 4);
        write_counter(4);
    }
    put_back(files[0], 3, 0, 0);
    put_back(files[1], 3, 0, 0);
    CHECK_INT("both damaged", read_counter(), 0);
    write_counter(9);
    CHECK_INT("works again", read_counter(), 9);
}

static void test_whole_files(void)
{
    static const uint8_t text[] = "một chương trình";
    struct loa_bytes body;

    CHECK_INT("none", disk_file_read(&disk, "trust", &body), LOA_ENOENT);
    CHECK_INT(
        "write",
        disk_file_write(&disk, "trust", (struct loa_bytes){text, sizeof text}),
        LOA_OK);
    CHECK_INT("read", disk_file_read(&disk, "trust", &body), LOA_OK);
    CHECK_INT("same", body.len, sizeof text);
    CHECK_INT("same", memcmp(body.data, text, sizeof text), 0);
}

/* --- receipts ------------------------------------------------------------- */

static uint64_t recalled_n, recalled_last;

static void on_recall(void *data, const struct receipt *r)
{
    (void)data;
    recalled_n++;
    CHECK_INT("rising", r->sequence > recalled_last || recalled_n == 1, 1);
    recalled_last = r->sequence;
}

static const uint8_t *known_id; /* What the memo says; NULL: nothing. */

static void open_log(struct receipt_log *l, const uint8_t *fresh)
{
    struct receipt_log_ids ids = {.fresh = fresh, .known = known_id};

    recalled_n = recalled_last = 0;
    CHECK_INT("open", receipt_log_open(l, &disk, &ids, on_recall, NULL),
              LOA_OK);
}

static void append(struct receipt_log *l, uint64_t n)
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
static void use(struct receipt_log *l)
{
    struct receipt r;
    uint64_t next = l->next;

    append(l, 1);
    CHECK_INT("next", l->next, next + 1);
    CHECK_INT("read", receipt_log_read(l, next, &r, 1), 1);
    CHECK_INT("number", r.sequence, next);
}

static void test_receipts_truncated(void)
{
    struct receipt_log l;
    size_t len;

    open_log(&l, id_a);
    append(&l, 5);
    receipt_log_close(&l);
    len = keep("receipts");
    CHECK_INT("size", len, 6 * RECEIPT_RECORD_BYTES);
    for (size_t i = 0; i < len; i++) {
        bool head = i >= RECEIPT_RECORD_BYTES;
        uint64_t rows = head ? i / RECEIPT_RECORD_BYTES - 1 : 0;

        put_back("receipts", i, 0, 0);
        open_log(&l, id_b);
        CHECK_INT("log", l.log_id[0], head ? 0xa : 0xb);
        CHECK_INT("next", l.next, rows + 1);
        CHECK_INT("recalled", recalled_n, rows);
        use(&l);
        receipt_log_close(&l);
        open_log(&l, id_b);
        CHECK_INT("still", l.next, rows + 2);
        receipt_log_close(&l);
    }
    /* Room was given to the file but the bytes never came. */
    memset(image + 4 * RECEIPT_RECORD_BYTES, 0, 2 * RECEIPT_RECORD_BYTES);
    put_back("receipts", len, 0, 0);
    open_log(&l, id_b);
    CHECK_INT("zeros: log", l.log_id[0], 0xa);
    CHECK_INT("zeros: next", l.next, 4);
    receipt_log_close(&l);
}

static void test_receipts_flipped(void)
{
    struct receipt_log l;
    size_t len;

    unlinkat(disk.dir, "receipts", 0);
    open_log(&l, id_a);
    append(&l, 5);
    receipt_log_close(&l);
    len = keep("receipts");
    for (size_t i = 0; i < len; i++) {
        bool head = i < RECEIPT_RECORD_BYTES;

        put_back("receipts", len, i, 1 << (i % 8));
        open_log(&l, id_b);
        /* A number that may have been sent never means something else: the
         * damaged record keeps its own. */
        CHECK_INT("log", l.log_id[0], head ? 0xb : 0xa);
        CHECK_INT("next", l.next, 6);
        CHECK_INT("kept", recalled_n, head ? 5 : 4);
        use(&l);
        receipt_log_close(&l);
        known_id = id_a;
        put_back("receipts", len, i, 1 << (i % 8));
        open_log(&l, id_b);
        CHECK_INT("log, from the memo", l.log_id[0], 0xa);
        CHECK_INT("next, from the memo", l.next, 6);
        receipt_log_close(&l);
        known_id = NULL;
    }
}

/* One unreadable record held back all that were behind it, until a restart
 * gave everything new numbers, also what the collector had already; and no
 * acknowledged record could be dropped any more. */
static void test_unreadable_receipt_blocks_the_rest(void)
{
    struct receipt_log l;
    struct receipt r[8];
    size_t len;

    unlinkat(disk.dir, "receipts", 0);
    open_log(&l, id_a);
    append(&l, 6);
    receipt_log_close(&l);
    len = keep("receipts");
    open_log(&l, id_b);
    put_back("receipts", len, 3 * RECEIPT_RECORD_BYTES + 5, 4);
    CHECK_INT("up to it", receipt_log_read(&l, 1, r, 8), 2);
    CHECK_INT("behind it", receipt_log_read(&l, 3, r, 8), 3);
    CHECK_INT("number", r[0].sequence, 4);
    CHECK_INT("trim", receipt_log_trim(&l, 1), LOA_OK);
    receipt_log_close(&l);
    open_log(&l, id_b);
    CHECK_INT("same log", l.log_id[0], 0xa);
    CHECK_INT("first", l.first, 2);
    CHECK_INT("next", l.next, 7);
    CHECK_INT("behind it", receipt_log_read(&l, 3, r, 8), 3);
    use(&l);
    receipt_log_close(&l);
}

/* A log that could not be opened was replaced by a new one. */
static void test_unopened_log_is_not_replaced(void)
{
    struct receipt_log_ids ids = {.fresh = id_b};
    struct receipt_log l;

    unlinkat(disk.dir, "receipts", 0);
    open_log(&l, id_a);
    append(&l, 3);
    receipt_log_close(&l);
    renameat(disk.dir, "receipts", disk.dir, "kept");
    CHECK_INT("in the way", mkdirat(disk.dir, "receipts", 0700), 0);
    CHECK_INT("refused", receipt_log_open(&l, &disk, &ids, on_recall, NULL),
              LOA_ESYS);
    unlinkat(disk.dir, "receipts", AT_REMOVEDIR);
    renameat(disk.dir, "kept", disk.dir, "receipts");
    open_log(&l, id_b);
    CHECK_INT("all there", l.next, 4);
    receipt_log_close(&l);
}

/* After a cut in the middle of an update the next update began with the only
 * copy that was whole: a second cut there lost both. */
static void test_second_cut_loses_both_copies(void)
{
    static const char *const files[] = {"memo.a", "memo.b"};
    struct rlimit was, none;

    getrlimit(RLIMIT_FSIZE, &was);
    none = (struct rlimit){10, was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    for (size_t f = 0; f < 2; f++) {
        uint64_t v = 99;
        size_t len;

        write_counter(7);
        len = keep(files[f]);
        put_back(files[f], len / 2, 0, 0);
        CHECK_INT("the other is used", read_counter(), 7);
        setrlimit(RLIMIT_FSIZE, &none); /* Ten bytes come, then the cut. */
        CHECK_INT("cut",
                  disk_slot_write(&disk, "memo",
                                  (struct loa_bytes){(uint8_t *)&v, 8}),
                  LOA_ENOSPC);
        setrlimit(RLIMIT_FSIZE, &was);
        CHECK_INT("still there", read_counter(), 7);
    }
}

static void test_receipts_trimmed(void)
{
    struct receipt_log l;
    struct receipt r[8];

    unlinkat(disk.dir, "receipts", 0);
    open_log(&l, id_a);
    append(&l, 8);
    CHECK_INT("trim", receipt_log_trim(&l, 6), LOA_OK);
    CHECK_INT("read", receipt_log_read(&l, 7, r, 8), 2);
    CHECK_INT("number", r[0].sequence, 7);
    use(&l);
    receipt_log_close(&l);
    open_log(&l, id_b);
    CHECK_INT("first", l.first, 7);
    CHECK_INT("next", l.next, 10);
    CHECK_INT("trim all", receipt_log_trim(&l, 3), LOA_OK);
    receipt_log_close(&l);
    open_log(&l, id_b);
    CHECK_INT("numbers do not begin again", l.next, 10);
    use(&l);
    receipt_log_close(&l);
}

/* --- contents ------------------------------------------------------------- */

#define PACKETS 6

static struct content_store store;
static uv_loop_t loop;
static uint8_t frames[PACKETS][LOA_PACKET_FRAMES][8], hash[LOA_HASH_BYTES];
static char part_name[CONTENT_NAME_CAP], whole_name[CONTENT_NAME_CAP];
static int job_status;
static size_t found_n;

static void on_found(void *data,
                     const uint8_t h[LOA_HASH_BYTES],
                     bool complete,
                     uint64_t bytes)
{
    (void)data;
    (void)complete;
    (void)bytes;
    found_n += memcmp(h, hash, LOA_HASH_BYTES) == 0;
}

static void on_job(void *data, int status, uint64_t bytes)
{
    (void)data;
    (void)bytes;
    job_status = status;
}

static void make_content(void)
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

static uint32_t open_part(void)
{
    const uint32_t *have;
    uint32_t n = 0;

    CHECK_INT("part", content_store_part_open(&store, 0, hash, PACKETS, &have),
              LOA_OK);
    for (uint32_t i = 0; i < PACKETS; i++)
        n += have[i] != 0;
    return n;
}

static void put(uint32_t sequence)
{
    struct loa_packet k = {.sequence = sequence, .frames_n = LOA_PACKET_FRAMES};

    for (int i = 0; i < LOA_PACKET_FRAMES; i++)
        k.frames[i] = (struct loa_bytes){frames[sequence][i], 8};
    CHECK_INT("put", content_store_put(&store, 0, &k), LOA_OK);
}

static int seal(void)
{
    job_status = -1;
    content_store_seal(&store, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    return job_status;
}

static int check(void)
{
    job_status = -1;
    content_store_check(&store, hash);
    uv_run(&loop, UV_RUN_DEFAULT);
    return job_status;
}

/* In content/, as keep() and put_back() do it in the data directory. */
static size_t keep_content(const char *name)
{
    char path[CONTENT_NAME_CAP + 16];

    snprintf(path, sizeof path, "content/%s", name);
    return keep(path);
}

static void put_content(const char *name, size_t len, size_t at, int bits)
{
    char path[CONTENT_NAME_CAP + 16];

    snprintf(path, sizeof path, "content/%s", name);
    put_back(path, len, at, bits);
}

static void test_parts(void)
{
    static const uint32_t order[PACKETS] = {3, 0, 5, 1, 4, 2};
    size_t len, record;

    CHECK_INT("new", open_part(), 0);
    for (int i = 0; i < PACKETS; i++)
        put(order[i]);
    content_store_part_close(&store, 0);
    len = keep_content(part_name);
    record = len / PACKETS;
    for (size_t i = 0; i < len; i++) {
        put_content(part_name, i, 0, 0);
        CHECK_INT("truncated", open_part(), i / record);
        content_store_part_close(&store, 0);
        put_content(part_name, len, i, 1 << (i % 8));
        CHECK_INT("flipped", open_part(), i / record);
        /* What was lost is fetched again, and then it is whole. */
        for (size_t k = i / record; k < PACKETS; k++)
            put(order[k]);
        CHECK_INT("sealed", seal(), LOA_OK);
        content_store_part_close(&store, 0);
        CHECK_INT("checked", check(), LOA_OK);
    }
}

static void test_complete_damaged(void)
{
    size_t len = keep_content(whole_name);

    for (size_t i = 0; i < len; i++) {
        put_content(whole_name, len, i, 1 << (i % 8));
        CHECK_INT("flipped", check(), LOA_EINVAL);
        CHECK_INT("removed", keep_content(whole_name), 0);
        put_content(whole_name, len, 0, 0);
        (void)keep_content(whole_name);
    }
}

static void test_wrong_content(void)
{
    frames[2][2][7] = 1; /* Not what the hash is over. */
    CHECK_INT("delete", content_store_delete(&store, hash), LOA_OK);
    CHECK_INT("nothing left", open_part(), 0);
    for (uint32_t i = 0; i < PACKETS; i++)
        put(i);
    CHECK_INT("refused", seal(), LOA_EINVAL);
    content_store_part_close(&store, 0);
    CHECK_INT("nothing is kept", open_part(), 0);
    content_store_part_close(&store, 0);
    CHECK_INT("nor complete", keep_content(whole_name), 0);
}

static void test_contents(void)
{
    uv_loop_init(&loop);
    make_content();
    content_store_open(&store, &disk, &loop, on_found, on_job, NULL);
    test_parts();
    content_store_open(&store, &disk, &loop, on_found, on_job, NULL);
    CHECK_INT("found", found_n, 1);
    test_complete_damaged();
    test_wrong_content();
    content_store_close(&store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

int main(void)
{
    char command[64];

    log_level = LOG_ERROR; /* Every damage is a line; here they are many. */
    if (mkdtemp(folder) == NULL || disk_open(&disk, folder) != LOA_OK)
        return 1;
    test_slots();
    test_second_cut_loses_both_copies();
    test_whole_files();
    test_receipts_truncated();
    test_receipts_flipped();
    test_receipts_trimmed();
    test_unreadable_receipt_blocks_the_rest();
    test_unopened_log_is_not_replaced();
    test_contents();
    disk_close(&disk);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        return 1;
    return CHECK_DONE();
}
