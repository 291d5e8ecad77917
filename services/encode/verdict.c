#include "encode/verdict.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(struct verdict *v, enum verdict_code code, const char *fmt, ...)
{
    va_list args;

    v->code = code;
    va_start(args, fmt);
    vsnprintf(v->text, sizeof v->text, fmt, args);
    va_end(args);
    return (int)code;
}
