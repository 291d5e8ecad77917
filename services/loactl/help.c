/* help.c -- --help, made of the tables of commands. English stands there; the
 * commands' one line in Vietnamese stands here. */

#include <stdio.h>
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

static const char *about(const struct ctl *c, const struct command *m)
{
    for (size_t i = 0; !c->english && i < sizeof abouts / sizeof abouts[0]; i++)
        if (strcmp(abouts[i].group, m->group) == 0 &&
            strcmp(abouts[i].verb, m->verb) == 0)
            return abouts[i].vi;
    return m->about;
}

static void print_options(const struct option_def *o)
{
    for (; o != NULL && o->name != NULL; o++) {
        char head[48];
        snprintf(head, sizeof head, "--%s %s", o->name,
                 o->arg != NULL ? o->arg : "");
        printf("  %-24s %s\n", head, o->help);
    }
}

/* Of one group, or of all (NULL). */
static void list_commands(const struct ctl *c, const char *group)
{
    for (size_t t = 0; ctl_tables[t] != NULL; t++)
        for (const struct command *m = ctl_tables[t]; m->group != NULL; m++) {
            char head[64];
            if (group != NULL && strcmp(m->group, group) != 0)
                continue;
            snprintf(head, sizeof head, "%s %s %s", m->group, m->verb, m->args);
            printf("  %-38s %s\n", head, about(c, m));
        }
}

static void help_group(const struct ctl *c, const char *group)
{
    printf("usage: loactl [OPTIONS] %s COMMAND [ARGUMENTS]\n\n", group);
    list_commands(c, group);
    printf("\nloactl %s COMMAND --help says more about one.\n", group);
}

static void help_all(const struct ctl *c)
{
    printf(
        "loactl -- what is on air, and how it gets there\n\n"
        "usage: loactl [OPTIONS] COMMAND [ARGUMENTS]\n\n");
    list_commands(c, NULL);
    printf("  %-38s %s\n\n", "completion bash", "a script for the shell");
    print_options(ctl_globals);
    printf(
        "\nexample: loactl --identity editor.id content add news.wav\n"
        "exit: 0 done, 1 refused, 2 wrong usage, 3 no answer, 4 failed\n");
}

static void help_command(const struct ctl *c, const struct command *m)
{
    printf("loactl %s %s %s\n  %s\n\n", m->group, m->verb, m->args,
           about(c, m));
    if (m->options != NULL)
        print_options(m->options);
    printf("\nexample: %s\n", m->example);
}

void help_print(const struct ctl *c, const char *group)
{
    if (c->command != NULL)
        help_command(c, c->command);
    else if (group != NULL)
        help_group(c, group);
    else
        help_all(c);
}
