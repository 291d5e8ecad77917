/* A disk that refuses for a moment, is cut twice, or has rotted: what was wrong
 * once, each under its name. Found by test/power/ or on the way to it. */

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "store.h"

/* --- a disk that refuses ---------------------------------------------------
 */

static bool folders_refuse, files_refuse; /* fsync */
static int reads_refuse_n;
static unsigned folder_syncs_n;

/* In the place of the C library's. */
int fsync(int fd)
{
    struct stat st;
    bool is_folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

    folder_syncs_n += is_folder;
    if (is_folder ? folders_refuse : files_refuse) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    if (reads_refuse_n > 0) {
        reads_refuse_n--;
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, p, n, at);
}

/* --- slots -------------------------------------------------------------------
 */

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

/* Only the first update made the names durable, and not if it failed. */
static void test_failed_sync_of_the_folder_is_not_repeated(void)
{
    static const struct loa_bytes body = {(const uint8_t *)"mới", 4};
    unsigned before;

    folders_refuse = true;
    CHECK_INT("refused", disk_slot_write(&disk, "ledger", body), LOA_ESYS);
    folders_refuse = false;
    before = folder_syncs_n;
    CHECK_INT("written", disk_slot_write(&disk, "ledger", body), LOA_OK);
    CHECK_INT("with its name", folder_syncs_n > before, 1);
}

/* What could not be read counted as lost, and was written over. */
static void test_bad_moment_forgets_a_memory(void)
{
    struct loa_bytes body;

    write_counter(5);
    reads_refuse_n = 2;
    CHECK_INT("a moment", read_counter(), 5);
    reads_refuse_n = 1000;
    CHECK_INT("unreadable", disk_slot_read(&disk, "memo", &body), LOA_ESYS);
    reads_refuse_n = 0;
    CHECK_INT("whole", read_counter(), 5);
}

/* --- receipts ------------------------------------------------------------ */

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

/* After a trim whose new name was not durable, receipts were appended to the
 * old file, which had no name any more. */
static void test_receipts_without_a_name(void)
{
    struct receipt_log l;
    struct receipt r = {.event = RECEIPT_STARTED};

    unlinkat(disk.dir, "receipts", 0);
    open_log(&l, id_a);
    append(&l, 5);
    folders_refuse = true;
    (void)!receipt_log_trim(&l, 2);
    r.sequence = l.next;
    CHECK_INT("not durable", receipt_log_append(&l, &r, 1), LOA_ESYS);
    folders_refuse = false;
    append(&l, 1);
    receipt_log_close(&l);
    open_log(&l, id_b);
    CHECK_INT("log", l.log_id[0], 0xa);
    CHECK_INT("first", l.first, 3);
    CHECK_INT("next", l.next, 7);
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

/* --- contents ------------------------------------------------------------ */

static bool exists(const char *name, const char *suffix)
{
    char path[CONTENT_NAME_CAP + 16];

    snprintf(path, sizeof path, "content/%s%s", name, suffix);
    return faccessat(disk.dir, path, F_OK, 0) == 0;
}

/* A content that could not be finished kept its second half of the disk, and
 * one whose file could not be opened for a moment was deleted. */
static void test_failed_seal_leaves_its_file(void)
{
    struct rlimit was, few;

    CHECK_INT("delete", content_store_delete(&store, hash), LOA_OK);
    CHECK_INT("nothing left", open_part(), 0);
    for (uint32_t i = 0; i < PACKETS; i++)
        put(i);
    files_refuse = true;
    CHECK_INT("refused", seal(), LOA_ESYS);
    files_refuse = false;
    CHECK_INT("nothing is left", exists(whole_name, ".tmp"), 0);
    CHECK_INT("sealed", seal(), LOA_OK);
    content_store_part_close(&store, 0);
    getrlimit(RLIMIT_NOFILE, &was);
    few = (struct rlimit){3, was.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    CHECK_INT("not now", check(), LOA_ESYS);
    setrlimit(RLIMIT_NOFILE, &was);
    CHECK_INT("still there", check(), LOA_OK);
}

int main(void)
{
    log_level = LOG_ERROR;
    if (!folder_make())
        return 1;
    test_second_cut_loses_both_copies();
    test_failed_sync_of_the_folder_is_not_repeated();
    test_bad_moment_forgets_a_memory();
    test_unreadable_receipt_blocks_the_rest();
    test_receipts_without_a_name();
    test_unopened_log_is_not_replaced();
    store_begin();
    test_failed_seal_leaves_its_file();
    store_end();
    if (!folder_remove())
        return 1;
    return CHECK_DONE();
}
