#include "content-ingest/refusal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "encode/verdict.h"
#include "proto/text.h"

#define TRY_AGAIN_VI "hãy gửi lại sau ít phút."
#define TRY_AGAIN_EN "send it again in a few minutes."

static const struct refusal_text texts[REFUSALS_N] = {
    [REFUSE_REQUEST] = {REFUSAL_INVALID,
                        "Yêu cầu không đọc được: hãy cập nhật phần mềm.",
                        "The request cannot be read: update the software."},
    [REFUSE_ROLE] = {REFUSAL_NOT_ALLOWED,
                     "Chỉ cán bộ và dịch vụ được làm việc với nội dung: hãy "
                     "dùng danh tính của cán bộ.",
                     "Only staff and services may work with content: use the "
                     "identity of a member of staff."},
    [REFUSE_UPLOAD_ID] = {REFUSAL_INVALID,
                          "Mã lượt gửi phải đúng 16 byte: hãy tạo mã mới.",
                          "The upload id must be 16 bytes: make a new one."},
    [REFUSE_MEDIA] = {REFUSAL_INVALID,
                      "Chưa rõ là âm thanh hay văn bản: hãy chọn một loại.",
                      "It is neither sound nor text: choose one of them."},
    [REFUSE_TITLE] = {REFUSAL_INVALID,
                      "Tiêu đề phải là văn bản UTF-8 một dòng, từ 1 đến 200 "
                      "byte: hãy sửa tiêu đề.",
                      "The title must be one line of UTF-8, 1 to 200 bytes: "
                      "correct the title."},
    [REFUSE_LANGUAGE] = {REFUSAL_INVALID,
                         "Mã ngôn ngữ không đúng dạng BCP 47: hãy dùng \"vi\" "
                         "hoặc \"en\".",
                         "The language is not a BCP 47 tag: use \"vi\" or "
                         "\"en\"."},
    [REFUSE_FILE_NAME] = {REFUSAL_INVALID,
                          "Tên tệp phải là văn bản UTF-8 một dòng, tối đa 255 "
                          "byte: hãy đổi tên tệp.",
                          "The file name must be one line of UTF-8, at most "
                          "255 bytes: rename the file."},
    [REFUSE_AREA] = {REFUSAL_INVALID,
                     "Mã địa bàn không đúng dạng: hãy viết như \"vn/08/070\".",
                     "The area is malformed: write it like \"vn/08/070\"."},
    [REFUSE_AREA_OUTSIDE] =
        {REFUSAL_NOT_ALLOWED,
         "Địa bàn nằm ngoài địa bàn của người gửi: hãy chọn "
         "địa bàn của mình hoặc cấp dưới.",
         "The area lies outside the sender's own: choose "
         "that or one below it."},
    [REFUSE_EMPTY] = {REFUSAL_INVALID, "Tệp rỗng, 0 byte: hãy chọn tệp khác.",
                      "The file is empty, 0 bytes: choose another."},
    [REFUSE_AUDIO_SIZE] =
        {REFUSAL_TOO_LARGE,
         "Tệp âm thanh lớn hơn 512 MiB: hãy cắt ngắn hoặc nén "
         "lại (FLAC, MP3).",
         "The sound file is larger than 512 MiB: cut or "
         "compress it (FLAC, MP3)."},
    [REFUSE_TEXT_SIZE] = {REFUSAL_TOO_LARGE,
                          "Văn bản dài hơn 64 KiB: hãy chia thành nhiều bài.",
                          "The text is longer than 64 KiB: divide it into "
                          "several bulletins."},
    [REFUSE_UPLOADS_FULL] =
        {REFUSAL_BUSY, "Máy chủ đang nhận quá nhiều tệp: " TRY_AGAIN_VI,
         "The server is taking in too many files: " TRY_AGAIN_EN},
    [REFUSE_UPLOADS_MINE] = {REFUSAL_BUSY,
                             "Người gửi đã có quá nhiều tệp chưa xong: hãy đợi "
                             "xong rồi gửi tiếp.",
                             "The sender has too many unfinished files: let "
                             "those finish first."},
    [REFUSE_QUOTA_MINE] = {REFUSAL_BUSY,
                           "Các tệp chưa xong của người gửi vượt hạn mức: hãy "
                           "đợi xong rồi gửi tiếp.",
                           "The sender's unfinished files exceed the quota: "
                           "let those finish first."},
    [REFUSE_QUOTA_ALL] =
        {REFUSAL_BUSY,
         "Tổng các tệp chưa xong vượt hạn mức của máy chủ: " TRY_AGAIN_VI,
         "All unfinished files together exceed the server's "
         "quota: " TRY_AGAIN_EN},
    [REFUSE_SPACE] = {REFUSAL_BUSY,
                      "Đĩa của máy chủ sắp đầy, phần đã nhận vẫn còn: hãy báo "
                      "quản trị rồi gửi tiếp sau.",
                      "The server's disk is nearly full; what was received is "
                      "kept: tell the administrator and go on later."},
    [REFUSE_DATABASE_FULL] =
        {REFUSAL_BUSY,
         "Cơ sở dữ liệu hết chỗ, phần đã nhận vẫn còn: hãy "
         "báo quản trị rồi gửi tiếp sau.",
         "The database has no room; what was received is "
         "kept: tell the administrator and go on later."},
    [REFUSE_DATABASE_BUSY] = {REFUSAL_BUSY, "Máy chủ đang bận: " TRY_AGAIN_VI,
                              "The server is busy: " TRY_AGAIN_EN},
    [REFUSE_DATABASE] = {REFUSAL_FAILED,
                         "Cơ sở dữ liệu từ chối, không có gì thay đổi: hãy báo "
                         "quản trị.",
                         "The database refused and nothing was changed: tell "
                         "the administrator."},
    [REFUSE_UPLOAD_UNKNOWN] =
        {REFUSAL_NOT_FOUND,
         "Không có lượt gửi này (hoặc đã quá hạn): hãy gửi "
         "lại từ đầu.",
         "There is no such upload (or it is out of "
         "date): begin again."},
    [REFUSE_UPLOAD_OTHER] =
        {REFUSAL_NOT_ALLOWED,
         "Lượt gửi này là của người khác: hãy tạo lượt gửi "
         "mới.",
         "This upload is somebody else's: begin a new one."},
    [REFUSE_UPLOAD_DIFFERENT] = {REFUSAL_CONFLICT,
                                 "Mã lượt gửi đã dùng cho tệp khác: hãy tạo mã "
                                 "mới.",
                                 "The upload id is taken by another file: make "
                                 "a new one."},
    [REFUSE_UPLOAD_BEGINNING] = {REFUSAL_BUSY,
                                 "Lượt gửi này đang được tạo: hãy hỏi lại sau "
                                 "giây lát.",
                                 "This upload is just being made: ask again in "
                                 "a moment."},
    [REFUSE_PART_SIZE] = {REFUSAL_INVALID,
                          "Mỗi phần phải từ 1 đến 48.000 byte: hãy cập nhật "
                          "phần mềm.",
                          "A part must have 1 to 48,000 bytes: update the "
                          "software."},
    [REFUSE_PART_BEYOND] = {REFUSAL_INVALID,
                            "Phần này vượt quá kích thước đã khai báo: hãy gửi "
                            "lại tệp từ đầu.",
                            "The part lies beyond the size that was declared: "
                            "send the file anew."},
    [REFUSE_PART_SCATTERED] = {REFUSAL_BUSY,
                               "Các phần đến quá rời rạc: hãy gửi tiếp từ vị "
                               "trí đã nhận.",
                               "The parts come too scattered: go on from where "
                               "the answer says."},
    [REFUSE_HASH] = {REFUSAL_INVALID,
                     "Mã nội dung phải đúng 32 byte: hãy chép lại mã.",
                     "The content hash must be 32 bytes: copy it again."},
    [REFUSE_CONTENT_UNKNOWN] = {REFUSAL_NOT_FOUND,
                                "Không có nội dung này trong địa bàn: hãy xem "
                                "lại danh sách (loactl content ls).",
                                "There is no such content in the area: see the "
                                "list (loactl content ls)."},
    [REFUSE_APPROVAL_MALFORMED] =
        {REFUSAL_INVALID,
         "Bản phê duyệt không đọc được: hãy phê duyệt "
         "lại bằng phần mềm mới.",
         "The approval cannot be read: approve again "
         "with current software."},
    [REFUSE_APPROVAL_POWER] =
        {REFUSAL_NOT_ALLOWED,
         "Người ký không có quyền phê duyệt nội dung: hãy "
         "nhờ người có quyền.",
         "The signer may not approve content: ask "
         "somebody who may."},
    [REFUSE_APPROVAL_AREA] =
        {REFUSAL_NOT_ALLOWED,
         "Địa bàn phê duyệt nằm ngoài địa bàn của người ký: "
         "hãy nhờ cấp trên.",
         "The area approved for lies outside the signer's: "
         "ask the tier above."},
    [REFUSE_APPROVAL_EXPIRED] =
        {REFUSAL_EXPIRED,
         "Bản phê duyệt hoặc chứng thư của người ký hết "
         "hiệu lực: hãy phê duyệt lại.",
         "The approval or its signer's certificate is "
         "not valid now: approve again."},
    [REFUSE_APPROVAL_REVOKED] =
        {REFUSAL_REVOKED,
         "Chứng thư của người ký đã bị thu hồi: hãy nhờ "
         "người khác phê duyệt.",
         "The signer's certificate is revoked: let "
         "somebody else approve."},
    [REFUSE_APPROVAL_SIGNATURE] = {REFUSAL_NOT_ALLOWED,
                                   "Không xác minh được chữ ký phê duyệt: hãy "
                                   "kiểm tra danh tính của người ký.",
                                   "The approval's signature does not hold: "
                                   "check the signer's identity."},
    [REFUSE_APPROVAL_DIFFERENT] = {REFUSAL_CONFLICT,
                                   "Bản phê duyệt không đúng với nội dung đang "
                                   "lưu: hãy nghe lại rồi phê duyệt lại.",
                                   "The approval is for something other than "
                                   "what is stored: listen and approve again."},
    [REFUSE_APPROVALS_FULL] =
        {REFUSAL_CONFLICT,
         "Nội dung đã có đủ số bản phê duyệt còn hiệu lực: "
         "hãy dùng bản có sẵn.",
         "The content has as many valid approvals as are "
         "kept: use one of those."},
    [REFUSE_DELETE_POWER] =
        {REFUSAL_NOT_ALLOWED,
         "Chỉ người gửi hoặc người có quyền phê duyệt của "
         "địa bàn được xóa: hãy nhờ họ.",
         "Only who sent it, or an approver of the area, may "
         "delete it: ask one of them."},
    [REFUSE_IN_USE] =
        {REFUSAL_IN_USE,
         "Một chương trình còn cần nội dung này: hãy hủy lịch phát "
         "trước.",
         "A programme still needs this content: cancel it there "
         "first."},
    [REFUSE_SCHEDULER_SILENT] =
        {REFUSAL_BUSY,
         "Bộ lập lịch không trả lời nên chưa rõ bản tin nào còn cần nội dung "
         "này, chưa xoá gì: hãy thử lại sau.",
         "The scheduler does not answer whether a bulletin needs this content, "
         "so nothing was deleted: try again later."},
    [REFUSE_EXPORT_OFFSET] = {REFUSAL_INVALID,
                              "Vị trí nằm sau cuối tệp: hãy tải lại từ đầu.",
                              "The offset lies behind the end of the file: "
                              "fetch it from the start."},
    [REFUSE_EXPORT_BUSY] = {REFUSAL_BUSY,
                            "Đang xuất quá nhiều tệp: " TRY_AGAIN_VI,
                            "Too many files are being exported: "
                            "ask again in a few minutes."},
    [REFUSE_EXPORT_FAILED] = {REFUSAL_FAILED,
                              "Không xuất được tệp: hãy báo quản trị xem nhật "
                              "ký.",
                              "The file could not be exported: have the "
                              "administrator see the log."},
    [REFUSE_CURSOR] = {REFUSAL_INVALID,
                       "Không hiểu vị trí \"after\": hãy dùng \"next\" của câu "
                       "trả lời trước.",
                       "The \"after\" makes no sense: use \"next\" of the "
                       "answer before."},
    [REFUSE_TEXT_NUL] = {REFUSAL_INVALID,
                         "Văn bản chứa byte 0: hãy lưu lại dưới dạng văn bản "
                         "UTF-8 thuần.",
                         "The text holds a zero byte: save it as plain UTF-8 "
                         "text."},
    [REFUSE_GAVE_UP] =
        {REFUSAL_FAILED,
         "Máy chủ đã thử ba lần mà không xong: hãy báo quản trị, "
         "hoặc gửi tệp dạng khác.",
         "The server tried three times and never finished: tell "
         "the administrator, or send another format."},
    [REFUSE_ENCODER_MISSING] = {REFUSAL_FAILED,
                                "Không chạy được bộ mã hóa: hãy báo quản trị "
                                "kiểm tra loa-encode.",
                                "The encoder cannot be run: have the "
                                "administrator check loa-encode."},
    [REFUSE_ENCODER_TIME] = {REFUSAL_TOO_LARGE,
                             "Mã hóa quá lâu và đã dừng: hãy gửi tệp ngắn hơn.",
                             "Encoding took too long and was stopped: send a "
                             "shorter file."},
    [REFUSE_ENCODER_DIED] =
        {REFUSAL_INVALID,
         "Bộ giải mã gặp sự cố với tệp này: hãy chuyển sang "
         "WAV hoặc FLAC rồi gửi lại.",
         "The decoder fell over this file: convert it to "
         "WAV or FLAC and send that."},
    [REFUSE_ENCODER_OUTPUT] = {REFUSAL_FAILED,
                               "Kết quả mã hóa không hợp lệ: hãy báo quản trị.",
                               "The encoder's result is not valid: tell the "
                               "administrator."},
    [REFUSE_WORK_DIR] =
        {REFUSAL_FAILED,
         "Không ghi được vào thư mục làm việc: hãy báo quản trị.",
         "The work directory cannot be written to: tell the "
         "administrator."},
};

const struct refusal_text *refusal_text(enum refusal r)
{
    assert(r > REFUSE_NOTHING && r < REFUSALS_N);
    return &texts[r];
}

/* --- the worker's refusals ------------------------------------------------ */

static const struct worker_row {
    int exit_code;
    enum refusal_code code;
    bool again;
    const char *vi;
} rows[] = {
    {ENCODE_EMPTY, REFUSAL_INVALID, false,
     "Tệp rỗng, 0 byte: hãy chọn tệp khác."},
    {ENCODE_NOT_AUDIO, REFUSAL_INVALID, false,
     "Tệp không phải âm thanh đọc được: hãy gửi WAV, FLAC, Ogg, MP3 hoặc M4A."},
    {ENCODE_TRUNCATED, REFUSAL_INVALID, false,
     "Tệp âm thanh bị cắt cụt hoặc hỏng: hãy chép lại tệp gốc rồi gửi lại."},
    {ENCODE_NO_SOUND, REFUSAL_INVALID, false,
     "Tệp không có âm thanh nào (0 giây): hãy kiểm tra bản ghi."},
    {ENCODE_TOO_LONG, REFUSAL_TOO_LARGE, false,
     "Âm thanh dài quá mức cho phép: hãy chia thành nhiều bài."},
    {ENCODE_TEXT_BAD, REFUSAL_INVALID, false,
     "Văn bản không phải UTF-8 hợp lệ: hãy lưu lại dưới dạng UTF-8."},
    {ENCODE_TEXT_EMPTY, REFUSAL_INVALID, false,
     "Văn bản không có chữ hay số nào để đọc: hãy nhập nội dung."},
    {ENCODE_TEXT_LONG, REFUSAL_TOO_LARGE, false,
     "Văn bản quá dài: hãy chia thành nhiều bài."},
    {ENCODE_NO_VOICE, REFUSAL_INVALID, false,
     "Không có giọng đọc cho ngôn ngữ này: hãy chọn \"vi\" hoặc \"en\"."},
    {ENCODE_CPU_LIMIT, REFUSAL_TOO_LARGE, false,
     "Mã hóa quá lâu và đã dừng: hãy gửi tệp ngắn hơn."},
    {ENCODE_NO_MEMORY, REFUSAL_TOO_LARGE, false,
     "Tệp cần quá nhiều bộ nhớ: hãy chuyển sang WAV hoặc FLAC rồi gửi lại."},
    {ENCODE_NO_ROOM, REFUSAL_BUSY, true,
     "Đĩa của máy chủ đầy: hãy báo quản trị."},
    {ENCODE_UNWRITABLE, REFUSAL_FAILED, true,
     "Không ghi được vào thư mục làm việc: hãy báo quản trị."},
    {ENCODE_DICTIONARY, REFUSAL_FAILED, false,
     "Từ điển phát âm của máy chủ bị lỗi: hãy báo quản trị."},
};

/* The last line of what the worker said, without its own name and path. */
static void sentence(const char *said, char *out, size_t cap)
{
    size_t len = strlen(said), from;
    const char *cut;

    while (len > 0 && (said[len - 1] == '\n' || said[len - 1] == '\r'))
        len--;
    from = len;
    while (from > 0 && said[from - 1] != '\n')
        from--;
    if (len - from > cap - 1)
        len = from + cap - 1;
    memcpy(out, said + from, len - from);
    out[len - from] = '\0';
    if (strncmp(out, "loa-encode: ", 12) == 0) {
        cut = out[12] == '/' ? strstr(out + 12, ": ") : NULL;
        cut = cut != NULL ? cut + 2 : out + 12;
        memmove(out, cut, strlen(cut) + 1);
    }
}

void refusal_worker(int exit_code, const char *said, struct refusal_worker *out)
{
    const struct refusal_text *plain = &texts[REFUSE_ENCODER_OUTPUT];

    memset(out, 0, sizeof *out);
    out->code = REFUSAL_FAILED;
    out->vi = plain->vi;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].exit_code == exit_code) {
            out->code = rows[i].code;
            out->vi = rows[i].vi;
            out->again = rows[i].again;
        }
    sentence(said, out->en, sizeof out->en);
    /* What a library said about a hostile file may be anything. */
    if (out->en[0] == '\0' ||
        !loa_line_valid(out->en, REFUSAL_WORKER_LEN_MAX - 1))
        snprintf(out->en, sizeof out->en, "%s", plain->en);
}
