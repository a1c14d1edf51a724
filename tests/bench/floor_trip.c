/* The floor of the network: a byte there and back between two processes over loopback TCP. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/bench/floors.h"

struct floor_trip {
    int fd;
    pid_t echo;
};

static void do_echo(int listener, int other_end)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(other_end); /* else it would never see the end */
    int fd = accept(listener, NULL, NULL);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char byte = 0;
    while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) {
    }
    _exit(0);
}

struct floor_trip *floor_trip_new(void)
{
    struct floor_trip *trip = mem_alloc(sizeof *trip);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof address;
    struct sockaddr *any = (struct sockaddr *)&address;
    trip->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || trip->fd < 0 || bind(listener, any, bytes) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, any, &bytes) != 0) {
        bench_die("cannot listen: %s", strerror(errno));
    }
    trip->echo = fork();
    if (trip->echo == 0) {
        do_echo(listener, trip->fd);
    }
    int on = 1;
    setsockopt(trip->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (trip->echo < 0 || connect(trip->fd, any, bytes) != 0) {
        bench_die("cannot connect: %s", strerror(errno));
    }
    close(listener);
    return trip;
}

double floor_trip_once(struct floor_trip *trip)
{
    char byte = 'x';
    double began = now_s();
    if (write(trip->fd, &byte, 1) != 1 || read(trip->fd, &byte, 1) != 1) {
        bench_die("the echo has gone");
    }
    return now_s() - began;
}

pid_t floor_trip_echo(const struct floor_trip *trip)
{
    return trip->echo;
}

void floor_trip_free(struct floor_trip *trip)
{
    close(trip->fd);
    waitpid(trip->echo, NULL, 0);
    mem_free(trip);
}
