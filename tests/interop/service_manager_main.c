/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service manager for tests: hands over listening sockets and prints what the service tells it.
 *
 *   service_manager_main NOTIFY_PATH [NAME=unix:PATH | NAME=tcp]... -- PROGRAM ARG...
 *
 * It binds the sockets, then runs PROGRAM with LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID,
 * NOTIFY_SOCKET and a WATCHDOG_USEC of 100 ms. Each line of each notification goes to stdout, and
 * first `port N` for each TCP socket. SIGTERM and SIGHUP go on to the program, SIGKILL of ours takes
 * it along; its exit status is ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD 3
#define SOCKETS_MAX 8

static pid_t child;

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static int bind_local(int type, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

static int bind_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("tcp");
	printf("port %d\n", ntohs(address.sin_port));
	return fd;
}

static int open_socket(char *spec, char *names, size_t room)
{
	char *where = strchr(spec, '=');
	size_t n = strlen(names);
	int fd;

	if (!where)
		die(spec);
	*where++ = 0;
	snprintf(names + n, room - n, "%s%s", n ? ":" : "", spec);
	fd = strncmp(where, "unix:", 5) == 0 ? bind_local(SOCK_STREAM, where + 5) : bind_tcp();
	if (listen(fd, 64) < 0)
		die("listen");
	return fd;
}

static void on_signal(int number)
{
	kill(child, number);
}

static void run(char **argv, const int *fds, int count, const char *names, const char *notify)
{
	char text[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < count; i++) /* above where they go, so that none is overwritten */
		if (dup2(fds[i], 100 + i) < 0)
			die("dup2");
	for (int i = 0; i < count; i++)
		if (dup2(100 + i, FIRST_FD + i) < 0 || close(100 + i) < 0)
			die("dup2");
	snprintf(text, sizeof(text), "%d", count);
	setenv("LISTEN_FDS", text, 1);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	setenv("WATCHDOG_PID", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	setenv("WATCHDOG_USEC", "100000", 1);
	setenv("NOTIFY_SOCKET", notify, 1);
	execv(argv[0], argv);
	die(argv[0]);
}

static int print_notifications(int fd)
{
	char message[512];
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		ssize_t n = recv(fd, message, sizeof(message) - 1, 0);

		if (n < 0)
			continue; /* SO_RCVTIMEO, or a signal */
		message[n] = 0;
		puts(message);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct timeval tick = {.tv_usec = 20000};
	int notify, fds[SOCKETS_MAX], count = 0, i;
	char names[256] = "";

	if (argc < 4)
		return 99;
	setvbuf(stdout, NULL, _IOLBF, 0);
	notify = bind_local(SOCK_DGRAM, argv[1]);
	setsockopt(notify, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	for (i = 2; i < argc && strcmp(argv[i], "--") != 0 && count < SOCKETS_MAX; i++)
		fds[count++] = open_socket(argv[i], names, sizeof(names));
	child = fork();
	if (child == 0)
		run(argv + i + 1, fds, count, names, argv[1]);
	signal(SIGTERM, on_signal);
	signal(SIGHUP, on_signal);
	return print_notifications(notify);
}
