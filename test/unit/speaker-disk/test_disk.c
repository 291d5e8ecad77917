/* The device's files, damaged at every byte: what is read is right or refused,
 * no number goes back, and work goes on. In a private directory. */

#include "store.h"

/* --- slots, whole files --------------------------------------------------- */

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

/* --- receipts ------------------------------------------------------------ */

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

/* --- contents ------------------------------------------------------------ */

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
    store_begin();
    test_parts();
    content_store_open(&store, &disk, &loop, on_found, on_job, NULL);
    CHECK_INT("found", found_n, 1);
    test_complete_damaged();
    test_wrong_content();
    store_end();
}

int main(void)
{
    log_level = LOG_ERROR; /* Every damage is a line; here they are many. */
    if (!folder_make())
        return 1;
    test_slots();
    test_whole_files();
    test_receipts_truncated();
    test_receipts_flipped();
    test_receipts_trimmed();
    test_contents();
    if (!folder_remove())
        return 1;
    return CHECK_DONE();
}
