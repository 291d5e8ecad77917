/* Memory runs out in the registry: a request is answered with a refusal or as
 * it would have been; what is refused is not saved. */

#include "loa/v1/registry.pb-c.h"
#include "registry/wire.h"
#include "test/oom/oom.h"
#include "world.h"

static _Alignas(16) uint8_t memory[1 << 18];
static uint8_t bytes[2][1024];
static struct loa_bytes code, principal;

static void prepare(void)
{
    Loa__V1__RegistryRequest m = LOA__V1__REGISTRY_REQUEST__INIT;
    Loa__V1__DeviceCode d = LOA__V1__DEVICE_CODE__INIT;
    Loa__V1__PrincipalAdd p = LOA__V1__PRINCIPAL_ADD__INIT;
    static uint8_t store[LOA_CERTIFICATE_BYTES_MAX];
    static struct loa_key key;
    ProtobufCBinaryData chain[2];
    size_t len;

    d.area = "vn/08";
    d.serial = "SN-1";
    d.name = "Trụ sở";
    m.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_DEVICE_CODE;
    m.device_code = &d;
    code = (struct loa_bytes){bytes[0],
                              loa__v1__registry_request__pack(&m, bytes[0])};
    key = world_key(9);
    world_certificate(&authority_key, &key, "lan", "vn/08", LOA_ROLE_STAFF,
                      LOA_POWER_COMMAND, 77, store, &len);
    chain[0] = (ProtobufCBinaryData){len, store};
    chain[1] = (ProtobufCBinaryData){
        identity.certificates[1].len,
        (uint8_t *)(uintptr_t)identity.certificates[1].data};
    p.certificates = chain;
    p.n_certificates = 2;
    m.what_case = LOA__V1__REGISTRY_REQUEST__WHAT_PRINCIPAL_ADD;
    m.principal_add = &p;
    principal = (struct loa_bytes){
        bytes[1], loa__v1__registry_request__pack(&m, bytes[1])};
}

static bool ask(struct loa_bytes body)
{
    struct registry_request q;
    struct loa_arena arena;
    struct refusal why;

    loa_arena_init(&arena, memory, sizeof memory);
    if (wire_request(&arena, body, &q, &why) != LOA_OK)
        return false;
    world_ask("vn", LOA_POWERS_ALL, 1, &q, NOW);
    return update.answer.status.code == REFUSAL_NONE;
}

static void start(void)
{
    bool was = oom_pause();

    world_reset();
    world_import(WORLD_TREE, NOW);
    oom_resume(was);
}

static void run_code(bool may_fail)
{
    bool done;

    start();
    done = ask(code);
    assert(done || may_fail);
    if (!done)
        assert((update.flags & REGISTRY_SAVE_DEVICE) == 0);
}

static void run_principal(bool may_fail)
{
    bool done;

    start();
    done = ask(principal);
    assert(done || may_fail);
    if (!done)
        assert((update.flags & REGISTRY_SAVE_PRINCIPAL) == 0);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    if (sodium_init() < 0)
        return 1;
    world_reset();
    prepare();
    oom_case("make a code", run_code);
    oom_case("take a principal", run_principal);
    return oom_report("registry");
}
