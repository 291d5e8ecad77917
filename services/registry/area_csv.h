/* area_csv.h -- a file of areas, `code,parent,tier,name`, into rows.
 *
 * RFC 4180 by libcsv: quoted fields, CRLF or LF, a byte order mark, blank lines
 * skipped. The text is fed in pieces cut anywhere. Only what one line can tell
 * is judged here; area_plan.h judges the whole. Pure; libcsv gets a fixed
 * buffer instead of malloc. */

#ifndef LOA_REGISTRY_AREA_CSV_H
#define LOA_REGISTRY_AREA_CSV_H

#include <csv.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "registry/names.h"
#include "registry/refusal.h"

#define AREA_CODE_CAP 17 /* [A-Za-z0-9_]{1,16}: the code becomes the id. */
#define AREA_CSV_FIELD_MAX 1024
#define AREA_CSV_ROWS_MAX 131072

/* The values are those of loa.v1.Tier. CLOSED ends an area. */
enum area_tier {
    AREA_CLOSED = 0,
    AREA_CENTRAL = 1,
    AREA_PROVINCE = 2,
    AREA_DISTRICT = 3,
    AREA_COMMUNE = 4,
    AREA_HAMLET = 5,
};

/* "province", ...; static. */
const char *area_tier_name(enum area_tier tier);

/* [A-Za-z0-9_]{1,16} */
bool area_code_valid(const char *s);

struct area_csv_row {
    uint32_t line; /* Of the file, from 1; where the row begins. */
    enum area_tier tier;
    char code[AREA_CODE_CAP];
    char parent[AREA_CODE_CAP]; /* "": the root. */
    char name[NAME_CAP];        /* Composed (NFC). "" only if CLOSED. */
};

struct area_csv {
    struct csv_parser parser;
    struct area_csv_row *rows; /* AREA_CSV_ROWS_MAX of them. */
    size_t rows_n;
    uint32_t line;     /* Being fed. */
    uint32_t row_line; /* Where the current row began. */
    bool row_ended;    /* Within the line being fed. */
    bool header_seen;
    size_t fields_n; /* Of the current row. */
    struct refusal *why;
    char buffer[AREA_CSV_FIELD_MAX];
};

/* rows is lent: the caller's array of AREA_CSV_ROWS_MAX. */
void area_csv_begin(struct area_csv *c, struct area_csv_row *rows);

/* The next piece of the text. LOA_EINVAL: *why says what is wrong and in which
 * line; nothing more may be fed. */
LOA_MUST_CHECK int area_csv_feed(struct area_csv *c,
                                 const void *text,
                                 size_t len,
                                 struct refusal *why);

/* The text is complete: rows[0..rows_n) are valid. LOA_EINVAL as above. */
LOA_MUST_CHECK int area_csv_end(struct area_csv *c, struct refusal *why);

#endif /* LOA_REGISTRY_AREA_CSV_H */
