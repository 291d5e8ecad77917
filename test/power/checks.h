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

UNUSED static void on_row(void *data, const struct receipt *r)
{
    (void)data;
    recalled_n += promise_has(r) ? 1 : 0;
}

/* After all rows were shown: the log that a start has found. */
UNUSED static void check_log(const uint8_t *id, uint64_t next)
{
    uint64_t want = promise_rows();
    bool other =
        promised.log_known && memcmp(id, promised.log_id, LOA_ID_BYTES) != 0;
    char text[80];

    /* Of an empty log nothing but its head knows the next number: where that is
     * damaged another log begins, of which the collector has nothing yet. */
    if (other && damaged("receipts") && want == 0 && next == 1)
        return;
    if (other)
        finding("the receipts have new numbers", "");
    if (next <= promised.stored)
        finding("a receipt's number comes twice", "");
    snprintf(text, sizeof text, "%llu of %llu", (unsigned long long)recalled_n,
             (unsigned long long)want);
    if (recalled_n + (damaged("receipts") ? 3 : 0) < want)
        finding("receipts that were durable are lost:", text);
}

UNUSED static void check_receipts(void)
{
    static const uint8_t fresh[LOA_ID_BYTES] = {0xee};
    struct receipt_log_ids ids = {.fresh = fresh};
    struct receipt_log log;

    recalled_n = 0;
    if (receipt_log_open(&log, &box.disk, &ids, on_row, NULL) != LOA_OK)
        finding("the receipts cannot be opened", "");
    check_log(log.log_id, log.next);
    receipt_log_close(&log);
}

#endif /* LOA_TEST_POWER_CHECKS_H */
