#include "registry/area_csv.h"

#include <assert.h>
#include <string.h>

#include "proto/text.h"

/* Columns, in the order that the header line must name them. */
static const char *const columns[] = {"code", "parent", "tier", "name"};
#define COLUMNS_N (sizeof columns / sizeof columns[0])

static const char *const tiers[] = {"closed",   "central", "province",
                                    "district", "commune", "hamlet"};

const char *area_tier_name(enum area_tier tier)
{
    return (size_t)tier < sizeof tiers / sizeof tiers[0] ? tiers[tier] : "?";
}

bool area_code_valid(const char *s)
{
    size_t len = strspn(s,
                        "abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return s[len] == '\0' && len >= 1 && len < AREA_CODE_CAP;
}

/* libcsv would grow the buffer of one field; ours has one size. */
static void *no_more(void *buffer, size_t size)
{
    (void)buffer;
    (void)size;
    return NULL;
}

void area_csv_begin(struct area_csv *c, struct area_csv_row *rows)
{
    int rv;

    memset(c, 0, sizeof *c);
    c->rows = rows;
    rv = csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL);
    assert(rv == 0); /* It knows one error: no parser. */
    csv_set_realloc_func(&c->parser, no_more);
    c->parser.entry_buf = (unsigned char *)c->buffer;
    c->parser.entry_size = sizeof c->buffer;
    c->line = c->row_line = 1;
}

/* How much of s can be shown to a person: whole letters, at most 40 bytes. */
static int shown(const char *s, size_t len)
{
    size_t at = 0, n;
    uint32_t c;

    while (at < len && at < 40) {
        n = loa_utf8_next((const uint8_t *)s + at, len - at, &c);
        if (n == 0 || c < ' ' || c == 0x7f)
            break;
        at += n;
    }
    return (int)at;
}

static bool is_text(const char *s, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(s, text, len) == 0;
}

static void take_code(struct area_csv *c,
                      const char *s,
                      size_t len,
                      const char *column,
                      char out[AREA_CODE_CAP])
{
    char code[AREA_CODE_CAP] = "";

    if (len < sizeof code)
        memcpy(code, s, len);
    if (len < sizeof code && strlen(code) == len && area_code_valid(code))
        memcpy(out, code, sizeof code);
    else if (len == 0)
        refuse_line(
            c->why, REFUSAL_INVALID, c->row_line, "Dòng %u: thiếu mã (cột %s).",
            "Line %u: the code is missing (column %s).", c->row_line, column);
    else
        refuse_line(
            c->why, REFUSAL_INVALID, c->row_line,
            "Dòng %u: mã \"%.*s\" (cột %s) phải gồm 1 đến 16 ký tự A-Z, "
            "a-z, 0-9 hoặc _.",
            "Line %u: code \"%.*s\" (column %s) must be 1 to 16 "
            "characters of A-Z, a-z, 0-9 and _.",
            c->row_line, shown(s, len), s, column);
}

static void take_tier(struct area_csv *c,
                      const char *s,
                      size_t len,
                      struct area_csv_row *row)
{
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++)
        if (is_text(s, len, tiers[i])) {
            row->tier = (enum area_tier)i;
            return;
        }
    refuse_line(c->why, REFUSAL_INVALID, c->row_line,
                "Dòng %u: cấp phải là central, province, district, commune, "
                "hamlet hoặc closed.",
                "Line %u: tier must be central, province, district, commune, "
                "hamlet or closed.",
                c->row_line);
}

static void take_name(struct area_csv *c,
                      const char *s,
                      size_t len,
                      struct area_csv_row *row)
{
    char folded[NAME_FOLDED_CAP];
    int rv = name_compose(s, len, row->name, sizeof row->name);

    /* Who makes a state of the name relies on its folding. */
    if (rv == LOA_OK)
        rv = name_fold(row->name, strlen(row->name), folded, sizeof folded);
    if (rv == LOA_ENOSPC)
        refuse_line(c->why, REFUSAL_INVALID, c->row_line,
                    "Dòng %u: tên dài hơn %d byte.",
                    "Line %u: the name is longer than %d bytes.", c->row_line,
                    NAME_CAP - 1);
    else if (rv != LOA_OK)
        refuse_line(c->why, REFUSAL_INVALID, c->row_line,
                    "Dòng %u: tên không phải UTF-8 hoặc chứa ký tự không nhìn "
                    "thấy; hãy lưu tệp dạng UTF-8.",
                    "Line %u: the name is not UTF-8 or holds a character that "
                    "cannot be seen; save the file as UTF-8.",
                    c->row_line);
}

static void take_header(struct area_csv *c, const char *s, size_t len)
{
    if (c->fields_n == 0 && len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
        s += 3;
        len -= 3;
    }
    if (c->fields_n >= COLUMNS_N || !is_text(s, len, columns[c->fields_n]))
        refuse_line(c->why, REFUSAL_INVALID, c->row_line,
                    "Dòng %u: dòng đầu tiên phải là code,parent,tier,name.",
                    "Line %u: the first line must be code,parent,tier,name.",
                    c->row_line);
}

static void on_field(void *field, size_t len, void *data)
{
    struct area_csv *c = data;
    struct area_csv_row *row = &c->rows[c->rows_n];
    const char *s = len > 0 ? field : "";

    if (c->why->code != REFUSAL_NONE)
        return;
    if (!c->header_seen) {
        take_header(c, s, len);
        c->fields_n++;
        return;
    }
    if (c->rows_n == AREA_CSV_ROWS_MAX) {
        refuse_line(c->why, REFUSAL_TOO_LARGE, c->row_line,
                    "Dòng %u: tệp có nhiều hơn %d dòng.",
                    "Line %u: the file has more than %d rows.", c->row_line,
                    AREA_CSV_ROWS_MAX);
        return;
    }
    switch (c->fields_n++) {
        case 0:
            memset(row, 0, sizeof *row);
            row->line = c->row_line;
            take_code(c, s, len, columns[0], row->code);
            break;
        case 1:
            if (len > 0)
                take_code(c, s, len, columns[1], row->parent);
            break;
        case 2:
            take_tier(c, s, len, row);
            break;
        case 3:
            take_name(c, s, len, row);
            break;
        default: /* Too many: on_row() says so. */
            break;
    }
}

static void on_row(int end, void *data)
{
    struct area_csv *c = data;
    size_t fields_n = c->fields_n;

    (void)end;
    c->row_ended = true;
    c->fields_n = 0;
    /* The second half of CRLF, or a blank line. */
    if (fields_n == 0 || c->why->code != REFUSAL_NONE)
        return;
    if (fields_n != COLUMNS_N) {
        refuse_line(c->why, REFUSAL_INVALID, c->row_line,
                    "Dòng %u: có %zu cột, cần 4: code,parent,tier,name.",
                    "Line %u: it has %zu columns and needs 4: "
                    "code,parent,tier,name.",
                    c->row_line, fields_n);
        return;
    }
    if (!c->header_seen) {
        c->header_seen = true;
        return;
    }
    if (c->rows[c->rows_n].name[0] == '\0' &&
        c->rows[c->rows_n].tier != AREA_CLOSED) {
        refuse_line(c->why, REFUSAL_INVALID, c->row_line, "Dòng %u: thiếu tên.",
                    "Line %u: the name is missing.", c->row_line);
        return;
    }
    c->rows_n++;
}

/* What libcsv stumbled over. */
static int broken(struct area_csv *c, struct refusal *why)
{
    if (csv_error(&c->parser) == CSV_EPARSE)
        return refuse_line(why, REFUSAL_INVALID, c->row_line,
                           "Dòng %u: dấu ngoặc kép đặt sai chỗ.",
                           "Line %u: a double quote is in the wrong place.",
                           c->row_line);
    return refuse_line(why, REFUSAL_INVALID, c->row_line,
                       "Dòng %u: một cột dài hơn %d byte.",
                       "Line %u: a column is longer than %d bytes.",
                       c->row_line, AREA_CSV_FIELD_MAX);
}

/* A line, or the part of one that this piece has. */
static int feed_line(struct area_csv *c,
                     const char *text,
                     size_t len,
                     struct refusal *why)
{
    size_t done = csv_parse(&c->parser, text, len, on_field, on_row, c);

    if (why->code != REFUSAL_NONE)
        return LOA_EINVAL;
    if (done != len)
        return broken(c, why);
    if (text[len - 1] == '\n') {
        c->line++;
        /* Else the line break was inside quotes, and the row goes on. */
        if (c->row_ended)
            c->row_line = c->line;
        c->row_ended = false;
    }
    return LOA_OK;
}

int area_csv_feed(struct area_csv *c,
                  const void *text,
                  size_t len,
                  struct refusal *why)
{
    const char *at = text;

    memset(why, 0, sizeof *why);
    c->why = why;
    while (len > 0) {
        const char *end = memchr(at, '\n', len);
        size_t n = end != NULL ? (size_t)(end - at) + 1 : len;
        int rv = feed_line(c, at, n, why);

        if (rv != LOA_OK)
            return rv;
        at += n;
        len -= n;
    }
    return LOA_OK;
}

int area_csv_end(struct area_csv *c, struct refusal *why)
{
    memset(why, 0, sizeof *why);
    c->why = why;
    if (csv_fini(&c->parser, on_field, on_row, c) != 0)
        return broken(c, why);
    if (why->code != REFUSAL_NONE)
        return LOA_EINVAL;
    if (!c->header_seen || c->rows_n == 0)
        return refuse(why, REFUSAL_INVALID,
                      "Tệp không có dòng dữ liệu nào sau dòng tiêu đề.",
                      "The file has no rows after its header line.");
    return LOA_OK;
}
