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
