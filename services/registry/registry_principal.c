/* registry_principal.c -- certificates made known, found, revoked. */

#include <string.h>

#include "proto/text.h"
#include "proto/trust.h"
#include "registry/registry.h"

#define CERTIFICATE_ARENA_BYTES 4096

/* "Never ends" in a form that the database can hold. */
#define YEAR_10000_MS 253402300800000ll

/* --- making known --------------------------------------------------------- */

static int judge_chain(struct registry *r,
                       const struct registry_event *ev,
                       struct loa_certificate *leaf,
                       struct refusal *why)
{
    _Alignas(max_align_t) uint8_t memory[CERTIFICATE_ARENA_BYTES];
    const struct registry_request *q = ev->request;
    struct loa_certificate first;
    struct loa_arena arena;
    enum loa_verdict v;

    loa_arena_init(&arena, memory, sizeof memory);
    if (q->add.certificates_n == 0 ||
        loa_certificate_parse(&arena, q->add.certificates[0], &first) != LOA_OK)
        return refuse(
            why, REFUSAL_INVALID,
            "Không đọc được chứng thư; chứng thư của chính người đó "
            "phải đứng đầu, tối đa %d.",
            "The certificate cannot be read; the principal's own must "
            "come first, and at most %d.",
            LOA_CHAIN_MAX);
    if (revoked_has(&r->revoked, first.issuer, loa_key_number(first.subject)))
        return refuse(why, REFUSAL_REVOKED,
                      "Khóa của %s đã bị thu hồi; hãy tạo khóa mới (loactl key "
                      "new) rồi cấp chứng thư cho khóa đó.",
                      "The key of %s was revoked; make a new one (loactl key "
                      "new) and have that certified.",
                      first.principal);
    v = loa_trust_chain(r->conf.trust, first.subject, q->add.certificates,
                        q->add.certificates_n, ev->now_ms, true, leaf);
    if (v != LOA_VERDICT_OK)
        return refuse(
            why, v == LOA_VERDICT_REVOKED ? REFUSAL_REVOKED : REFUSAL_INVALID,
            "Chuỗi chứng thư không hợp lệ: %s.",
            "The chain of certificates does not hold: %s.",
            loa_verdict_name(v));
    if (!loa_area_within(leaf->area, ev->who->area) ||
        !loa_area_within(leaf->area, r->conf.identity->leaf.area))
        return refuse(why, REFUSAL_NOT_ALLOWED,
                      "%s ở khu vực %s, ngoài khu vực của bạn hoặc của sổ đăng "
                      "ký này.",
                      "%s is of area %s, outside yours or this registry's.",
                      leaf->principal, leaf->area);
    return LOA_OK;
}

/* Has the name's next certificate the right to it beside this one? Who gave
 * one may give another; anybody else's must be for the same key, and the
 * asker's area hold the one that is known. */
static bool goes_with(const struct principal *known,
                      const struct registry_event *ev,
                      const struct loa_certificate *leaf)
{
    return memcmp(known->issuer, leaf->issuer, LOA_KEY_BYTES) == 0 ||
           (memcmp(known->key, leaf->subject, LOA_KEY_BYTES) == 0 &&
            loa_area_within(known->area, ev->who->area));
}

/* An id is one principal's: the next certificate must go with each that counts,
 * and, where all are revoked, with one of them. Else anybody with DELEGATE
 * could take a name, or put a certificate beside it that its own people may not
 * revoke. */
static int judge_name(struct registry *r,
                      const struct registry_event *ev,
                      const struct loa_certificate *leaf,
                      struct refusal *why)
{
    bool open = devices_find(&r->devices, leaf->principal) == NULL;
    size_t known_n = 0, good_n = 0;

    for (size_t i = 0; open && i < r->principals.principals_n; i++) {
        const struct principal *p = &r->principals.principals[i];
        bool good;

        if (strcmp(p->id, leaf->principal) != 0)
            continue;
        good = goes_with(p, ev, leaf);
        known_n++;
        good_n += good;
        open = good || p->revoked;
    }
    if (!open || (known_n > 0 && good_n == 0))
        return refuse(
            why, REFUSAL_EXISTS,
            "Tên %s đã có người khác dùng; hãy cấp chứng thư với tên "
            "khác.",
            "The name %s is taken; issue the certificate with another "
            "name.",
            leaf->principal);
    return LOA_OK;
}

/* NULL: there is no room for one more of the asker's area. */
static struct principal *keep(struct registry *r,
                              const struct registry_event *ev,
                              const struct loa_certificate *leaf)
{
    const struct share s = share_of(r->conf.identity->leaf.area, ev->who->area);
    struct principal new = {0};

    if (!share_allows(&s, PRINCIPALS_MAX, r->principals.principals_n + 1,
                      principals_below(&r->principals, s.area) + 1))
        return NULL;
    new.serial = leaf->serial;
    new.role = leaf->role;
    new.powers = leaf->powers;
    new.not_after_ms =
        leaf->not_after_ms < YEAR_10000_MS ? leaf->not_after_ms : YEAR_10000_MS;
    memcpy(new.issuer, leaf->issuer, LOA_KEY_BYTES);
    memcpy(new.key, leaf->subject, LOA_KEY_BYTES);
    memcpy(new.id, leaf->principal, sizeof new.id);
    memcpy(new.name, leaf->name, sizeof new.name);
    memcpy(new.service, leaf->service, sizeof new.service);
    memcpy(new.area, leaf->area, sizeof new.area);
    return principals_add(&r->principals, &new);
}

void registry_principal_add(struct registry *r,
                            const struct registry_event *ev,
                            struct registry_update *up)
{
    struct refusal *why = &up->answer.status;
    struct loa_certificate leaf;
    struct principal *p;

    if (judge_chain(r, ev, &leaf, why) != LOA_OK)
        return;
    p = principals_find(&r->principals, leaf.issuer, leaf.serial);
    if (p != NULL && memcmp(p->key, leaf.subject, LOA_KEY_BYTES) == 0) {
        up->answer.principal = p; /* Known already: nothing to do. */
        return;
    }
    if (p != NULL) {
        refuse(why, REFUSAL_CONFLICT,
               "Người cấp đã dùng số %llu cho chứng thư khác; hãy cấp lại với "
               "số mới.",
               "The issuer has used serial %llu for another certificate; issue "
               "it again with a new one.",
               (unsigned long long)leaf.serial);
        return;
    }
    if (judge_name(r, ev, &leaf, why) != LOA_OK)
        return;
    p = keep(r, ev, &leaf);
    if (p == NULL) {
        refuse(why, REFUSAL_TOO_LARGE,
               "Sổ đăng ký đã đầy cho khu vực của bạn (%d chứng thư cho tất "
               "cả); hãy nhờ cấp trên.",
               "The registry is full for your area (%d certificates for all); "
               "ask the level above.",
               PRINCIPALS_MAX);
        return;
    }
    up->principal = up->answer.principal = p;
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_PRINCIPAL;
}

/* Who is known and was certified again need not be made known again, once they
 * have asked anything: else a revocation would leave them the new certificate.
 * What cannot be kept is only not kept; nobody waits for an answer. */
void registry_principal_seen(struct registry *r,
                             const struct registry_event *ev,
                             struct registry_update *up)
{
    const struct loa_certificate *who = ev->who;
    struct refusal why;

    if (principals_newest(&r->principals, who->principal) == NULL ||
        principals_find(&r->principals, who->issuer, who->serial) != NULL ||
        !loa_area_within(who->area, r->conf.identity->leaf.area) ||
        revoked_has(&r->revoked, who->issuer, loa_key_number(who->subject)) ||
        judge_name(r, ev, who, &why) != LOA_OK)
        return;
    up->principal = keep(r, ev, who);
    if (up->principal != NULL)
        up->flags = REGISTRY_WRITE | REGISTRY_SAVE_PRINCIPAL;
}

/* --- finding -------------------------------------------------------------- */

void registry_principal_find(struct registry *r,
                             const struct registry_event *ev,
                             struct registry_update *up)
{
    const struct registry_request *q = ev->request;
    const char *under =
        q->find.under[0] != '\0' ? q->find.under : ev->who->area;

    if (!loa_area_valid(under) || q->find.limit > PRINCIPAL_PAGE_MAX) {
        refuse(&up->answer.status, REFUSAL_INVALID,
               "Khu vực không hợp lệ, hoặc hỏi quá %d chứng thư một lần.",
               "The area is malformed, or more than %d certificates are asked "
               "for at once.",
               PRINCIPAL_PAGE_MAX);
    } else if (!loa_area_within(under, ev->who->area)) {
        refuse(&up->answer.status, REFUSAL_NOT_ALLOWED,
               "%s nằm ngoài khu vực %s của bạn.",
               "%s is outside your area %s.", under, ev->who->area);
    } else if (principals_page(&r->principals, under, q->find.id, q->find.after,
                               q->find.limit,
                               &up->answer.principals) != LOA_OK) {
        refuse(&up->answer.status, REFUSAL_INVALID,
               "Vị trí tiếp theo (after) không hợp lệ; hãy hỏi lại từ đầu.",
               "The position to go on from (after) is not valid; ask again "
               "from the beginning.");
    } else if (q->find.id[0] != '\0' && q->find.after[0] == '\0' &&
               up->answer.principals.principals_n == 0) {
        refuse(&up->answer.status, REFUSAL_NOT_FOUND,
               "Không có chứng thư nào mang tên này trong %s.",
               "No certificate of that name is known in %s.", under);
    } else {
        up->answer.next = up->answer.principals.next;
    }
}

/* --- revoking ------------------------------------------------------------- */

/* The registry's own chain, by a serial or a key's number: a list cannot revoke
 * who signs it. */
static bool is_own_chain(const struct registry *r,
                         const uint8_t issuer[LOA_KEY_BYTES],
                         uint64_t serial)
{
    const struct loa_identity *id = r->conf.identity;

    for (size_t i = 0; i < id->certificates_n; i++) {
        _Alignas(max_align_t) uint8_t memory[CERTIFICATE_ARENA_BYTES];
        struct loa_certificate c;
        struct loa_arena arena;

        loa_arena_init(&arena, memory, sizeof memory);
        if (loa_certificate_parse(&arena, id->certificates[i], &c) == LOA_OK &&
            (c.serial == serial || loa_key_number(c.subject) == serial) &&
            memcmp(c.issuer, issuer, LOA_KEY_BYTES) == 0)
            return true;
    }
    return false;
}

static int list_full(struct refusal *why)
{
    return refuse(why, REFUSAL_TOO_LARGE,
                  "Danh sách thu hồi đã đầy cho khu vực của bạn; hãy nhờ cấp "
                  "trên thu hồi, hoặc thu hồi cấp phát hành.",
                  "The revocation list is full for your area; ask the level "
                  "above to revoke, or revoke the issuer instead.");
}

static int put(const struct registry *r,
               const struct revoked_entry *e,
               struct registry_update *up)
{
    struct refusal *why = &up->answer.status;

    if (is_own_chain(r, e->issuer, e->serial))
        return refuse(why, REFUSAL_IN_USE,
                      "Chứng thư này ký chính danh sách thu hồi; cấp trên phải "
                      "thu hồi bằng danh sách của mình.",
                      "This certificate stands behind the revocation list "
                      "itself; a registry above must revoke it.");
    if (up->revoked_n == REVOKED_MAX)
        return list_full(why);
    up->revoked[up->revoked_n++] = *e;
    return LOA_OK;
}

/* One certificate more to revoke; those that have ended need no list. */
static int take(struct registry *r,
                const struct registry_event *ev,
                const struct revoked_entry *e,
                struct registry_update *up)
{
    if (revoked_has(&r->revoked, e->issuer, e->serial)) {
        up->answer.unchanged_n++;
        return LOA_OK;
    }
    if (e->not_after_ms <= ev->now_ms - LOA_SKEW_MS)
        return LOA_OK;
    up->answer.changed_n++;
    return put(r, e, up);
}

/* What its holder's authority certified again, off-line, nobody told the
 * registry of; nor when that ends. */
static int take_key(const struct registry *r,
                    const struct registry_event *ev,
                    const struct principal *p,
                    struct registry_update *up)
{
    struct revoked_entry e = {
        .serial = loa_key_number(p->key),
        .not_after_ms = ev->now_ms + REVOKED_UNKNOWN_END_MS};

    if (revoked_has(&r->revoked, p->issuer, e.serial))
        return LOA_OK;
    for (size_t i = 0; i < up->revoked_n; i++)
        if (up->revoked[i].serial == e.serial &&
            memcmp(up->revoked[i].issuer, p->issuer, LOA_KEY_BYTES) == 0)
            return LOA_OK;
    memcpy(e.issuer, p->issuer, LOA_KEY_BYTES);
    memcpy(e.area, p->area, sizeof e.area);
    return put(r, &e, up);
}

static int take_device(struct registry *r,
                       const struct registry_event *ev,
                       struct device *d,
                       struct registry_update *up)
{
    struct revoked_entry e = {.serial = d->certificate_serial,
                              .not_after_ms = d->not_after_ms};

    memcpy(e.issuer, r->conf.identity->key.public_key, LOA_KEY_BYTES);
    memcpy(e.area, d->area, sizeof e.area);
    if (d->enrolled_at_ms == 0)
        return LOA_OK; /* Only its code is voided. */
    return take(r, ev, &e, up);
}

/* Certificates that fall with a name, in hits[]. */
struct falling {
    struct principal *hits[PRINCIPALS_MAX];
    size_t n;
};

static int take_principals(struct registry *r,
                           const struct registry_event *ev,
                           const struct falling *f,
                           struct registry_update *up)
{
    int rv = LOA_OK;

    for (size_t i = 0; rv == LOA_OK && i < f->n; i++) {
        const struct principal *p = f->hits[i];
        struct revoked_entry e = {.serial = p->serial,
                                  .not_after_ms = p->not_after_ms};

        memcpy(e.issuer, p->issuer, LOA_KEY_BYTES);
        memcpy(e.area, p->area, sizeof e.area);
        rv = registry_may(ev, LOA_POWER_REVOKE, p->area)
                 ? take(r, ev, &e, up)
                 : refuse(&up->answer.status, REFUSAL_NOT_ALLOWED,
                          "Thu hồi %s cần quyền revoke trên khu vực %s.",
                          "Revoking %s needs the power revoke over %s.", p->id,
                          p->area);
        if (rv == LOA_OK)
            rv = take_key(r, ev, p, up);
    }
    return rv;
}

static struct share room_of(const struct registry *r,
                            const struct registry_event *ev)
{
    const struct principal *p =
        principals_newest(&r->principals, ev->request->revoke.principal);

    return revoked_share(r->conf.identity->leaf.area, ev->who->area,
                         p != NULL && p->role == LOA_ROLE_AUTHORITY);
}

/* All of them, or none where the list has no room. */
static int list_all(struct registry *r,
                    const struct registry_event *ev,
                    struct registry_update *up)
{
    const struct share share = room_of(r, ev);
    static struct revoked before;

    before = r->revoked;
    for (size_t i = 0; i < up->revoked_n; i++)
        if (!revoked_may(&r->revoked, &up->revoked[i], &share) ||
            revoked_add(&r->revoked, &up->revoked[i]) != LOA_OK) {
            r->revoked = before;
            return list_full(&up->answer.status);
        }
    return LOA_OK;
}

static void mark(const struct falling *f, struct device *d)
{
    if (d != NULL)
        d->revoked = true;
    /* A code that is out is void: no request made what stands there now. */
    if (d != NULL && !d->code_used)
        memset(d->code_request, 0, sizeof d->code_request);
    for (size_t i = 0; i < f->n; i++)
        f->hits[i]->revoked = true;
}

void registry_revoke(struct registry *r,
                     const struct registry_event *ev,
                     struct registry_update *up)
{
    const char *id = ev->request->revoke.principal;
    struct refusal *why = &up->answer.status;
    struct device *d = devices_find(&r->devices, id);
    static struct falling falling;

    if (!loa_principal_valid(id) ||
        !loa_line_valid(ev->request->revoke.reason, 512)) {
        refuse(why, REFUSAL_INVALID,
               "Tên không hợp lệ, hoặc lý do không phải một dòng UTF-8 tối đa "
               "512 byte.",
               "The name is malformed, or the reason is not one line of UTF-8 "
               "of at most 512 bytes.");
        return;
    }
    if (d == NULL && principals_newest(&r->principals, id) == NULL) {
        refuse(why, REFUSAL_NOT_FOUND,
               "Sổ đăng ký không có thiết bị hay người nào tên %s; nếu đó là "
               "một người thì hãy thêm chứng thư của họ trước: loactl "
               "principal add TỆP.",
               "The registry knows no device or person %s; if it is a "
               "person, add their certificate first: loactl principal add "
               "FILE.",
               id);
        return;
    }
    if (d != NULL && !registry_may(ev, LOA_POWER_REVOKE, d->area)) {
        refuse(why, REFUSAL_NOT_ALLOWED,
               "Thu hồi %s cần quyền revoke trên khu vực %s.",
               "Revoking %s needs the power revoke over %s.", id, d->area);
        return;
    }
    falling.n = principals_falling(&r->principals, id, falling.hits);
    if ((d != NULL && take_device(r, ev, d, up) != LOA_OK) ||
        take_principals(r, ev, &falling, up) != LOA_OK ||
        list_all(r, ev, up) != LOA_OK)
        return;
    mark(&falling, d);
    up->device = d;
    up->revoked_id = id;
    up->reason = ev->request->revoke.reason;
    up->flags |= REGISTRY_WRITE | REGISTRY_SAVE_REVOKED |
                 (d != NULL ? REGISTRY_SAVE_DEVICE : 0u);
    if (up->revoked_n > 0)
        registry_sign_list(r, ev->now_ms, up);
    /* A device without a certificate has none on the list. */
    if (d == NULL || d->enrolled_at_ms != 0)
        up->answer.revocation_number = r->trust_number;
}
