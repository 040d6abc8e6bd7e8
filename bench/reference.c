/* The least that sending a frame to many sockets can cost: accept `count` connections on a free loopback port, which is
 * printed, then send the file's bytes to each of them once for every byte on standard input. Ends with its input. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char frame[65536];

static int fail(const char *what) {
    perror(what);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int count = atoi(argv[1]);
    FILE *file = fopen(argv[2], "rb");
    if (!file) return fail("fopen");
    size_t size = fread(frame, 1, sizeof frame, file);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4096)) return fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int *sockets = calloc(count, sizeof *sockets);
    for (int i = 0; i < count; i++)
        if ((sockets[i] = accept(listener, NULL, NULL)) < 0) return fail("accept");
    char go;
    while (read(STDIN_FILENO, &go, 1) == 1)
        for (int i = 0; i < count; i++)
            if (send(sockets[i], frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size) return fail("send");
    return 0;
}
