/* link: services/encode/promise.c */
/* Properties: any file is judged in a bounded number of reads, and one that is
 * called cut off by its header really is shorter than that says. */

#include <assert.h>
#include <string.h>

#include "encode/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct file {
    const uint8_t *data;
    size_t len;
    unsigned reads_n;
};

static size_t at(void *data, uint64_t offset, uint8_t *buf, size_t n)
{
    struct file *f = data;

    f->reads_n++;
    if (offset >= f->len)
        return 0;
    if (n > f->len - offset)
        n = (size_t)(f->len - offset);
    memcpy(buf, f->data + offset, n);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct file f = {data, len, 0};
    struct promise_file p = {at, &f, len};
    uint64_t want;
    int rv = promise_check(&p, &want);

    assert(f.reads_n <= 2 * PROMISE_CHUNKS_MAX + 2);
    assert(rv == LOA_OK || rv == LOA_ESTALE);
    assert(rv == LOA_OK ? want == 0 : want == 0 || want > len);
    return 0;
}
