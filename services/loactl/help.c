/* help.c -- the commands' one line in Vietnamese; English stands in the tables.
 */

#include <string.h>

#include "loactl/ctl.h"

static const struct {
    const char *group, *verb, *vi;
} abouts[] = {
    {"area", "import", "nạp cây địa bàn từ tệp CSV"},
    {"area", "ls", "các địa bàn ngay bên dưới"},
    {"area", "find", "tìm địa bàn theo tên, mã hoặc đường dẫn"},
    {"content", "add", "nộp một tệp âm thanh"},
    {"content", "say", "nộp một văn bản để đọc; - là đọc từ stdin"},
    {"content", "ls", "các nội dung, mới nhất trước"},
    {"content", "approve", "cho phép phát ở một địa bàn những gì bạn đã nghe"},
    {"content", "export", "lưu thành Ogg Opus để nghe"},
    {"content", "delete", "xoá, trừ khi lịch còn cần"},
    {"counts", "", "số liệu của một địa bàn và từng địa bàn bên dưới"},
    {"device", "enrol", "mã dùng một lần cho thiết bị mới"},
    {"device", "ls", "các thiết bị của một địa bàn"},
    {"device", "show", "một thiết bị"},
    {"device", "revoke", "loại một thiết bị hoặc một người, ngay lập tức"},
    {"device", "stop", "im lặng, ngay; không ghi AREA: cả địa bàn của bạn"},
    {"device", "volume", "đặt âm lượng"},
    {"key", "new", "tạo một cặp khoá trên máy này"},
    {"key", "issue", "cấp chứng thư cho khoá trong FILE, bằng --identity"},
    {"key", "show", "nội dung một tệp danh tính; không bao giờ có bí mật"},
    {"key", "login", "mật khẩu MQTT: dùng một lần, trong hai phút"},
    {"principal", "add", "đưa chứng thư vào sổ đăng ký, để có thể thu hồi"},
    {"principal", "revoke", "loại một người hoặc một dịch vụ, ngay lập tức"},
    {"report", "", "mỗi loa đã làm gì với một bản tin"},
    {"schedule", "add", "lên lịch phát một nội dung ở các địa bàn"},
    {"schedule", "ls", "một địa bàn sẽ nghe gì"},
    {"schedule", "change", "đổi giờ, đổi nội dung"},
    {"schedule", "cancel", "huỷ; đang phát thì ngắt"},
    {"status", "", "từng thiết bị của một địa bàn"},
    {"watch", "", "những gì đang xảy ra; Ctrl-C để dừng"},
};

const char *help_about(const struct ctl *c, const struct command *m)
{
    for (size_t i = 0; !c->english && i < sizeof abouts / sizeof abouts[0]; i++)
        if (strcmp(abouts[i].group, m->group) == 0 &&
            strcmp(abouts[i].verb, m->verb) == 0)
            return abouts[i].vi;
    return m->about;
}
