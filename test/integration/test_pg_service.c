/* service.c and http.c: a small service as its supervisor sees it -- started,
 * asked over HTTP, and stopped by a signal, a lost broker or a lost database.
 */

#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <sys/time.h>

#include "broker.h"
#include "check.h"
#include "common/service.h"

/* The service: this program, run again with "serve" first. */

struct config {
    struct service_settings service;
    uint64_t linger_ms;
};

static const struct config_option options[] = {
    SERVICE_OPTIONS(struct config, service, "0"),
    {"linger", CONFIG_DURATION, offsetof(struct config, linger_ms), "1s", 10,
     60000, "how long to linger"},
};

static const struct config_program program = {
    .name = "loa-test",
    .about = "a service for tests",
    .example = "loa-test --linger 2s",
    .options = options,
    .options_n = sizeof options / sizeof options[0],
};

static const struct pg_stmt stmts[] = {
    {"one", "SELECT 1", 0, PG_ONE, true},
};

static struct metric own[] = {
    METRIC_COUNTER_INIT("loa_test_total", "Things counted", "kind=\"a\""),
    METRIC_COUNTER_INIT("loa_test_total", "Things counted", "kind=\"b\""),
    METRIC_HISTOGRAM_INIT("loa_test_seconds",
                          "Time taken",
                          NULL,
                          metric_seconds),
};

static struct service service;
static bool is_set_up;

static int start(void *data)
{
    PGresult *res = NULL;
    int rv = pg_query_now(&service.pg, &stmts[0], NULL, &res);

    (void)data;
    PQclear(res);
    metric_inc(&own[0]);
    metric_observe(&own[2], 0.02);
    if (rv == LOA_OK)
        rv = metrics_register(&service.metrics, own, 3);
    return rv;
}

static void connected(void *data)
{
    (void)data;
    is_set_up = true;
}

static bool is_ready(void *data, const char **why)
{
    (void)data;
    *why = "not set up";
    return is_set_up;
}

static int serve(int argc, char *argv[])
{
    static const struct mqtt_filter filter = {"t/#", 1};
    static struct config config;
    struct service_conf conf = {.name = "test",
                                .settings = &config.service,
                                .schema = "svc",
                                .stmts = stmts,
                                .stmts_n = 1,
                                .filters = &filter,
                                .filters_n = 1,
                                .start = start,
                                .connected = connected,
                                .ready = is_ready};
    int exit_code;

    if (!config_load(&program, argc, argv, &config, &exit_code))
        return exit_code;
    return service_run(&service, &conf);
}

static struct broker broker = {.conf = "allow_anonymous true\n"};
static const char *self;
static char log_path[300], identity_path[300];
static char text[1 << 16];

static const char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);

    text[n] = '\0';
    if (f != NULL)
        fclose(f);
    return text;
}

static bool says(const char *what)
{
    bool found = strstr(slurp(log_path), what) != NULL;

    if (!found)
        fprintf(stderr, "no '%s' in:\n%s", what, text);
    return found;
}

static pid_t run(const char *const *args)
{
    const char *argv[16] = {self, "serve"};
    pid_t pid;
    int n = 2;

    for (; *args != NULL; args++)
        argv[n++] = *args;
    unlink(log_path);
    pid = fork();
    if (pid == 0) {
        int fd = open(log_path, O_CREAT | O_WRONLY | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(self, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static bool await_log(const char *what)
{
    for (int i = 0; i < 3000; i++) {
        if (strstr(slurp(log_path), what) != NULL)
            return true;
        usleep(10000);
    }
    return says(what);
}

/* Its exit code; -1: it had to be killed. */
static int ends(pid_t pid)
{
    int status;

    for (int i = 0; i < 3000; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
        usleep(10000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static pid_t start_service(unsigned http_port)
{
    char mqtt[16], http[16];
    const char *args[] = {"--mqtt-port", mqtt, "--http-port", http, NULL};
    pid_t pid;

    snprintf(mqtt, sizeof mqtt, "%u", broker.port);
    snprintf(http, sizeof http, "%u", http_port);
    pid = run(args);
    CHECK_INT("ready", await_log("event=service.ready name=test"), 1);
    return pid;
}

/* Root and service key of this run, and a certificate that the root gave. */
static void write_identity(void)
{
    static struct loa_identity id;
    struct loa_key root;
    struct loa_certificate c = {.serial = 1,
                                .principal = "svc_test",
                                .name = "Dịch vụ thử",
                                .role = LOA_ROLE_SERVICE,
                                .service = "test",
                                .area = "vn",
                                .not_before_ms = 1,
                                .not_after_ms = INT64_C(4102444800000)};
    char why[IDENTITY_WHY_CAP] = "";

    randombytes_buf(id.seed, sizeof id.seed);
    loa_key_from_seed(&root, id.seed);
    memcpy(id.root, root.public_key, sizeof id.root);
    id.root_known = true;
    randombytes_buf(id.seed, sizeof id.seed);
    loa_key_from_seed(&id.key, id.seed);
    memcpy(c.subject, id.key.public_key, sizeof c.subject);
    id.certificates[0].data = id.store[0];
    id.certificates_n = 1;
    CHECK_INT("certificate",
              loa_certificate_issue(&c, &root, id.store[0], sizeof id.store[0],
                                    &id.certificates[0].len),
              LOA_OK);
    CHECK_INT("identity", identity_file_write(identity_path, &id, why), LOA_OK);
    CHECK_STR("identity", why, "");
    setenv("LOA_IDENTITY", identity_path, 1);
}

/* Send a request and read to the end of the answer; returns its status. */
static int ask(unsigned port, const char *request)
{
    struct timeval limit = {15, 0};
    int fd = broker_socket(port, connect), status = 0;
    size_t n = 0;
    ssize_t got = 0;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (write(fd, request, strlen(request)) < 0)
        got = -1;
    while (got >= 0 && n < sizeof text - 1 &&
           (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(fd);
    if (sscanf(text, "HTTP/1.1 %d", &status) != 1)
        return -1;
    return status;
}

#define GET(path) \
    "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_promtool(void)
{
    char path[300], command[1400];
    char *body = strstr(text, "\r\n\r\n");
    FILE *f;

    snprintf(path, sizeof path, "%s/metrics", getenv("TEST_DIR"));
    f = fopen(path, "w");
    fputs(body == NULL ? "" : body + 4, f);
    fclose(f);
    snprintf(command, sizeof command,
             "promtool check metrics <%s >%s.out 2>&1; rc=$?; cat %s.out >&2; "
             "[ $rc = 0 ] && [ ! -s %s.out ]",
             path, path, path, path);
    CHECK_INT("promtool accepts it without a word", system(command), 0);
}

static void test_http(unsigned port)
{
    char big[20000];
    int idle[HTTP_CONNECTIONS_MAX + 4];

    CHECK_INT("healthz", ask(port, GET("/healthz")), 200);
    CHECK_INT("readyz", ask(port, GET("/readyz")), 200);
    CHECK_INT("unknown", ask(port, GET("/")), 404);
    CHECK_INT("post",
              ask(port,
                  "POST /metrics HTTP/1.1\r\nHost: x\r\n"
                  "Content-Length: 3\r\nConnection: close\r\n\r\n"
                  "abc"),
              405);
    CHECK_INT("allow", strstr(text, "Allow: GET, HEAD") != NULL, 1);
    CHECK_INT("head",
              ask(port,
                  "HEAD /metrics HTTP/1.1\r\nHost: x\r\n"
                  "Connection: close\r\n\r\n"),
              200);
    CHECK_INT("head has no body", strstr(text, "loa_") == NULL, 1);
    memset(big, 'x', sizeof big);
    memcpy(big, "GET /", 5);
    big[sizeof big - 1] = '\0';
    CHECK_INT("a long line is not taken", ask(port, big) == 200, 0);
    CHECK_INT("metrics", ask(port, GET("/metrics")), 200);
    CHECK_INT("type",
              strstr(text, "Content-Type: text/plain; version=0.0.4") != NULL,
              1);
    CHECK_INT("own", strstr(text, "loa_test_total{kind=\"a\"} 1\n") != NULL, 1);
    CHECK_INT("runtime", strstr(text, "loa_mqtt_connected 1\n") != NULL, 1);
    CHECK_INT("process",
              strstr(text, "\nprocess_resident_memory_bytes ") != NULL, 1);
    test_promtool();
    /* Who connects and says nothing does not keep others out for good. */
    for (int i = 0; i < HTTP_CONNECTIONS_MAX + 4; i++)
        idle[i] = broker_socket(port, connect);
    CHECK_INT("after their time limit", ask(port, GET("/healthz")), 200);
    for (int i = 0; i < HTTP_CONNECTIONS_MAX + 4; i++)
        close(idle[i]);
    CHECK_INT("still there", ask(port, GET("/healthz")), 200);
}

static void test_ends(void)
{
    unsigned port = broker_free_port();
    char http[16], mqtt[16], command[300];
    const char *busy[] = {"--http-port", http, "--mqtt-port", mqtt, NULL};
    const char *no_db[] = {"--pg", "host=/nonexistent", NULL};
    pid_t pid, other;

    pid = start_service(port);
    test_http(port);
    snprintf(http, sizeof http, "%u", port);
    snprintf(mqtt, sizeof mqtt, "%u", broker.port);
    other = run(busy);
    CHECK_INT("busy port", ends(other), 1);
    CHECK_INT("busy port", says("the port is taken"), 1);
    kill(pid, SIGTERM);
    CHECK_INT("SIGTERM", ends(pid), 0);

    pid = start_service(0);
    kill(pid, SIGINT);
    CHECK_INT("SIGINT", ends(pid), 0);

    pid = start_service(0);
    snprintf(command, sizeof command,
             "psql -qXAtc \"SELECT pg_terminate_backend(pid) FROM "
             "pg_stat_activity WHERE application_name = 'test'\" >/dev/null");
    CHECK_INT("psql", system(command), 0);
    CHECK_INT("database lost", ends(pid), 1);
    CHECK_INT("database lost", says("event=pg.lost"), 1);

    pid = start_service(0);
    broker_stop(&broker, SIGKILL);
    CHECK_INT("broker lost", ends(pid), 1);
    CHECK_INT("broker lost", says("event=mqtt.lost"), 1);
    pid = run(busy);
    CHECK_INT("no broker", ends(pid), 1);
    pid = run(no_db);
    CHECK_INT("no database", ends(pid), 1);
    CHECK_INT("no database", says("event=pg.connect"), 1);
}

static const struct {
    const char *name, *args[6];
    int exit_code;
    const char *says;
} setting_rows[] = {
    {"check", {"--check"}, 0, "loa-test: the settings are good"},
    {"-n", {"-n", "--linger", "2s"}, 0, "the settings are good"},
    {"equals", {"-n", "--linger=2s"}, 0, "the settings are good"},
    {"version", {"--version"}, 0, "loa-test 0."},
    {"help",
     {"--help"},
     0,
     "--linger TIME              how long to linger [1s]"},
    {"help example", {"-h"}, 0, "Example: loa-test --linger 2s"},
    {"unknown", {"--x", "1"}, 2, "--x: there is no such option"},
    {"no option", {"x"}, 2, "x: this is not an option"},
    {"no value", {"--linger"}, 2, "--linger: a value must follow"},
    {"bad", {"--linger", "1"}, 2, "--linger = 1: want a time from 10ms to 1m"},
    {"two bad",
     {"--linger", "1", "--mqtt-port=99999"},
     2,
     "--mqtt-port = 99999: want a number from 1 to 65535"},
    {"no file", {"--config", "/nonexistent"}, 2, "cannot open the file"},
    {"level", {"--log-level", "x"}, 2, "want error, warn, info or debug"},
};

static void test_settings(void)
{
    char path[300];
    const char *from_file[] = {"-n", "--config", path, NULL};
    FILE *f;

    for (size_t i = 0; i < sizeof setting_rows / sizeof setting_rows[0]; i++) {
        pid_t pid = run(setting_rows[i].args);
        CHECK_INT(setting_rows[i].name, ends(pid), setting_rows[i].exit_code);
        CHECK_INT(setting_rows[i].name, says(setting_rows[i].says), 1);
    }
    snprintf(path, sizeof path, "%s/test.conf", getenv("TEST_DIR"));
    f = fopen(path, "w");
    fputs("# a comment\nlinger = 5s\nmqtt-port = 0\nnonsense\nx = 1\n", f);
    fclose(f);
    CHECK_INT("file", ends(run(from_file)), 2);
    CHECK_INT("value", says("test.conf:3: mqtt-port = 0: want a number"), 1);
    CHECK_INT("line", says("test.conf:4: want `name = value`"), 1);
    CHECK_INT("name", says("test.conf:5: x: there is no such option"), 1);
    setenv("LOA_LINGER", "nonsense", 1);
    CHECK_INT("environment", ends(run((const char *[]){"-n", NULL})), 2);
    CHECK_INT("environment", says("LOA_LINGER = nonsense: want a time"), 1);
    CHECK_INT("still a bad value",
              ends(run((const char *[]){"-n", "--linger", "2s", NULL})), 2);
    setenv("LOA_LINGER", "2s", 1);
    CHECK_INT("good again", ends(run((const char *[]){"-n", NULL})), 0);
    unsetenv("LOA_LINGER");
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return serve(argc - 1, argv + 1);
    self = argv[0];
    snprintf(log_path, sizeof log_path, "%s/service.log", getenv("TEST_DIR"));
    CHECK_INT("sodium", sodium_init() >= 0, 1);
    snprintf(identity_path, sizeof identity_path, "%s/identity",
             getenv("TEST_DIR"));
    write_identity();
    CHECK_INT("schema",
              system("psql -qX -v ON_ERROR_STOP=1 -f schema/001_common.sql "
                     "-c \"CALL loa_service('svc')\" >&2"),
              0);
    broker_start(&broker);
    test_settings();
    test_ends();
    broker_stop(&broker, SIGTERM);
    return CHECK_DONE();
}
