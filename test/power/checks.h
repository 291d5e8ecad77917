/* checks.h -- is what lies on the disk what was promised? Whoever includes this
 * has finding() and flipped[]. */

#ifndef LOA_TEST_POWER_CHECKS_H
#define LOA_TEST_POWER_CHECKS_H

#include "test/power/promises.h"

static bool damaged(const char *name)
{
    size_t n = strlen(name);

    return strncmp(flipped, name, n) == 0 &&
           (flipped[n] == '\0' || flipped[n] == '.');
}

static void check_files(void)
{
    struct loa_bytes body;

    for (size_t i = 0; i < promised.files_n; i++) {
        const struct promised_file *f = &promised.files[i];
        bool slot = strchr("mrl", f->name[0]) != NULL;
        int rv = slot ? disk_slot_read(&box.disk, f->name, &body)
                      : disk_file_read(&box.disk, f->name, &body);

        if (rv != LOA_OK)
            body.len = 0;
        if (damaged(f->name) && (!slot || promise_in_flight(f)))
            continue; /* A second damage to the only other copy. */
        if (!promise_allows(f, body))
            finding(body.len == 0 ? "is lost:" : "is neither old nor new:",
                    f->name);
    }
}

static uint64_t recalled_n;

static void on_row(void *data, const struct receipt *r)
{
    (void)data;
    recalled_n += promise_has(r) ? 1 : 0;
}

static void check_receipts(void)
{
    static const uint8_t fresh[LOA_ID_BYTES] = {0xee};
    struct receipt_log_ids ids = {.fresh = fresh};
    struct receipt_log log;
    struct loa_bytes body;
    struct memo memo;
    uint64_t want = promise_rows();
    bool hurt = damaged("receipts");
    char text[80];

    recalled_n = 0;
    if (disk_slot_read(&box.disk, "memo", &body) == LOA_OK &&
        memo_decode(&memo, body) == LOA_OK)
        ids.known = memo.log_id;
    if (receipt_log_open(&log, &box.disk, &ids, on_row, NULL) != LOA_OK)
        finding("the receipts cannot be opened", "");
    if (promised.log_known &&
        memcmp(log.log_id, promised.log_id, LOA_ID_BYTES) != 0)
        finding("the receipts have new numbers", "");
    if (log.next <= promised.stored)
        finding("a receipt's number comes twice", "");
    snprintf(text, sizeof text, "%llu of %llu", (unsigned long long)recalled_n,
             (unsigned long long)want);
    if (recalled_n + (hurt ? 3 : 0) < want)
        finding("receipts that were durable are lost:", text);
    receipt_log_close(&log);
}

#endif /* LOA_TEST_POWER_CHECKS_H */
