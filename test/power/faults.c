/* faults BASE DIR [KIND] -- under record.so: a disk that refuses the n-th call,
 * for every n, once or until it is repaired; full, broken or read-only. Each
 * run is a start from BASE, a programme, a list, a command, a content, a sound
 * and their receipts; then the fault ends, and within a minute of simulated
 * time all must be well again; then the power fails. Exit 1 on the first
 * finding. */

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "test/power/box.h"
#include "test/power/folder.h"
#include "test/power/promises.h"

void power_fault(const char *text) __attribute__((weak));
unsigned long power_calls(const char *kind) __attribute__((weak));

static const struct trial {
    const char *kind;
    int error;
    bool lasts;
} trials[] = {
    {"write", ENOSPC, true},  {"write", EIO, false}, {"write", EIO, true},
    {"sync", EIO, false},     {"sync", EIO, true},   {"rename", EIO, false},
    {"rename", EIO, true},    {"read", EIO, false},  {"read", EIO, true},
    {"open", EMFILE, false},  {"open", EIO, true},   {"change", EROFS, true},
    {"change", ENOSPC, true},
};

static char state[80];
static const char *folder;
static int log_fd;
static bool warned;
static unsigned long plays_n, refused_starts_n;
static uint8_t *arena;
static size_t arena_used;

#define ARENA_BYTES (64u << 20)

static void finding(const char *what, const char *detail)
{
    char text[4096];
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    printf("FINDING fault=%s: %s %s\nits log:\n%skept in %s\n", state, what,
           detail, text, folder);
    fflush(stdout);
    _exit(1);
}

#include "test/power/checks.h"

static void on_abort(int signum)
{
    (void)signum;
    finding("the program aborts", "");
}

static void box_says(enum says what,
                     const char *text,
                     struct loa_bytes body,
                     uint64_t n)
{
    struct mark m = {.what = (uint8_t)what, .at_ms = box_at_ms(), .number = n};
    uint8_t *buf = arena + arena_used;

    if (what == SAYS_WRONG)
        finding(text, "");
    if (what == SAYS_SESSION && n < promised.session)
        finding("a session number goes back", "");
    if (what == SAYS_PLAYS && promise_played(body.data, n))
        finding("sounds a second time", "");
    plays_n += what == SAYS_PLAYS;
    warned = warned || (what == SAYS_NOTE && n == SPEAKER_WARN);
    if (what == SAYS_NOTE)
        return;
    snprintf(m.text, sizeof m.text, "%s", text);
    assert(arena_used + sizeof m + body.len < ARENA_BYTES);
    arena_used += mark_put(buf, &m, body);
    promise(buf, sizeof m + body.len);
}

/* --- the scenario --------------------------------------------------------- */

static struct letter programme, trust, command, last;
static int64_t base_ms;

static void make_letters(void)
{
    struct town_bulletin rows[2] = {{.id = 201, .content = &contents[0]},
                                    {.id = 202, .content = &contents[3]}};

    rows[0].starts[0] = base_ms + 6000;
    rows[1].starts[0] = base_ms + 12000;
    town_programme(&town, OWN, (uint64_t)base_ms, rows, 2, NULL, base_ms,
                   &programme);
    rows[0].id = 203;
    rows[0].starts[0] = base_ms + 100000;
    town_programme(&town, OWN, (uint64_t)base_ms + 1, rows, 1, NULL, base_ms,
                   &last);
    town_trust(&town, (uint64_t)base_ms, NULL, base_ms, &trust);
    town_command(&town, 70, 0, NULL, NULL, base_ms, &command);
}

static void give(const char *kind, const char *area, const struct letter *l)
{
    box_give(kind, area, strcmp(kind, "command") == 0, l->data, l->len);
}

static void set_clock(int64_t at_ms)
{
    box.now_us = 1000000;
    box.offset_us = at_ms * 1000 - box.now_us;
}

static bool start(uint64_t seed)
{
    if (disk_open(&box.disk, folder) != LOA_OK)
        return false;
    if (box_boot(seed) == LOA_OK)
        return true;
    receipt_log_close(&box.log);
    disk_close(&box.disk);
    return false;
}

static bool said(void)
{
    return warned || lseek(log_fd, 0, SEEK_END) > 0;
}

static void act(void)
{
    box_connect();
    give("programme", OWN, &programme);
    give("trust", "vn/08", &trust);
    box_run(base_ms + 4000, true);
    give("command", OWN, &command);
    box_run(base_ms + 20000, true);
}

/* The fault has ended: a minute later nothing is wrong any more, and the next
 * bulletin sounds. */
static void recover(void)
{
    unsigned long before = plays_n;

    if (!box.connected)
        box_connect();
    box_run(box_at_ms() + 30000, true);
    give("trust", "vn/08", &trust); /* Retained: they come again. */
    give("programme", OWN, &last);
    box_run(base_ms + 90000, true);
    if (box.s.storage_failed || box.s.content_failed)
        finding("the fault is over and it still complains", "");
    box_run(base_ms + 104000, true);
    if (plays_n == before)
        finding("the fault is over and it stays silent", "");
}

static void check_after(void)
{
    if (disk_open(&box.disk, folder) != LOA_OK)
        finding("the folder cannot be opened", "");
    check_files();
    check_receipts();
    disk_close(&box.disk);
}

/* --- one run -------------------------------------------------------------- */

static void on_base_row(void *data, const struct receipt *r)
{
    (void)data;
    box_says(SAYS_STORED, "", (struct loa_bytes){(const uint8_t *)r, sizeof *r},
             1);
}

/* What BASE has is promised. */
static void learn_base(void)
{
    static const uint8_t fresh[LOA_ID_BYTES] = {1};
    static const char *const names[] = {"memo", "replay", "ledger", "trust",
                                        "programme-vn.08.070.02215"};
    struct receipt_log_ids ids = {.fresh = fresh};
    struct receipt_log log;
    struct loa_bytes body;
    struct memo memo = {0};

    memset(&promised, 0, sizeof promised);
    arena_used = 0;
    if (disk_open(&box.disk, folder) != LOA_OK)
        exit(2);
    for (int i = 0; i < 5; i++) {
        int rv = i < 3 ? disk_slot_read(&box.disk, names[i], &body)
                       : disk_file_read(&box.disk, names[i], &body);

        if (rv != LOA_OK)
            body.len = 0;
        if (i == 0 && memo_decode(&memo, body) != LOA_OK)
            exit(2);
        box_says(SAYS_READ, names[i], body, 0);
    }
    if (receipt_log_open(&log, &box.disk, &ids, on_base_row, NULL) != LOA_OK)
        exit(2);
    promised.log_known = true;
    memcpy(promised.log_id, log.log_id, LOA_ID_BYTES);
    promised.acked = memo.acked;
    promised.stored = log.next - 1;
    receipt_log_close(&log);
    disk_close(&box.disk);
}

/* False: there is no nth call. */
static bool run(const char *base, const struct trial *t, unsigned long nth)
{
    bool hit, up;

    snprintf(state, sizeof state, "%s:%lu:%d:%d", t->kind, nth,
             t->lasts ? 0 : 1, t->error);
    if (ftruncate(log_fd, 0) != 0)
        exit(2);
    lseek(log_fd, 0, SEEK_SET);
    warned = false;
    folder_wipe(folder);
    folder_copy(base, folder);
    set_clock(base_ms);
    learn_base();
    power_fault(state);
    up = start(nth);
    if (up)
        act();
    hit = power_calls(t->kind) >= nth;
    power_fault(NULL);
    if (!up && !said())
        finding("it does not start and does not say why", "");
    if (hit && t->lasts && strcmp(t->kind, "read") != 0 && !said())
        finding("the fault is not told of", "");
    refused_starts_n += !up;
    if (!up) {
        set_clock(base_ms + 25000);
        if (!start(nth))
            finding("the fault is over and it does not start", "");
    }
    recover();
    box_kill();
    check_after();
    return hit;
}

int main(int argc, char *argv[])
{
    if (argc < 3)
        return 2;
    folder = argv[2];
    mkdir(folder, 0700);
    town_init(&town);
    for (int i = 0; i < BOX_CONTENTS; i++)
        town_content(&contents[i], (uint8_t)(i + 1),
                     i == 3 ? 640 : 60 + 20 * (uint32_t)i);
    base_ms = T0 + 5 * HOUR;
    town.ids = UINT64_C(1) << 60;
    make_letters();
    arena = malloc(ARENA_BYTES);
    log_level = LOG_WARN;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    dup2(log_fd, STDERR_FILENO);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        const struct trial *t = &trials[i];
        unsigned long n = 1;

        if (argc > 3 && strcmp(argv[3], t->kind) != 0)
            continue;
        plays_n = refused_starts_n = 0;
        while (run(argv[1], t, n))
            n++;
        printf(
            "  fault: %s %s %s runs=%lu did not start=%lu sounded=%lu "
            "findings=0\n",
            t->kind, strerrorname_np(t->error),
            t->lasts ? "until repaired" : "once", n - 1, refused_starts_n,
            plays_n);
        fflush(stdout);
    }
    return 0;
}
