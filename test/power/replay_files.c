/* replay_files LOG DIR N SEED [NUMBER] -- crash images of single files: each is
 * what was durable last, or what came next, whole; never a mixture, and never
 * gone once it was there. Exit 1 on the first finding; the image stays. */

#include "test/power/images.h"
#include "test/power/mark.h"

#define FILES 8
#define VERSIONS 512

static struct row {
    char name[63];
    size_t at[VERSIONS]; /* Entry that says so. */
    bool done[VERSIONS]; /* It is durable; or it may be there from now on. */
    struct loa_bytes bodies[VERSIONS];
    size_t n;
} rows[FILES];
static size_t rows_n;

static void learn(size_t at)
{
    const struct entry *e = &disk_model.entries[at];
    struct mark m;
    struct loa_bytes body = mark_get(e->data, (size_t)e->h.len, &m);
    struct row *r = rows;

    while (r < rows + rows_n && strcmp(r->name, m.text) != 0)
        r++;
    assert(r < rows + FILES);
    if (r == rows + rows_n) {
        rows_n++;
        snprintf(r->name, sizeof r->name, "%s", m.text);
    }
    assert(r->n < VERSIONS);
    r->at[r->n] = at;
    r->done[r->n] = m.what == 'd';
    r->bodies[r->n++] = body;
}

/* From the last that was durable before entry `at` to the next that is. */
static bool allowed(const struct row *r,
                    size_t at,
                    const uint8_t *p,
                    size_t len)
{
    size_t last = 0;

    for (size_t i = 0; i < r->n && r->at[i] <= at; i++)
        last = r->done[i] ? i : last;
    for (size_t i = last; i < r->n; i++) {
        if (r->bodies[i].len == len && memcmp(r->bodies[i].data, p, len) == 0)
            return true;
        if (r->done[i] && r->at[i] > at)
            return false;
    }
    return false;
}

static bool was_there(const struct row *r, size_t at)
{
    for (size_t i = 0; i < r->n && r->at[i] <= at; i++)
        if (r->done[i])
            return true;
    return false;
}

/* NULL: it is as it should be after a cut at entry `at`. */
static const char *judge(const struct row *r, const char *folder, size_t at)
{
    static uint8_t data[1 << 20];
    char path[4096];
    size_t len;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, r->name);
    f = fopen(path, "rb");
    if (f == NULL)
        return was_there(r, at) ? "is lost" : NULL;
    len = fread(data, 1, sizeof data, f);
    fclose(f);
    return allowed(r, at, data, len) ? NULL : "is neither old nor new";
}

static void one(const char *folder, size_t at, unsigned long k, uint64_t seed)
{
    enum fate fate;

    seed_with(seed * 1000003 + k);
    do
        fate = (enum fate)chance_of(FATES);
    while (fate == FLIP);
    image_make(folder, fate);
    for (size_t i = 0; i < rows_n; i++) {
        const char *why = judge(&rows[i], folder, at);

        if (why == NULL)
            continue;
        printf(
            "FINDING image=%lu seed=%llu entry=%zu kind=%s: %s %s\n"
            "kept in %s\n",
            k, (unsigned long long)seed, at, fate_names[fate], rows[i].name,
            why, folder);
        exit(1);
    }
}

int main(int argc, char *argv[])
{
    unsigned long n, seen = 0, boundaries = 0;
    uint64_t seed;

    if (argc < 5)
        return 2;
    n = strtoul(argv[3], NULL, 10);
    seed = strtoul(argv[4], NULL, 10);
    mkdir(argv[2], 0700);
    record_read(argv[1]);
    for (size_t i = 0; i < disk_model.n; i++) {
        if (disk_model.entries[i].h.op == OP_MARK)
            learn(i);
        else
            boundaries++;
    }
    for (size_t i = 0; i < disk_model.n; i++) {
        if (disk_model.entries[i].h.op == OP_MARK)
            continue;
        model_step(i);
        for (unsigned long k = n * seen / boundaries;
             k < n * (seen + 1) / boundaries; k++)
            if (argc < 6 || k == strtoul(argv[5], NULL, 10))
                one(argv[2], i, k, seed);
        seen++;
    }
    printf("images=%lu seed=%llu entries=%zu findings=0\n", n,
           (unsigned long long)seed, disk_model.n);
    return 0;
}
