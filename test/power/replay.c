/* replay -- crash images of the device's store, from a record of its lives.
 *
 *   replay check LOG DIR N SEED [PART PARTS]   N images in DIR, each read back
 *   replay one LOG DIR N SEED NUMBER           the image of this number, kept
 *   replay cut LOG DIR SEED                    leave one image in DIR and in
 * LOG
 *
 * Exit 1 on the first finding; the image stays in DIR. */

#include <signal.h>
#include <sys/mman.h>

#include "test/power/box.h"
#include "test/power/images.h"
#include "test/power/mark.h"
#include "test/power/promises.h"

static unsigned long counts[FATES][2], played_n, reported_n, number, entry_n;
static enum fate fate;
static const char *folder;
static bool make_only, repeating, starting;
static int log_fd;
static uint64_t seed;

/* --- findings ------------------------------------------------------------- */

static void finding(const char *what, const char *detail)
{
    char text[4096];
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    printf(
        "FINDING image=%lu seed=%llu entry=%lu kind=%s flipped=%s: %s %s\n"
        "its log:\n%skept in %s\n",
        number, (unsigned long long)seed, entry_n, fate_names[fate],
        flipped[0] != '\0' ? flipped : "-", what, detail, text, folder);
    fflush(stdout);
    _exit(1);
}

static void on_abort(int signum)
{
    (void)signum;
    finding("the program aborts", "");
}

/* Did the core say what became of the programme that was flipped? */
static bool programme_told;

static void note_seen(const char *event, const char *text)
{
    bool own = strcmp(flipped, "programme-vn.08.070.02215") == 0;
    size_t n = strcspn(text, " ");

    if (strncmp(event, "programme.", 10) == 0 &&
        strncmp(text, own ? "area=vn/08/070/02215" : "area=vn/08", n) == 0)
        programme_told = true;
}

#include "test/power/checks.h"

/* --- what the device does after the cut ----------------------------------- */

static void box_says(enum says what,
                     const char *text,
                     struct loa_bytes body,
                     uint64_t n)
{
    struct receipt row;
    char id[64];

    switch (what) {
        case SAYS_WRONG:
            finding(text, "");
            break;
        case SAYS_PLAYS:
            snprintf(id, sizeof id, "id=%u start=%llu", body.data[0],
                     (unsigned long long)n);
            if (promise_played(body.data, n))
                finding("sounds a second time", id);
            played_n++;
            break;
        case SAYS_LOG:
            check_log(body.data, n);
            starting = false;
            break;
        case SAYS_STORED:
            if (starting) {
                memcpy(&row, body.data, sizeof row);
                on_row(NULL, &row);
            }
            break;
        case SAYS_SESSION:
            if (n <= promised.session)
                finding("a session number comes twice", "");
            break;
        case SAYS_NOTE:
            note_seen(text, (const char *)body.data);
            if (repeating)
                printf("  %s %.*s\n", text, (int)body.len,
                       (const char *)body.data);
            if (strcmp(text, "command.done") == 0)
                finding("a command is carried out twice", "");
            break;
        default:
            break;
    }
}

/* --- before it starts ------------------------------------------------------
 */

static void check_contents(void)
{
    for (int i = 0; i < BOX_CONTENTS; i++) {
        char path[200], hex[2 * LOA_HASH_BYTES + 1];

        loa_hex(contents[i].m.hash, LOA_HASH_BYTES, hex);
        snprintf(path, sizeof path, "%s/content/%s", folder, hex);
        if (promised.verified[i] && access(path, F_OK) != 0)
            finding("a content that was told to be there is lost", "");
    }
}

/* --- one image ------------------------------------------------------------ */

static bool log_has(const char *words)
{
    static char text[65536];
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return strstr(text, words) != NULL;
}

/* A flip where it is seen must be told of. */
static void check_reported(void)
{
    if (flipped[0] == '\0')
        return;
    if (programme_told || log_has("level=warn") || log_has("level=error"))
        reported_n++;
    else if (strstr(flipped, ".part") == NULL &&
             strstr(flipped, "content/") == NULL &&
             strcmp(flipped, "lock") != 0 && strstr(flipped, ".tmp") == NULL)
        finding("a damaged file is not reported", "");
}

static void start_clock(void)
{
    box.now_us = 1000000;
    box.offset_us = (promised.at_ms + 1500) * 1000 - box.now_us;
}

static void run_image(bool longer)
{
    start_clock();
    if (disk_open(&box.disk, folder) != LOA_OK)
        finding("the folder cannot be opened", "");
    check_files();
    check_contents();
    starting = true;
    recalled_n = 0;
    if (box_boot(seed + number) != LOA_OK)
        finding("it does not start", "");
    box_run(box_at_ms() + (longer ? 9000 : 100), false);
    box_connect();
    if (promised.command_len > 0)
        box_give("command", OWN, true, promised.command, promised.command_len);
    box_run(box_at_ms() + 50, false);
    check_reported();
    box_kill();
}

static void one_image(void)
{
    programme_told = false;
    if (ftruncate(log_fd, 0) != 0)
        exit(2);
    lseek(log_fd, 0, SEEK_SET);
    seed_with(seed * 1000003 + number);
    fate = (enum fate)chance_of(FATES);
    image_make(folder, fate);
    if (make_only)
        return;
    run_image(number % 8 == 0);
    counts[fate][log_has("level=warn") ? 1 : 0]++;
}

/* --- programs ------------------------------------------------------------- */

/* A save of a whole file that is going to be refused takes the old one away
 * before it says so: see io_disk.h. */
static void foresee_refusal(size_t i)
{
    struct mark save, m;

    mark_get(disk_model.entries[i].data, (size_t)disk_model.entries[i].h.len,
             &save);
    if (save.what != SAYS_SAVE || strchr("mrl", save.text[0]) != NULL)
        return;
    while (++i < disk_model.n) {
        const struct entry *e = &disk_model.entries[i];

        if (e->h.op != OP_MARK)
            continue;
        mark_get(e->data, (size_t)e->h.len, &m);
        if (m.what == SAYS_SAVED && (int)m.number != LOA_OK)
            promise_file(save.text)->may_be_missing = true;
        return;
    }
}

static void take_entry(size_t i)
{
    const struct entry *e = &disk_model.entries[i];

    if (e->h.op != OP_MARK) {
        model_step(i);
        return;
    }
    promise(e->data, (size_t)e->h.len);
    foresee_refusal(i);
}

static void report(unsigned long n, double seconds)
{
    printf("  store: images=%lu seed=%llu entries=%zu seconds=%.0f\n", n,
           (unsigned long long)seed, disk_model.n, seconds);
    for (int i = 0; i < FATES; i++)
        printf("    %-8s read in silence=%lu told of damage=%lu\n",
               fate_names[i], counts[i][0], counts[i][1]);
    printf("    sounded again as planned=%lu flips told=%lu findings=0\n",
           played_n, reported_n);
}

static bool is_boundary(uint32_t op)
{
    return op != OP_MARK && op != OP_LEFT && op != OP_WIPED;
}

/* Boundaries get their images evenly; a mark is none, nothing changed. */
static int run_check(unsigned long n,
                     unsigned long part,
                     unsigned long parts,
                     long only)
{
    size_t boundaries = 0, seen = 0;
    unsigned long done = 0;
    struct timespec t0, t1;

    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (size_t i = 0; i < disk_model.n; i++)
        boundaries += is_boundary(disk_model.entries[i].h.op);
    for (size_t i = 0; i < disk_model.n; i++) {
        take_entry(i);
        if (!is_boundary(disk_model.entries[i].h.op))
            continue;
        entry_n = i;
        for (unsigned long k = n * seen / boundaries;
             k < n * (seen + 1) / boundaries; k++) {
            number = k;
            if (only >= 0 ? (long)k != only : k % parts != part)
                continue;
            one_image();
            done++;
        }
        seen++;
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    report(done, (double)(t1.tv_sec - t0.tv_sec));
    return 0;
}

static void left(FILE *f, const char *name)
{
    struct op_head h = {.op = OP_LEFT, .path_len = (uint16_t)strlen(name)};
    static uint8_t data[1 << 20];
    char path[4096];
    struct stat st;
    FILE *from;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (stat(path, &st) != 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        h.ino = st.st_ino;
        from = fopen(path, "rb");
        h.len = fread(data, 1, sizeof data, from);
        fclose(from);
    }
    fwrite(&h, sizeof h, 1, f);
    fwrite(name, h.path_len, 1, f);
    fwrite(data, h.len, 1, f);
}

static int run_cut(const char *log)
{
    static const enum fate fates[] = {PREFIX, SUBSET, TORN, ZEROS, TORN};
    struct op_head h = {.op = OP_WIPED};
    struct names ns;
    FILE *f;

    for (size_t i = 0; i < disk_model.n; i++)
        take_entry(i);
    ns = names_now();
    image_make(folder, fates[chance_of(5)]);
    f = fopen(log, "ab");
    fwrite(&h, sizeof h, 1, f);
    for (size_t i = 0; i < ns.n; i++)
        left(f, ns.rows[i].path);
    for (size_t i = 0; i < disk_model.durable.n; i++)
        if (name_find(&ns, disk_model.durable.rows[i].path) == NULL)
            left(f, disk_model.durable.rows[i].path);
    return fclose(f) == 0 ? 0 : 2;
}

int main(int argc, char *argv[])
{
    if (argc < 5)
        return 2;
    folder = argv[3];
    town_init(&town);
    for (int i = 0; i < BOX_CONTENTS; i++)
        town_content(&contents[i], (uint8_t)(i + 1),
                     i == 3 ? 640 : 60 + 20 * (uint32_t)i);
    record_read(argv[2]);
    mkdir(folder, 0700);
    if (strcmp(argv[1], "cut") == 0) {
        seed_with(strtoul(argv[4], NULL, 10));
        return run_cut(argv[2]);
    }
    seed = strtoul(argv[5], NULL, 10);
    log_level = LOG_WARN;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    dup2(log_fd, STDERR_FILENO);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    make_only = strcmp(argv[1], "make") == 0;
    repeating = strcmp(argv[1], "one") == 0;
    if (make_only || repeating)
        return run_check(strtoul(argv[4], NULL, 10), 0, 1, atol(argv[6]));
    return run_check(strtoul(argv[4], NULL, 10),
                     argc > 7 ? strtoul(argv[6], NULL, 10) : 0,
                     argc > 7 ? strtoul(argv[7], NULL, 10) : 1, -1);
}
