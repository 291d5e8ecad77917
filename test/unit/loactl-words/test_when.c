/* Times as people type them, and the words that they read. */

#include <errno.h>

#include "../check.h"
#include "loactl/when.h"
#include "loactl/words.h"
#include "proto/civil.h"

/* Monday, 23 November 2026, 12:00 in Viet Nam. */
#define NOW_MS (1795410000000LL)

static void test_read(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"17:00", "2026-11-23T17:00:00+07:00"},
        {"5:30", "2026-11-24T05:30:00+07:00"},
        {"12:00", "2026-11-24T12:00:00+07:00"},
        {"17:00:30", "2026-11-23T17:00:30+07:00"},
        {"17h30", "2026-11-23T17:30:00+07:00"},
        {"5h", "2026-11-24T05:00:00+07:00"},
        {"17g05", "2026-11-23T17:05:00+07:00"},
        {"17H", "2026-11-23T17:00:00+07:00"},
        {"01/12/2026 17:00", "2026-12-01T17:00:00+07:00"},
        {"1/12/2026 17h30", "2026-12-01T17:30:00+07:00"},
        {"17h30 1/12/2026", "2026-12-01T17:30:00+07:00"},
        {"17:00  01-12-2026", "2026-12-01T17:00:00+07:00"},
        {"01.12.2026 5h", "2026-12-01T05:00:00+07:00"},
        {"01/12/2026T17:00", "2026-12-01T17:00:00+07:00"},
        {"2026-12-01T17:00", "2026-12-01T17:00:00+07:00"},
        {"2026-12-01 17:00:05", "2026-12-01T17:00:05+07:00"},
        {"2026-12-01T10:00Z", "2026-12-01T17:00:00+07:00"},
        {"+90s", "2026-11-23T12:01:30+07:00"},
        {"+1h30m", "2026-11-23T13:30:00+07:00"},
        {"+1d", "2026-11-24T12:00:00+07:00"},
        {"+5p", "2026-11-23T12:05:00+07:00"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[LOA_CIVIL_CAP];
        int64_t at_ms = 0;

        CHECK_INT(rows[i].text, when_read(rows[i].text, NOW_MS, &at_ms),
                  WHEN_OK);
        loa_civil_format(at_ms, got);
        CHECK_STR(rows[i].text, got, rows[i].want);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *text;
        enum when_fault want;
    } rows[] = {
        {"", WHEN_FORM},
        {"tomorrow", WHEN_FORM},
        {"17", WHEN_FORM},
        {"17:", WHEN_FORM},
        {"17:3", WHEN_FORM},
        {"17h3", WHEN_FORM},
        {"17h300", WHEN_FORM},
        {"17:00x", WHEN_FORM},
        {"17:00 x", WHEN_FORM},
        {"25:00", WHEN_HOUR},
        {"24h", WHEN_HOUR},
        {"17:60", WHEN_MINUTE},
        {"17h75", WHEN_MINUTE},
        {"17:00:60", WHEN_SECOND},
        {"01/12/2026", WHEN_NO_CLOCK},
        {"01/12/26 17:00", WHEN_SHORT_YEAR},
        {"01/12 17:00", WHEN_SHORT_YEAR},
        {"01/12", WHEN_SHORT_YEAR},
        {"17:00 01/12", WHEN_SHORT_YEAR},
        {"12/31/2026 17:00", WHEN_MONTH},
        {"11/25/2026", WHEN_MONTH},
        {"31/04/2026", WHEN_DAY},
        {"01/12/2200", WHEN_YEAR},
        {"31/04/2026 17:00", WHEN_DAY},
        {"29/02/2027 17:00", WHEN_DAY},
        {"00/12/2026 17:00", WHEN_DAY},
        {"01/12/2200 17:00", WHEN_YEAR},
        {"01/12/2026 25:00", WHEN_HOUR},
        {"25h 01/12/2026", WHEN_HOUR},
        {"01/12-2026 17:00", WHEN_FORM},
        {"01/12/2026 17:00 x", WHEN_FORM},
        {"2026-12-01", WHEN_FORM},
        {"2026-13-01T17:00", WHEN_MONTH},
        {"2026-12-01T17:00+99:00", WHEN_ZONE},
        {"+", WHEN_RELATIVE},
        {"+1h30", WHEN_RELATIVE},
        {"+5", WHEN_RELATIVE},
        {"+-5m", WHEN_RELATIVE},
        {"+99999999d", WHEN_YEAR},
        {"+999999999d", WHEN_RELATIVE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t at_ms = 7;
        enum when_fault got = when_read(rows[i].text, NOW_MS, &at_ms);

        CHECK_INT(rows[i].text, got, rows[i].want);
        CHECK_INT(rows[i].text, at_ms, 7);
        CHECK_INT(rows[i].text, when_text(got, true)[0] != '\0', 1);
        CHECK_INT(rows[i].text, when_text(got, false)[0] != '\0', 1);
    }
}

/* Until a date: to the end of that day. */
static void test_end(void)
{
    char got[LOA_CIVIL_CAP];
    int64_t at_ms = 7;

    CHECK_INT("no date", when_read_end("31/02/2027", NOW_MS, &at_ms), WHEN_DAY);
    CHECK_INT("month", when_read_end("12/31/2026", NOW_MS, &at_ms), WHEN_MONTH);
    CHECK_INT("unchanged", at_ms, 7);
    CHECK_INT("date", when_read_end("31/12/2026", NOW_MS, &at_ms), WHEN_OK);
    loa_civil_format(at_ms, got);
    CHECK_STR("date", got, "2026-12-31T23:59:59+07:00");
    CHECK_INT("time", when_read_end("17:00", NOW_MS, &at_ms), WHEN_OK);
    loa_civil_format(at_ms, got);
    CHECK_STR("time", got, "2026-11-23T17:00:00+07:00");
}

static void test_words(void)
{
    CHECK_STR("en", word_event(true, 4), "finished");
    CHECK_STR("vi", word_event(false, 4), "phát xong");
    CHECK_STR("later", word_event(false, 99), "?");
    CHECK_STR("en", word_presence(true, 1), "online");
    CHECK_STR("vi", word_presence(false, 1), "trực tuyến");
    CHECK_STR("en", word_reason(true, "stopped"), "stopped");
    CHECK_STR("vi", word_reason(false, "stopped"), "có lệnh dừng");
    CHECK_STR("none", word_reason(false, ""), "");
    CHECK_STR("later", word_reason(false, "moonlight"), "moonlight");
    CHECK_STR("vi", word_errno(false, ENOSPC), "đĩa đã đầy");
    CHECK_STR("en", word_errno(true, ENOENT), strerror(ENOENT));
}

static void test_titles(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},
        {" \n\t ", ""},
        {"Xin chào.", "Xin chào."},
        {"  Hai \n dòng ", "Hai dòng"},
        {"Kính thưa bà con, ngày mai trạm y tế xã tổ chức tiêm phòng",
         "Kính thưa bà con, ngày mai trạm y tế xã tổ chức…"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "…"},
    };
    char buf[WORD_TITLE_CAP];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        word_title(rows[i].text, strlen(rows[i].text), buf);
        CHECK_STR(rows[i].text, buf, rows[i].want);
    }
    word_cut("địa bàn", 7, buf, sizeof buf);
    CHECK_STR("fits", buf, "địa bàn");
    word_cut("địa bàn", 6, buf, sizeof buf);
    CHECK_STR("cut", buf, "địa b…");
    word_cut("địa bàn", 7, buf, 8);
    CHECK_STR("small", buf, "đ…");
}

int main(void)
{
    test_read();
    test_refused();
    test_end();
    test_words();
    test_titles();
    return CHECK_DONE();
}
