/* link: services/encode/text.c services/encode/dictionary.c */
/* Properties: text that is accepted stays UTF-8 through every step, and the
 * pieces of it are all of it. The input is a dictionary, a NUL, a text. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "encode/dictionary.h"
#include "encode/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char *normal(const uint8_t *data, size_t len, size_t *out_len)
{
    char *out;
    size_t at;

    if (text_check_utf8((const char *)data, len, &at) != LOA_OK) {
        assert(at < len);
        return NULL;
    }
    assert(text_normalise((const char *)data, len, &out, out_len) == LOA_OK);
    assert(text_check_utf8(out, *out_len, &at) == LOA_OK);
    return out;
}

static void speak(char *text, size_t len)
{
    size_t at = 0, said = 0, bad;
    const char *piece;
    unsigned pause_ms;

    while (text_next(text, len, &at, &piece, &pause_ms)) {
        said += strlen(piece) + (pause_ms == TEXT_PAUSE_LINE_MS) +
                2 * (pause_ms == TEXT_PAUSE_PARAGRAPH_MS);
        assert(text_check_utf8(piece, strlen(piece), &bad) == LOA_OK);
    }
    assert(said == len);
}

static void replace(const char *file, size_t file_len, char *text, size_t len)
{
    static struct dictionary d;
    size_t out_len, at, size = len * 8 + 256;
    char *out = malloc(size);
    unsigned line;

    assert(out != NULL);
    if (dictionary_parse(&d, file, file_len, &line) == LOA_OK &&
        dictionary_apply(&d, text, len, out, size, &out_len) == LOA_OK) {
        assert(out_len < size && out[out_len] == '\0');
        assert(text_check_utf8(out, out_len, &at) == LOA_OK);
        speak(out, out_len);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = memchr(data, 0, len);
    size_t text_len, file_len;
    char *text, *file = NULL;

    if (nul == NULL)
        return 0;
    text = normal(nul + 1, len - (size_t)(nul + 1 - data), &text_len);
    if (text == NULL)
        return 0;
    (void)text_speakable(text, text_len);
    text_len = text_lay_out(text, text_len);
    file = normal(data, (size_t)(nul - data), &file_len);
    if (file != NULL)
        replace(file, file_len, text, text_len);
    speak(text, text_len);
    free(file);
    free(text);
    return 0;
}
