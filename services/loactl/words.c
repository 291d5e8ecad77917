#include "loactl/words.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct word {
    const char *en, *vi;
};

const char *word_event(bool english, Loa__V1__ReceiptEvent e)
{
    static const struct word words[] = {
        {"?", "?"},
        {"received", "đã nhận lịch"},
        {"verified", "đã kiểm tra"},
        {"started", "bắt đầu phát"},
        {"finished", "phát xong"},
        {"interrupted", "bị ngắt"},
        {"refused", "từ chối"},
        {"command", "nhận lệnh"},
    };

    if ((unsigned)e >= sizeof words / sizeof words[0])
        return "?";
    return english ? words[e].en : words[e].vi;
}

const char *word_presence(bool english, Loa__V1__Presence p)
{
    static const struct word words[] = {
        {"unknown", "chưa rõ"},
        {"online", "trực tuyến"},
        {"lost", "mất liên lạc"},
        {"disconnected", "đã ngắt"},
    };

    if ((unsigned)p >= sizeof words / sizeof words[0])
        return "?";
    return english ? words[p].en : words[p].vi;
}

const char *word_reason(bool english, const char *reason)
{
    static const struct word words[] = {
        {"busy", "đang phát bản tin khác"},
        {"cancelled", "đã huỷ lịch"},
        {"expired", "hết hạn"},
        {"idle", "không có gì đang phát"},
        {"incomplete", "chưa nhận đủ nội dung"},
        {"late", "đã quá giờ"},
        {"preempted", "bản tin ưu tiên hơn chen vào"},
        {"restarted", "loa khởi động lại"},
        {"revocations", "chưa có danh sách thu hồi mới"},
        {"revoked", "chứng thư bị thu hồi"},
        {"shutdown", "loa đang tắt"},
        {"sound", "lỗi phần phát âm"},
        {"stopped", "có lệnh dừng"},
        {"storage", "lỗi bộ nhớ của loa"},
        {"unapproved", "nội dung chưa được duyệt"},
    };

    for (size_t i = 0; !english && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].en, reason) == 0)
            return words[i].vi;
    return reason;
}

const char *word_errno(bool english, int number)
{
    if (english)
        return strerror(number);
    switch (number) {
        case ENOENT:
            return "không có tệp hoặc thư mục này";
        case EACCES:
        case EPERM:
            return "không đủ quyền truy cập";
        case EISDIR:
            return "đây là thư mục, không phải tệp";
        case ENOTDIR:
            return "một phần của đường dẫn không phải thư mục";
        case ENOSPC:
            return "đĩa đã đầy";
        case EDQUOT:
            return "đã hết hạn mức đĩa";
        case EROFS:
            return "ổ đĩa chỉ cho đọc";
        case EEXIST:
            return "đã có tệp này";
        case ELOOP:
            return "liên kết vòng";
        case ENAMETOOLONG:
            return "tên tệp quá dài";
        case EMFILE:
        case ENFILE:
            return "mở quá nhiều tệp";
        case EIO:
            return "lỗi đọc hoặc ghi đĩa";
        case EFBIG:
            return "tệp quá lớn";
        case ENOMEM:
            return "hết bộ nhớ";
        case ECONNREFUSED:
            return "kết nối bị từ chối";
        case ETIMEDOUT:
            return "quá thời gian chờ";
        case EHOSTUNREACH:
        case ENETUNREACH:
            return "không có đường mạng tới đó";
        default:
            return strerror(number);
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Vietnamese has up to three bytes a letter; a word is kept whole. */
#define TITLE_COLUMNS 48
#define TITLE_WORD_MAX 60

static size_t columns_of(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

void word_title(const char *text, size_t len, char title[WORD_TITLE_CAP])
{
    static const char more[] = "…";
    size_t at = 0, used = 0;

    while (at < len) {
        size_t from, n;

        while (at < len && is_space(text[at]))
            at++;
        from = at;
        while (at < len && !is_space(text[at]))
            at++;
        n = at - from;
        if (n == 0)
            break;
        if (n > TITLE_WORD_MAX || used + n + 1 + sizeof more > WORD_TITLE_CAP ||
            (used > 0 && columns_of(title, used) + columns_of(text + from, n) >=
                             TITLE_COLUMNS)) {
            memcpy(title + used, more, sizeof more - 1);
            used += sizeof more - 1;
            break;
        }
        if (used > 0)
            title[used++] = ' ';
        memcpy(title + used, text + from, n);
        used += n;
    }
    title[used] = '\0';
}

void word_cut(const char *text, size_t columns, char *buf, size_t cap)
{
    static const char more[] = "…";
    size_t n = 0, len = 0, keep = 0;

    for (; text[len] != '\0'; len++) {
        if (((unsigned char)text[len] & 0xc0) == 0x80)
            continue;
        /* A character begins here: what is before it has n columns. */
        if (n + 1 <= columns && len + sizeof more <= cap)
            keep = len;
        n++;
    }
    if (n <= columns && len < cap) {
        memcpy(buf, text, len + 1);
        return;
    }
    memcpy(buf, text, keep);
    memcpy(buf + keep, more, sizeof more);
}
