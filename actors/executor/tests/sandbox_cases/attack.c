/* Attacks on who answers a command's renames. Run in a sandbox; the first also outside of it, on a process of its own. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <unistd.h>

static const char *word(int failed) { return failed ? "refused" : "DONE"; }

/* Everything that looks into another process or takes its descriptors. */
static void take(pid_t pid) {
	char path[64], byte, *at = &byte;
	int pidfd = syscall(SYS_pidfd_open, pid, 0), got = 0;
	for (int fd = 0; fd < 64 && got <= 0; fd++)
		got = syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0 ? 1 : got;
	printf("pidfd_getfd %s\n", word(got != 1));
	printf("ptrace %s\n", word(ptrace(PTRACE_SEIZE, pid, 0, 0) != 0));
	struct iovec mine = { &byte, 1 }, theirs = { (void *)at, 1 };
	printf("process_vm_readv %s\n", word(process_vm_readv(pid, &mine, 1, &theirs, 1, 0) != 1));
	for (const char **name = (const char *[]){ "mem", "environ", "fd/0", "exe", 0 }; *name; name++) {
		snprintf(path, sizeof path, "/proc/%d/%s", pid, *name);
		int fd = open(path, O_RDONLY);
		/* A file that opens and can't be read gives nothing away. */
		printf("%s %s\n", *name, word(fd < 0 || (strcmp(*name, "mem") && read(fd, &byte, 1) < 0)));
	}
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };
	if (pid == 1)
		printf("second listener %s\n", word(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0));
}

static char from[4096], to[4096];
static const char *froms[] = { "d", "/etc", "/usr", "/proc/1", "d", "/bin", "/dev", "d" };
static const char *tos[] = { "n", "/etc/n", "/usr/n", "/n", "n", "/bin/n", "/dev/n", "/tmp/n" };
static atomic_int over;

/* Writes other paths over those that are being read. */
static void *flip(void *unused) {
	for (unsigned n = 0; !over; n++) {
		strcpy(from, froms[n % 8]);
		strcpy(to, tos[(n / 3) % 8]);
	}
	return unused;
}

/* Where it is now, if it is here. */
static int back(void) {
	DIR *here = opendir(".");
	struct dirent *entry;
	int found = -1;
	while (found && (entry = readdir(here)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			found = rename(entry->d_name, "d");
	closedir(here);
	return found;
}

static void race(int rounds) {
	pthread_t thread;
	int done = 0;
	strcpy(from, "d");
	strcpy(to, "n");
	pthread_create(&thread, 0, flip, 0);
	for (int n = 0; n < rounds; n++)
		if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) == 0) {
			done++;
			/* A name that is read while it is half written may be any name, but only here. */
			if (rename("n", "d") && back()) printf("moved elsewhere: %s\n", strerror(errno));
		}
	over = 1;
	pthread_join(thread, 0);
	printf("%d rounds, %s moved\n", rounds, done ? "some" : "none");
}

/* Renames, links and connections from many threads at once. */
static void *noise(void *number) {
	struct sockaddr_in far = { AF_INET, htons(9), { inet_addr("192.0.2.1") }, { 0 } };
	char a[32], b[32];
	snprintf(a, sizeof a, "t%ld", (long)number);
	snprintf(b, sizeof b, "u%ld", (long)number);
	mkdir(a, 0755);
	for (int n = 0; n < 150; n++) {
		if (rename(a, b) || rename(b, a)) perror("rename");
		int s = socket(AF_INET, SOCK_DGRAM, 0);
		connect(s, (void *)&far, sizeof far);
		close(s);
		link("none", "nowhere");
	}
	rmdir(a);
	return 0;
}

static void flood(void) {
	pthread_t all[64];
	for (long n = 0; n < 64; n++) pthread_create(&all[n], 0, noise, (void *)n);
	for (int n = 0; n < 64; n++) pthread_join(all[n], 0);
	puts("quiet");
}

/* A caller that dies while its tree is being moved. */
static void die(int rounds) {
	for (int n = 0; n < rounds; n++) {
		pid_t child = fork();
		if (!child) {
			rename("d", "n");
			rename("n", "d");
			pause();
		}
		usleep(n * 97 % 5000);
		kill(child, SIGKILL);
		waitpid(child, 0, 0);
	}
	puts("dead");
}

/* Everything is killed while a tree is being moved, whoever moves it. */
static void slay(void) {
	if (!fork())
		for (;;) rename("d", "n"), rename("n", "d");
	usleep(4000);
	kill(-1, SIGKILL);
	puts("slain");
}

static void *outer(void *unused) {
	for (int n = 0; n < 300; n++) rename(n % 2 ? "n" : "d", n % 2 ? "d" : "n");
	over = 1;
	return unused;
}

/* A tree moves, and so does what is in it. */
static void nested(void) {
	const char *in[] = { "d/e", "d/f", "n/e", "n/f", "d/e/g", "n/e/g", "d", "n", "g", "d/f/g" };
	pthread_t thread;
	pthread_create(&thread, 0, outer, 0);
	for (unsigned n = 0; !over; n++) {
		rename(in[n % 10], in[n / 10 % 10]);
		/* Onto what is above it, and below itself. */
		if (!rename("d/e", "d") || !rename("d", "d/e/g/h")) puts("onto itself");
	}
	pthread_join(thread, 0);
	puts("nested");
}

int main(int count, char **words) {
	const char *what = count > 1 ? words[1] : "";
	setvbuf(stdout, 0, _IONBF, 0);
	if (!strcmp(what, "take")) take(1);
	if (!strcmp(what, "outside")) {
		pid_t child = fork();
		if (!child) pause();
		take(child);
		kill(child, SIGKILL);
	}
	if (!strcmp(what, "race")) race(10000);
	if (!strcmp(what, "flood")) flood();
	if (!strcmp(what, "die")) die(60);
	if (!strcmp(what, "slay")) slay();
	if (!strcmp(what, "nested")) nested();
	return 0;
}
