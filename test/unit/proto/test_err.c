/* Every code has a text of its own. */

#include <string.h>

#include "check.h"
#include "proto/err.h"

int main(void)
{
    const char *unknown = loa_strerror(1000);

    CHECK_INT("unknown", strcmp(unknown, "unknown error"), 0);
    CHECK_INT("ok", strcmp(loa_strerror(LOA_OK), "ok"), 0);
    for (int a = LOA_OK; a <= LOA_ESTALE; a++) {
        CHECK_INT("known", strcmp(loa_strerror(a), unknown) != 0, 1);
        for (int b = LOA_OK; b < a; b++)
            CHECK_INT("its own", strcmp(loa_strerror(a), loa_strerror(b)) != 0,
                      1);
    }
    return CHECK_DONE();
}
