#include "proto/err.h"

const char *loa_strerror(int err)
{
    switch (err) {
        case LOA_OK:
            return "ok";
#define X(code, text) \
    case code:        \
        return text;
            LOA_ERR_MAP(X)
#undef X
        default:
            return "unknown error";
    }
}
