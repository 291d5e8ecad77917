/* The log's numbers: what is sent, when again, what is forgotten. */

#include <string.h>

#include "check.h"
#include "speaker/receipts.h"

#define S INT64_C(1000000)

static struct receipts r;
static const uint8_t log_id[LOA_ID_BYTES] = {1};

static void add(uint64_t n)
{
    struct receipt row = {.event = RECEIPT_RECEIVED};

    for (uint64_t i = 0; i < n; i++)
        receipts_add(&r, &row);
}

static void add_stored(uint64_t n)
{
    while (n > 0) {
        uint64_t part = n < RECEIPTS_FRESH_MAX ? n : RECEIPTS_FRESH_MAX;

        add(part);
        receipts_stored(&r, part);
        n -= part;
    }
}

static void test_sending(void)
{
    /* What happens at now_s; then: is a batch due, from which, how many. */
    static const struct {
        const char *name;
        int64_t now_s;
        enum { NOTHING, ADD, STORED, ON, OFF, SENT, ACK } what;
        uint64_t n;
        bool due;
        uint64_t first, batch_n;
    } rows[] = {
        {"empty", 0, ON, 0, false, 0, 0},
        {"not durable yet", 0, ADD, 3, false, 0, 0},
        {"durable", 0, STORED, 3, true, 1, 3},
        {"out", 0, SENT, 3, false, 0, 0},
        {"waits", 4, NOTHING, 0, false, 0, 0},
        {"again", 5, NOTHING, 0, true, 1, 3},
        {"out again", 5, SENT, 3, false, 0, 0},
        {"waits longer", 14, NOTHING, 0, false, 0, 0},
        {"again", 15, NOTHING, 0, true, 1, 3},
        {"out a third time", 15, SENT, 3, false, 0, 0},
        {"more in the meantime wait", 16, ADD, 100, false, 0, 0},
        {"and are durable", 16, STORED, 100, false, 0, 0},
        {"some acked", 17, ACK, 2, false, 0, 0},
        {"all of it acked", 18, ACK, 3, true, 4, 64},
        {"acked twice", 18, ACK, 3, true, 4, 64},
        {"out", 18, SENT, 67, false, 0, 0},
        {"lost", 19, OFF, 0, false, 0, 0},
        {"back: at once", 20, ON, 0, true, 4, 64},
        {"acked beyond what there is", 20, ACK, 9999, false, 0, 0},
    };

    receipts_init(&r, log_id, 1, 1, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t first = 0;
        size_t n = 0;

        switch (rows[i].what) {
            case ADD:
                add(rows[i].n);
                break;
            case STORED:
                receipts_stored(&r, rows[i].n);
                break;
            case ON:
            case OFF:
                receipts_connected(&r, rows[i].what == ON);
                break;
            case SENT:
                receipts_sent(&r, rows[i].n, rows[i].now_s * S);
                break;
            case ACK:
                receipts_ack(&r, log_id, rows[i].n);
                break;
            case NOTHING:
                break;
        }
        CHECK_INT(rows[i].name, receipts_due(&r, rows[i].now_s * S, &first, &n),
                  rows[i].due);
        CHECK_INT(rows[i].name, rows[i].due ? first : 0, rows[i].first);
        CHECK_INT(rows[i].name, rows[i].due ? n : 0, rows[i].batch_n);
    }
    CHECK_INT("never more than there is", r.acked, r.stored);
}

static void test_pause_has_a_limit(void)
{
    int64_t now_us = 0;

    receipts_init(&r, log_id, 1, 1, 0);
    receipts_connected(&r, true);
    add_stored(1);
    for (int i = 0; i < 40; i++) {
        receipts_sent(&r, 1, now_us);
        CHECK_INT("limit", r.resend_us - now_us <= 2 * RECEIPTS_RESEND_US_MAX,
                  1);
        now_us = r.resend_us;
    }
}

static void test_trimming(void)
{
    receipts_init(&r, log_id, 1, 1, 0);
    add_stored(5000);
    CHECK_INT("nothing acked", receipts_excess(&r), 0);
    receipts_ack(&r, log_id, 2000);
    CHECK_INT("less than half", receipts_excess(&r), 0);
    receipts_ack(&r, log_id, 4000);
    CHECK_INT("most of it", receipts_excess(&r), 4000);
    receipts_trimmed(&r, 4000);
    CHECK_INT("first", r.first, 4001);
    CHECK_INT("pending", receipts_pending(&r), 1000);
    add_stored(RECEIPTS_KEPT_MAX);
    CHECK_INT("too many", receipts_excess(&r), RECEIPTS_KEPT_MAX / 10);
    receipts_trimmed(&r, RECEIPTS_KEPT_MAX / 10);
    CHECK_INT("lost are counted", r.lost_n, RECEIPTS_KEPT_MAX / 10);
    CHECK_INT("given up", r.acked, r.first - 1);
    add(2 * RECEIPTS_FRESH_MAX);
    CHECK_INT("no room", receipts_room(&r), 0);
    CHECK_INT("counted too", r.lost_n,
              RECEIPTS_KEPT_MAX / 10 + RECEIPTS_FRESH_MAX);
}

static void test_reopened(void)
{
    static const struct {
        const char *name;
        uint64_t first, next, memo_acked, acked;
    } rows[] = {
        {"as it was", 1, 11, 4, 4},
        {"ack not saved", 5, 11, 0, 4},
        {"ack of a longer log", 1, 6, 9, 5},
        {"empty after trimming", 11, 11, 10, 10},
    };

    for (size_t i = 0; i < 4; i++) {
        receipts_init(&r, log_id, rows[i].first, rows[i].next,
                      rows[i].memo_acked);
        CHECK_INT(rows[i].name, r.acked, rows[i].acked);
        CHECK_INT(rows[i].name, r.stored, rows[i].next - 1);
    }
}

int main(void)
{
    test_sending();
    test_pause_has_a_limit();
    test_trimming();
    test_reopened();
    return CHECK_DONE();
}
