/* civil.h -- Unix milliseconds to dates of Viet Nam and back.
 *
 * Asia/Ho_Chi_Minh is UTC+7 without daylight saving time, so no time-zone data
 * is needed. Years 1970..2106 as read on a clock in Viet Nam. No clock here:
 * the caller says what time it is. */

#ifndef LOA_PROTO_CIVIL_H
#define LOA_PROTO_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define LOA_DAY_MS INT64_C(86400000)
#define LOA_CIVIL_OFFSET_MS INT64_C(25200000) /* UTC+7. */
#define LOA_CIVIL_YEAR_MIN 1970
#define LOA_CIVIL_YEAR_MAX 2106
#define LOA_CIVIL_CAP 32 /* For loa_civil_format(). */

/* A moment on a clock in Viet Nam. */
struct loa_civil {
    int year;        /* LOA_CIVIL_YEAR_MIN..LOA_CIVIL_YEAR_MAX */
    int month;       /* 1..12 */
    int day;         /* 1..31 */
    int hour;        /* 0..23 */
    int minute;      /* 0..59 */
    int second;      /* 0..59 */
    int millisecond; /* 0..999 */
    int weekday;     /* 0 Monday .. 6 Sunday; loa_civil_to_ms() ignores it. */
};

/* Why a text or a struct is no moment; each with a sentence for people. */
#define LOA_CIVIL_MAP(X)                                                     \
    X(FORM, "A time looks like 2026-12-01T17:00.",                           \
      "Thời gian viết theo dạng 2026-12-01T17:00.")                          \
    X(YEAR, "The year must lie between 1970 and 2106.",                      \
      "Năm phải từ 1970 đến 2106.")                                          \
    X(MONTH, "There are only months 01 to 12.", "Tháng phải từ 01 đến 12.")  \
    X(DAY, "This month has no such day.", "Tháng này không có ngày đó.")     \
    X(LEAP_DAY, "29 February does not exist in this year.",                  \
      "Năm này không có ngày 29 tháng 2.")                                   \
    X(HOUR, "There are only hours 00 to 23.", "Giờ phải từ 00 đến 23.")      \
    X(MINUTE, "There are only minutes 00 to 59.", "Phút phải từ 00 đến 59.") \
    X(SECOND, "There are only seconds 00 to 59.", "Giây phải từ 00 đến 59.") \
    X(ZONE, "The zone is Z or an offset such as +07:00, at most 14 hours.",  \
      "Múi giờ là Z hoặc dạng +07:00, tối đa 14 giờ.")

enum loa_civil_fault {
    LOA_CIVIL_OK = 0,
#define X(code, en, vi) LOA_CIVIL_##code,
    LOA_CIVIL_MAP(X)
#undef X
};

/* The sentence, in Vietnamese or English; "" for LOA_CIVIL_OK. Static. */
const char *loa_civil_text(enum loa_civil_fault fault, bool vietnamese);

/* LOA_EINVAL: outside the years. */
LOA_MUST_CHECK int loa_civil_from_ms(int64_t at_ms, struct loa_civil *c);

/* *at_ms is not changed unless the answer is LOA_CIVIL_OK. */
LOA_MUST_CHECK enum loa_civil_fault loa_civil_to_ms(const struct loa_civil *c,
                                                    int64_t *at_ms);

/* "2026-12-01T17:00", then ":30" or ":30.250", then "Z" or "+07:00", each of
 * them or none; without a zone the time is Viet Nam's. "T" may be a space. A
 * date alone is not enough: whoever means midnight says so. */
LOA_MUST_CHECK enum loa_civil_fault loa_civil_parse(const char *text,
                                                    int64_t *at_ms);

/* "2026-12-01T17:00:00+07:00", with ".250" behind the seconds if there are
 * milliseconds; "-" for a time outside the years. */
void loa_civil_format(int64_t at_ms, char buf[LOA_CIVIL_CAP]);

/* Midnight in Viet Nam before or at at_ms, which is not before 1970. */
int64_t loa_civil_day_start(int64_t at_ms);

#endif /* LOA_PROTO_CIVIL_H */
