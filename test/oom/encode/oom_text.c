/* Memory runs out while a text is made fit for a voice: LOA_ENOMEM, and nothing
 * is left behind. */

#include "encode/text.h"

#include "test/oom/oom.h"

static void run_text(bool may_fail)
{
    static const char text[] =
        "\xef\xbb\xbf"
        "Thông báo của Ủy ban nhân dân phường: Chu\xcc\x89 nhật\r\n\r\nHọp.";
    size_t len = 0;
    char *out = NULL;
    int rv = text_normalise(text, sizeof text - 1, &out, &len);

    assert(rv == LOA_OK || (may_fail && rv == LOA_ENOMEM));
    if (rv != LOA_OK)
        return;
    len = text_lay_out(out, len);
    assert(text_speakable(out, len));
    free(out);
}

int main(int argc, char *argv[])
{
    oom_init(argc, argv);
    oom_case("compose and lay out a text", run_text);
    return oom_report("encode");
}
