/* Bodies with one thing wrong: each is refused, and its neighbour is read. */

#include "check.h"
#include "speaker/wire.h"
#include "town.h"

static _Alignas(16) uint8_t scratch[1 << 20];
static uint8_t body[1 << 17];
static struct programme programme;

static struct loa_arena *arena(void)
{
    static struct loa_arena a;

    loa_arena_init(&a, scratch, sizeof scratch);
    return &a;
}

static const uint8_t zero[64];

/* --- manifests ------------------------------------------------------------ */

static void test_manifests(void)
{
    static const struct {
        const char *name;
        size_t hash_len, key_len;
        uint32_t packets_n, frames_n, duration_ms, pre_skip;
        uint64_t bytes;
        int want;
    } rows[] = {
        {"good", 32, 32, 2, 15, 300, 312, 900, LOA_OK},
        {"one frame", 32, 32, 1, 1, 1, 0, 1, LOA_OK},
        {"full packets", 32, 32, 2, 20, 400, 0, 900, LOA_OK},
        {"five hours", 32, 32, 90000, 900000, 18000000, 0, 54000000, LOA_OK},
        {"short hash", 31, 32, 2, 15, 300, 0, 900, LOA_EINVAL},
        {"long key", 32, 33, 2, 15, 300, 0, 900, LOA_EINVAL},
        {"no packets", 32, 32, 0, 0, 300, 0, 900, LOA_EINVAL},
        {"over five hours", 32, 32, 90001, 900001, 300, 0, 900, LOA_EINVAL},
        {"too few frames", 32, 32, 2, 10, 300, 0, 900, LOA_EINVAL},
        {"too many frames", 32, 32, 2, 21, 300, 0, 900, LOA_EINVAL},
        {"no time", 32, 32, 2, 15, 0, 0, 900, LOA_EINVAL},
        {"a second of pre-skip", 32, 32, 2, 15, 300, 48000, 900, LOA_EINVAL},
        {"pre-skip to the last sample", 32, 32, 1, 1, 1, 959, 1, LOA_OK},
        {"pre-skip longer than the sound", 32, 32, 1, 1, 1, 960, 1, LOA_EINVAL},
        {"longer than its frames", 32, 32, 2, 15, 301, 0, 900, LOA_EINVAL},
        {"duration of 49 days", 32, 32, 2, 15, UINT32_MAX, 0, 900, LOA_EINVAL},
        {"more bytes than frames hold", 32, 32, 2, 15, 300, 0, 6001,
         LOA_EINVAL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loa__V1__ContentManifest m = LOA__V1__CONTENT_MANIFEST__INIT;
        struct manifest out;
        size_t len;

        m.content_hash = bin(zero, rows[i].hash_len);
        m.stream_key = bin(zero, rows[i].key_len);
        m.packets_n = rows[i].packets_n;
        m.frames_n = rows[i].frames_n;
        m.duration_ms = rows[i].duration_ms;
        m.pre_skip = rows[i].pre_skip;
        m.bytes = rows[i].bytes;
        len = loa__v1__content_manifest__pack(&m, body);
        CHECK_INT(rows[i].name,
                  wire_manifest(arena(), (struct loa_bytes){body, len}, &out),
                  rows[i].want);
    }
}

/* --- programmes ----------------------------------------------------------- */

struct shape {
    const char *name;
    uint64_t version;
    size_t bulletins_n, approvals_n, certificates_n, certificate_len;
    size_t id_len, hash_len;
    int class;
    uint32_t duration_ms;
    size_t starts_n;
    int64_t first, step;
    int want;
};

static size_t pack_shape(const struct shape *s)
{
    static Loa__V1__Bulletin b[200], *list[200];
    static ProtobufCBinaryData approvals[200], certificates[100];
    static int64_t starts[100];
    Loa__V1__Programme m = LOA__V1__PROGRAMME__INIT;

    for (size_t i = 0; i < 100; i++) {
        starts[i] = (int64_t)((uint64_t)s->first + i * (uint64_t)s->step);
        certificates[i] = bin(zero, s->certificate_len);
    }
    for (size_t i = 0; i < 200; i++) {
        loa__v1__bulletin__init(&b[i]);
        b[i].bulletin_id = bin(zero, s->id_len);
        b[i].content_hash = bin(zero, s->hash_len);
        b[i].class_ = (Loa__V1__BulletinClass)s->class;
        b[i].duration_ms = s->duration_ms;
        b[i].starts_at_ms = starts;
        b[i].n_starts_at_ms = s->starts_n;
        list[i] = &b[i];
        approvals[i] = bin(zero, 7); /* Malformed: left out. */
    }
    m.version = s->version;
    m.bulletins = list;
    m.n_bulletins = s->bulletins_n;
    m.approvals = approvals;
    m.n_approvals = s->approvals_n;
    m.certificates = certificates;
    m.n_certificates = s->certificates_n;
    return loa__v1__programme__pack(&m, body);
}

static void test_programmes(void)
{
    static const struct shape rows[] = {
        {"good", 1, 2, 2, 3, 9, 16, 32, 1, 5, 3, 100, 1, LOA_OK},
        {"empty", 1, 0, 0, 0, 0, 16, 32, 1, 5, 1, 100, 1, LOA_OK},
        {"full", 1, 128, 128, 64, 9, 16, 32, 2, 5, 64, 100, 1, LOA_OK},
        {"five hours", 1, 1, 0, 0, 0, 16, 32, 1, 18000000, 1, 100, 1, LOA_OK},
        {"bulletin of 49 days", 1, 1, 0, 0, 0, 16, 32, 1, UINT32_MAX, 1, 100, 1,
         LOA_EINVAL},
        {"version 0", 0, 1, 0, 0, 0, 16, 32, 1, 5, 1, 100, 1, LOA_EINVAL},
        {"version beyond time", 1ull << 63, 1, 0, 0, 0, 16, 32, 1, 5, 1, 100, 1,
         LOA_EINVAL},
        {"129 bulletins", 1, 129, 0, 0, 0, 16, 32, 1, 5, 1, 100, 1, LOA_EINVAL},
        {"129 approvals", 1, 1, 129, 0, 0, 16, 32, 1, 5, 1, 100, 1, LOA_EINVAL},
        {"65 certificates", 1, 1, 0, 65, 9, 16, 32, 1, 5, 1, 100, 1,
         LOA_EINVAL},
        {"an empty certificate", 1, 1, 0, 1, 0, 16, 32, 1, 5, 1, 100, 1,
         LOA_EINVAL},
        {"short id", 1, 1, 0, 0, 0, 15, 32, 1, 5, 1, 100, 1, LOA_EINVAL},
        {"long hash", 1, 1, 0, 0, 0, 16, 33, 1, 5, 1, 100, 1, LOA_EINVAL},
        {"no class", 1, 1, 0, 0, 0, 16, 32, 0, 5, 1, 100, 1, LOA_EINVAL},
        {"unknown class", 1, 1, 0, 0, 0, 16, 32, 3, 5, 1, 100, 1, LOA_EINVAL},
        {"no duration", 1, 1, 0, 0, 0, 16, 32, 1, 0, 1, 100, 1, LOA_EINVAL},
        {"no start", 1, 1, 0, 0, 0, 16, 32, 1, 5, 0, 100, 1, LOA_EINVAL},
        {"65 starts", 1, 1, 0, 0, 0, 16, 32, 1, 5, 65, 100, 1, LOA_EINVAL},
        {"starts that stand still", 1, 1, 0, 0, 0, 16, 32, 1, 5, 2, 100, 0,
         LOA_EINVAL},
        {"starts that fall", 1, 1, 0, 0, 0, 16, 32, 1, 5, 2, 100, -1,
         LOA_EINVAL},
        {"start 0", 1, 1, 0, 0, 0, 16, 32, 1, 5, 1, 0, 1, LOA_EINVAL},
        {"start beyond time", 1, 1, 0, 0, 0, 16, 32, 1, 5, 1, INT64_MAX, 1,
         LOA_EINVAL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = pack_shape(&rows[i]);

        CHECK_INT(
            rows[i].name,
            wire_programme(arena(), (struct loa_bytes){body, len}, &programme),
            rows[i].want);
        if (rows[i].want == LOA_OK)
            CHECK_INT(rows[i].name, programme.approvals_n, 0);
    }
}

/* --- commands, heads, acks ------------------------------------------------ */

static void test_commands(void)
{
    static const struct {
        const char *name;
        const char *device;
        size_t id_len;
        bool volume, nothing;
        uint32_t percent;
        int want;
    } rows[] = {
        {"stop", "", 0, false, false, 0, LOA_OK},
        {"stop one", "pole_1", 16, false, false, 0, LOA_OK},
        {"volume", "", 0, true, false, 100, LOA_OK},
        {"too loud", "", 0, true, false, 101, LOA_EINVAL},
        {"short id", "", 15, false, false, 0, LOA_EINVAL},
        {"no device's name", "a/b", 0, false, false, 0, LOA_EINVAL},
        {"name too long", "abcdefghijabcdefghijabcdefghijabc", 0, false, false,
         0, LOA_EINVAL},
        {"nothing", "", 0, false, true, 0, LOA_EINVAL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loa__V1__Command m = LOA__V1__COMMAND__INIT;
        Loa__V1__Stop stop = LOA__V1__STOP__INIT;
        Loa__V1__SetVolume volume = LOA__V1__SET_VOLUME__INIT;
        struct wire_command out;
        size_t len;

        m.device = (char *)(uintptr_t)rows[i].device;
        stop.bulletin_id = bin(zero, rows[i].id_len);
        volume.percent = rows[i].percent;
        if (rows[i].volume) {
            m.what_case = LOA__V1__COMMAND__WHAT_SET_VOLUME;
            m.set_volume = &volume;
        } else if (!rows[i].nothing) {
            m.what_case = LOA__V1__COMMAND__WHAT_STOP;
            m.stop = &stop;
        }
        len = loa__v1__command__pack(&m, body);
        CHECK_INT(rows[i].name,
                  wire_command(arena(), (struct loa_bytes){body, len}, &out),
                  rows[i].want);
    }
}

static void test_heads(void)
{
    static const struct {
        const char *name;
        int64_t time_ms;
        size_t hash_len, nonce_len;
        int want;
    } rows[] = {
        {"good", 5, 32, 16, LOA_OK},
        {"bare", 5, 0, 0, LOA_OK},
        {"no time", 0, 0, 0, LOA_EINVAL},
        {"before time", -5, 0, 0, LOA_EINVAL},
        {"beyond time", INT64_MAX, 0, 0, LOA_EINVAL},
        {"short hash", 5, 31, 0, LOA_EINVAL},
        {"short nonce", 5, 0, 15, LOA_EINVAL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Loa__V1__Head m = LOA__V1__HEAD__INIT;
        struct wire_head out;
        size_t len;

        m.time_ms = rows[i].time_ms;
        m.programme_hash = bin(zero, rows[i].hash_len);
        m.nonce = bin(zero, rows[i].nonce_len);
        len = loa__v1__head__pack(&m, body);
        CHECK_INT(rows[i].name,
                  wire_head(arena(), (struct loa_bytes){body, len}, &out),
                  rows[i].want);
    }
}

static void test_acks(void)
{
    for (size_t id_len = 15; id_len <= 17; id_len++) {
        Loa__V1__Ack m = LOA__V1__ACK__INIT;
        uint64_t refused[2] = {5, 7};
        struct wire_ack out;
        size_t len;

        m.log_id = bin(zero, id_len);
        m.committed_sequence = 7;
        m.refused_sequences = refused;
        m.n_refused_sequences = 2;
        len = loa__v1__ack__pack(&m, body);
        CHECK_INT("ack", wire_ack(arena(), (struct loa_bytes){body, len}, &out),
                  id_len == 16 ? LOA_OK : LOA_EINVAL);
        if (id_len != 16)
            continue;
        CHECK_INT("refused", out.refused_n, 2);
        CHECK_INT("the first", out.refused_first, 5);
    }
}

static void test_no_room(void)
{
    uint8_t small[8];
    struct wire_out out = {small, sizeof small, 0};
    struct wire_health h = {.at_ms = T0, .resident_bytes = 1 << 30};
    struct receipt rows[2] = {{.event = RECEIPT_STARTED}};

    CHECK_INT("health", wire_health(&h, &out), LOA_ENOSPC);
    CHECK_INT("receipts", wire_receipts(zero, 1, rows, 2, &out), LOA_ENOSPC);
    CHECK_INT("too many", wire_receipts(zero, 1, rows, 65, &out), LOA_ENOSPC);
}

int main(void)
{
    test_manifests();
    test_programmes();
    test_commands();
    test_heads();
    test_acks();
    test_no_room();
    return CHECK_DONE();
}
