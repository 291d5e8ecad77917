/* broker.h -- a private Mosquitto on a free port of loopback, for tests that
 * must stop it, kill it and start it again. */

#ifndef LOA_TEST_BROKER_H
#define LOA_TEST_BROKER_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct broker {
    pid_t pid;
    unsigned port;
    char dir[256];
    const char *conf; /* Lines of mosquitto.conf beside the listener. */
};

static inline int broker_socket(unsigned port,
                                int (*use)(int,
                                           const struct sockaddr *,
                                           socklen_t))
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (use(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    close(fd);
    return -1;
}

static inline unsigned broker_free_port(void)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;
    int fd = broker_socket(0, bind);

    getsockname(fd, (struct sockaddr *)&addr, &len);
    close(fd);
    return ntohs(addr.sin_port);
}

static inline void broker_write_conf(const struct broker *b, const char *path)
{
    FILE *f = fopen(path, "w");

    fprintf(f, "listener %u 127.0.0.1\nlog_type error\nlog_type warning\n%s\n",
            b->port, b->conf);
    if (getuid() == 0)
        fprintf(f, "user root\n"); /* It could not read our directory. */
    fclose(f);
}

/* Start it, and wait until it listens; port 0: choose one. */
static inline void broker_start(struct broker *b)
{
    char path[300], *dir = getenv("TEST_DIR");

    snprintf(b->dir, sizeof b->dir, "%s", dir == NULL ? "/tmp" : dir);
    if (b->port == 0)
        b->port = broker_free_port();
    snprintf(path, sizeof path, "%s/mosquitto-%u.conf", b->dir, b->port);
    broker_write_conf(b, path);
    b->pid = fork();
    if (b->pid == 0) {
        execlp("mosquitto", "mosquitto", "-c", path, (char *)NULL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        int fd = broker_socket(b->port, connect);
        if (fd >= 0) {
            close(fd);
            return;
        }
        usleep(10000);
    }
    fprintf(stderr, "the broker did not start\n");
    exit(1);
}

static inline void broker_stop(struct broker *b, int signum)
{
    if (b->pid <= 0)
        return;
    kill(b->pid, signum);
    waitpid(b->pid, NULL, 0);
    b->pid = 0;
}

#endif /* LOA_TEST_BROKER_H */
